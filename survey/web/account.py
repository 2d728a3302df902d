"""One's own account: where one is signed in, an end to any of it, and another password."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access import passwords
from survey.access.policy import SECOND_STEP, Scope, may
from survey.storage import accounts, audit, codes, sessions
from survey.storage.accounts import Account
from survey.storage.sessions import Session
from survey.web import security, signing
from survey.web.field import actor, find_account
from survey.web.forms import moment
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

PAGE = "/field/account"


@dataclass(frozen=True)
class Line:
    """One session as drawn; `id` opens nothing."""

    id: str
    since: str
    until: str
    machine: str
    this: bool


def _find(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account, list[Session]]:
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "keep_account", Scope(account=account.name)):
        raise NotYours(security.ACCOUNT)
    return signed, account, sessions.of_subject(connection, security.ACCOUNT, account.name)


@get(PAGE, guards=[needs("keep_account")])
async def page(request: AnyRequest) -> Response[str]:
    """Every session of this account, and the form for another password."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    return _page(request, signed, account, found, done=request.query_params.get("done") == "1")


def _page(
    request: AnyRequest, signed: SignedIn, account: Account, found: Sequence[Session], error: str = "", done: bool = False
) -> Response[str]:  # fmt: skip
    language = language_of(request)
    lines = [
        Line(
            named(one), moment(one.created_at), moment(one.expires_at),
            one.data.get("machine") or word(language, "account.machine"), one.digest == signed.session.digest,
        )
        for one in found
    ]  # fmt: skip
    return show(
        request, "account.html", 422 if error else 200, account=account.name, lines=lines, error=error, done=done,
        home=signing.HOME.get(account.role, "/office"), csrf=signed.csrf,
        least=passwords.WITH_SECOND_STEP if account.role in SECOND_STEP else passwords.ALONE,
    )  # fmt: skip


def named(session: Session) -> str:
    """What the page calls a session by."""
    return security.digest(session.digest)[:16]


@post(PAGE + "/sessions/{session:str}", status_code=200, guards=[needs("keep_account")])
async def end_session(request: AnyRequest, session: FromPath[str]) -> Response[str]:
    """End one session of one's own: a phone left somewhere, a computer in the office."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    check_form(site, request, signed, await form_of(request))
    ended = next((one for one in found if named(one) == session), None)
    if ended is None:
        raise NotYours("case")
    await site.database.write(_end, account.name, ended)
    return goto(PAGE)


def _end(connection: Connection, name: str, ended: Session) -> None:
    sessions.revoke(connection, ended.digest)
    audit.append(connection, f"account:{name}", "end session", f"account:{name}")


@post(PAGE + "/password", status_code=200, guards=[needs("keep_account")])
async def change_password(request: AnyRequest) -> Response[str]:
    """Another password, by whoever knows the present one: every other session ends, this one goes on under a new token."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    language = language_of(request)
    present, new = (next(iter(form.get(name, ())), "") for name in ("present", "new"))
    subject, window = (
        security.keyed(site.keys.sessions, "change", account.name),
        int(time.time()) // signing.WINDOW,
    )
    if await site.database.write(codes.count_try, subject, window) > signing.OF_ONE:
        return _page(request, signed, account, found, word(language, "field.limited"))
    if not await signing.checked(account.password, present):
        return _page(request, signed, account, found, word(language, "account.wrong"))
    await site.database.write(codes.take_back, subject, window)
    if weak := await signing.weakness(new, account.name, second_step=account.role in SECOND_STEP):
        return _page(request, signed, account, found, passwords.REFUSED[weak][language])
    token = await site.database.write(_change, site, request, account.name, await signing.hashed(new))
    return goto(f"{PAGE}?done=1", (signing.session_cookie(site, token),))


def _change(connection: Connection, site: Site, request: AnyRequest, name: str, hashed: str) -> str:
    accounts.set_password(connection, name, hashed)
    sessions.revoke_all(connection, security.ACCOUNT, name)
    audit.append(connection, f"account:{name}", "change password", f"account:{name}")
    return signing.new_session(connection, site, request, name)


HANDLERS = (page, end_session, change_password)
