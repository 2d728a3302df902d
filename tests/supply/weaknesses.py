"""Holds what requirements-test.lock pins against a database of known weaknesses, without a network: `make audit OSV=all.zip`.

The database is the OSV export for PyPI (one JSON document an entry, https://google.github.io/osv-schema/), fetched anywhere
(osv.dev: "PyPI/all.zip") and carried to where the software is built. A version is affected when an entry names it, or when it
lies in one of its ranges. Withdrawn entries do not count.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.supply.bom import pinned

Pins = Mapping[str, str]


def entries(database: Path) -> Iterator[dict[str, Any]]:
    """Every entry of the export that was not withdrawn."""
    with zipfile.ZipFile(database) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                entry = json.loads(archive.read(name))
                if not entry.get("withdrawn"):
                    yield entry


def found(database: Path, pins: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each weakness of a pin: package, version, the entry and its other names, what it says."""
    pinned_at: dict[str, list[str]] = {}
    for name, version in pins:
        pinned_at.setdefault(canonicalize_name(name), []).append(version)
    lines = set()
    for entry in entries(database):
        for affected in entry.get("affected", ()):
            package = affected.get("package", {})
            name = canonicalize_name(package.get("name", ""))
            if package.get("ecosystem") != "PyPI":
                continue
            for version in pinned_at.get(name, ()):
                if touches(affected, version):
                    names = ", ".join([entry["id"], *entry.get("aliases", ())])
                    lines.add(f"{name} {version}: {names}: {entry.get('summary', '')}".strip(": "))
    return sorted(lines)


def touches(affected: Mapping[str, Any], version: str) -> bool:
    """Whether an entry's `affected` names this version, or it lies in a range: from `introduced` on, until `fixed` (that one
    no longer) or `last_affected` (that one still)."""
    if version in affected.get("versions", ()):
        return True
    return any(
        _within(one.get("events", ()), Version(version))
        for one in affected.get("ranges", ())
        if one.get("type") == "ECOSYSTEM"
    )


def _within(events: Iterable[Mapping[str, str]], version: Version) -> bool:
    inside = False
    for event in sorted(events, key=_place):
        at, kind = _place(event), next(iter(event))
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _place(event: Mapping[str, str]) -> Version:
    (said,) = event.values()
    try:
        return Version(said)
    except InvalidVersion:  # "0": from the beginning; what cannot be read counts from there too
        return Version("0")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("Give the OSV export for PyPI (osv.dev, PyPI/all.zip): make audit OSV=all.zip")
    weak = found(Path(sys.argv[1]), ((name, version) for name, version, _ in pinned()))
    print("\n".join(weak) or "No known weakness in what is pinned.")
    sys.exit(1 if weak else 0)
