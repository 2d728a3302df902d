"""Everybody can use the household's pages: axe-core finds nothing in any state, in light and dark, at 320 px, at 200 % text,
with forced colours; nothing is fetched from elsewhere; everything can be reached by keyboard and says its language."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from survey import loading
from survey.storage import accounts, responses
from survey.storage.database import Database
from tests.browser.conftest import PASSWORD, QUIET, Served
from tests.browser.people import add_person, answer, answer_until, enter, press

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
SMALL = """[...document.querySelectorAll('button, a, input:not([type=hidden]), select, textarea, summary, label.button')]
  .filter(e => e.checkVisibility() && !e.closest('.skip, .pick') && !(e.closest('p, dd, li') && e.matches('a') && e.closest('p, dd, li').innerText.trim() !== e.innerText.trim()))
  .filter(e => (e.closest('label') ?? e).getBoundingClientRect().height < 44)
  .map(e => e.outerHTML.slice(0, 120))"""
_next = iter(range(30, 50))


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 320, "height": 640}, color_scheme=request.param) as made:
        yield made


def sound(page: Page, state: str) -> None:
    """Nothing to find on the page as it stands."""
    found = Axe().run(page, options=RULES)
    assert found.violations_count == 0, f"{state}: {found.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, state
    assert page.evaluate(SMALL) == [], state
    assert page.locator("h1").count() == 1, state


def test_no_page_in_any_state_keeps_anybody_out(context: BrowserContext, served: Served) -> None:
    code = served.codes[served.waiting[next(_next)]]
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(served.url)
    sound(page, "entry")
    enter(page, served, "ABC")
    sound(page, "a wrong code")
    enter(page, served, code)
    page.wait_for_selector("html[data-ready=offline]")
    sound(page, "notice")
    press(page)
    sound(page, "an empty list")
    page.click("main a.button")
    page.wait_for_selector("[name=nickname]")
    sound(page, "a new person")
    press(page)
    expect(page.locator(".summary")).to_be_focused()
    sound(page, "mistakes, said by the phone")
    page.goto(f"{served.url}/survey/p/members_list")
    page.wait_for_selector("html[data-ready=offline]")
    page.click("main a.button")
    page.wait_for_selector("[name=nickname]")
    page.fill("[name=nickname]", "Cụ Năm")
    page.check("[name=sex][value=male]")
    page.fill("[name=birth_year]", "1905")
    page.check("[name=relationship][value=head]")
    press(page)
    sound(page, "a doubt")
    page.check("[name='birth_year.confirmed']")
    press(page)
    sound(page, "a list")
    page.goto(f"{served.url}/survey/p/members_list")
    page.locator(".acts a").last.click()
    page.wait_for_selector("button.danger")
    sound(page, "taking somebody out")
    page.click("main a.second")
    page.wait_for_selector("html[data-ready=offline]")
    press(page)
    context.set_offline(True)
    answer(page)
    sound(page, "without a network")
    context.set_offline(False)
    expect(page.locator(".sending")).to_contain_text("Đã lưu")
    answer_until(page, "/draw_respondent")
    sound(page, "before the draw")
    press(page)
    sound(page, "after the draw")
    press(page)
    page.goto(f"{served.url}/survey/private")
    sound(page, "a private code")
    page.goto(f"{served.url}/survey")
    page.wait_for_selector("html[data-ready=offline]")
    answer_until(page, "/check")
    # until the last answers have arrived, the server would lead back to their page
    expect(page.locator("h1")).to_have_text("Xem lại câu trả lời")
    page.goto(f"{served.url}/survey/check?lang=en")
    sound(page, "the summary, in English")
    press(page)
    expect(page.locator(".figure")).to_be_visible()
    sound(page, "the receipt")
    context.set_offline(True)
    page.goto(f"{served.url}/survey/my-data")
    expect(page.locator("h1")).to_have_text(re.compile("Đang mất mạng|There is no network"))
    sound(page, "no network and nothing kept")
    context.set_offline(False)
    expect(page.locator("h1")).to_have_text(re.compile("Dữ liệu của tôi|My data"))
    page.goto(f"{served.url}/nothing-here")
    sound(page, "no such page")
    assert [url for url in asked if not url.startswith((f"{served.url}/", "data:", "blob:"))] == []


def test_a_member_answers_alone_and_the_households_code_opens_nothing_of_it(
    context: BrowserContext, served: Served, browser: Browser
) -> None:
    code = served.codes[served.waiting[next(_next)]]
    page = context.new_page()
    enter(page, served, code)
    press(page)
    add_person(page, "Bà Tư", "female", 1958, "head")
    answer_until(page, "/draw_respondent")
    press(page)
    press(page)
    own = page.evaluate("location.pathname")
    page.goto(f"{served.url}/survey/private")
    page.click("main form button")
    expect(page.locator(".summary")).to_be_visible()
    sound(page, "nobody chosen")
    page.check("[name=member]")
    page.click("main form button")
    expect(page.locator(".chosen .figure")).to_be_visible()
    sound(page, "a private code shown")
    private = page.locator(".chosen .figure").inner_text()
    page.goto(f"{served.url}{own}")
    assert page.evaluate("location.pathname") != own
    with browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=False) as other:
        alone = other.new_page()
        enter(alone, served, private)
        alone.wait_for_url(f"**{own}")
        assert alone.locator("main form .question").count()


def test_text_twice_as_large_still_fits_a_small_screen(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 360, "height": 640}) as context:
        page = context.new_page()
        enter(page, served, served.codes[served.waiting[next(_next)]])
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        for _ in range(2):
            assert page.evaluate("document.documentElement.scrollWidth") <= 360
            press(page) if "notice" in page.url else page.click("main a.button")
            page.evaluate("document.documentElement.style.fontSize = '200%'")
        page.wait_for_selector("[name=nickname]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_is_chosen_is_seen_in_forced_colours(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 360, "height": 640}, forced_colors="active") as context:
        page = context.new_page()
        enter(page, served, served.codes[served.waiting[next(_next)]])
        press(page)
        page.click("main a.button")
        page.check("[name=sex][value=female]")
        chosen, other = (
            page.eval_on_selector(f"[name=sex][value={sex}] + span", "e => getComputedStyle(e).outlineStyle")
            for sex in ("female", "male")
        )
        assert (chosen, other) == ("solid", "none")
        press(page)
        seen = {
            what: page.eval_on_selector(
                what, "e => { const s = getComputedStyle(e); return [s.borderTopStyle, s.borderTopWidth] }"
            )
            for what in (".summary", "main form button", "[name=nickname]", ".option span")
        }
        assert all(style != "none" and width != "0px" for style, width in seen.values()), seen
        for _ in range(12):
            page.keyboard.press("Tab")
            style = page.evaluate(
                "(e => [getComputedStyle(e), getComputedStyle(e.nextElementSibling ?? e)].map(s => s.outlineStyle))(document.activeElement)"
            )
            assert set(style) != {"none"}, page.evaluate("document.activeElement.outerHTML")


def test_a_person_can_be_added_by_keyboard_alone(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 360, "height": 640}) as context:
        page = context.new_page()
        page.goto(served.url)
        keys = page.keyboard

        def tab_to(selector: str) -> None:
            for _ in range(60):
                if page.evaluate("s => document.activeElement?.matches(s)", selector):
                    return
                keys.press("Tab")
            raise AssertionError(f"{selector} is not reached by Tab")

        tab_to("#code")
        keys.type(served.codes[served.waiting[next(_next)]])
        keys.press("Enter")
        page.wait_for_selector("html[data-ready=offline]")
        tab_to("main form button")
        keys.press("Enter")
        expect(page.locator("h1")).to_contain_text("sống ở đây")
        tab_to("main a.button")
        keys.press("Enter")
        page.wait_for_selector("[name=nickname]")
        tab_to("[name=nickname]")
        keys.type("Ba")
        tab_to("[name=sex]")
        keys.press("Space")
        tab_to("[name=birth_year]")
        keys.type("1970")
        tab_to("[name=relationship]")
        keys.press("Space")
        tab_to("main form button")
        keys.press("Enter")
        expect(page.locator(".rows strong")).to_have_text("Ba")


def test_an_official_gives_a_household_a_new_code_that_opens_nothing_old(
    browser: Browser, served: Served
) -> None:
    with browser.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        with Database.open(f"sqlite:///{served.out / 'survey.sqlite'}") as database, database.reading() as db:
            case = next(one for one in reversed(served.official_cases) if not responses.by_case(db, one))
        enter(page, served, served.codes[case])
        page.wait_for_selector("html[data-ready=offline]")
        press(page)
        add_person(page, "Bà Tư", "female", 1958, "head")
        press(page)
        page.check("[name=home_internet][value=no]")
        press(page)
        expect(page.locator(".sending")).to_contain_text("Đã lưu")
        stopped_at = page.url

        page.goto(f"{served.url}/field/sign-in")
        page.fill("#name", served.official)
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.goto(f"{served.url}/field/cases/{case}/code")
        sound(page, "before a new code")
        page.click("main form button")
        sound(page, "a new code")
        fresh = page.locator(".figure").inner_text()

        enter(page, served, served.codes[case])
        expect(page.locator("[role=alert]")).to_be_visible()  # the old one is dead
        enter(page, served, fresh)
        assert page.url == stopped_at
        page.goto(f"{served.url}/survey/p/home_internet_page")
        assert "home_internet_page" not in page.url
        assert "Bà Tư" not in page.content()


def test_an_officials_phone_is_let_in_by_a_square_that_works_once(browser: Browser, served: Served) -> None:
    database = f"sqlite:///{served.out / 'survey.sqlite'}"
    with Database.open(database) as opened, opened.reading() as connection:
        official = accounts.find(connection, served.official)
    assert official is not None
    loading.create_account(
        database, "giam-sat", "supervisor", official.communes, password=PASSWORD, console=QUIET
    )
    with browser.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        page.goto(f"{served.url}/office/sign-in")
        page.fill("#name", "giam-sat")
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.goto(f"{served.url}/office/officials")
        sound(page, "the officials")
        page.click("button[value=recover]")
        sound(page, "a square for a lost password")
        page.click("button[value=phone]")
        link = page.locator("code.secret").inner_text()
    with browser.new_context(viewport={"width": 320, "height": 640}) as context:
        page = context.new_page()
        page.goto(link)
        sound(page, "before a phone is let in")
        page.click("main button")
        page.wait_for_url("**/field")
        page.click("a[href='/field/account']")
        sound(page, "the own account")
        page.fill("#present", "not this one")
        page.click("main form[action$='/password'] button")
        expect(page.locator(".summary")).to_be_focused()
        sound(page, "a wrong password")
        page.goto(link)
        expect(page.locator("h1")).to_have_text("Đường dẫn không còn dùng được")
