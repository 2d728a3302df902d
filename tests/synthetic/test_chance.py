"""A person's chance is uniform, belongs to the question, and does not depend on who else is asked."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from survey.synthetic.chance import uniform


def test_numbers_are_uniform_and_questions_are_independent() -> None:
    ids = np.arange(200_000)
    first, second = uniform(1, "wallet", ids), uniform(1, "internet", ids)
    assert kstest(first, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.01, "neighbours by number are not alike"
    assert not np.array_equal(first, uniform(2, "wallet", ids))


@pytest.mark.parametrize("person", [0, 17, 1_900_000])
def test_one_person_asked_alone_answers_as_in_a_census(person: int) -> None:
    everybody = uniform(5, "wallet", np.arange(1_900_001))
    assert uniform(5, "wallet", np.array([person]))[0] == everybody[person]
