"""Every page of a questionnaire in one document, with all it can ask and nobody's answers.

A phone keeps it, and repeats and fills the pages without a network (static/js/booklet.mjs). The same macros draw it that
draw the pages one by one: there is one renderer. `${…}` stays as written, for the phone to fill in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import get_args

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from survey.problems import Text
from survey.questionnaire import response as answered
from survey.questionnaire.codebook import MISSING
from survey.questionnaire.index import index
from survey.questionnaire.model import Choice, Page, Question, Questionnaire, Section
from survey.questionnaire.published import published
from survey.questionnaire.routing import Step
from survey.web import packing
from survey.web.guards import open_to_all
from survey.web.interview import (
    Interview,
    Mode,
    PageView,
    QuestionView,
    RowView,
    alone_on,
    paragraphs,
    worded,
)
from survey.web.packing import Packed
from survey.web.site import AnyRequest, Site, render, site_of
from survey.web.words import word

WORDS = (
    "section", "minutes", "error_title", "error_summary", "warning_summary", "opened_summary", "continue",
    "list.first", "list.another", "list.done", "list.count", "list.unnamed", "list.too_few", "list.too_many",
    "list.unfinished", "list.add_title", "list.first_title", "draw.chosen", "draw.of", "draw.one", "check.none",
    "list.remove_title",
)  # fmt: skip
"""What the phone says itself."""
_ROW = RowView(name="", facts="", change="#", remove="#")
_ANY_ROW = Choice(code="", label={})  # of a question whose options are the rows of a roster


@dataclass(frozen=True)
class _Unanswered(Interview):
    """Says every text as it is written."""

    def say(self, words: Text, step: Step | None = None) -> str:
        return words.get(self.language) or words.get(self.questionnaire.languages[0], "")


def blank_pages(questionnaire: Questionnaire, language: str, mode: Mode) -> Iterator[tuple[str, PageView]]:
    """(id, page) for every page: its own id, and "<id>-row" for the page of one row of a list."""
    interview = _Unanswered(questionnaire, answered.Response(id=""), "", mode, "", language)
    for section in questionnaire.sections:
        for page in section.pages:
            if page.kind == "list":
                yield page.id, replace(_blank(interview, section, page), questions=(), rows=(_ROW,))
                yield f"{page.id}-row", _row(interview, section, page)
            else:
                yield page.id, _blank(interview, section, page)


def _blank(interview: Interview, section: Section, page: Page) -> PageView:
    alone = alone_on(page)
    title = interview.say(page.title)
    if not title:
        title = interview.say(interview.label(alone) if alone else section.title)
    return PageView(
        title=title,
        paragraphs=paragraphs(interview.say(page.body)),
        action="",
        form="",
        back="#",
        questions=tuple(_question(interview, one) for one in page.questions if one.kind != "calculate"),
        kind=page.kind,
        legend_is_title=alone is not None,
        blank=True,
    )


def _row(interview: Interview, section: Section, page: Page) -> PageView:
    view = _blank(interview, section, page)
    title = word(interview.language, "list.add_title")
    return replace(view, kind="row", paragraphs=(), title=title, legend_is_title=False)


def _question(interview: Interview, question: Question) -> QuestionView:
    choices = (_ANY_ROW,) if question.rows is not None else index(interview.questionnaire).choices(question)
    return worded(interview, question, choices)


@dataclass(frozen=True)
class Booklet:
    """The document and its address, which changes with it: a phone keeps it for good."""

    url: str
    content: bytes

    @cached_property
    def packed(self) -> Packed:
        """As it is sent to every phone."""
        return Packed(self.content)


def booklet(site: Site, questionnaire: Questionnaire, version: str, language: str, mode: Mode) -> Booklet:
    """The booklet of a version in a language, drawn once."""
    name = f"/booklet/{version}/{language}/{mode}"
    if name not in site.booklets:
        content = render(
            site,
            "booklet.html",
            language,
            pages=list(blank_pages(questionnaire, language, mode)),
            mode=mode,
            rules=published(questionnaire, language),
            titles={
                one.id: one.title.get(language) or next(iter(one.title.values()))
                for one in questionnaire.sections
            },
            proxy={
                one.question.id: one.question.wording["proxy"].get(language, "")
                for one in index(questionnaire).places.values()
                if "proxy" in one.question.wording
            },
            words={key: word(language, key) for key in WORDS},
            missing={reason: said.get(language, said["vi"]) for reason, said in MISSING.items()},
        ).encode()
        site.booklets[name] = Booklet(f"{name}?{hashlib.sha256(content).hexdigest()[:12]}", content)
    return site.booklets[name]


@get("/booklet/{version:str}/{language:str}/{mode:str}", guards=[open_to_all])
async def read(
    request: AnyRequest, version: FromPath[str], language: FromPath[str], mode: FromPath[Mode]
) -> Response[bytes]:
    """Nobody's answers, so nobody needs to be known; `Refused` for a version that never was."""
    if language not in site_of(request).languages or mode not in get_args(Mode):
        raise NotFoundException
    site = site_of(request)
    found = booklet(site, await site.questionnaire(version), version, language, mode)
    current = found.url.endswith(f"?{request.url.query}")
    kept = "public, max-age=31536000, immutable" if current else "no-store"
    return await packing.sent(request, found.packed, "text/html", {"cache-control": kept})


HANDLERS = (read,)
