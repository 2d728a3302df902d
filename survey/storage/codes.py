"""Household codes, as keyed hashes only. The plain code exists once: on the letter.

A digest is made by `survey.access.codes.digest(code, key)`. A case may have had several codes; all but the last are
revoked. A member who wants to answer alone has a code of his or her own. Counts of tries live here too, because every worker must see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

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


def find(connection: Connection, digest: str) -> Opened | None:
    """What this code opens; None for an unknown or a revoked code."""
    row = connection.execute(
        select(codes).where(codes.c.digest == digest, codes.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    earlier = select(codes.c.digest).where(
        codes.c.case == row.case, codes.c.member == row.member, codes.c.revoked_at.is_not(None)
    )
    replaces = connection.execute(earlier.limit(1)).first() is not None
    return Opened(case=row.case, member=row.member, issued_at=row.issued_at, replaces=replaces)


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
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(limits).values(subject=subject, window=window, count=1)
    return int(
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[limits.c.subject, limits.c.window], set_={"count": limits.c.count + 1}
            ).returning(limits.c.count)
        ).scalar_one()
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
    found = connection.execute(
        select(limits.c.count).where(limits.c.subject == subject, limits.c.window == window)
    )
    return found.scalar_one_or_none() or 0


def forget_tries(connection: Connection, before_window: int) -> int:
    """Drop counts of windows that have passed; returns how many."""
    return connection.execute(delete(limits).where(limits.c.window < before_window)).rowcount
