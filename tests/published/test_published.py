"""Official figures come out of the official data, to the printed digit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pyarrow.csv import read_csv

from analysis import Design, Mean, Proportion, Ratio, Total, estimate
from analysis.calibration import Bounds, calibrate, poststratify, rake
from analysis.intervals import interval
from analysis.nonresponse import Report
from analysis.replicates import Replicates

HERE = Path(__file__).parent


def test_the_census_bureaus_verification_totals_for_washington() -> None:
    """Successive differences over 80 replicates: 4/80 times the sum of squares around the full sample."""
    sums = pl.read_parquet(HERE / "acs2015_wa_housing_sums.parquet")
    tenure, vacancy = pl.col("TEN"), pl.col("VACS")
    sums = sums.with_columns(
        all=pl.lit(1.0),
        occupied=tenure.is_not_null(),
        owner=tenure.is_in([1, 2]).fill_null(False),
        renter=tenure.is_in([3, 4]).fill_null(False),
        mortgage=(tenure == 1).fill_null(False),
        free=(tenure == 2).fill_null(False),
        cash_rent=(tenure == 3).fill_null(False),
        no_rent=(tenure == 4).fill_null(False),
        vacant=vacancy.is_not_null(),
        for_rent=(vacancy == 1).fill_null(False),
        for_sale=(vacancy == 3).fill_null(False),
        other=vacancy.is_in([2, 4, 5, 6, 7]).fill_null(False),
    )
    weights = sums.select([f"wgtp{index}" for index in range(1, 81)]).to_numpy()
    design = Design(sums, weights="WGTP", replicates=Replicates(weights, "SDR", combined=True, mse=True))
    published = {
        "all": (2991584, 186),
        "occupied": (2728576, 5151),
        "owner": (1705159, 10411),
        "renter": (1023417, 10413),
        "mortgage": (1170568, 9223),
        "free": (534591, 6244),
        "cash_rent": (984203, 10444),
        "no_rent": (39214, 2536),
        "vacant": (263008, 5115),
        "for_rent": (34608, 2769),
        "for_sale": (28682, 2733),
        "other": (199718, 4996),
    }
    found = estimate(design, [Total(name) for name in published], deff=False)
    assert [(round(one.value), round(one.se)) for one in found] == list(published.values())


def test_the_energy_administrations_worked_example() -> None:
    """Fay's method with rho = 0.5; forgetting 1 / (1 - rho)^2 would give exactly half the standard error."""
    sums = pl.read_parquet(HERE / "recs2015_sums.parquet").with_columns(
        gas=pl.col("natural_gas") & (pl.col("measure") == "households"),
        other=~pl.col("natural_gas") & (pl.col("measure") == "households"),
        energy=pl.col("measure") == "energy",
        members=pl.col("measure") == "members",
    )
    weights = sums.select([f"BRRWT{index}" for index in range(1, 97)]).to_numpy()
    fay = Replicates(weights, "Fay", rho=0.5, combined=True, mse=True)
    design = Design(sums, weights="NWEIGHT", replicates=fay)
    gas, other, ratio = estimate(
        design, [Total("gas"), Total("other"), Ratio("energy", "members")], deff=False
    )
    assert (round(gas.value), round(gas.se)) == (57667485, 1317409)
    assert (round(other.value), round(other.se)) == (60540765, 1317409)
    assert round(ratio.value, 2) == 30269.98
    assert ratio.se == pytest.approx(388.3667, abs=5e-5)
    members = estimate(design, Total("members"), where=(sums["REGIONC"] == 3).to_numpy(), deff=False)[0]
    assert round(members.value) == 112316570


@pytest.fixture(scope="module")
def pupils() -> pl.DataFrame:
    frame = pl.read_parquet(HERE / "yrbs2015.parquet")
    return frame.with_columns(never=(pl.col("qn8") == 1).cast(pl.Float64))


def test_blanks_are_a_domain_and_keep_their_primary_units(pupils: pl.DataFrame) -> None:
    """The right treatment of 44 % blanks, as SUDAAN and SPSS print it."""
    design = Design(pupils, weights="weight", strata="stratum", clusters="psu", nest=True)
    share = estimate(design, Proportion("never"), missing="domain", df="design")[0]
    assert share.df == 41
    assert share.se == pytest.approx(0.02008900645, rel=1e-9)
    assert share.interval("logit")[:2] == pytest.approx((0.7696221083, 0.8508478028), abs=1e-10)
    assert share.n_missing == 6867


