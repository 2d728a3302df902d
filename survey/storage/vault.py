"""Fields that a stolen database must not show: sealed by a data key that lies in the database, itself sealed by a key that
does not (envelope encryption).

Sealed are addresses, everything that was answered (a household writes names and telephones wherever it likes), pictures,
what waits apart, and what people write about a visit. Lists and figures need none of it.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for every field; the place of the field (its row and name)
is authenticated with it, so that sealed values cannot be exchanged between rows. `rotate` makes a new data key and seals
everything anew; `exchange` seals the data keys by another key outside (`survey.settings.Keys.identities`).

A second kind of data key, the link, names the rows of addresses: each lies under a keyed hash of its case, so that what a
household answered leads to where it lives only through this key. At the end of retention it is destroyed (`unlink`).

On PostgreSQL whoever seals holds a shared lock until the commit, and whoever changes the keys holds it alone: nothing is
ever sealed by a key that is being destroyed. SQLite has one writer.

Do not search by a sealed field: it is found by the case, never by what it says.
"""

from __future__ import annotations

import base64
import functools
import hmac
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from sqlalchemy import Connection, Row, insert, update

from survey.problems import SurveyError
from survey.settings import Keys
from survey.storage.clock import now
from survey.storage.tables import data_keys

OPTION = "survey_identity_key"
"""The execution option of an engine that holds the outer key (`Database.hold_key`)."""
PREFIX = "sealed:"
NONCE = 12
_KEYS = "SELECT id, wrapped, retired_at, purpose FROM data_keys ORDER BY id"  # written out: at every write
_LOCK = 0x5355_5257  # PostgreSQL advisory lock of the data keys: "SURW"
FIELDS, LINK = "fields", "link"
CODES, LASTING = "codes", "lasting"
"""What a data key is for. The last two are there once the secret outside was exchanged: the keyed hashes made of the
secret of before stay good, so that letters that were printed still open."""


class NoKey(SurveyError):
    """The key of what is sealed is not here, or is another one."""

    code = "no_key"

    def __init__(self) -> None:
        super().__init__(
            {
                "vi": "Không có khóa để đọc và ghi câu trả lời, địa chỉ, hoặc khóa không đúng. Xin đặt đúng SURVEY_KEY hay SURVEY_KEY_FILE; nếu đang đổi khóa dở dang, hãy chạy lại survey keys exchange.",
                "en": "The key of answers and addresses is missing or is another. Set the right SURVEY_KEY or SURVEY_KEY_FILE; if an exchange of the key was cut off, run survey keys exchange again.",
            }
        )


class DataKey(Struct, frozen=True, array_like=True):
    """A data key as it is kept: sealed by the key outside."""

    id: int
    wrapped: str
    retired_at: int | None
    purpose: str


class Vault:
    """Seals and opens fields with the data keys of one database."""

    def __init__(
        self, connection: Connection, *, alone: bool = False, keys: Sequence[DataKey] | None = None
    ) -> None:
        """`alone`: for whoever changes the keys; nobody seals until the end of this transaction. `keys`: the data keys where
        they have been read already, in the order of their numbers, to open something."""
        outer = connection.get_execution_options().get(OPTION)
        if outer is None:
            raise NoKey
        self._outer: bytes = outer
        if connection.get_execution_options().get("survey_writes"):
            _lock(connection, "" if alone else "_shared")
        self._take(connection.exec_driver_sql(_KEYS).all() if keys is None else keys)

    def _read(self, connection: Connection) -> None:
        self._take(connection.exec_driver_sql(_KEYS).all())

    def _take(self, keys: Sequence[DataKey | Row[*tuple[Any, ...]]]) -> None:
        held = [key for key in keys if key.retired_at is None]
        self._keys = {
            key.id: _cipher(self._outer, key.id, key.wrapped) for key in held if key.purpose == FIELDS
        }
        links = (_unwrapped(self._outer, key.id, key.wrapped) for key in held if key.purpose == LINK)
        self._link = next(links, None)
        self._newest = keys[-1].id if keys else 0
        self.current = max(self._keys, default=0)  # 0: none is made before something is sealed

    def _made(self, connection: Connection, purpose: str) -> tuple[int, bytes]:
        """A new data key, kept sealed."""
        key = AESGCM.generate_key(256)
        return self._keep(connection, purpose, key), key

    def _keep(self, connection: Connection, purpose: str, key: bytes) -> int:
        number = self._newest = self._newest + 1
        connection.execute(
            insert(data_keys).values(
                id=number,
                wrapped=_wrapped(self._outer, number, key),
                created_at=now(),
                retired_at=None,
                purpose=purpose,
            )
        )
        return number

    def _begin(self, connection: Connection) -> int:
        number, key = self._made(connection, FIELDS)
        self._keys[number] = AESGCM(key)
        return number

    def _sealing(self, connection: Connection) -> tuple[int, AESGCM]:
        """The data key by which to seal; the first one ever is made by one server alone."""
        if not self.current:
            _lock(connection)
            self._read(connection)
            self.current = self.current or self._begin(connection)
        return self.current, self._keys[self.current]

    def name(self, connection: Connection, case: str) -> str:
        """The name under which a case's address is kept; the first one makes the link key."""
        if self._link is None:
            _lock(connection)
            self._read(connection)
            self._link = self._link or self._made(connection, LINK)[1]
        return self._named(self._link, case)

    def names(self, case: str) -> tuple[str, ...]:
        """The names under which an address of this case may be: its own, as older versions kept it, and the linked one."""
        return (case,) if self._link is None else (case, self._named(self._link, case))

    @staticmethod
    def _named(key: bytes, case: str) -> str:
        return hmac.digest(key, case.encode(), "sha256").hex()[:32]

    def seal(self, connection: Connection, text: str, place: str) -> str:
        """The field as it is kept; an empty one stays empty."""
        if not text:
            return ""
        number, key = self._sealing(connection)
        nonce = os.urandom(NONCE)
        sealed = base64.b64encode(nonce + key.encrypt(nonce, text.encode(), place.encode()))
        return f"{PREFIX}{number}:{sealed.decode()}"

    def open(self, kept: str, place: str) -> str:
        """What was sealed. A field from before it was sealed is as it is."""
        if not kept.startswith(PREFIX):
            return kept
        number, _, coded = kept.removeprefix(PREFIX).partition(":")
        return self._opened(int(number), base64.b64decode(coded), place).decode()

    def seal_bytes(self, connection: Connection, content: bytes, place: str) -> bytes:
        """The same for a file."""
        number, key = self._sealing(connection)
        nonce = os.urandom(NONCE)
        return f"{PREFIX}{number}:".encode() + nonce + key.encrypt(nonce, content, place.encode())

    def open_bytes(self, kept: bytes, place: str) -> bytes:
        """The same for a file."""
        if not kept.startswith(PREFIX.encode()):
            return kept
        number, _, sealed = kept.removeprefix(PREFIX.encode()).partition(b":")
        return self._opened(int(number), sealed, place)

    def _opened(self, number: int, sealed: bytes, place: str) -> bytes:
        try:
            return self._keys[number].decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
        except (InvalidTag, KeyError) as error:
            raise NoKey from error

    def rotate(self, connection: Connection) -> None:
        """Seal and link with new data keys from now on; the caller keeps everything anew and then calls `forget_old`."""
        self.current = self._begin(connection)
        unlink(connection)
        self._link = None

    def forget_old(self, connection: Connection) -> None:
        """Nothing is sealed by older keys any more."""
        connection.execute(
            update(data_keys)
            .where(data_keys.c.id < self.current, data_keys.c.purpose == FIELDS, data_keys.c.retired_at.is_(None))
            .values(retired_at=now(), wrapped="")
        )  # fmt: skip

    def exchange(self, connection: Connection, secret: Keys, outer: bytes) -> None:
        """Seal every data key by another key outside, and keep what keyed hashes were made by until now."""
        there = {purpose for _, purpose, _ in _in_force(connection, self._outer)}
        for purpose, key in ((CODES, secret.codes), (LASTING, secret.lasting)):
            if purpose not in there:
                self._keep(connection, purpose, key)
        for number, _, key in _in_force(connection, self._outer):
            connection.execute(
                update(data_keys).where(data_keys.c.id == number).values(wrapped=_wrapped(outer, number, key))
            )
        self._outer = outer


