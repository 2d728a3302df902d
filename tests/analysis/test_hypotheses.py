"""Tests of hypotheses keep their level and agree with one another; R's digits are in tests/oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

from analysis import Design, Mean, estimate
from analysis.calibration import poststratify
from analysis.errors import MissingValues, NotPossible
from analysis.hypotheses import adjusted, independence, rank_test, t_test, tail_of_weighted_sum
from analysis.regression import regress
from analysis.replicates import jackknife

Maker = Callable[..., Any]


def test_without_a_design_the_tests_are_the_textbook_ones() -> None:
    """A simple random sample with equal weights: Pearson's X2, Welch's t nearly, Mann-Whitney nearly."""
    generator = np.random.default_rng(3)
    data = {
        "w": np.ones(900),
        "row": generator.choice(["a", "b", "c"], 900),
        "column": generator.choice(["u", "v"], 900),
        "x": generator.normal(size=900),
    }
    design = Design(data, weights="w")
    table = np.array([[np.sum((data["row"] == r) & (data["column"] == c)) for c in "uv"] for r in "abc"])
    pearson = scipy.stats.chi2_contingency(table, correction=False)
    found = independence(design, "row", "column", test="chi_square")
    assert found.statistic == pytest.approx(pearson.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(pearson.pvalue, rel=0.05)
    welch = scipy.stats.ttest_ind(
        data["x"][data["column"] == "v"], data["x"][data["column"] == "u"], equal_var=False
    )
    assert t_test(design, "x", by="column").p_value == pytest.approx(welch.pvalue, rel=0.02)
    mann = scipy.stats.mannwhitneyu(data["x"][data["column"] == "v"], data["x"][data["column"] == "u"])
    assert rank_test(design, "x", "column").p_value == pytest.approx(mann.pvalue, rel=0.03)


def test_a_t_test_is_the_regression_on_the_group(sample: Maker) -> None:
    design = sample()
    slope = regress(design, "income", ["sex"]).coefficients[1]
    found = t_test(design, "income", by="sex")
    assert found.statistic == pytest.approx(slope.value / slope.se, rel=1e-9)
    assert found.df == (slope.df,)


def test_one_sample_against_any_target_and_one_side(sample: Maker) -> None:
    design = sample()
    mean = estimate(design, Mean("income"))[0]
    found = t_test(design, "income", value=mean.value - 2.0 * mean.se, alternative="greater")
    assert found.statistic == pytest.approx(2.0)
    assert found.p_value == pytest.approx(scipy.stats.t.sf(2.0, mean.df))
    assert t_test(design, "income", compat="R.t_test").df == (mean.df - 1.0,)


def test_the_tests_of_independence_are_near_one_another(sample: Maker) -> None:
    design = sample()
    p = {
        test: independence(design, "members", "sex", test=test).p_value  # type: ignore[arg-type]
        for test in ("F", "chi_square", "saddlepoint", "linear_combination")
    }
    assert max(p.values()) - min(p.values()) < 0.05
    assert p["saddlepoint"] == pytest.approx(p["linear_combination"], rel=0.05)
    replicated = independence(jackknife(design), "members", "sex").p_value
    assert replicated == pytest.approx(p["F"], abs=0.05)


def test_the_tail_of_a_weighted_sum_is_right_where_it_is_known() -> None:
    """Equal weights make it an F distribution; unequal ones are compared with a simulation."""
    for x in (0.5, 3.0, 9.0, 40.0):
        known = scipy.stats.f.sf(x / 3.0, 3, 17)
        assert tail_of_weighted_sum(x, np.ones(3), 17.0, exact=True) == pytest.approx(known, rel=1e-6)
        assert tail_of_weighted_sum(x, np.ones(3), 17.0) == pytest.approx(known, rel=0.03)
    generator = np.random.default_rng(8)
    draws = generator.chisquare(1, (400_000, 2)) @ [2.0, 0.3] / (generator.chisquare(12, 400_000) / 12)
    for x in (1.0, 4.0, 10.0):
        exact = tail_of_weighted_sum(x, np.array([2.0, 0.3]), 12.0, exact=True)
        assert exact == pytest.approx((draws > x).mean(), abs=0.004)
        assert tail_of_weighted_sum(x, np.array([2.0, 0.3]), 12.0) == pytest.approx(exact, rel=0.06)


def test_clustering_makes_the_naive_test_lie_and_ours_not() -> None:
    """Whole PSUs share their answer: of 300 draws under independence about 5 % are rejected, not a third."""
    generator = np.random.default_rng(12)
    rejected = {"F": 0, "rank": 0, "naive": 0}
    for _ in range(300):
        psu = np.repeat(np.arange(40), 12)
        effect = generator.normal(size=40)[psu]
        data = {
            "psu": psu,
            "w": generator.uniform(1, 3, psu.size),
            "x": effect + generator.normal(size=psu.size),
            "y": np.where(generator.normal(size=40)[psu] + generator.normal(size=psu.size) > 0, "p", "q"),
        }
        data["z"] = np.where(data["x"] > 0, "u", "v")
        design = Design(data, weights="w", clusters="psu")
        rejected["F"] += independence(design, "y", "z").p_value < 0.05
        rejected["rank"] += rank_test(design, "x", "y").p_value < 0.05
        rejected["naive"] += independence(Design(data, weights="w"), "y", "z").p_value < 0.05
    assert 3 <= rejected["F"] <= 27
    assert 3 <= rejected["rank"] <= 27
    assert rejected["naive"] > 40


def test_many_p_values_are_adjusted() -> None:
    assert adjusted([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert adjusted([0.01, 0.04, 0.03], "benjamini_hochberg") == pytest.approx((0.03, 0.04, 0.04))


def test_what_cannot_be_tested_says_why(households: Maker) -> None:
    data = households()
    data["one"] = np.full(data["w"].size, "same")
    data["gone"] = np.where(np.arange(data["w"].size) == 4, np.nan, data["income"])
    design = Design(data, weights="w", strata="stratum", clusters="psu")
    with pytest.raises(NotPossible, match="a table of 1 by 2"):
        independence(design, "one", "sex")
    with pytest.raises(NotPossible, match="must have two groups in the domain; it has 6"):
        t_test(design, "income", by="members")
    with pytest.raises(MissingValues, match="row 5"):
        rank_test(design, "gone", "sex")
    with pytest.raises(NotPossible, match='"sign" is not one of wilcoxon'):
        rank_test(design, "income", "sex", test="sign")  # type: ignore[arg-type]


def test_with_endless_degrees_of_freedom_the_tail_is_that_of_a_sum_of_chi_squares() -> None:
    """One weight and equal weights are known; many degrees of freedom come near (and do not overflow)."""
    for x in (0.3, 3.0, 8.0, 60.0):
        for count in (1, 4):
            known = scipy.stats.chi2.sf(x / 3.0, count)
            weights = np.full(count, 3.0)
            assert tail_of_weighted_sum(x, weights, np.inf, exact=True) == pytest.approx(known, abs=1e-10)
            assert tail_of_weighted_sum(x, weights, np.inf) == pytest.approx(known, rel=0.3)
        mixed = np.array([2.0, 0.5, 0.1])
        endless = tail_of_weighted_sum(x, mixed, np.inf, exact=True)
        assert tail_of_weighted_sum(x, mixed, 1e5, exact=True) == pytest.approx(endless, rel=1e-2)
    assert tail_of_weighted_sum(-1e-12, np.ones(2), 9.0) == 1.0


def test_groups_that_have_no_variance_are_an_error_and_no_figure(sample: Maker) -> None:
    """Two PSUs cannot tell three differences apart; a table that the weights were fitted to does not vary."""
    data = {
        "w": np.ones(40),
        "psu": np.repeat([1, 2, 3, 4, 5], 8),
        "group": np.tile(list("abcdefgh"), 5),
        "x": np.arange(40.0),
    }
    with pytest.raises(NotPossible, match=r"no sampling variance|degrees of freedom"):
        rank_test(Design(data, weights="w", clusters="psu"), "x", "group")
    with pytest.raises(NotPossible, match="no sampling variance"):
        rank_test(Design(data | {"x": np.tile(np.arange(8.0), 5)}, weights="w", clusters="psu"), "x", "group",
                  where=np.isin(data["group"], ["a", "b", "c"]))  # fmt: skip
    design = sample()
    table = {(r, s): 1000.0 + 100 * len(r + s) for r in ("north", "south") for s in ("female", "male")}
    fitted = poststratify(design, ["region", "sex"], table)
    for test in ("F", "wald", "saddlepoint"):
        with pytest.raises(NotPossible, match="fitted"):
            independence(fitted, "region", "sex", test=test)  # type: ignore[arg-type]
