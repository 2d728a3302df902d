"""The life of a case: one sampled household, in every mode, from the draw to its final disposition.

A case is shared by the web and the visit: one code, one set of answers, one list entry. `TABLE` says what each event
makes of each state; where it has nothing the event is a `Conflict` and leaves the case as it was.

    state     opened   attempted  completed  closed   reopened  released  relisted  chosen
    reserve   reserve  reserve    reserve    -        -         waiting   -         -
    waiting   started  visited    complete   closed   -         -         waiting   -
    visited   started  visited    complete   closed   -         -         visited   -
    started   started  started    complete   closed   -         -         started   -
    complete  complete complete   complete   -        started   -         complete  complete
    closed    started  visited    complete   closed   started   -         closed    -

- The first complete response wins; a second one is kept beside it and changes nothing, until a person who has seen where
  the two contradict chooses which counts.
- A case closed at the door opens again when the household answers on the web after all: never refuse an answer.
- An attempt after which nobody need come back (refused, vacant …) closes the case, unless it is complete. One recorded
  after completion is kept for the record: the official could not know.
- A household drawn into the reserve is worked only once a supervisor has opened it; what it says before that is kept and
  counts from then on. The case whose place it takes keeps its own outcome, and the reserve counts in no outcome rate.
- A dwelling that is relisted as gone closes, and opens again when that is taken back; every other finding only changes
  the design weight (`listing`).
- A case can be given to another official in any state, and whatever its state a supervisor may set its final code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from survey.fieldwork.dispositions import DISPOSITIONS, NOTES, OUTCOMES, Disposition, ResponseState, final
from survey.fieldwork.listing import Finding
from survey.fieldwork.sample import SampledUnit
from survey.problems import Conflict, Text

State = Literal["reserve", "waiting", "visited", "started", "complete", "closed"]
Mode = Literal["self", "visit", "proxy", "phone", "paper"]


class Place(Struct, frozen=True, kw_only=True):
    """Where an attempt was made, as the phone said: degrees (WGS 84) and metres. Sensitive: see docs/field-manual.md."""

    latitude: float
    longitude: float
    accuracy: float

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180 and self.accuracy >= 0):
            raise ValueError("not a place on earth")


class Attempt(Struct, frozen=True, kw_only=True):
    """One try to reach the household. `id` is made on the device, so that sending it twice is one attempt.

    `at` is the device's clock in milliseconds since 1970 (UTC); `outcome` is an id of OUTCOMES; `author` the
    account's name; `codes` are of NOTES, `note` is free text. `appointment` is a local date and time ("2025-03-14T18:30") if one was made.
    """

    id: str
    case: str
    at: int
    author: str
    mode: Mode
    outcome: str
    note: str = ""
    appointment: str = ""
    place: Place | None = None
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"unknown outcome of an attempt: {self.outcome!r}")
        if unknown := set(self.codes) - set(NOTES):
            raise ValueError(f"unknown note of an attempt: {', '.join(sorted(unknown))}")


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


class Release(Struct, frozen=True, kw_only=True):
    """Who opened a reserve household, when, why, and in whose place."""

    instead_of: str
    reason: str
    author: str
    at: int

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("opening a reserve household needs a reason")


class Case(Struct, frozen=True, kw_only=True):
    """One sampled household in the field. `unit` is as drawn and never edited.

    `reserve`: drawn, but not to be worked until a supervisor opens it; `release` says by whom and why it was.
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
    release: Release | None = None
    finding: Finding | None = None

    @property
    def stands(self) -> State:
        """Where it stands in the table."""
        return "reserve" if self.reserve else self.state


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


class Released(Struct, frozen=True):
    """A supervisor opens a reserve household."""

    release: Release


class Relisted(Struct, frozen=True):
    """Somebody found that the list of households does not say what is there."""

    finding: Finding


class Chosen(Struct, frozen=True):
    """A person decided which of several complete responses counts."""

    response: str


CaseEvent = Assigned | Opened | Attempted | Completed | Closed | Reopened | Released | Relisted | Chosen

EVENTS: dict[type[CaseEvent], str] = {
    Opened: "opened", Attempted: "attempted", Completed: "completed", Closed: "closed", Reopened: "reopened",
    Released: "released", Relisted: "relisted", Chosen: "chosen",
}  # fmt: skip
"""The columns of the table; being assigned changes no state and is possible in all."""


