"""Which pages, in which order: the path is a pure function of the questionnaire and the response.

The path is walked from the front, and a condition sees only answers that are themselves on the path: answers left
behind by a change of mind are set aside, and come back when the path does. A query changes nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property

import msgspec
from msgspec import Struct

from survey.questionnaire.conditions import chance, rows_under
from survey.questionnaire.index import Asked, Index, index, specify_variable
from survey.questionnaire.model import Choice, Page, Question, Questionnaire, Section
from survey.questionnaire.response import Answer, Key, Response, place
from survey.questionnaire.values import Scalar, day_number, plain, scalar

SILENT = ("note", "calculate", "preload")
"""Kinds of question to which nobody gives an answer."""


class Step(Struct, frozen=True):
    """One page on the path; `row` is the roster row it is asked of, or ""."""

    section: Section
    page: Page
    row: str = ""

    @property
    def lists(self) -> bool:
        """Whether this is a list itself, with add, change and remove; else it asks questions (perhaps of a row)."""
        depth = self.row.count(".") + 1 if self.row else 0
        return self.page.kind == "list" and depth == (1 if self.page.each else 0)


class Progress(Struct, frozen=True):
    """How far: section number (from 1) and number of sections on the path, pages done and in all, minutes left."""

    section: int
    sections: int
    done: int
    total: int
    minutes_left: int


class _Row(dict[str, Scalar]):
    """The answers of one row that count; one not met yet on the walk is found when it is asked for."""

    __slots__ = ("row", "walk")

    def __init__(self, walk: Walk, row: str) -> None:
        super().__init__()
        self.walk, self.row = walk, row

    def __missing__(self, name: str) -> Scalar:
        return self.walk.resolve(name, self.row)


class _Rows(dict[str, _Row]):
    """Every row of whatever roster by its id, made when it is first looked at."""

    __slots__ = ("walk",)

    def __init__(self, walk: Walk) -> None:
        super().__init__()
        self.walk = walk

    def __missing__(self, row: str) -> _Row:
        found = self[row] = _Row(self.walk, row)
        return found


class Walk:
    """Everything one walk along the path finds: steps, what each shows, and the answers that count.

    It answers the conditions (conditions.View). An answer counts if its page and its question are on the path; so a
    condition never sees what was left behind by a change of mind. Each thing is found when it is first asked for, and
    what it depends on before it: checking one page does not walk the others.
    """

    def __init__(
        self, known: Index, response: Response, given: dict[str, dict[str, Answer]] | None = None
    ) -> None:
        self.index = known
        self.response = response
        self.on: set[tuple[str, str]] = set()  # (question, row) on the path, of those met so far
        self.today = day_number(response.today)
        self._shown: dict[tuple[str, str], tuple[Question, ...]] = {}
        self.of = _Rows(self)
        self._open: dict[tuple[str, str], bool] = {}
        self._listed: dict[str, tuple[str, ...]] = {}
        self._done: dict[tuple[str, str], bool] = {}
        self._given = _by_row(response.answers) if given is None else given

    def joined(self, answers: Mapping[Key, Answer]) -> Walk:
        """The walk of the same response with further answers."""
        response = msgspec.structs.replace(self.response, answers={**self.response.answers, **answers})
        more = {row: {**self._given.get(row, {}), **said} for row, said in _by_row(answers).items()}
        return Walk(self.index, response, {**self._given, **more})

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The path: every page to be seen, in order."""
        sections = self.index.questionnaire.sections
        return tuple(
            step for section in sections for page in section.pages for step in self._take(section, page)
        )

    def _take(self, section: Section, page: Page) -> Iterator[Step]:
        if page.kind == "list":
            for above in self.rows(page.each, "") if page.each else ("",):
                if self.opens(page, above):
                    yield Step(section, page, above)
                    for row in self.rows(page.roster or "", above):
                        if self._shows(page, row):
                            yield Step(section, page, row)
            return
        if page.kind == "draw":
            if page.draw and self.opens(page, "") and self.eligible(page.draw):
                yield Step(section, page, "")
            return
        for row in self._rows_of(page):
            if self.opens(page, row) and (self._shows(page, row) or not page.questions):
                yield Step(
                    section, page, row
                )  # nothing on it to ask or read: no page (its computed values stay)

    def _rows_of(self, page: Page) -> Sequence[str]:
        """The rows that a page of questions is asked of: "" for the household."""
        if page.of:
            row = self.drawn(page.of)
            return (row,) if row else ()
        return self.rows(page.each, "") if page.each else ("",)

    def visible(self, step: Step) -> tuple[Question, ...]:
        """The questions shown on this step now (none for a list, a draw, or a step off the path)."""
        page, row = step.page, step.row
        found = self._shown.get((page.id, row))
        if found is not None:
            return found
        if step.lists or page.kind == "draw":
            return ()
        if page.kind == "list":
            on_path = row in self.rows(page.roster or "", "") and self.opens(page, row.rpartition(".")[0])
        else:
            on_path = row in self._rows_of(page) and self.opens(page, row)
        return self._shows(page, row) if on_path else ()

    def _shows(self, page: Page, row: str) -> tuple[Question, ...]:
        """The questions shown on an open page."""
        answers = self.of[row]
        shown = []
        for one in self.index.on[page.id]:
            if one.id not in answers:
                self._answer(one, row, answers)
            if one.shown and (one.id, row) in self.on:
                shown.append(one.question)
        found = self._shown[page.id, row] = tuple(shown)
        return found

    def _answer(self, one: Asked, row: str, answers: _Row) -> None:
        """Find what one question of an open page counts as, and whether it is asked."""
        answers[one.id] = None  # what it depends on cannot see it: there are no cycles, and none could loop
        if one.when is not None and one.when(self, row, None) is not True:
            return
        self.on.add((one.id, row))
        if one.calculate is not None:
            answers[one.id] = one.calculate(self, row, None)
            return
        given = self._given.get(row)
        answer = given.get(one.id) if given is not None else None
        if answer is not None and answer.value is not None:
            answers[one.id] = scalar(one.type, answer.value)

    def opens(self, page: Page, row: str) -> bool:
        """Whether the page's own condition holds for this row (the row of its roster, or of the list it stands in)."""
        key = (page.id, row)
        found = self._open.get(key)
        if found is None:
            self._open[key] = False
            when = self.index.open[page.id]
            found = self._open[key] = when is None or when(self, row, None) is True
        return found

    def resolve(self, name: str, row: str) -> Scalar:
        """The answer of a question that the walk has not come to yet."""
        answers = self.of[row]
        place = self.index.places.get(name)
        if place is None:
            return None
        page = place.page
        if page.kind == "list":
            open_here = self.opens(page, row.rpartition(".")[0])
        elif page.of:
            open_here = bool(row) and row == self.drawn(page.of) and self.opens(page, row)
        else:
            open_here = self.opens(page, row)
        if not open_here:
            answers[name] = None
        elif name not in answers:
            self._answer(self.index.asked[name], row, answers)
        return dict.get(answers, name)

    def eligible(self, draw: str) -> tuple[str, ...]:
        """The rows of the draw's roster that may be drawn, in row order."""
        holds = self.index.eligible[draw]
        rows = self.rows(self.index.draws[draw].roster, "")
        return tuple(row for row in rows if holds(self, row, None) is True)

    def choices(self, question: Question, row: str) -> tuple[Choice, ...]:
        """The options that may be chosen now: those of the list that its filter and their own conditions let through."""
        one = self.index.asked[question.id]
        offered = self._options(question)
        if one.filter is not None:
            holds = one.filter
            if question.rows:
                offered = tuple(choice for choice in offered if holds(self, choice.code, None) is True)
            else:
                facts = zip(offered, self.index.facts(question), strict=True)
                offered = tuple(choice for choice, known in facts if holds(self, row, known) is True)
        if one.offered:
            closed = {code for code, when in one.offered if when(self, row, None) is not True}
            offered = tuple(choice for choice in offered if choice.code not in closed)
        return offered

    def _options(self, question: Question) -> tuple[Choice, ...]:
        if question.rows is None:
            return self.index.choices(question)
        named = ((row, self.row_name(question.rows, row)) for row in self.rows(question.rows, ""))
        languages = self.index.questionnaire.languages
        return tuple(Choice(code=row, label=dict.fromkeys(languages, name or row)) for row, name in named)

    @cached_property
    def by_proxy(self) -> bool:
        """Whether somebody answers for somebody else, as the questionnaire tells it."""
        proxy = self.index.proxy
        return proxy is not None and proxy(self, "", None) is True

    def row_name(self, roster: str, row: str) -> str:
        """The answer to the question that names the rows of this roster, or ""."""
        name = self.index.rosters[roster].name
        place = self.index.places.get(name)
        found = self.of[row][name] if place and place.roster == roster else None
        return found if isinstance(found, str) else ""

    # what conditions look at (conditions.View)

    def rows(self, roster: str, under: str) -> Sequence[str]:
        listed = self._listed.get(roster)
        if listed is None:
            listed = self._listed[roster] = self._list(roster)
        return rows_under(listed, under) if under else listed

    def _list(self, roster: str) -> tuple[str, ...]:
        """The rows in order: of a roster that is held by another, in the order of the rows that hold them."""
        definition = self.index.rosters.get(roster)
        if definition is None:
            return ()
        above = self.rows(definition.within, "") if definition.within else ("",)
        count = self.index.counts.get(roster)
        if count is not None:
            return tuple(
                f"{parent}.{number}" if parent else str(number)
                for parent in above
                for number in range(1, min(int(count(self, parent, None) or 0), definition.maximum) + 1)
            )
        listed = self.response.rows.get(roster, ())
        if not definition.within:
            return listed
        return tuple(row for parent in above for row in listed if row.rpartition(".")[0] == parent)

    def drawn(self, draw: str) -> str:
        return self.response.drawn.get(draw, "")

    def reason(self, question: str, row: str) -> str | None:
        self.of[row][question]
        if (question, row) not in self.on:
            return "not_applicable"
        answer = self._given.get(row, {}).get(question)
        return answer.missing if answer else "not_asked"

    def label(self, question: str, code: str, language: str = "") -> str | None:
        """The words of an option, in the language of the response unless said otherwise."""
        asked = self.index.places[question].question
        language = language or self.response.language or self.index.questionnaire.languages[0]
        return next((one.label.get(language) for one in self._options(asked) if one.code == code), None)

    def chance(self, question: str, row: str) -> Fraction:
        return chance(self.response.id, question, row)

    # for those who read a response

    def is_done(self, step: Step) -> bool:
        """Whether nothing more is needed on this step."""
        key = (step.page.id, step.row)
        found = self._done.get(key)
        if found is None:
            found = self._done[key] = self._is_done(step)
        return found

    def _is_done(self, step: Step) -> bool:
        page = step.page
        marked = place(page.id, step.row) in self.response.done
        if page.kind == "draw":
            return marked and page.draw in self.response.drawn
        if step.lists:
            roster = self.index.rosters[page.roster or ""]
            return marked and len(self.rows(roster.id, step.row)) >= roster.minimum
        needed = [question.id for question in self.visible(step) if needs_answer(question)]
        given = self._given.get(step.row, {})
        answered = all(question in given for question in needed)
        return answered and (marked or (bool(needed) and page.kind != "notice"))

    @cached_property
    def next_step(self) -> Step | None:
        """The first step that is not done, or None when the end is reached."""
        return next((step for step in self.steps if not self.is_done(step)), None)

    def answer(self, question: str, row: str) -> Scalar:
        """What `${question}` means seen from `row`: the answer of that row, of the row that holds it, of the drawn
        row, or of the household."""
        return self.of[self.key(question, row).row][question]

    def key(self, question: str, row: str) -> Key:
        """Where `${question}`, seen from `row`, is found."""
        found = self.index.places.get(question)
        if found is None or not found.roster:
            return Key(question)
        if found.draw:
            return Key(question, self.drawn(found.draw))
        if "." in row and not self.index.within.get(found.roster):
            return Key(question, row.rpartition(".")[0])
        return Key(question, row)


