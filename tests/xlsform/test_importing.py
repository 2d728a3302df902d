"""An XLSForm comes in faithfully, or is refused by sheet, row and column; nothing of it is ignored."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from survey.cli import main
from survey.folder import check, questionnaire_at
from survey.problems import BadDocument
from survey.questionnaire.model import Page, Questionnaire
from survey.xlsform.fidelity import Level
from survey.xlsform.importing import import_folder, import_form
from tests.xlsform.others import SHARED, shared

FORMS = Path(__file__).parent / "forms"


def _pages(questionnaire: Questionnaire) -> dict[str, Page]:
    return {page.id: page for section in questionnaire.sections for page in section.pages}


def _imported(text: str, folder: Path) -> Questionnaire:
    (folder / "form.md").write_text(text, encoding="utf-8")
    questionnaire, fidelity = import_form(folder / "form.md", language="en")
    assert questionnaire is not None, fidelity.text()
    return questionnaire


def _refused(text: str, folder: Path) -> list[tuple[str, int, str, str]]:
    (folder / "form.md").write_text(text, encoding="utf-8")
    questionnaire, fidelity = import_form(folder / "form.md", language="en")
    assert questionnaire is None
    return [(entry.sheet, entry.row, entry.column, entry.code) for entry in fidelity.of("refused")]


def test_a_household_form_becomes_sections_pages_and_rosters() -> None:
    questionnaire, _ = import_form(FORMS / "household.md")
    assert questionnaire is not None

    assert questionnaire.languages == ("vi", "en")
    assert questionnaire.edition == "2026.1"
    assert [(r.id, r.within, r.count, r.name) for r in questionnaire.rosters] == [
        ("member", None, None, "who"),
        ("again", None, "if(${consent} = 'yes', ${size}, 0)", "name_again"),
        ("phone", "member", None, "uses"),
    ]
    pages = _pages(questionnaire)
    assert pages["place_page"].when == "${consent} = 'yes'"
    assert [question.id for question in pages["place_page"].questions] == [
        "district",
        "commune",
        "fuel",
        "fuel_other",
    ]
    assert (pages["member_list"].kind, pages["member_list"].roster) == ("list", "member")
    assert (pages["phone_list"].each, pages["phone_list"].roster) == ("member", "phone")
    assert pages["smartphone_page"].each == "again"
    consent = pages["consent_page"].questions[0]
    assert consent.for_official == {"vi": "Đọc chậm.", "en": "Read slowly."}
    assert (consent.required, consent.dont_know, consent.refused) == (True, False, False)


def test_a_folder_can_be_checked_and_its_gaps_are_named(tmp_path: Path) -> None:
    fidelity = import_folder(FORMS / "household.md", tmp_path / "survey")

    assert fidelity.imported
    assert questionnaire_at(tmp_path / "survey") == import_form(FORMS / "household.md")[0]
    assert {finding.code for finding in check(tmp_path / "survey")} >= {"placeholder", "no_file"}
    assert {finding.where.split(":")[0] for finding in check(tmp_path / "survey")} <= {
        "survey.yaml",
        "areas.csv",
    }


def test_what_somebody_has_filled_in_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "survey.yaml").write_text("mine")
    import_folder(FORMS / "household.md", tmp_path)

    assert (tmp_path / "survey.yaml").read_text() == "mine"


def test_everything_that_has_no_counterpart_is_named_by_its_cell() -> None:
    questionnaire, fidelity = import_form(FORMS / "refused.md")

    assert questionnaire is None
    assert [(e.sheet, e.row, e.column, e.code) for e in fidelity.of("refused")] == [
        ("survey", 3, "type", "kind"),
        ("survey", 4, "type", "kind"),
        ("survey", 6, "calculation", "expression"),
        ("survey", 7, "calculation", "expression"),
        ("survey", 9, "trigger", "trigger"),
        ("survey", 10, "relevant", "expression"),
        ("survey", 10, "constraint", "expression"),
        ("survey", 11, "choice_filter", "expression"),
        ("choices", 3, "name", "code"),
        ("survey", 8, "calculation", "condition"),
    ]
    assert [(e.sheet, e.row, e.column, e.code) for e in fidelity.of("left_out")] == [
        ("settings", 2, "public_key", "setting"),
        ("survey", 2, "appearance", "appearance"),
        ("survey", 2, "media::image", "media"),
        ("survey", 5, "type", "metadata"),
    ]


def test_the_command_prints_the_report_and_keeps_it_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["import-xlsform", str(FORMS / "refused.md"), "--out", str(tmp_path)]) == 1

    said = capsys.readouterr().out
    assert "trang survey, dòng 3, cột type: loại câu “audio” chưa hỗ trợ" in said
    assert "sheet survey, row 3, column type: questions of type “audio” are not supported" in said
    report = json.loads((tmp_path / "fidelity.json").read_text())
    assert report["imported"] is False
    assert Counter(entry["level"] for entry in report["entries"])["refused"] == 10
    assert not (tmp_path / "questionnaire.yaml").exists()


@pytest.mark.parametrize(
    ("type_and_more", "kind"),
    [
        ("text", "text"), ("string", "text"), ("int", "integer"), ("decimal", "decimal"), ("date", "date"),
        ("note", "note"), ("barcode", "barcode"), ("image", "photo"), ("geopoint", "location"), ("acknowledge", "acknowledge"),
        ("trigger", "acknowledge"), ("select_one yn", "select_one"), ("select one from yn", "select_one"),
        ("select_multiple yn", "select_many"), ("rank yn", "rank"), ("time", "text"), ("dateTime", "text"), ("range", "integer"),
    ],
)  # fmt: skip
def test_types_and_their_old_names(type_and_more: str, kind: str, tmp_path: Path) -> None:
    questionnaire = _imported(
        f"| survey |\n| | type | name | label |\n| | {type_and_more} | q | Q |\n"
        "| choices |\n| | list_name | name | label |\n| | yn | y | Y |\n| | yn | n | N |\n", tmp_path,
    )  # fmt: skip

    (question,) = _pages(questionnaire)["q_page"].questions
    assert question.kind == kind


def test_a_code_that_is_not_offered_makes_a_condition_that_is_never_true(tmp_path: Path) -> None:
    questionnaire = _imported(
        "| survey |\n| | type | name | label | relevant |\n| | select_one yn | q | Q | |\n| | text | r | R | ${q} = '96' or ${q} = 'y' |\n"
        "| choices |\n| | list_name | name | label |\n| | yn | y | Y |\n", tmp_path,
    )  # fmt: skip

    assert _pages(questionnaire)["r_page"].questions[0].when == "false() or ${q} = 'y'"


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ("if(${n} > 1, 'x', null)", "if(${n} > 1, 'x', '')"),
        ("${c} = 'NaN' or ${c} != ''", "string(${c}) = 'NaN' or ${c} != ''"),
        ("${n} != 'NaN'", "true()"),
        ("floor(${n} div 12)", "round(${n} div 12 - 0.5)"),
        ("ceiling(${n})", "-round(-${n} - 0.5)"),
        ("empty(${n})", "${n} = ''"),
        ("uuid()", "string(random())"),
        ("TRUE", "true()"),
        ("decimal-date-time('2024-02-29')", "decimal-date-time('2024-02-29')"),
    ],
)
def test_what_other_programs_write_otherwise_means_the_same(said: str, ours: str, tmp_path: Path) -> None:
    questionnaire = _imported(
        "| survey |\n| | type | name | label | calculation |\n| | integer | n | N | |\n"
        f"| | calculate | c | | ${{n}} + 1 |\n| | calculate | r | | {said} |\n| | note | e | End | |\n", tmp_path,
    )  # fmt: skip

    asked = [question for page in _pages(questionnaire).values() for question in page.questions]
    assert next(question.calculate for question in asked if question.id == "r") == ours


@pytest.mark.parametrize(
    ("type_and_more", "appearance", "level", "code"),
    [
        ("select_one yn", "minimal search('fruits')", "refused", "search"),
        ("date", "month-year", "changed", "appearance"),
        ("image", "signature", "changed", "appearance"),
        ("text", "ex:org.example.scan", "changed", "appearance"),
        ("text", "multiline", "left_out", "appearance"),
        ("background-geopoint", "", "refused", "kind"),
    ],
)
def test_an_appearance_that_changes_the_question_is_more_than_decoration(
    type_and_more: str, appearance: str, level: Level, code: str, tmp_path: Path
) -> None:
    (tmp_path / "form.md").write_text(
        "| survey |\n| | type | name | label | appearance | trigger |\n| | text | t | T | | |\n"
        f"| | {type_and_more} | q | Q | {appearance} | {'${t}' if 'background' in type_and_more else ''} |\n"
        "| choices |\n| | list_name | name | label |\n| | yn | y | Y |\n"
    )
    assert (code, 3) in [(entry.code, entry.row) for entry in import_form(tmp_path / "form.md")[1].of(level)]


def test_names_are_kept_with_their_capitals_and_made_ids_where_they_must_be(tmp_path: Path) -> None:
    questionnaire = _imported(
        "| survey |\n| | type | name | label |\n| | text | HH-01.a | Name |\n| | text | HH02 | Is it ${HH-01.a}? |\n",
        tmp_path,
    )

    (first,), (second,) = (page.questions for page in _pages(questionnaire).values())
    assert (first.id, second.id) == ("HH_01_a", "HH02")
    assert second.label == {"en": "Is it ${HH_01_a}?"}


def test_a_missing_translation_is_named_and_the_first_language_stands_in(tmp_path: Path) -> None:
    (tmp_path / "form.md").write_text(
        "| survey |\n| | type | name | label::English (en) | label::Tiếng Việt (vi) |\n| | text | q | Name | - |\n"
    )
    questionnaire, fidelity = import_form(tmp_path / "form.md")

    assert questionnaire is not None
    assert _pages(questionnaire)["q_page"].questions[0].label == {"en": "Name", "vi": "Name"}
    (entry,) = fidelity.of("changed")
    assert (entry.code, entry.row, entry.column) == ("no_translation", 2, "label::Tiếng Việt (vi)")


def test_columns_of_one_language_are_one_language_however_they_are_headed(tmp_path: Path) -> None:
    (tmp_path / "form.md").write_text(
        "| survey |\n| | type | name | label::English (en) | hint::English(en) | label::English(en) |\n"
        "| | text | q | Name | First and last | |\n| | text | r | | | Age |\n"
    )
    questionnaire, fidelity = import_form(tmp_path / "form.md")

    assert questionnaire is not None
    assert questionnaire.languages == ("en",)
    questions = [question for page in _pages(questionnaire).values() for question in page.questions]
    assert [question.label["en"] for question in questions] == ["Name", "Age"]
    assert questions[0].hint == {"en": "First and last"}
    assert [entry.code for entry in fidelity.entries] == ["one_language"]


@pytest.mark.parametrize(
    ("headings", "words", "asked", "languages"),
    [
        ("label::Tiếng Việt (vi) | hint", "Tên | Họ và tên", "", ("vi",)),  # the only language there is
        ("label | label::Tiếng Việt (vi)", "Name | Tên", "", ("en", "vi")),
        ("label | label::Tiếng Việt (vi)", "Nom | Tên", "fr", ("fr", "vi")),
    ],
)
def test_words_without_a_language_beside_words_with_one(
    headings: str, words: str, asked: str, languages: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "form.md").write_text(
        f"| survey |\n| | type | name | {headings} |\n| | text | q | {words} |\n"
    )
    questionnaire, _ = import_form(tmp_path / "form.md", language=asked)

    assert questionnaire is not None
    assert questionnaire.languages == languages


def test_vietnamese_names_keep_their_letters(tmp_path: Path) -> None:
    questionnaire = _imported(
        "| survey |\n| | type | name | label |\n| | text | Đặng | A |\n| | text | tên | B |\n| | text | ten | Is it ${tên}? |\n",
        tmp_path,
    )
    asked = [question for page in _pages(questionnaire).values() for question in page.questions]
    assert [question.id for question in asked] == ["Dang", "ten_2", "ten"]  # a name that can stay stays
    assert asked[2].label == {"en": "Is it ${ten_2}?"}


def test_a_repeat_that_asks_only_of_the_rows_inside_it_names_its_rows_by_number(tmp_path: Path) -> None:
    form = (
        "| survey |\n| | type | name | label | repeat_count |\n| | begin_repeat | house | House | 2 |\n"
        "| | begin_repeat | room | Room | 3 |\n| | text | use | Use | |\n| | end_repeat | | | |\n| | end_repeat | | | |\n"
        "| | begin_repeat | nothing | Nothing | |\n| | end_repeat | | | |\n"
    )
    questionnaire = _imported(form, tmp_path)
    assert [(roster.id, roster.name, roster.within) for roster in questionnaire.rosters] == [
        ("house", "house_number", None),
        ("room", "use", "house"),
    ]
    assert ("left_out", "empty_repeat", 7) in [
        (entry.level, entry.code, entry.row)
        for entry in import_form(tmp_path / "form.md", language="en")[1].entries
    ]


def test_options_from_a_file_beside_the_form(tmp_path: Path) -> None:
    (tmp_path / "communes.csv").write_text(
        "code,label,district\n0101,Kẻ Sặt,01\n0201,Lai Cách,02\n", encoding="utf-8"
    )
    form = (
        "| survey |\n| | type | name | label | parameters | choice_filter |\n| | text | d | District | | |\n"
        "| | select_one_from_file communes.csv | c | Commune | value=code | district = ${d} |\n"
    )
    questionnaire = _imported(form, tmp_path)
    assert [(c.code, c.label["en"], c.facts) for c in questionnaire.choices["communes.csv"]] == [
        ("0101", "Kẻ Sặt", {"district": "01"}),
        ("0201", "Lai Cách", {"district": "02"}),
    ]

    (tmp_path / "communes.csv").unlink()
    assert _pages(_imported(form, tmp_path))["c_page"].questions[0].kind == "text"


def test_a_name_that_stands_twice_is_refused_or_repaired(tmp_path: Path) -> None:
    form = (
        "| survey |\n| | type | name | label |\n| | begin_group | a | A |\n| | text | q | First |\n| | end_group | | |\n"
        "| | begin_group | b | B |\n| | text | q | Second |\n| | end_group | | |\n"
    )
    assert _refused(form, tmp_path) == [("survey", 6, "name", "name_twice")]

    questionnaire, fidelity = import_form(tmp_path / "form.md", repairing=True, language="en")
    assert questionnaire is not None
    assert [question.id for page in _pages(questionnaire).values() for question in page.questions] == [
        "q",
        "q_001",
    ]
    assert [(entry.code, entry.row) for entry in fidelity.of("repaired")] == [("name_twice", 6)]


def test_a_name_that_stands_twice_and_is_used_is_for_a_person_to_decide(tmp_path: Path) -> None:
    form = (
        "| survey |\n| | type | name | label | relevant |\n| | begin_group | a | A | |\n| | text | q | First | |\n"
        "| | end_group | | | |\n| | text | q | Second | |\n| | text | r | Third | ${q} = 'x' |\n"
    )
    (tmp_path / "form.md").write_text(form)
    questionnaire, fidelity = import_form(tmp_path / "form.md", repairing=True, language="en")

    assert questionnaire is None
    assert ("name_twice", 5) in [(entry.code, entry.row) for entry in fidelity.of("refused")]


@shared
def test_the_form_of_400_rows_in_four_languages_comes_in_whole(tmp_path: Path) -> None:
    fidelity = import_folder(SHARED / "unhcr_rms" / "RMS_CAPI_v3.xlsx", tmp_path)

    assert fidelity.imported, fidelity.text()
    questionnaire = questionnaire_at(tmp_path)
    assert questionnaire.languages == ("en", "es", "fr", "ar")
    assert [roster.id for roster in questionnaire.rosters] == ["rpt_hhmnames", "S1", "S2_repeat"]
    rows = {entry.row for entry in fidelity.entries if entry.code == "table"}
    assert rows == {143, 156, 175, 301, 385, 393, 401}


REFUSED = {
    "UCL_Biomass_Plot_Form.xlsx": {"condition"},
    "bad_calc.xlsx": {"expression", "empty"},
    "calculate_without_calculation.xls": {"kind", "pyxform"},
    "group_name_test.xls": {"pyxform"},
    "unknown_question_type.xls": {"pyxform"},
    "xl_date_ambiguous.xlsx": {"expression"},
    "attribute_columns_test.xlsx": {"kind", "unknown_name"},
    "flat_xlsform_test.xlsx": {"kind", "unknown_name", "too_early"},
    "xlsform_spec_test.xlsx": {"kind", "unknown_name"},
    "case_insensitivity.xlsx": {"kind"},
    "choice_filter_test.xlsx": {"code_twice"},
    "choice_name_as_type.xls": {"kind"},
    "include.xlsx": {"kind"},
    "include_json.xlsx": {"kind", "empty"},
    "loop.xlsx": {"kind"},
    "simple_loop.xls": {"kind", "empty"},
    "pull_data.xlsx": {"expression"},
    "widgets.xls": {"kind"},
}
UNREADABLE = {"duplicate_columns.xlsx", "fruits.csv"}


@shared
def test_other_peoples_forms_come_in_or_are_refused_for_the_right_reason() -> None:
    stems = {name.split(".")[0]: codes for name, codes in REFUSED.items()}
    for path in sorted(SHARED.glob("pyxform_examples/*_xls/*")):
        if path.suffix in (".xml", ""):
            continue
        if path.name in UNREADABLE:
            with pytest.raises(BadDocument):
                import_form(path)
            continue
        _, fidelity = import_form(path)
        assert {entry.code for entry in fidelity.of("refused")} == stems.get(path.stem, set()), path.name
