"""Which pages, in which order: the path is a pure function of the questionnaire and the response.

The path is walked from the front, and a condition sees only answers that are themselves on the path: answers left
behind by a change of mind are set aside, and come back when the path does. A query changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from msgspec import Struct

from survey.questionnaire.conditions import Scalar, day_number, evaluate, holds, text
from survey.questionnaire.index import Index, condition, index, specify_variable
from survey.questionnaire.model import Choice, Page, Question, Questionnaire, Section
from survey.questionnaire.response import Answer, Key, Response, Value, place


class Step(Struct, frozen=True):
    """One page on the path; `row` is the roster row it is asked of, or ""."""

    section: Section
    page: Page
    row: str = ""


class Progress(Struct, frozen=True):
    """How far: section number (from 1) and number of sections on the path, pages done and in all, minutes left."""

    section: int
    sections: int
    done: int
    total: int
    minutes_left: int


class Walk:
    """Everything one walk along the path finds: steps, what each shows, and the answers that count.

    It answers the conditions (conditions.Answers): `${q}` is the answer of the row it is seen from if the question
    is asked of that row's roster, of the drawn row if it is asked of a drawn row, else of the household.
    """

    def __init__(self, known: Index, response: Response) -> None:
        self.index = known
        self.response = response
        self.steps: list[Step] = []
        self.shown: dict[tuple[str, str], tuple[Question, ...]] = {}
        self.live: dict[Key, Scalar] = {}
        self.computed: dict[Key, Answer] = {}
        self._today = day_number(response.today) or 0
        for section in known.questionnaire.sections:
            for page in section.pages:
                self._take(section, page)

    def _take(self, section: Section, page: Page) -> None:
        if page.kind == "list":
            if self._holds(page.when, ""):
                self._step(section, page, "", ())
                for row in self.response.rows.get(page.roster or "", ()):
                    self._step(section, page, row, page.questions)
        elif page.kind == "draw":
            if page.draw and self._holds(page.when, "") and self.eligible(page.draw):
                self._step(section, page, "", ())
        elif page.of:
            row = self.response.drawn.get(page.of, "")
            if row and self._holds(page.when, row):
                self._step(section, page, row, page.questions)
        elif page.each:
            for row in self.response.rows.get(page.each, ()):
                if self._holds(page.when, row):
                    self._step(section, page, row, page.questions)
        elif self._holds(page.when, ""):
            self._step(section, page, "", page.questions)

    def _step(self, section: Section, page: Page, row: str, questions: tuple[Question, ...]) -> None:
        shown = []
        for question in questions:
            if not self._holds(question.when, row):
                continue
            key = Key(question.id, row)
            if question.kind == "calculate":
                value = evaluate(condition(question.calculate or ""), self, row)
                self.live[key] = value
                self.computed[key] = (
                    Answer(missing="not_applicable") if value is None else Answer(_plain(value))
                )
                continue
            shown.append(question)
            answer = self.response.answers.get(key)
            if answer is not None:
                self.live[key] = scalar(question, answer)
        if questions and not shown:
            return  # nothing on it to ask or read: no page (its computed values stay)
        self.steps.append(Step(section, page, row))
        self.shown[page.id, row] = tuple(shown)

    def _holds(self, when: str | None, row: str) -> bool:
        return when is None or holds(condition(when), self, row)

    def eligible(self, draw: str) -> tuple[str, ...]:
        """The rows of the draw's roster that may be drawn, in row order."""
        definition = self.index.draws[draw]
        tree = condition(definition.eligible)
        return tuple(row for row in self.response.rows.get(definition.roster, ()) if holds(tree, self, row))

    def choices(self, question: Question, row: str) -> tuple[Choice, ...]:
        """The options that may be chosen now."""
        return tuple(choice for choice in self.index.choices(question) if self._holds(choice.when, row))

    # what conditions look at

    def answer(self, question: str, row: str) -> Scalar:
        return self.live.get(self.key(question, row))

    def missing(self, question: str, row: str) -> str:
        key = self.key(question, row)
        answer = self.response.answers.get(key) if key in self.live else None
        return (answer.missing or "") if answer else "not_asked"

    def rows(self, roster: str) -> tuple[str, ...]:
        return self.response.rows.get(roster, ())

    def rows_of(self, question: str) -> tuple[str, ...]:
        """The rows over which `sum(${question})` runs."""
        found = self.index.places.get(question)
        return self.response.rows.get(found.roster, ()) if found and found.roster else ("",)

    def siblings(self, row: str) -> tuple[str, ...]:
        """The rows of the roster that `row` belongs to."""
        return next((rows for rows in self.response.rows.values() if row in rows), ())

    def today(self) -> int:
        return self._today

    def key(self, question: str, row: str) -> Key:
        """Where `${question}`, seen from `row`, is found."""
        found = self.index.places.get(question)
        if found is None or not found.roster:
            return Key(question)
        return Key(question, self.response.drawn.get(found.draw, "") if found.draw else row)


