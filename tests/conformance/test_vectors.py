"""What a condition means is one thing: the vectors hold in Python and, where there is an engine, in JavaScript."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from tests.conformance import run, scenarios
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


def test_a_file_that_others_wrote_fails_by_case_and_never_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tree that is none, a type nobody knows, no JSON: each is said, and the other cases are still run."""
    (tmp_path / "trees.json").write_text(
        '{"questions": {"n": "integer"}, "data": {"answers": {"": {"n": 2}}},'
        ' "cases": [["${n} + 0.1", {"number": 2.1}], {"tree": ["frob", ["number", "1"]], "expected": null}]}'
    )
    (tmp_path / "kinds.json").write_text('{"questions": {"n": "float"}, "cases": [["${n}", null]]}')
    (tmp_path / "broken.json").write_text("[1,")

    assert run.main([str(path) for path in sorted(tmp_path.iterdir())]) == 1
    said = capsys.readouterr().out
    assert "broken.json: not read" in said
    assert "kinds.json: not read: ValueError: “float” is neither a type" in said
    assert "trees.json: 2 cases" in said
    assert "Python fails: KeyError: 'frob'" in said
    assert "${n} + 0.1" not in said
