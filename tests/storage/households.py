"""A few households and events that storage tests share; nothing here resembles a real person."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from survey.fieldwork.sample import SampledUnit
from survey.questionnaire.response import Answer, Event

VERSION = "0123456789abcdef"


def unit(number: int, *, commune: str = "10507", reserve: bool = False) -> SampledUnit:
    return SampledUnit(
        case=f"HD-{number:06d}",
        household=f"h{number}",
        stratum="urban",
        psu=f"ea{number // 10}",
        commune=commune,
        urban_rural="urban",
        stage1_probability=0.1,
        stage2_probability=0.2,
        psus_sampled=4,
        psus_in_stratum=40,
        households_sampled=20,
        households_listed=100,
        reserve=reserve,
        respondent_draw=0.25,
    )


def event(id: str, response: str = "r1", kind: str = "answered", **answers: str) -> Event:
    return Event(
        id=id,
        response=response,
        kind=kind,  # type: ignore[arg-type]
        at=1_700_000_000_000,
        author="household",
        page="p1",
        answers={name: Answer(value=value) for name, value in answers.items()},
    )


def story(response: str, answers: int) -> Iterator[Event]:
    """Opened, some answers, submitted."""
    numbers = itertools.count()
    yield event(f"{response}-{next(numbers)}", response, "opened")
    for _ in range(answers):
        number = next(numbers)
        yield event(f"{response}-{number}", response, q1=f"câu trả lời {number}")
    yield event(f"{response}-{next(numbers)}", response, "submitted")
