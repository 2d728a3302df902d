"""What is counted as cases change is what a look at every case would say, whatever happened and whoever counts meanwhile."""

from __future__ import annotations

import contextlib
import math
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import msgspec
import pytest
from sqlalchemy import Connection, select, text, update

from analysis.outcomes import Outcomes, rates
from survey.fieldwork.backchecks import PREFIX
from survey.fieldwork.cases import (
    Attempt,
    Case,
    Chosen,
    Closed,
    Mode,
    Override,
    Release,
    Released,
    Relisted,
    Reopened,
    disposition,
)
from survey.fieldwork.dispositions import OUTCOMES
from survey.fieldwork.listing import Finding
from survey.fieldwork.progress import CATEGORIES
from survey.oversight import By, Oversight
from survey.problems import SurveyError
from survey.storage import cases, erasure, responses, surveys, tallies
from survey.storage.database import Database
from survey.storage.extent import extent, sufficient
from survey.storage.tables import cases as case_rows
from survey.storage.tables import tallies as tally_rows
from tests.storage.households import event, unit
from tests.storage.test_schema import PLAN, questionnaire

COMMUNES = ("10507", "10510", "10513")
VERSION = questionnaire("Tên?").version
MODES = get_args(Mode)


def sample(households: int = 30) -> list[Any]:
    """Three communes, two strata across them, areas of four, one drawn with certainty, every tenth household in reserve."""
    return [
        msgspec.structs.replace(
            unit(n, commune=COMMUNES[n // 4 % 3], reserve=n % 10 == 9),
            stratum=("urban", "rural")[n // 8 % 2],
            psu=f"{COMMUNES[n // 4 % 3]}-{n // 4}",
            stage1_probability=1.0 if n // 4 == 1 else 0.03 + n // 4 % 9 / 70,
            certainty=n // 4 == 1,
        )
        for n in range(households)
    ]


def begin(db: Database, households: int = 30) -> None:
    with db.writing() as connection:
        plan = msgspec.structs.replace(PLAN, sufficient=("q1",))
        surveys.keep(connection, questionnaire("Tên?"), plan, "enough is q1")
        cases.import_sample(connection, sample(households))


class History:
    """Things that happen to households, at random, in any order in which they can."""

    def __init__(self, db: Database, seed: int) -> None:
        self.db, self.rng, self.name, self.numbers = db, random.Random(seed), f"w{seed}", iter(range(10**6))
        self.opened: list[str] = []

    def happen(self, times: int, counting: float = 0.1) -> None:
        for _ in range(times):
            if self.rng.random() < counting:
                tallies.refresh(self.db)
            with contextlib.suppress(SurveyError):  # what cannot be is refused, and changes nothing
                self.rng.choice(
                    (self.opens, self.opens, self.answers, self.answers, self.answers, self.submits, self.tries, self.moves,
                     self.given)
                )()  # fmt: skip

    def case(self) -> str:
        return f"HD-{self.rng.randrange(30):06d}"

    def id(self) -> str:
        return f"{self.name}-{next(self.numbers)}"

    def opens(self) -> None:
        id = (PREFIX if self.rng.random() < 0.2 else "") + self.id()
        self.db.write_now(responses.open, id, self.case(), VERSION, self.rng.choice(MODES))
        self.opened.append(id)

    def answers(self) -> None:
        if self.opened:
            said = {"q1": "Lan"} if self.rng.random() < 0.5 else {}
            self.append(event(self.id(), self.rng.choice(self.opened), **said))

    def submits(self) -> None:
        if self.opened:
            kind = self.rng.choice(("submitted", "submitted", "reopened"))
            self.append(event(self.id(), self.rng.choice(self.opened), kind))

    def append(self, one: Any) -> None:
        self.db.write_now(responses.append, [one])

    def tries(self) -> None:
        attempt = Attempt(
            id=self.id(), case=self.case(), at=self.rng.randrange(100), author="an", mode=self.rng.choice(MODES),
            outcome=self.rng.choice(list(OUTCOMES)),
        )  # fmt: skip
        self.db.write_now(cases.record_attempt, attempt)

    def given(self) -> None:
        if self.rng.random() < 0.1:
            self.db.write_now(cases.assign, [self.rng.choice(COMMUNES)], "binh")
        self.db.write_now(cases.reassign, self.case(), self.rng.choice(("", "an", "binh")))

    def moves(self) -> None:
        case = self.case()
        override = Override(code=self.rng.choice(("4.60", "2.11")), reason="vì", author="chi", at=1)
        moved = self.rng.choice((
            Closed(override), Closed(), Reopened(), Released(Release(instead_of="HD-000001", reason="vì", author="chi", at=1)),
            Relisted(Finding(kind=self.rng.choice(("gone", "listed")), number=1, author="an", at=1)), "chosen", "erased", "plan",
        ))  # fmt: skip
        if moved == "chosen":
            with self.db.reading() as connection:
                own = responses.by_case(connection, case)
            moved = Chosen(self.rng.choice(own).id if own else "none")
        if moved == "erased":
            if self.rng.random() < 0.3:
                self.db.write_now(erasure.erase, case, "asked", "quan")
        elif moved == "plan":
            enough = self.rng.choice(((), ("q1",)))
            plan = msgspec.structs.replace(PLAN, sufficient=enough)
            self.db.write_now(surveys.keep, questionnaire("Tên?"), plan, f"enough is {enough}")
        else:
            self.db.write_now(cases.move, case, moved)


class Standing(NamedTuple):
    """One case, as a look at it says."""

    case: Case
    category: str
    code: str
    weight: float
    mode: str
    tried: list[str]


def looked_at(connection: Connection, communes: Sequence[str] | None) -> list[Standing]:
    """Every household first drawn, looked at by itself."""
    found = []
    for case in cases.every(connection, communes):
        if case.reserve or case.release is not None:
            continue
        records = responses.by_case(connection, case.id)
        begun = any(not record.id.startswith(PREFIX) for record in records)
        tried = cases.attempts_of(connection, case.id)
        final = disposition(
            case, tried, extent(connection, case, sufficient(connection)) if begun else "none"
        )
        weight = 1.0 / (case.unit.stage1_probability * case.unit.stage2_probability)
        mode = next((record.mode for record in records if record.id == case.response), "")
        found.append(Standing(case, final.category, final.code, weight, mode, [one.mode for one in tried]))
    return found


def agrees(db: Database, communes: Sequence[str] | None = None) -> None:
    """Every figure of the office against a look at every case; called when nobody else writes."""
    oversight = Oversight(db, Path())
    given = {by: oversight.rates(by, communes) for by in get_args(By)}
    with db.reading() as connection:
        assert list(tallies.verify(connection)) == []
        assert not tallies._pending(connection)
        found = looked_at(connection, communes)
        every = [case for case in cases.every(connection, communes) if not case.reserve]
        lines = tallies.progress(connection, communes)
        loads = tallies.of(connection, "load", communes)
    assert {(line.commune, state): getattr(line, state) for line in lines for state in ("waiting", "visited", "started", "complete", "closed") if getattr(line, state)} == Counter((case.unit.commune, case.state) for case in every)  # fmt: skip
    assert {key: tally.cases for key, tally in loads.items()} == Counter(
        (case.unit.commune, case.assignee, case.state) for case in every
    )
    groups: dict[str, Callable[[Case], str]] = {
        "commune": lambda case: case.unit.commune,
        "stratum": lambda case: case.unit.stratum,
        "official": lambda case: case.assignee,
    }
    for by, group in groups.items():
        by_name: dict[str, list[Standing]] = {"": found}
        for one in found:
            if name := group(one.case):
                by_name.setdefault(name, []).append(one)
        assert [one.name for one in given[by]] == sorted(by_name)  # type: ignore[index]
        for one in given[by]:  # type: ignore[index]
            own = by_name[one.name]
            assert one.counts == {name: sum(each.category == name for each in own) for name in CATEGORIES}
            same(one.plain, rates(Outcomes.of([each.category for each in own])))
            same(
                one.weighted,
                rates(Outcomes.of([each.category for each in own], [each.weight for each in own])),
            )
    endings = Counter(one.code for one in found)
    assert {one.disposition.code: one.cases for one in oversight.endings(communes)} == endings
    everybody, done = sum(one.weight for one in found), [one for one in found if one.code == "1.1"]
    for ending in oversight.endings(communes):
        weight = sum(one.weight for one in found if one.code == ending.disposition.code)
        assert (ending.plain, ending.weighted) == pytest.approx(
            (ending.cases / len(found), weight / everybody)
        )
    answered, tried = sum(one.weight for one in done), Counter(mode for one in found for mode in one.tried)
    ways = oversight.ways(communes)
    assert [way.mode for way in ways] == [m for m in MODES if tried[m] or any(one.mode == m for one in done)]
    for way in ways:
        own = [one for one in done if one.mode == way.mode]
        assert (way.complete, way.attempts) == (len(own), tried[way.mode])
        if done:
            weight = sum(one.weight for one in own) / answered
            assert (way.plain, way.weighted) == pytest.approx((len(own) / len(done), weight))
    reached = oversight.reached(communes)
    assert [one.name for one in reached] == sorted({one.case.unit.stratum for one in found})
    for stratum in reached:
        own = [one for one in found if one.case.unit.stratum == stratum.name]
        areas = {one.case.unit.psu for one in own}
        spoke = {one.case.unit.psu for one in own if one.code == "1.1"}
        told = (stratum.areas, stratum.areas_silent, stratum.households, stratum.complete, stratum.open)
        assert told == (
            len(areas), len(areas - spoke), len(own), sum(one.code == "1.1" for one in own),
            sum(one.case.state in tallies.OPEN for one in own),
        )  # fmt: skip
        certain = all(one.case.unit.certainty for one in own)
        assert stratum.needs_areas == (len(spoke) < 2 and not certain)
        assert stratum.drawn_share == pytest.approx(sum(one.weight for one in own) / everybody)
        share = sum(one.weight for one in own if one.code == "1.1") / answered if done else math.nan
        assert stratum.answered_share == pytest.approx(share, nan_ok=True)


def same(told: Any, true: Any) -> None:
    assert told == {name: pytest.approx(true[name], nan_ok=True) for name in told}


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_the_counts_are_what_a_look_at_every_case_says(db: Database, seed: int) -> None:
    begin(db)
    history = History(db, seed)
    history.happen(80)
    agrees(db)
    history.happen(80)
    for communes in (None, COMMUNES[:1], COMMUNES[1:]):
        agrees(db, communes)


def test_a_draft_counts_by_what_it_says_and_by_what_is_enough(db: Database) -> None:
    begin(db, 1)

    def counted() -> list[str]:
        agrees(db)
        with db.reading() as connection:
            return [code for _, code in tallies.summed(connection, "outcome")]

    told = [counted()]
    db.write_now(responses.open, "r1", "HD-000000", VERSION, "self")
    told.append(counted())
    for number, said in enumerate(({}, {"q1": "Lan"})):
        db.write_now(responses.append, [event(f"e{number}", "r1", **said)])
        told.append(counted())
    db.write_now(surveys.keep, questionnaire("Tên?"), PLAN, "nothing is enough")
    told.append(counted())
    db.write_now(responses.append, [event("e2", "r1", "submitted")])
    told.append(counted())
    db.write_now(erasure.erase, "HD-000000", "asked", "quan")
    told.append(counted())
    assert told == [["3.19"], ["3.19"], ["2.12"], ["1.2"], ["2.12"], ["1.1"], ["2.11"]]


def test_servers_that_write_and_count_at_once_count_right(url: str) -> None:
    problems: list[BaseException] = []
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Database.open(url).hold_key(b"k" * 32)) for _ in range(3)]
        begin(servers[0])

        def work(number: int) -> None:
            try:
                History(servers[number], 100 + number).happen(60, counting=0.4)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        agrees(servers[0])


def test_only_what_changed_is_looked_at_and_portion_by_portion(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(db)
    counted: list[int] = []
    count = tallies._count

    def watched(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
        counted.append(len(ids))
        return count(connection, ids)

    monkeypatch.setattr(tallies, "_count", watched)
    monkeypatch.setattr(tallies, "PORTION", 7)
    tallies.refresh(db)
    assert counted == [7, 7, 7, 7, 2]
    tallies.refresh(db)
    assert counted[5:] == []
    db.write_now(cases.reassign, "HD-000003", "an")
    tallies.refresh(db)
    db.write_now(responses.open, "r1", "HD-000004", VERSION, "self")
    tallies.refresh(db)
    db.write_now(responses.append, [event("e1", "r1", q1="Lan")])
    tallies.refresh(db)
    assert counted[5:] == [1, 1, 1]
    agrees(db)


def test_a_server_of_the_version_before_leaves_a_mark_too(db: Database) -> None:
    """It knows nothing of `counted_at`, but says when it changed a case."""
    begin(db)
    tallies.refresh(db)
    with db.writing() as connection:
        connection.execute(
            update(case_rows).where(case_rows.c.id == "HD-000003").values(assignee="an", changed_at=1)
        )
    agrees(db)


def test_verify_finds_a_count_that_is_not_true(db: Database) -> None:
    begin(db)
    tallies.refresh(db)
    with db.writing() as connection:
        connection.execute(
            update(tally_rows)
            .where(tally_rows.c.view == "state", tally_rows.c.commune == "10507")
            .values(cases=99)
        )
        connection.execute(update(case_rows).where(case_rows.c.id == "HD-000003").values(state="closed"))
    with db.reading() as connection:
        problems = list(tallies.verify(connection))
    assert len(problems) == 2
    assert "case HD-000003" in problems[0]
    assert "tally state 10507" in problems[1]


def test_what_is_to_be_counted_is_found_by_its_own_index(db: Database) -> None:
    begin(db, 2000)
    with db.writing() as connection:
        responses.open_all(connection, [(f"r{n}", f"HD-{n:06d}", "self") for n in range(2000)], VERSION)
    tallies.refresh(db)
    explain = "EXPLAIN QUERY PLAN " if db.dialect == "sqlite" else "EXPLAIN "
    with db.writing() as connection:
        connection.execute(text("ANALYZE"))
    with db.reading() as connection:
        for query, index in (
            (tallies._MARKED, "ix_cases_uncounted"),
            (tallies._WAITING, "ix_responses_recount"),
        ):
            values = {"at": -1, "after": "", "most": 10} if query is tallies._MARKED else {}
            written = query.compile(connection, compile_kwargs={"render_postcompile": True})
            plan = connection.exec_driver_sql(explain + str(written), _bound(written, values)).all()
            assert index in str(plan), plan


def _bound(written: Any, values: dict[str, Any]) -> Any:
    found = {**written.params, **values}
    return tuple(found[name] for name in written.positiontup) if written.positional else found


def test_nothing_is_lost_of_a_case_that_somebody_is_changing_meanwhile(url: str) -> None:
    """On PostgreSQL it is passed by and left for the next time; SQLite has one writer."""
    with Database.open(url).hold_key(b"k" * 32) as db, Database.open(url).hold_key(b"k" * 32) as other:
        if db.dialect == "sqlite":
            pytest.skip("one writer at a time")
        begin(db)
        tallies.refresh(db)
        db.write_now(cases.reassign, "HD-000003", "an")
        with other.writing() as connection:
            cases.reassign(connection, "HD-000003", "binh")
            tallies.refresh(db)
            with db.reading() as reading:
                row = reading.execute(
                    select(case_rows.c.counted_at).where(case_rows.c.id == "HD-000003")
                ).one()
            assert row.counted_at is None
        agrees(db)
