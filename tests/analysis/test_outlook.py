"""Looking ahead agrees with the variance now, and with what a larger sample of the same areas turns out to have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis import Design, Estimate, Proportion, estimate
from analysis.errors import NotPossible
from analysis.outlook import Outlook, where


def _share(people: int, areas: int, seed: int) -> Estimate:
    """A share from `people` in each of `areas`, whose level differs from area to area."""
    generator = np.random.default_rng(seed)
    area = np.repeat(np.arange(areas), people)
    level = generator.beta(6, 4, areas)[area]
    data = {"area": area, "w": np.ones(area.size), "x": (generator.random(area.size) < level).astype(float)}
    return estimate(Design(data, weights="w", clusters="area"), Proportion("x"))[0]


def test_it_begins_at_the_variance_of_today() -> None:
    share = _share(10, 40, 1)
    outlook = Outlook.of(share, 40, 1.0)
    assert outlook.likeness > 0
    assert outlook.variance(share.n) == pytest.approx(share.variance)
    assert outlook.half_width(share.n) == pytest.approx(share.interval("t").upper - share.value)


def test_a_larger_sample_of_the_same_areas_has_what_was_expected() -> None:
    ratios = []
    for seed in range(60):
        outlook = Outlook.of(_share(6, 50, seed), 50, 1.0)
        ratios.append(outlook.variance(24 * 50) / _share(24, 50, 1000 + seed).variance)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.15)


def test_more_interviews_in_the_same_areas_are_not_always_enough() -> None:
    outlook = Outlook(value=0.53, n=400, areas=40, kish=1.2, likeness=0.1, df=39)
    assert outlook.needed(0.5, 0.05) is None
    decided = Outlook(value=0.60, n=100, areas=40, kish=1.2, likeness=0.1, df=39)
    needed = decided.needed(0.5, 0.05)
    assert needed is not None
    t = (0.60 - 0.5) / math.sqrt(decided.variance(needed))
    assert t >= 1.6848
    assert (0.60 - 0.5) / math.sqrt(decided.variance(needed - 1)) < 1.6850


def test_where_more_interviews_go() -> None:
    assert where(10, [0.5, 0.5], [0.5, 0.5]) == [5, 5]
    assert where(10, [0.8, 0.2], [0.5, 0.5]) == [8, 2]
    assert sum(where(7, [0.3, 0.3, 0.4], [0.4, 0.5, 0.3])) == 7
    assert where(5, [0.5, 0.5], [0.0, 0.0]) == [0, 0]


def test_nothing_cannot_be_looked_ahead_from() -> None:
    with pytest.raises(NotPossible):
        Outlook.of(_share(5, 10, 1), 0, 1.0)
