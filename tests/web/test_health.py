"""Whoever watches the server is told the truth: alive, ready or not and why, and figures only where asked for."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from rich.console import Console

from survey.access.codes import make
from survey.app import behind_proxies, create_app
from survey.loading import load_sample
from survey.settings import Settings
from survey.storage import codes
from survey.storage.database import Database
from survey.web import entry, traffic
from tests.test_loading import FOLDER, write_sample


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    load_sample(
        FOLDER,
        write_sample(tmp_path / "sample", range(2)),
        url,
        tmp_path / "codes.csv",
        console=Console(file=io.StringIO()),
    )
    return Settings(folder=FOLDER, database=url, metrics=True)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database.open(settings.database) as opened:
        yield opened


def test_alive_and_ready(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings, database)) as client:
        assert client.get("/healthz").text == "ok\n"
        assert (client.get("/readyz").status_code, client.get("/readyz").text) == (200, "ok\n")


def test_a_server_that_cannot_keep_answers_is_alive_but_not_ready(
    settings: Settings, database: Database
) -> None:
    with TestClient(create_app(settings, database)) as client:
        database.condition = "full"
        assert client.get("/healthz").status_code == 200
        assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "full\n")
        database.write_now(codes.count_try, "network:x", 1)
        assert client.get("/readyz").status_code == 200, "the first write that is kept makes it ready again"


def test_figures_are_shown_only_where_asked_for(settings: Settings, database: Database) -> None:
    with TestClient(create_app(settings, database)) as client:
        before = client.get("/metrics").text
        database.write_now(codes.count_try, "network:x", 1)
        after = client.get("/metrics").text
        assert "survey_writes_total 0.0" in before
        assert "survey_writes_total 1.0" in after
        assert "survey_ready 1.0" in after
    closed = Settings(folder=settings.folder, database=settings.database)
    with TestClient(create_app(closed, database)) as client:
        assert client.get("/metrics").status_code == 404


def test_answers_and_their_seconds_are_counted_by_group_and_name_nobody(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    code = (tmp_path / "codes.csv").read_text("utf-8").splitlines()[1].split(",")
    with TestClient(create_app(settings, database)) as client:
        client.get("/survey/p/no-such-page")
        assert client.post("/code", data={"code": code[1]}).status_code == 200  # and the page it leads to
        client.get("/field/cases/" + code[0])
        client.get("/static/nothing.css")
        told = client.get("/metrics").text
    for line in (
        'survey_requests_total{answer="4xx",group="household"} 1.0',
        'survey_requests_total{answer="3xx",group="entry"} 1.0',
        'survey_requests_total{answer="2xx",group="household"} 1.0',
        'survey_request_seconds_count{group="household"} 2.0',
        'survey_request_seconds_bucket{group="entry",le="10.0"} 1.0',
        "survey_requests_refused_total 0.0",
        "survey_requests_under_way 1.0",
    ):
        assert line in told
    assert not any(word in told for word in (code[0], code[1], "no-such-page", "testclient"))


def test_a_network_that_asks_too_often_waits_for_the_next_minute_and_nobody_else_does(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1_000_000 * 60 + 45.0
    monkeypatch.setattr(traffic.time, "monotonic", lambda: moment)
    calm = Settings(folder=settings.folder, database=settings.database, metrics=True, requests_a_minute=3)
    with TestClient(behind_proxies(create_app(calm, database), ("testclient",))) as client:

        def ask(network: str, url: str = "/", **headers: str) -> Any:
            return client.get(url, headers={"x-forwarded-for": network, **headers})

        assert [ask("198.51.100.7").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        page = ask("198.51.100.7", "/?lang=en")
        assert (page.headers["retry-after"], "Too many requests" in page.text) == ("15", True)
        client.cookies.clear()  # the language that was asked for
        assert "Quá nhiều yêu cầu" in ask("198.51.100.7").text
        assert ask("198.51.100.7", accept="application/json").json()["error"] == "crowded"
        assert page.headers["content-security-policy"], "the page of a refusal is a page of ours"
        style = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert ask("198.51.100.7", style).status_code == ask("198.51.100.7", "/healthz").status_code == 200
        assert ask("198.51.100.8").status_code == 200
        assert "survey_requests_refused_total 5.0" in ask("198.51.100.7", "/metrics").text
        moment += 15
        assert ask("198.51.100.7").status_code == 200


def test_every_first_part_of_an_address_has_its_group(settings: Settings, database: Database) -> None:
    app = create_app(settings, database)
    assert {route.path.split("/")[1] for route in app.routes} == set(traffic.GROUPS)


def test_wrong_codes_are_counted_by_household_network_and_not_by_proxy(
    settings: Settings, database: Database
) -> None:
    strict = Settings(folder=settings.folder, database=settings.database, wrong_codes=2)
    app = behind_proxies(create_app(strict, database), ("testclient",))
    wrong = make(bytes(16))

    def tries(address: str) -> int:
        with TestClient(app) as client:
            return client.post(
                "/code", data={"code": wrong}, headers={"x-forwarded-for": address}
            ).status_code  # fmt: skip

    assert [tries("198.51.100.7") for _ in range(4)] == [422, 422, 429, 429]
    assert tries("198.51.100.8") == 422


def test_a_village_behind_one_address_gets_in_while_somebody_there_is_guessing(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ten guesses a second from fifty addresses are 120 in ten minutes from each; the village's letters still open."""
    moment = 1_800_000_000.0
    monkeypatch.setattr(entry.time, "time", lambda: moment)
    given = [line.split(",")[1] for line in (tmp_path / "codes.csv").read_text("utf-8").splitlines()[1:]]
    app = behind_proxies(create_app(settings, database), ("testclient",))
    guesser = random.Random(9)
    with TestClient(app) as client:

        def enter(code: str) -> int:
            client.cookies.clear()
            headers = {"x-forwarded-for": "198.51.100.7"}
            return client.post(
                "/code", data={"code": code}, headers=headers, follow_redirects=False
            ).status_code

        for second in range(0, entry.WINDOW, 5):
            moment = 1_800_000_000.0 + second
            assert enter(make(guesser.randbytes(16))) in (422, 429)
            if second % 50 == 0:
                assert enter(given[second // 50 % len(given)]) == 303
