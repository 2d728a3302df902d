"""A portion of the sample becomes rows of the frozen tables: the cells of each case, and of each person it lists.

Given what is kept of some cases (`Portion`), `Sheets.make` gives their rows as Arrow record batches. It reads no database, so
that several processes can do it side by side (`survey.freeze` reads, hands out and writes; `survey.frozen` says what the files are). Columns are filled one at a
time for the whole portion (`questionnaire.states`): a million responses are too many to look at cell by cell.
"""

from __future__ import annotations

import datetime
import gc
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
from msgspec import Struct

from survey.fieldwork import dispositions
from survey.fieldwork.cases import Attempt, Case, Override, disposition
from survey.fieldwork.listing import Finding, reserve_factor
from survey.fieldwork.sample import SampledUnit
from survey.folder import SAMPLE_COLUMNS, column_name, frozen_columns
from survey.frozen import HOUSEHOLDS, PERSONS
from survey.questionnaire.codebook import Variable, variables
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Gathered, gather
from survey.questionnaire.states import Batch, States
from survey.storage import responses
from survey.storage.cases import Sampled

RESTRICTED: Final = "2.36"
"""A household that asked for its data not to be used: eligible, and its answers stay out (AAPOR: other)."""

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
_UNIT: Final = (
    "stratum", "psu", "commune", "urban_rural", "stage1_probability", "stage2_probability", "psus_sampled",
    "psus_in_stratum", "households_sampled", "households_listed", "certainty", "reserve",
)  # fmt: skip

Column = list[Any]


class Portion(Struct):
    """What is kept of some cases, in the order of their rows.

    answers: case → id, version and event documents of the response that completed it; begun: cases without one that
    answered something; partial: those of them that answered enough for a partial interview; attempts: case → its visits;
    restricted: cases whose data may not be used.
    """

    cases: list[Sampled]
    answers: dict[str, tuple[str, str, list[str]]]
    begun: frozenset[str]
    partial: frozenset[str]
    attempts: dict[str, list[Attempt]]
    restricted: frozenset[str]


class Made(Struct):
    """Rows by table, and counts of what they are: responses by version and mode, cases by disposition."""

    batches: dict[str, pa.RecordBatch]
    versions: dict[str, int]
    modes: dict[str, int]
    dispositions: dict[str, int]


class Sheet:
    """One frozen table: its columns, and the variables that fill it."""

    def __init__(self, name: str, columns: Mapping[str, str], filled: tuple[Variable, ...]) -> None:
        self.name = name
        self.filled = filled
        self.schema = pa.schema([(column, _ARROW[kind]) for column, kind in columns.items()])

    def batch(self, columns: Mapping[str, Column], rows: int) -> pa.RecordBatch:
        """The columns of so many rows; one that is not there is empty."""
        return pa.record_batch(
            [
                pa.array(columns[name], kind)
                if any(columns.get(name, ()))
                else _quiet(columns.get(name), rows, kind)
                for name, kind in zip(self.schema.names, self.schema.types, strict=True)
            ],
            schema=self.schema,
        )


def _quiet(column: Column | None, rows: int, kind: pa.DataType) -> pa.Array:
    """A column without any word: mostly reasons why there is no value, where there always is one."""
    if column is None or column.count(None) == len(column):
        return pa.nulls(rows, kind)
    return pa.array(column, kind)


