"""Fills imported forms at random in JavaRosa, the engine of ODK Collect, and replays each fill in ours.

JavaRosa comes inside pyxform (ODK_Validate.jar); JavaRosa.java drives it without a screen. What must agree at every
question: that it is asked, the options offered, whether the answer is required, whether the constraint holds. At the
end, for every leaf of the instance: relevance and value. Accepted differences are in docs/xlsform.md.

    python tests/xlsform/javarosa.py FORM [FORM ...] --fills 50 --seed 1
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyxform
from pyxform.errors import PyXFormError
from pyxform.xls2xform import convert

from survey.problems import BadDocument
from survey.questionnaire.grammar import ConditionError, names, parse
from survey.questionnaire.index import index
from survey.questionnaire.model import Question, Questionnaire
from survey.questionnaire.response import Answer, Key, Response, Value
from survey.questionnaire.routing import Walk, needs_answer
from survey.questionnaire.values import plain, scalar
from survey.xlsform.context import identifier
from survey.xlsform.dialect import MISSING
from survey.xlsform.importing import import_form

JAR = Path(pyxform.__file__).parent / "validators" / "odk_validate" / "bin" / "ODK_Validate.jar"
DRIVER = Path(__file__).with_name("JavaRosa.java")
INSTALL = "a Java compiler is not installed; to run this: sudo apt-get install openjdk-17-jdk-headless"
TEXTS = ("A", "12", "01", "0912345678", "03/2021", "Nguyễn_Thị_Hoa", "x_y")


def missing() -> str:
    """Why JavaRosa cannot be driven, with the remedy; "" if it can. Under CI=true a missing one fails."""
    if shutil.which("javac"):
        return ""
    if os.environ.get("CI") == "true":
        raise RuntimeError(INSTALL)
    return INSTALL


@dataclass
class Fill:
    """One interview that JavaRosa held: its events in order, each a line of JavaRosa.java's record."""

    seed: int
    today: str
    events: list[list[str]] = field(default_factory=list)


def fills(forms: Sequence[tuple[Path, Questionnaire]], count: int, seed: int = 1) -> list[list[Fill]]:
    """`count` random fills of each form, in one run of Java."""
    with tempfile.TemporaryDirectory() as folder:
        plan = []
        for number, (path, questionnaire) in enumerate(forms):
            xform = Path(folder) / f"{number}.xml"
            xform.write_text(xform_of(path), encoding="utf-8")
            numbers, texts = _pools(questionnaire)
            alone = sorted(
                {question.id for question in _questions(questionnaire) if question.kind == "calculate"}
                | {"-"}
            )
            plan.append(
                "\t".join(
                    [str(xform), str(seed), str(count), " ".join(numbers), " ".join(texts), " ".join(alone)]
                )
            )
        done = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", str(JAR), str(DRIVER)],
            input="\n".join(plan) + "\n", capture_output=True, text=True, encoding="utf-8", check=True, timeout=3600,
        )  # fmt: skip
    held: dict[str, list[Fill]] = {}
    for line in done.stdout.splitlines():
        event = line.split("\t")
        if event[0] == "FILL":
            held.setdefault(event[1], []).append(Fill(int(event[2]), event[3]))
        elif event[0] in ("ADD", "ASK", "SAY", "END", "FAIL"):
            held[next(reversed(held))][-1].events.append(event)
    return list(held.values())


def xform_of(path: Path) -> str:
    """The form as pyxform converts it for ODK Collect; PyXFormError where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return convert(str(path)).xform


def _pools(questionnaire: Questionnaire) -> tuple[list[str], list[str]]:
    """Numbers and texts that the form's expressions look at, and their neighbours."""
    said = [text for question in _questions(questionnaire) for text in _expressions(question)]
    found = {int(number) for text in said for number in re.findall(r"(?<![\w.])\d{1,4}(?![\w.])", text)}
    numbers = sorted({0, 1, 2, 3} | {n + step for n in found for step in (-1, 0, 1)})
    texts = {word for text in said for word in re.findall(r"['\"]([\w./-]+)['\"]", text)}
    return [str(number) for number in numbers], sorted(texts | set(TEXTS))


def _questions(questionnaire: Questionnaire) -> Iterator[Question]:
    for section in questionnaire.sections:
        for page in section.pages:
            yield from page.questions


def _expressions(question: Question) -> list[str]:
    return [
        text
        for text in (question.when, question.calculate, question.filter, *(c.that for c in question.checks))
        if text
    ]


