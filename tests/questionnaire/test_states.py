"""Many responses read column by column say, cell by cell, what `outcome` says of each by itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from survey.folder import questionnaire_at
from survey.questionnaire import states
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Gathered, Key, Response, gather
from survey.questionnaire.routing import outcome, walk
from survey.questionnaire.states import Batch, States
from tests.conformance import interviews, scenarios
from tests.questionnaire.test_properties import FILES


@cache
def interviewed(file: Path) -> tuple[Questionnaire, tuple[Response, ...]]:
    """Responses in every stage of random interviews."""
    form = questionnaire_at(file)
    return form, tuple(
        scenarios.response_of(told)
        for seed in range(30)
        for told in list(interviews.scenarios(form, seed, 25))[::4]
    )


def gathered(response: Response) -> Gathered:
    return Gathered(
        answers={str(key): answer for key, answer in response.answers.items()},
        rows=dict(response.rows), locked=set(response.locked), drawn=dict(response.drawn),
        eligible=dict(response.eligible), done=set(response.done), submitted=response.submitted,
        language=response.language, version=response.version, today=response.today, mode=response.mode,
        events=response.events,
    )  # fmt: skip


def agree(form: Questionnaire, responses: tuple[Response, ...], batch: Batch) -> None:
    told = [outcome(form, response) for response in responses]
    for name, place in index(form).places.items():
        if place.question.kind == "note":
            continue
        values, missing = batch.column(name)
        rows = batch.rows(place.roster)
        assert len(values) == len(missing) == len(rows)
        for (number, row), value, reason in zip(rows, values, missing, strict=True):
            said = told[number].get(Key(name, row), Answer(missing="not_asked"))
            assert (value, reason) == (said.value, said.missing), (name, row, responses[number])
            assert type(value) is type(said.value)
    for number, response in enumerate(responses):
        for roster in index(form).rosters:
            listed = [row for at, row in batch.rows(roster) if at == number]
            assert listed == list(walk(form, response).rows(roster, ""))
    for draw in form.draws:
        found = [
            one for one, may in zip(batch.rows(draw.roster), batch.eligible(draw.id), strict=True) if may
        ]
        assert found == [
            (number, row)
            for number, response in enumerate(responses)
            for row in walk(form, response).eligible(draw.id)
        ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_columns_say_what_outcome_says_of_each(file: Path) -> None:
    form, responses = interviewed(file)
    ready = States(form)
    ids = [response.id for response in responses]
    agree(form, responses, ready.read([gathered(one) for one in responses], ids))
    backwards = tuple(reversed(responses))  # what the first batch taught holds for others
    agree(form, backwards, ready.read([gathered(one) for one in backwards], ids[::-1]))


def test_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "KEPT", 2)
    form, responses = interviewed(FILES[-1])
    agree(form, responses, states.read(form, [gathered(one) for one in responses], [r.id for r in responses]))


def test_nearly_every_condition_of_the_province_is_looked_up() -> None:
    """What only a walk can tell costs fifty times as much: of this form's conditions, one does."""
    form, responses = interviewed(FILES[-1])
    ready = States(form)
    batch = ready.read([gathered(one) for one in responses], [one.id for one in responses])
    for name in index(form).places:
        batch.column(name)
    kept = {key: one for key, one in ready._ready.items() if one is not None}
    assert [key for key, one in kept.items() if one.looks is None] == [("page", "no_adult_page")]
    assert len(kept) > 15


def test_an_answer_under_two_spellings_of_one_name_is_one_answer() -> None:
    def event(number: int, name: str, value: str) -> Event:
        return Event(
            id=f"e{number}", response="r", kind="answered", at=0, author="a", answers={name: Answer(value)}
        )

    events = [event(1, "q@", "old"), event(2, "q", "new"), event(3, "p", "old"), event(4, "p@", "new")]
    assert gather(events).answers == {"q": Answer("new"), "p": Answer("new")}
    assert gather(events).response("r").answers == {Key("q"): Answer("new"), Key("p"): Answer("new")}
