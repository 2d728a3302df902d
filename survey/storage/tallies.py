"""How the cases stand, counted: figures of a commune or of a whole province that take as long with a million households as with
a thousand.

`tallies` holds numbers of cases, `cases.counted` as what each was counted there. Whatever changes a case only leaves a mark
on it (`counted_at`; a response that was answered has `recount`), so that nobody who saves waits for a figure. Whoever asks
for figures first has what was marked counted anew (`refresh`), which takes as long as there is anything new, in transactions
of a few cases. `survey verify` counts everything again and compares.

Weights are kept in billionths, so that they add up and are taken away again without a rest.

When not: for anything that needs the cases themselves, and after changing tables by hand, which leaves no mark.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Select, bindparam, func, select, text, tuple_, update

from survey.fieldwork.backchecks import PREFIX
from survey.fieldwork.cases import Attempt, Case, disposition
from survey.fieldwork.dispositions import ResponseState
from survey.problems import SurveyError, Unavailable
from survey.storage import cases, responses
from survey.storage.database import Database
from survey.storage.extent import extent, sufficient
from survey.storage.tables import attempts as attempt_rows
from survey.storage.tables import cases as case_rows
from survey.storage.tables import responses as response_rows
from survey.storage.tables import tallies
from survey.storage.vault import NoKey, holds_key

log = logging.getLogger("survey.storage")

PORTION = 100
"""Cases counted in one transaction: nobody who saves an answer waits longer than that takes."""
DRAFTS = 10
"""The same for cases whose answers have to be looked at."""
UNIT = 1_000_000_000
"""Weights are kept as so many parts of one."""
OPEN = ("waiting", "visited", "started")
COMPLETE = "1.1"
"""The code of those who answered."""


class Key(NamedTuple):
    """What is counted, where, of what, and how. `view` is one of

    state (item: state), load (key: official, item: state): all households to be worked, put-in reserves too;
    outcome (item: code), stratum (key: stratum, item: code), official (key: official, item: code), certain (key: stratum),
    open (key: stratum), mode (key: mode, households that answered in it), attempt (key: mode, tries): households first drawn;
    area (key: stratum, item: area), answered (the same, that answered): what `areas` and `reached` (key: stratum) count.
    """

    view: str
    commune: str
    key: str = ""
    item: str = ""


class Counted(Struct, frozen=True, array_like=True):
    """As what a case is counted; beside it only what was drawn decides."""

    reserve: bool
    first: bool  # not put in the place of another
    state: str
    assignee: str
    code: str
    mode: str  # in which it was answered, "" if it was not
    tries: dict[str, int]  # attempts by mode


_read: Final = msgspec.json.Decoder(Counted).decode


def _written(counted: Counted) -> str:
    return msgspec.json.encode(counted, order="deterministic").decode()


class Tally(NamedTuple):
    """Numbers of cases and the sum of their base weights."""

    cases: int
    weight: int

    @property
    def weighted(self) -> float:
        return self.weight / UNIT


def _entries(case: Case, counted: Counted) -> Iterator[tuple[Key, int, int]]:
    """What a case adds to the tallies: key, cases, weight."""
    if counted.reserve:
        return
    unit, weight = case.unit, base_weight(case)
    commune = unit.commune
    yield Key("state", commune, "", counted.state), 1, 0
    yield Key("load", commune, counted.assignee, counted.state), 1, 0
    if not counted.first:
        return
    yield Key("outcome", commune, "", counted.code), 1, weight
    yield Key("stratum", commune, unit.stratum, counted.code), 1, weight
    yield Key("area", commune, unit.stratum, unit.psu), 1, 0
    if counted.assignee:
        yield Key("official", commune, counted.assignee, counted.code), 1, weight
    if unit.certainty:
        yield Key("certain", commune, unit.stratum), 1, 0
    if counted.state in OPEN:
        yield Key("open", commune, unit.stratum), 1, 0
    if counted.code == COMPLETE:
        yield Key("answered", commune, unit.stratum, unit.psu), 1, 0
        yield Key("mode", commune, counted.mode), 1, weight
    for mode, many in counted.tries.items():
        yield Key("attempt", commune, mode), many, 0


def base_weight(case: Case) -> int:
    """One over the probability of being drawn, in billionths."""
    return round(UNIT / (case.unit.stage1_probability * case.unit.stage2_probability))


# Counting

_CHANGED: Final = case_rows.c.counted_at.is_distinct_from(case_rows.c.changed_at)
_place = tuple_(case_rows.c.changed_at, case_rows.c.id)
_MARKED: Final = (  # in an order that only the index of these has: no other can be taken for a better one
    select(case_rows.c.changed_at, case_rows.c.id)
    .where(_CHANGED, _place > tuple_(bindparam("at"), bindparam("after")))
    .order_by(case_rows.c.changed_at, case_rows.c.id)
    .limit(bindparam("most"))
)
_ANSWERED: Final = (
    select(response_rows.c.id, response_rows.c.case)
    .where(response_rows.c.recount.is_(True), response_rows.c.id > bindparam("after"))
    .order_by(response_rows.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_HOLD: Final = (
    select(case_rows)
    .where(case_rows.c.id.in_(bindparam("these", expanding=True)))
    .order_by(case_rows.c.id)
    .with_for_update(skip_locked=True)
)
_COUNTED: Final = {
    "sqlite": text(
        "UPDATE cases SET counted = new.value->>1, counted_at = cases.changed_at FROM json_each(:rows) AS new"
        " WHERE cases.id = new.value->>0"
    ),
    "postgresql": text(
        "UPDATE cases SET counted = new.value->>1, counted_at = cases.changed_at"
        " FROM json_array_elements(CAST(:rows AS json)) AS new (value) WHERE cases.id = new.value->>0"
    ),
}
"""rows: JSON list of [case, as what it is counted]."""
_SEEN: Final = (
    update(response_rows)
    .where(response_rows.c.id.in_(bindparam("these", expanding=True)))
    .values(recount=False)
)
_ADD: Final = {
    "sqlite": text(
        "INSERT INTO tallies (view, commune, key, item, cases, weight)"
        " SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5 FROM json_each(:rows) WHERE true"
        " ON CONFLICT DO UPDATE SET cases = tallies.cases + excluded.cases, weight = tallies.weight + excluded.weight"
        " RETURNING view, commune, key, item, cases"
    ),
    "postgresql": text(
        "INSERT INTO tallies (view, commune, key, item, cases, weight)"
        " SELECT value->>0, value->>1, value->>2, value->>3, CAST(value->>4 AS bigint), CAST(value->>5 AS bigint)"
        " FROM json_array_elements(CAST(:rows AS json)) AS sent (value)"
        " ON CONFLICT (view, commune, key, item)"
        " DO UPDATE SET cases = tallies.cases + excluded.cases, weight = tallies.weight + excluded.weight"
        " RETURNING view, commune, key, item, cases"
    ),
}
"""rows: JSON list of [view, commune, key, item, cases, weight] in the order of their keys, so that two servers that count at
once wait for one another in the same order; returned is what is there afterwards."""
_WHOLE: Final = {"area": "areas", "answered": "reached"}
"""Of these views it is counted, by stratum, in how many areas there is anything."""


def refresh(database: Database, seconds: float = math.inf) -> None:
    """Count what has changed, portion by portion; what others are changing at this very moment is left for the next time.

    seconds: how long whoever asks can wait; what is not counted by then is left, too (`behind` tells whether it is much).
    A database that takes no writes (its disk is full) keeps the figures that it had.
    """
    with database.reading() as connection:
        if not _pending(connection):
            return
    until = time.monotonic() + seconds
    try:
        response: str | None = ""
        while response is not None and time.monotonic() < until:
            response = database.write_now(_count_answered, response)
        place: tuple[int, str] | None = _BEGINNING
        while place is not None and time.monotonic() < until:
            place = database.write_now(_count_marked, *place)
    except NoKey:  # who may not open answers leaves the counting to the server, which may
        log.warning("cases are not counted: the key is not here")
    except Unavailable:
        if database.condition == "ok":
            raise


PATIENCE = 5.0
"""Seconds that a page may wait for what is to be counted: enough for what changed within hours, not for a whole province."""
_MANY = 1_000


def behind(connection: Connection) -> bool:
    """Whether so many cases wait to be counted that figures must not be read without saying so."""
    at, after = _BEGINNING
    return len(connection.execute(_MARKED, {"at": at, "after": after, "most": _MANY}).all()) == _MANY


_BEGINNING: Final = (-1, "")
_WAITING: Final = select(response_rows.c.id).where(response_rows.c.recount.is_(True)).limit(1)


def _pending(connection: Connection) -> bool:
    """Whether anything is marked: to look needs no turn among those who write."""
    at, after = _BEGINNING
    marked = connection.execute(_MARKED, {"at": at, "after": after, "most": 1}).first()
    return marked is not None or connection.execute(_WAITING).first() is not None


def _count_marked(connection: Connection, at: int, after: str) -> tuple[int, str] | None:
    """Count some of the cases that have changed, behind this place; returns the place of the last, None if there are no more."""
    rows = connection.execute(_MARKED, {"at": at, "after": after, "most": PORTION}).all()
    if rows:
        _count(connection, [row.id for row in rows])
    return (rows[-1].changed_at, rows[-1].id) if len(rows) == PORTION else None


def _count_answered(connection: Connection, after: str) -> str | None:
    """The same for responses that were added to, and with them their cases."""
    rows = connection.execute(_ANSWERED, {"after": after, "most": DRAFTS}).all()
    if rows:
        done = _count(connection, sorted({case for _, case in rows}))
        seen = [response for response, case in rows if case in done]
        if seen:
            connection.execute(_SEEN, {"these": seen})
    return rows[-1].id if len(rows) == DRAFTS else None


def _count(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Count these cases but those that somebody is changing at this moment: returns whose count is true now."""
    rows = connection.execute(_HOLD, {"these": ids}).all()
    found = {row.id: cases.of_row(row) for row in rows}
    standing = _standing(connection, list(found.values()))
    added: Counter[Key] = Counter()
    weighed: Counter[Key] = Counter()
    for row in rows:
        case, counted = found[row.id], standing[row.id]
        if row.counted is not None and (before := _read(row.counted)) != counted:
            _add(added, weighed, _entries(case, before), -1)
            _add(added, weighed, _entries(case, counted), 1)
        elif row.counted is None:
            _add(added, weighed, _entries(case, counted), 1)
    _keep(connection, added, weighed)
    if rows:
        told = [(id, _written(one)) for id, one in standing.items()]
        connection.execute(_COUNTED[connection.dialect.name], {"rows": json.dumps(told)})
    return frozenset(found)


