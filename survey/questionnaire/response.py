"""Answers, events, and the response that is their fold.

Six states never collapse into one another or into "no": an answer is a value, or one of MISSING.
The unit of saving, sending and auditing is the event; its id is made where the answer was given.
Appending the same event twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

Missing = Literal["dont_know", "refused", "not_applicable", "not_asked", "lost"]
Value = str | int | float | bool | list[str]


class Answer(Struct, frozen=True, omit_defaults=True, gc=False):
    """A value (text, number, code, list of codes; a date is "YYYY-MM-DD") or the reason why there is none.

    `remark` is what the person wrote when a soft check asked again. An answer never holds what holds it, so that the
    collector of cycles need not look at millions of them.
    """

    value: Value | None = None
    missing: Missing | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError("an answer is a value or a reason for none, never both or neither")


class Key(Struct, frozen=True, order=True):
    """Which variable of which row: `question` or `question@row`; row is "" outside rosters."""

    question: str
    row: str = ""

    def __str__(self) -> str:
        return f"{self.question}@{self.row}" if self.row else self.question

    @classmethod
    def parse(cls, text: str) -> Key:
        question, _, row = text.partition("@")
        return cls(question, row)


EventKind = Literal[
    "opened",  # consent or notice shown and accepted: language, questionnaire version, today
    "answered",  # answers of one page or several
    "row_added", "row_removed",  # a roster row, by stable id
    "locked",  # a roster is locked before a draw
    "drawn",  # the server's draw: roster row, number eligible
    "page_done",  # a list page was declared complete
    "submitted",  # the response is complete
    "reopened",  # corrected before the cut-off
    "moved",  # a draft goes to a corrected version of the questionnaire
]  # fmt: skip


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to a response.

    id: UUIDv7 made on the device that gave the answer (or by the server for a plain form post, derived from the
    form's one-time id so that a double click is one event). `answers` maps str(Key) to Answer.
    `at` is the device's clock in milliseconds since 1970 (UTC), never trusted for order; `sequence` orders the
    events of one device; the server adds its own time when it appends.
    """

    id: str
    response: str
    kind: EventKind
    at: int
    author: str
    mode: Literal["self", "visit", "proxy", "phone", "paper"] = "self"
    sequence: int = 0
    device: str = ""
    page: str = ""
    row: str = ""
    roster: str = ""
    draw: str = ""
    eligible: int = 0
    language: str = ""
    version: str = ""
    today: str = ""
    void: tuple[str, ...] = ()  # of "moved": answers that do not hold in the new version
    undone: tuple[str, ...] = ()  # of "moved": finished pages that have something new on them
    case: str = ""  # of "opened" on an official's phone: the case that the response begins
    answers: dict[str, Answer] = {}


class Response(Struct, frozen=True, kw_only=True):
    """The state after all events: every answer ever given last, on the path or not (routing decides which count)."""

    id: str
    answers: Mapping[Key, Answer] = {}
    rows: Mapping[
        str, tuple[str, ...]
    ] = {}  # roster → row ids in the order they were added, removed ones left out
    locked: frozenset[str] = frozenset()
    drawn: Mapping[str, str] = {}  # draw → row id
    eligible: Mapping[str, int] = {}  # draw → number of eligible rows when drawn
    done: frozenset[str] = frozenset()  # list and notice pages declared complete
    submitted: bool = False
    language: str = ""
    version: str = ""
    today: str = ""
    mode: str = "self"
    events: int = 0


class Gathered(Struct, frozen=True, kw_only=True):
    """What the events of a response come to, with the answers under their names as they were sent (`str(Key)`).

    `fold` makes a Response of it; who reads very many responses at once (`states`) takes this, which costs less.
    """

    answers: dict[str, Answer]
    rows: dict[str, tuple[str, ...]]
    locked: set[str]
    drawn: dict[str, str]
    eligible: dict[str, int]
    done: set[str]
    submitted: bool
    language: str
    version: str
    today: str
    mode: str
    events: int

    def response(self, id: str) -> Response:
        """The response of this id that these events make."""
        return Response(
            id=id,
            answers={Key.parse(name): answer for name, answer in self.answers.items()},
            rows=self.rows,
            locked=frozenset(self.locked),
            drawn=self.drawn,
            eligible=self.eligible,
            done=frozenset(self.done),
            submitted=self.submitted,
            language=self.language,
            version=self.version,
            today=self.today,
            mode=self.mode,
            events=self.events,
        )


def fold(response_id: str, events: Iterable[Event]) -> Response:
    """The response after these events, in the order the server appended them. Pure; a repeated id counts once.

    Removing a row keeps its answers (they come back if the row does); `row_added` of a known row changes nothing.
    Correcting after submission begins with "reopened" and ends with another "submitted".
    """
    return gather(events).response(response_id)


def gather(events: Iterable[Event]) -> Gathered:
    """The first half of `fold`."""
    seen: set[str] = set()
    answers: dict[str, Answer] = {}
    rows: dict[str, tuple[str, ...]] = {}
    locked: set[str] = set()
    drawn: dict[str, str] = {}
    eligible: dict[str, int] = {}
    done: set[str] = set()
    submitted = False
    language = version = today = ""
    mode = "self"
    for event in events:
        if event.id in seen:
            continue
        seen.add(event.id)
        mode = event.mode
        language = event.language or language
        version = event.version or version
        today = event.today or today
        if event.answers:
            answers.update(_plainly_named(event.answers))
        if event.kind == "answered" and event.page:
            done.add(place(event.page, event.row))
        match event.kind:
            case "row_added":
                present = rows.get(event.roster, ())
                if event.row not in present:
                    rows[event.roster] = (*present, event.row)
            case "row_removed":
                rows[event.roster] = tuple(row for row in rows.get(event.roster, ()) if row != event.row)
            case "locked":
                locked.add(event.roster)
            case "drawn" if event.draw not in drawn:
                drawn[event.draw] = event.row
                eligible[event.draw] = event.eligible
            case "page_done":
                done.add(place(event.page, event.row))
            case "submitted":
                submitted = True
            case "reopened":
                submitted = False
            case "moved":
                for name in event.void:
                    answers.pop(name.removesuffix("@"), None)
                done.difference_update(event.undone)
    return Gathered(
        answers=answers, rows=rows, locked=locked, drawn=drawn, eligible=eligible, done=done, submitted=submitted,
        language=language, version=version, today=today, mode=mode, events=len(seen),
    )  # fmt: skip


def _plainly_named(answers: dict[str, Answer]) -> dict[str, Answer]:
    """With "question@" written as "question": both are the household's, and the later answer of the two holds."""
    if "@\n" not in "\n".join(answers) + "\n":
        return answers
    return {name.removesuffix("@"): answer for name, answer in answers.items()}


def place(page: str, row: str = "") -> str:
    """The name under which a page, or a page of one row, is remembered as done."""
    return f"{page}@{row}" if row else page
