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


class Known(Struct, frozen=True):
    """What an expression's names mean: `ids` of questions and repeats; `times` are the metadata that hold an instant
    of this interview (start, end); `unavailable` the names that are not collected, with the type they had."""

    ids: Mapping[str, str]
    times: frozenset[str] = frozenset()
    unavailable: Mapping[str, str] = {}
    codes: Mapping[str, frozenset[str]] = {}  # question that chooses → its options
    many: frozenset[str] = frozenset()  # those of them that take several
    shown_if: Mapping[str, Syntax] = {}  # question of a repeat → when it is asked


def only_a_time(text: str) -> bool:
    """Whether an expression is nothing but the moment: bookkeeping that every recorded event has already."""
    return re.fullmatch(r"\s*(?:once\s*\(\s*now\s*\(\s*\)\s*\)|now\s*\(\s*\))\s*", text) is not None


class Remark(Struct, frozen=True):
    """Something an author will want to know of an expression that means the same here."""

    code: str
    vietnamese: str
    english: str


def translate(
    text: str, known: Known, own: str = "", repeated: bool = True, remarks: list[Remark] | None = None
) -> Syntax:
    """The expression as ours; raises ConditionError naming what has no counterpart. `own` is the question whose
    constraint it is, `repeated` whether it stands in a repeat; remarks are added to the list given."""
    if "${last-saved#" in text:
        raise ConditionError("the last saved answers of another interview are not kept",
                             "không lưu câu trả lời của lần phỏng vấn trước", text.index("${last-saved#"))  # fmt: skip
    text = re.sub(r"(?<![\w./}])\.\./([A-Za-z_][\w.-]*)(?![\w./(-])", lambda m: _sibling(m, known), text)
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
    return _Translation(known, own, repeated, [] if remarks is None else remarks).tree(parse(text))


def _sibling(path: re.Match[str], known: Known) -> str:
    """`../name`, a neighbour in the same group, as pyxform itself writes it for "other, specify"."""
    return f"${{{path.group(1)}}}" if path.group(1) in known.ids else path.group()


def _without_texts(text: str) -> str:
    """The same length, with what stands in quotes or ${} blanked out."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\$\{[^}]*\}", lambda match: "_" * len(match.group()), text)


class _Translation:
    def __init__(self, known: Known, own: str, repeated: bool, remarks: list[Remark]) -> None:
        self.known, self.own, self.repeated, self.remarks = known, own, repeated, remarks

    def tree(self, said: Syntax) -> Syntax:
        special: Callable[[Syntax], Syntax | None] | None = {
            "#answer": self._answer, "now": self._now, "count": self._count, "jr:choice-name": self._choice_name,
            "format-date-time": self._format, "boolean-from-string": self._from_string, "position": self._position,
            "=": self._equal, "!=": self._equal, "selected": self._selected,
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
        left, right = said.arguments if said.arguments[1].op == "#text" else said.arguments[::-1]
        asked = self.own if left.op == "#current" else left.said
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

    def _selected(self, said: Syntax) -> Syntax | None:
        if len(said.arguments) != 2 or said.arguments[1].op != "#text":
            return None
        left, right = said.arguments
        asked = self.own if left.op == "#current" else left.said
        codes = self.known.codes.get(asked) if left.op in ("#answer", "#current") else None
        return self._never(asked, right.said, said) if codes is not None and right.said not in codes else None

    def _never(self, asked: str, code: str, said: Syntax) -> Syntax:
        self._remark("no_such_option", f"{asked} không có lựa chọn “{code}”: điều kiện này không bao giờ đúng",
                     f"{asked} has no option “{code}”: this part of the condition can never be true")  # fmt: skip
        return Syntax("true" if said.op == "!=" else "false", at=said.at)

    def _position(self, said: Syntax) -> Syntax | None:
        if self.repeated or len(said.arguments) != 1 or said.arguments[0].op != "#row":
            return None
        self._remark(
            "position", "position(..) ngoài phần lặp luôn là 1", "position(..) outside a repeat is always 1"
        )
        return Syntax("#number", said="1", at=said.at)

    def _remark(self, code: str, vi: str, en: str) -> None:
        self.remarks.append(Remark(code, vi, en))

    def _now(self, said: Syntax) -> Syntax:
        return Syntax("today", at=said.at)

    def _count(self, said: Syntax) -> Syntax | None:
        if len(said.arguments) != 1 or said.arguments[0].op != "#answer":
            return None
        condition = self.known.shown_if.get(said.arguments[0].said)
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
