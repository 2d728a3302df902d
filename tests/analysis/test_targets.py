"""A target is met only when the evidence says so, and the verdict never contradicts its interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import NotPossible
from analysis.estimates import Estimate
from analysis.intervals import IntervalKind
from analysis.targets import p_value, statistic, verdict

FAMILIES: list[IntervalKind] = [
    "wald",
    "t",
    "logit",
    "asin",
    "wilson",
    "korn_graubard",
    "nchs",
    "likelihood",
]


def share(value: float, se: float = 0.02, df: float = 40, n: int = 600) -> Estimate:
    return Estimate(statistic="share account", kind="proportion", value=value, se=se, df=df, n=n)


def test_three_answers_to_more_than_half() -> None:
    """The resolution says "more than 50 %": 58 % with a small error is, 52 % is open, 40 % is not."""
    assert [verdict(share(p), 0.5).outcome for p in (0.58, 0.52, 0.40)] == [
        "met",
        "not determined",
        "not met",
    ]


def test_more_than_is_not_at_least() -> None:
    """A whole register of everybody, exactly at the threshold: "at least" is met, "more than" is refuted."""
    exact = share(0.5, se=0.0)
    assert verdict(exact, 0.5, ">=").outcome == "met"
    assert verdict(exact, 0.5, ">").outcome == "not met"


@given(
    st.sampled_from(FAMILIES),
    st.floats(0.02, 0.98),
    st.floats(0.005, 0.1),
    st.integers(2, 200),
    st.sampled_from([0.01, 0.05, 0.1]),
    st.floats(0.05, 0.95),
)
def test_verdict_interval_and_p_value_say_the_same(
    family: IntervalKind, p: float, se: float, df: int, alpha: float, threshold: float
) -> None:
    one = share(p, se, df)
    found = verdict(one, threshold, ">", alpha, family)
    limits = one.interval(family, 1 - 2 * alpha)
    assert (found.lower, found.upper) == limits[:2]
    assert (found.outcome == "met") == (limits.lower > threshold)
    if abs(found.p_met - alpha) > 1e-9:
        assert (found.p_met < alpha) == (limits.lower > threshold)
    if abs(found.p_not_met - alpha) > 1e-9:
        assert (found.p_not_met < alpha) == (limits.upper < threshold)


def test_the_usual_one_sided_t_test() -> None:
    one = share(0.56, 0.03, 30)
    assert statistic(one, 0.5, "t") == pytest.approx(2.0)
    assert p_value(one, 0.5, "greater", "t") == pytest.approx(0.0273125, abs=5e-7)
    assert p_value(one, 0.5, "two_sided", "t") == pytest.approx(0.054625, abs=5e-7)


def test_nobody_in_the_sample_is_still_evidence() -> None:
    """None of 200 have it: below 5 % for sure, though the estimated variance is 0."""
    nobody = share(0.0, 0.0, 20, 200)
    found = verdict(nobody, 0.05, ">")
    assert (found.outcome, found.family) == ("not met", "nchs")
    assert verdict(share(0.0, 0.0, 20, 20), 0.05, ">").outcome == "not determined"


def test_without_degrees_of_freedom_nothing_is_determined() -> None:
    assert verdict(share(0.9, 0.01, 0), 0.5).outcome == "not determined"


def test_a_target_is_asked_properly() -> None:
    with pytest.raises(NotPossible, match=">="):
        verdict(share(0.5), 0.5, "=")  # type: ignore[arg-type]
    with pytest.raises(NotPossible, match="alpha"):
        verdict(share(0.5), 0.5, alpha=0.95)
