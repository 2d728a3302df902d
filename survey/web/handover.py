"""Who works on which case: the communes, a page of the areas of one, the households of one area, and handing them over.

A supervisor sees the cases of the own communes, never their answers. No page grows with the survey: areas come a page at a
time, and a household or an official is found by name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from sqlalchemy import Connection

from survey.access.policy import may
from survey.fieldwork.cases import Assigned, Case
from survey.fieldwork.dispositions import OUTCOMES
from survey.storage import accounts, audit, cases, identities, tallies
from survey.storage.accounts import Account
from survey.storage.cases import Placed
from survey.storage.identities import Identity
from survey.storage.tallies import OPEN, Progress, Tally
from survey.web.field import actor, looked, natural, scope
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
from survey.web.supervision import communes_of, frame, signed_for
from survey.web.words import number, word

PAGE = 20
"""Areas on one page."""
FOUND = 100
"""Households of an official that are shown at once."""
PORTION = 100
"""Households handed over in one transaction: nobody who saves an answer waits for a whole commune."""
NAMED = 300
"""Lines of officials' loads up to which the list of communes names them; more would be read by nobody."""
BASE = "/office/cases"


@dataclass(frozen=True)
class CaseLine:
    """One case as a supervisor sees it: where, who, how far, never what was said. `address` is "" for those who may not
    see where somebody lives."""

    id: str
    address: str
    assignee: str
    key: str
    state: str
    attempts: int
    last: str


@dataclass(frozen=True)
class AreaLine:
    """One enumeration area: its hamlets, households as squares, those still open and the officials who have them."""

    psu: str
    hamlets: str
    open: int
    officials: tuple[tuple[str, int], ...]
    states: tuple[str, ...]
    href: str


@dataclass(frozen=True)
class CommuneLine:
    """One commune before it is opened: households, those still open, and how many nobody has."""

    code: str
    name: str
    cases: str
    open: str
    nobody: str
    officials: tuple[tuple[str, int], ...]


class _Asked(msgspec.Struct, frozen=True):
    """What the reader wants to see, as the address of the page has it."""

    commune: str = ""
    area: str = ""
    after: str = ""
    before: str = ""
    find: str = ""


@dataclass(frozen=True)
class _Seen:
    """What was found for one page: communes, or areas of one, or households."""

    officials: Sequence[str]
    asked: _Asked
    several: bool
    lines: Sequence[Progress] = ()
    nobody: Mapping[tuple[str, str, str], Tally] | None = None
    loads: Mapping[tuple[str, str, str], Tally] | None = None
    areas: Sequence[str] = ()
    placed: Sequence[Placed] = ()
    hamlets: Mapping[str, str] | None = None
    earlier: str = ""
    later: str = ""
    own: Sequence[Case] = ()
    doors: Mapping[str, Identity] | None = None
    more: bool = False


def _look(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account, _Seen]:
    signed, account = signed_for(connection, site, request, "assign_any")
    communes = communes_of(account)
    given = {name: request.query_params.get(name, "").strip() for name in _Asked.__struct_fields__}
    officials = [
        one.name for one in accounts.every(connection) if one.role == "official" and one.disabled_at is None
    ]
    if given["find"]:
        own = _found(connection, account, given["find"])
        asked = _Asked(find=given["find"])
        doors = _doors(connection, account, own)
        several = True
        return (
            signed,
            account,
            _Seen(officials, asked, several, own=own[:FOUND], doors=doors, more=len(own) > FOUND),
        )
    several = communes is None or len(communes) > 1
    commune = given["commune"] if communes is None or given["commune"] in communes else ""
    lines: list[Progress] = []
    if not commune:
        lines = tallies.progress(connection, communes)
        commune, several = (lines[0].commune, False) if len(lines) == 1 else ("", several)
    asked = _Asked(**given | {"commune": commune})
    if not commune:
        nobody = tallies.of(connection, "load", communes, key="")
        loads = tallies.of(connection, "load", communes, most=NAMED + 1)
        return (
            signed,
            account,
            _Seen(
                officials,
                asked,
                several,
                lines=lines,
                nobody=nobody,
                loads=loads if len(loads) <= NAMED else {},
            ),
        )
    if asked.area:
        own = cases.of_area(connection, commune, asked.area)
        if own:
            return (
                signed,
                account,
                _Seen(officials, asked, several, own=own, doors=_doors(connection, account, own)),
            )
    return signed, account, _areas_of(connection, account, officials, asked, several)


