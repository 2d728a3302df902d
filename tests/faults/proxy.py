"""A bad network in front of the real server: what mobile networks and captive portals do to a request.

pass        as it should be
delay       late, but whole
no_request  the connection breaks before anything reaches the server
no_reply    the server has answered, nobody hears it
cut         half of the body arrives, then the connection breaks
twice       two copies arrive at the same moment
reorder     the connection breaks, and what was sent arrives after what is sent next
late        a second copy arrives after later requests have been served
captive     a Wi-Fi login page answers 200 in the server's place
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

WEIGHTS = {
    "pass": 60, "delay": 8, "no_request": 6, "no_reply": 8, "cut": 5, "twice": 6, "late": 3, "reorder": 3, "captive": 2,
}  # fmt: skip
CAPTIVE = b"<html><title>Wi-Fi</title><form method=post><input name=accept></form></html>"


class FaultyProxy:
    """Listens on a loopback port of its own; one request a connection, so that each meets its own fate."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.weights = WEIGHTS
        self.script: list[str] = []  # fates of the next posts, before chance decides again
        self.server_ports: list[int] = []
        self.port = 0
        self.fates: Counter[str] = Counter()
        self._late: set[asyncio.Task[bytes]] = set()
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> FaultyProxy:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _message(reader)
            posts = request.startswith(b"POST")
            fate = self.rng.choices(list(self.weights), list(self.weights.values()))[0]
            if posts and self.script:
                fate = self.script.pop(0)
            if not posts and fate not in ("delay", "captive", "no_request"):
                fate = "pass"
            self.fates[fate if posts else "read"] += 1
            reply = await self._meet(request, fate)
            writer.write(reply)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client sees a broken connection, as it should
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _meet(self, request: bytes, fate: str) -> bytes:
        """The bytes that the client gets, b"" for a broken connection."""
        match fate:
            case "no_request":
                return b""
            case "captive":
                return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (
                    len(CAPTIVE),
                    CAPTIVE,
                )
            case "cut":
                _, writer = await asyncio.open_connection("127.0.0.1", self.rng.choice(self.server_ports))
                head = request.index(b"\r\n\r\n") + 4
                writer.write(request[: head + (len(request) - head) // 2])
                await writer.drain()
                await asyncio.sleep(0.02)
                writer.transport.abort()
                return b""
            case "no_reply":
                await self._forward(request)
                return b""
            case "twice":
                both = await asyncio.gather(
                    self._forward(request), self._forward(request), return_exceptions=True
                )
                return next((reply for reply in both if isinstance(reply, bytes)), b"")
            case "late" | "reorder":
                task = asyncio.create_task(self._later(request))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
                if fate == "reorder":
                    return b""
            case "delay":
                await asyncio.sleep(self.rng.uniform(0.05, 0.3))
        return await self._forward(request)

    async def _later(self, request: bytes) -> bytes:
        await asyncio.sleep(self.rng.uniform(0.1, 0.6))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            return await self._forward(request)
        return b""

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.rng.choice(self.server_ports))
        try:
            writer.write(request)
            await writer.drain()
            return await asyncio.wait_for(_message(reader), 20)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """One HTTP message with a content length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)
