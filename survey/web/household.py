"""A household answers: by its code, on any phone, one page at a time, saved before the next.

Reading a page never starts, keeps or consumes anything: links are fetched by previews. The response is opened by the
posted code, and every page is kept by its own form.
"""

from __future__ import annotations

import hmac
import secrets
import time

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.access.policy import Actor, Scope, may
from survey.fieldwork.cases import Case
from survey.questionnaire.response import Event, fold
from survey.storage import audit, cases, codes, responses, sessions
from survey.storage.responses import ResponseRecord
from survey.web import forms, ids, security
from survey.web import interview as pages
from survey.web.interview import Interview
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    check_form,
    check_origin,
    find_session,
    form_of,
    goto,
    language_of,
    show,
    site_of,
)
from survey.web.steps import ask_remove_page, check_page, read_page, remove_page, save_page
from survey.web.words import long_date, word

BASE = "/survey"
WINDOW = 600  # seconds in which wrong codes of one network are counted


# --- entry ---------------------------------------------------------------------------------------------------------


@get(["/", "/c/{code:str}"], sync_to_thread=False)
def entry(request: AnyRequest) -> Response[str]:
    """The first page. With a code from a QR it only fills the field in: the person presses the button."""
    code = str(request.path_params.get("code", ""))
    return _entry(request, code=code[:40], confirm=bool(code))


def _entry(
    request: AnyRequest, code: str = "", error: str = "", confirm: bool = False, status: int = 200
) -> Response[str]:
    site = site_of(request)
    return show(
        request,
        "entry.html",
        status,
        code=code,
        error=error,
        confirm=confirm,
        closed=site.closed,
        resume=bool(request.cookies.get(security.HOUSEHOLD)),
        results=site.release_site is not None,
    )


