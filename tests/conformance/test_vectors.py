"""What a condition means is one thing: the vectors hold in Python and, where there is an engine, in JavaScript."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.conformance import scenarios
from tests.conformance.run import differences, read

HERE = Path(__file__).parent
SCRIPT = HERE.parents[1] / "static" / "js" / "conditions.mjs"


@pytest.mark.usefixtures("javascript")
@pytest.mark.parametrize("path", sorted((HERE / "vectors").glob("*.json")), ids=lambda path: path.stem)
def test_both_interpreters_give_what_is_written(path: Path) -> None:
    assert list(differences(read(path))) == []


@pytest.mark.usefixtures("javascript")
@pytest.mark.parametrize("path", sorted((HERE / "scenarios").glob("*.json")), ids=lambda path: path.stem)
def test_both_engines_walk_the_scenarios(path: Path) -> None:
    count, wrong = scenarios.check(path)
    assert count
    assert wrong == []


def test_the_phone_gets_less_than_3_kb_and_no_eval() -> None:
    script = SCRIPT.read_bytes()
    assert len(gzip.compress(script, 9)) <= 3072
    assert not re.search(rb"\beval\b|new Function", script)
