"""A few households are asked again, by telephone or at the door, by a supervisor or an official other than the one who
interviewed, and nobody who asks sees what they answered.

    GET, POST /office/back-checks              who is drawn, who asks, how well answers hold; give it to an official
    GET, POST /office/back-checks/{case}       the supervisor asks, or says why it cannot be done
    GET       /field/checks                    an official's own
    GET, POST /field/checks/{case}             the official asks
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access.policy import Scope, may
from survey.fieldwork import backchecks
from survey.fieldwork.cases import Case
from survey.questionnaire import routing
from survey.questionnaire.checks import read_form
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Event, fold
from survey.questionnaire.response import Response as Answers
from survey.questionnaire.routing import Step
from survey.storage import accounts, audit, cases, identities, responses
from survey.storage import backchecks as kept
from survey.storage.accounts import Account
from survey.web import forms, ids, security, supervision
from survey.web import interview as pages
from survey.web.field import actor, find_account, looked, scope
from survey.web.guards import needs
from survey.web.interview import Interview
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

BASE = "/office/back-checks"
OWN = "/field/checks"


@dataclass(frozen=True)
class Check:
    """A drawn case: what it answered (for the path alone), and whether it has been asked again."""

    case: Case
    events: list[Event]
    done: bool


def _drawn(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Case], set[str]]:
    """Finished interviews at doors that the draw has chosen, in the reader's communes; and those asked again."""
    signed, account = supervision.signed_for(connection, site, request, "assign_any")
    return signed, account, *_of_communes(connection, site, supervision.communes_of(account))


def _of_communes(
    connection: Connection, site: Site, communes: Sequence[str] | None
) -> tuple[list[Case], set[str]]:
    """Finished interviews that the draw has chosen, of these communes or of all; and the cases asked again."""
    share, key = site.survey.plan.back_checks.share, site.keys.lasting
    visited, again = set(), set()
    for record in responses.records(connection):
        if record.id.startswith(backchecks.PREFIX):
            again.add(record.case)
        elif record.mode != "self" and record.submitted:
            visited.add(record.case)
    found = [
        case
        for case in cases.several(connection, sorted(visited))
        if case.response
        and backchecks.drawn(key, case.id, share)
        and (communes is None or case.unit.commune in communes)
    ]
    return found, again


@dataclass(frozen=True)
class ToAsk:
    """One household to be asked again as drawn: who interviewed, and who asks ("" for the office)."""

    case: str
    place: str
    interviewer: str
    official: str


def _list(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[ToAsk], int, dict[str, int], list[str]]:
    signed, account, found, again = _drawn(connection, site, request)
    given = kept.of_cases(connection, [case.id for case in found])
    open_ones = [
        case for case in found if case.id not in again and not (case.id in given and given[case.id].ended)
    ]
    waiting = [
        ToAsk(
            case.id, _place(site, case), _interviewer(connection, case),
            given[case.id].official if case.id in given else "",
        )
        for case in open_ones
    ]  # fmt: skip
    ended = Counter(one.ended for id, one in given.items() if one.ended and id not in again)
    officials = [
        one.name for one in accounts.every(connection) if one.role == "official" and one.disabled_at is None
    ]
    return signed, account, waiting, sum(case.id in again for case in found), dict(ended), officials


def _interviewer(connection: Connection, case: Case) -> str:
    events = responses.events(connection, case.response)
    return events[0].author if events else ""


@get(BASE, guards=[needs("assign_any")])
async def listed(request: AnyRequest) -> Response[str]:
    """Who is to be asked again, and how well answers have held so far."""
    return await _listed(request, *await site_of(request).database.read(_list, site_of(request), request))


async def _listed(
    request: AnyRequest, signed: SignedIn, account: Account, waiting: list[ToAsk], done: int, ended: dict[str, int],
    officials: list[str], error: str = "",
) -> Response[str]:  # fmt: skip
    site, language = site_of(request), language_of(request)
    agreement = await site.overseen(lambda of: of.agreement())
    label = _labels(site.survey.questionnaire, language)
    return show(
        request, "supervision/backchecks.html", 422 if error else 200, error=error, waiting=waiting, done=done, base=BASE,
        officials=officials,
        ended=[(backchecks.ENDINGS[why][language], number(language, many)) for why, many in sorted(ended.items())],
        agreement=[
            (label.get(one.question, one.question), number(language, one.pairs), supervision.percent(language, one.gross_difference_rate),
             "–" if one.kappa != one.kappa else number(language, round(one.kappa, 2)))
            for one in agreement
        ],
        **supervision.frame(request, signed, account),
    )  # fmt: skip


