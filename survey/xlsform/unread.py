"""What a workbook holds that no form is made of: other columns and sheets, rows switched off, lists that no question uses.

pyxform passes over them without a word. Here each is named, so that nobody believes that it came over; and a column whose
name is nearly one of XLSForm's is refused, because its author meant that one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from pyxform.aliases import yes_no

from survey.xlsform.columns import Columns, split
from survey.xlsform.context import Element, row_of
from survey.xlsform.fidelity import Cell, Notes
from survey.xlsform.workbook import SHEETS, Workbook

SURVEY = frozenset({
    "type", "command", "name", "tag", "value", "label", "caption", "hint", "guidance_hint", "required", "requiredmsg",
    "required_message", "relevant", "relevance", "constraint", "constraint_message", "constraining_message", "calculation",
    "calculate", "default", "trigger", "readonly", "read_only", "choice_filter", "repeat_count", "count", "jr", "appearance",
    "parameters", "image", "big-image", "audio", "video", "media", "autoplay", "rows", "bind", "body", "control", "instance",
    "save_to", "noapperrorstring", "no_app_error_string", "disabled", "intent", "query",
})  # fmt: skip
"""What pyxform reads of the survey sheet."""
CHOICES = frozenset(
    {"list_name", "name", "value", "label", "caption", "image", "big-image", "audio", "video", "media"}
)
SUFFIXED = frozenset({
    "label", "hint", "guidance_hint", "constraint_message", "required_message", "media", "image", "audio", "video", "big-image",
    "bind", "body", "control", "instance", "jr",
})  # fmt: skip
"""Columns that go on after a colon: a language, or an attribute."""
NEAR = 0.85
"""How alike a header and a column of XLSForm must be for a slip of the pen (difflib's ratio)."""


def before(workbook: Workbook, columns: Columns, notes: Notes) -> None:
    """What can be told from the sheets alone, whether pyxform takes the form or not."""
    _sheets(workbook, notes)
    used = _mentioned(workbook, columns)
    for name, count in _filled(workbook, "survey"):
        _survey_column(name, count, notes)
    for name, count in _filled(workbook, "choices"):
        if _first(name) not in CHOICES and name not in used:
            _unread_column("choices", name, count, notes)
    for number, row in workbook.rows("survey"):
        header = next((name for name in row if _first(name) == "disabled"), "")
        if header and yes_no.get(row[header]):
            notes.say("left_out", "disabled", Cell("survey", number, header), "dòng bị tắt (disabled): không nhập",
                      "a row that is switched off (disabled) is not imported", found=row.get(columns.header("survey", "name"), ""))  # fmt: skip
    for number, row in list(workbook.rows("settings"))[1:]:
        notes.say("left_out", "setting", Cell("settings", number), "dòng thiết lập thứ hai không được đọc",
                  "only the first row of settings is read", found=" ".join(row.values()))  # fmt: skip


def lists(tree: Element, columns: Columns, notes: Notes) -> None:
    """Lists of options that no question of the form draws on."""
    used = set(_drawn_on(tree))
    for name, options in (tree.get("choices") or {}).items():
        if name not in used and options:
            cell = columns.cell("choices", row_of(options[0]), "list_name")
            notes.say("left_out", "list", cell, f"danh sách “{name}”: không câu hỏi nào dùng", f"the list “{name}”: no question uses it",
                      found=str(name))  # fmt: skip


def _drawn_on(element: Element) -> Iterator[str]:
    for child in element.get("children", ()):
        yield str(child.get("itemset") or child.get("list_name") or "")
        parameters = child.get("parameters")
        yield str(parameters.get("tick_labelset", "")) if isinstance(parameters, dict) else ""
        yield from _drawn_on(child)


def _sheets(workbook: Workbook, notes: Notes) -> None:
    names = list(workbook.data.sheet_names or ())
    for name in names if len(names) > 1 else ():
        if name.lower() == "entities":
            notes.say("left_out", "entities", Cell(name), "thực thể (entities) mà ODK lập từ câu trả lời: ở đây không lập",
                      "entities that ODK makes of the answers: none are made here")  # fmt: skip
        elif name.lower() not in SHEETS:
            notes.say("left_out", "sheet", Cell(name), "trang này không thuộc XLSForm, không được đọc",
                      "XLSForm has no sheet of this name; it is not read")  # fmt: skip


def _filled(workbook: Workbook, sheet: str) -> Iterator[tuple[str, int]]:
    """Each column with how many of its cells hold something; one that holds nothing is only a heading."""
    rows = [row for _, row in workbook.rows(sheet)]
    for name in workbook.header(sheet):
        count = sum(1 for row in rows if row.get(name))
        if count:
            yield name, count


def _survey_column(name: str, count: int, notes: Notes) -> None:
    first = _first(name)
    if first in SURVEY and (first in SUFFIXED or not split(name)[1]):
        return
    meant = difflib.get_close_matches(first, SURVEY, 1, NEAR)
    if not meant or first in SURVEY or name.strip().lower().startswith("sms"):
        _unread_column("survey", name, count, notes)
        return
    notes.say("refused", "column_misspelt", Cell("survey", 1, name), f"XLSForm không có cột “{name}”, nên nội dung ở đó không có tác dụng (số ô có chữ: {count})",
              f"XLSForm has no column “{name}”, so what stands there has no effect (cells filled in: {count})",
              f"có phải: {meant[0]}? Đổi tên cột, hoặc bỏ nó", f"did you mean: {meant[0]}? Rename the column, or take it out",
              found=name)  # fmt: skip


def _unread_column(sheet: str, name: str, count: int, notes: Notes) -> None:
    why_vi, why_en = {
        "survey": ("XLSForm không có cột này", "XLSForm has no such column"),
        "choices": ("không bộ lọc nào xem cột này", "no filter looks at this column"),
    }[sheet]
    notes.say("left_out", "column", Cell(sheet, 1, name), f"{why_vi}, nên không được đọc (số ô có chữ: {count})", f"{why_en}, so it is not read (cells filled in: {count})",
              found=name)  # fmt: skip


def _mentioned(workbook: Workbook, columns: Columns) -> set[str]:
    """Every bare word of filters and parameters: the columns of options that they look at."""
    found: set[str] = set()
    wanted = [columns.header("survey", name) for name in ("choice_filter", "parameters", "calculation")]
    for _, row in workbook.rows("survey"):
        for header in wanted:
            found |= set(re.findall(r"[\w.-]+", row.get(header) or ""))
    return found


def _first(header: str) -> str:
    return split(header)[0]
