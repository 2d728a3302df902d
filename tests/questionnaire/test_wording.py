"""Conditions are said in words that a person who does not program understands, or left as they were written."""

from __future__ import annotations

import pytest

from survey.questionnaire.index import Index, index
from survey.questionnaire.reading import read
from survey.questionnaire.wording import in_words

TEXT = """
id: words
languages: [vi, en]
title: {vi: Thử, en: Test}
rosters: [{id: people, label: {vi: Người trong hộ, en: People}, name: nick}]
sections:
  - id: one
    title: {vi: Một, en: One}
    pages:
      - id: list
        kind: list
        roster: people
        title: {vi: Ai sống ở đây?, en: Who lives here?}
        questions:
          - {id: nick, kind: text, label: {vi: Tên, en: Name}}
          - {id: age, kind: integer, label: {vi: Tuổi, en: Age}}
      - id: page
        questions:
          - id: phone
            kind: select_one
            label: {vi: Có điện thoại không?, en: A phone?}
            choices: [{code: "yes", label: {vi: Có, en: "Yes"}}, {code: "no", label: {vi: Không, en: "No"}}]
          - id: uses
            kind: select_many
            label: {vi: Để làm gì?, en: What for?}
            choices: [{code: pay, label: {vi: Trả tiền, en: Paying}}, {code: talk, label: {vi: Gọi, en: Calls}}]
          - {id: born, kind: date, label: {vi: Ngày sinh, en: Born}}
"""


@pytest.fixture(scope="module")
def known() -> Index:
    return index(read(TEXT))


@pytest.mark.parametrize(
    ("condition", "vi", "en"),
    [
        ("${phone} = 'yes'", "phone là “Có”", "phone is “Yes”"),
        ("'no' != ${phone}", "phone không là “Không”", "phone is not “No”"),
        ("selected(${uses}, 'pay')", "uses có chọn “Trả tiền”", "uses includes “Paying”"),
        ("not(selected(${uses}, 'pay'))", "uses không chọn “Trả tiền”", "uses does not include “Paying”"),
        ("${phone} = 'yes' and (${uses} != '' or ${phone} = 'no')",
         "phone là “Có” và (uses có trả lời hoặc phone là “Không”)",
         "phone is “Yes” and (uses has an answer or phone is “No”)"),
        ("missing(${phone}) = 'refused'", "phone là “Không muốn trả lời”", "phone is “Prefer not to say”"),
        ("count(${people}) >= 3", "số người, mục trong “Người trong hộ” ≥ 3", "the number in “People” ≥ 3"),
        ("count-if(${people}, ${age} >= 15) > 0",
         "số người, mục trong “Người trong hộ” mà age ≥ 15 > 0", "the number in “People” for whom age ≥ 15 > 0"),
        ("year(${born}) < 1960", "năm của born < 1960", "the year of born < 1960"),
        ("regex(${phone}, '[a-z]+')", "‹regex(${phone}, '[a-z]+')›", "‹regex(${phone}, '[a-z]+')›"),
        ("${nobody} = 1", "‹${nobody} = 1›", "‹${nobody} = 1›"),
    ],
)  # fmt: skip
def test_said_in_both_languages(known: Index, condition: str, vi: str, en: str) -> None:
    for language, wanted in (("vi", vi), ("en", en)):
        assert in_words(known, condition, known.scope(), language, lambda name: name) == wanted