def _add(
    added: Counter[Key], weighed: Counter[Key], entries: Iterable[tuple[Key, int, int]], sign: int
) -> None:
    for key, many, weight in entries:
        added[key] += sign * many
        weighed[key] += sign * weight


def _keep(connection: Connection, added: Counter[Key], weighed: Counter[Key]) -> None:
    """Add these to the tallies, and to the numbers of areas what became of them by it."""
    statement = _ADD[connection.dialect.name]
    rows = [[*key, added[key], weighed[key]] for key in sorted(added) if added[key] or weighed[key]]
    if not rows:
        return
    areas: Counter[Key] = Counter()
    for view, commune, key, item, now_there in connection.execute(
        statement, {"rows": json.dumps(rows)}
    ).all():
        if view in _WHOLE:
            before = now_there - added[Key(view, commune, key, item)]
            areas[Key(_WHOLE[view], commune, key)] += (now_there > 0) - (before > 0)
    more = [[*key, many, 0] for key, many in sorted(areas.items()) if many]
    if more:
        connection.execute(statement, {"rows": json.dumps(more)}).all()


def _standing(connection: Connection, some: Sequence[Case]) -> dict[str, Counted]:
    """As what these cases are to be counted."""
    ids = [case.id for case in some]
    tried: dict[str, list[Attempt]] = {}
    for row in connection.execute(_TRIED, {"these": ids}):
        tried.setdefault(row.case, []).append(
            Attempt(id=row.id, case=row.case, at=row.at, author="", mode=row.mode, outcome=row.outcome)
        )
    begun: set[str] = set()
    modes: dict[str, str] = {}
    for id, case, mode in connection.execute(_BEGUN, {"these": ids}):
        modes[id] = mode
        if not id.startswith(PREFIX):
            begun.add(case)
    asked = sufficient(connection) if begun else ()
    return {case.id: _counted(connection, case, tried.get(case.id, []), begun, modes, asked) for case in some}


