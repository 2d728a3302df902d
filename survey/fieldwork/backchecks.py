"""Asking a few questions again, of households drawn at random, to see how well answers hold.

The server draws by a keyed hash of the case, so that nobody knows beforehand which interview will be checked, and the
same cases are drawn whenever one looks. Somebody else than the interviewer asks, by telephone or at the door, without
seeing what was answered. Agreement is told as the gross difference rate (the share of answers that differ) and as kappa
(Cohen 1960); US Census Bureau practice takes an index of inconsistency under 20 % as low.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from msgspec import Struct

from survey.problems import Text

ENDINGS: Mapping[str, Text] = {
    "not_reached": {"vi": "Nhiều lần không gặp", "en": "Not reached after several tries"},
    "refused": {"vi": "Không muốn trả lời lại", "en": "Does not want to answer again"},
    "gone": {"vi": "Người đó không còn ở đây", "en": "The person does not live here any more"},
}
"""Why a household could not be asked again; said beside the agreement, so that nobody takes the rest for all."""
PREFIX = "check-"
"""Ids of responses that are back-checks: kept as events like every answer, never the answer of their case."""


def drawn(key: bytes, case: str, share: float) -> bool:
    """Whether this case is checked: true for about `share` of all cases, the same ones each time."""
    number = int.from_bytes(hmac.digest(key, f"back-check/{case}".encode(), hashlib.sha256)[:8], "big")
    return number < share * 2**64


class Agreement(Struct, frozen=True, kw_only=True):
    """One question: answers asked twice, how many differ, and kappa (NaN where it cannot be said)."""

    question: str
    pairs: int
    differ: int
    kappa: float

    @property
    def gross_difference_rate(self) -> float:
        return self.differ / self.pairs if self.pairs else float("nan")
