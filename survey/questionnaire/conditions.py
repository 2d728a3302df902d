"""Conditions: one written meaning (docs/conditions.md), a typed tree, and the interpreter that reads it directly.

Text is parsed (`grammar`) and typed here against the questionnaire (`compile`): every conversion that an author leaves
unsaid becomes an operation of the tree, so that nothing is coerced at run time. The same tree as JSON (`to_json`) is
read by static/js/conditions.mjs on the phone, and shared vectors hold the two to one meaning.

A comparison with a blank is false (so `!=` with a blank is true), arithmetic with a blank is blank, and/or/not have two
values, sums skip blanks. Don't know, refused and not asked are blanks here; which of them it was is asked with
`missing(${q}) = 'dont_know'`.
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from survey.questionnaire import patterns, values
from survey.questionnaire.grammar import ConditionError, Syntax, names, parse, written
from survey.questionnaire.values import Number, Scalar, Type, day_number

__all__ = ["ConditionError", "Node", "Scope", "Seen", "State", "Syntax", "Type", "View", "compile", "evaluate",
           "from_json", "holds", "names", "parse", "to_json", "written"]  # fmt: skip


class Node(Struct, frozen=True):
    """One typed operation. `name` is a question, roster, draw or text parameter; `scope` says which row is meant:
    "" the household, "." this row, ".." the row that holds it, "@draw" the row drawn."""

    op: str
    type: Type
    arguments: tuple[Node, ...] = ()
    name: str = ""
    scope: str = ""
    value: bool | int | str | None = None


class Seen(Struct, frozen=True):
    """What an expression sees of a question: its type and of which roster's rows, or which drawn row, it is asked."""

    type: Type
    roster: str = ""
    draw: str = ""


class Scope(Struct, frozen=True):
    """Where an expression stands: what names mean there.

    `question` looks a question up (None when there is none); `rosters` maps each roster to the one that holds it, or
    "". `roster` is the roster whose rows the expression is evaluated for, `current` the type of ".", `facts` the
    columns of the choice that a filter looks at, `calculate` the calculated question it defines, if any.
    """

    question: Callable[[str], Seen | None]
    rosters: Mapping[str, str] = {}
    roster: str = ""
    current: Type | None = None
    facts: frozenset[str] = frozenset()
    calculate: str = ""


class View(Protocol):
    """What evaluating looks at. Nothing here changes, and nothing is a clock."""

    @property
    def today(self) -> int | None: ...

    @property
    def of(self) -> Mapping[str, Mapping[str, Scalar]]:
        """The answers that count, by row ("" is the household) and question; no look-up of a known question fails."""

    def rows(self, roster: str, under: str) -> Sequence[str]:
        """The rows of a roster in order; with `under`, those held by the row that `under` is or belongs to."""

    def drawn(self, draw: str) -> str: ...

    def reason(self, question: str, row: str) -> str | None:
        """Why there is no value (a missing state), or None when there is one."""

    def label(self, question: str, code: str) -> str | None: ...

    def chance(self, question: str, row: str) -> Fraction:
        """The number in [0, 1) that belongs to this response, calculated question and row."""


# --- typing --------------------------------------------------------------------------------------------------------


def compile(expression: str | Syntax, scope: Scope, want: Type | None = None) -> Node:
    """The typed tree of an expression, converted to type `want` if given. Raises ConditionError."""
    syntax = parse(expression) if isinstance(expression, str) else expression
    node = _Typing(scope).node(syntax)
    return node if want is None else _converted(node, want, syntax.at)


_NUMBERS: dict[str, int] = {"+": 2, "-": 2, "*": 2, "div": 2, "mod": 2, "abs": 1, "int": 1}
_TEXTS: dict[str, tuple[int, Type]] = {
    "contains": (2, "boolean"), "starts-with": (2, "boolean"), "ends-with": (2, "boolean"), "string-length": (1, "number"),
    "substring-before": (2, "text"), "substring-after": (2, "text"), "normalize-space": (1, "text"),
}  # fmt: skip
_UNSUPPORTED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("sqrt", "log", "log10", "exp", "exp10", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "pi"),
        ("{}() is not supported: numbers are exact here, and its results are not",
         "chưa hỗ trợ {}(): số ở đây luôn chính xác, kết quả của hàm này thì không"),
    ),
    **dict.fromkeys(
        ("pulldata", "instance", "current", "version", "digest", "base64-decode", "extract-signed"),
        ("{}() is not supported: a condition looks at answers, not at files",
         "chưa hỗ trợ {}(): điều kiện chỉ xem câu trả lời, không xem tệp"),
    ),
    **dict.fromkeys(
        ("area", "distance", "geofence", "intersects"),
        ("{}() is not supported: places are kept, not measured", "chưa hỗ trợ {}(): vị trí được lưu, không đo đạc"),
    ),
    **dict.fromkeys(
        ("decimal-time", "format-date-time"),
        ("{}() is not supported: there is no clock in a condition, only today()",
         "chưa hỗ trợ {}(): điều kiện không xem giờ, chỉ có today()"),
    ),
    **dict.fromkeys(
        ("randomize", "uuid"),
        ("{}() is not supported: rows have ids of their own, and a person is drawn by a draw",
         "chưa hỗ trợ {}(): dòng có mã riêng, còn chọn người thì dùng draw"),
    ),
    **dict.fromkeys(
        ("checklist", "weighted-checklist", "translate"),
        ("{}() is not supported", "chưa hỗ trợ {}()"),
    ),
}  # fmt: skip
"""Functions of XLSForm that are refused by name (the others are read, or nobody knows them)."""
_AGGREGATES = ("sum", "min", "max", "count-non-empty", "join")
_FLIPPED = {">": "<", ">=": "<="}


