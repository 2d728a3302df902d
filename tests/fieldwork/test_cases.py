"""The life of a case is the table in the module: web and visit share it, and no answer is ever refused."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.fieldwork.cases import (
    Assigned,
    Attempt,
    Attempted,
    Case,
    CaseEvent,
    Closed,
    Completed,
    Opened,
    Override,
    Reopened,
    State,
    advance,
)
from survey.fieldwork.dispositions import OUTCOMES
from survey.fieldwork.sample import SampledUnit
from survey.problems import Conflict

UNIT = SampledUnit(
    case="HD-000001-7",
    household="h1",
    stratum="urban",
    psu="ea1",
    commune="10507",
    urban_rural="urban",
    stage1_probability=0.1,
    stage2_probability=0.2,
    psus_sampled=4,
    psus_in_stratum=40,
    households_sampled=20,
    households_listed=100,
    respondent_draw=0.25,
)
WAITING = Case(id=UNIT.case, unit=UNIT)


def attempt(outcome: str, at: int = 1) -> Attempted:
    return Attempted(
        Attempt(id=f"{outcome}{at}", case=UNIT.case, at=at, author="an", mode="visit", outcome=outcome)
    )


def after(*events: CaseEvent) -> Case:
    case = WAITING
    for event in events:
        case = advance(case, event)
    return case


def in_state(state: State) -> Case:
    by_state: dict[State, tuple[CaseEvent, ...]] = {
        "waiting": (),
        "visited": (attempt("nobody_home"),),
        "started": (Opened(),),
        "complete": (Opened(), Completed("r1")),
        "closed": (attempt("refused"),),
    }
    return after(*by_state[state])


TABLE: dict[State, tuple[str, str, str, str, str]] = {
    # state:   opened, attempted (comes back), completed, closed, reopened; "-" is a conflict
    "waiting": ("started", "visited", "complete", "closed", "-"),
    "visited": ("started", "visited", "complete", "closed", "-"),
    "started": ("started", "started", "complete", "closed", "-"),
    "complete": ("complete", "complete", "complete", "-", "started"),
    "closed": ("started", "visited", "complete", "closed", "started"),
}


@pytest.mark.parametrize("state", get_args(State))
def test_the_table(state: State) -> None:
    events: tuple[CaseEvent, ...] = (
        Opened(),
        attempt("nobody_home", 9),
        Completed("r2"),
        Closed(),
        Reopened(),
    )
    for event, expected in zip(events, TABLE[state], strict=True):
        if expected == "-":
            with pytest.raises(Conflict):
                advance(in_state(state), event)
        else:
            assert advance(in_state(state), event).state == expected


def test_the_first_complete_response_wins() -> None:
    assert after(Opened(), Completed("web"), Opened(), Completed("visit")).response == "web"


def test_a_refusal_at_the_door_does_not_shut_the_web() -> None:
    case = after(attempt("refused"), Opened(), Completed("web"))
    assert (case.state, case.response) == ("complete", "web")


def test_a_visit_after_completion_is_kept_for_the_record() -> None:
    case = after(Opened(), Completed("web"), attempt("nobody_home", 5))
    assert (case.state, case.attempts, case.last_outcome) == ("complete", 1, "nobody_home")


def test_news_that_arrives_late_does_not_overwrite_newer_news() -> None:
    case = after(attempt("nobody_home", 20), attempt("refused", 10))
    assert (case.attempts, case.last_outcome, case.state) == (2, "nobody_home", "visited")


def test_a_supervisor_overrides_with_a_reason_only() -> None:
    override = Override(code="4.60", reason="Nhà đã phá dỡ, ảnh trong hồ sơ", author="binh", at=3)
    assert advance(in_state("visited"), Closed(override)).override == override
    with pytest.raises(ValueError, match="reason"):
        Override(code="4.60", reason=" ", author="binh", at=3)
    with pytest.raises(ValueError, match="code"):
        Override(code="9.99", reason="x", author="binh", at=3)


def test_an_attempt_has_a_known_outcome() -> None:
    with pytest.raises(ValueError, match="went_fishing"):
        attempt("went_fishing")


def test_a_household_as_drawn_has_probabilities() -> None:
    import msgspec

    with pytest.raises(ValueError, match="probability"):
        msgspec.structs.replace(UNIT, stage1_probability=0.0)


EVENTS = st.one_of(
    st.builds(Assigned, st.sampled_from(["", "an", "binh"])),
    st.just(Opened()),
    st.builds(attempt, st.sampled_from(sorted(OUTCOMES)), st.integers(0, 50)),
    st.builds(Completed, st.sampled_from(["r1", "r2"])),
    st.just(Closed()),
    st.just(Reopened()),
)


@given(st.lists(EVENTS, max_size=12))
def test_whatever_happens_the_unit_stays_as_drawn_and_complete_means_a_response(
    events: list[CaseEvent],
) -> None:
    case = WAITING
    for event in events:
        try:
            case = advance(case, event)
        except Conflict:
            continue
        assert case.unit == UNIT
        assert (case.state == "complete") == bool(case.response)
