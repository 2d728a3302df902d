"""Insert what is not there yet, by the unique constraint and never by looking first: two servers may look at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], key: Column[Any]
) -> list[Any]:
    """Insert `rows`, skipping those whose unique key exists; returns `key` of the ones that are new."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing().returning(key)
    return list(connection.execute(statement, rows).scalars())