class _Typing:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def node(self, said: Syntax) -> Node:
        match said.op:
            case "#number":
                found = values.number_of(said.said)
                return Node("number", "number", name=values.text_of(found if found is not None else 0))
            case "#text":
                return Node("text", "text", value=said.said) if said.said else Node("blank", "blank")
            case "#answer":
                return self._answer(said)
            case "#current":
                if self.scope.current is None:
                    raise ConditionError("“.” has no meaning here", "“.” không có nghĩa ở đây", said.at)
                return Node("current", self.scope.current)
            case "#fact":
                if said.said not in self.scope.facts:
                    raise ConditionError(
                        f"“{said.said}” is no function and no column of the choices (a question is written ${{…}})",
                        f"“{said.said}” không phải hàm hay cột của lựa chọn (câu hỏi viết là ${{…}})",
                        said.at,
                    )
                return Node("fact", "text", name=said.said)
            case "#row":
                raise ConditionError("“..” has no meaning here", "“..” không có nghĩa ở đây", said.at)
            case "and" | "or":
                return Node(said.op, "boolean", self._all(said, "boolean"))
            case "=" | "!=" | "<" | "<=" | ">" | ">=":
                return self._comparison(said)
            case "+" | "-":
                return self._sum(said)
            case "#negate":
                return Node("negate", "number", self._all(said, "number"))
            case op if op in _NUMBERS:
                self._count(said, _NUMBERS[op])
                return Node(op, "number", self._all(said, "number"))
            case op if op in _TEXTS:
                count, result = _TEXTS[op]
                self._count(said, count)
                return Node(op, result, self._all(said, "text"))
            case _:
                return self._call(said)

    def _call(self, said: Syntax) -> Node:
        known = getattr(self, "_fn_" + said.op.replace("-", "_").replace(":", "_"), None)
        if said.op in _AGGREGATES:
            return self._aggregate(said)
        if known is None:
            english, vietnamese = _UNSUPPORTED.get(
                said.op, ("there is no function {}()", "không có hàm {}()")
            )
            raise ConditionError(english.format(said.op), vietnamese.format(said.op), said.at)
        found: Node = known(said)
        return found

    def _count(self, said: Syntax, fewest: int, most: int | None = None) -> None:
        given, most = len(said.arguments), fewest if most is None else most
        if not fewest <= given <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            muon = str(fewest) if fewest == most else f"{fewest} đến {most}"
            raise ConditionError(
                f"{said.op}() takes {wanted} arguments, not {given}",
                f"hàm {said.op}() nhận {muon} tham số, không phải {given}",
                said.at,
            )

    def _all(self, said: Syntax, kind: Type) -> tuple[Node, ...]:
        return tuple(self._as(one, kind) for one in said.arguments)

    def _as(self, said: Syntax, kind: Type) -> Node:
        return _converted(self.node(said), kind, said.at)

    # names

    def _seen(self, name: str, at: int) -> Seen:
        seen = self.scope.question(name)
        if seen is None:
            if name in self.scope.rosters:
                raise ConditionError(f"“{name}” is a roster: count(${{{name}}}) says how many rows it has",
                                     f"“{name}” là một danh sách: count(${{{name}}}) cho biết số dòng", at)  # fmt: skip
            raise ConditionError(f"there is no question “{name}”", f"không có câu hỏi “{name}”", at)
        return seen

    def _where(self, name: str, at: int) -> tuple[Seen, str]:
        """The question and the scope in which it is found from here."""
        seen, here = self._seen(name, at), self.scope.roster
        if seen.draw:
            return seen, f"@{seen.draw}"
        if not seen.roster or seen.roster == here:
            return seen, "." if seen.roster else ""
        if here and self.scope.rosters.get(here) == seen.roster:
            return seen, ".."
        raise ConditionError(
            f"“{name}” has an answer for each row of “{seen.roster}”: say which with sum(), count-if(), join() or "
            "indexed-repeat()",
            f"“{name}” có câu trả lời cho từng dòng của “{seen.roster}”: dùng sum(), count-if(), join() hoặc "
            "indexed-repeat()",
            at,
        )

    def _answer(self, said: Syntax) -> Node:
        seen, scope = self._where(said.said, said.at)
        return Node("answer", seen.type, name=said.said, scope=scope)

    def _roster(self, said: Syntax) -> str:
        """The roster that an argument names, itself or by one of its questions."""
        if said.op == "#answer":
            if said.said in self.scope.rosters:
                return said.said
            seen = self._seen(said.said, said.at)
            if seen.roster:
                return seen.roster
        raise ConditionError("this needs a roster: ${roster}", "chỗ này cần một danh sách: ${…}", said.at)

    def _under(self, roster: str) -> str:
        """ "." when only the rows held by this row are meant, "" when all are."""
        parent, here = self.scope.rosters.get(roster, ""), self.scope.roster
        return "." if parent and here in (roster, parent) else ""

    def _inside(self, roster: str) -> _Typing:
        return _Typing(msgspec.structs.replace(self.scope, roster=roster))

    def _listed(self, said: Syntax) -> Node | None:
        """The answers of every row, where an argument names a question of a roster; else None."""
        if said.op != "#answer" or said.said in self.scope.rosters:
            return None
        seen = self._seen(said.said, said.at)
        if not seen.roster or seen.draw:
            return None
        inner = Node("answer", seen.type, name=said.said, scope=".")
        return Node("each", seen.type, (inner,), name=seen.roster, scope=self._under(seen.roster))

    # operations

    def _comparison(self, said: Syntax) -> Node:
        left, right = (self.node(one) for one in said.arguments)
        op = said.op
        if op in ("=", "!="):
            found = self._equal(left, right, said)
            return found if op == "=" else Node("not", "boolean", (found,))
        if left.type == "blank" or right.type == "blank":
            raise ConditionError(f"“{op}” with an empty text is never true", f"“{op}” với chữ rỗng không bao giờ đúng", said.at)  # fmt: skip
        kind: Type = "date" if "date" in (left.type, right.type) and not {"number", "boolean"} & {left.type, right.type} else "number"  # fmt: skip
        pair = (_converted(left, kind, said.at), _converted(right, kind, said.at))
        return Node(_FLIPPED.get(op, op), "boolean", pair[::-1] if op in _FLIPPED else pair)

    def _equal(self, left: Node, right: Node, said: Syntax) -> Node:
        if left.type == "blank" or right.type == "blank":
            other = right if left.type == "blank" else left
            return Node("is-blank", "boolean", (other,))
        kinds = {left.type, right.type}
        for kind in ("boolean", "number", "date"):
            if kind in kinds:
                pair = tuple(_converted(one, kind, said.at) for one in (left, right))
                return Node("same" if kind == "boolean" else "=", "boolean", pair)
        return Node("same", "boolean", tuple(_converted(one, "text", said.at) for one in (left, right)))

    def _sum(self, said: Syntax) -> Node:
        left, right = (self.node(one) for one in said.arguments)
        dates = [one.type == "date" for one in (left, right)]
        if all(dates) and said.op == "+":
            raise ConditionError("two dates cannot be added", "không cộng được hai ngày", said.at)
        result: Type = (
            "date" if any(dates) and not all(dates) and not (dates[1] and said.op == "-") else "number"
        )
        pair = (_converted(left, "number", said.at), _converted(right, "number", said.at))
        return Node(said.op, result, pair)

    def _aggregate(self, said: Syntax) -> Node:
        arguments = said.arguments
        separator: tuple[Node, ...] = ()
        if said.op == "join":
            self._count(said, 2, 99)
            separator, arguments = (self._as(arguments[0], "text"),), arguments[1:]
        else:
            self._count(said, 1, 99)
        kind: Type = "text" if said.op in ("join", "count-non-empty") else "number"
        parts = []
        for one in arguments:
            listed = self._listed(one)
            if listed is not None and listed.type == "date" and kind == "number" and said.op != "sum":
                kind = "date"
            if listed is None:
                node = self.node(one)
                kind = "date" if node.type == "date" and said.op in ("min", "max") else kind
                parts.append(_converted(node, kind, one.at))
            else:
                inner = _converted(listed.arguments[0], kind, one.at)
                parts.append(msgspec.structs.replace(listed, type=kind, arguments=(inner,)))
        result: Type = "number" if said.op == "count-non-empty" else kind
        return Node(said.op, result, separator + tuple(parts))

    def _fn_not(self, said: Syntax) -> Node:
        self._count(said, 1)
        return Node("not", "boolean", self._all(said, "boolean"))

    def _fn_boolean(self, said: Syntax) -> Node:
        self._count(said, 1)
        return self._as(said.arguments[0], "boolean")

    def _fn_true(self, said: Syntax) -> Node:
        self._count(said, 0)
        return Node("boolean", "boolean", value=said.op == "true")

    _fn_false = _fn_true

    def _fn_if(self, said: Syntax) -> Node:
        self._count(said, 3)
        test = self._as(said.arguments[0], "boolean")
        return self._unified("if", (test,), said.arguments[1:], said)

    def _fn_coalesce(self, said: Syntax) -> Node:
        self._count(said, 2, 99)
        return self._unified("coalesce", (), said.arguments, said)

    def _unified(self, op: str, first: tuple[Node, ...], rest: Sequence[Syntax], said: Syntax) -> Node:
        """Branches made one type: the one they share; of two, the one that loses nothing (in the end, text)."""
        nodes = [self.node(one) for one in rest]
        kinds = {node.type for node in nodes} - {"blank"}
        if len(kinds) > 1:
            kinds = {"number"} if kinds == {"boolean", "number"} else {"text"}
        kind: Type = kinds.pop() if kinds else "text"
        return Node(op, kind, first + tuple(_converted(node, kind, said.at) for node in nodes))

    def _fn_once(self, said: Syntax) -> Node:
        self._count(said, 1)
        return self.node(said.arguments[0])

    def _fn_is_blank(self, said: Syntax) -> Node:
        self._count(said, 1)
        return Node("is-blank", "boolean", (self.node(said.arguments[0]),))

    def _fn_missing(self, said: Syntax) -> Node:
        self._count(said, 1)
        if said.arguments[0].op != "#answer":
            raise ConditionError("missing() asks about a question: missing(${…})", "missing() hỏi về một câu: missing(${…})", said.at)  # fmt: skip
        asked = self._answer(said.arguments[0])
        return Node("missing", "text", name=asked.name, scope=asked.scope)

    def _fn_selected(self, said: Syntax) -> Node:
        self._count(said, 2)
        return Node(
            "selected", "boolean", (self._as(said.arguments[0], "codes"), self._as(said.arguments[1], "text"))
        )

    def _fn_count_selected(self, said: Syntax) -> Node:
        self._count(said, 1)
        return Node("count-selected", "number", self._all(said, "codes"))

    def _fn_selected_at(self, said: Syntax) -> Node:
        self._count(said, 2)
        return Node("selected-at", "text", (self._as(said.arguments[0], "codes"), self._as(said.arguments[1], "number")))  # fmt: skip

    def _fn_count(self, said: Syntax) -> Node:
        self._count(said, 1)
        roster = self._roster(said.arguments[0])
        return Node("count", "number", name=roster, scope=self._under(roster))

    def _fn_count_if(self, said: Syntax) -> Node:
        self._count(said, 2)
        roster = self._roster(said.arguments[0])
        test = self._inside(roster)._as(said.arguments[1], "boolean")
        return Node("count-if", "number", (test,), name=roster, scope=self._under(roster))

    def _fn_indexed_repeat(self, said: Syntax) -> Node:
        self._count(said, 3)
        listed = self._listed(said.arguments[0])
        if listed is None or self._roster(said.arguments[1]) != listed.name:
            raise ConditionError("indexed-repeat() takes a question of the roster that follows it",
                                 "indexed-repeat() nhận một câu hỏi của danh sách viết sau nó", said.at)  # fmt: skip
        place = self._as(said.arguments[2], "number")
        return Node("at", listed.type, (place, listed.arguments[0]), name=listed.name, scope=listed.scope)

    def _fn_position(self, said: Syntax) -> Node:
        self._count(said, 0, 1)
        if not self.scope.roster or (said.arguments and said.arguments[0].op != "#row"):
            raise ConditionError("position() is known only for a row of a roster",
                                 "position() chỉ có nghĩa với một dòng của danh sách", said.at)  # fmt: skip
        return Node("position", "number", name=self.scope.roster, scope=self._under(self.scope.roster))

    def _fn_round(self, said: Syntax) -> Node:
        self._count(said, 1, 2)
        places = self._literal(said.arguments[1], -15, 15) if len(said.arguments) == 2 else 0
        return Node("round", "number", (self._as(said.arguments[0], "number"),), value=places)

    def _fn_pow(self, said: Syntax) -> Node:
        self._count(said, 2)
        power = self._literal(said.arguments[1], 0, 99)
        return Node("pow", "number", (self._as(said.arguments[0], "number"),), value=power)

    def _literal(self, said: Syntax, low: int, high: int) -> int:
        negative = said.op == "#negate"
        leaf = said.arguments[0] if negative else said
        if leaf.op == "#number" and leaf.said.isdigit() and low <= (-int(leaf.said) if negative else int(leaf.said)) <= high:  # fmt: skip
            return -int(leaf.said) if negative else int(leaf.said)
        raise ConditionError(f"write a whole number from {low} to {high} here", f"chỗ này viết số nguyên từ {low} đến {high}", said.at)  # fmt: skip

    def _fn_number(self, said: Syntax) -> Node:
        self._count(said, 1)
        return self._as(said.arguments[0], "number")

    def _fn_decimal_date_time(self, said: Syntax) -> Node:
        """The number of a day; a text is read as one."""
        self._count(said, 1)
        node = self.node(said.arguments[0])
        day = (
            node
            if node.type in ("number", "date", "blank")
            else _converted(node, "date", said.arguments[0].at)
        )
        return _converted(day, "number", said.at)

    def _fn_string(self, said: Syntax) -> Node:
        self._count(said, 1)
        return self._as(said.arguments[0], "text")

    def _fn_concat(self, said: Syntax) -> Node:
        self._count(said, 1, 99)
        return Node("concat", "text", self._all(said, "text"))

    def _fn_substr(self, said: Syntax) -> Node:
        self._count(said, 2, 3)
        places = tuple(self._as(one, "number") for one in said.arguments[1:])
        return Node("substr", "text", (self._as(said.arguments[0], "text"), *places))

    def _fn_regex(self, said: Syntax) -> Node:
        self._count(said, 2)
        pattern = said.arguments[1]
        if pattern.op != "#text":
            raise ConditionError("the pattern of regex() is written out, not computed", "mẫu của regex() phải viết sẵn", pattern.at)  # fmt: skip
        return Node(
            "regex", "boolean", (self._as(said.arguments[0], "text"),), name=patterns.translate(pattern.said)
        )

    def _fn_today(self, said: Syntax) -> Node:
        self._count(said, 0)
        return Node("today", "date")

    def _fn_now(self, said: Syntax) -> Node:
        raise ConditionError("there is no clock in a condition: use today()", "điều kiện không xem giờ: dùng today()", said.at)  # fmt: skip

    def _fn_date(self, said: Syntax) -> Node:
        self._count(said, 1)
        return self._as(said.arguments[0], "date")

    def _fn_year(self, said: Syntax) -> Node:
        self._count(said, 1)
        written_year = Node("format-date", "text", (self._as(said.arguments[0], "date"),), name="%Y")
        return _converted(written_year, "number", said.at)

    def _fn_format_date(self, said: Syntax) -> Node:
        self._count(said, 2)
        form = said.arguments[1]
        if form.op != "#text" or re.search("%(?![Yymnde])", form.said):
            raise ConditionError("format-date() takes a form made of %Y %y %m %n %d %e: no hours, no names of months",
                                 "format-date() nhận mẫu gồm %Y %y %m %n %d %e: không có giờ, không có tên tháng", form.at)  # fmt: skip
        return Node("format-date", "text", (self._as(said.arguments[0], "date"),), name=form.said)

    def _fn_choice_name(self, said: Syntax) -> Node:
        self._count(said, 1, 2)
        asked = said.arguments[-1]
        name = asked.said[2:-1].strip() if asked.op == "#text" and asked.said.startswith("${") else asked.said
        if asked.op not in ("#answer", "#text"):
            raise ConditionError("choice-name() needs a question", "choice-name() cần một câu hỏi", asked.at)
        self._seen(name, asked.at)
        return Node("label", "text", (self._as(said.arguments[0], "text"),), name=name)

    _fn_jr_choice_name = _fn_choice_name

    def _fn_random(self, said: Syntax) -> Node:
        self._count(said, 0)
        if not self.scope.calculate:
            raise ConditionError(
                "random() stands only in a calculate:", "random() chỉ dùng trong calculate:", said.at
            )
        return Node("random", "number", name=self.scope.calculate, scope="." if self.scope.roster else "")