def _table(*rows: str) -> Mapping[tuple[State, str], State]:
    found: dict[tuple[State, str], State] = {}
    for row in rows:
        state, *leads = row.split()
        found |= {
            (state, event): lead  # type: ignore[misc]
            for event, lead in zip(EVENTS.values(), leads, strict=True)
            if lead != "-"
        }
    return found


TABLE = _table(
    # opened attempted completed closed reopened released relisted chosen
    "reserve  reserve  reserve  reserve  -      -       waiting -       -",
    "waiting  started  visited  complete closed -       -       waiting -",
    "visited  started  visited  complete closed -       -       visited -",
    "started  started  started  complete closed -       -       started -",
    "complete complete complete complete -      started -       complete complete",
    "closed   started  visited  complete closed started -       closed  -",
)
"""The next state by state and event. What an attempt or a finding itself decides, it adds in `advance`."""


def advance(case: Case, event: CaseEvent) -> Case:
    """The case after this event, by the table above; `Conflict` where the table has none."""
    if isinstance(event, Assigned):
        return msgspec.structs.replace(case, assignee=event.assignee)
    lead = TABLE.get((case.stands, EVENTS[type(event)]))
    overridden = isinstance(event, Closed) and event.override is not None and not case.reserve
    if lead is None and not overridden:
        raise Conflict(_refused(case, event))
    after = case if case.reserve else msgspec.structs.replace(case, state=lead or case.state)
    match event:
        case Attempted(attempt):
            return _attempted(case, after, attempt)
        case Completed(response):
            return msgspec.structs.replace(after, response=case.response or response)
        case Chosen(response):
            return msgspec.structs.replace(after, response=response)
        case Closed(override):
            return msgspec.structs.replace(after, override=override)
        case Reopened():
            return msgspec.structs.replace(after, response="", override=None)
        case Released(release):
            opened: State = "complete" if case.response else "waiting"
            return msgspec.structs.replace(case, state=opened, reserve=False, release=release)
        case Relisted(finding):
            gone = finding.gone and case.state != "complete"
            back = (
                case.finding is not None and case.finding.gone and not finding.gone and case.state == "closed"
            )
            again: State = "visited" if case.attempts else "waiting"
            state = "closed" if gone else again if back else after.state
            return msgspec.structs.replace(after, finding=finding, state=state)
    return after


def _attempted(case: Case, after: Case, attempt: Attempt) -> Case:
    """Counters and the latest outcome by the attempt's own time; late arrivals do not overwrite newer news."""
    counted = msgspec.structs.replace(case, attempts=case.attempts + 1)
    if case.last_attempt_at is not None and attempt.at < case.last_attempt_at:
        return counted
    closes = not (OUTCOMES[attempt.outcome].comes_back or case.reserve or case.state == "complete")
    return msgspec.structs.replace(
        counted,
        state="closed" if closes else after.state,
        last_attempt_at=attempt.at,
        last_outcome=attempt.outcome,
        appointment=attempt.appointment,
    )


def disposition(
    case: Case, attempts: Sequence[Attempt], answers: ResponseState, invited: bool = True
) -> Disposition:
    """The final disposition of a case. Complete answers speak first; then what a supervisor decided, with a reason;
    then a finding that the dwelling is gone; else the rule over the attempts (`dispositions.final`)."""
    if answers != "complete":
        if case.override is not None:
            return DISPOSITIONS[case.override.code]
        if case.finding is not None and case.finding.gone:
            return DISPOSITIONS["4.50"]
    return final(attempts, answers, invited)


def _refused(case: Case, event: CaseEvent) -> Text:
    if case.reserve:
        return {
            "vi": f"Hộ {case.id} là hộ dự phòng, giám sát chưa mở.",
            "en": f"Case {case.id} is a reserve household that no supervisor has opened.",
        }
    match event:
        case Closed():
            return {
                "vi": f"Hộ {case.id} đã trả lời xong, không cần đóng lại.",
                "en": f"Case {case.id} is complete; there is nothing to close.",
            }
        case Chosen():
            return {
                "vi": f"Hộ {case.id} chưa có phiếu trả lời xong để chọn.",
                "en": f"Case {case.id} has no complete response to choose.",
            }
        case Released():
            return {
                "vi": f"Hộ {case.id} không phải hộ dự phòng chờ mở.",
                "en": f"Case {case.id} is not a reserve household waiting to be opened.",
            }
        case _:
            return {
                "vi": f"Hộ {case.id} đang mở, không cần mở lại.",
                "en": f"Case {case.id} is open; there is nothing to reopen.",
            }
