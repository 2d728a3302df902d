"""The office of a supervisor and a statistician: outcome rates, precision, who works on which case, what waits apart.

A supervisor sees the cases of his or her communes, never their answers. What the sample says so far is for
statisticians alone.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from litestar import Response, get, post
from sqlalchemy import Connection

from survey.access.policy import Action, holds, may
from survey.fieldwork.backchecks import Agreement
from survey.fieldwork.cases import Case
from survey.fieldwork.dispositions import OUTCOMES
from survey.fieldwork.progress import FORMULAS, Precision, Rates, Report
from survey.fieldwork.signals import KINDS as SIGNALS
from survey.fieldwork.signals import Effect, Signal
from survey.problems import SurveyError
from survey.questionnaire.index import index
from survey.storage import accounts, audit, cases
from survey.storage.accounts import Account
from survey.web import security
from survey.web.field import actor, find_account, scope
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
from survey.web.words import number, word

PER_PAGE = 200


class Oversight(Protocol):
    """What `survey.oversight` works out for these pages."""

    def rates(self, by: Any, communes: Sequence[str] | None = None) -> list[Rates]: ...
    def precision(self) -> Report: ...
    def signals(self, communes: Sequence[str] | None = None) -> list[Signal]: ...
    def effects(self, questions: Sequence[str], communes: Sequence[str] | None = None) -> list[Effect]: ...
    def agreement(self) -> list[Agreement]: ...


def signed_for(
    connection: Connection, site: Site, request: AnyRequest, action: Action
) -> tuple[SignedIn, Account]:
    signed, account = find_account(connection, site, request)
    if not may(actor(account), action):
        raise NotYours(security.ACCOUNT)
    return signed, account


def communes_of(account: Account) -> tuple[str, ...] | None:
    """The communes that an account may look at; None for all."""
    return account.communes if account.role == "supervisor" else None


PAGES: dict[str, Action] = {
    "/office": "see_progress",
    "/office/rates": "see_progress",
    "/office/cases": "assign_any",
    "/office/listing": "assign_any",
    "/office/reserves": "assign_any",
    "/office/phones": "assign_any",
    "/office/quarantine": "decide_quarantine",
    "/office/review": "review",
    "/office/conflicts": "reconcile",
    "/office/signals": "assign_any",
    "/office/back-checks": "assign_any",
    "/office/precision": "see_precision",
    "/office/requests": "handle_requests",
    "/office/breaches": "register_breach",
    "/office/officials": "let_in",
    "/office/accounts": "manage_accounts",
    "/office/audit": "read_audit",
}
"""The pages of the office and what one must be allowed for each: the tabs show what the reader may open."""


def frame(request: AnyRequest, signed: SignedIn, account: Account) -> dict[str, Any]:
    """What the frame of every office page names."""
    pages = [
        (address, address.removeprefix("/office").strip("/").replace("-", "_") or "progress")
        for address, action in PAGES.items()
        if holds(actor(account).role, action)
    ]
    return {"pages": pages, "this_page": request.url.path, "csrf": signed.csrf}


# --- outcome rates -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RateLine:
    """One commune or official as drawn: cases, and for each rate the counted and the weighted share."""

    name: str
    cases: str
    complete: str
    shares: tuple[tuple[str, str], ...]


@get("/office/rates", guards=[needs("see_progress")])
async def rates(request: AnyRequest) -> Response[str]:
    """RR1-RR6, cooperation, refusal and contact by commune or official, each with its formula."""
    site = site_of(request)
    signed, account = await site.database.read(signed_for, site, request, "see_progress")
    by = "official" if request.query_params.get("by") == "official" else "commune"
    found = await asyncio.to_thread(site.oversight.rates, by, communes_of(account))
    language = language_of(request)
    lines = [_rate_line(site, language, by, one) for one in found]
    return show(
        request,
        "supervision/rates.html",
        lines=lines,
        by=by,
        formulas=FORMULAS,
        **frame(request, signed, account),
    )


def _rate_line(site: Site, language: str, by: str, one: Rates) -> RateLine:
    area = site.areas.get(one.name) if by == "commune" else None
    return RateLine(
        name=(area.name if area else one.name) or word(language, "office.total"),
        cases=number(language, one.cases),
        complete=number(language, one.counts["I"]),
        shares=tuple((percent(language, one.plain[r]), percent(language, one.weighted[r])) for r in FORMULAS),
    )


def percent(language: str, share: float) -> str:
    return "–" if math.isnan(share) else f"{number(language, round(100 * share, 1))} %"


# --- precision -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrecisionLine:
    """One indicator as drawn: the widths, what would decide its target, and where."""

    name: str
    n: str
    value: str
    now: str
    expected: str
    target: str
    outcome: str
    more: str
    strata: tuple[tuple[str, str, str, str, str], ...]


@get("/office/precision", guards=[needs("see_precision")])
async def precision(request: AnyRequest) -> Response[str]:
    """How wide each interval is now and will be, and how many interviews, where, would decide each target."""
    site = site_of(request)
    signed, account = await site.database.read(signed_for, site, request, "see_precision")
    language = language_of(request)
    report, problem = None, ""
    try:
        report = await asyncio.to_thread(site.oversight.precision)
    except SurveyError as error:
        problem = error.message.get(language, "")
    await site.database.write(audit.append, f"account:{account.name}", "look at precision", "survey")
    lines = [_precision_line(language, one) for one in report.indicators] if report else []
    head = word(language, "precision.head", complete=number(language, report.complete), cases=number(language, report.cases),
                expected=number(language, report.expected)) if report else ""  # fmt: skip
    return show(
        request,
        "supervision/precision.html",
        lines=lines,
        head=head,
        problem=problem,
        **frame(request, signed, account),
    )


def _precision_line(language: str, one: Precision) -> PrecisionLine:
    def points(half: float) -> str:
        return f"± {number(language, round(100 * half, 1))}"

    more = ""
    if one.threshold is not None:
        if one.needed is None:
            more = word(language, "precision.never")
        elif one.needed <= one.n:
            more = word(language, "precision.enough")
        else:
            more = word(language, "precision.more", n=number(language, one.needed - one.n))
    return PrecisionLine(
        name=one.name.get(language, one.indicator),
        n=number(language, one.n),
        value=percent(language, one.value),
        now=points(one.half_width),
        expected=points(one.expected_half_width),
        target="" if one.threshold is None else percent(language, one.threshold),
        outcome=word(language, "precision." + one.outcome.replace(" ", "_")) if one.outcome else "",
        more=more,
        strata=tuple(
            (part.name, number(language, part.n), points(part.half_width), points(part.expected_half_width),
             f"+ {number(language, part.more)}" if part.more else "")
            for part in one.strata
        ),
    )  # fmt: skip


# --- how interviews are made ---------------------------------------------------------------------------------------


@get("/office/signals", guards=[needs("assign_any")])
async def quality(request: AnyRequest) -> Response[str]:
    """Signs that an official's interviews differ from the others', each with what it may mean. No answers."""
    site = site_of(request)
    signed, account = await site.database.read(signed_for, site, request, "assign_any")
    found = await asyncio.to_thread(site.oversight.signals, communes_of(account))
    asked = site.survey.plan.back_checks.questions
    effects = await asyncio.to_thread(site.oversight.effects, asked, communes_of(account))
    await site.database.write(audit.append, f"account:{account.name}", "look at signals", "survey")
    language = language_of(request)
    lines = [
        (one.official, *(words.get(language, "") for words in SIGNALS[one.kind]), _measure(language, one.kind, one.value),
         _measure(language, one.kind, one.usual), number(language, one.interviews))
        for one in found
    ]  # fmt: skip
    known = index(site.survey.questionnaire).places
    drawn = [
        (known[one.question].question.label.get(language, one.question), number(language, one.officials),
         number(language, one.interviews), number(language, round(one.rho, 3)), number(language, round(one.design_effect, 2)))
        for one in effects
    ]  # fmt: skip
    return show(
        request, "supervision/signals.html", lines=lines, effects=drawn, **frame(request, signed, account)
    )


def _measure(language: str, kind: str, value: float) -> str:
    """A sign's value in its own unit."""
    if kind in ("short", "long"):
        return word(language, "signals.minutes", n=number(language, round(value, 1)))
    if kind == "far":
        return word(language, "signals.metres", n=number(language, round(value)))
    if kind == "small":
        return word(language, "signals.people", n=number(language, round(value, 1)))
    return percent(language, value)


