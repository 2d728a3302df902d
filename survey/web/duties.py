"""What the law asks of the survey's manager: requests of people are answered within their days, breaches within 72 hours.

No page here shows an answer or an address. To delete, or to accept that consent is taken back, deletes at once and for
good (`survey.storage.erasure`).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from litestar import Response, get, post
from litestar.params import FromPath
from msgspec.structs import replace
from sqlalchemy import Connection

from survey.access.rights import Kind, Standing, clock, notify_by, standing
from survey.problems import SurveyError
from survey.storage import audit, cases, erasure, rights
from survey.storage.accounts import Account
from survey.storage.clock import now
from survey.storage.rights import Breach, Request
from survey.web import forms, ids, supervision
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
from survey.web.words import long_date, number, word

REQUESTS, BREACHES = "/office/requests", "/office/breaches"
DEEDS = ("reply", "extend", "done", "refuse", "lift")
ERASES: tuple[Kind, ...] = ("withdraw", "delete")
BREACH_FIELDS = ("detected", "what", "fields", "people", "measures", "form")
RECEIVED_WITHIN = datetime.timedelta(days=366)
"""An older day of receipt is a slip of the pen."""
LONGEST = 1000
"""Characters of a reason or a description."""


# --- requests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RequestLine:
    """One request as drawn. `deeds` are what can be done with it now."""

    id: str
    case: str
    what: str
    standing: Standing
    said: str
    days: str
    outcome: str
    deeds: tuple[str, ...]
    erases: bool


def _requests(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Request]]:
    signed, account = supervision.signed_for(connection, site, request, "handle_requests")
    return signed, account, rights.every_request(connection)


@get(REQUESTS, guards=[needs("handle_requests")])
async def requests(request: AnyRequest) -> Response[str]:
    """Every request with its days: what is due stands first."""
    signed, account, found = await site_of(request).database.read(_requests, site_of(request), request)
    return _requests_page(request, signed, account, found)


def _requests_page(
    request: AnyRequest,
    signed: SignedIn,
    account: Account,
    found: list[Request],
    error: str = "",
    at: str = "",
    sent: Mapping[str, str] | None = None,
) -> Response[str]:
    language = language_of(request)
    by_law = site_of(request).survey.plan.legal.basis != "consent"
    return show(
        request, "supervision/requests.html", 422 if error else 200,
        lines=[_line(one, language) for one in found], kinds=get_args(Kind), by_law=by_law, error=error, at=at,
        sent=sent or dict.fromkeys(("case", "kind", "received"), ""), today=forms.today().isoformat(), form=ids.new_form_id(),
        **supervision.frame(request, signed, account),
    )  # fmt: skip


def _line(one: Request, language: str) -> RequestLine:
    received = datetime.datetime.fromtimestamp(one.at / 1000, forms.TIME_ZONE).date()
    until = clock(one.kind, received, extended=bool(one.extended))
    stands = standing(until, forms.today(), replied=one.replied_at > 0, done=one.done_at > 0)
    days = {
        name: long_date(language, day.isoformat())
        for name, day in (("received", received), ("reply", until.reply), ("done", until.done))
    }
    return RequestLine(
        id=one.id,
        case=one.case,
        what=word(language, f"requests.{one.kind}"),
        standing=stands,
        said=word(language, f"requests.{stands}"),
        days=word(language, "requests.days", **days),
        outcome=one.outcome or one.extended,
        deeds=possible(one),
        erases=one.kind in ERASES,
    )


def possible(one: Request) -> tuple[str, ...]:
    """What can be done with a request as it stands."""
    if one.done_at:
        in_force = one.kind == "restrict" and not one.refused and not one.lifted_at
        return ("lift",) if in_force else ()
    first = () if one.replied_at else ("reply",)
    return (*first, *(() if one.extended else ("extend",)), "done", "refuse")


@post(REQUESTS, status_code=200, guards=[needs("handle_requests")])
async def register(request: AnyRequest) -> Response[str]:
    """Keep a request that came by letter, by telephone or in person; its clock runs from the day it was received."""
    site = site_of(request)
    signed, account, found = await site.database.read(_requests, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    names = ("case", "kind", "received", "form")
    sent = {name: next(iter(form.get(name, ())), "").strip()[:LONGEST] for name in names}
    kind = next((one for one in get_args(Kind) if one == sent["kind"]), None)
    received = _day(sent["received"])
    wrong = ""
    if kind is None or not sent["case"]:
        wrong = "requests.needed"
    elif received is None:
        wrong = "requests.no_day"
    else:
        id = ids.derived_id(sent["form"] or ids.new_form_id(), f"{sent['case']}:{kind}".encode())
        if not await site.database.write(_register, account.name, id, sent["case"].upper(), kind, received):
            wrong = "requests.no_case"
    if wrong:
        said = word(language_of(request), wrong)
        return _requests_page(
            request, signed, account, found, said, "day" if received is None else "new", sent
        )
    return goto(REQUESTS)


def _day(typed: str) -> datetime.date | None:
    """The day a request was received: today when nothing is said; None for a day to come or long ago, or no day at all."""
    try:
        day = datetime.date.fromisoformat(typed) if typed else forms.today()
    except ValueError:
        return None
    return day if forms.today() - RECEIVED_WITHIN <= day <= forms.today() else None


def _register(
    connection: Connection, name: str, id: str, case: str, kind: Kind, received: datetime.date
) -> bool:
    if cases.find(connection, case) is None:
        return False
    earlier = received < forms.today()
    at = datetime.datetime.combine(received, datetime.time(), forms.TIME_ZONE)
    rights.ask(connection, id, case, kind, int(at.timestamp() * 1000) if earlier else None)
    told = {"received": received.isoformat()} if earlier else {}
    audit.append(connection, f"account:{name}", f"request taken in: {kind}", f"case:{case}", told)
    return True


@post(REQUESTS + "/{id:str}", status_code=200, guards=[needs("handle_requests")])
async def handle(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Reply, prolong, do, refuse or lift: with words where the household must be told why."""
    site = site_of(request)
    signed, account, found = await site.database.read(_requests, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    one = next((known for known in found if known.id == id), None)
    if one is None:
        raise NotYours("case")
    deed, words = (next(iter(form.get(name, ())), "").strip() for name in ("deed", "words"))
    if deed not in possible(one):
        return goto(REQUESTS)
    if not words and deed != "reply" and deed != "lift":
        wrong = word(language_of(request), "requests.words_needed")
        return _requests_page(request, signed, account, found, wrong, id)
    await site.database.write(_handle, account.name, id, deed, words[:LONGEST])
    await site.database.read(_scrub, site)
    return goto(REQUESTS)


def _scrub(_: Connection, site: Site) -> None:
    erasure.scrub(site.database)


def _handle(connection: Connection, name: str, id: str, deed: str, words: str) -> None:
    one, at = rights.find_request(connection, id), now()
    if one is None or deed not in possible(one):
        return
    match deed:
        case "reply":
            after = replace(one, replied_at=at, outcome=words)
        case "extend":
            after = replace(one, extended=words, replied_at=one.replied_at or at)
        case "lift":
            after = replace(one, lifted_at=at)
        case _:
            after = replace(
                one, done_at=at, replied_at=one.replied_at or at, outcome=words, refused=deed == "refuse"
            )
    rights.change_request(connection, after)
    details: dict[str, object] = {"request": one.kind, "deed": deed}
    if deed == "done" and one.kind == "withdraw":
        rights.withdraw(connection, one.case, "office")
    if deed == "done" and one.kind in ERASES:
        details["responses"] = erasure.erase(connection, one.case, f"request {one.kind}", name)
    audit.append(connection, f"account:{name}", f"request {deed}: {one.kind}", f"case:{one.case}", details)


# --- breaches ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BreachLine:
    """One breach as drawn."""

    id: str
    detected: str
    until: str
    late: bool
    what: str
    fields: str
    people: str
    measures: str
    notified: str
    told: str


def _breaches(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Breach]]:
    signed, account = supervision.signed_for(connection, site, request, "register_breach")
    return signed, account, rights.breaches_known(connection)


