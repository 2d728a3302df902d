"""The grammar of conditions: the XPath subset that XLSForm authors write, read into a syntax tree and written back.

Nothing is guessed and nothing is evaluated here; what a tree means is `conditions`. An error says what is wrong and at
which character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TypeVar

from msgspec import Struct

T = TypeVar("T")


class ConditionError(Exception):
    """The expression cannot mean anything: `at` is the character where, counted from 0."""

    def __init__(self, problem: str, vietnamese: str, at: int = 0) -> None:
        self.problem, self.vietnamese, self.at = problem, vietnamese, at
        super().__init__(problem)


class Syntax(Struct, frozen=True):
    """One operation or function with its operands, or a leaf: "#number", "#text", "#answer" (`${q}`), "#fact" (a bare
    name: a column of the choice that a filter looks at), "#current" ("."), "#row" (".."); "#negate" is the minus sign.
    """

    op: str
    arguments: tuple[Syntax, ...] = ()
    said: str = ""
    at: int = 0


_TOKEN = re.compile(
    r"\s+|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<ref>\$\{[^}]*\})|(?P<row>\.\.)|(?P<dot>\.)"
    r"|(?P<op><=|>=|!=|=|<|>|\+|-|\*|\(|\)|,)"
    r"|(?P<name>(?:jr:)?[^\W\d][\w]*(?:-[^\W\d][\w]*)*)"
)
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_WORDS = ("and", "or", "div", "mod")
_DEEPEST = 60


def parse(text: str) -> Syntax:
    """The syntax tree of one expression, or ConditionError."""
    return _Reader(text).whole()


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.depth = 0

    def whole(self) -> Syntax:
        node = self._or()
        if self._token()[0] != "end":
            raise self._unexpected()
        return node

    def _or(self) -> Syntax:
        return self._left(self._and, (("name", "or"),))

    def _and(self) -> Syntax:
        return self._left(self._compare, (("name", "and"),))

    def _compare(self) -> Syntax:
        return self._left(self._sum, tuple(("op", sign) for sign in _COMPARISONS))

    def _sum(self) -> Syntax:
        return self._left(self._product, (("op", "+"), ("op", "-")))

    def _product(self) -> Syntax:
        return self._left(self._unary, (("op", "*"), ("name", "div"), ("name", "mod")))

    def _left(self, operand: Callable[[], Syntax], signs: tuple[tuple[str, str], ...]) -> Syntax:
        node = operand()
        while self._token()[:2] in signs:
            _, sign, at = self._next()
            node = Syntax(sign, (node, operand()), at=at)
        return node

    def _unary(self) -> Syntax:
        _, _, at = self._token()
        if self._take("op", "-"):
            return Syntax("#negate", (self._deeper(self._unary, at),), at=at)
        return self._leaf()

    def _leaf(self) -> Syntax:
        kind, text, at = self._next()
        match kind:
            case "number":
                return Syntax("#number", said=text, at=at)
            case "text":
                return Syntax("#text", said=unicodedata.normalize("NFC", text[1:-1]), at=at)
            case "ref":
                return Syntax("#answer", said=text[2:-1].strip(), at=at)
            case "dot":
                return Syntax("#current", at=at)
            case "row":
                return Syntax("#row", at=at)
            case "op" if text == "(":
                node = self._deeper(self._or, at)
                self._expect(")")
                return node
            case "name" if text not in _WORDS:
                if self._take("op", "("):
                    return Syntax(text, self._deeper(self._arguments, at), at=at)
                return Syntax("#fact", said=text, at=at)
        self.at -= kind != "end"
        raise self._unexpected()

    def _arguments(self) -> tuple[Syntax, ...]:
        if self._take("op", ")"):
            return ()
        arguments = [self._or()]
        while self._take("op", ","):
            arguments.append(self._or())
        self._expect(")")
        return tuple(arguments)

    def _deeper(self, read: Callable[[], T], at: int) -> T:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ConditionError("the expression is nested too deeply", "biểu thức lồng nhau quá sâu", at)
        found = read()
        self.depth -= 1
        return found

    def _token(self) -> tuple[str, str, int]:
        return self.tokens[self.at]

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
        hope, want = (f", expected “{wanted}”", f", cần “{wanted}”") if wanted else ("", "")
        if not text:
            return ConditionError(f"the expression breaks off{hope}", f"biểu thức còn dở{want}", at)
        return ConditionError(f"unexpected “{text}”{hope}", f"gặp “{text}” không đúng chỗ{want}", at)


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


def names(node: Syntax) -> Iterator[str]:
    """Every `${name}` in the expression: questions and rosters."""
    if node.op == "#answer":
        yield node.said
    for argument in node.arguments:
        yield from names(argument)


_RANK = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(_COMPARISONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "div": 5,
    "mod": 5,
    "#negate": 6,
}


def written(node: Syntax, rename: Callable[[str], str] = str) -> str:
    """The expression as text again; `rename` gives the name each `${name}` is to have. parse(written(x)) is x."""
    return _written(node, rename, 0)


def _written(node: Syntax, rename: Callable[[str], str], within: int) -> str:
    match node.op:
        case "#number" | "#fact":
            return node.said
        case "#text":
            quote = '"' if "'" in node.said else "'"
            return f"{quote}{node.said}{quote}"
        case "#answer":
            return f"${{{rename(node.said)}}}"
        case "#current":
            return "."
        case "#row":
            return ".."
    rank = _RANK.get(node.op)
    if rank is None:
        return f"{node.op}({', '.join(_written(one, rename, 0) for one in node.arguments)})"
    if node.op == "#negate":
        said = f"-{_written(node.arguments[0], rename, rank)}"
    else:
        left, right = node.arguments
        said = f"{_written(left, rename, rank)} {node.op} {_written(right, rename, rank + 1)}"
    return f"({said})" if rank < within else said


def same(one: Syntax, other: Syntax) -> bool:
    """Whether two trees are the same but for where they stood in their texts."""
    return (
        one.op == other.op
        and _value(one) == _value(other)
        and len(one.arguments) == len(other.arguments)
        and all(same(a, b) for a, b in zip(one.arguments, other.arguments, strict=True))
    )


def _value(node: Syntax) -> object:
    return Fraction(node.said) if node.op == "#number" else node.said
