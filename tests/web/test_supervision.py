"""A supervisor hands cases over and settles what waits apart, within the own communes; precision is for statisticians."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from litestar.testing import TestClient
from sqlalchemy import text

from survey.settings import keys
from survey.storage import accounts, audit, cases, quarantine, responses, tallies
from survey.storage.database import Database
from survey.storage.quarantine import Misfit
from survey.web import handover, supervision
from survey.web.supervision import percent
from tests.village import Village

PASSWORD = "mot-mat-khau-dai-2027"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A village after its field work; each test begins with a copy."""
    folder = tmp_path_factory.mktemp("filled")
    Village(640, seed=5).fill(f"sqlite:///{folder / 'survey.sqlite'}").close()
    return folder


@pytest.fixture
def database(tmp_path: Path, filled: Path) -> Iterator[Database]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    url = f"sqlite:///{tmp_path / 'survey.sqlite'}"
    with Database.open(url).hold_key(keys(url).identities) as opened:
        with opened.writing() as connection:
            communes = sorted({case.unit.commune for case in cases.every(connection)})
            password = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
            for name, role in (
                ("giamsat", "supervisor"),
                ("an", "official"),
                ("binh", "official"),
                ("tk", "statistician"),
            ):
                accounts.create(
                    connection, name, role, password, communes[:2] if role == "supervisor" else ()
                )
        yield opened


def _sign_in(client: TestClient[Any], name: str) -> str:
    page = client.post("/office/sign-in", data={"name": name, "password": PASSWORD})
    found = re.search(r'name="csrf" value="(\w+)"', page.text)
    assert found, page.url
    return found[1]


def test_rates_are_of_the_supervisors_communes_and_show_their_formula(
    client: TestClient[Any], database: Database
) -> None:
    _sign_in(client, "giamsat")
    page = client.get("/office/rates?lang=en").text
    assert "I / (I + P + R + NC + O + UH + UO)" in page
    with database.reading() as connection:
        own = accounts.find(connection, "giamsat").communes  # type: ignore[union-attr]
        count = sum(case.unit.commune in own for case in cases.every(connection))
    assert re.search(rf"Total</th><td>{count}</td>", page)
    assert page.count('<th scope="row">') == 1 + len(own)


def test_cases_are_handed_over_only_in_the_own_communes(client: TestClient[Any], database: Database) -> None:
    csrf = _sign_in(client, "giamsat")
    with database.reading() as connection:
        own = accounts.find(connection, "giamsat").communes  # type: ignore[union-attr]
        mine = next(case.id for case in cases.every(connection) if case.unit.commune in own)
        foreign = next(case.id for case in cases.every(connection) if case.unit.commune not in own)
        units = {case: cases.existing(connection, case).unit for case in (mine, foreign)}
    assert "<script" not in client.get("/office/cases").text, (
        "what keeps a household's answers has no place in the office"
    )
    assert f"?commune={units[mine].commune}" in client.get("/office/cases").text
    for case, shown in ((mine, True), (foreign, False)):
        unit = units[case]
        page = client.get("/office/cases", params={"commune": unit.commune, "area": unit.psu}).text
        assert (case in page) == shown
        assert (
            case in client.get("/office/cases", params={"find": case.lower()}).text.partition("<ul")[2]
        ) == shown
    client.post("/office/assign", data={"csrf": csrf, "case": mine, "official": "binh"})
    refused = client.post("/office/assign", data={"csrf": csrf, "case": foreign, "official": "binh"})
    assert refused.status_code == 404
    assert (
        client.post("/office/assign", data={"csrf": csrf, "case": mine, "official": "tk"}).status_code == 404
    )
    with database.reading() as connection:
        assert cases.existing(connection, mine).assignee == "binh"
        assert cases.existing(connection, foreign).assignee != "binh"


