"""Every variable of very many responses at once, column by column: what `routing.outcome` says of each, at a tenth of its cost.

    batch = read(questionnaire, gathered)                 # thousands of them
    batch.rows("members")                                 # [(0, "r1"), (0, "r2"), (1, "r1"), …]
    values, missing = batch.column("smokes")              # one entry a row of its roster

Whether a question is asked depends, nearly always, on one or two answers of the same household or of the same row, and
these have few different values. So each condition is evaluated once for each combination that occurs, by the same
closures as everywhere (`conditions.run`), and looked up for all others. A condition that looks further (at all rows of a
roster, at a place in one, at chance or at the words of an option) is answered by the walk of that very response. There
is no second meaning of a condition here; tests/questionnaire/test_states.py compares with `outcome` cell by cell.

When not: for one response. `routing.outcome` is simpler, and knows the "please specify" texts too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import repeat
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct

from survey.questionnaire import conditions
from survey.questionnaire.conditions import Node, Run
from survey.questionnaire.index import Asked, Index, Place, index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Gathered
from survey.questionnaire.routing import Walk
from survey.questionnaire.values import Scalar, Type, day_number, plain, scalar

KEPT = 100_000
"""Combinations that are remembered of one condition, before it forgets them all: bounds memory, changes no answer."""

Columns = tuple[list[Any], list[str | None]]
_ALONE = frozenset({"random", "count", "count-if", "each", "at", "position", "label", "current", "fact"})
"""Operations that look at more than the answers of one row and its household."""


class _Look(Struct, frozen=True):
    """One leaf of a condition: the answer to a question, or why there is none; `own`: of the same row."""

    question: str
    own: bool
    reason: bool


class _Ready(dict[tuple[Any, ...], Any]):
    """An expression, and what it came to for each combination of what it looks at (`looks`, then the day if `today`).
    `looks` is None when only a walk can tell. A condition comes to True or False (a blank is not true)."""

    def __init__(self, node: Node, looks: tuple[_Look, ...] | None, today: bool, condition: bool) -> None:
        super().__init__()
        run = conditions.run(node)
        self.run: Run = (lambda v, r, c: run(v, r, c) is True) if condition else run
        self.looks = looks
        self.today = today

    def __missing__(self, key: tuple[Any, ...]) -> Any:
        if len(self) >= KEPT:
            self.clear()
        point = _Point(key[-1] if self.today else None)
        for look, value in zip(self.looks or (), key, strict=False):
            place = (point.reasons if look.reason else point.of)[_OWN if look.own else ""]
            place[look.question] = value
        result = self[key] = self.run(point, _OWN, None)
        return result


class _Scalars(dict[str | None, Scalar]):
    """Texts as conditions of one type see them; most are codes, and come again and again."""

    def __init__(self, kind: Type) -> None:
        super().__init__({None: None})
        self.kind: Type = kind

    def __missing__(self, value: str) -> Scalar:
        if len(self) >= KEPT:
            self.clear()
            self[None] = None
        found = self[value] = scalar(self.kind, value)
        return found


_OWN = "own"


class _Point:
    """The few answers that a condition looks at: a conditions.View. Whatever row a condition asks for is the one own row."""

    def __init__(self, today: int | None) -> None:
        self.today = today
        self.of: dict[str, dict[str, Any]] = {"": {}, _OWN: {}}
        self.reasons: dict[str, dict[str, Any]] = {"": {}, _OWN: {}}

    def drawn(self, draw: str) -> str:
        return _OWN

    def reason(self, question: str, row: str) -> str | None:
        found: str | None = self.reasons[row][question]
        return found

    # Conditions that ask for more than a few answers (`_ALONE`) are read by walking the response, and never come here.

    def rows(self, roster: str, under: str) -> Sequence[str]:
        raise AssertionError("a condition of a few answers asks for no rows")

    def label(self, question: str, code: str) -> str | None:
        raise AssertionError("a condition of a few answers asks for no label")

    def chance(self, question: str, row: str) -> Fraction:
        raise AssertionError("a condition of a few answers draws nothing")


class States:
    """A questionnaire made ready for reading many responses; keeps what its conditions came to, between batches."""

    def __init__(self, questionnaire: Questionnaire) -> None:
        self.index: Index = index(questionnaire)
        self.order = {name: number for number, name in enumerate(self.index.places)}
        self.scalars: dict[Type, _Scalars] = {}
        self._ready: dict[tuple[str, str], _Ready | None] = {}

    def read(self, gathered: Sequence[Gathered], ids: Sequence[str]) -> Batch:
        """These responses, whose ids (or the ids of their cases: what chance is drawn by) are `ids`."""
        return Batch(self, gathered, ids)

    def question(self, name: str) -> _Ready | None:
        """The question's own condition."""
        question = self.index.places[name].question
        return self._expression("when", self.index.places[name], question.when)

    def calculation(self, name: str) -> _Ready | None:
        question = self.index.places[name].question
        return self._expression("calculate", self.index.places[name], question.calculate or "''")

    def page(self, place: Place) -> _Ready | None:
        """The condition of the question's page."""
        return self._expression("page", place, place.page.when)

    def draw(self, name: str) -> _Ready | None:
        """Who may be drawn."""
        key = ("draw", name)
        if key not in self._ready:
            draw = self.index.draws[name]
            node = conditions.compile(draw.eligible, self.index.scope(draw.roster), "boolean")
            self._ready[key] = _Ready(
                node, *self._seen(node, len(self.order), draw.roster, ""), condition=True
            )
        return self._ready[key]

    def _expression(
        self, kind: Literal["when", "calculate", "page"], place: Place, text: str | None
    ) -> _Ready | None:
        page, question = place.page, place.question
        key = (kind, page.id if kind == "page" else question.id)
        if key in self._ready:
            return self._ready[key]
        ready = None
        if text is not None:
            if kind == "page":
                level = self.index.roster_of_page(page)
                scope = self.index.scope(level)
                before = min(self.order[one.id] for one in page.questions)
            else:
                level, scope, before = place.roster, self.index.scope_at(question), self.order[question.id]
            node = conditions.compile(text, scope, None if kind == "calculate" else "boolean")
            ready = _Ready(node, *self._seen(node, before, level, place.draw), condition=kind != "calculate")
        self._ready[key] = ready
        return ready

    def _seen(self, node: Node, before: int, level: str, draw: str) -> tuple[tuple[_Look, ...] | None, bool]:
        """What an expression for the rows of `level` (of `draw`: the row drawn) looks at, and whether at the day.
        Looking ahead, at a list within a list, or at another row is for the walk."""
        nodes = list(_nodes(node))
        allowed = ("", ".", f"@{draw}") if draw else ("", ".")
        if any(one.op in _ALONE or one.scope not in allowed for one in nodes):
            return None, False
        looks = dict.fromkeys(
            _Look(one.name, one.scope != "", one.op == "missing")
            for one in nodes
            if one.op in ("answer", "missing")
        )
        for look in looks:
            place = self.index.places.get(look.question)
            if place is None or self.order[look.question] >= before:
                return None, False
            if place.roster != (level if look.own else ""):
                return None, False
        return tuple(looks), any(one.op == "today" for one in nodes)


