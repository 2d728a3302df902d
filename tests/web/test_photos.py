"""A picture is drawn anew, small and without place or time; a file that is no picture is refused with words; no digest
opens somebody else's."""

from __future__ import annotations

import io
import random
import re
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from PIL import Image

from survey.fieldwork.pictures import Picture
from survey.preview import application
from survey.storage import photos as kept_photos
from survey.storage import quarantine
from survey.storage.database import Database
from survey.web.ids import milliseconds
from survey.web.photos import LONGEST_SIDE, clean, small
from tests.web.phone import Phone, sign_in
from tests.web.test_review import MINE, office

TEXT = """
id: with_photo
languages: [vi, en]
title: {vi: Có ảnh, en: With a picture}
sections:
  - id: one
    title: {vi: Một, en: One}
    pages:
      - id: meter_page
        questions: [{id: meter, kind: photo, label: {vi: Chụp công tơ, en: The meter}}]
"""


def _picture(width: int = 2600, height: int = 1300, kind: str = "JPEG") -> bytes:
    picture, out = Image.new("RGB", (width, height), (20, 120, 90)), io.BytesIO()
    exif = picture.getexif()
    exif[0x0112] = 6  # lying on its side
    exif[0x0110] = "a phone"
    exif.get_ifd(0x8825)[2] = (20.0, 56.0, 27.0)  # where it was taken
    picture.save(out, kind, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_small_and_upright_and_tells_nothing(kind: str) -> None:
    made = small(_picture(kind=kind))
    assert made is not None
    assert b"a phone" not in made
    with Image.open(io.BytesIO(made)) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) == LONGEST_SIDE
        assert picture.height > picture.width
        assert not picture.getexif()


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"<svg onload='x'/>", b"\xff\xd8\xff\xe0 cut", _picture()[:400]]
)
def test_what_is_no_picture_is_not_kept(content: bytes) -> None:
    assert small(content) is None


def test_whatever_bytes_come_it_is_a_picture_or_none() -> None:
    """Honest pictures with bytes changed and cut off; with this seed a reader of metadata raises TypeError."""
    rng, honest = random.Random(3), []
    for format in ("JPEG", "PNG", "WEBP"):
        picture = Image.new("RGB", (64, 48), (200, 30, 30))
        exif = picture.getexif()
        exif[0x0112], exif[0x010F], exif.get_ifd(0x8825)[2] = 6, "Phone", (21.0, 2.0, 3.0)
        out = io.BytesIO()
        picture.save(out, format, exif=exif)
        honest.append(out.getvalue())
    for _ in range(2000):
        spoilt = bytearray(rng.choice(honest))
        for _ in range(rng.randint(1, 12)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        kept = small(bytes(spoilt[: rng.randrange(len(spoilt))] if rng.random() < 0.2 else spoilt))
        if kept is not None:
            assert not Image.open(io.BytesIO(kept)).getexif()


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(out, "PNG")
    assert len(out.getvalue()) < 100_000
    assert small(out.getvalue()) is None


def test_the_page_takes_a_picture_shows_it_and_says_when_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "questionnaire.yaml").write_text(TEXT, encoding="utf-8")
    address = "/survey/p/meter_page"
    with application(tmp_path) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        page = client.get(address).text
        assert 'enctype="multipart/form-data"' in page
        hidden = dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', page))
        wrong = client.post(address, data=hidden, files={"meter.file": ("x.jpg", b"nonsense", "image/jpeg")})
        assert wrong.status_code == 422
        assert "Không đọc được ảnh này" in wrong.text
        right = client.post(address, data=hidden, files={"meter.file": ("x.jpg", _picture(), "image/jpeg")})
        assert right.url.path == "/survey/check"
        kept = re.search(r'src="(/survey/photo/[0-9a-f]{64})"', client.get(address).text)
        assert kept
        shown = client.get(kept[1])
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.headers["cache-control"] == "no-store"
        again = client.post(address, data={**hidden, "meter": kept[1].rsplit("/", 1)[1]})
        assert again.url.path == "/survey/check", "a page sent again keeps its picture"
        assert client.get("/survey/photo/" + "0" * 64).headers["content-type"].startswith("text/html")


def _sent(response: str, content: bytes, **facts: str) -> Picture:
    made = {"id": f"{response}-{len(content)}", "case": MINE, "author": "an", **facts}
    return Picture(response=response, at=milliseconds(), content=content, **made)


def test_a_phone_sends_a_picture_apart_from_the_answers_and_twice_is_once(
    client: TestClient[Any], database: Database
) -> None:
    plain = small(_picture()) or b""
    assert clean(plain)
    assert not clean(_picture(width=900, height=900)), "it says where it was taken"
    phone = Phone(client, "an", token=sign_in(client, "an"))
    begun, *_ = phone.interview(client.app.state.site.survey.questionnaire, MINE, 0.5)
    picture = _sent(begun.response, plain)
    told = phone.send(begun, picture, picture)  # in one batch with the beginning of its interview
    assert [one["state"] for one in told] == ["stored", "stored", "duplicate"]
    with database.reading() as connection:
        assert kept_photos.find(connection, begun.response, picture.digest) == plain
    aside = [
        _sent(begun.response, _picture(width=900, height=900)),
        _sent(begun.response, b"no picture"),
        _sent("nothing-begun", plain),
        _sent(begun.response, plain, id="other", case="HD-000003"),
        _sent(begun.response, plain, id="foreign", author="binh"),
    ]
    reasons = [one["reason"] for one in phone.send(*aside)]
    assert reasons == ["impossible", "impossible", "unknown_response", "other_case", "other_author"]
    with database.reading() as connection:
        assert len(quarantine.waiting(connection)) == len(aside), "nothing was dropped"
    csrf = office(client, "chi")
    page = client.get("/office/quarantine").text
    assert "Ảnh" in page
    group = re.findall(r'action="(/office/quarantine/\w+)"', page)
    assert group
    for address in group:
        client.post(address, data={"csrf": csrf, "act": "discard", "decision": "ảnh thử"})
    assert "Không có gì chờ xử lý" in client.get("/office/quarantine").text
