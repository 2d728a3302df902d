"""How many durable saves a second: our group commit beside no database at all and beside a transaction a request.

    python tests/benchmarks/ingestion.py [--seconds 3] [--connections 1 16 64 256] [--postgresql]

One save is one event with 40 answers, posted as JSON, validated, and answered with its receipt after the commit. The
client runs on the same machine and takes its share of the cores, so read the ratios, not the rates. Every acknowledged
event is counted in the database afterwards.

    none      validate, answer: what HTTP and Python allow
    thread    validate, hand over to one thread that does nothing, answer: what any store behind a thread can reach
    ours      `await db.write(responses.append, ...)`: the application's own write path
    request   the usual way: an ORM session and a transaction for each request, in a thread
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import socket
import statistics
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
from sqlalchemy import create_engine
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.fieldwork.sample import SampledUnit  # noqa: E402
from survey.questionnaire.response import Answer, Event  # noqa: E402
from survey.storage import cases, responses  # noqa: E402
from survey.storage.database import Database, _engine  # noqa: E402
from tests import postgresql  # noqa: E402

HOUSEHOLDS = 512
ANSWERS = {f"question_{n:02d}": Answer(value=f"{n}") for n in range(36)} | {
    f"list_{n}": Answer(value=["internet", "payment", "phone"]) for n in range(4)
}


def event(number: int) -> Event:
    return Event(
        id=str(uuid.uuid4()),
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
    database = Database.open(url)
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

    return Litestar([none, thread, ours, request], openapi_config=None, logging_config=None)


def create() -> Litestar:
    return application(os.environ["BENCH_DATABASE"])


def serve(url: str, port: int) -> None:
    """The server the application runs on, with one worker process."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    os.environ |= {"BENCH_DATABASE": url, "PYTHONPATH": str(ROOT)}
    Granian(
        "tests.benchmarks.ingestion:create", factory=True, interface=Interfaces.ASGI, port=port,
        log_level=LogLevels.error,
    ).serve()  # fmt: skip


@contextlib.contextmanager
def server(url: str) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(url, port))
    process.start()
    try:
        deadline = time.monotonic() + 30
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


async def drive(port: int, path: str, connections: int, seconds: float) -> Run:
    numbers = iter(range(10**9))
    times: list[float] = []
    stop = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < stop:
            body = msgspec.json.encode(event(next(numbers)))
            head = (
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
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
            if not answer.startswith(b"HTTP/1.1 201"):
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


def prepare(url: str) -> None:
    with Database.open(url) as database, database.writing() as connection:
        for number in range(HOUSEHOLDS):
            unit = SampledUnit(
                case=f"HD-{number:06d}", household="h", stratum="s", psu="p", commune="10507", urban_rural="urban",
                stage1_probability=0.1, stage2_probability=0.1, psus_sampled=2, psus_in_stratum=20,
                households_sampled=10, households_listed=100, respondent_draw=0.5,
            )  # fmt: skip
            cases.import_sample(connection, [unit])
            responses.open(connection, f"r{number}", unit.case, "bench", "self")


def kept(url: str) -> int:
    with Database.open(url) as database, database.reading() as connection:
        problems = list(responses.verify(connection))
        assert not problems, problems[:3]
        return sum(record.events for record, _ in responses.all(connection))


def measure(name: str, url: str, options: argparse.Namespace, console: Console) -> None:
    prepare(url)
    columns = ("connections", "none/s", "thread/s", "ours/s", "request/s", "ours/none", "ours/thread", "ours/request",
               "p50 ms", "p99 ms")  # fmt: skip
    table = Table(*columns, title=name)
    acknowledged = 0
    with server(url) as port:
        asyncio.run(drive(port, "/none", 16, 1.0))  # warm up
        for connections in options.connections:
            none, thread, ours, request = (
                asyncio.run(drive(port, path, connections, options.seconds))
                for path in ("/none", "/thread", "/ours", "/request")
            )
            acknowledged += ours.acknowledged
            table.add_row(
                str(connections),
                *(f"{run.rate:,.0f}" for run in (none, thread, ours, request)),
                f"{ours.rate / none.rate:.2f}",
                f"{ours.rate / thread.rate:.2f}",
                f"{ours.rate / request.rate:.1f}",
                f"{ours.p50 * 1000:.1f}",
                f"{ours.p99 * 1000:.1f}",
            )
    console.print(table)
    found = kept(url)
    console.print(f"{name}: {acknowledged:,} saves acknowledged, {found:,} kept, every response verified")
    if found != acknowledged:
        raise SystemExit(f"{acknowledged - found} acknowledged saves are missing")


def main() -> None:
    parser = argparse.ArgumentParser(description="durable saves a second")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 256])
    options = parser.parse_args()
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        console.print(f"raw flushes of this disk: {raw_flushes(folder):,.0f}/s")
        measure("SQLite", f"sqlite:///{folder / 'bench.sqlite'}", options, console)
        if reason := postgresql.missing():
            console.print(reason)
            return
        with postgresql.Server.start() as cluster, cluster.database() as url:
            measure("PostgreSQL", url, options, console)


if __name__ == "__main__":
    main()