def _found(connection: Connection, account: Account, find: str) -> list[Case]:
    """The household of this code, or the first that this official has: of what the reader may hand over."""
    one = cases.find(connection, find) or cases.find(connection, find.upper())
    if one is not None and not one.reserve and may(actor(account), "assign", scope(one)):
        return [one]
    name = find.lower()
    return cases.of_official(connection, name, communes_of(account), FOUND + 1)


def _doors(connection: Connection, account: Account, own: Sequence[Case]) -> dict[str, Identity]:
    if own and may(actor(account), "see_case", scope(own[0])):
        return identities.of_cases(connection, [case.id for case in own])
    return {}


def _areas_of(
    connection: Connection, account: Account, officials: Sequence[str], asked: _Asked, several: bool
) -> _Seen:
    back = bool(asked.before)
    psus = cases.areas(
        connection, asked.commune, PAGE + 1, after="" if back else asked.after, before=asked.before
    )
    more = len(psus) > PAGE
    shown = (psus[1:] if back else psus[:-1]) if more else psus
    placed = cases.placed(connection, asked.commune, shown)
    hamlets: dict[str, str] = {}
    if placed:
        first = cases.existing(connection, placed[0].id)
        if may(actor(account), "see_case", scope(first)):
            hamlets = identities.hamlets(connection, [one.id for one in placed])
    return _Seen(
        officials, asked, several, areas=shown, placed=placed, hamlets=hamlets,
        earlier=shown[0] if shown and (more if back else asked.after) else "",
        later=shown[-1] if shown and (back or more) else "",
    )  # fmt: skip


@get(BASE, guards=[needs("assign_any")])
async def case_list(request: AnyRequest) -> Response[str]:
    """The communes; a page of the areas of one; or the households of an area, of an official or of one code."""
    site, language = site_of(request), language_of(request)
    if not any(request.query_params.get(name) for name in ("commune", "find")):
        await asyncio.to_thread(tallies.refresh, site.database, tallies.PATIENCE)
    signed, account, seen = await site.database.read(_look, site, request)
    asked, doors = seen.asked, seen.doors or {}
    if doors:
        about = (
            f"commune:{asked.commune}" if asked.commune
            else f"case:{seen.own[0].id}" if len(seen.own) == 1
            else f"account:{seen.own[0].assignee}"
        )  # fmt: skip
        await site.database.write(looked, account.name, "look at list of addresses", about, len(doors))
    commune = asked.commune
    return show(
        request, "supervision/cases.html", officials=seen.officials, commune=commune, area=asked.area if seen.own else "",
        find=asked.find, name=site.areas[commune].name if commune in site.areas else commune,
        behind=not (commune or asked.find) and await site.database.read(tallies.behind),
        communes=_communes(site, language, seen), areas=_areas(seen),
        earlier=seen.earlier and address(commune=commune, before=seen.earlier),
        later=seen.later and address(commune=commune, after=seen.later),
        back_to={"commune": commune, "inside": asked.area if seen.own else "", "after": asked.after, "before": asked.before,
              "find": asked.find},
        lines=_lines(language, seen.own, doors), hamlets=_hamlets({case: one.hamlet for case, one in doors.items()}, doors),
        more=seen.more, states=[(state, word(language, f"state.{state}")) for state in (*OPEN, "complete", "closed")],
        several=seen.several, **frame(request, signed, account),
    )  # fmt: skip


def address(**query: str) -> str:
    """The page that shows a commune, one of its areas, or what was searched."""
    told = {name: value for name, value in query.items() if value}
    return BASE + (f"?{urlencode(told)}" if told else "")


def _communes(site: Site, language: str, seen: _Seen) -> list[CommuneLine]:
    nobody: Counter[str] = Counter()
    officials: dict[str, Counter[str]] = {}
    for (commune, _, state), tally in (seen.nobody or {}).items():
        nobody[commune] += tally.cases if state in OPEN else 0
    for (commune, official, state), tally in (seen.loads or {}).items():
        if state in OPEN:
            officials.setdefault(commune, Counter())[official] += tally.cases
    return [
        CommuneLine(
            code=line.commune,
            name=site.areas[line.commune].name if line.commune in site.areas else line.commune,
            cases=number(language, line.cases),
            open=number(language, line.open),
            nobody=number(language, nobody[line.commune]) if nobody[line.commune] else "",
            officials=_shared(officials.get(line.commune, {})),
        )
        for line in seen.lines
    ]


