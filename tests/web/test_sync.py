"""Whatever a phone sends is on the server once, and the receipt says truly what became of it; nothing is refused."""

from __future__ import annotations

import csv
import gzip
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from survey.access import codes as household_codes
from survey.app import create_app
from survey.fieldwork import reception
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event
from survey.settings import Settings
from survey.storage import cases, codes, devices, erasure, quarantine, responses
from survey.storage.clock import now
from survey.storage.database import Database
from tests.test_loading import FOLDER
from tests.web.phone import Phone, body, hash_of, sign_in

MINE, OTHER = "HD-000001", "HD-000002"  # an's · binh's
DAY = 86_400_000


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Any]]:
    settings = Settings(folder=FOLDER, database=str(database.engine.url))
    with TestClient(create_app(settings, database)) as made:
        yield made


@pytest.fixture
def phone(client: TestClient[Any]) -> Phone:
    return Phone(client, "an", token=sign_in(client, "an"))


def draw_of(database: Database, case: str) -> float:
    with database.reading() as connection:
        return cases.existing(connection, case).unit.respondent_draw


def aside(database: Database) -> list[str]:
    with database.reading() as connection:
        return [misfit.reason for misfit in quarantine.waiting(connection)]


def states(receipts: list[dict[str, Any]]) -> set[str]:
    return {receipt["state"] for receipt in receipts}


