"""`survey export-xlsform`: our questionnaire as an XLSForm that ODK Collect and KoboToolbox take.

Sections are groups, pages are groups shown at once, rosters are repeats. What XLSForm has no column for is either said
in XLSForm's own terms (don't know and prefer not to say are a companion question below one left blank, a soft check is
a note, a random draw is a calculation), or kept beside it: the columns `survey_part` and `survey_more`, which other
programs ignore and `restoring` reads, so that importing an exported form gives the same questionnaire back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from openpyxl import Workbook

from survey import documents
from survey.problems import Text
from survey.questionnaire.index import Names
from survey.questionnaire.model import Choice, Page, Question, Questionnaire
from survey.xlsform.context import free
from survey.xlsform.dialect import MISSING, Dialect, Here
from survey.xlsform.languages import name_of

Row = dict[str, str]
PART, MORE = "survey_part", "survey_more"
EXACT, LISTS = (
    "exact",
    "lists",
)  # in MORE: words that cells do not keep as they are; the lists that have names
TEXTS = ("label", "hint", "guidance_hint", "constraint_message")
COLUMNS = ("type", "name", *TEXTS, "required", "relevant", "constraint", "calculation", "choice_filter",
           "repeat_count", "appearance", PART, MORE)  # fmt: skip
TYPES = {
    "text": "text", "integer": "integer", "decimal": "decimal", "date": "date", "year": "integer", "acknowledge": "acknowledge",
    "note": "note", "calculate": "calculate", "location": "geopoint", "photo": "image", "barcode": "barcode",
    "select_one": "select_one", "select_many": "select_multiple", "rank": "rank", "preload": "text",
}  # fmt: skip
REASONS: dict[str, Text] = {
    "dont_know": {"vi": "Không biết", "en": "Don’t know"},
    "refused": {"vi": "Không muốn trả lời", "en": "Prefer not to say"},
}
UNANSWERED: Text = {
    "vi": "Nếu để trống câu trên, xin cho biết vì sao",
    "en": "If the question above is left blank: why?",
}
DRAWN: Text = {"vi": "Người được chọn: ", "en": "The person drawn: "}


def export_form(questionnaire: Questionnaire, path: Path) -> None:
    """Write the workbook. BadDocument where a condition cannot be said in XLSForm."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets(questionnaire).items():
        sheet = book.create_sheet(name)
        columns = list(dict.fromkeys(column for row in rows for column in row))
        sheet.append(columns)
        for row in rows:
            sheet.append([row.get(column, "") for column in columns])
        for cells in sheet.iter_rows():
            for cell in cells:
                cell.number_format = "@"  # a code stays the text it is,
                cell.data_type = "s" if cell.value else cell.data_type  # and no text becomes a formula
        sheet.freeze_panes = "A2"
    book.save(path)


def sheets(questionnaire: Questionnaire) -> dict[str, list[Row]]:
    """The rows of the sheets survey, choices and settings."""
    return _Export(questionnaire).sheets()


