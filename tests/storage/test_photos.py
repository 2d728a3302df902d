"""A picture belongs to one response: sent twice it is there once, and no other response can see it."""

from __future__ import annotations

import pytest

from survey.problems import Conflict
from survey.storage import cases, photos, responses
from survey.storage.database import Database
from tests.storage.households import unit


@pytest.fixture
def opened(db: Database) -> Database:
    with db.writing() as connection:
        for number in (1, 2):
            cases.import_sample(connection, [unit(number)])
            responses.open(connection, f"r{number}", unit(number).case, "v", "self")
    return db


def test_kept_once_and_found_by_its_own_response_only(opened: Database) -> None:
    with opened.writing() as connection:
        digest = photos.keep(connection, "r1", b"picture")
        assert photos.keep(connection, "r1", b"picture") == digest
    with opened.reading() as connection:
        assert photos.find(connection, "r1", digest) == b"picture"
        assert photos.find(connection, "r2", digest) is None


def test_a_response_has_room_for_so_many(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "MOST", 2)
    with opened.writing() as connection:
        for content in (b"1", b"2", b"2"):
            photos.keep(connection, "r1", content)
        with pytest.raises(Conflict, match="too many"):
            photos.keep(connection, "r1", b"3")
        photos.keep(connection, "r2", b"3")
