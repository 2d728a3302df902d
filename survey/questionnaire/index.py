"""What stands where in a questionnaire, and its conditions typed and compiled once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from survey.questionnaire import conditions
from survey.questionnaire.conditions import ConditionError, Node, Run, Scope, Seen
from survey.questionnaire.model import Check, Choice, Draw, Page, Question, Questionnaire, Roster, Section
from survey.questionnaire.values import Type

TYPES: dict[str, Type] = {
    "integer": "number", "decimal": "number", "year": "number", "date": "date", "select_many": "codes", "rank": "codes",
    "acknowledge": "boolean",
}  # fmt: skip
"""Types of the kinds of question; the others are text, a calculate is what it computes."""


class Place(Struct, frozen=True):
    """A question with the page and section it stands on; `roster` is "" for the household, `draw` for "of" pages."""

    question: Question
    page: Page
    section: Section
    roster: str = ""
    draw: str = ""


class Names:
    """What every name of a questionnaire means, for typing its conditions. Nothing is compiled yet.

    With `tolerant`, a calculate that cannot be typed counts as a number, so that one mistake is reported once.
    """

    def __init__(self, questionnaire: Questionnaire, tolerant: bool = False) -> None:
        self.questionnaire = questionnaire
        self.tolerant = tolerant
        self.rosters: dict[str, Roster] = {roster.id: roster for roster in questionnaire.rosters}
        self.within: dict[str, str] = {roster.id: roster.within or "" for roster in questionnaire.rosters}
        self.draws: dict[str, Draw] = {draw.id: draw for draw in questionnaire.draws}
        self.pages: dict[str, Page] = {}
        self.sections: dict[str, Section] = {}  # page id → its section
        self.places: dict[str, Place] = {}
        self._types: dict[str, Type | None] = {}
        self._facts: dict[str, tuple[dict[str, str], ...]] = {}
        for section in questionnaire.sections:
            for page in section.pages:
                self.pages[page.id] = page
                self.sections[page.id] = section
                for question in page.questions:
                    self.places[question.id] = Place(
                        question, page, section, self.roster_of(page), page.of or ""
                    )

    def roster_of(self, page: Page) -> str:
        """The roster whose rows the page's questions are asked of, or ""."""
        if page.of:
            draw = self.draws.get(page.of)
            return draw.roster if draw else ""
        return page.roster or "" if page.kind == "list" else page.each or ""

    def roster_of_page(self, page: Page) -> str:
        """The roster for whose rows the page's own `when` is evaluated, or "": a list is asked for before its rows."""
        return page.each or "" if page.kind == "list" else self.roster_of(page)

    def choices(self, question: Question) -> tuple[Choice, ...]:
        """The options as written, whether at the question or in a shared list."""
        if isinstance(question.choices, str):
            return self.questionnaire.choices.get(question.choices, ())
        return question.choices

    def facts(self, question: Question) -> tuple[dict[str, str], ...]:
        """What a filter sees of each option, in order: the columns of its list, and its code as `name`."""
        kept = question.choices if isinstance(question.choices, str) else f".{question.id}"
        found = self._facts.get(kept)
        if found is None:
            options = self.choices(question)
            found = self._facts[kept] = tuple({"name": one.code, **one.facts} for one in options)
        return found

    def type_of(self, question: Question) -> Type:
        """The type of its answers in a condition. A calculate that depends on itself raises ConditionError."""
        if question.kind != "calculate":
            return TYPES.get(question.kind, "text")
        if question.id in self._types:
            known = self._types[question.id]
            if known is None:
                raise ConditionError(
                    f"“{question.id}” depends on itself", f"“{question.id}” phụ thuộc vào chính nó"
                )
            return known
        self._types[question.id] = None
        try:
            found = conditions.compile(question.calculate or "''", self.scope_at(question)).type
        except ConditionError:
            if not self.tolerant:
                raise
            found = "number"
        self._types[question.id] = "text" if found == "blank" else found
        return self._types[question.id] or "text"

    def seen(self, name: str) -> Seen | None:
        place = self.places.get(name)
        return Seen(self.type_of(place.question), place.roster, place.draw) if place else None

    def scope(self, roster: str = "") -> Scope:
        """Where expressions stand that are evaluated for the rows of `roster`, or for the household."""
        return Scope(question=self.seen, rosters=self.within, roster=roster)

    def scope_at(self, question: Question, current: bool = False, facts: bool = False) -> Scope:
        """Where a question's own expressions stand: its `when` and `calculate`, a check (`current`), a filter."""
        columns: Iterable[str] = ()
        if facts:
            columns = ("name", *{fact for choice in self.choices(question) for fact in choice.facts})
        return Scope(
            question=self.seen,
            rosters=self.within,
            roster=self.places[question.id].roster,
            current=self.type_of(question) if current else None,
            facts=frozenset(columns),
            calculate=question.id if question.kind == "calculate" else "",
        )

    def scope_of_filter(self, question: Question) -> Scope:
        """Where a filter stands: at a row that may be offered, or at the question with the columns of its options."""
        return self.scope(question.rows) if question.rows else self.scope_at(question, facts=True)


