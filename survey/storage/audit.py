"""Who did what to whom, written in the transaction of the deed and chained by hashes, so that nothing can be removed
unseen.

Each opened `Database` has a chain of its own: one common chain would make all servers wait for one another. `verify`
walks every chain. A chain shows that lines were changed or cut out of its middle; against cutting off its end, write
`heads` down somewhere else from time to time (`survey verify` prints them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, func, insert, or_, select

from survey.storage.clock import now
from survey.storage.tables import audit

_encoder = msgspec.json.Encoder(order="deterministic")


class AuditLine(Struct, frozen=True, kw_only=True):
    """One deed. `subject` is what it was done to ("case:HD-000123-4"); `details` hold no answers and no addresses."""

    chain: str
    position: int
    at: int
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str


def append(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    *,
    chain: str | None = None,
) -> AuditLine:
    """Add one line to this database object's chain, in the caller's transaction."""
    name = chain or connection.get_execution_options()["survey_chain"]
    last = connection.execute(
        select(audit.c.position, audit.c.hash)
        .where(audit.c.chain == name)
        .order_by(audit.c.position.desc())
        .limit(1)
    ).one_or_none()
    position, before = (last.position + 1, last.hash) if last is not None else (1, "")
    at = now()
    told = _encoder.encode(dict(details or {})).decode()
    digest = _hash(before, name, position, at, actor, action, subject, told)
    connection.execute(
        insert(audit).values(
            chain=name,
            position=position,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            details=told,
            hash=digest,
        )
    )
    return AuditLine(
        chain=name,
        position=position,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        details=dict(details or {}),
        hash=digest,
    )


def of_subject(connection: Connection, subject: str) -> list[AuditLine]:
    """Everything that was done to one subject, oldest first."""
    query = select(audit).where(audit.c.subject == subject).order_by(audit.c.at, audit.c.sequence)
    return [_line(row) for row in connection.execute(query)]


def newest(
    connection: Connection, before: int | None = None, limit: int = 100, about: Sequence[str] = ()
) -> list[tuple[int, AuditLine]]:
    """The last lines of all chains, newest first, each with its number; `before` pages on. `about`: only what was done to
    or by one of these ("case:HD-000123-4", "account:an")."""
    query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
    if about:
        query = query.where(or_(audit.c.subject.in_(about), audit.c.actor.in_(about)))
    if before is not None:
        query = query.where(audit.c.sequence < before)
    return [(row.sequence, _line(row)) for row in connection.execute(query)]


def heads(connection: Connection) -> dict[str, str]:
    """The last hash of each chain."""
    last = (
        select(audit.c.chain, func.max(audit.c.position).label("position")).group_by(audit.c.chain).subquery()
    )
    query = select(audit.c.chain, audit.c.hash).join(
        last, (last.c.chain == audit.c.chain) & (last.c.position == audit.c.position)
    )
    return {row.chain: row.hash for row in connection.execute(query)}


def verify(connection: Connection, written_down: Mapping[str, str] | Sequence[str] = ()) -> Iterator[str]:
    """Walk every chain; yields one line for each break. `written_down`: heads noted earlier that must still occur."""
    missing = set(written_down.values() if isinstance(written_down, Mapping) else written_down)
    chain, position, before = "", 0, ""
    query = select(audit).order_by(audit.c.chain, audit.c.position).execution_options(yield_per=1000)
    for row in connection.execute(query):
        if row.chain != chain:
            chain, position, before = row.chain, 0, ""
        if row.position != position + 1:
            yield f"audit {chain}: lines {position + 1} to {row.position - 1} are missing"
        elif _hash(
            before, row.chain, row.position, row.at, row.actor, row.action, row.subject, row.details
        ) != row.hash:  # fmt: skip
            yield f"audit {chain}: line {row.position} was changed"
        position, before = row.position, row.hash
        missing.discard(row.hash)
    for digest in sorted(missing):
        yield f"audit: the noted head {digest[:16]} is gone"


def _hash(before: str, *parts: str | int) -> str:
    return hashlib.sha256(_encoder.encode([before, *parts])).hexdigest()


def _line(row: Row[*tuple[Any, ...]]) -> AuditLine:
    return AuditLine(
        chain=row.chain,
        position=row.position,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=msgspec.json.decode(row.details, type=dict[str, Any]),
        hash=row.hash,
    )
