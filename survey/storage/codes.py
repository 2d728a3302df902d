"""Household codes, as keyed hashes only. The plain code exists once: on the letter.

A digest is made by `survey.access.codes.digest(code, key)`. A case may have had several codes; all but the last are
revoked. A member who wants to answer alone has a code of his or her own. Counts of tries live here too, because every worker must see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from survey.storage.clock import now
from survey.storage.tables import codes, limits

WINDOW = 600
"""Seconds of a slice of time in which tries are counted."""


class Opened(Struct, frozen=True, kw_only=True):
    """What a code opens: a case, or in it the part of one member.

    `replaces` is true for one that was issued in place of another: the hand that gave it out knows it.
    """

    case: str
    member: str
    issued_at: int
    replaces: bool


def issue(connection: Connection, pairs: Sequence[tuple[str, str]], member: str = "") -> None:
    """Keep (case, digest) pairs, one new code for each case, or for a member of it."""
    at = now()
    rows = [
        {"case": case, "digest": digest, "issued_at": at, "revoked_at": None, "member": member}
        for case, digest in pairs
    ]
    if rows:
        connection.execute(insert(codes), rows)


# Statements of every sign-in are put together once: on the day the letters arrive many come at the same moment.
_earlier = codes.alias()
_OPENS: Final = select(
    codes.c.case,
    codes.c.member,
    codes.c.issued_at,
    select(_earlier.c.digest)
    .where(
        _earlier.c.case == codes.c.case,
        _earlier.c.member == codes.c.member,
        _earlier.c.revoked_at.is_not(None),
    )
    .exists()
    .label("replaces"),
).where(codes.c.digest == bindparam("digest"), codes.c.revoked_at.is_(None))


def find(connection: Connection, digest: str) -> Opened | None:
    """What this code opens; None for an unknown or a revoked code."""
    row = connection.execute(_OPENS, {"digest": digest}).one_or_none()
    return None if row is None else Opened(**row._mapping)


_MEMBERS: Final = select(codes.c.member).where(codes.c.case == bindparam("of"), codes.c.member != "")


def members(connection: Connection, case: str) -> frozenset[str]:
    """The members of a household who answer by a code of their own."""
    return frozenset(connection.execute(_MEMBERS, {"of": case}).scalars())


def reissue(connection: Connection, case: str, digest: str, member: str = "") -> None:
    """Revoke the code of a case, or of a member of it, and keep a new one (lost, or seen by somebody else)."""
    connection.execute(
        update(codes)
        .where(codes.c.case == case, codes.c.member == member, codes.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    issue(connection, [(case, digest)], member)


def count_try(connection: Connection, subject: str, window: int) -> int:
    """Count one try and return how many `subject` has made in this window, this one included.

    `subject` names whom or what is limited, never in plain ("network:<keyed hash>"); `window` is the number of
    the time slice (seconds since 1970 divided by its length).
    """
    counted = {"subject": subject, "window": window, "count": 1}
    return int(connection.execute(_counting(connection.dialect.name), counted).scalar_one())


@cache
def _counting(dialect: str) -> ReturningInsert[int]:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    again = {"count": limits.c.count + 1}
    return (
        insert(limits)
        .on_conflict_do_update(index_elements=[limits.c.subject, limits.c.window], set_=again)
        .returning(limits.c.count)
    )


def take_back(connection: Connection, subject: str, window: int) -> None:
    """A try that was counted beforehand was no wrong one."""
    connection.execute(
        update(limits)
        .where(limits.c.subject == subject, limits.c.window == window, limits.c.count > 0)
        .values(count=limits.c.count - 1)
    )


def tries(connection: Connection, subject: str, window: int) -> int:
    """How many tries `subject` has made in this window."""
    return connection.execute(_TRIES, {"of": subject, "in": window}).scalar_one_or_none() or 0


_TRIES: Final = select(limits.c.count).where(
    limits.c.subject == bindparam("of"), limits.c.window == bindparam("in")
)


def forget_tries(connection: Connection, before_window: int) -> int:
    """Drop counts of windows that have passed; returns how many."""
    return connection.execute(delete(limits).where(limits.c.window < before_window)).rowcount
