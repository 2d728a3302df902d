"""What waited apart is put into responses by a supervisor who knows why, or left out with a reason; nothing is lost."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, fold
from survey.storage import audit, cases, devices, erasure, quarantine, responses
from survey.storage.database import Database
from survey.web.quarantined import BASE
from tests.web.phone import Phone, sign_in
from tests.web.test_review import MINE, office


@pytest.fixture
def phone(client: TestClient[Any]) -> Phone:
    return Phone(client, "an", token=sign_in(client, "an"))


def interview(client: TestClient[Any], database: Database, phone: Phone) -> list[Event]:
    survey: Questionnaire = client.app.state.site.survey.questionnaire
    with database.reading() as connection:
        return phone.interview(survey, MINE, cases.existing(connection, MINE).unit.respondent_draw)


def decide(client: TestClient[Any], act: str, reason: str = "đã gọi điện hỏi cán bộ") -> list[Any]:
    """Every group that waits, decided one after the other; returns what was answered."""
    csrf = office(client, "chi")
    return [
        client.post(f"{BASE}/{one}", data={"csrf": csrf, "act": act, "decision": reason})
        for one in dict.fromkeys(re.findall(rf'{BASE}/(\w+)"', client.get(BASE).text))
    ]


@pytest.mark.parametrize("why", ["a lost phone", "handed over", "the clock"])
def test_a_whole_interview_that_waited_becomes_part_of_the_case(
    client: TestClient[Any], database: Database, phone: Phone, why: str
) -> None:
    events = interview(client, database, phone)
    items: list[Any] = [phone.attempt(MINE, "interviewed"), *events]
    if why == "a lost phone":
        phone.send(phone.attempt("HD-000003"))
        database.write_now(devices.revoke, phone.headers["survey-device"])
    elif why == "handed over":
        with database.writing() as connection:
            cases.reassign(connection, MINE, "binh")
    else:
        items = [msgspec.structs.replace(one, at=one.at - 10**12) for one in items]
    assert {receipt["state"] for receipt in phone.send(*items)} == {"quarantined"}
    with database.reading() as connection:
        assert cases.existing(connection, MINE).state == "waiting"
    answers = decide(client, "accept")
    assert len(answers) == 2, "the interview, and the visit"
    assert {one.status_code for one in answers} == {200}
    with database.reading() as connection:
        case = cases.existing(connection, MINE)
        assert (case.state, case.response) == ("complete", events[0].response)
        assert case.attempts == 1
        assert quarantine.waiting(connection) == []
        assert list(responses.verify(connection)) == []
        assert [
            line.actor for line in audit.of_subject(connection, f"case:{MINE}") if "taken in" in line.action
        ] == ["account:chi"] * 2
    again = Phone(client, "an", token=sign_in(client, "an")).send(*items[1:])
    assert {one["state"] for one in again} == {"duplicate"}


def test_an_answer_that_came_after_submission_is_taken_in_and_the_interview_is_submitted_again(
    client: TestClient[Any], database: Database, phone: Phone
) -> None:
    events = interview(client, database, phone)
    phone.send(*events)
    answered = next(one for one in events if any(key.startswith("own_mobile") for key in one.answers))
    key = next(key for key in answered.answers if key.startswith("own_mobile"))
    late = phone.event(events[0].response, "answered", page=answered.page, row=answered.row,
                       answers={**answered.answers, key: Answer(missing="dont_know")})  # fmt: skip
    assert phone.send(late)[0]["reason"] == "after_submission"
    (answer,) = decide(client, "accept")
    assert answer.status_code == 200
    with database.reading() as connection:
        kept = responses.events(connection, events[0].response)
        assert [one.kind for one in kept[-3:]] == ["reopened", "answered", "submitted"]
        assert fold(events[0].response, kept).submitted
        assert quarantine.waiting(connection) == []


def test_what_would_leave_questions_open_is_not_half_taken_in(
    client: TestClient[Any], database: Database, phone: Phone
) -> None:
    events = interview(client, database, phone)
    phone.send(*events)
    phone.send(phone.event(events[0].response, "row_added", roster="members", row="p9"))
    (answer,) = decide(client, "accept")
    assert answer.status_code == 422
    assert "chưa hỏi" in answer.text
    with database.reading() as connection:
        assert responses.events(connection, events[0].response) == events
        assert len(quarantine.waiting(connection)) == 1


def test_what_nobody_can_vouch_for_stays_and_the_page_says_why(
    client: TestClient[Any], database: Database, phone: Phone
) -> None:
    events = interview(client, database, phone)
    place = next(n for n, one in enumerate(events) if one.kind == "drawn")
    wrong = msgspec.structs.replace(events[place], row="p1" if events[place].row == "p0" else "p0")
    phone.send(*events[:place], wrong)
    (answer,) = decide(client, "accept")
    assert answer.status_code == 422
    assert "cách chọn ngẫu nhiên" in answer.text
    with database.reading() as connection:
        assert [one.reason for one in quarantine.waiting(connection)] == ["draw"]
        assert not fold(wrong.response, responses.events(connection, wrong.response)).drawn


def test_what_is_left_out_stays_kept_with_the_reason(
    client: TestClient[Any], database: Database, phone: Phone
) -> None:
    elsewhere = phone.attempt("HD-000002", "refused")
    phone.send(elsewhere)
    assert [one.status_code for one in decide(client, "discard", " ")] == [422], "a reason is needed"
    assert [one.status_code for one in decide(client, "discard", "ghi nhầm hộ")] == [200]
    with database.reading() as connection:
        assert quarantine.waiting(connection) == []
        assert cases.existing(connection, "HD-000002").attempts == 0
        assert "quarantine left out" in {one.action for one in audit.of_subject(connection, "case:HD-000002")}
    again = Phone(client, "an", token=sign_in(client, "an")).send(elsewhere)
    assert again[0]["state"] == "quarantined", "sent again it is the same item, not another"
    with database.reading() as connection:
        assert quarantine.waiting(connection) == []


def test_nobody_takes_in_what_belongs_to_a_household_that_had_its_answers_deleted(
    client: TestClient[Any], database: Database, phone: Phone
) -> None:
    events = interview(client, database, phone)
    with database.writing() as connection:
        erasure.erase(connection, MINE, "hộ yêu cầu", "quanly")
    phone.send(*events)
    answers = decide(client, "accept")
    assert {one.status_code for one in answers} == {422}
    assert "rút lại câu trả lời" in answers[0].text
    with database.reading() as connection:
        assert responses.by_case(connection, MINE) == []
