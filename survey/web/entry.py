"""In by a code and out again: the first page of a household, on any phone.

Reading a page never starts, keeps or consumes anything: links are fetched by previews. The response is opened by the
posted code.
"""

from __future__ import annotations

import secrets
import time

from litestar import Response, get, post
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.questionnaire.routing import duration
from survey.storage import audit, cases, codes, responses, sessions
from survey.storage.codes import WINDOW, Opened
from survey.web import forms, security
from survey.web.guards import needs, open_to_all
from survey.web.household import here_of
from survey.web.site import (
    AnyRequest,
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
from survey.web.words import said, word

USES = 30  # of one right code in a window: a family and its phones, not a program


@get(["/", "/code", "/c/{code:str}"], sync_to_thread=False, guards=[open_to_all])
def entry(request: AnyRequest) -> Response[str]:
    """The first page. With a code from a QR it only fills the field in: the person presses the button.

    A page that says that a code is wrong stands at /code, and is asked for again in the other language.
    """
    code = str(request.path_params.get("code", ""))
    return _entry(request, code=code[:40], confirm=bool(code))


def _entry(
    request: AnyRequest, code: str = "", error: str = "", confirm: bool = False, status: int = 200
) -> Response[str]:
    """The style stands in the page itself: it can be read after one round trip instead of two. The same style is fetched
    for print, which nothing waits for, so that it is there for the next page."""
    site = site_of(request)
    page = show(
        request,
        "entry.html",
        status,
        style=site.assets.style,
        minutes=duration(site.survey.questionnaire),
        promise=said(site.survey.plan.promise, language_of(request)),
        code=code,
        error=error,
        confirm=confirm,
        closed=site.closed,
        resume=bool(security.sent(request, security.HOUSEHOLD)),
        results=site.release_site is not None,
    )
    page.headers["content-security-policy"] = security.policy_with_style(site.assets.style)
    return page


@post("/code", guards=[open_to_all])
async def enter(request: AnyRequest) -> Response[str]:
    """The right code opens the household's response, on any phone, at the page where it stopped.

    Of a network only wrong codes are counted, and only those that could be codes (a slip of the finger is no guess),
    so that a village behind one address gets in while somebody there is guessing. A network that guesses much more
    than a village could mistype is shut out, and so for a while is a code that is used by a program.
    """
    site = site_of(request)
    check_origin(request)
    form = await form_of(request)
    typed = next(iter(form.get("code", ())), "").strip()
    language = language_of(request)
    if not typed:
        return _entry(request, error=word(language, "entry.empty"), status=422)
    code = household_codes.normalise(typed)
    if code is None:
        return _entry(request, code=typed, error=word(language, "entry.wrong"), status=422)
    digest = household_codes.digest(code, site.keys.codes)
    window, network, most = (
        int(time.time()) // WINDOW,
        security.network(site.keys.sessions, request),
        site.settings.wrong_codes,
    )
    opened, tried = await site.database.read(_look_up, digest, network, window)
    if opened is not None and not household_codes.shut_out(tried, most):
        token = await site.database.write(
            _begin_counted, site, opened, language, f"code:{digest[:32]}", window
        )
        if token is not None:
            if not token:
                return _entry(request, code=typed, error=word(language, "entry.nothing"), status=422)
            hours = site.settings.session_hours
            here = await here_of(request, token)
            return goto(
                here.address,
                (security.cookie(security.HOUSEHOLD, token, site.settings.secure_cookies, hours),),
            )
        return _entry(request, error=word(language, "entry.used"), status=429)
    tried = await site.database.write(codes.count_try, network, window)
    if tried > most:
        return _entry(request, error=word(language, "entry.limited"), status=429)
    return _entry(request, code=typed, error=word(language, "entry.wrong"), status=422)


def _look_up(connection: Connection, digest: str, network: str, window: int) -> tuple[Opened | None, int]:
    return codes.find(connection, digest), codes.tries(connection, network, window)


def _begin_counted(
    connection: Connection, site: Site, opened: Opened, language: str, code: str, window: int
) -> str | None:
    """`_begin` and the count of the code's uses in one commit, which everybody waits for; None for too many uses."""
    return (
        _begin(connection, site, opened, language)
        if codes.count_try(connection, code, window) <= USES
        else None
    )


def _begin(connection: Connection, site: Site, opened: Opened, language: str) -> str:
    """A session for the case, and its response if it has none of its own yet.

    After the cut-off nothing begins: whoever answered may see it and ask for what the law gives; "" for the others.

    The session of a code that an official issued in place of another remembers when: what was answered before stays
    closed to it.
    """
    case = opened.case
    stands = cases.lock(connection, case)
    record = responses.own(responses.by_case(connection, case))
    if record is None and site.closed:
        return ""
    facts = {"member": opened.member} if opened.member else {}
    if opened.replaces:
        facts["sealed"] = str(opened.issued_at)
    token, _ = security.begin(connection, security.HOUSEHOLD, case, site.settings.session_hours, facts)
    if record is None:
        new = secrets.token_hex(16)
        version = site.survey.version
        author, asked = f"household:{case}", site.survey.questionnaire
        first = forms.opened(new, author, "self", language, asked, forms.today(), stands.unit)
        responses.begin(connection, new, stands, version, "self", first)
    audit.append(connection, f"household:{case}", "code used", f"case:{case}")
    return token


@post("/stop", status_code=200, guards=[needs("answer")])
async def stop(request: AnyRequest) -> Response[str]:
    """Close the questionnaire on this device: nothing of it stays there."""
    site = site_of(request)
    signed = await site.database.read(_signed, site, request)
    check_form(site, request, signed, await form_of(request))
    await site.database.write(sessions.revoke, signed.session.digest)
    return goto("/stopped", (security.dropped(security.HOUSEHOLD, site.settings.secure_cookies),))


def _signed(connection: Connection, site: Site, request: AnyRequest) -> SignedIn:
    return find_session(site, connection, request, security.HOUSEHOLD)


@get("/stopped", sync_to_thread=False, guards=[open_to_all])
def stopped(request: AnyRequest) -> Response[str]:
    language = language_of(request)
    return show(
        request,
        "message.html",
        title=word(language, "stopped.title"),
        text=word(language, "stopped.text"),
        home="/",
    )


HANDLERS = (entry, enter, stop, stopped)
