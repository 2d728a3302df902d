"""Conditions: the XPath subset that XLSForm authors write, as a small typed tree with one meaning.

The semantics are written down in docs/conditions.md, and this module is a direct reading of it: a comparison with a
blank is false (so `!=` with a blank is true), arithmetic with a blank is blank, and/or/not have two values, sums skip
blanks. Numbers are exact (integers and fractions, never binary floats), text is compared by code point after NFC,
dates are day numbers, and `today()` is what the response recorded, never the clock.

A missing answer (don't know, refused, not asked) is a blank here; which of them it was is asked with
`missing(${q}) = 'dont_know'`.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal, Protocol

Type = Literal["boolean", "number", "text", "date", "codes", "any"]
Scalar = bool | Fraction | str | frozenset[str] | None
"""What evaluating gives: None is the blank; a date is its day number (a Fraction); codes are the options chosen."""


class ConditionError(Exception):
    """The expression cannot mean anything: `at` is the character where, counted from 0."""

    def __init__(self, problem: str, vietnamese: str, at: int = 0) -> None:
        self.problem, self.vietnamese, self.at = problem, vietnamese, at
        super().__init__(problem)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operation: `op` with operands, or a leaf ("value", "answer", "current"). Each is itself only: its compiled
    form is kept by identity, because hashing whole trees would cost more than evaluating them."""

    op: str
    arguments: tuple[Node, ...] = ()
    value: Scalar = None
    name: str = ""
    type: Type = "any"


class Answers(Protocol):
    """What an expression may look at: answers by question seen from one row, the rows of a roster, the day."""

    def answer(self, question: str, row: str) -> Scalar: ...

    def missing(self, question: str, row: str) -> str: ...

    def rows(self, roster: str) -> tuple[str, ...]: ...

    def rows_of(self, question: str) -> tuple[str, ...]: ...

    def siblings(self, row: str) -> tuple[str, ...]: ...

    def today(self) -> int: ...


# --- reading -----------------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s+|(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<ref>\$\{[^}]*\})|(?P<dot>\.(?!\d))"
    r"|(?P<op><=|>=|!=|=|<|>|\+|-|\*|\(|\)|,)|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z][A-Za-z0-9_]*)*)"
)

# name: (fewest arguments, most, type of the result)
FUNCTIONS: dict[str, tuple[int, int, Type]] = {
    "selected": (2, 2, "boolean"),
    "not": (1, 1, "boolean"),
    "true": (0, 0, "boolean"),
    "false": (0, 0, "boolean"),
    "if": (3, 3, "any"),
    "coalesce": (2, 9, "any"),
    "once": (1, 1, "any"),
    "is-blank": (1, 1, "boolean"),
    "missing": (1, 1, "text"),
    "count-selected": (1, 1, "number"),
    "count": (1, 1, "number"),
    "count-if": (2, 2, "number"),
    "sum": (1, 1, "number"),
    "min": (1, 9, "number"),
    "max": (1, 9, "number"),
    "int": (1, 1, "number"),
    "round": (1, 2, "number"),
    "abs": (1, 1, "number"),
    "number": (1, 1, "number"),
    "string": (1, 1, "text"),
    "string-length": (1, 1, "number"),
    "contains": (2, 2, "boolean"),
    "starts-with": (2, 2, "boolean"),
    "ends-with": (2, 2, "boolean"),
    "concat": (1, 9, "text"),
    "regex": (2, 2, "boolean"),
    "today": (0, 0, "date"),
    "year": (1, 1, "number"),
    "date": (1, 1, "date"),
    "position": (0, 0, "number"),
}


