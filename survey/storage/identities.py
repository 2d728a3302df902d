"""Where a household lives, apart from what it answered: read only to find the door, destroyed first.

Every field is sealed (`survey.storage.vault`): who copies the database without the key has no address. Each row lies under
a keyed hash of its case, so that without the link key not even the number of the house leads to what was answered there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from survey.storage.tables import cases, identities
from survey.storage.vault import Vault, unlink


class Identity(Struct, frozen=True, kw_only=True):
    """The address of a case. `other` holds further columns of the listing that help to find the household."""

    case: str
    address: str = ""
    hamlet: str = ""
    other: dict[str, str] = {}


def keep(connection: Connection, rows: Iterable[Identity]) -> None:
    """Keep addresses, sealed; those of a case already there are replaced."""
    vault, rows = Vault(connection), list(rows)
    values = [
        {
            "case": vault.name(connection, row.case),
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
        destroy(connection, [row.case for row in rows])
        connection.execute(insert(identities), values)


def find(connection: Connection, case: str) -> Identity | None:
    """The address of one case."""
    return of_cases(connection, [case]).get(case)


def of_cases(connection: Connection, case_ids: Sequence[str]) -> dict[str, Identity]:
    """The addresses of these cases, for an official's list."""
    found: dict[str, Identity] = {}
    vault = Vault(connection)
    for start in range(0, len(case_ids), 500):
        known = {name: case for case in case_ids[start : start + 500] for name in vault.names(case)}
        for row in connection.execute(select(identities).where(identities.c.case.in_(known))):
            case = known[row.case]
            found[case] = Identity(
                case=case,
                address=vault.open(row.address, f"{case}/address"),
                hamlet=vault.open(row.hamlet, f"{case}/hamlet"),
                other=msgspec.json.decode(vault.open(row.other, f"{case}/other"), type=dict[str, str]),
            )
    return found


def hamlets(connection: Connection, case_ids: Sequence[str]) -> dict[str, str]:
    """In which hamlet these cases lie, and nothing else of where they are; cases without an address are not there."""
    found: dict[str, str] = {}
    vault = Vault(connection)
    for start in range(0, len(case_ids), 500):
        known = {name: case for case in case_ids[start : start + 500] for name in vault.names(case)}
        query = select(identities.c.case, identities.c.hamlet).where(identities.c.case.in_(known))
        for name, sealed in connection.execute(query):
            found[known[name]] = vault.open(sealed, f"{known[name]}/hamlet")
    return found


def destroy(connection: Connection, case_ids: Sequence[str]) -> int:
    """Remove the addresses of these cases; returns how many there were. Backups are the organiser's to expire."""
    removed, vault = 0, Vault(connection)
    for start in range(0, len(case_ids), 500):
        names = [name for case in case_ids[start : start + 500] for name in vault.names(case)]
        removed += connection.execute(delete(identities).where(identities.c.case.in_(names))).rowcount
    return removed


def destroy_all(connection: Connection) -> int:
    """Remove every address and the link that led to it; returns how many there were. Needs no key."""
    unlink(connection)
    return connection.execute(delete(identities)).rowcount


def count(connection: Connection) -> int:
    """How many addresses there are. Needs no key."""
    return connection.execute(select(func.count()).select_from(identities)).scalar_one()


def everyone(connection: Connection) -> dict[str, Identity]:
    """Every address there is, opened, to be sealed anew."""
    return of_cases(connection, list(connection.execute(select(cases.c.id)).scalars()))
