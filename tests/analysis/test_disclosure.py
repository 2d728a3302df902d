"""Proves that no figure held back can be worked out from what is shown: not by sums, not by bounds, not by releases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.disclosure import DisclosureError, Figure, attack, differing, folded, protect
from analysis.release import Presentation


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
            asked=float(mask.sum()),
            size=float(self.weight[having].sum()),
            whole=float(self.weight[mask].sum()),
            contribution=np.where(having, self.weight, 0.0),
            base=np.where(mask, self.weight, 0.0),
            family="has",
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
    poor = replace(quarters[0], presentation=Presentation(status="F", reasons=("width",)))
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


def test_the_attack_finds_the_only_figure_held_back_in_a_table():
    town = Town()
    figures = [town.all, *town.quarters("west")]
    (found,) = attack(figures, [figure.presentation for figure in figures], 10)
    assert found.lower == pytest.approx(figures[4].size)
    assert found.upper == pytest.approx(figures[4].size)
    assert not found.safe


def test_the_attack_uses_that_nobody_is_counted_less_than_zero_times():
    """Two figures held back whose sum is small: no sum gives one of them away, but both are known to be small."""
    town = Town()
    town.has = np.where(np.isin(town.quarter, ["west", "east"]), np.arange(200) % 25 == 0, town.has)
    figures = [town.all, *town.quarters("west", "east")]
    east, west = attack(figures, [figure.presentation for figure in figures], 10)
    assert west.lower == east.lower == pytest.approx(0.0, abs=1e-6)
    assert west.upper == pytest.approx(figures[3].size + figures[4].size)
    assert not west.safe
    decided = protect(figures, 10)
    assert [one.status for one in decided].count("x") == 3
    assert all(one.safe for one in attack(figures, decided, 10))


def test_nobody_at_all_is_a_secret_too():
    town = Town()
    town.has = town.has & (town.quarter != "west")
    figures = [town.all, *town.quarters("west")]
    decided = protect(figures, 10)
    assert all(one.safe for one in attack(figures, decided, 10))
    assert [one.status for one in decided].count("x") >= 2


def test_linked_tables_are_attacked_together():
    """Quarters within halves of the town: held back in one table, found from the other."""
    town = Town()
    half = np.isin(town.quarter, ["north", "south"])
    halves = [town.figure(("has", "half"), name, mask) for name, mask in (("a", half), ("b", ~half))]
    figures = [town.all, *halves, *town.quarters("north", "east")]
    assert not any(one.safe for one in attack(figures, [figure.presentation for figure in figures], 10))
    decided = protect(figures, 10)
    assert all(one.safe for one in attack(figures, decided, 10))


def test_thirty_random_tables_withstand_the_attack():
    rng = np.random.default_rng(12)
    for _ in range(30):
        town = Town()
        town.has = rng.random(200) < rng.choice([0.05, 0.5, 0.95])
        groups = rng.integers(0, 6, 200)
        figures = [town.all]
        for table, of, names in (
            ("quarter", town.quarter, sorted(set(town.quarter))),
            ("group", groups, range(6)),
        ):
            for name in names:
                one = town.figure(("has", table), str(name), of == name)
                few = min(one.respondents, one.asked - one.respondents) < 4
                figures.append(
                    replace(one, presentation=Presentation(status="x", reasons=("cell",))) if few else one
                )
        decided = protect(figures, 4)
        left = any(one.shown and not figure.protected for figure, one in zip(figures, decided, strict=True))
        assert all(one.safe or not (left or one.known) for one in attack(figures, decided, 4))


def test_a_million_people_are_audited_as_their_folded_image():
    """The same decisions from an image with fewer entries than units."""
    town = Town()
    rng = np.random.default_rng(3)
    bucket, sign = rng.integers(0, 40, 200), rng.choice([-1.0, 1.0], 200)
    figures = [town.all, *town.quarters("west")]
    small = [
        replace(
            one,
            contribution=folded(one.contribution, bucket, sign, 40),
            base=folded(one.base, bucket, sign, 40),
        )
        for one in figures
    ]
    assert protect(small, 10) == protect(figures, 10)


def test_two_releases_side_by_side_do_not_tell_of_the_few_who_came_later():
    assert [differing(now, 100, 10) for now in (100, 101, 109, 110, 91, 90)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]
