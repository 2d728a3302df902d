"""An XLSForm that we exported comes back as the questionnaire it was, with the words that somebody has edited since.

The columns `survey_part` and `survey_more` hold what XLSForm has no column for. What was computed for Collect
(conditions, types, helpers) must still be what exporting gives: a cell that was changed there is named, because nobody
can tell what was meant to change with it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from survey.problems import Text
from survey.questionnaire.model import Questionnaire
from survey.xlsform.dialect import unpiped
from survey.xlsform.exporting import EXACT, LISTS, MORE, PART, TEXTS, plain_text, sheets
from survey.xlsform.fidelity import Cell, Notes
from survey.xlsform.languages import name_of
from survey.xlsform.workbook import Workbook

Plain = dict[str, Any]


def is_ours(workbook: Workbook) -> bool:
    """Whether the workbook was made by `survey export-xlsform`."""
    return PART in workbook.header("survey") and MORE in workbook.header("settings")


def restore(workbook: Workbook, notes: Notes) -> Questionnaire | None:
    """The questionnaire, or None with every cell named that cannot be taken back."""
    try:
        questionnaire = _Restored(workbook).questionnaire()
    except (msgspec.MsgspecError, KeyError, IndexError, StopIteration) as error:
        notes.say("refused", "not_ours", Cell("survey", 0, MORE), f"cột {MORE} bị hỏng: {error}",
                  f"the column {MORE} is damaged: {error}", _DELETE["vi"], _DELETE["en"])  # fmt: skip
        return None
    _compare(workbook, questionnaire, notes)
    return None if notes.of("refused") else questionnaire


_DELETE = {
    "vi": f"sửa ở questionnaire.yaml, hoặc xóa cột {PART} và {MORE} ở mọi trang để nhập như phiếu XLSForm thường",
    "en": f"edit questionnaire.yaml, or delete the columns {PART} and {MORE} of every sheet to import it as a plain XLSForm",
}


def _compare(workbook: Workbook, questionnaire: Questionnaire, notes: Notes) -> None:
    """Every cell that exporting would fill otherwise, words apart."""
    for sheet, rows in sheets(questionnaire).items():
        given = dict(workbook.rows(sheet))
        for number in range(2, max([len(rows) + 1, *given]) + 1):
            ours = rows[number - 2] if number <= len(rows) + 1 else {}
            theirs = given.get(number, {})
            for column in dict.fromkeys([*ours, *theirs]):
                if column.split("::")[0] in TEXTS or column in (MORE, "form_title"):
                    continue
                if plain_text(ours.get(column, "")) != theirs.get(column, ""):
                    notes.say("refused", "edited", Cell(sheet, number, column),
                              f"ô này đã bị sửa sau khi xuất: “{theirs.get(column, '')}”",
                              f"this cell was changed after the export: “{theirs.get(column, '')}”",
                              _DELETE["vi"], _DELETE["en"], found=theirs.get(column, ""))  # fmt: skip


class _Restored:
    def __init__(self, workbook: Workbook) -> None:
        self.survey = [row for _, row in workbook.rows("survey")]
        self.choices = [row for _, row in workbook.rows("choices")]
        self.settings = next(row for _, row in workbook.rows("settings"))
        self.more = _more(self.settings)
        self.headings = {code: name_of(code) for code in self.more["languages"]}

    def questionnaire(self) -> Questionnaire:
        lists = self.more.pop(LISTS, [])
        whole = {**self.more, "id": self.settings["form_id"], "sections": self._sections(),
                 "choices": {name: self._options(name) for name in lists}}  # fmt: skip
        return msgspec.convert(whole, Questionnaire)

    def _sections(self) -> list[Plain]:
        sections: list[Plain] = []
        for row in self.survey:
            match row.get(PART):
                case "section":
                    sections.append({**_without(_more(row)), "title": self._text(row, "label"), "pages": []})
                case "page":
                    page = {**_without(_more(row)), "title": self._text(row, "label"), "questions": []}
                    sections[-1]["pages"].append(page)
                case "body":
                    sections[-1]["pages"][-1]["body"] = self._text(row, "label")
                case "question":
                    question = {**_without(_more(row)), "id": row["name"], "label": self._text(row, "label"), "hint": self._text(row, "hint"),
                                "for_official": self._text(row, "guidance_hint")}  # fmt: skip
                    listed = f"{row['name']}__options"
                    if row["type"].endswith(f" {listed}"):
                        question["choices"] = self._options(listed)
                    sections[-1]["pages"][-1]["questions"].append(question)
        return sections

    def _options(self, name: str) -> list[Plain]:
        return [
            {**_without(_more(row)), "code": row["name"], "label": self._text(row, "label")}
            for row in self.choices
            if row.get("list_name") == name
        ]

    def _text(self, row: dict[str, str], column: str) -> Text:
        """The words of the cells; exactly as they were where a cell only lost blanks that spreadsheets do not keep."""
        exact = _more(row).get(EXACT, {}).get(column, {})
        found = {}
        for code, heading in self.headings.items():
            said = unpiped(row.get(f"{column}::{heading}", ""))
            if said:
                found[code] = exact[code] if plain_text(exact.get(code, "")) == said else said
        return found


def _more(row: dict[str, str]) -> Plain:
    found: Plain = msgspec.json.decode(row.get(MORE) or "{}")
    return found


def _without(more: Plain) -> Plain:
    return {name: value for name, value in more.items() if name != EXACT}
