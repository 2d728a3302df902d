"""Nothing of a workbook is passed over in silence: other columns, sheets, lists and rows are named by their cell."""

from __future__ import annotations

from pathlib import Path

from openpyxl import Workbook as Book

from survey.xlsform.fidelity import Fidelity
from survey.xlsform.importing import import_form


def _report(folder: Path, **sheets: list[list[str]]) -> Fidelity:
    book = Book()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(folder / "form.xlsx")
    return import_form(folder / "form.xlsx", language="en")[1]


def _named(fidelity: Fidelity) -> set[tuple[str, str, str, int, str]]:
    return {(entry.level, entry.code, entry.sheet, entry.row, entry.column) for entry in fidelity.entries}


def test_columns_sheets_lists_and_rows_that_nobody_reads_are_named(tmp_path: Path) -> None:
    fidelity = _report(
        tmp_path,
        survey=[
            ["type", "name", "label", "indicator", "disabled", "empty"],
            ["select_one yn", "q", "Q", "SDG 1", "", ""],
            ["text", "r", "R", "", "yes", ""],
        ],
        choices=[["list_name", "name", "label", "weight"], ["yn", "y", "Yes", "3"], ["other", "z", "Z", ""]],
        settings=[["form_title"], ["T"], ["a second row"]],
        entities=[["list_name", "label"], ["trees", "x"]],
        Lookup=[["a"], ["b"]],
    )
    assert fidelity.imported
    assert _named(fidelity) == {
        ("left_out", "column", "survey", 1, "indicator"),
        ("left_out", "disabled", "survey", 3, "disabled"),
        ("left_out", "column", "choices", 1, "weight"),
        ("left_out", "list", "choices", 3, "list_name"),
        ("left_out", "setting", "settings", 3, ""),
        ("left_out", "entities", "entities", 0, ""),
        ("left_out", "sheet", "Lookup", 0, ""),
    }


def test_a_column_that_a_filter_looks_at_is_read(tmp_path: Path) -> None:
    fidelity = _report(
        tmp_path,
        survey=[
            ["type", "name", "label", "choice_filter"],
            ["text", "d", "D", ""],
            ["select_one c", "q", "Q", "district = ${d}"],
        ],
        choices=[["list_name", "name", "label", "district"], ["c", "y", "Yes", "01"]],
    )
    assert _named(fidelity) == set()


def test_a_slip_in_the_name_of_a_column_loses_no_condition(tmp_path: Path) -> None:
    fidelity = _report(
        tmp_path,
        survey=[
            ["type", "name", "label", "relevent"],
            ["text", "a", "A", ""],
            ["text", "q", "Q", "${a} = 'x'"],
        ],
    )
    (entry,) = fidelity.of("refused")
    assert (entry.code, entry.cell.said("en")) == ("column_misspelt", "sheet survey, row 1, column relevent")
    assert "relevant" in entry.remedy["en"]


def test_what_is_not_collected_cannot_be_shown(tmp_path: Path) -> None:
    fidelity = _report(
        tmp_path, survey=[["type", "name", "label"], ["deviceid", "d", ""], ["note", "n", "Device ${d}"]]
    )
    (entry,) = fidelity.of("refused")
    assert (entry.row, entry.column) == (3, "label")
    assert "“d” (deviceid) is not collected here" in entry.message["en"]
