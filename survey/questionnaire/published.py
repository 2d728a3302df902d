"""A questionnaire as the phone reads it: its shape, its conditions as typed trees, and what checks say.

Published in one language, without the words of questions: those stand in the pages (survey/web/booklet.py). What the
phone does with it is in static/js/routing.mjs and checks.mjs, which mean what `routing` and `checks` mean here: the
scenarios of tests/conformance hold the two together.

    {version, language, sections, rosters, draws, lists, proxy, labels, said}
    sections  [{id, minutes, pages: [{id, kind, when, roster, draw, each, of, questions}]}]
    questions [{id, kind, type, when, calculate, filter, checks, list | choices, opened, rows, column, optional, dk, rf,
              minimum, maximum, longest}], `type` left out for text, `checks` as [condition, words, 1 if soft],
              `opened`: option → its own condition
    choices   a code, or {code, exclusive, specify, facts, label}
    rosters   id → {name, minimum, maximum, within, count}; draws: id → {roster, eligible}; lists: name → choices
    labels    question → code → words, where a condition or a preload says them; said: finding → words

Conditions (`when`, `eligible`, `count`, `proxy` and so on) are trees as `conditions.to_json` writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from survey.questionnaire import conditions
from survey.questionnaire.checks import SAID
from survey.questionnaire.conditions import Node, Scope
from survey.questionnaire.index import Index, index
from survey.questionnaire.model import Check, Choice, Page, Question, Questionnaire, Section
from survey.questionnaire.response import Response
from survey.questionnaire.values import Type


def published(questionnaire: Questionnaire, language: str) -> dict[str, Any]:
    """Plain values for JSON; what is at its default is left out."""
    return _Published(index(questionnaire), language).all()


def written(response: Response) -> dict[str, Any]:
    """A response as `fold` of static/js/response.mjs goes on from it: answers by key, sets as sorted lists."""
    return _given(
        answers={str(key): msgspec.to_builtins(answer) for key, answer in response.answers.items()},
        rows={roster: list(rows) for roster, rows in response.rows.items()},
        locked=sorted(response.locked),
        drawn=dict(response.drawn),
        eligible=dict(response.eligible),
        done=sorted(response.done),
        submitted=response.submitted,
        language=response.language,
        version=response.version,
        today=response.today,
        mode=response.mode,
    )


class _Published:
    def __init__(self, known: Index, language: str) -> None:
        self.known, self.language = known, language
        self.labelled: set[str] = set()  # questions whose options are named by a condition

    def all(self) -> dict[str, Any]:
        questionnaire = self.known.questionnaire
        sections = [self._section(section) for section in questionnaire.sections]
        return _given(
            version=questionnaire.version,
            language=self.language,
            sections=sections,
            rosters={
                roster.id: _given(
                    name=roster.name,
                    minimum=roster.minimum,
                    maximum=roster.maximum,
                    within=roster.within or "",
                    count=self._tree(roster.count, self.known.scope(roster.within or ""), "number"),
                )
                for roster in questionnaire.rosters
            },
            draws={
                draw.id: {
                    "roster": draw.roster,
                    "eligible": self._tree(draw.eligible, self.known.scope(draw.roster), "boolean"),
                }
                for draw in questionnaire.draws
            },
            lists={name: [self._choice(choice) for choice in choices]
                   for name, choices in questionnaire.choices.items()},
            proxy=self._tree(questionnaire.proxy, self.known.scope(), "boolean"),
            labels={name: self._labels(name) for name in sorted(self.labelled)},
            said={code: words.get(self.language) or words["en"] for code, words in SAID.items()},
        )  # fmt: skip

    def _section(self, section: Section) -> dict[str, Any]:
        return {
            "id": section.id,
            "minutes": section.minutes,
            "pages": [self._page(page) for page in section.pages],
        }

    def _page(self, page: Page) -> dict[str, Any]:
        return _given(
            id=page.id,
            kind="" if page.kind == "questions" else page.kind,
            when=self._tree(page.when, self.known.scope(self.known.roster_of_page(page)), "boolean"),
            roster=page.roster or "",
            draw=page.draw or "",
            each=page.each or "",
            of=page.of or "",
            questions=[self._question(question) for question in page.questions],
        )

    def _question(self, question: Question) -> dict[str, Any]:
        scope = self.known.scope_at(question)
        kind = self.known.type_of(question)
        shared = question.choices if isinstance(question.choices, str) else ""
        if (
            question.kind == "preload" and question.choices
        ):  # no page shows its options to take the words from
            self.labelled.add(question.id)
        return _given(
            id=question.id,
            kind=question.kind,
            type="" if kind == "text" else kind,
            when=self._tree(question.when, scope, "boolean"),
            calculate=self._tree(question.calculate or "''", scope) if question.kind == "calculate" else None,
            filter=self._tree(question.filter, self.known.scope_of_filter(question), "boolean"),
            checks=[self._check(question, check) for check in question.checks],
            list=shared,
            choices=[] if shared else [self._choice(choice) for choice in self.known.choices(question)],
            opened={choice.code: self._tree(choice.when, scope, "boolean")
                    for choice in self.known.choices(question) if choice.when is not None},
            rows=question.rows or "",
            column=question.column or "",
            optional=not question.required,
            dk=question.dont_know,
            rf=question.refused,
            minimum=question.minimum,
            maximum=question.maximum,
            longest=question.max_length if question.max_length != 200 else None,
        )  # fmt: skip

    def _check(self, question: Question, check: Check) -> list[Any]:
        """[tree, what is said, 1 if soft]"""
        tree = self._tree(check.that, self.known.scope_at(question, current=True), "boolean")
        message = check.message.get(self.language) or next(iter(check.message.values()))
        return [tree, message, *([1] if check.severity == "soft" else [])]

    def _choice(self, choice: Choice) -> str | dict[str, Any]:
        """The code alone where that is all there is to it. Its own condition stands at the question: `opened`."""
        more = _given(exclusive=choice.exclusive, specify=choice.specify, facts=dict(choice.facts))
        if choice.exclusive:
            more["label"] = choice.label.get(self.language, choice.code)
        return {"code": choice.code, **more} if more else choice.code

    def _tree(self, text: str | None, scope: Scope, want: Type | None = None) -> list[Any] | None:
        if text is None:
            return None
        node = conditions.compile(text, scope, want)
        self.labelled |= {leaf.name for leaf in _leaves(node) if leaf.op == "label"}
        return conditions.to_json(node)

    def _labels(self, name: str) -> dict[str, str]:
        choices = self.known.choices(self.known.places[name].question)
        return {choice.code: choice.label.get(self.language, choice.code) for choice in choices}


def _given(**values: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in values.items()
        if value is not None and value is not False and value not in ("", [], {})  # 0 is a fact
    }


def _leaves(node: Node) -> Iterator[Node]:
    yield node
    for argument in node.arguments:
        yield from _leaves(argument)
