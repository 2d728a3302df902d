"""An odd answer is shown to the supervisor without the answer, sent back to whoever asked, and comes back corrected."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar.testing import TestClient

from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.storage import audit, cases, responses, reviews
from survey.storage.database import Database
from survey.web.review import BASE
from tests.web.phone import PASSWORD, Phone, sign_in

MINE, OTHER = "HD-000001", "HD-000002"  # an's · binh's
ODD = "respondent_birth_year"


def office(client: TestClient[Any], name: str) -> str:
    page = client.post("/office/sign-in", data={"name": name, "password": PASSWORD}).text
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found
    return found[1]


def interviewed(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> tuple[Phone, list[Event]]:
    """An interview of an's in which the person drawn gives another year of birth than the list of members has."""
    phone = Phone(client, "an", token=sign_in(client, "an"))
    with database.reading() as connection:
        number = cases.existing(connection, MINE).unit.respondent_draw
    events = [
        msgspec.structs.replace(one, answers={**one.answers, key: Answer(1931)})
        if (key := next((k for k in one.answers if k.startswith(ODD)), "")) else one
        for one in phone.interview(questionnaire, MINE, number)
    ]  # fmt: skip
    assert {r["state"] for r in phone.send(*events)} == {"stored"}
    return phone, events


def listed(phone: Phone) -> Any:
    return phone.client.get("/field/list", headers=phone.headers).json()


def test_a_question_goes_back_to_the_phone_and_the_correction_comes_back(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    phone, events = interviewed(client, database, questionnaire)
    response = events[0].response
    asked = next(Key.parse(name) for one in events for name in one.answers if name.startswith(ODD))
    (before,) = [one for one in listed(phone)["cases"] if one["id"] == MINE]
    assert before["state"] == "complete"

    csrf = office(client, "chi")
    page = client.get(f"{BASE}?lang=en").text
    assert "once more to be sure" not in page
    assert "1931" not in page, "the supervisor sees no answer"
    found = re.search(rf'born\? \(person 2\)</strong>.*?{BASE}/(\w+)"', page, re.S)
    assert found, page
    refused = client.post(f"{BASE}/{found[1]}", data={"csrf": csrf, "act": "return", "comment": " "})
    assert refused.status_code == 422
    client.post(f"{BASE}/{found[1]}", data={"csrf": csrf, "act": "return", "comment": "Xin hỏi lại năm sinh"})
    assert "Xin hỏi lại năm sinh" in client.get(BASE).text

    phone = Phone(client, "an", token=sign_in(client, "an"))
    told = listed(phone)
    (case,) = [one for one in told["cases"] if one["id"] == MINE]
    assert (case["state"], case["comment"]) == ("returned", "Xin hỏi lại năm sinh")
    (again,) = told["begun"]
    assert str(asked) not in again["start"]["answers"], "asked anew, not read back"
    assert len(again["start"]["answers"]) < len(fold(response, events).answers)
    assert str(again["start"].get("submitted", False)) == "False"
    place = f"person@{asked.row}" if asked.row else "person"
    assert place not in again["hidden"]
    assert again["hidden"]

    page_id = next(one.page for one in events if str(asked) in one.answers)
    said = {
        name: answer for one in events if str(asked) in one.answers for name, answer in one.answers.items()
    }
    correction = [
        phone.event(response, "reopened"),
        phone.event(
            response, "answered", page=page_id, row=asked.row, answers={**said, str(asked): Answer(1980)}
        ),
        phone.event(response, "submitted"),
    ]
    assert {r["state"] for r in phone.send(*correction)} == {"stored"}
    told = listed(phone)
    assert [one["state"] for one in told["cases"] if one["id"] == MINE] == ["complete"]
    assert told["begun"] == []
    with database.reading() as connection:
        assert fold(response, responses.events(connection, response)).answers[asked].value == 1980
        assert reviews.returned(connection) == []
        assert not list(audit.verify(connection))
        deeds = [line.action for line in audit.of_subject(connection, f"case:{MINE}")]
    assert "question returned" in deeds
    office(client, "chi")
    assert found[1] not in client.get(BASE).text, "what was corrected is not looked at again"


def test_only_the_one_who_asked_gets_it_back_and_never_what_a_household_answered(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    interviewed(client, database, questionnaire)
    csrf = office(client, "chi")

    def send(case: str, question: str = "own_mobile", comment: str = "Hỏi lại") -> Any:
        return client.post(
            "/office/returns", data={"csrf": csrf, "case": case, "question": question, "comment": comment}
        )

    assert send(OTHER).status_code == 422, "nobody has interviewed there"
    assert send("HD-999999").text.replace("HD-999999", "") == send(OTHER).text.replace(OTHER, "")
    assert send(MINE, "nickname").status_code == 422, "the list was locked when the person was drawn"
    assert send(MINE).status_code == 200
    assert send(MINE).status_code == 422, "one at a time"
    with database.writing() as connection:
        cases.reassign(connection, MINE, "binh")
    phone = Phone(client, "binh", token=sign_in(client, "binh"))
    assert [one["state"] for one in listed(phone)["cases"] if one["id"] == MINE] == ["complete"]
    assert listed(phone)["begun"] == []
    with database.reading() as connection:
        assert len(reviews.returned(connection)) == 1


def test_what_is_plausible_is_accepted_and_gone(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    interviewed(client, database, questionnaire)
    csrf = office(client, "chi")
    waiting = set(re.findall(rf'{BASE}/(\w+)"', client.get(BASE).text))
    assert waiting
    for one in waiting:
        client.post(f"{BASE}/{one}", data={"csrf": csrf, "act": "accept", "comment": "đúng vậy"})
    assert not re.findall(rf'{BASE}/(\w+)"', client.get(BASE).text)
    with database.reading() as connection:
        assert reviews.waiting(connection, ("soft",)) == []
