"""Who asks a household again; the answers are kept as every answer (`survey.fieldwork.backchecks.PREFIX`)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from survey.fieldwork.backchecks import PREFIX
from survey.storage.clock import now
from survey.storage.tables import back_checks, responses


class Given(Struct, frozen=True):
    """One household that is asked again: `official` is who does it, "" for the office itself; `ended` says why it could
    not be done (a key of `survey.fieldwork.backchecks.ENDINGS`), or ""."""

    case: str
    official: str
    ended: str = ""


def give(connection: Connection, case: str, official: str, author: str, ended: str = "") -> None:
    """Give it to an official, take it back (""), or close it as not possible; the latest word counts."""
    connection.execute(delete(back_checks).where(back_checks.c.case == case))
    row = {"case": case, "official": official, "author": author, "at": now(), "ended": ended}
    connection.execute(insert(back_checks).values(row))


def of_cases(connection: Connection, cases: Sequence[str]) -> dict[str, Given]:
    """By case, for those of which anything was said."""
    found: dict[str, Given] = {}
    for start in range(0, len(cases), 500):
        query = select(back_checks).where(back_checks.c.case.in_(list(cases[start : start + 500])))
        found |= {row.case: Given(row.case, row.official, row.ended) for row in connection.execute(query)}
    return found


def of_official(connection: Connection, official: str) -> list[Given]:
    """What this official is to ask again, by case."""
    query = select(back_checks).where(back_checks.c.official == official, back_checks.c.ended == "")
    return [Given(row.case, row.official) for row in connection.execute(query.order_by(back_checks.c.case))]


def open_of(connection: Connection, official: str) -> int:
    """How many households this official has still to ask again."""
    asked = select(responses.c.case).where(responses.c.id.startswith(PREFIX, autoescape=True))
    query = select(func.count()).select_from(back_checks)
    query = query.where(
        back_checks.c.official == official, back_checks.c.ended == "", back_checks.c.case.not_in(asked)
    )
    return connection.execute(query).scalar_one()
