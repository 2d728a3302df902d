"""One database, SQLite or PostgreSQL, that answers only after the disk has the data.

    db = Database.open("sqlite:///survey.sqlite")            # or postgresql://user@host/name
    case = await db.read(cases.find, "HD-000123-4")
    receipts = await db.write(responses.append, events)      # returns after the commit
    with db.writing() as connection: ...                     # sync twin: one transaction of its own

Why a writer thread: a commit costs a flush of the disk (0.1-10 ms), an insert costs microseconds. All writes that wait
while a flush is under way go into the next transaction together, each in its own savepoint, so that one that fails
takes nothing with it; all are answered after their common commit. A lone write is committed at once: nothing ever
waits for a batch to fill. Writes of one kind that wait together can also share their statements (`run_together`),
which is worth more than the shared flush on a fast disk. Measured: tests/benchmarks/ingestion.py.

Functions given to `read` and `write` take a connection first and have no other effect than on it: when two servers
get in each other's way (PostgreSQL deadlock or serialisation failure, SQLite busy) they are run again.

When not: nothing here is for analysis. A frozen file is read by `analysis` without any database.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from survey.problems import SurveyError, Unavailable
from survey.settings import held
from survey.storage.clock import now
from survey.storage.vault import OPTION

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("survey.storage")

BUSY_MILLISECONDS = 10_000
"""How long SQLite waits for another process's transaction before it gives up."""
WAITING_LIMIT = 4_096
"""Writes that may wait; one more is answered `Unavailable` at once instead of after a time-out."""
BATCH_LIMIT = 512
"""Writes in one transaction: bounds how long the first of them waits for the last."""
UNSHARED_LIMIT = 32
"""Those among them that share no statements: when hundreds sign in at one moment, answers do not wait until all are in."""
LOCK_MILLISECONDS = 100
"""How long a write waits for a row that another PostgreSQL server process has locked, before it is run again alone.
Shorter than PostgreSQL's own deadlock detection (1 s), in which both sides would hold up everybody behind them."""
PATIENCE_MILLISECONDS = 30_000
"""The same for a `writing()` block, which is alone by itself."""
TRIES = 50
"""How often a write is run again after losing to another server."""

_TRY_AGAIN = {"40001", "40P01", "55P03"}  # serialisation failure, deadlock, lock not available


class UnknownDatabase(SurveyError):
    """The address of the database cannot be used."""

    code = "unknown_database"


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


class InUse(SurveyError):
    """Somebody else has the database open."""

    code = "in_use"


