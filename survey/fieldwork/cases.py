"""The life of a case: one sampled household, in every mode, from the draw to its final disposition.

A case is shared by the web and the visit: one code, one set of answers, one list entry. Its states and the events
that move it are this table; anything not in it is a `Conflict` that leaves the case as it was.

    state      opened    attempted           completed   closed    reopened   assigned
    waiting    started   visited | closed    complete    closed    -          waiting
    visited    started   visited | closed    complete    closed    -          visited
    started    started   started | closed    complete    closed    -          started
    complete   complete  complete            complete    -         started    complete
    closed     started   visited | closed    complete    closed    started    closed

- The first complete response wins; a second one is kept beside it and changes nothing.
- A case closed at the door opens again when the household answers on the web after all: never refuse an answer.
- An attempt recorded after completion is kept for the record: the official could not know.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from survey.fieldwork.dispositions import DISPOSITIONS, OUTCOMES
from survey.fieldwork.sample import SampledUnit
from survey.problems import Conflict

State = Literal["waiting", "visited", "started", "complete", "closed"]
Mode = Literal["self", "visit", "proxy", "phone"]


class Attempt(Struct, frozen=True, kw_only=True):
    """One try to reach the household. `id` is made on the device, so that sending it twice is one attempt.

    `at` is the device's clock in milliseconds since 1970 (UTC); `outcome` is an id of OUTCOMES; `author` the
    account's name. `appointment` is a local date and time ("2025-03-14T18:30") if one was made.
    """

    id: str
    case: str
    at: int
    author: str
    mode: Mode
    outcome: str
    note: str = ""
    appointment: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome of an attempt: {self.outcome!r}")


class Override(Struct, frozen=True, kw_only=True):
    """A supervisor's final code against the rule's, always with the reason and the name."""

    code: str
    reason: str
    author: str
    at: int

    def __post_init__(self) -> None:
        if self.code not in DISPOSITIONS:
            raise ValueError(f"unknown disposition code: {self.code!r}")
        if not self.reason.strip():
            raise ValueError("an override needs a reason")


class Case(Struct, frozen=True, kw_only=True):
    """One sampled household in the field. `unit` is as drawn and never edited.

    `reserve`: drawn, but not to be worked until it is released.
    `id` is pseudonymous; the address is kept apart (`survey.storage.identities`). `assignee` is the name of the
    official's account, "" while nobody has it. `response` is the response that completed the case first.
    """

    id: str
    unit: SampledUnit
    reserve: bool = False
    state: State = "waiting"
    assignee: str = ""
    response: str = ""
    attempts: int = 0
    last_attempt_at: int | None = None
    last_outcome: str = ""
    appointment: str = ""
    override: Override | None = None


class Assigned(Struct, frozen=True):
    """The case is given to an official, or to nobody ("")."""

    assignee: str


class Opened(Struct, frozen=True):
    """Answering has begun, in whatever mode."""


class Attempted(Struct, frozen=True):
    """An attempt was recorded."""

    attempt: Attempt


class Completed(Struct, frozen=True):
    """A response of this case is complete."""

    response: str


class Closed(Struct, frozen=True):
    """No more work on this case; with `override` a supervisor sets the code, else the rule decides."""

    override: Override | None = None


class Reopened(Struct, frozen=True):
    """The answers are corrected before the cut-off, or a closed case is worked again."""


CaseEvent = Assigned | Opened | Attempted | Completed | Closed | Reopened


def advance(case: Case, event: CaseEvent) -> Case:
    """The case after this event, by the table above; `Conflict` where the table has none."""
    match event:
        case Assigned(assignee):
            return msgspec.structs.replace(case, assignee=assignee)
        case Opened():
            if case.state == "complete":
                return case
            return msgspec.structs.replace(case, state="started")
        case Attempted(attempt):
            return _attempted(case, attempt)
        case Completed(response):
            if case.response:
                return case
            return msgspec.structs.replace(case, state="complete", response=response)
        case Closed(override):
            if case.state == "complete" and override is None:
                raise Conflict(
                    {
                        "vi": f"Hộ {case.id} đã trả lời xong, không cần đóng lại.",
                        "en": f"Case {case.id} is complete; there is nothing to close.",
                    }
                )
            state: State = "complete" if case.state == "complete" else "closed"
            return msgspec.structs.replace(case, state=state, override=override)
        case Reopened():
            if case.state not in ("complete", "closed"):
                raise Conflict(
                    {
                        "vi": f"Hộ {case.id} đang mở, không cần mở lại.",
                        "en": f"Case {case.id} is open; there is nothing to reopen.",
                    }
                )
            return msgspec.structs.replace(case, state="started", response="", override=None)


def _attempted(case: Case, attempt: Attempt) -> Case:
    """Counters and the latest outcome by the attempt's own time; late arrivals do not overwrite newer news."""
    counted = msgspec.structs.replace(case, attempts=case.attempts + 1)
    if case.last_attempt_at is not None and attempt.at < case.last_attempt_at:
        return counted
    counted = msgspec.structs.replace(
        counted,
        last_attempt_at=attempt.at,
        last_outcome=attempt.outcome,
        appointment=attempt.appointment,
    )
    if case.state == "complete":
        return counted
    if not OUTCOMES[attempt.outcome].comes_back:
        return msgspec.structs.replace(counted, state="closed")
    return msgspec.structs.replace(counted, state="started" if case.state == "started" else "visited")