class Asked(Struct, frozen=True):
    """One question made ready: its type and its conditions as functions (None where there is none)."""

    question: Question
    id: str
    type: Type
    when: Run | None = None
    calculate: Run | None = None
    filter: Run | None = None
    checks: tuple[tuple[Check, Run], ...] = ()
    offered: tuple[tuple[str, Run], ...] = ()  # options that have a condition of their own
    shown: bool = True  # False for a calculate


class Index(Names):
    """A questionnaire ready to be walked. Conditions that mean nothing raise ConditionError when it is made."""

    def __init__(self, questionnaire: Questionnaire) -> None:
        super().__init__(questionnaire)
        self.asked: dict[str, Asked] = {}
        self.on: dict[str, tuple[Asked, ...]] = {}  # page id → its questions
        self.open: dict[str, Run | None] = {}  # page id → its `when`
        for page in self.pages.values():
            self.open[page.id] = self._run(page.when, self.scope(self.roster_of_page(page)))
            self.on[page.id] = tuple(self._ask(question) for question in page.questions)
        self.proxy = self._run(questionnaire.proxy, self.scope())
        self.eligible: dict[str, Run] = {
            draw.id: conditions.run(conditions.compile(draw.eligible, self.scope(draw.roster), "boolean"))
            for draw in questionnaire.draws
        }
        self.counts: dict[str, Run] = {
            roster.id: conditions.run(
                conditions.compile(roster.count, self.scope(roster.within or ""), "number")
            )
            for roster in questionnaire.rosters
            if roster.count is not None
        }

    def _run(self, text: str | None, scope: Scope) -> Run | None:
        return None if text is None else conditions.run(conditions.compile(text, scope, "boolean"))

    def _ask(self, question: Question) -> Asked:
        scope = self.scope_at(question)
        calculate: Node | None = None
        if question.kind == "calculate":
            calculate = conditions.compile(question.calculate or "''", scope)
        found = Asked(
            question=question,
            id=question.id,
            type=self.type_of(question),
            when=self._run(question.when, scope),
            calculate=conditions.run(calculate) if calculate else None,
            filter=self._run(question.filter, self.scope_of_filter(question)),
            checks=tuple(
                (check, conditions.run(conditions.compile(check.that, self.scope_at(question, current=True), "boolean")))
                for check in question.checks
            ),
            offered=tuple(
                (choice.code, conditions.run(conditions.compile(choice.when, scope, "boolean")))
                for choice in self.choices(question)
                if choice.when is not None
            ),
            shown=question.kind != "calculate",
        )  # fmt: skip
        self.asked[question.id] = found
        return found


@lru_cache(maxsize=1)
def _kept() -> dict[int, Index]:
    return {}


_KEPT = 8


def index(questionnaire: Questionnaire) -> Index:
    """The index of this very value; the last few are kept, because a server serves few versions at a time."""
    kept = _kept()
    found = kept.get(id(questionnaire))
    if found is None or found.questionnaire is not questionnaire:
        while len(kept) >= _KEPT:
            kept.pop(next(iter(kept)), None)
        found = kept[id(questionnaire)] = Index(questionnaire)
    return found


def specify_variable(question: str, code: str) -> str:
    """The name of the text variable that a "please specify" option opens."""
    return f"{question}.{code}"