_FROM: dict[tuple[Type, Type], str] = {
    ("boolean", "number"): "number-of-boolean",
    ("text", "number"): "number-of-text",
    ("number", "text"): "text-of-number",
    ("date", "text"): "text-of-date",
    ("boolean", "text"): "text-of-boolean",
    ("codes", "text"): "text-of-codes",
    ("number", "boolean"): "nonzero",
    ("text", "boolean"): "known",
    ("date", "boolean"): "known",
    ("codes", "boolean"): "known",
    ("text", "codes"): "words",
    ("text", "date"): "date-of-text",
}


def _converted(node: Node, want: Type, at: int) -> Node:
    """The node as another type: the conversion written into the tree, done at once for what is written out."""
    if node.type == want:
        return node
    if node.type == "blank":
        return Node("boolean", "boolean", value=False) if want == "boolean" else Node("blank", want)
    if {node.type, want} == {"number", "date"}:
        return msgspec.structs.replace(node, type=want)
    if node.op == "text" and want in ("number", "date"):
        return _literal(str(node.value), want, at)
    found = _FROM.get((node.type, want))
    if found:
        return Node(found, want, (node,))
    if want == "codes" or node.type == "codes":  # by way of text: codes are the words of a text
        return _converted(_converted(node, "text", at), want, at)
    raise ConditionError(f"a {node.type} cannot be read as a {want}", f"không đọc được {_KIND[node.type]} thành {_KIND[want]}", at)  # fmt: skip


