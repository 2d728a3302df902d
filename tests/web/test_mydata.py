"""A household sees its own data, takes it along and asks for what the law gives it, with the law's days; where the survey
rests on consent, nothing is asked before every purpose was answered by itself."""

from __future__ import annotations

import csv
import datetime
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from survey.access.rights import clock
from survey.app import create_app
from survey.settings import Settings
from survey.storage import audit, rights
from survey.web import words
from survey.web.words import long_date
from tests.test_loading import FOLDER
from tests.web.phone import settle


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient[Any]]:
    url = settle(tmp_path)
    with TestClient(create_app(Settings(folder=FOLDER, database=url)), base_url="http://127.0.0.1") as client:
        client.app.state.codes = tmp_path / "codes.csv"
        yield client


def come_in(client: TestClient[Any]) -> str:
    """The first household opens its questionnaire; gives back its case."""
    with client.app.state.codes.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert client.post("/code", data={"code": first["code"]}).status_code == 200
    return str(first["case"])


def send(client: TestClient[Any], address: str, **fields: str) -> Any:
    page = client.get(address).text
    hidden = dict(re.findall(r'name="(csrf|form|row)" value="([^"]*)"', page))
    return client.post(address, data={**hidden, **fields})


def by_consent(client: TestClient[Any]) -> None:
    """The same survey, resting on consent to two purposes, one of them optional."""
    site = client.app.state.site
    plan = site.survey.plan
    (statistics,) = plan.legal.purposes
    again = msgspec.structs.replace(
        statistics, id="again", optional=True, text={"vi": "Liên hệ lại.", "en": "To come back."}
    )
    legal = msgspec.structs.replace(plan.legal, basis="consent", purposes=(statistics, again))
    site.survey = msgspec.structs.replace(site.survey, plan=msgspec.structs.replace(plan, legal=legal))


def test_the_days_of_the_decree() -> None:
    friday = datetime.date(2027, 10, 1)
    assert clock("delete", friday).reply == datetime.date(2027, 10, 5)  # Saturday and Sunday do not count
    assert clock("delete", friday).done == datetime.date(2027, 10, 21)
    assert clock("restrict", friday).done == datetime.date(2027, 10, 16)


def test_a_household_sees_and_takes_along_what_it_said(client: TestClient[Any]) -> None:
    case = come_in(client)
    send(client, "/survey/p/notice")
    send(
        client, "/survey/p/members_list/add",
        nickname="Bà Tư", sex="female", birth_year="1958", relationship="head",
    )  # fmt: skip
    shown = client.get("/survey/my-data").text
    assert "Bà Tư" in shown
    assert "1958" in shown
    taken = client.get("/survey/my-data/answers.json")
    assert "attachment" in taken.headers["content-disposition"]
    answers = taken.json()["answers"]
    assert taken.json()["case"] == case
    assert {"value": 1958} in answers.values()
    read = client.get("/survey/my-data/answers.txt")
    assert "attachment" in read.headers["content-disposition"]
    assert "Gọi người này là gì cho dễ nhớ?\r\n    Bà Tư\r\n" in read.text
    assert "Không hỏi" not in read.text


def test_a_request_shows_its_days_and_is_kept_once(client: TestClient[Any]) -> None:
    case = come_in(client)
    assert send(client, "/survey/my-data").status_code == 422
    page = client.get("/survey/my-data").text
    hidden = dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', page))
    for _ in range(2):  # a double click
        shown = client.post("/survey/my-data", data={**hidden, "kind": "delete"})
    today = (
        datetime.datetime.now(datetime.UTC).astimezone(datetime.timezone(datetime.timedelta(hours=7))).date()
    )
    until = clock("delete", today)
    for day in (today, until.reply, until.done):
        assert long_date("vi", day.isoformat()) in shown.text
    with client.app.state.site.database.reading() as connection:
        (kept,) = rights.requests_of(connection, case)
        deeds = [line.action for line in audit.of_subject(connection, f"case:{case}")]
    assert (kept.kind, kept.done_at) == ("delete", 0)
    assert "rights: delete" in deeds
    assert 'value="withdraw"' not in page  # there is no consent to withdraw from a task by law


def test_nothing_is_asked_before_each_purpose_was_answered(client: TestClient[Any]) -> None:
    by_consent(client)
    case = come_in(client)
    page = client.get("/survey")
    assert page.url.path == "/survey/consent"
    assert "checked" not in page.text
    assert client.get("/survey/p/notice").url.path == "/survey/consent"
    half = send(client, "/survey/consent", statistics="yes")
    assert half.status_code == 422
    assert words.word("vi", "consent.needed") in half.text
    (kept,) = re.findall(r"<input[^>]* checked>", half.text)
    assert (
        'name="statistics" value="yes"' in kept
    )  # what was said is not asked twice, and nothing else is ticked
    done = send(client, "/survey/consent", statistics="yes", again="no")
    assert done.url.path == "/survey/p/notice"
    with client.app.state.site.database.reading() as connection:
        given = rights.consents_of(connection, case)
    assert {purpose: one.given for purpose, one in given.items()} == {"statistics": True, "again": False}
    assert given["again"].text_hash == hashlib.sha256("Liên hệ lại.".encode()).hexdigest()


def test_who_does_not_agree_is_asked_nothing(client: TestClient[Any]) -> None:
    by_consent(client)
    come_in(client)
    refused = send(client, "/survey/consent", statistics="no", again="no")
    assert refused.url.path == "/survey/consent"
    assert words.word("vi", "consent.refused") in refused.text
    assert client.get("/survey/p/notice").url.path == "/survey/consent"
    assert send(client, "/survey/consent", statistics="yes", again="no").url.path == "/survey/p/notice"
