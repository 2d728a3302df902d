"""What people may ask about their own data, and by when they must be answered.

Decree 356/2025/NĐ-CP, Article 5: a reply to every request within 2 working days; then days until it is done, more where a
processor holds the data, and once an extension with reasons:

    request                       days   through a processor   extension, once
    see, correct                  10     15                    10
    restrict, withdraw            15     20                    15
    delete                        20     30                    20

Under Article 19.1(c) of Law 91/2025/QH15 (a state agency's task by law) deletion may be refused with reasons (Article 14).
Article 23 of the Law and Article 28 of the Decree: a breach that may do harm is notified within 72 hours of its detection;
where places or biometrics are concerned (Article 29) the people are told within the same time.
"""

from __future__ import annotations

import datetime
from typing import Literal

from msgspec import Struct

Kind = Literal["see", "correct", "restrict", "withdraw", "delete"]
Standing = Literal["open", "reply_due", "late", "done"]
REPLY_WORKING_DAYS = 2
DAYS: dict[Kind, int] = {"see": 10, "correct": 10, "restrict": 15, "withdraw": 15, "delete": 20}
PROCESSOR_DAYS: dict[Kind, int] = {"see": 15, "correct": 15, "restrict": 20, "withdraw": 20, "delete": 30}
EXTENSION: dict[Kind, int] = DAYS
"""Each can be prolonged once, by as many days as it has without a processor."""
BY_HOUSEHOLD: tuple[Kind, ...] = ("restrict", "withdraw", "delete")
"""What a household sends from its own page: there it sees and corrects its answers at once, without asking."""
BREACH_HOURS = 72


class Clock(Struct, frozen=True):
    """The last days of a request."""

    reply: datetime.date
    done: datetime.date


def clock(kind: Kind, received: datetime.date, *, processor: bool = False, extended: bool = False) -> Clock:
    """The statutory days for a request received on this day. Saturdays and Sundays are no working days; public holidays
    are not known here, so that the days shown are never later than the law's."""
    reply = received
    left = REPLY_WORKING_DAYS
    while left:
        reply += datetime.timedelta(days=1)
        left -= reply.weekday() < 5
    days = (PROCESSOR_DAYS if processor else DAYS)[kind] + (EXTENSION[kind] if extended else 0)
    return Clock(reply, received + datetime.timedelta(days=days))


def standing(until: Clock, today: datetime.date, *, replied: bool, done: bool) -> Standing:
    """Where a request stands today: "late" when a day has passed without what was due on it."""
    if done:
        return "done"
    if today > until.done or (not replied and today > until.reply):
        return "late"
    return "open" if replied else "reply_due"


def notify_by(detected: datetime.datetime) -> datetime.datetime:
    """The moment by which the authority, and where places or biometrics are concerned the people, must know."""
    return detected + datetime.timedelta(hours=BREACH_HOURS)
