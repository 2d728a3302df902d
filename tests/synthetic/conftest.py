"""One invented province for all tests of this folder; its places have no real names."""

from __future__ import annotations

import pytest

from survey.synthetic.people import Commune, Province, make


@pytest.fixture(scope="session")
def communes() -> tuple[Commune, ...]:
    return tuple(Commune(code=f"{10_500 + 3 * n}", name=f"Nơi {n}", urban=n % 3 == 0) for n in range(64))


@pytest.fixture(scope="session")
def province(communes: tuple[Commune, ...]) -> Province:
    return make(communes, seed=7)
