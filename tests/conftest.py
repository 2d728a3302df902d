"""A round whose field work has ended, played once for all tests that begin at its frozen sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.freeze import freeze
from tests.village import Village


@pytest.fixture(scope="session")
def closed_round(tmp_path_factory) -> tuple[Village, Path]:
    """960 sampled households, and the folder of their frozen sample."""
    village, place = Village(960, seed=5), tmp_path_factory.mktemp("round")
    with village.fill(f"sqlite:///{place / 'survey.sqlite'}") as database:
        freeze(database, village.folder, place / "frozen")
    return village, place / "frozen"
