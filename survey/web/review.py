"""Odd answers of interviews, and questions sent back to the official who asked them.

A supervisor sees which check asked about which question, never what was answered: whether it is right is for the official
and the household to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.fieldwork.cases import Case
from survey.fieldwork.reviews import REFUSALS, Return, Review, refusal
from survey.problems import Text
from survey.questionnaire.again import step_of
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.piping import REFERENCE
from survey.questionnaire.response import Event, Key, fold
from survey.questionnaire.response import Response as Answers
from survey.storage import audit, cases, responses, reviews
from survey.storage.accounts import Account
from survey.storage.responses import ResponseRecord
from survey.web import ids, supervision
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
from survey.web.words import word

BASE = "/office/review"
MOST = 300  # letters of a comment: it is read at a door
AT_ONCE = 20  # households on the page: more is scrolled past unread


@dataclass(frozen=True)
class Line:
    """One odd answer as drawn: which question of which person, what the check says; never the answer."""

    id: str
    question: str
    check: str
    explained: bool


@dataclass(frozen=True)
class Household:
    """What is odd in one interview, together: whether to ask again is decided of a household as a whole."""

    case: str
    official: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Interviewed:
    """An interview that something is to be looked at in: its case, who made it, and its events."""

    case: Case
    record: ResponseRecord
    events: list[Event]

    @property
    def asked_by(self) -> str:
        return self.events[0].author if self.events else ""


def _found(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[tuple[Review, Interviewed]], list[Return]]:
    signed, account = supervision.signed_for(connection, site, request, "review")
    communes = supervision.communes_of(account)
    lines = [
        (one, interview)
        for one in reviews.waiting(connection, ("soft",), communes)
        if (interview := _interview(connection, one.case, one.response)) is not None
    ]
    open_ones = [
        one
        for one in reviews.returned(connection)
        if communes is None or cases.existing(connection, one.case).unit.commune in communes
    ]
    return signed, account, lines, open_ones


def _interview(connection: Connection, case: str, response: str) -> Interviewed | None:
    record = responses.find(connection, response) if response else None
    found = cases.find(connection, case)
    if record is None or found is None:
        return None
    return Interviewed(found, record, responses.events(connection, record.id))


@get(BASE, guards=[needs("review")])
async def listed(request: AnyRequest) -> Response[str]:
    """What is to be looked at, what is on its way back, and a form that returns a question of any interview."""
    site = site_of(request)
    signed, account, lines, open_ones = await site.database.read(_found, site, request)
    await site.database.write(audit.append, f"account:{account.name}", "look at findings", "survey")
    return await _page(request, signed, account, lines, open_ones)


async def _page(
    request: AnyRequest, signed: SignedIn, account: Account, lines: list[tuple[Review, Interviewed]],
    open_ones: list[Return], error: str = "", kept: Any = None,
) -> Response[str]:  # fmt: skip
    site, language = site_of(request), language_of(request)
    together: dict[str, list[tuple[Review, Interviewed]]] = {}
    for one, interview in lines:
        together.setdefault(interview.record.id, []).append((one, interview))
    drawn = [await _household(site, language, found) for found in list(together.values())[:AT_ONCE]]
    current = site.survey.questionnaire
    return show(
        request, "supervision/review.html", 422 if error else 200, households=drawn, more=len(together) - len(drawn), error=error, kept=kept or {"case": "", "question": "", "comment": ""},
        returned=[(one.case, question_words(current, one.question, language), one.comment) for one in open_ones],
        questions=askable(current, language), most=MOST, **supervision.frame(request, signed, account),
    )  # fmt: skip


async def _household(site: Site, language: str, found: list[tuple[Review, Interviewed]]) -> Household:
    interview = found[0][1]
    questionnaire = await site.questionnaire(interview.record.version)
    response = fold(interview.record.id, interview.events)
    lines = tuple(_line(questionnaire, language, one, response) for one, _ in found)
    return Household(interview.case.id, interview.asked_by, lines)


def _line(questionnaire: Questionnaire, language: str, one: Review, response: Answers) -> Line:
    place = index(questionnaire).places[one.question]
    checks = place.question.checks
    said = _said(checks[one.number].message, language) if one.number < len(checks) else ""
    words = question_words(questionnaire, one.question, language)
    rows = response.rows.get(place.roster, ())
    if one.row in rows:  # the same question was asked of several persons
        words = f"{words} ({word(language, 'conflicts.person', n=rows.index(one.row) + 1)})"
    return Line(one.id, words, said, one.explained)


def question_words(questionnaire: Questionnaire, question: str, language: str) -> str:
    """A question's words with an ellipsis for what the household is called: nothing of an answer is in them."""
    place = index(questionnaire).places.get(question)
    return _said(place.question.label, language) if place else question


def _said(words: Text, language: str) -> str:
    return REFERENCE.sub("…", words.get(language) or next(iter(words.values()), ""))


