"""Fields that a stolen database must not show: sealed by a data key that lies in the database, itself sealed by a key that
does not (envelope encryption).

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits for every field; the place of the field (its row and name)
is authenticated with it, so that sealed values cannot be exchanged between rows. `rotate` makes a new data key and seals
everything anew; the key outside (`survey.settings.Keys.identities`) stays.

A second kind of data key, the link, names the rows of addresses: each lies under a keyed hash of its case, so that what a
household answered leads to where it lives only through this key. At the end of retention it is destroyed (`unlink`).

Do not search by a sealed field: it is found by the case, never by what it says.
"""

from __future__ import annotations

import base64
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, insert, select, update

from survey.problems import SurveyError
from survey.storage.clock import now
from survey.storage.tables import data_keys

OPTION = "survey_identity_key"
"""The execution option of an engine that holds the outer key (`Database.hold_key`)."""
PREFIX = "sealed:"
NONCE = 12
FIELDS, LINK = "fields", "link"
"""What a data key is for."""


class NoKey(SurveyError):
    """The key of the addresses is not here, or is another one."""

    code = "no_key"

    def __init__(self) -> None:
        super().__init__(
            {
                "vi": "Không có khóa để đọc địa chỉ, hoặc khóa không đúng. Xin đặt đúng SURVEY_KEY hay SURVEY_KEY_FILE.",
                "en": "The key that opens addresses is missing or is another. Set the right SURVEY_KEY or SURVEY_KEY_FILE.",
            }
        )


class Vault:
    """Seals and opens fields with the data keys of one database."""

    def __init__(self, connection: Connection) -> None:
        outer = connection.get_execution_options().get(OPTION)
        if outer is None:
            raise NoKey
        self._outer = AESGCM(outer)
        rows = connection.execute(select(data_keys).order_by(data_keys.c.id)).all()
        opened = {row.id: self._unwrapped(row.id, row.wrapped) for row in rows if row.retired_at is None}
        kept = {row.id: row.purpose for row in rows}
        self._keys = {number: AESGCM(key) for number, key in opened.items() if kept[number] == FIELDS}
        self._link = next((key for number, key in opened.items() if kept[number] == LINK), None)
        self._newest = rows[-1].id if rows else 0
        self.current = max(self._keys, default=0)  # 0: none is made before something is sealed

    def _unwrapped(self, number: int, wrapped: str) -> bytes:
        sealed = base64.b64decode(wrapped)
        try:
            return self._outer.decrypt(sealed[:NONCE], sealed[NONCE:], f"data key {number}".encode())
        except InvalidTag as error:
            raise NoKey from error

    def _made(self, connection: Connection, purpose: str) -> tuple[int, bytes]:
        """A new data key, kept sealed."""
        number = self._newest = self._newest + 1
        key, nonce = AESGCM.generate_key(256), os.urandom(NONCE)
        wrapped = base64.b64encode(
            nonce + self._outer.encrypt(nonce, key, f"data key {number}".encode())
        ).decode()
        connection.execute(
            insert(data_keys).values(
                id=number, wrapped=wrapped, created_at=now(), retired_at=None, purpose=purpose
            )
        )
        return number, key

    def _begin(self, connection: Connection) -> int:
        number, key = self._made(connection, FIELDS)
        self._keys[number] = AESGCM(key)
        return number

    def name(self, connection: Connection, case: str) -> str:
        """The name under which a case's address is kept; the first one makes the link key."""
        if self._link is None:
            self._link = self._made(connection, LINK)[1]
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
        self.current = self.current or self._begin(connection)
        nonce = os.urandom(NONCE)
        sealed = nonce + self._keys[self.current].encrypt(nonce, text.encode(), place.encode())
        return f"{PREFIX}{self.current}:{base64.b64encode(sealed).decode()}"

    def open(self, kept: str, place: str) -> str:
        """What was sealed. A field from before there was a vault is as it is."""
        if not kept.startswith(PREFIX):
            return kept
        number, _, coded = kept.removeprefix(PREFIX).partition(":")
        sealed = base64.b64decode(coded)
        try:
            return self._keys[int(number)].decrypt(sealed[:NONCE], sealed[NONCE:], place.encode()).decode()
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


def unlink(connection: Connection) -> None:
    """Destroy the link: no case leads to an address any more, nor an address to a case. Needs no key."""
    connection.execute(
        update(data_keys)
        .where(data_keys.c.purpose == LINK, data_keys.c.retired_at.is_(None))
        .values(retired_at=now(), wrapped="")
    )
