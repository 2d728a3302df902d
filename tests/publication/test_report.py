"""Proves that the report says on paper what the site says, that an office can sign it, and that it leaks nothing."""

from __future__ import annotations

import re

import pypdfium2
import pytest

from survey.publication.report import _colours, report
from survey.publication.voice import Voice
from tests.publication.test_site import SECRET, example


def text(content: bytes) -> list[str]:
    return [
        page.get_textpage().get_text_range().replace("\r\n", " ") for page in pypdfium2.PdfDocument(content)
    ]


@pytest.fixture(scope="module")
def pages() -> list[str]:
    return text(report(example(), "vi"))


def test_the_first_page_answers_in_one_sentence_and_says_it_is_synthetic(pages):
    assert "bằng chứng để kết luận" in pages[0]
    assert "SỐ LIỆU MÔ PHỎNG" in pages[0]
    assert all("SỐ LIỆU MÔ PHỎNG" in page for page in pages)


def test_there_is_a_place_to_sign_and_every_page_is_numbered(pages):
    assert "NGƯỜI LẬP BÁO CÁO" in pages[-1]
    assert "đóng dấu" in pages[-1]
    assert all(f"Trang {number}/{len(pages)}" in page for number, page in enumerate(pages, start=1))


def test_the_weights_and_the_response_are_told(pages):
    whole = " ".join(pages)
    assert "AAPOR RR3" in whole
    for step in example().weighting:
        assert Voice("vi").number(step.sum) in whole
        assert Voice("vi").number(step.kish, 2) in whole


def test_a_figure_held_back_is_not_in_it(pages):
    whole = " ".join(pages)
    told = f"{100 * SECRET:.1f}".replace(".", ",")
    assert not re.search(rf"(?<!\d){told}%", whole)


def test_both_languages_and_the_same_bytes():
    english = report(example(), "en")
    assert english == report(example(), "en")
    assert "enough evidence" in text(english)[0]


def test_a_real_round_has_no_synthetic_label():
    assert not any("MÔ PHỎNG" in page for page in text(report(example(synthetic=False), "vi")))


def test_the_theme_of_the_survey_colours_the_report_and_dark_screens_do_not():
    theme = ":root { --estimate: #123456; --target: var(--ink) }\n@media (prefers-color-scheme: dark) { :root { --soft: #fefefe } }"
    plain, styled = _colours(""), _colours(theme)
    assert plain["ink"] == "#0b4a6f"
    assert styled == plain | {"ink": "#123456"}
    assert report(example(), "vi", theme) != report(example(), "vi")
