"""What people agreed to, what they asked for about their own data, and what went wrong with it.

A consent is appended, never changed; taking it back is another line. It is provable: who (the case, and the member if a
private code was used), when, in which language, to the SHA-256 of which text, yes or no, for each purpose by itself.
"""

from __future__ import annotations

import secrets
from typing import Final, Literal

from msgspec import Struct, structs
from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, insert, select, update

from survey.access.rights import Kind
from survey.storage import audit
from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.tables import breaches, consents, requests


class Consent(Struct, frozen=True):
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
    """Something asked for about one's data (`survey.access.rights.Kind`). Times are 0 while it has not happened.

    `extended` says why it takes longer, `outcome` what was done or why it was refused; both are shown to the household.
    """

    id: str
    case: str
    kind: Kind
    at: int
    done_at: int = 0
    outcome: str = ""
    replied_at: int = 0
    extended: str = ""
    refused: bool = False
    lifted_at: int = 0


class Breach(Struct, frozen=True, kw_only=True):
    """What went wrong with people's data. `notified_at`: the authority knows; `told_at`: the people know; 0 before."""

    id: str
    detected_at: int
    recorded_at: int
    recorded_by: str
    what: str
    fields: str
    people: int
    measures: str
    notified_at: int = 0
    told_at: int = 0


def record_consents(connection: Connection, many: list[Consent]) -> None:
    """Keep the answers to some purposes, each with its line in the audit log."""
    rows = [
        {"id": secrets.token_hex(16), **{name: getattr(one, name) for name in one.__struct_fields__}}
        for one in many
    ]
    if rows:
        connection.execute(insert(consents), rows)
    for one in many:
        who = f"household:{one.case}" if one.mode == "self" else f"interview:{one.mode}"
        deed = f"consent {'given' if one.given else 'refused'}: {one.purpose}"
        audit.append(connection, who, deed, f"case:{one.case}")


_CONSENTS: Final = (
    select(*(consents.c[name] for name in Consent.__struct_fields__))
    .where(consents.c.case == bindparam("of"), consents.c.member == bindparam("by"))
    .order_by(consents.c.at)
)


def consents_of(connection: Connection, case: str, member: str = "") -> dict[str, Consent]:
    """By purpose, the last answer."""
    rows = connection.execute(_CONSENTS, {"of": case, "by": member})
    return {row.purpose: Consent(*row) for row in rows}


def withdraw(connection: Connection, case: str, mode: str) -> None:
    """Every consent of a household that was given is taken back, each with the text it had been given to."""
    members = connection.execute(
        select(consents.c.member).where(consents.c.case == case).distinct()
    ).scalars()
    for member in list(members):
        given = [one for one in consents_of(connection, case, member).values() if one.given]
        if given:
            record_consents(connection, [replace(one, given=False, mode=mode, at=now()) for one in given])


def ask(connection: Connection, id: str, case: str, kind: Kind, at: int | None = None) -> None:
    """Keep a request; the same id again changes nothing. `at`: when it was received (ms), if that is not now."""
    if find_request(connection, id) is None:
        values = structs.asdict(Request(id=id, case=case, kind=kind, at=now() if at is None else at))
        connection.execute(insert(requests).values(values))


def find_request(connection: Connection, id: str) -> Request | None:
    """One request."""
    found = connection.execute(select(requests).where(requests.c.id == id)).one_or_none()
    return None if found is None else Request(**found._mapping)


def requests_of(connection: Connection, case: str) -> list[Request]:
    """What a household has asked for, newest first."""
    query = select(requests).where(requests.c.case == case).order_by(requests.c.at.desc())
    return [Request(**row._mapping) for row in connection.execute(query)]


def every_request(connection: Connection) -> list[Request]:
    """All requests: the open ones first, each group oldest first."""
    query = select(requests).order_by(requests.c.done_at > 0, requests.c.at, requests.c.id)
    return [Request(**row._mapping) for row in connection.execute(query)]


def change_request(connection: Connection, changed: Request) -> None:
    """Keep a request as it is now; who asked for what and when stays."""
    values = {
        name: value
        for name, value in structs.asdict(changed).items()
        if name not in ("id", "case", "kind", "at")
    }
    connection.execute(update(requests).where(requests.c.id == changed.id).values(values))


def restricted(connection: Connection) -> frozenset[str]:
    """The cases whose data are not used for the time being: not frozen, not weighted, not published."""
    query = select(requests.c.case).where(
        requests.c.kind == "restrict",
        requests.c.done_at > 0,
        requests.c.refused.is_(False),
        requests.c.lifted_at == 0,
    )
    return frozenset(connection.execute(query).scalars())


# --- breaches ------------------------------------------------------------------------------------------------------


def register_breach(connection: Connection, breach: Breach) -> None:
    """Keep what went wrong; the same id again changes nothing."""
    insert_once(connection, breaches, [structs.asdict(breach)], breaches.c.id)


def breaches_known(connection: Connection) -> list[Breach]:
    """The register, newest first."""
    query = select(breaches).order_by(breaches.c.detected_at.desc(), breaches.c.id)
    return [Breach(**row._mapping) for row in connection.execute(query)]


def mark_breach(connection: Connection, id: str, which: Literal["notified_at", "told_at"]) -> None:
    """Note that the authority, or the people, have been told now; what was noted before stays."""
    told = breaches.c[which]
    connection.execute(update(breaches).where(breaches.c.id == id, told == 0).values({which: now()}))
