"""What is promised before the field work agrees with the reference figures and with what samples then do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import NotPossible
from analysis.planning import (
    correlation_of,
    design_effect,
    effective_for_cost,
    for_margin,
    for_power,
    households,
    margin,
    neyman,
    optimum_take,
    power,
    power_allocation,
    presentable,
    proportional,
    variance_of_allocation,
)

SIZES, SHARES = np.array([50_000.0, 30_000.0, 20_000.0]), np.array([0.5, 0.2, 0.9])
DEVIATIONS = np.sqrt(SHARES * (1.0 - SHARES))


@pytest.mark.parametrize(("true", "drawn"), [(0.52, 8179), (0.53, 3633), (0.55, 1305), (0.60, 323)])
def test_households_to_show_that_half_is_passed(true: float, drawn: int) -> None:
    """alpha 0.05, power 0.8, design effect 1.8, response 85 %."""
    assert households(for_power(true, 0.5), 1.8, 0.85) == drawn


@pytest.mark.parametrize(("half", "drawn"), [(0.03, 2260), (0.05, 814)])
def test_households_for_a_margin(half: float, drawn: int) -> None:
    assert households(for_margin(0.5, half), 1.8, 0.85) == drawn
    assert margin(0.5, drawn * 0.85, 1.8) <= half


@given(st.floats(0.51, 0.99), st.floats(1.0, 4.0), st.floats(0.01, 0.2))
def test_power_and_size_are_one_relation(true: float, effect: float, alpha: float) -> None:
    interviews = for_power(true, 0.5, alpha, 0.8) * effect
    assert power(true, 0.5, interviews, effect, alpha) == pytest.approx(0.8)
    assert power(1.0 - true, 0.5, interviews, effect, alpha) == pytest.approx(0.8), "and downwards"


def test_at_the_threshold_no_sample_suffices() -> None:
    assert households(for_power(0.5, 0.5), 1.8, 0.85) == math.inf
    assert power(0.5, 0.5, 10_000, 1.8, 0.05) == pytest.approx(0.05)


def test_a_small_population_needs_fewer() -> None:
    assert households(385, 1.0, 1.0, population=1000) == pytest.approx(278)


@given(st.integers(2, 60), st.floats(0.0, 0.5), st.floats(0.0, 1.5))
def test_the_correlation_comes_back_from_the_design_effect(take: int, correlation: float, cv: float) -> None:
    effect = design_effect(take, correlation, cv)
    assert correlation_of(effect, take, 1.0 + cv * cv) == pytest.approx(correlation, abs=1e-9)


def test_one_interview_a_cluster_tells_nothing_of_the_correlation() -> None:
    assert math.isnan(correlation_of(1.4, 1, 1.2))
    with pytest.raises(NotPossible):
        design_effect(16, 1.5)


def test_the_design_effect_is_what_clustered_samples_show() -> None:
    generator = np.random.default_rng(4)
    take, clusters, correlation = 10, 40, 0.1
    strength = (1 - correlation) / correlation
    level = generator.beta(0.5 * strength, 0.5 * strength, (4000, clusters))
    shares = generator.binomial(take, level).mean(axis=1) / take
    measured = shares.var() / (0.25 / (take * clusters))
    assert measured == pytest.approx(design_effect(take, correlation), rel=0.08)


def test_neyman_is_best_and_proportional_is_plain() -> None:
    plain, best = proportional(SIZES, 1000), neyman(SIZES, DEVIATIONS, 1000)
    assert plain == pytest.approx([500, 300, 200])
    assert best.sum() == pytest.approx(1000)
    least = variance_of_allocation(SIZES, DEVIATIONS, best)
    assert least < variance_of_allocation(SIZES, DEVIATIONS, plain)
    for shift in ([5, -5, 0], [0, 5, -5], [-5, 0, 5]):
        assert variance_of_allocation(SIZES, DEVIATIONS, best + shift) > least


def test_dearer_strata_get_fewer() -> None:
    assert neyman(SIZES, DEVIATIONS, 1000, [1, 1, 4])[2] < neyman(SIZES, DEVIATIONS, 1000)[2]


def test_no_stratum_gets_more_than_it_has() -> None:
    found = neyman([10, 1000], [0.5, 0.01], 100)
    assert found == pytest.approx([10, 90])
    with pytest.raises(NotPossible, match="more than"):
        neyman([10, 20], [0.5, 0.5], 31)


def test_power_allocation_lies_between() -> None:
    assert power_allocation(SIZES, DEVIATIONS, SHARES, 1000, 1.0) == pytest.approx(
        neyman(SIZES, DEVIATIONS, 1000)
    )
    alike = power_allocation(SIZES, DEVIATIONS, SHARES, 1000, 0.0)
    errors = DEVIATIONS / SHARES / np.sqrt(alike)
    assert alike == pytest.approx(1000 * (DEVIATIONS / SHARES) / (DEVIATIONS / SHARES).sum())
    assert np.ptp(errors) < np.ptp(DEVIATIONS / SHARES / np.sqrt(proportional(SIZES, 1000)))


def test_the_optimum_take_buys_most() -> None:
    best = optimum_take(0.05, 400.0, 20.0)
    assert best == pytest.approx(math.sqrt(20 * 0.95 / 0.05))
    bought = effective_for_cost(100_000, best, 0.05, 400.0, 20.0)
    assert bought > effective_for_cost(100_000, best * 0.7, 0.05, 400.0, 20.0)
    assert bought > effective_for_cost(100_000, best * 1.4, 0.05, 400.0, 20.0)
    assert optimum_take(0.0, 400.0, 20.0) == math.inf


def test_interviews_until_a_commune_may_be_shown() -> None:
    """At one half an interval narrower than 30 points needs 47 effective interviews, 40 at 70 %, 32 at 80 %."""
    many = 1e9
    assert [presentable(p, 1.0, many) for p in (0.5, 0.7, 0.8)] == [47, 40, 32]
    assert presentable(0.5, 1.5, many) == pytest.approx(1.5 * 47, abs=3)
    assert presentable(0.5, 1.5, 4) > presentable(0.5, 1.5, 20)
    assert presentable(0.5, 1.5, 20, most=50) == 0
