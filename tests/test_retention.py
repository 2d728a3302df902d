"""What the plan says must go by a day is gone on that day, not a day early; the rest stays."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import pytest
from rich.console import Console

from survey.folder import Folder
from survey.retention import due, retain
from survey.settings import keys
from survey.storage import audit, cases, codes, erasure, identities, responses, sessions
from survey.storage.clock import now
from survey.storage.database import Database
from tests.test_loading import FOLDER
from tests.web.phone import settle

DAY = datetime.timedelta(days=1)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = settle(tmp_path, 6)
    with Database.open(url) as database, database.writing() as connection:
        version = Folder.read(FOLDER).questionnaire.version
        responses.open(connection, "r1", "HD-000001", version, "self")
    return url


def left(url: str) -> tuple[int, int, int]:
    """Households with an address or a code, with answers, and cases."""
    with Database.open(url).hold_key(keys(url).identities) as database, database.reading() as connection:
        assert not list(audit.verify(connection))
        assert len(identities.everyone(connection)) == erasure.located(connection)
        return (
            erasure.located(connection),
            len(erasure.answered(connection)),
            sum(1 for _ in cases.every(connection)),
        )


def test_addresses_go_first_and_answers_when_their_time_is_over(url: str) -> None:
    said = Console(file=io.StringIO(), width=300)
    days = due(Folder.read(FOLDER).plan)
    assert (days.identities.isoformat(), days.answers.isoformat()) == ("2028-02-29", "2032-11-30")
    retain(url, days.identities - DAY, apply=True, console=said)
    assert left(url) == (6, 1, 6), "not a day early"
    retain(url, days.identities, console=said)
    assert left(url) == (6, 1, 6), "counted, not deleted"
    assert retain(url, days.identities, apply=True, console=said).addresses == 6
    assert left(url) == (0, 1, 6)
    assert retain(url, days.answers, apply=True, console=said).responses == 1
    assert left(url) == (0, 0, 6), "that a household was drawn stays: the weights need it"
    assert "2028-02-29" in said.file.getvalue()  # type: ignore[attr-defined]


def test_sessions_and_counts_that_are_over_are_forgotten_and_the_others_stay(url: str) -> None:
    said, at = Console(file=io.StringIO(), width=300), now()
    with Database.open(url) as database, database.writing() as connection:
        for name, ends in (("over", at - 2 * 86_400_000), ("goes on", at + 60_000)):
            sessions.create(connection, name, "account", "an", ends)
        for window in (1, at // 1000 // codes.WINDOW):
            codes.count_try(connection, "network", window)
    retain(url, datetime.date(2027, 1, 1), apply=True, console=said)
    with Database.open(url) as database, database.reading() as connection:
        assert sessions.find(connection, "goes on") is not None
        assert codes.tries(connection, "network", 1) == 0
        assert codes.tries(connection, "network", at // 1000 // codes.WINDOW) == 1
    assert "2 old sessions and counts forgotten" in said.file.getvalue()  # type: ignore[attr-defined]


def test_deleting_is_in_the_audit_log_and_twice_changes_nothing(url: str) -> None:
    quiet, day = Console(quiet=True), datetime.date(2040, 1, 1)
    first, second = (retain(url, day, apply=True, console=quiet) for _ in range(2))
    assert (first.addresses, first.responses, second.addresses, second.responses) == (6, 1, 0, 0)
    with Database.open(url) as database, database.reading() as connection:
        lines = [line for _, line in audit.newest(connection) if line.action == "retention"]
        assert [line.details for line in lines] == [{"addresses": 6, "responses": 1}]
