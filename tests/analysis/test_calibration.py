"""Calibrated weights meet their totals, a calibrated margin has no error, and what cannot be met is named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Count, Design, Mean, Proportion, Total, estimate
from analysis.calibration import Bounds, calibrate, narrowest_bounds, poststratify, rake, rake_households
from analysis.errors import AnalysisError, DesignError, NotPossible
from analysis.replicates import bootstrap, jackknife
from analysis.trimming import trim


def persons(seed: int, n: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "w": rng.uniform(5, 50, n),
        "stratum": np.repeat(["a", "b"], n // 2),
        "psu": np.repeat(np.arange(n // 10), 10),
        "sex": rng.choice(["f", "m"], n),
        "age": rng.choice(["young", "mid", "old"], n, p=[0.3, 0.4, 0.3]),
        "x": rng.normal(10, 2, n),
        "y": rng.normal(5, 1, n),
    }


def design(data: dict[str, np.ndarray]) -> Design:
    return Design(data, weights="w", strata="stratum", clusters="psu")


SEX, AGE = {"f": 5200.0, "m": 4800.0}, {"young": 3100.0, "mid": 3900.0, "old": 3000.0}


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_raked_margin_is_met_and_has_standard_error_0(seed: int) -> None:
    raked = rake(design(persons(seed)), ["sex", "age"], [SEX, AGE])
    data = raked.columns
    for name, totals in (("sex", SEX), ("age", AGE)):
        codes, labels = data.codes(name)
        for place, label in enumerate(labels):
            assert raked.weight[codes == place].sum() == pytest.approx(totals[str(label)], rel=1e-10)
    shares = estimate(raked, Proportion("sex", "f"))
    assert shares[0].value == pytest.approx(0.52, rel=1e-10)
    assert shares[0].se < 1e-12


def test_a_missing_value_outside_the_domain_does_not_spoil_a_calibrated_estimate() -> None:
    """R's svymean gives NA there, because it keeps the rows outside and multiplies them by 0."""
    raked = rake(design(persons(1)), ["sex", "age"], [SEX, AGE])
    y = raked.columns.numbers("y").copy()
    y[[2, 9, 77]] = np.nan
    holed, known = raked.with_columns(y=y), ~np.isnan(y)
    present = estimate(holed, Mean("y"), missing="domain")[0]
    masked, whole = (estimate(one, Mean("y"), where=known)[0] for one in (holed, raked))
    assert present.n_missing == 3
    assert (present.value, present.se) == (masked.value, masked.se) == (whole.value, whole.se)


def test_the_order_of_margins_does_not_matter() -> None:
    one = rake(design(persons(1)), ["sex", "age"], [SEX, AGE])
    other = rake(design(persons(1)), ["age", "sex"], [AGE, SEX])
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-9)
    assert estimate(one, Mean("y"))[0].se == pytest.approx(estimate(other, Mean("y"))[0].se, rel=1e-8)


def test_poststratifying_is_raking_on_one_margin() -> None:
    one = poststratify(design(persons(2)), "age", AGE)
    other = rake(design(persons(2)), ["age"], [AGE])
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-10)


def test_calibration_on_a_number_meets_its_total_and_leaves_it_without_error() -> None:
    data = persons(3)
    data["one"] = np.ones(400)
    fitted = calibrate(design(data), ["one", "x"], {"one": 10_000.0, "x": 101_000.0})
    total = estimate(fitted, Total("x"))[0]
    assert total.value == pytest.approx(101_000.0, rel=1e-10)
    assert total.se < 1e-6 * total.value


@pytest.mark.parametrize("distance", ["logit", "truncated"])
def test_bounded_factors_stay_within_their_bounds(distance: str) -> None:
    data = persons(4)
    data["one"] = np.ones(400)
    before = design(data)
    n = before.weight.sum()
    bounds = Bounds(0.6, 1.7)
    after = calibrate(before, ["one", "x"], [1.05 * n, 10.6 * n], distance, bounds=bounds)  # type: ignore[arg-type]
    factors = after.weight / before.weight
    assert factors.min() >= 0.6 - 1e-9
    assert factors.max() <= 1.7 + 1e-9


def test_a_population_category_nobody_was_drawn_from_is_named() -> None:
    with pytest.raises(NotPossible, match="nobody there"):
        rake(design(persons(5)), ["age"], [{**AGE, "oldest": 10.0}])


def test_margins_that_disagree_about_the_population_are_refused() -> None:
    with pytest.raises(NotPossible, match="disagree"):
        rake(design(persons(5)), ["sex", "age"], [SEX, {**AGE, "old": 5000.0}])


def test_a_sampled_category_without_a_total_is_named() -> None:
    with pytest.raises(DesignError, match="no population total for"):
        rake(design(persons(5)), ["age"], [{"young": 1.0, "mid": 1.0}])


