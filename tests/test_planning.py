"""Proves that `survey plan` says before field work what the sample can decide, and learns from a round that was made."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from survey.cli import main
from survey.folder import Folder
from survey.planning import Assumptions, NotPlanned, chart, measured, prospect, show
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
