"""A household answers: one page at a time, saved before the next, on any phone.

Whoever comes in sees his or her own part: the household everything but what a member answers by a code of his or her
own; that member only that; and a code that an official issued in place of a lost one shows nothing answered before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access.policy import Actor, Scope, may
from survey.fieldwork.cases import Case
from survey.questionnaire import response as answered
from survey.questionnaire import routing
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.published import written
from survey.questionnaire.response import Event, fold, place
from survey.questionnaire.routing import Step
from survey.storage import responses, standing
from survey.storage.database import quick
from survey.storage.responses import ResponseRecord
from survey.storage.rights import Consent
from survey.storage.standing import Standing
from survey.web import forms, ids, photos, security
from survey.web import interview as pages
from survey.web.booklet import booklet
from survey.web.guards import needs, open_to_all
from survey.web.interview import Interview
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    admitted,
    by_script,
    check_form,
    form_of,
    goto,
    language_of,
    message,
    render,
    show,
    site_of,
    then,
)
from survey.web.steps import ask_remove_page, check_page, read_page, remove_page, save_page
from survey.web.words import long_date, word

BASE = "/survey"
CONSENT = f"{BASE}/consent"


# --- what a request finds ------------------------------------------------------------------------------------------


class Here:
    """A household's request: its session, case and interview as they are now."""

    def __init__(
        self,
        site: Site,
        signed: SignedIn,
        case: Case,
        record: ResponseRecord,
        interview: Interview,
        consents: Mapping[str, Consent],
    ) -> None:
        self.site, self.signed, self.case, self.record, self.interview = site, signed, case, record, interview
        self.consents = consents

    @property
    def refused(self) -> bool:
        """Something the survey rests on was answered with no."""
        return refused(self.site, self.consents)

    @property
    def unasked(self) -> bool:
        """The survey rests on consent, and it is not (yet) given: nothing is asked."""
        return unasked(self.site, self.consents)

    @property
    def member(self) -> str:
        """The roster row of the member whose private code this is, or ""."""
        return member_of(self.signed)

    @property
    def by_visit(self) -> bool:
        """The household has answered to an official: its own form is no longer needed."""
        return self.case.state == "complete" and self.case.response != self.record.id

    @property
    def over(self) -> bool:
        return self.record.submitted or self.by_visit or self.site.closed

    @property
    def address(self) -> str:
        """Where one goes on."""
        if self.over:
            return f"{BASE}/receipt"
        return CONSENT if self.unasked else self.interview.next_url()

    @property
    def waiting(self) -> bool:
        """This part is done, and somebody else's is not."""
        done = all(self.interview.done(step) for step in self.interview.steps)
        return done and not routing.complete(self.interview.questionnaire, self.interview.response)


def refused(site: Site, consents: Mapping[str, Consent]) -> bool:
    """Something the survey rests on was answered with no."""
    return any(one.id in consents and not consents[one.id].given for one in site.survey.plan.legal.needed)


def unasked(site: Site, consents: Mapping[str, Consent]) -> bool:
    """Something that rests on consent was not asked yet, or refused although the survey rests on it."""
    return refused(site, consents) or any(one.id not in consents for one in site.survey.plan.legal.agreed)


def member_of(signed: SignedIn) -> str:
    return str(signed.session.data.get("member", ""))


@quick
def _find(connection: Connection, site: Site, request: AnyRequest, token: str) -> Found:
    token = token or security.sent(request, security.HOUSEHOLD)
    found = standing.of_session(connection, security.digest(token)) if token else None
    signed = admitted(site, request, security.HOUSEHOLD, token, found.session if found else None)
    if found is None or found.case is None or found.record is None:
        raise NotYours(security.HOUSEHOLD)
    if not may(Actor(role="household", name=found.case.id), "answer", Scope(case=found.case.id)):
        raise NotYours(security.HOUSEHOLD)
    return Found(signed, found.case, found.record, found)


@dataclass(frozen=True)
class Found:
    """What the database says, of a household that may ask."""

    signed: SignedIn
    case: Case
    record: ResponseRecord
    standing: Standing


async def here_of(request: AnyRequest, token: str = "") -> Here:
    """Whose request this is and how far the interview is; `NotYours` without a session.

    `token` is that of a session which the answer to this very request begins.
    """
    site = site_of(request)
    found = await site.database.read(_find, site, request, token)
    questionnaire = await site.questionnaire(found.record.version)
    stands = found.standing
    response = fold(found.record.id, stands.events)
    member = member_of(found.signed)
    shut: set[tuple[str, str]] = set()
    if member or stands.members:
        shut = {
            (step.page.id, step.row)
            for step in routing.path(questionnaire, response)
            if (not belongs(step, {member}) if member else belongs(step, stands.members))
        }
    if stands.earlier:
        shut |= done_in(questionnaire, fold(found.record.id, stands.earlier))
    author = f"household:{found.case.id}"
    interview = Interview(
        questionnaire, response, author, "self", BASE, language_of(request), frozenset(shut)
    )
    return Here(site, found.signed, found.case, found.record, interview, stands.consents)


