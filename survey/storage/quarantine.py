"""What was sent and could not simply be taken in: kept whole and sealed, with the reason, until a person decides.

Rows are never deleted. The key is the SHA-256 of the document, so that the same thing sent again is the same row.
`survey.fieldwork.reception` says which reasons there are; `survey.storage.responses` adds conflicts it meets itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, select

from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.responses import aside_place
from survey.storage.tables import cases, quarantine, responses
from survey.storage.vault import Vault, opener


class Misfit(Struct, frozen=True, kw_only=True):
    """One thing kept aside. `kind` is the list it came in ("events", "attempts"); `event` its own id, if it has one.

    `position` orders what arrived together; `case` is "" when nobody can say which household it is about.
    """

    hash: str
    kind: str
    event: str
    response: str
    case: str
    author: str
    device: str
    reason: str
    document: str
    position: int = 0
    received_at: int = 0


def keep(connection: Connection, misfits: Sequence[Misfit]) -> None:
    """Set these aside; one that is there already stays as it is."""
    if not misfits:
        return
    at, vault = now(), Vault(connection)
    rows = [
        {
            **msgspec.structs.asdict(one), "received_at": at, "resolved_at": None, "resolution": "",
            "document": vault.seal(connection, one.document, aside_place(one.hash)),
        }
        for one in misfits
    ]  # fmt: skip
    insert_once(connection, quarantine, rows, quarantine.c.hash)


def known(connection: Connection, hashes: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Of these documents, the ones that were set aside before: reason and time of arrival by hash."""
    found: dict[str, tuple[str, int]] = {}
    for start in range(0, len(hashes), 500):
        query = select(quarantine.c.hash, quarantine.c.reason, quarantine.c.received_at)
        for row in connection.execute(query.where(quarantine.c.hash.in_(hashes[start : start + 500]))):
            found[row.hash] = (row.reason, row.received_at)
    return found


def waiting(connection: Connection, communes: Sequence[str] | None = None) -> list[Misfit]:
    """What nobody has decided yet, oldest first: of these communes, and what belongs to no known case."""
    case = func.coalesce(func.nullif(quarantine.c.case, ""), responses.c.case, "")
    query = (
        select(quarantine, case.label("of_case"), cases.c.commune)
        .select_from(
            quarantine.outerjoin(responses, responses.c.id == quarantine.c.response)
            .outerjoin(cases, cases.c.id == case)
        )
        .where(quarantine.c.resolved_at.is_(None))
        .order_by(quarantine.c.received_at, quarantine.c.position, quarantine.c.hash)
    )  # fmt: skip
    opened = opener(connection)
    return [
        Misfit(
            hash=row.hash,
            kind=row.kind,
            event=row.event,
            response=row.response,
            case=row.of_case,
            author=row.author,
            device=row.device,
            reason=row.reason,
            document=opened(row.document, aside_place(row.hash)),
            position=row.position,
            received_at=row.received_at,
        )
        for row in connection.execute(query)
        if communes is None or row.commune is None or row.commune in communes
    ]
