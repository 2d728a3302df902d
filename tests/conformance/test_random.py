"""Whatever can be written and answered, the server and the phone make the same of it (100,000 programs: make simulate)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from survey.folder import questionnaire_at
from survey.questionnaire import conditions
from survey.questionnaire.response import Event, fold
from tests.conformance import interviews, programs, run, scenarios

FOLDER = Path(__file__).parents[2] / "questionnaires" / "haiduong-digital-society"
CORPUS = sorted((Path(__file__).parents[1] / "questionnaire" / "corpus" / "valid").glob("*.yaml"))
pytestmark = pytest.mark.usefixtures("javascript")


def test_random_programs_mean_the_same_on_both() -> None:
    assert list(programs.disagreements(2000, seed=2026)) == []


def test_random_programs_use_every_operation_there_is() -> None:
    used = {op for case in programs.programs(2000, seed=2026) for op in _operations(case.tree)}
    known = {*conditions.STRICT, *conditions.OPERATIONS, *conditions.FOLDS, *conditions.PARAMETERS}
    looks = {
        "and",
        "or",
        "not",
        "if",
        "answer",
        "missing",
        "today",
        "count",
        "count-if",
        "each",
        "at",
        "position",
        "label",
    }
    assert known | looks <= used


def _operations(tree: object) -> Iterator[str]:
    if isinstance(tree, list):
        yield tree[0]
        for part in tree[1:]:
            yield from _operations(part)


def test_random_interviews_go_the_same_way_on_both() -> None:
    questionnaire = questionnaire_at(FOLDER)
    moments = [one for seed in range(8) for one in interviews.scenarios(questionnaire, seed, 60)]
    server = [scenarios.in_python(questionnaire, one) for one in moments]
    phone = scenarios.in_javascript(questionnaire, moments)
    assert list(scenarios.differences(moments, server, phone)) == []
    assert any(one["next"] is None for one in server), "some interview must come to its end"
    assert any(form and form["findings"] for one in server for form in one["forms"])


def test_every_kind_of_question_goes_the_same_way_on_both() -> None:
    moments, server, asked = [], [], []
    for path in CORPUS:
        form = questionnaire_at(path)
        some = [one for seed in (1, 2) for one in interviews.scenarios(form, seed, 14)]
        moments += some
        server += [scenarios.in_python(form, one) for one in some]
        asked += scenarios.for_phone(form, some)
    assert list(scenarios.differences(moments, server, run.ask("answerScenarios", asked))) == []
    ended = {
        one["name"].split(",")[0] for one, found in zip(moments, server, strict=True) if found["next"] is None
    }
    assert {path.stem for path in CORPUS} - ended == set(), (
        "every interview must come to its end at least once"
    )


def test_events_fold_to_the_same_response() -> None:
    def event(number: int, kind: str, **facts: object) -> dict[str, object]:
        return {"id": f"e{number}", "response": "r", "kind": kind, "at": number, "author": "a", **facts}

    events = [
        event(1, "opened", language="vi", version="v", today="2026-03-01", mode="visit"),
        event(2, "row_added", roster="people", row="a"),
        event(3, "row_added", roster="people", row="b"),
        event(3, "row_added", roster="people", row="c"),
        event(4, "answered", page="p", row="a", answers={"age@a": {"value": 30}}),
        event(5, "row_removed", roster="people", row="a"),
        event(6, "locked", roster="people"),
        event(7, "drawn", draw="one", row="b", eligible=1),
        event(8, "drawn", draw="one", row="a", eligible=2),
        event(9, "page_done", page="list"),
        event(10, "answered", page="q", answers={"x": {"missing": "refused", "remark": "không"}}),
        event(11, "submitted"),
        event(12, "reopened"),
        event(13, "moved", version="w", void=["x", "age@a"], undone=["p@a"]),
    ]
    for length in range(len(events) + 1):
        some = events[:length]
        here = fold("r", [msgspec.convert(one, Event) for one in some])
        (there,) = run.ask("foldAll", [{"response": "r", "events": some}])
        assert there["rows"].get("people", []) == list(here.rows.get("people", ()))
        assert there["answers"] == {str(key): scenarios.plain(answer) for key, answer in here.answers.items()}
        for name in ("drawn", "eligible", "submitted", "language", "version", "today", "mode"):
            assert there[name] == getattr(here, name), name
        assert (there["done"], there["locked"]) == (sorted(here.done), sorted(here.locked))
