"""Whoever watches the server is told the truth: alive, ready or not and why, and figures only where asked for."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from rich.console import Console

from survey.access.codes import make
from survey.app import behind_proxies, create_app
from survey.loading import load_sample
from survey.settings import Settings
from survey.storage import codes
from survey.storage.database import Database
from survey.web import entry
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
        assert "survey_writes_total 0" in before
        assert "survey_writes_total 1" in after
        assert "survey_ready 1" in after
    closed = Settings(folder=settings.folder, database=settings.database)
    with TestClient(create_app(closed, database)) as client:
        assert client.get("/metrics").status_code == 404


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
