"""What every answer of the application carries, whatever it is: the headers, and pages without a word of inline script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from survey.app import create_app
from survey.settings import Settings
from survey.web import security
from tests.test_loading import FOLDER
from tests.web.phone import settle, sign_in

PAGES = (
    "/",
    "/c/x",
    "/stopped",
    "/field/sign-in",
    "/office/sign-in",
    "/survey",
    "/nowhere",
    "/field",
    "/healthz",
)
TEMPLATES = Path(security.__file__).parent.parent / "templates"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return settle(tmp_path_factory.mktemp("security"))


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient[Any]]:
    settings = Settings(folder=FOLDER, database=url, secure_cookies=True)
    with TestClient(create_app(settings), base_url="https://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_has_the_headers(client: TestClient[Any], path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    for name, value in security.HEADERS.items():
        sent = re.sub(r"(?<=style-src 'self') 'sha256-[^']{44}'", "", answer.headers[name])
        assert sent == value  # the first page's own style: tests/web/test_packing.py
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "require-trusted-types-for 'script'" in policy


def test_cookies_are_out_of_reach_of_scripts_other_sites_and_plain_http(client: TestClient[Any]) -> None:
    sign_in(client, "an")
    answer = client.post(
        "/field/sign-in", data={"name": "an", "password": "mat-khau-thu-nghiem"}, follow_redirects=False
    )
    (session,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith("__Host-account=")]
    assert "Domain" not in session
    for demanded in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert demanded.lower() in session.lower()


def test_no_template_has_script_or_style_or_an_address_of_somebody_else_in_it() -> None:
    found = []
    for path in TEMPLATES.rglob("*.html"):
        if "results" in path.parts:
            continue  # the results site is plain files without any script; it carries its own style
        text = path.read_text(encoding="utf-8")
        for pattern in (
            r"<script(?![^>]*\b(?:src=|type=\"application/json\"))",
            r"<style(?!>\{\{ style \}\}</style>)",  # our own file, named by its digest in the page's policy
            r"\son\w+=",
            r"\sstyle=",
            r"javascript:",
            r"https?://",
        ):
            found += [f"{path.name}: {one}" for one in re.findall(pattern, text)]
    assert not found


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1"])
def test_a_form_of_another_site_is_refused(client: TestClient[Any], origin: str) -> None:
    answer = client.post("/code", data={"code": "x"}, headers={"origin": origin})
    assert answer.status_code == (422 if origin == "http://127.0.0.1" else 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_says_the_form_is_foreign_is_believed(client: TestClient[Any], site: str) -> None:
    headers = {"sec-fetch-site": site, "origin": "https://127.0.0.1"}
    assert client.post("/code", data={"code": "x"}, headers=headers).status_code == 403


def test_a_session_that_a_neighbouring_site_planted_is_not_looked_at(
    client: TestClient[Any], url: str
) -> None:
    """A subdomain can set `account` for the whole domain, but no browser lets it set `__Host-account`."""
    client.cookies.clear()
    sign_in(client, "an")
    token = client.cookies["__Host-account"]
    client.cookies.clear()
    client.cookies.set("account", token)
    assert client.get("/field", follow_redirects=False).headers["location"] == "/field/sign-in"
    client.cookies.clear()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("testclient", "testclient", True),
    ],
)
def test_whoever_has_a_whole_network_of_ipv6_is_counted_as_one(one: str, other: str, same: bool) -> None:
    assert (security.network_of(one) == security.network_of(other)) is same


@pytest.mark.parametrize(
    "path",
    [
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/?lang=//elsewhere.example",
        "/office/cases?commune=//elsewhere.example",
    ],
)
def test_nobody_is_sent_to_another_site(client: TestClient[Any], path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert not re.match(r"(?:https?:)?[/\\]{2}", answer.headers.get("location", ""))
    assert not re.search(r'href="(?:https?:)?[/\\]{2}', answer.text)
