"""Every write is on disk before it is answered; writes share commits; one that fails takes nothing with it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from survey.problems import Refused, Unavailable
from survey.storage import audit, codes, responses
from survey.storage.database import UNSHARED_LIMIT, Database, UnknownDatabase, run_together
from tests.postgresql import Server, missing


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
        audit.append(connection, "test", "load", str(1 // len(audit.of_subject(connection, "nothing"))))
    with db.reading() as connection:
        assert len(audit.of_subject(connection, "sample")) == 1
        assert list(audit.verify(connection)) == []


def test_what_takes_several_statements_agrees_with_itself(db: Database) -> None:
    with db.unmoved() as connection:
        assert count(connection) == 0
        db.write_now(codes.count_try, "network:1", 1)
        assert count(connection) == 0
    with db.reading() as connection:
        assert count(connection) == 1


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


def test_a_full_disk_acknowledges_nothing_keeps_everything_and_recovers(tmp_path: Path) -> None:
    """SQLite says "full" by the same code for a full disk and for a page limit."""
    limit = {"pages": 120}

    def cap(driver: sqlite3.Connection, _record: object) -> None:
        driver.execute(f"PRAGMA max_page_count = {limit['pages']}")

    db = Database.open(f"sqlite:///{tmp_path / 'small.sqlite'}").hold_key(b"k" * 32)
    event.listen(db.engine, "connect", cap)
    db.engine.dispose()  # connections made so far know no limit
    told: list[str] = []

    async def fill() -> list[object]:
        return await asyncio.gather(
            *(db.write(responses.set_aside, f"{n} {'x' * 2000}", "filling") for n in range(300)),
            return_exceptions=True,
        )

    for _ in range(3):
        for answer in asyncio.run(fill()):
            if isinstance(answer, Unavailable):
                assert answer.retry_after >= 60
            else:
                told.append(str(answer))
    assert db.condition == "full"
    with db.reading() as connection:
        kept = {row.hash for row in responses.quarantined(connection)}
    assert set(told) == kept
    limit["pages"] = 100_000
    db.engine.dispose()
    assert db.write_now(codes.count_try, "network:1", 1) == 1
    assert db.condition == "ok"
    db.close()


def test_too_many_waiting_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("survey.storage.database.WAITING_LIMIT", 10)

    async def story() -> None:
        async with Database.open(f"sqlite:///{tmp_path / 'survey.sqlite'}") as db:
            with db.writing():  # the writer has to wait
                writes = [asyncio.ensure_future(db.write(codes.count_try, "x", n)) for n in range(30)]
                await asyncio.sleep(0.05)
                refused = [
                    write for write in writes if write.done() and isinstance(write.exception(), Unavailable)
                ]
                assert 1 <= len(refused) <= 20  # the writer had taken some into its hands
            kept = [write for write in writes if write not in refused]
            assert await asyncio.gather(*kept) == [1] * len(kept)

    asyncio.run(story())


def test_a_cancelled_caller_does_not_trouble_the_others(db: Database) -> None:
    async def story() -> None:
        writes = [asyncio.ensure_future(db.write(codes.count_try, f"network:{n}", 1)) for n in range(40)]
        await asyncio.sleep(0)
        for write in writes[::2]:
            write.cancel()
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert answers[1::2] == [1] * 20
        assert await db.write(codes.count_try, "network:after", 1) == 1

    asyncio.run(story())


def test_a_broken_connection_is_replaced_unseen(postgresql: Server) -> None:
    """As after a restart of the database: the writer's kept connection is gone when the next write comes."""
    with postgresql.database() as address, Database.open(address) as db:
        assert db.write_now(codes.count_try, "network:1", 1) == 1
        with psycopg.connect(address, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert db.write_now(codes.count_try, "network:1", 1) == 2
        with db.reading() as connection:
            assert count(connection) == 1


def test_a_database_that_is_gone_is_unavailable_and_nothing_is_acknowledged() -> None:
    if reason := missing():
        pytest.skip(reason)
    with Server.start() as server:
        db = Database.open(server.admin)
        assert db.write_now(codes.count_try, "network:1", 1) == 1
    for _ in range(2):
        with pytest.raises(Unavailable):
            db.write_now(codes.count_try, "network:1", 1)
    assert db.condition != "ok"
    db.close()


def test_answers_do_not_wait_until_hundreds_are_in_that_share_nothing(db: Database) -> None:
    done: list[str] = []

    def signing_in(_: Connection) -> None:
        done.append("signed in")

    def answer(_: Connection) -> None:
        done.append("answered")

    def answers(_: Connection, many: list[tuple[()]]) -> list[None]:
        done.extend("answered" for _ in many)
        return [None for _ in many]

    run_together(answer, answers)
    with ThreadPoolExecutor(300) as pool:
        with db.writing():  # nobody is served meanwhile
            waiting = [pool.submit(db.write_now, signing_in) for _ in range(290)]
            while db.waiting < 280:
                time.sleep(0.01)
            waiting += [pool.submit(db.write_now, answer) for _ in range(2)]
            while db.waiting < 282:
                time.sleep(0.01)
        for one in waiting:
            one.result(30)
    assert done.count("signed in") == 290
    assert done.index("answered") <= 290 - 280 + UNSHARED_LIMIT
