"""What every part of an import needs: the form's names and languages, its cells, and where to note what differs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from survey.problems import Text
from survey.questionnaire.grammar import ConditionError, Syntax, written
from survey.questionnaire.model import Kind
from survey.xlsform import languages
from survey.xlsform.columns import Columns
from survey.xlsform.expressions import Known, Remark, Standing, mentions_the_time, translate
from survey.xlsform.fidelity import Cell, Notes
from survey.xlsform.rejected import ROW

Element = dict[str, Any]
DEPTH = "depth_in_repeat"  # of every element: the groups between it and the repeat around

INPUTS: dict[str, Kind] = {
    "string": "text", "int": "integer", "decimal": "decimal", "date": "date", "geopoint": "location",
    "barcode": "barcode", "time": "text", "dateTime": "text",
}  # fmt: skip
CALCULATES = ("calculate", "hidden", "q calculate", "add calculate prompt")


def row_of(element: Element) -> int:
    return int(element.get(ROW) or 0)


def kind_of(element: Element) -> Kind | None:
    """The kind of question that a row is, or None where there is none."""
    kind, tag, bind = str(element.get("type")), element["control"].get("tag"), element["bind"]
    if kind == "background-geopoint":
        return None
    if kind in CALCULATES or bind.get("jr:preloadParams") == "today":
        return "calculate"
    if kind == "rank":
        return "rank"
    match tag:
        case "select1":
            return "select_one"
        case "select":
            return "select_many"
        case "trigger":
            return "acknowledge"
        case "range":
            steps = (str(value) for value in (element.get("parameters") or {}).values())
            whole = bind.get("type") != "decimal" and not any("." in value for value in steps)
            return "integer" if whole else "decimal"
        case "upload":
            return "photo" if str(element["control"].get("mediatype", "")).startswith("image") else None
        case "input" if kind != "select one external" and not bind.get("jr:preload"):
            return "note" if "note" in kind else INPUTS.get(str(bind.get("type")))
    return None


def identifier(name: str) -> str:
    """A name as an id may be: letters, digits and underscores, a letter first."""
    letters = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    bare = "".join(char for char in letters if not unicodedata.combining(char))  # “Đặng” is Dang
    plain = re.sub(r"[^A-Za-z0-9_]", "_", bare).lstrip("_")
    return plain if re.match(r"[A-Za-z]", plain) else f"q_{plain}"


def free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken (capitals make no difference); it is taken from now on."""
    found, number = name, 1
    while found.lower() in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found.lower())
    return found


def _names_in(element: Element) -> Iterator[str]:
    for child in element.get("children", ()):
        yield str(child.get("name", ""))
        yield from _names_in(child)


