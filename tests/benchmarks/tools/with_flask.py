"""The same save in a minimal Flask application with SQLAlchemy's ORM, served by gunicorn: the usual way, elsewhere.

    BENCH_DATABASE=sqlite:////tmp/peer.sqlite gunicorn --chdir tests/benchmarks/tools --threads 32 "with_flask:create()"

Nothing of this project is imported: it runs in the interpreter of the peers (tests/benchmarks/ingestion.py says how).
"""

from __future__ import annotations

import json
import os

from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tables of this application."""


class Saved(Base):
    """One save."""

    __tablename__ = "flask_saved"
    id: Mapped[str] = mapped_column(primary_key=True)
    response: Mapped[str] = mapped_column(index=True)
    document: Mapped[str]


def create() -> Flask:
    """The application on the database that BENCH_DATABASE names."""
    url = os.environ["BENCH_DATABASE"]
    sqlite = url.startswith("sqlite")
    engine = create_engine(url, connect_args={"timeout": 60} if sqlite else {}, pool_timeout=60)

    if sqlite:

        @event.listens_for(engine, "connect")
        def durable(driver, _record) -> None:  # type: ignore[no-untyped-def]
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("PRAGMA synchronous = FULL")

    Base.metadata.create_all(engine)
    engine.dispose()  # each worker connects by itself
    app = Flask(__name__)

    @app.post("/save")
    def save() -> tuple[Response, int]:
        sent = request.get_json()
        if not isinstance(sent.get("answers"), dict):
            return jsonify(error="no answers"), 400
        with Session(engine) as session:
            session.add(Saved(id=sent["id"], response=sent["response"], document=json.dumps(sent)))
            session.commit()
        return jsonify(id=sent["id"], state="kept"), 201

    return app
