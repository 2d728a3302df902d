"""Proves that the Hải Dương survey folder asks the right people the right questions: places against the official list,
whole households walked from the notice to the end, and answers that decide each indicator as its definition says."""

from __future__ import annotations

import csv
import itertools
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from vietnam_provinces import ProvinceCode, Ward

from survey.folder import Folder, check, column_name, frozen_columns
from survey.questionnaire.checks import DONT_KNOW, REFUSED, read_form
from survey.questionnaire.model import Choice, Page, Question
from survey.questionnaire.piping import say
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import (
    Step,
    complete,
    draw_row,
    is_done,
    next_step,
    outcome,
    path,
    progress,
    visible,
)

FOLDER = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"
TODAY = "2027-10-20"
Person = Mapping[str, Any]


@pytest.fixture(scope="module")
def folder() -> Folder:
    return Folder.read(FOLDER)


# ── people who answer ────────────────────────────────────────────────────────────────────────────────────────

FARMER = {"nickname": "Bà Tư", "sex": "female", "birth_year": "1950", "relationship": "head"}
CLERK = {"nickname": "Hà", "sex": "female", "birth_year": "1990", "relationship": "head"}
HUSBAND = {"nickname": "Anh", "sex": "male", "birth_year": "1988", "relationship": "spouse"}
MOTHER = {"nickname": "Bà", "sex": "female", "birth_year": "1955", "relationship": "parent"}
PUPIL = {"nickname": "Bi", "sex": "male", "birth_year": "2015", "relationship": "child"}
TODDLER = {"nickname": "Na", "sex": "female", "birth_year": "2023", "relationship": "child"}
BABY = {"nickname": "Tí", "sex": "male", "birth_year": "2027", "relationship": "child"}

OFFLINE = {
    "home_internet": "no", "internet_barriers": ["no_skill", "device_cost"], "devices": "none",
    "coverage": DONT_KNOW, "coverage_quality": DONT_KNOW, "answered_by": "self", "respondent_birth_year": "1950",
    "education": "primary", "work": "self_employed", "own_mobile": "no", "mobile_use": "no", "internet_last": "never",
    "non_use_reasons": ["unknown"], "bank_account": "no", "other_account": "no", "wallet": "no", "mobile_money": "no",
    "no_account_reasons": ["cash"],
}  # fmt: skip
ONLINE = {
    "home_internet": "yes", "internet_types": ["fibre", "mobile_phone"], "devices": ["smartphone", "laptop"],
    "coverage": "4g", "coverage_quality": "good", "child_bank": "no", "child_wallet": "no", "answered_by": "self",
    "respondent_birth_year": "1990", "education": "tertiary", "work": "employee", "own_mobile": "yes",
    "sim_active": "yes", "smartphone": "yes", "mobile_use": "yes", "smartphone_use": "yes", "data_package": "yes",
    "sim_4g": "yes", "network_seen": "4g", "internet_last": "months_3", "internet_frequency": "daily",
    "internet_places": ["home", "work"], "activities": ["messages", "banking"], "online_services": "yes",
    "vneid": "used", "skills": ["copy", "attach"], "bank_account": "own", "bank_electronic": "yes",
    "bank_last_use": "days_30", "other_account": "no", "wallet": "yes", "wallet_last_use": "months_12",
    "mobile_money": "no", "payments_made": ["bills"], "payments_received": ["wages"],
}  # fmt: skip