def parse(text: str) -> Node:
    """The tree of one expression. Errors say what is wrong and where; nothing is guessed."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.at = 0

    def whole(self) -> Node:
        node = self._or()
        if self._kind() != "end":
            raise self._unexpected()
        return node

    def _or(self) -> Node:
        node = self._and()
        while self._take("name", "or"):
            node = Node("or", (node, self._and()), type="boolean")
        return node

    def _and(self) -> Node:
        node = self._compare()
        while self._take("name", "and"):
            node = Node("and", (node, self._compare()), type="boolean")
        return node

    def _compare(self) -> Node:
        node = self._sum()
        while self._kind() == "op" and self._token()[1] in ("=", "!=", "<", "<=", ">", ">="):
            operator = self._next()[1]
            node = Node(operator, (node, self._sum()), type="boolean")
        return node

    def _sum(self) -> Node:
        node = self._product()
        while self._kind() == "op" and self._token()[1] in "+-":
            operator = self._next()[1]
            node = Node(operator, (node, self._product()), type="number")
        return node

    def _product(self) -> Node:
        node = self._unary()
        while True:
            for operator in ("*", "div", "mod"):
                if self._take("op" if operator == "*" else "name", operator):
                    node = Node(operator, (node, self._unary()), type="number")
                    break
            else:
                return node

    def _unary(self) -> Node:
        if self._take("op", "-"):
            return Node("negate", (self._unary(),), type="number")
        return self._leaf()

    def _leaf(self) -> Node:
        kind, text, at = self._next()
        if kind == "number":
            return Node("value", value=Fraction(text), type="number")
        if kind == "text":
            return Node("value", value=unicodedata.normalize("NFC", text[1:-1]), type="text")
        if kind == "ref":
            return Node("answer", name=text[2:-1].strip())
        if kind == "dot":
            return Node("current")
        if kind == "op" and text == "(":
            node = self._or()
            self._expect(")")
            return node
        if kind == "name":
            return self._call(text, at)
        self.at -= 1
        raise self._unexpected()

    def _call(self, name: str, at: int) -> Node:
        if name not in FUNCTIONS:
            raise ConditionError(f"there is no function {name}()", f"không có hàm {name}()", at)
        self._expect("(")
        arguments: list[Node] = []
        if not self._take("op", ")"):
            arguments.append(self._or())
            while self._take("op", ","):
                arguments.append(self._or())
            self._expect(")")
        fewest, most, result = FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            raise ConditionError(
                f"{name}() takes {fewest} to {most} arguments, not {len(arguments)}",
                f"hàm {name}() nhận từ {fewest} đến {most} tham số, không phải {len(arguments)}",
                at,
            )
        return Node(name, tuple(arguments), type=result)

    def _token(self) -> tuple[str, str, int]:
        return self.tokens[self.at]

    def _kind(self) -> str:
        return self.tokens[self.at][0]

    def _next(self) -> tuple[str, str, int]:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def _take(self, kind: str, text: str) -> bool:
        if self._token()[:2] != (kind, text):
            return False
        self.at += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take("op", text):
            raise self._unexpected(text)

    def _unexpected(self, wanted: str = "") -> ConditionError:
        _, text, at = self._token()
        found, thay = (f"“{text}”", f"“{text}”") if text else ("the end", "hết biểu thức")
        hope, mong = (f", expected “{wanted}”", f", cần “{wanted}”") if wanted else ("", "")
        return ConditionError(f"unexpected {found}{hope}", f"gặp {thay} không đúng chỗ{mong}", at)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(f"cannot read “{text[at]}”", f"không đọc được ký tự “{text[at]}”", at)
        if match.lastgroup:
            yield match.lastgroup, match.group(), at
        at = match.end()
    yield "end", "", at


def names(node: Node) -> Iterator[str]:
    """Every question or roster that the expression mentions."""
    if node.op == "answer":
        yield node.name
    for argument in node.arguments:
        yield from names(argument)


# --- meaning -----------------------------------------------------------------------------------------------------


def evaluate(node: Node, answers: Answers, row: str = "", current: Scalar = None) -> Scalar:
    """The value of the expression seen from `row`; `current` is the answer that a check speaks of (".")."""
    return _compiled(node)(answers, row, current)


def holds(node: Node, answers: Answers, row: str = "", current: Scalar = None) -> bool:
    """Whether the condition is true: a blank, 0 and an empty text are not."""
    return truth(_compiled(node)(answers, row, current))


Run = Callable[[Answers, str, Scalar], Scalar]


@lru_cache(maxsize=8192)
def _compiled(node: Node) -> Run:
    """The tree as nested closures, so that the walk over the tree is paid once for each expression."""
    parts = tuple(_compiled(argument) for argument in node.arguments)
    match node.op:
        case "value":
            constant = node.value
            return lambda answers, row, current: constant
        case "answer":
            name = node.name
            return lambda answers, row, current: answers.answer(name, row)
        case "current":
            return lambda answers, row, current: current
        case "and":
            return lambda a, r, c: truth(parts[0](a, r, c)) and truth(parts[1](a, r, c))
        case "or":
            return lambda a, r, c: truth(parts[0](a, r, c)) or truth(parts[1](a, r, c))
        case "not":
            return lambda a, r, c: not truth(parts[0](a, r, c))
        case "if":
            return lambda a, r, c: parts[1](a, r, c) if truth(parts[0](a, r, c)) else parts[2](a, r, c)
        case "coalesce":
            return lambda a, r, c: next((v for v in (part(a, r, c) for part in parts) if not blank(v)), None)
        case "missing":
            asked = node.arguments[0].name
            return lambda a, r, c: a.missing(asked, r)
        case "count":
            roster = node.arguments[0].name
            return lambda a, r, c: Fraction(len(a.rows(roster)))
        case "count-if":
            roster = node.arguments[0].name
            return lambda a, r, c: Fraction(sum(truth(parts[1](a, other, c)) for other in a.rows(roster)))
        case "sum" | "min" | "max" if len(parts) == 1 and node.arguments[0].op == "answer":
            return _over_rows(node.op, node.arguments[0].name)
        case "today":
            return lambda a, r, c: Fraction(a.today())
        case "position":
            return lambda a, r, c: _position(a, r)
        case _:
            plain = OPERATIONS[node.op]
            return lambda a, r, c: plain(*[part(a, r, c) for part in parts])


def _over_rows(operation: str, question: str) -> Run:
    def run(answers: Answers, row: str, current: Scalar) -> Scalar:
        values = [number(answers.answer(question, other)) for other in answers.rows_of(question)]
        return _fold_numbers(operation, values)

    return run


def _position(answers: Answers, row: str) -> Scalar:
    rows = answers.siblings(row)
    return Fraction(rows.index(row) + 1) if row in rows else None


def _fold_numbers(operation: str, values: list[Fraction | None]) -> Fraction | None:
    known = [value for value in values if value is not None]
    if operation == "sum":
        return sum(known, Fraction(0))
    if not known:
        return None
    return min(known) if operation == "min" else max(known)


def blank(value: Scalar) -> bool:
    return value is None or value == "" or value == frozenset()


def truth(value: Scalar) -> bool:
    return not blank(value) and value is not False and value != 0


def number(value: Scalar) -> Fraction | None:
    """A number, or the number that a text or a boolean says; else blank."""
    if isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", value):
        return Fraction(value.strip())
    return None


def text(value: Scalar) -> str:
    """The text of a value: integers without a point, decimals shortest, codes joined by blanks, blank as ""."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return str(value.numerator)
        return f"{float(value):.10f}".rstrip("0")
    if isinstance(value, frozenset):
        return " ".join(sorted(value))
    return value


