"""Survey folders as documents. A response stays on the questionnaire version it began with, so all are kept."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, update

from survey.fieldwork.plan import SurveyPlan
from survey.problems import Refused
from survey.questionnaire.model import Questionnaire
from survey.storage import cases
from survey.storage.clock import now
from survey.storage.tables import cases as case_rows
from survey.storage.tables import surveys


class KeptSurvey(Struct, frozen=True, kw_only=True):
    """A survey folder as it was kept. `hash` is the folder's, `version` the questionnaire's."""

    hash: str
    version: str
    kept_at: int
    synthetic: bool
    questionnaire: Questionnaire
    plan: SurveyPlan


def keep(
    connection: Connection,
    questionnaire: Questionnaire,
    plan: SurveyPlan,
    hash: str,
    *,
    synthetic: bool = False,
) -> None:
    """Keep a folder and make it current. Keeping the same folder again only makes it current again."""
    before = current(connection)
    if before is not None and before.plan.sufficient != plan.sufficient:
        cases.mark(connection, case_rows.c.response == "")  # what was begun and left may count otherwise now
    newest = connection.execute(select(func.max(surveys.c.sequence))).scalar() or 0
    already = connection.execute(
        update(surveys).where(surveys.c.hash == hash).values(sequence=newest + 1)
    ).rowcount  # fmt: skip
    if already:
        return
    connection.execute(
        insert(surveys).values(
            hash=hash,
            survey=plan.id,
            version=questionnaire.version,
            kept_at=now(),
            sequence=newest + 1,
            synthetic=synthetic,
            questionnaire=msgspec.json.encode(questionnaire, order="deterministic").decode(),
            plan=msgspec.json.encode(plan, order="deterministic").decode(),
        )
    )


def current(connection: Connection) -> KeptSurvey | None:
    """The survey that new responses begin with; None before the first `survey load`."""
    row = connection.execute(select(surveys).order_by(surveys.c.sequence.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return KeptSurvey(
        hash=row.hash,
        version=row.version,
        kept_at=row.kept_at,
        synthetic=row.synthetic,
        questionnaire=msgspec.json.decode(row.questionnaire, type=Questionnaire),
        plan=msgspec.json.decode(row.plan, type=SurveyPlan),
    )


def first_kept_at(connection: Connection) -> int:
    """When this database was first given a survey: nothing in the field can be older."""
    return int(connection.execute(select(func.min(surveys.c.kept_at))).scalar() or 0)


def questionnaire(connection: Connection, version: str) -> Questionnaire:
    """The questionnaire of a version ever kept; decode it once and cache it, it never changes."""
    document = connection.execute(
        select(surveys.c.questionnaire).where(surveys.c.version == version).limit(1)
    ).scalar_one_or_none()
    if document is None:
        raise Refused(
            {
                "vi": f"Không có phiếu hỏi phiên bản {version} trong cơ sở dữ liệu.",
                "en": f"Questionnaire version {version} is not in the database.",
            }
        )
    return msgspec.json.decode(document, type=Questionnaire)


def questionnaires(connection: Connection) -> dict[str, Questionnaire]:
    """Every version ever kept."""
    query = select(surveys.c.version, surveys.c.questionnaire)
    return {
        version: msgspec.json.decode(document, type=Questionnaire)
        for version, document in connection.execute(query)
    }
