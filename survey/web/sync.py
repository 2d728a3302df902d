"""What phones send in batches, and the receipt of each: for officials and for households, online again or always.

    POST /sync        a household, for its own response (its session)
    POST /field/sync  an official, for the cases assigned to that person

    {"events": [Event, …], "attempts": [Attempt, …], "listings": [Listed, …], "pictures": [Picture, …]}
    → {"receipts": [{"id", "hash", "state", "receipt", "received_at", "reason", "why"}, …]}   after the commit

`hash` is the SHA-256 of the very bytes that were sent, so that only this server, having read them, can write the
receipt. state: "stored"; "duplicate", it was stored before; "quarantined", it is on the server but a person must look
at it, `reason` says why (`survey.fieldwork.reception`). All three mean that the phone may forget it.

Items are judged in the order in which they stand, each with what came before it counted in. A body may be gzipped.
Nothing is refused but what cannot be read as a batch at all; everything else ends here or in quarantine.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import unquote

import msgspec
from litestar import Response, post
from litestar.exceptions import ClientException
from msgspec import Struct
from sqlalchemy import Connection

from survey.access.policy import Actor, may
from survey.fieldwork import reception
from survey.fieldwork.cases import Attempt, Case
from survey.fieldwork.listing import Listed
from survey.fieldwork.pictures import Picture
from survey.fieldwork.reception import REASONS, Item, Reason, Sender
from survey.fieldwork.reviews import Review
from survey.problems import Refused, Text
from survey.questionnaire import routing
from survey.questionnaire.codebook import possible
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Event, Key, fold
from survey.storage import audit, cases, codes, devices, quarantine, responses, reviews, rights, surveys
from survey.storage import photos as kept_photos
from survey.storage.clock import now
from survey.storage.erasure import WITHDRAWN
from survey.storage.quarantine import Misfit
from survey.storage.responses import ResponseRecord
from survey.storage.rights import Consent
from survey.web import photos, security
from survey.web.agreed import agreed
from survey.web.field import actor, find_account, scope
from survey.web.forms import TIME_ZONE
from survey.web.guards import needs
from survey.web.household import member_of, unasked
from survey.web.ids import receipt_number
from survey.web.noted import noted
from survey.web.site import AnyRequest, ForgedForm, NotYours, Site, check_origin, find_session, site_of

Kind = Literal["events", "attempts", "listings", "pictures"]
KINDS: Mapping[str, type[Event | Attempt | Listed | Picture]] = {
    "events": Event, "attempts": Attempt, "listings": Listed, "pictures": Picture,
}  # fmt: skip
State = Literal["stored", "duplicate", "quarantined"]
UNPACKED_LIMIT = 2 * 1024 * 1024
"""Bytes of a batch after unpacking: no small body may fill the memory."""
DEVICE, APP, UNSENT, CLOCK = "survey-device", "survey-app", "survey-unsent", "survey-clock"
NAME, MODEL = "survey-name", "survey-model"
"""What an official calls the phone, and what it is: in UTF-8, percent-encoded (RFC 3986)."""
"""Headers in which an official's app says which phone it is, its version, how much it still holds, and its clock."""


class Batch(Struct):
    """What a body may hold. Every item stays raw: one that cannot be read must not take the others with it."""

    events: list[msgspec.Raw] = []
    attempts: list[msgspec.Raw] = []
    listings: list[msgspec.Raw] = []
    pictures: list[msgspec.Raw] = []


class Receipt(Struct, omit_defaults=True):
    """The answer to one item. `receipt` is the number a person can write down, the same for all of one response."""

    id: str
    hash: str
    state: State
    receipt: str
    received_at: int
    reason: str = ""
    why: Text = {}


class Receipts(Struct):
    """The answer to a batch; `revoked` tells a phone that was reported lost to forget everything."""

    receipts: list[Receipt]
    revoked: bool


class _Named(Struct):
    """What can be read of an item that is otherwise unreadable."""

    id: str = ""
    response: str = ""
    case: str = ""
    author: str = ""


