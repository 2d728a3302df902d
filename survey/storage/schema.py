"""The schema's version: create it, bring an older one forward, refuse a newer one.

Each released schema is a file in `migrations/versions`. Migrations only add: a server of the version before goes on
working while they run, so that on PostgreSQL an update needs no closing time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from survey.problems import SurveyError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0018"
"""The newest migration; opening a database that is there costs one query and does not load Alembic."""
MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x5355_5256  # PostgreSQL advisory lock: "SURV"


class NewerSchema(SurveyError):
    """The database was written by a newer version of this software; using it could damage it."""

    code = "newer_schema"


class OlderSchema(SurveyError):
    """The database needs a migration, and this process was told not to migrate."""

    code = "older_schema"


def version(connection: Connection) -> str | None:
    """The schema's version; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def bring_up_to_date(engine: Engine, *, migrate: bool = True) -> bool:
    """Create or upgrade the schema under a lock; several servers may start at once. Returns whether it was this one."""
    with engine.connect() as connection:
        if version(connection) == HEAD:
            return False
    with engine.connect().execution_options(survey_writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = version(connection)
        if found == HEAD:
            return False
        if found is not None and found not in _known():
            raise NewerSchema(
                {
                    "vi": f"Cơ sở dữ liệu có cấu trúc {found}, mới hơn phần mềm này ({HEAD}). "
                    "Hãy cập nhật phần mềm; dữ liệu chưa bị thay đổi.",
                    "en": f"The database has schema {found}, newer than this software ({HEAD}). "
                    "Update the software; nothing was changed.",
                }
            )
        if found is not None and not migrate:
            raise OlderSchema(
                {
                    "vi": f"Cơ sở dữ liệu có cấu trúc {found}, phần mềm cần {HEAD}. "
                    "Hãy sao lưu rồi chạy: survey migrate",
                    "en": f"The database has schema {found}, this software needs {HEAD}. "
                    "Make a backup, then run: survey migrate",
                }
            )
        upgrade(connection, HEAD)
        return True


def upgrade(connection: Connection, target: str) -> None:
    """Run the migrations up to `target` in the connection's transaction."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, target)


def _known() -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
