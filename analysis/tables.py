"""The fold kept as a value: a sample as one table of weighted totals by stratum, PSU and domain.

    table = fold(connection.read_parquet("persons.parquet"), [Proportion("account")],
                 weights="w", strata="stratum", clusters="psu", by=["commune"])
    estimates = estimate_table(table)

`fold` is the one seam to engines: a `Design` is folded in memory, a DuckDB relation in DuckDB (Parquet and CSV
files larger than memory), an Ibis table where it lives (SQLite, PostgreSQL, Spark, Trino). All give the same table,
and everything after it is the same algebra. Tables of two samples, two provinces, two servers are added with `+`: no
person's record travels, and the sum is the table of the union.

Taylor variances, covariances and contrasts come from the table, and so do replicates of its PSUs:

    estimate_table(table, replicates=jackknife)
    estimate_table(table, replicates=lambda psus: bootstrap(psus, 500, generator))

What a table cannot do: several stages, calibration (whose residuals need the rows or their cells), replicates that
came with a file, successive differences (a table does not know the order of selection), and quantiles. Use a `Design`
for those.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from numpy.typing import NDArray

from analysis.columns import BoolArray, FloatArray, IntArray, Label, add_up, encode, pair
from analysis.design import Design, LonelyPolicy, Stage
from analysis.errors import DesignError, EmptyDomain, MissingValues, NotAShare, NotPossible, some
from analysis.estimates import DegreesOfFreedom, Estimate, Estimates, Missing
from analysis.estimators import Column, Expression, Square, Statistic
from analysis.totals import UnitTotals
from analysis.variance import covariance, variances

if TYPE_CHECKING:
    import pyarrow as pa

    from analysis.replicates import Replicates


@dataclass(frozen=True, eq=False)
class PSUTable:
    """A folded sample: a row for each (stratum, PSU, domain) that occurs.

    strata, psus, domains (one array for each column of `by`) hold labels; `inside` is False for the rows that keep
    PSUs without members of the domain. For each statistic, `sizes` (sum of weights), `counts` (rows with a weight),
    `missing` (weighted rows without a value) and the totals of its parts: statistics x rows, parts x rows.
    `population` is the number of PSUs in the stratum's population, NaN where it counts as drawn with replacement.
    """

    statistics: tuple[Statistic, ...]
    by: tuple[str, ...]
    strata: NDArray[Any]
    psus: NDArray[Any]
    domains: tuple[NDArray[Any], ...]
    inside: BoolArray
    sizes: FloatArray
    counts: FloatArray
    missing: FloatArray
    parts: FloatArray
    population: FloatArray

    def __post_init__(self) -> None:
        start = 0
        for one in self.statistics:
            if not np.isfinite(self.parts[start : start + one.width]).all():
                raise MissingValues(f"{one.label}: infinite values")
            start += one.width

    @property
    def rows(self) -> int:
        return int(self.inside.size)

    def __add__(self, other: PSUTable) -> PSUTable:
        """The table of both samples together. A PSU in both is one PSU, its sums added."""
        if (self.statistics, self.by) != (other.statistics, other.by):
            raise NotPossible("tables of different statistics or domains cannot be added")
        return PSUTable(
            self.statistics,
            self.by,
            np.concatenate([self.strata, other.strata]),
            np.concatenate([self.psus, other.psus]),
            tuple(np.concatenate(pair) for pair in zip(self.domains, other.domains, strict=True)),
            np.concatenate([self.inside, other.inside]),
            np.concatenate([self.sizes, other.sizes], axis=1),
            np.concatenate([self.counts, other.counts], axis=1),
            np.concatenate([self.missing, other.missing], axis=1),
            np.concatenate([self.parts, other.parts], axis=1),
            np.concatenate([self.population, other.population]),
        )


def fold(
    source: Any,
    statistics: Statistic | Sequence[Statistic],
    *,
    weights: str = "",
    strata: str | None = None,
    clusters: str | None = None,
    fpc: str | None = None,
    by: str | Sequence[str] = (),
    where: str | None = None,
) -> PSUTable:
    """A sample folded by the engine that holds it: a `Design`, a DuckDB relation, or an Ibis table.

    A `Design` knows its weights, strata and clusters; the others are told their columns. `where` names a column of
    truth values. Without `clusters` every row is a PSU, and there is nothing to fold: use a `Design`.
    """
    asked = (statistics,) if isinstance(statistics, Statistic) else tuple(statistics)
    names = (by,) if isinstance(by, str) else tuple(by)
    for one in asked:
        if not hasattr(one, "expressions"):
            raise NotPossible(f"{one.label} is not made of columns that an engine can add up")
    if isinstance(source, Design):
        return _fold_design(source, asked, names, where)
    if not weights or clusters is None:
        raise DesignError("say which columns hold the weights and the clusters")
    plan = _Plan(asked, weights, strata, clusters, fpc, names, where)
    if type(source).__module__.startswith(("duckdb", "_duckdb")):
        answer = source.query("sample", plan.sql()).to_arrow_table()
        holed = plan.with_missing(answer)
        if holed:
            answer = source.query("sample", plan.sql(holed)).to_arrow_table()
    elif type(source).__module__.startswith("ibis"):
        answer = plan.ibis(source).to_pyarrow()
    else:
        raise NotPossible(f"a {type(source).__name__} is not a Design, a DuckDB relation or an Ibis table")
    return plan.table(answer)


@dataclass(frozen=True)
class _Plan:
    """What an engine is asked: one pass, one group-by, sums that can be merged."""

    statistics: tuple[Statistic, ...]
    weights: str
    strata: str | None
    clusters: str
    fpc: str | None
    by: tuple[str, ...]
    where: str | None

    @property
    def expressions(self) -> list[tuple[int, list[Expression]]]:
        return [(index, list(one.expressions)) for index, one in enumerate(self.statistics)]  # type: ignore[attr-defined]

    def sql(self, holed: frozenset[int] = frozenset()) -> str:
        """The group-by in DuckDB's SQL; names are quoted, categories are literals.

        `holed` are the statistics with missing values. The others need no filters, which would cost half as much
        again: what they found says whether they were rightly left out (`with_missing`).
        """
        known = [f"{_name(column)} IS NOT NULL" for column in self.by]
        asked = [f"coalesce(CAST({_name(self.where)} AS BOOLEAN), false)"] if self.where else []
        inside = " AND ".join([*asked, *known]) or "true"
        keys = [f"{_name(self.strata)} AS h" if self.strata else "0 AS h", f"{_name(self.clusters)} AS i"]
        keys += [f"CASE WHEN {inside} THEN {_name(column)} END AS d{k}" for k, column in enumerate(self.by)]
        groups = ["h", "i", *(f"d{k}" for k in range(len(self.by)))]
        columns = [f"CAST({_name(self.weights)} AS DOUBLE) AS w"]
        # Every row inside has a category; one key less to group by.
        found = [*groups, "d0 IS NOT NULL AS inside" if self.by else "inside"]
        if not self.by:
            columns.append(f"{inside} AS inside")
            groups.append("inside")
        found += ["sum(w) AS size", "count(*) FILTER (w <> 0) AS counted", "count(*) AS rows"]
        found += ["min(w) AS lowest", "count(*) - count(w) AS lost"]
        if self.fpc:
            columns.append(f"{_name(self.fpc)} AS population")
            found.append("max(population) AS population")
        for index, expressions in self.expressions:
            names = [f"p{index}_{k}" for k in range(len(expressions))]
            columns += [
                f"{_sql(one, guarded=index in holed)} AS {name}"
                for one, name in zip(expressions, names, strict=True)
            ]
            if self.statistics[index].kind == "proportion":
                found.append(f"count(*) FILTER ({names[0]} <> 0 AND {names[0]} <> 1) AS wrong{index}")
            present = " AND ".join(f"{name} IS NOT NULL" for name in names)
            if index in holed:
                found.append(f"coalesce(sum(w) FILTER ({present}), 0) AS size{index}")
                found.append(f"count(*) FILTER (w <> 0 AND {present}) AS count{index}")
                found.append(f"count(*) FILTER (w <> 0 AND NOT ({present})) AS missing{index}")
                found += [f"coalesce(sum(w * {name}) FILTER ({present}), 0) AS s{name}" for name in names]
            else:
                found += [f"sum(w * {name}) AS s{name}" for name in names]
                found += [f"count({name}) AS k{name}" for name in names]
        return (
            f"SELECT {', '.join(found)} FROM (SELECT {', '.join(keys + columns)} FROM sample) "
            f"GROUP BY {', '.join(groups)}"
        )

    def with_missing(self, answer: pa.Table) -> frozenset[int]:
        """The statistics that have a missing value somewhere: fewer values than rows, or a sum that is no number."""
        rows = answer["rows"].to_numpy()
        return frozenset(
            index
            for index, expressions in self.expressions
            for name in (f"p{index}_{k}" for k in range(len(expressions)))
            if (answer[f"k{name}"].to_numpy() != rows).any()
            or not np.isfinite(answer[f"s{name}"].to_numpy()).all()
        )

    def ibis(self, source: Any) -> Any:
        """The same as an Ibis expression, for the engine behind it to run."""
        import ibis

        inside = source[self.where].cast("boolean").fill_null(False) if self.where else ibis.literal(True)
        for column in self.by:
            inside = inside & source[column].notnull()
        columns: dict[str, Any] = {
            "h": source[self.strata] if self.strata else ibis.literal(0),
            "i": source[self.clusters],
            "w": source[self.weights].cast("float64"),
            "inside": inside,
        }
        columns |= {
            f"d{k}": ibis.ifelse(inside, source[column], ibis.null()) for k, column in enumerate(self.by)
        }
        if self.fpc:
            columns["population"] = source[self.fpc].cast("float64")
        for index, expressions in self.expressions:
            columns |= {f"p{index}_{k}": _ibis(source, one) for k, one in enumerate(expressions)}
        flat = source.select(**columns)
        known = flat.w.abs() < math.inf
        sums: dict[str, Any] = {"lowest": flat.w.min(), "lost": ibis.ifelse(known, 0, 1).sum()}
        if self.fpc:
            sums["population"] = flat.population.max()
        for index, expressions in self.expressions:
            names = [f"p{index}_{k}" for k in range(len(expressions))]
            present: Any = ibis.literal(True)
            for name in names:
                present = present & flat[name].notnull()
            weighted = flat.w != 0
            sums[f"size{index}"] = ibis.ifelse(present, flat.w, 0.0).sum()
            # Not a cast: PostgreSQL turns no truth value into a bigint.
            sums[f"count{index}"] = ibis.ifelse(present & weighted, 1, 0).sum()
            sums[f"missing{index}"] = ibis.ifelse(~present & weighted, 1, 0).sum()
            sums |= {f"s{name}": ibis.ifelse(present, flat.w * flat[name], 0.0).sum() for name in names}
            if self.statistics[index].kind == "proportion":
                wrong = (flat[names[0]] != 0) & (flat[names[0]] != 1)
                sums[f"wrong{index}"] = ibis.ifelse(wrong.fill_null(False), 1, 0).sum()
        return flat.group_by(["h", "i", *(f"d{k}" for k in range(len(self.by))), "inside"]).aggregate(**sums)

    def table(self, answer: pa.Table) -> PSUTable:
        """The engine's answer, checked."""

        def numbers(name: str) -> FloatArray:
            return np.asarray(answer[name].to_numpy(), dtype=np.float64)

        lost = int(numbers("lost").sum())
        if lost or ("size" in answer.column_names and not np.isfinite(numbers("size")).all()):
            raise DesignError(f'weights "{self.weights}": {lost or "some"} are missing or infinite')
        if numbers("lowest").min() < 0:
            raise DesignError(f'weights "{self.weights}": some are negative')
        for index, one in enumerate(self.statistics):
            if one.kind == "proportion" and numbers(f"wrong{index}").any():
                raise NotAShare(f"{one.label}: values other than 0 and 1; ask for the Mean")
        for name, what in (("h", self.strata or ""), ("i", self.clusters)):
            if answer[name].null_count:
                raise DesignError(f'"{what}" is missing for some rows')
        inside = np.asarray(answer["inside"].to_numpy(zero_copy_only=False), dtype=bool)
        sizes, counts, missing = [], [], []
        for index in range(len(self.statistics)):
            own = f"size{index}" in answer.column_names
            sizes.append(numbers(f"size{index}" if own else "size"))
            counts.append(numbers(f"count{index}" if own else "counted"))
            missing.append(numbers(f"missing{index}") if own else np.zeros(inside.size))
        parts = [
            numbers(f"sp{index}_{k}")
            for index, expressions in self.expressions
            for k in range(len(expressions))
        ]
        return PSUTable(
            self.statistics,
            self.by,
            _labels(answer["h"]),
            _labels(answer["i"]),
            tuple(_labels(answer[f"d{k}"]) for k in range(len(self.by))),
            inside,
            np.stack(sizes),
            np.stack(counts),
            np.stack(missing),
            np.stack(parts) if parts else np.zeros((0, inside.size)),
            numbers("population") if self.fpc else np.full(inside.size, np.nan),
        )


