"""One page is asked again without the answers that nobody needs for it, and odd answers are found as the page found them."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.folder import Folder
from survey.questionnaire.again import asked_again, odd, step_of
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import complete, path
from tests.web.phone import Phone

FOLDER = Path(__file__).parents[2] / "questionnaires" / "haiduong-digital-society"


@pytest.fixture(scope="module")
def questionnaire() -> Questionnaire:
    return Folder.read(FOLDER).questionnaire


@pytest.fixture(scope="module")
def response(questionnaire: Questionnaire) -> Response:
    """A whole interview, everywhere the first option, every year 1980: two heads of household on the list."""
    phone = Phone(None, "an")  # type: ignore[arg-type]  # it makes events and sends nothing
    return fold("r", phone.interview(questionnaire, "HD-1", 0.5, "r"))


def test_odd_answers_are_those_that_a_soft_check_asked_about(
    questionnaire: Questionnaire, response: Response
) -> None:
    found = odd(questionnaire, response)
    assert {(one.key.question, one.explained) for one in found} == {("relationship", False)}
    assert {one.key.row for one in found} == {"p0", "p1"}


def test_a_page_is_asked_again_blank_and_the_rest_stays_shut(
    questionnaire: Questionnaire, response: Response
) -> None:
    key = next(key for key in response.answers if key.question == "own_mobile")
    step = step_of(questionnaire, response, key)
    assert step is not None
    start, shut = asked_again(questionnaire, response, step)
    assert key not in start.answers
    assert not start.submitted
    assert len(shut) == len(path(questionnaire, response)) - 1
    assert start.answers.keys() < response.answers.keys(), (
        "what no condition and no text names is not handed out"
    )
    assert all(start.answers[name].value == response.answers[name].value for name in start.answers)
    again = {
        str(key): answer
        for key, answer in response.answers.items()
        if key.row == step.row and key not in start.answers
    }
    said = Event(
        id="e",
        response="r",
        kind="answered",
        at=1,
        author="an",
        page=step.page.id,
        row=step.row,
        answers=again,
    )
    assert complete(questionnaire, fold("r", [said])) is False, "alone it is no interview"
    assert step_of(questionnaire, response, Key("own_mobile", "nobody")) is None


def test_a_remark_is_not_handed_out(questionnaire: Questionnaire, response: Response) -> None:
    key = Key("birth_year", "p0")
    with_remark = Response(
        **{name: getattr(response, name) for name in Response.__struct_fields__}
        | {"answers": {**response.answers, key: Answer(1980, remark="bà nhớ rõ")}}
    )
    step = step_of(
        questionnaire, with_remark, next(k for k in response.answers if k.question == "own_mobile")
    )
    assert step is not None
    start, _ = asked_again(questionnaire, with_remark, step)
    assert start.answers[key].remark == ""
