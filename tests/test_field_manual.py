"""Proves that the field manual names every outcome and every button as the official sees them on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.fieldwork.dispositions import OUTCOMES
from survey.folder import Folder
from survey.web.words import word

ROOT = Path(__file__).parents[1]
BUTTONS = (
    "entry.official",
    "field.title",
    "field.open",
    "continue",
    "stop",
    "draw.button",
    "field.interview",
    "phone.app",
    "phone.filter_today",
    "phone.map",
    "phone.qr",
    "phone.takeover",
    "phone.train",
    "phone.lock",
    "phone.forgot",
    "field.how",
)


def part(language: str) -> str:
    """The manual in one language: Vietnamese stands first, then a rule, then English."""
    vietnamese, english = (ROOT / "docs" / "field-manual.md").read_text(encoding="utf-8").split("\n---\n")
    return {"vi": vietnamese, "en": english}[language]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_outcome_an_official_can_choose_is_explained_once(language):
    said = part(language)
    chosen = [outcome.label[language] for outcome in OUTCOMES.values() if outcome.id != "interviewed"]
    assert {label: said.count(f"\n| {label} |") for label in chosen} == dict.fromkeys(chosen, 1)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_buttons_and_places_are_called_what_the_screen_calls_them(language):
    for name in BUTTONS:
        assert word(language, name) in part(language), name
    for name in ("dont_know", "refused"):
        assert word(language, name).replace("’", "'") in part(language).replace("’", "'"), name


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_choices_it_quotes_are_those_of_the_questionnaire(language):
    folder = Folder.read(ROOT / "questionnaires" / "haiduong-digital-society")
    pages = [page for section in folder.questionnaire.sections for page in section.pages]
    notice = next(page for page in pages if page.kind == "notice")
    answered_by = next(
        question for page in pages for question in page.questions if question.id == "answered_by"
    )
    assert not isinstance(answered_by.choices, str)
    proxy = next(choice for choice in answered_by.choices if choice.code == "proxy")
    assert notice.title[language] in part(language)
    assert proxy.label[language] in part(language)
