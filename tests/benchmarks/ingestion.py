"""How many durable saves a second: our group commit beside no database at all and beside a transaction a request.

    python tests/benchmarks/ingestion.py [--seconds 3] [--connections 1 16 64 256] [--rounds 1] [--slow 5]

One save is one event with 40 answers, posted as JSON, validated, and answered with its receipt after the commit. The
client runs on the same machine and takes its share of the cores, so read the ratios, not the rates. Every acknowledged
event is counted in the database afterwards.

    none      validate, answer: what HTTP and Python allow
    thread    validate, hand over to one thread that does nothing, answer: what any store behind a thread can reach
    ours      `await db.write(responses.append, ...)`: the application's own write path
    plain     one INSERT of the same document in a transaction of its own, in a thread, by SQLAlchemy's Core
    request   an ORM session and a transaction for each request, in a thread
    orm       the usual way in this framework: the same by the asynchronous ORM, aiosqlite or asyncpg (tools/with_litestar.py)
    flask     the same in a minimal Flask application on gunicorn (tools/with_flask.py), 32 threads a worker
    odk       ODK Central's own backend, one process, the same answers as its XML (tools/with_odk.py says how to have it; PostgreSQL)

orm and flask run in the interpreter that the environment variable PEERS names (python3 -m venv /tmp/peers &&
/tmp/peers/bin/pip install flask gunicorn litestar granian "sqlalchemy[asyncio]" aiosqlite asyncpg "psycopg[binary]";
PEERS=/tmp/peers/bin/python) or in this one; where they cannot be imported "-" stands there.

PostgreSQL is measured with one worker process and with two. `--slow 5` measures once more with every flush of the disk 5 ms
late (a library put before the C library's fsync and fdatasync, for SQLite and for PostgreSQL; needs cc). Also printed: how
often this disk flushes, and how many saves a second one bare sqlite3 thread commits in groups of 64.

Goals (issue 5): at 64 and 256 connections ours / none >= 0.6, ours / orm >= 8, on the slow disk >= 12 (/ request where orm is not
there), ours / odk >= 10; p99 <= 3 p50 + 50 ms; alone, ours takes at most 1.3 times as long as plain. Where a disk flushes so fast that no database
at all is less than 13 times the ORM, the second goal cannot be met together with what the first asks for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
from litestar import Litestar, post
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, insert
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.fieldwork.sample import SampledUnit  # noqa: E402
from survey.questionnaire.response import Answer, Event  # noqa: E402
from survey.storage import cases, responses  # noqa: E402
from survey.storage.database import Database, _engine  # noqa: E402
from survey.web.ids import new_form_id  # noqa: E402
from tests import postgresql  # noqa: E402
from tests.benchmarks.tools import with_odk  # noqa: E402

HOUSEHOLDS = 512
KEY = b"k" * 32  # what seals the answers, in our store and in no other
ANSWERS = {f"question_{n:02d}": Answer(value=f"{n}") for n in range(36)} | {
    f"list_{n}": Answer(value=["internet", "payment", "phone"]) for n in range(4)
}


def event(number: int) -> Event:
    return Event(
        id=new_form_id(),  # as phones and pages make them: in the order of time
        response=f"r{number % HOUSEHOLDS}",
        kind="answered",
        at=1_760_000_000_000,
        author="household",
        page="bench",
        answers=ANSWERS,
    )


# The server


class Base(DeclarativeBase):
    """The tables of the usual way."""


class Saved(Base):
    """One row for each save, as an ORM class."""

    __tablename__ = "bench_saved"
    id: Mapped[str] = mapped_column(primary_key=True)
    response: Mapped[str] = mapped_column(index=True)
    document: Mapped[str]


def application(url: str) -> Litestar:
    database = Database.open(url).hold_key(KEY)
    if url.startswith("sqlite"):
        usual = create_engine(url + ".usual", connect_args={"timeout": 60})

        @sqlalchemy_event.listens_for(usual, "connect")
        def durable(driver, _record) -> None:  # type: ignore[no-untyped-def]
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("PRAGMA synchronous = FULL")
    else:
        usual = create_engine(_engine(url).url, pool_size=20)
    Base.metadata.create_all(usual)

    @post("/none")
    async def none(data: Event) -> responses.Receipt:
        return responses.Receipt(id=data.id, hash="", state="kept", received_at=0)

    @post("/ours")
    async def ours(data: Event) -> responses.Receipt:
        return (await database.write(responses.append, [data]))[0]

    @post("/plain", sync_to_thread=True)
    def plain(data: Event) -> responses.Receipt:
        document = responses.canonical(data).decode()
        with usual.begin() as connection:
            connection.execute(insert(Saved).values(id=data.id, response=data.response, document=document))
        return responses.Receipt(id=data.id, hash="", state="kept", received_at=0)

    one_thread = ThreadPoolExecutor(1)

    @post("/thread")
    async def thread(data: Event) -> responses.Receipt:
        return await asyncio.get_running_loop().run_in_executor(
            one_thread, lambda: responses.Receipt(id=data.id, hash="", state="kept", received_at=0)
        )

    @post("/request", sync_to_thread=True)
    def request(data: Event) -> responses.Receipt:
        with Session(usual) as session:
            session.add(
                Saved(id=data.id, response=data.response, document=responses.canonical(data).decode())
            )
            session.commit()
        return responses.Receipt(id=data.id, hash="", state="kept", received_at=0)

    return Litestar([none, thread, ours, plain, request], openapi_config=None, logging_config=None)


def create() -> Litestar:
    if os.environ.get("SWITCH"):
        sys.setswitchinterval(float(os.environ["SWITCH"]))
    return application(os.environ["BENCH_DATABASE"])


def serve(url: str, port: int, workers: int) -> None:
    """The server the application runs on."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    os.environ |= {"BENCH_DATABASE": url, "PYTHONPATH": str(ROOT)}
    Granian(
        "tests.benchmarks.ingestion:create", factory=True, interface=Interfaces.ASGI, port=port,
        log_level=LogLevels.error, workers=workers,
    ).serve()  # fmt: skip


