"""Where the list of households is wrong, and reserve households: seen and corrected by the supervisor of the communes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from litestar import Response, get, post
from sqlalchemy import Connection

from survey.access.policy import may
from survey.fieldwork import reserves
from survey.fieldwork.cases import Case, Release
from survey.fieldwork.listing import Kind, Listed
from survey.storage import audit, cases
from survey.storage.accounts import Account
from survey.web import ids, supervision
from survey.web.field import actor, scope
from survey.web.guards import needs
from survey.web.outcomes import ended
from survey.web.site import AnyRequest, SignedIn, Site, check_form, form_of, goto, language_of, show, site_of
from survey.web.words import number, word

LISTING, RESERVES = "/office/listing", "/office/reserves"


def _own(connection: Connection, account: Account, case_id: str) -> Case | None:
    """A case that the reader may hand over; None for any other, whether it is there or not."""
    case = cases.find(connection, case_id)
    return case if case is not None and may(actor(account), "assign", scope(case)) else None


# --- the list of households ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FindingLine:
    """One case as drawn: where, what was found, and what its weight is multiplied by."""

    case: str
    commune: str
    what: str
    factor: str
    by: str


def _relisted(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, list[Case]]:
    signed, account = supervision.signed_for(connection, site, request, "assign_any")
    return signed, account, cases.relisted(connection, supervision.communes_of(account))


@get(LISTING, guards=[needs("assign_any")])
async def listing(request: AnyRequest) -> Response[str]:
    """What was found instead of the list, and its effect on weights."""
    site = site_of(request)
    signed, account, found = await site.database.read(_relisted, site, request)
    return _listing(request, signed, account, found)


def _listing(
    request: AnyRequest, signed: SignedIn, account: Account, found: Sequence[Case], error: str = ""
) -> Response[str]:
    language = language_of(request)
    return show(
        request, "supervision/listing.html", 422 if error else 200, error=error, kinds=get_args(Kind),
        lines=[_line(site_of(request), language, case) for case in found],
        **supervision.frame(request, signed, account),
    )  # fmt: skip


def _line(site: Site, language: str, case: Case) -> FindingLine:
    found = case.finding
    assert found is not None  # it was asked for
    factor = f"1/{found.number}" if found.kind == "merged" else number(language, found.factor)
    what = word(language, f"listing.{found.kind}") + (f" ({found.number})" if found.number > 1 else "")
    out = word(language, "listing.out") if found.gone else factor
    return FindingLine(case.id, _commune(site, case), what, out, found.author)


def _commune(site: Site, case: Case) -> str:
    area = site.areas.get(case.unit.commune)
    return area.name if area else case.unit.commune


@post(LISTING, status_code=200, guards=[needs("assign_any")])
async def relist(request: AnyRequest) -> Response[str]:
    """Record what is there, or take back what somebody reported; the latest finding counts and all are kept."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, found = await site.database.read(_relisted, site, request)
    check_form(site, request, signed, form)
    case_id, kind, many = (next(iter(form.get(name, ())), "").strip() for name in ("case", "kind", "number"))
    case = await site.database.read(_own, account, case_id)
    several = kind in ("split", "merged")
    try:
        if case is None or case.reserve or kind not in get_args(Kind):
            raise ValueError("no such case, or nothing found")
        made = Listed(
            id=ids.new_form_id(), case=case.id, at=ids.milliseconds(), author=account.name, kind=kind,  # type: ignore[arg-type]
            number=int(many) if several else 1,
        )  # fmt: skip
    except ValueError:
        return _listing(request, signed, account, found, word(language_of(request), "listing.needed"))
    await site.database.write(_relist, made)
    return goto(LISTING)


def _relist(connection: Connection, made: Listed) -> None:
    cases.take_listing(connection, made)
    audit.append(connection, f"account:{made.author}", f"list: {made.kind}", f"case:{made.case}")


# --- reserve households --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Area:
    """One area as drawn: reserves left, households that ended without answers, and reserves that were opened."""

    psu: str
    commune: str
    left: int
    ended: tuple[tuple[str, str], ...]
    opened: tuple[tuple[str, str, str], ...]


Outcomes = Mapping[str, Mapping[str, str]]


def _areas(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, dict[str, list[Case]], Outcomes]:
    signed, account = supervision.signed_for(connection, site, request, "assign_any")
    found = cases.with_reserves(connection, supervision.communes_of(account))
    outcomes = {
        case.id: ended(connection, case).counts.label
        for area in found.values()
        for case in area
        if case.state == "closed"
    }
    return signed, account, found, outcomes


@get(RESERVES, guards=[needs("assign_any")])
async def reserve_list(request: AnyRequest) -> Response[str]:
    """Areas with reserves: what has ended there and how, and what was opened in its place."""
    site = site_of(request)
    signed, account, found, outcomes = await site.database.read(_areas, site, request)
    return _reserves(request, signed, account, found, outcomes)


def _reserves(
    request: AnyRequest, signed: SignedIn, account: Account, found: Mapping[str, list[Case]], outcomes: Outcomes, error: str = ""
) -> Response[str]:  # fmt: skip
    site, language = site_of(request), language_of(request)
    areas = [
        Area(
            psu,
            _commune(site, area[0]),
            sum(case.reserve for case in area),
            tuple(
                (case.id, outcomes[case.id][language])
                for case in area
                if not reserves.refusal(case, area, "-")
            ),
            tuple(
                (case.id, case.release.instead_of, case.release.reason)
                for case in area
                if case.release is not None
            ),
        )
        for psu, area in found.items()
    ]
    return show(
        request, "supervision/reserves.html", 422 if error else 200, error=error,
        areas=[area for area in areas if area.ended or area.opened], **supervision.frame(request, signed, account),
    )  # fmt: skip


@post(RESERVES, status_code=200, guards=[needs("assign_any")])
async def open_reserve(request: AnyRequest) -> Response[str]:
    """Open the next reserve household of an area in place of one that ended without answers."""
    site = site_of(request)
    form = await form_of(request)
    signed, account, found, outcomes = await site.database.read(_areas, site, request)
    check_form(site, request, signed, form)
    case, reason = (next(iter(form.get(name, ())), "").strip()[:500] for name in ("case", "reason"))
    error = await site.database.write(_open, account, case, reason)
    if error:
        said = reserves.REFUSALS[error][language_of(request)]
        return _reserves(request, signed, account, found, outcomes, said)
    return goto(RESERVES)


def _open(connection: Connection, account: Account, case_id: str, reason: str) -> str:
    """Opened within one transaction, so that two supervisors never open two in place of one; returns why not, or ""."""
    ended = _own(connection, account, case_id)
    if ended is None:
        return "still_open"
    cases.lock(connection, ended.id)
    area = cases.with_reserves(connection, supervision.communes_of(account)).get(ended.unit.psu, [])
    error = reserves.refusal(ended, area, reason)
    taken = reserves.next_of(area)
    if error or taken is None:
        return error
    at = ids.milliseconds()
    cases.release(
        connection, taken.id, Release(instead_of=ended.id, reason=reason, author=account.name, at=at)
    )
    cases.reassign(connection, taken.id, ended.assignee)
    audit.append(
        connection, f"account:{account.name}", "reserve opened", f"case:{taken.id}", {"instead_of": ended.id}
    )
    return ""


HANDLERS = (listing, relist, reserve_list, open_reserve)
