"""The logistic mixed model has the likelihood it should, finds a known truth, and knows its own error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from analysis.errors import AnalysisError, NotAShare
from analysis.mixed import Cells, bootstrap_mse, logistic_mixed

PLACES = 40


def province(
    seed: int = 2, interviews: int = 25, spread: float = 0.6
) -> tuple[dict[str, np.ndarray], Cells, np.ndarray]:
    """A sample by place, young or old; the population in cells; the true share of each place."""
    generator = np.random.default_rng(seed)
    level = generator.normal(0.0, spread, PLACES)
    place = np.repeat(np.arange(PLACES), interviews)
    old = (generator.random(len(place)) < 0.4).astype(float)
    has = (generator.random(len(place)) < expit(0.5 - 1.5 * old + level[place])).astype(float)
    count = np.where(np.tile([0, 1], PLACES), 400.0, 600.0)
    cells = Cells(
        np.repeat(np.arange(PLACES), 2),
        np.column_stack([np.ones(2 * PLACES), np.tile([0.0, 1.0], PLACES)]),
        count,
    )
    truth = (0.6 * expit(0.5 + level)) + 0.4 * expit(-1.0 + level)
    return {"has": has, "x": np.column_stack([np.ones(len(old)), old]), "place": place}, cells, truth


def test_the_likelihood_is_the_integral() -> None:
    """Each place's contribution by adaptive quadrature of SciPy, at the fitted parameters."""
    data, _, _ = province(interviews=8)
    model = logistic_mixed(data["has"], data["x"], data["place"], PLACES)
    total = 0.0
    for place in range(PLACES):
        here = data["place"] == place
        y, linear = data["has"][here], data["x"][here] @ model.coefficients

        def density(u: float, y: np.ndarray = y, linear: np.ndarray = linear) -> float:
            at = linear + model.spread * u
            return math.exp((y * at - np.logaddexp(0, at)).sum() - u * u / 2) / math.sqrt(2 * math.pi)

        total += math.log(quad(density, -12, 12, epsabs=1e-14)[0])
    assert model.log_likelihood == pytest.approx(total, abs=1e-6)


def test_no_other_parameters_are_more_likely() -> None:
    data, _, _ = province()
    model = logistic_mixed(data["has"], data["x"], data["place"], PLACES)
    from analysis.mixed import _integrate

    best = np.append(model.coefficients, math.log(model.spread))
    for place in range(3):
        for shift in (-0.05, 0.05):
            moved = best.copy()
            moved[place] += shift
            assert _integrate(moved, model.sample, model.having, PLACES)[0] < model.log_likelihood
    gradient = _integrate(best, model.sample, model.having, PLACES)[3]
    assert np.abs(gradient).max() < 1e-2


def test_the_truth_is_found_again() -> None:
    data, _, _ = province(interviews=200)
    model = logistic_mixed(data["has"], data["x"], data["place"], PLACES)
    assert model.coefficients == pytest.approx([0.5, -1.5], abs=0.25)
    assert model.spread == pytest.approx(0.6, abs=0.15)


def test_predicted_shares_are_nearer_than_those_of_the_answers() -> None:
    data, cells, truth = province()
    model = logistic_mixed(data["has"], data["x"], data["place"], PLACES)
    direct = np.bincount(data["place"], data["has"]) / np.bincount(data["place"])
    assert np.mean((model.shares(cells) - truth) ** 2) < 0.75 * np.mean((direct - truth) ** 2)


def test_a_place_without_interviews_gets_the_expectation_over_levels() -> None:
    data, cells, _ = province()
    there = data["place"] > 0
    model = logistic_mixed(data["has"][there], data["x"][there], data["place"][there], PLACES)
    assert model.levels[0] == pytest.approx(0.0, abs=1e-9)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    expected = [
        (weights / weights.sum()) @ expit(x @ model.coefficients + model.spread * nodes)
        for x in ([1, 0], [1, 1])
    ]
    assert model.shares(cells)[0] == pytest.approx(0.6 * expected[0] + 0.4 * expected[1], abs=1e-6)


def test_the_bootstrap_knows_the_error() -> None:
    """The estimated mean squared error beside the one that many provinces show."""
    error, told = [], []
    for seed in range(12):
        data, cells, truth = province(seed)
        model = logistic_mixed(data["has"], data["x"], data["place"], PLACES)
        error.append(np.mean((model.shares(cells) - truth) ** 2))
        if seed < 3:
            told.append(bootstrap_mse(model, cells, np.random.default_rng(seed), 20).mean())
    assert np.mean(told) == pytest.approx(np.mean(error), rel=0.25)


def test_scaled_weights_count_as_so_many_answers() -> None:
    data, _, _ = province(interviews=10)
    twice = logistic_mixed(*(np.concatenate([data[key], data[key]]) for key in ("has", "x", "place")), PLACES)
    weighted = logistic_mixed(data["has"], data["x"], data["place"], PLACES, np.full(len(data["has"]), 2.0))
    assert weighted.coefficients == pytest.approx(twice.coefficients, abs=1e-6)
    assert weighted.log_likelihood == pytest.approx(twice.log_likelihood, abs=1e-8)


def test_a_mistake_is_named() -> None:
    data, _, _ = province(interviews=5)
    with pytest.raises(NotAShare):
        logistic_mixed(data["has"] * 2, data["x"], data["place"], PLACES)
    with pytest.raises(AnalysisError, match="repeat one another"):
        logistic_mixed(data["has"], np.column_stack([data["x"], data["x"]]), data["place"], PLACES)
