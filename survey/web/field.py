"""A commune official: signs in, sees the households assigned, records visits, interviews through the same pages.

An official never sees what a household answered by itself: an interview at the door is a response of its own.
"""

from __future__ import annotations

import datetime
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy import Connection

from survey.access.policy import SECOND_STEP, Actor, Scope, may
from survey.fieldwork.cases import Attempt, Case
from survey.fieldwork.dispositions import NOTES, OUTCOMES
from survey.questionnaire.response import Event, fold
from survey.storage import accounts, audit, backchecks, cases, identities, responses, reviews, rights
from survey.storage.accounts import Account
from survey.storage.clock import now
from survey.storage.responses import ResponseRecord
from survey.web import forms, guards, ids, photos, security
from survey.web import interview as pages
from survey.web.agreed import agreed
from survey.web.guards import needs
from survey.web.interview import Interview
from survey.web.noted import noted
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    check_form,
    find_session,
    form_of,
    goto,
    language_of,
    message,
    show,
    site_of,
)
from survey.web.steps import ask_remove_page, check_page, read_page, remove_page, save_page
from survey.web.words import long_date, word

KEYED: tuple[pages.Mode, ...] = ("visit", "phone", "paper")
"""How an official comes by answers: asks at the door, asks by telephone, or keys in what stands on paper."""

# --- who asks ------------------------------------------------------------------------------------------------------


def find_account(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account]:
    """Who is signed in; NotYours when nobody is, nobody was at the desk for too long, the account was disabled since, or the
    role may not do what the address declares."""
    signed = find_session(site, connection, request, security.ACCOUNT)
    account = accounts.find(connection, signed.session.subject)
    if account is None or account.disabled_at is not None:
        raise NotYours(security.ACCOUNT)
    if not guards.allowed(request, account.role):  # type: ignore[arg-type]
        raise NotYours("case" if request.path_params else security.ACCOUNT)
    if account.role in SECOND_STEP and security.idle(request, signed.session, site.settings.idle_minutes):
        raise NotYours(security.ACCOUNT)
    return signed, account


def actor(account: Account) -> Actor:
    return Actor(role=account.role, name=account.name, communes=account.communes)  # type: ignore[arg-type]


def scope(case: Case) -> Scope:
    return Scope(
        case=case.id, assignee=case.assignee, commune=case.unit.commune, finished=case.state == "complete"
    )


# --- the list ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaseView:
    """One line of the list. `last` is the outcome of the last visit in words."""

    id: str
    address: str
    state: str
    visits: str
    last: str


@get("/field", guards=[needs("list_cases")])
async def my_list(request: AnyRequest, find: FromQuery[str] = "") -> Response[str]:
    """The households of this official, by hamlet and address."""
    site = site_of(request)
    signed, mine, places, checks = await site.database.read(_my_cases, site, request)
    await site.database.write(
        looked, signed.session.subject, "look at list of addresses", "survey", len(places)
    )
    language = language_of(request)
    shown = request.query_params.get("show", "open")
    wanted = find.strip().casefold()
    hamlets: dict[str, list[CaseView]] = {}
    for case in mine:
        place = places.get(case.id)
        address, hamlet = (place.address, place.hamlet) if place else ("", "")
        finished = case.state in ("complete", "closed")
        if (shown == "open" and finished) or (shown == "finished" and not finished):
            continue
        if wanted and wanted not in f"{address} {hamlet} {case.id}".casefold():
            continue
        visits = word(language, "field.visits", n=case.attempts) if case.attempts else ""
        last = OUTCOMES[case.last_outcome].label[language] if case.last_outcome in OUTCOMES else ""
        commune = site.areas[case.unit.commune].name if case.unit.commune in site.areas else case.unit.commune
        heading = f"{commune} · {hamlet or word(language, 'field.hamlet_unknown')}"
        hamlets.setdefault(heading, []).append(CaseView(case.id, address, case.state, visits, last))
    return show(
        request,
        "field.html",
        hamlets=[
            (name, sorted(views, key=lambda view: natural(view.address)))
            for name, views in sorted(hamlets.items())
        ],
        done=sum(case.state in ("complete", "closed") for case in mine),
        all=len(mine),
        find=find,
        shown=shown,
        checks=checks,
        csrf=signed.csrf,
    )


