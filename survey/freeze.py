"""Freezing: cases and answers become a file that no longer changes, from which everything is computed again.

What the files are: `survey.frozen`. The same database gives the same bytes, whatever the number of processes. Memory stays
flat: cases are read, made into rows (`survey.sheets`) and written in portions. How long it takes: tests/benchmarks/freezing.py.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import multiprocessing
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from survey import __version__, sheets
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.folder import Folder
from survey.frozen import PERSONS, FrozenFile, Manifest, sha256
from survey.problems import Conflict
from survey.questionnaire.codebook import MISSING, variables
from survey.sheets import Made, Portion, Sheet, Sheets
from survey.storage import audit, cases, responses, rights, surveys
from survey.storage.database import Database
from survey.storage.extent import partial

BATCH: Final = 2000
"""Cases in one portion."""
ROW_GROUP: Final = 64_000
"""Rows after which a row group is written: enough to compress well, few enough to hold."""
WORTH_PROCESSES: Final = 20_000
"""Cases from which on further processes earn the second or two that they take to start."""


def freeze(database: Database, folder: Folder, out: Path, processes: int = 1) -> Manifest:
    """Write the frozen sample of this database into `out` and return its manifest.

    `processes` beside this one make the rows of a large sample; 1 does all here. Reserve households that were not put to
    work are not part of the sample and are left out. Raises Conflict when no survey was loaded into the database.
    """
    out.mkdir(parents=True, exist_ok=True)
    with database.unmoved() as connection:
        kept = surveys.current(connection)
        if kept is None:
            raise Conflict(
                {
                    "vi": "Cơ sở dữ liệu chưa có cuộc khảo sát nào. Hãy chạy survey load trước.",
                    "en": "The database holds no survey yet. Run survey load first.",
                }
            )
        frozen = _Freezing(connection, folder, processes)
        files = frozen.write(out, synthetic=kept.synthetic)
    files["codebook.json"] = _write(out / "codebook.json", _codebook(frozen.sheets.tables))
    manifest = Manifest(
        survey=folder.plan.id,
        questionnaire_version=folder.questionnaire.version,
        versions=dict(sorted(frozen.versions.items())),
        folder=folder.hash,
        software=f"survey {__version__}",
        synthetic=kept.synthetic,
        files=dict(sorted(files.items())),
        cases=sum(frozen.dispositions.values()),
        complete=sum(frozen.modes.values()),
        persons=_persons(files),
        dispositions=dict(sorted(frozen.dispositions.items())),
        modes=dict(sorted(frozen.modes.items())),
        left_out=tuple(variable.name for variable in variables(folder.questionnaire) if variable.free),
        sensitive=tuple(
            variable.name
            for variable in variables(folder.questionnaire)
            if variable.sensitivity == "sensitive" and not variable.free
        ),
    )
    _write(out / "manifest.json", manifest)
    for path in out.iterdir():
        path.chmod(0o600)  # one row a household: for whoever froze it, until figures are released
    return manifest


def _persons(files: Mapping[str, FrozenFile]) -> int:
    """Rows of the people's file; 0 where the questionnaire lists nobody."""
    file = files.get(f"{PERSONS}.parquet")
    return 0 if file is None else file.rows


def export(database: Database, folder: Folder, out: Path, by: str, processes: int = 1) -> Manifest:
    """`freeze`, for somebody to take along: it is in the audit log."""
    manifest = freeze(database, folder, out, processes)
    told = {"complete": manifest.complete, "persons": manifest.persons}
    database.write_now(audit.append, by, "freeze", f"survey:{manifest.survey}", told)
    return manifest


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


