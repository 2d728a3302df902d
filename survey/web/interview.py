"""One interview, page by page: the same for a household alone and for an official at the door.

Reading shows what is kept and changes nothing: here is what a template gets. `survey.web.forms` turns forms into events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from survey.problems import Finding, Text
from survey.questionnaire import piping, routing
from survey.questionnaire.checks import DONT_KNOW, REFUSED, read_form
from survey.questionnaire.codebook import MISSING
from survey.questionnaire.index import index, specify_variable
from survey.questionnaire.model import Choice, Page, Question, Questionnaire
from survey.questionnaire.response import Answer, Key, Response
from survey.questionnaire.routing import Step
from survey.web.ids import new_form_id
from survey.web.words import word

Form = Mapping[str, Sequence[str]]
Mode = Literal["self", "visit", "proxy", "phone", "paper"]
ADD = "add"
ENDS = ("?", ".", "!", "…", ":")
"""After these a label needs no colon before what is wrong with its answer."""


@dataclass(frozen=True)
class Interview:
    """What a page needs: the questionnaire, the response so far, who writes, and under which address."""

    questionnaire: Questionnaire
    response: Response
    author: str
    mode: Mode
    base: str
    language: str
    hidden: frozenset[tuple[str, str]] = frozenset()
    """(page, row) of what somebody else answers, or what must not be shown to whoever writes."""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The path, as far as it is open to whoever writes."""
        found = routing.path(self.questionnaire, self.response)
        return tuple(step for step in found if (step.page.id, step.row) not in self.hidden)

    @property
    def closed(self) -> int:
        """How many pages of the path are done and not open to whoever writes."""
        found = routing.path(self.questionnaire, self.response)
        return sum(self.done(step) and (step.page.id, step.row) in self.hidden for step in found)

    def step(self, page: str, row: str = "") -> Step | None:
        """The step of this address, if it is on the path now."""
        return next((step for step in self.steps if step.page.id == page and step.row == row), None)

    def url(self, step: Step) -> str:
        return f"{self.base}/p/{step.page.id}" + (f"/{step.row}" if step.row else "")

    def next_url(self) -> str:
        """Where one goes on: the first page that is not done, or the summary."""
        step = next((step for step in self.steps if not self.done(step)), None)
        return self.url(step) if step else f"{self.base}/check"

    def after(self, step: Step, change: bool) -> str:
        """Where saving leads: to the next page of the path, or back to the summary after a correction."""
        if change or step not in self.steps:
            return self.next_url()
        if _row_of_list(step):
            return self.list_url(step)
        place = self.steps.index(step)
        following = next((other for other in self.steps[place + 1 :] if not _row_of_list(other)), None)
        unfinished = next(
            (other for other in self.steps[: place + 1] if not self.done(other)), None
        )  # a correction may have opened an earlier page
        if unfinished is not None:
            return self.url(unfinished)
        return self.url(following) if following else f"{self.base}/check"

    def before(self, step: Step) -> str:
        """The page before this one, or ""."""
        if _row_of_list(step):
            return self.list_url(step)
        earlier = [other for other in self.steps if not _row_of_list(other)]
        place = earlier.index(step) if step in earlier else 0
        return self.url(earlier[place - 1]) if place else ""

    def last_url(self) -> str:
        """The page before the summary, or "" where nothing is open to whoever writes."""
        step = next((step for step in reversed(self.steps) if not _row_of_list(step)), None)
        return self.url(step) if step else ""

    def list_url(self, step: Step) -> str:
        """The list that holds a step's row; of a roster within another it stands at the row that holds it."""
        holder = step.row if step.lists else step.row.rpartition(".")[0]
        return f"{self.base}/p/{step.page.id}" + (f"/{holder}" if holder else "")

    def add_url(self, step: Step) -> str:
        """Where a row is added to a list."""
        return (
            f"{self.base}/p/{step.page.id}/{step.row}.{ADD}"
            if step.row
            else f"{self.base}/p/{step.page.id}/{ADD}"
        )

    def rows(self, step: Step) -> Sequence[str]:
        """The rows of a list, in order."""
        return routing.walk(self.questionnaire, self.response).rows(step.page.roster or "", step.row)

    def done(self, step: Step) -> bool:
        return routing.is_done(self.questionnaire, self.response, step)

    def say(self, words: Text, step: Step | None = None) -> str:
        return piping.say(words, self.questionnaire, self.response, step, self.language, self.mode)

    def label(self, question: Question) -> Text:
        """A question's words for whoever answers."""
        by_proxy = routing.walk(self.questionnaire, self.response).by_proxy
        return piping.label(question, self.mode, by_proxy)

    def row_name(self, roster: str, row: str) -> str:
        named = piping.row_name(self.questionnaire, self.response, roster, row)
        return named or word(self.language, "list.unnamed")

    def locked(self, page: Page) -> bool:
        return bool(page.roster) and page.roster in self.response.locked


