"""The area-level model gives the published figures of the milk example, and its parts keep what they promise."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError, NotPossible
from analysis.smallarea import AreaModel, Method, arcsine, benchmarked, diagnostics, fay_herriot

ORACLE = Path(__file__).parents[1] / "oracle"
TEXTBOOK = {one["id"]: one["expect"] for one in json.loads((ORACLE / "textbook.json").read_text("utf-8"))}
PUBLISHED: dict[Method, str] = {"reml": "fh-milk-reml", "ml": "fh-milk-ml", "moments": "fh-milk-fh"}


def milk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Direct estimates, sampling variances and the four major areas (Arora and Lahiri 1997)."""
    text = gzip.decompress((ORACLE / "data" / "milk.csv.gz").read_bytes()).decode()
    table: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
    area = np.array([row["MajorArea"] for row in table])
    x = np.column_stack([np.ones(len(table))] + [area == one for one in ("2", "3", "4")]).astype(float)
    return (
        np.array([float(row["yi"]) for row in table]),
        np.array([float(row["SD"]) ** 2 for row in table]),
        x,
    )


@pytest.mark.parametrize("method", PUBLISHED)
def test_milk_as_published(method: Method) -> None:
    model, known = fay_herriot(*milk(), method), TEXTBOOK[PUBLISHED[method]]
    first = [0, 1, 2, 42]
    assert model.variance == pytest.approx(known["A"], rel=1e-10)
    assert model.coefficients == pytest.approx(known["beta"], rel=1e-9)
    assert model.eblup[first] == pytest.approx(known["eblup_1_2_3_43"], rel=1e-10)
    assert model.mse[first] == pytest.approx(known["mse_1_2_3_43"], rel=1e-10)
    if "loglik" in known:
        assert np.sqrt(np.diag(model.covariance)) == pytest.approx(known["beta_se"], rel=1e-9)
        assert model.log_likelihood == pytest.approx(known["loglik"], rel=1e-9)
        assert (model.aic, model.bic) == pytest.approx((known["AIC"], known["BIC"]), rel=1e-9)


def test_a_place_without_interviews_gets_the_regression_and_says_so_in_its_error() -> None:
    y, psi, x = milk()
    whole = fay_herriot(y, psi, x)
    y[5] = math.nan
    model = fay_herriot(y, psi, x)
    assert model.gamma[5] == 0.0
    assert model.eblup[5] == model.synthetic[5]
    assert model.mse[5] > model.variance > 0
    assert model.mse[5] > whole.mse[5]


def test_places_that_differ_no_more_than_by_chance_are_not_drawn_wholly_to_the_regression() -> None:
    """REML says A = 0 here; the adjusted likelihood keeps a part of each direct estimate."""
    y = np.tile([0.50, 0.51, 0.49, 0.50], 5)
    psi, x = np.full(20, 0.01), np.ones((20, 1))
    plain, adjusted = fay_herriot(y, psi, x), fay_herriot(y, psi, x, "adjusted")
    assert plain.variance == 0.0
    assert plain.eblup == pytest.approx(np.full(20, 0.5))
    assert 0 < adjusted.variance < psi[0]
    assert (adjusted.gamma > 0).all()


def test_adjusted_is_near_reml_when_places_do_differ() -> None:
    reml, adjusted = fay_herriot(*milk()), fay_herriot(*milk(), "adjusted")
    assert reml.variance < adjusted.variance < 1.5 * reml.variance


def test_one_place_with_very_many_interviews_does_not_keep_the_fit_from_settling() -> None:
    shares, sizes = np.full(39, 0.5), np.full(39, 20.0)
    shares[0], sizes[0] = 0.999, 70_000.0
    theta, psi = arcsine(shares, sizes)
    assert fay_herriot(theta, psi, np.column_stack([np.ones(39), np.linspace(0, 1, 39)])).variance > 0


def test_a_mistake_is_named() -> None:
    y, psi, x = milk()
    with pytest.raises(AnalysisError, match="row 3"):
        fay_herriot(y, np.where(np.arange(43) == 2, 0.0, psi), x)
    with pytest.raises(AnalysisError, match="cannot carry 5 coefficients"):
        fay_herriot(y, psi, np.column_stack([x, x[:, 1]]))
    with pytest.raises(AnalysisError, match="one row for each place"):
        fay_herriot(y[:-1], psi, x)


