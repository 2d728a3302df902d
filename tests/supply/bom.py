"""Writes the software bill of materials (CycloneDX 1.6) of everything that requirements-test.lock pins, and beside it a list
of licences that a person reads: `make sbom`.

Names, versions and hashes are the lock's; licences are what each installed package says about itself.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

# All that is pinned; what the application runs with, requirements.lock, is a part of it.
LOCK = Path(__file__).parents[2] / "requirements-test.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)([^\n]*\\\n(?:\s+--hash=[^\n]*\n?)*)", re.MULTILINE)


def pinned(lock: Path = LOCK) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and SHA-256 hashes of every package of a lock."""
    for name, version, rest in _PIN.findall(lock.read_text(encoding="utf-8")):
        yield name, version, re.findall(r"--hash=sha256:([0-9a-f]{64})", rest)


def licence(name: str) -> str | None:
    """What an installed package says of its licence, "" if nothing; None when it is not installed on this system."""
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return None
    classified = [
        one.split(" :: ")[-1] for one in said.get_all("Classifier") or [] if one.startswith("License ::")
    ]
    return str(
        said.get("License-Expression") or ", ".join(classified) or (said.get("License") or "").split("\n")[0]
    )


def bom() -> Bom:
    """The bill: one component for each pin."""
    made = Bom()
    for name, version, hashes in pinned():
        said = licence(name)
        made.components.add(
            Component(
                name=name, version=version, type=ComponentType.LIBRARY, bom_ref=f"{name}@{version}",
                purl=PackageURL("pypi", None, name, version),
                licenses=[DisjunctiveLicense(name=said)] if said else [],
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes],
            )
        )  # fmt: skip
    return made


def licences() -> str:
    """CSV: package, version, licence ("" where it is not installed on this system or says nothing)."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(("package", "version", "licence"))
    lines.writerows((name, version, licence(name) or "") for name, version, _ in pinned())
    return out.getvalue()


if __name__ == "__main__":
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(JsonV1Dot6(bom()).output_as_string(indent=1), encoding="utf-8")
    beside = out.with_name("licences.csv")
    beside.write_text(licences(), encoding="utf-8")
    print(out, beside, sep="\n")