@dataclass
class Arrived:
    """One item as it came, and what becomes of it. `known`: an event of this id is stored already."""

    kind: Kind
    raw: bytes
    position: int
    named: _Named
    value: Event | Attempt | Listed | Picture | None
    known: bool = False
    reason: Reason | str | None = None
    set_aside_at: int | None = None  # it was in quarantine before

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class Part:
    """What a household's code opens, as on its pages (survey/web/household.py): everything but what `members` answer by
    codes of their own, or that of one `member`. `closed`: nothing at all, as after a code was issued for a lost one."""

    member: str
    members: frozenset[str]
    closed: bool
    consented: bool

    def holds(self, event: Event, questionnaire: Questionnaire) -> bool:
        """Whether everything that an event says is said of this part; what is not there is nobody's."""
        known = index(questionnaire)
        said = [Key.parse(name) for name in event.answers]
        names = [key.question.split(".")[0] for key in said]
        if self.closed or not {*names} <= {*known.places} or not {event.page} <= {"", *known.pages}:
            return False
        spots = [(known.places[name].page, key.row) for name, key in zip(names, said, strict=True)]
        spots += [(known.pages[event.page], event.row)] if event.page else []
        if self.member and not spots:
            return event.kind in ("submitted", "reopened")
        own = {self.member} if self.member else self.members
        return all((page.kind != "list" and row in own) is bool(self.member) for page, row in spots)


@dataclass
class Facts:
    """What the database says about a batch: read at once, before anything is judged."""

    sender: Sender
    actor: Actor
    device: str
    loaded_at: int
    cases: dict[str, Case] = field(default_factory=dict)
    part: Part | None = None  # of a household: what its code opens
    records: dict[str, ResponseRecord] = field(default_factory=dict)
    history: dict[str, list[Event]] = field(default_factory=dict)
    reviews: dict[str, list[Review]] = field(default_factory=dict)
    consents: dict[str, list[Consent]] = field(default_factory=dict)  # asked by officials


# --- reading a batch -----------------------------------------------------------------------------------------------


async def batch_of(request: AnyRequest) -> Batch:
    """The batch in a request's body, unpacked."""
    return _unpacked(await request.body(), request.headers.get("content-encoding") == "gzip")


def read_batch(body: bytes, *, packed: bool) -> list[Arrived]:
    """The items of a body; `ClientException` when it is no batch (cut off on the way): then nothing was taken."""
    return items_of(_unpacked(body, packed))


def _unpacked(body: bytes, packed: bool) -> Batch:
    try:
        if packed:
            unpacking = zlib.decompressobj(wbits=31)
            body = unpacking.decompress(body, UNPACKED_LIMIT)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ClientException("the batch is too long or cut off", status_code=413)
        try:
            return msgspec.json.decode(body, type=Batch)
        except msgspec.DecodeError:
            return _salvaged(body)
    except (zlib.error, ValueError, RecursionError) as error:
        raise ClientException("not a batch") from error


_ITEM = json.JSONDecoder(
    parse_int=str
)  # no number is too long; halves of characters, NaN and Infinity are read
_BLANK = re.compile(r"[ \t\n\r]*")


def _salvaged(body: bytes) -> Batch:
    """A batch in which something is no JSON by RFC 8259, such as half of a character in a note: where each item begins and
    ends is found all the same, so that one takes no others with it. ValueError for what is no batch."""
    text = body.decode()

    def after(place: int, signs: str) -> int:
        place = _BLANK.match(text, place).end()  # type: ignore[union-attr]  # it matches the empty text too
        if text[place : place + 1] not in signs or place >= len(text):
            raise ValueError(f"not a batch at {place}")
        return place + 1

    lists: dict[str, list[msgspec.Raw]] = {}
    place = after(0, "{")
    while text[place - 1] != "}":
        name, place = _ITEM.raw_decode(text, _BLANK.match(text, place).end())  # type: ignore[union-attr]
        if name not in get_args(Kind):
            raise ValueError(f"not a batch: {name}")
        place = _BLANK.match(text, after(after(place, ":"), "[")).end()  # type: ignore[union-attr]
        many = lists.setdefault(name, [])
        if text[place : place + 1] == "]":
            place += 1
        while text[place - 1] != "]":
            begin = _BLANK.match(text, place).end()  # type: ignore[union-attr]
            _, end = _ITEM.raw_decode(text, begin)
            many.append(msgspec.Raw(text[begin:end].encode()))
            place = after(end, ",]")
        place = after(place, ",}")
    if text[place:].strip():
        raise ValueError(f"not a batch after {place}")
    return Batch(**lists)


