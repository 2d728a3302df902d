"""Everything that is sealed, sealed anew by another data key (`survey keys rotate`), or by another key outside the database
too (`survey keys exchange`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, bindparam, select, tuple_, update

from survey.problems import Conflict
from survey.settings import Keys
from survey.storage import audit, erasure, factors, identities
from survey.storage.tables import attempts, events, photos, quarantine, returns, reviews
from survey.storage.vault import Vault

SEALED: Final[tuple[tuple[Table, tuple[str, ...]], ...]] = (
    (events, ("document",)),
    (quarantine, ("document",)),
    (photos, ("content",)),
    (attempts, ("note", "place")),
    (reviews, ("reason",)),
    (returns, ("comment",)),
)
"""Columns that lie sealed, each for its place "<table>/<key>/<column>"; addresses and second steps have their own."""
_ROWS = 500


def reseal(connection: Connection) -> int:
    """Seal every field with a new data key and destroy the old ones; returns how many households have an address.

    Also seals what an older version of this software kept open. Nothing is written meanwhile: about a minute for each
    million events.
    """
    erasure.overwrite(connection)  # of SQLite's pages too, in which the old text stood
    before = Vault(connection, alone=True)
    addresses, secrets = identities.everyone(connection), factors.secrets(connection)
    vault = Vault(connection, alone=True)
    identities.destroy_all(connection)
    vault.rotate(connection)
    identities.keep(connection, addresses.values())
    factors.reseal(connection, secrets)
    for table, columns in SEALED:
        _reseal(connection, table, columns, before, vault)
    vault.forget_old(connection)
    return len(addresses)


def exchange(connection: Connection, secret: Keys, new: Keys) -> int:
    """`reseal`, and what it was sealed with sealed by the keys of a new secret; returns how many households have an address.

    Whoever had the secret of before opens nothing of this database any more. The keyed hashes stay, sealed within: codes of
    letters and recovery codes go on. Raises Conflict when the audit log is not whole, because its seals are made anew.
    """
    if broken := list(audit.verify(connection)):
        raise Conflict(
            {
                "vi": f"Nhật ký không nguyên vẹn, nên chưa đổi khóa: {broken[0]}. Hãy xem survey audit verify.",
                "en": f"The audit log is not whole, so the key was not exchanged: {broken[0]}. See survey audit verify.",
            }
        )
    count = reseal(connection)
    audit.append(connection, "cli", "exchange key", "identities", {"households": count})
    Vault(connection, alone=True).exchange(connection, secret, new.identities)
    audit.seal_anew(connection, new.identities)
    return count


def _reseal(
    connection: Connection, table: Table, columns: Sequence[str], before: Vault, after: Vault
) -> None:
    keys = tuple(table.primary_key.columns)
    ids = connection.execute(select(*keys)).all()
    change = update(table).where(*(key == bindparam(f"of_{key.name}") for key in keys))
    for start in range(0, len(ids), _ROWS):
        some = [tuple(row) for row in ids[start : start + _ROWS]]
        within = keys[0].in_([row[0] for row in some]) if len(keys) == 1 else tuple_(*keys).in_(some)
        rows = connection.execute(
            select(*keys, *(table.c[name] for name in columns)).where(within)
        ).mappings()
        changed = [_anew(connection, table, keys, columns, row, before, after) for row in rows.all()]
        connection.execute(change, changed)


def _anew(
    connection: Connection, table: Table, keys: Sequence[Column[Any]], columns: Sequence[str], row: Any,
    before: Vault, after: Vault,
) -> dict[str, Any]:  # fmt: skip
    values: dict[str, Any] = {f"of_{key.name}": row[key.name] for key in keys}
    for name in columns:
        place = "/".join((table.name, *(row[key.name] for key in keys), name))
        kept = row[name]
        if isinstance(kept, bytes | memoryview):
            values[name] = after.seal_bytes(connection, before.open_bytes(bytes(kept), place), place)
        else:
            values[name] = kept and after.seal(connection, before.open(kept, place), place)
    return values
