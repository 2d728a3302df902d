"""The auditor's page: who did what to whom, newest first, and whether the log is whole. It holds no answers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from sqlalchemy import Connection

from survey.fieldwork.backchecks import ENDINGS
from survey.fieldwork.dispositions import DISPOSITIONS, OUTCOMES
from survey.fieldwork.plan import SurveyPlan
from survey.storage import audit
from survey.storage.accounts import Account
from survey.storage.audit import AuditLine
from survey.web.forms import TIME_ZONE
from survey.web.guards import needs
from survey.web.site import AnyRequest, SignedIn, Site, language_of, show, site_of
from survey.web.supervision import frame, signed_for
from survey.web.words import has_word, long_date, number, word

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


def _deed(language: str, action: str, plan: SurveyPlan) -> str:
    """A deed in words, and after it what the log says more closely ("visit: nobody_home"); one of an older version as it is."""
    head, _, closer = action.partition(": ")
    key = f"trail.deed.{_name(head)}"
    said = word(language, key) if has_word(language, key) else head
    return f"{said}: {_closer(language, head, closer, plan)}" if closer else said


def _name(deed: str) -> str:
    return deed.replace(" ", "_").replace("-", "_")


def _closer(language: str, head: str, closer: str, plan: SurveyPlan) -> str:
    """What stands behind the colon of a deed: the kind of a visit, of a request, of an invitation, or the purpose agreed to."""
    purpose = next((one for one in plan.legal.purposes if one.id == closer), None)
    match head.split(" ")[0]:
        case "visit" if closer in OUTCOMES:
            return OUTCOMES[closer].label[language]
        case "consent" if purpose is not None:
            return purpose.text[language]
        case "request" | "rights":
            key = f"requests.{closer}"
        case "list":
            key = f"listing.{closer}"
        case _:
            key = f"trail.closer.{_name(head.split(' ')[0])}.{closer}"
    return word(language, key) if has_word(language, key) else closer


def _details(language: str, action: str, details: Mapping[str, Any]) -> str:
    """What a line tells besides, each thing as a phrase; a thing that no version names so far stays as it was written."""
    deed = _name(action.partition(": ")[0])
    said = []
    for name, value in details.items():
        if deed.startswith("request_") and name in ("request", "deed"):
            continue  # the deed itself says them
        keys = (f"trail.detail.{deed}_{name}", f"trail.detail.{name}")
        key = next((one for one in keys if has_word(language, one)), None)
        told = _value(language, name, value)
        said.append(f"{name}: {told}" if key is None else word(language, key, value=told))
    return "; ".join(said)


def _value(language: str, name: str, value: object) -> str:
    if isinstance(value, bool):
        return word(language, f"trail.boolean.{value}")
    if isinstance(value, int | float):
        return number(language, value)
    text = str(value)
    match name:
        case "code" | "rule" if text in DISPOSITIONS:
            return f"{DISPOSITIONS[text].label[language]} ({text})"
        case "why" if text in ENDINGS:
            return ENDINGS[text][language]
        case "received":
            return long_date(language, text)
        case "hash" | "from" | "to" if len(text) == 64:
            return text[:12]
        case "mode" | "role" | "counts":
            keys = (f"{'role' if name == 'role' else 'mode'}.{text}", f"trail.side.{text}")
            return next((word(language, key) for key in keys if has_word(language, key)), text)
    return text


def _whom(language: str, named: str) -> str:
    """An account, a household or a thing by its kind and name."""
    kind, _, name = named.partition(":")
    if kind == "interview" and has_word(language, f"mode.{name}"):
        return word(language, f"mode.{name}")
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
            _deed(language, one.action, site.survey.plan),
            _whom(language, one.subject),
            _details(language, one.action, one.details),
        )
        for _, one in found[:PER_PAGE]
    ]
    older = found[PER_PAGE - 1][0] if len(found) > PER_PAGE else 0
    return show(
        request, "supervision/audit.html", lines=lines, breaks=breaks, heads=sorted(heads.items()), older=older,
        first=before is None, about=request.query_params.get("about", "").strip()[:80], **frame(request, signed, account),
    )  # fmt: skip


HANDLERS = (page,)
