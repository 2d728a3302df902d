"""The OpenAPI description of every address (`GET /openapi.json`): what it takes, who may ask, and what it may answer.

Made from the routes themselves and their guards; forms and the few answers that are not pages stand in tables here.
`tests/web/test_description.py` sends what the description allows, and what it does not, as each role.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, get_args

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from survey.access.policy import holds
from survey.questionnaire.model import Mode
from survey.web import guards, security
from survey.web.duties import BREACH_FIELDS
from survey.web.guards import open_to_all
from survey.web.mydata import OwnAnswers
from survey.web.phone import Begun, Code, PhoneList
from survey.web.sealed import ESCROW, Signed
from survey.web.site import AnyRequest, Problem
from survey.web.sync import APP, CLOCK, DEVICE, MODEL, NAME, UNSENT, Batch, Receipts

TITLE = "Household survey"
PAGE, JSON, PLAIN, ANY = "text/html", "application/json", "text/plain", "*/*"


class Next(Struct):
    """Where a script goes on after a form."""

    next: str


class Again(Struct):
    """The page has mistakes: a script asks for it and shows it again."""

    again: bool


class Revoked(Struct):
    """This phone was reported lost and forgets everything."""

    revoked: bool


FORMS: dict[str, tuple[str, ...]] = {
    "/code": ("code",),
    "/field/cases/{case_id}/attempts": ("outcome", "note", "form"),
    "/field/cases/{case_id}/code": ("member",),
    "/field/account/password": ("present", "new"),
    "/field/enrol/{token}": ("new",),
    "/field/sign-in": ("name", "password"),
    "/office/assign": ("case", "area", "whole", "official", "commune", "inside", "after", "before", "find"),
    "/office/breaches": BREACH_FIELDS,
    "/office/breaches/{id}": ("told",),
    "/office/officials/{name}": ("purpose",),
    "/office/outcome/{case_id}": ("deed", "code", "reason"),
    "/office/quarantine/{digest}": ("decision",),
    "/office/requests": ("case", "kind", "received", "form"),
    "/office/requests/{id}": ("deed", "words"),
    "/office/second-step": ("code",),
    "/office/second-step/new": ("code",),
    "/office/sign-in": ("name", "password"),
    "/survey/my-data": ("kind", "form"),
    "/survey/private": ("member",),
}
"""Fields of forms besides their token. Pages of the questionnaire have a field for each question, `<question>`, and
`<question>.state` for "don't know" and the like; the other forms have buttons only."""
BODIES: dict[str, type[Struct]] = {
    "/sync": Batch, "/field/sync": Batch, "/field/sealed": Batch, "/field/cases/{case_id}/take-over": Code,
}  # fmt: skip
QUERIES: dict[str, tuple[str, ...]] = {
    "/field": ("find", "show"),
    "/field/account": ("done",),
    "/field/cases/{case_id}": ("recorded", "how"),
    "/field/cases/{case_id}/interview/p/{page}": ("change",),
    "/field/cases/{case_id}/interview/p/{page}/{row}": ("change",),
    "/office/audit": ("before", "about"),
    "/office/cases": ("commune", "area", "after", "before", "find"),
    "/office/rates": ("by", "after"),
    "/survey/p/{page}": ("change",),
    "/survey/p/{page}/{row}": ("change",),
}
PHONE = (DEVICE, APP, UNSENT, CLOCK, NAME, MODEL)
HEADERS: dict[str, tuple[str, ...]] = {
    "/field/list": PHONE,
    "/field/sealed": (*PHONE, "x-csrf", ESCROW),
    "/field/sync": (*PHONE, "x-csrf"),
    "/sync": ("x-csrf",),
    "/field/cases/{case_id}/take-over": ("x-csrf",),
    "/audio/{name}": ("range",),
}
ANSWERS: dict[str, str | type[Struct]] = {
    "/audio/{name}": ANY,
    "/field/app.webmanifest": "application/manifest+json",
    "/field/cases/{case_id}/interview/photo/{digest}": "image/jpeg",
    "/field/cases/{case_id}/take-over": Begun,
    "/field/list": PhoneList,
    "/field/service-worker.js": "text/javascript",
    "/field/sealed": Receipts,
    "/field/sync": Receipts,
    "/field/token": Signed,
    "/healthz": PLAIN,
    "/metrics": PLAIN,
    "/office/files/{name}": ANY,
    "/openapi.json": JSON,
    "/readyz": PLAIN,
    "/results/{name}": ANY,
    "/service-worker.js": "text/javascript",
    "/static/{version}/{name}": ANY,
    "/survey/my-data/answers.json": OwnAnswers,
    "/survey/my-data/answers.txt": PLAIN,
    "/survey/photo/{digest}": "image/jpeg",
    "/sync": Receipts,
}
"""What an address answers when all is well, where that is no page."""
OTHER: dict[tuple[str, str], dict[str, str | type[Struct]]] = {
    ("GET", "/audio/{name}"): {"206": ANY, "416": ANY},
    ("GET", "/field/enrol/{token}"): {"422": PAGE},
    ("GET", "/field/list"): {"410": Revoked},
    ("GET", "/readyz"): {"503": PLAIN},
    ("POST", "/code"): {"429": PAGE},
    ("POST", "/field/sign-in"): {"429": PAGE},
    ("POST", "/office/sign-in"): {"429": PAGE},
}
SAID = {
    "200": "All is well.",
    "206": "The bytes that were asked for.",
    "303": "Where to go on; without a session, where to sign in.",
    "400": "What was sent cannot be read.",
    "401": "No session.",
    "403": "The form is not from a page of this session.",
    "404": "Not there, or not for this session: the same answer.",
    "410": "This phone was reported lost.",
    "413": "Too long.",
    "416": "No such bytes.",
    "422": "Something is missing or wrong; the page says what.",
    "429": "Too many wrong tries.",
    "503": "The server cannot keep this now; nothing was acknowledged.",
}
_KINDS = (Batch, Receipts, Code, PhoneList, Begun, OwnAnswers, Problem, Next, Again, Revoked)


def describe(app: Litestar) -> dict[str, Any]:
    """The description as OpenAPI 3.1, from the application's routes."""
    paths: dict[str, dict[str, Any]] = {}
    secure = app.state.site.settings.secure_cookies
    for route in app.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        for handler in getattr(route, "route_handlers", ()):
            for method in sorted(handler.http_methods & {"GET", "POST"}):
                paths.setdefault(path, {})[method.lower()] = _operation(path, method, handler)
    _, schemas = msgspec.json.schema_components(_KINDS, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1"},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                kind: {"type": "apiKey", "in": "cookie", "name": security.named(kind, secure)}
                for kind in (security.HOUSEHOLD, security.ACCOUNT, security.HALF)
            },
        },
    }


