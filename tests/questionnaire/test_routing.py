"""The path is a pure function of the answers: off-path answers are set aside and come back, states never collapse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from survey.questionnaire.checks import read_form
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.reading import read
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import complete, draw_row, next_step, outcome, path, progress, visible

TEXT = """
id: tiny
languages: [vi, en]
title: {vi: Nhỏ, en: Tiny}
choices:
  yes_no:
    - {code: "yes", label: {vi: Có, en: "Yes"}}
    - {code: "no", label: {vi: Không, en: "No"}}
rosters:
  - {id: members, label: {vi: Người, en: People}, name: nickname}
draws:
  - {id: someone, roster: members, eligible: "${age} >= 15"}
sections:
  - id: all
    title: {vi: Tất cả, en: All}
    pages:
      - id: people
        kind: list
        roster: members
        title: {vi: Ai, en: Who}
        questions:
          - {id: nickname, kind: text, label: {vi: Tên, en: Name}}
          - {id: age, kind: integer, label: {vi: Tuổi, en: Age}}
      - id: net
        questions:
          - {id: internet, kind: select_one, choices: yes_no, label: {vi: Mạng, en: Net}}
      - id: why
        when: ${internet} = 'no'
        questions:
          - {id: reason, kind: text, label: {vi: Vì sao, en: Why}}
      - id: child
        each: members
        when: ${age} < 15
        questions:
          - {id: school, kind: select_one, choices: yes_no, label: {vi: "${nickname} đi học", en: "${nickname} at school"}}
      - id: chosen
        kind: draw
        draw: someone
        title: {vi: Chọn, en: Draw}
      - id: phone
        of: someone
        questions:
          - {id: phone, kind: select_one, choices: yes_no, label: {vi: Máy, en: Phone}}
          - {id: smart, kind: select_one, choices: yes_no, when: "${phone} = 'yes'", label: {vi: Thông minh, en: Smart}}
"""


@pytest.fixture(scope="module")
def questionnaire() -> Questionnaire:
    return read(TEXT)


class Story:
    """A response told as what is done to it."""

    def __init__(self, questionnaire: Questionnaire) -> None:
        self.questionnaire = questionnaire
        self.events: list[Event] = []

    def did(self, kind: str, **facts: object) -> Story:
        number = len(self.events)
        self.events.append(Event(id=f"e{number}", response="r", kind=kind, at=number, author="t", **facts))  # type: ignore[arg-type]
        return self

    def said(self, **answers: object) -> Story:
        return self.did("answered", answers={k.replace("__", "@"): _answer(v) for k, v in answers.items()})

    @property
    def now(self) -> Response:
        return fold("r", self.events)

    @property
    def pages(self) -> list[str]:
        steps = path(self.questionnaire, self.now)
        return [f"{step.page.id}@{step.row}" if step.row else step.page.id for step in steps]


def _answer(value: object) -> Answer:
    if value in ("dont_know", "refused"):
        return Answer(missing=value)  # type: ignore[arg-type]
    return Answer(value)  # type: ignore[arg-type]


@pytest.fixture
def story(questionnaire: Questionnaire) -> Iterator[Story]:
    told = Story(questionnaire).did("opened", today="2026-11-20", language="vi")
    for row, name, age in (("a", "Bà", 60), ("b", "Bé", 7), ("c", "Anh", 30)):
        told.did("row_added", roster="members", row=row).said(
            **{f"nickname__{row}": name, f"age__{row}": age}
        )
    return told


def test_pages_are_asked_of_every_row_that_they_are_for(story: Story) -> None:
    assert story.pages == ["people", "people@a", "people@b", "people@c", "net", "child@b", "chosen"]


def test_an_answer_left_behind_is_set_aside_and_comes_back(story: Story) -> None:
    story.said(internet="no", reason="đắt")
    assert "why" in story.pages
    story.said(internet="yes")
    assert "why" not in story.pages
    assert outcome(story.questionnaire, story.now)[Key("reason")] == Answer(missing="not_applicable")
    story.said(internet="no")
    assert outcome(story.questionnaire, story.now)[Key("reason")] == Answer("đắt")


def test_a_draw_gives_every_eligible_person_the_same_chance_and_opens_that_persons_pages(
    story: Story,
) -> None:
    drawn = [draw_row(story.questionnaire, story.now, "someone", number / 100) for number in range(100)]
    assert [drawn.count(("a", 2)), drawn.count(("c", 2))] == [50, 50]
    story.did("locked", roster="members").did("drawn", draw="someone", row="c", eligible=2)
    assert story.pages[-1] == "phone@c"
    with pytest.raises(ValueError, match="number in"):
        draw_row(story.questionnaire, story.now, "someone", 1.0)


def test_the_six_states_stay_apart(story: Story) -> None:
    story.said(internet="dont_know", school__b="refused")
    story.did("locked", roster="members").did("drawn", draw="someone", row="a", eligible=2).said(
        phone__a="no"
    )
    states = outcome(story.questionnaire, story.now)
    assert states[Key("internet")] == Answer(missing="dont_know")
    assert states[Key("school", "b")] == Answer(missing="refused")
    assert states[Key("school", "a")] == Answer(missing="not_applicable")
    assert states[Key("smart", "a")] == Answer(missing="not_applicable")
    assert states[Key("phone", "a")] == Answer("no")
    story.said(phone__a="yes")
    assert outcome(story.questionnaire, story.now)[Key("smart", "a")] == Answer(missing="not_asked")


def test_the_end_is_reached_when_nothing_on_the_path_is_open(story: Story) -> None:
    story.did("page_done", page="people").said(internet="yes", school__b="yes")
    story.did("locked", roster="members").did("drawn", draw="someone", row="a", eligible=2)
    step = next_step(story.questionnaire, story.now)
    assert step is not None
    assert step.page.id == "chosen"
    story.did("page_done", page="chosen").said(phone__a="no")
    assert complete(story.questionnaire, story.now)
    assert progress(story.questionnaire, story.now).minutes_left == 0


def test_a_form_that_only_computes_is_complete_at_once() -> None:
    form = read(
        """
