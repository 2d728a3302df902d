"""An author tries a questionnaire: the real pages, and beside them the path, every variable and every finding.

`survey preview FOLDER` serves one interview on this machine. The files are read again whenever they change; the answers
stay, so that one goes on from the page one was correcting. Nothing is kept: the interview lives in memory and ends with
the command. Never put it on a network.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath

from survey import documents
from survey.fieldwork.plan import Dates, Frame, Legal, Retention, Sampling, SurveyPlan, Territory
from survey.fieldwork.sample import SampledUnit
from survey.problems import BadDocument, Finding, SurveyError
from survey.questionnaire import reading, routing
from survey.questionnaire.codebook import MISSING
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, fold
from survey.settings import Keys, Settings
from survey.storage.database import Database
from survey.storage.sessions import Session
from survey.storage.surveys import KeptSurvey
from survey.web import assets, forms, photos, security
from survey.web import interview as pages
from survey.web.interview import Interview, Mode
from survey.web.site import AnyRequest, SignedIn, Site, check_form, form_of, goto, language_of, show, site_of
from survey.web.steps import ask_remove_page, check_page, read_page, remove_page, save_page
from survey.web.words import word

BASE = "/survey"
MODES: tuple[Mode, ...] = ("self", "visit", "proxy", "phone")
PATH_VARIABLE = "SURVEY_PREVIEW"
SAMPLED = SampledUnit(
    case="THU-000001-0", household="1", stratum="1", psu="1", commune="00001", urban_rural="rural", stage1_probability=1.0,
    stage2_probability=1.0, psus_sampled=1, psus_in_stratum=1, households_sampled=1, households_listed=1,
    respondent_draw=0.5,
)  # fmt: skip
"""A household that nobody lives in, for questionnaires that show what the sample knows."""
TOKEN = "preview"  # noqa: S105 - one author on one machine: the form check runs, and has nothing to protect


@dataclass
class Trial:
    """The questionnaire as its file now is, and the one interview. The last sound version stays while a file has errors."""

    file: Path
    questionnaire: Questionnaire = field(init=False)
    findings: list[Finding] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    mode: Mode = "self"
    draw: float = 0.5
    pictures: dict[str, bytes] = field(default_factory=dict)
    _read: bytes = b""

    def __post_init__(self) -> None:
        self.refresh()
        if not hasattr(self, "questionnaire"):
            raise BadDocument(self.findings)
        self.begin()

    def refresh(self) -> None:
        """Read the file again if it is not what it was."""
        try:
            content = self.file.read_bytes()
        except OSError:
            content = b""
        digest = hashlib.sha256(content).digest()
        if digest == self._read:
            return
        self._read = digest
        try:
            found, self.findings = reading.review(content.decode("utf-8-sig"), self.file.name)
        except UnicodeDecodeError:
            found = None
            self.findings = [_not_utf8(self.file.name)]
        if found is not None and not any(finding.severity == "error" for finding in self.findings):
            self.questionnaire = found

    def begin(self) -> None:
        """Forget every answer; another person will be drawn."""
        self.draw = secrets.randbelow(1_000_000) / 1_000_000
        self.events = [
            forms.opened("preview", "preview", self.mode, "", self.questionnaire, forms.today(), SAMPLED)
        ]

    def interview(self, language: str) -> Interview:
        return Interview(
            self.questionnaire, fold("preview", self.events), "preview", self.mode, BASE, language
        )

    async def keep(self, picture: bytes) -> str:
        digest = hashlib.sha256(picture).hexdigest()
        self.pictures[digest] = picture
        return digest

    @property
    def state(self) -> str:
        """Changes with everything that the panel shows."""
        return hashlib.sha256(self._read + f"{len(self.events)} {self.mode}".encode()).hexdigest()[:16]


def _not_utf8(name: str) -> Finding:
    return Finding(code="not_utf8", where=name,
                   message={"vi": "tệp không ở dạng UTF-8", "en": "the file is not UTF-8"})  # fmt: skip


def trial_of(path: Path) -> Trial:
    """The interview of a survey folder or a questionnaire file; BadDocument when the file has errors."""
    file = path / "questionnaire.yaml" if path.is_dir() else path
    if not file.is_file():
        raise SurveyError({"vi": f"Không có tệp {file}.", "en": f"There is no file {file}."})
    return Trial(file)


def create_preview(path: Path, database: Database) -> Litestar:
    """The application for a survey folder or a questionnaire file alone. `database` stays empty."""
    trial = trial_of(path)
    file = trial.file
    survey = KeptSurvey(hash="", version=trial.questionnaire.version, kept_at=0, synthetic=False,
                        questionnaire=trial.questionnaire, plan=_plan(file.parent, trial.questionnaire))  # fmt: skip
    settings = Settings(folder=file.parent, database="sqlite://")
    site = Site(settings, database, Keys.of(secrets.token_bytes(32)), survey, {})
    site.languages = tuple(dict.fromkeys((*site.languages, *trial.questionnaire.languages)))
    app = Litestar(
        route_handlers=[
            desk, panel, start, read, photo, save, ask_remove, remove, check, submit, done, again, change_mode,
            *assets.HANDLERS,
        ],
        openapi_config=None,
        before_send=[_headers],
        exception_handlers={SurveyError: _told},
        logging_config=None,
    )  # fmt: skip
    app.state.site, app.state.trial = site, trial
    return app


def _plan(folder: Path, questionnaire: Questionnaire) -> SurveyPlan:
    """The folder's plan if there is a sound one, for its title and legal notice; else one that says it is a trial."""
    try:
        document = documents.load((folder / "survey.yaml").read_text(encoding="utf-8-sig"), "survey.yaml")
        found = documents.convert(document, SurveyPlan)
        assert isinstance(found, SurveyPlan)
        return found
    except (OSError, BadDocument):
        trial = {"vi": "Bản thử", "en": "Preview"}
        return SurveyPlan(
            id=questionnaire.id, title=questionnaire.title, organiser=trial, languages=questionnaire.languages,
            territory=Territory(name=trial, country="", province="", as_of="2026-01-01"), frame=Frame(),
            sampling=Sampling(strata=(), psus=0, take=0), modes=MODES,
            dates=Dates(reference="", web_opens="", visits_open="", closes="9999-12-31"),
            legal=Legal(basis="consent", decision=trial, citations=(), controller=trial, contact=trial, purposes=()),
            retention=Retention(identities_months=0, answers_months=0),
        )  # fmt: skip


