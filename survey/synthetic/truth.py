"""What a survey of the invented province should find: every indicator of the plan over everybody, by the same SQL."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from analysis.indicators import AnalysisPlan, Domain, Indicator
from survey.synthetic.answers import Choice, Column, Columns, of_dwellings, of_persons
from survey.synthetic.people import Province

Truth = dict[str, dict[str, float]]
"""Indicator → "" or "domain=category" → true share."""


def truth(province: Province, plan: AnalysisPlan, groups: Mapping[str, Mapping[str, str]]) -> Truth:
    """The true share of every indicator in the province and every domain of the plan.

    groups: by commune code, the columns of areas.csv that the plan may use.
    """
    found: Truth = {}
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        for unit in ("household", "person"):
            table = _table(province, unit, groups)
            database.register("census", table)
            view = _derive(database, plan.derived, unit)
            for indicator in plan.indicators:
                if indicator.unit == unit:
                    found[indicator.id] = _shares(database, view, indicator, plan.domains)
            database.unregister("census")
    return found


def write_population(province: Province, plan: AnalysisPlan, folder: Path) -> None:
    """The population margins that the plan's raking steps name, counted in the invented province."""
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        database.register("census", _table(province, "person", {}))
        view = _derive(database, plan.derived, "person")
        for step in plan.weighting:
            if step.step != "rake":
                continue
            names = list(dict.fromkeys(name for margin in step.margins for name in margin))
            listed = ", ".join(f'"{name}"' for name in names)
            rows = database.execute(
                f'SELECT {listed}, count(*) FROM "{view}" GROUP BY ALL ORDER BY ALL'
            ).fetchall()
            with (folder / step.totals).open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow([*names, "total"])
                out.writerows(rows)


def _derive(database: duckdb.DuckDBPyConnection, derived: Mapping[str, str], unit: str) -> str:
    """A view with the plan's derived columns, each of which may use those before it."""
    view = "census"
    for name, expression in derived.items():
        if unit == "person":
            database.execute(
                f'CREATE OR REPLACE TEMP VIEW "with {name}" AS SELECT *, ({expression}) AS "{name}" FROM "{view}"'
            )
            view = f"with {name}"
    return view


def _shares(
    database: duckdb.DuckDBPyConnection, view: str, indicator: Indicator, domains: tuple[Domain, ...]
) -> dict[str, float]:
    unknown = "coalesce(({n}), false)" if indicator.unknown == "no" else "({n})"
    numerator = unknown.format(n=indicator.numerator)
    shares: dict[str, float] = {}
    for domain in (None, *domains):
        if domain is not None and domain.unit not in (indicator.unit, "both"):
            continue
        by = "''" if domain is None else f"({domain.value})"
        query = (
            f'SELECT {by} AS d, avg(({numerator})::INT) FROM "{view}" WHERE ({indicator.universe}) GROUP BY d'
        )
        for category, share in database.execute(query).fetchall():
            if share is not None and category is not None:
                shares["" if domain is None else f"{domain.id}={category}"] = float(share)
    return shares


def _table(province: Province, unit: str, groups: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """Everybody (or every household) with the columns that the frozen sample has."""
    if unit == "person":
        ids = np.arange(province.people)
        dwelling = province.household
        columns: dict[str, Any] = {"age": pa.array(province.age.astype(np.float64))}
        columns |= _arrow(of_persons(province, ids))
    else:
        ids = dwelling = np.flatnonzero(province.size > 0)
        columns = _arrow(of_dwellings(province, ids))
    commune = province.ea_commune[province.dwelling_ea[dwelling]].astype(np.int16)
    codes = [commune.code for commune in province.communes]
    columns["commune"] = _dictionary(commune, codes)
    urban = province.urban[dwelling].astype(np.int8)
    columns["urban_rural"] = _dictionary(urban, ["rural", "urban"])
    if groups:
        columns["group"] = _dictionary(commune, [groups[code].get("group", "") for code in codes])
    return pa.table(columns)


def _arrow(answers: Columns) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, column in answers.items():
        found |= _arrays(name, column)
    return found


def _arrays(name: str, column: Column) -> dict[str, Any]:
    if isinstance(column, Choice):
        return {name: _dictionary(column.codes, list(column.options))}
    return {f"{name}__{option}": pa.array(flags) for option, flags in column.options.items()}


def _dictionary(codes: np.ndarray[Any, Any], options: list[str]) -> Any:
    indices = pa.array(codes.astype(np.int16), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, options).cast(pa.string()) if len(set(options)) < len(options) else (
        pa.DictionaryArray.from_arrays(indices, options)
    )  # fmt: skip
