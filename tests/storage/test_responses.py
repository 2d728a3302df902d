"""An event is kept exactly once, with its bytes; what cannot be accepted is kept aside; the fold can be proved."""

from __future__ import annotations

import asyncio
import hashlib
import threading

import pytest
from sqlalchemy import Connection, text

from survey.problems import Conflict, Refused
from survey.questionnaire.response import Event
from survey.storage import cases, responses
from survey.storage.database import Database
from tests.storage.households import VERSION, event, story, unit


@pytest.fixture
def field(db: Database) -> Database:
    """A database with ten households, one of which has opened the survey."""
    with db.writing() as connection:
        cases.import_sample(connection, (unit(n) for n in range(10)))
        responses.open(connection, "r1", "HD-000001", VERSION, "self")
    return db


def test_an_event_is_kept_with_the_hash_of_its_canonical_form(field: Database) -> None:
    sent = event("e1", q1="Có", q2="Không")
    (receipt,) = field.write_now(responses.append, [sent])
    assert receipt.state == "kept"
    assert receipt.hash == hashlib.sha256(responses.canonical(sent)).hexdigest()
    with field.reading() as connection:
        assert responses.events(connection, "r1") == [sent]


def test_the_order_of_answers_in_the_body_is_not_another_body(field: Database) -> None:
    first = field.write_now(responses.append, [event("e1", q1="a", q2="b")])
    assert field.write_now(responses.append, [event("e1", q2="b", q1="a")]) == first


def test_the_same_event_again_changes_nothing_and_gets_the_same_receipt(field: Database) -> None:
    batch = list(story("r1", 5))
    first = field.write_now(responses.append, batch)
    again = field.write_now(responses.append, batch)
    mixed = field.write_now(responses.append, [batch[3], event("e-new", q1="x"), batch[3]])
    assert again == first
    assert [receipt.position for receipt in mixed] == [
        first[3].position,
        mixed[1].position,
        first[3].position,
    ]
    with field.reading() as connection:
        assert [kept.id for kept in responses.events(connection, "r1")] == [e.id for e in batch] + ["e-new"]
        assert list(responses.verify(connection)) == []


def test_events_are_read_in_the_order_they_were_appended(field: Database) -> None:
    batch = [event(f"e{n}", q1=str(n)) for n in (5, 3, 9, 1)]
    field.write_now(responses.append, batch[:2])
    field.write_now(responses.append, batch[2:])
    with field.reading() as connection:
        assert responses.events(connection, "r1") == batch


def test_beginning_in_one_go_leaves_what_opening_and_appending_leave(field: Database) -> None:
    first = [event("b1", response="b", kind="opened"), event("c1", response="c", kind="opened")]
    with field.writing() as connection:
        responses.begin(connection, "b", cases.lock(connection, "HD-000002"), VERSION, "self", first[0])
        responses.open(connection, "c", "HD-000003", VERSION, "self")
        responses.append(connection, [first[1]])
        for response, case, sent in (("b", "HD-000002", first[0]), ("c", "HD-000003", first[1])):
            record = responses.find(connection, response)
            assert record is not None
            assert (record.case, record.events, record.submitted) == (case, 1, False)
            assert responses.events(connection, response) == [sent]
            assert cases.existing(connection, case).state == "started"
        assert list(responses.verify(connection)) == []
        (receipt,) = responses.append(connection, [event("b2", response="b", q1="x")])
        assert receipt.position == 2


def test_interviews_are_what_officials_sent_in_from_these_communes(field: Database) -> None:
    with field.writing() as connection:
        for response, case, mode, kinds in (
            ("v1", "HD-000002", "visit", ("opened", "submitted")),
            ("v2", "HD-000003", "visit", ("opened",)),
            ("w1", "HD-000004", "self", ("opened", "submitted")),
        ):
            responses.open(connection, response, case, VERSION, mode)
            responses.append(connection, [event(f"{response}{kind}", response, kind) for kind in kinds])
        here = cases.existing(connection, "HD-000002").unit.commune
        for communes in (None, [here]):
            found = list(responses.interviews(connection, communes))
            assert [(record.id, len(events)) for record, events in found] == [("v1", 2)]
        assert list(responses.interviews(connection, ["elsewhere"])) == []


def test_a_response_does_not_begin_with_an_event_of_another(field: Database) -> None:
    field.write_now(responses.append, [event("e1", q1="a")])

    def begin(connection: Connection) -> None:
        other = cases.lock(connection, "HD-000002")
        responses.begin(connection, "b", other, VERSION, "self", event("e1", response="b", q1="a"))

    with pytest.raises(ValueError, match="part of another response"):
        field.write_now(begin)
    with field.reading() as connection:
        assert responses.find(connection, "b") is None


