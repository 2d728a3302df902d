"""What an official's phone keeps to work without a network: the app's page, its list, and what it may ask for online.

    GET  /field/app/{language}            the app: templates and words, nobody's data; a service worker keeps it
    GET  /field/service-worker.js         the worker, with the addresses of all it has to keep
    GET  /field/list                      the households assigned, and interviews that were begun and not sent
    POST /field/cases/{case}/take-over    go on, at the door, from what the household answered on the web

Answers are made on the phone and sent to /field/sync (survey.web.sync).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath
from msgspec import Struct
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.access.policy import may
from survey.fieldwork.cases import Attempt, Case
from survey.fieldwork.dispositions import AT_THE_DOOR, NOTES, ON_THE_TELEPHONE, OUTCOMES
from survey.fieldwork.reception import OLDEST_APP
from survey.fieldwork.reviews import Return
from survey.questionnaire import routing
from survey.questionnaire.again import asked_again, step_of
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.published import written
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.storage import audit, backchecks, cases, codes, devices, identities, responses, reviews
from survey.web import security
from survey.web.booklet import booklet
from survey.web.field import actor, find_account, looked, scope
from survey.web.guards import needs, open_to_all
from survey.web.sealed import recovery
from survey.web.site import AnyRequest, ForgedForm, NotYours, Problem, Site, check_origin, render, site_of
from survey.web.sync import DEVICE, told_by
from survey.web.words import LANGUAGES, word

MODE = "visit"
HEADERS = {
    "survey-app": str(
        OLDEST_APP
    ),  # by which the worker knows this page from a login page of somebody's Wi-Fi
    "permissions-policy": "camera=(), microphone=(), geolocation=(self), payment=()",
}
WORDS = tuple(
    f"phone.{key}"
    for key in (
        "phone", "sent", "confirmed", "aside", "sending", "offline", "signed_out", "unrecognised", "busy", "unsent",
        "all_sent", "visits", "hamlet_unknown", "found", "none_found", "appointment", "interview", "resume", "stop",
        "outcome_needed", "recorded", "locating", "located", "not_located", "other_account", "revoked", "revoked_text",
        "finished_phone", "takeover_wrong", "takeover_offline", "storage_failed", "storage_failed_text", "progress",
        "returned", "by_phone", "when_needed", "photo_kept", "photo_wrong", "checks", "listed_moved", "listed_gone", "listed_split", "listed_merged", "listing_number",
        "not_found", "not_found_text", "no_booklet", "no_booklet_text", "training_case", "training_hamlet",
        "this_phone", "this_number", "code_short", "code_simple", "code_differs", "locked_lead", "locked_wrong", "locked_shut", "forgot_lead",
        "forgot_sending", "forgot_offline", "forgot_signed_out", "forgot_left", "close_other", "close_other_text",
    )
)  # fmt: skip
"""What the app says itself."""
APPOINTMENTS = ("appointment", "respondent_away", "nobody_home", "no_entry", "language", "broke_off")
"""Outcomes after which a time to come back may be agreed on."""


# --- the app itself ------------------------------------------------------------------------------------------------


@get("/field/app/{language:str}", sync_to_thread=False, guards=[open_to_all])
def app(request: AnyRequest, language: FromPath[str]) -> Response[str]:
    """Templates and words. It holds nobody's data, so that a phone can keep it before anybody has signed in."""
    if language not in LANGUAGES:
        raise NotFoundException
    content = render(
        site_of(request),
        "field_app.html",
        language,
        words={key.removeprefix("phone."): word(language, key) for key in WORDS}
        | {
            f"state.{state}": word(language, f"state.{state}")
            for state in ("waiting", "visited", "started", "complete", "closed", "returned")
        },
        outcomes=[(id, one.label[language]) for id, one in OUTCOMES.items() if id != "interviewed"],
        outcomes_known={
            id: {"says": one.label[language], "comes_back": one.comes_back} for id, one in OUTCOMES.items()
        },
        appointments=APPOINTMENTS,
        at_the_door=AT_THE_DOOR,
        on_the_telephone=ON_THE_TELEPHONE,
        notes=[(code, label[language]) for code, label in NOTES.items()],
        recovery=msgspec.to_builtins(recovery(site_of(request))),
        failed=False,
        other_language=f"/field/app/{next(code for code in LANGUAGES if code != language)}",
    )
    return Response(content, media_type="text/html", headers=HEADERS)