def require_alone(url: str) -> None:
    """Raise InUse when another process has this database open: for what no running server could follow.

    SQLite leaves its write-ahead log only when nobody else is there; PostgreSQL lists who is. A server that starts afterwards
    is not seen.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if not address.database or not Path(address.database).is_file():
            return
        with contextlib.closing(sqlite3.connect(address.database, timeout=0.5)) as raw:
            try:
                alone = raw.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete"
            except sqlite3.OperationalError:
                alone = False
    else:
        engine = _engine(url)
        try:
            with engine.connect() as connection:
                alone = not connection.exec_driver_sql(_OTHERS).scalar_one()
        except DBAPIError as error:
            raise _unopened(engine, error) from error
        finally:
            engine.dispose()
    if not alone:
        raise InUse(
            {
                "vi": "Cơ sở dữ liệu đang được dùng. Hãy dừng mọi máy chủ (survey serve) rồi chạy lại.",
                "en": "The database is in use. Stop every server (survey serve), then run this again.",
            }
        )


class Database:
    """A pool of reading connections and one writer. Safe to use from many threads and from one event loop or more.

    `condition` says for the health page: "ok", "full" (the disk is full: reading goes on, nothing is acknowledged)
    or "unreachable". It returns to "ok" by itself with the first commit that succeeds.
    """

    def __init__(self, engine: Engine, readers: int = 4) -> None:
        self.engine = engine
        self.dialect = engine.dialect.name
        self.condition = "ok"
        self.commits = 0  # transactions committed by the writer
        self.writes = 0  # writes answered after such a commit
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="survey-read")
        self._waiting: collections.deque[_Write] = collections.deque()
        self._arrived = threading.Condition()
        self._turn = threading.Lock()  # the writer thread or a `writing()` block, never both
        self._closing = False
        self._writer: threading.Thread | None = None
        self._own: Connection | None = None  # of the writer thread

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Database:
        """Connect, and bring the schema up to date; refuse a schema that is newer than this software.

        With `migrate=False` an older schema is refused too (several servers of which only one may migrate). The key of this
        installation is held if there is one (`survey.settings.held`).
        """
        from survey.storage import audit, schema

        engine = _engine(url)
        try:
            migrated = schema.bring_up_to_date(engine, migrate=migrate)
        except DBAPIError as error:
            engine.dispose()
            raise _unopened(engine, error) from error
        except SurveyError:
            engine.dispose()
            raise
        database, secret = cls(engine), held(url)
        if secret is not None:
            database.hold_key(secret.identities)
            if migrated:
                with database.writing() as connection:
                    audit.seal_earlier(connection)
        return database

    def hold_key(self, key: bytes) -> Database:
        """Hold the key that opens what is sealed (32 bytes, `survey.settings.Keys.identities`); returns the database itself."""
        self.engine.update_execution_options(**{OPTION: key})
        return self

    # Reading

    async def read(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """`fn(connection, ...)` on a connection for reading, off the event loop unless it is `quick`."""
        if fn in _quick and self.dialect == "sqlite":
            return self._read(fn, args, kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self._read(fn, args, kwargs))

    def _read(self, fn: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        with self.reading() as connection:
            return fn(connection, *args, **kwargs)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading; what is written through it is rolled back."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._unavailable(error) from error

    @contextlib.contextmanager
    def unmoved(self) -> Iterator[Connection]:
        """A connection for reading to which the database stands still from its first statement to the end of the block:
        whatever takes several statements agrees with itself while people go on answering."""
        with self.reading() as connection:
            if self.dialect == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    # Writing

    async def write(
        self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`fn(connection, ...)` in the next transaction; returns after its commit is on disk.

        Raises whatever `fn` raises (then nothing of it is kept) and `Unavailable` when the commit failed, the
        disk is full or too many are waiting. If the caller is cancelled while the commit is under way, the write
        may still be kept: callers make writes repeatable by id.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._enqueue(_Write(fn, args, kwargs, future, loop))
        return await future

    def write_now(self, fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The sync twin of `write`, for threads: shares the group commit, blocks until it is on disk."""
        future: Future[R] = Future()
        self._enqueue(_Write(fn, args, kwargs, future, None))
        return future.result()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction of the caller's own, committed at the end of the block: for loading and migrations.

        Other writers wait meanwhile; keep it to seconds while a survey is collecting.
        """
        with self._turn:
            try:
                with self._begin() as connection:
                    if self.dialect == "postgresql":
                        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {PATIENCE_MILLISECONDS}")
                    yield connection
            except DBAPIError as error:
                raise self._unavailable(error) from error

    @property
    def waiting(self) -> int:
        """Writes that wait for the next transaction."""
        return len(self._waiting)

    def _enqueue(self, write: _Write) -> None:
        with self._arrived:
            if self._closing:
                raise _closed()
            if len(self._waiting) >= WAITING_LIMIT:
                raise Unavailable(
                    {
                        "vi": "Máy chủ đang bận. Xin thử lại sau ít phút; câu trả lời đã gửi trước vẫn còn.",
                        "en": "The server is busy. Please try again shortly; answers sent before are kept.",
                    },
                    retry_after=10,
                )
            self._waiting.append(write)
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_all, name="survey-writer", daemon=True)
                self._writer.start()
            self._arrived.notify()

    def _write_all(self) -> None:
        while True:
            with self._arrived:
                while not self._waiting:
                    if self._closing:
                        return
                    self._arrived.wait()
                batch = self._next_batch()
            batch = [write for write in batch if not write.given_up()]
            if not batch:
                continue
            try:
                again = self._commit_together(batch)
            except BaseException as error:  # whatever happens, nobody waits for ever
                log.exception("a batch of writes failed")
                for write in batch:
                    write.refuse(error)
                again = []
            _answer(write for write in batch if write.outcome is not None)
            if again:
                with self._arrived:
                    self._waiting.extendleft(reversed(again))

    def _next_batch(self) -> list[_Write]:
        """All that wait, up to the limits, those that share statements first; a write that lost to another server goes alone the
        next time, so that it holds nothing that the other one may be waiting for. Whoever sends one write after another waits
        for the first, so that their order in a batch is nobody's."""
        if self._waiting[0].tries:
            return [self._waiting.popleft()]
        sharing: list[_Write] = []
        others: list[_Write] = []
        later: list[_Write] = []
        while self._waiting and len(sharing) + len(others) < BATCH_LIMIT and not self._waiting[0].tries:
            write = self._waiting.popleft()
            if write.shares:
                sharing.append(write)
            else:
                (others if len(others) < UNSHARED_LIMIT else later).append(write)
        self._waiting.extendleft(reversed(later))
        return sharing + others

    def _commit_together(self, batch: list[_Write], *, shared: bool = True) -> list[_Write]:
        """Run and commit a batch; return the writes to run again because another server was in the way.

        A batch of one kind is run with shared statements and no savepoint (`shared`); should that fail, it is rolled
        back whole and each write is run by itself. The first write that meets a lock ends the batch: what ran before it is committed at once, so that nobody
        waits for us while we wait, and what comes after it starts again behind it.
        """
        lost: list[_Write] = []
        untouched: list[_Write] = []
        committing = False
        try:
            with self._turn, self._begin_as_writer() as connection:
                done = 0
                for group in _groups(batch):
                    done += self._run_group(connection, group, len(batch), shared)
                    if done < len(batch) and batch[done] in group:
                        lost, untouched = [batch[done]], batch[done + 1 :]
                        break
                committing = True
        except DBAPIError as error:
            # A connection that broke before the commit (the database was restarted) is replaced once, unseen.
            replaced = error.connection_invalidated and not committing and not batch[0].tries
            if not (replaced or _another_was_in_the_way(error)):
                problem = self._unavailable(error)
                for write in batch:
                    write.refuse(problem)
                return []
            lost, untouched = batch, []
        except _NothingToCommit:
            return []
        except _OneByOne:
            return self._commit_together(batch, shared=False)
        else:
            self.condition = "ok"
            self.commits += 1
            self.writes += len(batch) - len(lost) - len(untouched)
        for write in lost:
            write.outcome = None
            write.tries += 1
            if write.tries == TRIES:
                write.refuse(_busy())
        return [write for write in lost if write.tries < TRIES] + untouched

    def _run_group(self, connection: Connection, group: list[_Write], together: int, shared: bool) -> int:
        """Run a group, with shared statements if it can be; returns how many were run before one met a lock (all,
        usually). `together`: writes in the whole transaction."""
        if (
            shared
            and len(group) > 1
            and self._run_together(connection, group, savepoint=len(group) < together)
        ):
            return len(group)
        for number, write in enumerate(group):
            if not self._run(connection, write, alone=together == 1):
                return number
        return len(group)

    def _run_together(self, connection: Connection, group: list[_Write], savepoint: bool) -> bool:
        """Run writes of one kind with one set of statements; False (and nothing kept) if each has to run by itself."""
        if savepoint:
            connection.exec_driver_sql("SAVEPOINT one_write")
        try:
            values = _together[group[0].fn](connection, [write.args for write in group])
        except Exception as error:
            if isinstance(error, DBAPIError) and _ends_the_transaction(error):
                raise
            if not savepoint:
                raise _OneByOne from error
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_write")
            connection.exec_driver_sql("RELEASE SAVEPOINT one_write")
            return False
        if savepoint:
            connection.exec_driver_sql("RELEASE SAVEPOINT one_write")
        for write, value in zip(group, values, strict=True):
            write.outcome = (value, None)
        return True

    def _run(self, connection: Connection, write: _Write, alone: bool) -> bool:
        """Run one write inside its savepoint and note its outcome; False if it has to be run again.

        Errors that end the whole transaction (disk full, connection lost) are raised to `_commit_together`.
        """
        if not alone:  # a lone write is its own transaction
            connection.exec_driver_sql("SAVEPOINT one_write")
        try:
            write.outcome = (write.fn(connection, *write.args, **write.kwargs), None)
        except Exception as error:
            if isinstance(error, DBAPIError) and (
                _ends_the_transaction(error) or (alone and _another_was_in_the_way(error))
            ):
                raise
            if alone:
                write.refuse(error)
                raise _NothingToCommit from error
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT one_write")
            connection.exec_driver_sql("RELEASE SAVEPOINT one_write")
            if isinstance(error, DBAPIError) and _another_was_in_the_way(error):
                return False
            write.refuse(error)
        else:
            if not alone:
                connection.exec_driver_sql("RELEASE SAVEPOINT one_write")
        return True

    @contextlib.contextmanager
    def _begin_as_writer(self) -> Iterator[Connection]:
        """A transaction on the writer thread's own connection, kept between batches; a database error drops it."""
        if self._own is None:
            self._own = self.engine.connect().execution_options(survey_writes=True)
        try:
            with self._own.begin():
                yield self._own
        except DBAPIError:
            self._drop_own()
            raise

    def _drop_own(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            with contextlib.suppress(DBAPIError):
                own.close()

    @contextlib.contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(survey_writes=True) as connection, connection.begin():
            yield connection

    def _unavailable(self, error: DBAPIError) -> SurveyError:
        """What a person is told when the database fails; the log keeps the technical reason, without parameters."""
        self.condition = (
            "full" if _is_full(error) else "unreachable" if error.connection_invalidated else "failing"
        )
        log.error("database error (%s): %s", self.condition, _first_line(error))
        if self.condition == "full":
            return Unavailable(
                {
                    "vi": "Máy chủ hết chỗ lưu nên chưa lưu được. Câu trả lời đã lưu trước vẫn còn; xin thử lại sau.",
                    "en": "The server's disk is full, so this was not saved. Answers saved before are safe; "
                    "please try again later.",
                },
                retry_after=300,
            )
        if _another_was_in_the_way(error):
            return _busy()
        return Unavailable(
            {
                "vi": "Máy chủ chưa lưu được. Câu trả lời đã lưu trước vẫn còn; xin thử lại sau ít phút.",
                "en": "The server could not save this. Answers saved before are safe; please try again shortly.",
            },
            retry_after=30,
        )

    # Closing

    def close(self) -> None:
        """Finish every write that waits, then disconnect. New ones are refused."""
        with self._arrived:
            self._closing = True
            self._arrived.notify_all()
        if self._writer is not None:
            self._writer.join()
        self._drop_own()
        self._readers.shutdown(wait=True)
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)