_TRIED: Final = select(
    attempt_rows.c.id, attempt_rows.c.case, attempt_rows.c.at, attempt_rows.c.mode, attempt_rows.c.outcome
).where(attempt_rows.c.case.in_(bindparam("these", expanding=True)))
_BEGUN: Final = select(response_rows.c.id, response_rows.c.case, response_rows.c.mode).where(
    response_rows.c.case.in_(bindparam("these", expanding=True))
)


def _counted(
    connection: Connection, case: Case, tried: Sequence[Attempt], begun: Collection[str], modes: dict[str, str],
    asked: Collection[str],
) -> Counted:  # fmt: skip
    if case.reserve:
        return Counted(True, False, case.state, case.assignee, "", "", {})
    answers: ResponseState = "none"
    if case.id in begun:
        try:
            answers = extent(connection, case, asked)
        except SurveyError:
            if not holds_key(connection):
                raise
            answers = "started"  # what nobody can read any more (`survey verify` says so) keeps no figure from anybody
    code = disposition(case, tried, answers).code
    return Counted(
        reserve=False,
        first=case.release is None,
        state=case.state,
        assignee=case.assignee,
        code=code,
        mode=modes.get(case.response, ""),
        tries=dict(Counter(attempt.mode for attempt in tried)),
    )


# What was counted