def test_totals_out_of_reach_of_the_bounds_are_named_with_the_bounds_that_would_do() -> None:
    data = persons(6)
    data["one"] = np.ones(400)
    before = design(data)
    n, x = float(before.weight.sum()), float((before.weight * data["x"]).sum())
    with pytest.raises(NotPossible, match=r"in the way is x .*; factors from 0\.\d+ to 1\.\d+ would do"):
        calibrate(before, ["one", "x"], [n, 1.06 * x], "logit", bounds=Bounds(0.9, 1.1))


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_just_within_the_narrowest_bounds_there_are_no_weights_and_just_outside_there_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = persons(seed)
    data["one"] = np.ones(400)
    before = design(data)
    truth = before.weight * rng.uniform(0.4, 1.6, 400)
    totals = [truth.sum(), 1.02 * (truth * data["x"]).sum()]
    limits = narrowest_bounds(before, ["one", "x"], totals)
    t = limits.upper - 1.0
    wide, narrow = (Bounds(1.0 - share * t, 1.0 + share * t) for share in (1.05, 0.98))
    after = calibrate(before, ["one", "x"], totals, "truncated", bounds=wide)
    assert (after.weight * data["x"]).sum() == pytest.approx(totals[1], rel=1e-9)
    with pytest.raises(NotPossible, match=f"to {1 + t:.3g} would do"):
        calibrate(before, ["one", "x"], totals, "truncated", bounds=narrow)


def test_totals_that_no_weights_reach_name_the_margin_in_the_way() -> None:
    # Everybody in "f" is young in the sample, so 5200 women cannot be among 3100 young people.
    data = persons(6)
    data["age"] = np.where(data["sex"] == "f", "young", data["age"])
    with pytest.raises(
        NotPossible, match=r"no weights reach the totals; in the way is .*(sex = f|age = young)"
    ):
        rake(design(data), ["sex", "age"], [SEX, AGE])
    data["one"], data["two"] = np.ones(400), np.full(400, 2.0)
    with pytest.raises(NotPossible, match="in the way"):
        narrowest_bounds(design(data), ["one", "two"], [400.0, 900.0])


def test_a_category_without_people_needs_no_sample() -> None:
    fitted = poststratify(design(persons(2)), "age", {**AGE, "ancient": 0.0})
    by_psu = estimate(fitted, Mean("y"), by="psu")  # many domains go another way than one
    alone = estimate(fitted, Mean("y"), where=fitted.columns.numbers("psu") == 3)[0]
    assert by_psu[3].se == pytest.approx(alone.se, rel=1e-9)


def test_replicates_are_calibrated_anew() -> None:
    raked = rake(design(persons(8)), ["sex", "age"], [SEX, AGE])
    linear = estimate(raked, Mean("y"))[0]
    for replicated in (jackknife(raked), bootstrap(raked, 400, np.random.default_rng(1))):
        assert estimate(replicated, Total("y"), by="sex")[0].value > 0
        assert estimate(replicated, Proportion("sex", "f"))[0].se < 1e-10
        assert estimate(replicated, Mean("y"))[0].se == pytest.approx(linear.se, rel=0.12)
        weights = replicated.replicates.weights(replicated)  # type: ignore[union-attr]
        women = weights[np.asarray(raked.columns.codes("sex")[0]) == 0].sum(axis=0)
        np.testing.assert_allclose(women, 5200.0, rtol=1e-9)


def households(seed: int = 1, homes: int = 300) -> dict[str, np.ndarray]:
    """Every member of 300 households in 30 PSUs."""
    rng = np.random.default_rng(seed)
    home = np.repeat(np.arange(homes), rng.integers(1, 6, homes))
    age = rng.choice(["young", "mid", "old"], home.size, p=[0.3, 0.45, 0.25])
    return {
        "household": home,
        "w": rng.uniform(20, 60, homes)[home],
        "psu": home // 10,
        "stratum": home // 100,
        "sex": rng.choice(["f", "m"], home.size),
        "age": age,
        "area": rng.choice(["town", "country"], homes)[home],
        "size": np.minimum(np.bincount(home), 4)[home],
        "share": 1.0 / np.bincount(home)[home],  # adds up to 1 in each household
        "y": rng.normal(5, 1, home.size) + rng.normal(0, 1, homes)[home],
    }


def whole(data: dict[str, np.ndarray], column: str, by: np.ndarray) -> dict[object, float]:
    """Totals near what the sample says, so that they can be met."""
    return {level: float(by[data[column] == level].sum()) for level in dict.fromkeys(data[column].tolist())}


