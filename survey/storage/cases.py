"""Cases, their attempts and who works on them. What may happen to a case is decided in `survey.fieldwork.cases`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select, update

from survey.fieldwork.cases import (
    Assigned,
    Attempt,
    Attempted,
    Case,
    CaseEvent,
    Override,
    Place,
    Release,
    Released,
    Relisted,
    advance,
)
from survey.fieldwork.listing import Finding, Listed
from survey.fieldwork.sample import SampledUnit
from survey.problems import Refused
from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.tables import attempts, cases, listings
from survey.storage.vault import Vault, opener


def import_sample(connection: Connection, units: Iterable[SampledUnit]) -> int:
    """One waiting case for each drawn household; a case already there keeps its life. Returns the number new."""
    new = 0
    rows: list[dict[str, Any]] = []
    for unit in units:
        rows.append(_values(Case(id=unit.case, unit=unit, reserve=unit.reserve)))
        if len(rows) == 500:
            new += len(insert_once(connection, cases, rows, cases.c.id))
            rows.clear()
    if rows:
        new += len(insert_once(connection, cases, rows, cases.c.id))
    return new


# Statements of every request are put together once: that costs more than running them.
_FIND: Final = select(cases).where(cases.c.id == bindparam("of"))
_LOCK: Final = _FIND.with_for_update()
_SEVERAL: Final = select(cases).where(cases.c.id.in_(bindparam("these", expanding=True)))
_LOCK_SEVERAL: Final = _SEVERAL.order_by(cases.c.id).with_for_update()
_KEEP: Final = update(cases).where(cases.c.id == bindparam("of"))


def find(connection: Connection, case: str) -> Case | None:
    """One case, or None: whether it exists is not told to those who may not see it."""
    row = connection.execute(_FIND, {"of": case}).one_or_none()
    return None if row is None else of_row(row)


def existing(connection: Connection, case: str) -> Case:
    """One case; `Refused` if it is not in the sample."""
    found = find(connection, case)
    if found is None:
        raise _not_in_the_sample()
    return found


def all_existing(connection: Connection, ids: Sequence[str]) -> None:
    """`Refused` if one of these is not in the sample."""
    if len(several(connection, ids)) < len(set(ids)):
        raise _not_in_the_sample()


def several(connection: Connection, ids: Sequence[str]) -> list[Case]:
    """Those of these cases that exist."""
    return [
        of_row(row)
        for start in range(0, len(ids), 500)
        for row in connection.execute(_SEVERAL, {"these": ids[start : start + 500]})
    ]


def lock(connection: Connection, case: str) -> Case:
    """One case as it is; until the end of the transaction nobody else changes it or opens a response of it.

    For "begin a response if there is none": two phones with one code may ask two servers at the same moment. `Refused` if it
    is not in the sample.
    """
    row = connection.execute(_LOCK, {"of": case}).one_or_none()
    if row is None:
        raise _not_in_the_sample()
    return of_row(row)


def assigned_to(connection: Connection, account: str) -> list[Case]:
    """An official's cases, by commune and id, finished ones too."""
    query = select(cases).where(cases.c.assignee == account, cases.c.reserve.is_(False))
    return [of_row(row) for row in connection.execute(query.order_by(cases.c.commune, cases.c.id))]


class Placed(Struct, frozen=True):
    """One household in its area, as a list of areas needs it."""

    id: str
    psu: str
    state: str
    assignee: str


def areas(
    connection: Connection, commune: str, limit: int, *, after: str = "", before: str = ""
) -> list[str]:
    """At most `limit` areas of a commune in the order of their codes: those behind `after`, or the last ones before
    `before`. Takes as long in a large commune as in a small one."""
    query = select(cases.c.psu).distinct()
    query = query.where(cases.c.commune == commune, cases.c.reserve.is_(False), cases.c.psu > after)
    if before:
        last = query.where(cases.c.psu < before).order_by(cases.c.psu.desc()).limit(limit)
        return list(connection.execute(last).scalars())[::-1]
    return list(connection.execute(query.order_by(cases.c.psu).limit(limit)).scalars())


def placed(connection: Connection, commune: str, psus: Sequence[str] | None = None) -> list[Placed]:
    """The households of these areas of a commune, or of all of it; reserves that are not opened are not there."""
    query = select(*(cases.c[name] for name in Placed.__struct_fields__))
    query = query.where(cases.c.reserve.is_(False), cases.c.commune == commune)
    if psus is not None:
        query = query.where(cases.c.psu.in_(list(psus)))
    return [Placed(*row) for row in connection.execute(query.order_by(cases.c.psu, cases.c.id))]


