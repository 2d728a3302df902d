"""Sessions on the server, so that any worker knows them and signing out ends them everywhere.

Only the digest of the cookie's token is kept. `kind` is "household" (subject: the case) or "account" (its name).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from survey.storage.clock import now
from survey.storage.tables import sessions


class Session(Struct, frozen=True, kw_only=True):
    """A session that has neither expired nor been revoked. `data` holds small facts (language, response)."""

    digest: str
    kind: str
    subject: str
    data: dict[str, Any]
    created_at: int
    expires_at: int
    seen_at: int = 0


_BEGIN: Final = insert(sessions).inline()


def create(
    connection: Connection,
    digest: str,
    kind: str,
    subject: str,
    expires_at: int,
    data: dict[str, Any] | None = None,
) -> Session:
    """Keep a new session until `expires_at` (milliseconds since 1970)."""
    session = Session(
        digest=digest, kind=kind, subject=subject, data=data or {}, created_at=now(), expires_at=expires_at
    )
    values = msgspec.structs.asdict(session) | {"data": msgspec.json.encode(session.data).decode()}
    connection.execute(_BEGIN, values)
    return session


HOLDS: Final = (
    sessions.c.digest == bindparam("digest"),
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > bindparam("now"),
)
"""When a session holds. Statements of every request are put together once: that costs more than running them."""
_FIND: Final = select(sessions).where(*HOLDS)


def find(connection: Connection, digest: str) -> Session | None:
    """The session of this token, if it still holds."""
    row = connection.execute(_FIND, {"digest": digest, "now": now()}).one_or_none()
    return None if row is None else of_row(row)


def of_subject(connection: Connection, kind: str, subject: str) -> list[Session]:
    """Every session of a household or an account that still holds, the newest first."""
    query = (
        select(sessions)
        .where(
            sessions.c.kind == kind, sessions.c.subject == subject,
            sessions.c.revoked_at.is_(None), sessions.c.expires_at > now(),
        )
        .order_by(sessions.c.created_at.desc(), sessions.c.digest)
    )  # fmt: skip
    return [of_row(row) for row in connection.execute(query)]


def of_row(row: Row[*tuple[Any, ...]]) -> Session:
    """The session in a row of its table."""
    return Session(
        digest=row.digest,
        kind=row.kind,
        subject=row.subject,
        data=msgspec.json.decode(row.data, type=dict[str, Any]),
        created_at=row.created_at,
        expires_at=row.expires_at,
        seen_at=row.seen_at,
    )


def update_data(connection: Connection, digest: str, data: dict[str, Any]) -> None:
    """Replace a session's small facts."""
    connection.execute(
        update(sessions).where(sessions.c.digest == digest).values(data=msgspec.json.encode(data).decode())
    )


def touch(connection: Connection, digest: str) -> None:
    """Note that a session is used now."""
    connection.execute(update(sessions).where(sessions.c.digest == digest).values(seen_at=now()))


def revoke(connection: Connection, digest: str) -> None:
    """Sign out."""
    connection.execute(update(sessions).where(sessions.c.digest == digest).values(revoked_at=now()))


def revoke_all(connection: Connection, kind: str, subject: str) -> int:
    """End every session of a household or an account; returns how many."""
    return connection.execute(
        update(sessions)
        .where(sessions.c.kind == kind, sessions.c.subject == subject, sessions.c.revoked_at.is_(None))
        .values(revoked_at=now())
    ).rowcount


def forget(connection: Connection, before: int) -> int:
    """Drop sessions that expired before this time (milliseconds since 1970); returns how many."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at < before)).rowcount
