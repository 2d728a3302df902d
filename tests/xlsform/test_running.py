"""Imported forms run: an interview with random answers that the checks accept comes to its end."""

from __future__ import annotations

import datetime
import random
from pathlib import Path

import msgspec
import pytest

from survey.questionnaire.checks import read_form
from survey.questionnaire.index import index
from survey.questionnaire.model import Question, Questionnaire
from survey.questionnaire.response import Response, place
from survey.questionnaire.routing import Step, next_step, walk
from survey.xlsform.importing import import_form
from tests.xlsform.others import SHARED, shared

FORMS = Path(__file__).parent / "forms"
TODAY = datetime.date(2026, 3, 1)
TEXTS = ("Bà Tư", "12", "0912345678", "03/2021", "A", "Ab")


def _interview(
    questionnaire: Questionnaire, seed: int, yes: frozenset[str] = frozenset()
) -> tuple[Response, int]:
    """A whole interview, and how many pages it took; `yes` are questions whose first option is chosen."""
    chance = random.Random(seed)
    response = Response(id=f"r{seed}", language=questionnaire.languages[0], today=TODAY.isoformat())
    pages = 0
    while (step := next_step(questionnaire, response)) is not None:
        pages += 1
        assert pages < 3000, f"the interview does not end: {step.page.id}"
        response = _answered(chance, questionnaire, response, step, yes)
    return response, pages


def _answered(
    chance: random.Random, questionnaire: Questionnaire, response: Response, step: Step, yes: frozenset[str]
) -> Response:
    done = response.done | {place(step.page.id, step.row)}
    if step.lists:
        own = [f"{step.row}.{n}" if step.row else f"r{n}" for n in range(1, chance.randint(2, 5))]
        rows = (*response.rows.get(step.page.roster or "", ()), *own)
        return msgspec.structs.replace(
            response, rows={**response.rows, step.page.roster or "": rows}, done=done
        )
    trial = response  # with what was chosen on this page, which may decide the options of the next question
    for _ in range(400):
        form = {
            question.id: _said(chance, questionnaire, trial, step, question, yes)
            for question in step.page.questions  # also those that an answer on this page opens
        }
        read = read_form(questionnaire, response, step, form)
        if read.accepted:
            return msgspec.structs.replace(response, answers={**response.answers, **read.answers}, done=done)
        trial = msgspec.structs.replace(response, answers={**response.answers, **read.answers})
    raise AssertionError(f"no answer is accepted on {step.page.id}: {read.findings}")


def _said(
    chance: random.Random,
    questionnaire: Questionnaire,
    response: Response,
    step: Step,
    question: Question,
    yes: frozenset[str],
) -> list[str]:
    match question.kind:
        case "select_one" | "select_many":
            offered = [one.code for one in walk(questionnaire, response).choices(question, step.row)]
            if question.id in yes:
                return offered[:1]
            return chance.sample(
                offered, min(len(offered), 1 if question.kind == "select_one" else chance.randint(1, 3))
            )
        case "integer" | "decimal":
            return [str(chance.choice((0, 1, 2, 3, 30, 45, 2010, chance.randint(0, 100))))]
        case "date":
            return [
                (TODAY - datetime.timedelta(days=chance.choice((0, 0, chance.randint(0, 30000))))).isoformat()
            ]
        case "acknowledge":
            return ["1"]
        case "location":
            return ["20.94 106.33"]
        case _:
            return [chance.choice(TEXTS)]


@pytest.mark.parametrize("seed", range(3))
def test_a_household_interview_comes_to_its_end(seed: int) -> None:
    questionnaire, _ = import_form(FORMS / "household.md")
    assert questionnaire is not None

    response, pages = _interview(questionnaire, seed, frozenset({"consent"}))
    assert pages > 10
    assert {key.question for key in response.answers} >= {"who", "age", "commune"}


@shared
def test_the_form_of_400_rows_runs_to_its_end() -> None:
    questionnaire, _ = import_form(SHARED / "unhcr_rms" / "RMS_CAPI_v3.xlsx")
    assert questionnaire is not None
    assert index(questionnaire)

    response, pages = _interview(questionnaire, 7, frozenset({"Intro03", "Intro04"}))
    assert pages > 80
    assert len({key.question for key in response.answers}) > 80
