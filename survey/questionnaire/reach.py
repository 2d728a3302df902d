"""Pages and questions that nobody can ever be asked: conditions that no answers make true.

Decided by trying: every question that a condition compares with something written out has few values that matter (each
code, or the numbers beside each number it is compared with, or no answer). What cannot be decided so, because too many
questions take part or something is computed, counts as reachable.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise, product
from typing import cast

from survey.questionnaire import conditions
from survey.questionnaire.conditions import ConditionError, Node, View
from survey.questionnaire.index import Names
from survey.questionnaire.model import Question
from survey.questionnaire.values import Scalar, exact, number_of

MOST = 4_000  # values that are tried
_LOGIC = ("and", "or", "not", "boolean", "known", "nonzero")
_COMPARED = ("=", "<", "<=", "same", "selected", "is-blank")


def never(known: Names, texts: Sequence[str | None], roster: str) -> bool:
    """Whether these conditions, all together, can be true for nobody."""
    try:
        trees = [
            conditions.compile(text, known.scope(roster), "boolean") for text in texts if text is not None
        ]
    except ConditionError:
        return False
    if not trees or not all(_simple(tree) for tree in trees):
        return False
    # An answer given at all was asked for: the conditions of the questions themselves hold too, as far as they are
    # simple, and those of the questions that these look at.
    asked: dict[str, list[Node]] = {}
    waiting = [leaf.name for tree in trees for leaf in _answers(tree)]
    while waiting:
        name = waiting.pop()
        if name not in asked:
            if 2 ** len(asked) >= MOST:  # too many to try
                return False
            asked[name] = _own(known, name, roster)
            waiting += [leaf.name for tree in asked[name] for leaf in _answers(tree)]
    names = list(asked)
    everything = [*trees, *(tree for nodes in asked.values() for tree in nodes)]
    domains = [_values(known.places[name].question, known, name, everything) for name in names]
    row = {"": "", **{name: "1.1" if within else "1" for name, within in known.within.items()}}[roster]
    must = [({leaf.name for leaf in _answers(tree)}, "", tree) for tree in trees]
    must += [
        ({name, *(leaf.name for leaf in _answers(tree))}, name, tree)
        for name in names
        for tree in asked[name]
    ]
    # Each condition is tried as soon as everything it looks at has a value.
    due: list[list[tuple[str, Node]]] = [[] for _ in names]
    for looks, name, tree in must:
        if not looks:
            if not conditions.holds(tree, cast(View, Given({})), row):
                return True
            continue
        due[max(map(names.index, looks))].append((name, tree))
    return _search(Given(dict.fromkeys(names)), names, domains, due, row) is False


class Given:
    """Answers that are the same whichever row they are looked for in: all that a simple condition looks at."""

    def __init__(self, answers: dict[str, Scalar]) -> None:
        self.answers, self.tried = answers, 0
        self.of: Mapping[str, Mapping[str, Scalar]] = defaultdict(lambda: answers)

    def drawn(self, draw: str) -> str:
        return "1"


def _search(
    given: Given, names: list[str], domains: list[list[Scalar]], due: list[list[tuple[str, Node]]], row: str, at: int = 0
) -> bool | None:  # fmt: skip
    """Whether some answers make everything hold; None when too many would have to be tried."""
    if at == len(names):
        return True
    for value in reversed(domains[at]):
        given.tried += 1
        if given.tried > MOST:
            return None
        given.answers[names[at]] = value
        if all(
            (name and given.answers[name] is None) or conditions.holds(tree, cast(View, given), row)
            for name, tree in due[at]
        ):
            found = _search(given, names, domains, due, row, at + 1)
            if found is not False:
                return found
    return False


def _own(known: Names, name: str, roster: str) -> list[Node]:
    """When a question is asked, where that is simple and stands at the same rows."""
    place = known.places[name]
    if place.roster not in ("", roster):
        return []
    found = []
    for text in (place.page.when, place.question.when):
        try:
            tree = conditions.compile(text, known.scope(place.roster), "boolean") if text else None
        except ConditionError:
            tree = None
        if tree is not None and _simple(tree):
            found.append(tree)
    return found


def _simple(node: Node) -> bool:
    """Made of comparisons of single answers with what is written out, joined by and, or, not."""
    if node.op in _LOGIC:
        return all(_simple(one) or _leaf(one) for one in node.arguments)
    asked = sum(1 for _ in _answers(node))
    return node.op in _COMPARED and asked <= 1 and all(_leaf(one) for one in node.arguments)


def _leaf(node: Node) -> bool:
    if node.op == "words":
        return _leaf(node.arguments[0])
    return node.op in ("answer", "text", "number", "day", "blank", "boolean")


def _answers(node: Node) -> Iterator[Node]:
    if node.op == "answer":
        yield node
    for argument in node.arguments:
        yield from _answers(argument)


def _values(question: Question, known: Names, name: str, trees: Sequence[Node]) -> list[Scalar]:
    """Values of which every comparison in the trees is decided as by some real answer; None is no answer."""
    choices = [choice.code for choice in known.choices(question)]
    kind = known.type_of(question)
    if kind == "boolean":
        return [None, True, False]
    if kind == "codes":
        written = [
            code for code in choices if any(code == leaf.value for tree in trees for leaf in _within(tree))
        ]
        if len(written) > 8:
            return [None] * (MOST + 1)
        others = next(((code,) for code in choices if code not in written), None)
        some = [
            tuple(c for c, taken in zip(written, held, strict=True) if taken)
            for held in product((0, 1), repeat=len(written))
        ]
        return [None, *(codes for codes in some if codes), *([others] if others else [])]
    if kind in ("number", "date"):
        return [None, *_numbers(question, trees)]
    if choices:
        return [None, *choices]
    texts = {str(leaf.value) for tree in trees for leaf in _within(tree) if leaf.op == "text"}
    return [None, *sorted(texts), "\N{OBJECT REPLACEMENT CHARACTER}"]


def _numbers(question: Question, trees: Sequence[Node]) -> list[Scalar]:
    """Each number written in the trees, one between each two, and one beyond each end; within the question's limits."""
    marks = {Fraction(number) for tree in trees for leaf in _within(tree) if leaf.op == "number"
             and (number := number_of(leaf.name)) is not None}  # fmt: skip
    marks |= {Fraction(int(leaf.value or 0)) for tree in trees for leaf in _within(tree) if leaf.op == "day"}
    limits = [Fraction(str(limit)) for limit in (question.minimum, question.maximum) if limit is not None]
    ordered = sorted({*marks, *limits, Fraction(0)})
    between = [(one + other) / 2 for one, other in pairwise(ordered)]
    if question.kind in ("integer", "year"):
        between = [Fraction(math.floor(one)) for one in between] + [
            Fraction(math.ceil(one)) for one in between
        ]
        between += [one + step for one in ordered for step in (-1, 1)]
    found = sorted({*ordered, *between, ordered[0] - 1, ordered[-1] + 1})
    low = Fraction(str(question.minimum)) if question.minimum is not None else found[0]
    high = Fraction(str(question.maximum)) if question.maximum is not None else found[-1]
    return [exact(one) for one in found if low <= one <= high]


def _within(node: Node) -> Iterator[Node]:
    yield node
    for argument in node.arguments:
        yield from _within(argument)