def test_another_body_under_one_id_is_kept_aside(field: Database) -> None:
    field.write_now(responses.append, [event("e1", q1="a")])
    (receipt,) = field.write_now(responses.append, [event("e1", q1="b")])
    assert (receipt.state, receipt.reason) == ("quarantined", "conflict")
    field.write_now(responses.append, [event("e1", q1="b")])
    with field.reading() as connection:
        assert responses.events(connection, "r1") == [event("e1", q1="a")]
        (kept,) = responses.quarantined(connection)
        assert kept.document.encode() == responses.canonical(event("e1", q1="b"))
    field.write_now(responses.resolve, kept.hash, "the first one stands")
    with field.reading() as connection:
        assert responses.quarantined(connection) == []


def test_two_bodies_under_one_id_in_one_batch(field: Database) -> None:
    one, other = field.write_now(responses.append, [event("e1", q1="a"), event("e1", q1="b")])
    assert (one.state, other.state) == ("kept", "quarantined")


def test_an_event_of_a_response_nobody_knows_is_kept_aside(field: Database) -> None:
    kept, aside = field.write_now(responses.append, [event("e1"), event("e2", "r-unknown", q1="a")])
    assert (kept.state, aside.state, aside.reason) == ("kept", "quarantined", "unknown_response")


def test_what_is_not_even_an_event_is_kept_aside(field: Database) -> None:
    digest = field.write_now(responses.set_aside, "{not json", "unreadable")
    assert field.write_now(responses.set_aside, "{not json", "unreadable") == digest
    with field.reading() as connection:
        assert [kept.document for kept in responses.quarantined(connection)] == ["{not json"]


def test_nothing_of_a_batch_is_there_unless_all_of_it_is(field: Database) -> None:
    def append_and_fail(connection, many):  # type: ignore[no-untyped-def]
        responses.append(connection, many)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        field.write_now(append_and_fail, list(story("r1", 3)))
    with field.reading() as connection:
        assert responses.events(connection, "r1") == []
        assert list(responses.verify(connection)) == []


def test_submitting_completes_the_case_and_the_first_response_wins(field: Database) -> None:
    with field.writing() as connection:
        responses.open(connection, "r2", "HD-000001", VERSION, "visit")
    field.write_now(responses.append, list(story("r2", 2)))
    field.write_now(responses.append, list(story("r1", 2)))
    with field.reading() as connection:
        case = cases.find(connection, "HD-000001")
        assert case is not None
        assert (case.state, case.response) == ("complete", "r2")
        assert {record.id: record.submitted for record in responses.by_case(connection, "HD-000001")} == {
            "r1": True,
            "r2": True,
        }
    field.write_now(responses.append, [event("again", "r2", "reopened")])
    with field.reading() as connection:
        assert {record.id: record.submitted for record in responses.by_case(connection, "HD-000001")}[
            "r2"
        ] is False


def test_opening_again_is_harmless_and_another_case_is_a_conflict(field: Database) -> None:
    again = field.write_now(responses.open, "r1", "HD-000001", VERSION, "self")
    with field.reading() as connection:
        assert again == responses.find(connection, "r1")
        assert responses.of_cases(connection, ["HD-000001", "HD-000002"]) == {
            "HD-000001": [again],
            "HD-000002": [],
        }
    with pytest.raises(Conflict):
        field.write_now(responses.open, "r1", "HD-000002", VERSION, "self")
    with pytest.raises(Refused):
        field.write_now(responses.open, "r9", "HD-999999", VERSION, "self")
    with field.reading() as connection:
        assert responses.find(connection, "r9") is None


def test_many_are_opened_at_once_or_none(field: Database) -> None:
    one, other = unit(1).case, unit(2).case
    many = [("n1", one, "self"), ("n2", other, "visit"), ("n1", one, "self")]
    opened = field.write_now(responses.open_all, many, VERSION)
    assert [(record.id, record.case, record.mode) for record in opened] == many
    for wrong in (("n3", "HD-999999", "self"), ("n1", other, "self")):
        with pytest.raises((Refused, Conflict)):
            field.write_now(responses.open_all, [("n4", one, "self"), wrong], VERSION)
    with field.reading() as connection:
        assert responses.find(connection, "n4") is None
        assert cases.existing(connection, other).state == "started"


def test_all_responses_stream_with_their_events(field: Database) -> None:
    with field.writing() as connection:
        for n in range(2, 8):
            responses.open(connection, f"r{n}", f"HD-{n:06d}", VERSION, "self")
            responses.append(connection, list(story(f"r{n}", n)))
    with field.reading() as connection:
        found = {record.id: len(events) for record, events in responses.all(connection)}
    assert found == {"r1": 0} | {f"r{n}": n + 2 for n in range(2, 8)}


