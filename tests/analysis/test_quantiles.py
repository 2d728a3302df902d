"""Quantiles by each rule on numbers small enough to check by eye, and Woodruff's interval around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis import Design
from analysis.errors import MissingValues, NotPossible
from analysis.quantiles import RULES, quantiles
from analysis.replicates import jackknife

Maker = Callable[..., Any]


def five() -> Design:
    return Design({"x": [1.0, 2, 3, 4, 5], "w": [1.0] * 5}, weights="w")


@pytest.mark.parametrize(
    ("rule", "at_20", "at_50", "at_05"),
    [
        ("math", 1.0, 3.0, 1.0),
        ("school", 1.5, 3.0, 1.0),
        ("hf3", 2.0, 3.0, 1.0),
        ("hf4", 1.0, 2.5, 1.0),
        ("hf5", 1.5, 3.0, 1.0),
        ("hf6", 1.2, 3.0, 1.0),
        ("hf7", 1.8, 3.0, 1.2),
        ("hf8", 1.4, 3.0, 1.0),
        ("hf9", 1.425, 3.0, 1.0),
    ],
)
def test_one_to_five(rule: Any, at_20: float, at_50: float, at_05: float) -> None:
    """The values of Hyndman and Fan's definitions; below the first step it is the smallest value."""
    found = quantiles(five(), "x", (0.2, 0.5, 0.05), rule=rule)
    assert [one.value for one in found] == pytest.approx([at_20, at_50, at_05])


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_weight_of_three_is_three_people(rule: Any) -> None:
    """For rules that are functions of the distribution; the others depend on how many rows there are."""
    if rule not in ("math", "hf1", "school", "hf2"):
        return
    weighted = Design({"x": [1.0, 2, 3], "w": [3.0, 1.0, 2.0]}, weights="w")
    repeated = Design({"x": [1.0, 1, 1, 2, 3, 3], "w": [1.0] * 6}, weights="w")
    for p in (0.1, 0.5, 2 / 3, 0.9):
        one, two = (quantiles(design, "x", (p,), rule=rule)[0].value for design in (weighted, repeated))
        assert one == two


@pytest.mark.parametrize("method", ["mean", "xlogit", "beta", "asin", "score"])
def test_the_interval_holds_the_value(sample: Maker, method: Any) -> None:
    for one in quantiles(sample(), "income", (0.25, 0.5, 0.75), method=method):
        assert one.lower < one.value < one.upper
        assert one.se > 0


def test_quantiles_by_domain_are_quantiles_of_the_domain(sample: Maker) -> None:
    design = sample()
    together = quantiles(design, "income", by="sex")
    for one in together:
        codes, labels = design.columns.codes("sex")
        alone = quantiles(design, "income", where=codes == labels.index(one.domain["sex"]))[0]
        assert (one.value, one.lower, one.upper, one.n) == (alone.value, alone.lower, alone.upper, alone.n)


def test_replicates_give_the_share_its_error(sample: Maker) -> None:
    taylor = quantiles(sample(), "income")[0]
    replicated = quantiles(jackknife(sample()), "income")[0]
    assert replicated.value == taylor.value
    assert replicated.se == pytest.approx(taylor.se, rel=0.2)


def test_a_quantile_is_asked_properly() -> None:
    with pytest.raises(NotPossible, match="between 0 and 1"):
        quantiles(five(), "x", (50,))
    with pytest.raises(MissingValues):
        quantiles(Design({"x": [1.0, np.nan], "w": [1.0, 1.0]}, weights="w"), "x")


@pytest.mark.parametrize(
    ("rule", "by_r"),
    [
        ("math", (2.0, 2.0, 2.0)),
        ("school", (2.0, 2.0, 2.0)),
        ("hf1", (2.0, 2.0, 2.0)),
        ("hf2", (2.0, 2.0, 2.0)),
        ("hf3", (2.0, 2.0, 2.0)),
        ("hf4", (-3.375, -0.25, 2.0)),
        ("hf5", (1.0, 1.416666667, 2.0)),
    ],
)
def test_below_the_first_step_stands_the_smallest_value_and_with_compat_what_r_says(
    rule: Any, by_r: tuple[float, ...]
) -> None:
    # svyquantile of R survey 4.1-1 on svydesign(~1, weights = ~w).
    design = Design({"x": [4.0, 1.0, 3.0, 2.0, 5.0, 2.0], "w": [1.0, 5.0, 2.0, 1.0, 1.0, 2.5]}, weights="w")
    asked = (0.05, 0.3, 0.5)
    theirs = quantiles(design, "x", asked, rule=rule, compat=("R.first_step",))
    assert [one.value for one in theirs] == pytest.approx(by_r)
    if rule != "hf5":
        assert [one.value for one in quantiles(design, "x", asked, rule=rule)] == [1.0, 1.0, 2.0]
