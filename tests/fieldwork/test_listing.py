"""A wrong list changes design weights so that totals stay unbiased: proved by drawing every possible sample."""

from __future__ import annotations

from itertools import combinations

import pytest

from survey.fieldwork.listing import Finding, drawn_of, reserve_factor


def finding(kind: str, number: int = 1) -> Finding:
    return Finding(kind=kind, number=number, author="an", at=1)  # type: ignore[arg-type]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_a_household_on_two_lines_is_counted_once_on_average() -> None:
    """Six lines, two of them one household; every sample of three lines, each line weighing 6/3."""
    household_of = [0, 0, 1, 2, 3, 4]
    factor = [finding("merged", 2).factor] * 2 + [1.0] * 4
    totals = [sum(2.0 * factor[line] for line in drawn) for drawn in combinations(range(6), 3)]
    assert mean(totals) == pytest.approx(len(set(household_of)))


def test_households_found_behind_one_line_are_all_counted_on_average() -> None:
    """Four lines, three households behind the last of which one is drawn; every sample of two lines, and each of the three."""
    sizes = [5.0, 4.0, 3.0, None]
    behind = [1.0, 2.0, 6.0]
    totals = []
    for drawn in combinations(range(4), 2):
        for chosen in behind:
            of_line = [finding("split", 3).factor * chosen if sizes[n] is None else sizes[n] for n in drawn]
            totals.append(sum(2.0 * size for size in of_line if size is not None))
    assert mean(totals) == pytest.approx(5 + 4 + 3 + sum(behind))


def test_opened_reserves_share_the_weight_of_their_area() -> None:
    """Of ten households five are worked and one is opened from the reserve: six weigh 10/6 each."""
    weight = 10 / 5 * reserve_factor(5, 1)
    assert 6 * weight == pytest.approx(10)
    assert reserve_factor(5, 0) == 1.0


def test_who_moved_or_is_gone_changes_no_weight() -> None:
    assert finding("moved").factor == finding("gone").factor == 1.0
    assert finding("gone").gone
    assert not finding("moved").gone


@pytest.mark.parametrize(
    ("kind", "number"), [("split", 1), ("merged", 1), ("moved", 2), ("gone", 3), ("split", 51)]
)
def test_a_finding_says_how_many_where_that_means_something(kind: str, number: int) -> None:
    with pytest.raises(ValueError, match="how many"):
        finding(kind, number)


def test_which_household_of_a_line_is_interviewed_follows_from_its_number_and_falls_on_each_alike() -> None:
    drawn = [drawn_of((n + 0.5) / 3000, 3) for n in range(3000)]
    assert {one: pytest.approx(1000, abs=40) for one in (1, 2, 3)} == {
        one: drawn.count(one) for one in (1, 2, 3)
    }
    assert [drawn_of(0.25, 4), drawn_of(0.0, 50), drawn_of(0.999999, 2)] == [4, 1, drawn_of(0.999999, 2)]
