"""An invented household in front of the questionnaire: what it sends for each page, until the end is reached.

Two ways to play the same household: page by page through the real web application (`Reader`), or straight
through the routing, checking and event functions that the application uses (`answer_all`), which is much faster.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from survey.questionnaire.checks import read_form
from survey.questionnaire.index import Index, index
from survey.questionnaire.model import Question, Questionnaire
from survey.questionnaire.response import Event, fold
from survey.questionnaire.routing import complete, draw_row, is_done, path, visible
from survey.synthetic.answers import Columns, of_dwellings, of_persons
from survey.synthetic.forms import Page
from survey.synthetic.people import Province

Fields = dict[str, list[str]]


@dataclass(frozen=True)
class Sampled:
    """The answers of the sampled dwellings and of everybody in them, computed at once; light enough to be sent to
    another process, without the province."""

    seed: int
    reference_year: int
    dwellings: np.ndarray[Any, Any]  # dwelling of the sample → its number in the province
    size: np.ndarray[Any, Any]  # dwelling of the sample → members
    first: np.ndarray[Any, Any]  # dwelling of the sample → its first person among `persons`
    homes: Columns
    persons: np.ndarray[Any, Any]  # member → number in the province
    age: np.ndarray[Any, Any]  # member → age
    people: Columns

    @classmethod
    def of(cls, province: Province, dwellings: np.ndarray[Any, Any]) -> Sampled:
        sizes = province.size[dwellings].astype(np.int64)
        first = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        persons = (
            np.repeat(province.first[dwellings], sizes) + np.arange(sizes.sum()) - np.repeat(first, sizes)
        )
        return cls(
            seed=province.seed,
            reference_year=province.reference_year,
            dwellings=dwellings,
            size=sizes,
            first=first,
            homes=of_dwellings(province, dwellings),
            persons=persons,
            age=province.age[persons],
            people=of_persons(province, persons),
        )

    def members(self, place: int) -> range:
        """Places of the household's members among `persons`."""
        start = int(self.first[place])
        return range(start, start + int(self.size[place]))

    def drawn(self, place: int, number: float) -> int:
        """The person (index into the province) whom `number` draws, −1 in an empty dwelling or without anybody 15+."""
        eligible = [m for m in self.members(place) if self.age[m] >= 15]
        return int(self.persons[eligible[int(number * len(eligible))]]) if eligible else -1


class Household:
    """One sampled household answering: what it would send for any question, for itself or for one of its members."""

    def __init__(self, sampled: Sampled, place: int, questionnaire: Questionnaire) -> None:
        self.sampled, self.place = sampled, place
        self.index = index(questionnaire)
        self.members = sampled.members(place)

    def says(self, question: Question, member: int | None) -> list[str]:
        """The values a form would send; nothing for what is left blank."""
        if member is None:
            column = self.sampled.homes.get(question.id)
            return column.said(self.place) if column else []
        if question.id == "nickname":
            return [f"Người {member - self.members[0] + 1}"]
        if question.id in ("birth_year", "respondent_birth_year"):
            return [str(self.sampled.reference_year - int(self.sampled.age[member]))]
        column = self.sampled.people.get(question.id)
        return column.said(member) if column else []

    def decides(self, page: str) -> frozenset[str]:
        """The questions that the condition of this page looks at, and those that they are calculated from."""
        return _decides(self.index, page)

    def form(self, questions: Sequence[Question], member: int | None) -> Fields:
        return {question.id: self.says(question, member) for question in questions}


@functools.lru_cache(maxsize=1024)
def _decides(known: Index, page: str) -> frozenset[str]:
    found: set[str] = set()
    wanted = set(re.findall(r"\$\{(\w+)\}", known.pages[page].when or ""))
    while wanted:
        name = wanted.pop()
        found.add(name)
        stands = known.places.get(name)
        if stands and stands.question.calculate:
            wanted |= set(re.findall(r"\$\{(\w+)\}", stands.question.calculate)) - found
    return frozenset(found)


Mode = Literal["self", "visit"]


