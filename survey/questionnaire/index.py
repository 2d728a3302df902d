"""What stands where in a questionnaire: each question's page, section and roster, and its conditions already read."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from survey.questionnaire.conditions import Node, parse
from survey.questionnaire.model import Choice, Draw, Page, Question, Questionnaire, Roster, Section


class Place(Struct, frozen=True):
    """A question with the page and section it stands on; `roster` is "" for the household, `draw` for "of" pages."""

    question: Question
    page: Page
    section: Section
    roster: str = ""
    draw: str = ""


class Index:
    """Look-ups over one questionnaire, made once (see `index`). Unknown names raise KeyError."""

    def __init__(self, questionnaire: Questionnaire) -> None:
        self.questionnaire = questionnaire
        self.rosters: dict[str, Roster] = {roster.id: roster for roster in questionnaire.rosters}
        self.draws: dict[str, Draw] = {draw.id: draw for draw in questionnaire.draws}
        self.pages: dict[str, Page] = {}
        self.sections: dict[str, Section] = {}  # page id → its section
        self.places: dict[str, Place] = {}
        for section in questionnaire.sections:
            for page in section.pages:
                self.pages[page.id] = page
                self.sections[page.id] = section
                for question in page.questions:
                    self.places[question.id] = Place(
                        question, page, section, self.roster_of(page), page.of or ""
                    )

    def roster_of(self, page: Page) -> str:
        """The roster whose rows the page's questions are asked of, or ""."""
        if page.of:
            draw = self.draws.get(page.of)
            return draw.roster if draw else ""
        return page.each or (page.roster or "" if page.kind == "list" else "")

    def choices(self, question: Question) -> tuple[Choice, ...]:
        """The options, whether written at the question or in a shared list."""
        if isinstance(question.choices, str):
            return self.questionnaire.choices[question.choices]
        return question.choices


def condition(text: str) -> Node:
    """The tree of a condition, read once for each wording."""
    return _parsed(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Node:
    return parse(text)


_KEPT = 8
_indexes: dict[int, Index] = {}


def index(questionnaire: Questionnaire) -> Index:
    """The index of this very value; the last few are kept, because a server serves few versions at a time."""
    found = _indexes.get(id(questionnaire))
    if found is None or found.questionnaire is not questionnaire:
        while len(_indexes) >= _KEPT:
            _indexes.pop(next(iter(_indexes)), None)
        found = _indexes[id(questionnaire)] = Index(questionnaire)
    return found


def specify_variable(question: str, code: str) -> str:
    """The name of the text variable that a "please specify" option opens."""
    return f"{question}.{code}"