def of_area(connection: Connection, commune: str, psu: str) -> list[Case]:
    """The households of one area; reserves that are not opened are not there."""
    query = select(cases).where(cases.c.reserve.is_(False), cases.c.commune == commune, cases.c.psu == psu)
    return [of_row(row) for row in connection.execute(query.order_by(cases.c.id))]


def of_official(
    connection: Connection, account: str, communes: Sequence[str] | None, limit: int
) -> list[Case]:
    """The first of an official's cases by commune and id, of all communes (None) or of these."""
    query = select(cases).where(cases.c.assignee == account, cases.c.reserve.is_(False))
    if communes is not None:
        query = query.where(cases.c.commune.in_(list(communes)))
    query = query.order_by(cases.c.commune, cases.c.id).limit(limit)
    return [of_row(row) for row in connection.execute(query)]


def every(connection: Connection, communes: Sequence[str] | None = None) -> Iterator[Case]:
    """All cases (None) or those of these communes, by id, streamed: nonrespondents and unreleased reserves too."""
    query = select(cases).order_by(cases.c.id)
    if communes is not None:
        query = query.where(cases.c.commune.in_(list(communes)))
    for row in _streamed(connection, query):
        yield of_row(row)


class Sampled(Struct, frozen=True):
    """One case of the sample as it is kept: what freezing needs of it, documents unread (JSON or None)."""

    id: str
    unit: str
    response: str
    attempts: int
    override: str | None
    finding: str | None


def sampled(connection: Connection, size: int) -> Iterator[list[Sampled]]:
    """The cases of the sample (without reserves that wait), streamed in portions, in the order of the bytes of their ids
    whatever order the database has for texts."""
    key = cases.c.id.collate("C") if connection.dialect.name == "postgresql" else cases.c.id
    query = select(*(cases.c[name] for name in Sampled.__struct_fields__)).where(cases.c.reserve.is_(False))
    found = connection.execute(query.order_by(key).execution_options(yield_per=size))
    for portion in found.partitions(size):
        yield [Sampled(*row) for row in portion]


def opened(connection: Connection) -> dict[str, int]:
    """How many reserve households were put to work, by area."""
    query = select(cases.c.psu, func.count()).where(cases.c.release.is_not(None)).group_by(cases.c.psu)
    return {row[0]: row[1] for row in connection.execute(query)}


def count(connection: Connection) -> int:
    """Cases, reserves too."""
    return connection.execute(select(func.count()).select_from(cases)).scalar_one()


def assign(connection: Connection, communes: Sequence[str], account: str) -> int:
    """Give every case of these communes that nobody has to `account`; returns how many."""
    return connection.execute(
        update(cases)
        .where(cases.c.commune.in_(list(communes)), cases.c.assignee == "")
        .values(assignee=account, changed_at=now(), counted_at=None)
    ).rowcount


def reassign(connection: Connection, case: str, account: str) -> Case:
    """Hand one case over."""
    return move(connection, case, Assigned(account))


def move(connection: Connection, case: str, event: CaseEvent) -> Case:
    """The case after `event`, kept; `Conflict` if its state does not allow it."""
    return move_all(connection, [(case, event)])[case]


def move_all(connection: Connection, many: Sequence[tuple[str, CaseEvent]]) -> dict[str, Case]:
    """The cases after these events, each event in its turn, with one set of statements; all or none is kept.

    `Refused` for a case that is not in the sample, `Conflict` if the state of one does not allow its event.
    """
    return move_locked(connection, _locked(connection, sorted({case for case, _ in many})), many)


def move_locked(
    connection: Connection, before: Mapping[str, Case], many: Sequence[tuple[str, CaseEvent]]
) -> dict[str, Case]:
    """The same for cases that this transaction holds locked, and that stand so."""
    after = dict(before)
    for case, event in many:
        if case not in before:
            raise _not_in_the_sample()
        after[case] = advance(after[case], event)
    moved = [{"of": case} | _values(stands) for case, stands in after.items() if stands != before[case]]
    if moved:
        for values in moved:
            del values["id"], values["unit"]  # as drawn
        connection.execute(_KEEP, moved)
    return after