@contextlib.contextmanager
def server(url: str, workers: int = 1) -> Iterator[int]:
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port, workers))
    process.start()
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()


# The client


@dataclass(frozen=True)
class Run:
    """Saves a second and the time of a save, in seconds."""

    rate: float
    p50: float
    p99: float
    acknowledged: int


def as_json(number: int) -> bytes:
    return msgspec.json.encode(event(number))


def as_xml(number: int) -> bytes:
    """The same answers for ODK Central."""
    said = {name: answer.value for name, answer in ANSWERS.items()}
    return with_odk.submission(
        {name: " ".join(v) if isinstance(v, list) else str(v) for name, v in said.items()}
    )


async def drive(port: int, path: str, connections: int, seconds: float) -> Run:
    make, kind = (as_xml, "application/xml") if path.startswith("/v1/") else (as_json, "application/json")
    numbers = iter(range(10**9))
    times: list[float] = []
    stop = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < stop:
            body = make(next(numbers))
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            begun = time.perf_counter()
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in answer.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            if not answer.startswith(b"HTTP/1.1 20"):
                raise RuntimeError(answer.decode())
            times.append(time.perf_counter() - begun)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(connections)))
    took = time.perf_counter() - begun
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    return Run(len(times) / took, cuts[49], cuts[98], len(times))


def raw_flushes(folder: Path, seconds: float = 1.0) -> float:
    """fdatasync of a 4 KiB append, a second: what the disk allows one lone writer."""
    count, page = 0, os.urandom(4096)
    with (folder / "flush").open("wb", buffering=0) as file:
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            file.write(page)
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds


def grouped(folder: Path, seconds: float = 1.0, size: int = 64) -> float:
    """Saves a second of one bare thread that commits 64 at a time to a table with the same columns and keys."""
    driver = sqlite3.connect(folder / "grouped.sqlite", isolation_level=None)
    for setting in ("journal_mode = WAL", "synchronous = FULL"):
        driver.execute(f"PRAGMA {setting}")
    driver.execute(
        "CREATE TABLE events (id TEXT PRIMARY KEY, response TEXT, position INT, hash TEXT, received_at INT, document TEXT,"
        " UNIQUE (response, position))"
    )
    count, document = 0, responses.canonical(event(0)).decode()
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        driver.execute("BEGIN IMMEDIATE")
        rows = [(str(uuid.uuid4()), f"r{n}", count, "0" * 64, 0, document) for n in range(size)]
        driver.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", rows)
        driver.execute("COMMIT")
        count += size
    driver.close()
    return count / seconds


SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static int late(const char *name, int file) {
  int (*flush)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);
  usleep(MICROSECONDS);
  return flush(file);
}
int fsync(int file) { return late("fsync", file); }
int fdatasync(int file) { return late("fdatasync", file); }
"""


def slow_flushes(folder: Path, milliseconds: float) -> Path | None:
    """A library that makes every flush so much later when it is preloaded; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    folder.chmod(0o755)  # PostgreSQL's own user loads it too
    source, library = folder / "slow.c", folder / "slow.so"
    source.write_text(SLOW)
    subprocess.run(
        [
            compiler,
            "-shared",
            "-fPIC",
            f"-DMICROSECONDS={milliseconds * 1000:.0f}",
            "-o",
            library,
            source,
            "-ldl",
        ],
        check=True,
    )
    library.chmod(0o755)
    return library


@contextlib.contextmanager
def preloaded(library: Path | None) -> Iterator[dict[str, str]]:
    """Processes that are started in this block load the library; yields the variables for others."""
    if library is None:
        yield {}
        return
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield {"LD_PRELOAD": str(library)}
    finally:
        del os.environ["LD_PRELOAD"]


def prepare(url: str) -> None:
    with Database.open(url).hold_key(KEY) as database, database.writing() as connection:
        for number in range(HOUSEHOLDS):
            unit = SampledUnit(
                case=f"HD-{number:06d}", household="h", stratum="s", psu="p", commune="10507", urban_rural="urban",
                stage1_probability=0.1, stage2_probability=0.1, psus_sampled=2, psus_in_stratum=20,
                households_sampled=10, households_listed=100, respondent_draw=0.5,
            )  # fmt: skip
            cases.import_sample(connection, [unit])
            responses.open(connection, f"r{number}", unit.case, "bench", "self")


def kept(url: str) -> int:
    with Database.open(url).hold_key(KEY) as database, database.reading() as connection:
        problems = list(responses.verify(connection))
        assert not problems, problems[:3]
        return sum(record.events for record, _ in responses.all(connection))


WAYS = ("none", "thread", "ours", "plain", "request")
PEERS = {"orm": "litestar, granian, sqlalchemy, aiosqlite, asyncpg", "flask": "flask, gunicorn, sqlalchemy"}
TOOLS = Path(__file__).parent / "tools"


ODK = "odk"


@contextlib.contextmanager
def odk(postgresql_port: int) -> Iterator[tuple[int, str]]:
    """ODK Central on a database of its own beside ours; gives its port and the address that takes submissions."""
    port = free_port()
    with with_odk.central(postgresql_port, port, list(ANSWERS)) as path:
        yield port, path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def peers() -> list[str]:
    """Those of PEERS that can be run."""
    return [
        name
        for name, needed in PEERS.items()
        if subprocess.run([interpreter(), "-c", f"import {needed}"], capture_output=True).returncode == 0
    ]


def interpreter() -> str:
    return os.environ.get("PEERS", sys.executable)


