"""The administrator's page: who has an account, a way back in for those who lost theirs, and an end for those who left.

An administrator sees no household and no answer. Every step is in the audit log, and nobody recovers the own account here:
whoever holds a stolen session could keep it that way (`survey recover` does it at the server).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access import passwords
from survey.access.policy import SECOND_STEP
from survey.storage import accounts, audit, factors, sessions
from survey.storage.accounts import Account
from survey.web import security, signing
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
from survey.web.supervision import frame, signed_for
from survey.web.words import word

PAGE = "/office/accounts"


@dataclass(frozen=True)
class Line:
    """One account as drawn."""

    name: str
    role: str
    communes: str
    second_step: str
    open: bool
    own: bool


def _find(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Account], frozenset[str]]:
    signed, account = signed_for(connection, site, request, "manage_accounts")
    return signed, account, accounts.every(connection), factors.confirmed(connection)


@get(PAGE, guards=[needs("manage_accounts")])
async def page(request: AnyRequest) -> Response[str]:
    return await _page(request)


async def _page(request: AnyRequest, given: str = "", password: str = "") -> Response[str]:
    site = site_of(request)
    signed, account, every, enrolled = await site.database.read(_find, site, request)
    language = language_of(request)
    lines = [
        Line(
            one.name, word(language, f"role.{one.role}"), ", ".join(_names(site, one.communes)),
            "" if one.role not in SECOND_STEP else word(language, "role.yes" if one.name in enrolled else "role.no"),
            one.disabled_at is None, one.name == account.name,
        )
        for one in every
    ]  # fmt: skip
    return show(
        request,
        "supervision/accounts.html",
        lines=lines,
        given=given,
        password=password,
        **frame(request, signed, account) | {"this_page": PAGE},
    )


def _names(site: Site, communes: tuple[str, ...]) -> list[str]:
    return [site.areas[code].name if code in site.areas else code for code in communes]


@post(PAGE + "/{name:str}/recover", status_code=200, guards=[needs("manage_accounts")])
async def recover(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """A new password, shown once; sessions end and the second step is set up anew."""
    administrator = await _allowed(request, name)
    password = passwords.made(secrets.token_bytes(16))
    hashed = await signing.hashed(password)
    await site_of(request).database.write(accounts.recover, name, hashed, f"account:{administrator}")
    return await _page(request, name, password)


@post(PAGE + "/{name:str}/disable", status_code=200, guards=[needs("manage_accounts")])
async def disable(request: AnyRequest, name: FromPath[str]) -> Response[str]:
    """Nobody signs in by it any more, and whoever is signed in is not."""
    administrator = await _allowed(request, name)
    await site_of(request).database.write(_disable, name, administrator)
    return goto(PAGE)


async def _allowed(request: AnyRequest, name: str) -> str:
    """The administrator's name, when the form is right and the account is there and another's."""
    site = site_of(request)
    signed, account, every, _ = await site.database.read(_find, site, request)
    check_form(site, request, signed, await form_of(request))
    if name == account.name or name not in {one.name for one in every if one.disabled_at is None}:
        raise NotYours("case")
    return account.name


def _disable(connection: Connection, name: str, administrator: str) -> None:
    accounts.disable(connection, name)
    sessions.revoke_all(connection, security.ACCOUNT, name)
    audit.append(connection, f"account:{administrator}", "disable account", f"account:{name}")


HANDLERS: tuple[Any, ...] = (page, recover, disable)
