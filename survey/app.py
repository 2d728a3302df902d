"""The web application put together: the only place where settings, storage and pages meet."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException, InternalServerException, NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from survey import logs
from survey.fieldwork.areas import areas, as_of
from survey.folder import read_areas
from survey.problems import Refused, SurveyError, Unavailable, tell
from survey.settings import ADDRESS_VARIABLE, SETTINGS_VARIABLE, Settings, keys
from survey.storage import surveys, tallies
from survey.storage.database import Database
from survey.storage.vault import Vault, carried
from survey.web import (
    account,
    accounts,
    assets,
    backchecks,
    booklet,
    conflicts,
    description,
    duties,
    enrolment,
    entry,
    field,
    handover,
    health,
    household,
    listings,
    members,
    mydata,
    office,
    outcomes,
    packing,
    phone,
    phones,
    quarantined,
    reissue,
    review,
    sealed,
    security,
    signing,
    supervision,
    sync,
    trail,
)
from survey.web.guards import open_to_all
from survey.web.site import ForgedForm, NotYours, Site, by_household, by_script, goto, message, site_of
from survey.web.traffic import TooMuch

BODY_LIMIT = 256 * 1024


class NoSurvey(SurveyError):
    """The database holds no survey yet."""

    code = "no_survey"


class SecondStepNeeded(SurveyError):
    """Only an invented survey may be shown without the second step of signing in."""

    code = "second_step_needed"


FIRST_COUNT, COUNT_EVERY = 2, 600
"""Seconds after the start, and between one count and the next."""


async def _keep_counting(database: Database) -> None:
    """Count what has changed now and then, so that whoever looks at figures finds little left to be counted."""
    wait = FIRST_COUNT
    while True:
        await asyncio.sleep(wait)
        with contextlib.suppress(SurveyError):  # the database is away: the next time
            await asyncio.to_thread(tallies.refresh, database)
        wait = COUNT_EVERY


def create_app(settings: Settings, database: Database | None = None) -> Litestar:
    """The application for one survey folder and one database, which must hold a loaded sample (`survey load`).

    `database` may be handed over open (then the caller closes it); otherwise it is opened here and closed at the end.
    """
    opened = database or Database.open(settings.database)
    with opened.reading() as connection:
        survey = surveys.current(connection)
    if survey is None:
        raise NoSurvey(
            {
                "vi": "Cơ sở dữ liệu chưa có khảo sát. Hãy chạy: survey load",
                "en": "The database holds no survey yet. Run: survey load",
            }
        )
    if not settings.second_step and not survey.synthetic:
        raise SecondStepNeeded(
            {
                "vi": "Khảo sát thật luôn cần bước đăng nhập thứ hai. Hãy bỏ --demonstration.",
                "en": "A real survey always asks for the second step of signing in. Leave out --demonstration.",
            }
        )
    known = as_of(
        areas(read_areas(settings.folder / survey.plan.territory.areas)), survey.plan.territory.as_of
    )
    secret = keys(settings.database)
    opened.hold_key(secret.identities)
    with opened.reading() as connection:
        Vault(
            connection
        )  # another key than the one that sealed this database is told now, not to the first household
        secret = carried(connection, secret)

    def oversight() -> Any:
        from survey.oversight import Oversight  # loads the statistics, which nothing else of the web needs

        return Oversight(opened, settings.folder)

    site = Site(settings, opened, secret, survey, known, oversight)

    @contextlib.asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        counting = asyncio.create_task(_keep_counting(opened))
        yield
        counting.cancel()
        if database is None:
            opened.close()

    handlers: list[Any] = [
        *entry.HANDLERS,
        *household.HANDLERS,
        *members.HANDLERS,
        *mydata.HANDLERS,
        *reissue.HANDLERS,
        *field.HANDLERS,
        *phone.HANDLERS,
        *phones.HANDLERS,
        *sync.HANDLERS,
        *sealed.HANDLERS,
        *signing.HANDLERS,
        *office.HANDLERS,
        *supervision.HANDLERS,
        *handover.HANDLERS,
        *quarantined.HANDLERS,
        *review.HANDLERS,
        *listings.HANDLERS,
        *outcomes.HANDLERS,
        *conflicts.HANDLERS,
        *backchecks.HANDLERS,
        *duties.HANDLERS,
        *accounts.HANDLERS,
        *account.HANDLERS,
        *enrolment.HANDLERS,
        *trail.HANDLERS,
        *health.HANDLERS,
        *assets.HANDLERS,
        *booklet.HANDLERS,
        *description.HANDLERS,
        results_root,
        results_file,
    ]
    app = Litestar(
        route_handlers=handlers,
        lifespan=[lifespan],
        openapi_config=None,
        before_send=[security.add_headers],
        middleware=[site.traffic.around, packing.around],
        exception_handlers={
            NotYours: _not_yours,
            ForgedForm: _forged,
            Refused: _not_found,
            TooMuch: _too_much,
            Unavailable: _busy,
            SurveyError: _broken,
            HTTPException: _http,
            Exception: _broken,
        },
        request_max_body_size=BODY_LIMIT,
        logging_config=None,
    )
    app.state.site = site
    return app


@get("/results", sync_to_thread=False, guards=[open_to_all])
def results_root(request: Request[Any, Any, Any]) -> Response[str]:
    """The site's links are relative, so its first page is asked for by name."""
    return (
        goto("/results/index.html") if site_of(request).release_site else message(request, "not_found", 404)
    )