def _labels(column: Any) -> NDArray[Any]:
    """Labels as an array; text and missing values as objects."""
    if column.null_count == 0 and str(column.type).startswith(("int", "uint")):
        return np.asarray(column.to_numpy())
    return np.array(column.to_pylist(), dtype=object)


def _name(column: str | None) -> str:
    return '"' + str(column).replace('"', '""') + '"'


def _sql(expression: Expression, *, guarded: bool) -> str:
    """An expression in DuckDB's SQL; `guarded` makes NULL of NaN, which is missing too."""
    if isinstance(expression, Square):
        return f"({_sql(expression.of, guarded=guarded)}) ** 2"
    if isinstance(expression, Column):
        # Not isnan(x): by a Parquet file's statistics, which leave NaN out, DuckDB takes it for never (issue 25521).
        number = f"CAST({_name(expression.name)} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) OR isinf({number}) THEN {number} END" if guarded else number
    wanted = ", ".join(_literal(one) for one in expression.categories)
    name = _name(expression.name)
    return f"CASE WHEN {name} IS NULL THEN NULL WHEN {name} IN ({wanted}) THEN 1.0 ELSE 0.0 END"


def _literal(value: Label) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def _ibis(source: Any, expression: Expression) -> Any:
    import ibis

    if isinstance(expression, Square):
        inner = _ibis(source, expression.of)
        return inner * inner
    column = source[expression.name]
    if isinstance(expression, Column):
        if column.type().is_boolean():  # PostgreSQL turns no truth value into a number
            return ibis.ifelse(column.isnull(), ibis.null("float64"), column.ifelse(1.0, 0.0))
        number = column.cast("float64")
        if not column.type().is_floating():
            return number
        # "Not a number" is at most infinity in no engine; not all engines can ask for it by name.
        return ibis.ifelse(number <= math.inf, number, ibis.null("float64"))
    member = column.isin(list(expression.categories)).ifelse(1.0, 0.0)
    return ibis.ifelse(column.isnull(), ibis.null("float64"), member)


