"""Our conditions as XLSForm expressions that ODK Collect and KoboToolbox evaluate to the same.

Most is written alike. What differs: two blanks are equal in XPath and not here; "don't know" is an answer of its own
here and a companion question there; a fold over the rows of the roster at hand has to stand outside the repeat there,
because pyxform reads `sum(${x})` inside a repeat as that of the row alone; and the row drawn is found by its number.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from survey.problems import BadDocument, Finding
from survey.questionnaire.grammar import Syntax, parse, written
from survey.questionnaire.index import Names

MISSING = "__missing"
PIPED = "__of__"
_FOLDS = ("sum", "min", "max", "join", "count-non-empty", "count", "count-if")


class Helper(Struct, frozen=True):
    """A calculation that Collect needs and we do not: its name, and the repeat it stands in ("" for the household)."""

    name: str
    calculation: str
    repeat: str = ""


class Here(Struct, frozen=True):
    """Where an expression stands: the roster of its row, the repeat of the form that holds it, the draw whose row it
    is about, and the question that "." means."""

    roster: str = ""
    repeat: str = ""
    draw: str = ""
    current: str = ""
    depth: int = 0  # groups between the repeat and the place


class Dialect:
    """Translates the conditions of one questionnaire. `repeats` says in which repeat of the form each question stands
    (a roster that is asked in two runs of pages becomes two repeats)."""

    def __init__(self, known: Names, repeats: dict[str, str]) -> None:
        self.known, self.repeats = known, repeats
        self.helpers: dict[str, Helper] = {}
        self._numbered: dict[str, str] = {}

    def said(self, text: str, here: Here) -> str:
        return written(self.tree(parse(text), here))

    def tree(self, node: Syntax, here: Here) -> Syntax:
        arguments = node.arguments
        match node.op:
            case "#answer":
                return self._answer(node, here)
            case "#current" if here.current:
                return self._answer(Syntax("#answer", said=here.current), here)
            case "=" | "!=":
                return self._equal(node, here)
            case "is-blank":
                return Syntax("=", (self._plain(arguments[0], here), Syntax("#text")))
            case "missing":
                return self._answer(Syntax("#answer", said=arguments[0].said), here, MISSING)
            case "year":
                written_out = Syntax(
                    "format-date", (self.tree(arguments[0], here), Syntax("#text", said="%Y"))
                )
                return Syntax("number", (written_out,))
            case "choice-name" | "jr:choice-name":
                name = arguments[-1].said.removeprefix("${").removesuffix("}").strip()
                named = Syntax("#text", said=f"${{{name}}}")
                return Syntax("jr:choice-name", (self.tree(arguments[0], here), named))
            case "random":
                return Syntax("once", (Syntax("random"),))
            case "position":
                return Syntax("position", (_above(here),))
            case "coalesce" if len(arguments) > 2:
                first, *rest = arguments
                return Syntax(
                    "coalesce", (self.tree(first, here), self.tree(Syntax("coalesce", tuple(rest)), here))
                )
            case "indexed-repeat":
                asked, _, place = arguments
                repeat = Syntax("#answer", said=self.repeats.get(asked.said, ""))
                return Syntax("indexed-repeat", (asked, repeat, self.tree(place, here)))
            case op if op in _FOLDS:
                return self._fold(node, here)
        return Syntax(node.op, tuple(self.tree(one, here) for one in arguments), node.said)

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, node: Syntax, here: Here, suffix: str = "") -> Syntax:
        name = node.said
        if name in self.known.rosters:
            return node
        found = self._found(name, here, suffix)
        if not suffix and self.known.places[name].question.kind == "acknowledge":
            return Syntax("=", (found, Syntax("#text", said="OK")))
        return found

    def _plain(self, node: Syntax, here: Here) -> Syntax:
        """An answer as it stands, also where it is a tick."""
        return self._found(node.said, here) if node.op == "#answer" else self.tree(node, here)

    def _found(self, name: str, here: Here, suffix: str = "") -> Syntax:
        place = self.known.places[name]
        asked = Syntax("#answer", said=f"{name}{suffix}")
        repeat = self.repeats.get(name, "")
        if not repeat or repeat == here.repeat or self._holds(repeat, here.repeat):
            return asked
        if here.draw and place.roster == here.roster:
            return Syntax("indexed-repeat", (asked, Syntax("#answer", said=repeat), Syntax("#answer", said=f"{here.draw}__row")))  # fmt: skip
        if place.roster == here.roster and not self.known.within.get(here.roster):
            return Syntax("indexed-repeat", (asked, Syntax("#answer", said=repeat), Syntax("position", (_above(here),))))  # fmt: skip
        raise _cannot(name)

    def _holds(self, outer: str, inner: str) -> bool:
        """Whether one repeat of the form stands in the other."""
        return bool(inner) and self.repeats.get(inner, "") == outer

    def _equal(self, node: Syntax, here: Here) -> Syntax:
        left, right = (self.tree(one, here) for one in node.arguments)
        sure = any(one.op in ("#text", "#number", "true", "false") for one in node.arguments)
        if sure:
            return Syntax(node.op, (left, right))
        both = Syntax("and", (Syntax("=", (left, right)), Syntax("!=", (left, Syntax("#text")))))
        return both if node.op == "=" else Syntax("not", (both,))

    # --- folds over rows -------------------------------------------------------------------------------------------

    def _fold(self, node: Syntax, here: Here) -> Syntax:
        folded = self._rows(node, here)
        if folded is None:
            return Syntax(node.op, tuple(self.tree(one, here) for one in node.arguments))
        roster, over = folded
        if roster == here.roster and here.repeat:  # of the rows of its own roster: outside the repeat
            return Syntax("#answer", said=self._outside(written(over)))
        return over

    def _rows(self, node: Syntax, here: Here) -> tuple[str, Syntax] | None:
        """The roster whose rows are folded and the fold, or None when it is of single values."""
        if node.op == "count-if":
            roster = self._roster(node.arguments[0])
            inside = Here(roster, roster)
            return roster, Syntax("sum", (self._each(node.arguments[1], inside),))
        for one in node.arguments:
            if one.op != "#answer":
                continue
            roster = self._roster(one)
            place = self.known.places.get(one.said)
            if one.said in self.known.rosters or (roster and not (place and place.draw)):
                counted = Syntax("#answer", said=roster)
                if node.op == "count":
                    return roster, Syntax("count", (counted,))
                kept = tuple(
                    self.tree(other, here) if other.op != "#answer" else other for other in node.arguments
                )
                return roster, Syntax(node.op, kept)
        return None

    def _roster(self, node: Syntax) -> str:
        if node.said in self.known.rosters:
            return node.said
        place = self.known.places.get(node.said)
        return place.roster if place else ""

    def _each(self, condition: Syntax, inside: Here) -> Syntax:
        """A helper in every row: 1 where the condition holds, else 0."""
        one, none = Syntax("#number", said="1"), Syntax("#number", said="0")
        calculation = written(Syntax("if", (self.tree(condition, inside), one, none)))
        return Syntax("#answer", said=self._help(inside.roster, calculation, inside.repeat))

    def _outside(self, calculation: str) -> str:
        return self._help("all", calculation, "")

    def add(self, name: str, calculation: str, repeat: str) -> None:
        """A helper under a name of its own."""
        self.helpers[name] = Helper(name, calculation, repeat)

    def _help(self, stem: str, calculation: str, repeat: str) -> str:
        key = f"{repeat}|{calculation}"
        if key not in self._numbered:
            name = f"{stem}__fold{len(self._numbered) + 1}"
            self._numbered[key] = name
            self.add(name, calculation, repeat)
        return self._numbered[key]

    # --- words -----------------------------------------------------------------------------------------------------

    def piped(self, words: str, here: Here) -> str:
        """A text whose `${names}` Collect can show: those of another row by way of a helper."""

        at_repeat = msgspec.structs.replace(here, depth=0)

        def show(match: re.Match[str]) -> str:
            name = match.group(1)
            found = self._found(name, at_repeat)
            if found.op == "#answer":
                return f"${{{found.said}}}"
            helper = f"{here.draw or here.repeat}{PIPED}{name}"
            self.add(helper, written(found), "" if here.draw else here.repeat)
            return f"${{{helper}}}"

        return _REFERENCE.sub(show, words)


def _above(here: Here) -> Syntax:
    """The row of the repeat, as many groups up as it is."""
    return Syntax("#fact", said="/".join([".."] * (here.depth + 1)))


def unpiped(words: str) -> str:
    """The text again as `Dialect.piped` was given it."""
    return re.sub(rf"\$\{{\w+?{PIPED}(\w+)\}}", r"${\1}", words)


_REFERENCE = re.compile(r"\$\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}")


def _cannot(name: str) -> BadDocument:
    return BadDocument([
        Finding(code="no_counterpart", where=f"question {name}",
                message={"vi": f"XLSForm không có cách nhắc tới “{name}” từ dòng của danh sách khác",
                         "en": f"XLSForm has no way to look at “{name}” from a row of another list"})
    ])  # fmt: skip
