"""Looking at an interview once more: its odd answers, and one of its pages asked again without showing the rest."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.piping import REFERENCE
from survey.questionnaire.response import Key, Response, place
from survey.questionnaire.routing import Step, walk
from survey.questionnaire.values import scalar


class Odd(Struct, frozen=True):
    """An answer on the path that a soft check asked about: the check's number at its question, whether it was explained."""

    key: Key
    number: int
    explained: bool


def odd(questionnaire: Questionnaire, response: Response) -> tuple[Odd, ...]:
    """Every answer that a soft check does not hold for, in the order of the path."""
    found = []
    way = walk(questionnaire, response)
    for step in way.steps:
        for question in way.visible(step):
            asked, key = way.index.asked[question.id], Key(question.id, step.row)
            answer = response.answers.get(key)
            if answer is None or answer.missing is not None:
                continue
            current = scalar(asked.type, answer.value)
            found += [
                Odd(key, number, bool(answer.remark))
                for number, (check, holds) in enumerate(asked.checks)
                if check.severity == "soft" and holds(way, step.row, current) is not True
            ]
    return tuple(found)


def step_of(questionnaire: Questionnaire, response: Response, key: Key) -> Step | None:
    """The page of the path that asks this, or None."""
    way = walk(questionnaire, response)
    return next(
        (
            step
            for step in way.steps
            if step.row == key.row and key.question in {q.id for q in way.visible(step)}
        ),
        None,
    )


def asked_again(
    questionnaire: Questionnaire, response: Response, step: Step
) -> tuple[Response, tuple[str, ...]]:
    """The response as somebody may hold it who asks this page again, and the places that stay shut.

    The page itself is blank. Of all other answers only those are left that a condition or a text of the questionnaire
    names, without which nobody could say what follows.
    """
    known = index(questionnaire)
    named = set(REFERENCE.findall(msgspec.json.encode(questionnaire).decode()))
    named |= {roster.name for roster in questionnaire.rosters}
    own = {Key(question.id, step.row) for question in step.page.questions}
    kept = {
        key: msgspec.structs.replace(answer, remark="")
        for key, answer in response.answers.items()
        if key.question in named and key not in own and key.question in known.places
    }
    here = place(step.page.id, step.row)
    shut = {place(one.page.id, one.row) for one in walk(questionnaire, response).steps} - {here}
    blank = msgspec.structs.replace(response, answers=kept, done=response.done - {here}, submitted=False)
    return blank, tuple(sorted(shut))
