"""Signing in: a second step for those who see more than their own cases; guessing ends, and no stranger locks anybody out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyotp
import pytest
from litestar.testing import TestClient

from survey.app import SecondStepNeeded, create_app
from survey.loading import create_account, recover_account
from survey.settings import Settings
from survey.storage import accounts, audit, factors, surveys
from survey.storage.database import Database
from survey.web import security, signing
from survey.web.signing import OF_ALL, OF_ONE, matching_step
from tests.test_loading import FOLDER
from tests.web.phone import PASSWORD, QUIET, settle


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient[Any]]:
    monkeypatch.setattr(signing, "WINDOW", 10**9)  # no slice of time ends in the middle of a test
    url = settle(tmp_path, 4)
    for name, role in (("tk", "statistician"), ("quan", "administrator")):
        create_account(url, name, role, password=PASSWORD, console=QUIET)
    with TestClient(create_app(Settings(folder=FOLDER, database=url)), base_url="http://127.0.0.1") as made:
        yield made


def database_of(client: TestClient[Any]) -> Database:
    found: Database = client.app.state.site.database
    return found


def password(client: TestClient[Any], name: str = "tk", word: str = PASSWORD, **more: Any) -> Any:
    return client.post(
        "/office/sign-in", data={"name": name, "password": word}, follow_redirects=False, **more
    )


def form(client: TestClient[Any], path: str, **fields: str) -> Any:
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get(path).text)
    assert csrf
    return client.post(path, data={"csrf": csrf[1], **fields}, follow_redirects=False)


def enrol(client: TestClient[Any], name: str = "tk") -> tuple[str, list[str]]:
    """Sets the second step up; gives back its secret and the recovery codes."""
    assert password(client, name).headers["location"] == signing.ENROL
    shown = re.search(r'class="secret">([A-Z2-7 ]+)<', client.get(signing.ENROL).text)
    assert shown
    secret = shown[1].replace(" ", "")
    page = form(client, signing.ENROL, code=pyotp.TOTP(secret).now())
    return secret, re.findall(r"<li><code>(\w{5}-\w{5})</code>", page.text)


def leave(client: TestClient[Any]) -> None:
    client.cookies.clear()


def test_the_password_alone_opens_nothing_to_a_statistician(client: TestClient[Any]) -> None:
    assert password(client).headers["location"] == signing.ENROL
    assert client.get("/office", follow_redirects=False).headers["location"] == "/office/sign-in"
    wrong = form(client, signing.ENROL, code="000000x")
    assert wrong.status_code == 422
    assert client.get("/office", follow_redirects=False).headers["location"] == "/office/sign-in"


def test_an_official_signs_in_by_the_password(client: TestClient[Any]) -> None:
    assert password(client, "an").headers["location"] == "/field"


def test_a_code_of_the_phone_signs_in_once(client: TestClient[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    secret, recovery = enrol(client)
    assert len(set(recovery)) == signing.RECOVERY
    assert client.get("/office").status_code == 200
    leave(client)
    assert password(client).headers["location"] == signing.STEP
    used = pyotp.TOTP(secret).now()
    assert form(client, signing.STEP, code=used).status_code == 422, (
        "the code of the set-up was taken already"
    )
    later = time.time() + 60
    monkeypatch.setattr("survey.web.signing.time.time", lambda: later)
    done = form(client, signing.STEP, code=pyotp.TOTP(secret).at(int(later)))
    assert done.headers["location"] == "/office"
    assert client.get("/office").status_code == 200
    assert client.get(signing.STEP, follow_redirects=False).status_code == 303, (
        "the half-way session has ended"
    )


def test_a_recovery_code_signs_in_once_and_leaves_a_trace(client: TestClient[Any]) -> None:
    _, recovery = enrol(client)
    leave(client)
    password(client)
    assert form(client, signing.STEP, code=recovery[0].lower()).headers["location"] == "/office"
    leave(client)
    password(client)
    assert form(client, signing.STEP, code=recovery[0]).status_code == 422
    with database_of(client).reading() as connection:
        traces = [line for line in audit.of_subject(connection, "account:tk") if "recovery" in line.action]
        assert [line.details for line in traces] == [{"left": signing.RECOVERY - 1}]


def test_guessing_codes_ends_even_with_the_password(client: TestClient[Any]) -> None:
    secret, _ = enrol(client)
    leave(client)
    password(client)
    for guess in range(OF_ONE):
        assert form(client, signing.STEP, code=f"x{guess}").status_code == 422
    _, recovery = secret, pyotp.TOTP(secret).at(int(time.time()) + 30)
    assert form(client, signing.STEP, code=recovery).status_code == 422, "now even the right one must wait"


def test_clocks_may_be_off_by_one_step_and_not_more() -> None:
    secret, at = pyotp.random_base32(), 1_700_000_010
    codes = {offset: pyotp.TOTP(secret).at(at + 30 * offset) for offset in range(-2, 3)}
    assert [matching_step(secret, codes[offset], at) is not None for offset in range(-2, 3)] == [
        False, True, True, True, False
    ]  # fmt: skip
    assert matching_step(secret, "١٢٣٤٥٦", at) is None


def test_a_stranger_who_guesses_is_stopped_and_the_owners_browser_still_gets_in(
    client: TestClient[Any],
) -> None:
    assert password(client, "an").status_code == 303
    mark = client.cookies[signing.KNOWN]
    leave(client)
    statuses = [password(client, "an", f"guess {n}").status_code for n in range(OF_ONE + 2)]
    assert statuses == [422] * OF_ONE + [429] * 2
    assert password(client, "an").status_code == 429, (
        "the right password does not tell a guesser that it is right"
    )
    assert password(client, "binh").status_code == 303, "nobody else is kept out"
    leave(client)
    client.cookies.set(signing.KNOWN, mark)
    assert password(client, "an").status_code == 303
    leave(client)
    client.cookies.set(signing.KNOWN, mark[:-1] + ("0" if mark[-1] != "0" else "1"))
    assert password(client, "an").status_code == 429, "a mark cannot be made up"


def test_many_networks_together_are_stopped_too(client: TestClient[Any]) -> None:
    site = client.app.state.site
    guesses = [signing._counted(site, _from(client.app, f"10.0.0.{n}"), "an") for n in range(60)]
    assert len({subject for one in guesses for subject in one}) == 121, "sixty networks, one name"
    with database_of(client).writing() as connection:
        for one in guesses:
            signing._count(connection, "an", one, 1)
            signing._count(connection, "an", one, 1)
        _, shut = signing._count(
            connection, "an", signing._counted(site, _from(client.app, "10.9.9.9"), "an"), 1
        )
    assert shut
    assert OF_ALL < 2 * 60


def test_one_network_that_tries_name_after_name_is_stopped_and_uses_up_nobody_elses_tries(
    client: TestClient[Any],
) -> None:
    site = client.app.state.site
    with database_of(client).writing() as connection:
        shut = [
            signing._count(
                connection, f"n{n}", signing._counted(site, _from(client.app, "10.0.0.1"), f"n{n}"), 1
            )[1]
            for n in range(signing.OF_NETWORK + 1)
        ]
        assert shut == [False] * signing.OF_NETWORK + [True]
        for _ in range(2 * OF_ALL):
            signing._count(connection, "an", signing._counted(site, _from(client.app, "10.0.0.2"), "an"), 1)
        other = signing._counted(site, _from(client.app, "10.0.0.3"), "an")
        assert signing._count(connection, "an", other, 1)[1] is False


def test_tries_at_the_same_moment_are_counted_before_they_are_made(client: TestClient[Any]) -> None:
    with ThreadPoolExecutor(2 * OF_ONE) as many:
        statuses = list(
            many.map(lambda n: password(client, "an", f"guess {n}").status_code, range(2 * OF_ONE))
        )
    assert sorted(statuses) == [422] * OF_ONE + [429] * OF_ONE


def test_who_signs_in_rightly_uses_up_no_tries(client: TestClient[Any]) -> None:
    for _ in range(OF_ONE + 2):
        assert password(client, "an").status_code == 303
        leave(client)


def test_a_session_of_the_office_that_nobody_uses_is_over_and_an_officials_goes_on(
    client: TestClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(client)
    assert client.get("/office", follow_redirects=False).status_code == 200
    later = security.now() + 20 * 60_000
    monkeypatch.setattr("survey.web.security.now", lambda: later)
    monkeypatch.setattr("survey.storage.sessions.now", lambda: later)
    assert client.get("/office", follow_redirects=False).status_code == 200, "and it is noted that it is used"
    later += 20 * 60_000
    assert client.get("/office", follow_redirects=False).status_code == 200
    later += 31 * 60_000
    assert client.get("/office", follow_redirects=False).headers["location"] == "/office/sign-in"
    leave(client)
    password(client, "an")
    later += 31 * 60_000
    assert client.get("/field", follow_redirects=False).status_code == 200


def _from(app: Any, address: str) -> Any:
    from litestar.connection import Request

    scope = {
        "type": "http",
        "client": (address, 1),
        "litestar_app": app,
        "headers": [],
        "method": "POST",
        "path": "/",
        "query_string": b"",
    }
    return Request(scope)  # type: ignore[arg-type]


def test_an_administrator_gives_a_way_back_in_and_it_is_in_the_log(client: TestClient[Any]) -> None:
    enrol(client)
    leave(client)
    enrol(client, "quan")
    page = client.get("/office/accounts").text
    csrf = re.search(r'name="csrf" value="(\w+)"', page)
    assert csrf
    given = client.post("/office/accounts/tk/recover", data={"csrf": csrf[1]}).text
    fresh = re.search(r'class="figure">([\w-]+)<', given)
    assert fresh
    leave(client)
    assert password(client).status_code == 422, "the old password is gone"
    assert password(client, "tk", fresh[1]).headers["location"] == signing.ENROL, "and so is the old phone"
    with database_of(client).reading() as connection:
        last = [
            line for line in audit.of_subject(connection, "account:tk") if line.action == "recover account"
        ]
        assert [line.actor for line in last] == ["account:quan"]
        assert not list(audit.verify(connection))


def test_a_closed_account_is_out_at_once(client: TestClient[Any]) -> None:
    password(client, "an")
    an = dict(client.cookies)
    leave(client)
    enrol(client, "quan")
    csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/office/accounts").text)
    assert csrf
    client.post("/office/accounts/an/disable", data={"csrf": csrf[1]})
    assert client.post("/office/accounts/quan/disable", data={"csrf": csrf[1]}).status_code == 404
    leave(client)
    client.cookies.update(an)
    assert client.get("/field", follow_redirects=False).headers["location"] == "/field/sign-in"


def test_the_administrators_own_way_back_is_at_the_server(client: TestClient[Any]) -> None:
    enrol(client, "quan")
    fresh = recover_account(str(database_of(client).engine.url), "quan", QUIET)
    leave(client)
    assert password(client, "quan", fresh).headers["location"] == signing.ENROL
    with database_of(client).reading() as connection:
        factor = factors.find(connection, "quan")
        assert factor is not None
        assert factor.confirmed_at is None


def test_only_an_invented_survey_may_go_without(client: TestClient[Any], tmp_path: Path) -> None:
    database = database_of(client)
    settings = Settings(folder=FOLDER, database=str(database.engine.url), second_step=False)
    with TestClient(create_app(settings, database), base_url="http://127.0.0.1") as open_one:
        assert "mô phỏng" in open_one.get("/office/sign-in").text
        assert password(open_one).headers["location"] == "/office"
    with database.writing() as connection:
        folder = surveys.current(connection)
        assert folder is not None
        surveys.keep(connection, folder.questionnaire, folder.plan, "another", synthetic=False)
        accounts.find(connection, "tk")
    with pytest.raises(SecondStepNeeded):
        create_app(settings, database)


def test_over_https_a_browser_never_comes_back_in_plain(client: TestClient[Any]) -> None:
    database = database_of(client)
    settings = Settings(folder=FOLDER, database=str(database.engine.url), secure_cookies=True)
    with TestClient(create_app(settings, database), base_url="https://127.0.0.1") as over_https:
        assert "max-age" in over_https.get("/office/sign-in").headers["strict-transport-security"]
        assert "Secure" in password(over_https, "an").headers["set-cookie"]
    assert "strict-transport-security" not in client.get("/office/sign-in").headers
