"""Words that adapt to the household: `${nickname}` in a text becomes the answer given."""

from __future__ import annotations

import re

from survey.problems import Text
from survey.questionnaire.index import index
from survey.questionnaire.model import Mode, Question, Questionnaire
from survey.questionnaire.response import Response
from survey.questionnaire.routing import Step, walk
from survey.questionnaire.values import plain

_BEGINS = re.compile(r"(?:^|[.?!…:]\s|\n)\s*[“\"(]?$")
REFERENCE = re.compile(r"\$\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}")


def say(
    words: Text,
    questionnaire: Questionnaire,
    response: Response,
    step: Step | None,
    language: str,
    mode: str = "",
) -> str:
    """The text in `language` (else in the questionnaire's first) with every `${question}` filled in.

    What stands at the beginning of a sentence gets a capital, so that a form of address ("ông", "bà", "cháu") that is
    computed from sex and age can stand anywhere: "${address} có điện thoại không?", "Điện thoại của ${address}".

    A code is said by its label; an answer that is not there leaves an ellipsis, never a hole. Plain text comes
    back: escaping belongs to the template. `mode` is accepted so that callers need not know which texts vary by it.
    """
    template = words.get(language) or words.get(questionnaire.languages[0], "")
    if "${" not in template:
        return template
    view = walk(questionnaire, response)
    known = index(questionnaire)
    row = step.row if step else ""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        asked = known.asked.get(name)
        if asked is None:
            return "…"
        found = plain(asked.type, view.answer(name, row))
        said = (
            [str(part) for part in found]
            if isinstance(found, list)
            else []
            if found is None
            else [str(found)]
        )
        if asked.question.choices or asked.question.rows:
            said = [view.label(name, code, language) or code for code in said]
        words = ", ".join(said) or "…"
        begins = _BEGINS.search(template[: match.start()]) is not None
        return words[0].upper() + words[1:] if begins else words

    return REFERENCE.sub(fill, template)


def label(question: Question, mode: Mode, by_proxy: bool = False) -> Text:
    """The question's words: asked about somebody else, read out by an official, or read alone."""
    read_out: Mode = "visit" if mode == "paper" else mode  # what is keyed was read out at a door
    asked: tuple[Mode, ...] = ("proxy", read_out) if by_proxy else (read_out,)
    return next((question.wording[one] for one in asked if one in question.wording), question.label)


def row_name(questionnaire: Questionnaire, response: Response, roster: str, row: str) -> str:
    """What a roster row is called: the answer to its naming question, or "" when it is not given."""
    name = index(questionnaire).rosters[roster].name
    answer = response.answers.get(walk(questionnaire, response).key(name, row))
    return str(answer.value) if answer and answer.value is not None else ""
