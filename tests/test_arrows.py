"""Who may import whom: the arrows of the README's map hold, and no module hides behind a name that says nothing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_import_contracts_hold() -> None:
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_module_is_called_utils() -> None:
    nameless = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base"}
    found = [
        path.relative_to(ROOT)
        for package in ("survey", "analysis")
        for path in (ROOT / package).rglob("*.py")
        if path.stem in nameless
    ]
    assert found == []


def test_the_tree_names_no_download_address_or_machine() -> None:
    hosts = ("pythonhosted" + ".org", "registry." + "npmjs", "deb." + "debian")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")
    texts = {".py", ".md", ".toml", ".lock", ".yaml", ".json", ".mjs", ""}
    guilty = [
        name
        for name in listed
        if name and Path(name).suffix in texts and (ROOT / name).is_file()
        and any(host in (ROOT / name).read_text(encoding="utf-8", errors="ignore") for host in hosts)
    ]  # fmt: skip
    assert guilty == []