async def _headers(message: Any, scope: Any) -> None:
    """The headers of the real application, but the desk may frame its own page."""
    await security.add_headers(message, scope)
    if message["type"] == "http.response.start":
        message["headers"] = [
            (
                name,
                value.replace(b"frame-ancestors 'none'", b"frame-ancestors 'self'; frame-src 'self'"),
            )
            for name, value in message["headers"]
            if name != b"x-frame-options"
        ]


def _told(request: AnyRequest, error: SurveyError) -> Response[str]:
    language = language_of(request)
    return show(
        request, "message.html", 400, title=word(language, "errors.broken"),
        text=error.message.get(language, ""), home=BASE,
    )  # fmt: skip


# --- the desk ------------------------------------------------------------------------------------------------------


def _trial(request: AnyRequest) -> Trial:
    trial: Trial = request.app.state.trial
    trial.refresh()
    return trial


def _signed(request: AnyRequest) -> SignedIn:
    session = Session(
        digest="", kind=security.HOUSEHOLD, subject="preview", data={}, created_at=0, expires_at=0
    )
    return SignedIn(session, TOKEN, security.form_token(site_of(request).keys.sessions, TOKEN))


@get("/", sync_to_thread=False)
def desk(request: Request[Any, Any, Any]) -> Response[str]:
    """The page on the left, what the engine makes of it on the right."""
    trial = _trial(request)
    return show(
        request, "preview/desk.html", base=BASE, trial=trial, modes=MODES, csrf=_signed(request).csrf,
        **_facts(trial, language_of(request)),
    )  # fmt: skip


@get("/panel", sync_to_thread=False)
def panel(request: Request[Any, Any, Any]) -> Response[str]:
    """The right side alone; nothing (204) while the reader's copy is still true."""
    trial = _trial(request)
    if request.query_params.get("state") == trial.state:
        return Response("", status_code=204)
    return show(request, "preview/panel.html", trial=trial, **_facts(trial, language_of(request)))


def _facts(trial: Trial, language: str) -> dict[str, Any]:
    """What the panel names: steps with their state, and every variable's value."""
    interview = trial.interview(language)
    following = routing.next_step(interview.questionnaire, interview.response)
    steps = [
        {
            "url": interview.url(step),
            "page": step.page.id,
            "row": interview.row_name(index(interview.questionnaire).roster_of(step.page), step.row)
            if step.row
            else "",
            "section": step.section.title.get(language, step.section.id),
            "done": interview.done(step),
            "next": step == following,
        }
        for step in interview.steps
    ]
    values = [
        (str(key), _shown(answer, language))
        for key, answer in routing.outcome(interview.questionnaire, interview.response).items()
    ]
    return {"steps": steps, "values": values}


def _shown(answer: Answer, language: str) -> tuple[str, str]:
    """A value as it is kept, or the name of the state that stands for it; and which of the two."""
    if answer.missing:
        return MISSING[answer.missing].get(language, answer.missing), answer.missing
    value = answer.value
    return (" ".join(value) if isinstance(value, list) else str(value)), "value"


@post("/again", status_code=200)
async def again(request: Request[Any, Any, Any]) -> Response[str]:
    trial = _trial(request)
    check_form(site_of(request), request, _signed(request), await form_of(request))
    trial.begin()
    return goto("/")


