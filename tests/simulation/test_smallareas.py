"""A few dozen invented provinces show what the long run shows: the estimated error of a modelled share is the error it has."""

from __future__ import annotations

from tests.simulation.smallareas import calibration


def test_the_estimated_error_is_the_error() -> None:
    found = calibration(0.1, 35, 60, 1, "reml")
    assert abs(found.ratio - 1.0) < 0.12
    assert 0.92 < found.coverage < 0.98
    assert abs(found.ratio_without_interviews - 1.0) < 0.25
    assert found.modelled < 0.7 * found.direct


def test_the_adjusted_likelihood_errs_on_the_safe_side() -> None:
    assert calibration(0.05, 20, 60, 1, "adjusted").ratio > 0.95
