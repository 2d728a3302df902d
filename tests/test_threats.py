"""The record of threats names for each a control and tests, and every test it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
RECORD = TESTS.parent / "docs" / "decisions" / "0005-threats.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in RECORD.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
]


def test_each_threat_has_a_control_and_a_test_that_is_there() -> None:
    assert len(ROWS) > 20
    missing = []
    for threat, control, tests in ROWS:
        assert control, threat
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", tests)
        assert named, f"{threat}: no test is named"
        assert tests.count("`") == 2 * len(named), f"{threat}: something is named that is no test"
        for file, function in named:
            path = TESTS / file
            there = path.is_file() and function in {
                one.name
                for one in ast.parse(path.read_text(encoding="utf-8")).body
                if isinstance(one, ast.FunctionDef)
            }
            if not there:
                missing.append(f"{threat}: {file}::{function}")
    assert not missing, "\n".join(missing)