def _row_of_list(step: Step) -> bool:
    return step.page.kind == "list" and not step.lists


# --- what a template gets ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OptionView:
    """One choice as drawn: what it sends, its words, whether it is chosen; `specify` names its text field."""

    value: str
    label: str
    hint: str = ""
    checked: bool = False
    exclusive: bool = False
    specify: str = ""
    specified: str = ""
    place: str = ""  # its number in a ranking


@dataclass(frozen=True)
class QuestionView:
    """One question as drawn. `control`: radios, list, checkboxes, rank, text, textarea, date, acknowledge, note, preload,
    photo (`picture` is the address of the one that is kept). `help`: what opens it ("What is 4G?"), then its paragraphs."""

    id: str
    control: str
    label: str
    hint: str = ""
    help: tuple[str, ...] = ()
    for_official: str = ""
    options: tuple[OptionView, ...] = ()
    missing: tuple[OptionView, ...] = ()
    value: str = ""
    parts: tuple[str, str, str] = ("", "", "")
    unit: str = ""
    max_length: int = 200
    numeric: bool = False
    optional: bool = False
    error: str = ""
    warning: str = ""
    opened: str = ""
    remark: str = ""
    audio: str = ""
    picture: str = ""


@dataclass(frozen=True)
class RowView:
    """One line of a roster's list."""

    name: str
    facts: str
    change: str
    remove: str