def _in_force(connection: Connection, outer: bytes) -> list[tuple[int, str, bytes]]:
    """Number, purpose and content of every data key that is not retired."""
    rows = connection.exec_driver_sql(_KEYS).all()
    return [
        (row.id, row.purpose, _unwrapped(outer, row.id, row.wrapped))
        for row in rows
        if row.retired_at is None
    ]


def carried(connection: Connection, secret: Keys) -> Keys:
    """The keys of this installation as this database has them: codes and lasting from before an exchange, where there was one."""
    kept = {
        purpose: key
        for _, purpose, key in _in_force(connection, secret.identities)
        if purpose in (CODES, LASTING)
    }
    return replace(secret, codes=kept.get(CODES, secret.codes), lasting=kept.get(LASTING, secret.lasting))


def _wrapped(outer: bytes, number: int, key: bytes) -> str:
    nonce = os.urandom(NONCE)
    sealed = nonce + AESGCM(outer).encrypt(nonce, key, f"data key {number}".encode())
    return base64.b64encode(sealed).decode()


@functools.lru_cache(maxsize=64)
def _unwrapped(outer: bytes, number: int, wrapped: str) -> bytes:
    """A data key, opened; remembered, because each transaction reads which keys are in force."""
    sealed = base64.b64decode(wrapped)
    try:
        return AESGCM(outer).decrypt(sealed[:NONCE], sealed[NONCE:], f"data key {number}".encode())
    except InvalidTag as error:
        raise NoKey from error


@functools.lru_cache(maxsize=64)
def _cipher(outer: bytes, number: int, wrapped: str) -> AESGCM:
    return AESGCM(_unwrapped(outer, number, wrapped))


def _lock(connection: Connection, shared: str = "") -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({_LOCK})")


def holds_key(connection: Connection) -> bool:
    """Whether this connection holds the key of this database."""
    try:
        Vault(connection)
    except NoKey:
        return False
    return True


def opened_by(connection: Connection, outer: bytes) -> bool:
    """Whether data keys are there and this key outside opens them."""
    try:
        return bool(_in_force(connection, outer))
    except NoKey:
        return False


def opener(connection: Connection) -> Callable[[str, str], str]:
    """`Vault.open` for a list of rows of which most may hold nothing sealed: the keys are read when one does."""
    vault: list[Vault] = []

    def opened(kept: str, place: str) -> str:
        if not kept.startswith(PREFIX):
            return kept
        if not vault:
            vault.append(Vault(connection))
        return vault[0].open(kept, place)

    return opened


def unlink(connection: Connection) -> None:
    """Destroy the link: no case leads to an address any more, nor an address to a case. Needs no key."""
    connection.execute(
        update(data_keys)
        .where(data_keys.c.purpose == LINK, data_keys.c.retired_at.is_(None))
        .values(retired_at=now(), wrapped="")
    )
