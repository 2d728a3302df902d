"""What every handler shares: the database, the keys, the kept questionnaires and the drawing of pages."""

from __future__ import annotations

import asyncio
import datetime
import functools
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jinja2
import msgspec
from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect
from markupsafe import Markup, escape
from sqlalchemy import Connection

from survey.fieldwork.areas import Area
from survey.problems import SurveyError
from survey.questionnaire.model import Questionnaire
from survey.settings import Keys, Settings
from survey.storage import sessions, surveys
from survey.storage.database import Database
from survey.storage.sessions import Session
from survey.storage.surveys import KeptSurvey
from survey.web import forms, guards, interview, security, words
from survey.web.assets import Assets, sounds
from survey.web.traffic import Traffic
from survey.web.words import LANGUAGES, word

if TYPE_CHECKING:
    from survey.web.booklet import Booklet

AnyRequest = Request[Any, Any, Any]
Page = Response[str]


def with_signs(text: str) -> Markup:
    """A text in which "[4G]" stands as the sign to look for on the phone."""
    return Markup(re.sub(r"\[([^\[\]]{1,12})\]", r'<span class="sign">\1</span>', str(escape(text))))  # noqa: S704


def with_telephone(text: str) -> Markup:
    """A text in which a telephone number can be tapped: eight to fourteen digits, however they are grouped."""

    def link(found: re.Match[str]) -> str:
        digits = re.sub(r"[^+\d]", "", found[0])
        number = f'<a href="tel:{digits}">{found[0]}</a>'
        return number if 8 <= len(digits.lstrip("+")) <= 14 else found[0]

    return Markup(re.sub(r"\+?\(?\d(?:[ .()-]{0,2}\d){7,}", link, str(escape(text))))  # noqa: S704


@dataclass
class Site:
    """One running application. Nothing here is state that a second worker would miss: caches of what never changes."""

    settings: Settings
    database: Database
    keys: Keys
    survey: KeptSurvey
    areas: dict[str, Area]
    make_oversight: Callable[[], Any] | None = None
    templates: jinja2.Environment = field(init=False)
    assets: Assets = field(default_factory=Assets)
    sounds: frozenset[str] = field(init=False)
    languages: tuple[str, ...] = field(init=False)
    traffic: Traffic = field(init=False)
    booklets: dict[str, Booklet] = field(default_factory=dict)
    _questionnaires: dict[str, Questionnaire] = field(default_factory=dict)
    _oversight: Any = None
    _making: threading.Lock = field(default_factory=threading.Lock)
    _spoken: dict[str, tuple[KeptSurvey, jinja2.Environment]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent.parent / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            auto_reload=False,
        )
        self.templates.filters["signs"] = with_signs
        self.templates.filters["telephone"] = with_telephone
        brought = words.bring(self.settings.folder)
        asked = self.survey.questionnaire.languages
        self.languages = (*LANGUAGES, *(code for code in brought if code in asked))
        self.sounds = sounds(self.settings.folder)
        self.traffic = Traffic(self.database, self.settings.requests_a_minute)
        self.templates.policies["json.dumps_function"] = _written
        self.templates.policies["json.dumps_kwargs"] = {}
        self.templates.globals |= {"asset": self.assets.url, "sounds": self.sounds}
        self._questionnaires[self.survey.version] = self.survey.questionnaire

    @property
    def oversight(self) -> Any:
        """The survey.web.supervision.Oversight, where the office is served. It is made when it is first asked for, which
        takes seconds: never on the event loop."""
        with self._making:
            if self._oversight is None and self.make_oversight is not None:
                self._oversight = self.make_oversight()
            return self._oversight

    async def overseen(self, ask: Callable[[Any], Any]) -> Any:
        """What `ask` finds out from the oversight, beside the event loop."""
        return await asyncio.to_thread(lambda: ask(self.oversight))

    def spoken(self, language: str) -> jinja2.Environment:
        """The templates in a language, with what every one of them names: so the macros that they share are made once and
        not for every page."""
        kept = self._spoken.get(language)
        if kept is not None and kept[0] is self.survey:
            return kept[1]
        plan, environment = self.survey.plan, self.templates.overlay()
        environment.globals = {
            **self.templates.globals,
            "language": language,
            "direction": words.direction(language),
            "w": functools.partial(word, language),
            "survey_title": words.said(plan.title, language),
            "organiser": words.said(plan.organiser, language),
            "helpline": words.said(plan.helpline, language),
            "synthetic": self.survey.synthetic,
            "notice": words.notice(plan, language),
        }
        self._spoken[language] = (self.survey, environment)
        return environment

    async def questionnaire(self, version: str) -> Questionnaire:
        """The questionnaire a response began with."""
        found = self._questionnaires.get(version)
        if found is None:
            found = self._questionnaires[version] = await self.database.read(surveys.questionnaire, version)
        return found

    @property
    def closed(self) -> bool:
        """Whether the cut-off has passed: the day of closing still counts."""
        return forms.today().isoformat() > self.survey.plan.dates.closes

    @property
    def release_site(self) -> Path | None:
        """The site of the release, once its embargo is over."""
        folder = self.settings.results
        if not folder or not (folder / "site").is_dir():
            return None
        return folder / "site" if _public(folder) else None


