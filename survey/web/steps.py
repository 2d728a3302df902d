"""The pages of an interview as requests ask for them: shared by the household alone and the official at the door.

Each takes the interview and an address and gives back a page to draw, an address to go to, or events to keep.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import msgspec
from litestar import Response

from survey.questionnaire.response import Event, fold
from survey.questionnaire.routing import Step
from survey.web import forms, ids
from survey.web import interview as pages
from survey.web.interview import Interview
from survey.web.site import AnyRequest, SignedIn, goto, show

Answered = tuple[tuple[Event, ...], str] | pages.PageView
"""Events to keep and the address to go to then, or the page again with what is wrong."""


def read_page(interview: Interview, page: str, row: str, change: bool) -> pages.PageView | str:
    """The page to draw, or where the interview goes on when this one is not on the path."""
    if (holder := _adding(row)) is not None:
        step = _open_list(interview, page, holder)
        return pages.show_add(interview, step, _new_row(holder)) if step else interview.next_url()
    step = interview.step(page, row)
    if step is None or (row and interview.locked(step.page)):
        return interview.next_url()
    return pages.show(interview, step, change=change)


def save_page(
    interview: Interview, respondent_draw: float, page: str, row: str, form: pages.Form, change: bool
) -> Answered:
    """What a posted page comes to. `respondent_draw` is the case's pre-seeded number for the draw of a person."""
    if (holder := _adding(row)) is not None:
        return _save_add(interview, page, holder, form)
    step = interview.step(page, row)
    if step is None or (row and interview.locked(step.page)):
        return (), interview.next_url()
    if step.page.kind == "draw" and step.page.draw not in interview.response.drawn:
        return forms.draw(interview, step, respondent_draw, form), interview.url(step)
    saved = forms.save(interview, step, form)
    if saved.findings:
        shown = None if step.lists else form
        return pages.show(interview, step, shown, saved.findings, change)
    return saved.events, _after(interview, step, saved.events, change)


def _adding(row: str) -> str | None:
    """The row that holds the list to which one is added ("" for the household's), or None for another address."""
    holder, _, last = row.rpartition(".")
    return holder if last == pages.ADD else None


def _open_list(interview: Interview, page: str, holder: str) -> Step | None:
    step = interview.step(page, holder)
    return step if step is not None and step.lists and not interview.locked(step.page) else None


def _new_row(holder: str) -> str:
    own = secrets.token_hex(4)
    return f"{holder}.{own}" if holder else own


def _save_add(interview: Interview, page: str, holder: str, form: pages.Form) -> Answered:
    step = _open_list(interview, page, holder)
    if step is None:
        return (), interview.next_url()
    row = next(iter(form.get("row", ())), "")
    above, _, own = row.rpartition(".")
    if above != holder or not (own.isalnum() and len(own) <= 16):
        row = _new_row(holder)
    saved = forms.save_add(interview, step, row, form)
    if saved.findings:
        return pages.show_add(interview, step, row, form, saved.findings)
    return saved.events, interview.url(step)


def _after(interview: Interview, step: Step, events: tuple[Event, ...], change: bool) -> str:
    """Where the path leads once the events are kept."""
    response = interview.response
    kept = fold(response.id, events)
    moved = msgspec.structs.replace(
        response, answers={**response.answers, **kept.answers}, done=response.done | kept.done
    )
    return replace(interview, response=moved).after(step, change)


def ask_remove_page(
    request: AnyRequest, interview: Interview, signed: SignedIn, page: str, row: str
) -> Response[str]:
    step = interview.step(page, row)
    if step is None or step.page.kind != "list" or step.lists or interview.locked(step.page):
        return goto(interview.next_url())
    return show(
        request,
        "remove.html",
        name=interview.row_name(step.page.roster or "", row),
        action=f"{interview.url(step)}/remove",
        keep=interview.list_url(step),
        csrf=signed.csrf,
        form=ids.new_form_id(),
    )


def remove_page(interview: Interview, page: str, row: str, form: pages.Form) -> tuple[tuple[Event, ...], str]:
    step = interview.step(page, row)
    if step is None or step.page.kind != "list" or step.lists or interview.locked(step.page):
        return (), interview.next_url()
    return (forms.remove_row(interview, step, form),), interview.list_url(step)


def check_page(
    request: AnyRequest, interview: Interview, signed: SignedIn, stop: str, **facts: object
) -> Response[str]:
    """The summary; `facts` are what its script is told, if it has one."""
    if (left := interview.next_url()) != f"{interview.base}/check":
        return goto(left)
    return show(
        request,
        "check.html",
        back=interview.last_url(),
        parts=pages.summary(interview),
        closed=interview.closed,
        action=f"{interview.base}/submit",
        stop=stop,
        csrf=signed.csrf,
        form=ids.new_form_id(),
        **facts,
    )
