"""Freezing: cases and answers become a file that no longer changes, from which everything is computed again.

What the files are: `survey.frozen`. The same database gives the same bytes. Memory stays flat: responses are streamed
and sorted on disk.
"""

from __future__ import annotations

import datetime
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection

from survey import __version__
from survey.fieldwork import dispositions
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.fieldwork.cases import Attempt, Case, disposition
from survey.fieldwork.listing import reserve_factor
from survey.folder import SAMPLE_COLUMNS, Folder, column_name, frozen_columns
from survey.frozen import HOUSEHOLDS, PERSONS, FrozenFile, Manifest, sha256
from survey.problems import Conflict
from survey.questionnaire.codebook import MISSING, Variable, variables
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, Response, fold
from survey.questionnaire.routing import outcome, walk
from survey.storage import audit, cases, responses, rights, surveys
from survey.storage.database import Database

RESTRICTED: Final = "2.36"
"""A household that asked for its data not to be used: eligible, and its answers stay out (AAPOR: other)."""
BATCH: Final = 2000

DESIGN_COLUMNS: Final = {
    "stage1_probability": "DOUBLE", "stage2_probability": "DOUBLE", "psus_sampled": "INTEGER",
    "psus_in_stratum": "INTEGER", "households_sampled": "INTEGER", "households_listed": "INTEGER",
    "certainty": "BOOLEAN", "reserve": "BOOLEAN", "field_factor": "DOUBLE", "disposition": "VARCHAR", "category": "VARCHAR", "respondent": "BOOLEAN",
    "eligible_count": "INTEGER",
}  # fmt: skip
ROW_COLUMNS: Final = {
    "case": "VARCHAR",
    "person": "VARCHAR",
    "position": "INTEGER",
    "eligible": "BOOLEAN",
    "selected": "BOOLEAN",
}
_ARROW: Final = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
}


def freeze(database: Database, folder: Folder, out: Path) -> Manifest:
    """Write the frozen sample of this database into `out` and return its manifest.

    Reserve households that were not put to work are not part of the sample and are left out. Raises Conflict when
    no survey was loaded into the database.
    """
    out.mkdir(parents=True, exist_ok=True)
    with database.reading() as connection, tempfile.TemporaryDirectory() as scratch:
        kept = surveys.current(connection)
        if kept is None:
            raise Conflict(
                {
                    "vi": "Cơ sở dữ liệu chưa có cuộc khảo sát nào. Hãy chạy survey load trước.",
                    "en": "The database holds no survey yet. Run survey load first.",
                }
            )
        frozen = _Freezing(connection, folder, Path(scratch))
        files = frozen.write(out, synthetic=kept.synthetic)
    files["codebook.json"] = _write(out / "codebook.json", _codebook(frozen.tables))
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
        persons=frozen.persons,
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


def export(database: Database, folder: Folder, out: Path, by: str) -> Manifest:
    """`freeze`, for somebody to take along: it is in the audit log."""
    manifest = freeze(database, folder, out)
    told = {"complete": manifest.complete, "persons": manifest.persons}
    database.write_now(audit.append, by, "freeze", f"survey:{manifest.survey}", told)
    return manifest


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────


class _Table:
    """One output table: its columns, the variables that fill it, and the rows waiting to be written to scratch."""

    def __init__(self, name: str, columns: Mapping[str, str], filled: tuple[Variable, ...]) -> None:
        self.name = name
        self.filled = filled
        self.schema = pa.schema([(column, _ARROW[kind]) for column, kind in columns.items()])
        self.waiting: list[dict[str, Any]] = []

    def values(self, outcomes: Mapping[Key, Answer], row: str = "") -> dict[str, Any]:
        """The cells of one row: each variable in its state; what an older version did not ask is not_asked."""
        cells: dict[str, Any] = {}
        for variable in self.filled:
            answer = outcomes.get(Key(variable.name, row), Answer(missing="not_asked"))
            _fill(cells, variable, answer)
        return cells


def _fill(cells: dict[str, Any], variable: Variable, answer: Answer) -> None:
    name = column_name(variable.name)
    value, missing = answer.value, answer.missing
    if variable.form == "select_many":
        chosen = value if isinstance(value, list) else ()
        for choice in variable.choices:
            cells[f"{name}__{column_name(choice.code)}"] = None if missing else choice.code in chosen
    elif missing is None:
        try:
            cells[name] = _typed(variable.form, value)
        except (TypeError, ValueError):
            missing = "lost"  # a value no reader can use; the event in the database still has it
    cells[f"{name}__missing"] = missing