@post("/code")
async def enter(request: AnyRequest) -> Response[str]:
    """The right code opens the household's response, on any phone, at the page where it stopped."""
    site = site_of(request)
    check_origin(request)
    form = await form_of(request)
    typed = next(iter(form.get("code", ())), "").strip()
    language = language_of(request)
    if not typed:
        return _entry(request, error=word(language, "entry.empty"), status=422)
    if site.closed:
        return _entry(request)
    network = _network(site, request)
    code = household_codes.normalise(typed)
    case = await site.database.read(_case_of_code, site, code) if code else None
    if case is None:
        # Only wrong codes are counted, so that a village behind one address gets in, and only those that could be
        # codes: a slip of the finger is no guess.
        tries = await site.database.write(codes.count_try, network, int(time.time()) // WINDOW) if code else 0
        if tries > site.settings.wrong_codes:
            return _entry(request, error=word(language, "entry.limited"), status=429)
        return _entry(request, code=typed, error=word(language, "entry.wrong"), status=422)
    token = await site.database.write(_begin, site, case, language)
    cookie = security.cookie(
        security.HOUSEHOLD, token, site.settings.secure_cookies, site.settings.session_hours
    )
    return goto(BASE, (cookie,))


def _network(site: Site, request: AnyRequest) -> str:
    """The caller's address as a keyed hash: it is counted, never kept."""
    address = request.client.host if request.client else ""
    return "code:" + hmac.digest(site.keys.sessions, address.encode(), "sha256").hex()[:32]


def _case_of_code(connection: Connection, site: Site, code: str) -> str | None:
    return codes.find(connection, household_codes.digest(code, site.keys.codes))


def _begin(connection: Connection, site: Site, case: str, language: str) -> str:
    """A session for the case, and its response if it has none of its own yet."""
    token, _ = security.begin(connection, security.HOUSEHOLD, case, site.settings.session_hours)
    cases.lock(connection, case)
    if own_record(responses.by_case(connection, case)) is None:
        new = secrets.token_hex(16)
        version = site.survey.version
        responses.open(connection, new, case, version, "self")
        author = f"household:{case}"
        responses.append(connection, [forms.opened(new, author, "self", language, version, forms.today())])
    audit.append(connection, f"household:{case}", "code used", f"case:{case}")
    return token


def own_record(records: list[ResponseRecord]) -> ResponseRecord | None:
    """The response the household began itself; a visit's is another, which it neither sees nor changes."""
    return next((record for record in records if record.mode == "self"), None)


# --- what a request finds ------------------------------------------------------------------------------------------


class Here:
    """A household's request: its session, case and interview as they are now."""

    def __init__(
        self, site: Site, signed: SignedIn, case: Case, record: ResponseRecord, interview: Interview
    ) -> None:
        self.site, self.signed, self.case, self.record, self.interview = site, signed, case, record, interview

    @property
    def by_visit(self) -> bool:
        """The household has answered to an official: its own form is no longer needed."""
        return self.case.state == "complete" and self.case.response != self.record.id

    @property
    def over(self) -> bool:
        return self.record.submitted or self.by_visit or self.site.closed


def _find(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Case, ResponseRecord, list[Event]]:
    signed = find_session(site, connection, request, security.HOUSEHOLD)
    case = cases.existing(connection, signed.session.subject)
    record = own_record(responses.by_case(connection, case.id))
    if record is None or not may(Actor(role="household", name=case.id), "answer", Scope(case=case.id)):
        raise NotYours(security.HOUSEHOLD)
    return signed, case, record, responses.events(connection, record.id)


async def _here(request: AnyRequest) -> Here:
    site = site_of(request)
    signed, case, record, events = await site.database.read(_find, site, request)
    questionnaire = await site.questionnaire(record.version)
    interview = Interview(
        questionnaire, fold(record.id, events), f"household:{case.id}", "self", BASE, language_of(request)
    )
    return Here(site, signed, case, record, interview)


async def _with_form(request: AnyRequest) -> tuple[Here, dict[str, list[str]]]:
    here = await _here(request)
    form = await form_of(request)
    check_form(here.site, request, here.signed, form)
    return here, form


def _page(request: AnyRequest, here: Here, view: pages.PageView, status: int = 200) -> Response[str]:
    return show(
        request,
        "page.html",
        422 if view.errors else status,
        page=view,
        csrf=here.signed.csrf,
        stop="/stop",
    )


# --- pages ---------------------------------------------------------------------------------------------------------


@get(BASE)
async def resume(request: AnyRequest) -> Response[str]:
    """Where the household stopped."""
    here = await _here(request)
    return goto(f"{BASE}/receipt" if here.over else here.interview.next_url())


@get([BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"])
async def read(request: AnyRequest, page: FromPath[str], row: FromPath[str] = "") -> Response[str]:
    """One page with what is kept."""
    here = await _here(request)
    if here.over:
        return goto(f"{BASE}/receipt")
    shown = read_page(here.interview, page, row, change=request.query_params.get("change") == "1")
    return _page(request, here, shown) if isinstance(shown, pages.PageView) else goto(shown)


@post([BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"], status_code=200)
async def save(request: AnyRequest, page: FromPath[str], row: FromPath[str] = "") -> Response[str]:
    """Keep one page, then show the next; or show it again with everything that is wrong."""
    here, form = await _with_form(request)
    if here.over:
        return goto(f"{BASE}/receipt")
    change = request.query_params.get("change") == "1"
    answer = save_page(here.interview, here.case.unit.respondent_draw, page, row, form, change)
    return await _kept(request, here, answer)


@get(BASE + "/p/{page:str}/{row:str}/remove")
async def ask_remove(request: AnyRequest, page: FromPath[str], row: FromPath[str]) -> Response[str]:
    here = await _here(request)
    return ask_remove_page(request, here.interview, here.signed, page, row)


@post(BASE + "/p/{page:str}/{row:str}/remove", status_code=200)
async def remove(request: AnyRequest, page: FromPath[str], row: FromPath[str]) -> Response[str]:
    here, form = await _with_form(request)
    return await _kept(request, here, remove_page(here.interview, page, row, form))


async def _kept(
    request: AnyRequest, here: Here, answer: tuple[tuple[Event, ...], str] | pages.PageView
) -> Response[str]:
    if isinstance(answer, pages.PageView):
        return _page(request, here, answer, 422)
    events, url = answer
    if events:
        await here.site.database.write(responses.append, events)
    return goto(url)


@get(BASE + "/check")
async def check(request: AnyRequest) -> Response[str]:
    """All answers before they are sent."""
    here = await _here(request)
    if here.over:
        return goto(f"{BASE}/receipt")
    return check_page(request, here.interview, here.signed, "/stop")


@post(BASE + "/submit", status_code=200)
async def submit(request: AnyRequest) -> Response[str]:
    here, form = await _with_form(request)
    if here.over:
        return goto(f"{BASE}/receipt")
    if (left := here.interview.next_url()) != f"{BASE}/check":
        return goto(left)
    await here.site.database.write(responses.append, (forms.submit(here.interview, form),))
    return goto(f"{BASE}/receipt")


@get(BASE + "/receipt")
async def receipt(request: AnyRequest) -> Response[str]:
    """What happened, the number to keep, and until when the answers can be corrected."""
    here = await _here(request)
    if not here.over:
        return goto(BASE)
    plan = here.site.survey.plan
    correct = here.record.submitted and not here.site.closed and not here.by_visit
    return show(
        request,
        "receipt.html",
        number=ids.receipt_number(here.record.id) if here.record.submitted else "",
        by_visit=here.by_visit,
        back_to_list="",
        reopen=f"{BASE}/reopen" if correct else "",
        closes=long_date(here.interview.language, plan.dates.closes),
        stop="/stop",
        csrf=here.signed.csrf,
        form=ids.new_form_id(),
    )


@post(BASE + "/reopen", status_code=200)
async def reopen(request: AnyRequest) -> Response[str]:
    """Open the answers for correction; the case stays complete."""
    here, form = await _with_form(request)
    if here.record.submitted and not here.site.closed and not here.by_visit:
        await here.site.database.write(responses.append, (forms.reopen(here.interview, form),))
        return goto(f"{BASE}/check")
    return goto(f"{BASE}/receipt")


@post("/stop", status_code=200)
async def stop(request: AnyRequest) -> Response[str]:
    """Close the questionnaire on this device: nothing of it stays there."""
    here, _ = await _with_form(request)
    await here.site.database.write(sessions.revoke, here.signed.session.digest)
    return goto("/stopped", (security.dropped(security.HOUSEHOLD),))


@get("/stopped", sync_to_thread=False)
def stopped(request: AnyRequest) -> Response[str]:
    language = language_of(request)
    return show(
        request,
        "message.html",
        title=word(language, "stopped.title"),
        text=word(language, "stopped.text"),
        home="/",
    )


HANDLERS = (
    entry, enter, resume, read, save, ask_remove, remove, check, submit, receipt, reopen, stop, stopped,
)  # fmt: skip
