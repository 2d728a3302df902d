"""Encrypted copies of a database that is in use, and the way back.

A backup is one file: a header, then the database in pieces of 1 MiB, each sealed with AES-256-GCM under a key derived
for this file alone. Each seal covers the piece's number and whether it is the last, so that a file that was cut,
reordered or spliced does not open. Inside is a whole SQLite database (online backup: a consistent moment, while
writing goes on) or a `pg_dump` in custom format.

When not: for going back to any minute between two backups see docs/operations.md, "Point in time".
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from survey.problems import Conflict, SurveyError
from survey.storage.database import Database

_MAGIC = {"sqlite": b"survey backup 1 sqlite\n", "postgresql": b"survey backup 1 pgdump\n"}
_HEADER = 23 + 32
_PIECE = 1 << 20


class BadBackup(SurveyError):
    """The file is no backup of ours, is damaged, or the key is another one."""

    code = "bad_backup"


def write(database_url: str, out: Path, secret: bytes) -> int:
    """Write an encrypted backup of a database in use; returns the file's size. The file appears whole or not at all."""
    url = make_url(database_url)
    if out.exists():
        raise Conflict(
            {
                "vi": f"Đã có tệp {out}. Hãy chọn tên khác; bản sao lưu cũ không bị ghi đè.",
                "en": f"{out} is already there. Choose another name; a backup is never overwritten.",
            }
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    kind = url.get_backend_name()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: part.unlink(missing_ok=True))
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        file = stack.enter_context(os.fdopen(descriptor, "wb"))
        with _sqlite_copy(url) if kind == "sqlite" else _dump(url) as source:
            _seal(source, file, _MAGIC[kind], secret)
        file.flush()
        os.fsync(file.fileno())
        part.rename(out)
    return out.stat().st_size


def check(backup: Path, secret: bytes) -> int:
    """Open every piece of a backup without keeping it; returns the bytes inside."""
    with _opened(backup, secret) as (_, pieces):
        return sum(len(piece) for piece in pieces)


def restore(backup: Path, database_url: str, secret: bytes) -> None:
    """Put a backup into a database that is empty or not there yet; one that holds anything is never touched."""
    url = make_url(database_url)
    with _opened(backup, secret) as (kind, pieces):
        if kind != url.get_backend_name():
            raise BadBackup(
                {
                    "vi": f"Bản sao lưu này là của {kind}, không nạp được vào {url.get_backend_name()}.",
                    "en": f"This is a backup of {kind}; it cannot be restored into {url.get_backend_name()}.",
                }
            )
        if kind == "sqlite":
            _restore_sqlite(pieces, Path(url.database or ""))
        else:
            _restore_postgresql(pieces, url)
    Database.open(database_url).close()  # of an older version: bring it forward


@contextlib.contextmanager
def _opened(backup: Path, secret: bytes) -> Iterator[tuple[str, Iterator[bytes]]]:
    if not backup.is_file():
        raise SurveyError({"vi": f"Không có tệp {backup}.", "en": f"There is no file {backup}."})
    with backup.open("rb") as file:
        header = file.read(_HEADER)
        kind = next((kind for kind, magic in _MAGIC.items() if header.startswith(magic)), None)
        if kind is None or len(header) < _HEADER:
            raise _damaged(backup)
        yield kind, _unseal(file, header, secret, backup)


def _seal(source: IO[bytes], out: IO[bytes], magic: bytes, secret: bytes) -> None:
    header = magic + secrets.token_bytes(32)
    seal = _cipher(secret, header)
    out.write(header)
    piece, number = source.read(_PIECE), 0
    while True:
        following = source.read(_PIECE)
        sealed = seal.encrypt(_nonce(number, last=not following), piece, header)
        out.write(len(sealed).to_bytes(4, "big") + sealed)
        if not following:
            return
        piece, number = following, number + 1


