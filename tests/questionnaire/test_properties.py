"""Whatever somebody answers, in whatever order: the path depends on the answers alone, and no change of mind loses one."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from survey.folder import questionnaire_at
from survey.questionnaire.checks import read_form
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import Walk, outcome, path
from survey.questionnaire.versions import Move, move
from tests.conformance import interviews, scenarios

HERE = Path(__file__).parent
FILES = [
    *sorted((HERE / "corpus" / "valid").glob("*.yaml")),
    HERE.parents[1] / "questionnaires/haiduong-digital-society",
]
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
moments = st.tuples(st.sampled_from(FILES), st.integers(0, 10_000), st.integers(1, 25))


@cache
def read(file: Path) -> Questionnaire:
    return questionnaire_at(file)


def moment(file: Path, seed: int, length: int) -> tuple[Questionnaire, Response]:
    """A random interview after some pages."""
    told = list(interviews.scenarios(read(file), seed, length))
    return read(file), scenarios.response_of(told[-1])


@some
@given(moments, st.randoms(use_true_random=False))
def test_what_counts_does_not_depend_on_what_is_asked_first(
    at: tuple[Path, int, int], chance: random.Random
) -> None:
    form, response = moment(*at)
    known = index(form)
    plain = Walk(known, response)
    shown = [(step, plain.visible(step)) for step in plain.steps]
    values = {
        key: plain.of[key.row][key.question]
        for key in outcome(form, response)
        if key.question in known.places
    }
    other = Walk(known, response)
    looks: list[Any] = [*shown, *values.items()]
    chance.shuffle(looks)
    for one, found in looks:
        assert (other.of[one.row][one.question] if isinstance(one, Key) else other.visible(one)) == found
    assert other.steps == plain.steps
    assert other.on == plain.on


@some
@given(moments, st.randoms(use_true_random=False))
def test_a_change_of_mind_and_back_is_as_if_it_had_not_been(
    at: tuple[Path, int, int], chance: random.Random
) -> None:
    form, response = moment(*at)
    before = path(form, response), outcome(form, response)
    changed = response
    for _ in range(3):
        steps = path(form, changed)
        step = chance.choice(steps)
        sent = interviews.form_of(chance, form, changed, step)
        said = read_form(form, changed, step, sent).answers
        changed = msgspec.structs.replace(changed, answers={**changed.answers, **said})
    assert changed.answers.keys() >= response.answers.keys(), "nothing is deleted, on the path or off it"
    back = msgspec.structs.replace(changed, answers={**changed.answers, **response.answers})
    kept = {key: answer for key, answer in outcome(form, back).items() if key in response.answers}
    assert kept == {key: answer for key, answer in before[1].items() if key in response.answers}
    undone = msgspec.structs.replace(back, answers=response.answers)
    assert (path(form, undone), outcome(form, undone)) == before


@some
@given(moments)
def test_every_variable_is_in_one_of_the_six_states(at: tuple[Path, int, int]) -> None:
    form, response = moment(*at)
    on = {
        Key(question.id, step.row)
        for step in path(form, response)
        for question in Walk(index(form), response).visible(step)
    }
    for key, answer in outcome(form, response).items():
        place = index(form).places.get(key.question)
        assert (answer.value is None) != (answer.missing is None)
        if place is None or place.question.kind == "calculate":
            continue
        given = response.answers.get(key)
        assert answer == (
            given or Answer(missing="not_asked") if key in on else Answer(missing="not_applicable")
        )


@some
@given(moments)
def test_looking_changes_nothing(at: tuple[Path, int, int]) -> None:
    form, response = moment(*at)
    before = msgspec.json.encode(
        [response.rows, response.drawn, sorted(response.done), len(response.answers)]
    )
    first = path(form, response), outcome(form, response)
    assert (path(form, response), outcome(form, response)) == first
    assert (
        msgspec.json.encode([response.rows, response.drawn, sorted(response.done), len(response.answers)])
        == before
    )


@some
@given(moments)
def test_moving_to_the_same_version_asks_nothing_again(at: tuple[Path, int, int]) -> None:
    form, response = moment(*at)
    found = move(form, form, response)
    assert found == Move(again=found.again)
    for key in found.again:  # only what a later answer has made wrong
        assert index(form).asked[key.question].checks


@some
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_repeated_event_counts_once_wherever_it_comes_again(
    said: list[tuple[str, int]], chance: random.Random
) -> None:
    events = [
        Event(id=f"e{number}", response="r", kind="answered", at=0, author="t", answers={name: Answer(value)})
        for number, (name, value) in enumerate(said)
    ]
    again = list(events)
    for number, event in enumerate(events):
        again.insert(chance.randint(again.index(event) + 1, len(again)), events[chance.randint(0, number)])
    assert fold("r", again) == fold("r", events)
