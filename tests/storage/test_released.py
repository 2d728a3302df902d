"""A database as each earlier schema left it, written by the software of its day, is brought forward whole and goes on."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Boolean, Connection, Integer, MetaData, func, select

from survey.questionnaire.response import fold
from survey.settings import KEY_VARIABLE
from survey.storage import audit, cases, responses, schema, surveys
from survey.storage.database import Database, _engine
from survey.storage.tables import metadata
from tests.storage.released.make import KEY

RELEASED = Path(__file__).parent / "released"
VERSIONS = sorted(path.name.partition(".")[0] for path in RELEASED.glob("*.json.gz"))


def kept(version: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(
        gzip.decompress((RELEASED / f"{version}.json.gz").read_bytes())
    )
    return found


def restore(connection: Connection, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Put the rows of an old database into the tables of its schema."""
    old = MetaData()
    old.reflect(connection)
    for table in old.sorted_tables:
        if table.name == "alembic_version" or not rows.get(table.name):
            continue
        yes_or_no = {column.name for column in table.columns if isinstance(column.type, Boolean)}
        connection.execute(
            table.insert(),
            [
                {
                    name: base64.b64decode(value["base64"]) if isinstance(value, dict)
                    else bool(value) if name in yes_or_no and value is not None
                    else value
                    for name, value in row.items()
                }
                for row in rows[table.name]
            ],
        )  # fmt: skip
        if connection.dialect.name == "postgresql":
            for column in table.primary_key:  # numbers go on after those that are there, as after a pg_dump
                if isinstance(column.type, Integer):
                    counter = func.pg_get_serial_sequence(table.name, column.name)
                    connection.execute(select(func.setval(counter, func.max(column))))


def test_every_earlier_schema_is_here() -> None:
    migrations = sorted(path.name[:4] for path in (schema.MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert migrations[:-1] == VERSIONS, "run tests/storage/released/make.py after adding a migration"


def test_migrations_only_add_so_that_servers_of_the_version_before_go_on() -> None:
    """0011 took away three columns; docs/operations.md says what that asks of whoever comes from before it."""
    taking = re.compile(r"drop_(?!index)|alter_column|rename_")
    files = (schema.MIGRATIONS / "versions").glob("[0-9]*.py")
    assert [path.name[:4] for path in sorted(files) if taking.search(path.read_text())] == ["0011"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_database_is_brought_forward_and_goes_on(
    url: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    rows = kept(version)
    engine = _engine(url)
    with engine.connect().execution_options(survey_writes=True) as connection, connection.begin():
        schema.upgrade(connection, version)
        restore(connection, rows)
    engine.dispose()
    with pytest.raises(schema.OlderSchema):
        Database.open(url, migrate=False)
    with Database.open(url) as database:
        with database.reading() as connection:
            assert schema.version(connection) == schema.HEAD
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            assert list(responses.verify(connection)) == []
            unsealed = "audit: no seal of the chains is there"  # seals are younger than what these wrote
            assert all(problem.startswith(unsealed) for problem in audit.verify(connection))
            assert {case.id for case in cases.every(connection)} == {row["id"] for row in rows["cases"]}
            told = {record.id: events for record, events in responses.all(connection)}
            assert {event.id for events in told.values() for event in events} == {
                row["id"] for row in rows["events"]
            }
            assert any(fold(response, events).submitted for response, events in told.items())
            for row in rows["surveys"]:
                assert surveys.questionnaire(connection, row["version"]).version
        response, events = next((response, events) for response, events in told.items() if events)
        again, more = (
            events[-1],
            type(events[-1])(id="after", response=response, kind="answered", at=1, author="an", answers={}),
        )
        database.write_now(audit.append, "an", "test", "case:HD-000003")
        with database.reading() as connection:
            assert list(audit.verify(connection)) == []
        receipts = database.write_now(responses.append, [again, more])
        assert [receipt.state for receipt in receipts] == ["kept", "kept"]
        with database.reading() as connection:
            assert list(responses.verify(connection)) == []
            assert len(responses.events(connection, response)) == len(events) + 1