class _Export:
    def __init__(self, questionnaire: Questionnaire) -> None:
        self.questionnaire = questionnaire
        self.known = Names(questionnaire)
        self.headings = {code: name_of(code) for code in questionnaire.languages}
        self.repeats: dict[str, str] = {}
        self.dialect = Dialect(self.known, self.repeats)
        self.lists: dict[str, tuple[Choice, ...]] = dict(questionnaire.choices)
        self.rows: list[Row] = []
        self.taken = {name.lower() for name in (*self.known.places, *self.known.rosters)}
        self.runs = list(self._runs())

    # --- the whole -------------------------------------------------------------------------------------------------

    def sheets(self) -> dict[str, list[Row]]:
        number = 0
        for section in self.questionnaire.sections:
            self._row("begin_group", self._group(section.id), "section", label=section.title,
                      more=_more(section, "title", "pages", label=section.title))  # fmt: skip
            for roster, pages in groupby(section.pages, self._outermost):
                self._run(self.runs[number] if roster else "", roster, list(pages))
                number += 1
            self._row("end_group", section.id)
        return {"survey": self._with_helpers(), "choices": self._choices(), "settings": [self._settings()]}

    def _runs(self) -> Iterator[str]:
        """The repeat of each run of pages asked of one roster's rows; the first bears the roster's name."""
        seen: dict[str, int] = {}
        for section in self.questionnaire.sections:
            for roster, pages in groupby(section.pages, self._outermost):
                seen[roster] = seen.get(roster, 0) + 1
                repeat = f"{roster}__{seen[roster]}" if roster and seen[roster] > 1 else roster
                for page in pages:
                    within = self._roster(page)
                    own = repeat if within == roster else within
                    if within != roster:
                        self.repeats[within] = repeat
                    self.repeats |= {question.id: own for question in page.questions}
                    self.repeats |= {f"{question.id}{MISSING}": own for question in page.questions}
                yield repeat

    def _roster(self, page: Page) -> str:
        """The roster of whose rows a page's questions are asked in the form ("" also for the row drawn)."""
        return "" if page.of else self.known.roster_of(page)

    def _outermost(self, page: Page) -> str:
        roster = self._roster(page)
        return self.known.within.get(roster, "") or roster

    def _run(self, repeat: str, roster: str, pages: list[Page]) -> None:
        if not roster:
            for page in pages:
                self._page(page, "")
            return
        self._repeat(repeat, roster, repeat == roster, Here())
        for own, run in groupby(pages, self._roster):
            if own != roster:
                self._repeat(own, own, True, Here(roster, repeat))
            for page in run:
                self._page(page, own if own != roster else repeat)
            if own != roster:
                self._row("end_repeat", own)
        self._row("end_repeat", repeat)

    def _repeat(self, repeat: str, ident: str, first: bool, here: Here) -> None:
        roster = self.known.rosters[ident]
        count = "" if first else f"count(${{{ident}}})"
        if first and roster.count is not None:
            count = self.dialect.said(roster.count, here)
        self._row("begin_repeat", repeat, "roster", label=roster.label, repeat_count=count)

    def _group(self, ident: str) -> str:
        """The name of a group: no two parts of a form are called the same."""
        return free(ident, self.taken)

    # --- pages -----------------------------------------------------------------------------------------------------

    def _page(self, page: Page, repeat: str) -> None:
        here = Here(self.known.roster_of(page), repeat, page.of or "", depth=1)
        outside = Here(self.known.roster_of_page(page), repeat if page.each else "", page.of or "")
        at_group = outside if page.kind == "list" else msgspec.structs.replace(here, depth=0)
        relevant = [self.dialect.said(page.when, at_group)] if page.when else []
        draw = page.of or page.draw
        if draw:
            relevant.insert(0, f"${{{draw}__row}} > 0")
        self._row("begin_group", self._group(page.id), "page", label=self._piped(page.title, here), relevant=_all(relevant),
                  appearance="field-list", more=_more(page, "title", "body", "questions", label=page.title))  # fmt: skip
        if page.body:
            self._row(
                "note",
                f"{page.id}__body",
                "body",
                label=self._piped(page.body, here),
                more=_exact(label=page.body),
            )
        if page.kind == "draw" and page.draw:
            self._draw(page.draw)
        for question in page.questions:
            self._question(question, here)
        self._row("end_group", page.id)

    def _draw(self, ident: str) -> None:
        """The row with the least of random numbers, one for each eligible row: each is drawn with equal probability."""
        draw = self.known.draws[ident]
        inside = Here(draw.roster, draw.roster)
        eligible = self.dialect.said(draw.eligible, inside)
        for name, calculation, repeat in (
            (f"{ident}__random", "once(random())", draw.roster),
            (f"{ident}__number", f"if({eligible}, ${{{ident}__random}}, 2)", draw.roster),
            (f"{ident}__least", f"min(${{{ident}__number}})", ""),
            (f"{ident}__here", f"if(${{{ident}__number}} < 2 and ${{{ident}__number}} = ${{{ident}__least}}, position(..), 0)", draw.roster),
            (f"{ident}__row", f"sum(${{{ident}__here}})", ""),
        ):  # fmt: skip
            self.dialect.add(name, calculation, repeat)
        naming = self.known.rosters[draw.roster].name
        of = Here(draw.roster, "", ident)
        label = {
            code: self.dialect.piped(f"{DRAWN.get(code, DRAWN['en'])}${{{naming}}}", of)
            for code in self.headings
        }
        self._row("note", f"{ident}__shown", "drawn", label=label)

    # --- questions -------------------------------------------------------------------------------------------------

    def _question(self, question: Question, here: Here) -> None:
        asks = question.kind not in ("note", "calculate")
        when = self.dialect.said(question.when, here) if question.when else ""
        reasons = [reason for reason in ("dont_know", "refused") if getattr(question, reason)] if asks else []
        constraint, message = self._constraint(question, here)
        kind = TYPES[question.kind]
        chooses = question.kind in ("select_one", "select_many", "rank")
        listed = chooses and isinstance(question.choices, tuple)  # a preload's are only words, in no list
        if chooses:
            kind = f"{kind} {self._list(question)}"
        self._row(
            kind, question.id, "question", label=self._piped(question.label, here), hint=self._piped(question.hint, here),
            guidance_hint=question.for_official, required="yes" if question.required and asks and not reasons else "",
            relevant=when, constraint=constraint, constraint_message=message,
            calculation=self._calculation(question, here),
            choice_filter=self._filter(question, here), more=_more(question, "id", "label", "hint", "for_official", *(("choices",) if listed else ()),
                       label=question.label, hint=question.hint, guidance_hint=question.for_official),
        )  # fmt: skip
        self._specified(question, here, when)
        self._soft(question, here, when)
        if reasons:
            self.lists["missing_" + "_".join(reasons)] = tuple(
                Choice(
                    code=reason,
                    label={code: REASONS[reason].get(code, REASONS[reason]["en"]) for code in self.headings},
                )
                for reason in reasons
            )
            blank = f"${{{question.id}}} = ''"
            self._row("select_one missing_" + "_".join(reasons), f"{question.id}{MISSING}", "missing",
                      label={code: UNANSWERED.get(code, UNANSWERED["en"]) for code in self.headings},
                      required="yes" if question.required else "", relevant=_all([when, blank] if when else [blank]))  # fmt: skip

    def _calculation(self, question: Question, here: Here) -> str:
        if not question.calculate:
            return ""
        said = self.dialect.said(question.calculate, here)
        return f"date({said})" if self.known.type_of(question) == "date" else said

    def _list(self, question: Question) -> str:
        if question.rows:
            name = f"{question.rows}__name"  # directly in the repeat, where JavaRosa looks for the options
            self.dialect.add(name, f"${{{self.known.rosters[question.rows].name}}}", question.rows)
            return f"${{{name}}}"
        if isinstance(question.choices, str):
            return question.choices
        self.lists[f"{question.id}__options"] = question.choices
        return f"{question.id}__options"

    def _filter(self, question: Question, here: Here) -> str:
        filters = []
        if question.filter:
            filters.append(
                self.dialect.said(
                    question.filter, Here(question.rows, question.rows) if question.rows else here
                )
            )
        filters += [
            f"(name != '{choice.code}' or {_bracketed(self.dialect.said(choice.when, here))})"
            for choice in self.known.choices(question)
            if choice.when is not None
        ]
        return _all(filters)

    def _constraint(self, question: Question, here: Here) -> tuple[str, Text]:
        parts, message = [], dict.fromkeys(self.headings, "")
        if question.minimum is not None:
            parts.append(f". >= {_number(question.minimum)}")
        if question.maximum is not None:
            parts.append(f". <= {_number(question.maximum)}")
        if question.kind == "text":
            parts.append(f"string-length(.) <= {question.max_length}")
        if question.kind == "select_many":
            parts += [f"not(selected(., '{choice.code}') and count-selected(.) > 1)"
                      for choice in self.known.choices(question) if choice.exclusive]  # fmt: skip
        for check in question.checks:
            if check.severity == "hard":
                parts.append(self.dialect.said(check.that, here))
                message = {
                    code: f"{said} {check.message.get(code, '')}".strip() for code, said in message.items()
                }
        return _all(parts), {code: said for code, said in message.items() if said}

    def _specified(self, question: Question, here: Here, when: str) -> None:
        for choice in self.known.choices(question):
            if choice.specify:
                chosen = f"selected(${{{question.id}}}, '{choice.code}')"
                self._row("text", f"{question.id}__{_plain(choice.code)}", "specify", label=choice.label,
                          relevant=_all([when, chosen] if when else [chosen]))  # fmt: skip

    def _soft(self, question: Question, here: Here, when: str) -> None:
        """A soft check asks once more: in Collect, a note that shows while it does not hold."""
        about = msgspec.structs.replace(here, current=question.id)
        for number, check in enumerate(question.checks, start=1):
            if check.severity == "soft":
                odd = [f"${{{question.id}}} != ''", f"not({self.dialect.said(check.that, about)})"]
                self._row("note", f"{question.id}__check{number}", "soft", label=check.message,
                          relevant=_all([when, *odd] if when else odd))  # fmt: skip

    # --- rows ------------------------------------------------------------------------------------------------------

    def _piped(self, words: Text, here: Here) -> Text:
        return {code: self.dialect.piped(said, here) for code, said in words.items()}

    def _row(self, kind: str, name: str, part: str = "", more: str = "", **fields: Any) -> None:
        row = dict.fromkeys(self._headers(), "")
        row |= {"type": kind, "name": name, PART: part, MORE: more}
        for field, value in fields.items():
            if field in TEXTS:
                row |= {
                    f"{field}::{self.headings[code]}": said
                    for code, said in value.items()
                    if code in self.headings
                }
            else:
                row[field] = value
        self.rows.append(row)

    def _headers(self) -> list[str]:
        return [header for column in COLUMNS
                for header in ([f"{column}::{name}" for name in self.headings.values()] if column in TEXTS else [column])]  # fmt: skip

    def _with_helpers(self) -> list[Row]:
        """The calculations that Collect needs: at the end of their repeat, or after everything."""
        rows: list[Row] = []
        outer, self.rows = self.rows, rows
        for row in outer:
            if row["type"] == "end_repeat":
                self._helpers(row["name"])
            rows.append(row)
        self._helpers("")
        return rows

    def _helpers(self, repeat: str) -> None:
        for helper in self.dialect.helpers.values():
            if helper.repeat == repeat:
                self._row("calculate", helper.name, "helper", calculation=helper.calculation)

    def _choices(self) -> list[Row]:
        facts = sorted(
            {fact for choices in self.lists.values() for choice in choices for fact in choice.facts}
        )
        headers = ["list_name", "name", *(f"label::{name}" for name in self.headings.values()), *facts, MORE]
        rows = []
        for name, choices in self.lists.items():
            for choice in choices:
                labels = {
                    f"label::{self.headings[code]}": said
                    for code, said in choice.label.items()
                    if code in self.headings
                }
                row = {"list_name": name, "name": choice.code, **labels, **choice.facts,
                       MORE: _more(choice, "code", "label", label=choice.label)}  # fmt: skip
                rows.append({header: row.get(header, "") for header in headers})
        return rows or [dict.fromkeys(headers, "")]

    def _settings(self) -> Row:
        q = self.questionnaire
        first = q.languages[0]
        return {
            "form_title": q.title.get(first, q.id), "form_id": q.id, "version": q.edition or q.version,
            "default_language": self.headings[first], MORE: msgspec.json.encode({**_lean(q, "id", "sections", "choices"), LISTS: list(q.choices)}).decode(),
        }  # fmt: skip


