"""Where a household lives, apart from what it answered: read only to find the door, destroyed first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from survey.storage.tables import identities


class Identity(Struct, frozen=True, kw_only=True):
    """The address of a case. `other` holds further columns of the listing that help to find the household."""

    case: str
    address: str = ""
    hamlet: str = ""
    other: dict[str, str] = {}


def keep(connection: Connection, rows: Iterable[Identity]) -> None:
    """Keep addresses; those of a case already there are replaced."""
    values = [
        {
            "case": row.case,
            "address": row.address,
            "hamlet": row.hamlet,
            "other": msgspec.json.encode(row.other, order="deterministic").decode(),
        }
        for row in rows
    ]
    if values:
        destroy(connection, [value["case"] for value in values])
        connection.execute(insert(identities), values)


def find(connection: Connection, case: str) -> Identity | None:
    """The address of one case."""
    return of_cases(connection, [case]).get(case)


def of_cases(connection: Connection, case_ids: Sequence[str]) -> dict[str, Identity]:
    """The addresses of these cases, for an official's list."""
    found: dict[str, Identity] = {}
    for start in range(0, len(case_ids), 500):
        query = select(identities).where(identities.c.case.in_(case_ids[start : start + 500]))
        for row in connection.execute(query):
            found[row.case] = Identity(
                case=row.case,
                address=row.address,
                hamlet=row.hamlet,
                other=msgspec.json.decode(row.other, type=dict[str, str]),
            )
    return found


def destroy(connection: Connection, case_ids: Sequence[str]) -> int:
    """Remove the addresses of these cases; returns how many there were. Backups are the organiser's to expire."""
    removed = 0
    for start in range(0, len(case_ids), 500):
        removed += connection.execute(
            delete(identities).where(identities.c.case.in_(case_ids[start : start + 500]))
        ).rowcount
    return removed
