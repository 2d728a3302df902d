"""The keeper's chores: `survey backup`, `survey restore`, `survey verify`, `survey migrate`."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from rich.console import Console
from sqlalchemy.engine import make_url

from survey.problems import SurveyError
from survey.settings import (
    KEY_VARIABLE,
    Keys,
    exchanging,
    held,
    key_file_secret,
    keys,
    old_key_kept,
    put_in_place,
)
from survey.storage import audit, erasure, responses, rotation, tallies
from survey.storage import backup as storage_backup
from survey.storage.database import Database, require_alone
from survey.storage.vault import carried, opened_by


def backup(database_url: str, out: Path, key_file: Path, console: Console | None = None) -> int:
    """Back up a database in use, encrypted under the key in `key_file` (made the first time), and prove it.

    A SQLite backup is restored into a temporary file and verified event by event before success is reported; of a
    PostgreSQL one every seal is checked, and the full proof is `survey restore` into an empty database.
    Returns the number of problems found.
    """
    console = console or Console()
    new_key = not key_file.exists()
    secret = key_file_secret(key_file)
    _note_backup(database_url, out)
    size = storage_backup.write(database_url, out, secret)
    if make_url(database_url).get_backend_name() == "sqlite":
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".verify-") as folder:
            copy = f"sqlite:///{folder}/copy.sqlite"
            storage_backup.restore(out, copy, secret)
            own = held(database_url)
            problems = _problems(copy, key=own.identities if own else b"")
    else:
        problems = []
        storage_backup.check(out, secret)
    if new_key:
        console.print(
            f"Đã tạo khóa {key_file}. Hãy giữ một bản ở nơi khác: mất khóa là mất bản sao lưu. · "
            f"Made the key {key_file}. Keep a copy elsewhere: without it the backup is lost."
        )
    console.print(f"{out}: {size:,} bytes", soft_wrap=True)
    _tell(problems, console)
    return len(problems)


def _note_backup(database_url: str, out: Path) -> None:
    """A backup takes everything along: that it was made is in the audit log, and in the backup itself. A full disk, which
    lets nothing be written, or an older schema before an update is no reason to make none."""
    if (
        make_url(database_url).get_backend_name() == "sqlite"
        and not Path(make_url(database_url).database or "").exists()
    ):
        return
    with (
        contextlib.suppress(SurveyError),
        Database.open(database_url, migrate=False) as database,
        database.writing() as connection,
    ):
        audit.append(connection, "cli", "backup", f"backup:{out.name}")


def restore(backup_file: Path, database_url: str, key_file: Path, console: Console | None = None) -> int:
    """Restore into an empty or new database and verify it; returns the number of problems found."""
    console = console or Console()
    storage_backup.restore(backup_file, database_url, key_file_secret(key_file, make=False))
    return verify(database_url, console=console)


def verify(database_url: str, noted: tuple[str, ...] = (), console: Console | None = None) -> int:
    """Recompute every response from its events and walk the audit chains; returns the number of problems.

    Prints the head of each audit chain: note them down elsewhere and give them back as `noted` the next time.
    """
    console = console or Console()
    problems = _problems(database_url, noted)
    _tell(problems, console)
    _tell_heads(database_url, console)
    return len(problems)


def verify_audit(database_url: str, noted: tuple[str, ...] = (), console: Console | None = None) -> int:
    """Walk the audit chains alone, as an auditor does; returns the number of breaks."""
    console = console or Console()
    with Database.open(database_url) as database, database.reading() as connection:
        problems = list(audit.verify(connection, noted))
    _tell(problems, console, "Nhật ký nguyên vẹn. · The audit chains are whole.")
    _tell_heads(database_url, console)
    return len(problems)


def _tell_heads(database_url: str, console: Console) -> None:
    with Database.open(database_url) as database, database.reading() as connection:
        for chain, head in sorted(audit.heads(connection).items()):
            console.print(f"audit {chain} {head}", highlight=False, soft_wrap=True)


def migrate(database_url: str) -> None:
    """Bring the schema to this software's version, and count what is not counted yet, which may take minutes the first time."""
    with Database.open(database_url) as database:
        tallies.refresh(database)


def _problems(database_url: str, noted: tuple[str, ...] = (), key: bytes = b"") -> list[str]:
    """`key` opens what is sealed in a copy that lies where its own is not."""
    opened = Database.open(database_url)
    with opened.hold_key(key) if key else opened as database, database.unmoved() as connection:
        return [*responses.verify(connection), *tallies.verify(connection), *audit.verify(connection, noted)]


WHOLE = (
    "Mọi câu trả lời khớp với các lần gửi, số đếm đúng, nhật ký nguyên vẹn. · "
    "Every response equals its events; the counts are right; the audit chains are whole."
)


def _tell(problems: list[str], console: Console, whole: str = WHOLE) -> None:
    for problem in problems:
        console.print(problem, style="red", highlight=False, soft_wrap=True)
    if not problems:
        console.print(whole)


def rotate_keys(database_url: str, console: Console | None = None) -> None:
    """Seal every address and answer with a new data key (`survey keys rotate`): after a key may have been seen, or once a year."""
    console = console or Console()
    with Database.open(database_url).hold_key(keys(database_url).identities) as database:
        with database.writing() as connection:
            count = rotation.reseal(connection)
            audit.append(connection, "cli", "rotate data key", "identities", {"households": count})
        erasure.scrub(database)
    console.print(
        f"Đã mã hóa lại mọi câu trả lời và địa chỉ của {count} hộ · "
        f"all answers and the addresses of {count} households are sealed anew",
        soft_wrap=True,
    )


def exchange_key(database_url: str, new_key: Path | None = None, console: Console | None = None) -> None:
    """Exchange the installation's secret itself (`survey keys exchange`): everything is sealed anew, by new data keys under it.

    No server may run meanwhile. The new secret is on disk before anything depends on it, and all of the database changes in
    one transaction; cut off at any moment, the same command does the rest.
    """
    console = console or Console()
    file, new_file = exchanging(database_url, new_key)
    secret = keys(database_url)
    require_alone(database_url)
    with Database.open(database_url) as database:
        if not (new_file.exists() and _opens(database, Keys.of(key_file_secret(new_file)))):
            if file is not None:
                old_key_kept(file)
            new = Keys.of(key_file_secret(new_file))
            with database.hold_key(secret.identities).writing() as connection:
                rotation.exchange(connection, carried(connection, secret), new)
            erasure.scrub(database)
    if file is not None:
        aside = put_in_place(file, new_file)
        console.print(
            f"Đã đổi khóa; khóa mới ở {file}. Khóa cũ ở {aside}, chỉ để mở các bản sao lưu trước đây: hãy cất vào két hoặc hủy. · "
            f"The key is exchanged; the new one is in {file}. The old one is in {aside}, for backups of before alone: put it in a safe or destroy it.",
            soft_wrap=True,
        )
    else:
        console.print(
            f"Đã đổi khóa. Hãy đặt nội dung của {new_file} vào {KEY_VARIABLE} ở mọi máy chủ rồi khởi động lại. · "
            f"The key is exchanged. Put what is in {new_file} into {KEY_VARIABLE} on every server, then start them again.",
            soft_wrap=True,
        )


def _opens(database: Database, new: Keys) -> bool:
    """Whether the database was changed already, and then the command was cut off."""
    with database.reading() as connection:
        return opened_by(connection, new.identities)