def _fold_design(
    design: Design, statistics: tuple[Statistic, ...], by: tuple[str, ...], where: str | None
) -> PSUTable:
    """The fold of a design in memory."""
    if len(design.stages) > 1 or design.adjustments or design.replicates or design.phase or design.unequal:
        raise NotPossible("a table holds one stage of equal-probability sampling and unadjusted weights")
    stage = design.stages[0]
    inside = design.domain(where)
    combined = np.where(inside, 0, -1)
    columns = [design.columns.codes(name) for name in by]
    for codes, labels in columns:
        combined = np.where((combined >= 0) & (codes >= 0), combined * len(labels) + codes, -1)
    code, unit, domain = pair(stage.unit, combined + 1, int(combined.max(initial=0)) + 2)
    first = np.empty(unit.size, dtype=np.int64)
    first[code] = np.arange(design.rows)
    sizes, counts, missing, parts = [], [], [], []

    def add(values: FloatArray, known: BoolArray | None) -> FloatArray:
        return add_up(code, values if known is None else np.where(known, values, 0.0), unit.size)

    for one in statistics:
        own = one.parts(design.columns)
        holes = np.zeros(design.rows, dtype=bool)
        for part in own:
            holes |= np.isnan(part)
        known = ~holes if holes.any() else None
        sizes.append(add(design.weight, known))
        counts.append(add(design.present, known))
        missing.append(np.zeros(unit.size) if known is None else add(design.present, holes))
        parts += [add(design.weight * part, known) for part in own]
    clusters = (design.clusters,) if isinstance(design.clusters, str) else tuple(design.clusters or ())
    psus = _label_array(design, clusters[0], first) if clusters else first
    strata_names = (design.strata,) if isinstance(design.strata, str) else tuple(design.strata or ())
    strata = _label_array(design, strata_names[0], first) if strata_names else np.zeros(unit.size, dtype=int)
    sampled = stage.sampled[stage.unit_stratum[unit]]
    with np.errstate(divide="ignore"):
        population = np.where(stage.fraction[unit] > 0, sampled / stage.fraction[unit], np.nan)
    domains = tuple(
        np.array([*labels, None], dtype=object)[np.where(domain > 0, codes[first], -1)]
        for codes, labels in columns
    )
    return PSUTable(
        statistics,
        by,
        strata,
        psus,
        domains,
        domain > 0,
        np.stack(sizes),
        np.stack(counts),
        np.stack(missing),
        np.stack(parts) if parts else np.zeros((0, unit.size)),
        population,
    )


