"""Intervals agree with their textbooks, stay inside [0, 1], and say what they did at the edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import NotPossible
from analysis.intervals import SHARES_ONLY, IntervalKind, interval


def simple(p: float, n: float) -> float:
    """The standard error whose effective sample is n."""
    return math.sqrt(p * (1 - p) / n)


def test_wilson_on_eight_of_twenty() -> None:
    found = interval("wilson", 0.4, simple(0.4, 20), math.inf, 20)
    assert found[:2] == pytest.approx((0.2188065, 0.6134185), abs=5e-8)


def test_clopper_pearson_when_nobody_of_thirty_has_it() -> None:
    found = interval("nchs", 0.0, 0.0, 29, 30)
    assert found[:2] == (0.0, pytest.approx(1 - 0.025 ** (1 / 30), rel=1e-12))


def test_korn_graubard_is_clopper_pearson_without_a_design() -> None:
    """With deff 1 and n - 1 degrees of freedom nothing is left to correct: 8 of 20, exact limits 0.1912, 0.6395."""
    found = interval("korn_graubard", 0.4, simple(0.4, 20), 19, 20)
    assert found[:2] == pytest.approx((0.19119, 0.63946), abs=5e-6)


def test_nchs_never_claims_more_information_than_respondents() -> None:
    lucky = interval("nchs", 0.4, simple(0.4, 80), 19, 20)
    assert lucky[:2] == pytest.approx(interval("nchs", 0.4, simple(0.4, 20), 19, 20)[:2])


@pytest.mark.parametrize("kind", ["logit", "asin", "wilson", "likelihood", "korn_graubard"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_at_the_edge_the_interval_is_exact_and_says_so(kind: IntervalKind, value: float) -> None:
    found = interval(kind, value, 0.0, 12, 40)
    assert found.kind == "nchs"
    assert found.upper - found.lower == pytest.approx(1 - 0.025 ** (1 / 40))


@given(
    st.sampled_from(sorted(SHARES_ONLY - {"asin_reflected"})),
    st.floats(0.001, 0.999),
    st.floats(5, 5000),
    st.integers(1, 400),
    st.floats(0.5, 0.999),
)
def test_limits_of_a_share_are_ordered_and_inside(
    kind: IntervalKind, p: float, n: float, df: int, level: float
) -> None:
    found = interval(kind, p, simple(p, n), df, math.ceil(n), level=level)
    assert 0.0 <= found.lower <= p + 1e-9
    assert p - 1e-9 <= found.upper <= 1.0


@given(st.sampled_from(["logit", "asin", "wilson", "likelihood", "nchs", "t"]), st.floats(0.02, 0.98))
def test_the_interval_of_the_complement_is_the_mirror_image(kind: IntervalKind, p: float) -> None:
    one = interval(kind, p, simple(p, 50), 30, 60)
    other = interval(kind, 1 - p, simple(p, 50), 30, 60)
    assert (other.lower, other.upper) == (
        pytest.approx(1 - one.upper, abs=1e-9),
        pytest.approx(1 - one.lower, abs=1e-9),
    )


def test_without_degrees_of_freedom_nothing_is_claimed() -> None:
    assert interval("logit", 0.4, 0.1, 0, 5)[:2] == (0.0, 1.0)
    assert interval("t", 0.4, 0.1, 0, 5)[:2] == (-math.inf, math.inf)


def test_what_is_not_a_share_gets_no_interval_of_a_share() -> None:
    with pytest.raises(NotPossible, match="for shares"):
        interval("logit", 4.2, 0.1, 10, 50)
    with pytest.raises(NotPossible, match="level"):
        interval("t", 0.4, 0.1, 10, 50, level=95)
