"""Every type of question keeps nobody out, as it is first seen and with everything that can be wrong with it: axe-core finds
nothing, targets are 44 px high, nothing scrolls sideways at 320 px, also with text twice as large. Light and Vietnamese,
dark and English take turns. A question can be listened to and explained without script, by keyboard."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lxml.html
import msgspec
import pytest
from litestar.testing import TestClient
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from survey.app import create_app
from survey.preview import application
from survey.problems import Unavailable
from survey.settings import Settings
from survey.web.assets import Assets
from tests.browser.people import FLAGS, PHONE
from tests.browser.test_access import sound
from tests.questionnaire.test_corpus import CORPUS, Person, questionnaire
from tests.test_loading import FOLDER
from tests.web.phone import settle
from tests.web.test_mydata import by_consent, come_in, send

TYPES = (
    "acknowledge", "checks", "date", "decimal", "hints", "integer", "list:long_list", "location", "note", "notice",
    "optional", "photo", "preload", "rank", "roster", "rows", "select_many", "select_one", "specify", "text", "year",
)  # fmt: skip
SITE = "http://phone.invalid"


class State(NamedTuple):
    """A page as it was sent, and what it shows."""

    what: str
    html: str


class Careless(Person):
    """Leaves every page empty first, then writes nonsense, then answers; every page that is shown is noted."""

    def __init__(self, client: TestClient[Any], name: str) -> None:
        super().__init__(client, questionnaire(CORPUS / "valid" / f"{name}.yaml"))
        self.name = name
        self.seen: dict[str, str] = {}

    def send(self, got: Any, address: str, again: bool = True) -> str:
        form = next(form for form in lxml.html.fromstring(got.text).forms if "/p/" in form.get("action"))
        hidden = {one.get("name"): one.get("value") for one in form.xpath(".//input[@type='hidden']")}
        typed = {one.get("name"): "x" * 9 for one in form.xpath(".//input[@type='text']")}
        self.note(f"{address}, first", got.text)
        for how, sent in (("empty", hidden), ("nonsense", hidden | typed)):
            wrong = self.client.post(form.get("action"), data=sent) if how == "empty" or typed else None
            if wrong is not None and wrong.status_code == 422:
                self.note(f"{address}, {how}", wrong.text)
        return super().send(got, address, again)

    def note(self, what: str, html: str) -> None:
        self.seen.setdefault(re.sub(r"[0-9a-f]{8}", "row", f"{self.name}: {what}"), html)


def states() -> Iterator[State]:
    for name, language in zip(TYPES, itertools.cycle(("vi", "en"))):
        name = name.split(":")[-1]
        with (
            application(CORPUS / "valid" / f"{name}.yaml") as app,
            TestClient(app, base_url="http://127.0.0.1") as client,
        ):
            client.cookies.set("lang", language)
            person = Careless(client, name)
            person.answer()
            person.note("check", client.get("/survey/check").text)
        yield from (State(f"{what}, {language}", html) for what, html in person.seen.items())


@pytest.fixture(scope="module")
def chrome(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()


def show(page: Page, html: str, **files: tuple[str, bytes]) -> None:
    """A page as the server sent it, with its style and without its script."""
    style = Assets().read("app.css") or b""

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        kind, body = files.get(name, ("text/css", style) if name == "app.css" else ("text/javascript", b""))
        route.fulfill(
            body=html if name == "page" else body, content_type="text/html" if name == "page" else kind
        )

    page.unroute_all()
    page.route("**/*", answer)
    page.goto(f"{SITE}/page")


def test_every_type_of_question_in_every_state_is_open_to_everybody(chrome: Browser) -> None:
    seen = list(states())
    kinds = " ".join(html for _, html in seen)
    for control in (
        'type="radio"',
        'type="checkbox"',
        "<select",
        "<textarea",
        'type="file"',
        "inputmode",
        'role="alert"',
    ):
        assert control in kinds
    with chrome.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        for state, scheme in zip(seen, itertools.cycle(("light", "dark", "dark", "light"))):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            show(page, state.html)
            sound(page, f"{state.what}, {scheme}")
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, (
                f"{state.what}, text twice as large"
            )


def test_a_form_written_from_right_to_left_in_five_languages_scrolls_nowhere(
    chrome: Browser, tmp_path: Path
) -> None:
    """What stands off the page for screen readers stands off its beginning, options begin where the text does, and five
    languages find room in the head."""
    languages = ("ar", "en", "es", "fr", "sw")
    said = ", ".join(f"{code}: {'هل لديك هاتف؟' if code == 'ar' else 'Phone?'}" for code in languages)
    choices = ", ".join(f"{{code: {code}, label: {{{said}}}}}" for code in ("a", "b"))
    (tmp_path / "questionnaire.yaml").write_text(
        f"id: arabic\nlanguages: [{', '.join(languages)}]\ntitle: {{{said}}}\nsections:\n  - id: s\n    title: {{{said}}}\n"
        f"    pages:\n      - id: p\n        questions:\n          - {{id: q, kind: select_one, label: {{{said}}}, choices: [{choices}]}}\n",
        encoding="utf-8",
    )
    with application(tmp_path) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        html = client.get("/survey/p/p?lang=ar").text
    assert 'dir="rtl"' in html
    with chrome.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        show(page, html)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        mark, words = (
            page.locator(which).first.bounding_box() for which in (".option input", ".option span")
        )
        assert mark
        assert words
        assert mark["x"] > words["x"] + words["width"] / 2, (
            "the mark stands at the right, where the words begin"
        )
        sound(page, "right to left")


def rights_states(folder: Path) -> Iterator[State]:
    """The pages about a household's rights and its way in, as they are first seen, with mistakes, and afterwards."""
    settings = Settings(folder=FOLDER, database=settle(folder))
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        client.app.state.codes = folder / "codes.csv"
        by_consent(client)
        come_in(client)
        yield State("consent", client.get("/survey").text)
        yield State("consent, half", send(client, "/survey/consent", statistics="yes").text)
        yield State("consent, refused", send(client, "/survey/consent", statistics="no", again="no").text)
        send(client, "/survey/consent", statistics="yes", again="no")
        yield State("nobody to answer alone", client.get("/survey/private").text)
        send(
            client,
            "/survey/p/members_list/add",
            nickname="Bà Tư",
            sex="female",
            birth_year="1958",
            relationship="head",
        )
        yield State("my data", client.get("/survey/my-data").text)
        yield State("my data, nothing chosen", send(client, "/survey/my-data").text)
        asked = send(client, "/survey/my-data", kind="delete")
        assert 'class="chosen"' in asked.text
        yield State("my data, asked", asked.text)
        yield State("consent withdrawn", send(client, "/survey/my-data", kind="withdraw").text)
        write = client.app.state.site.database.write

        async def full(*_: Any, **__: Any) -> Any:
            raise Unavailable({"vi": "đầy", "en": "full"})

        client.app.state.site.database.write = full
        refused = send(client, "/survey/my-data", kind="restrict")
        assert refused.status_code == 503
        yield State("a full disk", refused.text)
        client.app.state.site.database.write = write
        yield State("a forged form", client.post("/survey/private", data={"csrf": "0"}).text)
        yield State("for officials", client.get("/field").text)
        csrf = re.findall(r'name="csrf" value="([^"]+)"', client.get("/survey/my-data").text)[0]
        yield State("stopped", client.post("/stop", data={"csrf": csrf}).text)
        yield State("no session", client.get("/survey/my-data").text)
        with client.app.state.codes.open(encoding="utf-8", newline="") as file:
            codes = [line["code"] for line in csv.DictReader(file)]
        yield State("a code from a square", client.get(f"/c/{codes[1]}").text)
        for _ in range(40):
            tried = client.post("/code", data={"code": codes[2]})
        assert tried.status_code == 429
        yield State("too many tries", tried.text)
        site = client.app.state.site
        dates = msgspec.structs.replace(site.survey.plan.dates, closes="2020-01-01")
        site.survey = msgspec.structs.replace(
            site.survey, plan=msgspec.structs.replace(site.survey.plan, dates=dates)
        )
        yield State("the survey is over", client.get("/").text)