def test_a_whole_area_is_given_and_what_is_finished_stays_with_whoever_did_it(
    client: TestClient[Any], database: Database
) -> None:
    csrf = _sign_in(client, "giamsat")
    with database.reading() as connection:
        commune = accounts.find(connection, "giamsat").communes[0]  # type: ignore[union-attr]
        before = cases.placed(connection, commune)
    area = before[0].psu
    page = client.get(f"/office/cases?commune={commune}").text
    assert page.count(f'value="{area}"') == 1
    squares = re.findall(r'class="spot (\w+)"', page.partition('class="spots"')[2])
    assert len(squares) == len(before)
    given = {"csrf": csrf, "area": area, "commune": commune, "official": "binh"}
    assert client.post("/office/assign", data=given).url.query == f"commune={commune}".encode()
    with database.reading() as connection:
        for case in cases.placed(connection, commune):
            finished = case.state in ("complete", "closed")
            assert (case.assignee == "binh") == (case.psu == area and not finished)
        lines = [line for line in audit.of_subject(connection, "survey") if line.actor == "account:giamsat"]
    assert not any(line.action == "look at list of addresses" for line in lines), "no address, no look at one"


def test_areas_come_a_page_at_a_time_and_a_whole_commune_is_given_at_once(
    client: TestClient[Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    csrf = _sign_in(client, "giamsat")
    monkeypatch.setattr(handover, "PAGE", 2)
    monkeypatch.setattr(handover, "PORTION", 3)
    with database.writing() as connection:
        connection.execute(
            text("UPDATE cases SET psu = commune || '-' || substr(id, length(id))")
        )  # ten areas each
        own = accounts.find(connection, "giamsat").communes  # type: ignore[union-attr]
        by_commune = {code: cases.areas(connection, code, 1000) for code in own}
    commune, areas = max(by_commune.items(), key=lambda one: len(one[1]))
    assert len(areas) > 2, "more than one page"
    seen: list[str] = []
    address: str | None = f"/office/cases?commune={commune}"
    back = 0
    while address:
        page = html.unescape(client.get(address).text)
        found = re.findall(r'name="area" value="([^"]+)"', page)
        assert 1 <= len(found) <= 2
        earlier = re.search(r'href="([^"]+)" rel="prev"', page)
        assert bool(earlier) == bool(seen)
        if earlier:
            before = html.unescape(client.get(earlier[1]).text)
            assert re.findall(r'name="area" value="([^"]+)"', before) == seen[-2:]
            back += 1
        seen += found
        later = re.search(r'href="([^"]+)" rel="next"', page)
        address = later and later[1]
    assert (seen, back) == (areas, -(-len(areas) // 2) - 1)
    given = {"csrf": csrf, "whole": "1", "commune": commune, "official": "binh", "after": areas[1]}
    assert f"after={areas[1]}" in str(client.post("/office/assign", data=given).url)
    with database.reading() as connection:
        for case in cases.placed(connection, commune):
            assert (case.assignee == "binh") == (case.state not in ("complete", "closed"))
    foreign = given | {"commune": next(code for code in _communes(database) if code not in own)}
    assert client.post("/office/assign", data=foreign).status_code == 404
    monkeypatch.setattr(handover, "FOUND", 3)
    with database.reading() as connection:
        ticked = [case.id for case in cases.placed(connection, commune)]
    client.post("/office/assign", data={"csrf": csrf, "case": ticked, "official": "an"})
    page = client.get("/office/cases?find=An&lang=en").text
    assert page.count('name="case"') == 3
    assert "These are the first 3 households" in page
    assert "No household has this code" in client.get("/office/cases?find=HD-999999&lang=en").text


def _communes(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted({case.unit.commune for case in cases.every(connection)})


def test_progress_stands_against_the_design_by_mode_and_by_outcome(
    client: TestClient[Any], database: Database
) -> None:
    _sign_in(client, "giamsat")
    oversight = client.app.state.site.oversight
    strata, ways, endings = oversight.reached(), oversight.ways(), oversight.endings()
    with database.reading() as connection:
        every = list(cases.every(connection))
        answered = [case for case in every if case.response]
        modes = {record.id: record.mode for record in responses.records(connection)}
    assert sum(one.households for one in strata) == len(every)
    assert sum(one.complete for one in strata) == len(answered)
    assert sum(one.drawn_share for one in strata) == pytest.approx(1)
    assert sum(one.answered_share for one in strata) == pytest.approx(1)
    for one in strata:
        own = [case for case in every if case.unit.stratum == one.name]
        silent = {c.unit.psu for c in own} - {c.unit.psu for c in own if c.response}
        assert (one.areas, one.areas_silent) == (len({case.unit.psu for case in own}), len(silent))
    assert {one.mode: one.complete for one in ways if one.complete} == {
        mode: sum(modes[case.response] == mode for case in answered)
        for mode in {modes[c.response] for c in answered}
    }
    assert sum(one.weighted for one in ways) == pytest.approx(1)
    assert sum(one.cases for one in endings) == len(every)
    assert next(one for one in endings if one.disposition.code == "1.1").cases == len(answered)
    for by, said in (
        ("stratum", "Share by design"),
        ("mode", "Attempts"),
        ("outcome", "Nobody at home"),
        ("nonsense", "RR1"),
    ):
        assert said in client.get(f"/office/rates?by={by}&lang=en").text


def test_officials_come_a_page_at_a_time(
    client: TestClient[Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LINES", 2)
    with database.writing() as connection:
        for number, case in enumerate(list(cases.every(connection))):
            cases.reassign(connection, case.id, f"o{number % 5}")
    _sign_in(client, "tk")
    page = client.get("/office/rates?by=official&lang=en").text
    assert re.findall(r'scope="row">(\w+)<', page) == ["Total", "o0", "o1"]
    later = re.search(r'href="([^"]+)" rel="next"', page)
    assert later
    page = client.get("/office/rates" + html.unescape(later[1])).text
    assert re.findall(r'scope="row">(\w+)<', page) == ["Total", "o2", "o3"]
    page = client.get("/office/rates?by=official&after=o3").text
    assert re.findall(r'scope="row">(\w+)<', page) == ["Total", "o4"]
    assert 'rel="next"' not in page


def test_figures_that_are_not_whole_yet_say_so(
    client: TestClient[Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sign_in(client, "giamsat")
    pages = ("/office", "/office/rates", "/office/rates?by=stratum", "/office/cases")
    said = "these figures are not whole yet"
    assert not any(said in client.get(page, params={"lang": "en"}).text for page in pages)
    with database.writing() as connection:
        cases.mark(connection)
    monkeypatch.setattr(tallies, "PATIENCE", 0.0)
    monkeypatch.setattr(tallies, "_MANY", 10)
    for page in pages:
        assert said in client.get(page, params={"lang": "en", "by": "stratum"}).text
    monkeypatch.setattr(tallies, "PATIENCE", 60.0)
    assert not any(said in client.get(page, params={"lang": "en"}).text for page in pages)


def test_what_waits_apart_is_settled_with_words_and_stays(
    client: TestClient[Any], database: Database
) -> None:
    with database.writing() as connection:
        misfit = Misfit(hash="h1", kind="events", event="e", response="", case="", author="an", device="d",
                        reason="unknown_case", document="{}")  # fmt: skip
        quarantine.keep(connection, [misfit])
    csrf = _sign_in(client, "giamsat")
    assert "unknown_case" not in client.get("/office/quarantine").text, "a reason is said in words"
    assert client.post("/office/quarantine/none", data={"csrf": csrf, "decision": "x"}).status_code == 404
    client.post("/office/quarantine/h1", data={"csrf": csrf, "decision": "Máy tập huấn, bỏ qua"})
    assert "Không có gì chờ xử lý" in client.get("/office/quarantine").text
    with database.reading() as connection:
        assert quarantine.known(connection, ["h1"])
        assert not list(audit.verify(connection))


def test_precision_is_for_statisticians_and_leaves_a_trace(
    client: TestClient[Any], database: Database
) -> None:
    _sign_in(client, "giamsat")
    assert "/office/precision" not in client.get("/office").text
    assert client.get("/office/precision").url.path == "/office/sign-in"
    _sign_in(client, "tk")
    page = client.get("/office/precision?lang=en").text
    assert "households are complete" in page
    assert re.search(r"± \d", page)
    report = client.app.state.site.oversight.precision()
    strata = page.partition("By stratum")[2]
    assert report.indicators[0].strata
    for part in report.indicators[0].strata:
        row = strata.partition(f">{part.name}</th>")[2].partition("</tr>")[0]
        assert f"<td>{percent('en', part.value)}</td>" in row
    assert client.get("/office/quarantine").url.path == "/office/sign-in"


def test_signs_of_quality_name_no_answers_and_leave_a_trace(
    client: TestClient[Any], database: Database
) -> None:
    _sign_in(client, "giamsat")
    page = client.get("/office/signals?lang=en")
    assert page.status_code == 200
    assert "Quality signs" in page.text
    assert "Interviewer effect" in page.text
    assert "account:giamsat" in {line.actor for line in _audit(database) if line.action == "look at signals"}


def _audit(database: Database) -> list[audit.AuditLine]:
    with database.reading() as connection:
        return audit.of_subject(connection, "survey")


def test_a_back_check_asks_again_without_the_first_answers_and_measures_agreement(
    client: TestClient[Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("survey.web.backchecks.backchecks.drawn", lambda key, case, share: True)
    csrf = _sign_in(client, "giamsat")
    listed = client.get("/office/back-checks").text
    case = re.search(r'href="/office/back-checks/([\w-]+)"', listed)
    assert case, "a finished visit in the own communes is drawn"
    page = client.get(f"/office/back-checks/{case[1]}").text
    assert "own_mobile" in page
    assert "checked" not in page.partition("data-q")[2]
    wrong = client.post(f"/office/back-checks/{case[1]}", data={"csrf": csrf})
    assert wrong.status_code == 422
    said = dict.fromkeys(("own_mobile", "internet_last", "bank_account", "wallet", "mobile_money"), "-dk")
    kept = client.post(f"/office/back-checks/{case[1]}", data={"csrf": csrf, **said})
    assert kept.url.path == "/office/back-checks"
    assert f"/{case[1]}" not in kept.text
    found = {one.question: one for one in client.app.state.site.oversight.agreement()}
    assert found["wallet"].pairs == 1
    with database.reading() as connection:
        assert cases.existing(connection, case[1]).state == "complete"
        assert len([r for r in responses.by_case(connection, case[1]) if r.id.startswith("check-")]) == 1
        assert not list(responses.verify(connection))
    assert client.get(f"/office/back-checks/{case[1]}").status_code == 404


def test_an_official_who_did_not_interview_asks_again_and_the_interviewer_never_does(
    client: TestClient[Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("survey.web.backchecks.backchecks.drawn", lambda key, case, share: True)
    csrf = _sign_in(client, "giamsat")
    first, second = re.findall(r'name="case" value="([\w-]+)"', client.get("/office/back-checks").text)[:2]
    with database.reading() as connection:
        interviewer = responses.events(connection, cases.existing(connection, first).response)[0].author
    with database.writing() as connection:
        accounts.create(connection, interviewer, "official", accounts.find(connection, "an").password, ())  # type: ignore[union-attr]
    given = {"csrf": csrf, "case": [first, second], "official": interviewer}
    refused = client.post("/office/back-checks", data=given)
    assert refused.status_code == 422
    assert "Người đã phỏng vấn không được hỏi lại" in refused.text
    assert client.post("/office/back-checks", data={**given, "official": "binh"}).status_code == 200
    _sign_in(client, interviewer)
    assert client.get(f"/field/checks/{first}").status_code == 404
    csrf = _sign_in(client, "binh")
    assert "Có 2 hộ giám sát nhờ hỏi lại" in client.get("/field").text
    assert first in client.get("/field/checks").text
    said = dict.fromkeys(("own_mobile", "internet_last", "bank_account", "wallet", "mobile_money"), "-dk")
    for _ in range(2):  # pressed twice
        client.post(f"/field/checks/{first}", data={"csrf": csrf, "how": "visit", **said})
    ended = client.post(f"/field/checks/{second}", data={"csrf": csrf, "ended": "refused"})
    assert ended.url.path == "/field/checks"
    assert "Không có hộ nào cần hỏi lại" in ended.text
    with database.reading() as connection:
        (check,) = (r for r in responses.by_case(connection, first) if r.id.startswith("check-"))
        assert check.mode == "visit"
        assert not [r for r in responses.by_case(connection, second) if r.id.startswith("check-")]
    _sign_in(client, "giamsat")
    assert "Không muốn trả lời lại: 1" in client.get("/office/back-checks").text
