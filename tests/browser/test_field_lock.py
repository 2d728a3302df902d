"""An official's phone opens by a code: without it nothing on it can be read, and nothing on it is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from survey.storage import cases, devices, quarantine, responses
from survey.storage.database import Database
from tests.browser.test_access import sound
from tests.browser.test_field import TALK, Handset, app, settled, sign_in, unlock
from tests.served import serving
from tests.web.phone import settle

SMALL: ViewportSize = {"width": 320, "height": 640}
KEYS_IN_THE_OPEN = """async () => {
  const found = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result); });
    for (const store of database.objectStoreNames) {
      const all = await new Promise((resolve) => { database.transaction(store).objectStore(store).getAll().onsuccess = ({ target }) => resolve(target.result); });
      for (const one of all) {
        if (one instanceof CryptoKey) found.push(`${name} ${store} ${one.algorithm.name}`);
        for (const key of Object.values(one ?? {})) {
          if (key instanceof CryptoKey && (key.usages.includes('decrypt') || key.extractable)) found.push(`${name} ${store} ${key.usages}`);
        }
      }
    }
    database.close();
  }
  return found;
}"""
PLAIN = """async () => {
  let text = '';
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve) => { indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result); });
    for (const store of database.objectStoreNames) {
      const all = await new Promise((resolve) => { database.transaction(store).objectStore(store).getAll().onsuccess = ({ target }) => resolve(target.result); });
      text += JSON.stringify(all, (_, value) => (value instanceof ArrayBuffer ? new TextDecoder().decode(value) : value));
    }
    database.close();
  }
  return text;
}"""
"""Everything that is kept, as whoever copies the browser's files sees it."""
OLDER = """async ([id, event, device]) => {
  const encode = (text) => new TextEncoder().encode(text);
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const seal = async (text) => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, data: await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, encode(text)) };
  };
  const open = (name, make) => new Promise((resolve) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => make(opening.result);
    opening.onsuccess = () => resolve(opening.result);
  });
  const put = (database, store, value, ...under) => new Promise((resolve) => {
    const transaction = database.transaction(store, 'readwrite');
    transaction.objectStore(store).put(value, ...under);
    transaction.oncomplete = resolve;
  });
  const vault = await open('field an vault', (made) => { made.createObjectStore('key'); made.createObjectStore('sealed'); });
  await put(vault, 'key', key, 'key');
  await put(vault, 'sealed', await seal(JSON.stringify(device)), 'device');
  const kept = { case: id, version: event.version, response: event.response, events: [event] };
  await put(vault, 'sealed', await seal(JSON.stringify(kept)), `interview ${event.response}`);
  vault.close();
  const outbox = await open('field an', (made) => {
    const unsent = made.createObjectStore('unsent', { keyPath: 'order', autoIncrement: true });
    unsent.createIndex('id', 'id', { unique: true });
    unsent.createIndex('group', 'group');
    made.createObjectStore('receipts', { keyPath: 'id' }).createIndex('group', 'group');
    made.createObjectStore('shelf');
  });
  const { canonical, hex, sha256 } = await import(document.querySelector('link[rel=stylesheet]').href.replace('app.css', 'js/events.mjs'));
  const text = canonical(event);
  await put(outbox, 'unsent', { id: event.id, group: id, type: 'events', text: await seal(text), letters: text.length, hash: hex(await sha256(text)) });
  outbox.close();
  localStorage.setItem('field account', 'an');
}"""
"""What version 1 of the app left on a phone, written as that version wrote it: an interview that was begun, not yet sent."""


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server with an official who has three households: its address and the database's."""
    database = settle(tmp_path_factory.mktemp("lock"), 6)
    with serving(database) as port:
        yield f"http://127.0.0.1:{port}", database


@pytest.fixture
def handset(chromium: str, tmp_path: Path) -> Iterator[Handset]:
    with sync_playwright() as play:
        made = Handset(chromium, tmp_path / "profile", play)
        yield made
        made.kill()


def mine(address: str) -> list[str]:
    with Database.open(address) as database, database.reading() as connection:
        return [case.id for case in cases.assigned_to(connection, "an")]


def stored(address: str) -> list[str]:
    with Database.open(address) as database, database.reading() as connection:
        return [event.id for _, events in responses.all(connection) for event in events]


def press(page: Page, code: str) -> None:
    page.fill("#code-open", code)
    page.click("#view form button")


