"""Settings and secrets, read once when the application starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from survey.problems import SurveyError

KEY_VARIABLE = "SURVEY_KEY"
KEY_FILE_VARIABLE = "SURVEY_KEY_FILE"
SETTINGS_VARIABLE, ADDRESS_VARIABLE = "SURVEY_SETTINGS", "SURVEY_ADDRESS"
"""What `survey serve` tells its worker: the settings as JSON, and the address to print when the worker is ready."""


class BadKey(SurveyError):
    """The secret key is missing, too short or readable by others."""

    code = "bad_key"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the web application is told when it starts."""

    folder: Path
    """The survey folder; its audio and letters are read from there."""
    database: str = "sqlite:///survey.sqlite"
    """SQLAlchemy address of the database: SQLite for one machine, postgresql+psycopg://… for several."""
    results: Path | None = None
    """Folder of a release; its site is shown at /results, its files to statisticians."""
    secure_cookies: bool = False
    """Set when the site is reached over https (always outside a demonstration): cookies then never travel in plain."""
    session_hours: int = 12
    """How long a household or an account stays signed in."""
    idle_minutes: int = 30
    """After how long a session of the office that nobody uses is over (roles with a second step); officials' phones
    and households go on for `session_hours`, because they may be without a network for half a day."""
    wrong_codes: int = 60
    """Wrong household codes allowed from one network in ten minutes; right ones are not counted."""
    requests_a_minute: int = 6000
    """Requests that one network may make in a minute, files of the pages not counted; 0: as many as it likes. Three
    hundred households that answer behind one address at the same time make a third as many."""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Addresses or networks of the reverse proxies whose X-Forwarded-For is believed: without it everybody behind a
    proxy would be one network, and sixty slips of sixty households would shut out the province."""
    second_step: bool = True
    """Whether statisticians, managers, auditors and administrators need a second step (TOTP) to sign in. False is for
    demonstrations alone and taken only with a synthetic survey; the page of signing in then says so."""
    metrics: bool = False
    """Whether /metrics shows figures for Prometheus; the reverse proxy must not pass it on to the public."""


@dataclass(frozen=True)
class Keys:
    """Secrets derived from one: of household codes, of what must stay the same however long a survey lasts (recovery codes,
    which interviews are checked, what locked phones seal for the server), of sessions and forms, and of addresses. Never in
    the database or its backup, unless sealed: after the secret was exchanged, codes and lasting are those of before
    (`survey.storage.vault.carried`)."""

    codes: bytes
    lasting: bytes
    sessions: bytes
    identities: bytes

    @classmethod
    def of(cls, secret: bytes) -> Keys:
        """Derive them by HKDF, so that one secret is kept and one leak does not give the others."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        def derive(purpose: bytes) -> bytes:
            return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"survey " + purpose).derive(secret)

        return cls(
            codes=derive(b"household codes"),
            lasting=derive(b"sessions"),  # one with the sessions until the secret is exchanged
            sessions=derive(b"sessions"),
            identities=derive(b"identities"),
        )

    def __repr__(self) -> str:
        return "Keys(...)"


def keys(database_url: str) -> Keys:
    """The keys of this installation, by the first of these that is there.

    1. SURVEY_KEY: at least 64 hex digits (several servers share one database: give all of them the same)
    2. the file named by SURVEY_KEY_FILE
    3. the file beside the SQLite database, "survey.sqlite.key", made with mode 0600 the first time

    Whoever loses the key has lost every answer and address: keep a copy in a safe, apart from the backups.
    """
    if given := os.environ.get(KEY_VARIABLE):
        return Keys.of(_secret(given, KEY_VARIABLE))
    return Keys.of(key_file_secret(_key_file(database_url)))


def held(database_url: str) -> Keys | None:
    """The keys of this installation, or None where there is none yet; nothing is made. BadKey when one is there and bad."""
    if not os.environ.get(KEY_VARIABLE):
        named = os.environ.get(KEY_FILE_VARIABLE)
        if not named and make_url(database_url).get_backend_name() != "sqlite":
            return None
        if not _key_file(database_url).exists():
            return None
    return keys(database_url)


def key_file_secret(path: Path, *, make: bool = True) -> bytes:
    """The secret in a key file, which only its owner may read; made the first time unless told not to."""
    if not make and not path.exists():
        raise BadKey({"vi": f"Không có tệp khóa {path}.", "en": f"There is no key file {path}."})
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
    if path.stat().st_mode & 0o077:
        raise BadKey(
            {
                "vi": f"Tệp khóa {path} đang cho người khác đọc. Hãy chạy: chmod 600 {path}",
                "en": f"The key file {path} can be read by others. Run: chmod 600 {path}",
            }
        )
    return _secret(path.read_text(encoding="ascii"), str(path))


def exchanging(database_url: str, new_key: Path | None) -> tuple[Path | None, Path]:
    """The key file that is to be exchanged (None: the secret is in SURVEY_KEY) and the file of the new secret."""
    if os.environ.get(KEY_VARIABLE):
        if new_key is None:
            raise BadKey(
                {
                    "vi": f"Khóa nằm trong {KEY_VARIABLE}; hãy nêu tệp cho khóa mới: --new-key TỆP",
                    "en": f"The secret is in {KEY_VARIABLE}; name a file for the new one: --new-key FILE",
                }
            )
        return None, new_key
    old = _key_file(database_url)
    return old, new_key or old.with_name(old.name + ".new")


def put_in_place(old: Path, new: Path) -> Path:
    """The new key file takes the place of the old one, in one step; returns where the old secret is kept."""
    aside = old_key_kept(old)
    os.replace(new, old)
    _sync(old.parent)
    return aside


def old_key_kept(old: Path) -> Path:
    """A copy of a key file beside it, by a name of its own: backups of before are opened by it alone."""
    content = old.read_bytes()
    aside = old.with_name(f"{old.name}.old-{hashlib.sha256(content).hexdigest()[:8]}")
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync(aside.parent)
    return aside


def _sync(folder: Path) -> None:
    """What the folder lists is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _key_file(database_url: str) -> Path:
    if named := os.environ.get(KEY_FILE_VARIABLE):
        return Path(named)
    database = make_url(database_url)
    if database.get_backend_name() == "sqlite" and database.database:
        return Path(database.database + ".key")
    raise BadKey(
        {
            "vi": f"Với PostgreSQL hãy đặt {KEY_FILE_VARIABLE} (đường dẫn tệp khóa) hoặc {KEY_VARIABLE}.",
            "en": f"With PostgreSQL set {KEY_FILE_VARIABLE} (path of the key file) or {KEY_VARIABLE}.",
        }
    )


def _secret(text: str, where: str) -> bytes:
    with contextlib.suppress(ValueError):
        secret = bytes.fromhex(text.strip())
        if len(secret) >= 32:
            return secret
    raise BadKey(
        {
            "vi": f"Khóa trong {where} phải có ít nhất 64 chữ số thập lục phân.",
            "en": f"The key in {where} must have at least 64 hex digits.",
        }
    )
