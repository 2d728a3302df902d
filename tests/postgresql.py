"""A real PostgreSQL for tests and benchmarks: a cluster of its own in a temporary folder, on loopback only."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

INSTALL = "PostgreSQL is not installed; to run this: sudo apt-get install postgresql"


def programs() -> Path | None:
    """The newest installed PostgreSQL's programs (Debian keeps them out of PATH)."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if folders and (folders[-1] / "initdb").exists():
        return folders[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def missing() -> str:
    """Why no server can be started, with the remedy; "" if one can. Under CI=true a missing one fails."""
    if programs() is not None:
        return ""
    if os.environ.get("CI") == "true":
        raise RuntimeError(INSTALL)
    return INSTALL


@dataclass
class Server:
    """A running cluster. PostgreSQL refuses to run as root, so that root hands it to an unprivileged user."""

    port: int
    folder: Path
    user: str | None
    settings: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False, repr=False)

    @classmethod
    @contextlib.contextmanager
    def start(
        cls,
        settings: tuple[str, ...] = (),
        inside: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> Iterator[Server]:
        """Make a cluster in a temporary folder (`inside` a given one) and run it until the block ends. Settings as
        "name=value"; `environment`: further variables of the server.

        Not in pytest's own temporary folder: each pytest session shuts that one to other users again.
        """
        with (
            tempfile.TemporaryDirectory(prefix="survey-postgresql-", dir=inside) as name,
            cls._start(Path(name), settings, environment or {}) as server,
        ):
            yield server

    @classmethod
    @contextlib.contextmanager
    def _start(cls, folder: Path, settings: tuple[str, ...], environment: dict[str, str]) -> Iterator[Server]:
        bin_folder = programs()
        assert bin_folder is not None, INSTALL
        user = _unprivileged() if os.getuid() == 0 else None
        data = folder / "data"
        data.mkdir(parents=True)
        if user:
            shutil.chown(data, user)
            folder.chmod(0o711)  # the other user passes through, and reads nothing
        subprocess.run(
            [
                bin_folder / "initdb",
                "-D",
                data,
                "-U",
                "survey",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
            ],
            check=True,
            capture_output=True,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd="/",
            env=_environment(),
        )
        server = cls(_free_port(), folder, user, settings, environment)
        server._run()
        try:
            yield server
        finally:
            server.process.send_signal(2)  # fast shutdown
            server.process.wait(30)

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself: no room for a checkpoint, then none for the recovery."""
        return self.process.poll() is not None

    def last_words(self, characters: int = 4000) -> str:
        """The end of its log."""
        return (self.folder / "log").read_text(errors="replace")[-characters:]

    def restart(self) -> None:
        """Start again after a crash, with crash recovery."""
        self.process.wait(30)
        self._run()

    def _run(self) -> None:
        bin_folder = programs()
        assert bin_folder is not None, INSTALL
        options = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"port={self.port}",
            *self.settings,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    bin_folder / "postgres",
                    "-D",
                    self.folder / "data",
                    *(part for option in options for part in ("-c", option)),
                ],
                stdout=log,
                stderr=log,
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                cwd="/",
                env=_environment() | self.environment,
            )
        self._wait()

    @property
    def admin(self) -> str:
        return f"postgresql://survey@127.0.0.1:{self.port}/postgres"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """An empty database, dropped at the end; yields its address."""
        name = f"survey_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"postgresql://survey@127.0.0.1:{self.port}/{name}"
        finally:
            with psycopg.connect(self.admin, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with (
                contextlib.suppress(psycopg.OperationalError),
                psycopg.connect(self.admin, connect_timeout=2),
            ):
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{self.last_words()}")


def _unprivileged() -> str:
    import pwd

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("there is no unprivileged user to run PostgreSQL as")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}
