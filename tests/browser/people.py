"""What people do in a browser, shared by the stories: come in, answer, go on."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Error, Page

from tests.browser.conftest import Served

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 360, "height": 640}


def phone(browser: Browser, **settings: Any) -> Page:
    """A new cheap phone: nothing kept from before, no JavaScript unless asked for."""
    return browser.new_context(viewport=PHONE, **{"java_script_enabled": False, **settings}).new_page()


def press(page: Page) -> None:
    """Send the page's form and wait for what it leads to: a page has a form of its own, also when it is the same."""
    before = _form(page)
    page.click("main form button")
    for _ in range(1200):
        if _form(page) not in {before, ""}:
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"nothing followed on {page.url}")


def _form(page: Page) -> str:
    try:  # asked in the page: Playwright's own `page.url` may be a moment behind what stands there
        return str(page.evaluate("document.querySelector('main form [name=form]')?.value ?? location.href"))
    except Error:  # the page is just being replaced: nothing may be pressed yet
        return ""


def enter(page: Page, served: Served, code: str) -> None:
    page.goto(served.url)
    page.fill("#code", code)
    page.click("main button")


def add_person(page: Page, name: str, sex: str, year: int, relationship: str) -> None:
    page.click("main a.button")
    page.wait_for_selector("[name=nickname]")
    page.fill("[name=nickname]", name)
    page.check(f"[name=sex][value={sex}]")
    page.fill("[name=birth_year]", str(year))
    page.check(f"[name=relationship][value={relationship}]")
    press(page)


def answer(page: Page) -> None:
    """Answer the page as it stands: the first option, "don't know" for numbers."""
    questions = page.locator("main form .question:visible")
    for number in range(questions.count()):
        question = questions.nth(number)
        radios, boxes = (
            question.locator("input[type=radio]:visible"),
            question.locator("input[type=checkbox]:visible"),
        )
        if radios.count():
            radios.first.check()
        elif boxes.count():
            boxes.first.check()
    press(page)


def answer_until(page: Page, end: str, most: int = 80) -> None:
    for _ in range(most):
        page.wait_for_load_state()
        if page.evaluate("location.pathname").endswith(end):
            return
        answer(page)
    raise AssertionError(f"{end} was not reached; stopped at {page.url}")
