"""What people type is understood as they mean it, and what is wrong is said in words, all at once."""

from __future__ import annotations

import pytest

from survey.questionnaire.checks import SAID, Submitted, read_form
from survey.questionnaire.reading import read
from survey.questionnaire.response import Answer, Key, fold
from survey.questionnaire.routing import path

TEXT = """
id: form
languages: [vi, en]
title: {vi: Biểu, en: Form}
sections:
  - id: s
    title: {vi: P, en: P}
    pages:
      - id: p
        title: {vi: P, en: P}
        questions:
          - {id: money, kind: integer, label: {vi: Tiền, en: Money}, minimum: 0, maximum: 5000000}
          - {id: share, kind: decimal, label: {vi: Phần, en: Share}}
          - {id: born, kind: year, label: {vi: Sinh, en: Born}, checks: [{that: ". > 1920", severity: soft, message: {vi: Đúng không, en: Sure}}]}
          - {id: day, kind: date, label: {vi: Ngày, en: Day}}
          - id: uses
            kind: select_many
            label: {vi: Dùng, en: Uses}
            choices:
              - {code: pay, label: {vi: Trả, en: Pay}}
              - {code: other, specify: true, label: {vi: Khác, en: Other}}
              - {code: none, exclusive: true, label: {vi: Không, en: None}}
          - {id: name, kind: text, label: {vi: Tên, en: Name}, max_length: 5, dont_know: false, refused: false}
"""
FORM = read(TEXT)
EMPTY = fold("r", [])
STEP = path(FORM, EMPTY)[0]
SOUND = {
    "money": ["1"],
    "share": ["1"],
    "born": ["1970"],
    "day": ["2026-03-27"],
    "uses": ["pay"],
    "name": ["Bà"],
}


def sent(**fields: list[str]) -> Submitted:
    return read_form(FORM, EMPTY, STEP, {**SOUND, **{k.replace("__", "."): v for k, v in fields.items()}})


def test_a_sound_form_is_accepted() -> None:
    assert sent().accepted


@pytest.mark.parametrize(
    ("typed", "meant"), [("1.250.000", 1_250_000), ("1250000", 1_250_000), (" 7 ", 7), ("1 000", 1000)]
)
def test_vietnamese_thousands(typed: str, meant: int) -> None:
    assert sent(money=[typed]).answers[Key("money")] == Answer(meant)


@pytest.mark.parametrize(("typed", "meant"), [("2,5", 2.5), ("2.5", 2.5), ("-1", -1)])
def test_vietnamese_decimals(typed: str, meant: float) -> None:
    assert sent(share=[typed]).answers[Key("share")] == Answer(meant)


def test_everything_wrong_is_said_at_once_beside_its_question() -> None:
    found = sent(money=["nhiều"], born=["70"], day=["2026-02-30"], uses=["pay", "none"], name=["quá dài"])
    assert [(f.where, f.code) for f in found.findings] == [
        ("money", "not_whole"), ("born", "not_year"), ("day", "not_date"), ("uses", "exclusive"), ("name", "too_long"),
    ]  # fmt: skip
    assert all(f.message["vi"] and f.message["en"] and "{" not in f.message["vi"] for f in found.findings)


def test_a_date_in_three_parts() -> None:
    found = sent(day=[], day__day=["27"], day__month=["3"], day__year=["2026"])
    assert found.answers[Key("day")] == Answer("2026-03-27")


def test_dont_know_is_an_answer_and_not_beside_another() -> None:
    assert sent(money=["-dk"]).answers[Key("money")] == Answer(missing="dont_know")
    assert sent(money=[], money__missing=["-rf"]).answers[Key("money")] == Answer(missing="refused")
    assert [f.code for f in sent(money=["5"], money__missing=["-dk"]).findings] == ["both"]


def test_a_question_that_offers_no_dont_know_does_not_take_one() -> None:
    assert sent(name=["-dk"]).answers[Key("name")] == Answer("-dk")
    assert [f.code for f in sent(name=[]).findings] == ["required_plain"]


def test_a_soft_check_asks_once_and_is_satisfied_by_a_remark_or_a_confirmation() -> None:
    assert [f.severity for f in sent(born=["1900"]).findings] == ["warning"]
    assert sent(born=["1900"], born__confirmed=["1"]).accepted
    assert (
        sent(born=["1900"], born__remark=["cụ sinh năm đó"]).answers[Key("born")].remark == "cụ sinh năm đó"
    )


def test_please_specify_has_a_variable_of_its_own() -> None:
    found = sent(uses=["other"], uses__other=["chơi cờ"])
    assert found.answers[Key("uses.other")] == Answer("chơi cờ")
    assert Key("uses.other") not in sent(uses=["pay"], uses__other=["chơi cờ"]).answers


def test_an_option_that_is_not_offered_is_refused() -> None:
    assert [f.code for f in sent(uses=["<script>"]).findings] == ["unknown_choice"]


def test_text_is_kept_in_nfc_without_control_characters() -> None:
    assert sent(name=["Ba\u0300\x07"]).answers[Key("name")] == Answer("Bà")


def test_every_message_speaks_both_languages() -> None:
    assert all(set(words) == {"vi", "en"} for words in SAID.values())


def test_the_options_of_a_second_list_follow_the_first_on_the_same_page() -> None:
    cascade = """
id: cascade
languages: [vi]
title: {vi: B}
choices:
  districts: [{code: "01", label: {vi: M}}, {code: "02", label: {vi: H}}]
  communes:
    - {code: "011", label: {vi: A}, facts: {district: "01"}}
    - {code: "021", label: {vi: B}, facts: {district: "02"}}
sections:
  - id: s
    title: {vi: P}
    pages:
      - id: p
        questions:
          - {id: district, kind: select_one, label: {vi: Huyện}, choices: districts}
          - {id: commune, kind: select_one, label: {vi: Xã}, choices: communes, filter: "district = ${district}"}
"""
    form = read(cascade)
    (step,) = path(form, EMPTY)

    assert read_form(form, EMPTY, step, {"district": ["01"], "commune": ["011"]}).accepted
    assert not read_form(form, EMPTY, step, {"district": ["01"], "commune": ["021"]}).accepted