class Sheets:
    """Everything that rows are made by, the same for each portion of a freeze.

    questionnaire: whose variables are the columns; versions: every version that a response may stand on; area_columns and
    areas: what the areas file adds to a case by its commune; opened: reserve households put to work, by PSU.
    """

    def __init__(
        self,
        questionnaire: Questionnaire,
        versions: Mapping[str, Questionnaire],
        area_columns: Sequence[str],
        areas: Mapping[str, Mapping[str, str]],
        opened: Mapping[str, int],
    ) -> None:
        self.questionnaire, self.versions, self.area_columns, self.areas, self.opened = (
            questionnaire, dict(versions) | {questionnaire.version: questionnaire}, tuple(area_columns),
            {code: dict(columns) for code, columns in areas.items()}, dict(opened),
        )  # fmt: skip
        self.tables = self._tables()
        self._states: dict[str, States] = {}

    def __reduce__(self) -> tuple[Any, ...]:  # what is derived is made again in another process
        return type(self), (self.questionnaire, self.versions, self.area_columns, self.areas, self.opened)

    def _tables(self) -> dict[str, Sheet]:
        """Households, and a table a roster; persons are the rows of the roster that a draw is made from."""
        filled = [one for one in variables(self.questionnaire) if not one.free]
        types = frozen_columns(self.questionnaire, "person", self.area_columns)
        household = tuple(one for one in filled if one.level == "household")
        own_areas = {name: "VARCHAR" for name in self.area_columns if name not in SAMPLE_COLUMNS}
        tables = {
            "": Sheet(
                HOUSEHOLDS,
                {**SAMPLE_COLUMNS, **own_areas, **DESIGN_COLUMNS, **_cells_of(household, types)},
                household,
            )
        }
        for roster in self.questionnaire.rosters:
            own = tuple(one for one in filled if one.roster == roster.id)
            name = PERSONS if roster.id == self.person_roster else roster.id
            tables[roster.id] = Sheet(name, {**ROW_COLUMNS, **_cells_of(own, types)}, own)
        return tables

    @property
    def person_roster(self) -> str:
        """The roster whose rows are people: the one that a draw is made from, else the first."""
        drawn = [draw.roster for draw in self.questionnaire.draws]
        return (drawn + [roster.id for roster in self.questionnaire.rosters] + [""])[0]

    # ── rows ──

    def make(self, portion: Portion) -> Made:
        """The rows of these cases and of the rosters of their complete responses."""
        answers = _Answers(self, portion)
        households, ends = self._households(portion, answers)
        rosters = {table.name: answers.rows_of(roster) for roster, table in self.tables.items() if roster}
        return Made(
            batches={HOUSEHOLDS: households, **rosters},
            versions={version: len(numbers) for version, numbers in answers.by_version.items()},
            modes=dict(Counter(one.mode for one in answers.gathered)),
            dispositions=ends,
        )

    def _households(self, portion: Portion, answers: _Answers) -> tuple[pa.RecordBatch, dict[str, int]]:
        """One row a sampled case."""
        units = [_read_unit(case.unit) for case in portion.cases]
        finals, factors = self._ends(portion, units)
        columns: dict[str, Column] = {name: [getattr(unit, name) for unit in units] for name in _UNIT}
        columns = {
            name: [self.areas.get(unit.commune, {}).get(name) for unit in units]
            for name in self.area_columns
            if name not in columns
        } | columns
        columns["case"] = [case.id for case in portion.cases]
        columns["field_factor"] = factors
        columns["disposition"] = [final.code for final in finals]
        columns["category"] = [final.category for final in finals]
        columns["respondent"] = [case.id in portion.answers for case in portion.cases]
        columns |= answers.of_households([case.id for case in portion.cases])
        # A case that never answered stands with those that officials went to: that is where it was last left.
        columns["mode"] = [
            mode or (portion.attempts[case.id][-1].mode if case.id in portion.attempts else "visit")
            for case, mode in zip(portion.cases, columns["mode"], strict=True)
        ]
        counted = Counter(columns["disposition"])
        return self.tables[""].batch(columns, len(units)), dict(counted)

    def _ends(
        self, portion: Portion, units: list[SampledUnit]
    ) -> tuple[list[dispositions.Disposition], list[float]]:
        """How each case ended, and by how much its weight is multiplied for what was found in the field."""
        finals, factors = [], []
        plain = {state: dispositions.final((), state) for state in _STATES}
        for case, unit in zip(portion.cases, units, strict=True):
            state = _state(portion, case.id)
            finding = None if case.finding is None else msgspec.json.decode(case.finding, type=Finding)
            attempts = portion.attempts.get(case.id, ())
            if case.id in portion.restricted:
                finals.append(dispositions.DISPOSITIONS[RESTRICTED])
            elif attempts or case.override or finding:
                override = (
                    None if case.override is None else msgspec.json.decode(case.override, type=Override)
                )
                whole = Case(id=case.id, unit=unit, override=override, finding=finding)
                finals.append(disposition(whole, attempts, state))
            else:
                finals.append(plain[state])
            found = finding.factor if finding else 1.0
            factors.append(found * reserve_factor(unit.households_sampled, self.opened.get(unit.psu, 0)))
        return finals, factors

    def states(self, version: str) -> States:
        """The version made ready for reading."""
        if version not in self._states:
            self._states[version] = States(self.versions[version])
        return self._states[version]


