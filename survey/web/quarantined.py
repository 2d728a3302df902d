"""What phones sent and could not simply be taken in: a supervisor takes it into the responses or leaves it out, with a reason.

Nobody sees an answer here. What is taken in goes through the same judgement as everything that is sent, except for what a
person can vouch for: a lost phone, a wrong clock, a case that changed hands, an old questionnaire, an answer that came
after the interview had been submitted. Either way the item stays kept, with who decided what and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.fieldwork.plan import Legal
from survey.fieldwork.reception import REASONS, Sender
from survey.problems import Conflict
from survey.questionnaire import routing
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Event, fold
from survey.storage import audit, quarantine, responses, reviews, rights, surveys
from survey.storage.accounts import Account
from survey.storage.clock import now
from survey.storage.quarantine import Misfit
from survey.web import ids, supervision
from survey.web.agreed import agreed
from survey.web.field import actor
from survey.web.forms import moment
from survey.web.guards import needs
from survey.web.noted import noted
from survey.web.site import (
    AnyRequest,
    NotYours,
    SignedIn,
    Site,
    check_form,
    form_of,
    goto,
    language_of,
    show,
    site_of,
)
from survey.web.sync import Arrived, Facts, judge, keep, known_of, questionnaires_of, read_item
from survey.web.words import number, word

BASE = "/office/quarantine"


@dataclass(frozen=True)
class Group:
    """What belongs together: all that waits of one response, or the visits and findings of one case."""

    items: tuple[Misfit, ...]

    @property
    def id(self) -> str:
        return self.items[0].hash


def _groups(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[SignedIn, Account, dict[str, Group]]:
    signed, account = supervision.signed_for(connection, site, request, "decide_quarantine")
    together: dict[tuple[str, str], list[Misfit]] = {}
    for one in quarantine.waiting(connection, supervision.communes_of(account)):
        own = one.response or (one.case and f"case:{one.case}") or one.hash
        together.setdefault((one.kind, own), []).append(one)
    groups = [Group(tuple(items)) for items in together.values()]
    return signed, account, {group.id: group for group in groups}


@get(BASE, guards=[needs("decide_quarantine")])
async def waiting(request: AnyRequest) -> Response[str]:
    """What waits, with the reason; nothing of it is lost."""
    signed, account, found = await site_of(request).database.read(_groups, site_of(request), request)
    return _page(request, signed, account, found)


def _page(
    request: AnyRequest, signed: SignedIn, account: Account, found: Mapping[str, Group], error: str = ""
) -> Response[str]:
    language = language_of(request)
    lines = []
    for group in found.values():
        first = group.items[0]
        what = word(language, f"quarantine.{first.kind}")
        at = moment(first.received_at)
        said = [
            word(language, "quarantine.items", n=number(language, len(group.items)), what=what),
            first.author,
            word(language, "quarantine.arrived", time=at),
        ]
        reasons = dict.fromkeys(one.reason for one in group.items)
        lines.append(
            (group.id, first.case, " · ".join(filter(None, said)), [_why(one, language) for one in reasons])
        )
    return show(
        request, "supervision/quarantine.html", 422 if error else 200, lines=lines, error=error,
        **supervision.frame(request, signed, account),
    )  # fmt: skip


def _why(reason: str, language: str) -> str:
    said: Mapping[str, Mapping[str, str]] = REASONS  # type: ignore[assignment]
    return said.get(reason, {}).get(language, reason)


@post(BASE + "/{digest:str}", status_code=200, guards=[needs("decide_quarantine")])
async def settle(request: AnyRequest, digest: FromPath[str]) -> Response[str]:
    """Take in, or leave out, with a reason; what cannot be taken in goes on waiting and the page says why."""
    site, language = site_of(request), language_of(request)
    form = await form_of(request)
    signed, account, found = await site.database.read(_groups, site, request)
    check_form(site, request, signed, form)
    if digest not in found:
        raise NotYours("case")
    group = found[digest]
    reason, act = (next(iter(form.get(name, ())), "").strip()[:500] for name in ("decision", "act"))
    if not reason:
        return _page(request, signed, account, found, word(language, "quarantine.reason_needed"))
    if act != "accept":
        await site.database.write(_leave_out, account.name, group, reason)
        return goto(BASE)
    arrived = [read_item(one.kind, one.document.encode(), place) for place, one in enumerate(group.items)]  # type: ignore[arg-type]
    facts = await site.database.read(_facts, account, arrived)
    questionnaires = await questionnaires_of(site, facts, arrived)
    opened = judge(arrived, facts, questionnaires, site, vouched=True)
    try:
        stays = await site.database.write(
            _take_in,
            facts,
            group,
            arrived,
            opened,
            questionnaires,
            site.survey.plan.legal,
            account.name,
            reason,
        )
    except Conflict:
        return _page(request, signed, account, found, word(language, "quarantine.left_open"))
    if stays:
        signed, account, found = await site.database.read(_groups, site, request)
        why = " ".join(_why(one, language) for one in stays)
        return _page(request, signed, account, found, word(language, "quarantine.stays", why=why))
    return goto(BASE)


def _leave_out(connection: Connection, name: str, group: Group, reason: str) -> None:
    for one in group.items:
        responses.resolve(connection, one.hash, f"{name}: left out: {reason}")
    _told(connection, name, group, "quarantine left out", len(group.items))


def _told(connection: Connection, name: str, group: Group, deed: str, items: int) -> None:
    first = group.items[0]
    subject = f"case:{first.case}" if first.case else f"quarantine:{group.id}"
    audit.append(connection, f"account:{name}", deed, subject, {"items": items, "quarantine": group.id})


def _facts(connection: Connection, account: Account, arrived: Sequence[Arrived]) -> Facts:
    facts = Facts(
        Sender(author=f"account:{account.name}"), actor(account), "", surveys.first_kept_at(connection)
    )
    stored = responses.stored(connection, [one.named.id for one in arrived if one.kind == "events"])
    for item in arrived:
        item.known = item.kind == "events" and item.named.id in stored
    known_of(connection, facts, arrived)
    return facts


def _take_in(
    connection: Connection, facts: Facts, group: Group, arrived: Sequence[Arrived], opened: Sequence[tuple[str, Event]],
    questionnaires: Mapping[str, Questionnaire], legal: Legal, name: str, reason: str,
) -> list[str]:  # fmt: skip
    """Keep what can be kept, in one transaction; returns the reasons of what goes on waiting.

    Answers that came after their interview had been submitted reopen it and submit it again; `Conflict` (and nothing
    kept) when it would be left with questions that nobody asked.
    """
    sent = [
        item.value
        for item in arrived
        if isinstance(item.value, Event) and item.reason is None and not item.known
    ]
    again = {one.response for one in sent if (record := facts.records.get(one.response)) and record.submitted}
    for response in again:
        _say(connection, facts, response, "reopened", name)
    receipts = keep(connection, facts, arrived, opened, (0, 0, 0))
    for response in again:
        events = responses.events(connection, response)
        answered = fold(response, events)
        if not answered.submitted:
            questionnaire = questionnaires[facts.records[response].version]
            if not routing.complete(questionnaire, answered):
                raise Conflict({"vi": "Còn câu chưa hỏi.", "en": "There are questions that were not asked."})
            _say(connection, facts, response, "submitted", name)
            case = facts.records[response].case
            reviews.note(connection, response, noted(questionnaire, case, response, events))
            rights.record_consents(connection, agreed(legal, case, response, events, now()))
    taken = [one for one, told in zip(group.items, receipts, strict=True) if told.state != "quarantined"]
    for one in taken:
        responses.resolve(connection, one.hash, f"{name}: taken in: {reason}")
    if taken:
        _told(connection, name, group, "quarantine taken in", len(taken))
    return list(dict.fromkeys(told.reason for told in receipts if told.state == "quarantined"))


def _say(connection: Connection, facts: Facts, response: str, kind: str, name: str) -> None:
    """An event of the office: the interview is opened for what came late, and closed again."""
    mode = facts.records[response].mode
    responses.append(
        connection,
        [Event(id=ids.new_form_id(), response=response, kind=kind, at=ids.milliseconds(), author=f"office:{name}", mode=mode)],  # type: ignore[arg-type]
    )  # fmt: skip


HANDLERS = (waiting, settle)
