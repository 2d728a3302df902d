"""A supervisor asks a few households again, by telephone or at the door, without seeing what they answered."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.fieldwork import backchecks
from survey.fieldwork.cases import Case
from survey.questionnaire import routing
from survey.questionnaire.checks import read_form
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Event, fold
from survey.questionnaire.response import Response as Answers
from survey.questionnaire.routing import Step
from survey.storage import audit, cases, identities, responses
from survey.storage.accounts import Account
from survey.web import forms, ids, supervision
from survey.web import interview as pages
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
from survey.web.words import number

BASE = "/office/back-checks"


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
    share, key = site.survey.plan.back_checks.share, site.keys.sessions
    communes = supervision.communes_of(account)
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
    return signed, account, found, again


@get(BASE, guards=[needs("assign_any")])
async def listed(request: AnyRequest) -> Response[str]:
    """Who is to be asked again, and how well answers have held so far."""
    site = site_of(request)
    signed, account, found, again = await site.database.read(_drawn, site, request)
    language = language_of(request)
    agreement = await asyncio.to_thread(site.oversight.agreement)
    label = _labels(site.survey.questionnaire, language)
    return show(
        request, "supervision/backchecks.html",
        waiting=[(case.id, _place(site, case), case.assignee) for case in found if case.id not in again],
        done=sum(case.id in again for case in found), base=BASE,
        agreement=[
            (label.get(one.question, one.question), number(language, one.pairs), supervision.percent(language, one.gross_difference_rate),
             "–" if one.kappa != one.kappa else number(language, round(one.kappa, 2)))
            for one in agreement
        ],
        **supervision.frame(request, signed, account),
    )  # fmt: skip


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
    signed, account, found, again = _drawn(connection, site, request)
    case = next((one for one in found if one.id == case_id and one.id not in again), None)
    if case is None:
        raise NotYours("case")
    record = responses.find(connection, case.response)
    assert record is not None
    return (
        signed,
        account,
        case,
        identities.find(connection, case.id),
        record,
        responses.events(connection, record.id),
    )


async def _here(request: AnyRequest, case_id: str) -> Here:
    site = site_of(request)
    signed, account, case, door, record, events = await site.database.read(_found, site, request, case_id)
    questionnaire = await site.questionnaire(record.version)
    asked = frozenset(site.survey.plan.back_checks.questions)
    response, steps = _anew(questionnaire, fold(record.id, events), asked)
    author = f"check:{account.name}"
    interview = Interview(questionnaire, response, author, "phone", BASE, language_of(request))
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


@get(BASE + "/{case_id:str}", guards=[needs("assign_any")])
async def ask(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """The questions again, empty: what was answered is not shown."""
    here = await _here(request, case_id)
    await site_of(request).database.write(
        audit.append, f"account:{here.account.name}", "back-check", f"case:{case_id}"
    )
    return _page(request, here, {}, ())


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
        request, "supervision/backcheck.html", 422 if findings else 200, case=here.case.id, door=here.door, base=BASE,
        questions=questions, errors=tuple(error for view in views for error in view.errors), form=ids.new_form_id(),
        **supervision.frame(request, here.signed, here.account),
    )  # fmt: skip


def _asked(here: Here) -> set[str]:
    return {question.id for step in here.steps for question in step.page.questions}


@post(BASE + "/{case_id:str}", status_code=200, guards=[needs("assign_any")])
async def keep(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Keep the second answers beside the first; the case is not touched."""
    site = site_of(request)
    here = await _here(request, case_id)
    form = await form_of(request)
    check_form(site, request, here.signed, form)
    answers, findings = {}, []
    for step in here.steps:
        read = read_form(here.interview.questionnaire, here.interview.response, step, form)
        answers |= read.answers
        findings += read.findings
    if findings:
        return _page(request, here, form, tuple(findings))
    if answers:
        await site.database.write(_keep, here, answers)
    return goto(BASE)


def _keep(connection: Connection, here: Here, answers: Any) -> None:
    new = backchecks.PREFIX + secrets.token_hex(12)
    questionnaire = here.interview.questionnaire
    author = here.interview.author
    cases.lock(connection, here.case.id)
    responses.open(connection, new, here.case.id, questionnaire.version, "phone")
    opened = forms.opened(new, author, "phone", here.interview.language, questionnaire, forms.today())
    said = msgspec.structs.replace(opened, id=ids.new_form_id(), kind="answered", page="back-check",
                                   answers={str(key): answer for key, answer in answers.items()})  # fmt: skip
    responses.append(connection, [opened, said])
    audit.append(connection, f"account:{here.account.name}", "back-check kept", f"case:{here.case.id}")


HANDLERS = (listed, ask, keep)
