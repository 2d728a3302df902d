"""Random conditions over random answers: whatever can be written, Python and JavaScript make the same of it.

    python tests/conformance/programs.py [COUNT] [SEED]

Sources are made by type from the whole language, then compiled and evaluated on both. A disagreement prints the source
with its data, ready for a vector file.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from survey.questionnaire.conditions import ConditionError, Scope, Seen, compile, to_json
from tests.conformance import run
from tests.conformance.run import Case

QUESTIONS = {
    "n": Seen("number"), "m": Seen("number"), "t": Seen("text"), "u": Seen("text"), "d": Seen("date"), "e": Seen("date"),
    "s": Seen("codes"), "k": Seen("boolean"),
    "rn": Seen("number", "people"), "rt": Seen("text", "people"), "rd": Seen("date", "people"), "rs": Seen("codes", "people"),
    "vn": Seen("number", "visits"), "wn": Seen("number", "people", "chosen"),
}  # fmt: skip
ROSTERS = {"people": "", "visits": "people"}
TEXTS = [
    "",
    "a",
    "pay",
    "Đặng",
    "Đặng",
    "42",
    " 7 ",
    "-0.5",
    "1e3",
    "2024-02-29",
    "pay talk",
    "𝕏y",
    "ß",
    "x\ty",
    "0",
]
PATTERNS = ["[a-z]+", ".*", "[0-9]{1,3}", "(a|pay).*", "\\\\d+", "[^0-9]*", ""]
FORMS = ["%Y-%m-%d", "%d/%m/%y", "%e.%n", "x%Yy"]


class Maker:
    """Sources of a wanted type; `roster` is where they are seen from."""

    def __init__(self, chance: random.Random, roster: str) -> None:
        self.chance, self.roster = chance, roster

    def of(self, kind: str, depth: int) -> str:
        makers: dict[str, tuple[Callable[[int], str], Callable[[int], str]]] = {
            "number": (self._plain_number, self._number), "text": (self._plain_text, self._text),
            "boolean": (self._plain_boolean, self._boolean), "date": (self._plain_date, self._date),
        }  # fmt: skip
        plain, deep = makers[kind]
        return plain(0) if depth <= 0 or self.chance.random() < 0.15 else deep(depth - 1)

    def _pick(self, *options: str) -> str:
        return self.chance.choice(options)

    def _own(self, name: str) -> list[str]:
        return [f"${{{name}}}"] if self.roster == "people" else []

    def _plain_number(self, _: int) -> str:
        literal = self.chance.choice(["0", "1", "2", "3", "-1", "0.5", "2.75", "1000000", "0.1", "17"])
        return self._pick(literal, "${n}", "${m}", "${n}", "${wn}", *self._own("rn"), *self._own("rn"))

    def _number(self, depth: int) -> str:
        number, text, boolean, date = (lambda kind=kind: self.of(kind, depth) for kind in ("number", "text", "boolean", "date"))  # fmt: skip
        return self.chance.choice([
            lambda: f"({number()} {self._pick('+', '-', '*', 'div', 'mod')} {number()})",
            lambda: f"{self._pick('abs', 'int', 'round')}({number()})",
            lambda: f"round({number()}, {self._pick('0', '1', '2', '-1')})",
            lambda: f"pow({number()}, {self._pick('0', '1', '2')})",
            lambda: f"(-{number()})",
            lambda: f"{self._pick('sum', 'min', 'max')}({number()}, {number()})",
            lambda: f"{self._pick('sum', 'min', 'max')}(${{{self._pick('rn', 'vn')}}}, {number()})",
            lambda: f"count-non-empty(${{{self._pick('rn', 'rt', 'vn', 'rd')}}}, {text()})",
            lambda: f"count(${{{self._pick('people', 'visits')}}})",
            lambda: f"count-if(${{people}}, {Maker(self.chance, 'people').of('boolean', depth)})",
            lambda: f"string-length({text()})",
            lambda: f"count-selected({self._pick('${s}', *self._own('rs'))})",
            lambda: f"number({self.of(self._pick('text', 'boolean'), depth)})",
            lambda: f"year({date()})",
            lambda: f"({date()} - {date()})",
            lambda: f"indexed-repeat(${{rn}}, ${{people}}, {number()})",
            lambda: f"if({boolean()}, {number()}, {number()})",
            lambda: f"coalesce({number()}, {number()})",
            lambda: "position(..)" if self.roster else number(),
        ])()  # fmt: skip

    def _plain_text(self, _: int) -> str:
        return self._pick(self._quoted(self.chance.choice(TEXTS)), "${t}", "${u}", *self._own("rt"))

    @staticmethod
    def _quoted(text: str) -> str:
        return "'" + text + "'"

    def _text(self, depth: int) -> str:
        number, text, boolean, date = (lambda kind=kind: self.of(kind, depth) for kind in ("number", "text", "boolean", "date"))  # fmt: skip
        return self.chance.choice([
            lambda: f"concat({text()}, {self.of(self._pick('text', 'number', 'date', 'boolean'), depth)})",
            lambda: f"substr({text()}, {number()}, {number()})",
            lambda: f"substr({text()}, {self._pick('0', '1', '-1', '-2')})",
            lambda: f"{self._pick('substring-before', 'substring-after')}({text()}, {text()})",
            lambda: f"normalize-space({text()})",
            lambda: f"join({self._pick(chr(39) + ', ' + chr(39), chr(39) + chr(39))}, {text()}, ${{{self._pick('rt', 'rn')}}})",
            lambda: f"string({self.of(self._pick('number', 'date', 'boolean'), depth)})",
            lambda: f"string({self._pick('${s}', *self._own('rs'))})",
            lambda: f"format-date({date()}, '{self.chance.choice(FORMS)}')",
            lambda: f"selected-at(${{s}}, {number()})",
            lambda: f"choice-name({text()}, '${{s}}')",
            lambda: f"if({boolean()}, {text()}, {text()})",
            lambda: f"coalesce({text()}, {text()})",
            lambda: f"missing(${{{self._pick('n', 't', 'd', 's')}}})",
        ])()  # fmt: skip

    def _plain_boolean(self, _: int) -> str:
        return self._pick("true()", "false()", "${k}")

    def _boolean(self, depth: int) -> str:
        number, text, boolean, date = (lambda kind=kind: self.of(kind, depth) for kind in ("number", "text", "boolean", "date"))  # fmt: skip
        return self.chance.choice([
            lambda: f"({number()} {self._pick('=', '!=', '<', '<=', '>', '>=')} {number()})",
            lambda: f"({date()} {self._pick('=', '!=', '<', '<=', '>', '>=')} {date()})",
            lambda: f"({text()} {self._pick('=', '!=')} {text()})",
            lambda: f"({boolean()} {self._pick('and', 'or', '=', '!=')} {boolean()})",
            lambda: f"not({boolean()})",
            lambda: f"boolean({self.of(self._pick('number', 'text', 'date'), depth)})",
            lambda: f"selected({self._pick('${s}', *self._own('rs'))}, {text()})",
            lambda: f"selected({text()}, {text()})",
            lambda: f"{self._pick('contains', 'starts-with', 'ends-with')}({text()}, {text()})",
            lambda: f"regex({text()}, '{self.chance.choice(PATTERNS)}')",
            lambda: f"is-blank({self.of(self._pick('number', 'text', 'date'), depth)})",
            lambda: f"({self._pick('${n}', '${t}', '${d}', '${s}')} {self._pick('=', '!=')} '')",
            lambda: f"if({boolean()}, {boolean()}, {boolean()})",
        ])()  # fmt: skip

    def _plain_date(self, _: int) -> str:
        return self._pick(
            "${d}", "${e}", "today()", "date('2024-02-29')", "date('1999-12-31')", *self._own("rd")
        )

    def _date(self, depth: int) -> str:
        number, boolean, date = (
            lambda kind=kind: self.of(kind, depth) for kind in ("number", "boolean", "date")
        )
        return self.chance.choice([
            lambda: f"({date()} {self._pick('+', '-')} {number()})",
            lambda: f"date({self.of('text', depth)})",
            lambda: f"if({boolean()}, {date()}, {date()})",
            lambda: f"coalesce({date()}, {date()})",
            lambda: f"{self._pick('min', 'max')}({date()}, ${{rd}})",
        ])()  # fmt: skip


def data(chance: random.Random) -> dict[str, Any]:
    """Answers, many of them missing, for a household of none to three people with visits."""
    people = ["p1", "p2", "p3"][: chance.randrange(4)]
    visits = [f"{person}.{number}" for person in people for number in range(chance.randrange(3))]
    makers: dict[str, Callable[[], Any]] = {
        "number": lambda: chance.choice([0, 1, -3, 17, 2.5, 0.1, -0.25, 123456789012345, 99]),
        "text": lambda: chance.choice(TEXTS[1:]),
        "date": lambda: chance.choice(["2024-02-29", "1900-01-01", "2026-12-31", "0001-01-01", "9999-12-31"]),
        "codes": lambda: chance.sample(["pay", "talk", "a", "42"], chance.randrange(1, 4)),
        "boolean": lambda: chance.random() < 0.5,
    }
    rows = {"": [""], "people": people, "visits": visits}
    answers: dict[str, dict[str, Any]] = {row: {} for listed in rows.values() for row in listed}
    missing: dict[str, dict[str, str]] = {row: {} for row in answers}
    for name, seen in QUESTIONS.items():
        for row in rows[seen.roster]:
            if chance.random() < 0.7:
                answers[row][name] = makers[seen.type]()
            else:
                missing[row][name] = chance.choice(["dont_know", "refused", "not_asked", "not_applicable"])
    return {
        "answers": answers,
        "missing": missing,
        "rows": {"people": people, "visits": visits},
        "drawn": {"chosen": chance.choice(people)} if people and chance.random() < 0.7 else {},
        "labels": {"s": {"pay": "trả tiền", "a": "A"}},
        "today": "2026-03-01",
        "response": "r",
        "types": {name: seen.type for name, seen in QUESTIONS.items()},
    }


def programs(count: int, seed: int) -> Iterator[Case]:
    """Random programs that compile; what the author's typing refuses is passed over."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        state = data(chance)
        for _ in range(min(25, count - made)):
            roster = chance.choice(["", "", "people"])
            row = chance.choice(state["rows"]["people"] or [""]) if roster else ""
            source = Maker(chance, roster).of(
                chance.choice(["number", "text", "boolean", "boolean", "date"]), 4
            )
            scope = Scope(question=QUESTIONS.get, rosters=ROSTERS, roster=roster)
            try:
                tree = to_json(compile(source, scope))
            except ConditionError:
                continue
            made += 1
            yield Case(source, tree, "", state, row, None, "text", None, "")


def disagreements(count: int, seed: int, batch: int = 2000) -> Iterator[str]:
    """Programs of which the two interpreters make different things, a line each."""
    waiting: list[Case] = []
    for case in programs(count, seed):
        waiting.append(case)
        if len(waiting) == batch:
            yield from _compared(waiting)
            waiting = []
    yield from _compared(waiting)


def _compared(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        return
    for case, one, other in zip(cases, run.in_python(cases), run.in_javascript(cases), strict=True):
        if one != other or type(one) is not type(other):
            said = json.dumps(
                {key: case.data[key] for key in ("answers", "rows", "drawn", "missing")}, ensure_ascii=False
            )
            yield f"{case.name} @{case.row}: Python {one!r}, JavaScript {other!r}\n    {said}"


def main(arguments: Sequence[str]) -> int:
    count, seed = (int(one) for one in (*arguments, *("100000", "2026")[len(arguments) :]))
    start, wrong = time.perf_counter(), list(disagreements(count, seed))
    print("\n".join(wrong[:20]))
    print(
        f"{count:,} random programs (seed {seed}): {len(wrong)} disagreements; {time.perf_counter() - start:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