def test_the_pages_about_rights_are_open_to_everybody_in_every_state(chrome: Browser, tmp_path: Path) -> None:
    with chrome.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        for state in rights_states(tmp_path):
            for look in ("light", "dark"):
                page.emulate_media(color_scheme=look)  # type: ignore[arg-type]
                show(page, state.html)
                sound(page, f"{state.what}, {look}")
            page.evaluate("document.documentElement.style.fontSize = '200%'")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, state.what


def tone() -> bytes:
    """A tenth of a second of sound."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setparams((1, 2, 8000, 0, "NONE", ""))
        written.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(n / 3))) for n in range(800)))
    return file.getvalue()


@pytest.mark.parametrize(("language", "other"), [("vi", "en"), ("en", "vi")])
def test_a_question_is_listened_to_and_explained_without_script_by_keyboard(
    chrome: Browser, tmp_path: Path, language: str, other: str
) -> None:
    text = (CORPUS / "valid" / "hints.yaml").read_text(encoding="utf-8")
    told = {"vi": "4G là gì?\n\nMạng nhanh: [4G]", "en": "What is 4G?\n\nA fast network: [4G]"}
    text = re.sub(
        r"help: .*", lambda _: f"help: {{vi: {told['vi']!r}, en: {told['en']!r}}}".replace("'", '"'), text
    )
    text = text.replace(
        "          - id: internet\n",
        "          - id: internet\n            audio: {vi: internet.vi.wav, en: internet.en.wav}\n",
        1,
    )
    (tmp_path / "audio").mkdir()
    for code in ("vi", "en"):
        (tmp_path / "audio" / f"internet.{code}.wav").write_bytes(tone())
    (tmp_path / "hints.yaml").write_text(text, encoding="utf-8")
    with application(tmp_path / "hints.yaml") as app, TestClient(app, base_url="http://127.0.0.1") as client:
        client.cookies.set("lang", language)
        html = client.get("/survey").text
        name = f"internet.{language}.wav"
        sent = client.get(f"/audio/{name}")
        assert client.get(f"/audio/{name}", headers={"range": "bytes=0-9"}).content == sent.content[:10]
    assert f"internet.{other}.wav" not in html
    with chrome.new_context(viewport=PHONE, java_script_enabled=False) as context:  # type: ignore[arg-type]
        page = context.new_page()
        show(page, html, **{name: (sent.headers["content-type"], sent.content)})
        expect(page.locator(".sign")).to_be_hidden()
        page.locator(".back a, .skip").last.focus()
        page.keyboard.press("Tab")
        for _ in range(10):
            if page.locator("summary:focus").count():
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".sign")).to_have_text("4G")
        page.keyboard.press("Tab")
        expect(page.locator("audio")).to_be_focused()
        page.keyboard.press("Space")
        for _ in range(400):  # Playwright's own waiting needs script in the page
            if page.evaluate("document.querySelector('audio').currentTime"):
                return
            page.wait_for_timeout(25)
        raise AssertionError("nothing is heard")