def _label_array(design: Design, name: str, rows: IntArray) -> NDArray[Any]:
    codes, labels = design.columns.identifiers(name)
    return np.array(labels)[codes[rows]]


@dataclass(frozen=True)
class _Folded:
    """What the variance needs to know of a table: its one stage and its policies."""

    stages: tuple[Stage, ...]
    lonely_psu: LonelyPolicy
    adjust_domain_lonely: bool
    compat: tuple[str, ...] = ()


def estimate_table(
    table: PSUTable,
    *,
    nest: bool = False,
    lonely_psu: LonelyPolicy = "fail",
    adjust_domain_lonely: bool = False,
    missing: Missing = "error",
    df: DegreesOfFreedom = "domain",
    replicates: Callable[[Design], Design] | None = None,
) -> Estimates:
    """The estimates of a folded sample: the same as `estimate` gives for its design.

    replicates: how replicates are made of the design of the table's PSUs (one row a PSU, in the order of their
        labels, so that a seed gives the same replicates whichever engine folded): `jackknife`, or a function that
        calls `bootstrap` or `balanced`. Without it the variance is linearised.

    Design effects are given for shares; other statistics would need sums of squares and have NaN.
    """
    stage = _stage(table, nest)
    sampling = _Folded((stage,), lonely_psu, adjust_domain_lonely)
    replicated = _replicates(table, stage, replicates) if replicates is not None else None
    again: list[FloatArray] = []  # of each statistic, domains x replicates
    values_of: list[FloatArray] = []
    domain, labels = _table_domains(table)
    items: list[Estimate] = []
    totals: list[UnitTotals] = []
    start = 0
    for index, one in enumerate(table.statistics):
        lost = add_up(domain[domain >= 0], table.missing[index][domain >= 0], len(labels))
        if lost.any() and missing == "error":
            raise MissingValues(
                f"{one.label}: {int(lost.sum())} of the units asked about have no value. Say how to treat them: "
                'missing="domain" estimates for the units that have one'
            )
        held = np.flatnonzero((domain >= 0) & (table.counts[index] > 0))
        if not held.size:
            raise EmptyDomain(f"{one.label}: nobody of the sample is in the domain")
        cell, unit, cell_domain = pair(stage.unit[held], domain[held], len(labels))

        def add(
            values: FloatArray, held: IntArray = held, cell: IntArray = cell, size: int = unit.size
        ) -> FloatArray:
            return add_up(cell, values[held], size)

        sums = [add(table.sizes[index]), *(add(part) for part in table.parts[start : start + one.width])]
        start += one.width
        whole = [add_up(cell_domain, values, len(labels)) for values in sums]
        with np.errstate(divide="ignore", invalid="ignore"):
            value, slopes = one.evaluate(whole[0], tuple(whole[1:]))
        linear = sum(slopes[k][cell_domain] * values for k, values in enumerate(sums))
        totals.append(UnitTotals(unit, cell_domain, np.asarray(linear), len(labels)))
        n = add_up(cell_domain, add(table.counts[index]), len(labels))
        if replicated is None:
            variance = variances(sampling, totals[-1])
        else:
            sums = [_by_replicate(values, unit, cell_domain, len(labels), replicated) for values in sums]
            with np.errstate(divide="ignore", invalid="ignore"):
                again.append(one.evaluate(sums[0], tuple(sums[1:]))[0])
            variance = replicated.variances(again[-1], value)
        values_of.append(value)
        errors = np.sqrt(np.maximum(variance, 0.0))
        freedom = _freedom(stage, unit, cell_domain, len(labels), df)
        for position in np.flatnonzero(n).tolist():
            p, size, count = float(value[position]), float(whole[0][position]), float(n[position])
            simple = p * (1.0 - p) / (count - 1.0) if one.kind == "proportion" and count > 1 else math.nan
            share = float(errors[position]) ** 2 / simple if simple > 0 else math.nan
            items.append(
                Estimate(
                    statistic=one.label,
                    kind=one.kind,
                    value=p,
                    se=float(errors[position]),
                    df=float(freedom[position]),
                    n=int(count),
                    domain=dict(zip(table.by, labels[position], strict=True)),
                    population=size,
                    deff=share / (1.0 - count / size) if size > count else math.nan,
                    deff_replace=share,
                    missing=missing,
                    n_missing=int(lost[position]),
                )
            )
    if replicated is not None:
        return Estimates(
            items, lambda: replicated.covariance(np.concatenate(again), np.concatenate(values_of))
        )
    return Estimates(items, lambda: covariance(sampling, UnitTotals.joined(totals)))


