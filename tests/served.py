"""The real server as a process of its own on a free loopback port."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.test_loading import FOLDER


@contextlib.contextmanager
def serving(database: str, folder: Path = FOLDER, *more: str) -> Iterator[int]:
    """`survey serve` for this database, with `more` on the command line; gives the port, and ends it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        str(Path(sys.executable).parent / "survey"),
        "serve",
        str(folder),
        "--database",
        database,
        *more,
    ]
    server = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait(f"http://127.0.0.1:{port}", server)
        yield port
    finally:
        server.terminate()
        server.wait(20)


def wait(url: str, server: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Until the first page comes; AssertionError when the server ends or takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise AssertionError(f"the server ended with {server.returncode}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url + "/", timeout=2):
            return
        time.sleep(0.1)
    raise AssertionError(f"the server did not answer within {seconds:g} seconds")
