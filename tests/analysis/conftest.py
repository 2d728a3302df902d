"""Small synthetic samples for the tests of statistics: generated, seeded, nobody stands behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from analysis import Design

# The first call of a function may load SciPy; a slow machine is not a wrong result.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def households() -> Callable[..., dict[str, Any]]:
    """Makes a sample of households as columns."""
    return _households


@pytest.fixture(scope="session")
def sample() -> Callable[..., Design]:
    """Makes the design of such a sample: stratified, clustered, unequal weights."""

    def make(seed: int = 1, **options: Any) -> Design:
        return Design(_households(seed), weights="w", strata="stratum", clusters="psu", **options)

    return make


def _households(seed: int = 1, strata: int = 6, psus: int = 5, size: int = 12) -> dict[str, Any]:
    """A stratified sample of PSUs with unequal weights, an account, an income, a region and a sex."""
    generator = np.random.default_rng(seed)
    count = strata * psus * size
    stratum = np.repeat(np.arange(strata), psus * size)
    psu = np.repeat(np.arange(strata * psus), size)
    level = generator.normal(0.0, 0.6, strata * psus)[psu]
    account = generator.random(count) < 1.0 / (1.0 + np.exp(-0.3 - level))
    return {
        "stratum": stratum,
        "psu": psu,
        "w": generator.uniform(20.0, 120.0, count),
        "account": account.astype(float),
        "none": ~account,
        "income": np.round(np.exp(generator.normal(8.0 + 0.3 * level, 0.5))),
        "members": generator.integers(1, 7, count).astype(float),
        "region": np.array(["north", "south"])[(stratum >= strata // 2).astype(int)],
        "sex": np.array(["female", "male"])[generator.integers(0, 2, count)],
        "in_stratum": np.full(count, 4.0 * psus),
    }
