"""Proves that figures are shown, held back for quality (F) or for confidentiality (x) as the standards say."""

from __future__ import annotations

from math import sqrt

import pytest

from analysis.release import Presentation, confidential, korn_graubard, nchs

# share, n, deff, df → effective sample, lower, upper, decision, reason or flag. Worked by hand from the standard.
VECTORS = [
    (0.52, 1200, 1.8, 58, 640.44, 0.48051, 0.55930, "show", ()),
    (0.52, 400, 1.8, 18, 194.58, 0.44740, 0.59198, "show", ()),
    (0.50, 60, 1.5, 10, 32.26, 0.31960, 0.68040, "F", ("width",)),
    (0.03, 200, 1.2, 30, 155.39, 0.00932, 0.07051, "F", ("relative_width",)),
    (0.05, 300, 1.3, 20, 205.39, 0.02451, 0.08936, "show", ()),
    (0.00, 80, 1.0, 20, 80.0, 0.0, 0.04506, "show", ()),
    (0.65, 45, 1.0, 6, 30.53, None, None, "F", ("width",)),
]


@pytest.mark.parametrize(
    ("share", "n", "deff", "df", "effective", "lower", "upper", "status", "reasons"), VECTORS
)
def test_the_standard_decides_as_published(share, n, deff, df, effective, lower, upper, status, reasons):
    one = nchs(share, sqrt(deff * share * (1 - share) / n), n, df)
    assert one.effective_sample == pytest.approx(effective, abs=0.005)
    if lower is not None:
        assert one.lower == pytest.approx(lower, abs=5e-6)
        assert one.upper == pytest.approx(upper, abs=5e-6)
    assert one.status == status
    assert one.reasons == reasons


def test_nobody_in_a_large_sample_is_shown_and_looked_at():
    assert nchs(0.0, 0.0, 80, 20).flags == ("all_or_none",)
    assert nchs(1.0, 0.0, 80, 5).flags == ("few_degrees_of_freedom", "all_or_none")
    assert nchs(0.0, 0.0, 20, 20).reasons == ("effective_sample",)


def test_a_share_near_one_is_shown_with_a_footnote_on_those_without():
    one = nchs(0.97, sqrt(1.2 * 0.97 * 0.03 / 200), 200, 30)
    assert one.shown
    assert "complement_width" in one.flags


def test_without_degrees_of_freedom_nothing_is_known():
    assert nchs(0.5, 0.02, 500, 0).reasons == ("effective_sample",)
    assert nchs(0.5, 0.02, 0, 10).reasons == ("empty",)


def test_the_correction_for_degrees_of_freedom_can_be_left_out_and_never_adds_information():
    plain, *_ = korn_graubard(0.5, sqrt(0.25 / 60), 60, 10, adjust=False)
    adjusted, *_ = korn_graubard(0.5, sqrt(0.25 / 60), 60, 10)
    assert plain == pytest.approx(60)
    assert adjusted < plain
    lucky, *_ = korn_graubard(0.5, sqrt(0.25 / 600), 60, 1e6)
    assert lucky == 60


@pytest.mark.parametrize(
    ("having", "asked", "status", "reasons"),
    [
        (10, 20, "show", ()),
        (9, 40, "x", ("cell",)),
        (31, 40, "x", ("complement",)),
        (0, 40, "x", ("cell",)),
        (5, 9, "x", ("cell", "complement")),
        (0, 0, "x", ("empty",)),
    ],
)
def test_ten_respondents_stand_behind_each_side_of_a_share(having, asked, status, reasons):
    one = confidential(Presentation(status="show"), having, asked, 10)
    assert (one.status, one.reasons) == (status, reasons)


def test_confidentiality_goes_before_quality_and_quality_stays_without_it():
    poor = Presentation(status="F", reasons=("width",))
    assert confidential(poor, 3, 40, 10).status == "x"
    assert confidential(poor, 20, 40, 10) == poor
