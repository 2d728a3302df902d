"""Two databases for every storage test: SQLite in a file, and a real PostgreSQL on a free loopback port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from survey.storage.database import Database
from tests.postgresql import Server, missing


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server of our own, flushed to disk as in life; skipped with a remedy where it is not installed."""
    if reason := missing():
        pytest.skip(reason)
    with Server.start() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'survey.sqlite'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    with server.database() as address:
        yield address


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    """An empty, opened database."""
    with Database.open(url).hold_key(b"k" * 32) as database:
        yield database