def answer_all(
    household: Household,
    questionnaire: Questionnaire,
    response: str,
    author: str,
    mode: Mode,
    number: float,
    at: int,
    until: float = 1.0,
) -> list[Event]:
    """Every event of one interview, by the functions the web application itself uses.

    at: milliseconds since 1970 when it began. until: share of the rounds after which a household that breaks off
    stops (1: it submits). A round answers all pages that are open, as a device does that sends when it can.
    """
    events: list[Event] = []

    def add(kind: str, **facts: object) -> None:
        event = msgspec.convert(
            {
                "id": _uuid7(at + 20_000 * len(events), f"{response}/{len(events)}"),
                "response": response, "kind": kind, "at": at + 20_000 * len(events), "author": author, "mode": mode,
                "sequence": len(events), **facts,
            },
            Event,
        )  # fmt: skip
        events.append(event)

    # Ages were made for one year; a survey played across New Year keeps to it.
    year = household.sampled.reference_year
    day = min(datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).date(), datetime.date(year, 12, 31))
    add("opened", language="vi", version=questionnaire.version, today=day.isoformat())
    members: dict[str, int] = {}
    rounds = 0
    while rounds < 60:
        state = fold(response, events)
        if complete(questionnaire, state):
            add("submitted")
            return events
        if rounds >= 3 and until < 1:
            return events
        rounds += 1
        answers: dict[str, Any] = {}
        fresh: set[str] = set()
        for step in path(questionnaire, state):
            page = step.page
            if is_done(questionnaire, state, step):
                continue
            if fresh & household.decides(page.id):
                break  # what was just said decides whether this page is asked at all
            if page.kind == "list" and not step.row:
                if not state.rows.get(page.roster or ""):
                    for member in household.members:
                        row = f"r{member - household.members[0] + 1:02d}"
                        members[row] = member
                        add("row_added", roster=page.roster, row=row)
                    break
                add("page_done", page=page.id)
            elif page.kind in ("notice", "draw"):
                if page.draw and page.draw not in state.drawn:
                    row, eligible = draw_row(questionnaire, state, page.draw, number)
                    add("locked", roster=household.index.draws[page.draw].roster)
                    add("drawn", draw=page.draw, row=row, eligible=eligible)
                add("page_done", page=page.id)
            else:
                shown = visible(questionnaire, state, step)
                fields = household.form(page.questions, members.get(step.row))
                read = read_form(questionnaire, state, step, fields)
                if read.findings:
                    said = "; ".join(f"{finding.where}: {finding.message['en']}" for finding in read.findings)
                    raise AssertionError(f"the synthetic household cannot answer page {page.id}: {said}")
                answers |= {str(key): msgspec.to_builtins(answer) for key, answer in read.answers.items()}
                fresh |= {key.question for key in read.answers}
                if not any(question.required for question in shown):
                    add("answered", page=page.id, row=step.row)
        if answers:
            add("answered", answers=answers)
    raise AssertionError("the questionnaire has no end for this household")


def _uuid7(milliseconds: int, name: str) -> str:
    digest = bytearray(milliseconds.to_bytes(6, "big") + hashlib.sha256(name.encode()).digest()[:10])
    digest[6] = 0x70 | (digest[6] & 0x0F)
    digest[8] = 0x80 | (digest[8] & 0x3F)
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


Send = Callable[[str, str, list[tuple[str, str]]], Page]
"""Method, address and fields of a request → the page that came, redirects followed."""


class Reader:
    """A household reading the real pages: it knows the fields of the forms and nothing of the application behind."""

    def __init__(self, household: Household, send: Send) -> None:
        self.household, self.send = household, send
        self.added = 0
        self.rows: dict[str, int] = {}

    def answer(self, page: Page, stop_after: int = 200) -> Page:
        """Fill page after page from this one until the receipt, or until so many pages were seen; the last page."""
        for _ in range(stop_after):
            if page.url.endswith(("/receipt", "/submit")):
                return page
            if page.url.endswith("/check"):
                page = self._post(page, None)
                continue
            page = self._list(page) if self._is_list(page) else self._post(page, self._member(page))
        return page

    def _is_list(self, page: Page) -> bool:
        return any(link.endswith("/add") for link in page.links)

    def _list(self, page: Page) -> Page:
        """Add the members one by one, then say that everybody is listed."""
        if self.added < len(self.household.members):
            member = self.household.members[self.added]
            self.added += 1
            form = self.send("GET", next(link for link in page.links if link.endswith("/add")), [])
            return self._post(form, member)
        parts = [link.rstrip("/").split("/") for link in page.links]
        listed = [part[-2] for part in parts if part[-1] == "remove"]
        self.rows = dict(zip(listed, self.household.members, strict=True))
        return self._post(page, None)

    def _member(self, page: Page) -> int | None:
        return self.rows.get(page.url.rstrip("/").split("/")[-1])

    def _post(self, page: Page, member: int | None) -> Page:
        form = next(form for form in page.forms if "form" in form.names)
        fields = [(control.name, control.value) for control in form.fields if control.kind == "hidden"]
        for name in dict.fromkeys(control.name for control in form.fields):
            place = self.household.index.places.get(name)
            if place is not None:
                fields += [(name, value) for value in self.household.says(place.question, member)]
        return self.send("POST", form.action, fields)
