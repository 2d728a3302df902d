"""What every request passes: headers, the origin of forms, sessions by cookie.

A form is accepted when the browser says that it came from this site (Sec-Fetch-Site, else Origin), and, inside a
session, when it carries the session's token. Cookies are HttpOnly and SameSite=Lax; behind https they are Secure and
bound to this very host (`__Host-`), so that no neighbouring site of the same domain can plant a session. Only a digest of
the session's token is kept. A session of the office that nobody uses for half an hour is over.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import ipaddress
import secrets
from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import Cookie
from litestar.types import Message, Scope
from sqlalchemy import Connection

from survey.problems import SurveyError
from survey.storage import sessions
from survey.storage.clock import now
from survey.storage.sessions import Session

HOUSEHOLD, ACCOUNT, HALF = "household", "account", "half"
"""Kinds of sessions and names of their cookies; HALF: the password was right, the second step is still to come."""
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types survey"
    ),
    "x-content-type-options": "nosniff",
    # Not "no-referrer": a browser then sends "Origin: null" with every form, and over plain http, or when it is too old
    # for Sec-Fetch-Site, nothing would tell our own forms from forged ones. Nothing of the address leaves the site.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
AnyRequest = Request[Any, Any, Any]

_ALWAYS = tuple((name.encode(), value.encode()) for name, value in HEADERS.items())
_NOT_KEPT = (b"cache-control", b"no-store")
_STRICT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""A year, once the site is reached over https."""


async def add_headers(message: Message, scope: Scope) -> None:
    """Security headers on every answer; pages of a session are never kept by a cache."""
    if message["type"] != "http.response.start":
        return
    headers = list(message.get("headers", ()))
    present = {bytes(name).lower() for name, _ in headers}
    headers += [one for one in _ALWAYS if one[0] not in present]
    if _NOT_KEPT[0] not in present and not scope["path"].startswith(("/static/", "/results")):
        headers.append(_NOT_KEPT)
    if Litestar.from_scope(scope).state.site.settings.secure_cookies:
        headers.append(_STRICT)
    message["headers"] = headers
    await _touch(scope)


@functools.cache
def policy_with_style(style: str) -> str:
    """The policy of a page that carries this style itself, named by its digest (CSP 3, 2.3.1): no other may stand there."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return HEADERS["content-security-policy"].replace(
        "style-src 'self'", f"style-src 'self' 'sha256-{digest}'"
    )


def same_site(request: AnyRequest) -> bool:
    """Whether a form was sent from a page of this site, as far as the browser tells (old ones tell nothing)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or origin.split("://", 1)[-1] == request.headers.get("host", "")


def network(key: bytes, request: AnyRequest) -> str:
    """The caller's network as a keyed hash: it is counted, never kept."""
    return keyed(key, "network", network_of(request.client.host if request.client else ""))


def network_of(host: str) -> str:
    """What counts as one network: an IPv4 address, or the /64 that every customer of IPv6 has whole (RFC 6177): else one
    machine had as many addresses as guesses."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def keyed(key: bytes, kind: str, text: str) -> str:
    """A name for somebody or something that is counted or recognised, from which it cannot be read back."""
    return f"{kind}:" + hmac.digest(key, f"{kind}:{text}".encode(), "sha256").hex()[:32]


def digest(token: str) -> str:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(key: bytes, token: str) -> str:
    """What a form of this session carries; useless without the cookie."""
    return hmac.digest(key, f"form:{token}".encode(), "sha256").hex()[:32]


def right_token(key: bytes, token: str, sent: str) -> bool:
    return hmac.compare_digest(form_token(key, token).encode(), sent.encode())


def begin(
    connection: Connection, kind: str, subject: str, hours: int, facts: dict[str, str] | None = None
) -> tuple[str, Session]:
    """A new session; the token goes into the cookie and nowhere else. `facts` stay with the session."""
    token = secrets.token_urlsafe(32)
    session = sessions.create(connection, digest(token), kind, subject, now() + hours * 3_600_000, facts)
    return token, session


def cookie(kind: str, token: str, secure: bool, hours: int) -> Cookie:
    return Cookie(
        key=named(kind, secure), value=token, path="/", httponly=True, samesite="lax", secure=secure,
        max_age=hours * 3600,
    )  # fmt: skip


def named(kind: str, secure: bool) -> str:
    """A cookie's name. Browsers take "__Host-…" only over https, from this very host and for all of it (RFC 6265bis)."""
    return f"__Host-{kind}" if secure else kind


def sent(request: AnyRequest, kind: str) -> str:
    """What the browser sent in a cookie of ours, or ""."""
    return request.cookies.get(named(kind, request.app.state.site.settings.secure_cookies), "")


def dropped(kind: str, secure: bool) -> Cookie:
    return Cookie(
        key=named(kind, secure), value="", path="/", httponly=True, samesite="lax", secure=secure, max_age=0
    )


# --- sessions that nobody uses ---------------------------------------------------------------------------------------

SEEN_EVERY = 5 * 60_000
"""Milliseconds after which it is noted again that a session is used: not at every page."""
_SEEN = "survey.seen"


def idle(request: AnyRequest, session: Session, minutes: int) -> bool:
    """Whether nobody has used this session for so long; else that it is used now is noted with the answer."""
    unused = now() - max(session.seen_at, session.created_at)
    if unused > minutes * 60_000:
        return True
    if unused > SEEN_EVERY:
        request.scope[_SEEN] = session.digest  # type: ignore[literal-required]
    return False


async def _touch(scope: Scope) -> None:
    digest = scope.get(_SEEN)
    if digest:
        site = Litestar.from_scope(scope).state.site
        with contextlib.suppress(SurveyError):  # a page is shown although the disk is full
            await site.database.write(sessions.touch, digest)
