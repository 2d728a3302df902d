"""Insert what is not there yet, by the unique constraint and never by looking first: two servers may look at once."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def insert_once(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], key: Column[Any]
) -> list[Any]:
    """Insert `rows`, skipping those whose unique key exists; returns `key` of the ones that are new."""
    statement = _statement(connection.dialect.name, table, key)
    return list(connection.execute(statement, rows).scalars())


@functools.cache
def _statement(dialect: str, table: Table, key: Column[Any]) -> ReturningInsert[Any]:
    """Built once: putting a statement together costs more than running it."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing().returning(key)
