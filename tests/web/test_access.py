"""Every route of the application, asked by every role: what docs/access.md says, no more and no less; and what belongs to
somebody else is refused in the very words of what is not there."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from litestar.testing import TestClient

from survey.access.policy import Role, holds
from survey.app import create_app
from survey.fieldwork import backchecks
from survey.fieldwork.reviews import Review
from survey.settings import Settings
from survey.storage import accounts, cases, devices, photos, quarantine, responses, reviews, rights, surveys
from survey.storage import backchecks as asked_again
from survey.storage.database import Database
from survey.storage.quarantine import Misfit
from survey.web import account, forms, guards, security
from survey.web.phones import _named
from tests.test_loading import FOLDER
from tests.web.phone import Phone, settle

TABLE = Path(__file__).parents[2] / "docs" / "access.md"
ROLES = ("nobody", *get_args(Role))
COMMUNES = {"supervisor": ("10507",), "official": ("10507",)}
"""Case HD-000001 is of 10507 and the official's; HD-000000 is of 10510 and somebody else's."""
OWN, FOREIGN, NOWHERE = "HD-000001", "HD-000000", "HD-999999"
CHECKED, CHECKED_ELSEWHERE = (
    "HD-000003",
    "HD-000002",
)  # finished at the door, in the own commune and elsewhere


@cache
def reviewed() -> dict[tuple[str, str], dict[str, str]]:
    """The table of docs/access.md: (method, path) → role → yes, own or no."""
    found, roles = {}, []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "Route":
            roles = cells[1:]
        elif route := re.fullmatch(r"`(GET|POST) (/\S*)`", cells[0]):
            found[route[1], route[2]] = dict(zip(roles, cells[1:], strict=True))
    return found


@dataclass(frozen=True)
class World:
    """A running survey and the names of what is in it: own, somebody else's and nowhere, for each kind of name."""

    client: TestClient[Any]
    database: Database
    names: dict[str, tuple[str, str, str]]

    def ask(self, role: str, method: str, path: str) -> Any:
        """One request in a session of its own, with the session's token where a form must carry it."""
        kind = security.HOUSEHOLD if role == "household" else security.ACCOUNT
        self.client.cookies.clear()
        csrf = ""
        if role != "nobody":
            with self.database.writing() as connection:
                subject = OWN if role == "household" else role
                token, _ = security.begin(connection, kind, subject, 1)
            self.client.cookies.set(kind, token)
            csrf = security.form_token(self.client.app.state.site.keys.sessions, token)
        if method == "GET":
            return self.client.get(path, follow_redirects=False)
        if path.endswith(("/sync", "/sealed", "/take-over")):
            body = {"content": b'{"events":[],"attempts":[]}'}
            headers = {"x-csrf": csrf, "content-type": "application/json"}
            return self.client.post(path, **body, headers=headers, follow_redirects=False)
        return self.client.post(path, data={"csrf": csrf}, follow_redirects=False)

    def session(self, subject: str) -> str:
        """A further session of this account, by the name that its own page gives it."""
        with self.database.writing() as connection:
            return account.named(security.begin(connection, security.ACCOUNT, subject, 1)[1])

    def addresses(self, path: str, role: str) -> tuple[str, str, str]:
        """The route with its names filled in: own, somebody else's, nowhere."""
        filled = []
        for which in range(3):
            address = path
            for name, values in self.names.items():
                address = address.replace(name, values[which])
            if "own-session" in address:
                address = address.replace("own-session", self.session(role))
            if "foreign-session" in address:
                address = address.replace("foreign-session", self.session("chi"))
            assert "{" not in address, f"{path}: say in `World.names` what to put for its parameters"
            filled.append(address)
        return filled[0], filled[1], filled[2]


def refused(answer: Any) -> bool:
    """Sent to sign in, told that the session is over, or that there is no such page."""
    sent_away = answer.headers.get("location", "").endswith("/sign-in") and "set-cookie" not in answer.headers
    return (
        answer.status_code in (401, 403, 404) or sent_away
    )  # signing out also ends there, and drops the cookie


