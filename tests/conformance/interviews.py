"""Random interviews: somebody who answers anything, goes back, adds and removes people, and is sometimes nonsense.

Each step gives a scenario (see scenarios.py): the response as it stands, and the form about to be sent.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from survey.questionnaire import routing
from survey.questionnaire.checks import read_form
from survey.questionnaire.index import index
from survey.questionnaire.model import Question, Questionnaire
from survey.questionnaire.response import Response, place
from survey.questionnaire.routing import Step

NONSENSE = [
    "",
    " ",
    "-dk",
    "-rf",
    "abc",
    "1.000",
    "2,5",
    "99999999999999999",
    "-1",
    "2026-02-30",
    "nobody",
    "Đ" * 300,
]


def scenarios(questionnaire: Questionnaire, seed: int, length: int) -> Iterator[dict[str, Any]]:
    """`length` moments of one interview, each with the form of one page of its path."""
    chance = random.Random(seed)
    known = routing.preloaded(questionnaire, {"urban_rural": chance.choice(["urban", "rural"])})
    response = Response(id=f"r{seed}", language="vi", today="2026-03-01", answers=known)
    for number in range(length):
        response = _listed(chance, questionnaire, response)
        steps = routing.path(questionnaire, response)
        if not steps:
            return
        following = routing.next_step(questionnaire, response)
        step = following if following and chance.random() < 0.7 else chance.choice(steps)
        form = form_of(chance, questionnaire, response, step)
        yield {
            "name": f"{questionnaire.id}, seed {seed}, {number}",
            "response": {
                "id": response.id,
                "answers": {str(key): msgspec.to_builtins(answer) for key, answer in response.answers.items()},
                "rows": {roster: list(rows) for roster, rows in response.rows.items()},
                "drawn": dict(response.drawn), "done": sorted(response.done), "today": response.today,
            },
            "forms": [{"page": step.page.id, "row": step.row, "form": form}],
        }  # fmt: skip
        response = answered(chance, questionnaire, response, step, form)


def _listed(chance: random.Random, questionnaire: Questionnaire, response: Response) -> Response:
    """Now and then a row is added to a list, or leaves it."""
    for roster in questionnaire.rosters:
        rows = response.rows.get(roster.id, ())
        if roster.count is not None or chance.random() < 0.6:
            continue
        parents = response.rows.get(roster.within, ()) if roster.within else ("",)
        if len(rows) < 4 and parents and chance.random() < 0.7:
            own = f"x{chance.randrange(1000)}"
            parent = chance.choice(parents)
            rows = (*rows, f"{parent}.{own}" if parent else own)
        elif rows:
            gone = chance.choice(rows)
            rows = tuple(row for row in rows if row != gone)
        response = msgspec.structs.replace(
            response, rows={**response.rows, roster.id: tuple(dict.fromkeys(rows))}
        )
    return response


def form_of(
    chance: random.Random, questionnaire: Questionnaire, response: Response, step: Step
) -> dict[str, list[str]]:
    """What somebody might send from this page: mostly fitting, sometimes not."""
    form: dict[str, list[str]] = {}
    for question in step.page.questions:
        if chance.random() < 0.05:
            continue
        if chance.random() < 0.1:
            form[question.id] = [chance.choice(NONSENSE)]
            continue
        form[question.id] = said = _said(chance, questionnaire, response, step, question)
        if question.kind == "rank":
            form |= {f"{question.id}.rank.{code}": [str(place)] for place, code in enumerate(said, 1)}
        for choice in index(questionnaire).choices(question):
            if choice.specify and chance.random() < 0.8:
                form[f"{question.id}.{choice.code}"] = ["một điều khác"]
        if chance.random() < 0.3:
            form[f"{question.id}.confirmed"] = ["1"]
    return form


def _said(
    chance: random.Random, questionnaire: Questionnaire, response: Response, step: Step, question: Question
) -> list[str]:
    match question.kind:
        case "select_one" | "select_many" | "rank":
            offered = [one.code for one in routing.walk(questionnaire, response).choices(question, step.row)]
            most = 1 if question.kind == "select_one" else len(offered)
            least = len(offered) if question.kind == "rank" and chance.random() < 0.9 else 1
            chosen = chance.sample(offered, chance.randint(least, most)) if offered else []
            return [*chosen, *(["-dk"] if chance.random() < 0.1 else [])]
        case "integer" | "decimal":
            low, high = int(question.minimum or 0), int(question.maximum or 100)
            return [str(chance.randint(low, high)) + ("" if question.kind == "integer" else ",5")]
        case "year":
            return [str(chance.randint(1930, 2026))]
        case "date":
            return [f"20{chance.randrange(10, 27)}-0{chance.randrange(1, 10)}-1{chance.randrange(10)}"]
        case "acknowledge":
            return ["1"]
        case "location":
            return [chance.choice(["20.94 106.33", "20,94;106.33", "-91 0", "20.9409, 106.3330 5 10"])]
        case "photo":
            return [hashlib.sha256(question.id.encode()).hexdigest()]
        case _:
            return [chance.choice(["Tư", "Bà Sáu", "a b", "x"])]


def answered(
    chance: random.Random,
    questionnaire: Questionnaire,
    response: Response,
    step: Step,
    form: dict[str, list[str]],
) -> Response:
    """The response after the form, if it was accepted; a draw is made, a list is declared complete."""
    done = response.done | {place(step.page.id, step.row)}
    if step.page.kind == "draw" and step.page.draw:
        row, eligible = routing.draw_row(questionnaire, response, step.page.draw, chance.random())
        drawn = {step.page.draw: row, **response.drawn}
        return msgspec.structs.replace(
            response, drawn=drawn, eligible={step.page.draw: eligible, **response.eligible}, done=done
        )
    read = read_form(questionnaire, response, step, form)
    if not read.accepted:
        return response
    return msgspec.structs.replace(response, answers={**response.answers, **read.answers}, done=done)
