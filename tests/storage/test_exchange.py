"""The secret outside the database is exchanged: the old one opens nothing any more, nobody's code or line of the audit log is
lost, and an exchange that was cut off at any moment is finished by the same command."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select, text

from survey import upkeep
from survey.access import codes as household_codes
from survey.cli import main
from survey.settings import BadKey, Keys, key_file_secret, keys
from survey.storage import audit, cases, codes, identities, responses, rotation
from survey.storage.database import Database
from survey.storage.tables import data_keys
from survey.storage.vault import NoKey, Vault, carried
from tests.storage.households import VERSION, story, unit

CODE = household_codes.make(b"0123456789abcdef")
ADDRESS = identities.Identity(case=unit(1).case, address="Số 7 ngõ Thử", hamlet="Thôn Thử", other={})


@pytest.fixture
def file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of a database with a household, its address, its code and its answers."""
    file = tmp_path / "secret.key"
    monkeypatch.delenv("SURVEY_KEY", raising=False)
    monkeypatch.setenv("SURVEY_KEY_FILE", str(file))
    secret = keys(url)
    with Database.open(url) as database, database.writing() as connection:
        cases.import_sample(connection, [unit(1)])
        identities.keep(connection, [ADDRESS])
        codes.issue(connection, [(unit(1).case, household_codes.digest(CODE, secret.codes))])
        responses.open(connection, "r1", unit(1).case, VERSION, "self")
        responses.append(connection, list(story("r1", 3)))
        audit.append(connection, "an", "read answers", unit(1).case)
    return file


def everything_opens(url: str) -> None:
    secret = keys(url)
    with Database.open(url) as database, database.reading() as connection:
        assert identities.find(connection, unit(1).case) == ADDRESS
        assert list(responses.verify(connection)) == []
        assert list(audit.verify(connection)) == []
        digest = household_codes.digest(CODE, carried(connection, secret).codes)
        assert codes.find(connection, digest) is not None, "the letter still opens"


def exchange(url: str, *more: str) -> int:
    return main(["keys", "exchange", "--database", url, *more])


def opens_nothing(url: str, old: Keys) -> None:
    with Database.open(url).hold_key(old.identities) as database, database.reading() as connection:
        with pytest.raises(NoKey):
            Vault(connection)
        assert any("key is another" in one for one in audit.verify(connection)), "nor are its seals good"


def test_the_old_secret_opens_nothing_and_every_code_stays_good(
    url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, content = keys(url), file.read_text()
    with Database.open(url) as database, database.reading() as connection:
        wrapped = set(connection.execute(select(data_keys.c.wrapped)).scalars())
    assert exchange(url) == 0
    assert file.read_text() != content
    (aside,) = file.parent.glob("secret.key.old-*")
    assert aside.read_text() == content
    assert (file.stat().st_mode | aside.stat().st_mode) & 0o077 == 0
    assert str(aside) in capsys.readouterr().out
    everything_opens(url)
    opens_nothing(url, old)
    with Database.open(url) as database, database.reading() as connection:
        assert not wrapped & set(connection.execute(select(data_keys.c.wrapped)).scalars())
        before, now = old, carried(connection, keys(url))
    assert (now.codes, now.lasting) == (before.codes, before.lasting)
    assert now.sessions != before.sessions
    assert exchange(url) == 0, "and again"
    everything_opens(url)
    assert len(list(file.parent.glob("secret.key.old-*"))) == 2


def test_what_was_cut_off_before_the_commit_changed_nothing(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file.read_text()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rotation.audit, "seal_anew", cut)
        with pytest.raises(KeyboardInterrupt):
            upkeep.exchange_key(url)
    assert file.read_text() == content
    everything_opens(url)
    waiting = Path(f"{file}.new").read_text()
    assert exchange(url) == 0
    assert file.read_text() == waiting, "the secret that was on disk is the one that is taken"
    everything_opens(url)


def test_what_was_cut_off_after_the_commit_is_finished_by_the_same_command(
    url: str, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = file.read_text()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(upkeep, "put_in_place", cut)
        with pytest.raises(KeyboardInterrupt):
            upkeep.exchange_key(url)
    assert file.read_text() == content
    with Database.open(url) as database, database.reading() as connection:
        with pytest.raises(NoKey, match="survey keys exchange"):
            Vault(connection)
        lines = audit.heads(connection)
    assert exchange(url) == 0
    everything_opens(url)
    with Database.open(url) as database, database.reading() as connection:
        assert audit.heads(connection) == lines, "nothing is done twice"
    assert not Path(f"{file}.new").exists()


def test_nobody_else_may_have_the_database_open(
    url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = file.read_text()
    with Database.open(url) as server, server.reading() as connection:
        connection.execute(text("SELECT 1"))
        assert exchange(url) == 1
    assert "Stop every server" in capsys.readouterr().err
    assert file.read_text() == content
    everything_opens(url)


def test_a_broken_audit_log_is_not_sealed_anew(
    url: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Database.open(url) as database, database.writing() as connection:
        connection.execute(text("UPDATE audit_heads SET position = position + 1 WHERE chain <> ''"))
    assert exchange(url) == 1
    assert "audit log is not whole" in capsys.readouterr().err
    with Database.open(url) as database, database.reading() as connection:
        assert identities.find(connection, unit(1).case) == ADDRESS


def test_a_secret_of_the_environment_needs_a_file_for_the_new_one(
    url: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SURVEY_KEY", file.read_text().strip())
    assert exchange(url) == 1
    assert "--new-key" in capsys.readouterr().err
    old, new = keys(url), tmp_path / "next.key"
    assert exchange(url, "--new-key", str(new)) == 0
    assert "SURVEY_KEY" in capsys.readouterr().out
    opens_nothing(url, old)
    monkeypatch.setenv("SURVEY_KEY", new.read_text().strip())
    everything_opens(url)
    monkeypatch.delenv("SURVEY_KEY")
    new.chmod(0o644)
    with pytest.raises(BadKey):
        key_file_secret(new)
