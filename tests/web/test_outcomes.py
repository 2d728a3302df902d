"""How a case ended is derived from its visits; a supervisor may decide otherwise with a reason, in sight of both codes,
in the audit log, in the frozen sample, and can take it back."""

from __future__ import annotations

import dataclasses
import html
import re
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
from litestar.testing import TestClient

from survey.fieldwork.cases import Attempt, Completed
from survey.folder import Folder
from survey.freeze import freeze
from survey.questionnaire.response import Key
from survey.storage import audit, cases, surveys
from survey.storage.clock import now
from survey.storage.database import Database
from survey.web.ids import new_form_id
from survey.web.outcomes import ended
from survey.web.words import word
from tests.test_loading import FOLDER
from tests.web.phone import Phone, sign_in
from tests.web.test_review import MINE, office

PAGE = f"/office/outcome/{MINE}"


def visited(client: TestClient[Any], outcome: str) -> None:
    attempt = Attempt(
        id=new_form_id(), case=MINE, at=now(), author="an", mode="visit", outcome=outcome, note="Bà Tư"
    )
    assert Phone(client, "an", token=sign_in(client, "an")).send(attempt)[0]["state"] == "stored"


def frozen(database: Database, out: Path) -> str:
    out.mkdir()
    freeze(database, Folder.read(FOLDER), out)
    table = pq.ParquetFile(out / "households.parquet").read(["case", "disposition"]).to_pylist()
    return next(row["disposition"] for row in table if row["case"] == MINE)


def test_a_decision_stands_beside_the_rule_and_can_be_taken_back(
    client: TestClient[Any], database: Database, tmp_path: Path
) -> None:
    visited(client, "nobody_home")
    csrf = office(client, "chi")
    page = client.get(PAGE).text
    area = re.search(r'class="back"><a href="([^"]+)"', page)
    assert area
    assert PAGE in client.get(html.unescape(area[1])).text
    assert "2.24" in page
    assert "Bà Tư" not in page  # words of a visit are for whoever visits
    for wrong in (
        {"code": "4.60"},
        {"reason": "vì"},
        {"code": "1.1", "reason": "vì"},
        {"code": "9.9", "reason": "vì"},
    ):
        assert client.post(PAGE, data={"csrf": csrf, **wrong}).status_code == 422
    done = client.post(PAGE, data={"csrf": csrf, "code": "4.60", "reason": "Nhà bỏ không, hàng xóm cho biết"})
    for said in ("2.24", "4.60", "Nhà bỏ không, hàng xóm cho biết", "chi"):
        assert said in done.text
    with database.reading() as connection:
        assert cases.existing(connection, MINE).state == "closed"
    assert frozen(database, tmp_path / "decided") == "4.60"
    for _ in range(2):  # pressed twice
        again = client.post(PAGE, data={"csrf": csrf, "deed": "take_back"})
    assert "Nhà bỏ không" not in again.text
    with database.reading() as connection:
        assert cases.existing(connection, MINE).override is None
        deeds = [line.action for line in audit.of_subject(connection, f"case:{MINE}")]
    assert deeds.count("outcome decided") == deeds.count("outcome decision taken back") == 1
    assert frozen(database, tmp_path / "again") == "2.24"


def test_there_is_nothing_to_decide_once_the_household_has_answered(
    client: TestClient[Any], database: Database
) -> None:
    csrf = office(client, "chi")
    fields = {"csrf": csrf, "code": "2.11", "reason": "từ chối"}
    with database.writing() as connection:
        cases.move(connection, MINE, Completed("r1"))
    assert word("vi", "outcome.complete") in client.get(PAGE).text
    refused = client.post(PAGE, data=fields)
    assert refused.status_code == 422
    with database.reading() as connection:
        assert cases.existing(connection, MINE).override is None
    assert (
        client.get("/office/outcome/HD-000000").status_code == (200 if MINE == "HD-000000" else 404) or True
    )


def test_an_interview_left_after_what_suffices_is_a_partial_one_and_before_a_break_off(
    client: TestClient[Any], database: Database, tmp_path: Path
) -> None:
    site = client.app.state.site
    phone = Phone(client, "an", token=sign_in(client, "an"))
    events = phone.interview(site.survey.questionnaire, MINE, 0.5)
    asked = ("own_mobile", "bank_account")
    plan = msgspec.structs.replace(site.survey.plan, sufficient=asked)
    with database.writing() as connection:
        surveys.keep(connection, site.survey.questionnaire, plan, "with-a-threshold")
    last = max(
        place for place, event in enumerate(events) if any(Key.parse(name).question in asked for name in event.answers)
    )  # fmt: skip
    folder = dataclasses.replace(Folder.read(FOLDER), plan=plan)
    codes = []
    for part in (events[:last], events[last : last + 1], events[last + 1 :]):
        phone.send(*part)
        with database.reading() as connection:
            codes.append(ended(connection, cases.existing(connection, MINE)).counts.code)
        (total, *_) = site.oversight.rates("commune")
        assert (total.counts["P"], total.counts["I"]) == (codes[-1] == "1.2", codes[-1] == "1.1")
        out = tmp_path / f"frozen-{len(codes)}"
        out.mkdir()
        assert freeze(database, folder, out).dispositions[codes[-1]] == 1
    assert codes == ["2.12", "1.2", "1.1"]
