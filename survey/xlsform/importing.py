"""`survey import-xlsform`: from a workbook to a survey folder, with a report of everything that is not as it was."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from survey import documents
from survey.problems import BadDocument
from survey.questionnaire import reading
from survey.questionnaire.model import Questionnaire
from survey.xlsform import unread
from survey.xlsform.columns import Columns, split
from survey.xlsform.context import Context, Element
from survey.xlsform.fidelity import Cell, Fidelity, Level, Notes
from survey.xlsform.mapping import Form, Mapped
from survey.xlsform.repairs import repair
from survey.xlsform.restoring import is_ours, restore
from survey.xlsform.skeleton import skeleton
from survey.xlsform.tree import form
from survey.xlsform.workbook import Workbook, read

FIELD = {"when": "relevant", "calculate": "calculation", "that": "constraint", "message": "constraint_message",
         "filter": "choice_filter", "choices": "type", "rows": "type", "count": "repeat_count", "label": "label",
         "title": "label", "hint": "hint", "for_official": "guidance_hint"}  # fmt: skip
"""The column of the survey sheet that a field of a question comes from."""
EXPRESSIONS = (
    "relevant",
    "relevance",
    "calculation",
    "calculate",
    "constraint",
    "choice_filter",
    "repeat_count",
    "bind",
)
"""Columns whose texts are translated, so that what is wrong is said of the author's own words."""


def import_form(
    path: Path, repairing: bool = False, language: str = ""
) -> tuple[Questionnaire | None, Fidelity]:
    """The questionnaire (None when anything was refused) and the report. BadDocument when the file cannot be read."""
    notes = Notes()
    read_in = read(path, notes)
    questionnaire = None
    if is_ours(read_in):
        questionnaire = restore(read_in, notes)
    elif (
        tree := _tree(workbook := repair(read_in, notes, repairing), columns := Columns(workbook), notes)
    ) is not None:
        context = Context(tree, columns, notes, _beside(path, workbook), language)
        mapped = Form(context).map()
        _review(mapped, context)
        questionnaire = None if notes.of("refused") else mapped.questionnaire
    count = (
        sum(len(page.questions) for section in questionnaire.sections for page in section.pages)
        if questionnaire
        else 0
    )
    return questionnaire, Fidelity(
        file=path.name, imported=questionnaire is not None, questions=count, entries=tuple(notes.entries)
    )


def import_folder(path: Path, out: Path, repairing: bool = False, language: str = "") -> Fidelity:
    """Import into the folder `out`: questionnaire.yaml, skeletons of the other files where there are none, and the
    report as fidelity.json. Files that somebody has filled in are left alone."""
    questionnaire, fidelity = import_form(path, repairing, language)
    out.mkdir(parents=True, exist_ok=True)
    (out / "fidelity.json").write_bytes(fidelity.json())
    if questionnaire is not None:
        (out / "questionnaire.yaml").write_text(documents.written(questionnaire), encoding="utf-8")
        for name, content in skeleton(questionnaire, datetime.date.today().isoformat()).items():
            if not (out / name).exists():
                (out / name).write_text(content, encoding="utf-8")
    return fidelity


def _tree(workbook: Workbook, columns: Columns, notes: Notes) -> Element | None:
    """The form as pyxform's tree, with what nobody reads of the workbook noted; None when pyxform rejects it."""
    unread.before(workbook, columns, notes)
    tree = form(workbook, columns, notes)
    if tree is not None:
        unread.lists(tree, columns, notes)
    return tree