def test_deleting_blank_rows_first_gives_another_answer(pupils: pl.DataFrame) -> None:
    """What Stata prints when rows are dropped before the design is declared: two PSUs are gone."""
    kept = pupils.filter(pl.col("never").is_not_null())
    design = Design(kept, weights="weight", strata="stratum", clusters="psu", nest=True)
    share = estimate(design, Proportion("never"))[0]
    assert (share.df, share.se) == (39, pytest.approx(0.0198621, abs=5e-8))
    assert share.interval("logit")[:2] == pytest.approx((0.7700845, 0.8505163), abs=5e-8)
    unstratified = Design(kept, weights="weight", clusters="psu")
    total = estimate(unstratified, Total("never"))[0]
    assert (total.value, total.se) == (pytest.approx(7938.333, abs=5e-4), pytest.approx(560.0856, abs=5e-5))
    assert total.interval("t")[:2] == pytest.approx((6813.915, 9062.752), abs=5e-4)


def test_internet_in_mexicos_households() -> None:
    frame = pl.read_parquet(HERE / "endutih2021.parquet")
    frame = frame.with_columns(
        net=pl.col("P4_4") == 1,
        phone=pl.col("P4_1_6") == 1,
        tv=(pl.col("P4_1_2") == 1) | (pl.col("P4_1_4") == 1),
        w=pl.col("FAC_VIV").cast(pl.Float64),
    )
    design = Design(frame, weights="w", strata="EST_DIS", clusters="UPM_DIS", nest=True)
    net, phone, tv = estimate(design, [Proportion("net"), Proportion("phone"), Proportion("tv")])
    assert (round(100 * net.value, 1), round(100 * tv.value, 1)) == (66.4, 91.2)
    assert design.df == 7885
    assert (net.se, phone.se, tv.se) == pytest.approx((0.003029, 0.001547, 0.001781), abs=5e-7)
    assert net.deff == pytest.approx(2.444, abs=5e-4)
    states = estimate(design, Proportion("net"), by="ENT", df="design")
    chiapas = states.of(ENT=7)
    assert (chiapas.value, chiapas.se) == (
        pytest.approx(0.30764, abs=5e-6),
        pytest.approx(0.0147689, abs=5e-8),
    )
    limits = [one.interval("t") for one in states]
    assert sum(one.upper < 0.5 for one in limits) == 2
    assert sum(one.lower <= 0.5 <= one.upper for one in limits) == 2


def test_births_in_stratified_hospitals_as_sudaan_and_wesvar() -> None:
    frame = pl.read_parquet(HERE / "hospital.parquet")
    design = Design(frame, weights="weighta", strata="oblevel", fpc="tothosp")
    mean, total = estimate(design, [Mean("births"), Total("births")])
    assert (round(mean.value, 1), round(mean.se, 2)) == (1164.4, 215.28)
    assert (round(total.value), round(total.se)) == (183983, 34014)


def test_lehtonen_and_pahkinens_certainty_unit() -> None:
    """A PSU taken with certainty adds nothing to the variance, said by policy or by its fraction."""
    data = {
        "stratum": [2, 1, 1, 1, 1, 1, 1, 1],
        "psu": [1, 10, 4, 7, 32, 26, 18, 13],
        "w": [1, 1.004, 1.893, 2.173, 2.971, 4.762, 6.335, 13.730],
        "unemployed": [4123, 1623, 760, 767, 568, 331, 187, 129],
        "in_stratum": [1] + [31] * 7,
    }
    by_policy = Design(data, weights="w", strata="stratum", clusters="psu", lonely_psu="certainty")
    one = estimate(by_policy, Mean("unemployed"))[0]
    assert (round(one.value, 2), round(one.se, 2)) == (445.18, 150.47)
    by_fraction = Design(data, weights="w", strata="stratum", clusters="psu", fpc="in_stratum")
    assert round(estimate(by_fraction, Mean("unemployed"))[0].se, 2) == 132.39


def test_lohrs_suites() -> None:
    """Grade point averages of four students in each of 5 of 100 suites (Lohr, ch. 5)."""
    marks = [3.08, 2.60, 3.44, 3.04, 2.36, 3.04, 3.28, 2.68, 2.00, 2.56, 2.52, 1.88, 3.00, 2.88, 3.44, 3.64]
    marks += [2.68, 1.92, 3.28, 3.20]
    data = {"gpa": marks, "suite": np.repeat(np.arange(5), 4), "w": np.full(20, 20.0), "N": np.full(20, 100)}
    total, mean = estimate(Design(data, weights="w", clusters="suite", fpc="N"), [Total("gpa"), Mean("gpa")])
    assert (total.value, total.se) == (pytest.approx(1130.4), pytest.approx(65.46596062, rel=1e-9))
    assert (mean.value, mean.se) == (pytest.approx(2.826), pytest.approx(0.1636649016, rel=1e-9))