class _Write:
    """One waiting write: what to run, whom to tell, and how it went."""

    __slots__ = ("args", "fn", "future", "kwargs", "loop", "outcome", "tries")

    def __init__(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        future: asyncio.Future[Any] | Future[Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.fn, self.args, self.kwargs, self.future, self.loop = fn, args, kwargs, future, loop
        self.outcome: tuple[Any, BaseException | None] | None = None
        self.tries = 0

    @property
    def shares(self) -> bool:
        """Whether it can be run with others of its kind (`run_together`)."""
        return self.fn in _together and not self.kwargs

    def given_up(self) -> bool:
        return self.future.cancelled()

    def refuse(self, error: BaseException) -> None:
        self.outcome = (None, error)

    def tell(self) -> None:
        if self.future.cancelled() or self.outcome is None:
            return
        value, error = self.outcome
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(value)


_quick: set[Callable[..., Any]] = set()


def quick(fn: Callable[Concatenate[Connection, P], R]) -> Callable[Concatenate[Connection, P], R]:
    """Say that reading by `fn` takes a fraction of a millisecond: a look at one household by its keys.

    Where the database is a file such a look is taken on the event loop itself: handing it to a thread and back costs as much
    again, and more on a busy server, whose threads wait for one another. Not for lists, and not for what is asked over a network,
    where the loop would wait.
    """
    _quick.add(fn)
    return fn


_together: dict[Callable[..., Any], Callable[[Connection, list[tuple[Any, ...]]], list[Any]]] = {}


def run_together(
    fn: Callable[Concatenate[Connection, P], R], many: Callable[[Connection, Any], list[R]]
) -> None:
    """Say that waiting writes of `fn` can be run as `many(connection, [args, ...])`, with the same answers and effect.

    If `many` fails, nothing of it is kept and each is run by `fn` in its own savepoint.
    """
    _together[fn] = many


def _groups(batch: list[_Write]) -> Iterator[list[_Write]]:
    """Neighbours that can be run together; the order of writes is kept."""
    group: list[_Write] = []
    for write in batch:
        if group and not (write.shares and group[0].shares and write.fn is group[0].fn):
            yield group
            group = []
        group.append(write)
    if group:
        yield group


class _NothingToCommit(Exception):
    """A lone write failed: leave the transaction without committing."""


class _OneByOne(Exception):
    """Writes cannot share their statements: leave the transaction and run each by itself."""


def _answer(writes: Iterator[_Write]) -> None:
    """Tell everybody how it went; each event loop is woken once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for write in writes:
        if write.loop is None:
            write.tell()
        else:
            by_loop.setdefault(write.loop, []).append(write)
    for loop, mine in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody is waiting any more
            loop.call_soon_threadsafe(_tell_all, mine)


def _tell_all(writes: list[_Write]) -> None:
    for write in writes:
        write.tell()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _not_an_address(url) from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    # Errors must not carry answers into the log; each writer has an audit chain of its own.
    common: dict[str, Any] = {
        "pool_size": 8,
        "hide_parameters": True,
        "execution_options": {"survey_chain": f"{now():x}-{secrets.token_hex(4)}"},
    }
    if parsed.drivername == "postgresql+psycopg":
        engine = create_engine(parsed, max_overflow=8, pool_pre_ping=True, **common)
        event.listen(engine, "connect", _durable_postgresql)
        return engine
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        engine = create_engine(parsed, max_overflow=-1, **common)
        event.listen(engine, "connect", _durable_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    raise _not_an_address(url)


def _unopened(engine: Engine, error: DBAPIError) -> UnknownDatabase:
    return UnknownDatabase(
        {
            "vi": f"Không mở được cơ sở dữ liệu {_shown(engine.url)}: {_first_line(error)}",
            "en": f"Cannot open the database {_shown(engine.url)}: {_first_line(error)}",
        }
    )


def _durable_sqlite(driver: Any, _record: object) -> None:
    """WAL lets readers go on while one writes; FULL flushes at each commit (NORMAL loses commits on power cuts)."""
    driver.isolation_level = None  # the driver must not begin transactions of its own
    cursor = driver.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -32000",
    ):
        _set_pragma(cursor, pragma)
    cursor.close()


def _set_pragma(cursor: Any, pragma: str) -> None:
    """SQLite does not wait by itself when two connections turn a new file to WAL at the same moment."""
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute(f"PRAGMA {pragma}")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the lock at once: a reading transaction that turns to writing can fail in the middle."""
    if connection.get_execution_options().get("survey_writes", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # takes no lock and cannot fail: the driver is asked without the ceremony of a statement, at every page
        connection.connection.cursor().execute("BEGIN")


def _durable_postgresql(driver: Any, _record: object) -> None:
    """A server set up with synchronous_commit = off would acknowledge before the disk has it."""
    with driver.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'"
        )
        cursor.execute(f"SET lock_timeout = {LOCK_MILLISECONDS}")
    driver.commit()


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def _sqlite_code(error: DBAPIError) -> int:
    """SQLite's primary result code: 5 busy, 8 read-only, 10 I/O error, 11 corrupt, 13 full."""
    return int(getattr(error.orig, "sqlite_errorcode", 0) or 0) & 0xFF


def _is_full(error: DBAPIError) -> bool:
    return _sqlite_code(error) == 13 or _sqlstate(error) == "53100"


def _another_was_in_the_way(error: DBAPIError) -> bool:
    return _sqlstate(error) in _TRY_AGAIN or _sqlite_code(error) in (5, 6)


def _ends_the_transaction(error: DBAPIError) -> bool:
    """Errors after which nothing of the transaction can be relied on: its savepoints are gone with it."""
    return (
        error.connection_invalidated
        or _is_full(error)
        or _sqlite_code(error) in (7, 8, 10, 11, 14, 26)
        or _sqlstate(error)[:2] in ("08", "53", "57", "58", "XX")
    )


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _not_an_address(url: str) -> UnknownDatabase:
    # The address may hold a password, so that only its beginning is repeated.
    scheme = url.partition(":")[0]
    return UnknownDatabase(
        {
            "vi": f"Không hiểu địa chỉ cơ sở dữ liệu bắt đầu bằng {scheme!r}. "
            "Hãy dùng sqlite:///tệp.sqlite hoặc postgresql://người_dùng@máy/tên",
            "en": f"The database address beginning with {scheme!r} cannot be used. "
            "Write sqlite:///file.sqlite or postgresql://user@host/name",
        }
    )


def _busy() -> Unavailable:
    return Unavailable(
        {
            "vi": "Máy chủ đang bận và chưa lưu được. Xin thử lại sau ít phút.",
            "en": "The server is busy and has not saved this. Please try again shortly.",
        },
        retry_after=10,
    )


def _closed() -> Unavailable:
    return Unavailable(
        {
            "vi": "Máy chủ đang khởi động lại. Xin thử lại sau ít phút; câu trả lời đã lưu vẫn còn.",
            "en": "The server is restarting. Please try again shortly; saved answers are safe.",
        },
        retry_after=5,
    )


def ping(connection: Connection) -> bool:
    """Whether the database answers (readiness)."""
    return bool(connection.execute(text("SELECT 1")).scalar_one())
