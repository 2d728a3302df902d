"""The codebook for people: each variable with its words, codes, universe in words and missing codes, as PDF or CSV.

What the variables are is said by `survey.questionnaire.codebook`; here it is written out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from survey.problems import Text
from survey.questionnaire.codebook import MISSING, Variable, variables
from survey.questionnaire.index import Index, index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.wording import in_words
from survey.spreadsheet import safe
from survey.typesetting import pdf

WORDS: dict[str, Text] = {
    "codebook": {"vi": "Sổ mã biến số", "en": "Codebook"},
    "variable": {"vi": "Biến số", "en": "Variable"},
    "label": {"vi": "Câu hỏi", "en": "Question"},
    "codes": {"vi": "Mã", "en": "Codes"},
    "universe": {"vi": "Ai được hỏi", "en": "Universe"},
    "missing": {"vi": "Mã khi không có trả lời", "en": "Codes where there is no answer"},
    "everybody": {"vi": "tất cả", "en": "all"},
    "household": {"vi": "hộ", "en": "household"},
    "drawn": {"vi": "người được chọn", "en": "person selected"},
    "kind": {"vi": "Loại", "en": "Kind"},
    "level": {"vi": "Cấp", "en": "Level"},
    "definition": {"vi": "Theo chuẩn", "en": "Standard"},
}
KINDS: dict[str, Text] = {
    "text": {"vi": "chữ", "en": "text"},
    "integer": {"vi": "số nguyên", "en": "whole number"},
    "decimal": {"vi": "số", "en": "number"},
    "date": {"vi": "ngày", "en": "date"},
    "year": {"vi": "năm", "en": "year"},
    "select_one": {"vi": "chọn một", "en": "choose one"},
    "select_many": {"vi": "chọn nhiều", "en": "choose any"},
    "rank": {"vi": "xếp thứ tự", "en": "rank"},
    "acknowledge": {"vi": "xác nhận", "en": "acknowledge"},
    "calculate": {"vi": "tính ra", "en": "calculated"},
    "location": {"vi": "vị trí", "en": "location"},
    "photo": {"vi": "ảnh", "en": "photo"},
    "preload": {"vi": "có sẵn", "en": "known before"},
    "barcode": {"vi": "mã vạch", "en": "barcode"},
}


def listed(questionnaire: Questionnaire, languages: Sequence[str]) -> list[dict[str, Any]]:
    """One entry a variable, its words in each of the languages."""
    known = index(questionnaire)
    return [_entry(known, variable, languages) for variable in variables(questionnaire)]


def _entry(known: Index, variable: Variable, languages: Sequence[str]) -> dict[str, Any]:
    return {
        "name": variable.name,
        "kind": _each(KINDS[variable.kind], languages),
        "level": [_level(known, variable, language) for language in languages],
        "label": _each(variable.label, languages),
        "codes": [
            {"code": choice.code, "label": _each(choice.label, languages)} for choice in variable.choices
        ],
        "universe": [_universe(known, variable, language) for language in languages],
        "definition": variable.definition,
        "sensitivity": variable.sensitivity,
    }


def _each(words: Text, languages: Sequence[str]) -> list[str]:
    return [words.get(language, "") for language in languages]


def _level(known: Index, variable: Variable, language: str) -> str:
    """Whom one value belongs to."""
    if variable.level == "household":
        return WORDS["household"].get(language, "household")
    if variable.level in known.rosters:
        return known.rosters[variable.level].label.get(language, variable.level)
    return WORDS["drawn"].get(language, "person selected")


def _universe(known: Index, variable: Variable, language: str) -> str:
    """Who is asked, in words; every condition must hold."""
    scope = known.scope(variable.roster)
    said = [in_words(known, text, scope, language, lambda name: name) for text in variable.universe]
    return "; ".join(said) or WORDS["everybody"].get(language, "all")


def as_pdf(questionnaire: Questionnaire, languages: Sequence[str] = ()) -> bytes:
    chosen = tuple(languages) or questionnaire.languages
    return pdf(
        "codebook.typ",
        {
            "title": _each(questionnaire.title, chosen),
            "edition": f"{questionnaire.edition} · {questionnaire.version}",
            "words": {key: _each(words, chosen) for key, words in WORDS.items()},
            "missing": [{"code": code, "label": _each(words, chosen)} for code, words in MISSING.items()],
            "variables": listed(questionnaire, chosen),
        },
    )


def as_csv(questionnaire: Questionnaire, languages: Sequence[str] = ()) -> str:
    """A line for each code of each variable (one line where it has none), missing codes included."""
    chosen = tuple(languages) or questionnaire.languages
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    heads = [f"{name}_{language}" for name in ("label", "universe", "code_label") for language in chosen]
    table.writerow(["variable", "kind", "level", "definition", "sensitivity", *heads[: 2 * len(chosen)], "code", *heads[2 * len(chosen) :]])  # fmt: skip
    reasons = [{"code": code, "label": _each(words, chosen)} for code, words in MISSING.items()]
    for found, variable in zip(listed(questionnaire, chosen), variables(questionnaire), strict=True):
        first = [found["name"], variable.kind, variable.level, found["definition"], found["sensitivity"]]
        for code in [*(found["codes"] or [{"code": "", "label": [""] * len(chosen)}]), *reasons]:
            cells = [*first, *found["label"], *found["universe"], code["code"], *code["label"]]
            table.writerow([safe(cell) for cell in cells])
    return out.getvalue()