TEXTBOOK = {
    one["id"]: one
    for one in json.loads((HERE.parent / "oracle" / "textbook.json").read_text(encoding="utf-8"))
}
COUNTIES = {"NC": 1054.0, "NE": 220.0, "S": 1382.0, "W": 422.0}  # of the United States, 1992


def _counties(sample: str) -> Design:
    """One of Lohr's two samples of 300 of 3 078 counties: farmland in 1992 and, known for all, in 1987."""
    frame = pl.read_parquet(HERE / "agriculture1992.parquet").filter(pl.col("sample") == sample)
    frame = frame.with_columns(
        small=pl.col("acres92") < 200_000, region_size=pl.col("region").replace_strict(COUNTIES), size=3078.0
    )
    if sample == "stratified":
        return Design(frame, strata="region", fpc="region_size")
    return Design(frame, fpc="size")


def _agrees(ours: list[float], name: str, *keys: str) -> None:
    expected = TEXTBOOK[f"lohr-{name}"]["expect"]
    assert ours == pytest.approx([expected[key] for key in keys], rel=2e-7)


def test_lohrs_simple_sample_of_counties() -> None:
    design = _counties("simple")
    mean, total, small, ratio = estimate(
        design, [Mean("acres92"), Total("acres92"), Proportion("small"), Ratio("acres92", "acres87")]
    )
    _agrees([mean.value, mean.se], "agsrs-mean", "estimate", "se")
    _agrees([total.value, total.se], "agsrs-total", "estimate", "se")
    _agrees([small.value, small.se], "agsrs-prop", "estimate", "se")
    in_1987 = 964_470_625.0
    found = [ratio.value, ratio.se, ratio.value * in_1987, ratio.se * in_1987]
    _agrees(found, "agsrs-ratio", "estimate", "se", "total", "total_se")


def test_lohrs_sample_told_what_is_known_of_all_counties() -> None:
    """The regression estimator on the farmland of 1987, and post-strata of region."""
    design = _counties("simple").with_columns(one=np.ones(300))
    told = calibrate(design, ["one", "acres87"], [3078.0, 964_470_625.0])
    greg = estimate(told, Total("acres92"))[0]
    _agrees([greg.value, greg.se], "agsrs-greg", "estimate", "se_R_calibrate")
    total, mean = estimate(poststratify(design, "region", COUNTIES), [Total("acres92"), Mean("acres92")])
    found = [total.value, total.se, mean.value, mean.se]
    _agrees(found, "agsrs-poststrat", "total", "total_se", "mean", "mean_se")


def test_lohrs_stratified_sample_of_counties() -> None:
    total, mean = estimate(_counties("stratified"), [Total("acres92"), Mean("acres92")])
    found = [total.value, total.se, mean.value, mean.se]
    _agrees(found, "agstrat-total", "estimate", "se", "mean", "mean_se")


KALTON = [name for name in TEXTBOOK if name.startswith("kalton-")]


@pytest.mark.parametrize("name", KALTON)
def test_kalton_and_flores_cervantes_weights(name: str) -> None:
    """Their 12 cells under post-stratification, raking, GREG and bounded calibration, to eight figures."""
    case = TEXTBOOK[name]
    sample, population = np.array(case["data"]["sample"]), np.array(case["data"]["population"], dtype=float)
    a, b = (index.ravel() for index in np.indices(sample.shape))
    rows = np.repeat(np.arange(12), sample.ravel())
    design = Design({"a": a[rows] + 1, "b": b[rows] + 1, "w": np.ones(rows.size)}, weights="w")
    by_a = {level + 1: float(total) for level, total in enumerate(population.sum(axis=1))}
    by_b = {level + 1: float(total) for level, total in enumerate(population.sum(axis=0))}
    indicators = np.column_stack([a[rows][:, None] == np.arange(4), b[rows][:, None] == np.arange(3)]).astype(
        float
    )
    margins = [*by_a.values(), *by_b.values()]
    bounds = Bounds(0.5, 2.2)
    if name == "kalton-poststrat":
        cells = {(int(x) + 1, int(y) + 1): population[x, y] for x, y in zip(a, b, strict=True)}
        changed = poststratify(design, ["a", "b"], cells)
    elif name == "kalton-rake":
        changed = rake(design, ["a", "b"], [by_a, by_b])
    elif name == "kalton-linear":
        changed = calibrate(design, indicators, margins)
    elif name == "kalton-greg":
        numbers = np.column_stack([np.ones(rows.size), a[rows] + 1.0, b[rows] + 1.0])
        totals = [population.sum(), (population.sum(axis=1) * [1, 2, 3, 4]).sum()]
        changed = calibrate(design, numbers, [*totals, (population.sum(axis=0) * [1, 2, 3]).sum()])
    else:
        distance = "logit" if name == "kalton-logit" else "truncated"
        changed = calibrate(design, indicators, margins, distance, bounds=bounds)  # type: ignore[arg-type]
    first = np.searchsorted(rows, np.arange(12))
    expected = np.array(case["expect"]["weights"]).ravel()
    assert changed.weight[first] == pytest.approx(expected, rel=2e-6)


