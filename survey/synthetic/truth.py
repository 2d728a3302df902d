"""What a survey of the invented province should find: every indicator of the plan over everybody, by the same SQL."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from analysis.indicators import AnalysisPlan, Domain, Indicator
from survey.synthetic.answers import Choice, Column, Columns, of_dwellings, of_persons
from survey.synthetic.people import Flags, Floats, Province

Truth = dict[str, dict[str, float]]
"""Indicator → "" or "domain=category" → true share."""


def truth(province: Province, plan: AnalysisPlan, groups: Mapping[str, Mapping[str, str]]) -> Truth:
    """The true share of every indicator in the province and every domain of the plan.

    groups: by commune code, the columns of areas.csv that the plan may use.
    """
    found: Truth = {}
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        for unit in ("household", "person"):
            own = [one for one in plan.indicators if one.unit == unit]
            domains = [one for one in plan.domains if one.unit in (unit, "both")]
            if not own:
                continue
            used = _used(plan, [*_expressions(plan, own), *(one.value for one in domains)])
            database.register("census", _table(province, unit, used, groups))
            found |= _shares(database, _derive(database, plan.derived, used), plan, own, domains)
            database.unregister("census")
    return found


def everybody(province: Province, plan: AnalysisPlan, ids: Sequence[str]) -> dict[str, tuple[Flags, Floats]]:
    """For each of these indicators, who is in its universe and who has it (1, 0, NaN where the answers cannot decide).

    One entry for each person of the province or, for a household indicator, for each dwelling (nobody's are outside).
    A simulation that draws a thousand samples looks its answers up here instead of asking a thousand times.
    """
    found: dict[str, tuple[Flags, Floats]] = {}
    wanted = [one for one in plan.indicators if one.id in ids]
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        for unit, count in (("household", province.dwellings), ("person", province.people)):
            own = [one for one in wanted if one.unit == unit]
            if not own:
                continue
            used = _used(plan, _expressions(plan, own))
            table = _table(province, unit, used, {})
            places = np.flatnonzero(province.size > 0) if unit == "household" else np.arange(count)
            database.register("census", table.append_column(" place", pa.array(places)))
            view = _derive(database, plan.derived, used)
            asked = ", ".join(
                f"coalesce(({one.asked(plan.age)})::BOOLEAN, false), ({one.numerator})::BOOLEAN::DOUBLE"
                for one in own
            )
            rows = database.sql(f'SELECT {asked} FROM "{view}" ORDER BY " place"').to_arrow_table()
            for number, one in enumerate(own):
                inside, having = np.zeros(count, dtype=bool), np.full(count, np.nan, dtype=np.float32)
                inside[places] = rows.column(2 * number).to_numpy()
                having[places] = rows.column(2 * number + 1).to_numpy()
                found[one.id] = inside, having
            database.unregister("census")
    return found


def write_population(province: Province, plan: AnalysisPlan, folder: Path) -> None:
    """The population margins that the plan's raking steps name, counted in the invented province."""
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        for step in plan.weighting:
            if step.step != "rake":
                continue
            names = list(dict.fromkeys(name for margin in step.margins for name in margin))
            used = _used(plan, names)
            database.register("census", _table(province, "person", used, {}))
            view = _derive(database, plan.derived, used)
            listed = ", ".join(f'"{name}"' for name in names)
            rows = database.execute(
                f'SELECT {listed}, count(*) FROM "{view}" GROUP BY ALL ORDER BY ALL'
            ).fetchall()
            database.unregister("census")
            with (folder / step.totals).open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow([*names, "total"])
                out.writerows(rows)


def write_census(province: Province, plan: AnalysisPlan, folder: Path) -> None:
    """The people of each place and group that the small area models of single people ask for, counted in the province."""
    domains = {one.id: one.value for one in plan.domains}
    indicators = {one.id: one for one in plan.indicators}
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 2}) as database:
        for one in plan.small_areas:
            if not one.census:
                continue
            universe = indicators[one.indicator].asked(plan.age)
            values = [domains[name] for name in (one.domain, *one.by)]
            used = _used(plan, [universe, *values])
            database.register("census", _table(province, indicators[one.indicator].unit, used, {}))
            view = _derive(database, plan.derived, used)
            listed = ", ".join(f"({value})::VARCHAR" for value in values)
            rows = database.execute(
                f'SELECT {listed}, count(*) FROM "{view}" WHERE ({universe}) GROUP BY ALL ORDER BY ALL'
            ).fetchall()
            database.unregister("census")
            with (folder / one.census).open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(["category", *one.by, "people"])
                out.writerows(rows)