def items_of(batch: Batch) -> list[Arrived]:
    """Each item by itself, read as far as it can be."""
    lists: dict[Kind, list[msgspec.Raw]] = {
        "events": batch.events, "attempts": batch.attempts, "listings": batch.listings, "pictures": batch.pictures
    }  # fmt: skip
    return [
        read_item(kind, bytes(raw), place) for kind, many in lists.items() for place, raw in enumerate(many)
    ]


def _named(raw: bytes) -> _Named:
    """What an item that is no sound JSON says of itself, as far as that is text: the phone waits for a receipt by its id."""
    try:
        found = _ITEM.decode(raw.decode())
    except (ValueError, RecursionError):
        found = None
    said = found if isinstance(found, dict) else {}
    words = {name: said[name] for name in _Named.__struct_fields__ if isinstance(said.get(name), str)}
    return _Named(**{name: word.encode(errors="replace").decode() for name, word in words.items()})


def read_item(kind: Kind, raw: bytes, position: int) -> Arrived:
    try:
        value = msgspec.json.decode(raw, type=KINDS[kind])
    except msgspec.DecodeError:
        value = None
    try:
        named = msgspec.json.decode(raw, type=_Named)
    except msgspec.DecodeError:
        named = _named(raw)
    return Arrived(kind, raw, position, named, value)


def _facts(connection: Connection, site: Site, request: AnyRequest, arrived: Sequence[Arrived]) -> Facts:
    facts = sender_of(connection, site, request)
    facts.loaded_at = surveys.first_kept_at(connection)
    aside = quarantine.known(connection, [item.hash for item in arrived])
    stored = responses.stored(connection, [i.named.id for i in arrived if i.kind == "events"])
    for item in arrived:
        item.known = item.named.id in stored and item.kind == "events"
        if item.hash in aside and not item.known:
            item.reason, item.set_aside_at = aside[item.hash]
    known_of(connection, facts, arrived)
    return facts


def known_of(connection: Connection, facts: Facts, arrived: Sequence[Arrived]) -> None:
    """Read the cases and responses that a batch names."""
    for id in {item.named.response for item in arrived if item.kind in ("events", "pictures")}:
        if (record := responses.find(connection, id)) is not None:
            facts.records[id] = record
    if any(isinstance(i.value, Event) and i.value.kind in ("submitted", "drawn") for i in arrived):
        facts.history = {id: responses.events(connection, id) for id in facts.records}
    ids = {item.named.case for item in arrived} | {record.case for record in facts.records.values()}
    facts.cases = {case.id: case for case in cases.several(connection, sorted(ids))}


def sender_of(connection: Connection, site: Site, request: AnyRequest) -> Facts:
    """Whose batch this is. A phone that was reported lost needs no session: what it still holds is kept apart."""
    if not request.url.path.startswith("/field"):
        signed = find_session(site, connection, request, security.HOUSEHOLD)
        _check_token(site, request, signed.token)
        case, member = signed.session.subject, member_of(signed)
        part = Part(
            member=member,
            members=codes.members(connection, case),
            closed="sealed" in signed.session.data,
            consented=not unasked(site, rights.consents_of(connection, case, member)),
        )
        sender = Sender(author=f"household:{case}", household=True)
        return Facts(sender, Actor(role="household", name=case), "", 0, part=part)
    id = request.headers.get(DEVICE, "")
    device = devices.find(connection, id) if id else None
    if device is not None and device.revoked_at is not None:
        nobody = Actor(role="official", name=device.account)
        return Facts(Sender(author=device.account, revoked=True), nobody, id, 0)
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "list_cases"):
        raise NotYours(security.ACCOUNT)
    _check_token(site, request, signed.token)
    return Facts(Sender(author=account.name, app=_whole(request, APP)), actor(account), id, 0)


def _check_token(site: Site, request: AnyRequest, token: str) -> None:
    check_origin(request)
    if not security.right_token(site.keys.sessions, token, request.headers.get("x-csrf", "")):
        raise ForgedForm


def _whole(request: AnyRequest, name: str) -> int:
    sent = request.headers.get(name, "")
    return int(sent) if sent.isdecimal() and len(sent) < 16 else 0


Told = tuple[int, int, int, str, str]


