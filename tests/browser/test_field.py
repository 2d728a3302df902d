"""An official's day on a real phone without a network, in two tabs, with the browser killed in the middle and a bad
connection in the evening: everything arrives once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from survey.fieldwork.listing import drawn_of
from survey.fieldwork.reviews import Return
from survey.questionnaire.response import fold
from survey.storage import cases, devices, quarantine, responses, reviews
from survey.storage.database import Database
from survey.web.assets import FOLDER
from survey.web.modules import bundle
from tests.browser.test_stories import FLAGS
from tests.faults.proxy import FaultyProxy
from tests.served import serving
from tests.web.phone import PASSWORD, settle

TALK = Path(__file__).with_name("talk.js").read_text(encoding="utf-8")
CODE = "cau tre lang"
DAY = 20
CALM = {"pass": 1}
"""A connection on which nothing is lost."""
BAD = {
    "pass": 20,
    "delay": 10,
    "no_request": 12,
    "no_reply": 15,
    "cut": 12,
    "twice": 12,
    "late": 12,
    "captive": 7,
}


class Network:
    """The faulty proxy on a thread of its own, before a real server; `port` is the phone's way to it."""

    def __init__(self, server_port: int) -> None:
        self.proxy = FaultyProxy(random.Random(7))
        self.proxy.server_ports = [server_port]
        self.proxy.weights = CALM
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._begun.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with self.proxy:
            self._begun.set()
            await self._end.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


@pytest.fixture(scope="module")
def field(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, str]]:
    """A server with an official who has 22 households, behind the proxy; and the database's address."""
    folder = tmp_path_factory.mktemp("field")
    database = settle(folder, 44)
    with serving(database) as port:
        network = Network(port)
        try:
            yield network, database
        finally:
            network.close()


class Handset:
    """A Chromium of its own with a profile that outlives it, so that it can be killed and opened again."""

    def __init__(self, chromium: str, profile: Path, play: Any) -> None:
        self._chromium, self._profile, self._play = chromium, profile, play
        self._process: subprocess.Popen[str] | None = None
        self._browser: Browser | None = None

    def open(self) -> BrowserContext:
        command = [
            self._chromium, *FLAGS, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self._profile}",
            "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows", "--window-size=360,640", "about:blank",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stderr
        address = next(
            found[1]
            for line in self._process.stderr
            if (found := re.search(r"listening on (ws://\S+)", line))
        )
        self._browser = self._play.chromium.connect_over_cdp(address)
        return self._browser.contexts[0]

    def kill(self) -> None:
        """As when the battery is taken out."""
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(20)
        assert self._process.stderr
        self._process.stderr.close()
        with contextlib.suppress(Exception):
            assert self._browser
            self._browser.close()


@pytest.fixture
def handset(chromium: str, tmp_path: Path) -> Iterator[Handset]:
    with sync_playwright() as play:
        made = Handset(chromium, tmp_path / "profile", play)
        yield made
        made.kill()


def sign_in(page: Page, url: str) -> None:
    """Until it has worked: on a bad connection the page or its form may not get through."""
    for _ in range(40):
        with contextlib.suppress(PlaywrightError):
            page.goto(f"{url}/field/sign-in")
            page.fill("[name=name]", "an", timeout=1000)
            page.fill("[name=password]", PASSWORD)
            page.click("main button")
            page.wait_for_url("**/field", timeout=1500)
            return
    raise AssertionError("nobody could sign in")


def app(context: BrowserContext, url: str, code: str = CODE) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: print(f"page error: {error.stack}"))
    page.goto(f"{url}/field/app/vi#/?all")
    unlock(page, code)
    page.evaluate(TALK)
    return page


def unlock(page: Page, code: str = CODE) -> None:
    """Give the phone its code, the first time or again; nothing where another tab is open already."""
    page.wait_for_selector("#view h1")
    for field in ("#code-new", "#code-again", "#code-open"):
        if page.locator(field).is_visible():
            page.fill(field, code)
    if page.locator("[data-code]").count():
        page.click("#view form button")
    page.wait_for_selector("#view .tabs")


def settled(page: Page) -> None:
    """The worker has what it needs, so that the next look needs no network."""
    page.wait_for_selector(".cards li")
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function(
        "async () => (await caches.open('field booklets')).keys().then((keys) => keys.length)"
    )


def talk(page: Page, ids: list[str]) -> None:
    page.evaluate("(ids) => { talk.day(ids, 2).catch((error) => { talk.failed = String(error); }); }", ids)