def _shared(by: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((name, many) for name, many in sorted(by.items()) if name)


def _hamlets(known: Mapping[str, str], order: Mapping[str, object]) -> str:
    return ", ".join(filter(None, dict.fromkeys(known[case] for case in order if case in known)))


def _areas(seen: _Seen) -> list[AreaLine]:
    inside: dict[str, list[Placed]] = {psu: [] for psu in seen.areas}
    for one in seen.placed:
        inside[one.psu].append(one)
    found = []
    for psu, own in inside.items():
        left = [one.assignee for one in own if one.state in OPEN]
        hamlets = _hamlets(seen.hamlets or {}, {one.id: None for one in own})
        states = tuple(one.state for one in sorted(own, key=lambda one: natural(one.id)))
        href = address(commune=seen.asked.commune, area=psu)
        found.append(AreaLine(psu, hamlets, len(left), _shared(Counter(left)), states, href))
    return found


def _lines(language: str, own: Sequence[Case], doors: Mapping[str, Identity]) -> list[CaseLine]:
    """The households in the order of their doors, where the reader may know them."""

    def door(case: Case) -> tuple[object, ...]:
        found = doors.get(case.id)
        return (natural(found.hamlet), natural(found.address)) if found else ([], natural(case.id))

    return [
        CaseLine(
            case.id, doors[case.id].address if case.id in doors else "", case.assignee, case.state,
            word(language, f"state.{case.state}"), case.attempts,
            OUTCOMES[case.last_outcome].label.get(language, "") if case.last_outcome else "",
        )
        for case in sorted(own, key=door)
    ]  # fmt: skip


@post("/office/assign", status_code=200, guards=[needs("assign")])
async def assign(request: AnyRequest) -> Response[str]:
    """Hand over the ticked households, and of ticked areas or of a whole commune those that are still open; every one is in
    the audit log."""
    site = site_of(request)
    form = await form_of(request)
    signed, account = await site.database.read(signed_for, site, request, "assign_any")
    check_form(site, request, signed, form)
    said = {name: next(iter(form.get(name, ())), "") for name in ("official", "commune", "whole", *_BACK)}
    ticked = form.get("case", [])
    ids = await site.database.read(
        _chosen, account, ticked, form.get("area", []), said["commune"], bool(said["whole"]), said["official"]
    )
    for start in range(0, len(ids), PORTION):
        some = ids[start : start + PORTION]
        await site.database.write(_give, account, some, frozenset(ticked), said["official"])
    if said["find"]:
        return goto(address(find=said["find"]))
    back = (
        {name: said[name] for name in ("after", "before")} if not said["inside"] else {"area": said["inside"]}
    )
    return goto(address(commune=said["commune"], **back) if said["commune"] else BASE)


_BACK = ("inside", "after", "before", "find")
"""Where the reader came from, so that he or she goes on there."""


def _chosen(
    connection: Connection, account: Account, ticked: Sequence[str], areas: Sequence[str], commune: str, whole: bool,
    official: str,
) -> list[str]:  # fmt: skip
    """Whom to hand over; NotYours if one of them, or the official, is none of the reader's."""
    known = accounts.find(connection, official) if official else None
    if official and (known is None or known.role != "official" or known.disabled_at is not None):
        raise NotYours("case")
    several = cases.several(connection, ticked)
    placed = cases.placed(connection, commune, None if whole else areas) if whole or areas else []
    first = (
        [cases.existing(connection, placed[0].id)] if placed else []
    )  # one commune, one answer for all of it
    if not all(may(actor(account), "assign", scope(case)) for case in (*several, *first)):
        raise NotYours("case")
    ids = [one.id for one in placed if one.state in OPEN and one.assignee != official]
    return list(dict.fromkeys([*ids, *(case.id for case in several if case.assignee != official)]))


def _give(
    connection: Connection, account: Account, ids: Sequence[str], ticked: frozenset[str], official: str
) -> None:
    """Hand over those of `ids` that are still open, or were ticked themselves."""
    given = [
        case
        for case in cases.several(connection, ids)
        if case.assignee != official and (case.state in OPEN or case.id in ticked)
    ]
    if not all(may(actor(account), "assign", scope(case)) for case in given):
        raise NotYours("case")
    cases.move_all(connection, [(case.id, Assigned(official)) for case in given])
    for case in given:
        audit.append(connection, f"account:{account.name}", "assign", f"case:{case.id}", {"to": official})


HANDLERS = (case_list, assign)
