"""From what a form sent to answers, with everything that is wrong said at once, in words for the person.

Form fields: `<question>` holds the value or values; `-dk` and `-rf` there, or in `<question>.missing`, mean "don't
know" and "prefer not to say"; a date may come in three parts (`.day`, `.month`, `.year`); `<question>.<code>` is the
text of a "please specify" option; a photograph comes as its digest; `<question>.remark` explains an answer that a soft check asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from msgspec import Struct

from survey.problems import Finding, Text
from survey.questionnaire.index import specify_variable
from survey.questionnaire.model import Question, Questionnaire
from survey.questionnaire.response import Answer, Key, Missing, Response, Value
from survey.questionnaire.routing import SILENT, Step, Walk, needs_answer, walk
from survey.questionnaire.values import day_number, scalar

DONT_KNOW, REFUSED = "-dk", "-rf"
_MISSING: dict[str, Missing] = {DONT_KNOW: "dont_know", REFUSED: "refused"}
Form = Mapping[str, Sequence[str]]
_BLANKS = " \n\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""What is taken off around an answer: written out, because languages differ in what they call a blank."""

SAID: dict[str, Text] = {
    "required": {
        "vi": "Xin trả lời câu này, hoặc chọn “Không biết” hay “Không muốn trả lời”.",
        "en": "Answer this question, or choose “Don’t know” or “Prefer not to say”.",
    },
    "opened": {"vi": "Xin trả lời thêm câu này.", "en": "Please answer this question too."},
    "required_plain": {"vi": "Xin trả lời câu này.", "en": "Answer this question."},
    "not_whole": {"vi": "Xin nhập một số nguyên, ví dụ 3.", "en": "Enter a whole number, for example 3."},
    "not_number": {"vi": "Xin nhập một số, ví dụ 2,5.", "en": "Enter a number, for example 2.5."},
    "not_year": {
        "vi": "Xin nhập năm gồm 4 chữ số, ví dụ 1975.",
        "en": "Enter a year of 4 digits, for example 1975.",
    },
    "not_date": {
        "vi": "Xin nhập ngày có thật, ví dụ ngày 27 tháng 3 năm 2026.",
        "en": "Enter a real date, for example 27 March 2026.",
    },
    "too_small": {"vi": "Xin nhập số từ {limit} trở lên.", "en": "Enter {limit} or more."},
    "too_large": {"vi": "Xin nhập số từ {limit} trở xuống.", "en": "Enter {limit} or less."},
    "too_long": {
        "vi": "Xin viết ngắn hơn: nhiều nhất {limit} ký tự.",
        "en": "Shorten this to {limit} characters or fewer.",
    },
    "unknown_choice": {
        "vi": "Xin chọn một trong các câu trả lời có sẵn.",
        "en": "Choose one of the answers.",
    },
    "exclusive": {
        "vi": "“{label}” không đi cùng câu trả lời khác. Xin bỏ bớt.",
        "en": "“{label}” cannot be combined with other answers.",
    },
    "both": {
        "vi": "Ông/Bà vừa trả lời vừa chọn “Không biết” hoặc “Không muốn trả lời”. Xin chỉ giữ một.",
        "en": "There is an answer and also “Don’t know” or “Prefer not to say”. Keep only one of them.",
    },
    "rank": {
        "vi": "Xin đánh số từ 1 đến {count}, mỗi số một lần.",
        "en": "Number the answers from 1 to {count}, each number once.",
    },
    "not_place": {
        "vi": "Xin nhập vĩ độ rồi kinh độ, ví dụ 20.9409 106.3330.",
        "en": "Enter latitude, then longitude, for example 20.9409 106.3330.",
    },
    "not_photo": {
        "vi": "Không đọc được ảnh này. Xin chụp lại hoặc chọn ảnh khác (JPEG, PNG, WebP, dưới 12 MB).",
        "en": "This picture cannot be read. Take or choose another (JPEG, PNG, WebP, under 12 MB).",
    },
    "acknowledge": {"vi": "Xin đánh dấu vào ô này để tiếp tục.", "en": "Tick the box to continue."},
}


class Submitted(Struct, frozen=True):
    """What a form said: answers that can be kept, and findings (where = question id).

    Hard findings (severity "error") stop the page; soft ones (severity "warning") ask once more, and are satisfied by
    a remark or by sending the same answer again with `<question>.confirmed`.
    """

    answers: dict[Key, Answer]
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        return not self.findings


