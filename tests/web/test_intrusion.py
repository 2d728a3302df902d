"""A stranger with a socket, and people with a session who try what is not theirs, against the real `survey serve`: no status of
500, no page or file that is not theirs, no second answer smuggled into a connection, no cookie or session that they chose."""

from __future__ import annotations

import gzip
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from survey.access import codes as household_codes
from survey.settings import Keys, keys
from survey.storage import accounts
from survey.storage.database import Database
from survey.web import security
from tests.served import serving
from tests.test_loading import FOLDER
from tests.web.phone import PASSWORD, settle
from tests.web.test_access import COMMUNES, OWN, ROLES, refused, reviewed

SECRET = "bi-mat-ngoai-trang"
"""What stands in files beside those that are served: no answer may ever hold it."""


@dataclass(frozen=True)
class Target:
    """The running server, its database, and where to reach it."""

    port: int
    database: Database
    keys: Keys

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, role: str = "nobody") -> tuple[httpx.Client, str]:
        """A browser in a session of this role, and the token of its forms."""
        browser = httpx.Client(base_url=self.url, timeout=60)
        if role == "nobody":
            return browser, ""
        kind = security.HOUSEHOLD if role == "household" else security.ACCOUNT
        with self.database.writing() as connection:
            token, _ = security.begin(connection, kind, OWN if role == "household" else role, 1)
        browser.cookies.set(kind, token)
        return browser, security.form_token(self.keys.sessions, token)

    def raw(self, request: bytes) -> bytes:
        """What comes back for these very bytes until the server closes the connection or says nothing more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as line:
            line.sendall(request)
            line.settimeout(1.0)
            found = b""
            try:
                while piece := line.recv(65536):
                    found += piece
            except (TimeoutError, ConnectionResetError):
                pass
        return found


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("intrusion")
    folder = Path(shutil.copytree(FOLDER, home / "survey"))
    site = home / "release" / "site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html><title>x</title>")
    for place in (home, folder, home / "release", home / "sitemap"):
        place.mkdir(exist_ok=True)
        (place / "secret.txt").write_text(SECRET)
    (site / "way-out").symlink_to(home)
    url = settle(home)
    with Database.open(url) as database:
        with database.writing() as connection:
            for role in ROLES[2:]:
                accounts.create(connection, role, role, "no password", COMMUNES.get(role, ()))
        with serving(url, folder, "--results", str(home / "release")) as port:
            yield Target(port, database, keys(url))


def sound(answer: httpx.Response) -> httpx.Response:
    """No fault of the server, its headers on every answer, and nothing in it from outside."""
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.status_code}"
    style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL)  # the entry page carries its own
    policy = {"content-security-policy": security.policy_with_style(style[1])} if style else {}
    for name, value in (security.HEADERS | policy).items():
        if name != "permissions-policy":  # the officials' pages may ask where they are
            assert answer.headers[name] == value, f"{answer.request.url}: {name}"
    assert SECRET not in answer.text
    return answer


WITHOUT_SESSION = ("/code", "/field/sign-in", "/office/sign-in", "/field/enrol/{token:str}")


def sending(address: str, csrf: str) -> dict[str, Any]:
    """What a form, or a phone, would send there."""
    if address.endswith(("/sync", "/sealed", "/take-over")):
        headers = {"x-csrf": csrf, "content-type": "application/json"}
        return {"content": b'{"events":[],"attempts":[]}', "headers": headers}
    return {"data": {"csrf": csrf}}


@pytest.mark.parametrize("role", ROLES)
def test_every_route_over_http_is_refused_to_who_may_not(target: Target, role: str) -> None:
    """Names that are nowhere: what is refused must look so before anything is looked up. Forms carry the right token."""
    browser, csrf = target.client(role)
    cookies = dict(browser.cookies)
    for (method, path), allowed in reviewed().items():
        if path == "/metrics" or "sign-out" in path:
            continue
        address = re.sub(r"\{\w+:\w+\}", "nowhere", path)
        browser.cookies.clear()
        browser.cookies.update(cookies)
        sent = sending(address, csrf) if method == "POST" else {}
        answer = sound(browser.request(method, address, **sent))
        if allowed[role] == "no":
            assert refused(answer), f"{role} got {answer.status_code} from {method} {path}"
        elif method == "POST" and role != "nobody" and path not in WITHOUT_SESSION:
            forged = sound(browser.post(address, **sending(address, "0" * 32)))
            assert refused(forged), f"{role}: {path} took a forged form ({forged.status_code})"
    browser.close()


TRAVERSAL = (
    "../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%5csecret.txt", "..%252fsecret.txt",
    "....//secret.txt", "%00secret.txt", "..%c0%afsecret.txt", "way-out/secret.txt", "/etc/passwd", "%2fetc%2fpasswd",
    "../sitemap/secret.txt", "..%2f..%2fsurvey.sqlite", "..%2f..%2fsurvey.sqlite.key", "..%2f..%2fcodes.csv",
)  # fmt: skip


@pytest.mark.parametrize(
    "under", ["/results/", "/static/x/", "/audio/", "/office/files/", "/booklet/", "/shell/"]
)
def test_no_file_outside_is_served(target: Target, under: str) -> None:
    browser, _ = target.client("statistician")
    for way in TRAVERSAL:
        found = target.raw(
            f"GET {under}{way} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: account={browser.cookies['account']}\r\nConnection: close\r\n\r\n".encode()
        )
        status = found.split(b" ", 2)[1]
        assert status in (b"400", b"404", b"303", b"302"), f"{under}{way}: {found[:80]!r}"
        assert SECRET.encode() not in found
        assert b"root:" not in found
    browser.close()


def test_methods_are_what_they_say(target: Target) -> None:
    browser, _ = target.client("administrator")
    override = {"x-http-method-override": "POST", "x-method-override": "POST", "x-http-method": "DELETE"}
    path = "/office/accounts/an/disable"
    assert sound(browser.get(path, headers=override)).status_code == 404
    assert sound(browser.get(path, params={"_method": "POST"})).status_code == 404
    assert sound(browser.post(path, data={"_method": "GET"})).status_code == 403
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        assert sound(browser.request(method, "/office/accounts")).status_code in (404, 405), method
    with target.database.reading() as connection:
        assert accounts.find(connection, "an").disabled_at is None  # type: ignore[union-attr]
    browser.close()


SMUGGLED = b"GET /office/audit?smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
FRAMINGS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, %d\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n",
    "an encoding nobody knows": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a folded header": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a chunk of hexadecimal nonsense": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_no_second_request_is_smuggled(target: Target, framing: str) -> None:
    """A proxy in front may take all of it for one request: two answers would give the second one to somebody else. (Where a
    body of chunks ends plainly, what follows is a request of its own, to a proxy as to us.)"""
    head = b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    lines = FRAMINGS[framing]
    found = target.raw(head + (lines % len(SMUGGLED) if b"%d" in lines else lines) + SMUGGLED)
    answers = re.findall(rb"HTTP/1\.1 (\d{3})", found)
    assert len(answers) <= 1, f"{framing}: {answers}"
    assert not answers or int(answers[0]) < 500


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1@evil.example", "evil.example:80\\@x", '"><script>alert(1)</script>']
)
def test_no_page_or_redirect_believes_the_host(target: Target, host: str) -> None:
    browser, _ = target.client()
    for path in ("/", "/field", "/office", "/survey", "/results", "/c/ABCD", "/nowhere"):
        for headers in ({"host": host}, {"x-forwarded-host": host}, {"forwarded": f"host={host}"}):
            try:
                answer = browser.get(path, headers=headers)
            except (httpx.RemoteProtocolError, httpx.LocalProtocolError):
                continue
            assert answer.status_code < 500
            assert "evil" not in answer.text + answer.headers.get("location", "")
            assert "<script>alert" not in answer.text
    browser.close()


@pytest.mark.parametrize("name", ["next", "return", "url", "redirect", "continue", "to"])
def test_nobody_is_sent_elsewhere_after_signing_in(target: Target, name: str) -> None:
    for where in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        with httpx.Client(base_url=target.url, timeout=60) as browser:
            form = {"name": "nobody-of-this-name", "password": "x", name: where}
            for path in ("/field/sign-in", "/code"):
                answer = sound(browser.post(path, params={name: where}, data=form))
                assert "evil" not in answer.headers.get("location", "")
                assert f'href="{where}' not in answer.text


def test_lines_cannot_be_put_into_the_headers(target: Target) -> None:
    for way in ("/c/x%0d%0aSet-Cookie:%20account=evil", "/?lang=vi%0d%0aSet-Cookie:%20account=evil", "/field%0d%0aX:y",
                "/results/%0d%0aSet-Cookie:%20account=evil"):  # fmt: skip
        found = target.raw(f"GET {way} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        head = found.partition(b"\r\n\r\n")[0].lower()
        assert b"\nset-cookie: account=evil" not in head
        assert int(found.split(b" ", 2)[1]) < 500


def test_a_session_that_somebody_chose_is_never_taken_and_the_old_one_ends(target: Target) -> None:
    with httpx.Client(base_url=target.url, timeout=60) as browser:
        for kind in (security.ACCOUNT, security.HOUSEHOLD):
            browser.cookies.set(kind, "a" * 43)
        done = browser.post("/field/sign-in", data={"name": "an", "password": PASSWORD})
        (given,) = [one for one in done.headers.get_list("set-cookie") if one.startswith("account=")]
        assert "a" * 43 not in given
        for flag in ("httponly", "samesite=lax", "path=/"):
            assert flag in given.lower()
        token = given.partition("=")[2].partition(";")[0]
        browser.cookies.clear()
        browser.cookies.set(security.ACCOUNT, token)
        page = sound(browser.get("/field"))
        assert page.status_code == 200
        csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert csrf
        browser.post("/field/sign-out", data={"csrf": csrf[1]})
        browser.cookies.clear()
        browser.cookies.set(security.ACCOUNT, token)
        assert refused(browser.get("/field")), "the session itself is over, not only its cookie"


def test_a_form_of_another_site_changes_nothing_even_with_the_cookie(target: Target) -> None:
    browser, csrf = target.client("administrator")
    path = "/office/accounts/an/disable"
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
        assert sound(browser.post(path, data={"csrf": csrf}, headers=headers)).status_code == 403
    other, foreign = target.client("supervisor")
    assert sound(browser.post(path, data={"csrf": foreign})).status_code == 403, (
        "the token of another session"
    )
    with target.database.reading() as connection:
        assert accounts.find(connection, "an").disabled_at is None  # type: ignore[union-attr]
    browser.close()
    other.close()


MALFORMED: dict[str, tuple[bytes, str]] = {
    "json that breaks off": (b'{"events":[', "application/json"),
    "deep json": (b"[" * 100_000, "application/json"),
    "json of another shape": (b'{"events":{"a":1},"attempts":7}', "application/json"),
    "numbers without end": (b'{"events":[' + b"9" * 100_000 + b"]}", "application/json"),
    "not a number": (b'{"events":[NaN,Infinity]}', "application/json"),
    "half a surrogate": (rb'{"events":["\ud800"]}', "application/json"),
    "no utf-8": (b"csrf=\xff\xfe&name=\xc3\x28", "application/x-www-form-urlencoded"),
    "utf-16": ("csrf=x".encode("utf-16"), "application/x-www-form-urlencoded; charset=utf-16"),
    "a charset nobody knows": (b"csrf=x", "application/x-www-form-urlencoded; charset=nothing"),
    "many fields": (b"&".join(b"f%d=1" % number for number in range(20_000)), "application/x-www-form-urlencoded"),
    "one field many times": (b"csrf=1&" * 20_000, "application/x-www-form-urlencoded"),
    "parts without a boundary": (b"--x\r\n\r\n", "multipart/form-data"),
    "parts that break off": (b'--x\r\nContent-Disposition: form-data; name="photo"; filename="../../a"\r\n\r\nabc', "multipart/form-data; boundary=x"),
    "many parts": (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 3_000 + b"--x--\r\n", "multipart/form-data; boundary=x"),
    "a form called json": (b"csrf=x&a=b", "application/json"),
    "json called a form": (b'{"events":[],"attempts":[]}', "application/x-www-form-urlencoded"),
    "json called text": (b'{"events":[],"attempts":[]}', "text/plain"),
    "an entity from outside": (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "text/xml"),
    "packed that unfolds": (gzip.compress(b"a" * 50_000_000), "application/json"),
    "nothing": (b"", "application/json"),
    "no type": (b"\x00\x01\x02", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_no_body_breaks_the_server(target: Target, case: str) -> None:
    content, kind = MALFORMED[case]
    headers = {"content-type": kind} if kind else {}
    if "unfolds" in case:
        headers["content-encoding"] = "gzip"
    for role, path in (("nobody", "/field/sign-in"), ("official", "/field/sync"), ("household", "/survey/consent"), ("manager", "/office/requests")):  # fmt: skip
        browser, csrf = target.client(role)
        sound(browser.post(path, content=content, headers={**headers, "x-csrf": csrf}))
        browser.close()


def test_what_is_too_large_is_refused_before_it_is_read(target: Target) -> None:
    told = target.raw(
        b"POST /code HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 99999999999\r\n\r\nabc"
    )
    assert told == b"" or 400 <= int(told.split(b" ", 2)[1]) < 500
    with httpx.Client(base_url=target.url, timeout=60) as browser:
        sound(browser.get("/c/" + "x" * 20_000))
        sound(browser.get("/", headers={"cookie": "account=" + "y" * 20_000}))

        def stream() -> Iterator[bytes]:
            for _ in range(64):
                yield b"x" * 65_536

        try:
            answer = browser.post("/code", content=stream(), headers={"content-type": "text/plain"})
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            pass  # hung up on: what was sent is not read
        else:
            assert 400 <= answer.status_code < 500
        assert sound(browser.get("/")).status_code == 200


def test_a_forged_way_through_proxies_is_no_new_network(target: Target) -> None:
    """A proxy adds whom it saw at the end; what the caller wrote before it is not believed. Sixty wrong codes end it."""
    seen, last = f"203.0.113.{secrets.randbelow(200) + 1}", 0
    wrong = household_codes.make(b"no such code 016")
    with httpx.Client(base_url=target.url, timeout=60) as browser:
        for number in range(70):
            headers = {"x-forwarded-for": f"198.51.100.{number}, {seen}"}
            last = sound(browser.post("/code", data={"code": wrong}, headers=headers)).status_code
            if last == 429:
                break
        assert last == 429
        elsewhere = {"x-forwarded-for": "203.0.113.250"}
        assert browser.post("/code", data={"code": wrong}, headers=elsewhere).status_code == 422
