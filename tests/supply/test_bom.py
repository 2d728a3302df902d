"""Everything that is installed is pinned by hash, listed in the bill of materials, and under a licence we may pass on."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib

from cyclonedx.output.json import JsonV1Dot6

from tests.supply.bom import LOCK, bom, licence, licences, pinned

MAY = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|LGPL|Lesser General|CC0|Zlib|Unlicense|0BSD"
)
LOOKED_UP = {
    "axe-playwright-python": "MIT, its file LICENSE",
    "pyxform": "BSD-2-Clause, its file LICENSE",
}
"""Packages that say nothing in their metadata; their licence was read in the file they bring along."""
ONLY_TESTED_WITH = {
    "vietnam-provinces": "GPL-3.0-or-later, by pyproject.toml of its repository; its package says nothing",
}
"""Packages that a test compares something with, and nothing that is passed on needs."""


def test_every_pin_has_hashes_and_stands_in_the_bill() -> None:
    pins = list(pinned())
    assert len(pins) == len(re.findall(r"^[\w.-]+==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    assert all(hashes for _, _, hashes in pins)
    written = json.loads(JsonV1Dot6(bom()).output_as_string())
    listed = {(one["name"], one["version"]) for one in written["components"]}
    assert written["specVersion"] == "1.6"
    assert listed == {(name, version) for name, version, _ in pins}


def test_what_it_runs_with_is_pinned_as_it_is_tested() -> None:
    tested = list(pinned())
    runs_with = list(pinned(LOCK.with_name("requirements.lock")))
    assert len(runs_with) > 50
    assert [one for one in runs_with if one not in tested] == []
    assert {"pytest", "pyspark"}.isdisjoint(name for name, _, _ in runs_with)


def test_the_list_of_licences_has_a_line_for_every_pin() -> None:
    lines = list(csv.DictReader(io.StringIO(licences())))
    assert [(line["package"], line["version"]) for line in lines] == [pin[:2] for pin in pinned()]
    (argon,) = [line["licence"] for line in lines if line["package"] == "argon2-cffi"]
    assert "MIT" in argon


def test_every_licence_may_be_passed_on() -> None:
    unclear = {
        name for name, _, _ in pinned() if (said := licence(name)) is not None and not MAY.search(said)
    }
    assert unclear == {*LOOKED_UP, *ONLY_TESTED_WITH}, (
        "look the licence up and, if it may be passed on, list it here with where it stands"
    )


def test_what_is_passed_on_needs_none_of_what_is_only_tested_with() -> None:
    project = tomllib.loads((LOCK.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    passed_on = [*project["dependencies"], *project["optional-dependencies"]["engines"]]
    assert not {re.split(r"[\[><=]", one)[0] for one in passed_on} & set(ONLY_TESTED_WITH)
    for folder in ("survey", "analysis"):
        for path in (LOCK.parent / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not any(name.replace("-", "_") in text for name in ONLY_TESTED_WITH), path
