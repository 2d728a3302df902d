"""In which order the tests run, and a round whose field work has ended, played once for all that begin at its frozen sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.freeze import freeze
from tests.village import Village

LONGEST = (
    "tests/faults/test_run", "tests/browser/", "tests/publication/", "tests/test_publish.py", "tests/test_demo.py", "tests/web/"
)  # fmt: skip
"""What takes longest begins first, so that no process is left alone with it in the end: `make test` gives the files out to
processes in the order in which they are collected."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next(
            (place for place, path in enumerate(LONGEST) if item.nodeid.startswith(path)), len(LONGEST)
        )

    items.sort(key=place)


@pytest.fixture(scope="session")
def closed_round(tmp_path_factory) -> tuple[Village, Path]:
    """960 sampled households, and the folder of their frozen sample."""
    village, place = Village(960, seed=5), tmp_path_factory.mktemp("round")
    with village.fill(f"sqlite:///{place / 'survey.sqlite'}") as database:
        freeze(database, village.folder, place / "frozen")
    return village, place / "frozen"