@contextlib.contextmanager
def peer(name: str, url: str, workers: int) -> Iterator[int]:
    """A peer on a database of its own beside ours; gives the port."""
    port = free_port()
    address = f"{url}.{name}" if url.startswith("sqlite") else _engine(url).url.render_as_string(False)
    command = {
        "orm": [str(TOOLS / "with_litestar.py"), str(port), str(workers)],
        "flask": ["-m", "gunicorn", "--chdir", str(TOOLS), "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
                  "--threads", "32", "--keep-alive", "60", "--backlog", "1024", "--log-level", "error", "--preload",
                  "with_flask:create()"],
    }[name]  # fmt: skip
    environment = os.environ | {"BENCH_DATABASE": address, "PYTHONPATH": str(TOOLS)}
    process = subprocess.Popen([interpreter(), *command], env=environment)
    try:
        for _ in range(2400):  # a busy machine takes a minute to load the frameworks
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def measure(
    name: str,
    url: str,
    options: argparse.Namespace,
    console: Console,
    *,
    workers: int = 1,
    slow: bool = False,
) -> list[str]:
    """Print one table; returns the goals that were missed. Ways take turns, so that all meet the same neighbours."""
    prepare(url)
    compared = ("none", "thread", "request", *PEERS, ODK)
    columns = ("connections", *(f"{way}/s" for way in (*WAYS, *PEERS, ODK)), *(f"ours/{way}" for way in compared),
               "p50 ms", "p99 ms", "plain p50 ms")  # fmt: skip
    table = Table(*columns, title=name)
    acknowledged, missed = 0, []
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(server(url, workers))
        ways = {way: (port, f"/{way}") for way in WAYS}
        ways |= {name: (stack.enter_context(peer(name, url, workers)), "/save") for name in peers()}
        if workers == 1 and not url.startswith("sqlite") and with_odk.there():
            ways[ODK] = stack.enter_context(odk(_engine(url).url.port or 0))
        for way in ("none", *ways.keys() & {*PEERS, ODK}):
            asyncio.run(drive(*ways[way], 16, 1.0))  # warm up
        for connections in options.connections:
            runs: dict[str, list[Run]] = {way: [] for way in ways}
            for _ in range(options.rounds):
                for way, where in ways.items():
                    runs[way].append(asyncio.run(drive(*where, connections, options.seconds)))
            acknowledged += sum(run.acknowledged for run in runs["ours"])
            rate = {way: statistics.median(run.rate for run in made) for way, made in runs.items()}
            p50, p99 = (statistics.median(getattr(run, at) for run in runs["ours"]) for at in ("p50", "p99"))
            alone = statistics.median(run.p50 for run in runs["plain"])
            to = {way: rate["ours"] / rate[way] for way in ways}
            table.add_row(
                str(connections),
                *(f"{rate[way]:,.0f}" if way in rate else "-" for way in (*WAYS, *PEERS, ODK)),
                *(f"{to[way]:.2f}" if way in to else "-" for way in compared),
                f"{p50 * 1000:.1f}", f"{p99 * 1000:.1f}", f"{alone * 1000:.1f}",
            )  # fmt: skip
            goals = {"p99 <= 3 p50 + 50 ms": p99 <= 3 * p50 + 0.05}
            if connections == 1:
                goals = {"alone at most 1.3 plain": p50 <= 1.3 * alone}
            elif connections >= 64 and workers == 1:
                goals |= {
                    f"{12 if slow else 8} times the ORM": to.get("orm", to["request"]) >= (12 if slow else 8)
                }
                if ODK in to:
                    goals["10 times ODK Central"] = to[ODK] >= 10
                if not slow:
                    goals["0.6 of no database"] = to["none"] >= 0.6
            missed += [f"{name}, {connections}: {goal}" for goal, met in goals.items() if not met]
    console.print(table)
    found = kept(url)
    console.print(f"{name}: {acknowledged:,} saves acknowledged, {found:,} kept, every response verified")
    if found != acknowledged:
        raise SystemExit(f"{acknowledged - found} acknowledged saves are missing")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description="durable saves a second")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=1, help="medians of so many turns")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument(
        "--slow", type=float, default=5.0, metavar="MS", help="flushes so much later; 0: not measured"
    )
    parser.add_argument(
        "--fast", action=argparse.BooleanOptionalAction, default=True, help="the disk as it is"
    )
    options = parser.parse_args()
    console = Console(width=180)
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console.print(
            f"this disk: {raw_flushes(folder):,.0f} flushes/s; one bare thread, groups of 64: {grouped(folder):,.0f} saves/s"
        )
        disks: list[Path | None] = [None] if options.fast else []
        if options.slow:
            library = slow_flushes(folder, options.slow)
            disks += [library] if library else []
            if library is None:
                console.print("no slow disk: there is no C compiler (sudo apt-get install gcc)")
        for number, disk in enumerate(disks):
            on = f", every flush {options.slow:g} ms late" if disk else ""
            with preloaded(disk) as environment:
                if options.database != "postgresql":
                    url = f"sqlite:///{folder / f'bench{number}.sqlite'}"
                    missed += measure(f"SQLite{on}", url, options, console, slow=disk is not None)
                if options.database == "sqlite":
                    continue
                if reason := postgresql.missing():
                    console.print(reason)
                    continue
                for workers in (1, 2):
                    with (
                        postgresql.Server.start(environment=environment) as cluster,
                        cluster.database() as url,
                    ):
                        missed += measure(
                            f"PostgreSQL, {workers} worker{'s' if workers > 1 else ''}{on}", url, options, console,
                            workers=workers, slow=disk is not None,
                        )  # fmt: skip
    for goal in missed:
        console.print(f"MISSED: {goal}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