@dataclass(frozen=True)
class PageView:
    """One page of the interview. `action` is where its form goes, `form` the id its events are derived from."""

    title: str
    paragraphs: tuple[str, ...]
    action: str
    form: str
    back: str
    questions: tuple[QuestionView, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()  # (anchor, words)
    tone: str = ""
    section: str = ""
    minutes: str = ""
    done: float = 0.0  # share of the path, for the progress line
    kind: str = "questions"
    rows: tuple[RowView, ...] = ()
    add: str = ""
    locked: bool = False
    drawn: str = ""
    drawn_note: str = ""
    row: str = ""
    legend_is_title: bool = False
    change: bool = False
    blank: bool = False  # nobody's page, with all it can show (survey.web.booklet)

    @property
    def photos(self) -> bool:
        """Whether the form carries files."""
        return any(question.control == "photo" for question in self.questions)


def show(
    interview: Interview,
    step: Step,
    form: Form | None = None,
    findings: Sequence[Finding] = (),
    change: bool = False,
) -> PageView:
    """The page of a step, with what is kept, or with what was just sent and what is wrong with it."""
    page = step.page
    if step.lists:
        return _list(interview, step, findings, change)
    trial = interview.response
    if form is not None:  # so that questions opened by the answers just sent are shown
        sent = read_form(interview.questionnaire, trial, step, form).answers
        trial = msgspec.structs.replace(trial, answers={**trial.answers, **sent})
    shown = routing.visible(interview.questionnaire, trial, step)
    questions = tuple(_question(interview, trial, step, question, form, findings) for question in shown)
    alone = alone_on(page)
    title = interview.say(page.title, step) or (
        interview.say(interview.label(alone), step) if alone else interview.say(step.section.title)
    )
    return PageView(
        **_frame(interview, step),
        title=title,
        paragraphs=paragraphs(interview.say(page.body, step)),
        form=new_form_id(),
        questions=questions,
        errors=_errors(findings, questions),
        tone=_tone(findings),
        kind="row" if _row_of_list(step) else page.kind,
        legend_is_title=alone is not None,
        change=change,
        row=step.row,
        **_draw(interview, page),
    )


def alone_on(page: Page) -> Question | None:
    """The question that is the title of its page: the only one there, on a page without a title."""
    asked = [question for question in page.questions if question.kind != "calculate"]
    return asked[0] if len(asked) == 1 and not page.title else None


def _tone(findings: Sequence[Finding]) -> str:
    """How the summary speaks: of mistakes, of answers to look at once more, or of questions that have opened."""
    if all(finding.code == "opened" for finding in findings):
        return "opened"
    return "warning" if all(finding.severity == "warning" for finding in findings) else "error"


def _frame(interview: Interview, step: Step) -> dict[str, Any]:
    progress = routing.progress(interview.questionnaire, interview.response, step)
    language = interview.language
    return {
        "action": interview.url(step),
        "back": interview.before(step),
        "section": word(
            language,
            "section",
            section=progress.section,
            sections=progress.sections,
            title=interview.say(step.section.title),
        ),
        "minutes": word(language, "minutes", n=progress.minutes_left) if progress.minutes_left else "",
        "done": progress.done / progress.total if progress.total else 1.0,
    }


def _draw(interview: Interview, page: Page) -> dict[str, str]:
    if page.kind != "draw" or not page.draw or page.draw not in interview.response.drawn:
        return {}
    roster = index(interview.questionnaire).draws[page.draw].roster
    name = interview.row_name(roster, interview.response.drawn[page.draw])
    count = interview.response.eligible.get(page.draw, 0)
    note = word(interview.language, "draw.of", n=count) if count > 1 else word(interview.language, "draw.one")
    return {"drawn": word(interview.language, "draw.chosen", name=name), "drawn_note": note}


def _list(interview: Interview, step: Step, findings: Sequence[Finding], change: bool) -> PageView:
    page = step.page
    roster = page.roster or ""
    locked = interview.locked(page)
    rows = []
    for row in interview.rows(step):
        address = f"{interview.base}/p/{page.id}/{row}"
        rows.append(
            RowView(
                interview.row_name(roster, row),
                _facts(interview, page, row),
                "" if locked else address,
                "" if locked else f"{address}/remove",
            )
        )
    return PageView(
        **_frame(interview, step),
        title=interview.say(page.title, step),
        paragraphs=paragraphs(interview.say(page.body, step)),
        form=new_form_id(),
        errors=tuple(("main", interview.say(finding.message)) for finding in findings),
        tone=_tone(findings),
        kind="list",
        rows=tuple(rows),
        add=interview.add_url(step),
        locked=locked,
        change=change,
    )


def _facts(interview: Interview, page: Page, row: str) -> str:
    """What is said of a row in the list: its short answers, without its name."""
    name = index(interview.questionnaire).rosters[page.roster or ""].name
    said = [
        said_answer(interview, question, Key(question.id, row))
        for question in page.questions
        if question.id != name and question.kind in ("select_one", "year", "integer")
    ]
    return ", ".join(part for part in said if part)


def show_add(
    interview: Interview, step: Step, row: str, form: Form | None = None, findings: Sequence[Finding] = ()
) -> PageView:
    """The empty page of a new roster row; the row exists only once it is saved."""
    with_row, new = new_row(interview, step, row)
    view = show(with_row, new, form, findings)
    title = word(interview.language, "list.add_title" if interview.rows(step) else "list.first_title")
    return replace(view, title=title, paragraphs=(), action=interview.add_url(step), back=interview.url(step))


def new_row(interview: Interview, step: Step, row: str) -> tuple[Interview, Step]:
    """The interview as if the row were on its list. A form that arrives twice finds its row there already."""
    roster = step.page.roster or ""
    there = interview.response.rows.get(roster, ())
    rows = {**interview.response.rows, roster: there if row in there else (*there, row)}
    changed = replace(interview, response=msgspec.structs.replace(interview.response, rows=rows))
    return changed, Step(step.section, step.page, row)


def _question(
    interview: Interview,
    trial: Response,
    step: Step,
    question: Question,
    form: Form | None,
    findings: Sequence[Finding],
) -> QuestionView:
    kept = trial.answers.get(Key(question.id, step.row))
    chosen, missing = _chosen(question, kept, form)
    here = [finding for finding in findings if finding.where == question.id]
    value = next(iter(chosen), "")
    date = value.split("-") if question.kind == "date" and value else ["", "", ""]
    offered = routing.walk(interview.questionnaire, trial).choices(question, step.row)
    return replace(
        worded(interview, question, (), step),
        options=tuple(
            replace(
                option_view(interview, question, choice, step),
                checked=choice.code in chosen,
                place=_place(question, choice, chosen, form),
                specified=_specified(question, choice, trial, step, form),
            )
            for choice in offered
        ),
        missing=_missing_options(interview.language, question, missing),
        value=said_answer(interview, question, Key(question.id, step.row))
        if question.kind == "preload"
        else value,
        parts=(date[2], date[1], date[0]) if len(date) == 3 else ("", "", ""),
        error=" ".join(
            interview.say(f.message) for f in here if f.severity == "error" and f.code != "opened"
        ),
        warning=" ".join(interview.say(f.message) for f in here if f.severity == "warning"),
        opened=" ".join(interview.say(f.message) for f in here if f.code == "opened"),
        remark=kept.remark if kept else "",
        picture=f"{interview.base}/photo/{value}" if question.kind == "photo" and len(value) == 64 else "",
    )


_CONTROLS = {
    "select_one": "radios", "select_many": "checkboxes", "rank": "rank", "date": "date",
    "acknowledge": "acknowledge", "note": "note", "preload": "preload", "photo": "photo",
}  # fmt: skip


LONG = 15
"""Options beyond which a list is opened to choose from, instead of standing on the page."""


def _control(interview: Interview, question: Question) -> str:
    if question.kind == "text" and question.max_length > 100:
        return "textarea"
    choices = index(interview.questionnaire).choices(question)
    long = len(choices) > LONG and not any(choice.specify or choice.hint for choice in choices)
    return "list" if question.kind == "select_one" and long else _CONTROLS.get(question.kind, "text")


def _place(question: Question, choice: Choice, chosen: Sequence[str], form: Form | None) -> str:
    if form is not None:
        return next(iter(form.get(f"{question.id}.rank.{choice.code}", ())), "")
    return str(chosen.index(choice.code) + 1) if question.kind == "rank" and choice.code in chosen else ""


def worded(
    interview: Interview, question: Question, choices: Sequence[Choice], step: Step | None = None
) -> QuestionView:
    """A question's words and control, without an answer."""
    return QuestionView(
        id=question.id,
        control=_control(interview, question),
        label=interview.say(interview.label(question), step),
        hint=interview.say(question.hint, step),
        help=explanation(interview.say(question.help, step), interview.language),
        for_official=interview.say(question.for_official, step) if interview.mode != "self" else "",
        options=tuple(option_view(interview, question, choice, step) for choice in choices),
        missing=_missing_options(interview.language, question),
        unit=interview.say(question.unit, step),
        max_length=question.max_length,
        numeric=question.kind in ("integer", "decimal", "year"),
        optional=not question.required and question.kind not in routing.SILENT,
        audio=question.audio.get(interview.language, ""),
    )


def option_view(
    interview: Interview, question: Question, choice: Choice, step: Step | None = None
) -> OptionView:
    return OptionView(
        value=choice.code,
        label=interview.say(choice.label, step),
        hint=interview.say(choice.hint, step),
        exclusive=choice.exclusive,
        specify=specify_variable(question.id, choice.code) if choice.specify else "",
    )


def _chosen(question: Question, kept: Answer | None, form: Form | None) -> tuple[tuple[str, ...], str]:
    """The values to show as chosen, and the reason for a missing answer ("-dk", "-rf" or "")."""
    if form is not None:
        sent = tuple(form.get(question.id, ()))
        if question.kind == "date" and not sent:
            parts = [
                next(iter(form.get(f"{question.id}.{part}", ())), "") for part in ("year", "month", "day")
            ]
            sent = ("-".join(parts),) if any(parts) else ()
        reason = next(
            (s for s in (*form.get(f"{question.id}.missing", ()), *sent) if s in (DONT_KNOW, REFUSED)), ""
        )
        return tuple(s for s in sent if s not in (DONT_KNOW, REFUSED)), reason
    if kept is None:
        return (), ""
    if kept.missing is not None:
        return (), {"dont_know": DONT_KNOW, "refused": REFUSED}.get(kept.missing, "")
    if isinstance(kept.value, list):
        return tuple(kept.value), ""
    if isinstance(kept.value, bool):
        return ("1",) if kept.value else (), ""
    return (str(kept.value),), ""


def _specified(question: Question, choice: Choice, trial: Response, step: Step, form: Form | None) -> str:
    name = specify_variable(question.id, choice.code)
    kept = trial.answers.get(Key(name, step.row))
    if form is not None:
        return next(iter(form.get(name, ())), "")
    return str(kept.value or "") if kept else ""


def _missing_options(language: str, question: Question, missing: str = "") -> tuple[OptionView, ...]:
    if question.kind in ("note", "acknowledge"):
        return ()
    offered = []
    if question.dont_know:
        offered.append(OptionView(DONT_KNOW, word(language, "dont_know"), checked=missing == DONT_KNOW))
    if question.refused:
        offered.append(OptionView(REFUSED, word(language, "refused"), checked=missing == REFUSED))
    return tuple(offered)


def _errors(findings: Sequence[Finding], questions: Sequence[QuestionView]) -> tuple[tuple[str, str], ...]:
    said = {
        view.id: f"{view.label}{'' if view.label.endswith(ENDS) else ':'} {view.error or view.warning or view.opened}"
        for view in questions
    }
    shown = [(f"q-{finding.where}", said[finding.where]) for finding in findings if finding.where in said]
    return tuple(dict.fromkeys(shown))


def explanation(text: str, language: str) -> tuple[str, ...]:
    """A help text as the words that open it and what they open: the first paragraph opens it where it is a question."""
    parts = paragraphs(text)
    return (
        parts if len(parts) > 1 and parts[0].endswith("?") else parts and (word(language, "explain"), *parts)
    )


def paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("\n\n") if part.strip())


