"""XLSForm's expressions in our condition language, which is nearly the same: the differences, one by one.

`now()` is read as the day (there is no clock in a condition), a question's own name inside its constraint is ".",
`count()` of a question that may be hidden counts the rows where it is shown. Everything else is either read alike or
refused by name when it is typed (`survey.questionnaire.conditions`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from survey.questionnaire.grammar import ConditionError, Syntax, parse
from survey.questionnaire.values import day_number, number_of


class Known(Struct, frozen=True):
    """What an expression's names mean: `ids` of questions and repeats; `times` are the metadata that hold an instant
    of this interview (start, end); `unavailable` the names that are not collected, with the type they had."""

    ids: Mapping[str, str]
    repeats: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()
    unavailable: Mapping[str, str] = {}
    codes: Mapping[str, frozenset[str]] = {}  # question that chooses → its options
    many: frozenset[str] = frozenset()  # those of them that take several
    home: Mapping[str, str] = {}  # id of a question or roster → the roster that holds it, or ""
    shown_if: Mapping[str, Syntax] = {}  # question of a repeat → when it is asked
    kinds: Mapping[str, str] = {}  # question → its kind; "calculate" for whatever is computed


def only_a_time(text: str) -> bool:
    """Whether an expression is nothing but the moment: bookkeeping that every recorded event has already."""
    return re.fullmatch(r"\s*(?:once\s*\(\s*now\s*\(\s*\)\s*\)|now\s*\(\s*\))\s*", text) is not None


class Remark(Struct, frozen=True):
    """Something an author will want to know of an expression that means the same here."""

    code: str
    vietnamese: str
    english: str


class Standing(Struct, frozen=True):
    """Where an expression stands: the question whose constraint it is, the roster whose rows it is computed for, and
    the columns of a filtered list that are filled for every option."""

    own: str = ""
    roster: str = ""
    filled: frozenset[str] = frozenset()
    depth: int = 0  # groups between the repeat and the place


def translate(
    text: str, known: Known, standing: Standing | None = None, remarks: list[Remark] | None = None
) -> Syntax:
    """The expression as ours; raises ConditionError naming what has no counterpart. Remarks are added to the list
    given."""
    if "${last-saved#" in text:
        raise ConditionError("the last saved answers of another interview are not kept",
                             "không lưu câu trả lời của lần phỏng vấn trước", text.index("${last-saved#"))  # fmt: skip
    text = re.sub(r"(?<![\w./}])\.\./([A-Za-z_][\w.-]*)(?![\w./(-])", lambda m: _sibling(m, known), text)
    standing = standing or Standing()
    text = re.sub(r"\bposition\(\s*((?:\.\./)*\.\.)\s*\)", lambda m: _position(m, standing, remarks), text)
    raw = re.search(
        r"(?<![\w\]')}.])/|\.\./|\binstance\s*\(|\bcurrent\s*\(|\[|\bpulldata\s*\(|\|", _without_texts(text)
    )
    if raw:
        named = raw.group().strip().rstrip("(").strip()
        what = {
            "pulldata": "pulldata() looks into an attached file",
            "instance": "instance() looks into attached data",
        }
        vi = {"pulldata": "pulldata() tra tệp đính kèm", "instance": "instance() tra dữ liệu đính kèm"}
        raise ConditionError(what.get(named, f"a path of XPath (“{named}”) in place of ${{name}}") + ", which is not supported",
                             vi.get(named, f"đường dẫn XPath (“{named}”) thay cho ${{tên}}") + ", chưa hỗ trợ", raw.start())  # fmt: skip
    return _Translation(known, standing, [] if remarks is None else remarks).tree(_usual(parse(text)))


def _usual(said: Syntax) -> Syntax:
    """What other programs call otherwise: `null` is a path that leads nowhere, so an empty text; XPath's floor() and
    ceiling() by round(), which is exact here; `empty()` and `choice-label()` of SurveyCTO."""
    if said.op == "#fact" and said.said == "null":
        return Syntax("#text", at=said.at)
    arguments = tuple(_usual(one) for one in said.arguments)
    half = Syntax("#number", said="0.5")
    match said.op, len(arguments):
        case "floor", 1:
            return Syntax("round", (Syntax("-", (arguments[0], half)),), at=said.at)
        case "ceiling", 1:
            below = Syntax("-", (Syntax("#negate", (arguments[0],)), half))
            return Syntax("#negate", (Syntax("round", (below,)),), at=said.at)
        case "empty", 1:
            return Syntax("=", (arguments[0], Syntax("#text")), at=said.at)
        case "choice-label", 2 if arguments[0].op == "#answer":
            asked = Syntax("#text", said=f"${{{arguments[0].said}}}", at=said.at)
            return Syntax("jr:choice-name", (arguments[1], asked), at=said.at)
    return msgspec.structs.replace(said, arguments=arguments)


def _position(said: re.Match[str], standing: Standing, remarks: list[Remark] | None) -> str:
    """`position(..)` counts the rows of a repeat only where the repeat is next above; a group has one place, 1."""
    up = said.group(1).count("..")
    if standing.roster and up == standing.depth + 1:
        return "position(..)"
    if up > standing.depth + 1:
        return said.group()
    if remarks is not None:
        remarks.append(Remark("position", f"{said.group()} ở đây là thứ tự của nhóm, luôn là 1, như trong Collect",
                              f"{said.group()} is the place of a group here, which is always 1, as in Collect"))  # fmt: skip
    return "1"


def _sibling(path: re.Match[str], known: Known) -> str:
    """`../name`, a neighbour in the same group, as pyxform itself writes it for "other, specify"."""
    return f"${{{path.group(1)}}}" if path.group(1) in known.ids else path.group()


def _without_texts(text: str) -> str:
    """The same length, with what stands in quotes or ${} blanked out."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\$\{[^}]*\}", lambda match: "_" * len(match.group()), text)