# --- who works on which case ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CaseLine:
    """One case as a supervisor sees it: where, who, how far, never what was said."""

    id: str
    commune: str
    assignee: str
    state: str
    attempts: int
    last: str


def _cases(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Case], list[str]]:
    signed, account = signed_for(connection, site, request, "see_progress")
    communes = communes_of(account)
    asked = request.query_params
    found = cases.page(
        connection, communes=communes, commune=asked.get("commune", ""), assignee=asked.get("official"),
        after=asked.get("after", ""), limit=PER_PAGE + 1,
    )  # fmt: skip
    officials = [
        one.name for one in accounts.every(connection) if one.role == "official" and one.disabled_at is None
    ]
    return signed, account, found, officials


@get("/office/cases", guards=[needs("assign_any")])
async def case_list(request: AnyRequest) -> Response[str]:
    """Cases by commune and official, to be handed over."""
    site = site_of(request)
    signed, account, found, officials = await site.database.read(_cases, site, request)
    if not may(actor(account), "assign_any"):
        raise NotYours(security.ACCOUNT)
    language = language_of(request)
    lines = [
        CaseLine(
            case.id, area.name if (area := site.areas.get(case.unit.commune)) else case.unit.commune, case.assignee,
            word(language, f"state.{case.state}"), case.attempts,
            OUTCOMES[case.last_outcome].label.get(language, "") if case.last_outcome else "",
        )
        for case in found[:PER_PAGE]
    ]  # fmt: skip
    communes = sorted(communes_of(account) or site.areas)
    return show(
        request, "supervision/cases.html", lines=lines, officials=officials, commune=request.query_params.get("commune", ""),
        communes=[(code, site.areas[code].name) for code in communes if code in site.areas],
        after=found[PER_PAGE - 1].id if len(found) > PER_PAGE else "", **frame(request, signed, account),
    )  # fmt: skip


@post("/office/assign", status_code=200, guards=[needs("assign")])
async def assign(request: AnyRequest) -> Response[str]:
    """Hand the ticked cases over; every one is in the audit log."""
    site = site_of(request)
    form = await form_of(request)
    signed, account = await site.database.read(signed_for, site, request, "assign_any")
    check_form(site, request, signed, form)
    chosen, official = form.get("case", []), next(iter(form.get("official", ())), "")
    await site.database.write(_assign, account, chosen, official)
    commune = next(iter(form.get("commune", ())), "")
    return goto("/office/cases" + (f"?commune={commune}" if commune.isalnum() else ""))


def _assign(connection: Connection, account: Account, chosen: Sequence[str], official: str) -> None:
    known = accounts.find(connection, official) if official else None
    if official and (known is None or known.role != "official" or known.disabled_at is not None):
        raise NotYours("case")
    for case in cases.several(connection, chosen):
        if not may(actor(account), "assign", scope(case)):
            raise NotYours("case")
        cases.reassign(connection, case.id, official)
        audit.append(connection, f"account:{account.name}", "assign", f"case:{case.id}", {"to": official})


HANDLERS = (rates, precision, quality, case_list, assign)