class Context:
    """One form being imported."""

    def __init__(
        self, tree: Element, columns: Columns, notes: Notes, lists: Mapping[str, list[Element]], language: str
    ) -> None:
        self.tree, self.columns, self.notes = tree, columns, notes
        self.lists: dict[str, list[Element]] = {**(tree.get("choices") or {}), **lists}
        self.home: dict[str, str] = {}  # id of a question or roster → id of the roster that holds it, or ""
        self.labelled: dict[str, str] = {}  # roster → the question whose answer stands for its rows
        self.filtered: dict[str, set[str]] = {}  # choice list → columns that filters look at
        self.headings: dict[str, tuple[str, ...]] = {}  # language → the headings of its columns
        self.languages = self._languages(language)
        self._own = {name.lower() for name in _names_in(tree) if identifier(name) == name}
        self.known = self._names()

    # --- cells -----------------------------------------------------------------------------------------------------

    def cell(self, element: Element, column: str, sheet: str = "survey") -> Cell:
        return self.columns.cell(sheet, row_of(element), column)

    # --- names -----------------------------------------------------------------------------------------------------

    def _names(self) -> Known:
        """Every name of the form, what it means here, and the names that nothing can refer to."""
        ids: dict[str, str] = {}
        times: set[str] = set()
        unavailable: dict[str, str] = {}
        codes: dict[str, frozenset[str]] = {}
        many: set[str] = set()
        repeats: set[str] = set()
        shown_if: dict[str, str] = {}
        kinds: dict[str, str] = {}
        taken: set[str] = set()

        def look(element: Element, repeat: str, relevant: str, depth: int) -> None:
            for child in element.get("children", ()):
                name, kind = str(child.get("name", "")), str(child.get("type", ""))
                child[DEPTH] = depth
                own = child["bind"].get("relevant", "")
                both = " and ".join(f"({part})" for part in (relevant, own) if part)
                preload = child["bind"].get("jr:preloadParams") if child["bind"].get("jr:preload") else None
                inner = repeat
                if (kind == "group" and name == "meta") or (kind == "calculate" and not row_of(child)):
                    continue  # pyxform's own
                if (
                    kind == "repeat"
                    or (kind != "group" and kind_of(child) and not preload)
                    or preload == "today"
                ):
                    if name not in ids:
                        ids[name] = self._id(name, taken, child)
                        unavailable.pop(name, None)
                        self.home[ids[name]] = repeat
                        if repeat and both and kind != "repeat":
                            shown_if[name] = both
                        if child.get("itemset") in self.lists and not child["bind"].get("calculate"):
                            codes[name] = frozenset(
                                str(one.get("name")) for one in self.lists[child["itemset"]]
                            )
                        if kind_of(child) in ("select_many", "rank"):
                            many.add(name)
                        kinds[name] = "calculate" if child["bind"].get("calculate") else str(kind_of(child))
                    if kind == "repeat":
                        repeats.add(name)
                        inner, both = ids[name], ""
                elif preload in ("start", "end"):
                    times.add(name)
                elif name not in ids:
                    unavailable[name] = kind
                look(child, inner, both, depth + 1 if kind == "group" else 0)

        look(self.tree, "", "", 0)
        plain = Known(
            ids=ids, repeats=frozenset(repeats), times=frozenset(times), unavailable=unavailable,
            codes=codes, many=frozenset(many), home=self.home, kinds=kinds,
        )  # fmt: skip
        conditions: dict[str, Syntax] = {}
        for name, text in shown_if.items():
            try:
                conditions[name] = translate(text, plain, Standing(roster=self.home[ids[name]]))
            except ConditionError:
                continue  # that relevance is refused where it stands
        return msgspec.structs.replace(plain, shown_if=conditions)

    def _id(self, name: str, taken: set[str], child: Element) -> str:
        plain = identifier(name)
        found = free(plain, taken if plain == name else taken | self._own)  # a name that can stay stays
        taken.add(found.lower())
        if found != name:
            self.notes.say("changed", "renamed", self.cell(child, "name"), f"“{name}” đổi tên thành “{found}”",
                           f"“{name}” is called “{found}” here: names are letters, digits and underscores, and differ in "
                           "more than capitals", found=name)  # fmt: skip
        return found

    # --- expressions -----------------------------------------------------------------------------------------------

    def expression(
        self,
        text: str,
        element: Element,
        cell: Cell,
        roster: str = "",
        own: str = "",
        filled: frozenset[str] = frozenset(),
    ) -> str | None:
        """The expression in our language, or None with a refusal noted (see `expressions.Standing`)."""
        remarks: list[Remark] = []
        try:
            said = written(
                translate(str(text), self.known, Standing(own, roster, filled, element[DEPTH]), remarks)
            )
        except ConditionError as error:
            self.refuse(cell, str(text), error)
            return None
        for remark in remarks:
            self.notes.say("changed", remark.code, cell, remark.vietnamese, remark.english, found=str(text))
        if mentions_the_time(str(text), self.known.times):
            self.notes.say("changed", "clock", cell, "giờ phút được đọc là ngày: điều kiện không xem đồng hồ",
                           "the time is read as the day: a condition looks at no clock", found=str(text))  # fmt: skip
        return said

    def refuse(self, cell: Cell, text: str, error: ConditionError) -> None:
        self.notes.say("refused", "expression", cell, f"biểu thức “{text}”: {error.vietnamese} (ký tự {error.at + 1})",
                       f"the expression “{text}”: {error.problem} (character {error.at + 1})", found=text)  # fmt: skip

    def relevant(self, element: Element, roster: str) -> tuple[str, ...]:
        """The element's own relevance as conditions: none, or one."""
        said = element["bind"].get("relevant")
        found = self.expression(said, element, self.cell(element, "relevant"), roster) if said else None
        return (found,) if found else ()

    # --- words -----------------------------------------------------------------------------------------------------

    def _languages(self, wanted: str) -> tuple[tuple[str, str], ...]:
        """(code, heading) of each language, the default one first; the heading "" stands for columns without one."""
        headings: dict[str, None] = {}
        for element in self._elements():
            bind = element.get("bind") or {}
            for words in (
                element.get("label"),
                element.get("hint"),
                element.get("guidance_hint"),
                bind.get("jr:constraintMsg"),
            ):
                if isinstance(words, dict):
                    headings |= dict.fromkeys(str(name) for name in words)
        default = str(self.tree.get("default_language") or "default")
        ordered = [name for name in headings if name == default] + [
            n for n in headings if n not in (default, "default")
        ]
        if not ordered:
            stated = default if default != "default" else wanted
            if not stated:
                self.notes.say("changed", "language", Cell("settings", 0, "default_language"),
                               "phiếu không ghi lời viết bằng tiếng gì; tạm ghi là tiếng Anh (en)",
                               "the form does not say which language it is written in; it is taken as English (en)",
                               "ghi default_language, hoặc chạy lại với --language vi",
                               "fill in default_language, or run again with --language vi")  # fmt: skip
            return ((languages.code_of(stated) if stated else "en", ""),)
        codes: dict[str, list[str]] = {}
        for name in ordered:
            code = self._unheaded(headings, wanted) if name == "default" else languages.code_of(name)
            codes.setdefault(code, []).append(name)
            if name == "default":
                self.notes.say("changed", "language", self.columns.cell("survey", 1, "label"), f"cột lời không ghi tiếng gì được ghi là “{code}”",
                               f"the column of words that names no language is taken as “{code}”",
                               "ghi default_language, hoặc chạy lại với --language", "fill in default_language, or run again with --language")  # fmt: skip
            elif not re.search(r"\(.+\)\s*$", name):
                self.notes.say("changed", "language", Cell("survey", 1, f"label::{name}"), f"“{name}” được ghi là “{code}”",
                               f"“{name}” is taken as the language “{code}”")  # fmt: skip
        for code, (first, *others) in codes.items():
            for name in others:
                self.notes.say("changed", "one_language", Cell("survey", 1, f"label::{name}"), f"“{name}” và “{first}” là một tiếng ({code}): dùng “{first}”, chỗ trống lấy ở “{name}”",
                               f"“{name}” and “{first}” are one language ({code}): “{first}” is used, where it is blank “{name}”")  # fmt: skip
        self.headings = {code: tuple(names) for code, names in codes.items()}
        return tuple((code, names[0]) for code, names in codes.items())

    def _unheaded(self, headings: Mapping[str, None], wanted: str) -> str:
        """The language of columns without one beside columns with one: what is asked for; the only other one, if the two
        never both say something (a choices sheet without translations); else English."""
        others = list(dict.fromkeys(languages.code_of(name) for name in headings if name != "default"))
        if wanted:
            return languages.code_of(wanted)
        if len(others) == 1 and not any(self._says_both(one) for one in self._elements()):
            return others[0]
        return "en" if "en" not in others else "x-default"

    @staticmethod
    def _says_both(element: Element) -> bool:
        said = (element.get(column) for column in ("label", "hint"))
        return any(isinstance(words, dict) and len([one for one in words.values() if one not in ("", "-", None)]) > 1 for words in said)  # fmt: skip

    def _elements(self) -> Iterator[Element]:
        def below(element: Element) -> Iterator[Element]:
            yield element
            for child in element.get("children", ()):
                yield from below(child)

        yield from below(self.tree)
        for choices in self.lists.values():
            yield from choices

    def text(self, element: Element, column: str, sheet: str = "survey", value: object = None) -> Text:
        """The words in every language, names in them renamed, marks of formatting taken off; {} where there are none.

        A language without words gets those of the first that has some, and that is noted."""
        said = element.get(column) if value is None else value
        if said in (None, "", {}):
            return {}
        if not isinstance(said, dict):
            return {
                code: self._plain(str(said), self.cell(element, column, sheet)) for code, _ in self.languages
            }
        spare = said.get("default")
        found: Text = {}
        for code, heading in self.languages:
            own = next(
                (
                    said[name]
                    for name in self.headings.get(code, (heading,))
                    if said.get(name) not in (None, "", "-")
                ),
                "",
            )
            words = str(own or (spare if not found and spare else "")).strip()
            if words and words != "-":
                found[code] = self._plain(words, self._heading(element, column, sheet, heading))
        if not found:
            return {}
        first = next(iter(found.values()))
        for code, heading in self.languages:
            if code not in found:
                shown = code if heading == "default" else heading
                self.notes.say("changed", "no_translation", self._heading(element, column, sheet, heading),
                               f"thiếu bản dịch “{shown}”; tạm dùng lời của ngôn ngữ khác",
                               f"the translation into “{shown}” is missing; the words of another language stand there for now",
                               "dịch trước khi đi khảo sát", "translate it before field work")  # fmt: skip
        return {code: found.get(code, first) for code, _ in self.languages}

    def _heading(self, element: Element, column: str, sheet: str, heading: str) -> Cell:
        if heading == "default":
            return self.cell(element, column, sheet)
        for name in self.columns.headers.get(sheet, ()):
            kind, _, language = name.replace("::", ":").partition(":")
            if kind.strip().lower() == column and language.strip() == heading:
                return Cell(sheet, row_of(element), name)
        return Cell(sheet, row_of(element), f"{column}::{heading}")

    def _plain(self, words: str, cell: Cell) -> str:
        """Without Markdown and HTML; `${old}` as `${id}`."""
        held: list[str] = re.findall(r"\$\{[^}]*\}", words)
        words = re.sub(r"\$\{[^}]*\}", "\ue000", words)  # names may hold underscores that are no Markdown
        plain = re.sub(
            r"</?(?:span|b|i|u|em|strong|font|br|p|center|big|small|h[1-6])\b[^>]*>",
            "",
            words,
            flags=re.IGNORECASE,
        )
        plain = re.sub(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", r"\2", plain)
        plain = re.sub(r"(?<![*\w])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![*\w])", r"\1", plain)
        plain = re.sub(r"^#{1,6}\s+", "", plain, flags=re.MULTILINE)
        if plain != words:
            self.notes.say("left_out", "formatting", cell, "bỏ chữ đậm, nghiêng, màu trong lời hỏi",
                           "bold, italics or colours in the words", found=words)  # fmt: skip

        for reference in held:
            name = reference[2:-1].strip()
            plain = plain.replace("\ue000", f"${{{self.known.ids.get(name, name)}}}", 1)
        return plain.strip()
