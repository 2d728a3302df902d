"""A whole province visited: what officials and the office look at, with six thousand households and with a hundred times as many.

    python tests/benchmarks/province.py [--households 6000 600000] [--database sqlite|postgresql|both]

Every household is visited and has answered (as in freezing.py); each official has a hundred. Timed are the questions behind the
pages, as the application asks them, the median of several: an official's list with its responses, a page of a commune's areas and the
last one, the households of an area, those of an official, a household found by its code, one save of a phone that syncs, and the
figures of one commune and of all, each after a household has been given to somebody else, so that there is something new to be
counted. Counting them all for the first time, as `survey load` and the first start after an update do, is told beside the table.

Goal (issue 5): nothing takes more than twice as long with 600,000 as with 6,000.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, text

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.oversight import Oversight  # noqa: E402
from survey.questionnaire.response import Answer, Event  # noqa: E402
from survey.storage import cases, codes, responses, tallies  # noqa: E402
from survey.storage.database import Database  # noqa: E402
from survey.web.handover import FOUND, PAGE  # noqa: E402
from survey.web.supervision import LINES  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.benchmarks.freezing import FOLDER, fill  # noqa: E402

OFFICIAL = 100
Communes = Sequence[str] | None
KEY = b"k" * 32  # what seals the answers


def prepare(url: str, households: int) -> None:
    """Give each hundred households to an official, one visit to each, and a code to each of the first hundred."""
    fill(url, households, 1)
    with Database.open(url) as database:
        with database.writing() as connection:
            connection.execute(text("UPDATE cases SET assignee = 'o' || substr(id, 4, 6), attempts = 1"))
            connection.execute(
                text(
                    'INSERT INTO attempts (id, "case", at, author, mode, outcome, note, appointment, received_at)'
                    " SELECT 'a' || id, id, 0, assignee, 'visit', 'interviewed', '', '', 0 FROM cases"
                )
            )
            codes.issue(
                connection,
                [(f"HD-{number:08d}", f"digest{number}") for number in range(min(100, households))],
            )
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if database.dialect == "postgresql":  # its own vacuum may be at the same table
                connection.execute(text("SET lock_timeout = 0"))
            connection.execute(text("ANALYZE"))


@dataclass(frozen=True)
class Look:
    """What is timed, given the number of the time, and what happens before it each time."""

    look: Callable[[int], object]
    before: Callable[[int], object] = lambda _: None


def looks(database: Database, households: int) -> dict[str, Look]:
    """What is timed."""
    oversight = Oversight(database, FOLDER)
    officials = max(2, households // OFFICIAL)
    others = itertools.count(1)
    with database.reading() as connection:
        unit = cases.existing(connection, "HD-00000000").unit

    def read(look: Callable[[Connection, int], object]) -> Look:
        def timed(number: int) -> object:
            with database.reading() as connection:
                return look(connection, number)

        return Look(timed)

    def mine(connection: Connection, number: int) -> object:
        own = cases.assigned_to(connection, f"o{number % officials:06d}")
        assert len(own) == OFFICIAL
        return responses.of_cases(connection, [case.id for case in own])

    def areas(connection: Connection, before: str = "") -> object:
        return cases.placed(
            connection, unit.commune, cases.areas(connection, unit.commune, PAGE, before=before)
        )

    def progress(communes: Communes) -> object:
        tallies.refresh(database)
        with database.reading() as connection:
            return tallies.progress(connection, communes)

    def figures(look: Callable[[Communes], object], communes: Communes) -> Look:
        """Looked at when one household has just been given to another official."""

        def give(number: int) -> None:
            database.write_now(cases.reassign, f"HD-{number:08d}", f"o{next(others) % officials:06d}")

        return Look(lambda _: look(communes), give)

    def save(number: int) -> object:
        event = Event(
            id=f"n{number}", response=f"r{number:08d}", kind="answered", at=1, author="an", mode="visit",
            answers={"q00": Answer(value="1")},
        )  # fmt: skip
        return database.write_now(responses.append, [event])

    found = {
        "an official's list": read(mine),
        "a page of the areas of a commune": read(lambda connection, _: areas(connection)),
        "its last page": read(lambda connection, _: areas(connection, before="q")),
        "the households of an area": read(
            lambda connection, _: cases.of_area(connection, unit.commune, unit.psu)
        ),
        "the households of an official": read(
            lambda connection, number: cases.of_official(connection, f"o{number:06d}", None, FOUND)
        ),
        "a household by its code": read(lambda connection, number: codes.find(connection, f"digest{number}")),
        "one save": Look(save),
    }
    told: dict[str, Callable[[Communes], object]] = {
        "progress": progress,
        "rates by official": lambda communes: oversight.rates("official", communes, most=LINES),
        "rates by commune": lambda communes: oversight.rates("commune", communes),
        "strata": oversight.reached,
        "modes": oversight.ways,
        "outcomes": oversight.endings,
    }
    for name, look in told.items():
        found[f"{name}, one commune"] = figures(look, [unit.commune])
        found[f"{name}, the province"] = figures(look, None)
    return found


def milliseconds(one: Look) -> float:
    """The median of up to 21 times, fewer where one takes long."""
    times: list[float] = []
    for number in range(22):
        one.before(number)
        started = time.perf_counter()
        one.look(number)
        times.append(time.perf_counter() - started)
        if sum(times) > 20:
            break
    return statistics.median(times[1:] or times) * 1000


def measure(name: str, url: str, households: int, found: dict[tuple[str, str], list[float]]) -> None:
    prepare(url, households)
    with Database.open(url).hold_key(KEY) as database:
        started = time.perf_counter()
        tallies.refresh(database)
        print(
            f"{name}: {households:,} households counted for the first time in {time.perf_counter() - started:.1f} s"
        )
        for what, look in looks(database, households).items():
            found.setdefault((name, what), []).append(took := milliseconds(look))
            print(f"{name}, {households:,}: {what}: {took:.2f} ms", file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="a province a hundred times as large")
    parser.add_argument("--households", type=int, nargs=2, default=[6_000, 600_000])
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    options = parser.parse_args()
    found: dict[tuple[str, str], list[float]] = {}
    for households in options.households:
        if options.database != "postgresql":
            with tempfile.TemporaryDirectory() as scratch:
                measure("SQLite", f"sqlite:///{scratch}/bench.sqlite", households, found)
        if options.database != "sqlite":
            if reason := postgresql.missing():
                print(reason)
                continue
            with postgresql.Server.start() as cluster, cluster.database() as url:
                measure("PostgreSQL", url, households, found)
    table = Table("database", "what", *(f"{number:,}, ms" for number in options.households), "times")
    missed = 0
    for (name, what), (small, large) in found.items():
        late = large > 2 * small + 1
        missed += late
        table.add_row(
            name, what, f"{small:.2f}", f"{large:.2f}", f"{large / small:.1f}{' MISSED' if late else ''}"
        )
    Console(width=110).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
