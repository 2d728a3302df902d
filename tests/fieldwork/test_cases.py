"""The life of a case is the table in the module: web and visit share it, and no answer is ever refused."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.fieldwork import cases
from survey.fieldwork.cases import (
    Assigned,
    Attempt,
    Attempted,
    Case,
    CaseEvent,
    Chosen,
    Closed,
    Completed,
    Opened,
    Override,
    Place,
    Release,
    Released,
    Relisted,
    Reopened,
    State,
    advance,
    disposition,
)
from survey.fieldwork.dispositions import OUTCOMES
from survey.fieldwork.listing import Finding
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


RELEASE = Release(instead_of="HD-000002-5", reason="không tìm thấy", author="chi", at=4)
RESERVE = msgspec.structs.replace(WAITING, reserve=True)


def in_state(state: State) -> Case:
    if state == "reserve":
        return RESERVE
    by_state: dict[State, tuple[CaseEvent, ...]] = {
        "waiting": (),
        "visited": (attempt("nobody_home"),),
        "started": (Opened(),),
        "complete": (Opened(), Completed("r1")),
        "closed": (attempt("refused"),),
    }
    return after(*by_state[state])


COLUMNS: dict[str, CaseEvent] = {
    "opened": Opened(),
    "attempted": attempt("nobody_home", 9),
    "completed": Completed("r2"),
    "closed": Closed(),
    "reopened": Reopened(),
    "released": Released(RELEASE),
    "relisted": Relisted(Finding(kind="moved", author="an", at=3)),
    "chosen": Chosen("r1"),
}


def documented() -> dict[tuple[str, str], str]:
    """The table as the module's docstring draws it for people."""
    lines = [line.split() for line in (cases.__doc__ or "").splitlines() if line.startswith("    ")]
    head, *rows = lines
    return {(row[0], column): lead for row in rows for column, lead in zip(head[1:], row[1:], strict=True)}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("state", get_args(State))
def test_every_event_in_every_state_does_what_the_table_says(state: State, column: str) -> None:
    before, lead = in_state(state), documented()[state, column]
    assert before.stands == state
    if lead == "-":
        with pytest.raises(Conflict) as refused:
            advance(before, COLUMNS[column])
        assert set(refused.value.message) == {"vi", "en"}
    else:
        assert advance(before, COLUMNS[column]).stands == lead


def test_the_table_of_the_page_has_every_state_and_event() -> None:
    assert set(documented()) == {(state, column) for state in get_args(State) for column in COLUMNS}
    assert {key: lead for key, lead in documented().items() if lead != "-"} == cases.TABLE


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("state", ["waiting", "visited", "started", "complete", "closed"])
def test_an_attempt_after_which_nobody_comes_back_closes_an_open_case(state: State, outcome: str) -> None:
    found = advance(in_state(state), attempt(outcome, 9)).state
    if state == "complete":
        assert found == "complete"
    elif not OUTCOMES[outcome].comes_back:
        assert found == "closed"
    else:
        assert found == ("started" if state == "started" else "visited")


@pytest.mark.parametrize("state", get_args(State))
def test_a_case_changes_hands_in_any_state_and_nothing_else_changes(state: State) -> None:
    before = in_state(state)
    assert advance(before, Assigned("binh")) == msgspec.structs.replace(before, assignee="binh")


def test_a_reserve_household_is_opened_once_with_a_reason_and_hides_nobody() -> None:
    opened = advance(RESERVE, Released(RELEASE))
    assert (opened.reserve, opened.release) == (False, RELEASE)
    with pytest.raises(ValueError, match="reason"):
        Release(instead_of="HD-000002-5", reason="", author="chi", at=4)
    with pytest.raises(Conflict, match="reserve"):
        advance(RESERVE, Closed(Override(code="4.60", reason="x", author="chi", at=1)))
    answered = advance(advance(RESERVE, Opened()), Completed("web"))
    assert answered.stands == "reserve"
    assert advance(answered, Released(RELEASE)).state == "complete", "what it said before is not lost"


def test_a_dwelling_that_is_gone_closes_its_case_but_never_unsays_answers() -> None:
    gone = Relisted(Finding(kind="gone", author="an", at=3))
    closed = after(attempt("nobody_home"), gone)
    assert closed.state == "closed"
    assert disposition(closed, [], "none").code == "4.50"
    assert after(Opened(), Completed("web"), gone).state == "complete"
    assert disposition(closed, [], "complete").code == "1.1"


def test_a_supervisor_decides_before_the_rule_and_answers_before_both() -> None:
    override = Override(code="4.60", reason="bỏ hoang", author="chi", at=3)
    case = after(attempt("refused"), Closed(override))
    assert disposition(case, [], "none").code == "4.60"
    assert disposition(case, [], "complete").code == "1.1"


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
    with pytest.raises(ValueError, match="probability"):
        msgspec.structs.replace(UNIT, stage1_probability=0.0)


def test_a_place_is_on_earth() -> None:
    with pytest.raises(ValueError, match="earth"):
        Place(latitude=106.3, longitude=20.9, accuracy=5.0)


EVENTS = st.one_of(
    st.builds(Assigned, st.sampled_from(["", "an", "binh"])),
    st.just(Opened()),
    st.builds(attempt, st.sampled_from(sorted(OUTCOMES)), st.integers(0, 50)),
    st.builds(Completed, st.sampled_from(["r1", "r2"])),
    st.just(Closed()),
    st.just(Reopened()),
    st.just(Released(RELEASE)),
    st.builds(
        Relisted,
        st.sampled_from([Finding(kind="gone", author="an", at=1), Finding(kind="moved", author="an", at=2)]),
    ),
)


@given(st.sampled_from([WAITING, RESERVE]), st.lists(EVENTS, max_size=12))
def test_whatever_happens_the_unit_stays_as_drawn_and_complete_means_a_response(
    case: Case, events: list[CaseEvent]
) -> None:
    for event in events:
        try:
            case = advance(case, event)
        except Conflict:
            continue
        assert case.unit == UNIT
        if not case.reserve:
            assert (case.state == "complete") == bool(case.response)
