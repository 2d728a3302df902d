"""Slow clients hold nobody up, and servers that are restarted one after the other lose no request."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from survey.storage import responses
from survey.storage.database import Database
from tests.faults.households import Household, Log
from tests.faults.proxy import _message
from tests.faults.run import load, serving

SLOW, AT_WORK = 300, 8

Served = tuple[str, int, subprocess.Popen[bytes], list[tuple[str, str]]]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A real server with a small sample: its database, port, process and codes."""
    monkeypatch.setenv("SURVEY_KEY", os.environ.get("SURVEY_KEY", "00" * 32))
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    codes = load(url, tmp_path / "sample", AT_WORK)
    with serving(url) as (port, process):
        yield url, port, process, codes


def test_slow_clients_hold_nobody_up(
    served: Served,
) -> None:
    _, port, _, codes = served

    async def story() -> None:
        dawdling = []
        for number in range(SLOW):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            head = "POST /code HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            part = head + "Content-Length: 4096\r\n\r\ncode=" if number % 2 else head[: 20 + number % 40]
            writer.write(part.encode())
            await writer.drain()
            dawdling.append(writer)
        stop, log = asyncio.Event(), Log()
        answering = asyncio.create_task(_answer(codes[0], port, stop, log))
        async with asyncio.timeout(120):
            while len(log.acknowledged) < 5:
                await asyncio.sleep(0.01)
        stop.set()
        await answering
        assert not log.refused
        for writer in dawdling:
            writer.close()

    asyncio.run(story())


async def _answer(code: tuple[str, str], port: int, stop: asyncio.Event, log: Log) -> None:
    await Household(*code, log, random.Random(code[0])).answer(port, stop)


def test_servers_restarted_one_after_the_other_lose_no_request(served: Served) -> None:
    """As docs/operations.md has it: two servers, and a proxy that asks the other one when one breaks off without a word. What
    was begun is answered in full, what came in the very moment of stopping is asked again, and nothing is kept twice."""
    url, port, process, codes = served

    async def story(ports: list[int]) -> tuple[Counter[str], Log]:
        told: Counter[str] = Counter()
        log, stop = Log(), asyncio.Event()
        async with await asyncio.start_server(partial(_pass_on, ports, told), "127.0.0.1", 0) as proxy:
            front = proxy.sockets[0].getsockname()[1]
            at_work = [asyncio.create_task(_answer(code, front, stop, log)) for code in codes]
            for stopped in (process, second):
                enough = len(log.acknowledged) + 10
                async with asyncio.timeout(120):
                    while len(log.acknowledged) < enough and not all(one.done() for one in at_work):
                        await asyncio.sleep(0.01)
                os.kill(stopped.pid, signal.SIGTERM)
                assert await asyncio.to_thread(stopped.wait, 60) == 0
                if stopped is process:
                    again = await asyncio.to_thread(stack.enter_context, serving(url))
                    ports[0] = again[0]
            stop.set()
            await asyncio.gather(*at_work)
        return told, log

    with contextlib.ExitStack() as stack:
        second_port, second = stack.enter_context(serving(url))
        told, log = asyncio.run(story([port, second_port]))
    assert told["half"] == told["nobody"] == 0, told
    assert log.sent_again == 0, "a household had to send again"
    assert not log.refused
    with Database.open(url) as database, database.reading() as connection:
        times = {event.at for _, events in responses.all(connection) for event in events}
        assert {acknowledged.at for acknowledged in log.acknowledged} <= times
        assert list(responses.verify(connection)) == []


async def _pass_on(
    ports: list[int], told: Counter[str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """`proxy_next_upstream error non_idempotent`: the next server when one says nothing at all."""
    request = await _message(reader)
    for port in (*ports, *ports):
        whole = b""
        with contextlib.suppress(ConnectionError):
            there, back = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(back):
                back.write(request)
                whole = await there.read()
        if whole:
            head, _, body = whole.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            told["answered" if length and int(length[1]) == len(body) else "half"] += 1
            writer.write(whole)
            break
        told["asked the next"] += 1
    else:
        told["nobody"] += 1
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        writer.close()