def _review(mapped: Mapped, context: Context) -> None:
    """What the reader of questionnaire.yaml finds, said of the cell it comes from."""
    notes, columns = context.notes, context.columns
    text = documents.written(mapped.questionnaire)
    try:
        document = documents.load(text, "questionnaire.yaml")
    except BadDocument as bad:
        for finding in bad.findings:
            notes.say("refused", finding.code, Cell(), finding.message["vi"], finding.message["en"])
        return
    cells = {document.where(path): cell for path, cell in _cells(mapped, columns)}
    refused = {entry.cell for entry in notes.of("refused")}
    dropped = set(context.known.ids.values()) if refused else set()
    for finding in reading.review(text)[1]:
        cell = cells.get(finding.where, Cell())
        if finding.code in ("bad_code", "twice", "code_twice") and cell in refused:
            continue  # said already, with a remedy
        if finding.code == "roster_within" and any(
            one.code == "too_deep" and one.row == cell.row for one in notes.of("refused")
        ):
            continue
        said, do = finding.message, finding.remedy
        if finding.code == "unknown_name":
            name = said["en"].partition("“")[2].rpartition("”")[0]
            if name in dropped:
                continue  # it is in the form, and why it did not come over is said where it stands
            if name in context.known.unavailable:
                kind = context.known.unavailable[name]
                said, do = {"vi": f"“{name}” ({kind}) không được thu thập, nên không thể nhắc tới", "en": f"“{name}” ({kind}) is not collected here, so it cannot be shown"}, {}  # fmt: skip
        if (
            finding.code == "condition"
            and split(cell.column)[0] in EXPRESSIONS
            and (own := columns.value(cell))
        ):
            said = {language: _of_the_author(words, own) for language, words in said.items()}
        level: Level = "refused" if finding.severity == "error" else "changed"
        notes.say(level, finding.code, cell, said["vi"], said["en"], do.get("vi", ""), do.get("en", ""), found=columns.value(cell))  # fmt: skip


def _of_the_author(message: str, own: str) -> str:
    """What is wrong with an expression, said of it as it stands in the cell and not as it was translated."""
    return re.sub(
        r"“.*?”: (.*) \((?:ký tự|character) \d+\)$",
        lambda m: f"“{own}”: {m.group(1)}",
        message,
        flags=re.DOTALL,
    )


def _cells(mapped: Mapped, columns: Columns) -> Iterator[tuple[documents.Path, Cell]]:
    """Every place in questionnaire.yaml that a finding can be about, with the cell it comes from."""
    for path, (sheet, row) in mapped.rows.items():
        yield from _below(
            documents.lean(_at(mapped.questionnaire, path)), path, columns.cell(sheet, row, "name"), columns
        )


def _below(
    value: object, path: documents.Path, cell: Cell, columns: Columns
) -> Iterator[tuple[documents.Path, Cell]]:
    yield path, cell
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        if key in ("pages", "questions"):
            continue  # they have rows of their own
        column = FIELD.get(str(key))
        here = columns.cell(cell.sheet, cell.row, column) if column else cell
        yield from _below(part, (*path, key), here, columns)


def _at(value: object, path: documents.Path) -> object:
    for part in path:
        value = getattr(value, part) if isinstance(part, str) and not isinstance(value, dict) else value[part]  # type: ignore[index]
    return value


def _beside(path: Path, workbook: Workbook) -> dict[str, list[dict[str, Any]]]:
    """The lists of `select_one_from_file` whose CSV files lie beside the form, as rows of a choices sheet."""
    lists: dict[str, list[dict[str, Any]]] = {}
    for _, row in workbook.rows("survey"):
        said = str(row.get("type") or "")
        match = re.match(r"select_(?:one|multiple)_from_file\s+([\w.-]+\.csv)\b", said)
        file = path.parent / match.group(1) if match else None
        if match is None or file is None or not file.is_file():
            continue
        parameters = dict(re.findall(r"(value|label)\s*=\s*([\w-]+)", str(row.get("parameters") or "")))
        name, label = parameters.get("value", "name"), parameters.get("label", "label")
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lists[match.group(1)] = [
                {**one, "name": one.get(name, ""), "label": one.get(label, "")}
                for one in csv.DictReader(stream)
            ]
    return lists