@get(BREACHES, guards=[needs("register_breach")])
async def breaches(request: AnyRequest) -> Response[str]:
    """The register: what happened, by when the authority must know, and who has been told."""
    signed, account, found = await site_of(request).database.read(_breaches, site_of(request), request)
    return _breaches_page(request, signed, account, found, dict.fromkeys(BREACH_FIELDS, ""))


def _breaches_page(
    request: AnyRequest, signed: SignedIn, account: Account, found: list[Breach], sent: Mapping[str, str], error: str = ""
) -> Response[str]:  # fmt: skip
    language = language_of(request)
    return show(
        request, "supervision/breaches.html", 422 if error else 200,
        lines=[_breach_line(one, language) for one in found], sent=sent, error=error, form=ids.new_form_id(),
        today=datetime.datetime.now(forms.TIME_ZONE).strftime("%Y-%m-%dT%H:%M"),
        **supervision.frame(request, signed, account),
    )  # fmt: skip


def _breach_line(one: Breach, language: str) -> BreachLine:
    detected = datetime.datetime.fromtimestamp(one.detected_at / 1000, forms.TIME_ZONE)
    until = notify_by(detected)
    return BreachLine(
        id=one.id,
        detected=forms.moment(one.detected_at),
        until=until.strftime("%d/%m/%Y %H:%M"),
        late=not one.notified_at and now() > until.timestamp() * 1000,
        what=one.what,
        fields=one.fields,
        people=number(language, one.people),
        measures=one.measures,
        notified=forms.moment(one.notified_at),
        told=forms.moment(one.told_at),
    )


