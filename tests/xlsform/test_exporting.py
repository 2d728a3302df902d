"""Our questionnaires go out as XLSForms that ODK Collect runs to the same end, and come back as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import load_workbook

from survey.cli import main
from survey.folder import questionnaire_at
from survey.questionnaire.model import Questionnaire
from survey.xlsform.exporting import export_form
from survey.xlsform.importing import import_form
from tests.xlsform import javarosa
from tests.xlsform.others import SHARED, shared

FORMS = Path(__file__).parent / "forms"
CORPUS = sorted((Path(__file__).parents[1] / "questionnaire" / "corpus" / "valid").glob("*.yaml"))
HAIDUONG = Path(__file__).parents[2] / "questionnaires" / "haiduong-digital-society"


def _returned(questionnaire: Questionnaire, folder: Path) -> Questionnaire:
    path = folder / "out.xlsx"
    export_form(questionnaire, path)
    found, fidelity = import_form(path)
    assert found is not None, fidelity.text()
    return found


@pytest.mark.parametrize("path", [HAIDUONG, *CORPUS], ids=lambda path: path.stem)
def test_what_goes_out_comes_back_the_same(path: Path, tmp_path: Path) -> None:
    questionnaire = questionnaire_at(path)

    assert _returned(questionnaire, tmp_path) == questionnaire


@pytest.mark.parametrize("name", ["functions.md", "household.md"])
def test_an_imported_form_goes_out_and_comes_back_the_same(name: str, tmp_path: Path) -> None:
    questionnaire, _ = import_form(FORMS / name)
    assert questionnaire is not None

    assert _returned(questionnaire, tmp_path) == questionnaire


@shared
def test_so_does_the_form_of_400_rows(tmp_path: Path) -> None:
    questionnaire, _ = import_form(SHARED / "unhcr_rms" / "RMS_CAPI_v3.xlsx")
    assert questionnaire is not None

    assert _returned(questionnaire, tmp_path) == questionnaire


def test_words_that_somebody_edits_in_the_spreadsheet_come_back_edited(tmp_path: Path) -> None:
    questionnaire = questionnaire_at(HAIDUONG)
    path = tmp_path / "out.xlsx"
    assert main(["export-xlsform", str(HAIDUONG), "--out", str(path)]) == 0
    book = load_workbook(path)
    header = [cell.value for cell in book["survey"][1]]
    row = next(row for row in book["survey"].iter_rows() if row[header.index("name")].value == "wallet")
    row[header.index("label::Tiếng Việt (vi)")].value = "Ông/Bà có ví điện tử không?"
    book.save(path)

    found, _ = import_form(path)
    assert found is not None
    labels = {q.id: q.label["vi"] for s in found.sections for p in s.pages for q in p.questions}
    before = {q.id: q.label["vi"] for s in questionnaire.sections for p in s.pages for q in p.questions}
    assert {name for name in labels if labels[name] != before[name]} == {"wallet"}
    assert labels["wallet"] == "Ông/Bà có ví điện tử không?"


def test_a_condition_that_somebody_edits_there_is_named_and_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    export_form(questionnaire_at(HAIDUONG), path)
    book = load_workbook(path)
    header = [cell.value for cell in book["survey"][1]]
    number, row = next((n, row) for n, row in enumerate(book["survey"].iter_rows(), start=1)
                       if row[header.index("name")].value == "wallet_last_use")  # fmt: skip
    row[header.index("relevant")].value = "${wallet} = 'no'"
    book.save(path)

    found, fidelity = import_form(path)
    assert found is None
    assert [(e.sheet, e.row, e.column, e.code) for e in fidelity.of("refused")] == [
        ("survey", number, "relevant", "edited")
    ]


def test_without_our_columns_it_is_a_plain_xlsform(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    export_form(questionnaire_at(HAIDUONG), path)
    book = load_workbook(path)
    for sheet in book.worksheets:
        for column in range(sheet.max_column, 0, -1):
            if str(sheet.cell(1, column).value).startswith("survey_"):
                sheet.delete_cols(column)
    book.save(path)

    found, fidelity = import_form(path)
    assert found is not None, fidelity.text()
    ids = {q.id for s in found.sections for p in s.pages for q in p.questions}
    assert ids >= {"wallet", "wallet__missing", "respondent__row", "members__2__of__nickname"}


@pytest.mark.skipif(bool(javarosa.missing()), reason=javarosa.missing())
def test_what_goes_out_means_the_same_in_odk_collect(tmp_path: Path) -> None:
    forms = []
    for path in [HAIDUONG, *CORPUS]:
        questionnaire = questionnaire_at(path)
        export_form(questionnaire, tmp_path / f"{path.stem}.xlsx")
        forms.append((tmp_path / f"{path.stem}.xlsx", questionnaire))
    found = [
        f"{path.name}, seed {fill.seed}: {one}"
        for (path, questionnaire), held in zip(forms, javarosa.fills(forms, 6), strict=True)
        for fill in held
        for one in javarosa.compare(questionnaire, fill, exported=True)
    ]

    assert found == []
