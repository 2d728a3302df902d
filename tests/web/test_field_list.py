"""The official's list on the phone: what is due today, in the order one walks, found without tone marks, and where what
was said of each household has come to. The same attempts lead to the same state as on the server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from survey.fieldwork.cases import Attempt, Attempted, Case, advance
from survey.fieldwork.dispositions import OUTCOMES
from survey.fieldwork.listing import drawn_of
from tests.storage.households import unit

SCRIPT = Path(__file__).with_name("field_list.mjs")
DAY = "2026-11-24"
NOON = 1_795_500_000_000  # 24 November 2026 in Viet Nam
CASES: list[dict[str, Any]] = [
    {"id": "A", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn Đông", "address": "Số 10, ngõ Chợ", "state": "waiting"},
    {"id": "B", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn Đông", "address": "Số 2, ngõ Chợ", "state": "visited", "last_at": NOON},
    {"id": "C", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn An", "address": "Số 7, đường Đê", "state": "complete"},
    {"id": "D", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn Đông", "address": "Số 30, ngõ Chợ", "state": "visited",
     "last_at": NOON, "appointment": "2026-11-24T18:30"},
    {"id": "E", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn An", "address": "Số 1, đường Đê", "state": "started",
     "last_at": NOON - 86_400_000, "appointment": "2026-11-25T08:00"},
    {"id": "F", "commune": "Xã Cẩm Giàng", "hamlet": "Thôn An", "address": "", "state": "closed"},
]  # fmt: skip
DRAWS = [(n / 997, 2 + n % 49) for n in range(0, 997, 7)]
ATTEMPTS = [
    [("nobody_home", 5)],
    [("refused", 5)],
    [("nobody_home", 9), ("refused", 5)],
    [("interviewed", 5), ("appointment", 6)],
]


@pytest.fixture(scope="module")
def shown(node: str) -> dict[str, Any]:
    said = {
        "cases": CASES,
        "views": [
            {"filter": "today", "find": "", "day": DAY},
            {"filter": "open", "find": "ngo cho", "day": DAY},
            {"filter": "finished", "find": "", "day": DAY},
            {"filter": "unsent", "find": "", "day": DAY, "unsent": ["C"]},
            {"filter": "all", "find": "đường ĐÊ 7", "day": DAY},
        ],
        "carried": [
            {"unsent": 0, "tried": False, "aside": "", "receipt": "", "at": 0},
            {"unsent": 3, "tried": False, "aside": "", "receipt": "", "at": 0},
            {"unsent": 3, "tried": True, "aside": "", "receipt": "", "at": 0},
            {"unsent": 0, "tried": False, "aside": "", "receipt": "123 456 7890", "at": 5},
            {"unsent": 0, "tried": False, "aside": "late", "receipt": "123 456 7890", "at": 5},
        ],
        "maps": [
            {"address": "Số 2", "commune": "Xã Cẩm Giàng"},
            {"place": "20.94,106.33", "address": "Số 2"},
        ],
        "attempts": [[{"outcome": outcome, "at": at} for outcome, at in some] for some in ATTEMPTS],
        "draws": DRAWS,
        "listed": [
            ["waiting", "gone", ""],
            ["closed", "listed", "gone"],
            ["complete", "gone", ""],
            ["visited", "moved", ""],
        ],
        "closing": [id for id, outcome in OUTCOMES.items() if not outcome.comes_back],
    }
    ran = subprocess.run(
        [node, str(SCRIPT)], input=json.dumps(said), capture_output=True, check=True, text=True, timeout=60,
        env={"TZ": "Asia/Ho_Chi_Minh"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_today_is_what_is_open_and_neither_visited_today_nor_agreed_for_later(shown: dict[str, Any]) -> None:
    assert shown["due"] == [True, False, False, True, False, False]
    assert shown["views"][0] == [["Thôn Đông", ["D", "A"]]], "the appointment of the day comes first"


def test_a_search_needs_no_tone_marks_and_house_2_comes_before_house_10(shown: dict[str, Any]) -> None:
    assert shown["views"][1] == [["Thôn Đông", ["D", "B", "A"]]]
    assert shown["views"][4] == [["Thôn An", ["C"]]]


def test_the_other_filters(shown: dict[str, Any]) -> None:
    assert shown["views"][2] == [["Thôn An", ["F", "C"]]]
    assert shown["views"][3] == [["Thôn An", ["C"]]]


def test_a_card_tells_where_everything_said_is(shown: dict[str, Any]) -> None:
    assert shown["standing"] == ["nothing", "phone", "sent", "confirmed", "aside"]


def test_a_map_opens_without_asking_anybody(shown: dict[str, Any]) -> None:
    assert all(link.startswith("geo:") for link in shown["maps"])
    assert "q=20.94,106.33" in shown["maps"][1]


def test_the_phone_and_the_server_see_the_same_case_after_the_same_visits(shown: dict[str, Any]) -> None:
    for some, phone in zip(ATTEMPTS, shown["after"], strict=True):
        case = Case(id="A", unit=unit(1))
        for number, (outcome, at) in enumerate(some):
            made = Attempt(id=str(number), case="A", at=at, author="an", mode="visit", outcome=outcome)
            case = advance(case, Attempted(made))
        if not any(outcome == "interviewed" for outcome, _ in some):
            assert phone["state"] == case.state
        assert phone["last"] == case.last_outcome


def test_the_phone_draws_the_same_household_behind_a_line_as_the_server(shown: dict[str, Any]) -> None:
    assert shown["drawn"] == [drawn_of(number, households) for number, households in DRAWS]


def test_a_finding_at_the_door_closes_what_is_gone_and_opens_what_was_gone_by_mistake(
    shown: dict[str, Any],
) -> None:
    assert shown["listed"] == ["closed", "visited", "complete", "visited"]
