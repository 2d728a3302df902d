"""Proves that a commune gets a modelled share only where it may, with its error, and that maps say how each is known."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from analysis.estimates import Estimate
from analysis.indicators import ReleaseRules, SmallArea
from survey.problems import BadDocument
from survey.publication.maps import BadBoundaries, Outlines, check_places, outlines, tile_map
from survey.publication.modelled import (
    Auxiliaries,
    People,
    _single_people,
    modelled,
    read_auxiliaries,
    read_census,
    read_series,
)
from survey.publication.results import Modelled
from survey.publication.voice import Voice
from tests.publication.test_site import example

PLACES = [f"c{number:02d}" for number in range(40)]
ASKED = SmallArea(indicator="A", domain="commune", auxiliaries="communes.csv", columns=("young",))


def estimate(value: float, n: int) -> Estimate:
    se = math.sqrt(1.4 * value * (1 - value) / n)
    return Estimate(statistic="s", kind="proportion", value=value, se=se, df=5, n=n, deff_replace=1.4)


def world(seed: int = 1):
    generator = np.random.default_rng(seed)
    young = generator.uniform(0.2, 0.4, len(PLACES))
    truth = np.clip(0.1 + 1.4 * young + generator.normal(0, 0.04, len(PLACES)), 0.02, 0.98)
    direct = {
        place: estimate(generator.binomial(30, p) / 30, 30) for place, p in zip(PLACES, truth, strict=True)
    }
    direct["c00"] = estimate(0.5, 4)
    del direct["c01"]
    known = Auxiliaries(dict.fromkeys(PLACES, 1000.0), {"young": dict(zip(PLACES, young, strict=True))})
    return direct, known, truth, estimate(float(truth.mean()), 1200)


def test_places_without_a_measured_figure_get_a_modelled_one_that_adds_up():
    direct, known, truth, whole = world()
    found, report = modelled(ASKED, direct, ["c05"], whole, PLACES, known, ReleaseRules())
    by_place = {one.category: one for one in found}
    assert "c05" not in by_place, "where the survey may speak the model is silent"
    assert len(found) == 39
    assert by_place["c00"].synthetic, "four respondents do not enter"
    assert by_place["c01"].synthetic
    assert not by_place["c02"].synthetic
    assert report.shown
    assert report.interviewed == 38
    everyone, _ = modelled(ASKED, direct, [], whole, PLACES, known, ReleaseRules())
    assert np.mean([one.value for one in everyone]) == pytest.approx(whole.value, abs=0.001)
    error = np.array([one.value for one in everyone]) - truth
    raw = [direct[place].value - p for place, p in zip(PLACES, truth, strict=True) if place in direct]
    assert np.sqrt(np.mean(error**2)) < 0.6 * np.sqrt(np.mean(np.square(raw)))
    assert all(one.lower <= one.value <= one.upper and one.rmse > 0 for one in everyone)
    assert by_place["c02"].needed > 50


def household_of(generator, truth, *, shifted: float = 0.0):
    """People of two groups in each place, and how many of each live there: the young have it more often."""
    places, groups, has = [], [], []
    census = {}
    for place, share in zip(PLACES, truth, strict=True):
        census[place, "old"], census[place, "young"] = 600.0, 400.0
        for group, odds in (("old", -0.5), ("young", 0.7)):
            p = 1.0 / (1.0 + math.exp(-(math.log(share / (1 - share)) + odds + shifted)))
            n = 18 if group == "old" else 12
            places += [place] * n
            groups += [(group,)] * n
            has += list(generator.random(n) < p)
    n = len(places)
    return People(places, groups, np.array(has, dtype=float), generator.uniform(50, 150, n)), census


def _single_people_of(asked, known, people, whole) -> list[float]:
    """Shares by the model of single people alone, whatever the other one says."""
    columns = np.column_stack([[known.columns[name][place] for place in PLACES] for name in asked.columns])
    told, _, _ = _single_people(known.census, columns, people, PLACES, ReleaseRules(), 1.4)
    return told.value.round(9).tolist()


UNIT = replace(ASKED, census="census.csv", by=("age",))


def test_a_model_of_single_people_looks_at_the_same_places_and_may_be_the_one_that_is_published():
    direct, known, truth, whole = world()
    people, census = household_of(np.random.default_rng(2), truth)
    both = replace(known, census=census)
    found, report = modelled(UNIT, direct, [], whole, PLACES, both, ReleaseRules(), people)
    assert report.shown
    assert report.published == "area"
    assert report.second.agreement >= 0.9
    assert report.second.people == len(people.has)
    plain, _ = modelled(ASKED, direct, [], whole, PLACES, known, ReleaseRules())
    assert found == plain, "the second opinion changes no figure"

    other = replace(UNIT, publish="unit")
    single, report = modelled(other, direct, [], whole, PLACES, both, ReleaseRules(), people)
    assert report.published == "unit"
    assert [one.value for one in single] != [one.value for one in plain]
    assert np.mean([one.value for one in single]) == pytest.approx(whole.value, abs=0.001)
    assert all(0.0 < one.lower < one.value < one.upper < 1.0 for one in single)
    error = np.array([one.value for one in single]) - truth
    raw = [direct[place].value - p for place, p in zip(PLACES, truth, strict=True) if place in direct]
    assert np.sqrt(np.mean(error**2)) < 0.7 * np.sqrt(np.mean(np.square(raw)))
    stated = np.sqrt(np.mean([one.rmse**2 for one in single]))
    assert 0.6 < np.sqrt(np.mean(error**2)) / stated < 1.6


def test_models_that_contradict_each_other_are_both_kept_back():
    direct, known, truth, whole = world()
    people, census = household_of(np.random.default_rng(2), truth, shifted=1.2)
    found, report = modelled(
        UNIT, direct, [], whole, PLACES, replace(known, census=census), ReleaseRules(), people
    )
    assert report.second.agreement < 0.9
    assert not report.shown
    assert {one.value for one in found} == {None}
    twice = replace(known, columns=known.columns | {"again": known.columns["young"]}, census=census)
    asked = replace(UNIT, columns=("young", "again"))
    assert _single_people_of(asked, twice, people, whole) == _single_people_of(
        UNIT, replace(known, census=census), people, whole
    )
    lacking = {key: count for key, count in census.items() if key[0] != "c03"}
    asked = replace(UNIT, publish="unit")
    found, report = modelled(
        asked, direct, [], whole, PLACES, replace(known, census=lacking), ReleaseRules(), people
    )
    assert not report.shown, "a census without one of the places"


def test_the_census_is_read_with_every_mistake_named():
    good = "category,age,people\nc01,young,10\nc01,old,5\n"
    assert read_census(good, "census.csv", ("age",)) == {("c01", "young"): 10.0, ("c01", "old"): 5.0}
    with pytest.raises(BadDocument) as bad:
        read_census(good + "c01,old,7\nc02,old,-1\nc03,old,x\n", "census.csv", ("age",))
    assert [one.where for one in bad.value.findings] == [f"census.csv, row {row}" for row in (4, 5, 6)]


def test_nothing_of_a_place_s_own_answers_can_be_read_from_its_modelled_share():
    direct, known, _, whole = world()
    found, report = modelled(ASKED, direct, [], whole, PLACES, known, ReleaseRules())
    assert not {"gamma", "n", "direct", "coefficients"} & set(Modelled.__struct_fields__)
    assert all(one.value == round(one.value, 3) for one in found)
    assert report.median_gamma < 1


def test_without_auxiliaries_a_place_is_not_available_and_says_what_it_would_take():
    direct, _, _, whole = world()
    found, report = modelled(ASKED, direct, ["c05"], whole, PLACES, None, ReleaseRules())
    assert report is None
    assert {one.value for one in found} == {None}
    assert all(one.needed > 50 for one in found)


def test_a_model_that_fails_its_checks_is_not_shown(monkeypatch):
    direct, known, _, whole = world()
    monkeypatch.setattr("survey.publication.modelled.FIT", 1.1)
    found, report = modelled(ASKED, direct, [], whole, PLACES, known, ReleaseRules())
    assert not report.shown
    assert {one.value for one in found} == {None}


def test_every_mistake_of_the_files_is_named():
    text = "category,people,young\na,100,0.2\nb,many,0.3\nc,10,\n"
    with pytest.raises(BadDocument) as bad:
        read_auxiliaries(text, "communes.csv", ("young",))
    assert [one.where for one in bad.value.findings] == ["communes.csv, row 3", "communes.csv, row 4"]
    good = read_auxiliaries("\ufeff" + text.partition("b,")[0], "communes.csv", ("young",))
    assert good.people == {"a": 100.0}
    header = "indicator,name_vi,name_en,period,value,unit_vi,unit_en,source\n"
    (one,) = read_series(
        header + "A,Tài khoản,Accounts,2026,132.8,trên 100 người,per 100 people,Ngân hàng\n", "a.csv"
    )
    assert one.value == 132.8
    for wrong in ("x", "nan", "1e999"):
        with pytest.raises(BadDocument, match="row 2"):
            read_series(header + f"A,Tài khoản,Accounts,2026,{wrong},,,\n", "a.csv")
    with pytest.raises(BadDocument, match="row 3"):
        read_auxiliaries("category,people,young\na,100,0.2\na,900,0.3\n", "communes.csv", ("young",))


def square(code: str, x: float) -> dict:
    ring = [[x, 20.0], [x + 1, 20.0], [x + 1, 21.0], [x, 21.0], [x, 20.0]]
    return {
        "type": "Feature",
        "properties": {"code": code},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def test_real_boundaries_become_paths_to_scale():
    found = outlines(
        msgspec.json.encode(
            {"type": "FeatureCollection", "features": [square("a", 106.0), square("b", 107.0)]}
        )
    )
    assert found.paths["a"].startswith("M0.0,")
    assert found.height == pytest.approx(1000 / (2 * math.cos(math.radians(20.5))), rel=1e-6)
    with pytest.raises(BadBoundaries):
        outlines(b'{"features": [{"properties": {}, "geometry": {}}]}')


def test_boundaries_that_would_be_drawn_wrongly_are_refused_by_name():
    metres = msgspec.json.encode({"features": [square("a", 580_000.0)]})
    with pytest.raises(BadBoundaries, match="EPSG:4326"):
        outlines(metres)
    with pytest.raises(BadBoundaries):
        outlines(metres.replace(b"580000.0", b'"nan"'))
    both = outlines(msgspec.json.encode({"features": [square("a", 106.0), square("a", 108.0)]}))
    assert both.paths["a"].count("M") == 2, "an island that is a feature of its own stays"

    release = example()
    domain = next(name for name, places in release.names.items() if len(places) > 12)
    model = replace(ASKED, domain=domain)
    release = msgspec.structs.replace(release, plan=replace(release.plan, small_areas=(model,)))
    places = list(release.names[domain])
    check_places(Outlines(dict.fromkeys(places, "M0,0Z"), 1.0), release)
    with pytest.raises(BadBoundaries, match=f"1 places.*{places[-1]}"):
        check_places(Outlines(dict.fromkeys(places[:-1], "M0,0Z"), 1.0), release)


def test_the_map_says_of_each_place_how_it_is_known():
    release = example()
    domain = next(name for name, places in release.names.items() if len(places) > 12)
    places = list(release.names[domain])
    indicator = release.plan.indicators[0].id
    measured = {cell.category for cell in release.table(indicator, domain) if cell.status == "show"}
    other = next(place for place in places if place not in measured)
    release = msgspec.structs.replace(
        release,
        modelled=(
            Modelled(
                indicator=indicator,
                domain=domain,
                category=other,
                value=0.3,
                lower=0.2,
                upper=0.4,
                rmse=0.05,
                needed=90,
            ),
        ),
    )
    found = tile_map(release, Voice("vi"), indicator, domain, None)
    kinds = {tile.name: tile for tile in found.tiles}
    assert kinds[release.names[domain][other]["vi"]].kind == "modelled"
    assert "90" in kinds[release.names[domain][other]["vi"]].needed
    assert {tile.kind for tile in found.tiles} >= {"measured", "modelled", "none"}
    assert all((tile.shade > 0) == (tile.kind != "none") for tile in found.tiles)
    assert "ước tính bằng mô hình" in found.alt
    assert len({text for _, text in found.legend}) == 5
    assert tile_map(example(), Voice("en"), "nothing", domain, None) is None
