"""What people may ask about their own data, and by when they must be answered.

Decree 356/2025/NĐ-CP, Article 5: a reply to every request within 2 working days; then a request to restrict, object or
withdraw consent is done within 15 days, one to see or correct within 10, one to delete within 20. Seeing and correcting
need no request here: a household does both itself, at once. Under Article 19.1(c) of Law 91/2025/QH15 (a state agency's
task by law) deletion may be refused with reasons (Article 14).
"""

from __future__ import annotations

import datetime
from typing import Literal

from msgspec import Struct

Kind = Literal["restrict", "withdraw", "delete"]
REPLY_WORKING_DAYS = 2
DAYS: dict[Kind, int] = {"restrict": 15, "withdraw": 15, "delete": 20}


class Clock(Struct, frozen=True):
    """The last days of a request."""

    reply: datetime.date
    done: datetime.date


def clock(kind: Kind, received: datetime.date) -> Clock:
    """The statutory days for a request received on this day. Saturdays and Sundays are no working days; public holidays
    are not known here, so that the days shown are never later than the law's."""
    reply = received
    left = REPLY_WORKING_DAYS
    while left:
        reply += datetime.timedelta(days=1)
        left -= reply.weekday() < 5
    return Clock(reply, received + datetime.timedelta(days=DAYS[kind]))