def scalar(question: Question, answer: Answer) -> Scalar:
    """An answer as a condition sees it; don't know and refused are blanks there."""
    value = answer.value
    if value is None:
        return None
    if isinstance(value, list):
        return frozenset(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return Fraction(str(value))
    if question.kind == "date":
        day = day_number(value)
        return None if day is None else Fraction(day)
    return value


def _plain(value: Scalar) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, str) or value is None:
        return value or ""
    return int(value) if value.denominator == 1 else float(value)


def walk(questionnaire: Questionnaire, response: Response) -> Walk:
    """The walk of this very response; the last one is kept, because one request asks several things of it."""
    global _last
    kept = _last
    if kept is not None and kept.response is response and kept.index.questionnaire is questionnaire:
        return kept
    made = Walk(index(questionnaire), response)
    _last = made
    return made


_last: Walk | None = None


def path(questionnaire: Questionnaire, response: Response) -> tuple[Step, ...]:
    """Every page to be seen, in order, as far as the answers given decide it.

    A "list" page comes once for the list itself (row "") and once for each of its rows; an `each` page once for each
    row for which its condition holds; an `of` page once the draw is made.
    """
    return tuple(walk(questionnaire, response).steps)


def visible(questionnaire: Questionnaire, response: Response, step: Step) -> tuple[Question, ...]:
    """The questions shown on this step now (none for a list, a draw, or a step off the path)."""
    return walk(questionnaire, response).shown.get((step.page.id, step.row), ())


def is_done(questionnaire: Questionnaire, response: Response, step: Step) -> bool:
    """Whether nothing more is needed on this step."""
    page = step.page
    marked = place(page.id, step.row) in response.done
    if page.kind == "notice":
        return marked and _answered(questionnaire, response, step)
    if page.kind == "draw":
        return marked and page.draw in response.drawn
    if page.kind == "list" and not step.row:
        roster = index(questionnaire).rosters[page.roster or ""]
        return marked and len(response.rows.get(roster.id, ())) >= roster.minimum
    required = [question for question in visible(questionnaire, response, step) if needs_answer(question)]
    return _answered(questionnaire, response, step) and (marked or bool(required))


def needs_answer(question: Question) -> bool:
    """Whether the page waits for an answer (a value, don't know or refused) to this question."""
    return question.required and question.kind not in ("note", "calculate")


def _answered(questionnaire: Questionnaire, response: Response, step: Step) -> bool:
    return all(
        Key(question.id, step.row) in response.answers
        for question in visible(questionnaire, response, step)
        if needs_answer(question)
    )


def next_step(questionnaire: Questionnaire, response: Response) -> Step | None:
    """The first step that is not done, or None when the end is reached."""
    for step in walk(questionnaire, response).steps:
        if not is_done(questionnaire, response, step):
            return step
    return None


def complete(questionnaire: Questionnaire, response: Response) -> bool:
    """Whether every question on the path is answered."""
    return next_step(questionnaire, response) is None


