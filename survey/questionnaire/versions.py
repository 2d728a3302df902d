"""Two versions of a questionnaire: what changed between them, and what a response begun on one becomes on the other.

A response stays on the version it began with. A draft can be moved to a corrected version, and then somebody has to be
told what to ask again: `move` says it, and makes nothing of it itself. Nothing is deleted: answers that no longer fit
stand in the events of the response, as every answer ever given does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec import Struct

from survey.problems import Finding
from survey.questionnaire.codebook import possible
from survey.questionnaire.index import Place, index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Key, Response, place
from survey.questionnaire.routing import SILENT, Walk, walk
from survey.questionnaire.values import scalar


class Move(Struct, frozen=True, kw_only=True):
    """What moving one response to another version means, key by key, in the order of the questionnaire.

    again: answered, but the answer does not hold any more (its kind, options, limits or hard checks changed, or the
    mover wants it). asked: on the path of the new version and never asked on the old. aside: answered, and off the new
    path though on the old one. `undone` names the pages that had been finished and now have something new on them.
    """

    again: tuple[Key, ...] = ()
    asked: tuple[Key, ...] = ()
    aside: tuple[Key, ...] = ()
    undone: tuple[str, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nobody has to be asked anything because of the move."""
        return not self.again and not self.asked


def changes(old: Questionnaire, new: Questionnaire) -> tuple[Finding, ...]:
    """What is different for those who answer, a finding each; `where` is the question. Order and titles are not told."""
    before, after = index(old).places, index(new).places
    found = [_told(name, "removed", "không còn", "is gone") for name in before if name not in after]
    for name, now in after.items():
        then = before.get(name)
        if then is None:
            found.append(_told(name, "added", "mới có", "is new"))
            continue
        for code, (vi, en, facet) in _FACETS.items():
            if facet(old, then) != facet(new, now):
                found.append(_told(name, code, vi, en))
    if (old.rosters, old.draws) != (new.rosters, new.draws):
        found.append(
            _told("rosters", "rosters", "(danh sách, cách chọn người) đã đổi", "or draws have changed")
        )
    return tuple(found)


def _told(name: str, code: str, vi: str, en: str) -> Finding:
    return Finding(
        code=code, where=name, message={"vi": f"{name} {vi}", "en": f"{name} {en}"}, severity="warning"
    )


def _kind(_: Questionnaire, stands: Place) -> object:
    return stands.question.kind, stands.question.rows, stands.roster, stands.draw


def _options(questionnaire: Questionnaire, stands: Place) -> object:
    listed = index(questionnaire).choices(stands.question)
    return {choice.code: (choice.label, choice.hint, choice.exclusive, choice.specify) for choice in listed}


def _words(_: Questionnaire, stands: Place) -> object:
    asked = stands.question
    return asked.label, asked.hint, asked.help, asked.wording, asked.unit


def _when(_: Questionnaire, stands: Place) -> object:
    return stands.page.when, stands.question.when, stands.question.filter


def _checks(_: Questionnaire, stands: Place) -> object:
    asked = stands.question
    return asked.checks, asked.minimum, asked.maximum, asked.max_length


def _unsaid(_: Questionnaire, stands: Place) -> object:
    return stands.question.required, stands.question.dont_know, stands.question.refused


_FACETS: dict[str, tuple[str, str, Callable[[Questionnaire, Place], object]]] = {
    "kind": ("đổi loại câu hoặc người được hỏi", "is of another kind, or asked of others", _kind),
    "options": ("đổi lựa chọn", "has other options", _options),
    "words": ("đổi lời hỏi", "is worded differently", _words),
    "condition": ("hỏi theo điều kiện khác", "is asked under another condition", _when),
    "checks": ("đổi kiểm tra hoặc giới hạn", "has other checks or limits", _checks),
    "calculate": (
        "tính theo cách khác",
        "is computed differently",
        lambda _, stands: stands.question.calculate,
    ),
    "required": ("đổi điều được để trống", "differs in what may be left unsaid", _unsaid),
}


def move(old: Questionnaire, new: Questionnaire, response: Response, ask_again: Collection[str] = ()) -> Move:
    """What becomes of a response when it goes from `old` to `new`; `ask_again` names questions to ask anew anyway."""
    again = {
        key for key, answer in response.answers.items()
        if _known(new, key) and (_question_of(key) in ask_again or not _fits(new, key, answer))
    }  # fmt: skip
    trial = walk(new, _without(response, again))
    again |= {key for key in trial.response.answers if _fails(trial, key)}
    after = walk(new, _without(response, again))
    before = walk(old, response)
    waiting = set(_open(before))
    order = {name: number for number, name in enumerate(index(new).places)}
    new_questions = order.keys() - index(old).places.keys()

    def ordered(keys: Collection[Key]) -> tuple[Key, ...]:
        return tuple(sorted(keys, key=lambda key: (order.get(_question_of(key), len(order)), key)))

    return Move(
        again=ordered(again),
        asked=ordered({key for key in _open(after) if key not in waiting and key not in again}),
        aside=ordered({
            key for key in response.answers
            if key not in again and _counts(before, key) and not _counts(after, key)
        }),
        undone=tuple(sorted({
            place(step.page.id, step.row) for step in after.steps for question in after.visible(step)
            if question.id in new_questions and place(step.page.id, step.row) in response.done
        })),
    )  # fmt: skip


def _without(response: Response, keys: Collection[Key]) -> Response:
    kept = {key: answer for key, answer in response.answers.items() if key not in keys}
    return msgspec.structs.replace(response, answers=kept)


def _question_of(key: Key) -> str:
    """The question a variable belongs to: "please specify" texts are their question's."""
    return key.question.partition(".")[0]


def _known(questionnaire: Questionnaire, key: Key) -> bool:
    return _question_of(key) in index(questionnaire).places


def _fits(questionnaire: Questionnaire, key: Key, answer: Answer) -> bool:
    """Whether the answer can be one to this question as it now stands, its limits included."""
    question = index(questionnaire).places[_question_of(key)].question
    if question.kind == "preload":
        return True
    if not possible(questionnaire, key, answer):
        return False
    value = answer.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = question.minimum, question.maximum
        return (low is None or value >= low) and (high is None or value <= high)
    return True


def _fails(found: Walk, key: Key) -> bool:
    """Whether a hard check forbids an answer that counts."""
    asked = found.index.asked.get(key.question)
    answer = found.response.answers[key]
    if asked is None or answer.value is None or not _counts(found, key):
        return False
    current = scalar(asked.type, answer.value)
    return any(
        check.severity == "hard" and holds(found, key.row, current) is not True
        for check, holds in asked.checks
    )


def _counts(found: Walk, key: Key) -> bool:
    """Whether a variable is on the path."""
    return bool(found.steps) and (_question_of(key), key.row) in found.on


def _open(found: Walk) -> Iterator[Key]:
    """Questions on the path without an answer."""
    for step in found.steps:
        for question in found.visible(step):
            key = Key(question.id, step.row)
            if question.kind not in SILENT and key not in found.response.answers:
                yield key
