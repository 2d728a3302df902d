"""What Excel and Kobo let pass and a questionnaire cannot bear: lost leading zeros and names that stand twice.

Each is named with a suggested repair; with `--repair` it is applied, and listed.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from typing import Any

from survey.xlsform.columns import Columns
from survey.xlsform.fidelity import Cell, Level, Notes
from survey.xlsform.workbook import Workbook

Rows = list[dict[str, str]]


def repair(workbook: Workbook, notes: Notes, repairing: bool) -> Workbook:
    """The workbook with repairs applied, if asked for; every mistake noted either way."""
    columns = Columns(workbook)
    survey = [dict(row) for row in workbook.data.survey or ()]
    choices = [dict(row) for row in workbook.data.choices or ()]
    _zeros(workbook, choices, columns, notes, repairing)
    _names(survey, columns, notes, repairing)
    _codes(survey, choices, columns, notes, repairing)
    changed: dict[str, Any] = {}
    if workbook.data.survey is not None:
        changed["survey"] = survey
    if workbook.data.choices is not None:
        changed["choices"] = choices
    return Workbook(workbook.file, dataclasses.replace(workbook.data, **changed), workbook.numeric)


# --- leading zeros -------------------------------------------------------------------------------------------------


def _zeros(workbook: Workbook, choices: Rows, columns: Columns, notes: Notes, repairing: bool) -> None:
    """Numbers that the sheet shows with zeros in front, or that stand among texts with zeros in front."""
    listed = columns.header("choices", "list_name")
    texts = _zero_led(choices, listed, columns, workbook)
    for numeric in workbook.numeric:
        if numeric.cell.sheet != "choices":
            continue
        row = choices[numeric.cell.row - 2]
        lengths = texts.get((row.get(listed, ""), numeric.cell.column), set()) | texts.get(
            ("", numeric.value), set()
        )
        shown = (
            numeric.shown if numeric.shown != numeric.value else numeric.value.zfill(max(lengths, default=0))
        )
        if shown == numeric.value or not numeric.value.isdigit():
            continue
        level: Level = "repaired" if repairing else "refused"
        notes.say(level, "leading_zeros", numeric.cell, f"mã “{numeric.value}” là số nên mất số 0 ở đầu: “{shown}”?",
                  f"the code “{numeric.value}” is a number and has lost its leading zeros: “{shown}”?",
                  f"ghi ô này thành chữ “{shown}”, hoặc dùng --repair", f"make the cell text “{shown}”, or use --repair",
                  found=numeric.value)  # fmt: skip
        if repairing:
            row[numeric.cell.column] = shown


def _zero_led(
    choices: Rows, listed: str, columns: Columns, workbook: Workbook
) -> dict[tuple[str, str], set[int]]:
    """How long texts with a zero in front are: by (list, column), and by ("", what is left without the zeros) where
    another column or an expression writes the same code with them."""
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in choices:
        for column, value in row.items():
            if re.fullmatch(r"0\d+", value or ""):
                found[row.get(listed, ""), column].add(len(value))
                found["", value.lstrip("0") or "0"].add(len(value))
    for row in workbook.data.survey or ():
        for column in ("relevant", "constraint", "calculation", "choice_filter"):
            for said in re.findall(r"['\"](0\d+)['\"]", str(row.get(columns.header("survey", column)) or "")):
                found["", said.lstrip("0") or "0"].add(len(said))
    return found


# --- names that stand twice ----------------------------------------------------------------------------------------


def _names(survey: Rows, columns: Columns, notes: Notes, repairing: bool) -> None:
    kind, name = columns.header("survey", "type"), columns.header("survey", "name")
    taken = {str(row.get(name, "")).lower() for row in survey}
    seen: dict[str, int] = {}
    for number, row in enumerate(survey, start=2):
        said = str(row.get(name, ""))
        if not said or re.match(r"\s*end[\s_]", str(row.get(kind, "")), re.IGNORECASE):
            continue
        first = seen.setdefault(said, number)
        if first == number:
            continue
        used = [
            n
            for n, other in enumerate(survey, start=2)
            if any(f"${{{said}}}" in str(v).replace(" ", "") for v in other.values())
        ]
        suggested = _next(said, taken)
        cell = Cell("survey", number, name)
        if used:
            rows = ", ".join(str(one) for one in used)
            notes.say("refused", "name_twice", cell, f"tên “{said}” đã có ở dòng {first}, và được dùng ở dòng {rows}: không rõ ý câu nào",
                      f"the name “{said}” stands in row {first} too, and row {rows} uses it: it is not clear which is meant",
                      f"đổi tên một câu, ví dụ “{suggested}”, và sửa chỗ dùng",
                      f"rename one of them, say “{suggested}”, and correct where it is used", found=said)  # fmt: skip
            continue
        level: Level = "repaired" if repairing else "refused"
        notes.say(level, "name_twice", cell, f"tên “{said}” đã có ở dòng {first}", f"the name “{said}” stands in row {first} too",
                  f"đổi thành “{suggested}”, hoặc dùng --repair", f"call it “{suggested}”, or use --repair", found=said)  # fmt: skip
        if repairing:
            row[name] = suggested
            taken.add(suggested.lower())


def _codes(survey: Rows, choices: Rows, columns: Columns, notes: Notes, repairing: bool) -> None:
    listed, name = columns.header("choices", "list_name"), columns.header("choices", "name")
    seen: dict[tuple[str, str], int] = {}
    taken: dict[str, set[str]] = defaultdict(set)
    for row in choices:
        taken[row.get(listed, "")].add(str(row.get(name, "")).lower())
    for number, row in enumerate(choices, start=2):
        key = (row.get(listed, ""), str(row.get(name, "")))
        if not key[1]:
            continue
        first = seen.setdefault(key, number)
        if first == number:
            continue
        used = [
            n
            for n, other in enumerate(survey, start=2)
            if any(re.search(rf"['\"]{re.escape(key[1])}['\"]", str(v)) for v in other.values())
        ]
        suggested = _next(key[1], taken[key[0]])
        possible = repairing and not used
        where = f"; dòng {used[0]} của survey so với mã này" if used else ""
        there = f"; row {used[0]} of survey compares with it" if used else ""
        notes.say("repaired" if possible else "refused", "code_twice", Cell("choices", number, name),
                  f"mã “{key[1]}” của danh sách {key[0]} đã có ở dòng {first}{where}",
                  f"the code “{key[1]}” of the list {key[0]} stands in row {first} too{there}",
                  f"đổi thành “{suggested}”" + ("" if used else ", hoặc dùng --repair"),
                  f"call it “{suggested}”" + ("" if used else ", or use --repair"), found=key[1])  # fmt: skip
        if possible:
            row[name] = suggested
            taken[key[0]].add(suggested.lower())


def _next(name: str, taken: set[str]) -> str:
    """The name that Kobo would give: name_001, name_002, …"""
    return next(
        found for number in range(1, 10_000) if (found := f"{name}_{number:03d}").lower() not in taken
    )
