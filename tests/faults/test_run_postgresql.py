"""Twenty rounds of killing two real servers under real households, and PostgreSQL too (test_run.py says the rest)."""

from __future__ import annotations

import pytest

from tests import postgresql
from tests.faults.run import main


def test_nothing_acknowledged_is_lost() -> None:
    if reason := postgresql.missing():
        pytest.skip(reason)
    main(["--rounds", "20", "--households", "12", "--database", "postgresql"])