class _Freezing:
    """One pass over the cases, in portions: each is read here, made into rows by `Sheets` (here, or in a process beside),
    and written here in the order of the cases. So nothing is sorted, and memory holds a few portions."""

    def __init__(self, connection: Connection, folder: Folder, processes: int) -> None:
        self.connection = connection
        self.folder = folder
        self.processes = processes if cases.count(connection) >= WORTH_PROCESSES else 1
        known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
        self.sheets = Sheets(
            folder.questionnaire,
            surveys.questionnaires(connection),
            [name for name in (folder.areas[0] if folder.areas else {}) if name not in ("code", "name")],
            {code: area.columns for code, area in known.items()},
            cases.opened(connection),
        )
        self.restricted = rights.restricted(connection)
        self.versions: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.dispositions: Counter[str] = Counter()

    def write(self, out: Path, *, synthetic: bool) -> dict[str, FrozenFile]:
        tables = {
            table.name: _Growing(table, out / f"{table.name}.parquet", self.folder.plan.id, synthetic)
            for table in self.sheets.tables.values()
        }
        with contextlib.ExitStack() as stack:
            for table in tables.values():
                stack.enter_context(table)
            for made in self._made(stack):
                self.versions.update(made.versions)
                self.modes.update(made.modes)
                self.dispositions.update(made.dispositions)
                for name, batch in made.batches.items():
                    tables[name].add(batch)
        return {
            f"{name}.parquet": FrozenFile(sha256=sha256(table.path), rows=table.rows)
            for name, table in tables.items()
        }

    def _made(self, stack: contextlib.ExitStack) -> Iterator[Made]:
        """The rows of each portion, in order; with processes a few portions are under way at once."""
        if self.processes == 1:
            yield from map(self.sheets.make, self._portions())
            return
        stack.enter_context(_uncollected())
        pool = stack.enter_context(
            ProcessPoolExecutor(
                self.processes, multiprocessing.get_context("spawn"), sheets.prepare, (self.sheets,)
            )
        )
        under_way: deque[Future[Made]] = deque()
        for portion in self._portions():
            under_way.append(pool.submit(sheets.make, portion))
            if len(under_way) > 2 * self.processes:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()

    def _portions(self) -> Iterator[Portion]:
        for found in cases.sampled(self.connection, BATCH):
            speaking = {
                case.response: case.id for case in found if case.response and case.id not in self.restricted
            }
            answers = {
                case: (response, version, said)
                for response, (case, version, said) in responses.documents(
                    self.connection, list(speaking)
                ).items()
            }
            for version in {version for _, version, _ in answers.values()}.difference(self.sheets.versions):
                surveys.questionnaire(self.connection, version)  # says that it is not there
            silent = [case.id for case in found if case.id not in answers and case.id not in self.restricted]
            visited = [case.id for case in found if case.attempts]
            begun = responses.begun(self.connection, silent)
            asked = self.folder.plan.sufficient
            yield Portion(
                cases=found,
                answers=answers,
                begun=begun,
                partial=frozenset(case for case in begun if partial(self.connection, case, asked)),
                attempts=cases.attempts_of_cases(self.connection, visited),
                restricted=self.restricted.intersection(case.id for case in found),
            )


class _Growing:
    """One Parquet file that grows by portions; a row group is written when there are `ROW_GROUP` rows for it."""

    def __init__(self, table: Sheet, path: Path, survey: str, synthetic: bool) -> None:
        self.path, self.rows = path, 0
        self.schema = table.schema
        self._labels = {"survey": survey, "synthetic": str(synthetic).lower()}
        self._waiting: list[pa.RecordBatch] = []
        self._many = 0

    def __enter__(self) -> _Growing:
        self._writer = pq.ParquetWriter(self.path, self.schema, compression="zstd")
        self._writer.add_key_value_metadata(self._labels)
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._writer.close()

    def add(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._many += batch.num_rows
        if self._many >= ROW_GROUP:
            self._write()

    def _write(self) -> None:
        if self._many:
            self._writer.write_table(
                pa.Table.from_batches(self._waiting, self.schema), row_group_size=self._many
            )
        self.rows += self._many
        self._waiting, self._many = [], 0


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Nobody looks for cycles among millions of rows, which hold none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _codebook(tables: Mapping[str, Sheet]) -> dict[str, Any]:
    """Every column of every file: for variables their words, choices and universe."""
    return {
        "missing": MISSING,
        "files": {
            f"{table.name}.parquet": {
                "columns": [field.name for field in table.schema],
                "variables": list(table.filled),
            }
            for table in tables.values()
        },
    }


def _write(path: Path, value: object) -> FrozenFile:
    content = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"
    path.write_bytes(content)
    return FrozenFile(sha256=hashlib.sha256(content).hexdigest(), rows=content.count(b"\n"))