def _written(facts: object) -> str:
    """As JSON, the same for the same facts: what is sent is kept under an address made of it."""
    return msgspec.json.encode(facts, order="sorted").decode()


def _public(release: Path) -> bool:
    """Whether the time before which a release is not to be shown has passed."""
    manifest = release / "manifest.json"
    embargo = msgspec.json.decode(manifest.read_bytes())["embargo"] if manifest.is_file() else ""
    return not embargo or datetime.datetime.fromisoformat(embargo) <= datetime.datetime.now(datetime.UTC)


def site_of(request: AnyRequest) -> Site:
    found: Site = request.app.state.site
    return found


def language_of(request: AnyRequest) -> str:
    """?lang= wins, then the cookie, then Vietnamese."""
    asked = request.query_params.get("lang") or request.cookies.get("lang", "")
    return asked if asked in offered(request) else LANGUAGES[0]


def offered(request: AnyRequest) -> tuple[str, ...]:
    """The languages of this page: a survey's further ones are for its households."""
    staff = request.scope["path"].startswith(("/field", "/office"))
    return LANGUAGES if staff else site_of(request).languages


def render(site: Site, template: str, language: str, **facts: Any) -> str:
    """A template in a language. `facts` are what it names beside what every one of them does."""
    return site.spoken(language).get_template(template).render(facts)


def show(
    request: AnyRequest, template: str, status: int = 200, cookies: tuple[Cookie, ...] = (), **facts: Any
) -> Page:
    """A page in the reader's language. `facts` are what its template names."""
    language = language_of(request)
    query = {key: value for key, value in request.query_params.items() if key != "lang"}
    # "//elsewhere" and "/\\elsewhere" would lead to another site.
    here = "/" + quote(request.scope["path"].lstrip("/\\"))
    others = [
        (code, word(code, "language_name"), f"{here}?{urlencode({**query, 'lang': code})}")
        for code in offered(request)
        if code != language
    ]
    content = render(
        site_of(request),
        template,
        language,
        failed=status == 422,
        other_language=others[0][2],
        languages=others,
        **facts,
    )
    if request.query_params.get("lang") == language:
        cookies = (
            *cookies,
            Cookie(key="lang", value=language, path="/", samesite="lax", httponly=True, max_age=31536000),
        )
    return Response(content, media_type=MediaType.HTML, status_code=status, cookies=list(cookies))


def by_script(request: AnyRequest) -> bool:
    """Whether a script asked, which reads JSON and never shows a page."""
    return request.headers.get("accept", "").startswith("application/json")


def goto(url: str, cookies: tuple[Cookie, ...] = ()) -> Redirect:
    """See other: the browser fetches the next page, so that reloading it sends nothing again."""
    return Redirect(url, status_code=303, cookies=list(cookies))


