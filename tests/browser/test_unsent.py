"""What a network, a browser or a person can do to a household's answers: whatever was acknowledged is there exactly once,
and the person is told the truth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from survey.questionnaire.response import Event
from survey.storage import responses, sessions
from survey.storage.database import Database
from tests.browser.conftest import Served
from tests.browser.people import PHONE, add_person, answer, answer_until, enter, press

STATUS = ".sending"
UNSENT = re.compile("Chưa gửi")
SAVED = re.compile("Đã lưu trên máy chủ")
_next = iter(range(4, 40))


@pytest.fixture
def case(served: Served) -> str:
    """A household that nobody has heard of yet."""
    return served.waiting[next(_next)]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport=PHONE) as made:  # type: ignore[arg-type]
        yield made


def at_home(context: BrowserContext, served: Served, case: str) -> Page:
    """A household on its first question about the house, with everything for the way fetched in the background."""
    page = context.new_page()
    enter(page, served, served.codes[case])
    page.wait_for_selector("html[data-ready=offline]")
    press(page)
    add_person(page, "Bà Tư", "female", 1958, "head")
    press(page)
    expect(page.locator("h1")).to_contain_text("Internet")
    expect(page.locator(STATUS)).to_have_text(SAVED)
    return page


def kept(served: Served, case: str) -> list[Event]:
    """What the server has of the household's own response."""
    with (
        Database.open(f"sqlite:///{served.out / 'survey.sqlite'}") as database,
        database.reading() as connection,
    ):
        record = responses.own(responses.by_case(connection, case))
        assert record is not None
        assert [line for line in responses.verify(connection) if record.id in line] == []
        return responses.events(connection, record.id)


def pages_once(served: Served, case: str) -> list[str]:
    """The pages that are on the server; each exactly once."""
    events = kept(served, case)
    assert [
        name
        for name, times in Counter((e.kind, e.page, e.row, e.roster) for e in events).items()
        if times > 1
    ] == []
    return [event.page for event in events if event.page]


def test_the_network_goes_and_comes_back_in_mid_page(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=no]")
    context.set_offline(True)
    press(page)
    expect(page.locator("h1")).to_contain_text("chưa có Internet")
    expect(page.locator(STATUS)).to_contain_text("Chưa gửi: 1 trang")
    answer(page)
    expect(page.locator(STATUS)).to_contain_text("Chưa gửi: 2 trang")
    assert "home_internet_page" not in pages_once(served, case)
    context.set_offline(False)
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert pages_once(served, case)[-2:] == ["home_internet_page", "internet_barriers_page"]


