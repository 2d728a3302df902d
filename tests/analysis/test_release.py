"""Proves that figures are shown, held back for quality (F) or for confidentiality (x) as the standards say."""

from __future__ import annotations

from math import sqrt

import pytest

from analysis.release import Presentation, beside, confidential, korn_graubard, nchs, statcan

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


@pytest.mark.parametrize(
    ("share", "error", "n", "status", "reasons", "letter"),
    [
        (0.50, 0.0825, 200, "show", (), False),  # 16.5 % exactly
        (0.50, 0.0830, 200, "show", (), True),  # 16.6 %
        (0.30, 0.0999, 200, "show", (), True),  # 33.3 %
        (0.30, 0.1002, 200, "F", ("variation",), False),  # 33.4 %
        (0.50, 0.0100, 9, "F", ("few",), False),
        (0.00, 0.0000, 200, "F", ("variation",), False),
        (1.00, 0.0000, 200, "show", (), False),
    ],
)
def test_the_bands_of_the_coefficient_of_variation(share, error, n, status, reasons, letter):
    found = statcan(share, error, n, 20)
    assert (found.status, found.reasons, "E" in found.flags) == (status, reasons, letter)


def test_the_coefficient_of_variation_judges_those_who_have_and_have_not_unlike():
    """The reason why it is not the default."""
    assert statcan(0.02, 0.008, 400, 20).status == "F"
    assert statcan(0.98, 0.008, 400, 20).status == "show"
    assert statcan(0.0, 0.0, 0, 20).reasons == ("empty",)


def test_the_letter_beside_decides_nothing():
    shown, held = nchs(0.04, 0.01, 500, 30), nchs(0.03, 0.02, 60, 10)
    assert (shown.status, held.status) == ("show", "F")
    told = beside(shown, 0.04, 0.01)
    assert (told.status, told.flags) == ("show", (*shown.flags, "E"))
    assert beside(shown, 0.02, 0.01).flags[-1] == "cv_F"
    assert beside(held, 0.03, 0.02) == held, "what is held back tells nothing of its error"
    assert beside(nchs(0.5, 0.01, 2000, 30), 0.5, 0.01).flags == ()