def natural(address: str) -> list[tuple[int, str]]:
    """House 2 before house 10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", address)]


def _my_cases(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, list[Case], dict[str, identities.Identity], int]:
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "list_cases"):
        raise NotYours(security.ACCOUNT)
    mine = cases.assigned_to(connection, account.name)
    checks = backchecks.open_of(connection, account.name)
    return signed, mine, identities.of_cases(connection, [case.id for case in mine]), checks


# --- one case ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visit:
    """What a page of one case needs: who, which case, where, its history and its responses."""

    signed: SignedIn
    account: Account
    case: Case
    place: identities.Identity | None
    attempts: list[Attempt]
    records: list[ResponseRecord]

    @property
    def own(self) -> ResponseRecord | None:
        """The interview of an official, in whatever mode, that is still open."""
        return next((r for r in self.records if r.mode in KEYED and not r.submitted), None)


def _visit(connection: Connection, site: Site, request: AnyRequest, case_id: str, action: str) -> Visit:
    """The case, if this official may do this with it; "not yours" and "not there" are the same answer."""
    signed, account = find_account(connection, site, request)
    case = cases.find(connection, case_id)
    if case is None or not may(actor(account), action, scope(case)):  # type: ignore[arg-type]
        raise NotYours("case")
    return Visit(
        signed,
        account,
        case,
        identities.find(connection, case_id),
        cases.attempts_of(connection, case_id),
        responses.by_case(connection, case_id),
    )


@get("/field/cases/{case_id:str}", guards=[needs("see_case")])
async def case_page(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """A household: its address and its visits. Each look is in the audit log."""
    site = site_of(request)
    visit = await site.database.read(_visit, site, request, case_id, "see_case")
    await site.database.write(looked, visit.account.name, "look at household", f"case:{case_id}")
    return _case_page(request, visit, recorded=request.query_params.get("recorded") == "1")


def looked(connection: Connection, name: str, deed: str, subject: str, households: int = 0) -> None:
    """Whoever sees where somebody lives leaves a line."""
    details = {"households": households} if households else {}
    audit.append(connection, f"account:{name}", deed, subject, details)


def _case_page(
    request: AnyRequest, visit: Visit, error: str = "", recorded: bool = False, where: str = "q-outcome"
) -> Response[str]:
    language = language_of(request)
    history = [
        (
            forms.moment(attempt.at),
            OUTCOMES[attempt.outcome].label[language],
            ((word(language, "mode.phone"),) if attempt.mode == "phone" else ())
            + tuple(NOTES[code][language] for code in attempt.codes)
            + ((attempt.note,) if attempt.note else ()),
        )
        for attempt in reversed(visit.attempts)
    ]
    return show(
        request,
        "case.html",
        422 if error else 200,
        case=visit.case,
        address=visit.place.address if visit.place else "",
        hamlet=visit.place.hamlet if visit.place else "",
        history=history,
        outcomes=[(id, o.label[language]) for id, o in OUTCOMES.items() if id != "interviewed"],
        web_started=any(record.mode == "self" for record in visit.records),
        resumes=visit.own is not None,
        modes=KEYED,
        notes=[(code, label[language]) for code, label in NOTES.items()],
        error=error,
        where=where,
        recorded=recorded,
        how=request.query_params.get("how") == "1",
        csrf=visit.signed.csrf,
        form=ids.new_form_id(),
    )


@post("/field/cases/{case_id:str}/attempts", status_code=200, guards=[needs("record_attempt")])
async def record_attempt(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Keep the outcome of one visit."""
    site = site_of(request)
    visit = await site.database.read(_visit, site, request, case_id, "record_attempt")
    form = await form_of(request)
    check_form(site, request, visit.signed, form)
    outcome, how, when = (next(iter(form.get(name, ())), "") for name in ("outcome", "how", "when"))
    if outcome not in OUTCOMES:
        return _case_page(request, visit, word(language_of(request), "field.outcome_needed"))
    form_id = next(iter(form.get("form", ())), "") or ids.new_form_id()
    at = _time_of(site, when) if when else ids.time_of(form_id)
    if at is None:
        return _case_page(request, visit, word(language_of(request), "field.when_needed"), where="when")
    note = next(iter(form.get("note", ())), "").strip()[:200]
    codes = tuple(code for code in NOTES if code in form.get("codes", ()))
    attempt = Attempt(
        id=ids.derived_id(form_id, f"{outcome}:{how}:{when}:{','.join(codes)}:{note}".encode()),
        case=case_id,
        at=at,
        author=visit.account.name,
        mode="phone" if how == "phone" else "visit",
        outcome=outcome,
        note=note,
        codes=codes,
    )
    await site.database.write(_record, attempt)
    return goto(f"/field/cases/{case_id}?recorded=1")


def _time_of(site: Site, when: str) -> int | None:
    """The local time at which an attempt noted afterwards was made; None for one that cannot have been."""
    try:
        at = datetime.datetime.fromisoformat(when).replace(tzinfo=forms.TIME_ZONE)
    except ValueError:
        return None
    opens = min(datetime.date.fromisoformat(site.survey.plan.dates.visits_open), forms.today())
    made = int(at.timestamp() * 1000)
    return made if at.date() >= opens and made <= ids.milliseconds() else None


