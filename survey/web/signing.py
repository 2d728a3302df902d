"""Signing in: a name and a password, and for those who see or run more than their own cases a second step (TOTP).

Wrong passwords are counted so that nobody guesses on and no stranger locks anybody out: a browser that has signed in
before carries a mark and is counted by itself; all others are counted by network, and together. Two passwords are checked
at a time, beside the event loop: whoever sends many holds up neither households nor the memory of the machine.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import pyotp
import segno
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.response import Redirect
from sqlalchemy import Connection

from survey.access import passwords
from survey.access.codes import ALPHABET
from survey.access.passwords import prepared
from survey.access.policy import SECOND_STEP
from survey.storage import accounts, audit, codes, factors, sessions
from survey.storage.accounts import Account
from survey.storage.codes import WINDOW
from survey.storage.factors import Factor
from survey.web import security
from survey.web.field import find_account
from survey.web.guards import halfway, needs, open_to_all
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
from survey.web.words import word

OF_ONE, OF_NETWORK, OF_ALL = 10, 60, 100
"""Wrong passwords for one name from one known browser or one network, for all names from one network, and for one name from
all unknown browsers together."""
KNOWN, KNOWN_HOURS = "known", 180 * 24
"""The mark of a browser in which somebody has signed in before. It opens nothing."""
MACHINES = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")
"""As browsers name them, the more telling first."""
HALF_HOURS = 1  # to find the phone and set it up
RECOVERY = 10  # codes for the day when the phone is gone
HOME = {
    "official": "/field",
    "auditor": "/office/audit",
    "administrator": "/office/accounts",
}  # others: /office
STEP, ENROL = "/office/second-step", "/office/second-step/new"
_hasher = PasswordHasher()
_hashing = ThreadPoolExecutor(2, thread_name_prefix="survey-password")


@cache
def _nobody() -> str:
    """What an unknown name is compared with: it takes as long as a wrong password. Made when it is first needed."""
    return _hasher.hash("nobody has this password")


# --- name and password ---------------------------------------------------------------------------------------------


@get(["/field/sign-in", "/office/sign-in"], sync_to_thread=False, guards=[open_to_all])
def sign_in_page(request: AnyRequest) -> Response[str]:
    return _sign_in(request)


def _sign_in(request: AnyRequest, name: str = "", error: str = "", status: int = 200) -> Response[str]:
    office = request.url.path.startswith("/office")
    title = word(language_of(request), "office.sign_in" if office else "field.sign_in")
    return show(
        request, "sign_in.html", status, title=title, action=request.url.path, name=name, error=error,
        demonstration=office and not site_of(request).settings.second_step,
    )  # fmt: skip


@post(["/field/sign-in", "/office/sign-in"], status_code=200, guards=[open_to_all])
async def sign_in(request: AnyRequest) -> Response[str]:
    """One answer for a wrong name and a wrong password; after many wrong ones it must wait, right or wrong."""
    site = site_of(request)
    check_origin(request)
    form = await form_of(request)
    name, password = (next(iter(form.get(field, ())), "") for field in ("name", "password"))
    name, language = name.strip(), language_of(request)
    counted, window = _counted(site, request, name), int(time.time()) // WINDOW
    account, shut = await site.database.write(_count, name, counted, window)
    if shut:
        return _sign_in(request, name, word(language, "field.limited"), 429)
    known = await checked(account.password if account else _nobody(), password)
    if account is None or account.disabled_at is not None or not known:
        return _sign_in(request, name, word(language, "field.wrong"), 422)
    await site.database.write(_uncount, counted, window)
    if site.settings.second_step and account.role in SECOND_STEP:
        token, enrolled = await site.database.write(_halfway, account.name)
        half = security.cookie(security.HALF, token, site.settings.secure_cookies, HALF_HOURS)
        return goto(STEP if enrolled else ENROL, (half,))
    return await _in(site, request, account)


def _counted(site: Site, request: AnyRequest, name: str) -> dict[str, int]:
    """As whom a wrong password for this name counts, and how often each may."""
    key, mark = site.keys.sessions, security.sent(request, KNOWN)
    number, _, seal = mark.partition(".")
    if seal and hmac.compare_digest(_mark(site, name, number).encode(), mark.encode()):
        return {security.keyed(key, "known", mark): OF_ONE}
    network = security.network(key, request)
    return {
        security.keyed(key, "from", f"{name} {network}"): OF_ONE,
        security.keyed(key, "from", network): OF_NETWORK,
        security.keyed(key, "name", name): OF_ALL,
    }


def _mark(site: Site, name: str, number: str) -> str:
    return f"{number}." + security.keyed(site.keys.sessions, "mark", f"{name} {number}").removeprefix("mark:")


def _count(
    connection: Connection, name: str, counted: dict[str, int], window: int
) -> tuple[Account | None, bool]:
    """Count a try before it is made, so that of a hundred at the same moment no more are made than one after the other."""
    shut = False
    for subject, most in counted.items():
        shut = codes.count_try(connection, subject, window) > most
        if shut:  # one network alone does not use up the tries of all others
            break
    return accounts.find(connection, name), shut


def _uncount(connection: Connection, counted: dict[str, int], window: int) -> None:
    """It was the right password."""
    for subject in counted:
        codes.take_back(connection, subject, window)


async def checked(kept: str, password: str) -> bool:
    """Whether this is the password of that hash: a tenth of a second of a processor and 64 MiB, so beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_hashing, _right, kept, password)


