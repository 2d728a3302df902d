"""What a household asks to be deleted is gone from the files, not only from the lists; that it was drawn stays."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url

from survey.fieldwork.cases import Attempt
from survey.storage import cases, codes, erasure, identities, photos, quarantine, responses, rights, sessions
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.quarantine import Misfit
from survey.storage.rights import Consent
from tests.storage.households import VERSION, story, unit

CASE, OTHER = unit(1).case, unit(2).case
HELD = (("events", "document"), ("attempts", "note"), ("photos", "content"), ("quarantine", "document"))


def _fill(db: Database) -> None:
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1), unit(2)])
        for case in (CASE, OTHER):
            identities.keep(connection, [identities.Identity(case=case, address=f"nhà {case}")])
            codes.issue(connection, [(case, f"digest {case}")])
            sessions.create(connection, f"session {case}", "household", case, now() + 60_000)
            responses.open(connection, f"r-{case}", case, VERSION, "self")
            responses.append(connection, list(story(f"r-{case}", 3)))
            photos.keep(connection, f"r-{case}", f"khoảnh khắc {case}".encode())
            cases.record_attempt(
                connection,
                Attempt(id=f"a-{case}", case=case, at=1, author="an", mode="visit", outcome="nobody_home", note="ghi chú ở cửa"),
            )  # fmt: skip
            quarantine.keep(
                connection,
                [Misfit(hash=f"m-{case}", kind="events", event="e", response="", case=case, author="an", device="",
                        reason="unknown_case", document=f"câu trả lời chờ {case}")],
            )  # fmt: skip


def test_nothing_of_the_household_is_left_and_all_of_the_other(db: Database) -> None:
    _fill(db)
    with db.writing() as connection:
        assert erasure.erase(connection, CASE, "asked", "quan") == 1
    with db.reading() as connection:
        for case, left in ((CASE, False), (OTHER, True)):
            assert (identities.find(connection, case) is not None) is left
            assert (codes.find(connection, f"digest {case}") is not None) is left
            assert (sessions.find(connection, f"session {case}") is not None) is left
            assert bool(responses.by_case(connection, case)) is left
            assert bool(responses.events(connection, f"r-{case}")) is left
            assert bool(cases.attempts_of(connection, case)[0].note) is left
            kept = [one.case for one in quarantine.waiting(connection)]
            assert (case in kept) is left
        drawn = cases.existing(connection, CASE)
        assert (drawn.state, drawn.response, drawn.unit) == ("closed", "", unit(1))
        assert drawn.override is not None
        assert drawn.override.code == erasure.WITHDRAWN
        assert list(responses.verify(connection)) == []


def test_the_bytes_are_gone_from_the_files_of_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    file = Path(str(make_url(url).database))

    def dump() -> bytes:
        return b"".join(path.read_bytes() for path in file.parent.glob(file.name + "*"))

    with Database.open(url).hold_key(b"k" * 32) as db:
        _fill(db)
        with db.reading() as connection:
            kept = [
                value.encode() if isinstance(value, str) else value
                for table, column in HELD
                for value in connection.execute(text(f"SELECT {column} FROM {table}")).scalars()
            ]
        assert len(kept) >= 2 * len(HELD)
        assert all(part[20:100] in dump() for part in kept), "sealed as they lie there"
        for case in (CASE, OTHER):
            with db.writing() as connection:
                erasure.erase(connection, case, "asked", "quan")
        erasure.scrub(db)
        assert not [part for part in kept if part[20:100] in dump()]


def test_a_restriction_holds_until_it_is_lifted(db: Database) -> None:
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1), unit(2)])
        for number, case in enumerate((CASE, OTHER)):
            rights.ask(connection, f"r{number}", case, "restrict")
        asked = rights.every_request(connection)
        assert [one.id for one in asked] == ["r0", "r1"]
        assert rights.restricted(connection) == frozenset()
        rights.change_request(connection, _with(asked[0], done_at=5))
        rights.change_request(connection, _with(asked[1], done_at=5, refused=True))
        assert rights.restricted(connection) == {CASE}
        assert [one.id for one in rights.every_request(connection)] == ["r0", "r1"]
        rights.change_request(connection, _with(asked[0], done_at=5, lifted_at=6))
        assert rights.restricted(connection) == frozenset()


def _with(request: rights.Request, **changed: object) -> rights.Request:
    from msgspec.structs import replace

    return replace(request, **changed)


def test_taking_consent_back_keeps_the_proof_of_what_was_given(db: Database) -> None:
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1)])
        one = Consent(
            case=CASE,
            member="",
            purpose="statistics",
            given=True,
            text_hash="abc",
            language="vi",
            mode="self",
            at=1,
        )
        rights.record_consents(connection, [one])
        rights.withdraw(connection, CASE, "office")
        rights.withdraw(connection, CASE, "office")
        (last,) = rights.consents_of(connection, CASE).values()
        lines = connection.execute(text("SELECT given FROM consents ORDER BY at")).scalars().all()
    assert (last.given, last.text_hash, last.mode) == (False, "abc", "office")
    assert [bool(given) for given in lines] == [True, False]
