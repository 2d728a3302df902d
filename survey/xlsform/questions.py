"""One row of the survey sheet as the question it is, or the few questions it becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec
from pyxform.question_type_dictionary import QUESTION_TYPE_DICT

from survey.problems import Text
from survey.questionnaire.grammar import ConditionError, Syntax, parse
from survey.questionnaire.model import Check, Choice, Kind, Question
from survey.xlsform.context import Context, Element, kind_of, row_of
from survey.xlsform.expressions import only_a_time
from survey.xlsform.fidelity import Cell

LONGEST_TEXT = 2000
TRUE = ("true()", "true", "yes", "1")
FALSE = ("", "false()", "false", "no", "0")
CLOCKS: dict[str, tuple[str, Text]] = {
    "time": ("([01][0-9]|2[0-3]):[0-5][0-9]", {"vi": "Xin ghi giờ theo mẫu 14:30.", "en": "Write the time as 14:30."}),
    "dateTime": (
        "[0-9]{4}-[01][0-9]-[0-3][0-9] ([01][0-9]|2[0-3]):[0-5][0-9]",
        {"vi": "Xin ghi theo mẫu 2026-03-27 14:30.", "en": "Write it as 2026-03-27 14:30."},
    ),
}  # fmt: skip
INVALID: Text = {
    "vi": "Câu trả lời này chưa hợp lệ. Xin xem lại.",
    "en": "This answer is not valid. Please check it.",
}
ASKED_OTHERWISE: dict[str, Text] = {
    "year|month-year": {"vi": "ở đây hỏi cả ngày, tháng, năm", "en": "here the whole date is asked"},
    "ethiopian|coptic|islamic|bikram-sambat|myanmar|persian|buddhist": {
        "vi": "ở đây hỏi theo dương lịch", "en": "here the date is asked in the Gregorian calendar"},
    "signature|draw|annotate": {"vi": "ở đây là một ảnh chụp, không ký hay vẽ", "en": "here a picture is taken, nothing is signed or drawn"},
    "bearing": {"vi": "ở đây gõ số, không đo hướng", "en": "here a number is typed, no direction is measured"},
    "url": {"vi": "ở đây là chữ, không mở trang", "en": "here it is text, and opens no page"},
    "ex:.*|intent.*|printer:.*": {"vi": "ở đây trả lời bằng tay, không mở ứng dụng khác", "en": "here it is answered by hand, no other application is opened"},
    "masked": {"vi": "ở đây thấy chữ đang gõ", "en": "here the text is seen while it is typed"},
}  # fmt: skip
"""Appearances that change what a question asks for or how it is answered, and what it is here."""
SURVEYCTO = (
    "caseid",
    "comments",
    "text audit",
    "speed violations count",
    "speed violations list",
    "speed violations audit",
)
"""Types of SurveyCTO that are bookkeeping; nothing may look at them here."""
SHOWN = "_shown"  # the note that shows a computed value which Collect would show in a field


@dataclass
class Asked:
    """A question on its way to a page; `relevant` are its own condition and those of groups inside the page."""

    question: Question
    row: int
    relevant: tuple[str, ...] = ()


class Questions:
    """Rows as questions, in the context of their form."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def of(self, row: Element, roster: str) -> list[Asked]:
        """The question of a row, preceded by what is computed for it; empty when the row is none (and that is noted)."""
        context, name = self.context, str(row.get("name", ""))
        kind = kind_of(row)
        if kind == "calculate" and not row_of(row):
            return []  # pyxform's own, for a repeat_count that is an expression: the roster counts by itself
        if name in context.known.times or name in context.known.unavailable or kind is None:
            self._none(row)
            return []
        if "label" in self._appearance(row) and kind in ("select_one", "select_many"):
            return self._header_of_table(row, roster)
        self._note_columns(row, kind)
        relevant = context.relevant(row, roster)
        ident = context.known.ids[name]
        if (
            kind == "calculate"
            or row["bind"].get("calculate")
            or (self._read_only(row) and row.get("default"))
        ):
            return self._computed(row, ident, kind, relevant, roster)
        if self._read_only(row) and kind != "note":
            context.notes.say("changed", "read_only", context.cell(row, "readonly"),
                              "câu chỉ đọc, không có giá trị: hiện như lời dẫn", "read-only and without a value: shown as a note")  # fmt: skip
            kind = "note"
        return [Asked(self._question(row, ident, kind), row_of(row), relevant)]

    # --- computed --------------------------------------------------------------------------------------------------

    def _computed(
        self, row: Element, ident: str, kind: Kind, relevant: tuple[str, ...], roster: str
    ) -> list[Asked]:
        context, bind = self.context, row["bind"]
        cell = context.cell(row, "calculation" if bind.get("calculate") else "default")
        if row.get("trigger"):
            context.notes.say("refused", "trigger", context.cell(row, "trigger"),
                              "trigger: tính lại khi một câu khác đổi; chưa hỗ trợ",
                              "trigger: computed only when another answer changes, which is not supported")  # fmt: skip
        said = str(bind.get("calculate") or row.get("default") or "")
        if bind.get("jr:preloadParams") == "today":
            said = "today()"
        if only_a_time(said):
            return self._stamp(row, said, relevant)
        if not bind.get("calculate") and said and not _is_expression(said) and said != "today()":
            said = said if re.fullmatch(r"-?\d+(\.\d+)?", said) else _quoted(said)
        found = context.expression(said, row, cell, roster) if said else "''"
        if found is None:
            return []
        asked = [Asked(Question(id=ident, kind="calculate", label=self._name_of(row),
                                calculate=_cast(found, str(bind.get("type"))), required=False), row_of(row), relevant)]  # fmt: skip
        if bind.get("constraint"):
            context.notes.say("left_out", "constraint_on_calculate", context.cell(row, "constraint"),
                              "ràng buộc trên giá trị tính ra: Collect không kiểm tra",
                              "a constraint on a computed value: Collect never checks it")  # fmt: skip
        if kind != "calculate" and row.get("label"):
            if not self._read_only(row):
                context.notes.say("changed", "computed_question", cell, "giá trị được tính và cho xem, không sửa được",
                                  "computed and shown, not to be overwritten by hand")  # fmt: skip
            label = {code: f"{words}: ${{{ident}}}" for code, words in context.text(row, "label").items()}
            asked.append(Asked(Question(id=f"{ident}{SHOWN}", kind="note", label=label, hint=context.text(row, "hint"),
                                        required=False), row_of(row), relevant))  # fmt: skip
        return asked

    def _name_of(self, row: Element) -> Text:
        """The label of a computed value, which only authors see: in any language it has."""
        said = row.get("label") or {}
        words = list(said.values()) if isinstance(said, dict) else [said]
        first = next((str(one).strip() for one in words if one and one != "-"), "")
        return dict.fromkeys((code for code, _ in self.context.languages), first) if first else {}

    def _stamp(self, row: Element, said: str, relevant: tuple[str, ...]) -> list[Asked]:
        """The moment and nothing else: every recorded event has it already; kept as the day where others look at it."""
        context = self.context
        context.notes.say("changed", "time_stamp", context.cell(row, "calculation"),
                          "mốc giờ: mỗi lần lưu đã có giờ riêng; ở đây chỉ giữ ngày",
                          "a time stamp: every page that is saved has its own; here only the day is kept", found=said)  # fmt: skip
        ident = context.known.ids[str(row["name"])]
        return [Asked(Question(id=ident, kind="calculate", label=self._name_of(row), calculate="today()",
                               required=False), row_of(row), relevant)]  # fmt: skip

    # --- asked -----------------------------------------------------------------------------------------------------

    def _question(self, row: Element, ident: str, kind: Kind) -> Question:
        context = self.context
        label = context.text(row, "label")
        hint = context.text(row, "hint")
        if not label:
            label, hint = (
                (hint, {})
                if hint
                else (dict.fromkeys((code for code, _ in context.languages), str(row["name"])), {})
            )
            context.notes.say("changed", "no_label", context.cell(row, "label"), "câu không có lời hỏi; dùng gợi ý hoặc tên câu",
                              "no label: the hint or the name stands in its place")  # fmt: skip
        question = Question(
            id=ident, kind=kind, label=label, hint=hint, for_official=context.text(row, "guidance_hint"),
            required=kind != "note" and self._required(row), dont_know=False, refused=False,
            checks=self._checks(row, kind), max_length=LONGEST_TEXT if kind == "text" else 200,
        )  # fmt: skip
        if kind in ("select_one", "select_many", "rank"):
            return self._choosing(row, question)
        if row["control"].get("tag") == "range":
            return self._range(row, question)
        return question

    def _required(self, row: Element) -> bool:
        said = str(row["bind"].get("required") or "").strip()
        if said.lower() in TRUE:
            return True
        if said.lower() not in FALSE:
            context = self.context
            context.notes.say("changed", "required_if", context.cell(row, "required"),
                              "bắt buộc có điều kiện: ở đây câu không bắt buộc",
                              "required under a condition: here the question is not required", found=said)  # fmt: skip
        return False

    def _checks(self, row: Element, kind: Kind) -> tuple[Check, ...]:
        context, bind = self.context, row["bind"]
        checks = []
        if bind.get("constraint") and kind not in ("note", "acknowledge"):
            that = context.expression(
                bind["constraint"],
                row,
                context.cell(row, "constraint"),
                context.home[context.known.ids[str(row["name"])]],
                own=str(row["name"]),
            )
            message = context.text(row, "constraint_message", value=bind.get("jr:constraintMsg") or {})
            if that:
                checks.append(Check(that=that, message=message or self._said(INVALID)))
        clock = CLOCKS.get(str(bind.get("type")))
        if clock and row["control"].get("tag") == "input":
            context.notes.say("changed", "clock_time", context.cell(row, "type"), "giờ được ghi thành chữ, có kiểm tra",
                              "a time is written as text and checked")  # fmt: skip
            checks.append(Check(that=f"regex(., '{clock[0]}')", message=self._said(clock[1])))
        return tuple(checks)

    def _said(self, words: Text) -> Text:
        return {code: words.get(code, words["en"]) for code, _ in self.context.languages}

    def _range(self, row: Element, question: Question) -> Question:
        parameters = row.get("parameters") or {}
        low, high, step = (parameters.get(name) for name in ("start", "end", "step"))
        if step and str(step) not in ("1", "1.0"):
            context = self.context
            context.notes.say("changed", "step", context.cell(row, "parameters"), f"bước nhảy {step} không được giữ",
                              f"the step of {step} is not kept, only the smallest and the largest value")  # fmt: skip
        bounds = [float(value) for value in (low, high) if value is not None]
        if not bounds:
            return question
        return msgspec.structs.replace(question, minimum=min(bounds), maximum=max(bounds))

    # --- options ---------------------------------------------------------------------------------------------------

    def _choosing(self, row: Element, question: Question) -> Question:
        context, source = self.context, str(row.get("itemset") or row.get("list_name") or "")
        if source.startswith("${"):
            return self._from_repeat(row, question, source[2:-1].strip())
        if not source:
            context.notes.say("refused", "no_list", context.cell(row, "type"), "câu chọn này không ghi danh sách nào",
                              "a question with options that names no list", "ghi tên danh sách sau loại câu", "write the name of the list after the type")  # fmt: skip
            return question
        if source not in context.lists:
            context.notes.say("changed", "no_list", context.cell(row, "type"), f"không thấy tệp danh sách “{source}”; câu này tạm hỏi bằng chữ",
                              f"the list “{source}” is not beside the form; the question is asked as text for now",
                              "để tệp cạnh phiếu rồi nhập lại", "put the file beside the form and import again", found=source)  # fmt: skip
            return msgspec.structs.replace(question, kind="text", max_length=LONGEST_TEXT)
        parameters = row.get("parameters") or {}
        if str(parameters.get("randomize", "")).lower() == "true":
            context.notes.say("changed", "randomize", context.cell(row, "parameters"), "thứ tự lựa chọn không được xáo",
                              "the options stand in the order of the list, not at random")  # fmt: skip
        context.filtered.setdefault(source, set())
        said = row.get("choice_filter")
        found = (
            context.expression(
                said,
                row,
                context.cell(row, "choice_filter"),
                context.home[question.id],
                filled=self._filled(source),
            )
            if said
            else None
        )
        if found:
            context.filtered[source] |= _facts(found) - {"name"}
        return msgspec.structs.replace(question, choices=source, filter=found)

    def _filled(self, source: str) -> frozenset[str]:
        """The columns of a list that no option leaves empty."""
        options = self.context.lists[source]
        columns = {name for option in options for name in option}
        return frozenset(name for name in columns if all(option.get(name) for option in options))

    def _from_repeat(self, row: Element, question: Question, name: str) -> Question:
        context = self.context
        ident = context.known.ids.get(name, "")
        roster = context.home.get(ident, "")
        if not roster or row.get("choice_filter"):
            context.notes.say("refused", "rows", context.cell(row, "type"), "chọn từ các dòng của danh sách, có lọc: chưa hỗ trợ",
                              "options taken from the rows of a repeat, with a filter: not supported")  # fmt: skip
            return question
        context.labelled.setdefault(roster, ident)
        context.notes.say("changed", "rows", context.cell(row, "type"),
                          "lựa chọn là các dòng của danh sách; câu trả lời giữ mã dòng, không phải chữ",
                          "the options are the rows of a repeat; the answer keeps the row, not the words in it")  # fmt: skip
        return msgspec.structs.replace(question, rows=roster)

    def choices(self, source: str) -> tuple[Choice, ...]:
        """The options of a list, with the columns that filters look at."""
        context, facts, found = self.context, sorted(self.context.filtered.get(source, ())), []
        for number, option in enumerate(context.lists[source]):
            code = str(option.get("name", ""))
            label = context.text(option, "label", "choices")
            if not label:
                label = dict.fromkeys((each for each, _ in context.languages), code)
            for medium, value in (option.get("media") or {}).items():
                context.notes.say("left_out", "media", context.cell(option, f"media::{medium}", "choices"), "hình, tiếng kèm lựa chọn",
                                  "a picture or sound of an option", found=str(value))  # fmt: skip
            found.append(
                Choice(code=code, label=label, facts={name: str(option.get(name) or "") for name in facts})
            )
            if not re.fullmatch(r"-?\w[\w.-]*", code) or code in ("-dk", "-rf"):
                context.notes.say("refused", "code", context.cell(option, "name", "choices"),
                                  f"mã lựa chọn “{code}” có ký tự không dùng được",
                                  f"the option “{code}” has characters that cannot be used in a code",
                                  "dùng chữ, số, gạch dưới", "use letters, digits and underscores", found=str(number))  # fmt: skip
        return tuple(found)

    # --- what is not asked -----------------------------------------------------------------------------------------

    def _none(self, row: Element) -> None:
        context, kind = self.context, str(row.get("type"))
        cell = context.cell(row, "type")
        if row["bind"].get("jr:preload") or kind in ("audit", "start-geopoint"):
            context.notes.say("left_out", "metadata", cell, f"“{kind}”: nhật ký của hệ thống đã ghi giờ, máy và người làm",
                              f"“{kind}”: time, device and author of every step are recorded anyway", found=kind)  # fmt: skip
        elif kind in SURVEYCTO:
            context.notes.say("left_out", "metadata", cell, f"“{kind}” của SurveyCTO: nhật ký của hệ thống đã ghi giờ, máy và người làm",
                              f"“{kind}” of SurveyCTO: time, device and author of every step are recorded anyway", found=kind)  # fmt: skip
        elif row["control"].get("tag") != "action" or kind.startswith("background"):
            plain = (
                kind.lower()
                if kind.lower() in QUESTION_TYPE_DICT or re.match("select_(one|multiple) ", kind.lower())
                else ""
            )
            do_vi, do_en = (f"viết thường: {plain}", f"write it in small letters: {plain}") if plain not in ("", kind) else (
                "bỏ câu này hoặc hỏi cách khác", "take the question out or ask it another way")  # fmt: skip
            context.notes.say("refused", "kind", cell, f"loại câu “{kind}” chưa hỗ trợ", f"questions of type “{kind}” are not supported",
                              do_vi, do_en, found=kind)  # fmt: skip

    def _header_of_table(self, row: Element, roster: str) -> list[Asked]:
        """A select that only heads a table of selects: its label, if it has one, becomes a note."""
        context = self.context
        context.notes.say("left_out", "table", context.cell(row, "appearance"), "dòng đầu bảng: mỗi câu hiện riêng với đủ lựa chọn",
                          "the head of a table: every question is shown with its own options")  # fmt: skip
        label = context.text(row, "label")
        if not label:
            return []
        ident = context.known.ids[str(row["name"])]
        return [Asked(Question(id=ident, kind="note", label=label, hint=context.text(row, "hint"), required=False),
                      row_of(row), context.relevant(row, roster))]  # fmt: skip

    def _appearance(self, row: Element) -> list[str]:
        return str(row["control"].get("appearance") or "").split()

    def _read_only(self, row: Element) -> bool:
        return str(row["bind"].get("readonly") or "").lower() in TRUE

    def _note_columns(self, row: Element, kind: Kind) -> None:
        """Columns that have no counterpart, each by name."""
        context, bind, control = self.context, row["bind"], row["control"]
        say = context.notes.say
        if control.get("appearance"):
            self._note_appearance(row)
        for medium, value in (row.get("media") or {}).items():
            say("left_out", "media", context.cell(row, f"media::{medium}"), f"{medium} kèm câu hỏi", f"the {medium} of a question",
                found=str(value))  # fmt: skip
        if row.get("default") and kind not in ("calculate", "note") and not self._read_only(row):
            say("changed", "default", context.cell(row, "default"), f"câu để trống lúc đầu, không điền sẵn “{row['default']}”",
                f"the question starts blank, not with “{row['default']}”", found=str(row["default"]))  # fmt: skip
        if bind.get("jr:requiredMsg"):
            say("left_out", "required_message", context.cell(row, "required_message"), "lời nhắc bắt buộc riêng",
                "words of its own for a required answer")  # fmt: skip
        if kind == "note" and str(bind.get("required", "")).lower() in TRUE:
            say("changed", "required_note", context.cell(row, "required"), "lời dẫn “bắt buộc” không chặn người phỏng vấn",
                "a required note does not hold the interviewer up")  # fmt: skip
        if kind in ("note", "acknowledge") and bind.get("constraint"):
            say("left_out", "constraint", context.cell(row, "constraint"), "ràng buộc trên câu không có giá trị",
                "a constraint on something that has no value")  # fmt: skip
        if row.get("trigger") and kind != "calculate" and not bind.get("calculate"):
            say(
                "left_out",
                "trigger",
                context.cell(row, "trigger"),
                "trigger không có gì để tính",
                "a trigger with nothing to compute",
            )
        plain = {
            "type",
            "readonly",
            "required",
            "relevant",
            "constraint",
            "calculate",
            "jr:constraintMsg",
            "jr:requiredMsg",
        }
        if bind.get("entities:saveto"):
            say("left_out", "entities", context.cell(row, "bind::entities:saveto"), "không lưu vào thực thể (entities) của ODK",
                "the answer is not saved to an entity of ODK", found=str(bind["entities:saveto"]))  # fmt: skip
        for name in sorted(set(bind) - plain - {"jr:preload", "jr:preloadParams", "entities:saveto"}):
            say("left_out", "bind", self._attribute(row, "bind", name), f"thuộc tính {name}", f"the attribute {name}",
                found=str(bind[name]))  # fmt: skip
        for name in sorted(
            set(control) - {"tag", "appearance", "mediatype", "jr:count", "rows", "start", "end", "step"}
        ):
            say("left_out", "body", self._attribute(row, "body", name), f"thuộc tính {name}", f"the attribute {name}",
                found=str(control[name]))  # fmt: skip
        if row.get("instance"):
            say(
                "left_out",
                "instance",
                context.cell(row, "instance"),
                "thuộc tính instance",
                "attributes of the instance",
            )

    def _note_appearance(self, row: Element) -> None:
        """How a question looks is left out; what an appearance changes of the question itself is said."""
        said = str(row["control"]["appearance"])
        cell = self.context.cell(row, "appearance")
        if re.search(r"\bsearch\s*\(", said):
            self.context.notes.say("refused", "search", cell, "search(): lựa chọn lấy từ tệp đính kèm; chưa hỗ trợ",
                                   "search() takes the options from an attached file, which is not supported",
                                   "dùng select_one_from_file và choice_filter", "use select_one_from_file with a choice_filter",
                                   found=said)  # fmt: skip
            return
        asks = next(
            (
                words
                for name, words in ASKED_OTHERWISE.items()
                if re.search(rf"(?<![\w-]){name}(?![\w-])", said)
            ),
            None,
        )
        if asks:
            self.context.notes.say("changed", "appearance", cell, f"cách hiện “{said}”: {asks['vi']}", f"the appearance “{said}”: {asks['en']}", found=said)  # fmt: skip
            return
        self.context.notes.say("left_out", "appearance", cell, f"cách hiện “{said}”", f"the appearance “{said}”", found=said)  # fmt: skip

    def _attribute(self, row: Element, part: str, name: str) -> Cell:
        """The cell of an attribute: a column of its own, or one of the parameters."""
        cell = self.context.cell(row, f"{part}::{name}")
        if self.context.columns.value(cell) or not row.get("parameters"):
            return cell
        return self.context.cell(row, "parameters")


def _is_expression(said: str) -> bool:
    """Whether a default is computed, as pyxform tells it: a reference or a call of a function."""
    return "${" in said or re.search(r"[A-Za-z][\w:-]*\s*\(", said) is not None


def _quoted(said: str) -> str:
    return f'"{said}"' if "'" in said else f"'{said}'"


def _cast(calculate: str, kind: str) -> str:
    """A typed node holds its value in that type: a whole number is cut, a text is written out."""
    if kind == "int":
        return f"int({calculate})"
    return calculate


def _facts(expression: str) -> set[str]:
    """The columns of the choices that a filter looks at."""
    found: set[str] = set()

    def look(node: Syntax) -> None:
        if node.op == "#fact":
            found.add(node.said)
        for argument in node.arguments:
            look(argument)

    try:
        look(parse(expression))
    except ConditionError:
        return set()
    return found
