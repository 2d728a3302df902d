"""A phone that speaks to the application directly: it makes events as static/js/events.mjs does and sends them in
batches, for tests of what the server makes of them."""

from __future__ import annotations

import atexit
import functools
import hashlib
import io
import re
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from argon2 import PasswordHasher
from litestar.testing import TestClient
from rich.console import Console

from survey.fieldwork.cases import Attempt
from survey.fieldwork.listing import Listed
from survey.fieldwork.pictures import Picture
from survey.loading import create_account, load_sample
from survey.questionnaire import routing
from survey.questionnaire.codebook import possible
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.storage import accounts
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.responses import canonical
from survey.web.ids import new_form_id
from tests.test_loading import FOLDER, write_sample

QUIET = Console(file=io.StringIO())
PASSWORD = "mat-khau-thu-nghiem"


def settle(folder: Path, households: int = 12) -> str:
    """A loaded sample; officials an (commune 10507) and binh (10510), supervisor chi of both. Returns the address."""
    shutil.copytree(_settled(households), folder, dirs_exist_ok=True)
    return f"sqlite:///{folder / 'survey.sqlite'}"


@functools.cache
def _settled(households: int) -> Path:
    """Loaded once a process: hundreds of tests begin with a copy of it."""
    folder = Path(tempfile.mkdtemp(prefix="survey-settled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    url = f"sqlite:///{folder / 'survey.sqlite'}"
    sample = write_sample(folder / "sample", range(households))
    load_sample(FOLDER, sample, url, folder / "codes.csv", console=QUIET)
    for name, role, communes in (
        ("an", "official", ["10507"]),
        ("binh", "official", ["10510"]),
        ("chi", "supervisor", ["10507", "10510"]),
    ):
        create_account(url, name, role, communes, password=PASSWORD, console=QUIET)
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with Database.open(url) as database, database.writing() as connection:
        for name in ("an", "binh", "chi"):
            accounts.set_password(connection, name, cheap)
    return folder


def sign_in(client: TestClient[Any], name: str) -> str:
    """Signs in and gives back the token of the session's forms."""
    done = client.post("/field/sign-in", data={"name": name, "password": PASSWORD}, follow_redirects=True)
    assert done.status_code == 200
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', done.text)
    assert found
    return found[1]


class Phone:
    """One phone of one person. `send` posts what it is given and returns the receipts."""

    def __init__(
        self, client: TestClient[Any], author: str, url: str = "/field/sync", token: str = ""
    ) -> None:
        self.client, self.author, self.url = client, author, url
        self.headers = {
            "accept": "application/json", "content-type": "application/json", "x-csrf": token,
            "survey-app": "1", "survey-device": secrets.token_hex(16),
        }  # fmt: skip

    def send(self, *items: Event | Attempt | Listed | Picture | str, **headers: str) -> list[dict[str, Any]]:
        answer = self.post(body(items), **headers)
        assert answer.status_code == 200, answer.text
        receipts: list[dict[str, Any]] = answer.json()["receipts"]
        return receipts

    def post(self, content: bytes, **headers: str) -> Any:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(self.url, content=content, headers={**self.headers, **more})

    def event(self, response: str, kind: str, at: int = 0, **facts: Any) -> Event:
        return Event(
            id=new_form_id(), response=response, kind=kind, at=at or now(), author=self.author,  # type: ignore[arg-type]
            mode=facts.pop("mode", "visit"), **facts,
        )  # fmt: skip

    def attempt(self, case: str, outcome: str = "nobody_home", **facts: Any) -> Attempt:
        made = {"id": new_form_id(), "at": now(), "author": self.author, "mode": "visit", **facts}
        return Attempt(case=case, outcome=outcome, **made)

    def interview(
        self, questionnaire: Questionnaire, case: str, draw: float, response: str = "", people: int = 2
    ) -> list[Event]:
        """A whole interview from its opening to its submission, answered with the first option everywhere."""
        id = response or secrets.token_hex(16)
        events = [
            self.event(
                id, "opened", case=case, version=questionnaire.version, language="vi", today="2026-11-20"
            )
        ]
        rows = [f"p{number}" for number in range(people)]
        while (step := routing.next_step(questionnaire, fold(id, events))) is not None:
            events += self._answer(questionnaire, id, events, step, rows, draw)
        return [*events, self.event(id, "submitted")]

    def _answer(
        self, questionnaire: Questionnaire, id: str, events: list[Event], step: routing.Step, rows: list[str], draw: float
    ) -> list[Event]:  # fmt: skip
        so_far, page = fold(id, events), step.page
        if page.kind == "list" and not step.row:
            if not so_far.rows.get(page.roster or ""):
                return [self.event(id, "row_added", roster=page.roster, row=row) for row in rows]
            return [self.event(id, "page_done", page=page.id)]
        if page.kind == "draw" and page.draw not in so_far.drawn:
            definition = index(questionnaire).draws[page.draw or ""]
            row, eligible = routing.draw_row(questionnaire, so_far, definition.id, draw)
            return [
                self.event(id, "locked", roster=definition.roster),
                self.event(id, "drawn", draw=definition.id, row=row, eligible=eligible),
            ]
        answers: dict[str, Answer] = {}
        for question in routing.visible(questionnaire, so_far, step):
            if routing.needs_answer(question):
                key = Key(question.id, step.row)
                answers[str(key)] = say(questionnaire, key)
        more = [self.event(id, "answered", page=page.id, row=step.row, answers=answers)] if answers else []
        return (
            [*more, self.event(id, "page_done", page=page.id, row=step.row)]
            if not answers or page.kind in ("notice", "draw")
            else more
        )


def say(questionnaire: Questionnaire, key: Key) -> Answer:
    """The first option, 1980 for a year, 1 for a number, a word for a text."""
    known = index(questionnaire)
    question = known.places[key.question].question
    options = [choice.code for choice in known.choices(question)]
    for value in (
        *( [options[0], [options[0]]] if options else [] ), True, 1980 if question.kind == "year" else 1, "2026-01-31"
        if question.kind == "date" else "Bà Tư",
    ):  # fmt: skip
        if possible(questionnaire, key, Answer(value)):
            return Answer(value)
    raise AssertionError(f"nothing to say to {key}")


def body(items: Sequence[Event | Attempt | Listed | Picture | str]) -> bytes:
    """A batch; a text goes among the events as it stands."""
    lists: dict[str, list[str]] = {"events": [], "attempts": [], "listings": [], "pictures": []}
    names: dict[type, str] = {Attempt: "attempts", Listed: "listings", Picture: "pictures"}
    for item in items:
        if isinstance(item, Attempt | Listed | Picture):
            name = names[type(item)]
            lists[name].append(msgspec.json.encode(item).decode())
        else:
            lists["events"].append(item if isinstance(item, str) else canonical(item).decode())
    return (
        "{" + ",".join(f'"{name}":[{",".join(many)}]' for name, many in lists.items() if many) + "}"
    ).encode()


def hash_of(item: Event | Attempt) -> str:
    raw = msgspec.json.encode(item) if isinstance(item, Attempt) else canonical(item)
    return hashlib.sha256(raw).hexdigest()