def _typed(kind: str, value: object) -> object:
    match kind:
        case "integer" | "year":
            return int(str(value))
        case "decimal":
            return float(value) if isinstance(value, int | float) else float(str(value))
        case "acknowledge":
            return bool(value)
        case "date":
            return datetime.date.fromisoformat(str(value))
        case "rank":
            return " ".join(value) if isinstance(value, list) else str(value)
        case _:
            return str(value)


class _Freezing:
    """One pass over the responses and one over the cases, into scratch tables that are then sorted and written."""

    def __init__(self, connection: Connection, folder: Folder, scratch: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.questionnaire = folder.questionnaire
        self.scratch = duckdb.connect(
            str(scratch / "frozen.duckdb"), config={"threads": 1, "enable_external_access": "false"}
        )
        self.versions: Counter[str] = Counter()
        self.modes: Counter[str] = Counter()
        self.dispositions: Counter[str] = Counter()
        self._opened: Counter[str] = Counter()  # reserve households put to work, by PSU
        self.persons = 0
        self.restricted = rights.restricted(connection)
        self._older: dict[str, Questionnaire] = {folder.questionnaire.version: folder.questionnaire}
        known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
        self.areas = {code: area.columns for code, area in known.items()}
        self.tables = self._tables()
        for table in self.tables.values():
            columns = ", ".join(f'"{column}" {kind}' for column, kind in _columns_of(table).items())
            self.scratch.execute(f'CREATE TABLE "{table.name}" ({columns})')

    def _tables(self) -> dict[str, _Table]:
        """Households, and a table a roster; persons are the rows of the roster that a draw is made from."""
        filled = [one for one in variables(self.questionnaire) if not one.free]
        area_columns = [
            name
            for name in (self.folder.areas[0] if self.folder.areas else {})
            if name not in ("code", "name")
        ]
        types = frozen_columns(self.questionnaire, "person", area_columns)
        household = tuple(one for one in filled if one.level == "household")
        sample = {
            **SAMPLE_COLUMNS,
            **{name: "VARCHAR" for name in area_columns if name not in SAMPLE_COLUMNS},
        }
        tables = {
            "": _Table(HOUSEHOLDS, {**sample, **DESIGN_COLUMNS, **_cells_of(household, types)}, household)
        }
        for roster in self.questionnaire.rosters:
            own = tuple(one for one in filled if one.roster == roster.id)
            name = PERSONS if roster.id == self.person_roster else roster.id
            tables[roster.id] = _Table(name, {**ROW_COLUMNS, **_cells_of(own, types)}, own)
        return tables

    @property
    def person_roster(self) -> str:
        """The roster whose rows are people: the one that a draw is made from, else the first."""
        drawn = [draw.roster for draw in self.questionnaire.draws]
        return (drawn + [roster.id for roster in self.questionnaire.rosters] + [""])[0]

    def write(self, out: Path, *, synthetic: bool) -> dict[str, FrozenFile]:
        for row in self._households():
            self._add(self.tables[""], row)
        for table in self.tables.values():
            self._flush(table)
        written = {}
        for table in self.tables.values():
            order = '"case"' if table.name == HOUSEHOLDS else '"case", "position"'
            written[f"{table.name}.parquet"] = self._parquet(
                table, out / f"{table.name}.parquet", order, synthetic
            )
        self.scratch.close()
        return written

    # ── rows ──

    def _households(self) -> Iterator[dict[str, Any]]:
        """One row a sampled case; the roster rows of its complete response are added on the way."""
        answered = self._answered()
        self._opened = Counter(case.unit.psu for case in cases.every(self.connection) if case.release)
        attempts = cases.every_attempt(self.connection)
        for case in cases.every(self.connection):
            if case.reserve:
                continue
            tried = attempts.get(case.id, [])
            state, row = answered.get(case.id, ("none", {}))
            yield self._household(case, tried, state, row)

    def _answered(self) -> dict[str, tuple[dispositions.ResponseState, dict[str, Any]]]:
        """By case: how far its answers have come, and the household cells of the response that completed it."""
        completing = {case.response: case.id for case in cases.every(self.connection) if case.response}
        found: dict[str, tuple[dispositions.ResponseState, dict[str, Any]]] = {}
        for record, events in responses.all(self.connection):
            if record.case in self.restricted:
                continue
            if record.id in completing:
                found[record.case] = ("complete", self._response(record.case, record.version, events))
            elif record.case not in found and events:
                found[record.case] = ("started", {})
        return found

    def _response(self, case: str, version: str, events: list[Event]) -> dict[str, Any]:
        """The household cells of a complete response; its roster rows go straight to scratch."""
        questionnaire = self._version(version)
        response = fold(case, events)
        outcomes = outcome(questionnaire, response)
        draw = next((one for one in questionnaire.draws if one.roster == self.person_roster), None)
        eligible = set(walk(questionnaire, response).eligible(draw.id)) if draw else set()
        selected = response.drawn.get(draw.id, "") if draw else ""
        for roster, rows in response.rows.items():
            table = self.tables.get(roster)
            if table is None:
                continue
            for position, row in enumerate(rows, start=1):
                cells = {
                    "case": case,
                    "person": f"{case}-{position:02d}",
                    "position": position,
                    "eligible": row in eligible,
                    "selected": row == selected,
                }
                self._add(table, cells | table.values(outcomes, row))
                self.persons += roster == self.person_roster
        self.versions[version] += 1
        self.modes[response.mode] += 1
        day = _day(response)
        return {
            "mode": response.mode,
            "interview_date": day,
            "interview_year": None if day is None else day.year,
            "eligible_count": response.eligible.get(draw.id, len(eligible)) if draw else None,
            **self.tables[""].values(outcomes),
        }

    def _household(
        self,
        case: Case,
        attempts: list[Attempt],
        state: dispositions.ResponseState,
        answers: dict[str, Any],
    ) -> dict[str, Any]:
        final = (
            dispositions.DISPOSITIONS[RESTRICTED]
            if case.id in self.restricted
            else disposition(case, attempts, state)
        )
        self.dispositions[final.code] += 1
        unit = case.unit
        row: dict[str, Any] = dict(self.areas.get(unit.commune, {}))
        row |= {name: getattr(unit, name) for name in _UNIT}
        found = case.finding.factor if case.finding else 1.0
        row |= {
            "reserve": unit.reserve,
            "field_factor": found * reserve_factor(unit.households_sampled, self._opened[unit.psu]),
            # A case that never answered stands with those that officials went to: that is where it was last left.
            "mode": attempts[-1].mode if attempts else "visit",
            "disposition": final.code,
            "category": final.category,
            "respondent": state == "complete",
        }
        return row | (answers or self.tables[""].values({}))

    def _version(self, version: str) -> Questionnaire:
        if version not in self._older:
            self._older[version] = surveys.questionnaire(self.connection, version)
        return self._older[version]

    # ── scratch and Parquet ──

    def _add(self, table: _Table, row: dict[str, Any]) -> None:
        table.waiting.append(row)
        if len(table.waiting) >= BATCH:
            self._flush(table)

    def _flush(self, table: _Table) -> None:
        if not table.waiting:
            return
        batch = pa.Table.from_pylist(table.waiting, schema=table.schema)
        table.waiting.clear()
        self.scratch.register("batch", batch)
        self.scratch.execute(f'INSERT INTO "{table.name}" SELECT * FROM batch')
        self.scratch.unregister("batch")

    def _parquet(self, table: _Table, path: Path, order: str, synthetic: bool) -> FrozenFile:
        rows = 0
        reader = self.scratch.sql(f'SELECT * FROM "{table.name}" ORDER BY {order}').to_arrow_reader(BATCH)
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            writer.add_key_value_metadata(
                {"survey": self.folder.plan.id, "synthetic": str(synthetic).lower()}
            )
            for batch in reader:
                writer.write_batch(pa.record_batch(batch.columns, schema=table.schema))
                rows += batch.num_rows
        return FrozenFile(sha256=sha256(path), rows=rows)


_UNIT: Final = (
    "case", "stratum", "psu", "commune", "urban_rural", "stage1_probability", "stage2_probability", "psus_sampled",
    "psus_in_stratum", "households_sampled", "households_listed", "certainty",
)  # fmt: skip


def _cells_of(
    filled: Iterator[Variable] | list[Variable] | tuple[Variable, ...], types: Mapping[str, str]
) -> dict[str, str]:
    """The columns of these variables with their types, in order."""
    columns: dict[str, str] = {}
    for variable in filled:
        name = column_name(variable.name)
        own = (
            [f"{name}__{column_name(choice.code)}" for choice in variable.choices]
            if variable.form == "select_many"
            else [name]
        )
        columns |= {column: types[column] for column in (*own, f"{name}__missing")}
    return columns


def _columns_of(table: _Table) -> dict[str, str]:
    kinds = {arrow: kind for kind, arrow in _ARROW.items()}
    return {field.name: kinds[field.type] for field in table.schema}


def _day(response: Response) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(response.today)
    except ValueError:
        return None


def _codebook(tables: Mapping[str, _Table]) -> dict[str, Any]:
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