def _replicates(table: PSUTable, stage: Stage, make: Callable[[Design], Design]) -> Replicates:
    """Replicates of the table's PSUs, a row of factors for each unit of its stage."""
    first = np.empty(stage.units, dtype=np.int64)
    first[stage.unit] = np.arange(table.rows)
    # In the order of their labels, and not in that in which an engine happened to answer.
    order = np.lexsort([encode(labels[first])[0] for labels in (table.psus, table.strata)])
    with np.errstate(divide="ignore"):
        population = stage.sampled[stage.unit_stratum] / stage.fraction  # endless with replacement
    psus = Design(
        {
            "stratum": stage.unit_stratum[order],
            "psu": order,
            "N": population[order],
            "one": np.ones(order.size),
        },
        weights="one",
        strata="stratum",
        clusters="psu",
        fpc="N",
    )
    made = make(psus).replicates
    if made is None:
        raise NotPossible("`replicates` must return a design with replicates, as `jackknife` does")
    if made.kind == "SDR":
        raise NotPossible(
            "a table does not know the order of selection; make successive differences from a Design"
        )
    factors = np.empty_like(made.factors[made.unit])
    factors[order] = made.factors[made.unit]
    return replace(made, factors=factors, unit=np.arange(order.size))


def _by_replicate(
    values: FloatArray, unit: IntArray, domain: IntArray, domains: int, replicates: Replicates
) -> FloatArray:
    """Sums by (PSU, domain) as totals of the domains in each replicate: domains x replicates."""
    by_unit = scipy.sparse.csr_array((values, (domain, unit)), shape=(domains, replicates.factors.shape[0]))
    return np.asarray(by_unit @ replicates.factors)


