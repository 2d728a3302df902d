"""Two answers of one household stand side by side until a manager decides, and the household's own never give way unasked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient

from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.storage import accounts, audit, cases, responses
from survey.storage.database import Database
from survey.web.conflicts import BASE
from tests.web.phone import PASSWORD, Phone, settle, sign_in
from tests.web.test_review import MINE, office


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(settle(tmp_path)) as opened:
        with opened.writing() as connection:
            password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
            accounts.create(connection, "quanly", "manager", password)
        yield opened


def said(events: list[Event], question: str, value: Any, mode: str) -> list[Event]:
    """The same interview with another answer to one question, in another mode."""
    return [
        msgspec.structs.replace(
            one,
            mode=mode,
            answers={
                k: Answer(value) if Key.parse(k).question == question else a for k, a in one.answers.items()
            },
        )
        for one in events
    ]


def interview(database: Database, phone: Phone, questionnaire: Questionnaire) -> list[Event]:
    with database.reading() as connection:
        number = cases.existing(connection, MINE).unit.respondent_draw
    return phone.interview(questionnaire, MINE, number)


def both(database: Database, client: TestClient[Any], questionnaire: Questionnaire) -> tuple[str, str]:
    """The household answers on the web, and an asks at the door: another answer to one question."""
    web = interview(database, Phone(client, f"household:{MINE}"), questionnaire)
    with database.writing() as connection:
        responses.open(connection, web[0].response, MINE, questionnaire.version, "self")
        responses.append(connection, said(web, "-", None, "self"))
    phone = Phone(client, "an", token=sign_in(client, "an"))
    door = said(interview(database, phone, questionnaire), "respondent_birth_year", 1990, "visit")
    assert {r["state"] for r in phone.send(*door)} == {"stored"}
    return web[0].response, door[0].response


def test_web_and_visit_stand_side_by_side_and_the_household_gives_way_only_when_asked(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    web, door = both(database, client, questionnaire)
    with database.reading() as connection:
        assert cases.existing(connection, MINE).response == web, "the first complete one counts"
    csrf = office(client, "chi")
    assert client.get(BASE).url.path == "/office/sign-in", "nobody at commune level sees answers"
    csrf = office(client, "quanly")
    found = re.search(rf'href="{BASE}/(\w+)"', client.get(BASE).text)
    assert found
    page = client.get(f"{BASE}/{found[1]}?lang=en").text
    assert "Answered by the household" in page
    assert re.search(r"1980</td>\s*<td[^>]*>1990", page)
    assert "contradict</span>" in page
    assert "Bà Tư" not in page, "no names"

    def decide(**fields: str) -> Any:
        return client.post(f"{BASE}/{found[1]}", data={"csrf": csrf, **fields})

    assert decide(chosen=door).status_code == 422, "a reason is needed"
    assert decide(chosen=door, reason="hỏi kỹ hơn").status_code == 422, "the household is asked first"
    with database.reading() as connection:
        assert cases.existing(connection, MINE).response == web
    assert decide(chosen=door, reason="hỏi kỹ hơn", asked="1").status_code == 200
    with database.reading() as connection:
        case = cases.existing(connection, MINE)
        assert (case.state, case.response) == ("complete", door)
        assert len(responses.by_case(connection, MINE)) == 2, "nothing is deleted"
        deeds = {line.action: line for line in audit.of_subject(connection, f"case:{MINE}")}
        assert deeds["contradiction decided"].details == {"counts": door, "household_asked": True}
        assert deeds["look at contradiction"].actor == "account:quanly"
        assert not list(audit.verify(connection))
    assert f"{BASE}/{found[1]}" not in client.get(BASE).text


def test_of_two_phones_the_answer_that_arrived_last_waits_for_a_person(
    client: TestClient[Any], database: Database, questionnaire: Questionnaire
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    events = interview(database, phone, questionnaire)
    place, asked = next(
        (place, key)
        for place, one in enumerate(events)
        for key in one.answers
        if key.startswith("respondent_birth")
    )
    answered = events[place]
    late = msgspec.structs.replace(answered, id=f"{answered.id[:-1]}z", at=answered.at - 60_000,
                                   answers={**answered.answers, asked: Answer(1975)})  # fmt: skip
    phone.send(*events[: place + 1], late, *events[place + 1 :])  # the other phone was heard later
    response = events[0].response
    csrf = office(client, "quanly")
    found = re.search(rf'href="{BASE}/(\w+)"', client.get(BASE).text)
    assert found
    page = client.get(f"{BASE}/{found[1]}").text
    assert re.search(r"1980</td>\s*<td[^>]*>1975", page)
    client.post(f"{BASE}/{found[1]}", data={"csrf": csrf, "chosen": "later", "reason": "máy kia ghi trước"})
    with database.reading() as connection:
        kept = fold(response, responses.events(connection, response))
        assert kept.answers[Key.parse(asked)].value == 1980
        assert kept.submitted
        assert list(responses.verify(connection)) == []
    assert client.get(BASE).text.count(f"{BASE}/") == 0
