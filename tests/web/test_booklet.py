"""All pages of a questionnaire travel to the phone as one small document."""

from __future__ import annotations

import gzip
import re
from typing import Any

import brotli
import msgspec
import pytest
from litestar.testing import TestClient

from survey.app import create_app
from survey.questionnaire.model import Question, Questionnaire
from survey.settings import Settings
from survey.web.booklet import booklet
from tests.test_loading import FOLDER
from tests.web.phone import settle

SILENT = ("note", "calculate", "preload")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    url = settle(tmp_path_factory.mktemp("booklet"))
    with TestClient(create_app(Settings(folder=FOLDER, database=url)), base_url="http://127.0.0.1") as made:
        yield made


def asked(questionnaire: Questionnaire) -> list[Question]:
    every = (one for section in questionnaire.sections for page in section.pages for one in page.questions)
    return [one for one in every if one.kind not in SILENT]


def of_sixty(questionnaire: Questionnaire) -> Questionnaire:
    """The questionnaire with sixty questions: some come once more with every text written backwards, so
    that nothing is small for being said twice."""
    missing = 60 - len(asked(questionnaire))
    taken: list[Question] = []
    for question in reversed(asked(questionnaire)):
        if len(taken) < missing and question.kind in ("select_one", "select_many") and question.label:
            taken.append(question)

    def other(value: object) -> object:
        if isinstance(value, dict) and set(value) == {"vi", "en"}:
            return {code: str(text)[::-1] for code, text in value.items()}
        if isinstance(value, dict):
            return {key: other(inner) for key, inner in value.items()}
        return [other(inner) for inner in value] if isinstance(value, list | tuple) else value

    plain: Any = msgspec.to_builtins(questionnaire)
    further: list[Any] = []
    for number, question in enumerate(taken):
        copy: Any = other(msgspec.to_builtins(question))
        copy |= {
            "id": f"{question.id}_{number}",
            "when": None,
            "filter": None,
            "checks": [],
            "for_official": {},
        }
        further.append({"id": f"further_{number}", "questions": [copy]})
    last = plain["sections"][-1]
    last["pages"] = [*last["pages"], *further]
    return msgspec.convert(plain, Questionnaire)


def test_a_questionnaire_of_sixty_questions_is_one_document_of_at_most_14_kb(client: TestClient[Any]) -> None:
    site = client.app.state.site
    questionnaire = of_sixty(site.survey.questionnaire)
    assert len(asked(questionnaire)) == 60
    for language in ("vi", "en"):
        made = booklet(site, questionnaire, "sixty", language, "self")
        assert made.content.count(b'<template id="p-further_') >= 5
        assert len(made.packed.by("br")) <= 14 * 1024


def test_it_is_sent_as_each_browser_can_read_it(client: TestClient[Any]) -> None:
    site = client.app.state.site
    made = booklet(site, site.survey.questionnaire, site.survey.version, "vi", "self")
    for wanted, unpack in (
        ("gzip, deflate, br", brotli.decompress),
        ("gzip", gzip.decompress),
        ("identity", bytes),
    ):
        with client.stream("GET", made.url, headers={"accept-encoding": wanted}) as answer:
            assert answer.headers["vary"] == "accept-encoding"
            assert "immutable" in answer.headers["cache-control"]
            assert unpack(b"".join(answer.iter_raw())) == made.content
    assert re.search(rb'<template id="p-members_list">', made.content)
