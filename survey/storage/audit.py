"""Who did what to whom, written in the transaction of the deed and chained by hashes, so that nothing can be removed
unseen.

Each opened `Database` has a chain of its own: one common chain would make all servers wait for one another. `verify`
walks every chain. The last line of each, and how many chains there are, stand in `audit_heads` under a seal (HMAC-SHA-256)
by a key outside the database, so that a cut-off end, a chain that is gone and a chain written anew are seen too. What that
cannot show is a whole database that was put back to an earlier moment: against that write `heads` down somewhere else
from time to time (`survey audit verify` prints them). The database itself refuses to change or delete a line.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, func, insert, literal, or_, select, union_all, update

from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.tables import audit, audit_heads
from survey.storage.vault import OPTION

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


_LAST: Final = (
    select(audit.c.position, audit.c.hash)
    .where(audit.c.chain == bindparam("of"))
    .order_by(audit.c.position.desc())
    .limit(1)
)
_LINE: Final = insert(audit).inline()
_MOVE_HEAD: Final = update(audit_heads).where(audit_heads.c.chain == bindparam("of"))


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
    last = connection.execute(_LAST, {"of": name}).one_or_none()
    position, before = (last.position + 1, last.hash) if last is not None else (1, "")
    at = now()
    told = _encoder.encode(dict(details or {})).decode()
    digest = _hash(before, name, position, at, actor, action, subject, told)
    connection.execute(
        _LINE,
        {"chain": name, "position": position, "at": at, "actor": actor, "action": action, "subject": subject,
         "details": told, "hash": digest},
    )  # fmt: skip
    _seal_head(connection, name, position, digest)
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


_CHAINS = ""
"""The row of `audit_heads` that counts the chains."""


def _seal(key: bytes, chain: str, position: int, digest: str) -> str:
    derived = hmac.digest(key, b"audit heads", "sha256")
    return hmac.digest(derived, _encoder.encode([chain, position, digest]), "sha256").hex()


def _seal_head(connection: Connection, chain: str, position: int, digest: str) -> None:
    """Move the sealed head of a chain to its new last line. Without a key it stays, and `verify` with one tells."""
    key = connection.get_execution_options().get(OPTION)
    if key is None:
        return
    head = {"position": position, "seal": _seal(key, chain, position, digest)}
    if not connection.execute(_MOVE_HEAD, {"of": chain} | head).rowcount:
        _begin_chain(connection, key, {"chain": chain} | head)


def _begin_chain(connection: Connection, key: bytes, head: dict[str, Any]) -> None:
    """A chain more."""
    seal_earlier(connection)
    there = select(audit_heads.c.chain).where(audit_heads.c.chain == head["chain"])
    if connection.execute(there).first() is None:  # else it was among the earlier ones
        _count_chains(connection, key, [head])


def seal_earlier(connection: Connection) -> None:
    """Seal, once, the chains that were there before heads were sealed: when the schema came, or with the next line."""
    key = connection.get_execution_options().get(OPTION)
    if key is None:
        return
    none = {"chain": _CHAINS, "position": 0, "seal": _seal(key, _CHAINS, 0, "")}
    if insert_once(connection, audit_heads, [none], audit_heads.c.chain):
        earlier = [
            {
                "chain": row.chain,
                "position": row.position,
                "seal": _seal(key, row.chain, row.position, row.hash),
            }
            for row in _last_lines(connection)
        ]
        _count_chains(connection, key, earlier)


def _count_chains(connection: Connection, key: bytes, new: Sequence[dict[str, Any]]) -> None:
    """Keep the heads of these chains, and that there are so many more."""
    if not new:
        return
    connection.execute(insert(audit_heads), list(new))
    count = connection.execute(
        select(audit_heads.c.position).where(audit_heads.c.chain == _CHAINS).with_for_update()
    ).scalar_one()
    count += len(new)
    connection.execute(
        update(audit_heads)
        .where(audit_heads.c.chain == _CHAINS)
        .values(position=count, seal=_seal(key, _CHAINS, count, ""))
    )


def seal_anew(connection: Connection, key: bytes) -> None:
    """Seal every head by another key, as the lines stand: only after `verify` found nothing, or a break would be sealed with them."""
    for row in _last_lines(connection):
        _keep_seal(connection, key, row.chain, row.position, row.hash)
    count = connection.execute(
        select(audit_heads.c.position).where(audit_heads.c.chain == _CHAINS)
    ).scalar_one_or_none()
    if count is not None:
        _keep_seal(connection, key, _CHAINS, count, "")


def _keep_seal(connection: Connection, key: bytes, chain: str, position: int, digest: str) -> None:
    connection.execute(
        update(audit_heads)
        .where(audit_heads.c.chain == chain)
        .values(seal=_seal(key, chain, position, digest))
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
    return {row.chain: row.hash for row in _last_lines(connection)}


_newest = (
    select(audit.c.chain, func.max(audit.c.position).label("position")).group_by(audit.c.chain).subquery()
)
_ENDS = select(audit.c.chain, audit.c.position, audit.c.hash).join(
    _newest, (_newest.c.chain == audit.c.chain) & (_newest.c.position == audit.c.position)
)


def _last_lines(connection: Connection) -> Sequence[Row[*tuple[Any, ...]]]:
    return connection.execute(_ENDS).all()


def verify(connection: Connection, written_down: Mapping[str, str] | Sequence[str] = ()) -> Iterator[str]:
    """Walk every chain; yields one line for each break. `written_down`: heads noted earlier that must still occur.

    The sealed heads are compared where the connection holds the key (`Database.hold_key`).
    """
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
    key = connection.get_execution_options().get(OPTION)
    if key is not None:
        yield from _unsealed(connection, key)


def _unsealed(connection: Connection, key: bytes) -> Iterator[str]:
    """Where the chains do not end as their seals say."""
    both = union_all(
        _ENDS.add_columns(literal(0).label("sealed")),
        select(audit_heads.c.chain, audit_heads.c.position, audit_heads.c.seal, literal(1)),
    )  # one statement: lines may be written meanwhile
    rows = connection.execute(both).all()
    ends = {row.chain: row for row in rows if not row.sealed}
    sealed = {row.chain: row for row in rows if row.sealed}
    count = sealed.pop(_CHAINS, None)
    if count is None:
        if ends:
            yield "audit: no seal of the chains is there: the log was never written by this version, or it was removed"
        return
    if count.position != len(sealed) or not hmac.compare_digest(
        count.hash, _seal(key, _CHAINS, count.position, "")
    ):
        yield f"audit: {count.position} chains were sealed, {len(sealed)} are there"
    for chain in sorted(sealed.keys() | ends.keys()):
        head, end = sealed.get(chain), ends.get(chain)
        if head is None:
            yield f"audit {chain}: the chain was never sealed"
        elif end is None or end.position < head.position:
            yield f"audit {chain}: lines {end.position + 1 if end else 1} to {head.position} were cut off the end"
        elif end.position > head.position:
            yield f"audit {chain}: lines {head.position + 1} to {end.position} were added without the key"
        elif not hmac.compare_digest(head.hash, _seal(key, chain, end.position, end.hash)):
            yield f"audit {chain}: it was written anew, or the key is another one"


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