def members_alone(interview: Interview) -> dict[str, str]:
    """The members who are asked about themselves on pages open to whoever writes: row and name."""
    roster_of = index(interview.questionnaire).roster_of
    return {
        step.row: interview.row_name(roster_of(step.page), step.row)
        for step in interview.steps
        if step.row and step.page.kind != "list"
    }


def belongs(step: Step, members: Set[str]) -> bool:
    """Whether a page asks one of these members about himself or herself: the lists are the household's."""
    return step.row in members and step.page.kind != "list"


def done_in(questionnaire: Questionnaire, response: answered.Response) -> set[tuple[str, str]]:
    """The pages that were done with these answers."""
    steps = routing.path(questionnaire, response)
    return {(step.page.id, step.row) for step in steps if routing.is_done(questionnaire, response, step)}


async def _with_form(request: AnyRequest) -> tuple[Here, dict[str, list[str]]]:
    here = await here_of(request)
    form = await form_of(request)
    check_form(here.site, request, here.signed, form)
    return here, form


SENDING = (
    "sending", "saved", "offline", "here", "unrecognised", "signed-out", "closed", "busy", "unsent",
    "enter",
)  # fmt: skip


def told(site: Site, language: str) -> dict[str, Any]:
    """What static/js/household.mjs needs on every page: its own words, and the files to keep for later."""
    return {
        "words": {key: word(language, f"sending.{key}") for key in SENDING},
        "shell": f"/shell/{language}",
        "files": [site.assets.url(name) for name in ("app.css", "js/household.js")],
    }


def here_told(here: Here) -> dict[str, Any]:
    """The interview as the phone goes on with it. Whoever must not see earlier answers has none sent: that part goes
    page by page."""
    interview, language = here.interview, here.interview.language
    facts = told(here.site, language) | {"over": here.over, "base": BASE, "csrf": here.signed.csrf}
    if here.signed.session.data.get("sealed"):
        return facts
    shut = {place(page, row) for page, row in interview.hidden}
    start = written(open_to(interview))
    return facts | {
        "response": here.record.id,
        "author": interview.author,
        "mode": interview.mode,
        "language": language,
        "number": here.case.unit.respondent_draw,
        "hidden": sorted(shut),
        "start": start,
        "booklet": booklet(here.site, interview.questionnaire, here.record.version, language, "self").url,
    }


def open_to(interview: Interview) -> answered.Response:
    """The response without what the hidden pages hold."""
    if not interview.hidden:
        return interview.response
    closed = {
        (question.id, step.row)
        for step in routing.path(interview.questionnaire, interview.response)
        if (step.page.id, step.row) in interview.hidden and step.page.kind != "list"
        for question in step.page.questions
    }
    kept = {
        key: answer
        for key, answer in interview.response.answers.items()
        if (key.question.split(".")[0], key.row) not in closed
    }
    return msgspec.structs.replace(interview.response, answers=kept)


@get("/shell/{language:str}", sync_to_thread=False, guards=[open_to_all])
def shell(request: AnyRequest, language: FromPath[str]) -> Response[str]:
    """An empty page that a phone shows when it has no network; its script fills it from what is kept there."""
    if language not in site_of(request).languages:
        raise NotFoundException
    site = site_of(request)
    page = render(site, "shell.html", language, failed=False, other_language="", here=told(site, language))
    return Response(page, media_type="text/html")


def _page(request: AnyRequest, here: Here, view: pages.PageView, status: int = 200) -> Response[str]:
    return show(
        request,
        "household.html",
        422 if view.errors else status,
        page=view,
        private="" if here.member or not members_alone(here.interview) else f"{BASE}/private",
        csrf=here.signed.csrf,
        stop="/stop",
        here=here_told(here),
    )


# --- pages ---------------------------------------------------------------------------------------------------------


@get(BASE, guards=[needs("answer")])
async def resume(request: AnyRequest) -> Response[str]:
    """Where the household stopped."""
    here = await here_of(request)
    return goto(here.address)


