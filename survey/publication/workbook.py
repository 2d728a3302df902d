"""The figures of a release as one formatted workbook (XLSX) that says itself what it holds, in both languages.

Three sheets: notes, figures, verdicts. Figures are real numbers with a number format, never text; a cell of text is
text whatever it begins with, so nothing in it can run. The same release gives the same bytes: the two moments that
the format asks for (in the package and in its properties) are the reference day of the release.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties

from analysis.indicators import Indicator
from survey.publication.report import RULES
from survey.publication.results import Cell, Release
from survey.publication.voice import LANGUAGES, Voice

ARCHIVED: Final = (1980, 1, 1, 0, 0, 0)  # the earliest moment a ZIP can hold
NUMBERS: Final = {
    "value": "0.0%", "lower": "0.0%", "upper": "0.0%", "se": "0.00%", "n": "#,##0", "effective_n": "#,##0",
    "df": "0", "deff": "0.00", "having": "#,##0", "total": "#,##0",
}  # fmt: skip
"""Column of a figure → how a spreadsheet writes it. The cell holds all its digits."""
_HEAD = PatternFill("solid", fgColor="FF1F3A4D")
_WHITE = Font(bold=True, color="FFFFFFFF")
_WRAPPED = Alignment(wrap_text=True, vertical="top")


def workbook(release: Release) -> bytes:
    """The workbook of a release, as bytes."""
    voices = [Voice(language) for language in LANGUAGES]
    book = Workbook(write_only=True)
    _notes(book, release, voices)
    _figures(book, release, voices)
    _verdicts(book, release, voices)
    book.properties.creator = voices[0].text(release.organiser)
    book.properties.title = voices[0].text(release.title)
    written = io.BytesIO()
    book.save(written)
    return _undated(written.getvalue(), release.reference)


def _both(voices: Sequence[Voice], key: str) -> str:
    return "\n".join(voice.word(key) for voice in voices)


def _notes(book: Any, release: Release, voices: Sequence[Voice]) -> None:
    sheet = book.create_sheet(" · ".join(voice.word("workbook.notes") for voice in voices))
    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = sheet.column_dimensions["C"].width = 64
    rows = [
        [_text(sheet, part, bold=True) for part in ("", *(voice.text(release.title) for voice in voices))]
    ]
    facts = [("organiser", [voice.text(release.organiser) for voice in voices]),
             ("territory", [voice.text(release.territory) for voice in voices]),
             ("reference", [voice.date(release.reference) for voice in voices]),
             ("number", [str(release.number)] * 2)]  # fmt: skip
    if release.synthetic:
        facts.insert(0, ("synthetic", [voice.word("site.synthetic") for voice in voices]))
    if release.embargo:
        facts.append(("embargo", [voice.moment(release.embargo) for voice in voices]))
    facts += [(key, [voice.word(f"workbook.{key}_text", level=voice.threshold(release.plan.release.level))
                     for voice in voices]) for key in ("interval", "held", "total", "columns")]  # fmt: skip
    for key, said in facts:
        rows.append(
            [_text(sheet, _both(voices, f"workbook.{key}"), bold=True), *(_text(sheet, one) for one in said)]
        )
    rows += [
        [
            _text(sheet, indicator.id, bold=True),
            *(_text(sheet, _defined(indicator, voice)) for voice in voices),
        ]
        for indicator in release.plan.indicators
    ]
    for target in release.plan.targets:
        if target.note:
            said = [_text(sheet, voice.text(target.note)) for voice in voices]
            rows.append([_text(sheet, target.id, bold=True), *said])
    _fill(sheet, rows)


def _defined(indicator: Indicator, voice: Voice) -> str:
    """What an indicator is, in one cell."""
    parts = f"{voice.text(indicator.name)}. {voice.text(indicator.denominator)}. {indicator.source}. "
    return f"{parts}{voice.text(indicator.reference_period)}. {voice.text(indicator.note)}".strip()


def _figures(book: Any, release: Release, voices: Sequence[Voice]) -> None:
    words = ("indicator", "breakdown", "category", *LANGUAGES, "status", "reason")
    sheet = book.create_sheet(" · ".join(voice.word("workbook.figures") for voice in voices))
    for place, width in enumerate((22, 14, 20, 52, 52, 8, 30, *([13] * len(NUMBERS))), start=1):
        sheet.column_dimensions[get_column_letter(place)].width = width
    sheet.freeze_panes = "D2"
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(words) + len(NUMBERS))}{len(release.cells) + 1}"
    heads = [f"workbook.{name}" for name in (*words, *NUMBERS)]
    _fill(sheet, [[_head(sheet, _both(voices, key)) for key in heads]])
    # A row is written as soon as it is appended, so the cells of one row serve all of them.
    texts = [_text(sheet, "", wrapped=False) for _ in words]
    numbers = {name: _number(sheet, None, style) for name, style in NUMBERS.items()}
    for one in release.cells:
        said = [_said(release, one, voice) for voice in voices]
        reasons = " · ".join(
            _reason(reason, voice) for reason in (*one.reasons, *one.flags) for voice in voices
        )
        for cell, text in zip(
            texts, (one.indicator, one.domain, one.category, *said, one.status, reasons), strict=True
        ):
            cell.value = text
            cell.data_type = "s"
        for name, cell in numbers.items():
            cell.value = getattr(one, name)
        sheet.append([*texts, *numbers.values()])


def _reason(reason: str, voice: Voice) -> str:
    return voice.word(f"held.{reason}")


def _said(release: Release, cell: Cell, voice: Voice) -> str:
    """The indicator and the group in words."""
    name = voice.text(release.indicator(cell.indicator).name)
    return f"{name}: {voice.text(release.names[cell.domain][cell.category])}" if cell.domain else name


def _verdicts(book: Any, release: Release, voices: Sequence[Voice]) -> None:
    sheet = book.create_sheet(" · ".join(voice.word("workbook.verdicts") for voice in voices))
    sheet.column_dimensions["A"].width = 20
    for letter in "BCDE":
        sheet.column_dimensions[letter].width = 52 if letter in "BC" else 30
    for letter in "FGHIJKLM":
        sheet.column_dimensions[letter].width = 14
    sheet.freeze_panes = "B2"
    heads = ("target", *LANGUAGES, "verdict_vi", "verdict_en", "rule", "threshold", "alpha", "value", "bound_low", "bound_high", "p_met", "p_not_met")  # fmt: skip
    rows = [[_head(sheet, _both(voices, f"workbook.{name}")) for name in heads]]
    for one in release.decisions:
        target = release.target(one.target)
        texts = [one.target, *(voice.text(target.text) for voice in voices)]
        texts += [voice.word(f"verdict.{one.verdict}") for voice in voices]
        texts.append(RULES[target.comparison])
        shares = [getattr(one, name) for name in heads[6:]]
        rows.append(
            [
                *(_text(sheet, text) for text in texts),
                *(_number(sheet, share, "0.0%") for share in shares[:5]),
                *(_number(sheet, share, "0.0000") for share in shares[5:]),
            ]
        )
    _fill(sheet, rows)


def _fill(sheet: Any, rows: Sequence[Sequence[Any]]) -> None:
    """The first rows of a sheet, each as high as its longest text needs (not every program finds that out itself), and
    how the sheet is printed: across, as wide as the paper, the first row on every page."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9  # A4
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.fitToHeight = 0  # as many pages down as it takes
    sheet.print_title_rows = "1:1"
    for number, row in enumerate(rows, start=1):
        lines = [1]
        for place, cell in enumerate(row, start=1):
            width = sheet.column_dimensions[get_column_letter(place)].width
            if isinstance(cell.value, str):
                lines.append(sum(-(-max(len(line), 1) // int(width - 2)) for line in cell.value.split("\n")))
        sheet.row_dimensions[number].height = 15.0 * max(lines)
        sheet.append(row)


def _text(sheet: Any, text: str, *, bold: bool = False, wrapped: bool = True) -> Any:
    """A cell of text that stays text: the type is set after the value, which would make a formula of "=1+1"."""
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    if bold:
        cell.font = Font(bold=True)
    if wrapped:
        cell.alignment = _WRAPPED
    return cell


def _head(sheet: Any, text: str) -> Any:
    cell = _text(sheet, text)
    cell.fill, cell.font = _HEAD, _WHITE
    return cell


def _number(sheet: Any, value: float | None, style: str) -> Any:
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = style
    return cell


def _undated(content: bytes, day: str) -> bytes:
    """The same package without the moment it was written at."""
    written = io.BytesIO()
    stamp = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            part = old.read(name)
            if name == "docProps/core.xml":
                part = stamp.sub(f"{day}T00:00:00Z".encode(), part)
            new.writestr(zipfile.ZipInfo(name, ARCHIVED), part, zipfile.ZIP_DEFLATED)
    return written.getvalue()
