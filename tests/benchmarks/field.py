"""The official's phone against its limits: 1,000 households, a slow processor, a thin and lossy connection.

    python tests/benchmarks/field.py [--cases 1000] [--interviews 200]

In a real Chromium with its processor slowed down six times:

    download   bytes of the first opening, everything included, over a connection that is counted   ≤ 80 KB + 1 KB a case
    list       from opening the app without a network to the first households on the screen         < 1 s
    code       from the unlocking code to the first households                                      (not limited)
    page       from pressing "continue" to the next page of an interview, kept on the disk          < 100 ms (median)
    people     the same page after page for a household of 30 people                                 < 100 ms (median)
    held       list and page once more while all the finished interviews wait on the phone          the same limits
    sync       finished interviews over 64 kbit/s each way, 300 ms away, one request in ten lost     all of them, once
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import msgspec
from playwright.sync_api import CDPSession, Page, sync_playwright
from rich.console import Console
from rich.table import Table

from survey.questionnaire.response import Event
from survey.storage import cases, responses, surveys
from survey.storage.database import Database
from survey.storage.responses import canonical
from survey.web.assets import FOLDER
from survey.web.modules import bundle
from tests.browser.test_field import CODE, TALK, sign_in, unlock
from tests.browser.test_stories import FLAGS
from tests.faults.proxy import _message
from tests.served import serving
from tests.web.phone import Phone, settle

SLOWER = 6
BYTES_A_SECOND = 64_000 / 8
AWAY = 0.3
LOST = 0.1
PEOPLE = 30
CHROMIUM = "/usr/bin/chromium"
PATIENCE = 1800
"""Seconds for the whole sync; it needs a few minutes."""


class Line:
    """A connection that is counted, and thin and lossy once `thin` is set. One request a connection."""

    def __init__(self, server_port: int) -> None:
        self.server_port, self.port, self.bytes, self.lost, self.posts = server_port, 0, 0, 0, 0
        self.thin = False
        self._rng = random.Random(3)
        self._turn = asyncio.Lock()
        self._begun = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._begun.wait(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._begun.set()
        await server.serve_forever()

    async def _wait(self, size: int) -> None:
        """One thing after the other crosses a thin line."""
        if self.thin:
            await asyncio.sleep(AWAY / 2)
            async with self._turn:
                await asyncio.sleep(size / BYTES_A_SECOND)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _message(reader)
            self.posts += request.startswith(b"POST")
            await self._wait(len(request))
            if self.thin and self._rng.random() < LOST:
                self.lost += 1
                return
            there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
            back.write(request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
            reply = await there.read()
            back.close()
            await self._wait(len(reply))
            self.bytes += len(request) + len(reply)
            writer.write(reply)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def interviews(address: str, number: int) -> list[list[Event]]:
    """Finished interviews of the official's first households, as the phone's own modules would have made them."""
    with Database.open(address) as database, database.reading() as connection:
        kept = surveys.current(connection)
        assert kept
        mine = cases.assigned_to(connection, "an")[:number]
        phone = Phone(None, "an")  # type: ignore[arg-type]  # it makes events and sends nothing
        return [phone.interview(kept.questionnaire, one.id, one.unit.respondent_draw) for one in mine]


KEEPING = """
import { openVault } from './vault.mjs';
import { openOutbox } from './outbox.mjs';
import { handedOver } from './field-lock.mjs';
window.keep = async (finished) => {
  const vault = await openVault('field an vault', await handedOver('field an vault'));
  const outbox = await openOutbox('field an', { seal: vault.seal, unseal: vault.unseal });
  for (const [group, events] of finished) {
    await outbox.add(events.map(([id, text]) => ({ id, group, text })));
    const all = events.map(([, text]) => JSON.parse(text));
    const { response, version } = all[0];
    await vault.put(`interview ${response}`, { case: group, version, response, events: all });
  }
};
"""
"""Finished interviews as the app keeps them: each whole, and its events in the outbox. The phone has no network then and
keeps the app as one script, so this goes with the modules that it needs."""
FIRST_CARD = """() => new Promise((resolve) => {
  const seen = () => document.querySelector('.cards li') ? resolve(performance.now()) : setTimeout(seen, 4);
  seen();
})"""
FOUND = """(number) => new Promise((resolve) => {
  const asked = indexedDB.open('field an vault');
  asked.onsuccess = () => {
    const kept = asked.result.transaction('about').objectStore('about').getAll();
    kept.onsuccess = () => {
      asked.result.close();
      resolve(kept.result.filter(({ response, settled }) => response && settled).length >= number);
    };
  };
})"""
"""Whether the app, after its list was drawn, has found in the outbox all that these interviews hold."""
PAGES = """async ([id, people]) => {
  const times = [];
  let last = 0;
  const pressed = () => { last = performance.now(); };
  document.addEventListener('submit', pressed, true);
  document.addEventListener('click', ({ target }) => target.matches('[data-part=page] > button') && pressed(), true);
  new MutationObserver(() => {
    if (last && document.querySelector('[data-part=page] form')) { times.push(performance.now() - last); last = 0; }
  }).observe(document.getElementById('view'), { childList: true, subtree: true });
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  talk.rest = async () => { await painted(); await painted(); }; // what was chosen is seen before the button is pressed
  await talk.interview(id, people);
  return times;
}"""


def slowed(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return session


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--cases", type=int, default=1000)
    arguments.add_argument("--interviews", type=int, default=200)
    asked = arguments.parse_args()
    found = Table("", "measured", "limit")

    def note(*line: str) -> None:
        """Told at once: the whole takes its time, and what was measured before it stops is not lost."""
        found.add_row(*line)
        print(*line, sep=" · ", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        address = settle(Path(folder), 2 * asked.cases)
        with serving(address) as port:
            line = Line(port)
            url = f"http://127.0.0.1:{line.port}"
            context = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS).new_context(
                viewport={"width": 360, "height": 640}
            )
            page = context.new_page()
            page.set_default_timeout(1000 * PATIENCE)
            line.bytes = 0
            sign_in(page, url)
            page.goto(f"{url}/field/app/vi#/?all")
            unlock(page)
            page.wait_for_selector(".cards li")
            page.evaluate("navigator.serviceWorker.ready")
            time.sleep(3)
            limit = 80_000 + 1_000 * asked.cases
            note("download, bytes", f"{line.bytes:,}", f"{limit:,}")

            context.set_offline(True)
            slowed(page)
            with Database.open(address) as database, database.reading() as connection:
                *_, crowded, other, last = [one.id for one in cases.assigned_to(connection, "an")]

            def opened() -> float:
                """Seconds from opening the app, on its list wherever it stood before, to the first household."""
                page.evaluate("location.hash = '#/?all'")
                page.reload(wait_until="commit")
                return float(page.evaluate(FIRST_CARD)) / 1000

            def opened_and_asked(held: int, case: str) -> None:
                times = [opened() for _ in range(5)]
                note(f"list of {asked.cases:,}, {held} interviews held, s", f"{statistics.median(times):.2f}", "1.00")  # fmt: skip
                page.evaluate(TALK)
                asked_of(case, 4, f"next page, {held} held")

            def asked_of(case: str, people: int, name: str) -> None:
                pages = page.evaluate(PAGES, [case, people])
                note(f"{name}, median ms", f"{statistics.median(pages):.0f}", "100")
                note(f"{name}, 95 of 100, ms", f"{sorted(pages)[int(0.95 * len(pages))]:.0f}", "")

            opened_and_asked(0, last)
            asked_of(crowded, PEOPLE, f"next page, {PEOPLE} people in the house")
            finished = interviews(address, asked.interviews)
            sent = [
                (events[0].case, [(event.id, canonical(event).decode()) for event in events])
                for events in finished
            ]
            size = sum(len(text.encode()) for _, events in sent for _, text in events)
            modules = {file.name: file.read_text(encoding="utf-8") for file in (FOLDER / "js").glob("*.mjs")}
            page.evaluate(bundle({**modules, "keeping.mjs": KEEPING}, "keeping.mjs"))
            page.evaluate("(finished) => keep(finished)", msgspec.to_builtins(sent))
            opened()  # what lies there is found and counted, once
            page.wait_for_function(FOUND, arg=asked.interviews)
            time.sleep(3)
            opened_and_asked(asked.interviews, other)
            page.evaluate("location.hash = '#/?all'")
            page.wait_for_selector(".cards li")
            page.click("#lock")
            page.fill("#code-open", CODE)
            begun = time.perf_counter()
            page.click("#view form button")
            page.wait_for_selector(".cards li")
            note("list after the code, s", f"{time.perf_counter() - begun:.2f}", "")

            line.thin, line.bytes, line.posts = True, 0, 0
            begun = time.perf_counter()
            context.set_offline(False)
            page.evaluate("dispatchEvent(new Event('online'))")
            while True:
                page.evaluate("dispatchEvent(new Event('online'))")
                with Database.open(address) as database, database.reading() as connection:
                    if (
                        sum(case.state == "complete" for case in cases.assigned_to(connection, "an"))
                        == asked.interviews + 3
                    ):
                        break
                if time.perf_counter() - begun > PATIENCE:
                    raise SystemExit(
                        f"not everything arrived within {PATIENCE} s: {page.inner_text('#status')}"
                    )
                time.sleep(1)
            took = time.perf_counter() - begun
            with Database.open(address) as database, database.reading() as connection:
                stored = [event.id for _, events in responses.all(connection) for event in events]
                assert len(stored) == len(set(stored))
                assert {event.id for events in finished for event in events} <= set(stored)
            note(
                f"{asked.interviews} interviews ({size / 1e6:.1f} MB) sent, s", f"{took:.0f}",
                f"{line.posts} batches, {line.lost} requests lost, {line.bytes / 1e6:.2f} MB",
            )  # fmt: skip
    Console().print(found)


if __name__ == "__main__":
    main()
