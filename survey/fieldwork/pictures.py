"""A picture as an official's phone sends it: made small on the phone, apart from the answer that holds its digest."""

from __future__ import annotations

import hashlib

from msgspec import Struct


class Picture(Struct, frozen=True, kw_only=True):
    """A photograph that answers a question of a response. `content` is a JPEG; in JSON it is written in base64.

    `id` is made on the phone from the response and the digest, so that sending it twice is one picture; `at` is the
    device's clock in milliseconds since 1970 (UTC).
    """

    id: str
    case: str
    response: str
    at: int
    author: str
    content: bytes
    mode: str = "visit"

    @property
    def digest(self) -> str:
        """The answer that it stands for."""
        return hashlib.sha256(self.content).hexdigest()
