"""Ids that are made where something is said: of forms, of the events that follow from them, of receipts."""

from __future__ import annotations

import hashlib
import secrets
import time


def new_form_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then chance."""
    return _uuid7(milliseconds(), secrets.token_bytes(10))


def derived_id(form_id: str, body: bytes) -> str:
    """A UUIDv7 with the form's time whose other bits are a hash of the form and the body."""
    return _uuid7(time_of(form_id), hashlib.sha256(form_id.encode() + b"\0" + body).digest()[:10])


def time_of(form_id: str) -> int:
    """Milliseconds since 1970 in a UUIDv7; now, if it is none (somebody edited the form)."""
    try:
        return int(form_id.replace("-", "")[:12], 16)
    except ValueError:
        return milliseconds()


def _uuid7(milliseconds: int, rest: bytes) -> str:
    number = (milliseconds << 80) | int.from_bytes(rest, "big")
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


def receipt_number(response: str) -> str:
    """What a household writes down: ten digits that follow from the response, not from who answered."""
    number = int.from_bytes(hashlib.sha256(response.encode()).digest()[:5], "big") % 10**10
    text = f"{number:010d}"
    return f"{text[:3]} {text[3:6]} {text[6:]}"
