"""One history gives one final code: answers first, then the strongest evidence, then the latest."""

from __future__ import annotations

import itertools

import pytest

from survey.fieldwork.cases import Attempt
from survey.fieldwork.dispositions import (
    AT_THE_DOOR,
    DISPOSITIONS,
    NOTES,
    ON_THE_TELEPHONE,
    OUTCOMES,
    ResponseState,
    final,
)


def visits(*outcomes: str) -> list[Attempt]:
    return [
        Attempt(id=f"a{n}", case="HD-1", at=1_000 * n, author="an", mode="visit", outcome=outcome)
        for n, outcome in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("outcomes", "answers", "code"),
    [
        # answers speak first
        ((), "complete", "1.1"),
        (("refused",), "complete", "1.1"),
        (("vacant",), "complete", "1.1"),
        (("nobody_home",), "partial", "1.2"),
        # nothing known
        ((), "none", "3.19"),
        # the strongest evidence, then the latest
        (("refused", "nobody_home"), "none", "2.11"),
        (("nobody_home", "refused"), "none", "2.11"),
        (("nobody_home", "respondent_away"), "none", "2.25"),
        (("respondent_away", "nobody_home"), "none", "2.24"),
        (("not_located", "nobody_home", "not_located"), "none", "2.24"),
        (("unsafe",), "none", "3.17"),
        (("no_answer",), "none", "2.20"),
        (
            ("nobody_home", "no_answer"),
            "none",
            "2.24",
        ),  # who stood at the door knows more than who telephoned
        (("appointment", "nobody_home", "nobody_home"), "none", "2.36"),
        (("vacant", "refused"), "none", "2.11"),
        (("refused", "vacant"), "none", "4.60"),
        (("appointment", "died"), "none", "2.31"),
        # begun and left
        ((), "started", "2.12"),
        (("nobody_home",), "started", "2.12"),
        (("refused",), "started", "2.11"),
        (("unable",), "started", "2.32"),
        (("interviewed",), "started", "2.12"),
    ],
)
def test_final(outcomes: tuple[str, ...], answers: ResponseState, code: str) -> None:
    assert final(visits(*outcomes), answers).code == code


def test_a_case_that_was_never_invited_nor_visited_was_not_worked() -> None:
    assert final([], "none", invited=False).code == "3.11"


def test_the_order_in_which_devices_send_changes_nothing() -> None:
    history = visits("nobody_home", "appointment", "respondent_away", "unable")
    assert {final(order, "none").code for order in itertools.permutations(history)} == {"2.32"}


def test_every_outcome_leads_to_a_code_with_a_name_in_both_languages() -> None:
    for outcome in OUTCOMES.values():
        assert outcome.code in DISPOSITIONS
        assert outcome.label["vi"]
        assert outcome.label["en"]
    assert set(AT_THE_DOOR) | set(ON_THE_TELEPHONE) < set(OUTCOMES)
    for label in NOTES.values():
        assert label["vi"] != label["en"]
    for code, disposition in DISPOSITIONS.items():
        assert disposition.code == code
        assert disposition.label["vi"] != disposition.label["en"]


def test_categories_are_those_of_the_code_blocks() -> None:
    """AAPOR numbers its codes by category; a slip here would move a response rate."""
    blocks = {"1.1": "I", "1.2": "P", "2.1": "R", "2.2": "NC", "2.3": "O"}
    for code, disposition in DISPOSITIONS.items():
        if code[0] in "12":
            assert disposition.category == blocks[code[:3]]
        elif code[0] == "3":
            assert disposition.category == ("UO" if code.startswith("3.2") else "UH")
        else:
            assert disposition.category == "NE"