_STATES: Final[tuple[dispositions.ResponseState, ...]] = ("complete", "partial", "started", "none")
_unit = msgspec.json.Decoder(SampledUnit)


def _read_unit(document: str) -> SampledUnit:
    return _unit.decode(document)


def _state(portion: Portion, case: str) -> dispositions.ResponseState:
    if case in portion.answers:
        return "complete"
    if case in portion.partial:
        return "partial"
    return "started" if case in portion.begun else "none"


class _Answers:
    """The complete responses of a portion, as columns, whichever version each stands on."""

    def __init__(self, sheets: Sheets, portion: Portion) -> None:
        self.sheets = sheets
        self.cases = [case.id for case in portion.cases if case.id in portion.answers]
        kept = [portion.answers[case] for case in self.cases]
        self.ids = [response for response, _, _ in kept]
        self.gathered = [gather(responses.read(documents)) for _, _, documents in kept]
        self.by_version: dict[str, list[int]] = {}
        for number, (_, version, _) in enumerate(kept):
            self.by_version.setdefault(version, []).append(number)
        parts = [(self._batch(version, numbers), numbers) for version, numbers in self.by_version.items()]
        self.columns = {roster: self._table(roster, parts) for roster in sheets.tables}

    def _batch(self, version: str, numbers: list[int]) -> Batch:
        return self.sheets.states(version).read(
            [self.gathered[number] for number in numbers], [self.ids[number] for number in numbers]
        )

    def _table(self, roster: str, parts: list[tuple[Batch, list[int]]]) -> dict[str, Column]:
        """The columns of one table, in the order of the cases and of the rows of each."""
        columns: dict[str, Column] = {}
        order: list[int] = []
        for batch, numbers in parts:
            there = not roster or roster in batch.index.rosters
            rows = batch.rows(roster) if there else []
            cells = self._cells(batch, self.sheets.tables[roster], len(rows), there)
            cells |= (
                self._people(batch, roster, rows, numbers) if roster else self._interviews(batch, numbers)
            )
            for name, column in cells.items():
                columns.setdefault(name, []).extend(column)
            order += [numbers[number] for number, _ in rows]
        if len(parts) > 1:
            sorting = sorted(range(len(order)), key=order.__getitem__)
            columns = {name: [column[at] for at in sorting] for name, column in columns.items()}
        return columns

    def _cells(self, batch: Batch, table: Sheet, rows: int, there: bool) -> dict[str, Column]:
        """The cells of a table's variables; what an older version did not ask is not_asked."""
        cells: dict[str, Column] = {}
        for variable in table.filled:
            place = batch.index.places.get(variable.name) if there else None
            if place is not None and place.question.kind != "note" and place.roster == variable.roster:
                values, missing = batch.column(variable.name)
            else:
                values, missing = [None] * rows, ["not_asked"] * rows
            _fill(cells, variable, values, missing)
        return cells

    def _interviews(self, batch: Batch, numbers: list[int]) -> dict[str, Column]:
        """What is known of each response as a whole."""
        said = [self.gathered[number] for number in numbers]
        days = [_day(one.today) for one in said]
        return {
            "mode": [one.mode for one in said],
            "interview_date": days,
            "interview_year": [None if day is None else day.year for day in days],
            "eligible_count": self._eligible(batch, said),
        }

    def _eligible(self, batch: Batch, said: list[Gathered]) -> Column:
        """How many people could have been drawn."""
        draw = _draw_of(batch, self.sheets.person_roster)
        if not draw:
            return [None] * len(said)
        rows = zip(batch.rows(self.sheets.person_roster), batch.eligible(draw), strict=True)
        count = Counter(number for (number, _), may in rows if may)
        return [one.eligible.get(draw, count[number]) for number, one in enumerate(said)]

    def _people(
        self, batch: Batch, roster: str, rows: list[tuple[int, str]], numbers: list[int]
    ) -> dict[str, Column]:
        """What places a row of a roster: its case, its number there, and whether it could be, and was, drawn."""
        draw = _draw_of(batch, self.sheets.person_roster)
        drawn = [self.gathered[number].drawn.get(draw, "") for number in numbers]
        own = bool(draw) and roster == self.sheets.person_roster
        cases = [self.cases[numbers[number]] for number, _ in rows]
        positions, before, position = [], -1, 0
        for number, _ in rows:
            position = position + 1 if number == before else 1
            before = number
            positions.append(position)
        return {
            "case": cases,
            "person": [f"{case}-{at:02d}" for case, at in zip(cases, positions, strict=True)],
            "position": positions,
            "eligible": batch.eligible(draw) if own else [False] * len(rows),
            "selected": [row == drawn[number] for number, row in rows] if own else [False] * len(rows),
        }

    def rows_of(self, roster: str) -> pa.RecordBatch:
        """The rows of a roster."""
        columns = self.columns[roster]
        return self.sheets.tables[roster].batch(columns, len(columns.get("case", ())))

    def of_households(self, cases: list[str]) -> dict[str, Column]:
        """The cells of these cases, those that did not answer among them."""
        found = self.columns[""]
        if cases == self.cases:
            return found
        table = self.sheets.tables[""]
        silent: dict[str, Column] = {}
        for variable in table.filled:
            _fill(silent, variable, [None], ["not_asked"])
        at = {case: number for number, case in enumerate(self.cases)}
        places = [at.get(case) for case in cases]
        return {
            name: [column[place] if place is not None else silent.get(name, [None])[0] for place in places]
            for name, column in (found or {"mode": [], **silent}).items()
        }