def shares_model(seed: int = 3, places: int = 60) -> tuple[AreaModel, np.ndarray]:
    """Places whose shares a known model made, with thirty effective interviews each."""
    generator = np.random.default_rng(seed)
    x = np.column_stack([np.ones(places), generator.normal(size=places)])
    theta = x @ [0.8, 0.1] + generator.normal(0.0, 0.08, places)
    truth = np.sin(theta) ** 2
    return fay_herriot(*arcsine(generator.binomial(30, truth) / 30, np.full(places, 30.0)), x), truth


def test_modelled_shares_are_nearer_to_the_truth_than_direct_ones() -> None:
    model, truth = shares_model()
    direct = np.sin(model.direct) ** 2
    modelled = model.shares()
    assert np.mean((modelled.value - truth) ** 2) < 0.6 * np.mean((direct - truth) ** 2)
    assert np.mean((modelled.lower <= truth) & (truth <= modelled.upper)) > 0.88
    assert ((modelled.lower <= modelled.value) & (modelled.value <= modelled.upper)).all()


def test_the_way_back_from_the_arcsine_knows_its_bias() -> None:
    """The closed forms are the moments of sin^2 of a normal variable, found here by quadrature."""
    model, _ = shares_model()
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    modelled = model.shares()
    for place in (0, 7, 31):
        known = np.sin(model.eblup[place] + math.sqrt(model.g1[place]) * nodes) ** 2
        assert modelled.value[place] == pytest.approx(weights @ known, rel=1e-12)
        wide = np.sin(model.eblup[place] + math.sqrt(model.mse[place]) * nodes) ** 2
        assert modelled.mse[place] == pytest.approx(weights @ wide**2 - (weights @ wide) ** 2, rel=1e-9)


def test_shares_outside_0_and_1_have_no_arcsine() -> None:
    with pytest.raises(NotPossible, match="between 0 and 1"):
        arcsine([0.2, 1.2], [30, 30])
    theta, psi = arcsine([0.5, math.nan], [25, 0])
    assert theta[0] == pytest.approx(math.pi / 4)
    assert psi[0] == 0.01
    assert math.isnan(theta[1])


@given(
    st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(1, 1000)), min_size=2, max_size=12),
    st.floats(0.02, 0.98),
)
def test_benchmarked_shares_add_up_and_keep_their_order(
    places: list[tuple[float, float]], whole: float
) -> None:
    shares, population = map(np.array, zip(*places, strict=True))
    found = benchmarked(shares, population, whole)
    assert (population @ found) / population.sum() == pytest.approx(whole, rel=1e-9)
    assert ((found > 0) & (found < 1)).all()
    assert (np.diff(found[np.argsort(shares, kind="stable")]) > -1e-12).all()  # equal shares up to rounding


def test_a_benchmark_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(NotPossible, match="no room"):
        benchmarked([1.0, 0.5], [900, 100], 0.5)
    with pytest.raises(NotPossible, match="between 0 and 1"):
        benchmarked([0.4, 0.5], [1, 1], 1.0)
    assert benchmarked([1.0, 0.5], [100, 900], 0.5)[0] == 1.0


def test_diagnostics_of_a_right_model_are_quiet() -> None:
    found = diagnostics(shares_model()[0])
    assert found.coverage > 0.9
    assert found.goodness_p > 0.01
    assert found.bias_p > 0.01
    assert found.normality > 0.01
    assert found.slope == pytest.approx(1.0, abs=0.35)
    assert np.mean(np.abs(found.left_out) < 1.96) > 0.88
    assert 0 < found.median_gamma < 1
    assert found.cv_gain < 1


def test_diagnostics_show_the_place_that_does_not_belong() -> None:
    y, psi, x = milk()
    y[10] += 2.0
    found = diagnostics(fay_herriot(y, psi, x))
    assert int(np.argmax(np.abs(found.left_out))) == 10
    assert int(np.argmax(np.abs(found.residuals))) == 10
    assert found.normality < 1e-4