def _by_row(answers: Mapping[Key, Answer]) -> dict[str, dict[str, Answer]]:
    found: dict[str, dict[str, Answer]] = {}
    for key, answer in answers.items():
        given = found.get(key.row)
        if given is None:
            given = found[key.row] = {}
        given[key.question] = answer
    return found


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
    return walk(questionnaire, response).steps


def visible(questionnaire: Questionnaire, response: Response, step: Step) -> tuple[Question, ...]:
    """The questions shown on this step now (none for a list, a draw, or a step off the path)."""
    return walk(questionnaire, response).visible(step)


def is_done(questionnaire: Questionnaire, response: Response, step: Step) -> bool:
    """Whether nothing more is needed on this step."""
    return walk(questionnaire, response).is_done(step)


def needs_answer(question: Question) -> bool:
    """Whether the page waits for an answer (a value, don't know or refused) to this question."""
    return question.required and question.kind not in SILENT


def next_step(questionnaire: Questionnaire, response: Response) -> Step | None:
    """The first step that is not done, or None when the end is reached."""
    return walk(questionnaire, response).next_step


def complete(questionnaire: Questionnaire, response: Response) -> bool:
    """Whether every question on the path is answered."""
    return next_step(questionnaire, response) is None


def sufficient(questionnaire: Questionnaire, response: Response, asked: Collection[str]) -> bool:
    """Whether answers that are not complete are enough for a partial interview (AAPOR 1.2).

    Every question of `asked` must be reached: answered in each of its rows, or off this household's path; at least one is
    answered with a value. A question of a person who is not drawn yet is not reached. False when nothing is asked for.
    """
    found: dict[str, list[Answer]] = {question: [] for question in asked}
    for key, answer in outcome(questionnaire, response).items():
        if key.question in found:
            found[key.question].append(answer)
    said = [answer for answers in found.values() for answer in answers]
    reached = all(found.values()) and all(answer.missing != "not_asked" for answer in said)
    return reached and any(answer.missing is None for answer in said)