@post(BREACHES, status_code=200, guards=[needs("register_breach")])
async def register_breach(request: AnyRequest) -> Response[str]:
    """Keep a breach. Its 72 hours run from the detection, not from the registration."""
    site = site_of(request)
    signed, account, found = await site.database.read(_breaches, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    sent = {name: next(iter(form.get(name, ())), "").strip()[:LONGEST] for name in BREACH_FIELDS}
    try:
        breach = _read_breach(sent, account.name)
    except SurveyError as error:
        return _breaches_page(request, signed, account, found, sent, error.message[language_of(request)])
    await site.database.write(_register_breach, breach)
    return goto(BREACHES)


def _read_breach(sent: Mapping[str, str], name: str) -> Breach:
    try:
        detected = datetime.datetime.fromisoformat(sent["detected"]).replace(tzinfo=forms.TIME_ZONE)
        at, people = int(detected.timestamp() * 1000), int(sent["people"])
    except (ValueError, OverflowError) as error:
        raise _unclear() from error
    if not (sent["what"] and sent["fields"]) or not 0 <= people < 2**31 or not 0 < at <= now():
        raise _unclear()
    return Breach(
        id=ids.derived_id(sent["form"] or ids.new_form_id(), b"breach"), detected_at=at, recorded_at=now(),
        recorded_by=name, what=sent["what"], fields=sent["fields"], people=people, measures=sent["measures"],
    )  # fmt: skip


def _unclear() -> SurveyError:
    return SurveyError({code: word(code, "breaches.needed") for code in ("vi", "en")})


def _register_breach(connection: Connection, breach: Breach) -> None:
    rights.register_breach(connection, breach)
    audit.append(connection, f"account:{breach.recorded_by}", "breach registered", f"breach:{breach.id}")


@post(BREACHES + "/{id:str}", status_code=200, guards=[needs("register_breach")])
async def mark_breach(request: AnyRequest, id: FromPath[str]) -> Response[str]:
    """Note that the authority, or the people, have been told."""
    site = site_of(request)
    signed, account, found = await site.database.read(_breaches, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    if id not in {one.id for one in found}:
        raise NotYours("case")
    which = next(iter(form.get("told", ())), "")
    if which in ("authority", "people"):
        await site.database.write(_mark_breach, account.name, id, which)
    return goto(BREACHES)


def _mark_breach(connection: Connection, name: str, id: str, which: str) -> None:
    rights.mark_breach(connection, id, "notified_at" if which == "authority" else "told_at")
    audit.append(connection, f"account:{name}", f"breach told to the {which}", f"breach:{id}")


HANDLERS = (requests, register, handle, breaches, register_breach, mark_breach)
