"""Identities that need no oracle: what must hold of totals, means and shares of any sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Count, Design, Difference, Mean, Proportion, Ratio, Smooth, Total, difference, estimate
from analysis.errors import EmptyDomain, MissingValues, NotAShare
from analysis.estimators import Statistic, Variance

Maker = Callable[..., Any]
STATISTICS: list[Statistic] = [
    Proportion("account"),
    Mean("income"),
    Total("members"),
    Count(),
    Ratio("income", "members"),
    Difference(Mean("income"), Mean("members")),
    Smooth(lambda a, b: np.log(a / b), (Mean("income"), Mean("members")), "log ratio"),
    Variance("income"),
]
seeds = st.integers(0, 10_000)


@given(seeds, st.floats(1e-3, 1e6))
@settings(max_examples=20, deadline=None)
def test_the_scale_of_the_weights_does_not_move_a_mean_or_its_error(
    sample: Maker, seed: int, factor: float
) -> None:
    design = sample(seed)
    before = estimate(design, [Mean("income"), Proportion("account"), Ratio("income", "members")])
    after = estimate(
        design.with_weights(design.weight * factor),
        [Mean("income"), Proportion("account"), Ratio("income", "members")],
    )
    assert after.values == pytest.approx(before.values, rel=1e-10)
    assert after.standard_errors == pytest.approx(before.standard_errors, rel=1e-8)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_new_labels_and_another_order_of_rows_change_nothing(households: Maker, seed: int) -> None:
    data = households(seed)
    generator = np.random.default_rng(seed)
    order = generator.permutation(data["w"].size)
    shuffled = {name: values[order] for name, values in data.items()}
    names = np.array([f"unit {label}" for label in generator.permutation(1000)[:30]])
    shuffled["psu"] = names[shuffled["psu"]]
    before = estimate(Design(data, weights="w", strata="stratum", clusters="psu"), STATISTICS, by="sex")
    after = estimate(Design(shuffled, weights="w", strata="stratum", clusters="psu"), STATISTICS, by="sex")
    assert after.values == pytest.approx(before.values, rel=1e-9)
    assert after.standard_errors == pytest.approx(before.standard_errors, rel=1e-7)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_domain_totals_add_up_and_so_do_their_covariances(sample: Maker, seed: int) -> None:
    design = sample(seed, fpc="in_stratum")
    whole = estimate(design, Total("income"))[0]
    parts = estimate(design, Total("income"), by=["region", "sex"])
    added = parts.contrast(np.ones(len(parts)))
    assert added.value == pytest.approx(whole.value, rel=1e-12)
    assert added.se == pytest.approx(whole.se, rel=1e-9)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_the_diagonal_of_the_covariance_is_the_variance(sample: Maker, seed: int) -> None:
    found = estimate(sample(seed), STATISTICS, by="region")
    assert np.sqrt(np.diag(found.vcov)) == pytest.approx(found.standard_errors, rel=1e-8)


def test_a_mean_is_a_ratio_to_the_count_and_a_difference_is_a_contrast(sample: Maker) -> None:
    design = sample().with_columns(one=np.ones(360))
    mean, ratio = estimate(design, [Mean("income"), Ratio("income", "one")])
    assert (ratio.value, ratio.se) == (pytest.approx(mean.value), pytest.approx(mean.se))
    pair = estimate(design, [Mean("income"), Mean("members")])
    difference = estimate(design, Difference(Mean("income"), Mean("members")))[0]
    assert pair.contrast([1, -1]).se == pytest.approx(difference.se, rel=1e-12)
    assert pair.contrast(lambda a, b: a - b).value == pytest.approx(difference.value)


def test_a_domain_keeps_the_units_where_it_is_absent(households: Maker) -> None:
    """The error of a domain total grows by the PSUs without members; deleting rows would lose them."""
    data = households()
    data["rare"] = ((data["psu"] % 5 == 0) & (data["sex"] == "male")).astype(float)
    design = Design(data, weights="w", strata="stratum", clusters="psu")
    inside = data["rare"] == 1
    kept = estimate(design, Count(), where=inside)[0]
    # By hand: the weights of members, added up by PSU, zeros included.
    totals = np.bincount(data["psu"], weights=data["w"] * inside).reshape(6, 5)
    by_hand = (5 / 4 * ((totals - totals.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)).sum()
    assert kept.se == pytest.approx(math.sqrt(by_hand), rel=1e-12)
    assert (kept.df, design.df) == (0.0, 24.0)


def test_a_share_of_two_categories_is_the_sum_of_the_two(sample: Maker) -> None:
    design = sample()
    one, other, both = estimate(
        design,
        [Proportion("sex", "male"), Proportion("sex", "female"), Proportion("sex", ("male", "female"))],
    )
    assert one.value + other.value == pytest.approx(1.0)
    assert (both.value, both.se) == (pytest.approx(1.0), pytest.approx(0.0, abs=1e-12))


def test_missing_values_stop_unless_their_treatment_is_said(households: Maker) -> None:
    data = households()
    data["income"][[3, 8]] = np.nan
    design = Design(data, weights="w", strata="stratum", clusters="psu")
    with pytest.raises(MissingValues, match=r"2 of the units asked about have no value \(rows 4, 9\)"):
        estimate(design, Mean("income"))
    present = estimate(design, Mean("income"), missing="domain")[0]
    masked = estimate(design, Mean("income"), where=~np.isnan(data["income"]))[0]
    assert (present.value, present.se, present.n) == (masked.value, masked.se, masked.n)
    assert (present.n_missing, present.missing) == (2, "domain")


def test_a_missing_value_without_weight_or_outside_the_domain_is_nobodys_business(households: Maker) -> None:
    data = households()
    data["income"][3] = np.nan
    data["w"][3] = 0.0
    assert estimate(Design(data, weights="w", strata="stratum", clusters="psu"), Mean("income"))[0].n == 359


def test_an_empty_domain_and_a_share_of_numbers_are_errors(sample: Maker) -> None:
    design = sample()
    with pytest.raises(EmptyDomain):
        estimate(design, Mean("income"), where=np.zeros(360, dtype=bool))
    with pytest.raises(NotAShare, match="ask for its Mean"):
        estimate(design, Proportion("income"))
    with pytest.raises(NotAShare, match="it has female, male"):
        estimate(design, Proportion("sex", "man"))


def test_estimates_print_and_travel_with_their_error(sample: Maker) -> None:
    found = estimate(sample(), Proportion("account"), by="region")
    assert "95 %" in str(found)
    assert "<table>" in found._repr_html_()
    assert "<td>south</td>" in found[1]._repr_html_()
    row = found.to_dicts()[0]
    assert {"estimate", "se", "lower", "upper", "df", "n", "region"} <= set(row)
    assert found.to_arrow().num_rows == 2
    assert pl.DataFrame(found)["se"].to_list() == [one.se for one in found]
    assert pd.DataFrame.from_arrow(found)["estimate"].to_list() == found.values.tolist()
    assert found.of(region="south").domain == {"region": "south"}


def test_the_size_of_the_sample_itself_has_no_design_effect() -> None:
    """Everybody counts one: a simple random sample would know the total without error."""
    data = {"psu": np.repeat(np.arange(5), 4), "w": np.full(20, 3.7), "one": np.full(20, 1.1)}
    assert np.isnan(estimate(Design(data, weights="w", clusters="psu"), Total("one"))[0].deff)


def test_a_simple_random_sample_has_design_effect_one() -> None:
    generator = np.random.default_rng(4)
    data = {"x": generator.normal(size=200), "w": np.full(200, 10.0), "N": np.full(200, 2000)}
    one = estimate(Design(data, weights="w", fpc="N"), Mean("x"))[0]
    assert one.deff == pytest.approx(1.0, rel=1e-12)


def test_two_rounds_independent_or_on_the_same_units(sample: Maker) -> None:
    """Independent samples add their variances; rounds that share PSUs are one design and share covariance."""
    first, second = estimate(sample(1), Mean("income"))[0], estimate(sample(2), Mean("income"))[0]
    apart = difference(second, first)
    assert apart.variance == pytest.approx(first.variance + second.variance)
    assert first.df < apart.df <= first.df + second.df
    base = sample().columns
    data = {name: np.tile(base.codes(name)[0], 2) for name in ("stratum", "psu")}
    income = base.numbers("income")
    data |= {"w": np.tile(base.numbers("w"), 2), "round": np.repeat([1, 2], 360)}
    data["income"] = np.concatenate([income, income * 1.05])
    both = estimate(Design(data, weights="w", strata="stratum", clusters="psu"), Mean("income"), by="round")
    change = both.contrast([-1, 1])
    assert change.value == pytest.approx(0.05 * both[0].value)
    assert change.se == pytest.approx(0.05 * both[0].se)