def wait_done(pages: list[Page], number: int) -> None:
    for _ in range(2400):
        for page in pages:
            assert not page.evaluate("talk.failed")
        if sum(page.evaluate("talk.done.length") for page in pages) >= number:
            return
        time.sleep(0.05)
    raise AssertionError(
        [(page.evaluate("talk.done"), page.url, page.inner_text("#view")[:400]) for page in pages]
    )


def test_a_day_without_a_network_in_two_tabs_arrives_once(
    field: tuple[Network, str], handset: Handset
) -> None:
    network, address = field
    context = handset.open()
    first = context.new_page()
    sign_in(first, network.url)
    first.close()
    left, right = app(context, network.url), app(context, network.url)
    settled(left)
    with Database.open(address) as database, database.reading() as connection:
        mine = [case.id for case in cases.assigned_to(connection, "an")][:DAY]

    context.set_offline(True)
    talk(left, mine[: DAY // 2])
    talk(right, mine[DAY // 2 :])
    wait_done([left, right], 7)
    handset.kill()

    context = handset.open()
    context.set_offline(True)
    left, right = app(context, network.url), app(context, network.url)
    print("REOPENED", left.inner_text("#view")[:300], left.inner_text("#status"))
    expect(left.locator(".cards li")).to_have_count(22)  # those below the first look are drawn after it
    unfinished = left.evaluate(
        "[...document.querySelectorAll('.cards li')].filter((li) => !li.querySelector('.state.complete'))"
        ".map((li) => li.querySelector('a').hash.split('/').pop())"
    )
    todo = [case for case in mine if case in unfinished]
    assert len(todo) <= DAY - 7
    talk(left, todo[::2])
    talk(right, todo[1::2])
    wait_done([left, right], len(todo))
    time.sleep(0.5)  # the bar at the top counts a moment after the last page is kept
    held = int(re.search(r"\d+", left.inner_text("#status"))[0])  # type: ignore[index]
    assert held > DAY * 20
    with Database.open(address) as database, database.reading() as connection:
        assert list(responses.all(connection)) == [], "nothing has left the phone"

    context.set_offline(False)
    again = (
        context.new_page()
    )  # the kill has taken the session with it: the phone says so, and keeps everything
    left.evaluate("dispatchEvent(new Event('online'))")
    left.wait_for_selector("#status[data-state=signed-out]")
    network.proxy.script = list(BAD)
    sign_in(again, network.url)
    patience = time.monotonic() + 240
    while left.locator("#send").is_visible() or left.get_attribute("#status", "data-state") != "sent":
        assert time.monotonic() < patience, left.inner_text("#status")
        left.evaluate("dispatchEvent(new Event('online'))")
        right.evaluate("dispatchEvent(new Event('online'))")
        time.sleep(0.1)
    assert network.proxy.script == [] or set(list(BAD)[:6]) <= set(network.proxy.fates)
    time.sleep(0.7)  # what the proxy still holds back arrives late
    with Database.open(address) as database, database.reading() as connection:
        found = {case.id: case for case in cases.assigned_to(connection, "an")}
        assert {found[case].state for case in mine} == {"complete"}
        stored = [event for _, events in responses.all(connection) for event in events]
        visits = cases.every_attempt(connection)
        assert len({event.id for event in stored}) == len(stored)
        assert len(stored) + sum(map(len, visits.values())) == held
        assert {len(visits[case]) for case in mine} == {1}
        assert quarantine.waiting(connection) == []
        assert list(responses.verify(connection)) == []
    left.evaluate("location.hash = '#/?finished'")
    confirmed = left.locator(".cards [data-where=confirmed]")
    patience = time.monotonic() + 60
    while confirmed.count() < DAY and time.monotonic() < patience:
        left.evaluate(
            "dispatchEvent(new Event('online'))"
        )  # its list may be from before the other tab's last answer
        time.sleep(0.5)
    expect(confirmed).to_have_count(DAY)
    kept = left.evaluate("async () => (await indexedDB.databases()).map(({ name }) => name).sort()")
    assert kept == ["field an", "field an vault"]


COUNTED = """
import { formId } from './events.mjs';
import { openStore } from './field-store.mjs';
const asked = { on: false, requests: 0, records: 0 };
for (const [kind, names] of [
  [IDBObjectStore, ['get', 'getAll', 'getAllKeys', 'count', 'put', 'add', 'delete', 'openCursor', 'openKeyCursor']],
  [IDBIndex, ['get', 'getAll', 'getAllKeys', 'count', 'openCursor', 'openKeyCursor']],
]) for (const name of names) {
  const real = kind.prototype[name];
  kind.prototype[name] = function (...told) {
    const request = real.apply(this, told);
    if (asked.on) {
      asked.requests += 1;
      request.addEventListener('success', () => { asked.records += Array.isArray(request.result) ? request.result.length : 1; });
    }
    return request;
  };
}
window.counted = async (cases, held) => {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const account = `counted ${cases}`;
  const store = await openStore(account, { key, comesBack: () => true });
  const list = Array.from({ length: cases }, (_, n) => ({ id: `C${n}`, commune: 'X', state: 'waiting' }));
  await store.invent({ account, csrf: '', version: 'v', booklets: {}, cases: list });
  const event = (response, kind) => ({ id: formId(), response, kind, at: 1, author: account, mode: 'visit', version: 'v' });
  for (let n = 0; n < held; n += 1) {
    await store.begin(`C${n}`, (response) => event(response, 'opened'));
  }
  const { response } = store.interview('C0');
  const told = new Promise((resolve) => { store.watch(resolve); });
  asked.requests = asked.records = 0;
  asked.on = true;
  await store.say(response, 'C0', [event(response, 'answered')]);
  await told;
  await store.read(store.interview('C0').response);
  const here = [store.case('C0').state, store.carried('C0').unsent];
  asked.on = false;
  return [asked.requests, asked.records, ...here];
};
"""
"""The phone's store, with everything counted that it asks of the disk for one page of an interview."""
KILLED = """
window.killed = async () => {
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const account = 'killed';
  const open = () => openStore(account, { key, comesBack: () => true });
  const store = await open();
  await store.invent({ account, csrf: '', version: 'v', booklets: {}, cases: [{ id: 'C0', commune: 'X', state: 'waiting' }] });
  const event = (response, kind) => ({ id: formId(), response, kind, at: 1, author: account, mode: 'visit', version: 'v' });
  await store.begin('C0', (response) => event(response, 'opened'));
  const { response } = store.interview('C0');
  const wait = globalThis.setTimeout;
  globalThis.setTimeout = (work, pause) => (pause === 100 ? 0 : wait(work, pause)); // the page is gone before its answers go on
  for (const page of [1, 2]) await store.say(response, 'C0', [event(response, 'answered')]);
  globalThis.setTimeout = wait;
  const held = store.carried('C0').unsent;
  const again = await open();
  const { events, surplus } = await again.read(response);
  return [held, again.carried('C0').unsent, again.unsent, again.case('C0').state, events.length, surplus];
};
"""
"""A page that is killed when its answers are on the disk and not yet in the outbox; and the same phone opened again."""


def test_what_a_killed_page_kept_is_in_the_outbox_before_the_list_is_seen_again(
    field: tuple[Network, str], handset: Handset
) -> None:
    page = handset.open().new_page()
    page.goto(f"{field[0].url}/field/sign-in")
    modules = {file.name: file.read_text(encoding="utf-8") for file in (FOLDER / "js").glob("*.mjs")}
    page.evaluate(bundle({**modules, "counted.mjs": COUNTED + KILLED}, "counted.mjs"))
    assert page.evaluate("killed()") == [2, 4, 4, "started", 3, 0]


def test_a_page_costs_the_phone_the_same_however_many_households_it_holds(
    field: tuple[Network, str], handset: Handset
) -> None:
    page = handset.open().new_page()
    page.goto(f"{field[0].url}/field/sign-in")
    modules = {file.name: file.read_text(encoding="utf-8") for file in (FOLDER / "js").glob("*.mjs")}
    page.evaluate(bundle({**modules, "counted.mjs": COUNTED}, "counted.mjs"))
    few, many = page.evaluate("async () => [await counted(3, 2), await counted(1000, 60)]")
    assert few[2:] == ["started", 3], "the opening, the visit and the answer wait"
    assert 0 < few[0] <= few[1] < 20
    assert many == few


def test_training_stays_on_the_phone_and_a_lost_phone_forgets_everything(
    field: tuple[Network, str], handset: Handset
) -> None:
    network, address = field
    context = handset.open()
    first = context.new_page()
    sign_in(first, network.url)
    page = app(context, network.url)
    settled(page)
    with Database.open(address) as database, database.reading() as connection:
        before = len(list(responses.all(connection)))
        case = cases.assigned_to(connection, "an")[-1].id

    first.goto(f"{network.url}/field/app/vi?training")
    first.wait_for_selector("#training:visible")
    first.evaluate(TALK)
    assert first.evaluate("talk.interview('TRAINING-1', 1)")
    first.close()
    with Database.open(address) as database, database.reading() as connection:
        assert len(list(responses.all(connection))) == before
        assert quarantine.waiting(connection) == []
        (phone,) = [one for one in devices.of_accounts(connection, ["an"]) if one.account == "an"][:1]

    context.set_offline(True)
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    page.check("[name=outcome][value=nobody_home]", force=True)
    page.click("[data-part=attempt] button:not([type=button])")
    page.wait_for_selector("[data-where=phone]")
    with Database.open(address) as database:
        database.write_now(devices.revoke, phone.id)
    context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#view h1")).to_have_text("Máy này đã được báo mất")
    assert page.evaluate("async () => (await indexedDB.databases()).map(({ name }) => name)") == []
    with Database.open(address) as database, database.reading() as connection:
        assert [one.reason for one in quarantine.waiting(connection)] == ["revoked"]


def test_a_question_that_comes_back_opens_alone_and_blank_and_its_correction_is_sent(
    field: tuple[Network, str], handset: Handset
) -> None:
    network, address = field
    network.proxy.weights = CALM
    context = handset.open()
    first = context.new_page()
    sign_in(first, network.url)
    first.close()
    page = app(context, network.url)
    settled(page)
    with Database.open(address) as database, database.reading() as connection:
        case = next(one.id for one in cases.assigned_to(connection, "an") if one.state == "waiting")
    context.set_offline(True)  # and thirty people live there
    assert page.evaluate("(id) => talk.interview(id, 30)", case)
    page.wait_for_selector("#status[data-state=offline]", state="attached")
    context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_selector("#status[data-state=sent]", state="attached", timeout=30_000)
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    page.wait_for_selector("[data-where=confirmed]", timeout=30_000)
    with Database.open(address) as database:
        with database.writing() as connection:
            found = cases.existing(connection, case)
            events = responses.events(connection, found.response)
            assert {len(rows) for rows in fold(found.response, events).rows.values()} == {30}
            answered = next(one for one in events if "own_mobile" in str(one.answers))
            row = answered.row
            back = Return(id="back", case=case, response=found.response, page=answered.page, row=row,
                          question="own_mobile", comment="Xin hỏi lại câu này", author="chi", at=1)  # fmt: skip
            reviews.send_back(connection, back)
        page.reload()
        page.wait_for_selector(".sent-back:visible", timeout=30_000)
        assert "Xin hỏi lại câu này" in page.inner_text(".sent-back:visible")
        context.set_offline(True)  # it has arrived: the official reads it at the door
        page.evaluate(TALK)
        page.click("[data-part=interview]")
        page.wait_for_selector("[data-part=page] [data-q=own_mobile]")
        assert page.locator("[data-part=page] input:checked").count() == 0, "the earlier answer is not shown"
        assert page.locator("[data-part=page] a.back, [data-part=page] [data-part=back]:visible").count() == 0
        assert page.evaluate("(id) => talk.interview(id, 2)", case)
        context.set_offline(False)
        page.evaluate("dispatchEvent(new Event('online'))")
        for _ in range(300):
            with database.reading() as connection:
                if not reviews.returned(connection):
                    break
            time.sleep(0.1)
        with database.reading() as connection:
            assert reviews.returned(connection) == []
            kinds = [one.kind for one in responses.events(connection, found.response)]
            assert kinds.count("submitted") == 2
            assert kinds.count("reopened") == 1
            assert quarantine.waiting(connection) == [] or {
                one.reason for one in quarantine.waiting(connection)
            } == {"revoked"}
            assert list(responses.verify(connection)) == []

    # at the next household the list is wrong: three households live there, and the phone says which one is drawn
    case = page.evaluate(
        "async () => (await (await fetch('/field/list')).json()).cases.find((c) => c.state === 'waiting').id"
    )
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    page.click("[data-part=listing] summary")
    page.check("[name=kind][value=split]", force=True)
    page.click("[data-part=listing-form] button")
    expect(page.locator("[data-part=listing-form] .error")).not_to_be_empty()
    page.fill("#listing-n", "3")
    page.click("[data-part=listing-form] button")
    expect(page.locator("[data-part=listed]")).to_contain_text("Có 3 hộ ở đây", timeout=30_000)
    page.wait_for_selector("[data-where=confirmed]", timeout=30_000)
    with Database.open(address) as database, database.reading() as connection:
        found = cases.existing(connection, case)
        assert found.finding is not None
        assert (found.finding.kind, found.finding.number) == ("split", 3)
        which = drawn_of(found.unit.respondent_draw, 3)
    expect(page.locator("[data-part=listed]")).to_contain_text(f"hộ thứ {which}")