def test_a_whole_interview_is_stored_and_completes_the_case(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    visit = phone.attempt(MINE, "interviewed")
    receipts = phone.send(visit, *events)
    assert states(receipts) == {"stored"}
    assert [(r["id"], r["hash"]) for r in receipts] == [(i.id, hash_of(i)) for i in (*events, visit)]
    assert len({r["receipt"] for r in receipts[:-1]}) == 1, "one number for the whole response"
    with database.reading() as connection:
        case = cases.existing(connection, MINE)
        assert (case.state, case.response, case.attempts) == ("complete", events[0].response, 1)
        assert responses.events(connection, events[0].response) == events
        assert list(responses.verify(connection)) == []
        (record,) = devices.of_accounts(connection, ["an"])
        assert record.id == phone.headers["survey-device"]


def test_a_lost_reply_changes_nothing(phone: Phone, database: Database, questionnaire: Questionnaire) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    visit = phone.attempt(MINE)
    first = phone.send(visit, *events)
    again = phone.send(visit, *events)
    assert states(again) == {"duplicate"}
    assert [r["received_at"] for r in again[:-1]] == [r["received_at"] for r in first[:-1]]
    with database.reading() as connection:
        assert responses.events(connection, events[0].response) == events
        assert cases.existing(connection, MINE).attempts == 1
    assert aside(database) == []


def test_an_interview_may_arrive_in_pieces_and_packed(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    for start in range(0, len(events), 7):
        answer = phone.post(gzip.compress(body(events[start : start + 7])), content_encoding="gzip")
        assert states(answer.json()["receipts"]) == {"stored"}
    with database.reading() as connection:
        assert cases.existing(connection, MINE).state == "complete"


def test_what_is_cut_off_on_the_way_is_not_taken_and_not_acknowledged(
    phone: Phone, database: Database
) -> None:
    whole = body([phone.attempt(MINE)])
    assert phone.post(whole[:-10]).status_code == 400
    assert phone.post(gzip.compress(whole)[:-10], content_encoding="gzip").status_code == 413
    assert phone.post(gzip.compress(b"[" * 3_000_000), content_encoding="gzip").status_code == 413
    with database.reading() as connection:
        assert cases.existing(connection, MINE).attempts == 0


def test_without_a_session_or_its_token_nothing_is_taken(client: TestClient[Any], phone: Phone) -> None:
    assert phone.post(body([phone.attempt(MINE)]), x_csrf="0" * 32).status_code == 403
    client.cookies.clear()
    answer = phone.post(body([phone.attempt(MINE)]))
    assert (answer.status_code, answer.json()["error"]) == (401, "session")


def test_what_does_not_fit_is_kept_with_its_reason(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    version, new = questionnaire.version, secrets.token_hex(16)

    def opened(case: str = MINE, **facts: Any) -> Any:
        return phone.event(
            facts.pop("response", secrets.token_hex(16)), "opened", case=case, **{"version": version, **facts}
        )

    with database.writing() as connection:
        responses.open(connection, "household", MINE, version, "self")
        cases.move(connection, "HD-000003", cases.Assigned("binh"))
    expected = {
        "unreadable": '{"id": "x1", "response": 5, "kind": "sung"}',
        "training": phone.attempt(MINE, id="training-1"),
        "unknown_case": phone.attempt("HD-999999"),
        "not_assigned": phone.attempt("HD-000003"),  # handed over while the phone was away
        "other_author": msgspec.structs.replace(phone.attempt(MINE), author="binh"),
        "other_mode": phone.event("household", "page_done", page="notice"),
        "unknown_response": phone.event("nobody-knows", "answered"),
        "unknown_version": opened(version="0000000000000000"),
        "clock": phone.attempt(MINE, at=now() + 3 * DAY),
        "other_case": [opened(response=new), opened(OTHER, response=new)],
        "impossible": phone.event(new, "answered", page="x", answers={"favourite_colour": Answer("red")}),
        "draw": phone.event(new, "drawn", draw="respondent", row="p1", eligible=2),
        "incomplete": phone.event(new, "submitted"),
    }  # fmt: skip
    for reason, made in expected.items():
        items = made if isinstance(made, list) else [made]
        receipts = phone.send(*items)
        assert (receipts[-1]["state"], receipts[-1]["reason"]) == ("quarantined", reason)
        assert set(receipts[-1]["why"]) == {"vi", "en"}
        assert phone.send(items[-1])[0]["reason"] == reason, "sent again it is still one row"
    assert phone.send(phone.attempt(MINE), survey_app="0")[0]["reason"] == "old_app"
    assert sorted(aside(database)) == sorted([*expected, "old_app"])


def test_an_item_that_is_no_json_takes_no_others_with_it(phone: Phone, database: Database) -> None:
    """Half of a character in a note, as a keyboard may leave it, once kept everything behind it on the phone."""
    sound, halved = phone.attempt(MINE), phone.attempt(MINE, id="halved", note="HALF")
    text = body([halved, sound]).replace(b"HALF", rb"\ud83d").replace(b'"events":[]', b'"events": [ ]')
    assert rb"\ud83d" in text
    answer = phone.post(text)
    assert answer.status_code == 200, answer.text
    told = {one["id"]: (one["state"], one.get("reason", "")) for one in answer.json()["receipts"]}
    assert told == {"halved": ("quarantined", "unreadable"), sound.id: ("stored", "")}
    assert phone.post(text).status_code == 200
    assert aside(database) == ["unreadable"]
    for cut in (
        text[:-1],
        text[:-5],
        text[:40],
        text + b"]",
        b'{"songs": [\\ud83d]}',
        rb'{"events": [{"a": "\ud83d"}',
    ):
        assert phone.post(cut).status_code == 400


def test_an_appointment_that_is_no_time_waits_apart(phone: Phone, database: Database) -> None:
    for time in ("2026-13-45T10:00", "tomorrow", "2026-12-02", "2026-12-02T10:00Z"):
        receipt = phone.send(phone.attempt(MINE, "appointment", appointment=time))[0]
        assert (receipt["state"], receipt["reason"]) == ("quarantined", "unreadable")
    later, moved = phone.attempt(MINE, "appointment", appointment="2026-12-02T10:00"), now() - 60_000
    earlier = phone.attempt(MINE, "appointment", at=moved, appointment="2026-12-01T08:30")
    assert states(phone.send(later, earlier)) == {"stored"}, (
        "an appointment that was moved, the older one arriving last"
    )
    with database.reading() as connection:
        assert cases.existing(connection, MINE).appointment == "2026-12-02T10:00"


def test_what_arrives_of_a_household_that_was_deleted_meanwhile_is_kept_apart_and_revives_nothing(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    phone.send(*events[:6])
    with database.writing() as connection:
        erasure.erase(connection, MINE, "hộ yêu cầu", "quanly")
    receipts = phone.send(*events[6:], phone.attempt(MINE))
    assert {r["state"] for r in receipts} == {"quarantined"}
    assert receipts[-1]["reason"] == "withdrawn"
    with database.reading() as connection:
        assert responses.by_case(connection, MINE) == []
        assert cases.existing(connection, MINE).response == ""


def test_the_same_id_with_another_body_is_a_conflict_and_both_are_kept(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    start = phone.event("r1", "opened", case=MINE, version=questionnaire.version)
    visit = phone.attempt(MINE, note="cổng khóa")
    phone.send(start, visit)
    receipts = phone.send(
        msgspec.structs.replace(start, language="en"), msgspec.structs.replace(visit, note="nhà vắng")
    )
    assert [r["reason"] for r in receipts] == ["conflict", "conflict"]
    assert aside(database) == ["conflict", "conflict"]
    with database.reading() as connection:
        assert responses.events(connection, "r1") == [start]
        assert cases.attempts_of(connection, MINE) == [visit]


def test_answers_after_submission_wait_unless_the_response_is_reopened(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    id = events[0].response
    phone.send(*events)
    correction = phone.event(id, "page_done", page="notice")
    assert phone.send(correction)[0]["reason"] == "after_submission"
    again = [
        phone.event(id, "reopened"),
        phone.event(id, "page_done", page="notice"),
        phone.event(id, "submitted"),
    ]
    assert states(phone.send(*again)) == {"stored"}


def test_an_old_questionnaire_begins_no_new_interview_but_ends_one_that_was_begun(
    phone: Phone, database: Database, client: TestClient[Any], questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    late = phone.interview(questionnaire, "HD-000005", draw_of(database, "HD-000005"))
    phone.send(*events[:5])
    site = client.app.state.site
    newer = msgspec.structs.replace(questionnaire, edition="2")
    site.survey = msgspec.structs.replace(site.survey, questionnaire=newer, version=newer.version)
    assert states(phone.send(*events[5:])) == {"stored"}
    assert {r["reason"] for r in phone.send(*late)} == {"old_version", "unknown_response"}
    assert aside(database) == ["old_version", *["unknown_response"] * (len(late) - 1)]


def test_no_phone_moves_a_draft_to_another_version(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    events = phone.interview(questionnaire, MINE, draw_of(database, MINE))
    phone.send(*events[:4])
    response = events[0].response
    (receipt,) = phone.send(phone.event(response, "moved", version="0" * 16, void=("coverage",)))
    assert (receipt["state"], receipt["reason"]) == ("quarantined", "other_author")
    assert states(phone.send(*events[4:])) == {"stored"}


def test_a_second_complete_interview_is_kept_beside_the_first(
    phone: Phone, database: Database, questionnaire: Questionnaire
) -> None:
    draw = draw_of(database, MINE)
    first, second = (phone.interview(questionnaire, MINE, draw) for _ in range(2))
    assert states(phone.send(*first)) == states(phone.send(*second)) == {"stored"}
    with database.reading() as connection:
        assert cases.existing(connection, MINE).response == first[0].response
        assert len(responses.by_case(connection, MINE)) == 2


def test_a_lost_phone_is_told_to_forget_and_what_it_sends_is_kept_apart(
    phone: Phone, database: Database, client: TestClient[Any]
) -> None:
    phone.send(phone.attempt(MINE))
    database.write_now(devices.revoke, phone.headers["survey-device"])
    client.cookies.clear()
    answer = phone.post(body([phone.attempt(MINE, note="từ máy mất")]))
    assert answer.json()["revoked"]
    assert answer.json()["receipts"][0]["reason"] == "revoked"
    assert aside(database) == ["revoked"]


@pytest.fixture
def household(client: TestClient[Any], tmp_path: Path) -> Callable[..., Phone]:
    """Somebody of the household MINE on the own phone, with the household's code or another one."""
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as file:
        (code,) = (row["code"] for row in csv.DictReader(file) if row["case"] == MINE)

    def come_in(code: str = code) -> Phone:
        page = client.post("/code", data={"code": code}, follow_redirects=True)
        return Phone(
            client, f"household:{MINE}", "/sync", page.text.split('name="csrf" value="')[1].split('"')[0]
        )

    return come_in


def own(database: Database) -> str:
    with database.reading() as connection:
        (record,) = responses.by_case(connection, MINE)
    return record.id


def test_a_household_sends_its_own_answers_and_cannot_ask_what_else_there_is(
    household: Callable[..., Phone], database: Database, questionnaire: Questionnaire
) -> None:
    phone = household()
    assert (
        phone.send(phone.event(own(database), "page_done", page="notice", mode="self"))[0]["state"]
        == "stored"
    )
    told = [
        phone.send(phone.event("other", "opened", case=case, version=questionnaire.version, mode="self"))[0]
        for case in (OTHER, "HD-999999")
    ] + [phone.send(phone.event("nobody-knows", "answered", mode="self"))[0]]
    assert {receipt["reason"] for receipt in told} == {"unknown_response"}
    assert phone.send(phone.attempt(MINE, "refused", mode="visit"))[0]["reason"] == "other_mode"


def test_what_a_member_answers_alone_takes_no_answers_by_the_code_of_the_household(
    client: TestClient[Any], household: Callable[..., Phone], database: Database, questionnaire: Questionnaire
) -> None:
    phone = household()
    id = own(database)
    asked = next(page for section in questionnaire.sections for page in section.pages if page.of)
    question = next(one for one in asked.questions if one.kind == "select_one")
    about = {"page": asked.id, "mode": "self", "answers": {f"{question.id}@r1": Answer(missing="refused")}}

    def reasons(*events: Event) -> list[str]:
        return [receipt.get("reason", "stored") for receipt in phone.send(*events)]

    assert reasons(phone.event(id, "row_added", roster="members", row="r1", mode="self")) == ["stored"]
    assert reasons(phone.event(id, "answered", row="r1", **about)) == ["stored"]
    code = household_codes.make(secrets.token_bytes(16))
    digest = household_codes.digest(code, client.app.state.site.keys.codes)
    database.write_now(codes.issue, [(MINE, digest)], "r1")

    assert reasons(phone.event(id, "answered", row="r1", **about)) == ["closed_part"]
    assert reasons(phone.event(id, "answered", row="", **about)) == [
        "closed_part"
    ]  # whatever row it pretends
    assert reasons(phone.event(id, "page_done", page=asked.id, row="r1", mode="self")) == ["closed_part"]
    assert reasons(phone.event(id, "page_done", page="nowhere", mode="self")) == [
        "closed_part"
    ]  # as if not there
    nickname = {"nickname@r1": Answer(value="Tư")}
    assert reasons(
        phone.event(id, "answered", page="members_list", row="r1", mode="self", answers=nickname)
    ) == ["stored"]

    phone = household(code)
    assert reasons(phone.event(id, "answered", row="r1", **about)) == ["stored"]
    assert reasons(phone.event(id, "page_done", page="notice", mode="self")) == ["closed_part"]
    assert reasons(phone.event(id, "row_removed", roster="members", row="r1", mode="self")) == ["closed_part"]


def test_a_code_issued_for_a_lost_one_sends_its_pages_one_by_one(
    client: TestClient[Any], household: Callable[..., Phone], database: Database
) -> None:
    household()
    code = household_codes.make(secrets.token_bytes(16))
    digest = household_codes.digest(code, client.app.state.site.keys.codes)
    database.write_now(codes.reissue, MINE, digest)
    phone = household(code)
    told = phone.send(phone.event(own(database), "page_done", page="notice", mode="self"))
    assert told[0]["reason"] == "closed_part"


def test_nothing_is_taken_in_before_consent(
    client: TestClient[Any], household: Callable[..., Phone], database: Database
) -> None:
    phone = household()
    plan = client.app.state.site.survey.plan
    legal = msgspec.structs.replace(plan.legal, basis="consent")
    client.app.state.site.survey = msgspec.structs.replace(
        client.app.state.site.survey, plan=msgspec.structs.replace(plan, legal=legal)
    )
    event = phone.event(own(database), "page_done", page="notice", mode="self")
    assert phone.send(event)[0]["reason"] == "no_consent"
    fields = {purpose.id: "yes" for purpose in legal.purposes}
    client.post("/survey/consent", data={"csrf": phone.headers["x-csrf"], **fields})
    assert (
        phone.send(phone.event(own(database), "page_done", page="notice", mode="self"))[0]["state"]
        == "stored"
    )


def test_every_reason_is_told_in_both_languages() -> None:
    assert all(set(words) == {"vi", "en"} and all(words.values()) for words in reception.REASONS.values())
