"""A whole province visited: what officials and the office look at, with six thousand households and with a hundred times as many.

    python tests/benchmarks/province.py [--households 6000 600000] [--database sqlite|postgresql|both]

Every household is visited and has answered (as in freezing.py); each official has a hundred. Timed are the questions behind the
pages, as the application asks them, the median of several: an official's list with its responses, a supervisor's list of a commune, a
household found by its code, one save of a phone that syncs, the progress of one commune and of all, and the outcome rates of one
commune and of all.

Goal (issue 5): nothing takes more than twice as long with 600,000 as with 6,000, except for whoever looks first at figures of all
communes after the server has started: they are kept then, and made anew beside the pages.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.oversight import Oversight  # noqa: E402
from survey.questionnaire.response import Answer, Event  # noqa: E402
from survey.storage import cases, codes, responses  # noqa: E402
from survey.storage.database import Database  # noqa: E402
from survey.storage.remembered import ProgressOfAll  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.benchmarks.freezing import FOLDER, fill  # noqa: E402

OFFICIAL = 100
KEY = b"k" * 32  # what seals the answers
FIRST = ("progress of the province, first", "rates of the province, first")
"""What looks at every case: whoever asks first waits for it, everybody else gets what is kept (`survey.storage.remembered`)."""


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
            connection.execute(text("ANALYZE"))


def looks(database: Database, households: int) -> dict[str, Callable[[int], object]]:
    """What is timed; each is given the number of the time."""
    oversight, progress = Oversight(database, FOLDER), ProgressOfAll(database)
    with database.reading() as connection:
        commune = cases.existing(connection, "HD-00000000").unit.commune

    def read(look: Callable[..., object]) -> Callable[[int], object]:
        def timed(number: int) -> object:
            with database.reading() as connection:
                return look(connection, number)

        return timed

    def mine(connection: object, number: int) -> object:
        official = number % max(1, households // OFFICIAL)
        own = cases.assigned_to(connection, f"o{official:06d}")  # type: ignore[arg-type]
        assert len(own) == min(OFFICIAL, households)
        return responses.of_cases(connection, [case.id for case in own])  # type: ignore[arg-type]

    def save(number: int) -> object:
        event = Event(
            id=f"n{number}", response=f"r{number:08d}", kind="answered", at=1, author="an", mode="visit",
            answers={"q00": Answer(value="1")},
        )  # fmt: skip
        return database.write_now(responses.append, [event])

    return {
        "an official's list": read(mine),
        "the supervisor's list of a commune": read(
            lambda connection, _: cases.placed(connection, commune, cases.areas(connection, commune, 20))
        ),
        "a household by its code": read(lambda connection, number: codes.find(connection, f"digest{number}")),
        "one save": save,
        "progress of one commune": read(lambda connection, _: cases.progress(connection, [commune])),
        "progress of the province, first": lambda _: ProgressOfAll(database).of(None),
        "progress of the province": lambda _: progress.of(None),
        "rates of one commune": lambda _: oversight.rates("official", [commune]),
        "rates of the province, first": lambda _: Oversight(database, FOLDER).rates("commune"),
        "rates of the province": lambda _: oversight.rates("commune"),
    }


def milliseconds(look: Callable[[int], object]) -> float:
    """The median of up to 21 times, fewer where one takes long."""
    times: list[float] = []
    for number in range(22):
        started = time.perf_counter()
        look(number)
        times.append(time.perf_counter() - started)
        if sum(times) > 20:
            break
    return statistics.median(times[1:] or times) * 1000


def measure(name: str, url: str, households: int, found: dict[tuple[str, str], list[float]]) -> None:
    prepare(url, households)
    with Database.open(url).hold_key(KEY) as database:
        for what, look in looks(database, households).items():
            found.setdefault((name, what), []).append(milliseconds(look))


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
        missed += late and what not in FIRST
        table.add_row(
            name, what, f"{small:.2f}", f"{large:.2f}", f"{large / small:.1f}{' MISSED' if late else ''}"
        )
    Console(width=110).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
