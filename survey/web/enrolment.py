"""A supervisor lets an official's phone in: a square that works once, for half an hour, on the phone that scans it.

The link signs that phone in. Where the password is lost, it also asks for a new one and ends every session there was.
Reading the page consumes nothing; the button does. Both the making and the use are in the audit log.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import segno
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access import passwords
from survey.access.policy import Actor, Scope, may
from survey.storage import accounts, invitations, sessions
from survey.storage.accounts import Account
from survey.storage.invitations import PURPOSES, Invitation
from survey.web import security, signing
from survey.web.field import actor, find_account
from survey.web.guards import needs, open_to_all
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    check_form,
    check_origin,
    form_of,
    goto,
    language_of,
    show,
    site_of,
)
from survey.web.supervision import frame
from survey.web.words import word

PAGE, LINK = "/office/officials", "/field/enrol"


# --- the supervisor ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One official as drawn."""

    name: str
    communes: str


def _of(who: Actor, account: Account) -> bool:
    """Whether this is an official of whom every commune is the supervisor's."""
    return (
        account.role == "official"
        and account.disabled_at is None
        and bool(account.communes)
        and all(may(who, "let_in", Scope(account=account.name, commune=one)) for one in account.communes)
    )


def _find(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account, list[Account]]:
    signed, account = find_account(connection, site, request)
    return signed, account, [one for one in accounts.every(connection) if _of(actor(account), one)]


@get(PAGE, guards=[needs("let_in")])
async def officials(request: AnyRequest) -> Response[str]:
    """The officials of one's communes, and the two ways to let one in."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    return _page(request, signed, account, found)


def _page(
    request: AnyRequest, signed: SignedIn, account: Account, found: list[Account], name: str = "", purpose: str = "", link: str = ""
) -> Response[str]:  # fmt: skip
    site = site_of(request)
    lines = [
        Line(one.name, ", ".join(site.areas[code].name if code in site.areas else code for code in one.communes))
        for one in found
    ]  # fmt: skip
    square = (
        segno.make(link, error="m", micro=False).svg_data_uri(scale=5, border=4, light="#fff") if link else ""
    )
    return show(
        request, "supervision/officials.html", lines=lines, name=name, purpose=purpose, square=square, link=link,
        minutes=invitations.VALID_MINUTES, **frame(request, signed, account) | {"this_page": PAGE},
    )  # fmt: skip


@post(PAGE + "/{name:str}", status_code=200, guards=[needs("let_in")])
async def invite(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """Make the link and show its square, once."""
    site = site_of(request)
    signed, account, found = await site.database.read(_find, site, request)
    form = await form_of(request)
    check_form(site, request, signed, form)
    if name not in {one.name for one in found}:
        raise NotYours("case")
    purpose = next((one for one in PURPOSES if one in form.get("purpose", ())), PURPOSES[0])
    token = secrets.token_urlsafe(32)
    await site.database.write(invitations.make, security.digest(token), name, purpose, account.name)
    link = f"{request.base_url}".rstrip("/") + f"{LINK}/{token}"
    return _page(request, signed, account, found, name, purpose, link)


# --- the official's phone ------------------------------------------------------------------------------------------


def _invitation(connection: Connection, token: str) -> Invitation | None:
    found = invitations.find(connection, security.digest(token))
    account = accounts.find(connection, found.account) if found else None
    return None if account is None or account.disabled_at is not None else found


@get(LINK + "/{token:str}", guards=[open_to_all])
async def ask(request: AnyRequest, token: FromPath[str]) -> Response[str]:
    """Whom the link lets in, and the button; previews of links fetch this page and change nothing."""
    return _ask(request, token, await site_of(request).database.read(_invitation, token))


def _ask(request: AnyRequest, token: str, found: Invitation | None, error: str = "") -> Response[str]:
    if found is None:
        language = language_of(request)
        title, text = (word(language, f"enrol.{part}") for part in ("over", "over_text"))
        return show(request, "message.html", 422, title=title, text=text, home="/field/sign-in")
    return show(
        request, "enrol.html", 422 if error else 200, action=f"{LINK}/{token}", name=found.account, error=error,
        recover=found.purpose == "recover", least=passwords.ALONE,
    )  # fmt: skip


@post(LINK + "/{token:str}", status_code=200, guards=[open_to_all])
async def enrol(request: AnyRequest, token: FromPath[str]) -> Response[str]:
    """Take the invitation and sign this phone in, with a new password where the old one is lost."""
    site = site_of(request)
    check_origin(request)
    form = await form_of(request)
    found = await site.database.read(_invitation, token)
    if found is None:
        return _ask(request, token, None)
    hashed = ""
    if found.purpose == "recover":
        new = next(iter(form.get("new", ())), "")
        if weak := await signing.weakness(new, found.account):
            return _ask(request, token, found, passwords.REFUSED[weak][language_of(request)])
        hashed = await signing.hashed(new)
    session = await site.database.write(_enrol, site, request, found, hashed)
    if session is None:
        return _ask(request, token, None)
    return goto("/field", (signing.session_cookie(site, session), signing.known_cookie(site, found.account)))


def _enrol(
    connection: Connection, site: Site, request: AnyRequest, found: Invitation, hashed: str
) -> str | None:
    if not invitations.use(connection, found):
        return None
    if hashed:
        accounts.set_password(connection, found.account, hashed)
        sessions.revoke_all(connection, security.ACCOUNT, found.account)
    return signing.new_session(connection, site, request, found.account)


HANDLERS = (officials, invite, ask, enrol)
