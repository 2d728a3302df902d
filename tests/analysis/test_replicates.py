"""Replicates agree with linearisation where they must, and are refused where they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Design, Mean, Proportion, Ratio, Total, estimate
from analysis.errors import DesignError
from analysis.replicates import (
    Replicates,
    balanced,
    bootstrap,
    hadamard,
    jackknife,
    successive_differences,
)

Maker = Callable[..., Any]


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_jackknife_of_a_total_is_its_linearisation(sample: Maker, seed: int) -> None:
    design = sample(seed, fpc="in_stratum")
    taylor = estimate(design, [Total("income"), Total("account")], by="region")
    again = estimate(jackknife(design), [Total("income"), Total("account")], by="region")
    assert again.standard_errors == pytest.approx(taylor.standard_errors, rel=1e-9)
    assert again.vcov == pytest.approx(taylor.vcov, rel=1e-8, abs=1e-6)
    assert [one.df for one in again] == [one.df for one in taylor]


def test_without_strata_the_jackknife_is_jk1(households: Maker) -> None:
    design = Design(households(), weights="w", clusters="psu")
    replicated = jackknife(design)
    assert replicated.replicates is not None
    assert replicated.replicates.kind == "JK1"
    before, after = estimate(design, Total("income"))[0], estimate(replicated, Total("income"))[0]
    assert after.se == pytest.approx(before.se, rel=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_balanced_half_samples_give_the_variance_of_a_total(households: Maker, rho: float) -> None:
    """With a full set of half samples the cross terms cancel exactly."""
    design = Design(households(psus=2), weights="w", strata="stratum", clusters="psu")
    before = estimate(design, [Total("income"), Total("account")])
    after = estimate(balanced(design, rho=rho, mse=True), [Total("income"), Total("account")])
    assert after.vcov == pytest.approx(before.vcov, rel=1e-9)


@pytest.mark.parametrize("method", ["rao_wu", "canty_davison"])
def test_the_bootstrap_comes_near_the_linearisation(sample: Maker, method: str) -> None:
    design = sample()
    taylor = estimate(design, Mean("income"))[0]
    replicated = bootstrap(design, 2000, np.random.default_rng(5), method=method)  # type: ignore[arg-type]
    assert estimate(replicated, Mean("income"))[0].se == pytest.approx(taylor.se, rel=0.12)


def test_the_same_generator_gives_the_same_bootstrap(sample: Maker) -> None:
    errors = [
        estimate(bootstrap(sample(), 50, np.random.default_rng(9)), Proportion("account"))[0].se
        for _ in range(2)
    ]
    assert errors[0] == errors[1]


def test_successive_differences_see_a_sorted_list() -> None:
    """A trend along the list is no variance for systematic sampling; independent draws would see all of it."""
    place = np.arange(63.0)
    data = {"y": place + np.random.default_rng(2).normal(0, 1, 63), "w": np.ones(63)}
    design = Design(data, weights="w")
    independent = estimate(design, Mean("y"))[0].se
    sorted_list = estimate(successive_differences(design, 64), Mean("y"))[0].se
    assert sorted_list < 0.35 * independent


@pytest.mark.parametrize("order", [1, 2, 4, 12, 20, 24, 44, 80])
def test_hadamard_matrices_are_orthogonal(order: int) -> None:
    matrix = hadamard(order)
    assert np.array_equal(matrix @ matrix.T, order * np.eye(order))
    assert (matrix[0] == 1).all()


def test_whole_weights_and_multiplicities_are_the_same_replicates(sample: Maker) -> None:
    design = jackknife(sample())
    assert design.replicates is not None
    told = design.replicates
    whole = Replicates(told.weights(design), "JKn", told.scale, told.rscales, combined=True)
    other = sample().with_replicates(whole)
    for one, two in zip(
        estimate(design, Ratio("income", "members"), by="sex", df="design"),
        estimate(other, Ratio("income", "members"), by="sex", df="design"),
        strict=True,
    ):
        assert (two.value, two.se) == (pytest.approx(one.value), pytest.approx(one.se, rel=1e-9))
    assert other.df == design.df == 24.0


def test_a_step_taken_as_given_is_taken_by_every_replicate(sample: Maker) -> None:
    design = jackknife(sample())
    factors = np.where(np.arange(design.rows) % 2, 2.0, 1.0)
    changed = design.with_weights(design.weight * factors)
    direct = jackknife(sample().with_weights(sample().weight * factors))
    assert estimate(changed, Mean("income"))[0].se == pytest.approx(estimate(direct, Mean("income"))[0].se)


def test_replicates_that_cannot_be_are_refused(sample: Maker, households: Maker) -> None:
    with pytest.raises(DesignError, match="two PSUs in every stratum"):
        balanced(sample())
    with pytest.raises(DesignError, match="merge"):
        jackknife(Design(households(psus=1), weights="w", strata="stratum", clusters="psu"))
    with pytest.raises(DesignError, match="rscales"):
        Replicates(np.ones((4, 4)), "JKn")
    with pytest.raises(DesignError, match="rows of replicate weights"):
        sample().with_replicates(Replicates(np.ones((4, 4)), "JK1"))


def test_degrees_of_freedom_of_a_file_are_the_directions_its_replicates_have() -> None:
    """Copies and sums of replicates add none; a direction of less than 1e-5 counts as none, as in R."""
    generator = np.random.default_rng(4)
    own = generator.uniform(0.0, 2.0, (90, 20))
    table = np.concatenate([own, own[:, :5] + own[:, 5:10], own[:, :3] * (1 + 1e-9)], axis=1)
    data = {"w": np.ones(90), "x": np.arange(90.0)}
    design = Design(data, weights="w", replicates=Replicates(table, "other", scale=0.1))
    assert design.df == 19.0
    # A weak direction that a singular value in between would lose.
    weak = np.concatenate([own[:, :19], own[:, :1] + 1e-4 * own[:, 19:]], axis=1)
    assert Design(data, weights="w", replicates=Replicates(weak, "other", scale=0.1)).df == 19.0
