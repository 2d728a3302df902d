"""Cases keep their life when the sample is loaded again; an attempt sent twice is one attempt; nobody's case is lost."""

from __future__ import annotations

import msgspec
import pytest

from survey.fieldwork.cases import (
    Assigned,
    Attempt,
    Closed,
    Completed,
    Opened,
    Override,
    Place,
    Release,
    Released,
    Relisted,
)
from survey.fieldwork.listing import Finding
from survey.problems import Conflict, Refused
from survey.storage import cases, identities, tallies
from survey.storage.database import Database
from tests.storage.households import unit


@pytest.fixture
def field(db: Database) -> Database:
    """Two communes of five households, and a reserve household in the second."""
    with db.writing() as connection:
        cases.import_sample(connection, (unit(n, commune="10507" if n < 5 else "10510") for n in range(10)))
        cases.import_sample(connection, [unit(10, commune="10510", reserve=True)])
    return db


def progress(field: Database, communes: list[str] | None = None) -> list[tallies.Progress]:
    tallies.refresh(field)
    with field.reading() as connection:
        return tallies.progress(connection, communes)


def attempt(id: str, outcome: str, at: int = 1, case: str = "HD-000001") -> Attempt:
    return Attempt(id=id, case=case, at=at, author="an", mode="visit", outcome=outcome, note="cổng khóa")


def test_loading_the_sample_again_keeps_what_happened(field: Database) -> None:
    field.write_now(cases.record_attempt, attempt("a1", "nobody_home"))
    assert field.write_now(cases.import_sample, [unit(1), unit(11)]) == 1
    with field.reading() as connection:
        case = cases.find(connection, "HD-000001")
        assert case is not None
        assert (case.state, case.unit) == ("visited", unit(1))
        assert len(list(cases.every(connection))) == 12
        assert cases.find(connection, "HD-999999") is None


def test_an_attempt_sent_twice_is_one_attempt(field: Database) -> None:
    first = field.write_now(cases.record_attempt, attempt("a1", "nobody_home"))
    assert field.write_now(cases.record_attempt, attempt("a1", "nobody_home")) == first
    assert first.attempts == 1
    with field.reading() as connection:
        assert cases.attempts_of(connection, "HD-000001") == [attempt("a1", "nobody_home")]


def test_many_attempts_at_once(field: Database) -> None:
    many = [
        attempt("a2", "refused", 2),
        attempt("a1", "nobody_home", 1),
        attempt("b1", "vacant", 1, "HD-000002"),
    ]
    assert field.write_now(cases.record_attempts, many) == 3
    assert field.write_now(cases.record_attempts, many) == 0
    with field.reading() as connection:
        assert cases.every_attempt(connection) == {"HD-000001": [many[1], many[0]], "HD-000002": [many[2]]}


def test_events_of_one_case_follow_one_another_within_one_batch(field: Database) -> None:
    many = [
        ("HD-000001", Opened()),
        ("HD-000002", Opened()),
        ("HD-000001", Completed("r1")),
        ("HD-000001", Assigned("an")),
    ]
    after = field.write_now(cases.move_all, many)
    assert [(case.state, case.response, case.assignee) for case in after.values()] == [
        ("complete", "r1", "an"),
        ("started", "", ""),
    ]
    with field.reading() as connection:
        assert {case: cases.find(connection, case) for case in after} == after


def test_a_batch_with_one_impossible_event_moves_nothing(field: Database) -> None:
    opened = Release(instead_of="HD-000005", reason="hộ đã chuyển đi", author="chi", at=5)
    for wrong, error in ((("HD-000002", Released(opened)), Conflict), (("HD-999999", Opened()), Refused)):
        with pytest.raises(error):
            field.write_now(cases.move_all, [("HD-000001", Opened()), wrong])
    with field.reading() as connection:
        assert cases.existing(connection, "HD-000001").state == "waiting"


def test_of_two_attempts_under_one_id_the_first_holds(field: Database) -> None:
    many = [attempt("a1", "nobody_home", 1), attempt("a1", "refused", 2)]
    assert field.write_now(cases.record_attempts, many) == 1
    with field.reading() as connection:
        assert cases.attempts_of(connection, "HD-000001") == [many[0]]
        assert cases.existing(connection, "HD-000001").attempts == 1


def test_an_attempt_at_no_case_of_ours_is_refused_and_not_kept(field: Database) -> None:
    with pytest.raises(Refused):
        field.write_now(cases.record_attempt, attempt("a1", "nobody_home", case="HD-999999"))
    with field.reading() as connection:
        assert cases.every_attempt(connection) == {}


