"""What a questionnaire calls personal or sensitive, and every place and picture, is held back wherever it is not needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from litestar.testing import TestClient
from sqlalchemy import Connection, insert
from sqlalchemy.exc import SQLAlchemyError

from survey.app import create_app
from survey.folder import Folder
from survey.freeze import freeze
from survey.questionnaire import reading
from survey.questionnaire.codebook import FREE, variables
from survey.questionnaire.response import Answer, Event
from survey.settings import Settings
from survey.storage import audit, responses
from survey.storage.database import Database
from survey.storage.tables import events
from tests.test_loading import FOLDER
from tests.village import Village

CORPUS = Path(__file__).parent / "questionnaire" / "corpus" / "valid"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with Village(16).fill(f"sqlite:///{tmp_path / 'survey.sqlite'}") as opened:
        yield opened


def test_a_place_and_a_picture_are_sensitive_whatever_the_questionnaire_says() -> None:
    for name in ("location", "photo"):
        read = reading.read((CORPUS / f"{name}.yaml").read_text(encoding="utf-8"))
        found = [one for one in variables(read) if one.kind == name]
        assert found
        assert all(one.sensitivity == "sensitive" and one.free for one in found)


def test_the_frozen_files_are_nobody_elses_and_hold_no_name_place_or_picture(
    db: Database, tmp_path: Path
) -> None:
    """The sensitive answers that figures need are there as codes, and the manifest names them."""
    folder = Folder.read(FOLDER)
    manifest = freeze(db, folder, tmp_path / "frozen")
    assert manifest.sensitive
    assert not set(manifest.sensitive) & set(manifest.left_out)
    held_back = {one.name for one in variables(folder.questionnaire) if one.kind in FREE}
    assert held_back <= set(manifest.left_out)
    for path in (tmp_path / "frozen").iterdir():
        assert path.stat().st_mode & 0o077 == 0
        if path.suffix == ".parquet":
            assert not held_back & set(pq.read_schema(path).names)


def test_an_answer_never_reaches_the_servers_log_nor_the_audit(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when keeping it fails: what is said names the table, and nothing of what was to be kept."""
    planted = "Bà Tư TRỒNG-THỬ"
    with db.reading() as connection:
        one = next(record for record, _ in responses.all(connection))
        before = len(audit.newest(connection, limit=10_000))

    def broken(connection: Connection) -> None:
        answers = {"comment": Answer(planted)}
        event = Event(
            id="e", response=one.id, kind="answered", at=1, author="x", mode="self", answers=answers
        )
        responses.append(connection, [event])
        connection.execute(insert(events), [{"id": planted, "response": None, "document": planted}])

    with caplog.at_level(logging.DEBUG), pytest.raises(SQLAlchemyError) as raised:
        db.write_now(broken)
    assert planted not in str(raised.value)
    assert planted not in caplog.text
    with db.reading() as connection:
        lines = audit.newest(connection, limit=10_000)
    assert len(lines) == before


def test_a_page_that_breaks_tells_the_log_its_pattern_and_not_the_case(
    db: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(folder=FOLDER, database=str(db.engine.url)), db)
    monkeypatch.setattr("survey.web.entry._entry", lambda *_, **__: 1 // 0)
    with TestClient(app) as client, caplog.at_level(logging.DEBUG):
        assert client.get("/c/7KXM-94TR-BQ2C-HV8Q").status_code == 500
    ours = "".join(
        record.getMessage() + str(record.exc_text) for record in caplog.records if record.name == "survey"
    )
    assert "/c/{code:str}" in ours
    assert "7KXM" not in ours
