"""What a person decides about answers that are there: odd ones, ones sent back, and ones that contradict each other.

    kind      what it is                                                            who decides
    soft      an interview went past a soft check: the answer is odd, not wrong     a supervisor, who sees no answer
    double    two complete responses of one household: web and visit, two phones    a manager, who sees both answers
    overlap   within a response an answer given earlier arrived later (two phones)  a manager, who sees both answers

A supervisor accepts an odd answer or returns its question to the official who asked it, with a comment. Only an
interview can be returned, never what a household answered by itself, and only to the person who made it.

Of two complete responses the first counts until a manager decides. Nothing is ever deleted, and what a household
answered by itself gives way only when the manager says that the household was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from survey.problems import Text

Kind = Literal["soft", "double", "overlap"]
Weight = Literal["hard", "soft"]


class Review(Struct, frozen=True, kw_only=True):
    """One thing to look at. `number`: of the check among those of its question; `explained`: a reason was written.

    `ruling` is "" while nobody has decided; then "accepted", "returned", "corrected" (it is no longer so), "first",
    "second", or for a double the response that counts.
    """

    id: str
    kind: Kind
    case: str
    response: str
    question: str = ""
    row: str = ""
    number: int = 0
    explained: bool = False
    at: int = 0
    ruling: str = ""


class Return(Struct, frozen=True, kw_only=True):
    """A question sent back to the official who asked it. `page` is the page that asks it again."""

    id: str
    case: str
    response: str
    page: str
    question: str
    comment: str
    author: str
    at: int
    row: str = ""

    def __post_init__(self) -> None:
        if not self.comment.strip():
            raise ValueError("a question is returned with a comment")


REFUSALS: Mapping[str, Text] = {
    "not_submitted": {
        "vi": "Phiếu chưa gửi xong, hoặc hộ này chưa có phiếu phỏng vấn.",
        "en": "The interview is not finished, or this household has none.",
    },
    "household": {
        "vi": "Hộ tự trả lời phiếu này. Câu trả lời của hộ không chuyển cho cán bộ.",
        "en": "The household answered this itself. What it answered is not passed to an official.",
    },
    "handed_over": {
        "vi": "Người đã phỏng vấn không còn phụ trách hộ này. Hãy giao lại hộ cho người đó trước.",
        "en": "Whoever interviewed no longer has this household. Give it back to that person first.",
    },
    "open": {
        "vi": "Phiếu này đã có một câu đang trả lại.",
        "en": "A question of this interview is already returned.",
    },
    "locked": {
        "vi": "Danh sách người trong hộ đã khóa khi chọn người trả lời, không sửa được nữa.",
        "en": "The list of people was locked when the respondent was drawn; it can no longer be changed.",
    },
    "not_asked": {
        "vi": "Phiếu của hộ này không hỏi câu đó.",
        "en": "This household was not asked that question.",
    },
}


def refusal(*, mode: str, submitted: bool, asked_by: str, assignee: str, already: bool) -> str:
    """Why an interview cannot be returned (a key of REFUSALS), or "" when it can."""
    if not submitted:
        return "not_submitted"
    if mode == "self":
        return "household"
    if asked_by != assignee:
        return "handed_over"
    return "open" if already else ""


class Contradiction(Struct, frozen=True):
    """One variable that two responses answer differently. hard: both say something, and not the same; soft: one of them
    does not know, prefers not to say, or was not asked."""

    key: str
    first: object
    second: object
    weight: Weight


def contradictions(first: Mapping[str, object], second: Mapping[str, object]) -> tuple[Contradiction, ...]:
    """Variable by variable, those that differ, the hard ones first. None stands for "nothing said"."""
    found = [
        Contradiction(key, one, other, "soft" if one is None or other is None else "hard")
        for key in dict.fromkeys((*first, *second))
        if (one := first.get(key)) != (other := second.get(key))
    ]
    return tuple(sorted(found, key=lambda one: one.weight))


class Given(Struct, frozen=True):
    """One answer as it came: in which place of the order of arrival, when the phone says it was given, and what it says."""

    key: str
    at: int
    value: object
    event: str


def overlaps(given: Sequence[Given]) -> tuple[tuple[Given, Given], ...]:
    """Answers that count although a later one was given: (what was said later, what counts), in order of arrival.

    Whoever corrects an answer says the new one later. An answer that was given earlier and arrived later comes from
    another phone that did not know the first: which of the two holds is for a person to say.
    """
    latest: dict[str, Given] = {}
    counts: dict[str, Given] = {}
    for one in given:
        counts[one.key] = one
        if one.key not in latest or one.at >= latest[one.key].at:
            latest[one.key] = one
    return tuple(
        (latest[key], kept)
        for key, kept in counts.items()
        if kept.at < latest[key].at and kept.value != latest[key].value
    )


def needs_household(chosen: str, modes: Mapping[str, str]) -> bool:
    """Whether letting `chosen` count sets aside what the household answered by itself (response → mode)."""
    return modes[chosen] != "self" and "self" in modes.values()