_KIND: dict[Type, str] = {"boolean": "đúng/sai", "number": "số", "text": "chữ", "date": "ngày", "codes": "các lựa chọn", "blank": "chỗ trống"}  # fmt: skip


def _literal(said: str, want: Type, at: int) -> Node:
    if want == "number":
        number = values.number_of(said)
        if number is None:
            raise ConditionError(f"“{said}” is compared with a number and is none", f"“{said}” đem so với số mà không phải số", at)  # fmt: skip
        return Node("number", "number", name=values.text_of(number))
    day = day_number(said)
    if day is None:
        raise ConditionError(
            f"“{said}” is no date (YYYY-MM-DD)", f"“{said}” không phải ngày (năm-tháng-ngày)", at
        )
    return Node("day", "date", value=day)


def answers_in(node: Node) -> Iterator[Node]:
    """Every leaf that looks at a question ("answer", "missing")."""
    if node.op in ("answer", "missing"):
        yield node
    for argument in node.arguments:
        yield from answers_in(argument)


# --- meaning -------------------------------------------------------------------------------------------------------

Run = Callable[[View, str, Any], Any]


def evaluate(node: Node, view: View, row: str = "", current: Scalar | Mapping[str, str] = None) -> Scalar:
    """The value seen from `row`; `current` is the answer that a check speaks of, or the columns of a choice."""
    found: Scalar = run(node)(view, row, current)
    return found