def progress(questionnaire: Questionnaire, response: Response, at: Step | None = None) -> Progress:
    """How far along the path; `at` is the step being looked at (default: the next one).

    Pages that wait for a draw count from the start, so that the end does not move away when somebody is drawn.
    """
    found = walk(questionnaire, response)
    steps = found.steps
    at = at or found.next_step or (steps[-1] if steps else None)  # a form may compute and ask nothing
    ahead = [
        (section.id, page)
        for section in questionnaire.sections
        for page in section.pages
        if page.of and page.of not in response.drawn and _may_be_drawn(found, page.of)
    ]
    waiting = Counter(section_id for section_id, _ in ahead)
    inside: dict[str, list[Step]] = {}
    for step in steps:
        inside.setdefault(step.section.id, []).append(step)
    sections = [
        section for section in questionnaire.sections if section.id in inside or section.id in waiting
    ]
    left, done = 0.0, 0
    for section in sections:
        here = inside.get(section.id, [])
        finished = sum(map(found.is_done, here))
        done += finished
        left += section.minutes * (1 - finished / (len(here) + waiting[section.id]))
    number = next((place for place, one in enumerate(sections, 1) if at and one.id == at.section.id), 1)
    return Progress(number, len(sections), done, len(steps) + len(ahead), math.ceil(left - 1e-9))


