"""docs/conditions.md names the functions that can be written and those that are refused, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from survey.questionnaire.conditions import ConditionError, Scope, compile

PAGE = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text(encoding="utf-8")
TABLE, REFUSED = PAGE.partition("## Functions")[2].partition("## What is found")[0].split("Refused by name")
NAMES = sorted(set(re.findall(r"`((?:jr:)?[a-z][a-z-]*)", TABLE)) - {"calculate"})
MANY = ("coalesce", "concat", "join", "sum", "min", "max", "count-non-empty")


def refusal(name: str) -> str:
    with pytest.raises(ConditionError) as refused:
        compile(f"{name}(1, 2, 3, 4, 5)", Scope(question={}.get))
    return refused.value.problem


def test_there_are_functions_to_check() -> None:
    assert len(NAMES) > 40


@pytest.mark.parametrize("name", [name for name in NAMES if name not in MANY])
def test_a_function_of_the_page_is_known(name: str) -> None:
    said = refusal(name)
    assert "there is no function" not in said
    assert "not supported" not in said


@pytest.mark.parametrize("name", MANY)
def test_a_function_that_takes_many_operands_takes_them(name: str) -> None:
    assert compile(f"{name}(1, 2, 3, 4, 5)", Scope(question={}.get)).op == name


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`([a-z][a-z0-9-]*)`", REFUSED)) - {"calculate", "format-date"})
)
def test_a_refused_function_is_refused_by_name(name: str) -> None:
    said = refusal(name)
    assert "is not supported" in said or "use today()" in said
