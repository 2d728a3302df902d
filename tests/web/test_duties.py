"""The manager answers requests within the law's days, deletes for good, and keeps the register of breaches."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from rich.console import Console

from survey.app import create_app
from survey.loading import create_account
from survey.settings import Settings
from survey.storage import audit, cases, responses, rights
from survey.web import forms, words
from tests.test_loading import FOLDER
from tests.web.phone import PASSWORD, Phone, settle

CASE = "HD-000001"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[TestClient[Any]]:
    """A manager's browser."""
    url = settle(tmp_path)
    create_account(url, "quan", "manager", password=PASSWORD, console=Console(quiet=True))
    with TestClient(
        create_app(Settings(folder=FOLDER, database=url, second_step=False)), base_url="http://127.0.0.1"
    ) as client:
        signed = client.post("/office/sign-in", data={"name": "quan", "password": PASSWORD})
        assert signed.status_code == 200
        yield client


def send(client: TestClient[Any], page: str, to: str = "", **fields: str) -> Any:
    hidden = dict(re.findall(r'name="(csrf|form)" value="([^"]*)"', client.get(page).text))
    return client.post(to or page, data={**hidden, **fields})


def said(key: str) -> str:
    return words.word("vi", key)


def request_of(client: TestClient[Any], case: str = CASE) -> rights.Request:
    with client.app.state.site.database.reading() as connection:
        return rights.requests_of(connection, case)[0]


def test_a_request_by_letter_is_taken_in_replied_to_prolonged_and_refused(office: TestClient[Any]) -> None:
    assert send(office, "/office/requests", case="HD-999999", kind="delete").status_code == 422
    assert send(office, "/office/requests", case=CASE, kind="everything").status_code == 422
    page = send(office, "/office/requests", case=CASE, kind="delete").text
    assert said("requests.reply_due") in page
    assert said("requests.by_law") in page
    one = request_of(office)
    at = f"/office/requests/{one.id}"
    assert said("requests.open") in send(office, "/office/requests", at, deed="reply").text
    assert send(office, "/office/requests", at, deed="refuse").status_code == 422  # never without a reason
    assert 'value="extend"' not in send(office, "/office/requests", at, deed="extend", words="chờ hồ sơ").text
    done = send(office, "/office/requests", at, deed="refuse", words="Điều 19 khoản 1 điểm c").text
    assert "Điều 19 khoản 1 điểm c" in done
    assert said("requests.done") in done
    after = request_of(office)
    assert (after.refused, after.extended, after.done_at > 0) == (True, "chờ hồ sơ", True)
    send(office, "/office/requests", at, deed="done", words="đổi ý")  # what is done stays done
    assert request_of(office) == after


def test_the_days_of_a_letter_run_from_the_day_it_came(office: TestClient[Any]) -> None:
    day = forms.today() - datetime.timedelta(days=4)
    for wrong in ("2999-01-01", "1999-01-01", "hôm qua"):
        refused = send(office, "/office/requests", case=CASE, kind="see", received=wrong)
        assert refused.status_code == 422
        assert said("requests.no_day") in refused.text
        assert f'value="{CASE}"' in refused.text, "what was typed stays"
    page = send(office, "/office/requests", case=CASE.lower(), kind="see", received=day.isoformat()).text
    assert words.long_date("vi", day.isoformat()) in page
    assert words.long_date("vi", (day + datetime.timedelta(days=10)).isoformat()) in page
    with office.app.state.site.database.reading() as connection:
        (line,) = audit.of_subject(connection, f"case:{CASE}")
    assert line.details == {"received": day.isoformat()}


def test_accepting_a_deletion_deletes_and_the_audit_says_so(office: TestClient[Any]) -> None:
    database = office.app.state.site.database
    survey = office.app.state.site.survey
    with database.writing() as connection:
        draw = cases.existing(connection, CASE).unit.respondent_draw
        story = Phone(office, "an").interview(survey.questionnaire, CASE, draw, "r1")
        responses.open(connection, "r1", CASE, survey.version, "visit")
        responses.append(connection, story)
        assert cases.existing(connection, CASE).state == "complete"
    send(office, "/office/requests", case=CASE, kind="delete")
    one = request_of(office)
    send(office, "/office/requests", f"/office/requests/{one.id}", deed="done", words="Đã xóa.")
    with database.reading() as connection:
        assert responses.by_case(connection, CASE) == []
        assert cases.existing(connection, CASE).state == "closed"
        deeds = {line.action: line.details for line in audit.of_subject(connection, f"case:{CASE}")}
        assert deeds["request done: delete"]["responses"] == 1
        assert list(audit.verify(connection)) == []


def test_a_restriction_is_lifted_again(office: TestClient[Any]) -> None:
    send(office, "/office/requests", case=CASE, kind="restrict")
    at = f"/office/requests/{request_of(office).id}"
    page = send(office, "/office/requests", at, deed="done", words="Đã tạm ngừng.").text
    assert 'value="lift"' in page
    with office.app.state.site.database.reading() as connection:
        assert rights.restricted(connection) == {CASE}
    assert 'value="lift"' not in send(office, "/office/requests", at, deed="lift").text
    with office.app.state.site.database.reading() as connection:
        assert rights.restricted(connection) == frozenset()


def test_a_breach_has_its_72_hours_and_remembers_who_was_told(office: TestClient[Any]) -> None:
    full = {
        "detected": "2026-01-02T08:00",
        "what": "Mất máy",
        "fields": "địa chỉ",
        "people": "12",
        "measures": "",
    }
    for wrong in (
        {"people": "nhiều"},
        {"detected": "2999-01-01T00:00"},
        {"detected": "hôm qua"},
        {"what": ""},
        {"people": "-1"},
    ):
        assert send(office, "/office/breaches", **(full | wrong)).status_code == 422
    page = send(office, "/office/breaches", **full).text
    assert "05/01/2026 08:00" in page  # 72 hours later
    assert "late" in page
    with office.app.state.site.database.reading() as connection:
        (kept,) = rights.breaches_known(connection)
    assert (kept.recorded_by, kept.people, kept.notified_at) == ("quan", 12, 0)
    for told in ("authority", "people"):
        page = send(office, "/office/breaches", f"/office/breaches/{kept.id}", told=told).text
    assert f'value="{told}"' not in page
    with office.app.state.site.database.reading() as connection:
        (after,) = rights.breaches_known(connection)
    assert after.notified_at > 0
    assert after.told_at > 0
