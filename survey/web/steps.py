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
    if row == pages.ADD:
        step = interview.step(page)
        if step is None or step.page.kind != "list" or interview.locked(step.page):
            return interview.next_url()
        return pages.show_add(interview, step, secrets.token_hex(4))
    step = interview.step(page, row)
    if step is None or (row and interview.locked(step.page)):
        return interview.next_url()
    return pages.show(interview, step, change=change)


def save_page(
    interview: Interview, respondent_draw: float, page: str, row: str, form: pages.Form, change: bool
) -> Answered:
    """What a posted page comes to. `respondent_draw` is the case's pre-seeded number for the draw of a person."""
    if row == pages.ADD:
        return _save_add(interview, page, form)
    step = interview.step(page, row)
    if step is None or (row and interview.locked(step.page)):
        return (), interview.next_url()
    if step.page.kind == "draw" and step.page.draw not in interview.response.drawn:
        return forms.draw(interview, step, respondent_draw, form), interview.url(step)
    saved = forms.save(interview, step, form)
    if saved.findings:
        shown = None if step.page.kind == "list" and not step.row else form
        return pages.show(interview, step, shown, saved.findings, change)
    return saved.events, _after(interview, step, saved.events, change)


def _save_add(interview: Interview, page: str, form: pages.Form) -> Answered:
    step = interview.step(page)
    if step is None or step.page.kind != "list" or interview.locked(step.page):
        return (), interview.next_url()
    row = next(iter(form.get("row", ())), "")
    if not (row.isalnum() and len(row) <= 16):
        row = secrets.token_hex(4)
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
    if step is None or step.page.kind != "list" or interview.locked(step.page):
        return goto(interview.next_url())
    address = f"{interview.base}/p/{page}"
    return show(
        request,
        "remove.html",
        name=interview.row_name(step.page.roster or "", row),
        action=f"{address}/{row}/remove",
        keep=address,
        csrf=signed.csrf,
        form=ids.new_form_id(),
    )


def remove_page(interview: Interview, page: str, row: str, form: pages.Form) -> tuple[tuple[Event, ...], str]:
    step = interview.step(page, row)
    if step is None or step.page.kind != "list" or interview.locked(step.page):
        return (), interview.next_url()
    return (forms.remove_row(interview, step, form),), f"{interview.base}/p/{page}"


def check_page(request: AnyRequest, interview: Interview, signed: SignedIn, stop: str) -> Response[str]:
    if (left := interview.next_url()) != f"{interview.base}/check":
        return goto(left)
    return show(
        request,
        "check.html",
        parts=pages.summary(interview),
        closed=interview.closed,
        action=f"{interview.base}/submit",
        stop=stop,
        csrf=signed.csrf,
        form=ids.new_form_id(),
    )