def _locked(connection: Connection, ids: Sequence[str]) -> dict[str, Case]:
    """These cases, locked in this order."""
    if len(ids) == 1:
        rows = connection.execute(_LOCK, {"of": ids[0]}).all()
        return {row.id: of_row(row) for row in rows}
    return {
        row.id: of_row(row)
        for start in range(0, len(ids), 500)
        for row in connection.execute(_LOCK_SEVERAL, {"these": ids[start : start + 500]})
    }


def record_attempt(connection: Connection, attempt: Attempt) -> Case:
    """Keep one attempt and move its case. The same attempt sent again changes nothing."""
    found = existing(connection, attempt.case)
    if not _keep_new(connection, [attempt]):
        return found
    return move(connection, attempt.case, Attempted(attempt))


def take_attempt(connection: Connection, attempt: Attempt) -> Literal["new", "again", "conflict"]:
    """Keep an attempt that a device sent, perhaps not for the first time; "conflict": its id was another attempt."""
    if _keep_new(connection, [attempt]):
        move(connection, attempt.case, Attempted(attempt))
        return "new"
    return "again" if is_kept(connection, attempt) else "conflict"


def is_kept(connection: Connection, made: Attempt | Listed) -> bool:
    """Whether exactly this attempt or finding has been taken in: a device that heard no reply sends it again, and by then the
    household may be another official's."""
    if isinstance(made, Attempt):
        row = connection.execute(select(attempts).where(attempts.c.id == made.id)).one_or_none()
        return row is not None and _attempt(row, opener(connection)) == made
    kept = connection.execute(
        select(listings.c.document).where(listings.c.id == made.id)
    ).scalar_one_or_none()
    return kept == _document(made)


def take_listing(connection: Connection, found: Listed) -> Literal["new", "again", "conflict"]:
    """Keep a finding that the list is wrong, and what it does to its case; each is kept, the latest counts."""
    document = msgspec.json.encode(found, order="deterministic").decode()
    row = {"id": found.id, "case": found.case, "at": found.at, "received_at": now(), "document": document}
    if insert_once(connection, listings, [row], listings.c.id):
        case = existing(connection, found.case)
        if case.finding is None or case.finding.at <= found.at:
            move(connection, found.case, Relisted(found.finding()))
        return "new"
    return "again" if is_kept(connection, found) else "conflict"


def relisted(connection: Connection, communes: Sequence[str] | None = None) -> list[Case]:
    """The cases of which the list did not say what is there: of these communes, or of all."""
    query = select(cases).where(cases.c.finding.is_not(None))
    if communes is not None:
        query = query.where(cases.c.commune.in_(list(communes)))
    return [of_row(row) for row in connection.execute(query.order_by(cases.c.id))]


def with_reserves(connection: Connection, communes: Sequence[str] | None = None) -> dict[str, list[Case]]:
    """By area, all cases of the areas that had a reserve drawn: of these communes, or of all."""
    drawn = select(cases.c.psu).where(cases.c.reserve.is_(True) | cases.c.release.is_not(None))
    query = select(cases).where(cases.c.psu.in_(drawn))
    if communes is not None:
        query = query.where(cases.c.commune.in_(list(communes)))
    found: dict[str, list[Case]] = {}
    for row in connection.execute(query.order_by(cases.c.psu, cases.c.id)):
        found.setdefault(row.psu, []).append(of_row(row))
    return found


def record_attempts(connection: Connection, many: Sequence[Attempt]) -> int:
    """Bulk twin of `record_attempt`; returns the number that were new."""
    all_existing(connection, sorted({attempt.case for attempt in many}))
    new = _keep_new(connection, many)
    if new:
        move_all(connection, [(attempt.case, Attempted(attempt)) for attempt in new])
    return len(new)


def _keep_new(connection: Connection, many: Sequence[Attempt]) -> list[Attempt]:
    """Keep those of these attempts that are not there yet; returns them, in their order."""
    by_id = {attempt.id: attempt for attempt in reversed(many)}  # of two under one id the first holds
    vault, at = Vault(connection), now()
    rows = []
    for attempt in by_id.values():
        place = _document(attempt.place)
        rows.append(
            {
                **msgspec.structs.asdict(attempt),
                "codes": " ".join(attempt.codes),
                "note": vault.seal(connection, attempt.note, f"attempts/{attempt.id}/note"),
                "place": place and vault.seal(connection, place, f"attempts/{attempt.id}/place"),
                "received_at": at,
            }
        )
    new = set(insert_once(connection, attempts, rows, attempts.c.id)) if rows else set()
    return [attempt for attempt in many if attempt.id in new and attempt is by_id[attempt.id]]


