"""The paper questionnaire holds every question of the web one, says who is asked, and draws the skips that the engine makes."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from survey.cli import main
from survey.codebook import as_csv, as_pdf
from survey.folder import questionnaire_at
from survey.paper import layout, paper
from survey.problems import BadDocument
from survey.questionnaire.reading import read

FOLDER = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"
QUESTIONNAIRE = questionnaire_at(FOLDER)


def _questions() -> dict[str, dict[str, Any]]:
    values = layout(QUESTIONNAIRE, ("vi", "en"))
    found = [q for section in values["sections"] for page in section["pages"] for q in page["questions"]]
    return {question["label"][1]: question for question in found}


def _text(content: bytes) -> str:
    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(content))


def test_every_question_stands_on_the_paper_in_both_languages() -> None:
    text = " ".join(_text(paper(QUESTIONNAIRE)).split())
    for question in _questions().values():
        for label in question["label"]:
            assert " ".join(label.split())[:40] in text
    assert "→" in text


def test_an_answer_that_ends_a_branch_leads_to_the_question_after_it() -> None:
    """No phone of one's own: the questions about it are left out, the next that is asked is the one drawn."""
    asked = _questions()
    own = asked["Do you have a mobile phone for your own use?"]
    no = next(choice for choice in own["choices"] if choice["label"][1] == "No")
    yes = next(choice for choice in own["choices"] if choice["label"][1] == "Yes")
    target = next(q for q in asked.values() if q["number"] == no["skip"])
    assert target["label"][1].startswith("In the last 3 months, have you used a mobile phone")
    assert yes["skip"] == ""


def test_conditions_name_the_numbers_on_the_paper() -> None:
    asked = _questions()
    own = asked["Do you have a mobile phone for your own use?"]["number"]
    sim = next(q for label, q in asked.items() if "at least one SIM" in label)
    assert sim["condition"] == [f"câu {own} là “Có”", f"question {own} is “Yes”"]


def test_what_is_true_of_many_screens_is_said_once_with_how_far_it_reaches() -> None:
    """A form with a screen for each question: title and condition stand once, and in one language each."""
    questionnaire = read(
        """
id: screens
languages: [vi, en, fr]
title: {vi: Phiếu, en: Form, fr: Formulaire}
sections:
  - id: s
    title: {vi: Phần, en: Part, fr: Partie}
    pages:
      - id: a
        questions: [{id: a, kind: acknowledge, label: {vi: A, en: A, fr: A}}]
      - {id: b, title: {vi: Máy, en: Machine, fr: Machine}, when: "${a}", questions: [{id: b, kind: text, label: {vi: B, en: B, fr: B}}]}
      - {id: c, title: {vi: Máy, en: Machine, fr: Machine}, when: "${a}", questions: [{id: c, kind: text, label: {vi: C, en: C, fr: C}}]}
      - {id: d, questions: [{id: d, kind: text, label: {vi: D, en: D, fr: D}}]}
""",
        "questionnaire.yaml",
    )
    pages = layout(questionnaire, questionnaire.languages)["sections"][0]["pages"]
    assert [[question["number"] for question in page["questions"]] for page in pages] == [
        ["1"],
        ["2", "3"],
        ["4"],
    ]
    assert pages[1]["ask_if"][:2] == ["Chỉ hỏi câu 2 đến câu 3 nếu", "Ask questions 2 to 3 only if"]
    assert pages[1]["condition"][2] == ""  # no words of our own in French
    text = " ".join(_text(paper(questionnaire)).split())
    assert text.count("Machine") == 1
    assert text.count("Ask questions 2 to 3 only if") == 1


def test_the_same_questionnaire_gives_the_same_bytes() -> None:
    assert paper(QUESTIONNAIRE, ("vi",)) == paper(QUESTIONNAIRE, ("vi",))


def test_the_codebook_says_universe_and_missing_codes() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(QUESTIONNAIRE))))
    of = [row for row in rows if row["variable"] == "wallet_last_use"]
    assert {row["code"] for row in of} >= {
        "days_30",
        "never",
        "dont_know",
        "refused",
        "not_applicable",
        "lost",
    }
    assert {row["universe_vi"] for row in of} == {"wallet là “Có”"}
    text = _text(as_pdf(QUESTIONNAIRE))
    assert "wallet_last_use" in text
    assert "Không thuộc diện hỏi" in text


def test_the_commands_write_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb, name in (("paper", "p.pdf"), ("codebook", "c.pdf"), ("codebook", "c.csv")):
        assert main([verb, str(FOLDER), "--out", str(tmp_path / name)]) == 0
        assert (tmp_path / name).stat().st_size > 1000
    assert main(["paper", str(tmp_path / "nothing")]) == 1
    assert "nothing: the file is not there" in capsys.readouterr().err


def test_a_questionnaire_with_mistakes_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / "questionnaire.yaml").write_text("id: x\n", encoding="utf-8")
    with pytest.raises(BadDocument):
        questionnaire_at(tmp_path)