class _Wrong(Exception):
    def __init__(self, code: str, **details: object) -> None:
        self.code, self.details = code, details


def read_form(questionnaire: Questionnaire, response: Response, step: Step, form: Form) -> Submitted:
    """The answers of one page as the form sent it, checked against the response they would join.

    Pure: nothing is kept. A question that the new answers of the same page hide is left out. Fields that no shown
    question owns are ignored.
    """
    answers: dict[Key, Answer] = {}
    findings: list[Finding] = []
    kept = trial = walk(questionnaire, response)
    for question in step.page.questions:
        asked = kept.index.asked[question.id]
        if answers and (
            asked.when or asked.filter or asked.offered
        ):  # shown, or its options, by answers just given
            trial = kept.joined(answers)
        if question.kind in SILENT or question not in trial.visible(step):
            continue
        key = Key(question.id, step.row)
        try:
            answer = _read(question, trial, step, form)
            if answer is None and needs_answer(question):
                raise _Wrong(_unanswered(question, kept, step))
        except _Wrong as wrong:
            findings.append(_finding(question, wrong))
            continue
        if answer is None:
            continue
        answers[key] = answer
        for choice in kept.index.choices(question):
            said = _first(form, specify_variable(question.id, choice.code))
            if choice.specify and said and choice.code in _codes(answer.value):
                answers[Key(specify_variable(question.id, choice.code), step.row)] = Answer(said[:500])
        if question.checks and answer.missing is None:
            trial = kept.joined(answers)
            findings += _check(question, trial, step, form, answer)
    return Submitted(answers, tuple(findings))


def _unanswered(question: Question, kept: Walk, step: Step) -> str:
    """Why an answer is missing: it was passed over, or the question was not yet on the page the person saw."""
    if question.when is not None and question not in kept.visible(step):
        return "opened"
    return "required" if question.dont_know or question.refused else "required_plain"


def _finding(question: Question, wrong: _Wrong) -> Finding:
    message = {language: said.format(**wrong.details) for language, said in SAID[wrong.code].items()}
    label = wrong.details.get("labels")
    if isinstance(label, dict):
        message = {
            language: said.format(label=label[language]) for language, said in SAID[wrong.code].items()
        }
    return Finding(code=wrong.code, where=question.id, message=message)


def _read(question: Question, trial: Walk, step: Step, form: Form) -> Answer | None:
    missing = _missing(question, form)
    if missing is not None:
        if any(sent and sent not in _MISSING for sent in form.get(question.id, ())):
            raise _Wrong("both")
        return Answer(missing=missing, remark=_first(form, f"{question.id}.remark"))
    value = _value(question, trial, step, form)
    return None if value is None else Answer(value, remark=_first(form, f"{question.id}.remark"))


def _missing(question: Question, form: Form) -> Missing | None:
    """Don't know or refused, where the question offers it."""
    offered = {DONT_KNOW: question.dont_know, REFUSED: question.refused}
    for field in (f"{question.id}.missing", question.id):
        for sent in form.get(field, ()):
            if offered.get(sent):
                return _MISSING[sent]
    return None


def _value(question: Question, trial: Walk, step: Step, form: Form) -> Value | None:
    sent = _first(form, question.id)
    match question.kind:
        case "rank":
            return _ranked(question, trial, step, form)
        case "select_one" | "select_many":
            return _choice(question, trial, step, form)
        case "acknowledge":
            if not sent and question.required:
                raise _Wrong("acknowledge")
            return True if sent else None
        case "date":
            return _date(question, form)
        case _ if not sent:
            return None
        case "integer" | "decimal" | "year":
            return _number(question, sent)
        case "location":
            return _location(sent)
        case "photo":
            if not re.fullmatch("[0-9a-f]{64}", sent):
                raise _Wrong("not_photo")
            return sent
        case _:
            if len(sent) > question.max_length:
                raise _Wrong("too_long", limit=question.max_length)
            return sent


