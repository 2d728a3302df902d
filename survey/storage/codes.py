"""Household codes, as keyed hashes only. The plain code exists once: on the letter.

A digest is made by `survey.access.codes.digest(code, key)`. A case may have had several codes; all but the last are
revoked. Counts of tries live here too, because every worker must see them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from survey.storage.clock import now
from survey.storage.tables import codes, limits


def issue(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    """Keep (case, digest) pairs, one new code for each case."""
    at = now()
    rows = [{"case": case, "digest": digest, "issued_at": at, "revoked_at": None} for case, digest in pairs]
    if rows:
        connection.execute(insert(codes), rows)


def find(connection: Connection, digest: str) -> str | None:
    """The case that this code opens; None for an unknown or a revoked code."""
    return connection.execute(
        select(codes.c.case).where(codes.c.digest == digest, codes.c.revoked_at.is_(None))
    ).scalar_one_or_none()


def reissue(connection: Connection, case: str, digest: str) -> None:
    """Revoke every code of a case and keep a new one (letter lost, or seen by somebody else)."""
    connection.execute(
        update(codes).where(codes.c.case == case, codes.c.revoked_at.is_(None)).values(revoked_at=now())
    )
    issue(connection, [(case, digest)])


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


def forget_tries(connection: Connection, before_window: int) -> None:
    """Drop counts of windows that have passed."""
    connection.execute(delete(limits).where(limits.c.window < before_window))