def _operation(path: str, method: str, handler: HTTPRouteHandler) -> dict[str, Any]:
    action = guards.action_of(handler)
    said = (inspect.getdoc(handler.fn) or "").split("\n\n")[0].replace("\n", " ")
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()} {path}",
        "description": said,
        "parameters": _parameters(path),
        "security": [{kind: []} for kind in _sessions(handler)],
        "responses": _responses(path, method, bool(_sessions(handler))),
    }
    if action:
        operation["x-action"] = action
    if method == "POST":
        operation["requestBody"] = {"required": path in BODIES, "content": _body(path, operation["security"])}
    return operation


def _sessions(handler: HTTPRouteHandler) -> tuple[str, ...]:
    """The session that an address asks for."""
    if guards.halfway in (handler.guards or ()):
        return (security.HALF,)
    action = guards.action_of(handler)
    if action is None:
        return ()
    return (security.HOUSEHOLD,) if holds("household", action) else (security.ACCOUNT,)


def _parameters(path: str) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        | ({"schema": {"enum": list(get_args(Mode))}} if name == "mode" else {})
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    for place, names in (("query", ("lang", *QUERIES.get(path, ()))), ("header", HEADERS.get(path, ()))):
        found += [{"name": name, "in": place, "schema": {"type": "string"}} for name in names]
    return found


def _body(path: str, sessions: list[dict[str, Any]]) -> dict[str, Any]:
    if path in BODIES:
        return {JSON: {"schema": _reference(BODIES[path])}}
    names = (*FORMS.get(path, ()), *(("csrf",) if sessions else ()))
    fields = {name: {"type": "string"} for name in names}
    form = {"type": "object", "properties": fields, "additionalProperties": {"type": "string"}}
    return {"application/x-www-form-urlencoded": {"schema": form}}


def _responses(path: str, method: str, session: bool) -> dict[str, Any]:
    well = ANSWERS.get(path, PAGE)
    kinds: dict[str, dict[str, Any]] = {"200": _content(well)}
    if method == "POST" and well == PAGE:
        kinds["200"] |= _content(Next)
    kinds["303"] = {}
    refusals = ["400", "404", "503"]
    if session:
        refusals += ["401", "403"]
    if method == "POST":
        refusals += ["403", "413", "422"]
    for status in refusals:
        kinds[status] = _content(PAGE) | _content(Problem)
    if method == "POST" and "/p/{page}" in path:
        kinds["422"] = _content(PAGE) | {
            JSON: {"schema": {"anyOf": [_reference(Problem), _reference(Again)]}}
        }
    for status, kind in OTHER.get((method, path), {}).items():
        kinds[status] = kinds.get(status, {}) | _content(kind)
    return {
        status: {"description": SAID[status]} | ({"content": content} if content else {})
        for status, content in sorted(kinds.items())
    }


def _content(kind: str | type[Struct]) -> dict[str, Any]:
    return {kind: {}} if isinstance(kind, str) else {JSON: {"schema": _reference(kind)}}


def _reference(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


@get("/openapi.json", guards=[open_to_all], sync_to_thread=False)
def openapi(request: AnyRequest) -> Response[bytes]:
    """This description."""
    return Response(msgspec.json.encode(describe(request.app)), media_type=JSON)


HANDLERS = (openapi,)
