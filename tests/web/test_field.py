"""An official's pages: paper and telephone are keyed in by the pages of the visit, and what was sent cannot be read again."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest
from litestar.testing import TestClient

from survey.questionnaire.codebook import variables
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Key, fold
from survey.storage import cases, responses
from survey.storage.database import Database
from survey.web.forms import TIME_ZONE, today
from tests.web.phone import Phone, sign_in
from tests.web.test_review import MINE, interviewed, office

CASE = f"/field/cases/{MINE}"


@pytest.mark.parametrize(("mode", "days_ago"), [("visit", 0), ("phone", 0), ("paper", 3)])
def test_how_an_interview_came_about_is_recorded_with_it(
    client: TestClient[Any], database: Database, mode: str, days_ago: int
) -> None:
    token = sign_in(client, "an")
    day = today() - datetime.timedelta(days=days_ago)
    form = {"csrf": token, "mode": mode, "day": day.isoformat()}
    if days_ago:  # visits open later than this test runs: nobody can have been asked yet
        assert client.post(f"{CASE}/interview", data=form).status_code == 422
        form["day"] = today().isoformat()
    page = client.post(f"{CASE}/interview", data=form)
    assert page.status_code == 200
    assert "/interview/p/" in str(page.url)
    posted = re.search(r'action="([^"]+)"', page.text)
    form_id = re.search(r'name="form" value="([^"]+)"', page.text)
    assert posted
    assert form_id
    client.post(posted[1], data={"csrf": token, "form": form_id[1]})
    with database.reading() as connection:
        (record,) = responses.by_case(connection, MINE)
        (attempt,) = cases.attempts_of(connection, MINE)
        events = responses.events(connection, record.id)
    assert {record.mode, attempt.mode, *(event.mode for event in events)} == {mode}
    assert len(events) == 2, "the page was kept"
    assert fold(record.id, events).today == today().isoformat()
    assert client.post(f"{CASE}/interview", data=form).status_code == 200, "and it goes on where it stopped"
    with database.reading() as connection:
        assert len(responses.by_case(connection, MINE)) == 1


@pytest.mark.parametrize(
    "form", [{"mode": "paper"}, {"mode": "paper", "day": "2999-01-01"}, {"mode": "self"}]
)
def test_a_paper_form_without_its_day_is_asked_for_it(
    client: TestClient[Any], database: Database, form: dict[str, str]
) -> None:
    token = sign_in(client, "an")
    page = client.post(f"{CASE}/interview", data={"csrf": token, **form})
    assert page.status_code == 422
    assert 'href="#day"' in page.text
    with database.reading() as connection:
        assert responses.by_case(connection, MINE) == []


def test_an_attempt_says_how_when_and_what_to_remember_and_twice_is_once(
    client: TestClient[Any], database: Database
) -> None:
    token = sign_in(client, "an")
    page = client.get(CASE).text
    form = {"csrf": token, "form": re.findall(r'name="form" value="([^"]+)"', page)[-1], "outcome": "no_answer",
            "how": "phone", "codes": ["evening", "away_long", "nonsense"], "when": today().isoformat() + "T00:00"}  # fmt: skip
    for _ in range(2):
        kept = client.post(f"{CASE}/attempts", data=form)
        assert kept.status_code == 200
    assert "Nên đến buổi tối" in kept.text
    assert "Phỏng vấn qua điện thoại" in kept.text
    with database.reading() as connection:
        (attempt,) = cases.attempts_of(connection, MINE)
        assert cases.existing(connection, MINE).state == "visited"
    assert (attempt.mode, attempt.outcome, attempt.codes) == ("phone", "no_answer", ("evening", "away_long"))
    assert datetime.datetime.fromtimestamp(attempt.at / 1000, TIME_ZONE).strftime("%H:%M") == "00:00"
    office(client, "chi")
    seen = client.get(f"/office/outcome/{MINE}").text
    assert "2.20" in seen
    assert "Nên đến buổi tối" in seen


@pytest.mark.parametrize("when", ["2999-01-01T10:00", "2001-01-01T10:00", "nonsense"])
def test_an_attempt_at_an_impossible_time_is_asked_again(
    client: TestClient[Any], database: Database, when: str
) -> None:
    token = sign_in(client, "an")
    page = client.post(f"{CASE}/attempts", data={"csrf": token, "outcome": "refused", "when": when})
    assert page.status_code == 422
    assert 'href="#when"' in page.text
    with database.reading() as connection:
        assert cases.attempts_of(connection, MINE) == []


SECRET = "Lời không ai ở xã được đọc"


def test_what_was_sent_cannot_be_read_at_commune_level_by_any_address(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    """A text that stands in the submitted answers alone is looked for in all that an official and a supervisor can get."""
    _, events = interviewed(client, database, questionnaire)
    free = next(one.name for one in variables(questionnaire) if one.free)
    with database.writing() as connection:
        key = str(Key(free, "p0"))
        more = [
            Phone(client, "an").event(events[0].response, "reopened"),
            Phone(client, "an").event(events[0].response, "answered", answers={key: Answer(SECRET)}),
            Phone(client, "an").event(events[0].response, "submitted"),
        ]
        responses.append(connection, more)
    looked = 0
    for name, begin in (("an", sign_in), ("chi", office)):
        token = begin(client, name)
        for path in sorted({route.path for route in client.app.routes if "GET" in route.methods}):
            if not path.startswith(("/field", "/office")):
                continue
            address = re.sub(r"\{case_id:str\}", MINE, path)
            address = re.sub(r"\{page:str\}", "members_list", address)
            address = re.sub(r"\{row:str\}", "p0", address)
            address = re.sub(r"\{\w+:\w+\}", "vi", address)
            answer = client.get(address, headers={"x-csrf": token})
            looked += answer.status_code == 200
            assert SECRET not in answer.text, address
            assert "1931" not in re.sub(r"[0-9a-f]{12,}", "", answer.text), f"the year of birth at {address}"
        taken = client.post(f"{CASE}/take-over", headers={"x-csrf": token, "content-type": "application/json"},
                            content=b'{"code":"x"}')  # fmt: skip
        assert SECRET not in taken.text
    assert looked > 20
    page = client.get(f"{CASE}/interview/p/members_list")
    assert page.status_code == 404
