"""The draw: probabilities sum to the number drawn, are what happens in repeated draws, and the same seed draws the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.errors import DesignError
from analysis.selection import allocate, serpentine, systematic_equal, systematic_pps

sizes = st.lists(st.integers(1, 400), min_size=2, max_size=60)


@given(sizes, st.data())
def test_inclusion_probabilities_sum_to_the_number_drawn_and_nobody_comes_twice(
    sizes: list[int], data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(sizes)))
    drawn = systematic_pps(sizes, n, np.random.default_rng(data.draw(st.integers(0, 2**32))))
    assert len(set(drawn.index.tolist())) == len(drawn.index) == n
    assert ((drawn.probability > 0) & (drawn.probability <= 1)).all()
    assert (drawn.probability[drawn.certainty] == 1).all()


@given(sizes, st.data())
def test_the_inclusion_probabilities_of_all_units_sum_to_the_number_drawn(
    sizes: list[int], data: st.DataObject
) -> None:
    # A unit shows its probability when it is drawn; draw until all have been.
    n = data.draw(st.integers(1, len(sizes)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    found: dict[int, float] = {}
    for _ in range(3000):
        drawn = systematic_pps(sizes, n, rng)
        for index, probability in zip(drawn.index.tolist(), drawn.probability.tolist(), strict=True):
            assert found.setdefault(index, probability) == probability
        if len(found) == len(sizes):
            assert sum(found.values()) == pytest.approx(n, rel=1e-12)
            break


def test_large_units_are_taken_with_certainty_first_again_and_again() -> None:
    # 3 of total 200: 150 is certain; of the rest 2 of 50, so 30 is certain too (2*30 >= 50).
    drawn = systematic_pps([150, 30, 5, 5, 5, 5], 3, np.random.default_rng(1))
    assert {0, 1} <= set(drawn.index.tolist())
    assert drawn.certainty.tolist() == [True, True, False]
    assert drawn.probability[-1] == pytest.approx(5 / 20)


def test_how_often_units_are_drawn_is_what_their_probabilities_say() -> None:
    size = np.array([12.0, 40, 7, 25, 60, 18, 33, 5, 90, 10])
    rng = np.random.default_rng(7)
    draws = 4000
    counts = np.zeros(size.size)
    for _ in range(draws):
        counts[systematic_pps(size, 3, rng).index] += 1
    expected = 3 * size / size.sum()
    scores = (counts - draws * expected) / np.sqrt(draws * expected * (1 - expected))
    assert stats.chi2.sf((scores**2).sum(), size.size - 1) > 0.001


def test_the_same_generator_state_draws_the_same() -> None:
    first, second = (systematic_pps(range(1, 50), 9, np.random.default_rng(3)) for _ in range(2))
    assert first.index.tolist() == second.index.tolist()


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 10**6))
def test_households_are_drawn_once_each_and_all_when_there_are_few(listed: int, take: int, seed: int) -> None:
    chosen = systematic_equal(listed, take, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == len(chosen) == min(take, listed)
    assert chosen.min() >= 0
    assert chosen.max() < listed


def test_every_household_has_the_same_chance() -> None:
    rng = np.random.default_rng(11)
    counts = np.zeros(37)
    for _ in range(6000):
        counts[systematic_equal(37, 8, rng)] += 1
    expected = 6000 * 8 / 37
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected * (1 - 8 / 37))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=30), st.integers(60, 400))
@settings(deadline=None)
def test_allocation_spends_exactly_what_it_has_and_gives_each_its_minimum(sizes: list[int], n: int) -> None:
    for method in ("proportional", "square_root", "equal"):
        counts = allocate(sizes, n, method)
        assert counts.sum() == n
        assert counts.min() >= 2


def test_allocation_is_proportional_where_no_minimum_binds() -> None:
    assert allocate([100, 300, 600], 50).tolist() == [5, 15, 30]
    assert allocate([100, 400, 900], 60, "square_root").tolist() == [10, 20, 30]
    assert allocate([1, 1000], 20).tolist() == [2, 18]


def test_neighbours_in_the_serpentine_are_neighbours_on_the_ground() -> None:
    commune = ["a", "a", "a", "b", "b", "b", "c", "c", "c"]
    area = [1, 2, 3, 1, 2, 3, 1, 2, 3]
    walked = [(commune[i], area[i]) for i in serpentine(commune, area)]
    assert walked == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 3),
        ("b", 2),
        ("b", 1),
        ("c", 1),
        ("c", 2),
        ("c", 3),
    ]


@pytest.mark.parametrize(
    ("sizes", "n", "says"),
    [
        ([1, 0], 1, "positive"),
        ([1.0, float("nan")], 1, "positive and finite"),
        ([3, 4], 3, "cannot draw 3 of 2"),
    ],
)
def test_what_cannot_be_drawn_is_refused(sizes: list[float], n: int, says: str) -> None:
    with pytest.raises(DesignError, match=says):
        systematic_pps(sizes, n, np.random.default_rng(0))


def test_an_allocation_that_cannot_give_each_stratum_its_minimum_is_refused() -> None:
    with pytest.raises(DesignError, match="cannot give 3 strata 2 each"):
        allocate([5, 5, 5], 5)
