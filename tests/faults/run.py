"""Nothing acknowledged is ever lost, nothing unacknowledged is half there: the server is killed again and again.

    python tests/faults/run.py --rounds 20 [--database sqlite|postgresql|both] [--households 24] [--seed 1]
        [--kinds kill clock crash full]

Each round starts the real server (`survey serve`) on the database of the rounds before, lets households answer the
real pages through a faulty proxy (tests/faults/proxy.py), kills every process of the server with -9 at a random
moment, and then looks into the database: every form that was acknowledged to a household in any round so far is there
exactly once with the answers that were sent, every batch of events is there whole or not at all, and every response
equals its events. On PostgreSQL two servers share the database, and households are sent now to one and now to the other.

Rounds take turns:

    kill    nothing more than that
    clock   the servers' wall clock jumps by up to two days, forwards and back, while they work
    crash   PostgreSQL is killed in the same moment, too (SQLite: as kill)
    full    the disk under the database has no byte left for a while; when there is room again, work must go on. As
            root, on a small tmpfs; left out otherwise, and said. PostgreSQL switches itself off when a checkpoint
            falls into that while: it is started again, as its service manager would
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from rich.console import Console

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.loading import load_sample  # noqa: E402
from survey.questionnaire.response import Event  # noqa: E402
from survey.storage import audit, responses  # noqa: E402
from survey.storage.database import Database  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.faults.households import SUBMIT, Acknowledged, Household, Log  # noqa: E402
from tests.faults.proxy import FaultyProxy  # noqa: E402

DAY = 86_400
Kind = Literal["kill", "clock", "crash", "full"]
TURNS: tuple[Kind, ...] = ("kill", "clock", "crash", "full")
FOLDER = ROOT / "questionnaires" / "haiduong-digital-society"


class Disk:
    """A small file system of its own, so that it can be filled to the last byte. Only root can make one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextlib.contextmanager
    def mounted(cls, megabytes: int) -> Iterator[Disk | None]:
        """None where it cannot be made."""
        with tempfile.TemporaryDirectory(prefix="survey-disk-") as name:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tmpfs", name]
            if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
                yield None
                return
            try:
                yield cls(Path(name))
            finally:
                subprocess.run(["umount", "-l", name], check=True)

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.folder / "filler").open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        pass

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)


class Lost(AssertionError):
    """Something acknowledged is not there, is there twice, or is half there."""