def told_by(request: AnyRequest) -> Told:
    """What a phone says of itself: the app's version, how much it still holds, how far its clock is off, what its official
    calls it, and what it is."""
    clock = _whole(request, CLOCK)
    kind = kind_of(request.headers.get("user-agent", ""), _words(request, MODEL))
    skew = clock - now() if clock else 0
    return _whole(request, APP), _whole(request, UNSENT), skew, _words(request, NAME), kind


def _words(request: AnyRequest, name: str) -> str:
    """A short line of text, without what cannot be printed."""
    sent = unquote(request.headers.get(name, "")[:400], errors="replace")
    return "".join(letter if letter.isprintable() else " " for letter in sent).strip()[:40]


_SYSTEMS = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "CrOS": "ChromeOS", "Windows": "Windows",
    "Macintosh": "Mac", "Linux": "Linux",
}  # fmt: skip
_BROWSERS = {
    "coc_coc": "Cốc Cốc", "SamsungBrowser": "Samsung Internet", "Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox",
    "FxiOS": "Firefox", "CriOS": "Chrome", "Chrome": "Chrome", "Safari": "Safari",
}  # fmt: skip
_MODEL = re.compile(r"Android [\d.]+; ([^;)]{2,40}?)(?: Build/[^;)]*)?[;)]")


def kind_of(agent: str, model: str = "") -> str:
    """System, model and browser by the User-Agent header (RFC 9110, 10.1.5), coarse enough for a person to know a phone by:
    "Android · SM-A136B · Chrome". A browser that keeps its model out of the header may tell it beside it. Not for deciding
    what a browser can do."""
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "")
    found = _MODEL.search(agent)
    return " · ".join(part for part in (system, model or (found[1] if found else ""), browser) if part)


def is_local_time(text: str) -> bool:
    """Whether this is a local date and time as a phone's field for one gives it ("2025-03-14T18:30")."""
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is None and "T" in text
    except ValueError:
        return False


# --- judging -------------------------------------------------------------------------------------------------------


def judge(
    arrived: Sequence[Arrived], facts: Facts, questionnaires: Mapping[str, Questionnaire], site: Site,
    *, vouched: bool = False,
) -> list[tuple[str, Event]]:  # fmt: skip
    """Write beside every new item why it cannot be taken in, if so; returns the responses to open (case, event).

    `vouched`: a supervisor takes in what waited apart (survey.web.quarantined).
    """
    tomorrow = datetime.date.fromisoformat(site.survey.plan.dates.closes) + datetime.timedelta(days=1)
    closes = datetime.datetime.combine(tomorrow, datetime.time(), TIME_ZONE)
    moment = reception.Field(loaded_at=facts.loaded_at, now=now(), closes_at=int(closes.timestamp() * 1000))
    submitted = {id: record.submitted for id, record in facts.records.items()}
    opened: dict[str, tuple[str, Event]] = {}

    def of(id: str, case_id: str, author: str, mode: str, at: int) -> Reason | None:
        if facts.sender.household and case_id != facts.actor.name:
            return "unknown_response"  # whether there is such a case is none of a household's business
        case = facts.cases.get(case_id)
        item = Item(
            id=id, author=author, mode=mode, at=at, known_case=case is not None,
            works_here=case is not None and _works_on(facts.actor, case), reserve=case is not None and case.reserve,
            withdrawn=case is not None and case.override is not None and case.override.code == WITHDRAWN,
        )  # fmt: skip
        return reception.misfit(item, facts.sender, moment, vouched=vouched)

    for item in arrived:
        if item.known or item.set_aside_at is not None:
            continue
        match item.value:
            case None:
                item.reason = "unreadable"
            case Attempt(appointment=appointment) if appointment and not is_local_time(appointment):
                item.reason = "unreadable"  # nobody could come at such a time, and no phone could show it
            case Attempt() | Listed() as made:
                item.reason = of(made.id, made.case, made.author, made.mode, made.at)
            case Picture() as picture:
                item.reason = of(picture.id, picture.case, picture.author, picture.mode, picture.at)
                item.reason = item.reason or _of_picture(picture, facts, opened)
            case Event() as event:
                record = facts.records.get(event.response)
                begun = opened.get(event.response)
                case = record.case if record else begun[0] if begun else event.case
                version = record.version if record else begun[1].version if begun else event.version
                mode = record.mode if record else event.mode
                item.reason = of(event.id, case, event.author, mode, event.at) if case else "unknown_response"
                if item.reason:
                    continue
                if record is None and begun is None:
                    if event.kind != "opened":
                        item.reason = "unknown_response"
                    elif version not in questionnaires:
                        item.reason = "unknown_version"
                    elif version != site.survey.version and not vouched:
                        item.reason = "old_version"
                    else:
                        opened[event.response] = (case, event)
                        facts.history[event.response] = []
                else:
                    left = {} if vouched else submitted
                    item.reason = _of_response(event, case, facts, questionnaires[version], left)
                if item.reason is None:
                    submitted[event.response] = event.kind == "submitted" or (
                        submitted.get(event.response, False) and event.kind != "reopened"
                    )
                    facts.history.get(event.response, []).append(event)
                    if event.kind == "submitted":
                        told = noted(
                            questionnaires[version], case, event.response, facts.history[event.response]
                        )
                        facts.reviews[event.response] = told
                        legal, said = site.survey.plan.legal, facts.history[event.response]
                        facts.consents[event.response] = agreed(legal, case, event.response, said, now())
    return list(opened.values())


