"""Everybody sees where the own account is signed in and ends it; a supervisor lets an official in, once, with a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from survey.app import create_app
from survey.settings import Settings
from survey.storage import accounts, audit, invitations
from survey.storage.database import Database
from survey.web import security
from survey.web.account import PAGE
from survey.web.enrolment import PAGE as OFFICIALS
from tests.test_loading import FOLDER
from tests.web.phone import PASSWORD, settle

NEW = "con trâu đi trước cái cày theo sau"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TestClient[Any]]:
    url = settle(tmp_path, 4)
    with TestClient(create_app(Settings(folder=FOLDER, database=url)), base_url="http://127.0.0.1") as made:
        yield made


class Browser:
    """Cookies of one person's machine, on one server."""

    def __init__(self, site: TestClient[Any], machine: str = "Android") -> None:
        self.site, self.machine, self.cookies = site, machine, {}  # type: ignore[var-annotated]

    def ask(self, method: str, path: str, **fields: str) -> Any:
        self.site.cookies.clear()
        self.site.cookies.update(self.cookies)
        answer = self.site.request(
            method, path, data=fields or None, follow_redirects=False, headers={"user-agent": self.machine}
        )
        self.cookies |= dict(answer.cookies)
        return answer

    def sign_in(self, name: str, word: str = PASSWORD) -> int:
        return int(self.ask("POST", "/field/sign-in", name=name, password=word).status_code)

    def press(self, page: str, path: str, **fields: str) -> Any:
        csrf = re.search(r'name="csrf" value="(\w+)"', self.ask("GET", page).text)
        assert csrf
        return self.ask("POST", path, csrf=csrf[1], **fields)

    def inside(self) -> bool:
        return bool(self.ask("GET", "/field").status_code == 200)


def deeds(site: TestClient[Any], name: str) -> list[tuple[str, str]]:
    database: Database = site.app.state.site.database
    with database.reading() as connection:
        assert not list(audit.verify(connection))
        return [(line.actor, line.action) for line in audit.of_subject(connection, f"account:{name}")]


def test_a_phone_left_somewhere_is_signed_out_from_another(site: TestClient[Any]) -> None:
    phone, desk = Browser(site), Browser(site, "Windows NT 10")
    phone.sign_in("an")
    desk.sign_in("an")
    page = desk.ask("GET", PAGE).text
    assert "Android" in page
    assert "Windows" in page
    (other,) = re.findall(r'action="(/field/account/sessions/\w+)"', page)
    assert desk.press(PAGE, other).headers["location"] == PAGE
    assert not phone.inside()
    assert desk.inside()
    assert ("account:an", "end session") in deeds(site, "an")


def test_another_password_ends_every_other_session_and_renews_this_one(site: TestClient[Any]) -> None:
    phone, desk = Browser(site), Browser(site)
    phone.sign_in("an")
    desk.sign_in("an")
    before = desk.cookies["account"]
    assert desk.press(PAGE, f"{PAGE}/password", present="wrong", new=NEW).status_code == 422
    weak = desk.press(PAGE, f"{PAGE}/password", present=PASSWORD, new="matkhau123456789")
    assert weak.status_code == 422
    assert "dễ đoán" in weak.text
    assert (
        desk.press(PAGE, f"{PAGE}/password", present=PASSWORD, new=NEW).headers["location"]
        == f"{PAGE}?done=1"
    )
    assert desk.cookies["account"] != before, "the token is another one"
    assert desk.inside()
    assert not phone.inside()
    assert Browser(site).sign_in("an") == 422, "the old password is gone"
    assert Browser(site).sign_in("an", NEW) == 303
    assert ("account:an", "change password") in deeds(site, "an")


def test_a_thief_of_a_session_cannot_guess_the_password_there(site: TestClient[Any]) -> None:
    thief = Browser(site)
    thief.sign_in("an")
    for number in range(10):
        thief.press(PAGE, f"{PAGE}/password", present=f"guess {number}", new=NEW)
    limited = thief.press(PAGE, f"{PAGE}/password", present=PASSWORD, new=NEW)
    assert limited.status_code == 422
    assert Browser(site).sign_in("an") == 303, "the owner is not locked out by it"


