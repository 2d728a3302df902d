"""The variance recursion against sums written out by hand, and what each lonely-PSU policy does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from analysis import Count, Design, Mean, Total, estimate
from analysis.calibration import poststratify, rake
from analysis.errors import LonelyPSU
from analysis.replicates import jackknife
from analysis.variance import of_influence

Maker = Callable[..., Any]

LONELY = {
    "h": [1, 1, 2, 2, 3],
    "psu": [1, 2, 3, 4, 5],
    "w": [1.0] * 5,
    "x": [1.0, 3.0, 10.0, 16.0, 40.0],
}


def test_two_stages_by_hand() -> None:
    """Two of six villages, two of four and two of eight households: both sums of the recursion."""
    data = {
        "village": [1, 1, 2, 2],
        "house": [1, 2, 3, 4],
        "N": [6, 6, 6, 6],
        "M": [4, 4, 8, 8],
        "x": [2.0, 4.0, 5.0, 9.0],
    }
    found = estimate(Design(data, clusters=["village", "house"], fpc=["N", "M"]), Total("x"))[0]
    w1, w2 = 6 / 2 * 4 / 2, 6 / 2 * 8 / 2
    u1, u2 = w1 * 6.0, w2 * 14.0
    between = (1 - 2 / 6) * 2 / 1 * ((u1 - u2) ** 2 / 2)
    within = (1 - 2 / 4) * 2 * (w1 * 2.0) ** 2 / 2 + (1 - 2 / 8) * 2 * (w2 * 4.0) ** 2 / 2
    assert found.value == u1 + u2
    assert found.variance == pytest.approx(between + 2 / 6 * within, rel=1e-12)


@pytest.mark.parametrize(
    ("policy", "lonely_part"),
    [
        ("remove", 0.0),
        ("certainty", 0.0),
        ("adjust", (40 - 70 / 5) ** 2),
        ("average", (2 * 1.0**2 + 2 * 3.0**2) * 2 * (3 / 2 - 1)),
    ],
)
def test_what_a_lonely_unit_adds(policy: Any, lonely_part: float) -> None:
    design = Design(LONELY, weights="w", strata="h", clusters="psu", lonely_psu=policy)
    ordinary = 2 * (1.0**2 + 1.0**2) + 2 * (3.0**2 + 3.0**2)
    assert estimate(design, Total("x"))[0].variance == pytest.approx(ordinary + lonely_part)
    assert estimate(design, Total("x")).vcov[0, 0] == pytest.approx(ordinary + lonely_part)


def test_a_lonely_unit_outside_the_domain_is_no_obstacle() -> None:
    design = Design(LONELY, weights="w", strata="h", clusters="psu")
    assert estimate(design, Total("x"), where=np.array([True] * 4 + [False]))[0].se > 0
    with pytest.raises(LonelyPSU):
        estimate(design, Total("x"))


def test_the_older_rule_of_r_is_a_named_switch() -> None:
    options: dict[str, Any] = {"weights": "w", "strata": "h", "clusters": "psu", "lonely_psu": "adjust"}
    older = estimate(Design(LONELY, **options, compat=("R.lonely",)), Total("x"))[0]
    newer = estimate(Design(LONELY, **options), Total("x"))[0]
    assert older.variance - newer.variance == pytest.approx(40**2 - 26**2)


def test_a_census_has_no_variance(households: Maker) -> None:
    data = households()
    data["in_stratum"] = np.full(360, 5.0)
    design = Design(data, weights="w", strata="stratum", clusters="psu", fpc="in_stratum")
    assert estimate(design, Mean("income"))[0].se == 0.0


def test_totals_far_from_zero_keep_their_digits() -> None:
    """Equal PSU totals of 1e9: the textbook difference of squares would leave rounding of the order of 1e2."""
    data = {"psu": [1, 2, 3, 4], "w": [1e9] * 4, "x": [1.0, 1.0, 1.0, 1.0 + 1e-9]}
    found = estimate(Design(data, weights="w", clusters="psu"), Total("x"))[0]
    assert found.variance == pytest.approx(4 / 3 * (3 * 0.25**2 + 0.75**2), rel=1e-6)


def test_linearised_values_give_the_same_as_the_fold(sample: Maker) -> None:
    design = sample(fpc="in_stratum")
    income, members = design.columns.numbers("income"), design.columns.numbers("members")
    found = estimate(design, [Mean("income"), Total("members")])
    influence = np.stack([(income - found[0].value) / design.population, members], axis=1)
    assert of_influence(design, influence) == pytest.approx(found.vcov, rel=1e-9)


def test_many_domains_and_their_covariance_take_blocks(sample: Maker) -> None:
    design = sample().with_columns(cell=np.arange(360) // 3)
    found = estimate(design, Count(), by="cell", deff=False)
    assert np.sqrt(np.diag(found.vcov)) == pytest.approx(found.standard_errors, rel=1e-9)
    assert found.contrast(np.ones(len(found))).se == pytest.approx(estimate(design, Count())[0].se)
    assert math.isfinite(found.vcov.sum())


def test_cells_and_rows_take_off_the_same(sample: Maker) -> None:
    """Two steps one after the other, many domains: algebra on sums of cells against a pass over the rows."""
    design = sample().with_columns(cell=np.arange(360) // 12 % 9, age=np.arange(360) % 4, one=np.ones(360))
    design = poststratify(design, "age", {0: 7000.0, 1: 6500.0, 2: 6000.0, 3: 6800.0})
    design = rake(
        design,
        ["sex", "region"],
        [{"female": 14000.0, "male": 13000.0}, {"north": 12000.0, "south": 15000.0}],
    )
    found = estimate(design, [Mean("income"), Total("members")], by="cell")
    for one in found:
        alone = estimate(
            design,
            Mean("income") if one.kind == "mean" else Total("members"),
            where=design.columns.numbers("cell") == one.domain["cell"],
        )[0]
        assert (one.value, one.se) == (pytest.approx(alone.value), pytest.approx(alone.se, rel=1e-9))
    margin = estimate(design, Total("one"), by="sex")
    assert margin.standard_errors == pytest.approx([0.0, 0.0], abs=1e-6)


def test_replicates_recalibrated_on_cells_are_those_recalibrated_on_rows(sample: Maker) -> None:
    design = sample().with_columns(age=np.arange(360) % 4)
    design = jackknife(design)
    design = poststratify(design, "age", {0: 7000.0, 1: 6500.0, 2: 6000.0, 3: 6800.0})
    design = rake(
        design,
        ["sex", "region"],
        [{"female": 14000.0, "male": 13000.0}, {"north": 12000.0, "south": 15000.0}],
    )
    assert design.replicates is not None
    weights = design.replicates.weights(design)
    income, south = design.columns.numbers("income"), design.columns.codes("region")[0] == 1
    by_hand = np.stack([(weights[south] * income[south, None]).sum(0) / weights[south].sum(0)])
    expected = design.replicates.variances(by_hand, np.zeros(1))
    found = estimate(design, Mean("income"), by="region").of(region="south")
    assert found.variance == pytest.approx(expected[0], rel=1e-9)


def test_two_steps_agree_with_a_jackknife_that_repeats_both(households: Maker) -> None:
    """The last step's residuals come first; the other order (R's) is off by up to a sixth here."""
    far_off = []
    for seed in range(4):
        data = households(seed, strata=10, psus=20)
        income = data["income"]
        data["rich"] = (income > np.median(income)).astype(int)
        noise = np.random.default_rng(seed).normal(0.0, 0.3, income.size)
        data["level"] = np.clip(np.round(np.log(income) + noise), 6, 10).astype(int)

        def steps(design: Design) -> Design:
            held = np.bincount(design.columns.codes("rich")[0], weights=design.base)
            rich = {0: 1.1 * held[0], 1: 0.9 * held[1]}
            codes, labels = design.columns.codes("level")
            moved = np.bincount(codes, weights=design.base) * (1.0 + 0.15 * (np.arange(len(labels)) % 2))
            level = dict(zip(labels, moved * sum(rich.values()) / moved.sum(), strict=True))
            return poststratify(poststratify(design, "rich", rich), "level", level)

        plain = Design(data, weights="w", strata="stratum", clusters="psu")
        as_r = Design(data, weights="w", strata="stratum", clusters="psu", compat=("R.order",))
        repeated = estimate(steps(jackknife(plain)), Mean("income"))[0].se
        assert estimate(steps(plain), Mean("income"))[0].se == pytest.approx(repeated, rel=0.03)
        far_off.append(abs(estimate(steps(as_r), Mean("income"))[0].se / repeated - 1.0))
    assert max(far_off) > 0.05