def test_one_weight_for_a_household_meets_margins_of_people_and_of_households() -> None:
    data = households()
    rng = np.random.default_rng(3)
    truth = data["w"] * rng.uniform(0.8, 1.3, 300)[data["household"]]
    people = {name: whole(data, name, truth) for name in ("sex", "age")}
    homes = {name: whole(data, name, truth * data["share"]) for name in ("area", "size")}
    fitted = rake_households(design(data), "household", people, homes)
    assert np.ptp(fitted.weight[data["household"] == 7]) == 0
    for name, totals in people.items():
        for level, total in totals.items():
            one = estimate(fitted, Count(), where=data[name] == level)[0]
            assert one.value == pytest.approx(total, rel=1e-10)
            assert one.se < 1e-6
    for name, totals in homes.items():
        for level, total in totals.items():
            one = estimate(fitted, Total("share"), where=data[name] == level)[0]
            assert one.value == pytest.approx(total, rel=1e-10)
            assert one.se < 1e-6
    linear, again = (estimate(one, Mean("y"))[0].se for one in (fitted, jackknife(fitted)))
    assert linear == pytest.approx(again, rel=0.08)
    bounded = rake_households(
        design(data), "household", people, homes, distance="logit", bounds=Bounds(0.5, 2)
    )
    assert (bounded.weight / data["w"]).max() < 2.0


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("w", 99.0, "weight is not the same"),
        ("psu", 28, "PSU is not the same"),
        ("area", "sea", "area is not the same"),
    ],
)
def test_households_that_are_not_one_are_refused(column: str, value: object, says: str) -> None:
    data = households()
    inside = np.flatnonzero(np.bincount(data["household"])[data["household"]] > 1)[1]
    data[column] = data[column].astype(object if column == "area" else data[column].dtype)
    data[column][inside] = value
    if column == "psu":
        data["stratum"] = data["psu"] // 10
    with pytest.raises(DesignError, match=says):
        rake_households(
            design(data), "household", {"sex": SEX}, {"area": {"town": 150.0, "country": 150.0, "sea": 9.0}}
        )


def test_trimming_keeps_the_sum_and_the_limits() -> None:
    before = design(persons(7))
    after, report = trim(before, 8.0, 45.0, strict=True)
    assert after.weight.sum() == pytest.approx(before.weight.sum())
    assert after.weight.min() >= 8.0 - 1e-9
    assert after.weight.max() <= 45.0 + 1e-9
    assert report.largest <= 45.0 + 1e-9


def test_trimming_to_limits_that_leave_the_mean_outside_is_refused() -> None:
    with pytest.raises(NotPossible, match="mean weight"):
        trim(design(persons(7)), 0.0, 6.0)


def test_trimming_that_would_make_a_weight_negative_is_refused() -> None:
    few = Design(
        {"w": [0.1, 0.1, 0.1, 0.1, 3.9, 3.9, 1.05], "psu": np.arange(7)}, weights="w", clusters="psu"
    )
    with pytest.raises(NotPossible, match="more than the others have"):
        trim(few, 1.0, 4.0)


@given(st.integers(0, 10**6), st.sampled_from(["equal", "proportional"]))
@settings(max_examples=60, deadline=None)
def test_strict_trimming_ends_within_its_limits_or_says_why_not(seed: int, sharing: str) -> None:
    rng = np.random.default_rng(seed)
    weight = np.exp(rng.normal(0, 1.5, int(rng.integers(3, 60))))
    lower, upper = weight.mean() * rng.uniform(0, 1), weight.mean() * rng.uniform(1, 2)
    one = Design({"w": weight, "psu": np.arange(weight.size)}, weights="w", clusters="psu")
    try:
        after, _ = trim(one, lower, upper, sharing=sharing, strict=True)  # type: ignore[arg-type]
    except NotPossible:
        return
    assert after.weight.sum() == pytest.approx(weight.sum(), rel=1e-9)
    assert after.weight.min() >= lower * (1 - 1e-9)
    assert after.weight.max() <= upper * (1 + 1e-9)


def test_factors_that_all_lie_outside_the_limits_of_trimming_are_cut(sample: Callable[..., Design]) -> None:
    design = sample()
    whole = float(design.weight.sum())
    ones = np.ones((design.rows, 1))
    cut = calibrate(design, ones, [1.4 * whole], trim=Bounds(0.5, 1.2))
    assert np.allclose(cut.weight, 1.2 * design.weight)


def test_bounded_raking_far_from_its_totals_ends_in_words(sample: Callable[..., Design]) -> None:
    """No overflow on the way (a warning is an error in tests)."""
    design = sample()
    income = design.columns.numbers("income")
    matrix = np.stack([np.ones(design.rows), income], axis=1)
    totals = [float(design.weight.sum()), 2.9 * float(design.weight @ income)]
    with pytest.raises(AnalysisError, match="within the bounds"):
        calibrate(design, matrix, totals, "raking", bounds=Bounds(0.4, 3.0))
