"""ODK Central's own backend beside ours: its server, its schema, and a form with the same forty answers.

    ODK=/path/to/central-backend NODE=/path/to/node python tests/benchmarks/ingestion.py

`ODK` is a checkout of github.com/getodk/central-backend in which `npm ci --omit=dev` was run with the Node.js that its package.json
asks for (`NODE`, else the one in PATH). One process of it, as ours is one. A submission comes as an app user sends it, the token
in the address, as OpenRosa XML; Central answers after its commit.

Nothing of it is part of this project (Apache License 2.0): it is started where it lies.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg

MAIL, PASSWORD, FORM = "bench@example.com", "a long password for a benchmark", "bench"


def there() -> bool:
    """Whether it can be run."""
    return (folder() / "node_modules").is_dir()


def folder() -> Path:
    return Path(os.environ.get("ODK", "/nowhere"))


@contextlib.contextmanager
def central(postgresql: int, port: int, names: list[str]) -> Iterator[str]:
    """Run it on a database of its own in the PostgreSQL at this port; yields the address that takes submissions of a form with
    these questions."""
    node = os.environ.get("NODE") or shutil.which("node") or "node"
    database = f"odk_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(
        f"postgresql://survey@127.0.0.1:{postgresql}/postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with psycopg.connect(
        f"postgresql://survey@127.0.0.1:{postgresql}/{database}", autocommit=True
    ) as connection:
        for extension in ("citext", "pg_trgm", "pgrowlocks"):
            connection.execute(f"CREATE EXTENSION {extension}".encode())
    place = {"host": "127.0.0.1", "port": postgresql, "user": "survey", "password": "-", "database": database}
    settings = {"default": {"database": place, "server": {"port": port}}}
    environment = os.environ | {"NODE_CONFIG": json.dumps(settings), "NODE_ENV": "production"}

    def run(*command: str, said: str = "") -> None:
        subprocess.run(
            [node, *command],
            cwd=folder(),
            env=environment,
            check=True,
            capture_output=True,
            input=said.encode(),
        )

    run("lib/bin/run-migrations.js")
    run("lib/bin/cli.js", "-u", MAIL, "user-create", said=PASSWORD + "\n")
    run("lib/bin/cli.js", "-u", MAIL, "user-promote")
    server = subprocess.Popen(
        [node, "lib/bin/run-server.js"],
        cwd=folder(),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield _prepared(client, names)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()


def _prepared(client: httpx.Client, names: list[str]) -> str:
    """A project with the form, open to one app user; the address at which that one submits."""
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            asked = client.post("/v1/sessions", json={"email": MAIL, "password": PASSWORD})
            if asked.is_success:
                break
        time.sleep(0.1)
    client.headers["authorization"] = f"Bearer {asked.json()['token']}"

    def done(answer: httpx.Response) -> httpx.Response:
        return answer.raise_for_status()

    project = done(client.post("/v1/projects", json={"name": "bench"})).json()["id"]
    forms = f"/v1/projects/{project}/forms"
    form = _form(names).encode()
    done(client.post(f"{forms}?publish=true", content=form, headers={"content-type": "application/xml"}))
    user = done(client.post(f"/v1/projects/{project}/app-users", json={"displayName": "bench"})).json()
    role = next(one["id"] for one in done(client.get("/v1/roles")).json() if one["system"] == "app-user")
    done(client.post(f"{forms}/{FORM}/assignments/{role}/{user['id']}"))
    return f"/v1/key/{user['token']}/projects/{project}/forms/{FORM}/submissions"


def _form(names: list[str]) -> str:
    asked = "".join(f"<{name}/>" for name in names)
    bound = "".join(f'<bind nodeset="/data/{name}" type="string"/>' for name in names)
    shown = "".join(f'<input ref="/data/{name}"><label>{name}</label></input>' for name in names)
    return (
        '<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"'
        ' xmlns:orx="http://openrosa.org/xforms"><h:head><h:title>bench</h:title><model><instance>'
        f'<data id="{FORM}" version="1"><orx:meta><orx:instanceID/></orx:meta>{asked}</data></instance>'
        f'<bind nodeset="/data/orx:meta/orx:instanceID" type="string"/>{bound}</model></h:head><h:body>{shown}</h:body></h:html>'
    )


def submission(answers: dict[str, str]) -> bytes:
    """These answers as a phone sends them."""
    said = "".join(f"<{name}>{value}</{name}>" for name, value in answers.items())
    return (
        f'<data xmlns:orx="http://openrosa.org/xforms" id="{FORM}" version="1">'
        f"<orx:meta><orx:instanceID>uuid:{uuid.uuid4()}</orx:instanceID></orx:meta>{said}</data>"
    ).encode()
