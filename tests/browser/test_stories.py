"""People in a real browser: a household without JavaScript on a small phone, an official at the door, a reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import PASSWORD, Served
from tests.browser.people import FLAGS, PHONE, add_person, answer, answer_until, enter, phone, press


def no_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_household_answers_without_javascript_and_goes_on_from_another_phone(
    browser: Browser, served: Served
) -> None:
    code = served.codes[served.waiting[0]]
    first = phone(browser)
    enter(first, served, code.replace("-", " ").lower())
    expect(first.locator("h1")).to_have_text("Trước khi trả lời")
    answer(first)
    add_person(first, "Bà Tư", "female", 1958, "head")
    add_person(first, "Bé Na", "female", 2017, "grandchild")
    press(first)
    expect(first.locator("h1")).to_contain_text("Internet")
    stopped_at = first.url

    second = phone(browser)
    enter(second, served, code)
    assert second.url == stopped_at
    answer_until(second, "/check")
    expect(second.locator("main")).to_contain_text("Bà Tư")
    second.click("main form button")
    expect(second.locator("h1")).to_have_text("Đã nhận được câu trả lời")
    number = second.locator(".figure").inner_text()
    assert len(number.replace(" ", "")) == 10

    first.reload()  # the first phone is told the same
    expect(first.locator(".figure")).to_have_text(number)


def test_what_is_wrong_is_said_at_the_top_and_beside_the_field_with_focus(
    browser: Browser, served: Served
) -> None:
    page = phone(browser, java_script_enabled=True)
    enter(page, served, "AAAA")
    summary = page.locator("[role=alert]")
    expect(summary).to_be_focused()
    assert page.title().startswith("Lỗi")
    summary.locator("a").first.click()
    expect(page.locator("#code")).to_be_focused()
    no_sideways_scrolling(page)


def test_no_page_of_the_household_scrolls_sideways_or_shows_an_unlabelled_field(
    browser: Browser, served: Served
) -> None:
    page = phone(browser, java_script_enabled=True)
    enter(page, served, served.codes[served.waiting[1]])
    answer(page)
    add_person(page, "N", "male", 1970, "head")
    press(page)
    for _ in range(60):
        no_sideways_scrolling(page)
        unlabelled = page.evaluate(
            "[...document.querySelectorAll('main input:not([type=hidden]), main textarea')]"
            ".filter(i => !i.labels.length && !i.getAttribute('aria-label')).map(i => i.name)"
        )
        assert unlabelled == []
        assert page.locator("h1").count() == 1
        small = page.evaluate(
            "[...document.querySelectorAll('main button, main a.button, main label.option')]"
            ".filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.innerText)"
        )
        assert small == []
        if page.url.endswith("/check"):
            return
        answer(page)
    raise AssertionError("the end was not reached")


def test_a_household_gets_in_over_plain_http_in_a_village_network(chromium: str, served: Served) -> None:
    """Off the loopback address a browser sends no Sec-Fetch-Site without https; the form's origin must do."""
    rules = "--host-resolver-rules=MAP survey.test 127.0.0.1"
    code = served.codes[served.waiting[3]]

    def enter_there() -> None:  # a thread of its own: Playwright runs one loop in each
        with sync_playwright() as play:
            opened = play.chromium.launch(executable_path=chromium, args=[*FLAGS, rules])
            page = phone(opened)
            page.goto(served.url.replace("127.0.0.1", "survey.test"))
            page.fill("#code", code)
            page.click("main button")
            expect(page.locator("h1")).to_have_text("Trước khi trả lời")
            answer(page)
            expect(page.locator("h1")).to_contain_text("sống ở đây")
            opened.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(enter_there).result(120)


def test_the_whole_path_can_be_walked_with_the_keyboard(browser: Browser, served: Served) -> None:
    page = phone(browser, java_script_enabled=True)
    page.goto(served.url)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.focus("#code")
    page.keyboard.type(served.codes[served.waiting[2]])
    page.keyboard.press("Enter")
    page.focus("main form button")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("sống ở đây")


def test_an_official_finishes_a_household_at_the_door(browser: Browser, served: Served) -> None:
    page = phone(browser)
    page.goto(f"{served.url}/field")
    page.fill("#name", served.official)
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.locator("h1")).to_have_text("Hộ được giao")
    case = served.official_cases[0]
    page.goto(f"{served.url}/field/cases/{case}")
    page.check("[name=outcome][value=nobody_home]")
    page.click("main form:last-of-type button")
    expect(page.locator(".done")).to_be_visible()

    page.click("main form:first-of-type button")
    answer(page)
    add_person(page, "Ông Sáu", "male", 1950, "head")
    press(page)
    answer_until(page, "/check")
    press(page)
    expect(page.locator("h1")).to_have_text("Đã nhận được câu trả lời")

    page.goto(f"{served.url}/field/cases/{case}")  # from here on nobody in the commune can read the answers
    expect(page.locator("main")).not_to_contain_text("Ông Sáu")
    assert page.goto(f"{served.url}/field/cases/{case}/interview/check").status == 404  # type: ignore[union-attr]


def test_an_official_cannot_open_the_household_of_another(browser: Browser, served: Served) -> None:
    page = phone(browser)
    page.goto(f"{served.url}/field")
    page.fill("#name", served.official)
    page.fill("#password", PASSWORD)
    page.click("main button")
    said = []
    for case in (served.waiting[0], "NONE-0000"):
        refusal = page.goto(f"{served.url}/field/cases/{case}")
        assert refusal is not None
        assert refusal.status == 404
        said.append(page.locator("main").inner_text())
    assert said[0] == said[1]


def test_the_results_page_shows_the_released_numbers(browser: Browser, served: Served) -> None:
    released = json.loads((served.out / "release" / "estimates.json").read_text(encoding="utf-8"))
    text = json.dumps(released, ensure_ascii=False)
    assert "EPAY_ANY_ALL" in text
    page = phone(browser)
    page.goto(served.url)
    page.click("footer a[href='/results/']")
    expect(page.locator("body")).to_contain_text("MÔ PHỎNG")
    expect(page.locator("h1")).to_be_visible()
    main = next(
        cell
        for cell in _cells(released)
        if cell.get("indicator") == "EPAY_ANY_ALL" and not cell.get("domain")
    )
    shown = f"{100 * main['value']:.1f}".replace(".", ",")
    expect(page.locator("main")).to_contain_text(f"{shown}%")


def _cells(tree: Any) -> Iterator[dict[str, Any]]:
    """Every estimate in the file, wherever it stands."""
    if isinstance(tree, dict):
        if "indicator" in tree and "value" in tree:
            yield tree
        for branch in tree.values():
            yield from _cells(branch)
    elif isinstance(tree, list):
        for branch in tree:
            yield from _cells(branch)


def test_a_statistician_sees_aggregates_and_the_files_of_the_release(
    browser: Browser, served: Served
) -> None:
    page = phone(browser)
    page.goto(f"{served.url}/office")
    page.fill("#name", "minh")
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.locator("main")).to_contain_text("estimates.csv")
    assert page.goto(f"{served.url}/field").status == 200  # type: ignore[union-attr]
    assert page.url.endswith("/field/sign-in")