def rewritten(questionnaire: Questionnaire, old: str, new: str) -> Questionnaire:
    """The questionnaire with one text replaced wherever it stands."""
    text = msgspec.json.encode(questionnaire).decode()
    assert old in text
    return msgspec.json.decode(text.replace(old, new), type=Questionnaire)


def compare(questionnaire: Questionnaire, fill: Fill, exported: bool = False) -> list[str]:
    """Where our engine and JavaRosa disagree on this fill; nothing when they agree.

    An `exported` form is ours: its companion questions say don't know, its constraints hold limits too, its draw is
    the row whose number it computed. Relevance, options and values are compared, and hard checks that hold."""
    return list(_Replay(questionnaire, fill, exported).differences())


class _Replay:
    def __init__(self, questionnaire: Questionnaire, fill: Fill, exported: bool) -> None:
        self.questionnaire, self.fill, self.exported = questionnaire, fill, exported
        self.drawn = {
            draw.id: event[3]
            for draw in questionnaire.draws
            for event in fill.events
            if event[0] == "END"
            and re.search(rf"/{draw.id}__row\[1\]$", event[1])
            and event[3] not in ("", "0")
        }
        self.index = index(questionnaire)
        self.answers: dict[Key, Answer] = {}
        self.rows: dict[str, list[str]] = {}
        self.by_chance = _by_chance(questionnaire)
        self._view: Walk | None = None

    def view(self) -> Walk:
        if self._view is None:
            rows = {roster: tuple(listed) for roster, listed in self.rows.items()}
            languages = self.questionnaire.languages
            response = Response(
                id="x", answers=dict(self.answers), rows=rows, drawn=self.drawn, today=self.fill.today,
                language=languages[0],
            )  # fmt: skip
            self._view = Walk(self.index, response)
        return self._view

    def differences(self) -> Iterator[str]:
        for kind, *parts in self.fill.events:
            if kind == "FAIL":
                yield f"JavaRosa fails: {parts[0]}"
                return
            name, row = self._place(parts[0])
            if self.exported and kind == "SAY" and parts[1] and name.endswith(MISSING):
                self.answers[self._key(name.removesuffix(MISSING), row)] = Answer(missing=parts[1])  # type: ignore[arg-type]
                self._view = None
            if name not in self.index.places or name in self.by_chance:
                continue
            question = self.index.places[name].question
            row = self._key(name, row).row
            here = f"{name}@{row}" if row else name
            if kind == "ASK":
                yield from self._asked(question, row, parts[1].split(), here)
            elif kind == "SAY":
                yield from self._said(question, row, parts[1], int(parts[2]), here)
            elif kind == "END":
                yield from self._ended(question, row, parts[1] == "1", parts[2], here)

    def _place(self, path: str) -> tuple[str, str]:
        """The question and the row of a path; rows met for the first time are there from now on."""
        row = ""
        steps = re.findall(r"/([^/\[]+)(?:\[(\d+)\])?", path)
        for step, number in steps:
            roster = self.index.rosters.get(
                re.sub(r"__\d+$", "", step) if self.exported else identifier(step)
            )
            if roster is not None:
                row = f"{row}.{number}" if row else number
                listed = self.rows.setdefault(roster.id, [])
                if roster.count is None and row not in listed:
                    listed.append(row)
                    self._view = None
        name = steps[-1][0]
        return name if self.exported or name in self.index.places else identifier(name), row

    def _key(self, name: str, row: str) -> Key:
        """Where an answer is kept: that of the row drawn stands outside the repeat in the form."""
        place = self.index.places.get(name)
        return Key(name, self.drawn.get(place.draw, "") if place and place.draw else row)

    def _asked(self, question: Question, row: str, offered: list[str], here: str) -> Iterator[str]:
        view = self.view()
        if not self._relevant(question, row):
            yield f"{here}: asked by JavaRosa, not by us"
        if question.choices and question.kind != "preload" and question.id not in self.by_chance:
            ours = [choice.code for choice in view.choices(question, row)]
            if ours != offered:
                yield f"{here}: options {offered} in JavaRosa, {ours} here"

    def _relevant(self, question: Question, row: str) -> bool:
        view = self.view()
        view.of[row][question.id]
        return (question.id, row) in view.on

    def _said(self, question: Question, row: str, said: str, kept: int, here: str) -> Iterator[str]:
        if not said:
            if not self.exported and needs_answer(question) != (kept == 1):
                yield f"{here}: required is {kept == 1} in JavaRosa, {needs_answer(question)} here"
            return
        value = self._value(question, said)
        asked, view = self.index.asked[question.id], self.view()
        holds = all(
            run(view, row, scalar(asked.type, value)) is True
            for check, run in asked.checks
            if check.severity == "hard"
        )
        if holds != (kept == 0) and not (self.exported and holds):
            yield f"{here}: the constraint on {said!r} is {kept == 0} in JavaRosa, {holds} here"
        if kept == 0:
            self.answers[Key(question.id, row)] = Answer(value)
            self._view = None

    def _value(self, question: Question, said: str) -> Value:
        match question.kind:
            case "integer" | "year":
                return int(said)
            case "decimal":
                return float(said)
            case "select_many" | "rank":
                return said.split()
            case "acknowledge":
                return True
            case _ if question.rows:
                rows = self.view().rows(question.rows, "")
                return next(
                    (row for row in rows if self.view().row_name(question.rows or "", row) == said), said
                )
            case _:
                return said

    def _ended(self, question: Question, row: str, relevant: bool, said: str, here: str) -> Iterator[str]:
        if row.endswith("1") and not self.view().rows(
            self.index.places[question.id].roster, row.rpartition(".")[0]
        ):
            return  # a repeat counted zero keeps one row in Collect's record, which nobody was asked for
        ours = self._relevant(question, row)
        if ours != relevant:
            yield f"{here}: relevant is {relevant} in JavaRosa, {ours} here"
        elif ours and question.kind == "calculate":
            view = self.view()
            value = plain(self.index.asked[question.id].type, view.of[row][question.id])
            if not _alike(value, said):
                yield f"{here}: {said!r} in JavaRosa, {value!r} here ({question.calculate})"


