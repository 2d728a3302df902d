"""Whoever copies the files of a server that was used finds no name, address, phone, code, password or token in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from survey.access.codes import normalise
from survey.app import create_app
from survey.settings import Settings
from survey.storage import factors, identities
from survey.storage.database import Database
from tests.test_loading import FOLDER
from tests.web.phone import PASSWORD, settle

NICKNAME = "Bà Trồng-Thử"
PLANTED = {"name": "Nguyễn Thị Trồng-Thử", "phone": "0912-345-TRONG", "address": "Số 7 ngõ Trồng-Thử"}


@pytest.mark.parametrize("moment", ["while it runs", "after it was closed"])
def test_the_files_of_a_used_server_give_nobody_away(tmp_path: Path, moment: str) -> None:
    """Addresses are loaded, a household comes in by its code, officials sign in, rightly and wrongly, and let a phone in.
    Then every byte beside the database is read, the write-ahead log too: as it lies while the server runs, and after."""
    url = settle(tmp_path, 4)
    secrets: dict[str, str] = dict(PLANTED)
    code = (tmp_path / "codes.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[1]
    (tmp_path / "codes.csv").unlink()  # printed and destroyed, as the manual says
    app = create_app(Settings(folder=FOLDER, database=url))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        database: Database = app.state.site.database
        _plant(database)

        def send(path: str, **fields: str) -> Any:
            return client.post(
                path, data=fields, follow_redirects=False, headers={"x-forwarded-for": "203.0.113.77"}
            )

        assert send("/code", code=code).status_code == 303
        _answer(client)
        wrong = "4444-4444-4444-4444"
        send("/code", code=wrong)
        send("/field/sign-in", name="chi", password="sai-mat-khau-trong-thu")
        assert send("/field/sign-in", name="chi", password=PASSWORD).status_code == 303
        csrf = re.search(r'name="csrf" value="(\w+)"', client.get("/office/officials").text)
        assert csrf
        page = send("/office/officials/an", csrf=csrf[1], purpose="recover").text
        link = re.search(r"/field/enrol/([\w-]+)<", page)
        assert link
        secrets |= {
            "nickname": NICKNAME, "code": code, "code as typed": normalise(code) or "", "wrong code": wrong, "password": PASSWORD,
            "wrong password": "sai-mat-khau-trong-thu", "form": csrf[1], "link": link[1],
            "network": "203.0.113.77", "second step": "TRONGTHUTRONGTHU",
            **{f"cookie {name}": value for name, value in client.cookies.items()},
        }  # fmt: skip
        bytes_left = _bytes(tmp_path) if moment == "while it runs" else b""
    bytes_left = bytes_left or _bytes(tmp_path)
    assert b"HD-000001" in bytes_left, "the files are real"
    shown = [
        name
        for name, secret in secrets.items()
        if any(secret.encode(coding) in bytes_left for coding in ("utf-8", "utf-16-le"))
    ]
    assert not shown


def _answer(client: TestClient[Any]) -> None:
    """The household names one of its members, as the first list asks."""
    for page in ("notice", "members_list/add"):
        address = f"/survey/p/{page}"
        hidden = dict(re.findall(r'name="(csrf|form|row)" value="([^"]*)"', client.get(address).text))
        said = {"nickname": NICKNAME, "sex": "female", "birth_year": "1958", "relationship": "head"}
        client.post(address, data=hidden | (said if "add" in page else {}))
    assert NICKNAME in client.get("/survey/my-data").text + client.get("/survey/p/members_list").text


def _plant(database: Database) -> None:
    with database.writing() as connection:
        other = {"name": PLANTED["name"], "phone": PLANTED["phone"]}
        identities.keep(
            connection, [identities.Identity(case="HD-000001", address=PLANTED["address"], other=other)]
        )
        factors.propose(connection, "chi", "TRONGTHUTRONGTHU")
    with database.reading() as connection:
        found = identities.find(connection, "HD-000001")
    assert found is not None
    assert found.other == other, "with the key it opens"


def _bytes(folder: Path) -> bytes:
    files = [path for path in folder.glob("survey.sqlite*") if path.suffix != ".key"]
    assert files
    return b"".join(path.read_bytes() for path in files)
