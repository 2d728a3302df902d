"""Makes NNNN.json.gz: a database as each earlier schema left it, filled by the software of its own day.

    python tests/storage/released/make.py

For each migration but the last, the newest commit whose schema it was is checked out beside this one; its own code creates a
SQLite database, plays eight invented households into it, and this script writes down every row of every table. So a test
brings forward what an old server really wrote, on both databases (tests/storage/test_released.py). Needs the whole history
of the repository; run it when a migration is added: what is there already is left alone.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MIGRATIONS = "survey/storage/migrations/versions"
KEY = "6b" * 32
"""The key of these invented households: from 0014 on, what they said is sealed."""

FILL = """
import sys
from survey.storage.database import Database
url = sys.argv[1]
try:
    from tests.village import Village
except ImportError:
    Village = None
if Village is not None:
    Village(8, seed=7).fill(url).close()
else:
    from survey.storage import cases, responses
    from tests.storage.households import VERSION, story, unit
    with Database.open(url) as database, database.writing() as connection:
        cases.import_sample(connection, [unit(number) for number in range(8)])
        for number in range(5):
            responses.open(connection, f"r{number}", f"HD-{number:06d}", VERSION, "self")
            responses.append(connection, list(story(f"r{number}", 4)))
from survey.storage import accounts, audit
with Database.open(url) as database:
    database.write_now(audit.append, "an", "test", "case:HD-000001")
    database.write_now(audit.append, "an", "test", "case:HD-000002")
"""


def git(*arguments: str, at: Path = ROOT) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=at, check=True, capture_output=True, text=True
    ).stdout.strip()


def main() -> None:
    files = sorted(file.name for file in (ROOT / MIGRATIONS).glob("[0-9]*.py"))
    for number in range(1, len(files)):
        if (HERE / f"{files[number - 1][:4]}.json.gz").exists():
            continue
        commit, revision = newest_with(files[:number]), files[number - 1][:4]
        with tempfile.TemporaryDirectory() as name:
            tree, database = Path(name) / "tree", Path(name) / "old.sqlite"
            git("worktree", "add", "--detach", str(tree), commit)
            try:
                fill(tree, database)
            finally:
                git("worktree", "remove", "--force", str(tree))
            rows = dumped(database)
        assert rows["alembic_version"] == [{"version_num": revision}], (revision, rows["alembic_version"])
        text = json.dumps(rows, ensure_ascii=False, sort_keys=True)
        (HERE / f"{revision}.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(
            revision,
            git("log", "-1", "--format=%h %s", commit),
            {table: len(found) for table, found in rows.items()},
        )


def newest_with(migrations: list[str]) -> str:
    """The newest commit that knew exactly these migrations."""
    for commit in git("rev-list", "HEAD").splitlines():
        listed = git("ls-tree", "--name-only", commit, f"{MIGRATIONS}/").splitlines()
        if sorted(Path(name).name for name in listed if Path(name).name[0].isdigit()) == migrations:
            return commit
    raise SystemExit(f"no commit has exactly {migrations}")


def fill(tree: Path, database: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(tree), "SURVEY_KEY": KEY}
    subprocess.run(
        [sys.executable, "-c", FILL, f"sqlite:///{database}"], cwd=tree, env=environment, check=True
    )


def dumped(database: Path) -> dict[str, list[dict[str, object]]]:
    """Every row of every table; bytes as {"base64": …}."""
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
    ]
    return {
        table: [
            {column: _plain(row[column]) for column in row.keys()}  # noqa: SIM118
            for row in connection.execute(f'SELECT * FROM "{table}"')
        ]
        for table in tables
        if not table.startswith("sqlite_")
    }


def _plain(value: object) -> object:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


if __name__ == "__main__":
    main()
