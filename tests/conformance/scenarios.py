"""Scenarios: a questionnaire and the answers so far; the path, what it shows and means, and what a form comes to.

Both engines walk each of them: `survey/questionnaire/routing.py` with `checks.py`, and their twins in static/js on the
questionnaire as it is published. The format is in README.md beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from survey.questionnaire import routing
from survey.questionnaire.checks import read_form
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.published import published
from survey.questionnaire.reading import read as read_questionnaire
from survey.questionnaire.response import Answer, Key, Response, place
from tests.conformance import run

JSON = Any
HERE = Path(__file__).parent


def check(path: Path) -> tuple[int, list[str]]:
    """How many scenarios a file has, and what is not as written, a line each."""
    whole = json.loads(path.read_text(encoding="utf-8"))
    questionnaire = of_file(whole["questionnaire"], path)
    scenarios = whole["scenarios"]
    server = [in_python(questionnaire, one) for one in scenarios]
    phone = in_javascript(questionnaire, scenarios) if run.engine() else server
    return len(scenarios), list(differences(scenarios, server, phone))


def of_file(said: JSON, path: Path) -> Questionnaire:
    """A questionnaire written into the file, or the name of one beside it."""
    if isinstance(said, str):
        file = (path.parent / said).resolve()
        return read_questionnaire(file.read_text(encoding="utf-8"), file.name)
    return read_questionnaire(json.dumps(said, ensure_ascii=False), path.name)


def differences(scenarios: Sequence[JSON], server: Sequence[JSON], phone: Sequence[JSON]) -> Iterator[str]:
    for scenario, one, other in zip(scenarios, server, phone, strict=True):
        for who, found in (("Python", one), ("JavaScript", other)):
            for key, wanted in scenario.get("expected", {}).items():
                yield from _compared(f"{scenario['name']}, {who}, {key}", wanted, found.get(key), part=True)
        yield from _compared(f"{scenario['name']}, Python and JavaScript", one, other)


def _compared(where: str, wanted: JSON, found: JSON, part: bool = False) -> Iterator[str]:
    """Where two values differ; of objects `wanted` may be a part."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in wanted if part else wanted.keys() | found.keys():
            yield from _compared(f"{where}.{key}", wanted.get(key), found.get(key), part)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _compared(f"{where}[{number}]", one, other, part)
    elif wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield f"{where}: expected {wanted!r}, found {found!r}"


def response_of(scenario: JSON) -> Response:
    """The response that a scenario writes out."""
    said = scenario.get("response", {})
    return Response(
        id=said.get("id", "r1"),
        answers={Key.parse(name): answer_of(answer) for name, answer in said.get("answers", {}).items()},
        rows={roster: tuple(rows) for roster, rows in said.get("rows", {}).items()},
        locked=frozenset(said.get("locked", ())),
        drawn=said.get("drawn", {}),
        eligible=dict.fromkeys(said.get("drawn", {}), 1),
        done=frozenset(said.get("done", ())),
        language="vi",
        today=said.get("today", "2026-03-01"),
    )


def answer_of(said: JSON) -> Answer:
    """{"value"} or {"missing"}, with a remark; anything else is the value itself."""
    if isinstance(said, dict):
        return msgspec.convert(said, Answer)
    return Answer(said)


def in_python(questionnaire: Questionnaire, scenario: JSON) -> JSON:
    response = response_of(scenario)
    walk = routing.walk(questionnaire, response)
    following = routing.next_step(questionnaire, response)
    progress = routing.progress(questionnaire, response) if walk.steps else None
    steps = {place(step.page.id, step.row): step for step in walk.steps}
    forms = []
    for said in scenario.get("forms", ()):
        step = steps.get(place(said["page"], said.get("row", "")))
        if step is None:
            forms.append(None)
            continue
        found = read_form(questionnaire, response, step, said["form"])
        forms.append(
            {
                "answers": {str(key): plain(answer) for key, answer in found.answers.items()},
                "findings": [[one.where, one.code, one.message["vi"]] for one in found.findings],
            }
        )
    return {
        "path": list(steps),
        "shown": {name: [one.id for one in walk.visible(step)] for name, step in steps.items()},
        "next": place(following.page.id, following.row) if following else None,
        "progress": progress and {
            "section": progress.section, "sections": progress.sections, "done": progress.done,
            "total": progress.total, "minutes": progress.minutes_left,
        },
        "outcome": {str(key): plain(answer) for key, answer in routing.outcome(questionnaire, response).items()},
        "forms": forms,
    }  # fmt: skip


def plain(answer: Answer) -> JSON:
    return msgspec.to_builtins(answer)


def in_javascript(questionnaire: Questionnaire, scenarios: Sequence[JSON]) -> list[JSON]:
    """What the phone makes of them."""
    return run.ask("answerScenarios", for_phone(questionnaire, scenarios))


def for_phone(questionnaire: Questionnaire, scenarios: Sequence[JSON]) -> list[JSON]:
    """What the phone needs of them: the questionnaire as it is published, the response, the forms."""
    form = published(questionnaire, "vi")
    return [
        {"published": form, "response": as_phone(response_of(one)), "forms": one.get("forms", [])}
        for one in scenarios
    ]


def as_phone(response: Response) -> Mapping[str, JSON]:
    """A response as static/js/response.mjs folds it, sets as lists."""
    return {
        "id": response.id,
        "answers": {str(key): plain(answer) for key, answer in response.answers.items()},
        "rows": {roster: list(rows) for roster, rows in response.rows.items()},
        "locked": sorted(response.locked),
        "drawn": dict(response.drawn),
        "done": sorted(response.done),
        "today": response.today,
    }
