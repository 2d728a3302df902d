"""Contradictions are found, weighed and never decided by the order in which phones were heard."""

from __future__ import annotations

import pytest

from survey.fieldwork.cases import Chosen, advance
from survey.fieldwork.reviews import (
    REFUSALS,
    Contradiction,
    Given,
    Return,
    contradictions,
    needs_household,
    overlaps,
    refusal,
)
from tests.fieldwork.test_cases import in_state


def test_two_answers_that_differ_are_hard_and_silence_beside_an_answer_is_soft() -> None:
    first = {"phone": "yes", "account": None, "same": 3, "only_here": "a"}
    second = {"phone": "no", "account": "bank", "same": 3}
    assert contradictions(first, second) == (
        Contradiction("phone", "yes", "no", "hard"),
        Contradiction("account", None, "bank", "soft"),
        Contradiction("only_here", "a", None, "soft"),
    )
    assert contradictions(first, first) == ()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([("a", 1, "x"), ("a", 2, "y")], []),  # somebody corrected an answer
        ([("a", 2, "y"), ("a", 1, "x")], [("y", "x")]),  # an earlier answer of another phone arrived later
        ([("a", 2, "y"), ("a", 1, "y")], []),  # both phones say the same
        ([("a", 2, "y"), ("a", 1, "x"), ("a", 3, "z")], []),  # and then somebody asked again
        ([("a", 2, "y"), ("b", 1, "x")], []),  # different questions
    ],
)
def test_an_answer_given_earlier_that_arrives_later_is_for_a_person_to_decide(
    given: list[tuple[str, int, str]], found: list[tuple[str, str]]
) -> None:
    told = [Given(key, at, value, f"e{place}") for place, (key, at, value) in enumerate(given)]
    assert [(later.value, counts.value) for later, counts in overlaps(told)] == found


def test_what_a_household_answered_gives_way_only_when_it_was_asked() -> None:
    modes = {"web": "self", "door": "visit", "door2": "visit"}
    assert needs_household("door", modes)
    assert not needs_household("web", modes)
    assert not needs_household("door", {"door": "visit", "door2": "visit"})


def test_only_an_interview_goes_back_and_only_to_whoever_made_it() -> None:
    fine = {"mode": "visit", "submitted": True, "asked_by": "an", "assignee": "an", "already": False}
    assert refusal(**fine) == ""  # type: ignore[arg-type]
    for change, reason in (
        ({"submitted": False}, "not_submitted"),
        ({"mode": "self"}, "household"),
        ({"assignee": "binh"}, "handed_over"),
        ({"already": True}, "open"),
    ):
        assert refusal(**fine | change) == reason  # type: ignore[arg-type]
        assert set(REFUSALS[reason]) == {"vi", "en"}
    with pytest.raises(ValueError, match="comment"):
        Return(id="1", case="c", response="r", page="p", question="q", comment=" ", author="chi", at=1)


def test_the_response_that_counts_changes_by_choice_and_nothing_else() -> None:
    before = in_state("complete")
    chosen = advance(before, Chosen("r9"))
    assert (chosen.state, chosen.response) == ("complete", "r9")