def duration(questionnaire: Questionnaire) -> int:
    """Minutes that the whole takes, as the first page and the letter say it: what `progress` says at the beginning."""
    return progress(questionnaire, Response(id="")).minutes_left


def _may_be_drawn(found: Walk, draw: str) -> bool:
    """Whether somebody can still be drawn: the list is not finished, or somebody on it is eligible."""
    roster = found.index.draws[draw].roster
    listed = any(step.lists and step.page.roster == roster and found.is_done(step) for step in found.steps)
    return not listed or bool(found.eligible(draw))


def outcome(questionnaire: Questionnaire, response: Response) -> dict[Key, Answer]:
    """Every variable of every row, each in one of the six states.

    On the path and answered: the answer. On the path, not answered: not_asked. Off the path: not_applicable, whatever
    was once answered there. A variable of a drawn row stands once, at that row; there is none before the draw.
    """
    found = walk(questionnaire, response)
    result: dict[Key, Answer] = {}
    for key, question in _variables(found):
        if question.kind == "note":
            continue
        value = found.of[key.row][question.id]
        here = (question.id, key.row) in found.on
        if question.kind == "calculate":
            known = plain(found.index.asked[question.id].type, value)
            result[key] = Answer(missing="not_applicable") if known is None else Answer(known)
            continue
        result[key] = _state(response, key, here)
        for choice in found.index.choices(question):
            if choice.specify:
                other = Key(specify_variable(question.id, choice.code), key.row)
                chosen = here and choice.code in _chosen(response.answers.get(key))
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
            for row in found.rows(stands.roster, ""):
                yield Key(name, row), stands.question
        else:
            yield Key(name), stands.question


def preloaded(questionnaire: Questionnaire, known: Mapping[str, object]) -> dict[Key, Answer]:
    """The answers that a response begins with: what is known of the household before anybody asks, by column."""
    asked = (
        place.question for place in index(questionnaire).places.values() if place.question.kind == "preload"
    )
    said = {question.id: str(known.get(question.column or "", "")) for question in asked}
    return {Key(name): Answer(value) for name, value in said.items() if value}


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
