"""Twenty rounds of killing the real server under real households; and a server that answers too early is caught.

The long run is `python tests/faults/run.py --rounds 500` (`make soak`).
"""

from __future__ import annotations

import os

import pytest

from tests import postgresql
from tests.faults.run import Lost, main


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SURVEY_KEY", os.environ.get("SURVEY_KEY", "00" * 32))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost(database: str) -> None:
    if database == "postgresql" and (reason := postgresql.missing()):
        pytest.skip(reason)
    main(["--rounds", "20", "--households", "12", "--database", database])


def test_a_server_that_answers_before_the_commit_is_caught() -> None:
    with pytest.raises(Lost, match="lost"):
        main(["--rounds", "6", "--database", "sqlite", "--sabotage"])
