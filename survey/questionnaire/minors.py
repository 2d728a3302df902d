"""May a child be chosen to answer without a parent or guardian being asked? Pure.

Law on Children: under 16; Law 91/2025/QH15, Article 24: from seven years on the child and a representative agree together.
"""

from __future__ import annotations

from typing import cast

from survey.questionnaire import conditions
from survey.questionnaire.conditions import View
from survey.questionnaire.index import Index, index
from survey.questionnaire.model import Draw, Questionnaire
from survey.questionnaire.reach import Given


def unasked(questionnaire: Questionnaire, minimum_age: int) -> list[str]:
    """The draws that can choose somebody of `minimum_age` - 1 whom no question stops unless a guardian agrees.

    The age is the number by which the draw says who is eligible (`${age} >= 15`). A question stops when it must be answered,
    is asked of that person, and has a hard check. A draw that looks at no number chooses at any age.
    """
    known = index(questionnaire)
    return [draw.id for draw in questionnaire.draws if _may_choose(known, draw, minimum_age - 1) is None]


def _may_choose(known: Index, draw: Draw, age: int) -> str | None:
    """The question that stops, "" when nobody of this age can be chosen, None when nothing stops."""
    ages = [name for name in conditions.names(conditions.parse(draw.eligible)) if _number(known, name)]
    given = cast(View, Given(dict.fromkeys(ages, age)))
    if not known.eligible[draw.id](given, "1", None):
        return ""
    for page in known.pages.values():
        for asked in known.on[page.id] if page.of == draw.id else ():
            hard = any(check.severity == "hard" for check, _ in asked.checks)
            looks = conditions.names(conditions.parse(asked.question.when or "true()"))
            about_age = bool(ages) and set(looks) <= set(ages)
            if (
                hard
                and asked.question.required
                and about_age
                and (asked.when is None or asked.when(given, "1", None))
            ):
                return asked.id
    return None


def _number(known: Index, name: str) -> bool:
    return name in known.places and known.type_of(known.places[name].question) == "number"
