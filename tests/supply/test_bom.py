"""Everything that is installed is pinned by hash, listed in the bill of materials, and under a licence we may pass on."""

from __future__ import annotations

import json
import re

from cyclonedx.output.json import JsonV1Dot6

from tests.supply.bom import LOCK, bom, licence, pinned

MAY = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla Public|LGPL|Lesser General|CC0|Zlib|Unlicense|0BSD"
)
LOOKED_UP = {
    "axe-playwright-python": "MIT, its file LICENSE",
    "pyxform": "BSD-2-Clause, its file LICENSE",
    "vietnam-provinces": "says nothing in its package; open, see docs/decisions/0005-threats.md",
}
"""Packages that say nothing in their metadata; their licence was read in the file they bring along."""


def test_every_pin_has_hashes_and_stands_in_the_bill() -> None:
    pins = list(pinned())
    assert len(pins) == len(re.findall(r"^[\w.-]+==", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    assert all(hashes for _, _, hashes in pins)
    written = json.loads(JsonV1Dot6(bom()).output_as_string())
    listed = {(one["name"], one["version"]) for one in written["components"]}
    assert written["specVersion"] == "1.6"
    assert listed == {(name, version) for name, version, _ in pins}


def test_every_licence_may_be_passed_on() -> None:
    unclear = {
        name for name, _, _ in pinned() if (said := licence(name)) is not None and not MAY.search(said)
    }
    assert unclear == set(LOOKED_UP), (
        "look the licence up and, if it may be passed on, list it here with where it stands"
    )