def _unseal(file: IO[bytes], header: bytes, secret: bytes, backup: Path) -> Iterator[bytes]:
    seal = _cipher(secret, header)
    size, number = file.read(4), 0
    while True:
        sealed = file.read(int.from_bytes(size, "big"))
        size = file.read(4)
        try:
            yield seal.decrypt(_nonce(number, last=not size), sealed, header)
        except (InvalidTag, ValueError) as error:
            raise _damaged(backup) from error
        if not size:
            return
        number += 1


def _cipher(secret: bytes, header: bytes) -> AESGCM:
    return AESGCM(
        HKDF(algorithm=SHA256(), length=32, salt=header[-32:], info=b"survey backup").derive(secret)
    )


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


@contextlib.contextmanager
def _sqlite_copy(url: URL) -> Iterator[IO[bytes]]:
    path = Path(url.database or "")
    if not path.is_file():
        raise _nothing_there(str(path))
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".backup-") as folder:
        copy = Path(folder) / "copy.sqlite"
        with (
            contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        with copy.open("rb") as file:
            yield file


@contextlib.contextmanager
def _dump(url: URL) -> Iterator[IO[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - the address is a parsed URL, there is no shell
        [program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", _address(url)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(url),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        told = process.stderr.read().decode(errors="replace").strip()
        if process.wait() != 0:
            raise BadBackup(
                {"vi": f"pg_dump không chạy được: {told}", "en": f"pg_dump did not succeed: {told}"},
            )


def _restore_sqlite(pieces: Iterator[bytes], path: Path) -> None:
    if path.exists():
        raise _not_empty(str(path))
    part = path.with_name(path.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _restore_postgresql(pieces: Iterator[bytes], url: URL) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    try:
        if inspect(engine).get_table_names():
            raise _not_empty(url.database or "")
    finally:
        engine.dispose()
    # The whole file is opened first: nothing of a damaged backup may reach the database.
    with tempfile.TemporaryFile() as plain:
        for piece in pieces:
            plain.write(piece)
        plain.seek(0)
        done = subprocess.run(  # noqa: S603 - as above
            [
                program("pg_restore"),
                "--no-owner",
                "--no-privileges",
                "--exit-on-error",
                "--single-transaction",
                f"--dbname={_address(url)}",
            ],
            stdin=plain,
            capture_output=True,
            env=_environment(url),
            check=False,
        )
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip()
        raise BadBackup(
            {"vi": f"pg_restore không chạy được: {told}", "en": f"pg_restore did not succeed: {told}"}
        )


def program(name: str) -> str:
    """A PostgreSQL client program; Debian keeps the newest ones out of PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    for folder in reversed(folders):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise SurveyError(
            {
                "vi": f"Không có chương trình {name}. Hãy cài: sudo apt-get install postgresql-client",
                "en": f"The program {name} is missing. Install it: sudo apt-get install postgresql-client",
            }
        )
    return found


def _address(url: URL) -> str:
    """The address without its password, which other users of the machine could see among the arguments."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def _environment(url: URL) -> dict[str, str]:
    return {**os.environ, "PGPASSWORD": str(url.password)} if url.password else dict(os.environ)


def _damaged(backup: Path) -> BadBackup:
    return BadBackup(
        {
            "vi": f"Không mở được {backup}: tệp hỏng, bị cắt, hoặc không đúng khóa.",
            "en": f"{backup} does not open: it is damaged, cut short, or the key is another one.",
        }
    )


def _not_empty(name: str) -> Conflict:
    return Conflict(
        {
            "vi": f"Cơ sở dữ liệu {name} không trống. Chỉ phục hồi vào cơ sở dữ liệu trống hoặc chưa có.",
            "en": f"The database {name} is not empty. Restore only into an empty or a new one.",
        }
    )


def _nothing_there(name: str) -> SurveyError:
    return SurveyError({"vi": f"Không có cơ sở dữ liệu {name}.", "en": f"There is no database {name}."})