async def hashed(password: str) -> str:
    """The hash by which a password is kept."""
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, prepared(password))


async def weakness(password: str, name: str, *, second_step: bool = False) -> passwords.Weakness | None:
    """Why this password of an account is not taken, beside the event loop."""
    judged = partial(passwords.weakness, password, (name,), second_step=second_step)
    return await asyncio.get_running_loop().run_in_executor(_hashing, judged)


def _right(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, prepared(password))
    except (VerificationError, InvalidHashError):
        return False


async def _in(site: Site, request: AnyRequest, account: Account, half: SignedIn | None = None) -> Redirect:
    """The session, and the mark of this browser."""
    token = await site.database.write(_begin, site, request, account, half.session.digest if half else "")
    cookies = (session_cookie(site, token), known_cookie(site, account.name))
    home = HOME.get(account.role, "/office")
    return goto(
        home, (*cookies, security.dropped(security.HALF, site.settings.secure_cookies)) if half else cookies
    )


def session_cookie(site: Site, token: str) -> Cookie:
    return security.cookie(security.ACCOUNT, token, site.settings.secure_cookies, site.settings.session_hours)


def known_cookie(site: Site, name: str) -> Cookie:
    """The mark of a browser in which this person has signed in."""
    mark = _mark(site, name, secrets.token_hex(8))
    return security.cookie(KNOWN, mark, site.settings.secure_cookies, KNOWN_HOURS)


def _begin(connection: Connection, site: Site, request: AnyRequest, account: Account, half: str) -> str:
    if half:
        sessions.revoke(connection, half)
    audit.append(connection, f"account:{account.name}", "sign in", f"account:{account.name}")
    return new_session(connection, site, request, account.name)


def new_session(connection: Connection, site: Site, request: AnyRequest, name: str) -> str:
    """A session of this account; it remembers what kind of machine it is on, for the page of one's own account."""
    said = request.headers.get("user-agent", "")
    facts = {"machine": next((one for one in MACHINES if one in said), "")}
    token, _ = security.begin(connection, security.ACCOUNT, name, site.settings.session_hours, facts)
    return token


@post("/field/sign-out", status_code=200, guards=[needs("keep_account")])
async def sign_out(request: AnyRequest) -> Response[str]:
    site = site_of(request)
    signed, account = await site.database.read(find_account, site, request)
    check_form(site, request, signed, await form_of(request))
    await site.database.write(sessions.revoke, signed.session.digest)
    page = "/field/sign-in" if account.role == "official" else "/office/sign-in"
    return goto(page, (security.dropped(security.ACCOUNT, site.settings.secure_cookies),))


# --- the second step -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Halfway:
    """Whose password was right, and the second step that is still to come."""

    signed: SignedIn
    account: Account
    factor: Factor


def _halfway(connection: Connection, name: str) -> tuple[str, bool]:
    """A session that opens nothing but the second step; the first time with a new secret."""
    token, _ = security.begin(connection, security.HALF, name, HALF_HOURS)
    factors.propose(connection, name, pyotp.random_base32())
    factor = factors.find(connection, name)
    return token, factor is not None and factor.confirmed_at is not None


def _found(connection: Connection, site: Site, request: AnyRequest) -> Halfway:
    signed = find_session(site, connection, request, security.HALF)
    account, factor = (
        accounts.find(connection, signed.session.subject),
        factors.find(connection, signed.session.subject),
    )
    if account is None or account.disabled_at is not None or factor is None:
        raise NotYours(security.HALF)
    return Halfway(signed, account, factor)


@get(STEP, guards=[halfway])
async def step_page(request: AnyRequest) -> Response[str]:
    site = site_of(request)
    half = await site.database.read(_found, site, request)
    return _ask(request, half) if half.factor.confirmed_at else goto(ENROL)


