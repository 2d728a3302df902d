"""A pin with a known weakness is found without a network, and one that is mended, withdrawn or somebody else's is not."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.supply.bom import pinned
from tests.supply.weaknesses import found, touches


def export(path: Path, *entries: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for entry in entries:
            archive.writestr(f"{entry['id']}.json", json.dumps(entry))
    return path


def entry(id: str, name: str, *, ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        **more.pop("affected", {"versions": ["1.0"]}),
    }
    return {"id": id, "summary": "breaks", "aliases": ["CVE-1"], "affected": [affected], **more}


@pytest.mark.parametrize(
    ("events", "version", "weak"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2"}], "1.1.9", True),
        ([{"introduced": "0"}, {"fixed": "1.2"}], "1.2", False),
        ([{"introduced": "1.5"}], "1.4.9", False),
        ([{"introduced": "1.5"}], "2.0rc1", True),
        ([{"introduced": "1"}, {"last_affected": "1.3"}], "1.3", True),
        ([{"introduced": "1"}, {"last_affected": "1.3"}], "1.3.1", False),
        ([{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "1.4"}, {"fixed": "1.6"}], "1.2", False),
        ([{"fixed": "1.6"}, {"introduced": "1.4"}, {"fixed": "1.1"}, {"introduced": "0"}], "1.10", False),
        ([{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "1.4"}, {"fixed": "1.10"}], "1.9", True),
    ],
)
def test_a_range_means_what_the_schema_says(events: list[dict[str, str]], version: str, weak: bool) -> None:
    assert touches({"ranges": [{"type": "ECOSYSTEM", "events": events}]}, version) is weak
    assert not touches({"ranges": [{"type": "GIT", "events": events}]}, version)


def test_only_what_is_pinned_and_stands_is_named(tmp_path: Path) -> None:
    database = export(
        tmp_path / "all.zip",
        entry("PYSEC-1", "Some_Package"),
        entry("PYSEC-2", "some-package", withdrawn="2026-01-01T00:00:00Z"),
        entry("PYSEC-3", "some-package", ecosystem="npm"),
        entry("PYSEC-4", "other"),
    )
    assert found(database, [("some.package", "1.0"), ("other", "2.0")]) == [
        "some-package 1.0: PYSEC-1, CVE-1: breaks"
    ]


def test_the_lock_is_what_is_looked_up(tmp_path: Path) -> None:
    name, version, _ = next(pinned())
    bad = export(tmp_path / "bad.zip", entry("PYSEC-1", name, affected={"versions": [version]}))
    good = export(tmp_path / "good.zip", entry("PYSEC-1", name, affected={"versions": ["0.0.0.dev0"]}))
    root = Path(__file__).parents[2]
    for database, status, word in ((bad, 1, f"{name} {version}: PYSEC-1"), (good, 0, "No known weakness")):
        run = subprocess.run(
            [sys.executable, "-m", "tests.supply.weaknesses", str(database)], capture_output=True, text=True, cwd=root, check=False
        )  # fmt: skip
        assert run.returncode == status, run.stderr
        assert word in run.stdout
