"""The days of Decree 356/2025 and the 72 hours of Law 91/2025, on calendars where they are easy to get wrong."""

from __future__ import annotations

import datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.access.rights import Clock, Kind, clock, notify_by, standing

FRIDAY = datetime.date(2027, 10, 1)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("kind", "plain", "processor", "extended"),
    [
        ("see", 10, 15, 20),
        ("correct", 10, 15, 20),
        ("restrict", 15, 20, 30),
        ("withdraw", 15, 20, 30),
        ("delete", 20, 30, 40),
    ],
)
def test_the_days_are_the_decrees(kind: Kind, plain: int, processor: int, extended: int) -> None:
    assert clock(kind, FRIDAY).done == FRIDAY + plain * DAY
    assert clock(kind, FRIDAY, processor=True).done == FRIDAY + processor * DAY
    assert clock(kind, FRIDAY, extended=True).done == FRIDAY + extended * DAY


@given(st.dates(datetime.date(2026, 1, 1), datetime.date(2040, 1, 1)), st.sampled_from(get_args(Kind)))
def test_a_reply_comes_on_the_second_working_day(received: datetime.date, kind: Kind) -> None:
    reply = clock(kind, received).reply
    passed = [received + number * DAY for number in range(1, (reply - received).days + 1)]
    assert sum(day.weekday() < 5 for day in passed) == 2
    assert reply.weekday() < 5


@pytest.mark.parametrize(
    ("today", "replied", "done", "stands"),
    [
        ("2027-10-05", False, False, "reply_due"),
        ("2027-10-06", False, False, "late"),
        ("2027-10-06", True, False, "open"),
        ("2027-10-21", True, False, "open"),
        ("2027-10-22", True, False, "late"),
        ("2027-12-01", True, True, "done"),
    ],
)
def test_a_request_is_late_the_day_after_its_day(today: str, replied: bool, done: bool, stands: str) -> None:
    until = clock("delete", FRIDAY)
    assert until == Clock(datetime.date(2027, 10, 5), datetime.date(2027, 10, 21))
    assert standing(until, datetime.date.fromisoformat(today), replied=replied, done=done) == stands


def test_a_breach_has_72_hours_whatever_the_calendar() -> None:
    detected = datetime.datetime(2028, 2, 27, 23, 30, tzinfo=datetime.UTC)
    assert notify_by(detected) == datetime.datetime(2028, 3, 1, 23, 30, tzinfo=datetime.UTC)