def _choice(question: Question, trial: Walk, step: Step, form: Form) -> Value | None:
    offered = {choice.code: choice for choice in trial.choices(question, step.row)}
    sent = list(dict.fromkeys(code for code in form.get(question.id, ()) if code))
    if not sent:
        return None
    if any(code not in offered for code in sent) or (question.kind == "select_one" and len(sent) > 1):
        raise _Wrong("unknown_choice")
    if question.kind == "select_one":
        return sent[0]
    alone = next((offered[code] for code in sent if offered[code].exclusive), None)
    if alone is not None and len(sent) > 1:
        raise _Wrong("exclusive", label="", labels=alone.label)
    return [code for code in offered if code in sent]


def _ranked(question: Question, trial: Walk, step: Step, form: Form) -> Value | None:
    """All options in the order of the numbers given to them (`<question>.rank.<code>`), each from 1 once."""
    offered = [choice.code for choice in trial.choices(question, step.row)]
    places = {code: _first(form, f"{question.id}.rank.{code}") for code in offered}
    if not any(places.values()):
        return None
    if sorted(places.values(), key=lambda said: (len(said), said)) != [
        str(n + 1) for n in range(len(offered))
    ]:
        raise _Wrong("rank", count=len(offered))
    return sorted(offered, key=lambda code: int(places[code]))


def _location(sent: str) -> str:
    """Latitude and longitude in degrees (WGS 84), then altitude and accuracy in metres if known, parted by blanks."""
    parts = [part for part in re.split("[ ,;]+", sent) if part]
    sound = 2 <= len(parts) <= 4 and all(
        re.fullmatch(r"-?[0-9]{1,6}(\.[0-9]{1,12})?", part) for part in parts
    )
    if not sound or abs(float(parts[0])) > 90 or abs(float(parts[1])) > 180:
        raise _Wrong("not_place")
    return " ".join(parts)


def _number(question: Question, sent: str) -> int | float:
    plain = re.sub("[ \xa0\u202f]", "", sent)
    whole = question.kind != "decimal"
    if re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{3})+", plain):  # 1.250.000: Vietnamese thousands
        plain = plain.replace(".", "")
    if re.fullmatch(r"-?[0-9]+,[0-9]+", plain):  # 2,5: Vietnamese decimals
        plain = plain.replace(",", ".")
    pattern = (
        "[0-9]{4}"
        if question.kind == "year"
        else "-?[0-9]{1,15}"
        if whole
        else r"-?[0-9]{1,15}(\.[0-9]{1,6})?"
    )
    if not re.fullmatch(pattern, plain):
        raise _Wrong("not_year" if question.kind == "year" else "not_whole" if whole else "not_number")
    number = int(plain) if whole or "." not in plain else float(plain)
    if question.minimum is not None and number < question.minimum:
        raise _Wrong("too_small", limit=_digits(question.minimum))
    if question.maximum is not None and number > question.maximum:
        raise _Wrong("too_large", limit=_digits(question.maximum))
    return int(number) if number == int(number) else number


def _digits(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _date(question: Question, form: Form) -> str | None:
    whole = _first(form, question.id)
    parts = [_first(form, f"{question.id}.{part}") for part in ("year", "month", "day")]
    if not whole and not any(parts):
        return None
    if not whole:
        if not all(re.fullmatch("[0-9]{1,4}", part) for part in parts):
            raise _Wrong("not_date")
        whole = "{:0>4}-{:0>2}-{:0>2}".format(*parts)
    if day_number(whole) is None:
        raise _Wrong("not_date")
    return whole


def _check(question: Question, trial: Walk, step: Step, form: Form, answer: Answer) -> list[Finding]:
    asked = trial.index.asked[question.id]
    current = scalar(asked.type, answer.value)
    explained = bool(answer.remark or _first(form, f"{question.id}.confirmed"))
    return [
        Finding(
            code="check" if check.severity == "hard" else "soft_check",
            where=question.id,
            message=check.message,
            severity="error" if check.severity == "hard" else "warning",
        )
        for check, holds in asked.checks
        if not (check.severity == "soft" and explained) and holds(trial, step.row, current) is not True
    ]


def _codes(value: Value | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list) else (str(value),)


def _first(form: Form, name: str) -> str:
    """The first value of a field, in NFC, without blanks around it and without control characters."""
    sent = next(iter(form.get(name, ())), "")
    clean = "".join(ch for ch in unicodedata.normalize("NFC", sent) if ch == "\n" or ch >= " ")
    return clean.strip(_BLANKS)
