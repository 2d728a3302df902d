"""Weights of those who did not answer go to those who did, within the declared cells, and nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from analysis import Count, Design, Mean, Total, estimate
from analysis.calibration import rake
from analysis.errors import DesignError, NotConverged, NotPossible
from analysis.nonresponse import by_cells, by_propensity, selection, unknown_eligibility
from analysis.replicates import bootstrap, jackknife


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


def clustered(seed: int = 5, psus: int = 60, size: int = 20) -> dict[str, np.ndarray]:
    """Households in PSUs, of which some areas answer less and the answering depends on what is measured."""
    rng = np.random.default_rng(seed)
    n = psus * size
    psu = np.repeat(np.arange(psus), size)
    place = rng.normal(0, 0.6, psus)[psu]
    x = rng.normal(0, 1, n)
    y = 3.0 + x + place + rng.normal(0, 1, n)
    group = np.where(x + rng.normal(0, 0.7, n) > 0, "high", "low")
    known = rng.random(n) < 0.93
    eligible = known & (rng.random(n) < 0.95)
    return {
        "w": rng.uniform(20, 60, n), "psu": psu, "stratum": psu // 10, "x": x, "y": y, "group": group,
        "known": known, "eligible": eligible, "one": np.ones(n),
        "answered": eligible & (rng.random(n) < 1 / (1 + np.exp(-0.6 - 0.8 * x - place))),
    }  # fmt: skip


def test_a_cell_weighs_exactly_what_all_its_cases_weighed_error_included() -> None:
    data = clustered()
    before = design(data)
    after, _ = by_cells(before, "answered", np.ones(1200, dtype=bool), ["group"])
    for group in ("high", "low"):
        said, whole = (estimate(one, Count(), where=data["group"] == group)[0] for one in (after, before))
        assert said.value == pytest.approx(whole.value, rel=1e-12)
        assert said.se == pytest.approx(whole.se, rel=1e-12)


def test_the_variance_of_the_whole_chain_is_what_a_jackknife_that_repeats_it_finds() -> None:
    data = clustered()
    chain, _ = unknown_eligibility(design(data), "known", ["group"])
    chain, _ = by_cells(chain, "answered", "eligible", ["group"])
    chain = rake(chain, ["stratum"], [dict.fromkeys(range(6), 8000.0)])
    fixed = Design({**data, "w": chain.weight}, weights="w", strata="stratum", clusters="psu")
    for statistic in (Mean("y"), Total("y")):
        linear = estimate(chain, statistic)[0]
        again = estimate(jackknife(chain), statistic)[0]
        assert linear.value == pytest.approx(again.value, rel=1e-12)
        assert linear.se == pytest.approx(again.se, rel=0.03)
        assert abs(linear.se / estimate(fixed, statistic)[0].se - 1) > 0.01  # so it is not idle to remember


def test_many_domains_of_a_chain_have_the_errors_that_each_has_alone() -> None:
    data = clustered()
    chain, _ = unknown_eligibility(design(data), "known")
    chain, _ = by_cells(chain, "answered", "eligible", ["group"])
    together = estimate(chain, Mean("y"), by="psu")
    for one in list(together)[:7]:
        alone = estimate(chain, Mean("y"), where=data["psu"] == one.domain["psu"])[0]
        assert one.se == pytest.approx(alone.se, rel=1e-9)


@pytest.mark.parametrize("weighted", [True, False])
def test_the_variance_of_inverse_propensities_knows_that_they_were_estimated(weighted: bool) -> None:
    data = clustered()
    after, _ = by_propensity(design(data), "answered", "eligible", ["x"], classes=None, weighted=weighted)
    linear, again = (estimate(one, Mean("y"))[0] for one in (after, jackknife(after)))
    assert linear.se == pytest.approx(again.se, rel=0.03)
    fixed = Design({**data, "w": after.weight}, weights="w", strata="stratum", clusters="psu")
    # Areas that answer less also differ: with the factors taken as given the error would come out too small.
    assert linear.se > 1.03 * estimate(fixed, Mean("y"))[0].se


def test_propensity_classes_are_cells() -> None:
    after, report = by_propensity(design(clustered()), "answered", "eligible", ["x", "group"], classes=5)
    assert len(report.cells) == 5
    linear, again = (estimate(one, Mean("y"))[0] for one in (after, jackknife(after)))
    assert linear.se == pytest.approx(again.se, rel=0.03)


def test_classes_that_are_too_small_are_merged() -> None:
    data = clustered()
    _, report = by_propensity(design(data), "answered", "eligible", ["x"], maximum_factor=2.0)
    assert all(cell.factor <= 2.0 for cell in report.cells)
    assert any(cell.merged for cell in report.cells)


def test_predictors_that_tell_exactly_who_answered_are_refused() -> None:
    data = clustered()
    data["tells"] = data["answered"] * 2.0 - 1.0
    with pytest.raises(NotConverged, match="exactly who answered"):
        by_propensity(design(data), "answered", "eligible", ["tells"])


def test_where_everybody_answered_nothing_changes() -> None:
    data = clustered()
    before = design(data)
    everybody = np.ones(1200, dtype=bool)
    for after in (
        by_cells(before, everybody, everybody, ["group"])[0],
        by_propensity(before, everybody, everybody, ["x"], classes=None)[0],
    ):
        np.testing.assert_allclose(after.weight, before.weight, rtol=1e-15)
        assert estimate(after, Total("y"))[0].se == pytest.approx(
            estimate(before, Total("y"))[0].se, rel=1e-12
        )


def test_a_replicate_in_which_a_cell_is_lost_names_the_cell() -> None:
    data = clustered()
    rare = data["psu"] < 2
    data["group"] = np.where(rare, "rare", data["group"])
    data["answered"] = np.where(rare, (data["psu"] == 0) & data["eligible"], data["answered"])
    after, _ = by_cells(design(data), "answered", "eligible", ["group"], minimum=1, maximum_factor=9)
    with pytest.raises(NotPossible, match="nobody is left to carry rare"):
        estimate(bootstrap(after, 50, np.random.default_rng(1)), Mean("y"))


def test_the_estimated_error_is_the_true_one_with_nonresponse() -> None:
    # 400 samples of 30 PSUs from one population: the interval of a total covers, the estimated error is the true one.
    population = clustered(seed=9, psus=600)
    rng = np.random.default_rng(2)
    truth = population["y"][population["eligible"]].sum()
    found = []
    for _ in range(400):
        psus = rng.choice(600, 30)
        take = np.concatenate([np.arange(p * 20, p * 20 + 20) for p in psus])
        sample = {name: column[take] for name, column in population.items()}
        sample["psu"], sample["stratum"] = np.repeat(np.arange(30), 20), np.zeros(600)
        sample["w"] = np.full(600, 20.0)
        sample["answered"] = sample["eligible"] & (
            rng.random(600) < np.where(sample["group"] == "high", 0.85, 0.5)
        )
        chain, _ = unknown_eligibility(design(sample), np.ones(600, dtype=bool))
        chain, _ = by_cells(chain, "answered", "eligible", ["group"])
        one = estimate(chain, Total("y"))[0]
        found.append((one.value, one.se))
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(truth, rel=0.02)
    assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.1)
    inside = (np.abs(values - truth) < 2.045 * errors).mean()
    assert 0.92 <= inside <= 0.975
