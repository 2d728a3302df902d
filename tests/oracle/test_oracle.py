"""Every case that R computed comes out the same, function by function."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import run

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    case
    for name in ("cases.json.gz", "regression.json.gz", "designs.json.gz", "random.json.gz")
    for case in json.loads(gzip.decompress((HERE / name).read_bytes()))["cases"]
]
NAMES = sorted({case["call"]["fn"] for case in CASES})


@pytest.mark.parametrize("name", NAMES)
def test_all_cases_of(name: str) -> None:
    worst = run.Worst()
    wrong: dict[str, Any] = {}
    for case in CASES:
        if case["call"]["fn"] != name:
            continue
        found = run.check(case, HERE / "data", worst)
        if found:
            wrong[case["id"]] = found[0]
    assert wrong == {}


def test_the_command_says_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(HERE / "cases.json.gz"), str(HERE / "data"), "--only", "P-mean-api00"]
    assert run.main(arguments) == 0
    assert "5 passed, 0 failed, 0 not implemented of 5" in capsys.readouterr().out


def test_a_wrong_figure_is_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The comparison can fail: one digit changed in one expected value."""
    case = next(one for one in CASES if one["id"] == "P-mean-api00-strat")
    changed = json.loads(json.dumps(case))
    changed["result"]["se"][0] *= 1 + 1e-8
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [changed]}))
    assert run.main([str(tmp_path / "cases.json"), str(HERE / "data")]) == 1
    assert "FAILED P-mean-api00-strat" in capsys.readouterr().out
