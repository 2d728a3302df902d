"""What pyxform makes of a form: a tree of groups, repeats and questions, each with the row it comes from."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from pyxform.aliases import BINDING_CONVERSIONS
from pyxform.constants import CONVERTIBLE_BIND_ATTRIBUTES
from pyxform.errors import PyXFormError
from pyxform.question_type_dictionary import QUESTION_TYPE_DICT
from pyxform.xls2json import workbook_to_json

from survey.xlsform.columns import Columns
from survey.xlsform.fidelity import Notes
from survey.xlsform.rejected import ROW, SetAside, rejection, say
from survey.xlsform.workbook import Workbook


def form(workbook: Workbook, columns: Columns, notes: Notes) -> dict[str, Any] | None:
    """The form as pyxform's tree of dicts, aliases resolved and types spelt out (`bind`, `control`), expressions as
    text with `${name}`; each part knows its row under ROW. What pyxform rejects is noted as refused, all of it; None
    when it then cannot read the rest."""
    sheets = {
        sheet: [{**row, ROW: str(number)} if row else {} for number, row in enumerate(rows, start=2)]
        for sheet in ("survey", "choices")
        if (rows := getattr(workbook.data, sheet)) is not None
    }
    headers = {f"{sheet}_header": [dict.fromkeys([*workbook.header(sheet), ROW])] for sheet in sheets}
    aside = SetAside(sheets, columns)
    while True:
        warned: list[str] = []
        copies = {sheet: [dict(row) for row in rows] for sheet, rows in sheets.items()}
        try:
            tree: dict[str, Any] = workbook_to_json(
                dataclasses.replace(workbook.data, **copies, **headers),
                fallback_form_name=workbook.data.fallback_form_name,
                warnings=warned,
            )
            break
        except PyXFormError as error:
            parts = [rejection(part) for part in re.split(r"\n(?=\[row : )", str(error))]
        except Exception as error:  # pyxform's own slips on forms that no one has tried
            parts = [rejection(f"{type(error).__name__}: {error}")]
        for found in parts:
            cell = aside.cell(found)
            if not any(entry.cell == cell for entry in notes.of("refused")):  # said already, with a repair
                say("refused", found, cell, notes)
        if not min(aside.past(found) for found in parts):  # each of them is tried
            return None
    for said in warned:
        if not re.search(
            "is missing the|max-pixels|has no label|Translation|translation|'disabled' column", said
        ):
            found = rejection(said)
            say("left_out" if "is being skipped" in said else "changed", found, aside.cell(found), notes)
    _spell_out(tree)
    return tree


def _spell_out(element: dict[str, Any]) -> None:
    """Give every question the bind and control that its type stands for, under what the sheet itself says."""
    _place(element.get("children", ()))
    for child in element.get("children", ()):
        known = QUESTION_TYPE_DICT.get(child.get("type", ""), {})
        for part in ("bind", "control"):
            child[part] = {**known.get(part, {}), **(child.get(part) or {})}
        for name in (
            CONVERTIBLE_BIND_ATTRIBUTES & child["bind"].keys()
        ):  # "TRUE", "yes", as pyxform writes them out later
            said = child["bind"][name]
            child["bind"][name] = BINDING_CONVERSIONS.get(said, said) if isinstance(said, str) else said
        if "hint" in known:
            child.setdefault("hint", known["hint"])
        _spell_out(child)


def _place(children: Sequence[dict[str, Any]]) -> None:
    """The row of what pyxform adds itself: "other, specify" stands in that of its question, the head of a table in that of
    the first question below it. Calculations that it adds have none."""
    for number, child in enumerate(children):
        if ROW in child or child.get("type") == "calculate" or child.get("name") == "meta":
            continue
        around = [*children[max(number - 1, 0) : number], *children[number + 1 : number + 2]]
        if str(child.get("name", "")).startswith("reserved_name_for_field_list_labels"):
            around.reverse()
        row = next((one[ROW] for one in around if ROW in one), None)
        if row is not None:
            child[ROW] = row
