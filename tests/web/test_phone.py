"""What an official's phone is given: its own open households and no more; the household's answers only by its own code."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from litestar.testing import TestClient

from survey.app import create_app
from survey.questionnaire.model import Page, Question
from survey.questionnaire.response import Event, fold
from survey.settings import Settings
from survey.storage import audit, cases, devices, responses, surveys
from survey.storage.database import Database
from tests.test_loading import FOLDER
from tests.web.phone import Phone, sign_in

MINE, OTHER = "HD-000001", "HD-000002"  # an's · binh's
JSON = {"accept": "application/json"}


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(Settings(folder=FOLDER, database=str(database.engine.url)), database)) as made:
        yield made


@pytest.fixture
def codes_of(tmp_path: Path, database: Database) -> dict[str, str]:
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as file:
        return {row["case"]: row["code"] for row in csv.DictReader(file)}


def on_the_web(client: TestClient[Any], code: str, pages: int = 3) -> None:
    """The household enters its code and sends the first pages."""
    page = client.post("/code", data={"code": code}, follow_redirects=True)
    for _ in range(pages):
        action = re.search(r'<form method="post" action="([^"]+)"', page.text)
        hidden = dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', page.text))
        boxes = dict(re.findall(r'type="checkbox"[^>]* name="([^"]+)" value="([^"]+)"', page.text))
        assert action
        page = client.post(action[1], data=hidden | boxes, follow_redirects=True)
    client.cookies.delete("household")


def listed(client: TestClient[Any], **headers: str) -> Any:
    return client.get("/field/list", headers=JSON | headers)


def test_the_list_holds_ones_own_households_and_of_finished_ones_only_that_they_are(
    client: TestClient[Any], database: Database
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    questionnaire = client.app.state.site.survey.questionnaire
    phone.send(*phone.interview(questionnaire, MINE, 0.5))
    told = listed(client).json()
    assert told["account"] == "an"
    assert {one["id"] for one in told["cases"]} == {f"HD-{n:06d}" for n in (1, 3, 5, 7, 9, 11)}
    (done,) = (one for one in told["cases"] if one["state"] == "complete")
    assert set(done) == {"id", "commune", "state", "hamlet"}, "no address, no answers"
    assert told["begun"] == []
    assert all(url.startswith("/booklet/") for url in told["booklets"].values())


def test_an_interview_begun_on_one_phone_can_be_ended_on_another(
    client: TestClient[Any], database: Database
) -> None:
    token = sign_in(client, "an")
    first, second = (Phone(client, "an", token=token) for _ in range(2))
    events = first.interview(client.app.state.site.survey.questionnaire, MINE, 0.5)
    first.send(*events[:9])
    (begun,) = listed(client).json()["begun"]
    assert (begun["case"], begun["response"], len(begun["events"])) == (MINE, events[0].response, 9)
    second.send(*events[9:])
    with database.reading() as connection:
        assert cases.existing(connection, MINE).state == "complete"


def test_what_was_tried_before_comes_back_to_the_phone_with_its_notes_and_without_free_text(
    client: TestClient[Any], database: Database
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    called = phone.attempt(MINE, "no_answer", mode="phone", codes=("evening", "dog"), note="chỉ để tìm đường")
    assert [one["state"] for one in phone.send(called, called)] == ["stored", "duplicate"]
    unknown = msgspec.json.encode(called).replace(b"evening", b"midnite").decode()
    (receipt,) = phone.post(f'{{"attempts":[{unknown}]}}'.encode()).json()["receipts"]
    assert (receipt["state"], receipt["reason"]) == ("quarantined", "unreadable")
    (one,) = (one for one in listed(client).json()["cases"] if one["id"] == MINE)
    assert one["tried"] == [
        {
            "id": called.id,
            "at": called.at,
            "outcome": "no_answer",
            "mode": "phone",
            "codes": ["evening", "dog"],
        }
    ]
    assert "tìm đường" not in str(one)


def test_a_phone_knows_what_the_sample_knows_of_a_household(
    client: TestClient[Any], database: Database
) -> None:
    sign_in(client, "an")
    assert all("known" not in one for one in listed(client).json()["cases"]), (
        "this questionnaire asks for nothing"
    )
    site = client.app.state.site
    area = Question(id="area", kind="preload", column="urban_rural", label={"vi": "Khu vực", "en": "Area"})
    first, *rest = site.survey.questionnaire.sections
    page = Page(id="where", title={"vi": "Nơi ở", "en": "Home"}, questions=(area,))
    sections = (msgspec.structs.replace(first, pages=(page, *first.pages)), *rest)
    newer = msgspec.structs.replace(site.survey.questionnaire, sections=sections)
    with database.writing() as connection:
        surveys.keep(connection, newer, site.survey.plan, "newer")
    site.survey = msgspec.structs.replace(site.survey, questionnaire=newer, version=newer.version)
    known = [one["known"] for one in listed(client).json()["cases"] if one["state"] != "complete"]
    assert known
    assert all(one["area"]["value"] in ("urban", "rural") for one in known)


def test_nobody_gets_a_list_without_signing_in(client: TestClient[Any]) -> None:
    assert (listed(client).status_code, listed(client).json()["error"]) == (401, "session")


def test_a_lost_phone_gets_nothing_but_the_word(client: TestClient[Any], database: Database) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    phone.send(phone.attempt(MINE))
    database.write_now(devices.revoke, phone.headers["survey-device"])
    answer = listed(client, **{"survey-device": phone.headers["survey-device"]})
    assert (answer.status_code, answer.json()) == (410, {"revoked": True})
    assert listed(client, **{"survey-device": "another"}).status_code == 200


def test_a_supervisor_reports_a_phone_lost_and_its_session_ends(
    client: TestClient[Any], database: Database
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    phone.send(phone.attempt(MINE), survey_unsent="7")
    held = client.cookies["account"]
    token = sign_in(client, "chi")
    page = client.get("/office/phones")
    assert ("an" in page.text, phone.headers["survey-device"] in page.text) == (True, False)
    address = re.search(r'action="(/office/phones/[^"]+)"', page.text)
    assert address
    assert "7" in page.text
    assert client.post("/office/phones/0000", data={"csrf": token}).status_code == 404
    assert "Đã báo mất" in client.post(address[1], data={"csrf": token}, follow_redirects=True).text
    client.cookies.set("account", held)
    assert listed(client).status_code == 401
    assert listed(client, **{"survey-device": phone.headers["survey-device"]}).status_code == 410


def test_two_phones_of_one_official_can_be_told_apart(client: TestClient[Any], database: Database) -> None:
    token = sign_in(client, "an")
    blue, old = Phone(client, "an", token=token), Phone(client, "an", token=token)
    chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
    samsung = "Mozilla/5.0 (Linux; Android 13; SM-A136B) AppleWebKit/537.36 SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
    called = {"survey_name": quote(" Xanh,\n của xã <b>"), "survey_model": "Redmi%2012"}
    blue.send(blue.attempt(MINE), user_agent=chrome, **called)
    blue.send(blue.attempt(MINE), user_agent=chrome)  # an older page of the app says no name: it is kept
    old.send(old.attempt(MINE), user_agent=samsung)
    sign_in(client, "chi")
    page = client.get("/office/phones").text
    assert "an, Xanh,  của xã &lt;b&gt;" in page
    assert "Android · Redmi 12 · Chrome" not in page, "the model is told each time"
    assert "Android · Chrome" in page
    assert "Android · SM-A136B · Samsung Internet" in page
    number = hashlib.sha256(old.headers["survey-device"].encode()).hexdigest()[:4].upper()
    assert f"an, mã máy {number}" in page
    assert page.count("dùng từ") == 2


def test_the_app_has_nobodys_data_and_says_that_it_is_the_app(client: TestClient[Any]) -> None:
    page = client.get("/field/app/vi")
    assert page.headers["survey-app"] == "1"
    assert "geolocation=(self)" in page.headers["permissions-policy"]
    assert MINE not in page.text
    assert client.get("/field/app/fr").status_code == 404
    manifest = client.get("/field/app.webmanifest").json()
    assert manifest["start_url"] == "/field/app/vi"
    for icon in manifest["icons"]:
        assert client.get(icon["src"]).content.startswith(b"\x89PNG")


def test_the_worker_keeps_everything_that_the_app_needs(client: TestClient[Any]) -> None:
    worker = client.get("/field/service-worker.js")
    kept = re.findall(r'"(/[^"]+)"', worker.text.splitlines()[0])
    page = client.get("/field/app/vi").text
    assert set(re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', page)) <= set(kept)
    for address in kept:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert "import " not in answer.text or not address.endswith(".js"), "one file holds all modules"


def test_an_official_goes_on_from_the_households_answers_with_its_code_only(
    client: TestClient[Any], database: Database, codes_of: dict[str, str]
) -> None:
    on_the_web(client, codes_of[MINE])
    token = sign_in(client, "an")

    def take(case: str, code: str) -> Any:
        return client.post(
            f"/field/cases/{case}/take-over", json={"code": code}, headers={**JSON, "x-csrf": token}
        )

    assert take(MINE, codes_of["HD-000003"]).status_code == 422
    assert take("HD-000003", codes_of["HD-000003"]).status_code == 422, "it has answered nothing"
    assert take(OTHER, codes_of[OTHER]).status_code == 404, "not assigned to this official"
    begun = take(MINE, codes_of[MINE]).json()
    with database.reading() as connection:
        web, door = responses.by_case(connection, MINE)
        own, copied = responses.events(connection, web.id), responses.events(connection, door.id)
        assert (web.mode, door.mode, door.id) == ("self", "visit", begun["response"])
        assert fold("", copied).done == fold("", own).done != frozenset()
        assert {event.mode for event in copied[1:]} == {"self"}, "who said what stays known"
        assert not {event.id for event in own} & {event.id for event in copied}
        assert "answers taken over with the code" in {
            line.action for line in audit.of_subject(connection, f"case:{MINE}")
        }


def test_a_code_that_an_official_issued_opens_no_answers_to_officials(
    client: TestClient[Any], database: Database, codes_of: dict[str, str]
) -> None:
    on_the_web(client, codes_of[MINE])
    token = sign_in(client, "an")
    page = client.post(f"/field/cases/{MINE}/code", data={"csrf": token})
    code = re.search(r'class="figure">([^<]+)<', page.text)
    assert code
    answer = client.post(
        f"/field/cases/{MINE}/take-over", json={"code": code[1]}, headers={**JSON, "x-csrf": token}
    )
    assert answer.status_code == 422


def test_an_interview_handed_to_the_household_goes_on_where_it_stopped(
    client: TestClient[Any], database: Database
) -> None:
    token = sign_in(client, "an")
    phone = Phone(client, "an", token=token)
    events = phone.interview(client.app.state.site.survey.questionnaire, MINE, 0.5)
    phone.send(*events[:12])
    client.post(f"/field/cases/{MINE}/code", data={"csrf": token})
    with database.reading() as connection:
        door, web = responses.by_case(connection, MINE)
        copied: list[Event] = responses.events(connection, web.id)
        assert (door.mode, web.mode) == ("visit", "self")
        assert fold("", copied).answers == fold("", events[:12]).answers
        assert list(responses.verify(connection)) == []