@get([BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"], guards=[needs("answer")])
async def read(request: AnyRequest, page: FromPath[str], row: FromPath[str] = "") -> Response[str]:
    """One page with what is kept."""
    here = await here_of(request)
    if here.over or here.unasked:
        return goto(here.address)
    shown = read_page(here.interview, page, row, change=request.query_params.get("change") == "1")
    return _page(request, here, shown) if isinstance(shown, pages.PageView) else goto(shown)


@get(BASE + "/photo/{digest:str}", guards=[needs("read_own")])
async def photo(request: AnyRequest, digest: FromPath[str]) -> Response[Any]:
    """A picture that this household sent, for its own pages."""
    here = await here_of(request)
    found = None if here.member else await photos.shown(here.site, here.record.id, digest)
    return found or message(request, "not_found", 404)


@post(
    [BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"],
    status_code=200,
    request_max_body_size=2 * photos.MOST_BYTES,
    guards=[needs("answer")],
)
async def save(request: AnyRequest, page: FromPath[str], row: FromPath[str] = "") -> Response[str]:
    """Keep one page, then show the next; or show it again with everything that is wrong."""
    here, form = await _with_form(request)
    if here.over or here.unasked:
        return then(request, here.address)
    form |= await photos.of_response(request, here.site, here.record.id)
    change = request.query_params.get("change") == "1"
    answer = save_page(here.interview, here.case.unit.respondent_draw, page, row, form, change)
    return await _kept(request, here, answer)


@get(BASE + "/p/{page:str}/{row:str}/remove", guards=[needs("answer")])
async def ask_remove(request: AnyRequest, page: FromPath[str], row: FromPath[str]) -> Response[str]:
    here = await here_of(request)
    return ask_remove_page(request, here.interview, here.signed, page, row)


@post(BASE + "/p/{page:str}/{row:str}/remove", status_code=200, guards=[needs("answer")])
async def remove(request: AnyRequest, page: FromPath[str], row: FromPath[str]) -> Response[str]:
    here, form = await _with_form(request)
    return await _kept(request, here, remove_page(here.interview, page, row, form))


async def _kept(
    request: AnyRequest, here: Here, answer: tuple[tuple[Event, ...], str] | pages.PageView
) -> Response[str]:
    if isinstance(answer, pages.PageView):
        return (
            Response({"again": True}, status_code=422) if by_script(request) else _page(request, here, answer)
        )
    events, url = answer
    if events:
        await here.site.database.write(responses.append, events)
    return then(request, url)


@get(BASE + "/check", guards=[needs("answer")])
async def check(request: AnyRequest) -> Response[str]:
    """All answers before they are sent."""
    here = await here_of(request)
    if here.over or here.unasked:
        return goto(here.address)
    return check_page(request, here.interview, here.signed, "/stop", here=here_told(here))


@post(BASE + "/submit", status_code=200, guards=[needs("submit")])
async def submit(request: AnyRequest) -> Response[str]:
    here, form = await _with_form(request)
    if here.over or here.unasked:
        return then(request, here.address)
    if (left := here.interview.next_url()) != f"{BASE}/check":
        return then(request, left)
    if here.waiting:
        return then(request, f"{BASE}/receipt")
    await here.site.database.write(responses.append, (forms.submit(here.interview, form),))
    return then(request, f"{BASE}/receipt")


@get(BASE + "/receipt", guards=[needs("read_own")])
async def receipt(request: AnyRequest) -> Response[str]:
    """What happened, the number to keep, and until when the answers can be corrected."""
    here = await here_of(request)
    if not here.over and not here.waiting:
        return goto(BASE)
    plan = here.site.survey.plan
    correct = here.record.submitted and not here.site.closed and not here.by_visit
    return show(
        request,
        "receipt.html",
        number=ids.receipt_number(here.record.id) if here.record.submitted else "",
        by_visit=here.by_visit,
        waiting=not here.over,
        back_to_list="",
        reopen=f"{BASE}/reopen" if correct else "",
        closes=long_date(here.interview.language, plan.dates.closes),
        stop="/stop",
        csrf=here.signed.csrf,
        form=ids.new_form_id(),
        here=here_told(here),
    )


@post(BASE + "/reopen", status_code=200, guards=[needs("reopen")])
async def reopen(request: AnyRequest) -> Response[str]:
    """Open the answers for correction; the case stays complete."""
    here, form = await _with_form(request)
    if here.record.submitted and not here.site.closed and not here.by_visit:
        await here.site.database.write(responses.append, (forms.reopen(here.interview, form),))
        return then(request, f"{BASE}/check")
    return then(request, f"{BASE}/receipt")


HANDLERS = (shell, resume, read, photo, save, ask_remove, remove, check, submit, receipt, reopen)