class Home:
    """A household in front of the questionnaire: it sends forms page by page and remembers what it was shown."""

    def __init__(
        self, folder: Folder, members: Iterable[Person], says: Mapping[str, Any], mode: str = "self"
    ) -> None:
        self.questionnaire = folder.questionnaire
        self.members = {f"r{number}": member for number, member in enumerate(members)}
        self.says = says
        self.numbers = itertools.count()
        self.events: list[Event] = []
        self.shown: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.add("opened", language="vi", version=self.questionnaire.version, today=TODAY, mode=mode)

    def add(self, kind: Any, **more: Any) -> None:
        self.events.append(
            Event(id=f"e{next(self.numbers)}", response="r", kind=kind, at=0, author="h", **more)
        )

    @property
    def response(self) -> Response:
        return fold("r", self.events)

    def answer(self, number: float = 0.0) -> Response:
        """Every page until the end; `number` draws the respondent."""
        for _ in range(200):
            step = next_step(self.questionnaire, self.response)
            if step is None:
                self.add("submitted")
                return self.response
            self.take(step, number)
        raise AssertionError("the questionnaire has no end")

    def take(self, step: Step, number: float = 0.0) -> None:
        """Fill one page; an answer that is not accepted is an error of the test."""
        self.shown.append((step.page.id, step.row))
        page, response = step.page, self.response
        if page.kind == "list" and not step.row:
            for row in self.members:
                self.add("row_added", roster="members", row=row)
                self.take(at(self, page.id, row))
            self.add("page_done", page=page.id)
        elif page.kind == "notice":
            self.add("page_done", page=page.id)
        elif page.kind == "draw":
            row, eligible = draw_row(self.questionnaire, response, page.draw or "", number)
            self.add("locked", roster="members")
            self.add("drawn", draw=page.draw or "", row=row, eligible=eligible)
            self.add("page_done", page=page.id)
        else:
            sent = self.send(step)
            assert sent.accepted, [(finding.where, finding.message["en"]) for finding in sent.findings]
            self.asked += [(key.question, key.row) for key in sent.answers]
            self.add(
                "answered",
                page=page.id,
                row=step.row,
                answers={str(key): one for key, one in sent.answers.items()},
            )

    def send(self, step: Step) -> Any:
        form = {question.id: self.said(question, step.row) for question in step.page.questions}
        return read_form(self.questionnaire, self.response, step, form)

    def said(self, question: Question, row: str) -> list[str]:
        said = self.members.get(row, {}).get(question.id, self.says.get(question.id, []))
        return [said] if isinstance(said, str) else list(said)

    def pages(self) -> list[str]:
        return [page for page, _ in self.shown]


def at(home: Home, page: str, row: str = "") -> Step:
    return next(
        step for step in path(home.questionnaire, home.response) if (step.page.id, step.row) == (page, row)
    )


def until(home: Home, page: str, number: float = 0.0) -> Step:
    """Answer up to this page."""
    while (step := next_step(home.questionnaire, home.response)) is not None:
        if step.page.id == page:
            return step
        home.take(step, number)
    raise AssertionError(f"{page} was never asked")


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────


