"""From the frozen tables to arrays: who is in each universe, who has it, in which category, by the plan's expressions.

The expressions of `analysis.yaml` are evaluated by DuckDB with files and network shut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analysis.indicators import AnalysisPlan
from survey.folder import bind, column_name
from survey.problems import SurveyError
from survey.publication.weighting import OPEN, category_of, having, inside, openness


class NotReleased(SurveyError):
    """The figures cannot be published as the plan declares; the message says which and why."""

    code = "not_released"


@dataclass(frozen=True, eq=False)
class Measured:
    """The frozen sample as arrays, with the columns of the plan: who is in each universe, who has it, which domain.

    households: one row a sampled case; persons: one row a measured person (drawn, or outside the draw).
    """

    households: dict[str, NDArray[Any]]
    persons: dict[str, NDArray[Any]]


def evaluate(households: pa.Table, persons: pa.Table, plan: AnalysisPlan) -> Measured:
    """Evaluate every expression of the plan over the frozen tables (`survey.frozen` says which columns they have).

    A person expression sees the person's and the household's columns. A derived variable that means something
    only for persons is left out among the households. Raises NotReleased for an expression that cannot be read.
    """
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "1"}) as database:
        database.register("frozen_households", households)
        database.register("frozen_persons", persons)
        own = set(persons.column_names)
        shared = ", ".join(f'h."{name}"' for name in households.column_names if name not in own)
        database.execute(
            'CREATE VIEW households_seen AS SELECT *, row_number() OVER (ORDER BY "case") - 1 AS " row" '
            "FROM frozen_households"
        )
        database.execute(
            f'CREATE VIEW persons_seen AS SELECT p.*, {shared}, h." row" AS "household" FROM frozen_persons p '
            'JOIN households_seen h USING ("case") WHERE p.selected OR NOT p.eligible'
        )
        design = ["case", "stratum", "psu", "commune", "stage1_probability", "stage2_probability", "certainty",
                  "reserve", "field_factor", "respondent", "category", "disposition", "mode"]  # fmt: skip
        design += [name for step in plan.weighting for name in step.by]
        margins = [name for step in plan.weighting for margin in step.margins for name in margin]
        units = {
            unit: [step for step in plan.weighting if step.unit == unit] for unit in ("household", "person")
        }
        rake_household = [name for step in units["household"] for margin in step.margins for name in margin]
        found_households = _columns(database, plan, "household", [*design, *rake_household], '"case"')
        found_persons = _columns(
            database,
            plan,
            "person",
            ["household", "case", "selected", "eligible_count", "mode", *margins],
            '"case", "position"',
        )
    count = np.where(found_persons["selected"] == 1.0, found_persons["eligible_count"], 1.0)
    return Measured(found_households, found_persons | {"from_how_many": count})


def _columns(
    database: duckdb.DuckDBPyConnection, plan: AnalysisPlan, unit: str, asked: Sequence[str], order: str
) -> dict[str, NDArray[Any]]:
    """The asked columns and those of the plan for this unit, as arrays in a fixed order of rows."""
    view = f"{unit}s_seen"
    present = {row[0]: row[1] for row in database.execute(f'DESCRIBE "{view}"').fetchall()}
    unsound = bind(present, plan.derived)
    source = f'SELECT * FROM "{view}"'
    for name, expression in plan.derived.items():
        if name not in unsound:
            source = f'SELECT *, ({expression}) AS "{column_name(name)}" FROM ({source})'
    wanted = {name: f'"{name}"' for name in asked}
    for indicator in plan.indicators:
        if indicator.unit == unit:
            wanted[inside(indicator.id)] = f"COALESCE(CAST(({indicator.asked(plan.age)}) AS BOOLEAN), false)"
            wanted[having(indicator.id)] = f"CAST(CAST(({indicator.numerator}) AS BOOLEAN) AS DOUBLE)"
            rests_on = _states(database, indicator.numerator, plan.derived, present)
            wanted[openness(indicator.id)] = _why_open(indicator.numerator, rests_on)
    for domain in plan.domains:
        if domain.unit in (unit, "both"):
            wanted[category_of(domain.id)] = f"CAST(({domain.value}) AS VARCHAR)"
    chosen = ", ".join(f'{expression} AS "{name}"' for name, expression in wanted.items())
    try:
        table = database.sql(f"SELECT {chosen} FROM ({source}) ORDER BY {order}").to_arrow_table()
    except duckdb.Error as error:
        raise NotReleased(
            {
                "vi": f"Không tính được các biểu thức của analysis.yaml trên tệp đóng băng: {error}",
                "en": f"The expressions of analysis.yaml cannot be evaluated on the frozen file: {error}",
            }
        ) from error
    return {name: _array(table.column(name)) for name in table.column_names}


def _states(
    database: duckdb.DuckDBPyConnection, expression: str, derived: Mapping[str, str], present: Iterable[str]
) -> list[str]:
    """The columns that say why an answer is missing, of every answer that an expression rests on, also by derived ones."""
    states = {name.removesuffix("__missing").lower(): name for name in present if name.endswith("__missing")}
    known = {column_name(name).lower(): text for name, text in derived.items()}
    found, open_, seen = set(), [expression], set()
    while open_:
        for name in _columns_in(database, open_.pop()) - seen:
            seen.add(name)
            if name in known:
                open_.append(known[name])
            # An answer with several choices has a column for each, and one for why there is none.
            elif state := states.get(name) or states.get(name.rpartition("__")[0]):
                found.add(state)
    return sorted(found)


def _columns_in(database: duckdb.DuckDBPyConnection, expression: str) -> set[str]:
    """The names of the columns in an expression, in small letters, as DuckDB's own parser reads it."""
    text = database.execute("SELECT json_serialize_sql(?)", [f"SELECT ({expression})"]).fetchall()[0][0]
    found: set[str] = set()
    open_: list[Any] = [msgspec.json.decode(text)]
    while open_:
        node = open_.pop()
        if isinstance(node, dict):
            if node.get("class") == "COLUMN_REF":
                found.add(str(node["column_names"][-1]).lower())
            open_ += node.values()
        elif isinstance(node, list):
            open_ += node
    return found


def _why_open(numerator: str, states: Sequence[str]) -> str:
    """SQL of `openness`: a refusal goes before a "don't know", and both before what was lost or never asked."""
    cases = [
        (OPEN.index(why) + 1, " OR ".join(f"\"{state}\" = '{why}'" for state in states))
        for why in ("refused", "dont_know")
    ]
    whens = " ".join(f"WHEN {condition} THEN {place}" for place, condition in cases if condition)
    other = OPEN.index("other") + 1
    return f"CAST(CASE WHEN ({numerator}) IS NOT NULL THEN 0 {whens} ELSE {other} END AS DOUBLE)"


def _array(column: pa.ChunkedArray) -> NDArray[Any]:
    """Text as objects with None, truth values and numbers as floats with NaN where there is none."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_string(column.type):
        return np.asarray(column.to_numpy(), dtype=object)
    return np.asarray(column.to_numpy(), dtype=np.float64)
