"""Where two answers of one household contradict, side by side, for a manager to decide: no address, no free text,
and of sensitive questions only that they were answered.

Nobody at commune level opens this, every look is in the audit log, and nothing is deleted: a decision says which of two
complete responses counts, or which of two answers that came from two phones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.fieldwork.backchecks import PREFIX
from survey.fieldwork.reviews import Contradiction, Review, contradictions, needs_household, overlaps
from survey.problems import Conflict
from survey.questionnaire import codebook, routing
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.questionnaire.response import Response as Answers
from survey.storage import audit, cases, responses, reviews
from survey.storage.accounts import Account
from survey.storage.responses import ResponseRecord
from survey.web import forms, ids, supervision
from survey.web import interview as pages
from survey.web.guards import needs
from survey.web.interview import Interview
from survey.web.noted import given, plain
from survey.web.review import question_words
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

BASE = "/office/conflicts"


@dataclass(frozen=True)
class Side:
    """One of the answers to choose from: its value in the form, how it came, and whether it counts now."""

    value: str
    mode: str
    at: str
    counts: bool


@dataclass(frozen=True)
class Difference:
    """One question that is answered differently: the answers in words in the order of the sides."""

    question: str
    said: tuple[str, ...]
    hard: bool


@dataclass(frozen=True)
class Told:
    """All responses of a case that are complete, each with its events."""

    review: Review
    counts: str
    found: tuple[tuple[ResponseRecord, list[Event]], ...]


def _listed(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Review]]:
    signed, account = supervision.signed_for(connection, site, request, "reconcile")
    return signed, account, [*reviews.doubles(connection), *reviews.waiting(connection, ("overlap",))]


@get(BASE, guards=[needs("reconcile")])
async def listed(request: AnyRequest) -> Response[str]:
    """Which households have contradicting answers; none of the answers yet."""
    site = site_of(request)
    signed, account, found = await site.database.read(_listed, site, request)
    language = language_of(request)
    lines = [(one.id, one.case, word(language, f"conflicts.{one.kind}")) for one in found]
    return show(
        request, "supervision/conflicts.html", lines=lines, **supervision.frame(request, signed, account)
    )


def _find(
    connection: Connection, site: Site, request: AnyRequest, review: str
) -> tuple[SignedIn, Account, Told]:
    signed, account = supervision.signed_for(connection, site, request, "reconcile")
    one = reviews.waiting_one(connection, review)
    if one is None or one.kind == "soft":
        raise NotYours("case")
    found = tuple(
        (record, responses.events(connection, record.id))
        for record in responses.by_case(connection, one.case)
        if record.submitted and not record.id.startswith(PREFIX) and one.response in ("", record.id)
    )
    return signed, account, Told(one, cases.existing(connection, one.case).response, found)


@get(BASE + "/{conflict:str}", guards=[needs("reconcile")])
async def side_by_side(request: AnyRequest, conflict: FromPath[str]) -> Response[str]:
    """The contradicting answers beside each other; the look is in the audit log."""
    site = site_of(request)
    signed, account, told = await site.database.read(_find, site, request, conflict)
    await site.database.write(
        audit.append, f"account:{account.name}", "look at contradiction", f"case:{told.review.case}"
    )
    return await _page(request, signed, account, told)


async def _page(
    request: AnyRequest, signed: SignedIn, account: Account, told: Told, error: str = ""
) -> Response[str]:
    site, language = site_of(request), language_of(request)
    questionnaires = {record.version: await site.questionnaire(record.version) for record, _ in told.found}
    drawing = _double if told.review.kind == "double" else _overlap
    sides, differences = drawing(told, questionnaires, language)
    return show(
        request, "supervision/conflict.html", 422 if error else 200, error=error, case=told.review.case, sides=sides,
        differences=differences, asked=any(record.mode == "self" for record, _ in told.found), base=BASE,
        conflict=told.review.id, **supervision.frame(request, signed, account),
    )  # fmt: skip


def _double(
    told: Told, questionnaires: Mapping[str, Questionnaire], language: str
) -> tuple[list[Side], list[Difference]]:
    sides, said = [], []
    for record, events in told.found:
        questionnaire, response = questionnaires[record.version], fold(record.id, events)
        interview = Interview(questionnaire, response, "", "visit", "", language)
        sides.append(
            Side(
                record.id,
                word(language, f"mode.{record.mode}"),
                forms.moment(events[-1].at),
                record.id == told.counts,
            )
        )
        said.append({_placed(questionnaire, response, key): (key, answer, interview)
                     for key, answer in _outcome(questionnaire, response).items()})  # fmt: skip
    values = [{key: plain(answer) for key, (_, answer, _) in one.items()} for one in said]
    found: dict[str, Contradiction] = {}
    for other in values[1:]:
        for one in contradictions(values[0], other):
            if one.key not in found or one.weight == "hard":
                found[one.key] = one
    newest = questionnaires[told.found[0][0].version]
    return sides, [
        Difference(
            _named(newest, one.key, language),
            tuple(_in_words(*side[one.key]) if one.key in side else "–" for side in said),
            one.weight == "hard",
        )
        for one in sorted(found.values(), key=lambda one: one.weight)
    ]


def _outcome(questionnaire: Questionnaire, response: Answers) -> dict[Key, Answer]:
    """What the response comes to, without free text and what is computed: those are nobody's decision."""
    fixed = {one.name for one in codebook.variables(questionnaire) if not one.free}
    places = index(questionnaire).places
    return {
        key: answer
        for key, answer in routing.outcome(questionnaire, response).items()
        if key.question in fixed
        and key.question in places
        and places[key.question].question.kind != "calculate"
    }


