"""Proves that the weighting chain does what the plan says: who stands for whom, at each step, in numbers one can
check by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.indicators import AnalysisPlan, Indicator, ReleaseRules, Step
from survey.publication.weighting import NotWeighted, having, inside, margins_of, shares, weigh

PLAN = AnalysisPlan(
    id="tiny",
    weighting=(
        Step(step="base"),
        Step(step="unknown_eligibility", by=("stratum",)),
        Step(step="nonresponse", by=("stratum", "mode"), minimum=1, maximum_factor=10),
        Step(step="selection", unit="person"),
    ),
    indicators=(),
    targets=(),
    domains=(),
    release=ReleaseRules(),
)
# Two strata of two areas. Chance 1/100 everywhere in "town", 1/50 in "country".
CASES = [
    # stratum, psu, category, respondent, mode
    ("town", "t1", "I", True, "self"),
    ("town", "t1", "I", True, "visit"),
    ("town", "t1", "R", False, "visit"),
    ("town", "t2", "I", True, "visit"),
    ("town", "t2", "UH", False, "visit"),
    ("country", "c1", "I", True, "visit"),
    ("country", "c1", "NE", False, "visit"),
    ("country", "c2", "I", True, "visit"),
    ("country", "c2", "NC", False, "visit"),
]


def households(**changes):
    stratum, psu, category, respondent, mode = map(np.array, zip(*CASES, strict=True))
    town = stratum == "town"
    return {
        "case": np.array([f"h{number}" for number in range(len(CASES))]),
        "stratum": stratum,
        "psu": psu,
        "category": category,
        "respondent": respondent,
        "mode": mode,
        "stage1_probability": np.where(town, 0.1, 0.2),
        "stage2_probability": np.full(len(CASES), 0.1),
        "field_factor": np.ones(len(CASES)),
        "certainty": np.zeros(len(CASES), dtype=bool),
        inside("HH"): np.ones(len(CASES)),
        having("HH"): np.array([1, 0, np.nan, 1, np.nan, 0, np.nan, np.nan, np.nan], dtype=float),
    } | changes


def persons(**changes):
    """In each answering household an adult drawn from `from_how_many`; household 1 also has a child."""
    return {
        "household": np.array([0, 1, 1, 3, 5, 7]),
        "from_how_many": np.array([2, 3, 1, 1, 2, 4]),
        "sex": np.array(["f", "m", "f", "f", "m", "m"]),
        inside("P"): np.ones(6),
        having("P"): np.array([1, 0, 0, 1, 0, 1], dtype=float),
    } | changes


def test_each_answering_household_carries_those_like_it_that_did_not():
    weighted = weigh(households(), persons(), PLAN, {})
    # Town: 5 cases of weight 100; the unresolved one is shared out among the four others: 125 each. The refusal of a
    # visit is carried by the two visited that answered, not by the one that answered online.
    assert weighted.households.weight[:5] == pytest.approx([125, 187.5, 0, 187.5, 0])
    # Country: the vacant dwelling takes its 50 with it; the non-contact is carried by the two that answered.
    assert weighted.households.weight[5:] == pytest.approx([75, 0, 75, 0])
    assert weighted.base == pytest.approx([100] * 5 + [50] * 4)


def test_the_person_drawn_stands_for_all_who_could_have_been_and_a_child_for_itself():
    weighted = weigh(households(), persons(), PLAN, {})
    assert weighted.persons.weight == pytest.approx([125 * 2, 187.5 * 3, 187.5, 187.5, 75 * 2, 75 * 4])


def test_every_step_is_reported():
    steps = weigh(households(), persons(), PLAN, {}).steps
    assert [(step.step, step.unit, step.n) for step in steps] == [
        ("base", "household", 9), ("unknown_eligibility", "household", 8), ("nonresponse", "household", 5),
        ("selection", "person", 6),
    ]  # fmt: skip
    assert steps[0].sum == pytest.approx(700)
    assert steps[1].sum == pytest.approx(700), "sharing out loses nobody"
    assert steps[2].sum == pytest.approx(650), "only the ineligible leave"
    assert steps[0].kish == pytest.approx(1 + steps[0].cv ** 2)


def test_raking_reaches_the_population_and_the_report_follows():
    plan = replace(
        PLAN,
        weighting=(*PLAN.weighting, Step(step="rake", unit="person", margins=(("sex",),), totals="p.csv")),
    )
    totals = {"p.csv": margins_of("sex,area,total\nf,1,400\nf,2,500\nm,1,1100\n", [("sex",)])}
    weighted = weigh(households(), persons(), plan, totals)
    women = persons()["sex"] == "f"
    assert weighted.persons.weight[women].sum() == pytest.approx(900)
    assert weighted.persons.weight[~women].sum() == pytest.approx(1100)
    assert weighted.steps[-1].sum == pytest.approx(2000)


def test_small_cells_are_merged_and_the_merging_is_told():
    step = Step(step="nonresponse", by=("stratum", "mode"), minimum=4)
    plan = replace(PLAN, weighting=(PLAN.weighting[0], PLAN.weighting[1], step))
    report = weigh(households(), persons(), plan, {}).steps[-1]
    assert report.merged
    assert all(" → " in one for one in report.merged)


def test_an_undecided_answer_counts_as_declared():
    indicator = Indicator(
        id="HH", name={}, unit="household", universe="", numerator="", denominator={}, source="", edition="",
        reference_period={},
    )  # fmt: skip
    weighted = weigh(households(), persons(), PLAN, {})
    no = shares(weighted, indicator)[""]
    assert no.value == pytest.approx((125 + 187.5) / 650)
    assert no.n == 5
    left_out = shares(weighted, replace(indicator, unknown="exclude"))[""]
    assert left_out.value == pytest.approx((125 + 187.5) / 575)
    assert left_out.n == 4


def test_an_area_taken_with_certainty_is_a_stratum_of_its_households():
    certain = households(certainty=np.array([True] * 3 + [False] * 6))
    design = weigh(certain, persons(), PLAN, {}).households
    labels = design.stages[0].stratum_labels
    assert "certain t1" in [str(label) for label in labels]
    assert design.stages[0].units == 3 + 1 + 2


def test_a_plan_that_cannot_be_followed_names_the_step_and_the_place():
    margins = {"p.csv": margins_of("sex,total\nf,900\nm,1100\nx,5\n", [("sex",)])}
    plan = replace(
        PLAN,
        weighting=(*PLAN.weighting, Step(step="rake", unit="person", margins=(("sex",),), totals="p.csv")),
    )
    with pytest.raises(NotWeighted, match=r"step 5 \(rake\).*sex") as caught:
        weigh(households(), persons(), plan, margins)
    assert "Bước gia quyền 5" in caught.value.message["vi"]
    late = replace(PLAN, weighting=(*PLAN.weighting, Step(step="nonresponse")))
    with pytest.raises(NotWeighted, match="household steps come before person steps"):
        weigh(households(), persons(), late, {})
    wrong = replace(PLAN, weighting=(Step(step="base"), Step(step="selection")))
    with pytest.raises(NotWeighted, match="unit “person”"):
        weigh(households(), persons(), wrong, {})


def test_population_cells_are_added_up_to_each_margin():
    text = "\ufeffsex,age,total\nf,old,10\nf,young,20\nm,old,30\nm,young,40\n"
    assert margins_of(text, [("sex",), ("sex", "age")]) == {
        ("sex",): {("f",): 30, ("m",): 70},
        ("sex", "age"): {("f", "old"): 10, ("f", "young"): 20, ("m", "old"): 30, ("m", "young"): 40},
    }
