"""A page that the phone fills from its booklet without a network is the page that the server would have drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from playwright.sync_api import Browser, Page, sync_playwright

from survey.preview import application
from survey.questionnaire.response import Event
from survey.web.booklet import booklet
from tests.questionnaire.test_corpus import VALID, Person, questionnaire

ROOT = Path(__file__).parents[2]
DRAWN = """(root) => {
  const shown = (node) => !node.closest('[hidden]');
  const said = [...root.querySelectorAll('h1,h2,p,dt,dd,label,option,strong,a.button,button')].filter(shown)
    .filter((node) => !node.querySelector('h1,h2,p,label')).map((node) => node.textContent.trim().replace(/\\s+/g, ' '));
  const controls = [...root.querySelectorAll('input,select,textarea')].filter(shown)
    .filter(({ name }) => !['csrf', 'form', 'row'].includes(name))
    .map((node) => [node.name, node.type === 'radio' || node.type === 'checkbox' ? [node.value, node.checked] : node.value]);
  return { said: said.filter(Boolean), controls };
}"""
ON_THE_PHONE = """async ([document, facts, events, address]) => {
  const [{ Booklet }, { Interview }] = await Promise.all(['booklet', 'interview'].map((one) => import(`/${one}.mjs`)));
  const interview = new Interview(JSON.parse(new DOMParser().parseFromString(document, 'text/html')
    .getElementById('rules').textContent), facts, events);
  const pages = new DOMParser().parseFromString(document, 'text/html');
  const main = window.document.querySelector('main');
  main.replaceChildren(new Booklet(pages).page(interview, interview.at(address), ''));
}"""
BY_THE_SERVER = """(html) => {
  const main = new DOMParser().parseFromString(html, 'text/html').querySelector('main');
  document.querySelector('main').replaceChildren(...main.childNodes);
}"""


@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Page]:
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "static/js").glob("*.mjs")}
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(
            body=scripts.get(route.request.url.rsplit("/", 1)[1], "<!doctype html><title>phone</title><main></main>"),
            content_type="text/javascript" if route.request.url.endswith(".mjs") else "text/html",
        ))  # fmt: skip
        page.goto("http://phone.invalid/")
        yield page
        browser.close()


class Watched(Person):
    """Somebody who answers on the server's pages; at each of them it is noted what had been said before."""

    def __init__(self, client: TestClient[Any], file: Path) -> None:
        super().__init__(client, questionnaire(file), chosen=-1)
        self.seen: list[tuple[str, list[Event], str]] = []

    def page(self, address: str) -> str:
        for _ in range(2):  # a language that was chosen is not said twice
            html = self.client.get(address).text
        self.seen.append((address, list(self.client.app.state.trial.events), html))
        return super().page(address)


@pytest.mark.parametrize("file", VALID, ids=lambda path: path.stem)
def test_the_phone_draws_what_the_server_draws(page: Page, file: Path) -> None:
    with application(file) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        client.get("/survey?lang=vi")
        watched = Watched(client, file)
        watched.answer()
        trial = app.state.trial
        document = booklet(
            app.state.site, trial.questionnaire, trial.questionnaire.version, "vi", "self"
        ).content.decode()
    facts = {
        "response": "preview",
        "author": "preview",
        "mode": "self",
        "language": "vi",
        "base": "/survey",
        "number": 0.5,
    }
    for address, events, html in watched.seen:
        told = json.loads(msgspec.json.encode(events))
        page.evaluate(ON_THE_PHONE, [document, facts, told, address])
        phone = page.evaluate(DRAWN, page.query_selector("main"))
        page.evaluate(BY_THE_SERVER, html)
        server = page.evaluate(DRAWN, page.query_selector("main"))
        assert phone == server, address
