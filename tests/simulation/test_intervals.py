"""A few hundred samples show what the long run shows: which intervals cover, which do not, and on which side."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulation.intervals import (
    FAMILIES,
    KINDS,
    Found,
    Setting,
    quantile_coverage,
    share_coverage,
    shares,
    table,
)


@pytest.fixture(scope="module")
def rare() -> dict[str, Found]:
    """A share of 2 % in twelve clusters: the hard case."""
    return {one.kind: one for one in share_coverage(Setting(0.02, 2, 0.05), 400, 1)}


def test_a_large_sample_of_a_common_share_is_covered_by_every_interval() -> None:
    found = share_coverage(Setting(0.5, 12, 0.05), 400, 1)
    assert [one.kind for one in found] == list(KINDS)
    for one in found:
        assert abs(one.coverage - 0.95) < 4 * one.error + 0.01
        if one.kind in FAMILIES:
            assert 0.0 < one.met < 0.1
            assert 0.0 < one.not_met < 0.1


def test_a_rare_share_is_not_for_wald(rare: dict[str, Found]) -> None:
    assert rare["wald"].coverage < 0.88 < rare["logit"].coverage
    assert rare["nchs"].coverage >= rare["wilson"].coverage
    assert rare["wald"].width < rare["t"].width < rare["nchs"].width
    assert rare["t"].not_met > 2 * rare["nchs"].not_met


def test_standard_errors_of_the_samples_are_right_on_average() -> None:
    values, errors = shares(Setting(0.5, 12, 0.05), 1500, np.random.default_rng(1))
    assert np.mean(values) == pytest.approx(0.5, abs=0.003)
    assert np.mean(errors**2) / np.var(values) == pytest.approx(1.0, abs=0.12)


def test_intervals_of_a_median_cover_it() -> None:
    found = quantile_coverage(Setting(0.5, 2, 0.05), 60, 1)
    assert {one.kind for one in found} == {"mean", "xlogit", "beta", "asin", "score"}
    for one in found:
        assert one.coverage > 0.84
        assert 0.2 < one.width < 0.8


def test_the_table_has_a_line_a_setting(rare: dict[str, Found]) -> None:
    lines = table("p", list(rare.values()), "coverage").splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| 0.02 | 10 | 0.05 |")
