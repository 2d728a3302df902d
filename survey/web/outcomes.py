"""How a case ended: what the rule makes of its visits, and what a supervisor decides against it, with a reason.

The code that the rule gives stays in sight beside a decision, and a decision can be taken back. Answers that are complete
speak first: there is nothing to decide then. The page shows visits, never their notes, addresses or answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from msgspec import Struct
from sqlalchemy import Connection

from survey.access.policy import may
from survey.fieldwork.cases import Attempt, Case, Closed, Override, Reopened, disposition
from survey.fieldwork.dispositions import DISPOSITIONS, NOTES, OUTCOMES, Disposition
from survey.problems import Conflict
from survey.storage import audit, cases
from survey.storage.accounts import Account
from survey.storage.extent import extent, sufficient
from survey.web import forms, handover, ids, supervision
from survey.web.field import actor, scope
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
)  # fmt: skip
from survey.web.words import word

PAGE = "/office/outcome"
DECIDED = tuple(code for code, one in DISPOSITIONS.items() if one.category not in ("I", "P"))
"""What a supervisor may decide: an interview is made by answers alone."""


class Ended(Struct, frozen=True):
    """A case, its visits, and its final code: as it counts and as the rule alone gives it."""

    case: Case
    attempts: Sequence[Attempt]
    counts: Disposition
    derived: Disposition


def ended(connection: Connection, case: Case) -> Ended:
    """How this case stands now."""
    attempts = cases.attempts_of(connection, case.id)
    state = extent(connection, case, sufficient(connection))
    alone = msgspec.structs.replace(case, override=None)
    both = [disposition(one, attempts, state) for one in (case, alone)]
    return Ended(case, attempts, *both)


def _find(
    connection: Connection, site: Site, request: AnyRequest, case_id: str
) -> tuple[SignedIn, Account, Ended]:
    signed, account = supervision.signed_for(connection, site, request, "assign_any")
    case = cases.find(connection, case_id)
    if case is None or not may(actor(account), "assign", scope(case)):
        raise NotYours("case")
    return signed, account, ended(connection, case)


@get(PAGE + "/{case_id:str}", guards=[needs("assign")])
async def outcome(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """The visits of a case, the code they lead to, and what was decided."""
    site = site_of(request)
    return _page(request, *await site.database.read(_find, site, request, case_id))


def _page(
    request: AnyRequest, signed: SignedIn, account: Account, found: Ended, error: str = ""
) -> Response[str]:
    language = language_of(request)
    area = site_of(request).areas.get(found.case.unit.commune)
    decided = found.case.override
    return show(
        request, "supervision/outcome.html", 422 if error else 200, error=error, case=found.case.id,
        commune=area.name if area else found.case.unit.commune, back=handover.address(commune=found.case.unit.commune, area=found.case.unit.psu),
        history=[
            (OUTCOMES[one.outcome].label[language],
             (forms.moment(one.at), one.author, word(language, f"mode.{one.mode}"), *(NOTES[code][language] for code in one.codes)))
            for one in found.attempts
        ],
        derived=(found.derived.code, found.derived.label[language]),
        decided=decided and (found.counts.code, found.counts.label[language], decided.reason, decided.author, forms.moment(decided.at)),
        complete=found.case.state == "complete", reserve=found.case.reserve,
        codes=[(code, DISPOSITIONS[code].label[language]) for code in DECIDED],
        action=f"{PAGE}/{found.case.id}", **supervision.frame(request, signed, account),
    )  # fmt: skip


@post(PAGE + "/{case_id:str}", status_code=200, guards=[needs("assign")])
async def decide(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Keep a decision with its reason, or take back the one that stands."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, found = await site.database.read(_find, site, request, case_id)
    check_form(site, request, signed, form)
    deed, code, reason = (
        next(iter(form.get(name, ())), "").strip()[:500] for name in ("deed", "code", "reason")
    )
    if deed == "take_back":
        await site.database.write(_take_back, account, case_id)
        return goto(f"{PAGE}/{case_id}")
    if code not in DECIDED or not reason:
        return _page(request, signed, account, found, word(language_of(request), "outcome.needed"))
    made = Override(code=code, reason=reason, author=account.name, at=ids.milliseconds())
    try:
        await site.database.write(_decide, made, case_id)
    except Conflict as error:
        return _page(request, signed, account, found, error.message[language_of(request)])
    return goto(f"{PAGE}/{case_id}")


def _decide(connection: Connection, made: Override, case_id: str) -> None:
    cases.lock(connection, case_id)
    now = ended(connection, cases.existing(connection, case_id))
    if now.case.state == "complete":
        raise Conflict(
            {
                "vi": "Hộ đã trả lời xong, không còn gì để quyết định.",
                "en": "The household has answered; there is nothing to decide.",
            }
        )
    cases.move(connection, case_id, Closed(made))
    facts = {"code": made.code, "rule": now.derived.code}
    audit.append(connection, f"account:{made.author}", "outcome decided", f"case:{case_id}", facts)


def _take_back(connection: Connection, account: Account, case_id: str) -> None:
    cases.lock(connection, case_id)
    if cases.existing(connection, case_id).override is None:
        return  # pressed twice
    cases.move(connection, case_id, Reopened())
    audit.append(connection, f"account:{account.name}", "outcome decision taken back", f"case:{case_id}")


HANDLERS = (outcome, decide)