def holds(node: Node, view: View, row: str = "", current: Scalar | Mapping[str, str] = None) -> bool:
    """Whether a boolean tree is true; a blank is not."""
    return run(node)(view, row, current) is True


@lru_cache(maxsize=65536)
def run(node: Node) -> Run:
    """The tree as nested closures, so that the walk over the tree is paid once for each expression."""
    parts = tuple(run(argument) for argument in node.arguments)
    name = node.name
    match node.op:
        case "text" | "boolean" | "day":
            constant: Any = node.value
            return lambda v, r, c: constant
        case "number":
            number = values.number_of(name)
            return lambda v, r, c: number
        case "blank":
            return lambda v, r, c: None
        case "answer":
            return _answer(name, node.scope)
        case "missing":
            find = _row(node.scope)
            return lambda v, r, c: v.reason(name, find(v, r))
        case "current":
            return lambda v, r, c: c
        case "fact":
            return lambda v, r, c: c.get(name) or None
        case "today":
            return lambda v, r, c: v.today
        case "random":
            return lambda v, r, c: v.chance(name, r)
        case "and":
            return lambda v, r, c: parts[0](v, r, c) is True and parts[1](v, r, c) is True
        case "or":
            return lambda v, r, c: parts[0](v, r, c) is True or parts[1](v, r, c) is True
        case "not":
            return lambda v, r, c: parts[0](v, r, c) is not True
        case "if":
            return lambda v, r, c: parts[1](v, r, c) if parts[0](v, r, c) is True else parts[2](v, r, c)
        case "same" if node.arguments[0].op == "answer" and node.arguments[1].op == "text":
            said = node.arguments[1].value  # by far the commonest condition: an answer is a code
            return lambda v, r, c: parts[0](v, r, c) == said
        case "count" | "count-if" | "each" | "at" | "position":
            return _over(node, parts)
        case "label":
            return lambda v, r, c: None if (code := parts[0](v, r, c)) is None else v.label(name, code)
        case "sum" | "min" | "max" | "count-non-empty" | "join":
            fold = FOLDS[node.op]
            return lambda v, r, c: fold(_flat(part(v, r, c) for part in parts))
        case "round" | "pow" | "regex" | "format-date":
            strict_with = PARAMETERS[node.op]
            parameter = node.value if node.op in ("round", "pow") else name
            only, blank = parts[0], False if node.op == "regex" else None
            return lambda v, r, c: blank if (x := only(v, r, c)) is None else strict_with(x, parameter)
        case _:
            return _operation(node, parts)


