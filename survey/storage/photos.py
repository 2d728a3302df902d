"""Photographs that answer a question: the answer holds the digest, the picture lies here, apart from the events.

Each belongs to one response and lies sealed; the same picture sent again is the same row.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from survey.problems import Conflict
from survey.storage.clock import now
from survey.storage.tables import photos
from survey.storage.vault import Vault

MOST = 60
"""Pictures of one response, replaced ones counted: more is no interview."""


def keep(connection: Connection, response: str, content: bytes) -> str:
    """Keep a picture and return its digest, the answer. Raises Conflict when a response has too many."""
    digest = hashlib.sha256(content).hexdigest()
    held = connection.execute(select(func.count()).where(photos.c.response == response)).scalar_one()
    if held >= MOST and find(connection, response, digest) is None:
        raise Conflict({"vi": "Phiếu này đã có quá nhiều ảnh.", "en": "This response has too many pictures."})
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    sealed = Vault(connection).seal_bytes(connection, content, place(digest, response))
    row = {"digest": digest, "response": response, "content": sealed, "kept_at": now()}
    connection.execute(dialect.insert(photos).values(row).on_conflict_do_nothing())
    return digest


def take(connection: Connection, response: str, content: bytes) -> Literal["new", "again", "too_many"]:
    """Keep a picture that a phone sent, perhaps not for the first time."""
    if find(connection, response, hashlib.sha256(content).hexdigest()) is not None:
        return "again"
    try:
        keep(connection, response, content)
    except Conflict:
        return "too_many"
    return "new"


def find(connection: Connection, response: str, digest: str) -> bytes | None:
    """A picture of this response."""
    content = connection.execute(
        select(photos.c.content).where(photos.c.response == response, photos.c.digest == digest)
    ).scalar_one_or_none()
    return None if content is None else Vault(connection).open_bytes(bytes(content), place(digest, response))


def place(digest: str, response: str) -> str:
    """What a picture is sealed for."""
    return f"photos/{digest}/{response}/content"
