"""Weights of those who did not answer go to those who did, within the declared cells, and nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import Design, Mean, estimate
from analysis.errors import DesignError, NotPossible
from analysis.nonresponse import by_cells, by_propensity, selection, unknown_eligibility


def cases(n: int = 1200, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    stratum = rng.choice(["a", "b", "c"], n)
    mode = np.where(rng.random(n) < 0.3, "self", "visit")
    answered = np.where(mode == "self", True, rng.random(n) < np.where(stratum == "a", 0.6, 0.85))
    known = answered | (rng.random(n) < 0.9)
    return {
        "w": rng.uniform(50, 150, n), "stratum": stratum, "mode": mode, "answered": answered, "known": known,
        "eligible": known & (answered | (rng.random(n) < 0.8)), "y": rng.normal(0, 1, n), "psu": np.arange(n),
    }  # fmt: skip


def design(data: dict[str, np.ndarray]) -> Design:
    return Design(data, weights="w", strata="stratum", clusters="psu")


def test_the_weight_of_each_cell_is_carried_by_its_respondents() -> None:
    data = cases()
    before = design(data)
    resolved, _ = unknown_eligibility(before, "known", ["stratum", "mode"])
    assert resolved.weight.sum() == pytest.approx(before.weight.sum())
    after, report = by_cells(resolved, "answered", "eligible", ["stratum", "mode"])
    assert after.weight.sum() == pytest.approx(resolved.weight[data["eligible"]].sum())
    assert (after.weight[~data["answered"]] == 0).all()
    assert all(cell.factor == pytest.approx(1.0) for cell in report.cells if cell.label.endswith("self"))


def test_small_cells_are_merged_within_their_mode_and_the_merging_is_told() -> None:
    data = cases()
    few = np.flatnonzero((data["stratum"] == "b") & (data["mode"] == "visit"))[25:]
    keep = np.setdiff1d(np.arange(1200), few)
    after, report = by_cells(
        design({k: v[keep] for k, v in data.items()}), "answered", "eligible", ["stratum", "mode"]
    )
    merged = [cell for cell in report.cells if cell.merged]
    assert len(merged) == 1
    assert merged[0].label.endswith("visit")
    assert merged[0].merged == ("b x visit",)
    assert after.n == report.n


def test_nobody_answering_anywhere_is_an_error_that_names_the_cell() -> None:
    data = cases()
    with pytest.raises(NotPossible, match="nobody answered"):
        by_cells(design(data), np.zeros(1200, dtype=bool), "eligible", ["stratum"])


def test_a_propensity_that_explains_the_silence_removes_its_bias() -> None:
    rng = np.random.default_rng(3)
    n = 6000
    x = rng.normal(0, 1, n)
    y = 2.0 + x
    answered = rng.random(n) < 1 / (1 + np.exp(-0.4 - 0.9 * x))
    data = {"w": np.ones(n), "psu": np.arange(n), "stratum": np.zeros(n), "x": x, "y": y}
    everybody = np.ones(n, dtype=bool)
    plain, _ = by_cells(design(data), answered, everybody)
    inverse, _ = by_propensity(design(data), answered, everybody, ["x"], classes=None)
    tenths, _ = by_propensity(design(data), answered, everybody, ["x"])
    bias = [abs(estimate(d, Mean("y"))[0].value - y.mean()) for d in (plain, inverse, tenths)]
    assert bias[0] > 0.25
    assert bias[1] < 0.06
    assert bias[2] < 0.09


def test_the_number_eligible_multiplies_and_must_be_known() -> None:
    data = cases()
    after, _ = selection(design(data), np.full(1200, 3.0))
    np.testing.assert_allclose(after.weight, 3 * data["w"])
    with pytest.raises(DesignError, match="number eligible"):
        selection(design(data), np.zeros(1200))