_ATTEMPTS: Final = (
    select(attempts).where(attempts.c.case == bindparam("of")).order_by(attempts.c.at, attempts.c.id)
)


def attempts_of(connection: Connection, case: str) -> list[Attempt]:
    """The attempt history of a case in the order of the devices' clocks."""
    opened = opener(connection)
    return [_attempt(row, opened) for row in connection.execute(_ATTEMPTS, {"of": case}).all()]


def attempts_of_cases(connection: Connection, ids: Sequence[str]) -> dict[str, list[Attempt]]:
    """The attempt histories of several cases; cases without one are not there."""
    found: dict[str, list[Attempt]] = {}
    opened = opener(connection)
    for start in range(0, len(ids), 500):
        query = select(attempts).where(attempts.c.case.in_(ids[start : start + 500]))
        for row in connection.execute(query.order_by(attempts.c.at, attempts.c.id)).all():
            found.setdefault(row.case, []).append(_attempt(row, opened))
    return found


def every_attempt(connection: Connection, communes: Sequence[str] | None = None) -> dict[str, list[Attempt]]:
    """All attempts (None) or those at the cases of these communes, by case."""
    found: dict[str, list[Attempt]] = {}
    opened = opener(connection)
    query = select(attempts).order_by(attempts.c.at, attempts.c.id)
    if communes is not None:
        query = query.where(attempts.c.case.in_(_of(communes)))
    for row in _streamed(connection, query):
        found.setdefault(row.case, []).append(_attempt(row, opened))
    return found


def release(connection: Connection, case: str, release: Release) -> Case:
    """Open a reserve household; `Conflict` if it is none."""
    return move(connection, case, Released(release))


def mark(connection: Connection, *condition: ColumnElement[bool]) -> None:
    """Have the cases of which this is true counted anew (`survey.storage.tallies`), though nothing of them changes here."""
    connection.execute(update(cases).where(*condition).values(counted_at=None))


def _streamed(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
    yield from connection.execute(query.execution_options(yield_per=1000))


def _of(communes: Sequence[str]) -> Select[tuple[str]]:
    return select(cases.c.id).where(cases.c.commune.in_(list(communes)))


def _not_in_the_sample() -> Refused:
    return Refused({"vi": "Không có hộ này trong mẫu.", "en": "There is no such case in the sample."})


def _values(case: Case) -> dict[str, Any]:
    return {
        "id": case.id,
        "psu": case.unit.psu,
        "commune": case.unit.commune,
        "reserve": case.reserve,
        "unit": msgspec.json.encode(case.unit, order="deterministic").decode(),
        "state": case.state,
        "assignee": case.assignee,
        "response": case.response,
        "attempts": case.attempts,
        "last_attempt_at": case.last_attempt_at,
        "last_outcome": case.last_outcome,
        "appointment": case.appointment,
        "override": _document(case.override),
        "release": _document(case.release),
        "finding": _document(case.finding),
        "changed_at": now(),
        "counted_at": None,
    }


def of_row(row: Row[*tuple[Any, ...]]) -> Case:
    """The case in a row of its table."""
    return Case(
        id=row.id,
        unit=msgspec.json.decode(row.unit, type=SampledUnit),
        reserve=row.reserve,
        state=row.state,
        assignee=row.assignee,
        response=row.response,
        attempts=row.attempts,
        last_attempt_at=row.last_attempt_at,
        last_outcome=row.last_outcome,
        appointment=row.appointment,
        override=None if row.override is None else msgspec.json.decode(row.override, type=Override),
        release=None if row.release is None else msgspec.json.decode(row.release, type=Release),
        finding=None if row.finding is None else msgspec.json.decode(row.finding, type=Finding),
    )


def _document(value: Struct | None) -> str | None:
    return None if value is None else msgspec.json.encode(value, order="deterministic").decode()


def _attempt(row: Row[*tuple[Any, ...]], opened: Callable[[str, str], str]) -> Attempt:
    """`opened`: what was written and where it was are sealed."""
    place = None if row.place is None else opened(row.place, f"attempts/{row.id}/place")
    return Attempt(
        id=row.id,
        case=row.case,
        at=row.at,
        author=row.author,
        mode=row.mode,
        outcome=row.outcome,
        note=opened(row.note, f"attempts/{row.id}/note"),
        appointment=row.appointment,
        place=None if place is None else msgspec.json.decode(place, type=Place),
        codes=tuple(row.codes.split()),
    )