def progress(questionnaire: Questionnaire, response: Response, at: Step | None = None) -> Progress:
    """How far along the path; `at` is the step being looked at (default: the next one).

    Pages that wait for a draw count from the start, so that the end does not move away when somebody is drawn.
    """
    found = walk(questionnaire, response)
    steps = found.steps
    at = at or next_step(questionnaire, response) or steps[-1]
    ahead = [
        (section.id, page)
        for section in questionnaire.sections
        for page in section.pages
        if page.of and page.of not in response.drawn and _may_be_drawn(found, page.of)
    ]
    on_path = {step.section.id for step in steps} | {section_id for section_id, _ in ahead}
    sections = [section for section in questionnaire.sections if section.id in on_path]
    left, done = 0.0, 0
    for section in sections:
        inside = [step for step in steps if step.section.id == section.id]
        waiting = sum(section_id == section.id for section_id, _ in ahead)
        finished = sum(is_done(questionnaire, response, step) for step in inside)
        done += finished
        left += section.minutes * (1 - finished / (len(inside) + waiting))
    number = next((place for place, section in enumerate(sections, 1) if section.id == at.section.id), 1)
    return Progress(number, len(sections), done, len(steps) + len(ahead), math.ceil(left - 1e-9))


def _may_be_drawn(found: Walk, draw: str) -> bool:
    """Whether somebody can still be drawn: the list is not finished, or somebody on it is eligible."""
    roster = found.index.draws[draw].roster
    listed = any(step.page.roster == roster and is_done(found.index.questionnaire, found.response, step)
                 for step in found.steps if step.page.kind == "list" and not step.row)  # fmt: skip
    return not listed or bool(found.eligible(draw))


def outcome(questionnaire: Questionnaire, response: Response) -> dict[Key, Answer]:
    """Every variable of every row, each in one of the six states.

    On the path and answered: the answer. On the path, not answered: not_asked. Off the path: not_applicable, whatever
    was once answered there. A variable of a drawn row stands once, at that row; there is none before the draw.
    """
    found = walk(questionnaire, response)
    on_path = {Key(question.id, row) for (_, row), shown in found.shown.items() for question in shown}
    result: dict[Key, Answer] = {}
    for key, question in _variables(found):
        if question.kind == "note":
            continue
        if question.kind == "calculate":
            result[key] = found.computed.get(key, Answer(missing="not_applicable"))
            continue
        here = key in on_path
        result[key] = _state(response, key, here)
        for choice in found.index.choices(question):
            if choice.specify:
                other = Key(specify_variable(question.id, choice.code), key.row)
                chosen = here and text(choice.code) in _chosen(response.answers.get(key))
                result[other] = _state(response, other, chosen)
    return result


def _state(response: Response, key: Key, on_path: bool) -> Answer:
    if not on_path:
        return Answer(missing="not_applicable")
    return response.answers.get(key) or Answer(missing="not_asked")


def _chosen(answer: Answer | None) -> tuple[str, ...]:
    if answer is None or answer.value is None:
        return ()
    return tuple(answer.value) if isinstance(answer.value, list) else (str(answer.value),)


def _variables(found: Walk) -> Iterator[tuple[Key, Question]]:
    for name, stands in found.index.places.items():
        if stands.draw:
            row = found.response.drawn.get(stands.draw)
            if row:
                yield Key(name, row), stands.question
        elif stands.roster:
            for row in found.response.rows.get(stands.roster, ()):
                yield Key(name, row), stands.question
        else:
            yield Key(name), stands.question


def draw_row(
    questionnaire: Questionnaire, response: Response, draw_id: str, number: float
) -> tuple[str, int]:
    """The row drawn by a uniform `number` (0 <= number < 1) among the eligible in row order, and how many there were.

    Each eligible row has probability 1/k; k is the weight of the drawn one within the household.
    Raises ValueError when nobody is eligible or the number is outside [0, 1).
    """
    rows = walk(questionnaire, response).eligible(draw_id)
    if not rows or not 0 <= number < 1:
        raise ValueError("a draw needs an eligible row and a number in [0, 1)")
    return rows[int(number * len(rows))], len(rows)