def _link(supervisor: Browser, official: str, purpose: str) -> str:
    page = supervisor.press(OFFICIALS, f"{OFFICIALS}/{official}", purpose=purpose)
    found = re.search(r'class="secret">http://127.0.0.1(/field/enrol/[\w-]+)<', page.text)
    assert found, page.text
    return found[1]


def test_a_supervisor_lets_an_officials_phone_in_once(site: TestClient[Any]) -> None:
    supervisor, phone, old = Browser(site), Browser(site), Browser(site)
    supervisor.sign_in("chi")
    old.sign_in("an")
    link = _link(supervisor, "an", "phone")
    assert "an" in phone.ask("GET", link).text
    assert not phone.inside(), "a preview of the link changes nothing"
    assert phone.ask("POST", link).headers["location"] == "/field"
    assert phone.inside()
    assert old.inside(), "a further phone ends nothing"
    assert Browser(site).ask("POST", link).status_code == 422, "it works once"
    assert [deed for deed in deeds(site, "an") if deed[1].startswith("invitation")] == [
        ("account:chi", "invitation: phone"),
        ("account:an", "invitation used: phone"),
    ]


def test_a_lost_password_is_replaced_before_the_supervisor_and_every_session_ends(
    site: TestClient[Any],
) -> None:
    supervisor, phone, old = Browser(site), Browser(site), Browser(site)
    supervisor.sign_in("chi")
    old.sign_in("an")
    link = _link(supervisor, "an", "recover")
    assert phone.ask("POST", link, new="short").status_code == 422
    assert phone.ask("POST", link, new=NEW).headers["location"] == "/field"
    assert phone.inside()
    assert not old.inside()
    assert Browser(site).sign_in("an", NEW) == 303
    assert ("account:an", "invitation used: recover") in deeds(site, "an")


def test_a_later_invitation_voids_the_earlier_and_none_outlives_half_an_hour(
    site: TestClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Browser(site)
    supervisor.sign_in("chi")
    first, second = _link(supervisor, "an", "phone"), _link(supervisor, "an", "phone")
    assert Browser(site).ask("POST", first).status_code == 422
    later = invitations.now() + 31 * 60_000
    monkeypatch.setattr(invitations, "now", lambda: later)
    assert Browser(site).ask("GET", second).status_code == 422
    assert Browser(site).ask("POST", second).status_code == 422


def test_nobody_lets_in_officials_of_other_communes_nor_anybody_else(site: TestClient[Any]) -> None:
    official = Browser(site)
    official.sign_in("an")
    assert official.ask("GET", OFFICIALS).status_code in (303, 404)
    supervisor = Browser(site)
    supervisor.sign_in("chi")
    answers = [
        supervisor.press(OFFICIALS, f"{OFFICIALS}/{name}", purpose="phone") for name in ("chi", "none")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace("/chi", "") == answers[1].text.replace("/none", "")


def test_every_look_at_an_address_is_in_the_log_and_an_auditor_finds_it(site: TestClient[Any]) -> None:
    official = Browser(site)
    official.sign_in("an")
    page = official.ask("GET", "/field").text
    case = re.search(r"/field/cases/(HD-\d+)", page)
    assert case
    assert official.ask("GET", f"/field/cases/{case[1]}").status_code == 200
    assert official.ask("GET", "/field/list").status_code == 200
    database: Database = site.app.state.site.database
    with database.reading() as connection:
        looks = {line.action for _, line in audit.newest(connection, about=["account:an"])}
        assert {"look at list of addresses", "look at household", "addresses to phone"} <= looks
        (only,) = [
            line for _, line in audit.newest(connection, about=[f"case:{case[1]}"]) if "look" in line.action
        ]
    assert only.actor == "account:an"
    assert "ngõ" not in str(only), "the log says that somebody looked, not what was seen"
    with database.writing() as connection:
        accounts.create(connection, "kt", "auditor", "no password")
        token, _ = security.begin(connection, security.ACCOUNT, "kt", 1)
    auditor = Browser(site)
    auditor.cookies = {"account": token}
    found = auditor.ask("GET", f"/office/audit?about={case[1].lower()}").text
    assert "xem trang của hộ" in found
    assert "tài khoản an" in found
    assert "tải địa chỉ xuống điện thoại" not in found
