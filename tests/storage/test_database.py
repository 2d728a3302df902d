"""Every write is on disk before it is answered; writes share commits; one that fails takes nothing with it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection, text

from survey.problems import Refused
from survey.storage import audit, codes
from survey.storage.database import Database, UnknownDatabase


def count(connection: Connection) -> int:
    return connection.execute(text("SELECT count(*) FROM limits")).scalar_one()


def refuse(connection: Connection, subject: str) -> None:
    codes.count_try(connection, subject, 0)
    raise Refused({"vi": "không", "en": "no"})


def test_a_write_is_there_for_the_next_reader(db: Database) -> None:
    async def story() -> None:
        assert await db.write(codes.count_try, "network:1", 7) == 1
        assert await db.write(codes.count_try, "network:1", 7) == 2
        assert await db.read(count) == 1

    asyncio.run(story())
    assert db.write_now(codes.count_try, "network:1", 7) == 3


def test_writes_that_wait_share_commits_and_a_failing_one_takes_nothing_with_it(db: Database) -> None:
    async def story() -> list[object]:
        return await asyncio.gather(
            *(db.write(refuse if n % 4 == 0 else codes.count_try, f"network:{n}", *(() if n % 4 == 0 else (1,)))
              for n in range(200)),
            return_exceptions=True,
        )  # fmt: skip

    answers = asyncio.run(story())
    assert [isinstance(answer, Refused) for answer in answers] == [n % 4 == 0 for n in range(200)]
    with db.reading() as connection:
        assert count(connection) == 150
    assert db.commits < 150, "writes that wait together must share a commit"


def test_a_lone_write_that_fails_leaves_nothing(db: Database) -> None:
    with pytest.raises(Refused):
        db.write_now(refuse, "network:1")
    with db.reading() as connection:
        assert count(connection) == 0


def test_a_block_of_ones_own_is_all_or_nothing(db: Database) -> None:
    with db.writing() as connection:
        audit.append(connection, "test", "load", "sample")
    with pytest.raises(ZeroDivisionError), db.writing() as connection:
        audit.append(connection, "test", "load", "sample")
        raise ZeroDivisionError
    with db.reading() as connection:
        assert len(audit.of_subject(connection, "sample")) == 1
        assert list(audit.verify(connection)) == []


def test_closing_finishes_what_waits(url: str) -> None:
    async def story() -> None:
        db = Database.open(url)
        writes = [asyncio.ensure_future(db.write(codes.count_try, f"network:{n}", 1)) for n in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(db.close)
        assert await asyncio.gather(*writes) == [1] * 50

    asyncio.run(story())
    with Database.open(url) as db, db.reading() as connection:
        assert count(connection) == 50


@pytest.mark.parametrize(
    "address", ["mysql://x/y", "sqlite://", "nonsense", "sqlite:////no/such/folder/x.sqlite"]
)
def test_an_address_that_cannot_be_used_is_said_so(address: str) -> None:
    with pytest.raises(UnknownDatabase) as problem:
        Database.open(address)
    assert set(problem.value.message) == {"vi", "en"}