def _operation(node: Node, parts: tuple[Run, ...]) -> Run:
    op = node.op
    plain = OPERATIONS.get(op)
    if plain is not None:
        return lambda v, r, c: plain(*[part(v, r, c) for part in parts])
    strict = STRICT[op]
    blank = False if op in ("=", "same", "<", "<=") else None
    if len(parts) == 2:
        one, two = parts
        if node.arguments[0].op == "number":  # "from 15 on" asks once a person
            known = values.number_of(node.arguments[0].name)
            return lambda v, r, c: blank if (x := two(v, r, c)) is None else strict(known, x)

        def both(v: View, r: str, c: Any) -> Any:
            left = one(v, r, c)
            if left is None:
                return blank
            right = two(v, r, c)
            return blank if right is None else strict(left, right)

        return both
    only = parts[0]
    return lambda v, r, c: blank if (x := only(v, r, c)) is None else strict(x)


def _answer(name: str, scope: str) -> Run:
    if scope == "":
        return lambda v, r, c: v.of[""][name]
    if scope == ".":
        return lambda v, r, c: v.of[r][name]
    find = _row(scope)
    return lambda v, r, c: v.of[row][name] if (row := find(v, r)) else None


def _row(scope: str) -> Callable[[View, str], str]:
    if scope == "..":
        return lambda v, r: r.rpartition(".")[0]
    if scope.startswith("@"):
        return lambda v, r: v.drawn(scope[1:])
    return lambda v, r: r if scope else ""