@get("/field/app.webmanifest", sync_to_thread=False, guards=[open_to_all])
def manifest(request: AnyRequest) -> Response[bytes]:
    site = site_of(request)
    title = site.survey.plan.title
    told = {
        "name": title.get("vi") or next(iter(title.values())),
        "short_name": word("vi", "phone.short_name"),
        "lang": "vi",
        "id": "/field/app/vi",
        "start_url": "/field/app/vi",
        "scope": "/field/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#0b5563",
        "icons": [
            {"src": site.assets.url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any maskable"}
            for size in (192, 512)
        ],
    }  # fmt: skip
    return Response(msgspec.json.encode(told), media_type="application/manifest+json")


@get("/field/service-worker.js", sync_to_thread=False, guards=[open_to_all])
def service_worker(request: AnyRequest) -> Response[bytes]:
    """The worker begins with what it has to keep: another version of any of it is another worker."""
    site = site_of(request)
    kept = [f"/field/app/{language}" for language in LANGUAGES]
    kept += [site.assets.url(name) for name in ("app.css", "field.css", "js/field.js", "icon-192.png")]
    kept += ["/field/app.webmanifest"]
    source = site.assets.read("field-worker.js") or b""
    head = f"const KEPT = {msgspec.json.encode(kept).decode()};\nconst VERSION = {site.assets.version!r};\n"
    head += f"// of a page that seals for the key {recovery(site).id}\n"
    return Response(
        head.encode() + source,
        media_type="text/javascript; charset=utf-8",
        headers={"cache-control": "no-cache"},
    )


# --- the list ------------------------------------------------------------------------------------------------------


class Tried(Struct, omit_defaults=True):
    """One attempt that the server knows, as the official sees it: when, how, with which outcome and notes."""

    id: str
    at: int
    outcome: str
    mode: str = "visit"
    codes: tuple[str, ...] = ()


class ListedCase(Struct, omit_defaults=True):
    """One household on the phone. Finished ones are there by number only; `draw` is its number for the random choice
    of a person, `known` what an interview begins with (preloads). `place` are coordinates of the listing, if it has some,
    `comment` is what a supervisor writes who sends a question back: then the state is "returned".
    `tried` are the latest attempts. `listing` is what was found instead of the list, with `households` behind the line or lines of the list."""

    id: str
    commune: str
    state: str
    hamlet: str = ""
    address: str = ""
    attempts: int = 0
    last: str = ""
    last_at: int = 0
    appointment: str = ""
    draw: float = 0.0
    known: dict[str, Answer] = {}
    web: bool = False
    place: str = ""
    comment: str = ""
    listing: str = ""
    households: int = 1
    tried: list[Tried] = []


class Begun(Struct, omit_defaults=True):
    """An interview at the door that was begun, perhaps on another phone, and not submitted.

    One of which a question was sent back has no events: `start` is what of it a phone may hold, `hidden` the places that
    stay shut (`survey.questionnaire.again`).
    """

    case: str
    version: str
    response: str
    events: list[Event]
    start: dict[str, Any] = {}
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """A question that was sent back, and the interview that it belongs to."""

    back: Return
    record: responses.ResponseRecord
    events: list[Event]


LATEST = 6
"""Attempts of a household that a phone is given: enough to see at which times nobody has been there yet."""


class PhoneList(Struct):
    """All that a phone is given: nothing of finished households but that they are."""

    account: str
    csrf: str
    version: str
    booklets: dict[str, str]
    opens: str
    closes: str
    cases: list[ListedCase]
    begun: list[Begun]
    checks: int


def _list(
    connection: Connection, site: Site, request: AnyRequest
) -> tuple[str, str, list[ListedCase], list[Begun], list[Sent], int]:
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "list_cases"):
        raise NotYours(security.ACCOUNT)
    mine = cases.assigned_to(connection, account.name)
    open_ones = [case.id for case in mine if case.state != "complete"]
    places = identities.of_cases(connection, [case.id for case in mine])
    records = responses.of_cases(connection, open_ones)
    tried = cases.attempts_of_cases(connection, open_ones)
    sent = {}
    for one in reviews.returned(connection, [case.id for case in mine]):
        record, events = responses.find(connection, one.response), responses.events(connection, one.response)
        if (
            record is not None and events[0].author == account.name
        ):  # handed over since: nobody else may hold it
            sent[one.case] = Sent(one, record, events)
    listed = [
        _listed(
            site,
            case,
            places.get(case.id),
            records.get(case.id, []),
            sent.get(case.id),
            tried.get(case.id, []),
        )
        for case in mine
    ]
    begun = [
        Begun(record.case, record.version, record.id, responses.events(connection, record.id))
        for found in records.values()
        for record in found
        if record.mode != "self" and not record.submitted
    ]
    checks = backchecks.open_of(connection, account.name)
    return account.name, signed.csrf, listed, begun, list(sent.values()), checks


def _asked_again(questionnaire: Questionnaire, sent: Sent) -> Begun | None:
    """What a phone gets to ask the page of a return once more; None when the path no longer leads there."""
    one, record = sent.back, sent.record
    response = fold(record.id, sent.events)
    step = step_of(questionnaire, response, Key(one.question, one.row))
    if step is None:
        return None
    start, hidden = asked_again(questionnaire, response, step)
    return Begun(record.case, record.version, record.id, [], written(start), hidden)


