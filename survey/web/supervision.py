"""The office of a supervisor and a statistician: outcome rates, precision, how interviews are made.

What the sample says so far is for statisticians alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from litestar import Response, get
from sqlalchemy import Connection

from survey.access.policy import Action, holds, may
from survey.fieldwork.backchecks import Agreement
from survey.fieldwork.progress import FORMULAS, Ending, Precision, Rates, Reached, Report, Way
from survey.fieldwork.signals import KINDS as SIGNALS
from survey.fieldwork.signals import Effect, Signal
from survey.problems import SurveyError
from survey.questionnaire.index import index
from survey.storage import audit, tallies
from survey.storage.accounts import Account
from survey.web import security
from survey.web.field import actor, find_account
from survey.web.guards import needs
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    language_of,
    show,
    site_of,
)
from survey.web.words import number, word

LINES = 50
"""Officials on one page of rates."""
BEHIND = 0.8
"""A stratum of which so small a part of its share has answered is said to be behind the others."""


class Oversight(Protocol):
    """What `survey.oversight` works out for these pages."""

    def rates(
        self, by: Any, communes: Sequence[str] | None = None, *, after: str = "", most: int | None = None
    ) -> list[Rates]: ...
    def reached(self, communes: Sequence[str] | None = None) -> list[Reached]: ...
    def ways(self, communes: Sequence[str] | None = None) -> list[Way]: ...
    def endings(self, communes: Sequence[str] | None = None) -> list[Ending]: ...
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


VIEWS = ("commune", "official", "stratum", "mode", "outcome")
"""The ways in which the page of rates looks at the cases."""


@get("/office/rates", guards=[needs("see_progress")])
async def rates(request: AnyRequest) -> Response[str]:
    """RR1-RR6, cooperation, refusal and contact by commune, official or stratum, each with its formula; strata against
    what was drawn, modes, and how the cases end."""
    site = site_of(request)
    signed, account = await site.database.read(signed_for, site, request, "see_progress")
    asked, communes = request.query_params.get("by", ""), communes_of(account)
    by = asked if asked in VIEWS else "commune"
    after = request.query_params.get("after", "") if by == "official" else ""
    language = language_of(request)
    found, strata, ways, endings = [], [], [], []
    match by:
        case "mode":
            ways = await site.overseen(lambda of: of.ways(communes))
        case "outcome":
            endings = await site.overseen(lambda of: of.endings(communes))
        case "official":
            found = await site.overseen(lambda of: of.rates(by, communes, after=after, most=LINES + 1))
        case _:
            found = await site.overseen(lambda of: of.rates(by, communes))
    more = len(found) > LINES + 1
    found = found[: LINES + 1] if by == "official" else found
    if by == "stratum":
        strata = await site.overseen(lambda of: of.reached(communes))
    return show(
        request,
        "supervision/rates.html",
        views=VIEWS,
        by=by,
        behind=await site.database.read(tallies.behind),
        begun=bool(after),
        later=found[-1].name if more and by == "official" else "",
        lines=[_rate_line(site, language, by, one) for one in found],
        strata=[_stratum_line(language, one) for one in strata],
        ways=[
            (word(language, f"mode.{one.mode}"), number(language, one.complete), percent(language, one.plain),
             percent(language, one.weighted), number(language, one.attempts))
            for one in ways
        ],
        endings=[
            (one.disposition.code, one.disposition.label.get(language, ""), one.disposition.category,
             number(language, one.cases), percent(language, one.plain), percent(language, one.weighted))
            for one in endings
        ],
        estimated=[percent(language, one["e"]) for one in (found[0].plain, found[0].weighted)] if found else [],
        formulas=FORMULAS,
        **frame(request, signed, account),
    )  # fmt: skip


@dataclass(frozen=True)
class StratumLine:
    """One stratum against its design as drawn; `notes` are what is amiss, in words."""

    name: str
    areas: str
    households: str
    complete: str
    open: str
    drawn_share: str
    answered_share: str
    notes: tuple[str, ...]


def _stratum_line(language: str, one: Reached) -> StratumLine:
    notes = []
    if one.areas_silent:
        notes.append(word(language, "rates.areas_silent", n=number(language, one.areas_silent)))
    if one.needs_areas:
        notes.append(word(language, "rates.needs_areas"))
    if one.answered_share < BEHIND * one.drawn_share:
        notes.append(word(language, "rates.behind"))
    return StratumLine(
        name=one.name,
        areas=number(language, one.areas),
        households=number(language, one.households),
        complete=number(language, one.complete),
        open=number(language, one.open),
        drawn_share=percent(language, one.drawn_share),
        answered_share=percent(language, one.answered_share),
        notes=tuple(notes),
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
    strata: tuple[tuple[str, str, str, str, str, str], ...]


@get("/office/precision", guards=[needs("see_precision")])
async def precision(request: AnyRequest) -> Response[str]:
    """How wide each interval is now and will be, and how many interviews, where, would decide each target."""
    site = site_of(request)
    signed, account = await site.database.read(signed_for, site, request, "see_precision")
    language = language_of(request)
    report, problem = None, ""
    try:
        report = await site.overseen(lambda of: of.precision())
    except SurveyError as error:
        few = (
            error.code == "not_weighted"
        )  # what stands in the way is told by `survey release`, to whoever mends it
        problem = word(language, "precision.too_few") if few else error.message.get(language, "")
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
            (part.name, number(language, part.n), percent(language, part.value), points(part.half_width), points(part.expected_half_width),
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
    found = await site.overseen(lambda of: of.signals(communes_of(account)))
    asked = site.survey.plan.back_checks.questions
    effects = await site.overseen(lambda of: of.effects(asked, communes_of(account)))
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


HANDLERS = (rates, precision, quality)
