"""What rests on consent is asked of whoever answers, at home and where an official asks, and what was said can be proved."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from litestar.testing import TestClient

from survey.fieldwork.plan import Purpose
from survey.storage import audit, cases, rights
from survey.storage.database import Database
from survey.web.agreed import agreed
from tests.web.phone import Phone, sign_in
from tests.web.test_mydata import come_in, send

CASE = "HD-000001"
CONTACT = Purpose(
    id="contact", text={"vi": "Gọi lại để hỏi thêm.", "en": "To call again."}, basis="consent", optional=True,
    question="answered_by", agrees="self",
)  # fmt: skip


def mixed(client: TestClient[Any]) -> None:
    """The survey by law, and one purpose of it by consent."""
    site = client.app.state.site
    plan = site.survey.plan
    legal = msgspec.structs.replace(plan.legal, purposes=(*plan.legal.purposes, CONTACT))
    site.survey = msgspec.structs.replace(site.survey, plan=msgspec.structs.replace(plan, legal=legal))


def test_of_a_survey_by_law_only_what_rests_on_consent_is_asked_and_a_no_ends_nothing(
    client: TestClient[Any], database: Database, tmp_path: Path
) -> None:
    mixed(client)
    client.app.state.codes = tmp_path / "codes.csv"
    case = come_in(client)
    page = client.get("/survey").text
    assert "Gọi lại để hỏi thêm." in page
    assert page.count("<legend>") == 1, "what the law allows is told, not asked"
    assert "Điều 19.1(c)" in page
    send(client, "/survey/consent", contact="no")
    assert client.get("/survey", follow_redirects=False).headers["location"] != "/survey/consent"
    mine = client.get("/survey/my-data").text
    assert 'href="/survey/consent"' in mine
    assert 'value="withdraw"' not in mine, "nothing the answers rest on was agreed to"
    send(client, "/survey/consent", contact="yes")
    with database.reading() as connection:
        assert rights.consents_of(connection, case)["contact"].given is True
        deeds = [line.action for line in audit.of_subject(connection, f"case:{case}")]
    assert [deed for deed in deeds if "contact" in deed] == [
        "consent refused: contact",
        "consent given: contact",
    ]


def test_what_an_official_was_told_is_a_record_with_the_words_it_stands_for(
    client: TestClient[Any], database: Database
) -> None:
    mixed(client)
    phone = Phone(client, "an", token=sign_in(client, "an"))
    questionnaire = client.app.state.site.survey.questionnaire
    with database.reading() as connection:
        draw = cases.existing(connection, CASE).unit.respondent_draw
    told = phone.send(*phone.interview(questionnaire, CASE, draw))
    assert {one["state"] for one in told} == {"stored"}
    with database.reading() as connection:
        kept = rights.consents_of(connection, CASE)["contact"]
        traces = [line for line in audit.of_subject(connection, f"case:{CASE}") if "contact" in line.action]
    assert (kept.given, kept.mode, kept.language) == (True, "visit", "vi")
    assert kept.text_hash == hashlib.sha256(CONTACT.text["vi"].encode()).hexdigest()
    assert [(line.actor, line.action) for line in traces] == [("interview:visit", "consent given: contact")]


def test_a_question_that_was_not_asked_is_no_consent_and_no_refusal(client: TestClient[Any]) -> None:
    mixed(client)
    legal = client.app.state.site.survey.plan.legal
    phone = Phone(client, "an")
    opened = phone.event("r", "opened", case=CASE, version="v", language="vi", today="2026-11-20")
    assert agreed(legal, CASE, "r", [opened, phone.event("r", "submitted")], 1) == []
