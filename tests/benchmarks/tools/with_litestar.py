"""The same save in a minimal Litestar application with SQLAlchemy's asynchronous ORM: the usual way in the same framework.

    BENCH_DATABASE=sqlite:////tmp/peer.sqlite python tests/benchmarks/tools/with_litestar.py PORT WORKERS

A session and a transaction for each request, by aiosqlite or asyncpg. Nothing of this project is imported: it runs in the
interpreter of the peers (tests/benchmarks/ingestion.py says how).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from litestar import Litestar, post
from msgspec import Struct
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables of this application."""


class Saved(Base):
    """One save."""

    __tablename__ = "litestar_saved"
    id: Mapped[str] = mapped_column(primary_key=True)
    response: Mapped[str] = mapped_column(index=True)
    document: Mapped[str]


class Said(Struct):
    """What a phone sends, as far as it is looked at."""

    id: str
    response: str
    answers: dict[str, Any]


class Kept(Struct):
    """The receipt."""

    id: str
    state: str


def _engine(url: str) -> AsyncEngine:
    if not url.startswith("sqlite"):
        _, _, place = url.partition("://")
        return create_async_engine(f"postgresql+asyncpg://{place}", pool_timeout=60)
    address = url.replace("sqlite:", "sqlite+aiosqlite:", 1)
    engine = create_async_engine(address, connect_args={"timeout": 60}, pool_timeout=60)

    @event.listens_for(engine.sync_engine, "connect")
    def durable(driver: Any, _record: object) -> None:
        cursor = driver.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    return engine


def create() -> Litestar:
    """The application on the database that BENCH_DATABASE names."""
    engine = _engine(os.environ["BENCH_DATABASE"])

    @post("/save")
    async def save(data: Said) -> Kept:
        document = json.dumps({"id": data.id, "response": data.response, "answers": data.answers})
        async with AsyncSession(engine) as session:
            session.add(Saved(id=data.id, response=data.response, document=document))
            await session.commit()
        return Kept(data.id, "kept")

    return Litestar([save], openapi_config=None, logging_config=None)


async def _tables() -> None:
    engine = _engine(os.environ["BENCH_DATABASE"])
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    asyncio.run(_tables())  # before the workers, which would all do it at once
    Granian(
        "with_litestar:create",
        factory=True,
        interface=Interfaces.ASGI,
        port=int(sys.argv[1]),
        workers=int(sys.argv[2]),
        log_level=LogLevels.error,
    ).serve()