def test_sixty_four_clients_send_the_same_batch_at_once(field: Database) -> None:
    """Several event loops, threads and two opened databases (as two servers): one copy, one receipt."""
    batch = list(story("r1", 10))
    other = Database.open(field.engine.url.render_as_string(hide_password=False)).hold_key(b"k" * 32)
    found: list[list[responses.Receipt]] = []

    def clients(db: Database) -> None:
        async def send() -> None:
            found.extend(await asyncio.gather(*(db.write(responses.append, batch) for _ in range(16))))

        asyncio.run(send())

    with other:
        threads = [threading.Thread(target=clients, args=(db,)) for db in (field, other, field, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 64
    assert all(receipts == found[0] for receipts in found)
    with field.reading() as connection:
        assert responses.events(connection, "r1") == batch
        assert list(responses.verify(connection)) == []
        assert responses.quarantined(connection) == []


def test_servers_that_lock_one_another_out_both_get_through(field: Database) -> None:
    """Batches that touch the same responses in opposite orders deadlock on PostgreSQL: the loser runs again."""
    with field.writing() as connection:
        responses.open(connection, "r2", "HD-000002", VERSION, "self")
    other = Database.open(field.engine.url.render_as_string(hide_password=False)).hold_key(b"k" * 32)

    def send(db: Database, name: str, order: tuple[str, str]) -> None:
        async def all_of_them() -> None:
            await asyncio.gather(
                *(
                    db.write(responses.append, [event(f"{name}-{n}", order[n % 2], q1="x")])
                    for n in range(100)
                )
            )

        asyncio.run(all_of_them())

    with other:
        threads = [
            threading.Thread(target=send, args=(field, "a", ("r1", "r2"))),
            threading.Thread(target=send, args=(other, "b", ("r2", "r1"))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with field.reading() as connection:
        assert sum(len(responses.events(connection, response)) for response in ("r1", "r2")) == 200
        assert list(responses.verify(connection)) == []


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "UPDATE events SET document = (SELECT document FROM events WHERE id = 'r1-3') WHERE id = 'r1-2'",
            "event r1-2: its document is not the one that was kept",
        ),
        ("UPDATE events SET document = '{}' WHERE id = 'r1-2'", "event r1-2: its document is not the one"),
        ("DELETE FROM events WHERE id = 'r1-2'", "events is 5"),
        ("UPDATE responses SET submitted = false WHERE id = 'r1'", "submitted"),
        ("DELETE FROM events", "5 events are missing"),
        ("UPDATE events SET position = position + 100 WHERE id = 'r1-1'", "chain"),
    ],
)
def test_verify_finds_what_was_changed_behind_our_back(field: Database, damage: str, told: str) -> None:
    field.write_now(responses.append, list(story("r1", 3)))
    with field.writing() as connection:
        connection.execute(text(damage))
    with field.reading() as connection:
        assert told in "\n".join(responses.verify(connection))


def test_sixty_four_phones_that_send_the_same_batch_at_once_leave_one_copy(field: Database, url: str) -> None:
    """Two servers on one database, 32 phones at each: every phone hears the same receipts."""
    batch = list(story("r1", 6))
    start = threading.Barrier(64)
    heard: list[list[responses.Receipt]] = []

    def phone(server: Database) -> None:
        start.wait()
        heard.append(server.write_now(responses.append, batch))

    with Database.open(url).hold_key(b"k" * 32) as other:
        phones = [threading.Thread(target=phone, args=(server,)) for server in (field, other) * 32]
        for one in phones:
            one.start()
        for one in phones:
            one.join()
    assert len(heard) == 64
    assert all(receipts == heard[0] for receipts in heard)
    with field.reading() as connection:
        assert responses.events(connection, "r1") == batch
        assert responses.quarantined(connection) == []
        assert list(responses.verify(connection)) == []


def test_one_save_that_cannot_be_kept_takes_no_other_with_it(
    field: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting saves share their statements; when these fail, each is tried by itself."""
    honest = responses.canonical

    def canonical(one: Event) -> bytes:
        if one.id == "e-bad":
            raise ZeroDivisionError
        return honest(one)

    monkeypatch.setattr(responses, "canonical", canonical)

    async def save() -> list[object]:
        sent = [event("e-bad" if n == 7 else f"e{n}", q1=str(n)) for n in range(16)]
        return await asyncio.gather(
            *(field.write(responses.append, [one]) for one in sent), return_exceptions=True
        )

    told = asyncio.run(save())
    assert [isinstance(one, ZeroDivisionError) for one in told] == [n == 7 for n in range(16)]
    with field.reading() as connection:
        assert len(responses.events(connection, "r1")) == 15
        assert list(responses.verify(connection)) == []
