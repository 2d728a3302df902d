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
    "bind::entities:saveto": ("save_to",),
    "bind::jr:noapperrorstring": ("noapperrorstring", "no_app_error_string"),
    "body::autoplay": ("autoplay",),
    **{
        f"media::{medium}": (medium, f"media:{medium}") for medium in ("image", "big-image", "audio", "video")
    },
}


class Columns:
    """The headers of a workbook's sheets, and the texts of its cells."""

    def __init__(self, workbook: Workbook) -> None:
        self.headers = {sheet: workbook.header(sheet) for sheet in ("survey", "choices", "settings")}
        self._found: dict[tuple[str, str], str] = {}
        self.cells = {sheet: dict(workbook.rows(sheet)) for sheet in self.headers}

    def header(self, sheet: str, column: str) -> str:
        """The header under which a property stands in this sheet; its usual name where there is none."""
        if (sheet, column) not in self._found:
            self._found[sheet, column] = self._look(sheet, column)
        return self._found[sheet, column]

    def _look(self, sheet: str, column: str) -> str:
        wanted = {_plain(one) for one in (column, *ALIASES.get(column.lower(), ()))}
        headers = self.headers.get(sheet, ())
        whole = (name for name in headers if _plain(name) in wanted)
        translated = (name for name in headers if split(name)[0] in wanted or _untranslated(name) in wanted)
        return next(whole, None) or next(translated, column)

    def cell(self, sheet: str, row: int, column: str) -> Cell:
        return Cell(sheet, row, self.header(sheet, column))

    def value(self, cell: Cell) -> str:
        return str(self.cells.get(cell.sheet, {}).get(cell.row, {}).get(cell.column, ""))


def split(header: str) -> tuple[str, str]:
    """The property a header names, as pyxform reads it, and what follows its colon: "Label::Tiếng Việt (vi)" is
    ("label", "Tiếng Việt (vi)")."""
    first, _, rest = header.replace("::", ":").partition(":")
    return _plain(first), rest.strip()


def _untranslated(header: str) -> str:
    return _plain(header.rpartition("::")[0])


def _plain(header: str) -> str:
    return re.sub(r"[ _]+", "_", header.strip().lower())