def read_csv(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_areas_are_the_official_communes_that_were_hai_duong():
    hai_phong = Ward.iter_by_province(ProvinceCode.P_31)
    official = {f"{ward.code:05d}": ward.name for ward in hai_phong if 10507 <= ward.code <= 11284}
    assert {row["code"]: row["name"] for row in read_csv("areas.csv")} == official
    assert len(official) == 64


def test_a_phuong_is_urban_a_xa_is_rural_and_both_are_valid_from_the_merger():
    rows = read_csv("areas.csv")
    for row in rows:
        assert row["name"].startswith(row["kind"].capitalize() + " ")
        assert row["urban_rural"] == {"phường": "urban", "xã": "rural"}[row["kind"]]
        assert (row["province"], row["valid_from"], row["valid_to"]) == ("31", "2025-07-01", "")
    assert sum(row["kind"] == "phường" for row in rows) == 21


def test_each_former_district_lies_in_one_stratum_except_kinh_mon_whose_only_xa_joins_the_east():
    rows = read_csv("areas.csv")
    groups: dict[str, set[str]] = {}
    for row in rows:
        groups.setdefault(row["former_district"], set()).add(row["group"])
    assert len(groups) == 12
    assert {district for district, found in groups.items() if len(found) > 1} == {"Kinh Môn"}
    sizes = {group: sum(row["group"] == group for row in rows) for group in {row["group"] for row in rows}}
    assert set(sizes) == {"hai_duong", "chi_linh_kinh_mon", "dong", "tay", "nam"}
    assert min(sizes.values()) >= 9
    assert all(len({row["urban_rural"] for row in rows if row["group"] == group}) == 1 for group in sizes)


def test_the_margins_are_every_cell_of_sex_age_and_place(folder):
    rows = read_csv("population.csv")
    labels = {domain.id: set(domain.labels) for domain in folder.analysis.domains}
    cells = {(row["sex"], row["age_band"], row["urban_rural"]) for row in rows}
    assert cells == set(itertools.product(labels["sex"], labels["age_band"], labels["urban_rural"]))
    assert len(rows) == len(cells)
    total = sum(int(row["total"]) for row in rows)
    young = sum(int(row["total"]) for row in rows if row["age_band"] == "0-14")
    assert 1.85e6 < total < 2.05e6
    assert 0.23 < young / total < 0.27


def test_the_area_domain_names_every_stratum_of_the_areas(folder):
    area = next(domain for domain in folder.analysis.domains if domain.id == "area")
    assert set(area.labels) == {row["group"] for row in folder.areas}


# ── whole households ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_old_farmer_alone_without_internet_is_asked_little(folder):
    home = Home(folder, [FARMER], OFFLINE)
    response = home.answer()
    assert response.submitted
    assert complete(folder.questionnaire, response)
    for page in (
        "internet_types_page",
        "child_accounts",
        "skills_page",
        "activities_page",
        "payments_made_page",
    ):
        assert page not in home.pages()
    for page in ("internet_barriers_page", "non_use_page", "no_account_page"):
        assert page in home.pages()
    assert len(home.asked) <= 30


def test_six_people_with_three_children_are_each_asked_once_and_one_adult_answers(folder):
    home = Home(folder, [CLERK, HUSBAND, MOTHER, PUPIL, TODDLER, BABY], ONLINE)
    response = home.answer(number=0.0)
    assert [row for page, row in home.shown if page == "child_accounts"] == ["r3", "r4", "r5"]
    assert response.drawn == {"respondent": "r0"}
    assert response.eligible == {"respondent": 3}
    assert len(home.asked) == len(set(home.asked)), "nothing is asked twice"
    answers = outcome(folder.questionnaire, response)
    assert answers[Key("age", "r5")].value == 0
    assert answers[Key("bank_account", "r0")].value == "own"
    assert {answers[Key("child_bank", row)].missing for row in ("r0", "r1", "r2")} == {"not_applicable"}


@pytest.mark.parametrize(("number", "drawn"), [(0.0, "r0"), (0.34, "r1"), (0.999, "r2")])
def test_each_adult_has_a_third_of_the_chance(folder, number, drawn):
    home = Home(folder, [CLERK, HUSBAND, MOTHER, PUPIL], ONLINE)
    step = until(home, "draw_respondent")
    home.take(step, number)
    assert home.response.drawn["respondent"] == drawn


def test_nobody_of_fifteen_or_over_is_asked_about_before_it_is_believed(folder):
    home = Home(folder, [PUPIL, TODDLER], {**ONLINE, "no_adult": "forgotten"})
    step = until(home, "no_adult_page")
    assert not home.send(step).accepted
    home.says = {**ONLINE, "no_adult": "none"}
    response = home.answer()
    assert response.submitted
    assert response.drawn == {}
    assert "draw_respondent" not in home.pages()
    assert home.pages().count("child_accounts") == 2


def test_a_household_with_an_adult_is_never_asked_whether_there_is_one(folder):
    for members in ([PUPIL, CLERK], [CLERK, PUPIL], [FARMER]):
        home = Home(folder, members, ONLINE)
        until(home, "home_internet_page")
        assert "no_adult_page" not in home.pages()


def test_everything_but_the_list_of_people_can_be_refused(folder):
    needed = {"nickname": "A", "sex": "female", "about_age": "40", "answered_by": "self", "comment": ""}

    class Silent(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return needed.get(key, REFUSED)

    home = Home(folder, [Silent()], Silent())
    response = home.answer()
    assert response.submitted
    answers = outcome(folder.questionnaire, response)
    given = {key.question for key, one in answers.items() if one.missing is None}
    assert given == set(needed) - {"comment"} | {"age"}
    assert answers[Key("bank_account", "r0")].missing == "refused"
    assert answers[Key("bank_electronic", "r0")].missing == "not_applicable"


def test_dont_know_is_an_answer_wherever_refusing_is(folder):
    for question in questions(folder):
        if question.kind not in ("calculate", "note") and question.id != "nickname":
            assert question.dont_know == question.refused, question.id


def test_fifteen_year_olds_answer_only_if_they_and_a_parent_agree(folder):
    young = {"nickname": "Mai", "sex": "female", "birth_year": "2012", "relationship": "child"}
    home = Home(folder, [young], {**ONLINE, "guardian_agrees": "no", "respondent_birth_year": "2012"})
    step = until(home, "respondent_page")
    assert [finding.where for finding in home.send(step).findings] == ["guardian_agrees"]
    home.says = {**home.says, "guardian_agrees": "agreed"}
    assert home.answer().submitted


@pytest.mark.parametrize(("birth_year", "asked"), [("2011", True), ("2010", False), ("1990", False)])
def test_only_the_young_are_asked_for_a_parents_agreement(folder, birth_year, asked):
    person = {**CLERK, "birth_year": birth_year}
    home = Home(folder, [person], {**ONLINE, "respondent_birth_year": birth_year})
    step = until(home, "respondent_page")
    shown = visible(folder.questionnaire, home.response, step)
    assert ("guardian_agrees" in {question.id for question in shown}) == asked


def test_another_birth_year_asks_whether_this_is_the_person_chosen(folder):
    home = Home(folder, [CLERK], {**ONLINE, "respondent_birth_year": "1965"})
    finding = home.send(until(home, "respondent_page")).findings[0]
    assert (finding.where, finding.severity) == ("respondent_birth_year", "warning")


def test_an_unknown_birth_year_is_replaced_by_a_rough_age(folder):
    person = {**FARMER, "birth_year": DONT_KNOW, "about_age": "78"}
    home = Home(folder, [person], OFFLINE)
    response = home.answer()
    assert outcome(folder.questionnaire, response)[Key("age", "r0")].value == 78


@pytest.mark.parametrize(
    ("person", "where", "severity"),
    [
        ({**PUPIL, "birth_year": "2028"}, "birth_year", "error"),
        ({**CLERK, "birth_year": "1899"}, "birth_year", "error"),
        ({**CLERK, "birth_year": "1915"}, "birth_year", "warning"),
        ({**PUPIL, "relationship": "head"}, "relationship", "warning"),
    ],
)
def test_an_odd_member_is_asked_about_again(folder, person, where, severity):
    home = Home(folder, [person], ONLINE)
    home.add("row_added", roster="members", row="r0")
    findings = home.send(at(home, "members_list", "r0")).findings
    assert [(finding.where, finding.severity) for finding in findings] == [(where, severity)]


def test_two_heads_of_household_are_asked_about_again(folder):
    home = Home(folder, [CLERK, {**HUSBAND, "relationship": "head"}], ONLINE)
    home.add("row_added", roster="members", row="r0")
    home.take(at(home, "members_list", "r0"))
    home.add("row_added", roster="members", row="r1")
    findings = home.send(at(home, "members_list", "r1")).findings
    assert [(finding.where, finding.severity) for finding in findings] == [("relationship", "warning")]


def test_the_end_is_about_ten_minutes_away_and_comes_nearer(folder):
    home = Home(folder, [CLERK, HUSBAND, PUPIL], ONLINE)
    left = []
    while (step := next_step(folder.questionnaire, home.response)) is not None:
        left.append(progress(folder.questionnaire, home.response, step).minutes_left)
        home.take(step)
    assert 8 <= left[0] <= 12
    assert left == sorted(left, reverse=True)
    assert is_done(folder.questionnaire, home.response, path(folder.questionnaire, home.response)[-1])


def test_a_page_of_a_child_speaks_of_that_child(folder):
    home = Home(folder, [CLERK, PUPIL, TODDLER], ONLINE)
    step = until(home, "child_accounts")
    label = step.page.questions[0].label
    assert say(label, folder.questionnaire, home.response, step, "vi").startswith("Bi có tài khoản")


# ── the words ────────────────────────────────────────────────────────────────────────────────────────────────


def pages(folder: Folder) -> list[Page]:
    return [page for section in folder.questionnaire.sections for page in section.pages]


def questions(folder: Folder) -> list[Question]:
    return [question for page in pages(folder) for question in page.questions]


def choices(folder: Folder, question: Question) -> tuple[Choice, ...]:
    if isinstance(question.choices, str):
        return folder.questionnaire.choices[question.choices]
    return question.choices


def test_there_are_forty_to_sixty_questions(folder):
    assert 40 <= sum(question.kind != "calculate" for question in questions(folder)) <= 60


def test_no_label_is_too_long_for_a_small_screen_or_a_tired_ear(folder):
    for question in questions(folder):
        assert len(question.label.get("vi", "")) <= 160, question.id
        for choice in choices(folder, question):
            assert len(choice.label["vi"]) <= 60, (question.id, choice.code)


def test_nothing_asks_for_an_account_number_a_bank_or_a_balance(folder):
    for question in questions(folder):
        asked = question.label.get("vi", "").lower()
        for word in ("số tài khoản", "số dư", "mật khẩu", "otp", "ngân hàng nào", "họ tên", "căn cước"):
            assert word not in asked, question.id


def test_accounts_and_the_use_of_networks_are_marked_as_sensitive(folder):
    marked = {question.id for question in questions(folder) if question.sensitivity == "sensitive"}
    for name in (
        "bank_account",
        "wallet",
        "mobile_money",
        "child_bank",
        "payments_made",
        "internet_last",
        "vneid",
    ):
        assert name in marked
    free = {question.id for question in questions(folder) if question.kind == "text"}
    assert all(question.sensitivity == "personal" for question in questions(folder) if question.id in free)


def test_the_standards_stand_beside_the_questions_that_follow_them(folder):
    said = " ".join(question.definition or "" for question in questions(folder))
    for standard in ("SDG 5.b.1", "SDG 4.4.1", "SDG 17.8.1", "SDG 8.10.2", "HH6", "HH11", "HH14", "EPAY_ANY"):
        assert standard in said


# ── what counts ──────────────────────────────────────────────────────────────────────────────────────────────


def decided(folder: Folder, person: Mapping[str, Any], indicator: str) -> bool | None:
    """Whether this person or household counts in the numerator: True, False, or None where answers cannot tell."""
    plan = folder.analysis
    one = next(one for one in plan.indicators if one.id == indicator)
    areas = [name for name in folder.areas[0] if name not in ("code", "name")]
    columns = frozen_columns(folder.questionnaire, one.unit, areas)
    cells = ", ".join(f'CAST(? AS {kind}) AS "{name}"' for name, kind in columns.items())
    source = f"SELECT {cells}"
    if one.unit == "person":
        for name, expression in plan.derived.items():
            source = f'SELECT *, ({expression}) AS "{name}" FROM ({source})'
    with duckdb.connect(":memory:") as database:
        found = database.execute(
            f"SELECT ({one.asked(plan.age)}), ({one.numerator}) FROM ({source})",
            [person.get(name) for name in columns],
        ).fetchone()
    assert found is not None
    assert found[0], f"outside the universe of {indicator}"
    return None if found[1] is None else bool(found[1])


NOBODY = {"age": 40, "bank_account": "no", "other_account": "no", "wallet": "no", "mobile_money": "no"}


@pytest.mark.parametrize(
    ("indicator", "person", "counts"),
    [
        # the target speaks of the population: children count, each by the page about them
        ("EPAY_ANY_ALL", NOBODY, False),
        ("EPAY_ANY_ALL", {"age": 9, "child_bank": "no", "child_wallet": "no"}, False),
        ("EPAY_ANY_ALL", {"age": 9, "child_bank": "yes", "child_bank_electronic": "yes", "child_wallet": "no"}, True),
        ("EPAY_ANY_ALL", {"age": 9, "child_bank": "yes", "child_bank_electronic": "no", "child_wallet": "no"}, False),
        ("EPAY_ANY_ALL", {"age": 9, "child_bank": "no", "child_wallet": "yes"}, True),
        # an account that only works at the counter is an account, not an electronic one
        ("EPAY_ANY_15P", {**NOBODY, "bank_account": "own", "bank_electronic": "no"}, False),
        ("ACC_15P", {**NOBODY, "bank_account": "own", "bank_electronic": "no"}, True),
        ("EPAY_ANY_15P", {**NOBODY, "bank_account": "joint", "bank_electronic": "yes"}, True),
        ("ACC_15P", {**NOBODY, "other_account": "yes"}, True),
        # one refusal leaves open what the other answers do not settle, and nothing else
        ("EPAY_ANY_15P", {**NOBODY, "bank_account": None}, None),
        ("EPAY_ANY_15P", {**NOBODY, "bank_account": None, "wallet": "yes"}, True),
        ("ACC_15P", {**NOBODY, "wallet": None}, None),
        # mobile money counts for SDG 8.10.2 when used within twelve months; a wallet alone does not
        ("SDG_8_10_2", {**NOBODY, "mobile_money": "yes", "mobile_money_last_use": "months_12"}, True),
        ("SDG_8_10_2", {**NOBODY, "mobile_money": "yes", "mobile_money_last_use": "longer"}, False),
        ("SDG_8_10_2", {**NOBODY, "wallet": "yes"}, False),
        # holding is not using
        ("EPAY_ACTIVE_3M", {**NOBODY, "wallet": "yes", "wallet_last_use": "months_3"}, True),
        ("EPAY_ACTIVE_3M", {**NOBODY, "wallet": "yes", "wallet_last_use": "months_12"}, False),
        ("EPAY_ACTIVE_3M", NOBODY, False),
        # a phone without a SIM in use is not owned in the sense of SDG 5.b.1; a keypad phone is
        ("SDG_5_B_1", {"age": 40, "own_mobile": "yes", "sim_active": "yes"}, True),
        ("SDG_5_B_1", {"age": 40, "own_mobile": "yes", "sim_active": "no"}, False),
        ("SDG_5_B_1", {"age": 40, "own_mobile": "no"}, False),
        ("SMARTPHONE_OWN_15P", {"age": 40, "own_mobile": "yes", "sim_active": "yes", "smartphone": "no"}, False),
        # a borrowed smartphone is used, not owned
        ("SMARTPHONE_OWN_15P", {"age": 40, "own_mobile": "no", "mobile_use": "yes", "smartphone_use": "yes"}, False),
        ("SMARTPHONE_USE_15P", {"age": 40, "own_mobile": "no", "mobile_use": "yes", "smartphone_use": "yes"}, True),
        ("MOBILE_4G5G_USE_15P", {"age": 40, "mobile_use": "yes", "network_seen": "5g"}, True),
        ("MOBILE_4G5G_USE_15P", {"age": 40, "mobile_use": "yes", "network_seen": "3g"}, False),
        ("MOBILE_4G5G_USE_15P", {"age": 40, "mobile_use": "no"}, False),
        ("SDG_17_8_1", {"age": 40, "internet_last": "months_3"}, True),
        ("SDG_17_8_1", {"age": 40, "internet_last": "longer"}, False),
        ("VNEID_15P", {"age": 40, "internet_last": "months_3", "vneid": "activated"}, False),
        ("VNEID_15P", {"age": 40, "internet_last": "never"}, False),
        # skills are asked of users of the Internet or of a smartphone; nobody else has used them
        ("SKILL_COPY", {"age": 40, "internet_last": "months_3", "mobile_use": "no", "skills__copy": True}, True),
        ("SKILL_COPY", {"age": 40, "internet_last": "never", "mobile_use": "yes", "smartphone_use": "yes",
                        "skills__copy": True}, True),
        ("SKILL_COPY", {"age": 40, "internet_last": "never", "mobile_use": "no"}, False),
        ("HH6", {"home_internet": "yes"}, True),
        ("HH_FIBRE", {"home_internet": "yes", "internet_types__fibre": False}, False),
        ("HH_FIBRE", {"home_internet": "no"}, False),
        ("HH_FIBRE", {"home_internet": "yes", "internet_types__fibre": None}, None),
    ],
)  # fmt: skip
def test_who_counts(folder, indicator, person, counts):
    assert decided(folder, person, indicator) is counts


def test_every_skill_of_the_standard_is_reported_by_itself(folder):
    skills = next(question for question in questions(folder) if question.id == "skills")
    codes = [choice.code for choice in choices(folder, skills) if not choice.exclusive]
    assert len(codes) == 11
    reported = [one.id for one in folder.analysis.indicators if one.id.startswith("SKILL_")]
    assert reported == [f"SKILL_{code.upper()}" for code in codes]


def test_what_is_not_asked_of_non_users_counts_as_no_and_leaves_nobody_undecided(folder):
    response = Home(folder, [FARMER], OFFLINE).answer()
    answers = outcome(folder.questionnaire, response)
    cells = {column_name(key.question): frozen(one) for key, one in answers.items() if key.row in ("", "r0")}
    for one in folder.analysis.indicators:
        assert decided(folder, cells, one.id) is False, one.id


def frozen(answer: Answer) -> Any:
    """A single answer as a cell; several are not needed for one who has nothing."""
    return None if isinstance(answer.value, list) else answer.value


def test_the_resolution_is_held_to_its_own_words(folder):
    target = next(one for one in folder.analysis.targets if one.id == "NQ06_EPAY")
    indicator = next(one for one in folder.analysis.indicators if one.id == target.indicator)
    assert (target.comparison, target.threshold, target.means) == (">", 0.5, True)
    assert indicator.asked() == "true", "the resolution says population, all ages"
    easier = next(one for one in folder.analysis.targets if one.id == "NQ06_EPAY_15P")
    assert not easier.means
    for one in folder.analysis.targets:
        if "phổ cập" in one.text["vi"].lower():
            assert "không nêu con số" in one.note["vi"], one.id


def test_ages_cannot_shift_within_the_field_work(folder):
    dates = folder.plan.dates
    assert len({day[:4] for day in (dates.reference, dates.web_opens, dates.visits_open, dates.closes)}) == 1


def test_what_the_organiser_must_still_fill_in_is_said_and_nothing_else_is_wrong():
    findings = check(FOLDER)
    assert {(finding.code, finding.severity) for finding in findings} == {
        ("placeholder", "warning"),
        ("no_file", "warning"),
    }
    said = {finding.message["en"].split(":")[0] for finding in findings if finding.code == "placeholder"}
    assert said == {"organiser", "helpline", "decision", "controller", "contact"}
    files = [finding.message["en"] for finding in findings if finding.code == "no_file"]
    names = ("communes.csv", "census.csv", "communes_15_plus.csv", "administrative.csv")
    assert all(f"“{name}”" in said for name, said in zip(names, files, strict=True))


def test_a_share_of_back_checks_outside_5_to_10_percent_is_said(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "survey")
    plan = tmp_path / "survey" / "survey.yaml"
    text = plan.read_text("utf-8")
    assert "  share: 0.05\n" in text
    for share, severity in (("0.1", None), ("0.02", "warning"), ("0", "warning"), ("5", "error")):
        plan.write_text(text.replace("  share: 0.05\n", f"  share: {share}\n"), "utf-8")
        found = [one.severity for one in check(tmp_path / "survey") if one.code == "share"]
        assert found == ([severity] if severity else [])