def write_beside(province: Province, folder: Path) -> None:
    """What a statistics office and a bank would know of the invented province: `communes.csv` and `communes_15_plus.csv`,
    the auxiliaries of the small area models with the people of their universe, and `administrative.csv`. The bank counts
    accounts, so people with two are counted twice."""
    commune_of_dwelling = province.ea_commune[province.dwelling_ea]
    commune = commune_of_dwelling[province.household]
    places = len(province.communes)
    people = np.bincount(commune, minlength=places)
    young = np.bincount(commune[(province.age >= 15) & (province.age < 35)], minlength=places) / people
    lived_in = province.size > 0
    homes = np.bincount(commune_of_dwelling[lived_in], minlength=places)
    fixed = np.bincount(commune_of_dwelling[lived_in & province.home_fixed], minlength=places) / homes
    adults = province.age >= 15
    for name, universe in (
        ("communes.csv", people),
        ("communes_15_plus.csv", np.bincount(commune[adults], minlength=places)),
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["category", "people", "urban", "young", "fixed_internet"])
            for number, one in enumerate(province.communes):
                row = [
                    one.code,
                    universe[number],
                    int(one.urban),
                    f"{young[number]:.6f}",
                    f"{fixed[number]:.6f}",
                ]
                out.writerow(row)
    accounts = (
        province.bank[adults].sum() * 1.35
        + province.wallet[adults].sum()
        + province.mobile_money[adults].sum()
    )
    with (folder / "administrative.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["indicator", "name_vi", "name_en", "period", "value", "unit_vi", "unit_en", "source"])
        for indicator in ("EPAY_ANY_ALL", "ACC_15P"):
            out.writerow([
                indicator, "Tài khoản do ngân hàng và tổ chức thanh toán báo cáo", "Accounts reported by banks and payment providers",
                str(province.reference_year), f"{100 * accounts / adults.sum():.1f}",
                "tài khoản trên 100 người từ 15 tuổi", "accounts per 100 people aged 15 and over",
                "Mô phỏng · synthetic",
            ])  # fmt: skip


def _expressions(plan: AnalysisPlan, indicators: Sequence[Indicator]) -> list[str]:
    return [expression for one in indicators for expression in (one.asked(plan.age), one.numerator)]


def _used(plan: AnalysisPlan, expressions: Sequence[str]) -> frozenset[str]:
    """The names in these expressions and in the derived columns that they rest on."""
    found: set[str] = set()
    wanted = set(re.findall(r"\w+", " ".join(expressions)))
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted |= set(re.findall(r"\w+", plan.derived.get(name, ""))) - found
    return frozenset(found)


def _derive(database: duckdb.DuckDBPyConnection, derived: Mapping[str, str], used: frozenset[str]) -> str:
    """A view with the derived columns that are used, each of which may rest on those before it."""
    view = "census"
    for name, expression in derived.items():
        if name in used:
            database.execute(
                f'CREATE OR REPLACE TEMP VIEW "with {name}" AS SELECT *, ({expression}) AS "{name}" FROM "{view}"'
            )
            view = f"with {name}"
    return view


def _shares(
    database: duckdb.DuckDBPyConnection,
    view: str,
    plan: AnalysisPlan,
    indicators: Sequence[Indicator],
    domains: Sequence[Domain],
) -> Truth:
    """The shares of these indicators of one unit, from one pass: sums for each combination of the domains' categories,
    added up for each domain."""
    sums = []
    for one in indicators:
        decided = f"({one.asked(plan.age)})" + (
            f" AND ({one.numerator}) IS NOT NULL" if one.treatments["dont_know"] == "exclude" else ""
        )
        sums.append(f"count(*) FILTER (WHERE {decided})")
        sums.append(f"count(*) FILTER (WHERE {decided} AND ({one.numerator}))")
    by = [f"({one.value})::VARCHAR" for one in domains]
    query = f'SELECT {", ".join([*by, *sums])} FROM "{view}" GROUP BY {", ".join(map(str, range(1, len(by) + 1)))}'
    counts: dict[tuple[str, str], list[int]] = {}
    for row in database.execute(query if by else query.partition(" GROUP BY ")[0]).fetchall():
        places = [
            "",
            *(f"{one.id}={category}" for one, category in zip(domains, row, strict=False) if category),
        ]
        for place in places:
            for number, one in enumerate(indicators):
                total = counts.setdefault((one.id, place), [0, 0])
                total[0] += row[len(domains) + 2 * number]
                total[1] += row[len(domains) + 2 * number + 1]
    found: Truth = {one.id: {} for one in indicators}
    for (indicator, place), (universe, holders) in counts.items():
        if universe:
            found[indicator][place] = holders / universe
    return found


def _table(
    province: Province, unit: str, used: frozenset[str], groups: Mapping[str, Mapping[str, str]]
) -> pa.Table:
    """Everybody (or every household) with those columns of the frozen sample that are used."""

    def wanted(question: str) -> bool:
        return question in used or any(name.startswith(f"{question}__") for name in used)

    if unit == "person":
        ids = np.arange(province.people)
        dwelling = province.household
        columns: dict[str, Any] = {"age": pa.array(province.age.astype(np.float64))}
        columns |= _arrow(of_persons(province, ids, wanted), wanted)
    else:
        ids = dwelling = np.flatnonzero(province.size > 0)
        columns = _arrow(of_dwellings(province, ids, wanted), wanted)
    commune = province.ea_commune[province.dwelling_ea[dwelling]].astype(np.int16)
    codes = [commune.code for commune in province.communes]
    columns["commune"] = _dictionary(commune, codes)
    urban = province.urban[dwelling].astype(np.int8)
    columns["urban_rural"] = _dictionary(urban, ["rural", "urban"])
    if groups:
        columns["group"] = _dictionary(commune, [groups[code].get("group", "") for code in codes])
    return pa.table(columns)


def _arrow(answers: Columns, wanted: Callable[[str], bool]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, column in answers.items():
        if wanted(name):
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
