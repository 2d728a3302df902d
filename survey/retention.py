"""What the plan says must go by now, goes: addresses and codes first, later the answers (`survey retention`).

`survey.yaml` says how many months after the closing day each is kept. Cases, visits' outcomes, consents and the audit stay:
none of them holds an answer or an address. Run it daily; it says what it did and, without `apply`, what it would do. Each run
also forgets what only the day needed: sessions that are over and counts of tries.
Backups made before hold what was deleted after: they go by their own retention.
"""

from __future__ import annotations

import datetime

from msgspec import Struct
from rich.console import Console

from survey.fieldwork.plan import SurveyPlan
from survey.problems import SurveyError
from survey.storage import audit, codes, erasure, sessions, surveys
from survey.storage.clock import now
from survey.storage.database import Database

DAY = 86_400_000  # milliseconds


class Due(Struct, frozen=True):
    """The days on which addresses and answers must be gone."""

    identities: datetime.date
    answers: datetime.date


class Report(Struct, frozen=True, kw_only=True):
    """What was, or would be, deleted: households with an address or a code, and responses."""

    due: Due
    addresses: int
    responses: int


def due(plan: SurveyPlan) -> Due:
    """Months are counted from the closing day; the 31st of a month without one is its last day."""
    closes = datetime.date.fromisoformat(plan.dates.closes)
    kept = plan.retention
    return Due(_later(closes, kept.identities_months), _later(closes, kept.answers_months))


def _later(day: datetime.date, months: int) -> datetime.date:
    year, month = divmod(day.month - 1 + months, 12)
    first = datetime.date(day.year + year, month + 1, 1)
    last = (first + datetime.timedelta(days=31)).replace(day=1) - datetime.timedelta(days=1)
    return first.replace(day=min(day.day, last.day))


def retain(
    database_url: str, today: datetime.date, *, apply: bool = False, console: Console | None = None
) -> Report:
    """Delete what is due on `today`, or only count it; the deletion is in the audit log."""
    with Database.open(database_url) as database:
        with database.reading() as connection:
            survey = surveys.current(connection)
            if survey is None:
                raise SurveyError(
                    {"vi": "Cơ sở dữ liệu chưa có khảo sát.", "en": "The database holds no survey yet."}
                )
            days = due(survey.plan)
            addresses = erasure.located(connection) if today >= days.identities else 0
            answered = erasure.answered(connection) if today >= days.answers else []
        report = Report(due=days, addresses=addresses, responses=0)
        forgotten = _forget(database) if apply else 0
        if apply and (addresses or answered):
            with database.writing() as connection:
                if addresses:
                    erasure.unlink_all(connection)
                deleted = sum(erasure.erase_answers(connection, case) for case in answered)
                audit.append(
                    connection, "cli", "retention", f"survey:{survey.plan.id}",
                    {"addresses": addresses, "responses": deleted},
                )  # fmt: skip
            erasure.scrub(database)
            report = Report(due=days, addresses=addresses, responses=deleted)
        elif answered:
            report = Report(due=days, addresses=addresses, responses=len(answered))
    _tell(report, console or Console(), applied=apply, forgotten=forgotten)
    return report


def _forget(database: Database) -> int:
    """Sessions and counts of tries that were over a day ago; returns how many."""
    before = now() - DAY
    with database.writing() as connection:
        return sessions.forget(connection, before) + codes.forget_tries(
            connection, before // 1000 // codes.WINDOW
        )


def _tell(report: Report, console: Console, *, applied: bool, forgotten: int) -> None:
    vi, en = ("Đã xóa", "Deleted") if applied else ("Sẽ xóa (thêm --apply)", "To be deleted (add --apply)")
    console.print(
        f"{vi}: địa chỉ và mã của {report.addresses} hộ (hạn {report.due.identities}), "
        f"{report.responses} phiếu (hạn {report.due.answers}) · "
        f"{en}: addresses and codes of {report.addresses} households (due {report.due.identities}), "
        f"{report.responses} responses (due {report.due.answers})",
        soft_wrap=True,
    )
    if forgotten:
        console.print(
            f"Đã quên {forgotten} phiên làm việc và lượt đếm cũ · {forgotten} old sessions and counts forgotten",
            soft_wrap=True,
        )
