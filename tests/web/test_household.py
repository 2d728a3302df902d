"""A household from its letter to the cut-off without a browser: looking begins nothing, what was sent can be corrected until
the last day and seen after it, and a questionnaire that was not sent in time is told so."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import lxml.html
import msgspec
import pytest
from litestar.testing import TestClient

from survey.problems import Unavailable
from survey.questionnaire.model import Questionnaire
from survey.storage import responses, sessions
from survey.storage.database import Database
from survey.storage.responses import ResponseRecord
from survey.web.words import word
from tests.questionnaire.test_corpus import Person
from tests.web.test_mydata import send


@pytest.fixture
def letters(client: TestClient[Any], tmp_path: Path) -> list[tuple[str, str]]:
    """The households that got a letter, each with its code."""
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as file:
        return [(line["case"], line["code"]) for line in csv.DictReader(file)]


def held(database: Database, case: str) -> list[ResponseRecord]:
    with database.reading() as connection:
        return responses.by_case(connection, case)


def end(client: TestClient[Any]) -> None:
    """The day of closing is past."""
    site = client.app.state.site
    plan = site.survey.plan
    dates = msgspec.structs.replace(plan.dates, closes="2020-01-01")
    site.survey = msgspec.structs.replace(site.survey, plan=msgspec.structs.replace(plan, dates=dates))


def test_looking_at_an_address_begins_nothing(
    client: TestClient[Any], database: Database, letters: list[tuple[str, str]]
) -> None:
    case, code = letters[0]
    for _ in range(3):  # a messenger shows a preview of the address it carries
        assert client.get(f"/c/{code}").status_code == 200
    assert held(database, case) == []
    typed = f" {code.lower().replace('-', ' ')} "
    assert client.post("/code", data={"code": typed}).url.path == "/survey/p/notice"
    assert len(held(database, case)) == 1


def test_what_was_sent_is_corrected_until_the_cut_off_and_seen_after_it(
    client: TestClient[Any], database: Database, letters: list[tuple[str, str]], questionnaire: Questionnaire
) -> None:
    case, code = letters[0]
    client.post("/code", data={"code": code})
    send(client, "/survey/p/notice")
    person = Person(client, questionnaire)
    person.page("/survey/p/members_list/add")
    person.added["/survey/p/members_list"] = 2  # who lives alone
    person.answer()
    sent = client.post("/survey/submit", data=hidden(client, "/survey/check"))
    assert word("vi", "receipt.title") in sent.text
    assert word("vi", "receipt.correct") in sent.text
    again = client.post("/survey/reopen", data=hidden(client, "/survey/receipt"))
    assert again.url.path == "/survey/check"
    client.post("/survey/submit", data=hidden(client, "/survey/check"))
    fields = hidden(client, "/survey/receipt")
    end(client)
    assert client.post("/survey/reopen", data=fields).url.path == "/survey/receipt"
    (record,) = held(database, case)
    assert record.submitted
    entry = client.get("/").text
    assert word("vi", "entry.opened") in entry
    assert word("vi", "entry.continue") not in entry, "there is nothing to go on with"
    client.cookies.clear()
    assert word("vi", "entry.closed") in client.get("/").text
    back = client.post("/code", data={"code": code})
    assert word("vi", "receipt.title") in back.text
    assert word("vi", "receipt.correct") not in back.text
    assert "Tư" in client.get("/survey/my-data").text
    assert send(client, "/survey/my-data", kind="delete").status_code == 200
    assert held(database, case) == [record]


def test_a_questionnaire_that_was_not_sent_in_time_is_told_so_and_nothing_new_begins(
    client: TestClient[Any], database: Database, letters: list[tuple[str, str]]
) -> None:
    (begun, first), (untouched, second) = letters[:2]
    client.post("/code", data={"code": first})
    send(client, "/survey/p/notice")
    end(client)
    late = send(client, "/survey/p/members_list/add", nickname="Bà Tư", sex="female", birth_year="1958")
    assert word("vi", "receipt.unsent") in client.get("/survey").text
    assert word("vi", "receipt.title") not in late.text
    (record,) = held(database, begun)
    assert not record.submitted
    client.cookies.clear()
    nothing = client.post("/code", data={"code": second})
    assert nothing.status_code == 422
    assert word("vi", "entry.nothing") in nothing.text
    assert held(database, untouched) == []


def hidden(client: TestClient[Any], address: str) -> dict[str, str]:
    """The unseen fields of the page's forms."""
    return dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', client.get(address).text))


def test_what_a_full_disk_or_an_error_kept_out_is_sent_again_by_one_button_and_counts_once(
    client: TestClient[Any], database: Database, letters: list[tuple[str, str]]
) -> None:
    """Without script: the page that says that nothing was saved carries what was typed."""
    case, code = letters[0]
    write = database.write

    async def full(*_: Any, **__: Any) -> Any:
        raise Unavailable({"vi": "đầy", "en": "full"})

    async def lost(*args: Any, **facts: Any) -> Any:
        """Keeps it, and then the answer never gets out."""
        await write(*args, **facts)
        raise RuntimeError

    database.write = full  # type: ignore[method-assign]
    refused = client.post("/code", data={"code": code})
    assert refused.status_code == 503
    assert word("vi", "errors.busy_again") in refused.text
    database.write = write  # type: ignore[method-assign]
    assert press(client, refused).url.path == "/survey/p/notice"
    send(client, "/survey/p/notice")
    typed = {"nickname": 'Bà "Tư" <b>', "sex": "female", "birth_year": "1958"}
    for broken, status, relationship in ((full, 503, "head"), (lost, 500, "spouse")):
        database.write = broken  # type: ignore[method-assign]
        client.raise_server_exceptions = False
        refused = send(client, "/survey/p/members_list/add", **typed, relationship=relationship)
        assert refused.status_code == status
        database.write = write  # type: ignore[method-assign]
        for _ in range(2):
            assert press(client, refused).url.path == "/survey/p/members_list"
    with database.reading() as connection:
        (record,) = responses.by_case(connection, case)
        assert sum(event.kind == "row_added" for event in responses.events(connection, record.id)) == 2
        assert [line for line in responses.verify(connection) if record.id in line] == []


def test_a_page_sent_after_its_session_is_said_not_to_be_saved(
    client: TestClient[Any], database: Database, letters: list[tuple[str, str]]
) -> None:
    case, code = letters[0]
    client.post("/code", data={"code": code})
    fields = hidden(client, "/survey/p/notice")
    database.write_now(sessions.revoke_all, "household", case)
    late = client.post("/survey/p/notice", data=fields)
    assert late.status_code == 401
    assert word("vi", "errors.session_unsaved") in late.text
    assert word("vi", "errors.session_text") in client.get("/survey").text  # to look loses nothing


def test_a_wrong_code_is_read_in_the_other_language(client: TestClient[Any]) -> None:
    wrong = client.post("/code", data={"code": "AAAA"})
    (other,) = re.findall(r'href="(/code\?lang=en)"', wrong.text)
    english = client.get(other)
    assert english.status_code == 200
    assert word("en", "entry.button") in english.text


def press(client: TestClient[Any], page: Any) -> Any:
    """The one button of a page that was not saved."""
    (form,) = (form for form in lxml.html.fromstring(page.text).forms if form.method == "POST")
    return client.post(form.action, data=dict(form.form_values()))