def read(questionnaire: Questionnaire, gathered: Sequence[Gathered], ids: Sequence[str]) -> Batch:
    """Read these responses once (`States` keeps what it learns for the next ones)."""
    return States(questionnaire).read(gathered, ids)


class Batch:
    """Some responses, read together. Columns are found when they are asked for, and what they depend on before them."""

    def __init__(self, states: States, gathered: Sequence[Gathered], ids: Sequence[str]) -> None:
        self.states, self.gathered, self.ids = states, gathered, ids
        self.index = states.index
        self._rows: dict[str, list[tuple[int, str]]] = {"": [(number, "") for number in range(len(gathered))]}
        self._walks: dict[int, Walk] = {}
        self._said = [one.answers for one in gathered]
        self._answers: dict[str, list[Answer]] = {}
        self._on: dict[str, list[bool] | None] = {}  # None: everywhere
        self._open: dict[str, list[bool] | None] = {}
        self._scalars: dict[str, list[Scalar]] = {}

    # what is asked for

    def rows(self, roster: str) -> list[tuple[int, str]]:
        """The rows of a roster, as (number of the response, row id) in order; "" is the households."""
        found = self._rows.get(roster)
        if found is None:
            definition = self.index.rosters[roster]
            if definition.within or roster in self.index.counts:
                listed: Iterable[Sequence[str]] = (
                    self._walk(n).rows(roster, "") for n in range(len(self.gathered))
                )
            else:
                listed = (one.rows.get(roster, ()) for one in self.gathered)
            found = self._rows[roster] = [(number, row) for number, rows in enumerate(listed) for row in rows]
        return found

    def column(self, name: str) -> Columns:
        """Values and, where there is none, the reason, for each row of the variable's roster (of a drawn person's
        variables too: where somebody else was drawn, it is not_asked)."""
        place = self.index.places[name]
        asked = self.index.asked[name]
        on = self._asked(name)
        if asked.calculate is not None:
            values: list[Any] = [plain(asked.type, one) for one in self._effective(name)]
            missing: list[str | None] = ["not_applicable" if value is None else None for value in values]
        else:
            answers = self._answered(name)
            values, missing = list(map(_VALUE, answers)), list(map(_MISSING, answers))
            if on is not None:
                values = [value if here else None for value, here in zip(values, on, strict=True)]
                missing = [one if here else "not_applicable" for one, here in zip(missing, on, strict=True)]
        if place.draw:
            drawn = self._drawn(place.draw)
            values = [value if here else None for value, here in zip(values, drawn, strict=True)]
            missing = [one if here else "not_asked" for one, here in zip(missing, drawn, strict=True)]
        return values, missing

    def eligible(self, draw: str) -> list[bool]:
        """For each row of the draw's roster whether it may be drawn."""
        roster = self.index.draws[draw].roster
        ready = self.states.draw(draw)
        if ready is None:
            return [True] * len(self.rows(roster))
        return self._results(ready, roster)

    # how it is found

    def _level(self, name: str) -> str:
        return self.index.places[name].roster

    def _walk(self, number: int) -> Walk:
        found = self._walks.get(number)
        if found is None:
            response = self.gathered[number].response(self.ids[number])
            found = self._walks[number] = Walk(self.index, response)
        return found

    def _drawn(self, draw: str) -> list[bool]:
        chosen = [one.drawn.get(draw, "") for one in self.gathered]
        return [chosen[number] == row for number, row in self.rows(self.index.draws[draw].roster)]

    def _answered(self, name: str) -> list[Answer]:
        """What was said, on the path or not."""
        found = self._answers.get(name)
        if found is None:
            roster, said = self._level(name), self._said
            if roster:
                found = [said[number].get(f"{name}@{row}", _NOT_ASKED) for number, row in self.rows(roster)]
            else:
                found = [one.get(name, _NOT_ASKED) for one in said]
            self._answers[name] = found
        return found

    def _asked(self, name: str) -> list[bool] | None:
        """For each row whether the question is on the path; None when it always is."""
        if name in self._on:
            return self._on[name]
        place = self.index.places[name]
        ready = self.states.question(name)
        on: list[bool] | None
        if self._nested(place):
            here: list[bool] = []
            for number, row in self.rows(place.roster):
                walk = self._walk(number)
                walk.of[row][name]
                here.append((name, row) in walk.on)
            on = here
        else:
            on = self._page_open(place)
            if ready is not None:
                own = self._results(ready, place.roster)
                on = own if on is None else [a and b for a, b in zip(on, own, strict=True)]
        self._on[name] = on
        return on

    def _nested(self, place: Place) -> bool:
        return bool(place.roster and self.index.within.get(place.roster))

    def _page_open(self, place: Place) -> list[bool] | None:
        page = place.page
        if page.id in self._open:
            return self._open[page.id]
        ready = self.states.page(place)
        found: list[bool] | None = None
        if ready is not None:
            level = "" if page.kind == "list" else place.roster
            found = self._results(ready, level)
            if level != place.roster:
                found = [found[number] for number, _ in self.rows(place.roster)]
        if place.draw:
            drawn = self._drawn(place.draw)
            found = drawn if found is None else [a and b for a, b in zip(found, drawn, strict=True)]
        self._open[page.id] = found
        return found

    def _results(self, ready: _Ready, level: str) -> list[Any]:
        """What an expression comes to, for each row of a level."""
        if ready.looks is None or (level and self.index.within.get(level)):
            run = ready.run
            return [run(self._walk(number), row, None) for number, row in self.rows(level)]
        seen: list[Iterable[Any]] = [self._seen(look, level) for look in ready.looks]
        if ready.today:
            days = self._today
            seen.append([days[number] for number, _ in self.rows(level)] if level else days)
        keys: Iterable[tuple[Any, ...]] = (
            zip(*seen, strict=True) if seen else repeat((), len(self.rows(level)))
        )
        return list(map(ready.__getitem__, keys))

    def _seen(self, look: _Look, level: str) -> list[Any]:
        column = self._reasons(look.question) if look.reason else self._effective(look.question)
        if level and not self._level(look.question):
            return [column[number] for number, _ in self.rows(level)]
        return column

    @cached_property
    def _today(self) -> list[int | None]:
        known: dict[str, int | None] = {}
        for one in self.gathered:
            if one.today not in known:
                known[one.today] = day_number(one.today)
        return [known[one.today] for one in self.gathered]

    def _effective(self, name: str) -> list[Scalar]:
        """What conditions see of a question: its answer as a scalar where it counts, else the blank."""
        found = self._scalars.get(name)
        if found is not None:
            return found
        asked, place, on = self.index.asked[name], self.index.places[name], self._asked(name)
        if asked.calculate is not None:
            found = self._calculated(asked, place)
        else:
            values = list(map(_VALUE, self._answered(name)))
            if _TEXTS.issuperset(map(type, values)):
                known = self.states.scalars.setdefault(asked.type, _Scalars(asked.type))
                found = list(map(known.__getitem__, values))
            else:
                found = [scalar(asked.type, value) for value in values]
        if on is not None:
            found = [one if here else None for one, here in zip(found, on, strict=True)]
        self._scalars[name] = found
        return found

    def _calculated(self, asked: Asked, place: Place) -> list[Scalar]:
        ready = self.states.calculation(asked.id)
        assert ready is not None  # every calculate has an expression
        if ready.looks is not None and not self._nested(place):
            return self._results(ready, place.roster)
        return [self._walk(number).of[row][asked.id] for number, row in self.rows(place.roster)]

    def _reasons(self, name: str) -> list[str | None]:
        """What `missing(${name})` sees."""
        found: list[str | None] = list(map(_MISSING, self._answered(name)))
        on = self._asked(name)
        if on is None:
            return found
        return [one if here else "not_applicable" for one, here in zip(found, on, strict=True)]


_NOT_ASKED = Answer(missing="not_asked")
_VALUE, _MISSING = attrgetter("value"), attrgetter("missing")
_TEXTS = {str, type(None)}


def _nodes(node: Node) -> Iterable[Node]:
    yield node
    for argument in node.arguments:
        yield from _nodes(argument)