def _stage(table: PSUTable, nest: bool) -> Stage:
    stratum, strata = encode(table.strata, ordered=False)
    psu, psus = encode(table.psus, ordered=False)
    unit, unit_stratum, which = pair(stratum, psu, len(psus))
    if not nest:
        shared = np.flatnonzero(np.bincount(which, minlength=len(psus)) > 1)
        if shared.size:
            raise DesignError(
                f"PSU labels occur in more than one stratum, for example {some(psus[k] for k in shared.tolist())}; "
                "if labels are used again in each stratum, say nest=True"
            )
    sampled = np.bincount(unit_stratum, minlength=len(strata)).astype(np.float64)
    population = np.full(len(strata), np.nan)
    population[stratum] = table.population
    if (population < sampled * (1.0 - 1e-9)).any():
        wrong = [strata[k] for k in np.flatnonzero(population < sampled).tolist()]
        raise DesignError(f"fpc is smaller than the sample in strata {some(wrong)}")
    fraction = np.where(np.isnan(population), 0.0, sampled / np.where(population > 0, population, 1.0))
    return Stage(
        unit,
        unit_stratum,
        np.zeros(unit_stratum.size, dtype=np.int64),
        sampled,
        fraction[unit_stratum],
        fraction,
        np.zeros(sampled.size, dtype=np.int64),
        np.ones(sampled.size),
        strata,
    )


def _table_domains(table: PSUTable) -> tuple[IntArray, list[tuple[Label, ...]]]:
    """The domain of each row (-1: none) and their labels, the first column of `by` slowest."""
    codes = np.where(table.inside, 0, -1)
    labels: list[tuple[Label, ...]] = [()]
    for column in table.domains:
        own, names = encode(column)
        codes = np.where((codes >= 0) & (own >= 0), codes * len(names) + own, -1)
        labels = [(*label, name) for label in labels for name in names]
    held = np.bincount(codes[codes >= 0], minlength=len(labels)) > 0
    rank = np.full(len(labels) + 1, -1, dtype=np.int64)
    rank[np.flatnonzero(held)] = np.arange(int(held.sum()))
    return rank[codes], [label for label, kept in zip(labels, held.tolist(), strict=True) if kept]


def _freedom(
    stage: Stage, unit: IntArray, domain: IntArray, domains: int, df: DegreesOfFreedom
) -> FloatArray:
    if df == "design":
        return np.full(domains, float(stage.units - stage.strata))
    if not isinstance(df, str):
        return np.full(domains, float(df))
    psus = np.bincount(domain, minlength=domains)
    _, _, with_strata = pair(stage.unit_stratum[unit], domain, domains)
    return (psus - np.bincount(with_strata, minlength=domains)).astype(np.float64)