id: computed
languages: [vi, en]
title: {vi: Chỉ tính, en: Only computed}
sections:
  - id: all
    title: {vi: Tất cả, en: All}
    pages:
      - {id: one, questions: [{id: two, kind: calculate, calculate: "1 + 1", label: {vi: Hai, en: Two}}]}
"""
    )
    found = progress(form, Response(id="r"))
    assert (found.done, found.total, found.minutes_left) == (0, 0, 0)
    assert complete(form, Response(id="r"))


def test_asking_changes_nothing(story: Story) -> None:
    before = story.now
    for step in path(story.questionnaire, before):
        visible(story.questionnaire, before, step)
    progress(story.questionnaire, before)
    assert before == story.now


def test_a_repeated_event_counts_once(story: Story) -> None:
    assert fold("r", [*story.events, *story.events]) == story.now


def test_a_removed_row_takes_its_pages_along_and_brings_them_back(story: Story) -> None:
    story.did("row_removed", roster="members", row="b")
    assert "child@b" not in story.pages
    story.did("row_added", roster="members", row="b")
    assert "child@b" in story.pages


def test_a_question_opened_by_the_same_page_is_asked_for_kindly(story: Story) -> None:
    story.did("locked", roster="members").did("drawn", draw="someone", row="a", eligible=2)
    step = next(step for step in path(story.questionnaire, story.now) if step.page.id == "phone")
    first = read_form(story.questionnaire, story.now, step, {"phone": ["yes"]})
    assert [(finding.code, finding.where) for finding in first.findings] == [("opened", "smart")]
    both = read_form(story.questionnaire, story.now, step, {"phone": ["yes"], "smart": ["-dk"]})
    assert both.accepted
    assert both.answers[Key("smart", "a")] == Answer(missing="dont_know")
    hidden = read_form(story.questionnaire, story.now, step, {"phone": ["no"], "smart": ["yes"]})
    assert set(hidden.answers) == {Key("phone", "a")}
