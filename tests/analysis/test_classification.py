"""Classifications keep the error rates that they state, also when somebody looks at every interview."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from analysis.classification import lqas, sequential
from analysis.errors import NotPossible
from tests.simulation.classification import daily_looks


@pytest.mark.parametrize(
    ("low", "high", "alpha", "beta", "n", "least"),
    [(0.40, 0.60, 0.10, 0.10, 41, 21), (0.45, 0.60, 0.10, 0.10, 75, 40), (0.50, 0.65, 0.05, 0.20, 69, 42)],
)
def test_plans_of_the_reference(
    low: float, high: float, alpha: float, beta: float, n: int, least: int
) -> None:
    plan = lqas(low, high, alpha, beta)
    assert (plan.n, plan.least) == (n, least)
    assert plan.alpha == pytest.approx(binom.sf(least - 1, n, low))
    assert plan.beta == pytest.approx(binom.cdf(least - 1, n, high))
    assert plan.alpha <= alpha
    assert plan.beta <= beta


def test_no_smaller_sample_would_do() -> None:
    plan = lqas(0.50, 0.65, 0.05, 0.20)
    for n in range(1, plan.n):
        assert not any(
            binom.sf(d - 1, n, 0.50) <= 0.05 and binom.cdf(d - 1, n, 0.65) <= 0.20 for d in range(n + 1)
        )


def test_clusters_cost_interviews_and_keep_the_error_rates() -> None:
    plain, clustered = lqas(0.4, 0.6, take=5), lqas(0.4, 0.6, take=5, correlation=0.1)
    assert clustered.n > plain.n
    assert clustered.n % 5 == 0
    generator = np.random.default_rng(8)
    counts = generator.binomial(5, generator.beta(0.4 * 9, 0.6 * 9, (40_000, clustered.n // 5))).sum(axis=1)
    assert np.mean(counts >= clustered.least) == pytest.approx(clustered.alpha, abs=0.006)


def test_a_commune_is_classed_only_when_all_interviews_are_there() -> None:
    plan = lqas(0.50, 0.65, 0.05, 0.20)
    assert [plan.classify(42, 69), plan.classify(41, 69), plan.classify(41, 60)] == [
        "high",
        "low",
        "undecided",
    ]


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(NotPossible, match="do not tell"):
        lqas(0.50, 0.51, most=500)
    with pytest.raises(NotPossible, match="low first"):
        lqas(0.6, 0.4)
    with pytest.raises(NotPossible, match="alpha and beta"):
        sequential([1], 0.4, 0.6, 0.6, 0.1)
    with pytest.raises(NotPossible, match="from 0 to 1"):
        sequential([2], 0.4, 0.6)


def test_on_persons_the_evidence_is_the_likelihood_ratio() -> None:
    seen = [1, 1, 0, 1, 0, 1]
    found = sequential(seen, 0.5, 0.65)
    ratio = (0.65 / 0.5) ** 4 * (0.35 / 0.5) ** 2
    assert found.for_high == pytest.approx(ratio)
    assert found.for_low == pytest.approx(1.0 / ratio)
    assert (found.outcome, found.looked_at) == ("undecided", 6)


def test_the_first_decision_stands() -> None:
    found = sequential([1] * 12 + [0] * 500, 0.5, 0.65, 0.05, 0.05)
    assert (found.outcome, found.looked_at) == ("high", 12)
    assert found.for_high >= 20
    assert sequential([0] * 20, 0.5, 0.65).outcome == "low"
    assert sequential([], 0.5, 0.65).outcome == "undecided"


@pytest.mark.parametrize(("persons", "share"), [(True, 0.5), (False, 0.5), (True, 0.65), (False, 0.65)])
def test_looking_every_day_keeps_the_error_rate(persons: bool, share: float) -> None:
    """Two hundred surveys at each end of the grey zone; `make simulate` plays 2,000."""
    found = daily_looks(share, surveys=200, seed=1, clustered=not persons)
    wrong = found.high if share == 0.5 else found.low
    assert wrong <= 0.05 + 2 * (0.05 * 0.95 / 200) ** 0.5
    assert (found.low if share == 0.5 else found.high) > 0.7


def test_looking_every_day_with_the_test_of_one_look_does_not() -> None:
    """The same days and the usual one-sided test each evening: a false "high" several times as often."""
    assert daily_looks(0.5, surveys=200, seed=1, naive=True).high > 0.15
