"""Twenty rounds of killing the real server under real households; and a server that answers too early is caught.

On PostgreSQL: test_run_postgresql.py, a file of its own, so that another process can take it. The long run is
`python tests/faults/run.py --rounds 500` (`make soak`).
"""

from __future__ import annotations

import pytest

from tests.faults.run import Lost, main


def test_nothing_acknowledged_is_lost() -> None:
    main(["--rounds", "20", "--households", "12", "--database", "sqlite"])


def test_a_server_that_answers_before_the_commit_is_caught() -> None:
    with pytest.raises(Lost, match="lost"):
        main(["--rounds", "6", "--database", "sqlite", "--sabotage"])