def _of_picture(picture: Picture, facts: Facts, opened: Mapping[str, tuple[str, Event]]) -> Reason | None:
    """What is said against a picture; that of a response begun in the same batch comes after its beginning."""
    if facts.sender.household:
        return "closed_part"  # a household's pictures come with its pages
    record, begun = facts.records.get(picture.response), opened.get(picture.response)
    case = record.case if record else begun[0] if begun else ""
    if not case:
        return "unknown_response"
    if case != picture.case:
        return "other_case"
    return None if photos.clean(picture.content) else "impossible"


def _works_on(actor: Actor, case: Case) -> bool:
    """A case that somebody else has completed meanwhile still counts: both answers are kept and shown."""
    return may(actor, "answer" if actor.role == "household" else "record_attempt", scope(case))


def _of_response(
    event: Event,
    case: str,
    facts: Facts,
    questionnaire: Questionnaire,
    submitted: Mapping[str, bool],
) -> Reason | None:
    """What the response so far says against this event."""
    if event.case and event.case != case:
        return "other_case"
    if facts.part and not facts.part.consented:
        return "no_consent"
    if facts.part and not facts.part.holds(event, questionnaire):
        return "closed_part"
    if submitted.get(event.response) and event.kind != "reopened":
        return "after_submission"
    if event.kind == "moved":  # only the office moves a draft to another version (survey.moving)
        return "other_author"
    if not all(possible(questionnaire, Key.parse(name), said) for name, said in event.answers.items()):
        return "impossible"
    if event.kind == "drawn":
        so_far = fold(event.response, facts.history[event.response])
        number = facts.cases[case].unit.respondent_draw
        try:
            right = routing.draw_row(questionnaire, so_far, event.draw, number) == (event.row, event.eligible)
        except (KeyError, ValueError):
            right = False
        return None if right else "draw"
    if event.kind == "submitted":
        so_far = fold(event.response, facts.history[event.response])
        return None if routing.complete(questionnaire, so_far) else "incomplete"
    return None


# --- keeping -------------------------------------------------------------------------------------------------------