def askable(questionnaire: Questionnaire, language: str) -> list[tuple[str, str]]:
    """Questions that an official can ask again: those that a page asks and no drawn person depends on."""
    drawn_from = {draw.roster for draw in questionnaire.draws}
    return [
        (name, _said(place.question.label, language))
        for name, place in index(questionnaire).places.items()
        if place.question.kind not in ("note", "calculate", "preload", "acknowledge")
        and not (place.page.kind == "list" and place.roster in drawn_from)
    ]


# --- deciding ------------------------------------------------------------------------------------------------------


@post(BASE + "/{finding:str}", status_code=200, guards=[needs("review")])
async def decide(request: AnyRequest, finding: FromPath[str]) -> Response[str]:
    """Accept an odd answer as it is, or send its question back with a comment."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, lines, open_ones = await site.database.read(_found, site, request)
    one, interview = next((line for line in lines if line[0].id == finding), (None, None))
    if one is None or interview is None:
        raise NotYours("case")
    check_form(site, request, signed, form)
    comment = _first(form, "comment")[:MOST]
    act = _first(form, "act")
    if act == "return":
        questionnaire = await site.questionnaire(interview.record.version)
        error, made = _made(questionnaire, interview, one.question, one.row, comment, account, open_ones)
        if made is None:
            return await _page(request, signed, account, lines, open_ones, _why(request, error))
        await site.database.write(_return, made, one)
    elif act == "accept":
        await site.database.write(_accept, one, comment, account.name)
    return goto(BASE)


@post("/office/returns", status_code=200, guards=[needs("review")])
async def send_back(request: AnyRequest) -> Response[str]:
    """Send a question of any interview of the own communes back."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, lines, open_ones = await site.database.read(_found, site, request)
    check_form(site, request, signed, form)
    case, question, comment = (_first(form, name) for name in ("case", "question", "comment"))
    interview = await site.database.read(_own, account, case)
    error, made = "not_submitted", None
    if interview is not None:
        questionnaire = await site.questionnaire(interview.record.version)
        row = _row_of(questionnaire, interview, question)
        error, made = _made(questionnaire, interview, question, row, comment[:MOST], account, open_ones)
    if made is None:
        sent = {"case": case, "question": question, "comment": comment}
        return await _page(request, signed, account, lines, open_ones, _why(request, error), sent)
    await site.database.write(_return, made, None)
    return goto(BASE)


def _own(connection: Connection, account: Account, case_id: str) -> Interviewed | None:
    """The interview that counts for a case of the own communes; None for any other, whether it is there or not."""
    case = cases.find(connection, case_id)
    communes = supervision.communes_of(account)
    if case is None or (communes is not None and case.unit.commune not in communes):
        return None
    return _interview(connection, case.id, case.response)


def _row_of(questionnaire: Questionnaire, interview: Interviewed, question: str) -> str:
    """The row that a question of the drawn person was asked of."""
    response = fold(interview.record.id, interview.events)
    place = index(questionnaire).places.get(question)
    return response.drawn.get(place.draw, "") if place and place.draw else ""


def _made(
    questionnaire: Questionnaire, interview: Interviewed, question: str, row: str, comment: str, account: Account,
    open_ones: list[Return],
) -> tuple[str, Return | None]:  # fmt: skip
    """The return of a question, or why there can be none."""
    if not comment.strip():
        return "comment", None
    no = refusal(
        mode=interview.record.mode, submitted=interview.record.submitted, asked_by=interview.asked_by,
        assignee=interview.case.assignee, already=any(one.response == interview.record.id for one in open_ones),
    )  # fmt: skip
    if no:
        return no, None
    response = fold(interview.record.id, interview.events)
    step = step_of(questionnaire, response, Key(question, row))
    if step is None:
        return "not_asked", None
    if step.page.kind == "list" and step.page.roster in response.locked:
        return "locked", None
    return "", Return(
        id=ids.new_form_id(), case=interview.case.id, response=interview.record.id, page=step.page.id, row=step.row,
        question=question, comment=comment.strip(), author=account.name, at=ids.milliseconds(),
    )  # fmt: skip


def _why(request: AnyRequest, error: str) -> str:
    language = language_of(request)
    return REFUSALS[error][language] if error in REFUSALS else word(language, "review.comment_needed")


def _first(form: Any, name: str) -> str:
    return re.sub(r"\s+", " ", next(iter(form.get(name, ())), "")).strip()


def _accept(connection: Connection, one: Review, reason: str, name: str) -> None:
    reviews.rule(connection, one, "accepted", reason, name)
    audit.append(
        connection, f"account:{name}", "odd answer accepted", f"case:{one.case}", {"question": one.question}
    )


def _return(connection: Connection, made: Return, one: Review | None) -> None:
    cases.lock(connection, made.case)
    reviews.send_back(connection, made)
    if one is not None:
        reviews.rule(connection, one, "returned", made.comment, made.author)
    audit.append(
        connection,
        f"account:{made.author}",
        "question returned",
        f"case:{made.case}",
        {"question": made.question},
    )


HANDLERS = (listed, decide, send_back)
