"""A database is created, brought forward or refused; the migrations and the tables say the same."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from survey.fieldwork.plan import Dates, Frame, Legal, Retention, Sampling, SurveyPlan, Territory
from survey.problems import Refused
from survey.questionnaire.model import Page, Question, Questionnaire, Section
from survey.storage import schema, surveys
from survey.storage.database import Database
from survey.storage.tables import metadata


def test_migrations_lead_to_the_tables(db: Database) -> None:
    with db.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert schema.version(connection) == schema.HEAD


def test_the_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schema._config()).get_current_head() == schema.HEAD


def test_a_newer_database_is_refused_and_left_alone(url: str) -> None:
    with Database.open(url) as db, db.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(schema.NewerSchema, match="9999"):
        Database.open(url)


def test_several_servers_may_start_at_once_on_an_empty_database(url: str) -> None:
    problems: list[Exception] = []

    def start() -> None:
        try:
            Database.open(url).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


TITLE = {"vi": "Điều tra thử", "en": "A test survey"}
PLAN = SurveyPlan(
    id="test",
    title=TITLE,
    organiser=TITLE,
    languages=("vi", "en"),
    territory=Territory(name=TITLE, country="VN", province="31", as_of="2025-07-01"),
    frame=Frame(),
    sampling=Sampling(strata=("urban_rural",), psus=4, take=10),
    modes=("self", "visit"),
    dates=Dates(
        reference="2025-12-31", web_opens="2025-12-01", visits_open="2025-12-10", closes="2026-01-31"
    ),
    legal=Legal(basis="consent", decision=TITLE, citations=(), controller=TITLE, contact=TITLE, purposes=()),
    retention=Retention(identities_months=6, answers_months=60),
)


def questionnaire(label: str) -> Questionnaire:
    question = Question(id="q1", kind="text", label={"vi": label, "en": label})
    page = Page(id="p1", questions=(question,))
    return Questionnaire(
        id="test",
        title=TITLE,
        languages=("vi", "en"),
        sections=(Section(id="s1", title=TITLE, pages=(page,)),),
    )


def test_every_version_of_a_questionnaire_stays(db: Database) -> None:
    with db.reading() as connection:
        assert surveys.current(connection) is None
    old, new = questionnaire("Tên?"), questionnaire("Tên gọi?")
    db.write_now(surveys.keep, old, PLAN, "h1")
    db.write_now(surveys.keep, new, PLAN, "h2", synthetic=True)
    with db.reading() as connection:
        kept = surveys.current(connection)
        assert kept is not None
        assert (kept.questionnaire, kept.plan, kept.synthetic, kept.hash) == (new, PLAN, True, "h2")
        assert surveys.questionnaire(connection, old.version) == old
        with pytest.raises(Refused):
            surveys.questionnaire(connection, "unknown")
    db.write_now(surveys.keep, old, PLAN, "h1")
    with db.reading() as connection:
        kept = surveys.current(connection)
        assert kept is not None
        assert kept.version == old.version
