"""A household and its own data: see, take along, correct, ask for restriction, withdrawal or deletion, and agree.

Where a purpose rests on consent, nothing is asked before it has been answered yes or no, by itself; a purpose that is not
optional and refused ends the questionnaire there. An answer can be changed as long as the survey is open.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from msgspec import Struct
from sqlalchemy import Connection

from survey.access.rights import BY_HOUSEHOLD, DAYS, Kind, clock
from survey.questionnaire import routing
from survey.storage import audit, rights
from survey.storage.clock import now
from survey.storage.rights import Consent
from survey.web import forms, ids, words
from survey.web import interview as pages
from survey.web.agreed import words_hash
from survey.web.guards import needs
from survey.web.household import BASE, CONSENT, Here, here_of
from survey.web.site import AnyRequest, Site, check_form, form_of, goto, language_of, show, site_of, then
from survey.web.words import long_date, word

PAGE = f"{BASE}/my-data"


# --- consent -------------------------------------------------------------------------------------------------------


@get(CONSENT, guards=[needs("answer")])
async def ask_consent(request: AnyRequest) -> Response[str]:
    """Each purpose by itself, nothing ticked beforehand."""
    return _consent(request, await here_of(request))


def _consent(
    request: AnyRequest, here: Here, missing: tuple[str, ...] = (), said: Mapping[str, str] | None = None
) -> Response[str]:
    """`said`: what was answered on the page that lacks the rest; nothing is ticked but what the person ticked."""
    language = language_of(request)
    return show(
        request,
        "consent.html",
        422 if missing else 200,
        purposes=[
            (one.id, one.text.get(language, ""), one.optional) for one in here.site.survey.plan.legal.agreed
        ],
        refused=here.refused,
        missing=missing,
        said=said or {},
        action=CONSENT,
        csrf=here.signed.csrf,
    )


@post(CONSENT, status_code=200, guards=[needs("answer")])
async def consent(request: AnyRequest) -> Response[str]:
    """Keep every answer, with the text it was an answer to."""
    here = await here_of(request)
    form = await form_of(request)
    check_form(here.site, request, here.signed, form)
    purposes = here.site.survey.plan.legal.agreed
    said = {one.id: next(iter(form.get(one.id, ())), "") for one in purposes}
    missing = tuple(purpose for purpose, answer in said.items() if answer not in ("yes", "no"))
    if missing:
        return _consent(request, here, missing, said)
    language = language_of(request)
    given = [
        Consent(
            case=here.case.id, member=here.member, purpose=one.id, given=said[one.id] == "yes",
            text_hash=words_hash(one.text.get(language, "")),
            language=language, mode="self", at=now(),
        )
        for one in purposes
    ]  # fmt: skip
    await here.site.database.write(rights.record_consents, given)
    return then(request, BASE)


# --- one's own data ------------------------------------------------------------------------------------------------


@get(PAGE, guards=[needs("read_own")])
async def my_data(request: AnyRequest) -> Response[str]:
    """What is held, and what can be done about it."""
    here = await here_of(request)
    asked = await here.site.database.read(rights.requests_of, here.case.id)
    return _page(request, here, asked)


def _page(request: AnyRequest, here: Here, asked: list[rights.Request], error: str = "") -> Response[str]:
    language = language_of(request)
    plan = here.site.survey.plan
    return show(
        request,
        "my_data.html",
        422 if error else 200,
        parts=pages.summary(here.interview),
        consents=[(one.text.get(language, ""), here.consents.get(one.id)) for one in plan.legal.agreed],
        again=CONSENT if plan.legal.agreed and not here.member and not here.site.closed else "",
        by_law=not plan.legal.needed,
        closes=long_date(language, plan.dates.closes),
        correct="" if here.site.closed or here.by_visit else BASE,
        requests=[_line(one, language) for one in asked],
        kinds=[kind for kind in BY_HOUSEHOLD if kind != "withdraw" or plan.legal.needed],
        days=DAYS,
        error=error,
        action=PAGE,
        csrf=here.signed.csrf,
        form=ids.new_form_id(),
    )


def _line(request: rights.Request, language: str) -> dict[str, str]:
    received = datetime.datetime.fromtimestamp(request.at / 1000, forms.TIME_ZONE).date()
    until = clock(request.kind, received, extended=bool(request.extended))
    return {
        "what": word(language, f"requests.{request.kind}"),
        "received": long_date(language, received.isoformat()),
        "reply": long_date(language, until.reply.isoformat()),
        "done": long_date(language, until.done.isoformat()),
        "outcome": request.outcome or request.extended,
    }


@post(PAGE, status_code=200, guards=[needs("read_own")])
async def ask(request: AnyRequest) -> Response[str]:
    """Keep a request; its clock begins now."""
    here = await here_of(request)
    form = await form_of(request)
    check_form(here.site, request, here.signed, form)
    sent = next(iter(form.get("kind", ())), "")
    kind = next((one for one in BY_HOUSEHOLD if one == sent), None)
    if kind is None:
        asked = await here.site.database.read(rights.requests_of, here.case.id)
        return _page(request, here, asked, word(language_of(request), "my_data.needed"))
    id = ids.derived_id(next(iter(form.get("form", ())), "") or ids.new_form_id(), kind.encode())
    await here.site.database.write(_ask, here.site, id, here.case.id, kind)
    return then(request, PAGE)


def _ask(connection: Connection, site: Site, id: str, case: str, kind: Kind) -> None:
    rights.ask(connection, id, case, kind)
    audit.append(connection, f"household:{case}", f"rights: {kind}", f"case:{case}")


class OwnAnswers(Struct):
    """What a household takes along; each answer as it was kept."""

    case: str
    questionnaire: str
    answers: dict[str, Any]


@get(f"{PAGE}/answers.json", guards=[needs("read_own")])
async def download(request: AnyRequest) -> Response[bytes]:
    """The answers of whoever asks, to take along: every question that was open to this code, as it was kept."""
    here = await here_of(request)
    steps = here.interview.steps
    if not steps:
        return goto(PAGE)  # type: ignore[return-value]
    answers = {
        str(pages.Key(question.id, step.row)): msgspec.to_builtins(here.interview.response.answers[key])
        for step in steps
        for question in routing.visible(here.interview.questionnaire, here.interview.response, step)
        if (key := pages.Key(question.id, step.row)) in here.interview.response.answers
    }
    who = f"household:{here.case.id}"
    await site_of(request).database.write(audit.append, who, "answers taken along", f"case:{here.case.id}")
    facts = OwnAnswers(here.case.id, here.record.version, answers)
    headers = {"content-disposition": 'attachment; filename="answers.json"'}
    return Response(
        msgspec.json.format(msgspec.json.encode(facts)), media_type="application/json", headers=headers
    )


@get(f"{PAGE}/answers.txt", guards=[needs("read_own")])
async def download_to_read(request: AnyRequest) -> Response[str]:
    """The same in words, as they stand on the pages: a text that every phone and printer opens."""
    here = await here_of(request)
    parts = pages.summary(here.interview)
    if not parts:
        return goto(PAGE)
    lines = [words.said(here.site.survey.plan.title, here.interview.language), here.case.id]
    for part in parts:
        lines += ["", part.title.upper(), *(f"{line.question}\n    {line.answer}" for line in part.lines)]
    who = f"household:{here.case.id}"
    await here.site.database.write(audit.append, who, "answers taken along", f"case:{here.case.id}")
    headers = {"content-disposition": 'attachment; filename="answers.txt"'}
    text = (
        "\ufeff" + "\r\n".join("\n".join(lines).split("\n")) + "\r\n"
    )  # as the notepad of an old computer reads it
    return Response(text, media_type="text/plain", headers=headers)


HANDLERS = (ask_consent, consent, my_data, ask, download, download_to_read)
