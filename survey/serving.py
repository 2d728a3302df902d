"""Running the web application. The process that is started only watches; the pages live in its worker (`survey.app`)."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import msgspec
from granian import Granian
from granian.constants import Interfaces

from survey.settings import ADDRESS_VARIABLE, SETTINGS_VARIABLE, Settings


def serve(
    folder: Path,
    database: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    results: Path | None = None,
    *,
    https: bool = False,
    metrics: bool = False,
    proxies: tuple[str, ...] = Settings.proxies,
    requests_a_minute: int = Settings.requests_a_minute,
    second_step: bool = True,
) -> None:
    """Run the application until it is stopped: one worker process; several machines share a PostgreSQL."""
    settings = Settings(
        folder=folder.resolve(),
        database=database,
        results=results and results.resolve(),
        secure_cookies=https,
        metrics=metrics,
        proxies=proxies,
        requests_a_minute=requests_a_minute,
        second_step=second_step,
    )
    os.environ[SETTINGS_VARIABLE] = msgspec.json.encode(settings, enc_hook=str).decode()
    os.environ[ADDRESS_VARIABLE] = f"http://{host}:{port}/"
    run("survey.app:from_environment", host, port)


def run(factory: str, host: str, port: int) -> None:
    """Serve the application that `factory` makes, in a worker of its own, until it is stopped."""
    # A worker that is forked inherits the shortener of scripts in mid-breath, and hangs at its first use.
    multiprocessing.set_start_method("spawn", force=True)
    Granian(
        factory,
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=1,
        log_access=False,
        log_enabled=False,
    ).serve()
