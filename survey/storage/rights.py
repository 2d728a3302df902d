"""What people agreed to and what they asked for about their own data: appended, never changed.

A consent is provable: who (the case, and the member if a private code was used), when, in which language, to the SHA-256
of which text, yes or no, for each purpose by itself.
"""

from __future__ import annotations

import secrets

from msgspec import Struct
from sqlalchemy import Connection, insert, select

from survey.storage.clock import now
from survey.storage.tables import consents, requests


class Consent(Struct, frozen=True, kw_only=True):
    """One answer to one purpose. The last one of a purpose holds."""

    case: str
    member: str
    purpose: str
    given: bool
    text_hash: str
    language: str
    mode: str
    at: int


class Request(Struct, frozen=True, kw_only=True):
    """Something asked for about one's data: "restrict", "withdraw" or "delete". `done_at` is 0 while it is open."""

    id: str
    case: str
    kind: str
    at: int
    done_at: int = 0
    outcome: str = ""


def record_consents(connection: Connection, many: list[Consent]) -> None:
    """Keep the answers to some purposes."""
    rows = [
        {"id": secrets.token_hex(16), **{name: getattr(one, name) for name in one.__struct_fields__}}
        for one in many
    ]
    connection.execute(insert(consents), rows)


def consents_of(connection: Connection, case: str, member: str = "") -> dict[str, Consent]:
    """By purpose, the last answer."""
    query = (
        select(consents).where(consents.c.case == case, consents.c.member == member).order_by(consents.c.at)
    )
    found: dict[str, Consent] = {}
    for row in connection.execute(query):
        found[row.purpose] = Consent(**{name: getattr(row, name) for name in Consent.__struct_fields__})
    return found


def ask(connection: Connection, id: str, case: str, kind: str) -> None:
    """Keep a request; the same id again changes nothing."""
    if connection.execute(select(requests.c.id).where(requests.c.id == id)).first() is None:
        connection.execute(
            insert(requests).values(id=id, case=case, kind=kind, at=now(), done_at=0, outcome="")
        )


def requests_of(connection: Connection, case: str) -> list[Request]:
    """What a household has asked for, newest first."""
    query = select(requests).where(requests.c.case == case).order_by(requests.c.at.desc())
    return [
        Request(**{name: getattr(row, name) for name in Request.__struct_fields__})
        for row in connection.execute(query)
    ]