def _listed(
    site: Site,
    case: Case,
    place: identities.Identity | None,
    records: list[responses.ResponseRecord],
    sent: Sent | None,
    tried: list[Attempt],
) -> ListedCase:
    area = site.areas.get(case.unit.commune)
    commune = area.name if area else case.unit.commune
    hamlet = place.hamlet if place else ""
    if case.state == "complete" and sent is None:
        return ListedCase(case.id, commune, case.state, hamlet)
    other = place.other if place else {}
    known = routing.preloaded(site.survey.questionnaire, msgspec.structs.asdict(case.unit))
    return ListedCase(
        id=case.id,
        commune=commune,
        state="returned" if sent else case.state,
        hamlet=hamlet,
        address=place.address if place else "",
        attempts=case.attempts,
        last=case.last_outcome,
        last_at=case.last_attempt_at or 0,
        appointment=case.appointment,
        draw=case.unit.respondent_draw,
        known={str(key): answer for key, answer in known.items()},
        web=any(record.mode == "self" for record in records),
        place=",".join(other[name] for name in ("latitude", "longitude") if name in other),
        comment=sent.back.comment if sent else "",
        listing=case.finding.kind if case.finding else "",
        households=case.finding.number if case.finding else 1,
        tried=[Tried(one.id, one.at, one.outcome, one.mode, one.codes) for one in tried[-LATEST:]],
    )


@get("/field/list", guards=[needs("list_cases")])
async def my_list(request: AnyRequest) -> Response[bytes]:
    """The households of this official. A phone that was reported lost is told to forget everything."""
    site = site_of(request)
    device = request.headers.get(DEVICE, "")
    if await site.database.read(_revoked, device):
        return _json({"revoked": True}, 410)
    account, csrf, listed, begun, sent, checks = await site.database.read(_list, site, request)
    if device:
        await site.database.write(devices.heard_of, device, account, *told_by(request))
    with_address = sum(1 for one in listed if one.address)
    await site.database.write(looked, account, "addresses to phone", "survey", with_address)
    for back in sent:
        if (again := _asked_again(await site.questionnaire(back.record.version), back)) is not None:
            begun.append(again)
    versions = {site.survey.version} | {one.version for one in begun}
    booklets = {}
    for version in versions:
        questionnaire = await site.questionnaire(version)
        for language in LANGUAGES:
            booklets[f"{version}/{language}"] = booklet(site, questionnaire, version, language, MODE).url
    dates = site.survey.plan.dates
    return _json(
        PhoneList(
            account,
            csrf,
            site.survey.version,
            booklets,
            dates.visits_open,
            dates.closes,
            listed,
            begun,
            checks,
        )
    )


def _revoked(connection: Connection, device: str) -> bool:
    found = devices.find(connection, device) if device else None
    return found is not None and found.revoked_at is not None


def _json(value: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type="application/json", status_code=status)


# --- going on from the household's answers ------------------------------------------------------------------------------------------


def _allowed(connection: Connection, site: Site, request: AnyRequest, case_id: str) -> tuple[str, Case]:
    """The account and its case; `NotYours` for another's, which is the same answer as for none."""
    signed, account = find_account(connection, site, request)
    check_origin(request)
    if not security.right_token(site.keys.sessions, signed.token, request.headers.get("x-csrf", "")):
        raise ForgedForm
    case = cases.find(connection, case_id)
    if case is None or case.reserve or not may(actor(account), "interview", scope(case)):
        raise NotYours("case")
    return account.name, case


class Code(Struct):
    """What the household shows or reads out, so that an official may go on from its answers."""

    code: str


@post("/field/cases/{case_id:str}/take-over", status_code=200, guards=[needs("interview")])
async def take_over(request: AnyRequest, case_id: FromPath[str]) -> Response[bytes]:
    """The household's own answers, copied into a response at the door: only with the code that the household gives.

    A code that an official issued opens nothing here, because that official knows it.
    """
    site = site_of(request)
    account, _ = await site.database.read(_allowed, site, request, case_id)
    try:
        typed = household_codes.normalise(msgspec.json.decode(await request.body(), type=Code).code)
    except msgspec.DecodeError as error:
        raise ClientException("no code") from error
    digest = household_codes.digest(typed, site.keys.codes) if typed else ""
    begun = await site.database.write(_take_over, account, case_id, digest)
    return _json(begun) if begun else _json(Problem("wrong_code"), 422)


def _take_over(connection: Connection, account: str, case: str, digest: str) -> Begun | None:
    opens = codes.find(connection, digest) if digest else None
    if opens is None or opens.case != case or opens.member or opens.replaces:
        return None
    cases.lock(connection, case)
    mine = responses.by_case(connection, case)
    source = next((record for record in mine if record.mode == "self" and not record.submitted), None)
    if source is None:
        return None
    target = responses.carry_over(connection, source, secrets.token_hex(16), MODE, account)
    audit.append(connection, f"account:{account}", "answers taken over with the code", f"case:{case}")
    return Begun(case, target.version, target.id, responses.events(connection, target.id))


HANDLERS = (app, manifest, service_worker, my_list, take_over)