def _equal(left: Scalar, right: Scalar) -> bool:
    if left == "" or right == "":  # `${x} = ''` is how XLSForm asks for a blank
        return blank(left) and blank(right)
    if blank(left) or blank(right):
        return False
    if isinstance(left, Fraction) or isinstance(right, Fraction):
        one, other = number(left), number(right)
        return one is not None and one == other
    return text(left) == text(right)


def _ordered(compare: Callable[[Fraction, Fraction], bool]) -> Callable[[Scalar, Scalar], bool]:
    def run(left: Scalar, right: Scalar) -> bool:
        one, other = number(left), number(right)
        return one is not None and other is not None and compare(one, other)

    return run


def _arithmetic(
    compute: Callable[[Fraction, Fraction], Fraction | None],
) -> Callable[[Scalar, Scalar], Fraction | None]:
    def run(left: Scalar, right: Scalar) -> Fraction | None:
        one, other = number(left), number(right)
        return None if one is None or other is None else compute(one, other)

    return run


def _remainder(left: Fraction, right: Fraction) -> Fraction | None:
    if right == 0:
        return None
    return left - right * int(left / right)  # the sign of the dividend, as XPath's mod


def _round(value: Scalar, places: Scalar = Fraction(0)) -> Fraction | None:
    known, digits = number(value), number(places)
    if known is None or digits is None:
        return None
    scale = Fraction(10) ** int(digits)
    return Fraction((known * scale + Fraction(1, 2)).__floor__()) / scale  # half up, towards plus infinity


