"""The codebook: which variables a questionnaire fills, at which level, with which codes."""

from __future__ import annotations

from msgspec import Struct

from survey.problems import Text
from survey.questionnaire.grammar import names, parse
from survey.questionnaire.index import Index, index, specify_variable
from survey.questionnaire.model import Choice, Kind, Question, Questionnaire, Sensitivity
from survey.questionnaire.response import Answer, Key, Missing
from survey.questionnaire.values import Type


class Variable(Struct, frozen=True, kw_only=True):
    """One variable. level: "household", a roster's id (one value for each row), or a draw's id (the drawn row only).

    `type` is what its values are; `free` says that it is what somebody wrote or where somebody is, or is computed from
    that: it can name people, so it stays in the database.
    """

    name: str
    label: Text
    kind: Kind
    level: str
    roster: str = ""
    choices: tuple[Choice, ...] = ()
    sensitivity: Sensitivity = "ordinary"
    universe: tuple[str, ...] = ()
    definition: str = ""
    type: Type = "text"
    free: bool = False

    @property
    def form(self) -> str:
        """The kind of question whose answers its values look like: a calculate's by what it computes."""
        if self.kind == "calculate":
            return {"number": "decimal", "date": "date", "boolean": "acknowledge", "codes": "rank"}.get(
                self.type, "text"
            )
        return "rank" if self.kind == "select_many" and not self.choices else self.kind


FREE: tuple[Kind, ...] = ("text", "location", "photo", "barcode")
"""Kinds of questions whose answers can hold names, faces and places."""

MISSING: dict[Missing, Text] = {
    "dont_know": {"vi": "Không biết", "en": "Don’t know"},
    "refused": {"vi": "Không muốn trả lời", "en": "Prefer not to say"},
    "not_applicable": {"vi": "Không thuộc diện hỏi", "en": "Not applicable"},
    "not_asked": {"vi": "Chưa được hỏi", "en": "Not asked"},
    "lost": {"vi": "Mất hoặc không đọc được", "en": "Lost or unreadable"},
}


def variables(questionnaire: Questionnaire) -> tuple[Variable, ...]:
    """Every variable in the order of the questionnaire; notes fill none, "please specify" texts have their own."""
    known = index(questionnaire)
    found: list[Variable] = []
    for stands in known.places.values():
        question = stands.question
        if question.kind == "note":
            continue
        level = stands.draw or stands.roster or "household"
        universe = tuple(when for when in (stands.page.when, question.when) if when)
        choices = known.choices(question)
        found.append(
            Variable(
                name=question.id,
                label=question.label,
                kind=question.kind,
                level=level,
                roster=stands.roster,
                choices=choices,
                sensitivity=sensitivity(question),
                universe=universe,
                definition=question.definition or "",
                type=known.type_of(question),
                free=_free(known, question),
            )
        )
        found += [_specify(question, choice, level, stands.roster) for choice in choices if choice.specify]
    return tuple(found)


def sensitivity(question: Question) -> Sensitivity:
    """What the questionnaire says; where somebody is, and a picture, are sensitive whatever it says (Decree 356/2025/NĐ-CP,
    Article 4, names location)."""
    return "sensitive" if question.kind in ("location", "photo") else question.sensitivity


def _free(known: Index, question: Question) -> bool:
    """Whether its values are what somebody wrote, or hold it: a yes or no computed from that does not."""
    if question.kind != "calculate" or known.type_of(question) == "boolean":
        return question.kind in FREE
    asked = (
        known.places[name].question
        for name in names(parse(question.calculate or "''"))
        if name in known.places
    )
    return any(_free(known, one) for one in asked)


_NUMBERS = frozenset({"integer", "decimal", "year"})


def possible(questionnaire: Questionnaire, key: Key, answer: Answer) -> bool:
    """Whether this answer can belong to this questionnaire at all: the variable is there, asked of rows or not as the
    key says, and takes such a value. Checks and the path are not looked at: what they find wrong can still be true."""
    known = index(questionnaire)
    place = known.places.get(key.question)
    if place is None:
        name, _, code = key.question.partition(".")
        place = known.places.get(name)
        options = known.choices(place.question) if place else ()
        if place is None or not any(choice.specify and choice.code == code for choice in options):
            return False
        return bool(key.row) == bool(place.roster) and isinstance(answer.value, str)
    question = place.question
    if question.kind in ("note", "calculate") or bool(key.row) != bool(place.roster):
        return False
    if answer.missing is not None:
        return answer.missing in ("dont_know", "refused")
    value = answer.value
    codes = None if question.rows else {choice.code for choice in known.choices(question)}
    match question.kind:
        case "select_one":
            return isinstance(value, str) and (codes is None or value in codes)
        case "select_many" | "rank":
            return isinstance(value, list) and (codes is None or codes.issuperset(value))
        case "acknowledge":
            return isinstance(value, bool)
        case kind if kind in _NUMBERS:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return isinstance(value, str)


def _specify(question: Question, choice: Choice, level: str, roster: str) -> Variable:
    return Variable(
        name=specify_variable(question.id, choice.code),
        label={
            language: f"{said}: {choice.label.get(language, '')}" for language, said in question.label.items()
        },
        kind="text",
        free=True,
        level=level,
        roster=roster,
        sensitivity="personal",
        universe=(f"selected(${{{question.id}}}, '{choice.code}')",),
    )