class Progress(Struct, frozen=True, kw_only=True):
    """How one commune stands: numbers of cases by state (reserves not yet released are left out)."""

    commune: str
    waiting: int = 0
    visited: int = 0
    started: int = 0
    complete: int = 0
    closed: int = 0

    @property
    def cases(self) -> int:
        return self.waiting + self.visited + self.started + self.complete + self.closed

    @property
    def open(self) -> int:
        return self.waiting + self.visited + self.started


def progress(connection: Connection, communes: Sequence[str] | None = None) -> list[Progress]:
    """Numbers of cases by commune and state, of all communes or of these."""
    found: dict[str, dict[str, int]] = {}
    for (commune, _, state), tally in of(connection, "state", communes).items():
        found.setdefault(commune, {})[state] = tally.cases
    return [Progress(commune=commune, **by_state) for commune, by_state in sorted(found.items())]


def of(
    connection: Connection, view: str, communes: Sequence[str] | None = None, *, key: str | None = None,
    most: int | None = None,
) -> dict[tuple[str, str, str], Tally]:  # fmt: skip
    """What is there of a view, by commune, key and item: of these communes, or of all; of one key, or of `most` at most."""
    query = select(tallies.c.commune, tallies.c.key, tallies.c.item, tallies.c.cases, tallies.c.weight)
    query = _where(query, view, communes)
    if key is not None:
        query = query.where(tallies.c.key == key)
    found = connection.execute(query.limit(most))
    return {(commune, of, item): Tally(many, weight) for commune, of, item, many, weight in found}


def summed(
    connection: Connection,
    view: str,
    communes: Sequence[str] | None = None,
    *,
    keys: Sequence[str] | None = None,
) -> dict[tuple[str, str], Tally]:
    """The same of all these communes together, by key and item; of all keys, or of these."""
    query = select(tallies.c.key, tallies.c.item, func.sum(tallies.c.cases), func.sum(tallies.c.weight))
    query = _where(query, view, communes).group_by(tallies.c.key, tallies.c.item)
    if keys is not None:
        query = query.where(tallies.c.key.in_(list(keys)))
    return {
        (key, item): Tally(int(many), int(weight)) for key, item, many, weight in connection.execute(query)
    }


def named(
    connection: Connection, view: str, communes: Sequence[str] | None, most: int | None, *, after: str = ""
) -> list[str]:
    """The keys of a view in their order, `most` of those behind `after`."""
    query = _where(select(tallies.c.key).distinct(), view, communes)
    query = query.where(tallies.c.key > after).order_by(tallies.c.key).limit(most)
    return list(connection.execute(query).scalars())


def _where(
    query: Select[*tuple[Any, ...]], view: str, communes: Sequence[str] | None
) -> Select[*tuple[Any, ...]]:
    query = query.where(tallies.c.view == view, tallies.c.cases != 0)
    return query if communes is None else query.where(tallies.c.commune.in_(list(communes)))


# Whether it is true


def verify(connection: Connection) -> Iterator[str]:
    """Count everything again; yields one line for each thing that does not agree. What waits to be counted is not wrong.

    Where the key is not here, what only the answers would tell (interviews that were begun and left) is believed.
    """
    keyed = holds_key(connection)
    added: Counter[Key] = Counter()
    weighed: Counter[Key] = Counter()
    waiting = set(
        connection.execute(select(response_rows.c.case).where(response_rows.c.recount.is_(True))).scalars()
    )
    query = select(case_rows).order_by(case_rows.c.id).execution_options(yield_per=_TOGETHER)
    for rows in connection.execute(query).partitions(_TOGETHER):
        kept = {row.id: (cases.of_row(row), _read(row.counted)) for row in rows if row.counted is not None}
        for case, counted in kept.values():
            _add(added, weighed, _entries(case, counted), 1)
        settled = [
            kept[row.id][0] for row in rows if row.counted_at == row.changed_at and row.id not in waiting
        ]
        if not keyed:
            begun = responses.begun(connection, [case.id for case in settled])
            settled = [case for case in settled if case.response or case.id not in begun]
        for id, true in _standing(connection, settled).items():
            if kept[id][1] != true:
                yield f"case {id}: it is counted as {_written(kept[id][1])}, and is {_written(true)}"
    for key in [key for key in added if key.view in _WHOLE and added[key]]:
        added[Key(_WHOLE[key.view], key.commune, key.key)] += 1
    told = {
        Key(row.view, row.commune, row.key, row.item): (row.cases, row.weight)
        for row in connection.execute(select(tallies))
    }
    for key in sorted(told.keys() | added.keys()):
        if told.get(key, (0, 0)) != (true := (added[key], weighed[key])):
            yield f"tally {' '.join(key)}: it is {told.get(key, (0, 0))}, the cases say {true}"


_TOGETHER: Final = 500