def _over(node: Node, parts: tuple[Run, ...]) -> Run:
    roster, here = node.name, node.scope == "."
    match node.op:
        case "count":
            return lambda v, r, c: len(v.rows(roster, r if here else ""))
        case "position":
            return lambda v, r, c: (
                rows.index(r) + 1 if r in (rows := v.rows(roster, r if here else "")) else None
            )
        case "count-if":
            test = parts[0]
            return lambda v, r, c: [test(v, row, c) for row in v.rows(roster, r if here else "")].count(True)
        case "each":
            each = parts[0]
            return lambda v, r, c: [each(v, row, c) for row in v.rows(roster, r if here else "")]

    def at(v: View, r: str, c: Any) -> Any:
        rows, place = v.rows(roster, r if here else ""), parts[0](v, r, c)
        if place is None or not 1 <= place <= len(rows) or place != int(place):
            return None
        return parts[1](v, rows[int(place) - 1], c)

    return at


def _flat(parts: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for part in parts:
        if isinstance(part, list):
            flat += part
        else:
            flat.append(part)
    return flat


def _known(listed: list[Any]) -> list[Any]:
    return [one for one in listed if one is not None]


FOLDS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": lambda listed: sum(_known(listed), 0),
    "min": lambda listed: min(_known(listed), default=None),
    "max": lambda listed: max(_known(listed), default=None),
    "count-non-empty": lambda listed: len(_known(listed)),
    "join": lambda listed: (listed[0] or "").join(_known(listed[1:])) or None,
}

PARAMETERS: dict[str, Callable[[Any, Any], Any]] = {
    "round": values.rounded,
    "pow": lambda number, power: number**power,
    "regex": lambda text, pattern: re.fullmatch(pattern, text) is not None,
    "format-date": values.formatted,
}

# A blank operand makes the result blank (a comparison: false); these never see one.
STRICT: dict[str, Callable[..., Any]] = {
    "=": operator.eq,
    "same": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    "+": lambda a, b: _sum(a, b),
    "-": lambda a, b: _sum(a, -b),
    "*": lambda a, b: a * b if isinstance(a, int) and isinstance(b, int) else values.exact(Fraction(a * b)),
    "div": values.quotient,
    "mod": values.remainder,
    "negate": lambda a: -a,
    "abs": abs,
    "int": values.whole,
    "number-of-text": values.number_of,
    "number-of-boolean": int,
    "text-of-number": values.text_of,
    "text-of-boolean": lambda a: "true" if a else "false",
    "text-of-date": values.iso,
    "text-of-codes": " ".join,
    "date-of-text": day_number,
    "words": lambda a: values.words(a) or None,
}

# These have an answer for blanks: text that is blank counts as empty.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "is-blank": lambda a: a is None,
    "known": lambda a: a is not None,
    "nonzero": lambda a: a is not None and a != 0,
    "coalesce": lambda *listed: next((one for one in listed if one is not None), None),
    "selected": lambda codes, code: codes is not None and code in codes,
    "count-selected": lambda codes: len(codes or ()),
    "selected-at": lambda codes, place: _at(codes or (), place),
    "contains": lambda text, part: (part or "") in (text or ""),
    "starts-with": lambda text, part: (text or "").startswith(part or ""),
    "ends-with": lambda text, part: (text or "").endswith(part or ""),
    "string-length": lambda text: len(text or ""),
    "concat": lambda *listed: "".join(one or "" for one in listed) or None,
    "normalize-space": lambda text: " ".join(values.words(text or "")) or None,
    "substring-before": lambda text, part: _around(text, part)[0],
    "substring-after": lambda text, part: _around(text, part)[1],
    "substr": lambda text, start, end=None: _substring(text, start, end),
}