@post("/mode/{mode:str}", status_code=200)
async def change_mode(request: Request[Any, Any, Any], mode: FromPath[str]) -> Response[str]:
    """The same answers, asked in another way: alone, at the door, about somebody else, by telephone."""
    trial = _trial(request)
    check_form(site_of(request), request, _signed(request), await form_of(request))
    trial.mode = next((known for known in MODES if known == mode), trial.mode)
    return goto("/")


# --- the interview -------------------------------------------------------------------------------------------------


def _interview(request: AnyRequest) -> tuple[Trial, Interview]:
    trial = _trial(request)
    return trial, trial.interview(language_of(request))


def _page(request: AnyRequest, view: pages.PageView) -> Response[str]:
    return show(
        request,
        "page.html",
        422 if view.errors else 200,
        page=view,
        csrf=_signed(request).csrf,
        stop="/again",
    )


@get(BASE, sync_to_thread=False)
def start(request: Request[Any, Any, Any]) -> Response[str]:
    return goto(_interview(request)[1].next_url())


@get([BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"], sync_to_thread=False)
def read(request: Request[Any, Any, Any], page: FromPath[str], row: FromPath[str] = "") -> Response[str]:
    shown = read_page(_interview(request)[1], page, row, request.query_params.get("change") == "1")
    return _page(request, shown) if isinstance(shown, pages.PageView) else goto(shown)


@get(BASE + "/photo/{digest:str}", sync_to_thread=False)
def photo(request: Request[Any, Any, Any], digest: FromPath[str]) -> Response[Any]:
    found = _trial(request).pictures.get(digest)
    return Response(found, media_type="image/jpeg") if found else goto(BASE)


@post(
    [BASE + "/p/{page:str}", BASE + "/p/{page:str}/{row:str}"],
    status_code=200,
    request_max_body_size=2 * photos.MOST_BYTES,
)
async def save(
    request: Request[Any, Any, Any], page: FromPath[str], row: FromPath[str] = ""
) -> Response[str]:
    trial, interview = _interview(request)
    form = await form_of(request)
    check_form(site_of(request), request, _signed(request), form)
    form |= await photos.taken(request, trial.keep)
    change = request.query_params.get("change") == "1"
    return _kept(request, trial, save_page(interview, trial.draw, page, row, form, change))


@get(BASE + "/p/{page:str}/{row:str}/remove", sync_to_thread=False)
def ask_remove(request: Request[Any, Any, Any], page: FromPath[str], row: FromPath[str]) -> Response[str]:
    return ask_remove_page(request, _interview(request)[1], _signed(request), page, row)


@post(BASE + "/p/{page:str}/{row:str}/remove", status_code=200)
async def remove(request: Request[Any, Any, Any], page: FromPath[str], row: FromPath[str]) -> Response[str]:
    trial, interview = _interview(request)
    form = await form_of(request)
    check_form(site_of(request), request, _signed(request), form)
    return _kept(request, trial, remove_page(interview, page, row, form))


def _kept(
    request: AnyRequest, trial: Trial, answer: tuple[tuple[Event, ...], str] | pages.PageView
) -> Response[str]:
    if isinstance(answer, pages.PageView):
        return _page(request, answer)
    events, url = answer
    trial.events += events
    return goto(url)


@get(BASE + "/check", sync_to_thread=False)
def check(request: Request[Any, Any, Any]) -> Response[str]:
    return check_page(request, _interview(request)[1], _signed(request), "/again")


@post(BASE + "/submit", status_code=200)
async def submit(request: Request[Any, Any, Any]) -> Response[str]:
    trial, interview = _interview(request)
    form = await form_of(request)
    check_form(site_of(request), request, _signed(request), form)
    if (left := interview.next_url()) != f"{BASE}/check":
        return goto(left)
    trial.events.append(forms.submit(interview, form))
    return goto(f"{BASE}/done")


@get(BASE + "/done", sync_to_thread=False)
def done(request: Request[Any, Any, Any]) -> Response[str]:
    language = language_of(request)
    return show(
        request, "message.html", title=word(language, "preview.done"), text=word(language, "preview.done_text"),
        home=f"{BASE}/check",
    )  # fmt: skip


# --- serving -------------------------------------------------------------------------------------------------------


@contextmanager
def application(path: Path) -> Iterator[Litestar]:
    """The preview of a folder, with the empty database that its pages expect; gone at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="survey-preview-") as folder,
        Database.open(f"sqlite:///{folder}/empty.sqlite") as database,
    ):
        yield create_preview(path, database)


def serve(path: Path, port: int) -> None:
    """Serve until it is stopped (Ctrl-C). What is wrong with the file is said before the server starts."""
    from survey.serving import run

    trial_of(path.resolve())
    os.environ[PATH_VARIABLE] = str(path.resolve())
    print(f"http://127.0.0.1:{port}/")
    run("survey.preview:from_environment", "127.0.0.1", port)


def from_environment() -> Litestar:
    """The application as `serve` told its worker to be."""
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(application(Path(os.environ[PATH_VARIABLE])))