def then(request: AnyRequest, url: str) -> Response[Any]:
    """Where to go on after a form: a page for a browser, the address for a script."""
    return Response({"next": url}) if by_script(request) else goto(url)


class Problem(msgspec.Struct):
    """What a script is told in place of a page: a stable name, and words for the person where there are some."""

    error: str
    text: str = ""


def message(request: AnyRequest, kind: str, status: int, home: str = "/", *, again: bool = False) -> Page:
    """One of the honest pages: not found, session over, forbidden, busy, broken; a script gets the same as JSON.

    `again`: what was sent can be sent once more as it is. The page then carries it, so that a household without script
    presses one button; a form is one answer however often it arrives. Whether a form or only a look was in vain is said.
    """
    language = language_of(request)
    if by_script(request):
        said = Problem(kind, word(language, f"errors.{kind}_text"))
        return Response(msgspec.json.encode(said).decode(), media_type=MediaType.JSON, status_code=status)
    about = "again" if again else "unsaved" if kind == "session" and by_household(request) else "text"
    return show(
        request,
        "message.html",
        status,
        title=word(language, f"errors.{kind}"),
        text=word(language, f"errors.{kind}_{about}"),
        home=home,
        to=word(language, "sending.enter" if kind == "session" else "errors.home"),
        again=(request.url.path + (f"?{request.url.query}" if request.url.query else "")) if again else "",
        sent=[(name, value) for name, values in _sent(request).items() for value in values] if again else [],
    )


def _sent(request: AnyRequest) -> dict[str, list[str]]:
    """The fields of the form that this request brought, if it came so far."""
    fields: dict[str, list[str]] = getattr(request.state, "sent", {})
    return fields


def by_household(request: AnyRequest) -> bool:
    """Whether a household's form was sent: its code, or a page of its questionnaire."""
    return request.method == "POST" and (
        request.url.path == "/code" or request.url.path.startswith("/survey/")
    )


class NotYours(SurveyError):
    """No session, or not for this: the handler of this error shows the way back in."""

    code = "not_yours"

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__({"vi": "Không có quyền", "en": "Not allowed"})


class ForgedForm(SurveyError):
    """The form did not come from a page of this session."""

    code = "forged_form"

    def __init__(self) -> None:
        super().__init__({"vi": "Biểu mẫu không hợp lệ", "en": "The form is not from this session"})


@dataclass(frozen=True)
class SignedIn:
    """A session with the token its forms carry."""

    session: Session
    token: str
    csrf: str


def find_session(
    site: Site, connection: Connection, request: AnyRequest, kind: str, token: str = ""
) -> SignedIn:
    """The session of the request's cookie, or of a token that the browser is about to get; NotYours when there is none
    (expired, revoked, never was)."""
    token = token or security.sent(request, kind)
    session = sessions.find(connection, security.digest(token)) if token else None
    return admitted(site, request, kind, token, session)


def admitted(site: Site, request: AnyRequest, kind: str, token: str, session: Session | None) -> SignedIn:
    """Whoever has this session, if it is of this kind and may ask for this address; else NotYours."""
    if session is None or session.kind != kind:
        raise NotYours(kind)
    cookie = security.sent(request, kind)
    if kind == security.HOUSEHOLD and cookie == token and not guards.allowed(request, "household"):
        raise NotYours(kind)
    return SignedIn(session, token, security.form_token(site.keys.sessions, token))


def check_origin(request: AnyRequest) -> None:
    if not security.same_site(request):
        raise ForgedForm


def check_form(site: Site, request: AnyRequest, signed: SignedIn, form: interview.Form) -> None:
    """The form came from a page of this session."""
    check_origin(request)
    sent = next(iter(form.get("csrf", ())), "")
    if not security.right_token(site.keys.sessions, signed.token, sent):
        raise ForgedForm


async def form_of(request: AnyRequest) -> dict[str, list[str]]:
    """The fields of an ordinary form, each with all its values."""
    data = await request.form()
    fields = {name: [value for value in data.getall(name) if isinstance(value, str)] for name in data}
    request.state.sent = fields  # for a page that says it could not be kept, and offers to send it once more
    return fields
