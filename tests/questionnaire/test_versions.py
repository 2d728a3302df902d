"""A draft goes to a corrected questionnaire with what still holds, and what must be asked again is named."""

from __future__ import annotations

import msgspec
import pytest

from survey.questionnaire.model import Questionnaire
from survey.questionnaire.reading import read
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import next_step, outcome
from survey.questionnaire.versions import Move, changes, move

TEXT = """
id: small
languages: [vi, en]
title: {vi: Nhỏ, en: Small}
rosters: [{id: people, label: {vi: Người, en: People}, name: nick}]
sections:
  - id: s
    title: {vi: Phần, en: Part}
    pages:
      - id: list
        kind: list
        roster: people
        title: {vi: Ai, en: Who}
        questions:
          - {id: nick, kind: text, label: {vi: Tên, en: Name}}
          - {id: age, kind: integer, label: {vi: Tuổi, en: Age}}
      - id: net
        title: {vi: Mạng, en: Internet}
        questions:
          - id: internet
            kind: select_one
            label: {vi: Có mạng?, en: Internet?}
            choices: [{code: "yes", label: {vi: Có, en: "Yes"}}, {code: wifi, label: {vi: Wi-Fi, en: Wi-Fi}}, {code: "no", label: {vi: Không, en: "No"}}]
          - {id: cost, kind: integer, label: {vi: Bao nhiêu tiền?, en: How much?}}
      - id: why
        when: ${internet} = 'no'
        questions: [{id: reason, kind: text, label: {vi: Vì sao?, en: Why?}}]
"""
OLD = read(TEXT)


def corrected(*pairs: tuple[str, str]) -> Questionnaire:
    text = TEXT
    for one, other in pairs:
        assert one in text
        text = text.replace(one, other)
    return read(text)


@pytest.fixture
def draft() -> Response:
    answers = {
        "nick@a": Answer("Tư"), "age@a": Answer(60), "nick@b": Answer("Bé"), "age@b": Answer(7),
        "internet": Answer("wifi"), "cost": Answer(250),
    }  # fmt: skip
    return fold("r", [
        Event(id="1", response="r", kind="opened", at=0, author="t", today="2026-03-01", version=OLD.version),
        Event(id="2", response="r", kind="row_added", at=0, author="t", roster="people", row="a"),
        Event(id="3", response="r", kind="row_added", at=0, author="t", roster="people", row="b"),
        Event(id="4", response="r", kind="answered", at=0, author="t", page="net", answers=answers),
        Event(id="5", response="r", kind="page_done", at=0, author="t", page="list"),
    ])  # fmt: skip


def after(new: Questionnaire, draft: Response, found: Move) -> Response:
    """The draft with the event that moves it."""
    kept = [Event(id="0", response="r", kind="answered", at=0, author="t",
                  answers={str(key): answer for key, answer in draft.answers.items()})]  # fmt: skip
    rows = [
        Event(id=f"{roster}{row}", response="r", kind="row_added", at=0, author="t", roster=roster, row=row)
        for roster, listed in draft.rows.items() for row in listed
    ]  # fmt: skip
    done = [
        Event(id=f"d{page}", response="r", kind="page_done", at=0, author="t", page=page)
        for page in draft.done
    ]
    moved = Event(id="m", response="r", kind="moved", at=0, author="office", version=new.version,
                  void=tuple(map(str, found.again)), undone=found.undone)  # fmt: skip
    return fold("r", [*kept, *rows, *done, moved])


def test_a_corrected_word_changes_nothing_for_a_draft(draft: Response) -> None:
    new = corrected(("Có mạng?", "Nhà mình có mạng không?"))
    assert [(found.code, found.where) for found in changes(OLD, new)] == [("words", "internet")]
    assert move(OLD, new, draft) == Move()
    assert move(OLD, new, draft).settled


def test_words_that_changed_their_meaning_can_be_asked_again_by_name(draft: Response) -> None:
    new = corrected(("Có mạng?", "Có mạng trong 3 tháng qua?"))
    assert move(OLD, new, draft, ["internet"]).again == (Key("internet"),)


def test_an_option_that_is_gone_is_asked_again_and_the_page_comes_back(draft: Response) -> None:
    new = corrected((", {code: wifi, label: {vi: Wi-Fi, en: Wi-Fi}}", ""))
    found = move(OLD, new, draft)
    assert found.again == (Key("internet"),)
    moved = after(new, draft, found)
    assert moved.version == new.version
    step = next_step(new, moved)
    assert step is not None
    assert step.page.id == "net"
    assert outcome(new, moved)[Key("internet")] == Answer(missing="not_asked")
    assert outcome(new, moved)[Key("cost")] == Answer(250), "what still holds is kept"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{id: age, kind: integer,", "{id: age, kind: integer, maximum: 50,"),
        ("{id: age, kind: integer,",
         "{id: age, kind: integer, checks: [{that: . < 50, message: {vi: Sai, en: Wrong}}],"),
    ],
)  # fmt: skip
def test_an_answer_that_new_limits_or_checks_forbid_is_asked_again(
    draft: Response, one: str, other: str
) -> None:
    new = corrected((one, other))
    assert move(OLD, new, draft).again == (Key("age", "a"),)
    assert [found.code for found in changes(OLD, new)] == ["checks"]


def test_another_kind_of_question_is_asked_again_where_the_answer_does_not_fit(draft: Response) -> None:
    new = corrected(("{id: cost, kind: integer,", "{id: cost, kind: text,"))
    assert move(OLD, new, draft).again == (Key("cost"),)


def test_a_new_question_is_asked_even_on_a_page_that_was_finished(draft: Response) -> None:
    new = corrected(("          - {id: cost,", "          - {id: speed, kind: integer, required: false, label: {vi: Nhanh?, en: Fast?}}\n          - {id: cost,"))  # fmt: skip
    found = move(OLD, new, draft)
    assert (found.again, found.asked, found.undone) == ((), (Key("speed"),), ("net",))


def test_a_condition_that_changed_opens_and_closes_pages_and_loses_nothing(draft: Response) -> None:
    new = corrected(("when: ${internet} = 'no'", "when: ${internet} = 'wifi'"))
    found = move(OLD, new, draft)
    assert (found.again, found.asked, found.aside) == ((), (Key("reason"),), ())
    back = move(new, corrected(), with_answer(draft, "reason", "đắt"))
    assert back.aside == (Key("reason"),)
    assert Key("reason") not in back.again


def with_answer(draft: Response, name: str, value: str) -> Response:
    return msgspec.structs.replace(draft, answers={**draft.answers, Key(name): Answer(value)})


def test_a_question_that_is_gone_is_set_aside(draft: Response) -> None:
    new = corrected(
        ("          - {id: cost, kind: integer, label: {vi: Bao nhiêu tiền?, en: How much?}}\n", "")
    )
    found = move(OLD, new, draft)
    assert (found.again, found.asked, found.aside) == ((), (), (Key("cost"),))
    assert after(new, draft, found).answers[Key("cost")] == Answer(250)
    assert [one.code for one in changes(OLD, new)] == ["removed"]


def test_moving_to_the_same_version_is_nothing(draft: Response) -> None:
    assert move(OLD, OLD, draft) == Move()
    assert changes(OLD, OLD) == ()