def test_a_commune_is_given_to_one_official_and_a_case_can_be_handed_over(field: Database) -> None:
    assert field.write_now(cases.assign, ["10507"], "an") == 5
    assert field.write_now(cases.assign, ["10507", "10510"], "binh") == 6
    field.write_now(cases.reassign, "HD-000001", "binh")
    with field.reading() as connection:
        assert [case.id for case in cases.assigned_to(connection, "an")] == [
            f"HD-{n:06d}" for n in (0, 2, 3, 4)
        ]
        assert [case.id for case in cases.assigned_to(connection, "binh")] == [
            f"HD-{n:06d}" for n in (1, 5, 6, 7, 8, 9)
        ]


def test_a_reserve_is_worked_only_when_released(field: Database) -> None:
    field.write_now(cases.assign, ["10510"], "an")
    assert sum(row.cases for row in progress(field)) == 10
    opened = Release(instead_of="HD-000005", reason="hộ đã chuyển đi", author="chi", at=5)
    assert field.write_now(cases.release, "HD-000010", opened).release == opened
    for none in ("HD-000010", "HD-000001"):
        with pytest.raises(Conflict):
            field.write_now(cases.release, none, opened)
    with field.reading() as connection:
        assert {row.commune: row.cases for row in progress(field)} == {"10507": 5, "10510": 6}
        assert [case.id for case in cases.assigned_to(connection, "an")][-1] == "HD-000010"
        assert [row.commune for row in progress(field, ["10507"])] == ["10507"]


def test_where_the_list_was_wrong_and_where_a_visit_was_made_are_kept(field: Database) -> None:
    found = Finding(kind="split", number=2, author="an", at=9, note="hai hộ ăn riêng")
    field.write_now(cases.move, "HD-000001", Relisted(found))
    there = msgspec.structs.replace(
        attempt("a1", "nobody_home"), place=Place(latitude=20.94, longitude=106.33, accuracy=8.0)
    )
    assert [field.write_now(cases.take_attempt, there) for _ in range(2)] == ["new", "again"]
    assert field.write_now(cases.take_attempt, attempt("a1", "refused")) == "conflict"
    with field.reading() as connection:
        assert cases.existing(connection, "HD-000001").finding == found
        assert cases.attempts_of(connection, "HD-000001") == [there]


def test_progress_counts_states(field: Database) -> None:
    field.write_now(
        cases.record_attempts, [attempt("a1", "refused"), attempt("a2", "nobody_home", case="HD-000002")]
    )
    override = Override(code="4.60", reason="nhà bỏ hoang", author="chi", at=1)
    field.write_now(cases.move, "HD-000003", Closed(override))
    with field.reading() as connection:
        (row,) = progress(field, ["10507"])
        assert (row.waiting, row.visited, row.started, row.complete, row.closed) == (2, 1, 0, 0, 2)
        case = cases.find(connection, "HD-000003")
        assert case is not None
        assert case.override == override


def test_addresses_are_apart_and_can_be_destroyed(field: Database) -> None:
    kept = [
        identities.Identity(case=f"HD-{n:06d}", address=f"Số {n}", hamlet="Thôn Đông", other={"map": str(n)})
        for n in range(3)
    ]
    field.write_now(identities.keep, kept)
    field.write_now(identities.keep, kept[:1])
    with field.reading() as connection:
        assert identities.find(connection, "HD-000001") == kept[1]
        assert set(identities.of_cases(connection, [identity.case for identity in kept])) == {
            i.case for i in kept
        }
    assert field.write_now(identities.destroy, ["HD-000001", "HD-000009"]) == 1
    with field.reading() as connection:
        assert identities.find(connection, "HD-000001") is None


def test_the_sample_is_read_in_the_order_of_bytes_whatever_the_database_sorts_by(db: Database) -> None:
    ids = ["b-1", "B-2", "a-3", "A_4", "ab", "Đ-5"]
    with db.writing() as connection:
        cases.import_sample(
            connection, (msgspec.structs.replace(unit(n), case=case) for n, case in enumerate(ids))
        )
    with db.unmoved() as connection:
        portions = list(cases.sampled(connection, 4))
    assert [len(portion) for portion in portions] == [4, 2]
    assert [case.id for portion in portions for case in portion] == sorted(ids, key=str.encode)