def _is_a_word(text: str) -> bool:
    """Whether a text says neither a number nor a day nor a truth."""
    return (
        bool(text) and number_of(text) is None and day_number(text) is None and text not in ("true", "false")
    )


_TEXTS = ("#answer", "indexed-repeat", "selected-at", "jr:choice-name")


class _Translation:
    def __init__(self, known: Known, standing: Standing, remarks: list[Remark]) -> None:
        self.known, self.standing, self.own, self.remarks = known, standing, standing.own, remarks
        self.around: set[str] = set()  # the roster it stands in, and the one that holds that
        roster = standing.roster
        while roster:
            self.around.add(roster)
            roster = known.home.get(roster, "")

    def tree(self, said: Syntax) -> Syntax:
        special: Callable[[Syntax], Syntax | None] | None = {
            "#answer": self._answer, "now": self._now, "count": self._count, "jr:choice-name": self._choice_name,
            "format-date-time": self._format, "boolean-from-string": self._from_string,
            "=": self._equal, "!=": self._equal, "selected": self._selected, "uuid": self._id,
            **dict.fromkeys(("sum", "min", "max", "count-non-empty"), self._fold), "join": self._join,
        }.get(said.op)  # fmt: skip
        found = special(said) if special else None
        if found is not None:
            return found
        return msgspec.structs.replace(said, arguments=tuple(self.tree(one) for one in said.arguments))

    def _answer(self, said: Syntax) -> Syntax:
        name = said.said
        if name == self.own:
            return Syntax("#current", at=said.at)
        if name in self.known.times:
            return Syntax("today", at=said.at)
        if name in self.known.unavailable:
            kind = self.known.unavailable[name]
            raise ConditionError(f"“{name}” ({kind}) is not collected here, so nothing can depend on it",
                                 f"“{name}” ({kind}) không được thu thập, nên không thể dùng ở đây", said.at)  # fmt: skip
        if name not in self.known.ids:
            raise ConditionError(f"there is no question “{name}”", f"không có câu hỏi “{name}”", said.at)
        return msgspec.structs.replace(said, said=self.known.ids[name])

    def _equal(self, said: Syntax) -> Syntax | None:
        """A set of options is equal to a text when that option is the only one chosen."""
        if all(self._may_be_blank(one) for one in said.arguments):
            return self._alike(said)
        left, right = said.arguments if said.arguments[1].op == "#text" else said.arguments[::-1]
        asked = self.own if left.op == "#current" else left.said
        if left.op in ("#answer", "#current") and right.op == "#text" and _is_a_word(right.said):
            if self.known.kinds.get(asked) in ("integer", "decimal"):
                self._remark("never_equal", f"{asked} là số, không bao giờ bằng “{right.said}”",
                             f"{asked} is a number and never equal to “{right.said}”")  # fmt: skip
                return Syntax("true" if said.op == "!=" else "false", at=said.at)
            if self.known.kinds.get(asked) == "calculate":  # of whatever type: compared as it is written
                return Syntax(said.op, (Syntax("string", (self.tree(left),), at=left.at), right), at=said.at)
        codes = self.known.codes.get(asked)
        if left.op not in ("#answer", "#current") or right.op != "#text" or not right.said or codes is None:
            return None
        if right.said not in codes:
            return self._never(asked, right.said, said)
        if asked not in self.known.many:
            return None
        self._remark("only_this", f"{asked} chọn nhiều: so bằng '{right.said}' nghĩa là chỉ chọn mỗi lựa chọn này",
                     f"{asked} takes several answers: equal to '{right.said}' means that nothing else is chosen")  # fmt: skip
        chosen = self.tree(left)
        alone = Syntax("=", (Syntax("count-selected", (chosen,)), Syntax("#number", said="1")), at=said.at)
        both = Syntax("and", (Syntax("selected", (chosen, right), at=said.at), alone), at=said.at)
        return both if said.op == "=" else Syntax("not", (both,), at=said.at)

    def _may_be_blank(self, said: Syntax) -> bool:
        return said.op in _TEXTS or (said.op == "#fact" and said.said not in self.standing.filled)

    def _alike(self, said: Syntax) -> Syntax:
        """Two texts are equal in XPath when both are empty; two blanks are not equal here. So it is said."""
        left, right = (self.tree(one) for one in said.arguments)
        either = self._or_both_blank(Syntax("=", (left, right), at=said.at))
        return either if said.op == "=" else Syntax("not", (either,), at=said.at)

    def _or_both_blank(self, said: Syntax) -> Syntax:
        blank = tuple(Syntax("=", (one, Syntax("#text")), at=said.at) for one in said.arguments)
        return Syntax("or", (said, Syntax("and", blank, at=said.at)), at=said.at)

    def _selected(self, said: Syntax) -> Syntax | None:
        if len(said.arguments) != 2:
            return None
        left, right = said.arguments
        if self._may_be_blank(left) and self._may_be_blank(right):
            return self._or_both_blank(Syntax("selected", (self.tree(left), self.tree(right)), at=said.at))
        if right.op != "#text":
            return None
        asked = self.own if left.op == "#current" else left.said
        codes = self.known.codes.get(asked) if left.op in ("#answer", "#current") else None
        return self._never(asked, right.said, said) if codes is not None and right.said not in codes else None

    def _never(self, asked: str, code: str, said: Syntax) -> Syntax:
        self._remark("no_such_option", f"{asked} không có lựa chọn “{code}”: điều kiện này không bao giờ đúng",
                     f"{asked} has no option “{code}”: this part of the condition can never be true")  # fmt: skip
        return Syntax("true" if said.op == "!=" else "false", at=said.at)

    def _remark(self, code: str, vi: str, en: str) -> None:
        self.remarks.append(Remark(code, vi, en))

    def _now(self, said: Syntax) -> Syntax:
        return Syntax("today", at=said.at)

    def _id(self, said: Syntax) -> Syntax | None:
        if said.arguments:
            return None
        self._remark("uuid", "uuid() ở đây là một số ngẫu nhiên giữ nguyên của phiếu, câu và dòng này, chỉ khác nhau trong một phiếu",
                     "uuid() is a random number that this response, question and row keep; it differs within one response")  # fmt: skip
        return Syntax("string", (Syntax("random", at=said.at),), at=said.at)

    def _this_row(self, said: Syntax) -> bool:
        """Whether an argument names a question of the row at hand. Inside a repeat, pyxform reads `sum(${x})` of a
        question of the same repeat as that of this row alone."""
        return said.op == "#answer" and self.known.home.get(
            self.known.ids.get(said.said, ""), ""
        ) in self.around - {""}

    def _join(self, said: Syntax) -> Syntax | None:
        """Of single values: one text, in which a blank leaves its place empty. Of the rows of a repeat: blanks are
        left out here."""
        separator, *parts = said.arguments or (said,)
        if not parts:
            return None
        if any(one.op == "#answer" and self._of_rows(one) for one in parts):
            self._remark("join", "join() bỏ qua dòng trống; Collect để lại chỗ trống",
                         "join() leaves blank rows out; Collect leaves an empty place for them")  # fmt: skip
            return self._fold(said)
        joined = [self.tree(parts[0])]
        for one in parts[1:]:
            joined += [self.tree(separator), self.tree(one)]
        return Syntax("concat", tuple(joined), at=said.at)

    def _of_rows(self, said: Syntax) -> bool:
        """Whether an argument names a question of a repeat that the expression does not stand in."""
        home = self.known.home.get(self.known.ids.get(said.said, ""), "")
        return bool(home) and home not in self.around

    def _fold(self, said: Syntax) -> Syntax | None:
        if not any(self._this_row(one) for one in said.arguments):
            return None
        self._remark("this_row", f"{said.op}() trong phần lặp chỉ tính dòng này, như Collect",
                     f"{said.op}() inside the repeat is of this row alone, as in Collect")  # fmt: skip
        nothing = Syntax("#text")
        arguments = tuple(
            Syntax("coalesce", (self.tree(one), nothing), at=one.at)
            if self._this_row(one)
            else self.tree(one)
            for one in said.arguments
        )
        return Syntax(said.op, arguments, at=said.at)

    def _count(self, said: Syntax) -> Syntax | None:
        if len(said.arguments) != 1 or said.arguments[0].op != "#answer":
            return None
        condition = self.known.shown_if.get(said.arguments[0].said)
        if self._this_row(said.arguments[0]) and said.arguments[0].said not in self.known.repeats:
            one, none = Syntax("#number", said="1"), Syntax("#number", said="0")
            return Syntax("if", (condition, one, none), at=said.at) if condition is not None else one
        if condition is None:
            return None
        return Syntax("count-if", (self._answer(said.arguments[0]), condition), at=said.at)

    def _choice_name(self, said: Syntax) -> Syntax | None:
        if len(said.arguments) != 2 or said.arguments[1].op != "#text":
            return None
        match = re.fullmatch(r"\s*\$\{\s*([^}]*?)\s*\}\s*", said.arguments[1].said)
        if match is None:
            return None
        asked = Syntax("#answer", said=match.group(1), at=said.arguments[1].at)
        return Syntax("choice-name", (self.tree(said.arguments[0]), self._answer(asked)), at=said.at)

    def _format(self, said: Syntax) -> Syntax:
        """Alike for the parts of a date; hours and minutes are refused when the form is read."""
        return Syntax("format-date", tuple(self.tree(one) for one in said.arguments), at=said.at)

    def _from_string(self, said: Syntax) -> Syntax | None:
        """True for "true" and "1", and only for those."""
        if len(said.arguments) != 1:
            return None
        one = self.tree(said.arguments[0])
        text = Syntax("string", (one,), at=said.at)
        sides = [Syntax("=", (text, Syntax("#text", said=word)), at=said.at) for word in ("true", "1")]
        return Syntax("or", (sides[0], sides[1]), at=said.at)


def mentions_the_time(text: str, times: frozenset[str]) -> bool:
    """Whether an expression looks at the clock: `now()`, or the start or end of the interview."""
    clock = re.search(r"\bnow\s*\(", _without_texts(text)) is not None
    return clock or any(name.strip() in times for name in re.findall(r"\$\{([^}]*)\}", text))