def _placed(questionnaire: Questionnaire, response: Answers, key: Key) -> str:
    """A variable's name that two responses share: rows have ids of their own, so they are numbered."""
    rows = response.rows.get(index(questionnaire).places[key.question].roster, ())
    return f"{key.question}@{rows.index(key.row) + 1}" if key.row in rows else str(key)


def _named(questionnaire: Questionnaire, key: str, language: str) -> str:
    name = Key.parse(key)
    words = question_words(questionnaire, name.question, language)
    return f"{words} ({word(language, 'conflicts.person', n=name.row)})" if name.row else words


def _in_words(key: Key, answer: Answer, interview: Interview) -> str:
    question = index(interview.questionnaire).places[key.question].question
    if answer.missing is not None:
        return interview.say(codebook.MISSING[answer.missing])
    if codebook.sensitivity(question) == "sensitive":
        return word(interview.language, "conflicts.withheld")
    return pages.said_answer(interview, question, key) or "–"


def _overlap(
    told: Told, questionnaires: Mapping[str, Questionnaire], language: str
) -> tuple[list[Side], list[Difference]]:
    (record, events), one = told.found[0], told.review
    questionnaire, response = questionnaires[record.version], fold(record.id, events)
    key = Key(one.question, one.row)
    sides, said = [], []
    for place, (event, answer) in enumerate(_two(events, key)):
        changed = msgspec.structs.replace(response, answers={**response.answers, key: answer})
        interview = Interview(questionnaire, changed, "", "visit", "", language)
        mode = word(language, f"mode.{event.mode}")
        sides.append(Side(("later", "counts")[place], mode, forms.moment(event.at), place == 1))
        said.append(_in_words(key, answer, interview))
    return sides, [Difference(question_words(questionnaire, key.question, language), tuple(said), True)]


def _two(events: Sequence[Event], key: Key) -> tuple[tuple[Event, Answer], ...]:
    """What was said later by the phones' own clocks, and what counts because it arrived last."""
    by_id = {event.id: event for event in events}
    for later, counts in overlaps(given(events)):
        if counts.key == str(key):
            return tuple((by_id[one.event], by_id[one.event].answers[str(key)]) for one in (later, counts))
    return ()


# --- deciding ------------------------------------------------------------------------------------------------------


@post(BASE + "/{conflict:str}", status_code=200, guards=[needs("reconcile")])
async def decide(request: AnyRequest, conflict: FromPath[str]) -> Response[str]:
    """Which answer counts, with the reason. What a household answered itself gives way only when it was asked."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, told = await site.database.read(_find, site, request, conflict)
    check_form(site, request, signed, form)
    chosen, reason, asked = (
        next(iter(form.get(name, ())), "").strip()[:500] for name in ("chosen", "reason", "asked")
    )
    modes = {record.id: record.mode for record, _ in told.found}
    double = told.review.kind == "double"
    error = ""
    if chosen not in (modes if double else ("later", "counts")) or not reason:
        error = "needed"
    elif not asked and (
        needs_household(chosen, modes) if double else "self" in modes.values() and chosen == "later"
    ):
        error = "household"
    if not error:
        try:
            if double:
                await site.database.write(_choose, told.review, chosen, reason, account.name, bool(asked))
            else:
                record, events = told.found[0]
                questionnaire = await site.questionnaire(record.version)
                correction = (
                    _correction(questionnaire, record, events, told.review, account)
                    if chosen == "later"
                    else []
                )
                await site.database.write(_settle, told.review, correction, chosen, reason, account.name)
        except Conflict:
            error = "incomplete"
    if error:
        return await _page(request, signed, account, told, word(language_of(request), f"conflicts.{error}"))
    return goto(BASE)


def _correction(
    questionnaire: Questionnaire,
    record: ResponseRecord,
    events: Sequence[Event],
    review: Review,
    account: Account,
) -> list[Event]:
    """The events that let the answer said later count. `Conflict` when it leads to questions that nobody asked."""
    key = Key(review.question, review.row)
    (_, answer), _ = _two(events, key)
    facts: dict[str, Any] = {"response": record.id, "at": ids.milliseconds(), "author": f"office:{account.name}",
                             "mode": events[-1].mode}  # fmt: skip
    made = [
        Event(id=ids.new_form_id(), kind="reopened", **facts),
        Event(id=ids.new_form_id(), kind="answered", answers={str(key): answer}, **facts),
        Event(id=ids.new_form_id(), kind="submitted", **facts),
    ]
    if not routing.complete(questionnaire, fold(record.id, [*events, *made[:2]])):
        raise Conflict({"vi": "Còn câu chưa hỏi.", "en": "There are questions that were not asked."})
    return made


def _choose(connection: Connection, review: Review, chosen: str, reason: str, name: str, asked: bool) -> None:
    cases.lock(connection, review.case)
    reviews.choose(connection, review, chosen, reason, name)
    _told(connection, review, name, {"counts": chosen, "household_asked": asked})


def _settle(
    connection: Connection, review: Review, correction: Sequence[Event], chosen: str, reason: str, name: str
) -> None:
    responses.append(connection, correction)
    reviews.rule(connection, review, chosen, reason, name)
    _told(connection, review, name, {"counts": chosen, "question": review.question})


def _told(connection: Connection, review: Review, name: str, details: Mapping[str, object]) -> None:
    audit.append(connection, f"account:{name}", "contradiction decided", f"case:{review.case}", details)


HANDLERS = (listed, side_by_side, decide)
