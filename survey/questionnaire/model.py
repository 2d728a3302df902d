"""What is asked, of whom, in which order: the frozen value that `questionnaire.yaml` is read into.

A questionnaire is sections of pages of questions. A page is asked once, or once for each row of a roster
(`each`), or of the one row drawn at random (`of`). Conditions are written as in XLSForm and hold over the
answers given before them. The version is the hash of the content: responses stay on the version they began with.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from survey.problems import Text

Kind = Literal[
    "text", "integer", "decimal", "date", "year", "select_one", "select_many", "acknowledge", "note", "calculate",
    "location", "photo", "barcode", "rank", "preload",
]  # fmt: skip
Mode = Literal["self", "visit", "proxy", "phone", "paper"]
Sensitivity = Literal["ordinary", "personal", "sensitive"]


class Choice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One option. `exclusive` empties the others ("none of these"); `specify` opens a text of its own.

    `facts` are further columns that a question's `filter` looks at, such as the district a commune lies in.
    """

    code: str
    label: Text
    hint: Text = {}
    exclusive: bool = False
    specify: bool = False
    when: str | None = None
    facts: dict[str, str] = {}


class Check(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold of an answer. Hard: the answer is not accepted; soft: asked once more, kept with a remark."""

    that: str
    message: Text
    severity: Literal["hard", "soft"] = "hard"


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question and the one variable it fills.

    Every question can be answered "don't know" and "prefer not to say" unless it says otherwise; these are
    answers, not blanks. `required` means that one of the three must be given. `wording` holds another label
    for a mode ("visit": read out by an official; "proxy": asked about somebody else). `for_official` is
    guidance that households never see.

    `filter` says which options of a long list are offered (`district = ${district}`; bare names are the options'
    `facts`, `name` is the code). `rows` offers the rows of a roster as options, each under its name; its `filter` is
    asked of each row that may be offered (`${age} >= 15`).

    A "preload" is shown and never asked: what the sample knows of the household, from its `column` (commune, urban_rural,
    stratum, psu ...), for conditions and for texts; its `choices`, if any, are the words for its codes.
    """

    id: str
    kind: Kind
    label: Text
    hint: Text = {}
    help: Text = {}
    for_official: Text = {}
    wording: dict[Mode, Text] = {}
    choices: str | tuple[Choice, ...] = ()
    filter: str | None = None
    rows: str | None = None
    required: bool = True
    dont_know: bool = True
    refused: bool = True
    when: str | None = None
    calculate: str | None = None
    column: str | None = None
    checks: tuple[Check, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_length: int = 200
    unit: Text = {}
    sensitivity: Sensitivity = "ordinary"
    audio: dict[str, str] = {}
    definition: str | None = None  # the standard and edition this question operationalises, e.g. "SDG 5.b.1"


class Roster(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of like things (usual residents). Rows have stable random ids; `name` is the question that names a row.

    `within` names the roster whose rows hold this one (two deep at most): its row ids are "parent.own". `count` says
    how many rows there are (`${children}`) where nobody lists them: then rows are called "1", "2" and so on.
    """

    id: str
    label: Text
    name: str
    minimum: int = 1
    maximum: int = 30
    within: str | None = None
    count: str | None = None


class Draw(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row drawn at random by the server, with equal probability among the eligible, once the roster is locked."""

    id: str
    roster: str
    eligible: str


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is shown at once: one question, or one tight group.

    kind: "questions" the usual page · "list" shows a roster with add, change and remove, its questions are asked
    for each row on the row's own page; the list of a roster `within` another stands once for `each` row of that one ·
    "draw" locks the roster and shows who was drawn · "notice" is text only.
    """

    id: str
    kind: Literal["questions", "list", "draw", "notice"] = "questions"
    title: Text = {}
    body: Text = {}
    questions: tuple[Question, ...] = ()
    when: str | None = None
    roster: str | None = None  # kind "list": the roster it collects
    draw: str | None = None  # kind "draw": the draw it performs
    each: str | None = None  # asked once for each row of this roster
    of: str | None = None  # asked of the row this draw has chosen


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part with a name, as in the progress line: "Phần 2 trên 5: Internet trong gia đình"."""

    id: str
    title: Text
    pages: tuple[Page, ...]
    minutes: float = 1.0


class Questionnaire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole instrument. Ids are unique across sections, pages, rosters and questions of their kind.

    `proxy` says when somebody answers for somebody else (`${answered_by} = 'proxy'`): then questions are worded for that.
    """

    id: str
    title: Text
    languages: tuple[str, ...]
    sections: tuple[Section, ...]
    rosters: tuple[Roster, ...] = ()
    draws: tuple[Draw, ...] = ()
    choices: dict[str, tuple[Choice, ...]] = {}
    proxy: str | None = None
    edition: str = ""

    @property
    def version(self) -> str:
        """Content hash: 16 hex digits of SHA-256 over the canonical JSON form."""
        import hashlib

        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]
