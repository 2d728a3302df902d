"""Weight and speed of the household's pages in a real Chromium, against their limits.

    python tests/benchmarks/pages.py

Slow 3G is simulated: 400 ms for each round trip, 400 kbit/s, a processor six times slower. Bytes are those on the wire,
headers included. "Readable" is the first contentful paint after the tap, with the redirect that a form leads to.
"""

from __future__ import annotations

import gzip
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from survey import demo
from survey.web.assets import Assets

KB = 1024
TIMES = 5
"""Households that walk each way; an odd number, of which the middle one counts."""
BACKGROUND = r"/household\.js|/service-worker\.js|/booklet/|/shell/"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 400_000 / 8, "uploadThroughput": 400_000 / 8}


@dataclass
class Wire:
    """What went over the wire, by address."""

    bytes: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def listen(self, devtools: CDPSession) -> None:
        devtools.send("Network.enable")
        devtools.on(
            "Network.requestWillBeSent", lambda e: self.names.update({e["requestId"]: e["request"]["url"]})
        )
        devtools.on("Network.responseReceived", self._note)
        devtools.on("Network.loadingFinished", self._finished)

    def _note(self, event: Any) -> None:
        self.names[event["requestId"]] = event["response"]["url"]

    def _finished(self, event: Any) -> None:
        url = self.names.get(event["requestId"], "?")
        self.bytes[url] = self.bytes.get(url, 0) + int(event["encodedDataLength"])

    def take(self) -> int:
        """Bytes since the last time, without what is fetched once in the background: that has rows of its own."""
        taken, self.bytes = self.bytes, {}
        return sum(size for url, size in taken.items() if not re.search(BACKGROUND, url))


class Row(NamedTuple):
    """One line of the table; no limit of seconds where nobody waits for it."""

    what: str
    bytes: int
    seconds: float
    most: int
    longest: float = 0.0


def painted(page: Page) -> float:
    """Seconds from the tap to the first contentful paint."""
    while (
        at := page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    ) is None:
        page.wait_for_timeout(50)  # the pages' policy forbids the text that Playwright would wait with
    return float(at) / 1000


def tap(page: Page, button: str, there: str) -> None:
    """Press, and leave the page alone until it has long been painted: Playwright looks at a page with a third of a megabyte of
    script of its own, which a slow processor takes a tenth of a second to read, and that before the page's first paint."""
    page.click(button)
    page.wait_for_timeout(2500)
    page.wait_for_selector(there)


def slow(context: BrowserContext, page: Page) -> tuple[Wire, CDPSession]:
    devtools = context.new_cdp_session(page)
    wire = Wire()
    wire.listen(devtools)
    devtools.send("Network.emulateNetworkConditions", SLOW)
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    return wire, devtools


WATCH = """() => {
  addEventListener('click', () => { window.tapped = performance.now(); window.shown = 0; }, true);
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => { window.shown ||= performance.now(); })))
    .observe(document.getElementById('main'), { childList: true });
}"""


def household(browser: Browser, url: str, code: str, script: bool) -> list[Row]:
    """A household's way in and on: what it fetches for each page, and how long after the tap it can be read."""
    rows = []
    with browser.new_context(viewport={"width": 360, "height": 640}) as context:
        page = context.new_page()
        wire, devtools = slow(context, page)
        if not script:
            devtools.send("Network.setBlockedURLs", {"urls": ["*household.js"]})
        page.goto(url, wait_until="load")
        rows.append(Row("first page, style included", wire.take(), painted(page), 14 * KB, 1.5))
        page.fill("#code", code)
        tap(page, "main form:has(#code) button", "h1:has-text('Trước khi trả lời')")
        seconds = painted(page)
        if script:
            page.wait_for_selector("html[data-ready=offline]", timeout=60_000)
            page.wait_for_timeout(4000)
            page.evaluate(WATCH)
        rows.append(Row("notice, after the code", wire.take(), seconds, 6 * KB, 1.0))
        for what, button, there in (
            ("next page", "main form button", "h1:has-text('sống ở đây')"),
            ("next page, six questions", "main a.button", "[name=nickname]"),
        ):
            tap(page, button, there)
            seconds = float(page.evaluate("(shown - tapped) / 1000")) if script else painted(page)
            rows.append(Row(what, wire.take(), seconds, 6 * KB, 1.0))
    return rows


def usual(browser: Browser, url: str, codes: list[str], script: bool) -> list[Row]:
    """The way of several households; of each page the middle one in time, so that one slow moment of the machine does
    not count, and neither does one lucky one."""
    walks = [household(browser, url, code, script) for code in codes]
    return [sorted(rows, key=lambda row: row.seconds)[len(rows) // 2] for rows in zip(*walks, strict=True)]


def files(url: str) -> list[Row]:
    """What is fetched once, in the background, after the first page of questions can be read."""
    assets = Assets()
    scripts = (
        gzip.compress(assets.read(name) or b"", 6) for name in ("js/household.js", "service-worker.js")
    )
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"accept-encoding": "gzip, br"})
    ) as answer:
        booklet = len(answer.read())
    return [
        Row("once, in the background: all script", sum(map(len, scripts)), 0.0, 15 * KB),
        Row("once, in the background: all pages, for offline use", booklet, 0.0, 14 * KB),
    ]


def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("Chromium is missing; install it with: sudo apt-get install chromium")
        return
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        demo.run(5, out, serve=False, areas_in_province=400, psus=40, console=Console(quiet=True))
        rows = measure(chromium, out)
    table = Table("page", "script", "bytes", "limit", "readable after (s)", "limit (s)")
    for script, (what, size, seconds, most, longest) in rows:
        over = size > most or (longest and seconds > longest)
        table.add_row(what, script, f"{size:,}", f"{most:,}", f"{seconds:.2f}" if longest else "", f"{longest:g}" if longest else "",
                      style="red" if over else "")  # fmt: skip
    Console(width=110).print(table)


def measure(chromium: str, out: Path) -> list[tuple[str, Row]]:
    """Serve the demonstration, walk it with and without script."""
    from survey.questionnaire.reading import read
    from survey.storage import cases, responses
    from survey.storage.database import Database

    database = f"sqlite:///{out / 'survey.sqlite'}"
    with Database.open(database) as opened, opened.reading() as connection:
        fresh = [
            one.id for one in list(cases.every(connection)) if not responses.by_case(connection, one.id)
        ][: 2 * TIMES]
    lines = (out / "codes.csv").read_text(encoding="utf-8").splitlines()[1:]
    codes = {line.split(",")[0]: line.split(",")[1] for line in lines}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "survey"),
        "serve",
        str(out / "folder"),
        "--database",
        database,
    ]
    server = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    version = read((out / "folder" / "questionnaire.yaml").read_text(encoding="utf-8")).version
    try:
        for _ in range(1200):  # a busy machine takes a minute to load the server
            try:
                urllib.request.urlopen(url + "/", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
            rows = [
                ("without", row) for row in usual(browser, url, [codes[one] for one in fresh[::2]], False)
            ]
            rows += [("with", row) for row in usual(browser, url, [codes[one] for one in fresh[1::2]], True)]
            browser.close()
        return rows + [("with", row) for row in files(f"{url}/booklet/{version}/vi/self")]
    finally:
        server.terminate()
        server.wait(20)


if __name__ == "__main__":
    main()