def keep(
    connection: Connection, facts: Facts, arrived: Sequence[Arrived], opened: Sequence[tuple[str, Event]],
    told_of: Told,
) -> list[Receipt]:  # fmt: skip
    """Everything in one transaction; storage has the last word on what is new and what conflicts."""
    for case, event in opened:
        responses.open(connection, event.response, case, event.version, event.mode)
        audit.append(
            connection, facts.sender.author, "interview begun", f"case:{case}", {"device": facts.device}
        )
    taken = [i for i in arrived if isinstance(i.value, Event) and (i.known or i.reason is None)]
    kept = responses.append(connection, [item.value for item in taken if isinstance(item.value, Event)])
    told = {id(item): receipt for item, receipt in zip(taken, kept, strict=True)}
    receipts: list[Receipt] = []
    misfits: list[Misfit] = []
    at = now()
    for item in arrived:
        state: State = "duplicate" if item.known else "stored"
        reason, received = item.reason, item.set_aside_at or at
        if (receipt := told.get(id(item))) is not None:
            received = receipt.received_at
            if receipt.state == "quarantined":
                reason = receipt.reason
            elif isinstance(item.value, Event) and item.value.kind == "submitted" and not item.known:
                deed = "interview submitted"
                audit.append(connection, facts.sender.author, deed, f"case:{_case_of(facts, item.value)}")
                reviews.note(connection, item.value.response, facts.reviews.get(item.value.response, ()))
                rights.record_consents(connection, facts.consents.get(item.value.response, []))
                reviews.settle(connection, item.value.response)
        elif reason is None and isinstance(item.value, Attempt | Listed):
            made = item.value
            if isinstance(made, Attempt):
                deed, taken_in = f"visit: {made.outcome}", cases.take_attempt(connection, made)
            else:
                deed, taken_in = f"list: {made.kind}", cases.take_listing(connection, made)
            match taken_in:
                case "new":
                    audit.append(connection, facts.sender.author, deed, f"case:{made.case}")
                case "again":
                    state = "duplicate"
                case "conflict":
                    reason = "conflict"
        elif isinstance(item.value, Attempt | Listed):
            if item.set_aside_at is None and cases.is_kept(connection, item.value):
                state, reason = "duplicate", None
        elif reason is None and isinstance(item.value, Picture):
            match kept_photos.take(connection, item.value.response, item.value.content):
                case "again":
                    state = "duplicate"
                case "too_many":
                    reason = "too_many"
        if reason is not None:
            state = "quarantined"
            if item.set_aside_at is None and receipt is None:
                misfits.append(_misfit(item, reason, facts.device))
        receipts.append(_receipt(item, state, reason or "", received))
    quarantine.keep(connection, misfits)
    if facts.device and not facts.sender.household:
        devices.heard_of(connection, facts.device, facts.actor.name, *told_of)
    return receipts


def _case_of(facts: Facts, event: Event) -> str:
    record = facts.records.get(event.response)
    return record.case if record else next(e.case for e in facts.history[event.response] if e.case)


def _misfit(item: Arrived, reason: str, device: str) -> Misfit:
    return Misfit(
        hash=item.hash,
        kind=item.kind,
        event=item.named.id,
        response=item.named.response,
        case=item.named.case,
        author=item.named.author,
        device=device,
        reason=reason,
        document=item.raw.decode(errors="replace"),
        position=item.position,
    )


def _receipt(item: Arrived, state: State, reason: str, received_at: int) -> Receipt:
    """An attempt has a number of its own; everything of one response has the number that the household was told."""
    number = receipt_number(item.named.response or item.named.id)
    why = REASONS[reason] if reason in get_args(Reason) else {}  # type: ignore[index]
    return Receipt(item.named.id, item.hash, state, number, received_at, reason, why)


async def questionnaires_of(site: Site, facts: Facts, arrived: Sequence[Arrived]) -> dict[str, Questionnaire]:
    """The questionnaires that a batch was made on, as far as the survey has them."""
    versions = {record.version for record in facts.records.values()}
    versions |= {
        item.value.version for item in arrived if isinstance(item.value, Event) and item.value.version
    }
    found = {}
    for version in versions:
        try:
            found[version] = await site.questionnaire(version)
        except Refused:
            continue
    return found


async def receive(request: AnyRequest, arrived: Sequence[Arrived]) -> Response[bytes]:
    """Take in what has arrived and answer each item with its receipt."""
    site = site_of(request)
    facts = await site.database.read(_facts, site, request, arrived)
    questionnaires = await questionnaires_of(site, facts, arrived)
    opened = judge(arrived, facts, questionnaires, site)
    receipts = await site.database.write(keep, facts, arrived, opened, told_by(request))
    told = Receipts(receipts, facts.sender.revoked)
    return Response(msgspec.json.encode(told), media_type="application/json")


@post("/sync", status_code=200, guards=[needs("answer")])
async def household_sync(request: AnyRequest) -> Response[bytes]:
    """A household's own answers."""
    return await receive(request, items_of(await batch_of(request)))


@post("/field/sync", status_code=200, guards=[needs("list_cases")])
async def field_sync(request: AnyRequest) -> Response[bytes]:
    """An official's interviews and visits."""
    return await receive(request, items_of(await batch_of(request)))


HANDLERS = (household_sync, field_sync)