def test_kishs_effect_of_weights() -> None:
    design = Design({"w": [1.0, 1.0, 2.0, 4.0]}, weights="w")
    report = Report.of("kish", design)
    assert report.kish == pytest.approx(TEXTBOOK["kish-deff"]["expect"]["deff"])
    assert report.n / report.kish == pytest.approx(TEXTBOOK["kish-deff"]["expect"]["neff"])


def test_lohrs_classes_and_nests() -> None:
    """One stage of clusters: 12 of 187 classes, all their pupils; clutches of coots, weighted by their size."""
    classes = pl.read_parquet(HERE / "algebra.parquet").with_columns(w=pl.lit(187 / 12), of=pl.lit(187.0))
    mean, total = estimate(
        Design(classes, weights="w", clusters="class", fpc="of"), [Mean("score"), Total("score")]
    )
    _agrees([mean.value, mean.se, total.value, total.se], "algebra", "mean", "mean_se", "total", "total_se")
    eggs = pl.read_parquet(HERE / "coots.parquet").with_columns(w=pl.col("csize") / 2)
    volume = estimate(Design(eggs, weights="w", clusters="clutch"), Mean("volume"))[0]
    _agrees([volume.value, volume.se], "coots", "mean", "mean_se")


def _oracle(name: str) -> Any:
    return read_csv(HERE.parent / "oracle" / "data" / name)


def _textbook(name: str, *keys: str) -> Any:
    return pytest.approx([TEXTBOOK[name]["expect"][key] for key in keys], rel=1e-7)


def test_statas_example_of_sampling_fractions() -> None:
    data = _oracle("fpc_data.csv.gz")
    design = {"weights": "weight", "strata": "stratid", "clusters": "psuid", "nest": True}
    for name, fpc, statistic in (
        ("stata-fpc", "Nh", Mean("x")),
        ("stata-fpc-wr", None, Mean("x")),
        ("stata-fpc-total", "Nh", Total("x")),
    ):
        one = estimate(Design(data, **design, fpc=fpc), statistic)[0]
        assert [one.value, one.se] == _textbook(name, "estimate", "se"), name


def test_levy_and_lemeshows_balanced_half_samples() -> None:
    data = _oracle("scd.csv.gz")
    halves = np.array([[1, 0, 1, 0, 1, 0], [0, 1, 1, 0, 0, 1], [1, 0, 0, 1, 0, 1], [0, 1, 0, 1, 1, 0]]).T
    design = Design(data, weights="w", replicates=Replicates(2.0 * halves, "BRR"))
    one = estimate(design, Ratio("alive", "arrests"))[0]
    assert [one.value, one.se] == _textbook("levy-scd-brr", "estimate", "se")


def test_the_crowded_households_of_the_vplx_manual() -> None:
    data = _oracle("crowd.csv.gz")
    design = Design(data, weights="weight", clusters="cluster", strata="stratum")
    total, ratio = estimate(design, Total("person"))[0], estimate(design, Ratio("person", "rooms"))[0]
    assert [total.value, total.se] == _textbook("vplx-crowd", "total", "total_se")
    assert [ratio.value, ratio.se] == _textbook("vplx-crowd", "ratio", "ratio_se")


def test_closed_forms_of_intervals() -> None:
    upper = interval("korn_graubard", 0.0, 0.0, 29.0, 30).upper
    assert [upper] == _textbook("clopper-pearson", "upper")
