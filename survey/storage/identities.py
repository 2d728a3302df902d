"""Where a household lives, apart from what it answered: read only to find the door, destroyed first.

Every field is sealed (`survey.storage.vault`): who copies the database without the key has no address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from survey.storage.tables import identities
from survey.storage.vault import Vault


class Identity(Struct, frozen=True, kw_only=True):
    """The address of a case. `other` holds further columns of the listing that help to find the household."""

    case: str
    address: str = ""
    hamlet: str = ""
    other: dict[str, str] = {}


def keep(connection: Connection, rows: Iterable[Identity]) -> None:
    """Keep addresses, sealed; those of a case already there are replaced."""
    vault = Vault(connection)
    values = [
        {
            "case": row.case,
            **{
                name: vault.seal(connection, text, f"{row.case}/{name}")
                for name, text in (
                    ("address", row.address),
                    ("hamlet", row.hamlet),
                    ("other", msgspec.json.encode(row.other, order="deterministic").decode()),
                )
            },
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
    vault = Vault(connection)
    for start in range(0, len(case_ids), 500):
        query = select(identities).where(identities.c.case.in_(case_ids[start : start + 500]))
        for row in connection.execute(query):
            found[row.case] = Identity(
                case=row.case,
                address=vault.open(row.address, f"{row.case}/address"),
                hamlet=vault.open(row.hamlet, f"{row.case}/hamlet"),
                other=msgspec.json.decode(vault.open(row.other, f"{row.case}/other"), type=dict[str, str]),
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


def everyone(connection: Connection) -> dict[str, Identity]:
    """Every address there is, opened, to be sealed anew."""
    return of_cases(connection, list(connection.execute(select(identities.c.case)).scalars()))
