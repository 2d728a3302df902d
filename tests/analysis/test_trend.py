"""Proves that a change between rounds has Welch's error, and that its interval covers as often as it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from analysis.trend import Figure, change


def figure(values: np.ndarray) -> Figure:
    return Figure(values.mean(), values.std(ddof=1) / math.sqrt(values.size), values.size - 1.0)


def test_two_simple_random_samples_give_the_test_of_welch() -> None:
    generator = np.random.default_rng(1)
    now, before = generator.normal(1.0, 1.0, 12), generator.normal(0.4, 3.0, 31)
    found = change(figure(now), figure(before))
    welch = scipy.stats.ttest_ind(now, before, equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert found.p_value == pytest.approx(welch.pvalue, rel=1e-9)
    assert found.df == pytest.approx(welch.df, rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_the_interval_of_a_change_of_clustered_shares_covers_as_it_says() -> None:
    generator = np.random.default_rng(2)
    rounds = 4000
    found = []
    for truth, psus in ((0.55, 30), (0.47, 24)):
        spread = 20.0  # beta-binomial: clusters of 25 with an intraclass correlation of 1/21
        shares = generator.beta(truth * spread, (1 - truth) * spread, (rounds, psus))
        means = generator.binomial(25, shares) / 25.0
        found.append((means.mean(1), means.std(1, ddof=1) / math.sqrt(psus), psus - 1.0))
    (now, now_se, now_df), (before, before_se, before_df) = found
    covered = sum(
        one.lower <= 0.08 <= one.upper
        for one in (
            change(Figure(now[k], now_se[k], now_df), Figure(before[k], before_se[k], before_df))
            for k in range(rounds)
        )
    )
    assert covered / rounds == pytest.approx(0.95, abs=0.012)  # 3.5 Monte Carlo errors


@given(
    *[st.floats(0, 1) for _ in range(2)],
    *[st.floats(1e-6, 0.3) for _ in range(2)],
    *[st.floats(1, 500) for _ in range(2)],
)
def test_turned_round_a_rise_is_a_fall(
    a: float, b: float, se_a: float, se_b: float, df_a: float, df_b: float
) -> None:
    now, before = Figure(a, se_a, df_a), Figure(b, se_b, df_b)
    up, down = change(now, before), change(before, now)
    assert (up.value, up.lower, up.upper) == pytest.approx((-down.value, -down.upper, -down.lower))
    assert up.p_value == pytest.approx(down.p_value)
    assert min(df_a, df_b) * (1 - 1e-9) <= up.df <= (df_a + df_b) * (1 + 1e-9)
    assert up.p_value == pytest.approx(0.05, abs=1e-6) or (up.p_value > 0.05) == (up.lower <= 0.0 <= up.upper)


def test_figures_without_error_change_for_certain_or_not_at_all() -> None:
    assert change(Figure(0.5, 0.0, 10), Figure(0.5, 0.0, 10)).p_value == 1.0
    assert change(Figure(0.6, 0.0, 10), Figure(0.5, 0.0, 10)).p_value == 0.0
    with pytest.raises(ValueError, match="standard errors"):
        change(Figure(0.6, math.nan, 10), Figure(0.5, 0.1, 10))
    with pytest.raises(ValueError, match="between 0 and 1"):
        change(Figure(0.6, 0.1, 10), Figure(0.5, 0.1, 10), 95)
