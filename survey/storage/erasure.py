"""Real deletion: what a household said, where it lives and how it comes in are gone; that it was drawn stays.

Kept are the case and the outcomes of its visits (the weights of all others need them), the proof of consent, the request
and the audit, none of which holds an answer or an address. Figures already released stay as they are: they are about
nobody in particular.

SQLite overwrites the freed bytes (`secure_delete`); `scrub` then empties its write-ahead log. PostgreSQL overwrites dead
rows when its vacuum has run and the page is used again. A backup still holds what was deleted after it was made: it goes
by the backups' own retention.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, true, update

from survey.fieldwork.cases import Closed, Override, Reopened
from survey.storage import cases, identities
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.tables import (
    attempts,
    codes,
    events,
    photos,
    quarantine,
    responses,
    returns,
    reviews,
    sessions,
)
from survey.storage.tables import cases as case_rows

WITHDRAWN = "2.11"
"""What a household that took its answers back counts as in the outcome rates: a refusal (AAPOR)."""


def erase(connection: Connection, case: str, reason: str, author: str) -> int:
    """Delete everything that a household said and that leads to it, and close its case; returns the responses deleted."""
    deleted = erase_answers(connection, case)
    unlink(connection, [case])
    found = cases.existing(connection, case)
    if found.state in ("complete", "closed"):
        cases.move(connection, case, Reopened())
    cases.reassign(connection, case, "")  # nobody goes there again
    if not found.reserve:
        override = Override(code=WITHDRAWN, reason=reason, author=author, at=now())
        cases.move(connection, case, Closed(override))
    return deleted


def erase_answers(connection: Connection, case: str) -> int:
    """Delete the responses of a case with their events, pictures and what waits apart; returns how many there were."""
    overwrite(connection)
    mine = list(connection.execute(select(responses.c.id).where(responses.c.case == case)).scalars())
    connection.execute(
        delete(quarantine).where(or_(quarantine.c.case == case, quarantine.c.response.in_(mine)))
    )
    for table in (events, photos):
        connection.execute(delete(table).where(table.c.response.in_(mine)))
    for table in (returns, reviews):
        connection.execute(delete(table).where(table.c.case == case))
    connection.execute(delete(responses).where(responses.c.case == case))
    cases.mark(connection, case_rows.c.id == case)
    return len(mine)


def located(connection: Connection) -> int:
    """How many households have an address or a code that is still here. Which ones, only the link key tells."""
    coded = connection.execute(select(func.count(codes.c.case.distinct()))).scalar_one()
    return max(identities.count(connection), coded)


def answered(connection: Connection) -> list[str]:
    """The households of which answers are still here."""
    return sorted(connection.execute(select(responses.c.case).distinct()).scalars())


def unlink(connection: Connection, households: Sequence[str]) -> None:
    """Nothing leads to these households any more: no address, no code, no session, no words about a visit."""
    overwrite(connection)
    identities.destroy(connection, households)
    for start in range(0, len(households), 500):
        some = households[start : start + 500]
        _forget_ways(
            connection, codes.c.case.in_(some), sessions.c.subject.in_(some), attempts.c.case.in_(some)
        )


def unlink_all(connection: Connection) -> None:
    """The same for every household, at the end of retention: with the link key, which is destroyed. Needs no key."""
    overwrite(connection)
    identities.destroy_all(connection)
    _forget_ways(connection, true(), true(), true())


def _forget_ways(
    connection: Connection,
    coded: ColumnElement[bool],
    signed: ColumnElement[bool],
    visited: ColumnElement[bool],
) -> None:
    connection.execute(delete(codes).where(coded))
    connection.execute(delete(sessions).where(sessions.c.kind == "household", signed))
    connection.execute(update(attempts).where(visited).values(note="", codes="", appointment="", place=None))


def overwrite(connection: Connection) -> None:
    """SQLite writes zeros over what is deleted."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def scrub(database: Database) -> None:
    """After a deletion is committed: nothing of it stays in the write-ahead log of SQLite."""
    if database.dialect == "sqlite":
        raw = database.engine.raw_connection()
        try:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # type: ignore[attr-defined]
        finally:
            raw.close()
