"""Proves that figures are shown, held back for quality (F) or for confidentiality (x) as the standards say, and
that no x can be worked out from what is shown."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from analysis.release import DisclosureError, Figure, Presentation, confidential, korn_graubard, nchs, protect

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


class Town:
    """Two hundred people in four quarters; figures are made of masks over them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.quarter = np.repeat(["north", "south", "east", "west"], 50)
        self.child = np.arange(200) % 5 == 0
        self.has = rng.random(200) < 0.5
        self.weight = rng.uniform(50, 150, 200)

    def figure(self, table, category, mask, status="show", protected=False):
        having = mask & self.has
        return Figure(
            table=table,
            category=category,
            presentation=Presentation(status=status, reasons=() if status == "show" else ("cell",)),
            respondents=float(having.sum()),
            contribution=np.where(having, self.weight, 0.0),
            protected=protected,
        )

    def quarters(self, *held):
        return [
            self.figure(("has", "quarter"), name, self.quarter == name, "x" if name in held else "show")
            for name in ("north", "south", "east", "west")
        ]

    @property
    def all(self):
        return self.figure(("has", "all"), "", np.ones(200, dtype=bool), protected=True)


def test_one_figure_held_back_takes_a_second_with_it():
    town = Town()
    decided = protect([town.all, *town.quarters("west")], 10)
    assert [one.status for one in decided].count("x") == 2
    second = next(one for one in decided if one.reasons == ("complementary",))
    assert second.status == "x"
    assert decided[0].shown, "the province is what the release is for"


def test_two_figures_held_back_that_hide_enough_need_no_third():
    town = Town()
    decided = protect([town.all, *town.quarters("west", "east")], 10)
    assert [one.status for one in decided] == ["show", "show", "show", "x", "x"]


def test_a_figure_that_follows_from_another_table_is_found():
    # "All ages" less "adults" is "children": two tables, neither of which betrays it alone.
    town = Town()
    everyone = np.ones(200, dtype=bool)
    figures = [
        town.all,
        town.figure(("has adult", "sex"), "adults of every kind", everyone & ~town.child),
        town.figure(("has", "age"), "children", town.child, "x"),
    ]
    decided = protect(figures, 0)
    assert [one.status for one in decided] == ["show", "x", "x"]
    assert decided[1].reasons == ("complementary",)


def test_figures_held_back_for_quality_hide_others_but_need_no_hiding():
    town = Town()
    quarters = town.quarters("west")
    poor = Figure(
        table=quarters[0].table,
        category="north",
        presentation=Presentation(status="F", reasons=("width",)),
        respondents=quarters[0].respondents,
        contribution=quarters[0].contribution,
    )
    decided = protect([town.all, poor, *quarters[1:]], 10)
    assert [one.status for one in decided] == ["show", "F", "show", "show", "x"]
    alone = protect([town.all, poor, *town.quarters()[1:]], 10)
    assert [one.status for one in alone] == ["show", "F", "show", "show", "show"]


def test_a_release_that_cannot_keep_its_promise_is_not_made():
    town = Town()
    child = town.child
    figures = [
        town.all,
        town.figure(("has 15+", "all"), "", ~child, protected=True),
        town.figure(("has", "age"), "children", child, "x"),
        town.figure(("has", "age"), "adults", ~child, "x"),
    ]
    with pytest.raises(DisclosureError, match="children"):
        protect(figures, 10)


def test_nothing_held_back_can_be_rebuilt_from_what_is_shown_by_any_sum_or_difference():
    rng = np.random.default_rng(11)
    for _ in range(30):
        town = Town()
        groups = rng.integers(0, 6, 200)
        figures = [
            town.all,
            *town.quarters(*rng.choice(["north", "south", "east", "west"], rng.integers(0, 3))),
        ]
        figures += [
            town.figure(("has", "group"), str(g), groups == g, "x" if rng.random() < 0.2 else "show")
            for g in range(6)
        ]
        decided = protect(figures, 10)
        shown = np.stack(
            [f.contribution for f, one in zip(figures, decided, strict=True) if one.shown], axis=1
        )
        for figure, one in zip(figures, decided, strict=True):
            if one.status == "x" and one.reasons != ("complementary",) and figure.contribution.any():
                fitted = shown @ np.linalg.lstsq(shown, figure.contribution, rcond=None)[0]
                gap = np.linalg.norm(fitted - figure.contribution) / np.linalg.norm(figure.contribution)
                assert gap > 1e-6
