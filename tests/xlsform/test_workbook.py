"""A workbook that somebody sent is read safely: bombs, entities and damage are refused in words, lost zeros are seen."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook as Book

from survey.problems import BadDocument
from survey.xlsform.importing import import_form


def _book(
    path: Path, survey: list[list[Any]], choices: list[list[Any]], formats: dict[str, str] | None = None
) -> Path:
    book = Book()
    sheet = book.active
    assert sheet is not None
    sheet.title = "survey"
    for row in survey:
        sheet.append(row)
    listed = book.create_sheet("choices")
    for row in choices:
        listed.append(row)
    for cell, form in (formats or {}).items():
        listed[cell].number_format = form
    book.save(path)
    return path


SURVEY = [["type", "name", "label::English (en)"], ["select_one communes", "commune", "Commune"]]


def _codes(error: BadDocument) -> list[str]:
    return [finding.code for finding in error.findings]


def _added(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("xl/bomb.xml", b"<a>" + b" " * 30_000_000 + b"</a>", "bomb"),
        (
            "xl/evil.xml",
            b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            "entities",
        ),
        ("xl/wide.xml", '<?xml version="1.0"?><!DOCTYPE a []><a/>'.encode("utf-16"), "entities"),
    ],
)
def test_a_hostile_archive_is_refused_before_it_is_opened(
    name: str, content: bytes, code: str, tmp_path: Path
) -> None:
    path = _added(
        _book(tmp_path / "form.xlsx", SURVEY, [["list_name", "name", "label::English (en)"]]), name, content
    )

    with pytest.raises(BadDocument) as refused:
        import_form(path)
    assert _codes(refused.value) == [code]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("form.xlsx", b"not a zip", "not_xlsx"), ("form.xls", b"nothing", "unreadable"), ("form.xlsx", bytes.fromhex("D0CF11E0A1B11AE1"), "password"), ("form.pdf", b"%PDF", "kind"),
     ("form.csv", b"a,b\n1,2\n", "no_survey"), ("form.xlsx", None, "no_file")],
)  # fmt: skip
def test_what_cannot_be_read_says_so(name: str, content: bytes | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadDocument) as refused:
        import_form(path)
    assert _codes(refused.value) == [code]
    assert refused.value.message["vi"]


def test_an_archive_cut_short_is_refused(tmp_path: Path) -> None:
    path = _book(tmp_path / "form.xlsx", SURVEY, [["list_name", "name", "label"]])
    buffer = io.BytesIO(path.read_bytes()[: path.stat().st_size // 2])
    path.write_bytes(buffer.getvalue())

    with pytest.raises(BadDocument):
        import_form(path)


def test_macros_and_links_are_named_and_left_alone(tmp_path: Path) -> None:
    choices = [["list_name", "name", "label::English (en)"], ["communes", "a", "A"]]
    path = _book(tmp_path / "form.xlsx", SURVEY, choices)
    link = b'<Relationships><Relationship Id="r1" Type="x" Target="file:///other.xlsx" TargetMode="External"/></Relationships>'
    _added(_added(path, "xl/vbaProject.bin", b"x"), "xl/externalLinks/_rels/externalLink1.xml.rels", link)

    questionnaire, fidelity = import_form(path)
    assert questionnaire is not None
    assert {entry.code for entry in fidelity.entries} == {"macros", "external_link"}


@pytest.mark.parametrize(
    ("rows", "formats"),
    [
        ([["communes", 1, "One"], ["communes", 2, "Two"]], {"B2": "00", "B3": "00"}),  # the sheet shows 01
        ([["communes", "01", "One"], ["communes", 2, "Two"]], {}),  # its neighbour has the zero
    ],
)
def test_leading_zeros_lost_in_numeric_cells_are_caught_and_repaired(
    rows: list[list[Any]], formats: dict[str, str], tmp_path: Path
) -> None:
    path = _book(
        tmp_path / "form.xlsx", SURVEY, [["list_name", "name", "label::English (en)"], *rows], formats
    )

    questionnaire, fidelity = import_form(path)
    assert questionnaire is None
    assert {entry.code for entry in fidelity.of("refused")} == {"leading_zeros"}
    assert fidelity.of("refused")[-1].cell.said("en") == "sheet choices, row 3, column name"

    questionnaire, fidelity = import_form(path, repairing=True)
    assert questionnaire is not None
    assert [choice.code for choice in questionnaire.choices["communes"]] == ["01", "02"]
    assert len(fidelity.of("repaired")) == sum(isinstance(row[1], int) for row in rows)


def test_a_zero_that_a_condition_still_writes_gives_the_loss_away(tmp_path: Path) -> None:
    survey = [[*SURVEY[0], "relevant"], [*SURVEY[1], ""], ["text", "why", "Why", "${commune} = '01'"]]
    path = _book(
        tmp_path / "form.xlsx", survey, [["list_name", "name", "label::English (en)"], ["communes", 1, "One"]]
    )

    assert [entry.code for entry in import_form(path)[1].of("refused")] == ["leading_zeros"]
    assert import_form(path, repairing=True)[0] is not None


def test_numbers_that_lost_nothing_pass(tmp_path: Path) -> None:
    rows = [["communes", number, f"No. {number}"] for number in (1, 2, 10)]
    questionnaire, fidelity = import_form(
        _book(tmp_path / "f.xlsx", SURVEY, [["list_name", "name", "label::English (en)"], *rows])
    )

    assert questionnaire is not None
    assert not fidelity.entries


def test_a_formula_that_was_never_computed_is_named(tmp_path: Path) -> None:
    survey = [*SURVEY, ["text", "name", '=CONCAT("a", "b")']]
    path = _book(
        tmp_path / "form.xlsx", survey, [["list_name", "name", "label::English (en)"], ["communes", "a", "A"]]
    )

    refused = import_form(path)[1].of("refused")
    assert [(entry.code, entry.cell.said("en")) for entry in refused] == [
        ("formula", "sheet survey, row 3, column C")
    ]