@contextlib.contextmanager
def drawn_always() -> Iterator[None]:
    """Every finished visit is drawn for a back-check."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backchecks, "drawn", lambda key, case, share: True)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with drawn_always():
        yield from _world(tmp_path_factory)


def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("access")
    folder = Path(shutil.copytree(FOLDER, home / "survey"))
    (folder / "audio").mkdir()
    (folder / "audio" / "sex.vi.mp3").write_bytes(b"ID3")
    (home / "release" / "site").mkdir(parents=True)
    (home / "release" / "site" / "index.html").write_text("<!doctype html><title>x</title>")
    (home / "release" / "estimates.csv").write_text("a\n1\n")
    url = settle(home)
    settings = Settings(
        folder=folder, database=url, results=home / "release", metrics=True, requests_a_minute=0
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        database = client.app.state.site.database
        names = _fill(client, database)
        yield World(client, database, names)


def _fill(client: TestClient[Any], database: Database) -> dict[str, tuple[str, str, str]]:
    """An account of each role, responses with a person and a picture in an own and a foreign case, two misfits."""
    with database.writing() as connection:
        for role in ROLES[2:]:
            accounts.create(connection, role, role, "no password", COMMUNES.get(role, ()))
        version = surveys.current(connection).version  # type: ignore[union-attr]
        pictures = []
        for case, official in ((OWN, "official"), (FOREIGN, "binh")):
            cases.reassign(connection, case, official)
            unit = cases.existing(connection, case).unit
            for mode, author in (("self", f"household:{case}"), ("visit", official)):
                response = f"{mode}-{case}"
                responses.open(connection, response, case, version, mode)
                survey = client.app.state.site.survey.questionnaire
                begin = forms.opened(response, author, mode, "vi", survey, forms.today(), unit)  # type: ignore[arg-type]
                person = Phone(client, author).event(
                    response, "row_added", roster="members", row="p0", mode=mode
                )
                responses.append(connection, [begin, person])
                digest = photos.keep(connection, response, f"picture of {case}".encode())
            pictures.append(digest)
        for case in (CHECKED, CHECKED_ELSEWHERE):
            response, author = f"done-{case}", "an"
            responses.open(connection, response, case, version, "visit")
            begin = forms.opened(response, author, "visit", "vi", survey, forms.today())
            end = msgspec.structs.replace(begin, id=f"end-{case}", kind="submitted")
            responses.append(connection, [begin, end])
        asked_again.give(connection, CHECKED, "official", "supervisor")
        asked_again.give(connection, CHECKED_ELSEWHERE, "binh", "supervisor")
        devices.heard_of(connection, "p-own", "official", 1, 0, 0)
        devices.heard_of(connection, "p-foreign", "binh", 1, 0, 0)
        phones = [devices.find(connection, id) for id in ("p-own", "p-foreign")]
        quarantine.keep(
            connection,
            [Misfit(hash=hash, kind="events", event="e", response="", case=case, author="x", device="d",
                    reason="unknown_case", document="{}") for hash, case in (("m-own", OWN), ("m-foreign", FOREIGN))],
        )  # fmt: skip
        for case, name in ((OWN, "f-own"), (FOREIGN, "f-foreign")):
            one = Review(
                id=name, kind="soft", case=case, response=f"visit-{case}", question="birth_year", row="p0"
            )
            reviews.note(connection, f"visit-{case}", [one])
        conflict = Review(
            id="c-own", kind="overlap", case=CHECKED, response=f"done-{CHECKED}", question="sex"
        )
        reviews.note(connection, f"done-{CHECKED}", [conflict])
        rights.ask(connection, "r-own", OWN, "see")
        rights.register_breach(
            connection,
            rights.Breach(id="b-own", detected_at=1, recorded_at=1, recorded_by="manager", what="x", fields="y",
                          people=1, measures=""),
        )  # fmt: skip
    site = client.app.state.site
    same = {
        "{version:str}/{name:path}": site.assets.url("app.css").removeprefix("/static/"),
        "{version:str}/{language:str}/{mode:str}": f"{version}/vi/self",
        "{language:str}": "vi",
        "{page:str}": "members_list",
        "{row:str}": "p0",
        "{code:str}": "x",
        "audio/{name:str}": "audio/sex.vi.mp3",
        "results/{name:path}": "results/index.html",
    }
    return {
        "back-checks/{case_id:str}": tuple(
            f"back-checks/{one}" for one in (CHECKED, CHECKED_ELSEWHERE, NOWHERE)
        ),
        "checks/{case_id:str}": tuple(f"checks/{one}" for one in (CHECKED, CHECKED_ELSEWHERE, NOWHERE)),
        "{case_id:str}": (OWN, FOREIGN, NOWHERE),
        "photo/{digest:str}": (f"photo/{pictures[0]}", f"photo/{pictures[1]}", f"photo/{'0' * 64}"),
        "phones/{phone:str}": (f"phones/{_named(phones[0])}", f"phones/{_named(phones[1])}", "phones/none"),
        "conflicts/{conflict:str}": ("conflicts/c-own", "conflicts/f-own", "conflicts/none"),
        "review/{finding:str}": ("review/f-own", "review/f-foreign", "review/f-none"),
        "quarantine/{digest:str}": ("quarantine/m-own", "quarantine/m-foreign", "quarantine/m-none"),
        "requests/{id:str}": ("requests/r-own", "requests/r-foreign", "requests/r-none"),
        "breaches/{id:str}": ("breaches/b-own", "breaches/b-foreign", "breaches/b-none"),
        "sessions/{session:str}": ("sessions/own-session", "sessions/foreign-session", "sessions/none"),
        "{token:str}": ("no-such-token",) * 3,
        "officials/{name:str}": ("officials/an", "officials/binh", "officials/nobody"),
        "files/{name:str}": ("files/estimates.csv", "files/codes.csv", "files/nothing.csv"),
        **{
            f"accounts/{{name:str}}/{deed}": (
                f"accounts/{name}/{deed}",
                f"accounts/administrator/{deed}",
                f"accounts/x/{deed}",
            )
            for deed, name in (("disable", "chi"), ("recover", "an"))
        },
        **{name: (value, value, value) for name, value in same.items()},
    }


def routes(client: TestClient[Any]) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in client.app.routes
        for method in route.methods
        if method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    }


def test_every_route_declares_who_may_ask_and_the_policy_gives_the_reviewed_table(world: World) -> None:
    """The guard of each route, and from it and the policy alone: which roles the table may name."""
    for route in world.client.app.routes:
        for handler in getattr(route, "route_handlers", ()):
            methods = handler.http_methods & {"GET", "POST"}
            if not methods:
                continue  # OPTIONS, which the framework answers
            declared = list(handler.guards or ())
            assert len(declared) == 1, f"{route.path} declares no guard, or two"
            action = guards.action_of(handler)
            for method in methods:
                row = reviewed()[method, route.path]
                for role in ROLES:
                    if action is None:
                        expected = declared[0] is guards.open_to_all
                    else:
                        expected = role != "nobody" and holds(role, action)  # type: ignore[arg-type]
                    assert (row[role] != "no") is expected, f"{method} {route.path} {role}"


def test_the_reviewed_table_names_every_route_and_every_role(world: World) -> None:
    assert routes(world.client) == set(reviewed()), "docs/access.md and the application name different routes"
    assert all(tuple(row) == ROLES for row in reviewed().values())
    assert {cell for row in reviewed().values() for cell in row.values()} <= {"yes", "own", "no"}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says_and_nothing_else(world: World, role: str) -> None:
    wrong = []
    # Reading first: what changes something must not take away what is asked for later.
    for (method, path), row in sorted(reviewed().items()):
        own, foreign, nowhere = world.addresses(path, role)
        answer = world.ask(role, method, own)
        if refused(answer) is (row[role] != "no") or answer.status_code >= 500:
            wrong.append(f"{role} {method} {path}: {answer.status_code}, the table says {row[role]}")
        if row[role] != "own":
            continue
        others, none = world.ask(role, method, foreign), world.ask(role, method, nowhere)
        if not refused(others):
            wrong.append(f"{role} {method} {path}: what is somebody else's was given")
        if (others.status_code, others.text.replace(foreign, "…")) != (
            none.status_code, none.text.replace(nowhere, "…")
        ):  # fmt: skip
            wrong.append(f"{role} {method} {path}: not yours and not there are told apart")
    assert not wrong, "\n".join(wrong)