def test_a_phone_whose_code_is_forgotten_shows_nothing_and_loses_nothing(
    field: tuple[str, str], handset: Handset
) -> None:
    url, address = field
    context = handset.open()
    page = context.new_page()
    sign_in(page, url)
    page.set_viewport_size(SMALL)
    page.goto(f"{url}/field/app/vi#/?all")
    page.wait_for_selector("#code-new")
    sound(page, "a code is to be chosen")
    page.fill("#code-new", "123456")
    page.fill("#code-again", "123456")
    page.click("#view form button")
    expect(page.locator("#code-error")).to_contain_text("dễ đoán")
    sound(page, "a code that is easily guessed")
    unlock(page)
    settled(page)
    case, *_ = mine(address)
    where = page.inner_text(".cards strong >> nth=0")
    page.reload()  # and of another language: no code is asked for again at once
    page.wait_for_selector(".cards li")
    page.evaluate(TALK)
    context.set_offline(True)
    assert not page.evaluate("(id) => talk.interview(id, 2, 9)", case)
    page.wait_for_timeout(300)
    assert page.evaluate(KEYS_IN_THE_OPEN) == []
    kept = page.evaluate(PLAIN)
    assert case in kept
    assert where not in kept
    assert "Bà Tư" not in kept
    page.wait_for_timeout(800)
    handset.kill()

    context = handset.open()
    context.set_offline(True)
    page = context.new_page()
    page.set_viewport_size(SMALL)
    page.goto(f"{url}/field/app/vi#/?all")
    page.wait_for_selector("#code-open")
    sound(page, "locked")
    for left in range(9, 0, -1):
        press(page, "cau tre lank")
        expect(page.locator("#open-error")).to_have_text(f"Mã chưa đúng. Còn {left} lần thử.")
    press(page, "cau tre lank")
    expect(page.locator("[data-part=shut]")).to_be_visible()
    sound(page, "shut after ten wrong codes")
    page.reload()
    page.wait_for_selector("[data-part=shut]")
    assert not page.locator("#code-open").is_visible(), "nor does the right code open it now"
    page.click("[data-part=give-up]")
    expect(page.locator("[data-part=told]")).to_contain_text("Chưa xóa gì")
    context.set_offline(False)
    page.click("[data-part=give-up]")  # the kill has taken the session with it
    expect(page.locator("[data-part=sign-in]")).to_be_visible()
    assert stored(address) == []
    again = context.new_page()
    sign_in(again, url)
    again.close()
    page.click("[data-part=give-up]")
    page.wait_for_url("**/field/sign-in")
    arrived = stored(address)
    assert len(arrived) > 5
    assert len(set(arrived)) == len(arrived)
    assert page.evaluate("async () => (await indexedDB.databases()).map(({ name }) => name)") == []
    sign_in(page, url)
    page.close()
    page = app(context, url, "mot cau khac")
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    expect(page.locator("[data-part=interview]")).to_have_text("Phỏng vấn tiếp")
    page.evaluate(TALK)
    assert page.evaluate("(id) => talk.interview(id, 2)", case)
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    page.wait_for_selector("[data-where=confirmed]", timeout=30_000)
    with Database.open(address) as database, database.reading() as connection:
        assert cases.existing(connection, case).state == "complete"
        assert quarantine.waiting(connection) == []
        assert list(responses.verify(connection)) == []


def test_a_phone_of_the_older_app_gets_its_code_and_keeps_its_work_and_is_forgotten_while_locked(
    field: tuple[str, str], handset: Handset
) -> None:
    url, address = field
    *_, case = mine(address)
    context = handset.open()
    page = context.new_page()
    sign_in(page, url)
    version = page.evaluate("async () => (await (await fetch('/field/list')).json()).version")
    at = int(time.time() * 1000)
    event = {
        "id": f"{at:012x}"[:8] + "-" + f"{at:012x}"[8:] + "-7000-8000-0123456789ab", "response": "ab" * 16, "kind": "opened",
        "at": at, "author": "an", "mode": "visit", "language": "vi", "version": version, "today": "2026-11-20", "case": case,
    }  # fmt: skip
    page.evaluate(OLDER, [case, event, "cd" * 16])
    page.close()
    page = app(context, url)
    settled(page)
    assert page.evaluate(KEYS_IN_THE_OPEN) == []
    page.evaluate("(id) => { location.hash = `#/case/${id}`; }", case)
    page.wait_for_selector("[data-where=confirmed]", timeout=30_000)
    assert event["id"] in stored(address)
    with Database.open(address) as database, database.reading() as connection:
        (phone,) = [one for one in devices.of_accounts(connection, ["an"]) if one.id == "cd" * 16]
    expect(page.locator("[data-part=interview]")).to_have_text("Phỏng vấn tiếp")
    context.set_offline(True)
    page.evaluate(TALK)
    assert not page.evaluate("(id) => talk.interview(id, 1, 3)", case)
    page.wait_for_timeout(800)
    before = len(stored(address))
    handset.kill()

    with Database.open(address) as database:
        database.write_now(devices.revoke, phone.id)
    context = handset.open()
    page = context.new_page()
    page.goto(f"{url}/field/app/vi")
    expect(page.locator("#view h1")).to_have_text("Máy này đã được báo mất", timeout=20_000)
    assert page.evaluate("async () => (await indexedDB.databases()).map(({ name }) => name)") == []
    assert page.evaluate("localStorage.length") == 0
    assert len(stored(address)) == before
    with Database.open(address) as database, database.reading() as connection:
        waiting = quarantine.waiting(connection)
        assert {one.reason for one in waiting} == {"revoked"}
        assert len(waiting) >= 2, "what was unsent has gone to the supervisor, in the open"
        assert all(one.response == event["response"] for one in waiting if one.kind == "events")
