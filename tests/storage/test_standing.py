"""One statement says of a household what the several functions say, on both databases."""

from __future__ import annotations

from survey.storage import cases, codes, responses, rights, rotation, sessions
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.rights import Consent
from survey.storage.standing import Standing, of_session
from tests.storage.households import VERSION, event, story, unit

CASE = unit(1).case
HOUR = 3_600_000


def _consent(purpose: str, given: bool, at: int, member: str = "") -> Consent:
    return Consent(
        case=CASE,
        member=member,
        purpose=purpose,
        given=given,
        text_hash="h",
        language="vi",
        mode="self",
        at=at,
    )


def _filled(db: Database) -> None:
    """Two households; the first began by itself, was visited too, has a member who answers alone, and agreed."""
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1), unit(2)])
        responses.open(connection, "visit", CASE, VERSION, "visit")
        responses.append(connection, [event("v1", "visit", q1="của cán bộ")])
        responses.open(connection, "r1", CASE, VERSION, "self")
        responses.append(connection, list(story("r1", 3)))
        responses.open(connection, "r2", unit(2).case, VERSION, "self")
        responses.append(connection, list(story("r2", 1)))
        codes.issue(connection, [(CASE, "d1")])
        codes.issue(connection, [(CASE, "d2")], member="m1")
        rights.record_consents(
            connection,
            [_consent("main", True, 1), _consent("main", False, 2), _consent("link", True, 3, member="m1")],
        )
        for token, kind, subject, facts in (
            ("household", "household", CASE, {}),
            ("member", "household", CASE, {"member": "m1"}),
            ("replaced", "household", CASE, {"sealed": str(now() + HOUR)}),
            ("account", "account", "an", {}),
        ):
            sessions.create(connection, token, kind, subject, now() + HOUR, facts)
        sessions.create(connection, "over", "household", CASE, now() - 1)
        sessions.create(connection, "ended", "household", CASE, now() + HOUR)
        sessions.revoke(connection, "ended")


def _stands(db: Database, token: str) -> Standing:
    with db.reading() as connection:
        found = of_session(connection, token)
    assert found is not None
    return found


def test_it_says_what_the_several_functions_say(db: Database) -> None:
    _filled(db)
    found = _stands(db, "household")
    with db.reading() as connection:
        assert found == Standing(
            session=sessions.find(connection, "household"),  # type: ignore[arg-type]
            case=cases.find(connection, CASE),
            record=responses.find(connection, "r1"),
            events=responses.events(connection, "r1"),
            earlier=[],
            members=codes.members(connection, CASE),
            consents=rights.consents_of(connection, CASE),
        )
    assert (found.members, found.consents["main"].given) == (frozenset({"m1"}), False)
    assert found.record is not None
    assert found.record.submitted is True


def test_a_member_has_consents_of_his_own_and_a_replaced_code_knows_what_was_before(db: Database) -> None:
    _filled(db)
    assert list(_stands(db, "member").consents) == ["link"]
    replaced = _stands(db, "replaced")
    assert replaced.earlier == replaced.events != []


def test_who_has_no_session_or_began_nothing_stands_nowhere(db: Database) -> None:
    _filled(db)
    with db.reading() as connection:
        assert [of_session(connection, token) for token in ("over", "ended", "never")] == [None] * 3
    assert _stands(db, "account").case is None
    with db.writing() as connection:
        cases.import_sample(connection, [unit(3)])
        sessions.create(connection, "new", "household", unit(3).case, now() + HOUR)
    new = _stands(db, "new")
    assert (new.case and new.case.id, new.record, new.events) == (unit(3).case, None, [])


def test_answers_are_read_after_the_keys_were_changed(db: Database) -> None:
    _filled(db)
    before = _stands(db, "household")
    db.write_now(rotation.reseal)
    assert _stands(db, "household").events == before.events