def _record(connection: Connection, attempt: Attempt) -> None:
    cases.record_attempt(connection, attempt)
    audit.append(connection, f"account:{attempt.author}", f"visit: {attempt.outcome}", f"case:{attempt.case}")


# --- the interview -------------------------------------------------------------------------------------------------


@post("/field/cases/{case_id:str}/interview", status_code=200, guards=[needs("interview")])
async def begin_interview(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Begin, or go on with, an interview: at the door, by telephone, or keyed in from paper."""
    site = site_of(request)
    visit = await site.database.read(_visit, site, request, case_id, "interview")
    form = await form_of(request)
    check_form(site, request, visit.signed, form)
    if visit.own is None:
        mode, day = (next(iter(form.get(name, ())), "") for name in ("mode", "day"))
        asked = _day_of(site, mode, day)
        if asked is None:
            return _case_page(request, visit, word(language_of(request), "field.day_needed"), where="day")
        await site.database.write(_open, site, visit, language_of(request), mode or "visit", asked)
    return goto(f"/field/cases/{case_id}/interview")


def _day_of(site: Site, mode: str, day: str) -> datetime.date | None:
    """The day of an interview, from which "three months" count back: for paper the one that stands on it, else today.

    None for a mode that is none, or a day on which nobody can have been asked.
    """
    if mode in ("", "visit", "phone"):
        return forms.today()
    try:
        found = datetime.date.fromisoformat(day)
    except ValueError:
        return None
    opens = datetime.date.fromisoformat(site.survey.plan.dates.visits_open)
    return found if mode == "paper" and min(opens, forms.today()) <= found <= forms.today() else None


def _open(
    connection: Connection, site: Site, visit: Visit, language: str, mode: pages.Mode, day: datetime.date
) -> None:
    """An official's interview, once: a button pressed twice finds the response it opened the first time."""
    new, author, case = secrets.token_hex(16), visit.account.name, visit.case.id
    version = site.survey.version
    cases.lock(connection, case)
    if any(record.mode in KEYED and not record.submitted for record in responses.by_case(connection, case)):
        return
    noon = datetime.datetime.combine(day, datetime.time(12), forms.TIME_ZONE)
    at = int(noon.timestamp() * 1000) if mode == "paper" else int(time.time() * 1000)
    attempt = Attempt(
        id=ids.new_form_id(), case=case, at=at, author=author, mode=mode, outcome="interviewed"
    )  # fmt: skip
    cases.record_attempt(connection, attempt)
    responses.open(connection, new, case, version, mode)
    begin = forms.opened(new, author, mode, language, site.survey.questionnaire, day, visit.case.unit)
    responses.append(connection, [begin])
    audit.append(connection, f"account:{author}", "interview begun", f"case:{case}", {"mode": mode})


@dataclass(frozen=True)
class Here:
    """An official's request inside an interview."""

    site: Site
    visit: Visit
    interview: Interview


def _find(connection: Connection, site: Site, request: AnyRequest, case_id: str) -> tuple[Visit, list[Event]]:
    visit = _visit(connection, site, request, case_id, "interview")
    return visit, responses.events(connection, visit.own.id) if visit.own else []


async def _here(request: AnyRequest, case_id: FromPath[str]) -> Here:
    site = site_of(request)
    visit, events = await site.database.read(_find, site, request, case_id)
    if visit.own is None:
        raise NotYours("case")
    questionnaire = await site.questionnaire(visit.own.version)
    base = f"/field/cases/{case_id}/interview"
    response = fold(visit.own.id, events)
    mode = next(one for one in KEYED if one == visit.own.mode)
    interview = Interview(questionnaire, response, visit.account.name, mode, base, language_of(request))
    return Here(site, visit, interview)


def _draw(request: AnyRequest, here: Here, view: pages.PageView) -> Response[str]:
    return show(
        request,
        "page.html",
        422 if view.errors else 200,
        page=view,
        csrf=here.visit.signed.csrf,
        stop=f"/field/cases/{here.visit.case.id}/leave",
    )


@get("/field/cases/{case_id:str}/interview", guards=[needs("interview")])
async def resume(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    return goto((await _here(request, case_id)).interview.next_url())


@get(
    [
        "/field/cases/{case_id:str}/interview/p/{page:str}",
        "/field/cases/{case_id:str}/interview/p/{page:str}/{row:str}",
    ],
    guards=[needs("interview")],
)
async def read(
    request: AnyRequest, case_id: FromPath[str], page: FromPath[str], row: FromPath[str] = ""
) -> Response[str]:
    here = await _here(request, case_id)
    shown = read_page(here.interview, page, row, change=request.query_params.get("change") == "1")
    return _draw(request, here, shown) if isinstance(shown, pages.PageView) else goto(shown)


@get("/field/cases/{case_id:str}/interview/photo/{digest:str}", guards=[needs("interview")])
async def photo(request: AnyRequest, case_id: FromPath[str], digest: FromPath[str]) -> Response[Any]:
    """A picture of the interview at this door, while it is being made."""
    here = await _here(request, case_id)
    found = await photos.shown(here.site, here.visit.own.id, digest) if here.visit.own else None
    return found or message(request, "not_found", 404, "/field")


@post(
    [
        "/field/cases/{case_id:str}/interview/p/{page:str}",
        "/field/cases/{case_id:str}/interview/p/{page:str}/{row:str}",
    ],
    status_code=200,
    request_max_body_size=2 * photos.MOST_BYTES,
    guards=[needs("interview")],
)
async def save(
    request: AnyRequest, case_id: FromPath[str], page: FromPath[str], row: FromPath[str] = ""
) -> Response[str]:
    here = await _here(request, case_id)
    form = await form_of(request)
    check_form(here.site, request, here.visit.signed, form)
    if here.visit.own is not None:
        form |= await photos.of_response(request, here.site, here.visit.own.id)
    change = request.query_params.get("change") == "1"
    answer = save_page(here.interview, here.visit.case.unit.respondent_draw, page, row, form, change)
    return await _kept(request, here, answer)


async def _kept(
    request: AnyRequest, here: Here, answer: tuple[tuple[Event, ...], str] | pages.PageView
) -> Response[str]:
    if isinstance(answer, pages.PageView):
        return _draw(request, here, answer)
    events, url = answer
    if events:
        await here.site.database.write(responses.append, events)
    return goto(url)


@get("/field/cases/{case_id:str}/interview/p/{page:str}/{row:str}/remove", guards=[needs("interview")])
async def ask_remove(
    request: AnyRequest, case_id: FromPath[str], page: FromPath[str], row: FromPath[str]
) -> Response[str]:
    here = await _here(request, case_id)
    return ask_remove_page(request, here.interview, here.visit.signed, page, row)


@post(
    "/field/cases/{case_id:str}/interview/p/{page:str}/{row:str}/remove",
    status_code=200,
    guards=[needs("interview")],
)
async def remove(
    request: AnyRequest, case_id: FromPath[str], page: FromPath[str], row: FromPath[str]
) -> Response[str]:
    here = await _here(request, case_id)
    form = await form_of(request)
    check_form(here.site, request, here.visit.signed, form)
    return await _kept(request, here, remove_page(here.interview, page, row, form))


@get("/field/cases/{case_id:str}/interview/check", guards=[needs("interview")])
async def check(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    here = await _here(request, case_id)
    return check_page(request, here.interview, here.visit.signed, f"/field/cases/{case_id}/leave")


@post("/field/cases/{case_id:str}/interview/submit", status_code=200, guards=[needs("interview")])
async def submit(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Finish: from here on nobody at commune level can open these answers."""
    here = await _here(request, case_id)
    form = await form_of(request)
    check_form(here.site, request, here.visit.signed, form)
    if (left := here.interview.next_url()) != f"{here.interview.base}/check":
        return goto(left)
    await here.site.database.write(_submit, here, form)
    number = ids.receipt_number(here.interview.response.id)
    plan = here.site.survey.plan
    return show(
        request,
        "receipt.html",
        number=number,
        by_visit=False,
        waiting=False,
        back_to_list="/field",
        reopen="",
        closes=long_date(here.interview.language, plan.dates.closes),
        stop="",
        csrf=here.visit.signed.csrf,
        form="",
    )


def _submit(connection: Connection, here: Here, form: pages.Form) -> None:
    response, case = here.interview.response.id, here.visit.case.id
    responses.append(connection, [forms.submit(here.interview, form)])
    events = responses.events(connection, response)
    reviews.note(connection, response, noted(here.interview.questionnaire, case, response, events))
    rights.record_consents(connection, agreed(here.site.survey.plan.legal, case, response, events, now()))
    author = f"account:{here.visit.account.name}"
    audit.append(connection, author, "interview submitted", f"case:{case}")


@post("/field/cases/{case_id:str}/leave", status_code=200, guards=[needs("interview")])
async def leave(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Stop here; everything is kept and the case page offers to go on."""
    here = await _here(request, case_id)
    check_form(here.site, request, here.visit.signed, await form_of(request))
    return goto(f"/field/cases/{case_id}")


HANDLERS = (
    my_list, case_page, record_attempt, begin_interview, resume, read, photo, save,
    ask_remove, remove, check, submit, leave,
)  # fmt: skip
