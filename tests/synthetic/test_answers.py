"""Everybody in the invented province can answer every question of the real questionnaire, and the truth is theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from survey.folder import Folder
from survey.questionnaire.codebook import variables
from survey.questionnaire.index import index
from survey.questionnaire.response import fold
from survey.questionnaire.routing import complete, outcome
from survey.synthetic.answers import Choice, of_dwellings, of_persons
from survey.synthetic.interviewing import Household, Sampled, answer_all
from survey.synthetic.people import Province
from survey.synthetic.truth import everybody, truth

SURVEY = Path(__file__).resolve().parents[2] / "questionnaires" / "haiduong-digital-society"
WRITTEN_BY_HAND = {"nickname", "birth_year", "about_age", "age", "respondent_birth_year", "comment"}
NEVER_ASKED = {"no_adult"}  # every invented household has somebody aged 15 or over
RARELY_ASKED = {"guardian_agrees"}  # only when the person drawn is 15


@pytest.fixture(scope="module")
def folder() -> Folder:
    return Folder.read(SURVEY)


@pytest.fixture(scope="module")
def some(province: Province) -> Sampled:
    lived_in = np.flatnonzero(province.size > 0)
    return Sampled.of(province, lived_in[:: len(lived_in) // 150])


def interview(some: Sampled, place: int, folder: Folder, number: float = 0.5):
    household = Household(some, place, folder.questionnaire)
    at = 1_763_000_000_000  # 13 November 2025
    events = answer_all(household, folder.questionnaire, f"r{place}", "household:x", "self", number, at)
    return household, fold(f"r{place}", events)


def test_every_question_and_every_option_is_known(folder: Folder, some: Sampled) -> None:
    columns = {**some.homes, **some.people}
    for variable in variables(folder.questionnaire):
        if "." in variable.name or variable.name in WRITTEN_BY_HAND | NEVER_ASKED:
            continue
        column = columns[variable.name]
        codes = {choice.code for choice in variable.choices}
        said = set(column.options) | ({column.none} - {""} if not isinstance(column, Choice) else set())
        assert said <= codes, f"{variable.name} says what the questionnaire does not offer"


def test_every_household_comes_to_the_end_and_the_draw_is_the_one_expected(
    some: Sampled, folder: Folder
) -> None:
    for place in range(len(some.dwellings)):
        number = (place % 10) / 10
        household, response = interview(some, place, folder, number)
        assert response.submitted
        assert complete(folder.questionnaire, response)
        rows = response.rows["members"]
        assert len(rows) == len(household.members)
        member = household.members[rows.index(response.drawn["respondent"])]
        assert some.persons[member] == some.drawn(place, number)


def test_a_survey_finds_of_a_person_what_the_census_knows(
    some: Sampled, folder: Folder, province: Province
) -> None:
    """Answers given through routing decide an indicator as the columns over everybody do."""
    held = everybody(province, folder.analysis, ["SMARTPHONE_OWN_15P", "HH6"])
    for place in range(len(some.dwellings)):
        _, response = interview(some, place, folder)
        answers = outcome(folder.questionnaire, response)
        said = {
            key.question: answer.value
            for key, answer in answers.items()
            if key.row in ("", response.drawn["respondent"])
        }
        owns = all(said.get(name) == "yes" for name in ("own_mobile", "sim_active", "smartphone"))
        drawn = some.drawn(place, 0.5)
        assert owns == (np.nan_to_num(held["SMARTPHONE_OWN_15P"][1][drawn]) == 1)
        assert (said["home_internet"] == "yes") == (np.nan_to_num(held["HH6"][1][some.dwellings[place]]) == 1)


def test_people_say_the_same_whoever_else_is_asked(province: Province) -> None:
    alone, among = np.array([1_234]), np.arange(5_000)
    for name, column in of_persons(province, alone).items():
        assert column.said(0) == of_persons(province, among)[name].said(1_234), name
    for name, column in of_dwellings(province, alone).items():
        assert column.said(0) == of_dwellings(province, among)[name].said(1_234), name


def test_the_truth_agrees_with_what_was_made(province: Province, folder: Folder) -> None:
    found = truth(province, folder.analysis, {one.code: {} for one in province.communes})
    assert set(found) == {one.id for one in folder.analysis.indicators}
    # A few of those who hold an account do not know or would rather not say, and count as not holding one.
    assert found["EPAY_ANY_ALL"][""] == pytest.approx(province.pays_electronically.mean(), abs=0.01)
    adult = province.age >= 15
    assert found["EPAY_ANY_15P"][""] == pytest.approx(province.pays_electronically[adult].mean(), abs=0.01)
    urban = province.urban[province.household]
    parts = found["EPAY_ANY_ALL"]["urban_rural=urban"] * urban.mean() + found["EPAY_ANY_ALL"][
        "urban_rural=rural"
    ] * (1 - urban.mean())
    assert parts == pytest.approx(found["EPAY_ANY_ALL"][""], abs=1e-9)
    assert sum(key.startswith("commune=") for key in found["EPAY_ANY_ALL"]) == 64
    for one in everybody(province, folder.analysis, ["EPAY_ANY_ALL", "HH6"]).items():
        name, (inside, has) = one
        assert np.nan_to_num(has[inside]).mean(dtype=float) == pytest.approx(found[name][""], abs=1e-9)


def test_every_question_on_the_path_is_answered_not_skipped(some: Sampled, folder: Folder) -> None:
    asked = set(index(folder.questionnaire).places)
    seen: set[str] = set()
    for place in range(len(some.dwellings)):
        _, response = interview(some, place, folder)
        seen |= {key.question for key in response.answers}
    assert asked - seen <= NEVER_ASKED | RARELY_ASKED | {"age", "about_age", "comment"}, (
        "some question was never reached by 150 households"
    )