def _sum(left: Number, right: Number) -> Number:
    total = left + right
    return total if isinstance(total, int) else values.exact(total)


def _at(listed: Sequence[str], place: Number | None) -> str | None:
    if place is None or not 0 <= place < len(listed):
        return None
    return listed[values.whole(place)]


def _around(text: str | None, part: str | None) -> tuple[str | None, str | None]:
    """XPath's substring-before and -after: blank where the part is not found."""
    before, found, after = (text or "").partition(part) if part else ("", "", text or "")
    return (before or None, after or None) if found or not part else (None, None)


def _substring(text: str | None, start: Number | None, end: Number | None) -> str | None:
    if text is None or start is None:
        return None
    return values.substring(text, values.whole(start), None if end is None else values.whole(end))


# --- the tree as data ----------------------------------------------------------------------------------------------

_NAMED = ("answer", "missing", "count", "count-if", "each", "at", "position", "random", "label", "fact", "regex", "format-date", "number")  # fmt: skip
_SCOPED = ("answer", "missing", "count", "count-if", "each", "at", "position", "random")
_VALUED = ("text", "boolean", "day", "round", "pow")


def to_json(node: Node) -> list[Any]:
    """The tree as the phone reads it: [op, parameters…, operands…]; operands are lists, parameters are not."""
    parameters: list[Any] = [node.name] if node.op in _NAMED else []
    parameters += [node.scope] if node.op in _SCOPED else []
    parameters += [node.value] if node.op in _VALUED else []
    return [node.op, *parameters, *(to_json(argument) for argument in node.arguments)]


def from_json(tree: Sequence[Any], kind: Type = "boolean") -> Node:
    """The tree again; types inside matter only for reading aloud, and only the outermost is kept."""
    op, rest = tree[0], list(tree[1:])
    name = rest.pop(0) if op in _NAMED else ""
    scope = rest.pop(0) if op in _SCOPED else ""
    value = rest.pop(0) if op in _VALUED else None
    return Node(op, kind, tuple(from_json(one, "text") for one in rest), name, scope, value)


class State(Struct, frozen=True):
    """Answers written out by hand, as vectors and trials have them: a View.

    answers: row → question → value; rows: roster → row ids; missing: row → question → reason.
    """

    answers: Mapping[str, Mapping[str, Scalar]] = {}
    rosters: Mapping[str, tuple[str, ...]] = {}
    missing: Mapping[str, Mapping[str, str]] = {}
    draws: Mapping[str, str] = {}
    labels: Mapping[str, Mapping[str, str]] = {}
    day: str = "2026-01-01"
    response: str = ""

    @property
    def today(self) -> int | None:
        return day_number(self.day)

    @property
    def of(self) -> Mapping[str, Mapping[str, Scalar]]:
        return defaultdict(_Answers, {row: _Answers(said) for row, said in self.answers.items()})

    def rows(self, roster: str, under: str) -> Sequence[str]:
        return rows_under(self.rosters.get(roster, ()), under)

    def drawn(self, draw: str) -> str:
        return self.draws.get(draw, "")

    def reason(self, question: str, row: str) -> str | None:
        return self.missing.get(row, {}).get(question)

    def label(self, question: str, code: str) -> str | None:
        return self.labels.get(question, {}).get(code)

    def chance(self, question: str, row: str) -> Fraction:
        return chance(self.response, question, row)


class _Answers(dict[str, Scalar]):
    def __missing__(self, name: str) -> Scalar:
        return None


def rows_under(rows: tuple[str, ...], under: str) -> tuple[str, ...]:
    """Of rows named "parent.child", those held by the row that `under` is or stands in; all, when it is ""."""
    if not under:
        return rows
    prefix = under.partition(".")[0] + "."
    return tuple(row for row in rows if row.startswith(prefix))


def chance(response: str, question: str, row: str) -> Fraction:
    """A number in [0, 1) in steps of 2^-32 that belongs to a response, a question and a row: FNV-1a of their names,
    mixed as MurmurHash3 ends. For shuffling and splitting; a person is drawn by a `draw`, never by this."""
    mixed = 2166136261
    for byte in f"{response}/{question}/{row}".encode():
        mixed = (mixed ^ byte) * 16777619 & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = (mixed ^ mixed >> shift) * factor & 0xFFFFFFFF
    mixed ^= mixed >> 16
    return Fraction(mixed, 2**32)
