"""The keeper's commands say in two languages what they found, and their exit code can be relied on by cron."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from survey.cli import main
from survey.settings import BadKey, key_file_secret, keys
from survey.storage import audit, cases, responses
from survey.storage.database import Database
from tests.storage.households import VERSION, story, unit


@pytest.fixture
def address(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    with Database.open(url).hold_key(keys(url).identities) as db, db.writing() as connection:
        cases.import_sample(connection, [unit(1)])
        responses.open(connection, "r1", "HD-000001", VERSION, "self")
        responses.append(connection, list(story("r1", 3)))
        audit.append(connection, "an", "read answers", "case:HD-000001")
    return url


def test_backup_restore_and_verify(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, out, restored = (
        tmp_path / "backup.key",
        tmp_path / "b" / "monday",
        f"sqlite:///{tmp_path / 'new.sqlite'}",
    )
    assert main(["backup", "--database", address, "--out", str(out), "--key", str(key)]) == 0
    assert "khóa" in capsys.readouterr().out
    assert key.stat().st_mode & 0o077 == 0
    assert main(["restore", str(out), "--database", restored, "--key", str(key)]) == 1
    assert "the key is not here: set SURVEY_KEY" in capsys.readouterr().out, (
        "what is sealed was not looked at"
    )
    monkeypatch.setenv("SURVEY_KEY_FILE", str(tmp_path / "survey.sqlite.key"))
    (tmp_path / "new.sqlite").unlink()
    assert main(["restore", str(out), "--database", restored, "--key", str(key)]) == 0
    assert main(["verify", "--database", restored]) == 0
    assert "audit " in capsys.readouterr().out
    assert main(["migrate", "--database", restored]) == 0
    assert sorted(path.name for path in out.parent.iterdir()) == ["monday"]


def test_verify_fails_loudly(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Database.open(address) as db, db.writing() as connection:
        connection.execute(text("DELETE FROM events WHERE id = 'r1-2'"))
    assert main(["verify", "--database", address]) == 1
    assert "response r1" in capsys.readouterr().out


def test_a_wrong_key_is_refused_without_a_traceback(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "monday"
    main(["backup", "--database", address, "--out", str(out), "--key", str(tmp_path / "one.key")])
    key_file_secret(tmp_path / "two.key")
    new = f"sqlite:///{tmp_path / 'new.sqlite'}"
    assert main(["restore", str(out), "--database", new, "--key", str(tmp_path / "two.key")]) == 1
    assert main(["restore", str(out), "--database", new, "--key", str(tmp_path / "none.key")]) == 1
    assert "does not open" in capsys.readouterr().err
    assert not (tmp_path / "new.sqlite").exists()


def test_the_data_key_is_changed_and_everything_still_opens(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(address.removeprefix("sqlite:///"))
    with Database.open(address) as db, db.reading() as connection:
        before = connection.execute(text("SELECT document FROM events ORDER BY id")).scalars().all()
    assert main(["keys", "rotate", "--database", address]) == 0
    assert main(["verify", "--database", address]) == 0
    raw = b"".join(path.read_bytes() for path in file.parent.glob(file.name + "*"))
    assert not [one for one in before if one[20:100].encode() in raw], (
        "nothing is left that the old key opened"
    )


def test_keys_are_made_once_and_kept_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURVEY_KEY", raising=False)
    monkeypatch.delenv("SURVEY_KEY_FILE", raising=False)
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    made = keys(url)
    assert keys(url) == made
    assert made.codes != made.sessions
    assert made.codes.hex() not in repr(made)
    file = tmp_path / "survey.sqlite.key"
    file.chmod(0o644)
    with pytest.raises(BadKey, match="chmod 600"):
        keys(url)
    monkeypatch.setenv("SURVEY_KEY", "ab" * 32)
    assert keys(url) == keys("postgresql://x/y") != made
    monkeypatch.setenv("SURVEY_KEY", "short")
    with pytest.raises(BadKey, match="64"):
        keys(url)
    monkeypatch.delenv("SURVEY_KEY")
    with pytest.raises(BadKey, match="SURVEY_KEY_FILE"):
        keys("postgresql://x/y")