def test_somebody_is_taken_off_the_list_without_a_network(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.goto(f"{served.url}/survey/p/members_list")
    page.wait_for_selector("html[data-ready=offline]")
    context.set_offline(True)
    add_person(page, "Bác Ba", "male", 1960, "other")
    page.locator(".acts a").last.click()
    expect(page.locator("h1")).to_contain_text("Bác Ba")
    press(page)
    expect(page.locator(".rows strong")).to_have_text(["Bà Tư"])
    expect(page.locator(STATUS)).to_have_text(UNSENT)
    context.set_offline(False)
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert [event.kind for event in kept(served, case)][-3:] == ["row_added", "answered", "row_removed"]


def test_the_rest_is_answered_without_a_network_and_sent_when_it_is_back(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    context.set_offline(True)
    answer_until(page, "/check")
    expect(page.locator("h1")).to_have_text("Câu trả lời còn trên máy này")
    expect(page.locator(STATUS)).to_have_text(UNSENT)
    context.set_offline(False)
    expect(page.locator("h1")).to_have_text("Xem lại câu trả lời")
    page.wait_for_function("caches.open('household').then(c => c.keys()).then(k => k.length >= 4)")
    context.set_offline(True)
    page.reload()  # the server alone draws this page: it is said that there is no network, and waited
    expect(page.locator("h1")).to_have_text("Đang mất mạng")
    page.wait_for_selector("html[data-ready=offline]")
    context.set_offline(False)
    expect(page.locator("h1")).to_have_text("Xem lại câu trả lời")
    press(page)
    expect(page.locator("h1")).to_have_text("Đã nhận được câu trả lời")
    pages = pages_once(served, case)
    assert {"home_internet_page", "draw_respondent", "respondent_page", "closing_page"} <= set(pages)
    assert kept(served, case)[-1].kind == "submitted"


def test_two_phones_at_once(browser: Browser, served: Served, case: str) -> None:
    with (
        browser.new_context(viewport=PHONE) as one,
        browser.new_context(viewport=PHONE, java_script_enabled=False) as two,
    ):  # type: ignore[arg-type]
        first = at_home(one, served, case)
        second = two.new_page()
        enter(second, served, served.codes[case])
        assert second.url == first.url
        first.check("[name=home_internet][value=yes]")
        second.check("[name=home_internet][value=no]")
        press(first)
        expect(first.locator(STATUS)).to_have_text(SAVED)
        press(second)
        said = [event.answers for event in kept(served, case) if event.page == "home_internet_page"]
        assert [next(iter(answers.values())).value for answers in said] == [
            "yes",
            "no",
        ]  # both kept, the last counts
        second.goto(f"{served.url}/survey/p/home_internet_page")
        expect(second.locator("[name=home_internet][value=no]")).to_be_checked()


def test_two_tabs_of_one_browser(context: BrowserContext, served: Served, case: str) -> None:
    first = at_home(context, served, case)
    second = context.new_page()
    second.goto(first.url)
    second.wait_for_selector("html[data-ready=offline]")
    context.set_offline(True)
    first.check("[name=home_internet][value=yes]")
    press(first)
    second.check("[name=home_internet][value=yes]")
    press(second)
    answer(second)
    context.set_offline(False)
    for tab in (first, second):
        expect(tab.locator(STATUS)).not_to_have_text(UNSENT)
    events = kept(served, case)
    assert len({event.id for event in events}) == len(events)
    pages = Counter(event.page for event in events if event.page)
    assert (pages["home_internet_page"], pages["internet_types_page"]) == (2, 1)  # as each tab said it


def test_two_pages_at_once_on_a_slow_network_are_both_said_to_have_arrived(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")
    held: list[Route] = []
    context.route("**/sync", lambda route: route.continue_() if held else held.append(route))
    press(page)
    answer(page)
    expect(page.locator(STATUS)).to_have_attribute("data-state", "sending")
    held[0].continue_()
    page.wait_for_function(
        "navigator.locks.query().then(({held, pending}) => !held.length && !pending.length)"
    )
    page.wait_for_timeout(100)  # what the last of the tries says, it says after its lock is free
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert pages_once(served, case)[-2:] == ["home_internet_page", "internet_types_page"]


def test_a_browser_that_forgets_loses_nothing_that_was_acknowledged(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")
    press(page)
    expect(page.locator(STATUS)).to_have_text(SAVED)
    context.route("**/sync", lambda route: route.abort("internetdisconnected"))  # to the end
    answer(page)
    expect(page.locator(STATUS)).to_have_text(UNSENT)  # and so nobody is surprised
    page.goto("about:blank")
    devtools = context.new_cdp_session(page)
    devtools.send("Storage.clearDataForOrigin", {"origin": served.url, "storageTypes": "all"})
    enter(page, served, served.codes[case])
    expect(page.locator("h1")).to_contain_text("vào mạng bằng những cách nào")  # the one that was not sent
    assert pages_once(served, case)[-1] == "home_internet_page"


def test_the_back_button(context: BrowserContext, served: Served, case: str) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")
    press(page)
    answer(page)
    page.go_back()
    expect(page.locator("h1")).to_contain_text("vào mạng bằng những cách nào")
    page.go_back()
    expect(page.locator("[name=home_internet][value=yes]")).to_be_checked()
    page.go_forward()
    expect(page.locator("[name=internet_types]").first).to_be_checked()
    expect(page.locator(STATUS)).not_to_have_text(UNSENT)
    pages_once(served, case)


def test_the_session_ends_while_somebody_types(context: BrowserContext, served: Served, case: str) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")
    with Database.open(f"sqlite:///{served.out / 'survey.sqlite'}") as database:
        database.write_now(sessions.revoke_all, "household", case)
    press(page)
    expect(page.locator(STATUS)).to_contain_text("nhập lại mã của hộ")
    assert "home_internet_page" not in pages_once(served, case)
    page.click(f"{STATUS} a")
    page.fill("#code", served.codes[case])
    page.click("main form:has(#code) button")
    expect(page.locator("h1")).to_contain_text("vào mạng bằng những cách nào")
    assert pages_once(served, case)[-1] == "home_internet_page"


def portal(route: Route) -> None:
    route.fulfill(
        status=200, content_type="text/html", body="<title>Wi-Fi</title><form>Xin mua gói cước</form>"
    )


def test_a_network_that_answers_everything_with_its_own_page(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")
    context.route("**/sync", portal)
    press(page)
    expect(page.locator(STATUS)).to_contain_text("đòi đăng nhập")
    expect(page.locator(STATUS)).to_have_text(UNSENT)
    assert "home_internet_page" not in pages_once(served, case)
    context.unroute("**/sync")
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert pages_once(served, case)[-1] == "home_internet_page"


def test_a_server_that_commits_and_whose_reply_is_lost(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.check("[name=home_internet][value=yes]")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    context.route("**/sync", lose)
    press(page)
    expect(page.locator(STATUS)).to_have_text(UNSENT)  # nobody can know better
    assert pages_once(served, case)[-1] == "home_internet_page"
    context.unroute("**/sync")
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert pages_once(served, case)[-1] == "home_internet_page"


def test_a_dead_service_worker_and_a_page_that_is_loaded_again_without_a_network(
    context: BrowserContext, served: Served, case: str
) -> None:
    page = at_home(context, served, case)
    page.wait_for_function("caches.open('household').then(c => c.keys()).then(k => k.length >= 4)")
    page.reload()  # now the service worker has this page
    page.wait_for_selector("html[data-ready=offline]")
    context.set_offline(True)
    page.check("[name=home_internet][value=yes]")
    press(page)
    devtools = context.new_cdp_session(page)
    devtools.send("ServiceWorker.enable")
    devtools.send("ServiceWorker.stopAllWorkers")
    page.reload()
    expect(page.locator("h1")).to_contain_text("vào mạng bằng những cách nào")
    expect(page.locator(STATUS)).to_contain_text("Chưa gửi: 1 trang")
    answer(page)
    expect(page.locator(STATUS)).to_contain_text("Chưa gửi: 2 trang")
    context.set_offline(False)
    expect(page.locator(STATUS)).to_have_text(SAVED)
    assert pages_once(served, case)[-2:] == ["home_internet_page", "internet_types_page"]


def test_a_browser_within_an_app_that_keeps_nothing(browser: Browser, served: Served, case: str) -> None:
    with browser.new_context(viewport=PHONE, service_workers="block") as context:  # type: ignore[arg-type]
        context.add_init_script(
            "delete globalThis.indexedDB; Object.defineProperty(globalThis, 'indexedDB', {value: undefined})"
        )
        page = context.new_page()
        enter(page, served, served.codes[case])
        press(page)
        expect(page.locator("h1")).to_contain_text("sống ở đây")
        add_person(page, "Bà Tư", "female", 1958, "head")
        press(page)
        page.check("[name=home_internet][value=yes]")
        lost: list[str] = []

        def lose(route: Route) -> None:
            if not lost and route.request.method == "POST":
                lost.append(route.request.url)
                route.fetch(max_redirects=0)
                route.abort()
            else:
                route.fallback()

        context.route("**/survey/p/*", lose)
        page.click("main form button")
        expect(page.locator(STATUS)).to_contain_text("Chưa gửi: trang này")
        expect(page.locator("[name=home_internet][value=yes]")).to_be_checked()
        expect(page.locator("h1")).to_contain_text("vào mạng bằng những cách nào")
        assert lost
        assert pages_once(served, case)[-1] == "home_internet_page"


def test_a_browser_that_keeps_nothing_does_not_promise_an_answer_of_a_closed_session(
    browser: Browser, served: Served, case: str
) -> None:
    with browser.new_context(viewport=PHONE, service_workers="block") as context:  # type: ignore[arg-type]
        context.add_init_script("Object.defineProperty(globalThis, 'indexedDB', {value: undefined})")
        page = context.new_page()
        enter(page, served, served.codes[case])
        expect(page.locator("h1")).to_contain_text("Trước khi trả lời")
        with Database.open(f"sqlite:///{served.out / 'survey.sqlite'}") as database:
            database.write_now(sessions.revoke_all, "household", case)
        page.click("main form button")
        expect(page.locator(STATUS)).to_contain_text("Chưa gửi: trang này")
        expect(page.locator(STATUS)).to_contain_text("để trả lời lại")
        page.click(f"{STATUS} a")
        enter(page, served, served.codes[case])
        expect(page.locator("h1")).to_contain_text("Trước khi trả lời")
