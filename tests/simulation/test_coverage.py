"""A few draws of the simulation behave: exact margins, fair draws, and the shortcuts visibly wrong."""

from __future__ import annotations

import numpy as np
import pytest

from survey.fieldwork.dispositions import DISPOSITIONS, OUTCOMES
from tests.simulation.coverage import CATEGORY, Trial, report


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(seed=3, areas_in_province=900)


def test_every_outcome_has_the_category_that_the_dispositions_give_it() -> None:
    visited = {word: DISPOSITIONS[OUTCOMES[word].code].category for word in CATEGORY if word}
    assert visited | {"": "I", "interviewed": "I"} == CATEGORY


def test_the_same_number_gives_the_same_sample_and_another_another(trial: Trial) -> None:
    assert trial.sample(1) == trial.sample(1) != trial.sample(2)


def test_the_person_drawn_is_of_the_household_and_15_or_over(trial: Trial) -> None:
    province = trial.province
    dwellings = np.arange(0, province.dwellings, 7)
    numbers = np.random.default_rng(1).random(len(dwellings))
    chosen, count = trial._respondents(dwellings, numbers)
    lived_in = province.size[dwellings] > 0
    assert (chosen[~lived_in] == -1).all()
    assert (province.household[chosen[lived_in]] == dwellings[lived_in]).all()
    assert (province.age[chosen[lived_in]] >= 15).all()
    adults = np.bincount(province.household[province.age >= 15], minlength=province.dwellings)
    assert (count == adults[dwellings]).all()


def test_a_dozen_draws_come_near_the_truth_and_the_web_alone_does_not(trial: Trial) -> None:
    lines = {
        (line.indicator, line.place): line for line in report(trial, [trial.sample(n) for n in range(12)])
    }
    for line in lines.values():
        assert abs(line.bias) < 5 * line.bias_error + 0.003
        assert 0.6 < line.se_ratio < 1.7
    assert lines["EPAY_ANY_ALL", "province"].unweighted_bias < -0.08
    assert lines["SMARTPHONE_OWN_15P", "province"].web_only_bias > 0.05
