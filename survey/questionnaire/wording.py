"""Conditions in plain words, for paper, codebooks and reviewers: `${own_mobile} = 'yes'` is "12 là “Có”".

The words follow the typed tree, so they say what the engine does, conversions included. What has no short way of
saying stays as it was written, in ‹ ›: better a formula than half a truth.
"""

from __future__ import annotations

from collections.abc import Callable

from survey.questionnaire import conditions
from survey.questionnaire.codebook import MISSING
from survey.questionnaire.conditions import ConditionError, Node, Scope
from survey.questionnaire.index import Index

_SAY: dict[str, dict[str, str]] = {
    "vi": {
        "and": " và ", "or": " hoặc ", "is": "{0} là {1}", "is not": "{0} không là {1}", "has": "{0} có chọn {1}",
        "has not": "{0} không chọn {1}", "blank": "{0} không có trả lời", "not blank": "{0} có trả lời",
        "rows": "số người, mục trong “{0}”", "count": "số người, mục trong “{0}” mà {1}", "today": "hôm nay",
        "year": "năm của {0}", "selected": "số lựa chọn ở {0}", "quote": "“{0}”",
    },
    "en": {
        "and": " and ", "or": " or ", "is": "{0} is {1}", "is not": "{0} is not {1}", "has": "{0} includes {1}",
        "has not": "{0} does not include {1}", "blank": "{0} has no answer", "not blank": "{0} has an answer",
        "rows": "the number in “{0}”", "count": "the number in “{0}” for whom {1}", "today": "today",
        "year": "the year of {0}", "selected": "the number chosen at {0}", "quote": "“{0}”",
    },
}  # fmt: skip
_SIGNS = {"<": "<", "<=": "≤", "=": "=", "+": "+", "-": "−", "*": "×", "div": "÷"}


def in_words(known: Index, text: str, scope: Scope, language: str, refer: Callable[[str], str]) -> str:
    """The condition `text` in `language` (Vietnamese, or English for any other).

    `refer` names a question: its number on paper, its variable in a codebook. A condition that cannot be compiled is
    given back as it stands, in ‹ ›.
    """
    try:
        tree = conditions.compile(text, scope, "boolean")
    except ConditionError:
        return f"‹{text}›"
    said = _Words(known, _SAY.get(language, _SAY["en"]), language, refer).of(tree)
    return said if said is not None else f"‹{text}›"


class _Words:
    def __init__(self, known: Index, say: dict[str, str], language: str, refer: Callable[[str], str]) -> None:
        self.known, self.say, self.language, self.refer = known, say, language, refer

    def of(self, node: Node, inside: str = "") -> str | None:
        """The words of a tree, or None where a part has none; `inside` is the and/or around it."""
        match node.op:
            case "and" | "or":
                parts = [self.of(one, node.op) for one in _flat(node, node.op)]
                if any(part is None for part in parts):
                    return None
                said = self.say[node.op].join(part for part in parts if part)
                return f"({said})" if inside and inside != node.op else said
            case "not":
                return self._negated(node.arguments[0])
            case "same" | "=":
                return self._compared(node, "is")
            case "selected":
                return self._compared(node, "has")
            case "is-blank":
                return self._about("blank", node.arguments[0])
            case "known" | "nonzero":
                return self._about("not blank", node.arguments[0])
            case "<" | "<=":
                return self._ordered(node.op, *node.arguments)
        return self._value(node)

    def _negated(self, node: Node) -> str | None:
        match node.op:
            case "same" | "=":
                return self._compared(node, "is not")
            case "selected":
                return self._compared(node, "has not")
            case "is-blank":
                return self._about("not blank", node.arguments[0])
            case "not":
                return self.of(node.arguments[0])
        return None

    def _about(self, words: str, node: Node) -> str | None:
        said = self._value(node)
        return None if said is None else self.say[words].format(said)

    def _compared(self, node: Node, words: str) -> str | None:
        left, right = node.arguments
        if left.op in ("text", "number", "day") and words in ("is", "is not"):
            left, right = right, left
        first, second = self._value(left), self._value(right, of=left)
        return None if first is None or second is None else self.say[words].format(first, second)

    def _ordered(self, op: str, left: Node, right: Node) -> str | None:
        """The side that is written out stands last: "age ≥ 15", never "15 ≤ age"."""
        sign = _SIGNS[op]
        if left.op in ("number", "day"):
            left, right, sign = right, left, {"<": ">", "≤": "≥"}[sign]
        first, second = self._value(left), self._value(right)
        return None if first is None or second is None else f"{first} {sign} {second}"

    def _value(self, node: Node, of: Node | None = None) -> str | None:
        match node.op:
            case "answer":
                return self.refer(node.name)
            case "missing":
                return self.refer(node.name)
            case "number":
                return node.name
            case "text":
                return self._code(str(node.value), of)
            case "today":
                return self.say["today"]
            case "count":
                return self.say["rows"].format(self._roster(node.name))
            case "count-if":
                test = self.of(node.arguments[0])
                return None if test is None else self.say["count"].format(self._roster(node.name), test)
            case "count-selected":
                return self._about("selected", node.arguments[0])
            case "number-of-text" if node.arguments[0].op == "format-date" and node.arguments[0].name == "%Y":
                return self._about("year", node.arguments[0].arguments[0])
            case "text-of-codes" | "text-of-number" | "words" | "number-of-text":
                return self._value(node.arguments[0], of)
            case "+" | "-" | "*" | "div":
                first, second = (self._value(one) for one in node.arguments)
                return None if first is None or second is None else f"{first} {_SIGNS[node.op]} {second}"
        return None

    def _roster(self, name: str) -> str:
        label = self.known.rosters[name].label
        return label.get(self.language) or next(iter(label.values()), name)

    def _code(self, code: str, of: Node | None) -> str:
        """A code by the label it has at the question it is compared with; a missing state by its name."""
        while of is not None and of.op not in ("answer", "missing") and of.arguments:
            of = of.arguments[0]
        if of is not None and of.op == "missing" and code in MISSING:
            words = MISSING[code]
            return self.say["quote"].format(words.get(self.language) or words["en"])
        place = self.known.places.get(of.name) if of is not None and of.op == "answer" else None
        for choice in self.known.choices(place.question) if place else ():
            if choice.code == code:
                return self.say["quote"].format(choice.label.get(self.language) or code)
        return self.say["quote"].format(code)


def _flat(node: Node, op: str) -> list[Node]:
    """The parts of `a and b and c`, however they are nested."""
    return [part for one in node.arguments for part in (_flat(one, op) if one.op == op else [one])]