def _alike(ours: object, theirs: str) -> bool:
    """Whether two results are the same but for how they are written. What JavaRosa writes for division by zero is a
    blank here; what `join` puts between blanks is left out here."""
    if theirs in ("", "NaN", "Infinity", "-Infinity"):
        return ours in (None, "", False) or (theirs != "" and ours is None)
    if isinstance(ours, bool):
        return theirs in (("true", "1") if ours else ("false", "0"))
    if ours is None:
        return not theirs.strip(" ,")
    if "${" in str(ours):
        return True  # the words of an option as they are written
    if re.fullmatch(r"\d{4}-\d\d-\d\dT.*", theirs):
        return str(ours) == theirs[:10]  # a moment is its day here
    said = " ".join(ours) if isinstance(ours, list) else str(ours)
    try:
        return abs(float(said) - float(theirs)) <= 1e-9 * max(1.0, abs(float(theirs)))
    except ValueError:
        return _words(said) == _words(theirs)


def _words(said: str) -> list[str]:
    return [word for word in unicodedata.normalize("NFC", said).split() if word != ","]


def _by_chance(questionnaire: Questionnaire) -> set[str]:
    """Questions whose value or relevance hangs on `random()`, which no two engines draw alike, or on another accepted
    difference."""
    depends: dict[str, set[str]] = {}
    chance: set[str] = set()
    joined: set[str] = set()  # what is cut out of a list in which Collect keeps the blanks differs too
    for section in questionnaire.sections:
        for page in section.pages:
            for question in page.questions:
                texts = [
                    text for text in (page.when, question.when, question.calculate, question.filter) if text
                ]
                if any("random()" in text for text in texts):
                    chance.add(question.id)
                used = {name for text in texts for name in _names(text)}
                depends[question.id] = used
                chance |= {question.id} if used & joined else set()
                if "join(" in (question.calculate or "") and "join(' '," not in (question.calculate or ""):
                    joined.add(question.id)
    while grown := {name for name, on in depends.items() if on & chance} - chance:
        chance |= grown
    return chance


def _names(text: str) -> set[str]:
    try:
        return set(names(parse(text)))
    except ConditionError:
        return set()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("forms", nargs="+", type=Path)
    parser.add_argument("--fills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    taken = []
    for path in options.forms:
        try:
            questionnaire, fidelity = import_form(path)
        except BadDocument as bad:
            print(bad)
            continue
        if questionnaire is None:
            print(f"{path.name}: refused ({len(fidelity.of('refused'))})")
            continue
        try:
            xform_of(path)
        except PyXFormError as error:
            print(f"{path.name}: no XForm: {error}")
            continue
        taken.append((path, questionnaire))
    wrong = 0
    for (path, questionnaire), held in zip(taken, fills(taken, options.fills, options.seed), strict=True):
        found = [(fill.seed, said) for fill in held for said in compare(questionnaire, fill)]
        events = sum(len(fill.events) for fill in held)
        print(f"{path.name}: {len(held)} fills, {events} events, {len(found)} differences")
        for fill_seed, said in found[:20]:
            print(f"  seed {fill_seed}: {said}")
        wrong += len(found)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
