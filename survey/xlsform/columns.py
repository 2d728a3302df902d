"""Where in the sheet a property of a question stands: XLSForm has many headers for one thing."""

from __future__ import annotations

import re

from survey.xlsform.fidelity import Cell
from survey.xlsform.workbook import Workbook

ALIASES = {
    "type": ("command",),
    "name": ("tag", "value"),
    "label": ("caption",),
    "relevant": ("relevance", "bind::relevant", "bind:relevant"),
    "required": ("bind::required", "bind:required"),
    "required_message": ("requiredmsg", "bind::jr:requiredmsg", "bind:jr:requiredmsg"),
    "constraint": ("bind::constraint", "bind:constraint"),
    "constraint_message": ("constraining_message", "bind::jr:constraintmsg", "bind:jr:constraintmsg"),
    "calculation": ("calculate", "bind::calculate", "bind:calculate"),
    "readonly": ("read_only", "read only", "bind::readonly", "bind:readonly"),
    "repeat_count": ("count", "jr:count", "body::jr:count", "body:jr:count"),
    "appearance": ("body::appearance", "body:appearance", "control::appearance"),
    "list_name": ("list name",),
}


class Columns:
    """The headers of a workbook's sheets, and the texts of its cells."""

    def __init__(self, workbook: Workbook) -> None:
        self.headers = {sheet: workbook.header(sheet) for sheet in ("survey", "choices", "settings")}
        self.cells = {sheet: dict(workbook.rows(sheet)) for sheet in self.headers}

    def header(self, sheet: str, column: str) -> str:
        """The header under which a property stands in this sheet; its usual name where there is none."""
        wanted = (column, *ALIASES.get(column, ()))
        for name in self.headers.get(sheet, ()):
            plain = re.sub(r"[ _]+", "_", name.strip().lower())
            if plain in {re.sub(r"[ _]+", "_", one) for one in wanted}:
                return name
        for name in self.headers.get(sheet, ()):  # a translated column
            if name.lower().split(":")[0].strip() in wanted:
                return name
        return column

    def cell(self, sheet: str, row: int, column: str) -> Cell:
        return Cell(sheet, row, self.header(sheet, column))

    def value(self, cell: Cell) -> str:
        return str(self.cells.get(cell.sheet, {}).get(cell.row, {}).get(cell.column, ""))