@post(BASE, status_code=200, guards=[needs("assign_any")])
async def give(request: AnyRequest) -> Response[str]:
    """Give the ticked households to an official who did not interview them, or back to the office."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, waiting, *rest = await site.database.read(_list, site, request)
    check_form(site, request, signed, form)
    official = next(iter(form.get("official", ())), "")
    chosen = [one for one in waiting if one.case in form.get("case", ())]
    if (official and official not in rest[-1]) or any(one.interviewer == official for one in chosen):
        said = word(language_of(request), "back_checks.same")
        return await _listed(request, signed, account, waiting, *rest, said)
    await site.database.write(_give, account, [one.case for one in chosen], official)
    return goto(BASE)


def _give(connection: Connection, account: Account, chosen: Sequence[str], official: str) -> None:
    for case in chosen:
        kept.give(connection, case, official, account.name)
        facts = {"to": official}
        audit.append(connection, f"account:{account.name}", "back-check given", f"case:{case}", facts)


# --- an official's own ---------------------------------------------------------------------------------------------


def _mine(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Case], dict[str, identities.Identity]]:
    """What was given to this official and is still to be asked; never of somebody whom he or she interviewed."""
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "list_cases"):
        raise NotYours(security.ACCOUNT)
    given = {one.case for one in kept.of_official(connection, account.name)}
    found, again = _of_communes(connection, site, None) if given else ([], set())
    mine = [
        case
        for case in found
        if case.id in given - again
        and may(actor(account), "ask_again", Scope(case=case.id, assignee=account.name))
        and _interviewer(connection, case) != account.name
    ]
    return signed, account, mine, identities.of_cases(connection, [case.id for case in mine])


@get(OWN, guards=[needs("list_cases")])
async def own(request: AnyRequest) -> Response[str]:
    """The households that an official is to ask again."""
    site = site_of(request)
    signed, account, mine, doors = await site.database.read(_mine, site, request)
    await site.database.write(looked, account.name, "look at list of addresses", "survey", len(mine))
    lines = [
        (case.id, doors[case.id].address if case.id in doors else "", _place(site, case)) for case in mine
    ]
    return show(request, "checks.html", lines=lines, base=OWN, csrf=signed.csrf)


def _place(site: Site, case: Case) -> str:
    area = site.areas.get(case.unit.commune)
    return area.name if area else case.unit.commune


def _labels(questionnaire: Questionnaire, language: str) -> dict[str, str]:
    return {
        question.id: question.label.get(language, question.id)
        for section in questionnaire.sections
        for page in section.pages
        for question in page.questions
    }


# --- one household -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Here:
    """The case, its door, and the interview as it would be asked anew."""

    signed: SignedIn
    account: Account
    case: Case
    door: identities.Identity | None
    interview: Interview
    steps: tuple[Step, ...]


def _found(connection: Connection, site: Site, request: AnyRequest, case_id: str) -> tuple[Any, ...]:
    if request.url.path.startswith(OWN):
        signed, account, mine, _ = _mine(connection, site, request)
        case = next((one for one in mine if one.id == case_id), None)
    else:
        signed, account, found, again = _drawn(connection, site, request)
        case = next((one for one in found if one.id == case_id and one.id not in again), None)
    if case is None:
        raise NotYours("case")
    record = responses.find(connection, case.response)
    assert record is not None
    sees = account.role == "official" or may(actor(account), "see_case", scope(case))
    door = identities.find(connection, case.id) if sees else None
    return signed, account, case, door, record, responses.events(connection, record.id)


async def _here(request: AnyRequest, case_id: str, mode: pages.Mode = "phone") -> Here:
    site = site_of(request)
    signed, account, case, door, record, events = await site.database.read(_found, site, request, case_id)
    questionnaire = await site.questionnaire(record.version)
    asked = frozenset(site.survey.plan.back_checks.questions)
    response, steps = _anew(questionnaire, fold(record.id, events), asked)
    author = f"check:{account.name}"
    base = OWN if account.role == "official" else BASE
    interview = Interview(questionnaire, response, author, mode, base, language_of(request))
    return Here(signed, account, case, door, interview, steps)


def _anew(
    questionnaire: Questionnaire, response: Answers, asked: frozenset[str]
) -> tuple[Answers, tuple[Step, ...]]:
    """The response without what is asked again, and the pages that ask it, with nothing else on them."""
    blank = msgspec.structs.replace(
        response,
        answers={
            key: said for key, said in response.answers.items() if key.question.partition(".")[0] not in asked
        },
    )
    steps = []
    for step in routing.path(questionnaire, blank):
        own = tuple(
            question for question in routing.visible(questionnaire, blank, step) if question.id in asked
        )
        if own:
            steps.append(Step(step.section, msgspec.structs.replace(step.page, questions=own), step.row))
    return blank, tuple(steps)


async def _ask(request: AnyRequest, case_id: str) -> Response[str]:
    """The questions again, empty: what was answered is not shown."""
    here = await _here(request, case_id)
    await site_of(request).database.write(
        audit.append, f"account:{here.account.name}", "back-check", f"case:{case_id}"
    )
    return _page(request, here, {}, ())


@get(BASE + "/{case_id:str}", guards=[needs("assign_any")])
async def ask(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    return await _ask(request, case_id)


@get(OWN + "/{case_id:str}", guards=[needs("ask_again")])
async def ask_own(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    return await _ask(request, case_id)


def _page(request: AnyRequest, here: Here, form: Any, findings: Any) -> Response[str]:
    views = [
        pages.show(
            here.interview,
            step,
            form or None,
            tuple(f for f in findings if f.where in {q.id for q in step.page.questions}),
        )
        for step in here.steps
    ]
    questions = tuple(
        question for view in views for question in view.questions if question.id in _asked(here)
    )
    return show(
        request, "supervision/backcheck.html", 422 if findings else 200, case=here.case.id, door=here.door, base=here.interview.base,
        questions=questions, errors=tuple(error for view in views for error in view.errors), form=ids.new_form_id(),
        endings=[(key, said[here.interview.language]) for key, said in backchecks.ENDINGS.items()],
        **supervision.frame(request, here.signed, here.account),
    )  # fmt: skip


def _asked(here: Here) -> set[str]:
    return {question.id for step in here.steps for question in step.page.questions}


@post(BASE + "/{case_id:str}", status_code=200, guards=[needs("assign_any")])
async def keep(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    return await _answered(request, case_id)


@post(OWN + "/{case_id:str}", status_code=200, guards=[needs("ask_again")])
async def keep_own(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    return await _answered(request, case_id)


async def _answered(request: AnyRequest, case_id: str) -> Response[str]:
    """Keep the second answers beside the first, or why there are none; the case is not touched."""
    site = site_of(request)
    form = await form_of(request)
    how, ended = (next(iter(form.get(name, ())), "") for name in ("how", "ended"))
    here = await _here(request, case_id, "visit" if how == "visit" else "phone")
    check_form(site, request, here.signed, form)
    base = here.interview.base
    if ended in backchecks.ENDINGS:
        await site.database.write(_end, here, ended)
        return goto(base)
    answers, findings = {}, []
    for step in here.steps:
        read = read_form(here.interview.questionnaire, here.interview.response, step, form)
        answers |= read.answers
        findings += read.findings
    if findings:
        return _page(request, here, form, tuple(findings))
    if answers:
        await site.database.write(_keep, here, answers)
    return goto(base)


def _end(connection: Connection, here: Here, ended: str) -> None:
    case, name = here.case.id, here.account.name
    official = name if here.account.role == "official" else ""
    kept.give(connection, case, official, name, ended)
    audit.append(connection, f"account:{name}", "back-check not possible", f"case:{case}", {"why": ended})


def _keep(connection: Connection, here: Here, answers: Any) -> None:
    new = backchecks.PREFIX + secrets.token_hex(12)
    questionnaire = here.interview.questionnaire
    author, mode = here.interview.author, here.interview.mode
    cases.lock(connection, here.case.id)
    if any(record.id.startswith(backchecks.PREFIX) for record in responses.by_case(connection, here.case.id)):
        return  # pressed twice
    responses.open(connection, new, here.case.id, questionnaire.version, mode)
    opened = forms.opened(new, author, mode, here.interview.language, questionnaire, forms.today())
    said = msgspec.structs.replace(opened, id=ids.new_form_id(), kind="answered", page="back-check",
                                   answers={str(key): answer for key, answer in answers.items()})  # fmt: skip
    responses.append(connection, [opened, said])
    audit.append(connection, f"account:{here.account.name}", "back-check kept", f"case:{here.case.id}")


HANDLERS = (listed, give, own, ask, ask_own, keep, keep_own)