def _draw_of(batch: Batch, roster: str) -> str:
    """The draw from this roster, or ""."""
    return next((one.id for one in batch.index.questionnaire.draws if one.roster == roster), "")


def _day(today: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(today)
    except ValueError:
        return None


def _fill(cells: dict[str, Column], variable: Variable, values: Column, missing: list[str | None]) -> None:
    """A value is NULL when there is none, and `<variable>__missing` says why."""
    name = column_name(variable.name)
    if variable.form == "select_many":
        for choice in variable.choices:
            code = choice.code
            cells[f"{name}__{column_name(code)}"] = [
                code in some if type(some) is list else None if reason else False
                for some, reason in zip(values, missing, strict=True)
            ]
    else:
        cells[name], missing = _typed(variable.form, values, missing)
    cells[f"{name}__missing"] = missing


_TYPE: Final[dict[str, type]] = {"integer": int, "year": int, "decimal": float, "acknowledge": bool}


def _typed(kind: str, values: Column, missing: list[str | None]) -> tuple[Column, list[str | None]]:
    """The values as the column's type has them. What no reader can use is lost; the event in the database still has it."""
    wanted = _TYPE.get(kind, str)
    if kind not in ("date", "rank") and {wanted, type(None)}.issuperset(map(type, values)):
        return values, missing
    cells: Column = []
    reasons: list[str | None] = []
    for value, reason in zip(values, missing, strict=True):
        if reason is not None:
            cells.append(None)
            reasons.append(reason)
            continue
        try:
            cells.append(_cell(kind, value))
            reasons.append(None)
        except (TypeError, ValueError):
            cells.append(None)
            reasons.append("lost")
    return cells, reasons


def _cell(kind: str, value: object) -> object:
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


def _cells_of(filled: Sequence[Variable], types: Mapping[str, str]) -> dict[str, str]:
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


# ── in a process of its own ──


_prepared: Sheets | None = None


def prepare(sheets: Sheets) -> None:
    """What a process beside the freezing one is given at its start."""
    global _prepared
    _prepared = sheets
    gc.freeze()
    gc.disable()  # nothing here refers to itself; looking for what does would take a fifth of the time


def make(portion: Portion) -> Made:
    """`Sheets.make` there."""
    assert _prepared is not None
    return _prepared.make(portion)
