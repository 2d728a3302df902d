"""The fidelity report: everything of a form that does not come over as it stood, by sheet, row and column.

Each entry has one of four levels.

refused    its meaning would change: nothing is imported until somebody decides
repaired   the suggested repair was applied, because `--repair` asked for it
changed    imported, and works somewhat differently: worth a look
left_out   decoration or bookkeeping that does not change what is asked or computed
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from survey.problems import Text

Level = Literal["refused", "repaired", "changed", "left_out"]
LEVELS: dict[Level, Text] = {
    "refused": {"vi": "Không nhập được", "en": "Refused"},
    "repaired": {"vi": "Đã sửa", "en": "Repaired"},
    "changed": {"vi": "Nhập, có khác", "en": "Imported, with a difference"},
    "left_out": {"vi": "Bỏ qua", "en": "Left out"},
}


class Cell(Struct, frozen=True):
    """A place in the workbook; `row` counts from 1 as the spreadsheet does, 0 means the whole sheet."""

    sheet: str = ""
    row: int = 0
    column: str = ""

    def said(self, language: str) -> str:
        words = {"vi": ("trang", "dòng", "cột"), "en": ("sheet", "row", "column")}[language]
        parts = zip(words, (self.sheet, self.row or "", self.column), strict=True)
        return ", ".join(f"{word} {value}" for word, value in parts if value)


class Entry(Struct, frozen=True, kw_only=True):
    """One thing that differs: where, what it says there, why it matters, what to do."""

    level: Level
    code: str
    sheet: str = ""
    row: int = 0
    column: str = ""
    found: str = ""
    message: Text
    remedy: Text = {}

    @property
    def cell(self) -> Cell:
        return Cell(self.sheet, self.row, self.column)


class Fidelity(Struct, frozen=True, kw_only=True):
    """The whole report of one import."""

    file: str
    imported: bool
    questions: int = 0
    entries: tuple[Entry, ...] = ()

    def of(self, level: Level) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.level == level)

    def text(self, language: str = "en") -> str:
        """For a person: by level, places with the same message on one line."""
        lines = []
        for level, title in LEVELS.items():
            entries = self.of(level)
            if not entries:
                continue
            lines.append(f"{title[language]} ({len(entries)})")
            lines += [f"  {line}" for line in _grouped(entries, language)]
        counts = ", ".join(
            f"{title[language].lower()}: {len(self.of(level))}" for level, title in LEVELS.items()
        )
        verdict = {
            "vi": (f"Đã nhập {self.questions} câu", "Chưa nhập gì"),
            "en": (f"{self.questions} questions imported", "Nothing was imported"),
        }[language][0 if self.imported else 1]
        return "\n".join([*lines, f"{self.file}: {verdict} ({counts})"])

    def json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def _grouped(entries: Iterable[Entry], language: str) -> list[str]:
    groups: dict[tuple[str, str, str, str], list[int]] = {}
    for entry in entries:
        remedy = entry.remedy.get(language, "")
        said = entry.message[language] + (f" → {remedy}" if remedy else "")
        groups.setdefault((said, entry.sheet, entry.column, ""), []).append(entry.row)
    lines = []
    for (said, sheet, column, _), rows in groups.items():
        place = Cell(sheet, 0, column).said(language)
        known = sorted({row for row in rows if row})
        if known:
            place = f"{Cell(sheet).said(language)}, {_rows(known, language)}" + (
                f", {_column(column, language)}" if column else ""
            )
        lines.append(f"{place}: {said}" if place else said)
    return lines


def _rows(rows: list[int], language: str) -> str:
    word = "dòng" if language == "vi" else "row" if len(rows) == 1 else "rows"
    return f"{word} " + ", ".join(str(row) for row in rows)


def _column(column: str, language: str) -> str:
    return ("cột " if language == "vi" else "column ") + column


class Notes:
    """Where the parts of an import write down what they find."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def say(
        self,
        level: Level,
        code: str,
        cell: Cell,
        vi: str,
        en: str,
        do_vi: str = "",
        do_en: str = "",
        found: str = "",
    ) -> None:
        entry = Entry(
            level=level, code=code, sheet=cell.sheet, row=cell.row, column=cell.column, found=found[:200],
            message={"vi": vi, "en": en}, remedy={"vi": do_vi, "en": do_en} if do_en else {},
        )  # fmt: skip
        if entry not in self.entries:
            self.entries.append(entry)

    def of(self, level: Level) -> list[Entry]:
        return [entry for entry in self.entries if entry.level == level]
