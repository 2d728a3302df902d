"""One release of the closed round, for every test that only reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.publication.results import Release
from survey.publish import release
from tests.village import Village


@pytest.fixture(scope="session")
def village(closed_round: tuple[Village, Path]) -> Village:
    return closed_round[0]


@pytest.fixture(scope="session")
def frozen(closed_round: tuple[Village, Path]) -> Path:
    return closed_round[1]


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("release")


@pytest.fixture(scope="session")
def found(village: Village, frozen: Path, out: Path) -> Release:
    return release(village.folder, frozen, out)
