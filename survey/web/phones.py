"""The phones that officials work with: when each was last heard of, what it still holds, and the word for a lost one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.storage import accounts, audit, devices, sessions
from survey.storage.accounts import Account
from survey.storage.devices import Device
from survey.web import security
from survey.web.forms import moment
from survey.web.guards import needs
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    check_form,
    form_of,
    goto,
    language_of,
    show,
    site_of,
)
from survey.web.supervision import communes_of, frame, signed_for
from survey.web.words import number, word

SKEW = 300_000
"""Milliseconds by which a clock may be off before it is said."""


@dataclass(frozen=True)
class PhoneLine:
    """One phone as drawn. `id` is not the phone's own secret name, but what this page calls it by; `number` its beginning,
    which the phone shows too."""

    id: str
    account: str
    number: str
    name: str
    kind: str
    since: str
    seen: str
    unsent: str
    clock: str
    lost: bool


def _named(device: Device) -> str:
    return hashlib.sha256(device.id.encode()).hexdigest()[:16]


def _phones(connection: Connection, communes: Sequence[str] | None) -> list[Device]:
    """Those of the officials who work in these communes, or all."""
    of = [
        account.name
        for account in accounts.every(connection)
        if account.role in ("official", "supervisor")
        and (communes is None or set(account.communes) & set(communes))
    ]
    return devices.of_accounts(connection, of)


def _find(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account, list[Device]]:
    signed, account = signed_for(connection, site, request, "assign_any")
    return signed, account, _phones(connection, communes_of(account))


@get("/office/phones", guards=[needs("assign_any")])
async def phones(request: AnyRequest) -> Response[str]:
    """The one heard of last stands first."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    lines = [_line(language_of(request), one) for one in found]
    return show(request, "supervision/phones.html", lines=lines, **frame(request, signed, account))


def _line(language: str, one: Device) -> PhoneLine:
    minutes = round(one.clock_skew / 60_000)
    return PhoneLine(
        id=_named(one),
        account=one.account,
        number=_named(one)[:4].upper(),
        name=one.name,
        kind=one.kind,
        since=moment(one.first_seen),
        seen=moment(one.last_seen),
        unsent=number(language, one.unsent) if one.unsent else "",
        clock=word(language, "phones.clock", n=minutes) if abs(one.clock_skew) > SKEW else "",
        lost=one.revoked_at is not None,
    )


@post("/office/phones/{phone:str}", status_code=200, guards=[needs("assign_any")])
async def report_lost(request: AnyRequest, phone: FromPath[str]) -> Response[str]:
    """End the phone's session; when it calls next it forgets everything, and what it sends is kept apart."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    check_form(site, request, signed, await form_of(request))
    lost = next((one for one in found if _named(one) == phone), None)
    if lost is None:
        raise NotYours("case")
    await site.database.write(_revoke, account.name, lost)
    return goto("/office/phones")


def _revoke(connection: Connection, by: str, lost: Device) -> None:
    devices.revoke(connection, lost.id)
    sessions.revoke_all(connection, security.ACCOUNT, lost.account)
    phone = {"phone": _named(lost)[:4].upper()}
    audit.append(connection, f"account:{by}", "phone reported lost", f"account:{lost.account}", phone)


HANDLERS = (phones, report_lost)
