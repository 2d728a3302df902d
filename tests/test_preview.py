"""An author sees the real pages, the path and the variables, and goes on where the file was corrected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from survey.preview import application
from survey.problems import BadDocument, SurveyError

TEXT = """
id: small
languages: [vi, en]
title: {vi: Phiếu nhỏ, en: Small}
sections:
  - id: one
    title: {vi: Phần một, en: Part one}
    pages:
      - id: phone_page
        questions:
          - id: phone
            kind: select_one
            label: {vi: Có điện thoại không?, en: Is there a phone?}
            choices: [{code: "yes", label: {vi: Có, en: "Yes"}}, {code: "no", label: {vi: Không, en: "No"}}]
      - id: many_page
        when: ${phone} = 'yes'
        questions:
          - {id: many, kind: integer, label: {vi: Mấy cái?, en: How many?}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "questionnaire.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def client(file: Path) -> Iterator[TestClient]:  # type: ignore[type-arg]
    with application(file.parent) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def _send(client: TestClient, address: str, **fields: str) -> str:  # type: ignore[type-arg]
    page = client.get(address).text
    hidden = dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', page))
    answer = client.post(address, data={**hidden, **fields})
    return str(answer.url.path)


def _panel(client: TestClient) -> str:  # type: ignore[type-arg]
    return client.get("/panel?lang=en").text


def test_an_answer_shows_beside_the_page_and_opens_the_next(client: TestClient) -> None:  # type: ignore[type-arg]
    assert client.get("/survey").url.path == "/survey/p/phone_page"
    assert "many_page" not in _panel(client)
    assert _send(client, "/survey/p/phone_page", phone="yes") == "/survey/p/many_page"
    assert "many_page" in _panel(client)
    assert re.search(r"<code>phone</code></th><td>yes</td>", _panel(client))
    assert re.search(r"<code>many</code></th><td>Not asked</td>", _panel(client))
    assert _send(client, "/survey/p/many_page", many="2") == "/survey/check"
    assert "Small" in client.get("/survey/check?lang=en").text


def test_a_changed_file_is_read_again_and_the_answers_stay(client: TestClient, file: Path) -> None:  # type: ignore[type-arg]
    _send(client, "/survey/p/phone_page", phone="yes")
    before = client.get("/panel").text
    state = re.search(r'data-state="(\w+)"', before)
    assert state
    assert client.get(f"/panel?state={state[1]}").status_code == 204
    file.write_text(TEXT.replace("Mấy cái?", "Có mấy chiếc?"), encoding="utf-8")
    assert client.get(f"/panel?state={state[1]}").status_code == 200
    assert "Có mấy chiếc?" in client.get("/survey/p/many_page").text
    assert "<td>yes</td>" in _panel(client)


def test_a_mistake_is_shown_with_its_line_and_the_last_sound_version_stays(
    client: TestClient,  # type: ignore[type-arg]
    file: Path,
) -> None:
    file.write_text(TEXT.replace("${phone} = 'yes'", "${fone} = 'yes'"), encoding="utf-8")
    assert re.search(r"questionnaire\.yaml:\d+: .*fone", _panel(client))
    assert client.get("/survey/p/phone_page").status_code == 200


def test_starting_again_forgets_and_another_mode_keeps(client: TestClient) -> None:  # type: ignore[type-arg]
    _send(client, "/survey/p/phone_page", phone="no")
    csrf = re.search(r'name="csrf" value="([^"]*)"', client.get("/").text)
    assert csrf
    client.post("/mode/visit", data={"csrf": csrf[1]})
    assert "<td>no</td>" in _panel(client)
    client.post("/again", data={"csrf": csrf[1]})
    assert "<td>no</td>" not in _panel(client)
    assert client.post("/again", data={"csrf": "wrong"}).status_code != 200


def test_a_file_that_was_never_sound_says_why(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="no file"), application(tmp_path):
        pass
    (tmp_path / "questionnaire.yaml").write_text("id: x\n", encoding="utf-8")
    with pytest.raises(BadDocument), application(tmp_path):
        pass


def test_a_form_in_arabic_is_shown_in_arabic_from_right_to_left(tmp_path: Path) -> None:
    text = (
        TEXT.replace("[vi, en]", "[vi, en, ar]")
        .replace('en: "Yes"', 'en: "Yes", ar: نعم')
        .replace('en: "No"', 'en: "No", ar: لا')
    )
    for said in ("Small", "Part one", "Is there a phone?", "How many?"):
        text = text.replace(f"en: {said}", f"en: {said}, ar: هاتف")
    (tmp_path / "questionnaire.yaml").write_text(text, encoding="utf-8")
    with application(tmp_path) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        page = client.get("/survey/p/phone_page?lang=ar").text
        assert '<html lang="ar" dir="rtl">' in page
        assert "نعم" in page
        assert "Continue" in page, "interface words that are not translated are said in English"
        assert '<html lang="vi" dir="ltr">' in client.get("/survey/p/phone_page?lang=vi").text
        assert "العربية" in client.get("/?lang=vi").text
