"""Proves that `survey plan` says before field work what the sample can decide, and learns from a round that was made."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from analysis.planning import design_effect
from survey.cli import main
from survey.folder import Folder
from survey.planning import Assumptions, Effect, NotPlanned, chart, measured, prospect, show
from survey.problems import BadDocument
from tests.publication.test_site import example

FOLDER = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"
RELEASE = example()


@pytest.fixture(scope="module")
def folder() -> Folder:
    return Folder.read(FOLDER)


def test_a_thousand_interviews_cannot_call_52_percent(folder) -> None:
    found = prospect(folder, Assumptions(correlation=0.05, weight_cv=0.0, response=0.5))
    first = found.chances[0]
    assert found.interviews == 1200
    assert first.true[1] == 0.52
    assert first.power[1] < 0.5
    assert first.households[1] > 5 * found.drawn / 2
    assert list(first.power) == sorted(first.power)
    assert list(first.households) == sorted(first.households, reverse=True)


def test_a_target_of_95_percent_is_looked_at_from_below(folder) -> None:
    found = prospect(folder, Assumptions())
    assert {chance.true[0] for chance in found.chances} == {0.51, 0.81, 0.94}


def test_a_round_teaches_the_next_plan() -> None:
    learned = measured(RELEASE, Assumptions(cost_of_area=7.0))
    assert learned.source == RELEASE.reference
    assert learned.response == RELEASE.outcomes.rates["RR3"]
    assert learned.cost_of_area == 7.0
    assert learned.correlation >= 0.0


def test_each_indicator_brings_its_own_design_effect(folder) -> None:
    """The next plan goes by what was measured of each target's indicator, and by the common guess elsewhere."""
    main, other = folder.analysis.targets[0], folder.analysis.targets[2]
    known = {
        main.indicator: Effect(
            name={"vi": "a", "en": "a"}, effect=1.4, correlation=0.02, weight_cv=0.3, take=14.0
        ),
    }
    found = prospect(folder, Assumptions(correlation=0.05, weight_cv=0.3, by_indicator=known))
    by_target = {chance.target.id: chance for chance in found.chances}
    people = folder.plan.sampling.take * found.assumptions.response
    assert by_target[main.id].effect == pytest.approx((1 + (people - 1) * 0.02) * (1 + 0.3**2))
    assert by_target[other.id].effect == found.effect
    assert found.effect > by_target[main.id].effect
    assert set(measured(RELEASE, Assumptions()).by_indicator) <= {one.id for one in RELEASE.plan.indicators}


def test_a_round_made_again_as_it_was_has_the_design_effects_that_it_had() -> None:
    """Also where calibration has brought one below what the weights alone would cost."""
    learned = measured(RELEASE, Assumptions())
    for id, one in learned.by_indicator.items():
        again = design_effect(max(one.take, 1.0), one.correlation, one.weight_cv)
        assert again == pytest.approx(max(RELEASE.cell(id).deff, 1.0)), id


def test_a_plan_that_shares_its_alpha_needs_more_households(folder) -> None:
    shared = replace(folder, analysis=replace(folder.analysis, multiplicity="bonferroni"))
    own, less = prospect(folder, Assumptions()), prospect(shared, Assumptions())
    assert less.chances[0].target.alpha == pytest.approx(0.05 / len(folder.analysis.targets))
    assert all(b > a for a, b in zip(own.chances[0].households, less.chances[0].households, strict=True))


def test_allocations_stand_side_by_side(folder, tmp_path) -> None:
    strata = tmp_path / "strata.csv"
    strata.write_text("stratum,households,share\nurban,200000,0.5\nrural,300000,0.05\n", encoding="utf-8")
    found = prospect(folder, Assumptions(), strata)
    urban = found.strata[0]
    assert urban.neyman > urban.proportional
    assert found.errors[1] == min(found.errors)
    assert all(math.isclose(sum(part), found.interviews) for part in
               zip(*((one.proportional, one.neyman, one.power) for one in found.strata), strict=True))  # fmt: skip


def test_every_mistake_of_the_strata_is_named(folder, tmp_path) -> None:
    strata = tmp_path / "strata.csv"
    strata.write_text("stratum,households,share\na,many,0.5\nb,10,1.5\n", encoding="utf-8")
    with pytest.raises(BadDocument) as bad:
        prospect(folder, Assumptions(), strata)
    assert [finding.where for finding in bad.value.findings] == ["strata.csv, row 2", "strata.csv, row 3"]
    strata.write_text("stratum,households,share\n", encoding="utf-8")
    with pytest.raises(BadDocument):
        prospect(folder, Assumptions(), strata)


def test_assumptions_that_cannot_be_are_refused(folder) -> None:
    with pytest.raises(NotPlanned):
        prospect(folder, Assumptions(correlation=1.5))


def test_the_chart_is_one_picture_with_words_for_those_who_do_not_see_it(folder) -> None:
    found = prospect(folder, Assumptions())
    for language, word in (("vi", "Xác suất"), ("en", "Probability")):
        picture = ElementTree.fromstring(chart(found, language))
        title, described = (picture.find(f"{{*}}{name}").text for name in ("title", "desc"))
        assert word in title
        assert re.search(r"53[,.]0%", described)
        dashes = [line.get("stroke-dasharray") for line in picture.findall("{*}polyline")]
        assert len(set(dashes)) == 3, "told apart without colour"


def test_the_command_prints_both_languages_and_writes_both_charts(folder, tmp_path, capsys) -> None:
    assert main(["plan", str(FOLDER), "--response", "0.7", "--chart", str(tmp_path / "plan.svg")]) == 0
    out = capsys.readouterr().out
    assert "70%" in out
    assert (tmp_path / "plan.svg").read_text("utf-8").startswith("<svg")
    assert (tmp_path / "plan.en.svg").exists()
    assert main(["plan", str(FOLDER), "--release", str(tmp_path)]) == 1


def test_targets_of_one_threshold_share_a_table(folder) -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    show(prospect(folder, Assumptions()), console)
    said = console.export_text()
    assert said.count("If the true share is") == 3
    assert "LQAS" in said
