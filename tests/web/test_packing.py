"""Answers travel as small as each browser can read them; sound and parts of files travel as they are."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
from typing import Any

import brotli
import pytest
from litestar.testing import TestClient
from litestar.types import Message, Receive, Scope, Send

from survey.web import packing

UNPACK = {"br": brotli.decompress, "gzip": gzip.decompress, "": bytes}
LONG = "Xin chào cả nhà. ".encode() * 100


@pytest.mark.parametrize(
    ("accepted", "how"),
    [
        ("gzip, deflate, br", "br"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, gzip;q=0", ""),
        ("identity", ""),
        ("vibrant", ""),
        ("", ""),
    ],
)
def test_a_browser_gets_the_smallest_that_it_says_it_reads(accepted: str, how: packing.Way) -> None:
    assert packing.way(accepted) == how
    assert UNPACK[how](packing.pack(LONG, how)) == LONG
    assert UNPACK[how](packing.Packed(LONG).by(how)) == LONG


def through(kind: str, *bodies: bytes, status: int = 200, **headers: str) -> tuple[dict[str, str], bytes]:
    """What arrives of an answer of these bodies, as the middleware sends it to a browser that reads Brotli."""
    arrived: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sent = {"content-type": kind, "content-length": str(sum(map(len, bodies))), **headers}
        named = [(name.encode(), value.encode()) for name, value in sent.items()]
        await send({"type": "http.response.start", "status": status, "headers": named})
        for number, body in enumerate(bodies, 1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    async def send(message: Message) -> None:
        arrived.append(message)

    scope: Any = {"type": "http", "headers": [(b"accept-encoding", b"gzip, br")]}
    asyncio.run(packing.around(app)(scope, None, send))  # type: ignore[arg-type]
    start, *rest = arrived
    assert start["type"] == "http.response.start"
    return (
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(one["body"] for one in rest if one["type"] == "http.response.body"),
    )


def test_a_page_is_packed_whole_and_says_its_length() -> None:
    headers, body = through("text/html; charset=utf-8", LONG)
    assert (headers["content-encoding"], headers["vary"]) == ("br", "accept-encoding")
    assert int(headers["content-length"]) == len(body) < len(LONG)
    assert brotli.decompress(body) == LONG


@pytest.mark.parametrize(
    ("kind", "bodies", "more"),
    [
        ("audio/mpeg", (LONG,), {}),
        ("text/plain", (LONG,), {"status": 206}),
        ("text/plain", (b"short",), {}),
        ("text/plain", (LONG, LONG), {}),
        ("text/html", (gzip.compress(LONG) + LONG,), {"content-encoding": "gzip"}),
    ],
    ids=["sound", "a part of a file", "too short to win anything", "a stream", "packed already"],
)
def test_what_packing_would_break_or_not_help_is_sent_as_it_is(
    kind: str, bodies: tuple[bytes, ...], more: dict[str, Any]
) -> None:
    headers, body = through(kind, *bodies, **more)
    assert body == b"".join(bodies)
    assert headers.get("content-encoding") == more.get("content-encoding")
    assert int(headers["content-length"]) == len(body)


def test_style_and_script_are_packed_once_for_every_phone(client: TestClient[Any]) -> None:
    assets = client.app.state.site.assets
    for name in ("app.css", "js/household.js"):
        with client.stream("GET", assets.url(name), headers={"accept-encoding": "br"}) as answer:
            assert (answer.headers["vary"], answer.headers["content-encoding"]) == ("accept-encoding", "br")
            assert "immutable" in answer.headers["cache-control"]
            assert b"".join(answer.iter_raw()) is not None
        assert assets.packed(name) is assets.packed(name)
        assert brotli.decompress(assets.packed(name).by("br")) == assets.read(name)


def test_the_first_page_carries_its_style_and_its_policy_names_just_that(client: TestClient[Any]) -> None:
    for page in (client.get("/"), client.post("/code", data={"code": ""})):
        (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
        assert style.encode() == client.app.state.site.assets.read("app.css")
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = page.headers["content-security-policy"]
        assert f"style-src 'self' 'sha256-{digest}';" in policy
        assert "unsafe" not in policy
        assert re.search(r'<link rel="stylesheet" href="/static/[^"]+/app.css" media="print">', page.text)
    other = client.get("/stopped")
    assert "sha256-" not in other.headers["content-security-policy"]
    assert "<style" not in other.text
