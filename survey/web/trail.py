"""The auditor's page: who did what to whom, newest first, and whether the log is whole. It holds no answers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from litestar import Response, get
from sqlalchemy import Connection

from survey.fieldwork.dispositions import OUTCOMES
from survey.storage import audit
from survey.storage.accounts import Account
from survey.storage.audit import AuditLine
from survey.web.forms import TIME_ZONE
from survey.web.guards import needs
from survey.web.site import AnyRequest, SignedIn, Site, language_of, show, site_of
from survey.web.supervision import frame, signed_for
from survey.web.words import has_word, word

PER_PAGE = 100


@dataclass(frozen=True)
class Line:
    """One deed as drawn."""

    at: str
    actor: str
    action: str
    subject: str
    details: str


def _find(
    connection: Connection, site: Site, request: AnyRequest, before: int | None, about: Sequence[str]
) -> tuple[SignedIn, Account, list[tuple[int, AuditLine]], list[str], dict[str, str]]:
    signed, account = signed_for(connection, site, request, "read_audit")
    breaks = list(audit.verify(connection)) if before is None and not about else []
    found = audit.newest(connection, before, PER_PAGE + 1, about)
    return signed, account, found, breaks, audit.heads(connection)


def _about(typed: str) -> tuple[str, ...]:
    """Whom the auditor asks about: the number of a household or the name of an account."""
    name = typed.strip()[:80]
    return (f"case:{name.upper()}", f"household:{name.upper()}", f"account:{name}", name) if name else ()


def _deed(language: str, action: str) -> str:
    """A deed in words, and after it what the log says more closely ("visit: nobody_home"); one of an older version as it is."""
    head, _, closer = action.partition(": ")
    key = f"trail.deed.{head.replace(' ', '_').replace('-', '_')}"
    said = word(language, key) if has_word(language, key) else head
    outcome = OUTCOMES.get(closer)
    return f"{said}: {outcome.label[language] if outcome else closer}" if closer else said


def _whom(language: str, named: str) -> str:
    """An account, a household or a thing by its kind and name."""
    kind, _, name = named.partition(":")
    key = f"trail.whom.{kind}"
    return word(language, key, name=name) if has_word(language, key) else named


@get("/office/audit", guards=[needs("read_audit")])
async def page(request: AnyRequest) -> Response[str]:
    """The log. Its heads are to be noted down elsewhere: `survey audit verify --noted` then finds a cut-off end."""
    asked = request.query_params.get("before", "")
    site = site_of(request)
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else None
    signed, account, found, breaks, heads = await site.database.read(
        _find, site, request, before, _about(request.query_params.get("about", ""))
    )
    language = language_of(request)
    lines = [
        Line(
            datetime.datetime.fromtimestamp(one.at / 1000, TIME_ZONE).strftime("%d/%m/%Y %H:%M:%S"),
            _whom(language, one.actor),
            _deed(language, one.action),
            _whom(language, one.subject),
            ", ".join(f"{key}: {value}" for key, value in one.details.items()),
        )
        for _, one in found[:PER_PAGE]
    ]
    older = found[PER_PAGE - 1][0] if len(found) > PER_PAGE else 0
    return show(
        request, "supervision/audit.html", lines=lines, breaks=breaks, heads=sorted(heads.items()), older=older,
        first=before is None, about=request.query_params.get("about", "").strip()[:80], **frame(request, signed, account),
    )  # fmt: skip


HANDLERS = (page,)