def _lean(value: msgspec.Struct, *known: str) -> dict[str, Any]:
    """The fields that have no column, those at their defaults left out."""
    return {name: part for name, part in documents.lean(value).items() if name not in known}


def _more(value: msgspec.Struct, *known: str, **words: Text) -> str:
    """The fields that have no column, and words that a cell does not keep exactly, as JSON; "" where there are none."""
    exact = _fragile(words)
    plain = _lean(value, *known) | ({EXACT: exact} if exact else {})
    return msgspec.json.encode(plain).decode() if plain else ""


def _exact(**words: Text) -> str:
    exact = _fragile(words)
    return msgspec.json.encode({EXACT: exact}).decode() if exact else ""


def _fragile(words: dict[str, Text]) -> dict[str, Text]:
    found = {
        column: {code: said for code, said in text.items() if plain_text(said) != said}
        for column, text in words.items()
    }
    return {column: text for column, text in found.items() if text}


def plain_text(said: str) -> str:
    """What is left of a text that went through a cell: no blanks around it, no blanks that do not break."""
    return said.strip().replace("\N{NO-BREAK SPACE}", " ").replace("\r\n", "\n")


def _all(parts: list[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else ""
    return " and ".join(_bracketed(part) for part in parts)


def _bracketed(part: str) -> str:
    return f"({part})" if re.search(r"\bor\b", part) else part


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _plain(code: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", code)
