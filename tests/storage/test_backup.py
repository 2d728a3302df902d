"""A backup made while answers arrive comes back whole, or does not open at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from survey.problems import Conflict, SurveyError
from survey.storage import backup, cases, responses
from survey.storage.database import Database
from tests.storage.households import VERSION, story, unit

SECRET = bytes(range(32))


@pytest.fixture
def field(db: Database) -> Database:
    with db.writing() as connection:
        cases.import_sample(connection, (unit(n) for n in range(50)))
        for n in range(50):
            responses.open(connection, f"r{n}", f"HD-{n:06d}", VERSION, "self")
            responses.append(connection, list(story(f"r{n}", 5)))
    return db


@pytest.fixture
def empty(url: str, tmp_path: Path, request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    """The address of a second, empty database of the same kind."""
    if url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'restored.sqlite'}"
    else:
        with request.getfixturevalue("postgresql").database() as address:
            yield address


def address(db: Database) -> str:
    return db.engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg", "postgresql")


def test_a_backup_made_while_answers_arrive_comes_back_whole(
    field: Database, empty: str, tmp_path: Path
) -> None:
    stop = threading.Event()

    def answering() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            field.write_now(responses.append, list(story("r1", 1 + number % 3)))
            field.write_now(responses.set_aside, f"noise {number}", "test")

    thread = threading.Thread(target=answering)
    thread.start()
    try:
        backup.write(address(field), tmp_path / "a.backup", SECRET)
    finally:
        stop.set()
        thread.join()
    assert b"HD-0000" not in (tmp_path / "a.backup").read_bytes(), "nothing may be read without the key"
    assert (tmp_path / "a.backup").stat().st_mode & 0o077 == 0
    assert backup.check(tmp_path / "a.backup", SECRET) > 1000
    backup.restore(tmp_path / "a.backup", empty, SECRET)
    with (
        Database.open(empty).hold_key(b"k" * 32) as restored,
        restored.reading() as connection,
        field.reading() as original,
    ):
        assert list(responses.verify(connection)) == []
        assert responses.events(connection, "r7") == responses.events(original, "r7")
        assert len(list(cases.every(connection))) == 50


def test_a_backup_never_overwrites_and_never_restores_over_anything(field: Database, tmp_path: Path) -> None:
    backup.write(address(field), tmp_path / "a.backup", SECRET)
    with pytest.raises(Conflict):
        backup.write(address(field), tmp_path / "a.backup", SECRET)
    with pytest.raises(Conflict):
        backup.restore(tmp_path / "a.backup", address(field), SECRET)


def test_a_damaged_or_foreign_backup_does_not_open(field: Database, empty: str, tmp_path: Path) -> None:
    backup.write(address(field), tmp_path / "a.backup", SECRET)
    whole = (tmp_path / "a.backup").read_bytes()
    damages = {
        "cut": whole[:-20],
        "cut in the header": whole[:40],
        "one bit": whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:],
        "lengthened": whole + b"x",
        "another file": b"PK\x03\x04",
    }
    for name, content in damages.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(backup.BadBackup):
            backup.restore(tmp_path / name, empty, SECRET)
    with pytest.raises(backup.BadBackup):
        backup.restore(tmp_path / "a.backup", empty, bytes(32))
    backup.restore(tmp_path / "a.backup", empty, SECRET)  # nothing of the damaged ones is in the way


def test_what_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="no database"):
        backup.write(f"sqlite:///{tmp_path / 'nothing.sqlite'}", tmp_path / "a.backup", SECRET)
    assert not list(tmp_path.iterdir())
    with pytest.raises(SurveyError, match="gone"):
        backup.restore(tmp_path / "gone", f"sqlite:///{tmp_path / 'x.sqlite'}", SECRET)
