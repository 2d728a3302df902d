"""How far the answers of a case have come, as its final outcome code needs to know."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from survey.fieldwork.backchecks import PREFIX
from survey.fieldwork.cases import Case
from survey.fieldwork.dispositions import ResponseState
from survey.questionnaire import routing
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import fold
from survey.storage import responses, surveys

_questionnaires: dict[str, Questionnaire] = {}
"""By version, which is the hash of what stands in it."""


def extent(connection: Connection, case: Case, asked: Collection[str]) -> ResponseState:
    """`asked` are the questions that suffice for a partial interview (`SurveyPlan.sufficient`)."""
    if case.response:
        return "complete"
    if partial(connection, case.id, asked):
        return "partial"
    return "started" if case.id in responses.begun(connection, [case.id]) else "none"


def partial(connection: Connection, case: str, asked: Collection[str]) -> bool:
    """Whether a response of this case, which none has completed, answers what suffices."""
    for record in responses.by_case(connection, case) if asked else ():
        if record.id.startswith(PREFIX):
            continue
        if record.version not in _questionnaires:
            _questionnaires[record.version] = surveys.questionnaire(connection, record.version)
        questionnaire = _questionnaires[record.version]
        if routing.sufficient(questionnaire, fold(record.id, responses.events(connection, record.id)), asked):
            return True
    return False


def sufficient(connection: Connection) -> tuple[str, ...]:
    """What the current plan of the survey says to suffice."""
    kept = surveys.current(connection)
    return kept.plan.sufficient if kept else ()
