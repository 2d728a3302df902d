"""Outcome rates are AAPOR's, on the published arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import DesignError
from analysis.outcomes import Outcomes, r_indicator, rates


def test_the_worked_example() -> None:
    found = rates(Outcomes(I=600, P=40, R=90, NC=70, O=20, UH=50, UO=30, NE=100))
    expected = {
        "e": 0.891304, "RR1": 0.666667, "RR2": 0.711111, "RR3": 0.673171, "RR4": 0.718049, "RR5": 0.731707,
        "RR6": 0.780488, "COOP1": 0.80, "REF1": 0.10, "CON1": 0.833333,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=5e-7), name


def test_with_nothing_unknown_all_response_rates_are_one() -> None:
    found = rates(Outcomes(I=70, R=20, NC=10))
    assert found["RR1"] == found["RR3"] == found["RR5"] == 0.7


def test_no_cases_give_no_rate() -> None:
    assert math.isnan(rates(Outcomes())["RR1"])


def test_cases_are_counted_or_their_weights_added_up() -> None:
    categories = ["I", "I", "R", "UH", "NE"]
    assert Outcomes.of(categories) == Outcomes(I=2, R=1, UH=1, NE=1)
    assert Outcomes.of(categories, [2, 3, 5, 1, 4]) == Outcomes(I=5, R=5, UH=1, NE=4)
    with pytest.raises(DesignError, match="called Z"):
        Outcomes.of(["I", "Z"])


def test_another_e_is_told_with_the_rates() -> None:
    found = rates(Outcomes(I=50, R=30, UH=20, NE=20), e=0.5)
    assert found["e"] == 0.5
    assert found["RR3"] == pytest.approx(50 / 90)
    with pytest.raises(DesignError, match="between 0 and 1"):
        rates(Outcomes(I=1), e=1.2)
    with pytest.raises(DesignError, match="not so R"):
        Outcomes(I=1, R=-1)


@given(st.lists(st.integers(0, 500), min_size=8, max_size=8).filter(lambda n: sum(n[:5]) > 0))
def test_the_rates_stand_in_order_and_share_out_the_cases(numbers: list[int]) -> None:
    counts = Outcomes(*map(float, numbers))
    found = rates(counts)
    assert found["RR1"] <= found["RR3"] + 1e-12 <= found["RR5"] + 2e-12 <= 1 + 3e-12
    assert found["RR1"] <= found["RR2"]
    # Complete, partial, refused, not reached and otherwise lost are all of those known to be eligible.
    rest = (counts.NC + counts.O) / sum(numbers[:5])
    assert found["RR6"] + found["REF3"] + rest == pytest.approx(1.0)
    assert found["CON3"] + counts.NC / sum(numbers[:5]) == pytest.approx(1.0)


def test_the_r_indicator_is_one_when_all_groups_answer_alike_and_falls_as_they_differ() -> None:
    group = np.repeat(["a", "b"], 500)
    same = np.tile([True, True, False, True], 250)
    differ = np.concatenate([np.arange(500) % 10 < 9, np.arange(500) % 10 < 3])
    weight = np.ones(1000)
    assert r_indicator(same, group, weight) == pytest.approx(1.0)
    assert r_indicator(differ, group, weight) == pytest.approx(1 - 2 * 0.3, abs=0.01)
    assert r_indicator(differ, group, weight * 7) == pytest.approx(r_indicator(differ, group, weight))


def test_chance_in_small_groups_is_not_taken_for_a_difference() -> None:
    generator = np.random.default_rng(1)
    found = [
        r_indicator(generator.random(600) < 0.7, np.repeat([str(k) for k in range(60)], 10), np.ones(600))
        for _ in range(40)
    ]
    assert np.mean(found) > 0.9
