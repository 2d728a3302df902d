"""From the form of a page to events: what is kept of it, under which id, or what is wrong with it.

Pure but for clock and chance: the handlers bring the response and keep the events. static/js/events.mjs makes the same
events on a phone.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from survey.fieldwork.sample import SampledUnit
from survey.problems import Finding
from survey.questionnaire import routing
from survey.questionnaire.checks import read_form
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key
from survey.questionnaire.routing import Step
from survey.web.ids import derived_id, milliseconds, new_form_id, time_of
from survey.web.interview import Form, Interview, Mode, new_row
from survey.web.words import word

TIME_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True)
class Saved:
    """What a form led to: events to keep and where to go, or findings to show on the same page."""

    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()


def save(interview: Interview, step: Step, form: Form) -> Saved:
    """The events of a page's form, or what is wrong with it."""
    page = step.page
    if step.lists:
        return _finish_list(interview, step, form)
    read = read_form(interview.questionnaire, interview.response, step, form)
    if not read.accepted:
        return Saved(findings=read.findings)
    if page.kind in ("notice", "draw"):
        events = [form_event(interview, form, "page_done", page=page.id, row=step.row)]
        if read.answers:
            events.insert(0, form_event(interview, form, "answered", page=page.id, answers=read.answers))
        return Saved(tuple(events))
    return Saved((form_event(interview, form, "answered", page=page.id, row=step.row, answers=read.answers),))


def _finish_list(interview: Interview, step: Step, form: Form) -> Saved:
    roster = index(interview.questionnaire).rosters[step.page.roster or ""]
    rows = interview.rows(step)
    if len(rows) < roster.minimum:
        said = {code: word(code, "list.too_few", n=roster.minimum) for code in ("vi", "en")}
        return Saved(findings=(Finding(code="too_few", where="list", message=said),))
    for row in rows:
        unfinished = interview.step(step.page.id, row)
        if unfinished and not interview.done(unfinished):
            name = interview.row_name(roster.id, row)
            said = {code: word(code, "list.unfinished", name=name) for code in ("vi", "en")}
            return Saved(findings=(Finding(code="unfinished", where="list", message=said),))
    held = {"row": step.row} if step.row else {}
    return Saved((form_event(interview, form, "page_done", page=step.page.id, **held),))


def save_add(interview: Interview, step: Step, row: str, form: Form) -> Saved:
    """A new roster row with its answers, as two events."""
    roster = index(interview.questionnaire).rosters[step.page.roster or ""]
    if len(interview.rows(step)) >= roster.maximum:
        said = {code: word(code, "list.too_many", n=roster.maximum) for code in ("vi", "en")}
        return Saved(findings=(Finding(code="too_many", where="list", message=said),))
    with_row, new = new_row(interview, step, row)
    read = read_form(with_row.questionnaire, with_row.response, new, form)
    if not read.accepted:
        return Saved(findings=read.findings)
    return Saved(
        (
            form_event(interview, form, "row_added", roster=roster.id, row=row),
            form_event(interview, form, "answered", page=step.page.id, row=row, answers=read.answers),
        )
    )


def remove_row(interview: Interview, step: Step, form: Form) -> Event:
    """The row leaves the list; its answers are set aside, not deleted."""
    return form_event(interview, form, "row_removed", roster=step.page.roster or "", row=step.row)


def draw(interview: Interview, step: Step, number: float, form: Form) -> tuple[Event, ...]:
    """Lock the roster and draw one row by the case's pre-seeded number."""
    definition = index(interview.questionnaire).draws[step.page.draw or ""]
    row, eligible = routing.draw_row(interview.questionnaire, interview.response, definition.id, number)
    return (
        form_event(interview, form, "locked", roster=definition.roster),
        form_event(interview, form, "drawn", draw=definition.id, row=row, eligible=eligible),
    )


def submit(interview: Interview, form: Form) -> Event:
    return form_event(interview, form, "submitted")


def reopen(interview: Interview, form: Form) -> Event:
    return form_event(interview, form, "reopened")


def opened(
    response: str,
    author: str,
    mode: Mode,
    language: str,
    questionnaire: Questionnaire,
    today: datetime.date,
    unit: SampledUnit | None = None,
) -> Event:
    """The first event: which questionnaire, in which language, on which day ("three months" count from it), and what
    the sample knows of the household beforehand."""
    known = routing.preloaded(questionnaire, msgspec.structs.asdict(unit)) if unit else {}
    return Event(
        id=new_form_id(), response=response, kind="opened", at=milliseconds(), author=author, mode=mode,
        language=language, version=questionnaire.version, today=today.isoformat(),
        answers={str(key): answer for key, answer in known.items()},
    )  # fmt: skip


def today() -> datetime.date:
    """The day in Viet Nam."""
    return datetime.datetime.now(TIME_ZONE).date()


def moment(at: int) -> str:
    """Day and time in Viet Nam (`at` in milliseconds since 1970), as the office reads them; "" for 0, never."""
    return datetime.datetime.fromtimestamp(at / 1000, TIME_ZONE).strftime("%d/%m/%Y %H:%M") if at else ""


def form_event(
    interview: Interview, form: Form, kind: str, answers: Mapping[Key, Answer] | None = None, **facts: object
) -> Event:
    """An event whose id follows from the form it came by and what it says.

    A double click sends the same form twice and makes one event; a page that was kept by the browser and sent again
    with another answer makes another. The time is the form's, so that both copies are the same to the byte.
    """
    form_id = next(iter(form.get("form", ())), "") or new_form_id()
    said = {str(key): answer for key, answer in (answers or {}).items()}
    body = msgspec.json.encode([interview.response.id, kind, facts, said], order="deterministic")
    return msgspec.convert(
        {
            "id": derived_id(form_id, body),
            "response": interview.response.id,
            "kind": kind,
            "at": time_of(form_id),
            "author": interview.author,
            "mode": interview.mode,
            "language": interview.language,
            **facts,
            "answers": msgspec.to_builtins(said),
        },
        Event,
    )