def _ask(request: AnyRequest, half: Halfway, error: str = "", status: int = 200) -> Response[str]:
    """The code, and the first time what the phone must be shown."""
    issuer = site_of(request).survey.plan.title
    address = pyotp.TOTP(half.factor.secret).provisioning_uri(
        name=half.account.name, issuer_name=next(iter(issuer.values()), "survey")
    )
    new = half.factor.confirmed_at is None
    return show(
        request,
        "second_step.html",
        status,
        error=error,
        action=ENROL if new else STEP,
        qr=segno.make(address, error="m").svg_data_uri(scale=5, border=4, light="#fff") if new else "",
        secret=" ".join(half.factor.secret[at : at + 4] for at in range(0, 32, 4)) if new else "",
        csrf=half.signed.csrf,
    )


@post(STEP, status_code=200, guards=[halfway])
async def step(request: AnyRequest) -> Response[str]:
    """A code of the app, each taken once, or a recovery code."""
    site = site_of(request)
    half = await site.database.read(_found, site, request)
    form = await form_of(request)
    check_form(site, request, half.signed, form)
    if half.factor.confirmed_at is None:
        return goto(ENROL)
    typed = "".join(letter for letter in next(iter(form.get("code", ())), "").upper() if letter.isalnum())
    if not await site.database.write(_second, site, half.account.name, typed):
        return _wrong(request, half)
    return await _in(site, request, half.account, half.signed)


def _second(connection: Connection, site: Site, name: str, typed: str) -> bool:
    """Whether the code is right. Only whoever knows the password comes here: counting by account locks out no owner."""
    subject, window = security.keyed(site.keys.sessions, "second", name), int(time.time()) // WINDOW
    factor = factors.find(connection, name)
    if factor is None or codes.tries(connection, subject, window) >= OF_ONE:
        return False
    moment = matching_step(factor.secret, typed, time.time())
    if moment is not None and factors.use_step(connection, name, moment):
        return True
    left = factors.use_recovery(connection, name, recovery_digest(site, name, typed))
    if left is not None:
        audit.append(connection, f"account:{name}", "recovery code used", f"account:{name}", {"left": left})
        return True
    codes.count_try(connection, subject, window)
    audit.append(connection, f"account:{name}", "wrong second step", f"account:{name}")
    return False


def matching_step(secret: str, typed: str, at: float) -> int | None:
    """The time step of which this is the code: the present one, or a neighbour for clocks that are off (RFC 6238, 5.2)."""
    app, present = pyotp.TOTP(secret), int(at) // 30
    for number in (present, present - 1, present + 1):
        if hmac.compare_digest(app.generate_otp(number).encode(), typed.encode()):
            return number
    return None


def recovery_digest(site: Site, name: str, code: str) -> str:
    return security.keyed(site.keys.lasting, "recovery", f"{name} {code}")


def _wrong(request: AnyRequest, half: Halfway) -> Response[str]:
    return _ask(request, half, word(language_of(request), "second.wrong"), 422)


# --- setting it up -------------------------------------------------------------------------------------------------


@get(ENROL, guards=[halfway])
async def enrol_page(request: AnyRequest) -> Response[str]:
    site = site_of(request)
    half = await site.database.read(_found, site, request)
    return goto(STEP) if half.factor.confirmed_at else _ask(request, half)


@post(ENROL, status_code=200, guards=[halfway])
async def enrol(request: AnyRequest) -> Response[str]:
    """The first code proves that the phone has the secret; then the recovery codes are shown, once."""
    site = site_of(request)
    half = await site.database.read(_found, site, request)
    form = await form_of(request)
    check_form(site, request, half.signed, form)
    if half.factor.confirmed_at is not None:
        return goto(STEP)
    typed = "".join(next(iter(form.get("code", ())), "").split())
    moment = matching_step(half.factor.secret, typed, time.time())
    if moment is None:
        return _wrong(request, half)
    made = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY)]
    name = half.account.name
    kept = [recovery_digest(site, name, code) for code in made]
    if not await site.database.write(_confirm, name, moment, kept):
        return goto(STEP)
    page = await _in(site, request, half.account, half.signed)
    return show(
        request, "recovery.html", cookies=tuple(page.cookies), codes=[f"{code[:5]}-{code[5:]}" for code in made],
        home=page.url,
    )  # fmt: skip


def _confirm(connection: Connection, name: str, moment: int, kept: list[str]) -> bool:
    if not factors.confirm(connection, name, moment, kept):
        return False
    audit.append(connection, f"account:{name}", "second step set up", f"account:{name}")
    return True


HANDLERS = (sign_in_page, sign_in, sign_out, step_page, step, enrol_page, enrol)
