"""Calibrated weights meet their totals, a calibrated margin has no error, and what cannot be met is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Design, Mean, Proportion, Total, estimate
from analysis.calibration import Bounds, calibrate, poststratify, rake
from analysis.errors import DesignError, NotConverged, NotPossible
from analysis.trimming import trim


def persons(seed: int, n: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "w": rng.uniform(5, 50, n),
        "stratum": np.repeat(["a", "b"], n // 2),
        "psu": np.repeat(np.arange(n // 10), 10),
        "sex": rng.choice(["f", "m"], n),
        "age": rng.choice(["young", "mid", "old"], n, p=[0.3, 0.4, 0.3]),
        "x": rng.normal(10, 2, n),
        "y": rng.normal(5, 1, n),
    }


def design(data: dict[str, np.ndarray]) -> Design:
    return Design(data, weights="w", strata="stratum", clusters="psu")


SEX, AGE = {"f": 5200.0, "m": 4800.0}, {"young": 3100.0, "mid": 3900.0, "old": 3000.0}


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_raked_margin_is_met_and_has_standard_error_0(seed: int) -> None:
    raked = rake(design(persons(seed)), ["sex", "age"], [SEX, AGE])
    data = raked.columns
    for name, totals in (("sex", SEX), ("age", AGE)):
        codes, labels = data.codes(name)
        for place, label in enumerate(labels):
            assert raked.weight[codes == place].sum() == pytest.approx(totals[str(label)], rel=1e-10)
    shares = estimate(raked, Proportion("sex", "f"))
    assert shares[0].value == pytest.approx(0.52, rel=1e-10)
    assert shares[0].se < 1e-12


def test_the_order_of_margins_does_not_matter() -> None:
    one = rake(design(persons(1)), ["sex", "age"], [SEX, AGE])
    other = rake(design(persons(1)), ["age", "sex"], [AGE, SEX])
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-9)
    assert estimate(one, Mean("y"))[0].se == pytest.approx(estimate(other, Mean("y"))[0].se, rel=1e-8)


def test_poststratifying_is_raking_on_one_margin() -> None:
    one = poststratify(design(persons(2)), "age", AGE)
    other = rake(design(persons(2)), ["age"], [AGE])
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-10)


def test_calibration_on_a_number_meets_its_total_and_leaves_it_without_error() -> None:
    data = persons(3)
    data["one"] = np.ones(400)
    fitted = calibrate(design(data), ["one", "x"], {"one": 10_000.0, "x": 101_000.0})
    total = estimate(fitted, Total("x"))[0]
    assert total.value == pytest.approx(101_000.0, rel=1e-10)
    assert total.se < 1e-6 * total.value


@pytest.mark.parametrize("distance", ["logit", "truncated"])
def test_bounded_factors_stay_within_their_bounds(distance: str) -> None:
    data = persons(4)
    data["one"] = np.ones(400)
    before = design(data)
    n = before.weight.sum()
    bounds = Bounds(0.6, 1.7)
    after = calibrate(before, ["one", "x"], [1.05 * n, 10.6 * n], distance, bounds=bounds)  # type: ignore[arg-type]
    factors = after.weight / before.weight
    assert factors.min() >= 0.6 - 1e-9
    assert factors.max() <= 1.7 + 1e-9


def test_a_population_category_nobody_was_drawn_from_is_named() -> None:
    with pytest.raises(NotPossible, match="nobody there"):
        rake(design(persons(5)), ["age"], [{**AGE, "oldest": 10.0}])


def test_margins_that_disagree_about_the_population_are_refused() -> None:
    with pytest.raises(NotPossible, match="disagree"):
        rake(design(persons(5)), ["sex", "age"], [SEX, {**AGE, "old": 5000.0}])


def test_a_sampled_category_without_a_total_is_named() -> None:
    with pytest.raises(DesignError, match="no population total for"):
        rake(design(persons(5)), ["age"], [{"young": 1.0, "mid": 1.0}])


def test_totals_out_of_reach_of_the_bounds_name_the_margin_furthest_off() -> None:
    data = persons(6)
    data["one"] = np.ones(400)
    with pytest.raises((NotConverged, NotPossible), match=r"one|x"):
        calibrate(design(data), ["one", "x"], [1e6, 1e7], "logit", bounds=Bounds(0.9, 1.1))


def test_trimming_keeps_the_sum_and_the_limits() -> None:
    before = design(persons(7))
    after, report = trim(before, 8.0, 45.0, strict=True)
    assert after.weight.sum() == pytest.approx(before.weight.sum())
    assert after.weight.min() >= 8.0 - 1e-9
    assert after.weight.max() <= 45.0 + 1e-9
    assert report.largest <= 45.0 + 1e-9


def test_trimming_to_limits_that_leave_the_mean_outside_is_refused() -> None:
    with pytest.raises(NotPossible, match="mean weight"):
        trim(design(persons(7)), 0.0, 6.0)