def _regex(value: Scalar, pattern: Scalar) -> bool:
    return not blank(value) and re.fullmatch(text(pattern), text(value)) is not None


def _date(value: Scalar) -> Fraction | None:
    day = day_number(text(value)) if isinstance(value, str) else None
    return value if isinstance(value, Fraction) else None if day is None else Fraction(day)


def _year(value: Scalar) -> Fraction | None:
    known = _date(value)
    return None if known is None else Fraction(datetime.date.fromordinal(int(known)).year)


def _selected(chosen: Scalar, code: Scalar) -> bool:
    return (
        text(code) in chosen if isinstance(chosen, frozenset) else not blank(chosen) and _equal(chosen, code)
    )


def _whole(value: Scalar) -> Fraction | None:
    known = number(value)
    return None if known is None else Fraction(int(known))


def _absolute(value: Scalar) -> Fraction | None:
    known = number(value)
    return None if known is None else abs(known)


def _negative(value: Scalar) -> Fraction | None:
    known = number(value)
    return None if known is None else -known


def _how_many(chosen: Scalar) -> Fraction:
    return Fraction(len(chosen) if isinstance(chosen, frozenset) else not blank(chosen))


OPERATIONS: dict[str, Callable[..., Scalar]] = {
    "=": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
    "+": _arithmetic(lambda a, b: a + b),
    "-": _arithmetic(lambda a, b: a - b),
    "*": _arithmetic(lambda a, b: a * b),
    "div": _arithmetic(lambda a, b: a / b if b else None),
    "mod": _arithmetic(_remainder),
    "negate": _negative,
    "selected": _selected,
    "true": lambda: True,
    "false": lambda: False,
    "once": lambda value: value,
    "is-blank": blank,
    "count-selected": _how_many,
    "sum": lambda *values: _fold_numbers("sum", [number(value) for value in values]),
    "min": lambda *values: _fold_numbers("min", [number(value) for value in values]),
    "max": lambda *values: _fold_numbers("max", [number(value) for value in values]),
    "int": _whole,
    "round": _round,
    "abs": _absolute,
    "number": number,
    "string": text,
    "string-length": lambda value: Fraction(len(text(value))),
    "contains": lambda value, part: text(part) in text(value),
    "starts-with": lambda value, part: text(value).startswith(text(part)),
    "ends-with": lambda value, part: text(value).endswith(text(part)),
    "concat": lambda *values: "".join(text(value) for value in values),
    "regex": _regex,
    "year": _year,
    "date": _date,
}


def day_number(iso: str) -> int | None:
    """The proleptic Gregorian ordinal of "YYYY-MM-DD", or None."""
    try:
        return datetime.date.fromisoformat(iso).toordinal()
    except ValueError:
        return None


def to_json(node: Node) -> list[object]:
    """The tree as the phone's interpreter reads it: [op, argument...]; leaves are ["value", v] and ["answer", name]."""
    if node.op == "value":
        value = node.value
        if isinstance(value, Fraction):
            return ["value", [value.numerator, value.denominator]]
        return ["value", value if not isinstance(value, frozenset) else sorted(value)]
    if node.op == "answer":
        return ["answer", node.name]
    return [node.op, *(to_json(argument) for argument in node.arguments)]


def from_mapping(values: Mapping[str, Scalar], today: str = "2026-01-01") -> Answers:
    """Answers outside rosters, for trying an expression by itself."""
    return _Flat(values, day_number(today) or 1)


@dataclass(frozen=True)
class _Flat:
    values: Mapping[str, Scalar]
    day: int

    def answer(self, question: str, row: str) -> Scalar:
        return self.values.get(question)

    def missing(self, question: str, row: str) -> str:
        return ""

    def rows(self, roster: str) -> tuple[str, ...]:
        return ()

    def rows_of(self, question: str) -> tuple[str, ...]:
        return ("",)

    def siblings(self, row: str) -> tuple[str, ...]:
        return ()

    def today(self) -> int:
        return self.day