@contextlib.contextmanager
def serving(
    url: str, *, sabotage: bool = False, clock: Path | None = None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`survey serve` in a process group of its own, ready to answer. `clock`: the file that its wall clock follows."""
    environment = dict(os.environ)
    folder = "sabotage" if sabotage else "stepped" if clock else ""
    if folder:
        folders = [str(Path(__file__).parent / folder), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(folder for folder in folders if folder)
    if clock:
        environment["SURVEY_TEST_CLOCK"] = str(clock)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [
            Path(sys.executable).parent / "survey",
            "serve",
            FOLDER,
            "--database",
            url,
            "--port",
            str(port),
            "--requests-a-minute",
            "0",
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240  # of a machine with much else to do
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5).status_code == 200:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                kill(process)  # or the end of what it says would never come
                said = process.stderr.read().decode() if process.stderr else ""
                raise RuntimeError(f"the server did not start:\n{said}")
            time.sleep(0.02)
        yield port, process
    finally:
        kill(process)
        if process.stderr:
            process.stderr.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Every process of the server at once, without a chance to say good-bye."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def load(url: str, folder: Path, households: int) -> list[tuple[str, str]]:
    """A small sample with codes; returns (case, code)."""
    columns = {
        "household": "h", "stratum": "1", "psu": "ea1", "commune": "10507", "urban_rural": "urban",
        "stage1_probability": "0.1", "stage2_probability": "0.2", "psus_sampled": "2", "psus_in_stratum": "20",
        "households_sampled": "20", "households_listed": "100", "certainty": "false", "reserve": "false",
    }  # fmt: skip
    folder.mkdir()
    with (folder / "sample.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["case", *columns, "respondent_draw"])
        writer.writeheader()
        for number in range(households):
            draw = {"case": f"HD-{number:06d}", "respondent_draw": str((number * 0.37) % 1)}
            writer.writerow(columns | draw)
    (folder / "sample.json").write_text('{"synthetic": true}')
    load_sample(FOLDER, folder, url, folder / "codes.csv", console=Console(quiet=True))
    with (folder / "codes.csv").open(newline="") as file:
        return [(row["case"], row["code"]) for row in csv.DictReader(file)]


@dataclass
class Trouble:
    """What happens in a round besides killing. `disk` is there where it can be filled."""

    kind: Kind
    database: postgresql.Server | None
    disk: Disk | None

    async def happen(self, rng: random.Random, log: Log, port: int, clock: Path) -> None:
        """While households answer."""
        match self.kind:
            case "clock":
                clock.write_text(str(rng.randint(-2 * DAY, 2 * DAY)))
                await _until(log, len(log.acknowledged) + rng.randint(5, 20))
            case "full" if self.disk is not None:
                self.disk.fill()
                # what still fits into files that are there may be kept until then
                await _until_not_ready(port)
                await asyncio.sleep(0.5)
                before = len(log.acknowledged)
                self.disk.free()
                await self._until_kept_again(log, before, before + rng.randint(5, 20))
            case _:
                pass

    async def _until_kept_again(self, log: Log, before: int, enough: int, seconds: float = 240.0) -> None:
        """There is room again: until `enough` forms have been acknowledged in all, `before` were so far.

        PostgreSQL may end at any moment of this, also late: what failed while the disk was full is noticed when the
        machine comes to it. So it is looked after all the while, as its service manager does.
        """
        deadline = time.monotonic() + seconds
        while len(log.acknowledged) < enough and time.monotonic() < deadline:
            if self.database is not None and self.database.ended:
                await asyncio.to_thread(self.database.restart)
            await asyncio.sleep(0.01)
        if len(log.acknowledged) == before:
            log_of_database = "" if self.database is None else "\n" + self.database.last_words()
            raise Lost(f"there is room again, and still nothing is kept{log_of_database}")


async def _seat(waiting: deque[Household], port: int, stop: asyncio.Event) -> None:
    """One phone: when a household has finished, the next one takes it. Somebody is at work until the round ends."""
    while waiting and not stop.is_set():
        await waiting.popleft().answer(port, stop)


async def one_round(
    url: str,
    waiting: deque[Household],
    seats: int,
    rng: random.Random,
    log: Log,
    trouble: Trouble,
    sabotage: bool,
) -> Counter[str]:
    """Start, answer, kill; returns what the network did to the requests."""
    stop = asyncio.Event()
    with contextlib.ExitStack() as stack:
        clock = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "clock"
        clock.write_text("0")
        stepped = clock if trouble.kind == "clock" else None
        workers = 2 if trouble.database is not None else 1
        with ThreadPoolExecutor(workers) as starting:
            started = [
                starting.submit(stack.enter_context, serving(url, sabotage=sabotage, clock=stepped))
                for _ in range(workers)
            ]
        servers = [one.result() for one in started]
        proxy = await FaultyProxy(rng).__aenter__()
        try:
            proxy.server_ports = [port for port, _ in servers]
            answering = [asyncio.create_task(_seat(waiting, proxy.port, stop)) for _ in range(seats)]
            await _until(log, len(log.acknowledged) + rng.randint(1, 60))
            await trouble.happen(rng, log, servers[0][0], clock)
            await asyncio.sleep(rng.uniform(0.0, 0.1))
            for _, process in servers:
                kill(process)
            if trouble.kind == "crash" and trouble.database is not None:
                # PostgreSQL's immediate shutdown: as if it had crashed
                trouble.database.process.send_signal(signal.SIGQUIT)
            await asyncio.sleep(0.1)
            stop.set()
            await asyncio.gather(*answering)
            return proxy.fates
        finally:
            await proxy.__aexit__()


async def _until_not_ready(port: int, seconds: float = 4.0) -> None:
    """Until the server says that it can keep nothing, or nothing was written that would have met the limit."""
    deadline = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/readyz")).status_code == 503:
                    return
            await asyncio.sleep(0.05)


async def _until(log: Log, acknowledged: int, seconds: float = 8.0) -> None:
    """Until so many forms have been acknowledged in all: a slow machine must not make the test a weak one."""
    deadline = time.monotonic() + seconds
    while len(log.acknowledged) < acknowledged and time.monotonic() < deadline:
        await asyncio.sleep(0.002)


def inspect(url: str, log: Log) -> tuple[int, int]:
    """Compare the database with what households were told; returns (events, quarantined). Raises `Lost`."""
    problems: list[str] = []
    kept: dict[str, list[Event]] = {}
    with Database.open(url) as database, database.reading() as connection:
        problems += responses.verify(connection)
        problems += audit.verify(connection)
        for record, events in responses.all(connection):
            kept.setdefault(record.case, []).extend(events)
            problems += _half(record.id, events)
        aside = len(responses.quarantined(connection))
    for acknowledged in log.acknowledged:
        problems += _missing(acknowledged, kept.get(acknowledged.case, []))
    problems += [
        f"{case}: saw its receipt, but nothing is submitted"
        for case in log.receipts
        if not any(event.kind == "submitted" for event in kept.get(case, []))
    ]
    if problems:
        raise Lost("\n".join(problems[:20]))
    return sum(len(events) for events in kept.values()), aside


def _missing(acknowledged: Acknowledged, events: list[Event]) -> list[str]:
    """What of an acknowledged form is not there exactly once. Its events carry the form's time."""
    mine = [event for event in events if event.at == acknowledged.at and event.kind != "opened"]
    place = f"{acknowledged.case} {acknowledged.path} ({acknowledged.form})"
    if not mine and acknowledged.path == SUBMIT:
        # The same summary, sent before and given up, may have come late and be what was kept.
        mine = [event for event in events if event.kind == "submitted"][:1]
    if not mine:
        return [f"{place}: acknowledged and lost"]
    counts = Counter((event.kind, event.page, event.row, event.roster) for event in mine)
    twice = [f"{place}: {kind} is there {count} times" for (kind, *_), count in counts.items() if count > 1]
    answered = {key: answer for event in mine for key, answer in event.answers.items()}
    wrong = []
    for name, value in acknowledged.fields:
        found = next((answer for key, answer in answered.items() if key.partition("@")[0] == name), None)
        if found is None or found.value is None or not value or value.startswith("-"):
            continue
        values = found.value if isinstance(found.value, list) else [found.value]
        if (
            str(value) not in {str(part) for part in values}
            and str(value).lower() != str(found.value).lower()
        ):
            wrong.append(f"{place}: {name} was sent as {value!r}, {found.value!r} is there")
    return twice + wrong


def _half(response: str, events: list[Event]) -> list[str]:
    """Batches come whole: a lock with its draw, a row with its first answers."""
    at = Counter((event.at, event.kind) for event in events)
    return [
        f"response {response}: {first} without {second}"
        for first, second in (("locked", "drawn"), ("drawn", "locked"), ("row_added", "answered"))
        for (moment, kind), count in at.items()
        if kind == first and count and not at[moment, second]
    ]


def rounds(
    name: str,
    url: str,
    options: argparse.Namespace,
    console: Console,
    cluster: postgresql.Server | None,
    disk: Disk | None,
) -> None:
    rng = random.Random(f"{options.seed} {name}")
    log = Log()
    fates: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        codes = load(url, Path(folder) / "sample", options.households * (options.rounds // 2 + 1))
    sample = [Household(case, code, log, random.Random(f"{options.seed} {case}")) for case, code in codes]
    events = aside = 0
    met: Counter[str] = Counter()
    for number in range(options.rounds):
        waiting = deque(household for household in sample if not household.done)
        kind: Kind = options.kinds[number % len(options.kinds)]
        if (kind == "crash" and cluster is None) or (kind == "full" and disk is None):
            kind = "kill"
        met[kind] += 1
        fates += asyncio.run(
            one_round(
                url, waiting, options.households, rng, log, Trouble(kind, cluster, disk), options.sabotage
            )
        )
        if kind == "crash" and cluster is not None:
            cluster.restart()
        events, aside = inspect(url, log)
        if options.verbose:
            console.print(f"{name} round {number + 1}: {len(log.acknowledged)} acknowledged, {events} events")
    console.print(
        f"{name}: {'two servers' if cluster else 'server'} killed {options.rounds} times ("
        + ", ".join(f"{kind} {count}" for kind, count in met.items())
        + f"); {len(log.acknowledged):,} forms acknowledged, 0 lost, 0 twice, 0 half; {events:,} events, {aside} aside; "
        f"{log.sent_again:,} sent again; {len(log.receipts)} households finished"
    )
    if disk is None:
        console.print("  the disk was never full: only root can make one small enough")
    console.print("  network: " + ", ".join(f"{fate} {count}" for fate, count in fates.most_common()))
    if log.refused or not log.acknowledged:
        raise Lost(
            f"forms were refused {dict(log.refused)}, {len(log.acknowledged)} acknowledged: the test has no force"
        )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="kill, cut, replay")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--households", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", choices=TURNS, nargs="+", default=TURNS, help="rounds that take turns")
    parser.add_argument("--sabotage", action="store_true", help="answer before the commit: must be noticed")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(arguments)
    console = Console(width=140)
    os.environ["SURVEY_KEY"] = random.Random(options.seed).randbytes(32).hex()
    if options.database != "postgresql":
        with Disk.mounted(64) as disk, tempfile.TemporaryDirectory() as name:
            folder = disk.folder if disk else Path(name)
            rounds("SQLite", f"sqlite:///{folder / 'survey.sqlite'}", options, console, None, disk)
    if options.database != "sqlite":
        if reason := postgresql.missing():
            console.print(reason)
            return
        with (
            Disk.mounted(192) as disk,
            postgresql.Server.start(("max_wal_size=48MB",), disk.folder if disk else None) as cluster,
            cluster.database() as url,
        ):
            rounds("PostgreSQL", url, options, console, cluster, disk)


if __name__ == "__main__":
    main()
