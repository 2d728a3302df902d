"""A small synthetic survey, played to its verdict and served on a loopback port, and a real Chromium to look at it."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from rich.console import Console

from survey import demo, loading
from survey.storage import cases
from survey.storage.database import Database

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = Console(quiet=True)
# Stories wait for states only; a busy machine may take its time to reach them.
expect.set_options(timeout=30_000)
PASSWORD = "thu-nghiem-trinh-duyet"


@dataclass(frozen=True)
class Served:
    """Where the application listens, and what stands in its database."""

    url: str
    out: Path
    codes: dict[str, str]  # code by case
    waiting: list[str]  # cases that nobody has answered, not assigned to anybody
    official: str
    official_cases: list[str]


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        message = "Chromium is missing; install it with: sudo apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return CHROMIUM


@pytest.fixture(scope="session")
def served(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("browser") / "out"
    demo.run(5, out, serve=False, areas_in_province=400, psus=40, console=QUIET)
    database_url = f"sqlite:///{out / 'survey.sqlite'}"
    with Database.open(database_url) as database, database.reading() as connection:
        open_cases = [
            case for case in cases.every(connection) if case.state in ("waiting", "visited", "closed")
        ]
    commune = open_cases[-1].unit.commune
    free = [case.id for case in open_cases if not case.assignee and case.unit.commune != commune]
    loading.create_account(database_url, "lan", "official", [commune], password=PASSWORD, console=QUIET)
    loading.create_account(database_url, "minh", "statistician", password=PASSWORD, console=QUIET)
    with Database.open(database_url) as database, database.reading() as connection:
        mine = [case.id for case in cases.assigned_to(connection, "lan") if case.state != "complete"]
    with (out / "codes.csv").open(encoding="utf-8", newline="") as file:
        codes = {row["case"]: row["code"] for row in csv.DictReader(file)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(Path(sys.executable).parent / "survey"),
        "serve",
        str(out / "folder"),
        "--database",
        database_url,
    ]
    server = subprocess.Popen(
        [*command, "--port", str(port), "--results", str(out / "release"), "--demonstration"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, server)
        yield Served(url, out, codes, free, "lan", mine)
    finally:
        server.terminate()
        server.wait(20)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 240  # of a machine with much else to do
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise AssertionError(f"the server ended with {server.returncode}")
        try:
            with urllib.request.urlopen(url + "/", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer within four minutes")


@pytest.fixture(scope="module")
def browser(chromium: str, served: Served) -> Iterator[Browser]:
    """After `served`, and closed with each module: Playwright holds the thread's event loop while it is open."""
    from tests.browser.people import FLAGS

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()