@get("/results/{name:path}", sync_to_thread=True, guards=[open_to_all])
def results_file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """One file of the static site that the release wrote, and nothing outside it."""
    folder = site_of(request).release_site
    named = "\0" not in name  # which no file system takes
    file = (folder / name.lstrip("/")).resolve() if folder and named else None
    if folder is None or file is None or not file.is_file() or folder.resolve() not in file.parents:
        return message(request, "not_found", 404)
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Response(
        file.read_bytes(), media_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    )


# --- every error a person can meet -----------------------------------------------------------------------------------


def _not_yours(request: Request[Any, Any, Any], error: NotYours) -> Response[str]:
    """No session: the way back in. A case of somebody else: the same answer as one that is not there."""
    if error.kind == security.HOUSEHOLD:
        return message(request, "session", 401)
    if error.kind == security.ACCOUNT and by_script(request):
        return message(request, "session", 401)
    if error.kind in (security.ACCOUNT, security.HALF):
        return goto("/office/sign-in" if request.url.path.startswith("/office") else "/field/sign-in")
    return message(request, "not_found", 404, "/field")


def _forged(request: Request[Any, Any, Any], _: ForgedForm) -> Response[str]:
    return message(request, "forbidden", 403)


def _not_found(request: Request[Any, Any, Any], _: Exception) -> Response[str]:
    return message(request, "not_found", 404)


def _busy(request: Request[Any, Any, Any], error: Unavailable) -> Response[str]:
    page = message(request, "busy", 503, again=_can_be_sent_again(request))
    page.headers["retry-after"] = str(error.retry_after)
    return page


def _too_much(request: Request[Any, Any, Any], error: TooMuch) -> Response[str]:
    page = message(request, "crowded", 429)
    page.headers["retry-after"] = str(error.retry_after)
    return page


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    if isinstance(error, NotFoundException) or error.status_code in (404, 405):
        return message(request, "not_found", 404)
    if isinstance(error, InternalServerException) and error.detail == _CUT_OFF:
        return message(
            request, "forbidden", 400
        )  # the network's fault, or theirs: nothing for the log of ours
    return (
        message(request, "forbidden", error.status_code)
        if error.status_code < 500
        else _broken(request, error)
    )


_CUT_OFF = "client disconnected prematurely"
"""What Litestar says when a body ends before its end, or is no HTTP."""


def _broken(request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    """Our fault: told to the log with its place, to the person without."""
    logging.getLogger("survey").error("%s %s", request.method, _route(request), exc_info=error)
    return message(request, "broken", 500, again=_can_be_sent_again(request))


def _can_be_sent_again(request: Request[Any, Any, Any]) -> bool:
    """A household's form, read whole; files (photos) cannot be put into a page."""
    plain = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return plain and by_household(request) and hasattr(request.state, "sent")


def _route(request: Request[Any, Any, Any]) -> str:
    """The pattern of the address, not the address: cases and codes stay out of the log."""
    handler = request.scope.get("route_handler")
    return ", ".join(sorted(handler.paths)) if isinstance(handler, BaseRouteHandler) else "?"


# --- serving ---------------------------------------------------------------------------------------------------------


def from_environment() -> ASGIApp:
    """The application as `survey.serving` told its worker to be. What is wrong is said once, and the worker ends."""
    logs.write_lines()
    text = os.environ[SETTINGS_VARIABLE]
    settings = msgspec.json.decode(text, type=Settings, dec_hook=lambda kind, value: kind(value))
    try:
        app = create_app(settings)
    except SurveyError as problem:
        tell(problem)
        raise SystemExit(1) from problem
    print(os.environ[ADDRESS_VARIABLE], flush=True)
    return behind_proxies(app, settings.proxies)


def behind_proxies(app: ASGIApp, proxies: tuple[str, ...]) -> ASGIApp:
    """The application that sees the caller's own address when a proxy that we know has passed it on."""
    from granian.utils.proxies import wrap_asgi_with_proxy_headers

    wrapped: ASGIApp = wrap_asgi_with_proxy_headers(app, trusted_hosts=list(proxies))
    return wrapped
