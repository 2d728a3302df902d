"""Codes, accounts, sessions and the audit: only hashes are kept, and what was done cannot be undone unseen."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, text

from survey.problems import Conflict, SurveyError
from survey.storage import accounts, audit, cases, codes, rights, sessions
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.vault import OPTION
from tests.storage.households import unit


def test_a_new_code_ends_the_old_one(db: Database) -> None:
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1), unit(2)])
        codes.issue(connection, [("HD-000001", "d1"), ("HD-000002", "d2")])
    with db.reading() as connection:
        first = codes.find(connection, "d1")
        assert first is not None
        assert (first.case, first.replaces) == ("HD-000001", False)
        assert codes.find(connection, "d?") is None
    db.write_now(codes.reissue, "HD-000001", "d3")
    with db.reading() as connection:
        found = [codes.find(connection, digest) for digest in ("d1", "d2", "d3")]
        assert [opened and (opened.case, opened.replaces) for opened in found] == [
            None,
            ("HD-000002", False),
            ("HD-000001", True),
        ]


def test_a_members_code_and_the_households_live_apart(db: Database) -> None:
    with db.writing() as connection:
        cases.import_sample(connection, [unit(1)])
        codes.issue(connection, [("HD-000001", "household")])
        codes.issue(connection, [("HD-000001", "private")], "row1")
        codes.reissue(connection, "HD-000001", "household2")
    with db.reading() as connection:
        private = codes.find(connection, "private")
        assert private is not None
        assert (private.case, private.member, private.replaces) == ("HD-000001", "row1", False)
        assert codes.find(connection, "household") is None
        assert codes.members(connection, "HD-000001") == {"row1"}


def test_tries_are_counted_in_common_and_forgotten(db: Database) -> None:
    async def story() -> None:
        counts = await asyncio.gather(*(db.write(codes.count_try, "network:x", 100) for _ in range(20)))
        assert sorted(counts) == list(range(1, 21))
        assert await db.write(codes.count_try, "network:x", 101) == 1
        await db.write(codes.forget_tries, 101)
        assert await db.write(codes.count_try, "network:x", 100) == 1

    asyncio.run(story())


def test_a_name_is_taken_once(db: Database) -> None:
    made = db.write_now(accounts.create, "an", "official", "$argon2id$...", ["10507"])
    with pytest.raises(Conflict, match="an"):
        db.write_now(accounts.create, "an", "statistician", "$argon2id$...")
    db.write_now(accounts.set_password, "an", "$argon2id$other")
    with db.reading() as connection:
        found = accounts.find(connection, "an")
        assert found is not None
        assert (found.communes, found.password, made.role) == (("10507",), "$argon2id$other", "official")
        assert accounts.find(connection, "binh") is None
    db.write_now(accounts.disable, "an")
    with db.reading() as connection:
        assert [account.disabled_at is None for account in accounts.every(connection)] == [False]


def test_a_session_ends_by_time_by_signing_out_or_everywhere(db: Database) -> None:
    for digest, ends in (("s1", now() + 60_000), ("s2", now() + 60_000), ("s3", now() - 1)):
        db.write_now(sessions.create, digest, "household", "HD-1", ends, {"language": "vi"})
    db.write_now(sessions.update_data, "s1", {"language": "en"})
    with db.reading() as connection:
        found = sessions.find(connection, "s1")
        assert found is not None
        assert found.data == {"language": "en"}
        assert sessions.find(connection, "s3") is None
    db.write_now(sessions.revoke, "s1")
    assert db.write_now(sessions.revoke_all, "household", "HD-1") == 2
    with db.reading() as connection:
        assert [sessions.find(connection, digest) for digest in ("s1", "s2")] == [None, None]
    assert db.write_now(sessions.forget, now()) == 1


@pytest.fixture
def written(db: Database) -> Database:
    """Five lines of audit in one chain."""
    for number in range(5):
        db.write_now(audit.append, "an", "read answers", f"case:{number}", {"why": "supervision"})
    return db


def test_the_chain_holds_and_is_read_by_subject(written: Database) -> None:
    with written.reading() as connection:
        assert list(audit.verify(connection)) == []
        (line,) = audit.of_subject(connection, "case:3")
        assert (line.actor, line.action, line.position, line.details) == (
            "an",
            "read answers",
            4,
            {"why": "supervision"},
        )


def unlock(connection: Connection) -> None:
    """What somebody who owns the database would do first: the refusal to change a line is taken away."""
    if connection.dialect.name == "postgresql":
        for table in ("audit", "consents"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        return
    triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    for name in list(triggers):
        connection.execute(text(f"DROP TRIGGER {name}"))


@pytest.mark.parametrize("table", ["audit", "consents"])
@pytest.mark.parametrize("deed", ["UPDATE {} SET at = 1", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_what_is_only_added(
    written: Database, table: str, deed: str
) -> None:
    consent = rights.Consent(
        case=unit(1).case, member="", purpose="statistics", given=True, text_hash="0" * 64, language="vi",
        mode="self", at=1,
    )  # fmt: skip
    with written.writing() as connection:
        cases.import_sample(connection, [unit(1)])
        rights.record_consents(connection, [consent])
    with pytest.raises(SurveyError), written.writing() as connection:
        connection.execute(text(deed.format(table)))
    with written.reading() as connection:
        assert list(audit.verify(connection)) == []
        assert rights.consents_of(connection, unit(1).case)["statistics"] == consent


def test_a_log_written_anew_with_right_hashes_lacks_the_seal(written: Database) -> None:
    """Whoever holds the database and not the key can compute every hash of a chain, but not the seal of its end."""
    with written.writing() as connection:
        unlock(connection)
        lines = [line for _, line in reversed(audit.newest(connection))]
        connection.execute(text("DELETE FROM audit"))
        keyless = connection.execution_options(**{OPTION: None})
        for line in lines:
            actor = "somebody else" if line.position == 2 else line.actor
            audit.append(keyless, actor, line.action, line.subject, line.details, chain=line.chain)
    with written.reading() as connection:
        assert "it was written anew" in "\n".join(audit.verify(connection))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("UPDATE audit SET actor = 'binh' WHERE position = 2", "line 2 was changed"),
        ("UPDATE audit SET details = '{}' WHERE position = 2", "line 2 was changed"),
        ("DELETE FROM audit WHERE position = 3", "lines 3 to 3 are missing"),
        (
            "UPDATE audit SET position = 99 WHERE position = 2; "
            "UPDATE audit SET position = 2 WHERE position = 3; "
            "UPDATE audit SET position = 3 WHERE position = 99",
            "line 2 was changed",
        ),
        ("DELETE FROM audit WHERE position = 5", "the noted head"),
        ("DELETE FROM audit WHERE position = 5", "lines 5 to 5 were cut off the end"),
        ("DELETE FROM audit", "the noted head"),
        ("DELETE FROM audit", "lines 1 to 5 were cut off the end"),
        ("DELETE FROM audit; DELETE FROM audit_heads WHERE chain <> ''", "1 chains were sealed, 0 are there"),
        ("DELETE FROM audit_heads", "no seal of the chains is there"),
        ("UPDATE audit_heads SET position = 4 WHERE chain <> ''", "lines 5 to 5 were added without the key"),
    ],
)
def test_a_changed_removed_or_moved_line_is_seen(written: Database, damage: str, told: str) -> None:
    with written.reading() as connection:
        noted = audit.heads(connection)
    with written.writing() as connection:
        unlock(connection)
        for step in damage.split("; "):
            connection.execute(text(step))
    with written.reading() as connection:
        assert told in "\n".join(audit.verify(connection, noted))


def test_two_servers_write_chains_of_their_own(written: Database) -> None:
    with Database.open(written.engine.url.render_as_string(hide_password=False)) as other:
        other.write_now(audit.append, "binh", "sign in", "account:binh")
        with other.reading() as connection:
            assert len(audit.heads(connection)) == 2
            assert list(audit.verify(connection)) == []
