"""Outcome rates are AAPOR's, on the published arithmetic."""

import math

import pytest

from analysis.outcomes import Outcomes, rates


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
