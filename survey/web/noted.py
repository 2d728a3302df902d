"""What is to be looked at in a response that was just submitted (`survey.fieldwork.reviews`). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from survey.fieldwork.reviews import Given, Review, overlaps
from survey.questionnaire.again import odd
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, fold


def noted(questionnaire: Questionnaire, case: str, response: str, events: Sequence[Event]) -> list[Review]:
    """Odd answers of an interview, and of any response the answers that two phones gave. Their ids follow from the
    answers: a correction is another id, the same answer again is not looked at twice."""
    answered = fold(response, events)
    found = []
    if answered.mode != "self":
        for one in odd(questionnaire, answered):
            said = msgspec.json.encode(answered.answers[one.key], order="deterministic").decode()
            found.append(
                Review(
                    id=_id("soft", response, str(one.key), str(one.number), said), kind="soft", case=case,
                    response=response, question=one.key.question, row=one.key.row, number=one.number,
                    explained=one.explained,
                )
            )  # fmt: skip
    for later, counts in overlaps(given(events)):
        key = Key.parse(counts.key)
        found.append(
            Review(id=_id("overlap", response, later.event, counts.event, counts.key), kind="overlap", case=case,
                   response=response, question=key.question, row=key.row)
        )  # fmt: skip
    return found


def given(events: Sequence[Event]) -> list[Given]:
    """Every answer in the order of arrival, remarks left out."""
    return [
        Given(key, event.at, plain(answer), event.id)
        for event in events
        for key, answer in event.answers.items()
    ]


def plain(answer: Answer) -> object:
    """What an answer says, to be compared: None where it says nothing."""
    return tuple(answer.value) if isinstance(answer.value, list) else answer.value


def _id(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