# --- the summary ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SummaryLine:
    """One question with its answer and where to change it ("" where it is locked)."""

    question: str
    answer: str
    change: str


@dataclass(frozen=True)
class SummaryPart:
    """A section of the summary, or one row of a roster within it."""

    title: str
    lines: tuple[SummaryLine, ...]
    locked: bool = False


def summary(interview: Interview) -> tuple[SummaryPart, ...]:
    """Everything answered on the path, in order."""
    parts: list[SummaryPart] = []
    for step in interview.steps:
        lines = tuple(
            SummaryLine(
                interview.say(interview.label(question), step),
                said_answer(interview, question, Key(question.id, step.row))
                or word(interview.language, "check.none"),
                "" if interview.locked(step.page) else f"{interview.url(step)}?change=1",
            )
            for question in routing.visible(interview.questionnaire, interview.response, step)
            if question.kind not in ("note", "preload")
        )
        if not lines:
            continue
        title = interview.say(step.section.title)
        if step.row and not step.page.of:
            title = f"{title}: {interview.row_name(index(interview.questionnaire).roster_of(step.page), step.row)}"
        if parts and parts[-1].title == title:
            parts[-1] = replace(parts[-1], lines=parts[-1].lines + lines)
        else:
            parts.append(SummaryPart(title, lines, interview.locked(step.page)))
    return tuple(parts)


def said_answer(interview: Interview, question: Question, key: Key) -> str:
    """An answer in words: labels for codes, the reason where there is none, "" where nothing was said."""
    answer = interview.response.answers.get(key)
    if answer is None:
        return ""
    if answer.missing is not None:
        return interview.say(MISSING[answer.missing])
    labels = {choice.code: choice for choice in index(interview.questionnaire).choices(question)}
    codes = answer.value if isinstance(answer.value, list) else [str(answer.value)]
    if question.kind == "photo":
        return word(interview.language, "photo.kept")
    if question.rows is not None:
        return "; ".join(interview.row_name(question.rows, code) or code for code in codes)
    if not labels:
        return ", ".join(codes) if not isinstance(answer.value, bool) else "✓"
    said = []
    for code in codes:
        words = interview.say(labels[code].label) if code in labels else code
        other = interview.response.answers.get(Key(specify_variable(question.id, code), key.row))
        said.append(f"{words}: {other.value}" if other and other.value else words)
    return "; ".join(said)
