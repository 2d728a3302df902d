"""The fold is the same wherever it is done, and tables of two samples add up to the table of the union."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from analysis import Count, Design, Difference, Mean, Proportion, Ratio, Smooth, Total, estimate
from analysis.errors import DesignError, MissingValues, NotAShare, NotPossible
from analysis.estimates import Estimates
from analysis.estimators import Statistic, Variance
from analysis.replicates import balanced, bootstrap, jackknife, successive_differences
from analysis.tables import PSUTable, estimate_table, fold
from tests.postgresql import Server
from tests.postgresql import missing as postgresql_missing
from tests.spark import missing as spark_missing
from tests.spark import session

Maker = Callable[..., Any]

STATISTICS: list[Statistic] = [
    Proportion("account"),
    Proportion("none"),
    Proportion("sex", "male"),
    Mean("income"),
    Total("members"),
    Count(),
    Ratio("income", "members"),
    Difference(Mean("income"), Mean("members")),
]
COLUMNS = {"weights": "w", "strata": "stratum", "clusters": "psu"}


def in_duckdb(data: dict[str, Any]) -> Any:
    table = pa.table(data)
    return duckdb.connect().from_arrow(table)


def in_polars(data: dict[str, Any]) -> Any:
    ibis = pytest.importorskip("ibis")
    polars = pytest.importorskip("polars")
    return ibis.polars.connect({"sample": polars.DataFrame(pa.table(data))}).table("sample")


def in_parquet(data: dict[str, Any], folder: Path) -> Any:
    parquet.write_table(pa.table(data), folder / "sample.parquet")
    return duckdb.connect().read_parquet(str(folder / "sample.parquet"))


def in_csv(data: dict[str, Any], folder: Path) -> Any:
    csv.write_csv(pa.table(data), folder / "sample.csv")
    return duckdb.connect().read_csv(str(folder / "sample.csv"))


def as_sql(data: dict[str, Any], kinds: dict[str, str]) -> tuple[str, list[tuple[Any, ...]]]:
    """The columns' declarations and the rows for a database; what is not a number is NULL there."""
    arrays = {name: pa.array(values, from_pandas=True) for name, values in data.items()}
    columns = ", ".join(f"{name} {kinds[str(array.type)]}" for name, array in arrays.items())
    return columns, list(zip(*(array.to_pylist() for array in arrays.values()), strict=True))


@contextlib.contextmanager
def in_sqlite(data: dict[str, Any], folder: Path) -> Iterator[Any]:
    ibis = pytest.importorskip("ibis")
    with contextlib.closing(sqlite3.connect(folder / "sample.sqlite")) as connection, connection:
        columns, rows = as_sql(
            data, {"double": "REAL", "int64": "INTEGER", "string": "TEXT", "bool": "BOOLEAN"}
        )
        connection.execute(f"CREATE TABLE sample ({columns})")
        connection.executemany(f"INSERT INTO sample VALUES ({', '.join('?' * len(data))})", rows)
    engine = ibis.sqlite.connect(folder / "sample.sqlite")
    try:
        yield engine.table("sample")
    finally:
        engine.disconnect()


@contextlib.contextmanager
def in_postgresql(data: dict[str, Any]) -> Iterator[Any]:
    ibis = pytest.importorskip("ibis")
    import psycopg

    kinds = {"double": "double precision", "int64": "bigint", "string": "text", "bool": "boolean"}
    columns, rows = as_sql(data, kinds)
    with Server.start() as server:
        address = {"host": "127.0.0.1", "port": server.port, "user": "survey", "dbname": "postgres"}
        with psycopg.connect(**address) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE sample ({columns})")
            with cursor.copy("COPY sample FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        engine = ibis.postgres.connect(host="127.0.0.1", port=server.port, user="survey", database="postgres")
        try:
            yield engine.table("sample")
        finally:
            engine.con.close()


@contextlib.contextmanager
def in_spark(data: dict[str, Any], folder: Path) -> Iterator[Any]:
    ibis = pytest.importorskip("ibis")
    pytest.importorskip("pyspark")
    parquet.write_table(pa.table(data), folder / "spark.parquet")
    with session() as spark:
        yield ibis.pyspark.connect(spark).read_parquet(str(folder / "spark.parquet"))


@contextlib.contextmanager
def held_by(engine: str, data: dict[str, Any], folder: Path) -> Iterator[Any]:
    """The same rows in an engine; skipped with a remedy where it is not installed."""
    reason = {"PostgreSQL": postgresql_missing, "Spark": spark_missing}.get(engine, str)()
    if reason:
        pytest.skip(reason)
    if engine in ("SQLite", "Spark"):
        with (in_sqlite if engine == "SQLite" else in_spark)(data, folder) as source:
            yield source
    elif engine == "PostgreSQL":
        with in_postgresql(data) as source:
            yield source
    elif engine in ("Parquet", "CSV"):
        yield (in_parquet if engine == "Parquet" else in_csv)(data, folder)
    else:
        yield (in_duckdb if engine == "Arrow" else in_polars)(data)


def lines(table: PSUTable) -> list[tuple[tuple[str, ...], list[float]]]:
    """A table's rows in one order, to compare two: labels, then every number."""
    numbers = np.concatenate([table.sizes, table.counts, table.missing, table.parts, [table.population]])
    labels = zip(table.strata, table.psus, table.inside, *table.domains, strict=True)
    return sorted(
        (tuple(str(one) for one in label), row) for label, row in zip(labels, numbers.T.tolist(), strict=True)
    )


def same(one: Estimates, other: Estimates) -> None:
    assert [e.domain for e in one] == [e.domain for e in other]
    assert [(e.n, e.df, e.statistic) for e in one] == [(e.n, e.df, e.statistic) for e in other]
    assert one.values == pytest.approx(other.values, rel=1e-12)
    assert one.standard_errors == pytest.approx(other.standard_errors, rel=1e-10)


@pytest.mark.parametrize("engine", [in_duckdb, in_polars])
@pytest.mark.parametrize("by", [(), ("region",), ("region", "sex")])
def test_every_engine_gives_the_estimates_of_the_design(
    households: Maker, engine: Callable[..., Any], by: tuple[str, ...]
) -> None:
    data = households()
    data["adult"] = data["members"] > 1
    expected = estimate(Design(data, **COLUMNS), STATISTICS, by=by, where="adult")
    folded = fold(engine(data), STATISTICS, **COLUMNS, by=by, where="adult")
    found = estimate_table(folded)
    same(found, expected)
    assert found.vcov == pytest.approx(expected.vcov, rel=1e-9, abs=1e-9)
    assert found[0].deff == pytest.approx(expected[0].deff)
    same(estimate_table(fold(Design(data, **COLUMNS), STATISTICS, by=by, where="adult")), expected)


# Ibis on SQLite and on Spark goes through pandas, whose third version they do not quite know yet; PySpark leaves its
# sockets to the collector.
UNASKED = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:unclosed <socket:ResourceWarning")
SQLITE, SPARK = pytest.param("SQLite", marks=UNASKED), pytest.param("Spark", marks=UNASKED)


@pytest.mark.parametrize("engine", ["Arrow", "Parquet", "CSV", SQLITE, "Polars", "PostgreSQL", SPARK])
def test_every_engine_folds_to_the_same_table(engine: str, households: Maker, tmp_path: Path) -> None:
    """To twelve digits, with missing values, people of no domain, people without a weight, and an fpc."""
    data = households()
    data["adult"] = data["members"] > 1
    data["income"][[3, 8, 200]] = np.nan
    data["w"][[5, 40]] = 0.0
    data["region"] = pa.array([None if row in (7, 90) else name for row, name in enumerate(data["region"])])
    asked, by = [*STATISTICS, Smooth(np.log, (Mean("income"),), "log")], ("region", "sex")
    with held_by(engine, data, tmp_path) as source:
        found = fold(source, asked, **COLUMNS, fpc="in_stratum", by=by, where="adult")
    expected = fold(Design(data, **COLUMNS, fpc="in_stratum"), asked, by=by, where="adult")
    assert [label for label, _ in lines(found)] == [label for label, _ in lines(expected)]
    for (label, ours), (_, theirs) in zip(lines(found), lines(expected), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=0.0), label
    same(estimate_table(found, missing="domain"), estimate_table(expected, missing="domain"))
    direct = estimate(
        Design(data, **COLUMNS, fpc="in_stratum"), asked, by=by, where="adult", missing="domain"
    )
    same(estimate_table(found, missing="domain"), direct)


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), holes=st.integers(0, 40), outside=st.integers(0, 40))
def test_numpy_duckdb_and_ibis_fold_any_sample_alike(
    households: Maker, seed: int, holes: int, outside: int
) -> None:
    data = households(seed)
    generator = np.random.default_rng(seed)
    data["adult"] = data["members"] > 2
    data["income"][generator.integers(0, 360, holes)] = np.nan
    data["w"][generator.integers(0, 360, outside)] = 0.0
    asked = [Mean("income"), Proportion("account"), Ratio("income", "members")]
    expected = lines(fold(Design(data, **COLUMNS), asked, by="sex", where="adult"))
    for source in (in_duckdb(data), in_polars(data)):
        found = lines(fold(source, asked, **COLUMNS, by="sex", where="adult"))
        for (label, ours), (other, theirs) in zip(found, expected, strict=True):
            assert label == other
            assert ours == pytest.approx(theirs, rel=1e-12, nan_ok=True)


def test_population_counts_travel_with_the_table(households: Maker) -> None:
    data = households()
    expected = estimate(Design(data, **COLUMNS, fpc="in_stratum"), Mean("income"))
    same(estimate_table(fold(in_duckdb(data), Mean("income"), **COLUMNS, fpc="in_stratum")), expected)
    same(estimate_table(fold(Design(data, **COLUMNS, fpc="in_stratum"), Mean("income"))), expected)


def test_two_provinces_publish_together_without_sharing_records(households: Maker) -> None:
    """Strata apart, or even one PSU split over two servers: the sum of the tables is the table of the union."""
    data = households()
    whole = estimate(Design(data, **COLUMNS), STATISTICS, by="sex")
    for first in (data["stratum"] < 3, np.arange(360) % 2 == 0):
        tables: list[PSUTable] = []
        for mask in (first, ~first):
            part = {name: values[mask] for name, values in data.items()}
            tables.append(fold(in_duckdb(part), STATISTICS, **COLUMNS, by="sex"))
        same(estimate_table(tables[0] + tables[1]), whole)


@given(seed=st.integers(0, 1000), cut=st.integers(1, 359))
@settings(max_examples=8, deadline=None)
def test_the_sum_of_two_tables_is_the_table_of_the_union(households: Maker, seed: int, cut: int) -> None:
    """Wherever the rows are cut, strata and PSUs included."""
    data = households(seed)
    first, second = (
        fold(
            in_duckdb({name: values[part] for name, values in data.items()}),
            STATISTICS,
            **COLUMNS,
            by="region",
        )
        for part in (slice(cut), slice(cut, None))
    )
    whole = estimate_table(fold(in_duckdb(data), STATISTICS, **COLUMNS, by="region"))
    same(estimate_table(first + second), whole)
    assert estimate_table(first + second).vcov == pytest.approx(whole.vcov, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("engine", ["Arrow", "Parquet", "Polars"])
def test_replicates_come_from_the_same_table(engine: str, households: Maker, tmp_path: Path) -> None:
    """The jackknife of every engine's table is that of the design; a seed gives every engine the same bootstrap."""
    data = households()
    design = Design(data, **COLUMNS, fpc="in_stratum")
    folded = fold(design, STATISTICS, by=("region", "sex"))
    shuffled = np.random.default_rng(3).permutation(360)
    with held_by(engine, {name: values[shuffled] for name, values in data.items()}, tmp_path) as source:
        other = fold(source, STATISTICS, **COLUMNS, fpc="in_stratum", by=("region", "sex"))
    expected = estimate(jackknife(design), STATISTICS, by=("region", "sex"))
    found = estimate_table(other, replicates=jackknife)
    same(found, expected)
    assert found.vcov == pytest.approx(expected.vcov, rel=1e-9, abs=1e-9)
    first_two = np.r_[1.0, -1.0, np.zeros(len(found) - 2)]
    assert found.contrast(first_two).se == pytest.approx(expected.contrast(first_two).se)

    def drawn(psus: Design) -> Design:
        return bootstrap(psus, 400, np.random.default_rng(7))

    one, two = (estimate_table(table, replicates=drawn) for table in (folded, other))
    same(two, one)
    assert one.standard_errors == pytest.approx(estimate_table(folded).standard_errors, rel=0.25)


def test_balanced_replicates_of_a_table_give_the_variance_of_totals(households: Maker) -> None:
    folded = fold(Design(households(psus=2), **COLUMNS), [Total("income"), Count()])
    after = estimate_table(folded, replicates=lambda psus: balanced(psus, rho=0.3, mse=True))
    assert after.vcov == pytest.approx(estimate_table(folded).vcov, rel=1e-9)


def test_replicates_that_a_table_cannot_make_are_refused(households: Maker) -> None:
    folded = fold(Design(households(), **COLUMNS), Mean("income"))
    with pytest.raises(NotPossible, match="order of selection"):
        estimate_table(folded, replicates=successive_differences)
    with pytest.raises(NotPossible, match="must return a design with replicates"):
        estimate_table(folded, replicates=lambda psus: psus)


def test_missing_values_and_wrong_shares_are_caught_by_the_engine(households: Maker) -> None:
    data = households()
    data["income"][[3, 8]] = np.nan
    source = in_duckdb(data)
    folded = fold(source, [Mean("income")], **COLUMNS)
    with pytest.raises(MissingValues, match="2 of the units"):
        estimate_table(folded)
    expected = estimate(Design(data, **COLUMNS), Mean("income"), missing="domain")
    same(estimate_table(folded, missing="domain"), expected)
    with pytest.raises(NotAShare):
        fold(source, Proportion("members"), **COLUMNS)


@pytest.mark.parametrize(
    ("weight", "what"), [(-1.0, "negative"), (np.nan, "missing or infinite"), (np.inf, "missing or infinite")]
)
@pytest.mark.parametrize("engine", ["Arrow", "Parquet", "Polars", SQLITE])
def test_a_weight_that_cannot_be_is_refused(
    engine: str, weight: float, what: str, households: Maker, tmp_path: Path
) -> None:
    data = households()
    data["w"][5] = weight
    with held_by(engine, data, tmp_path) as source, pytest.raises(DesignError, match=what):
        fold(source, Mean("income"), **COLUMNS)


@pytest.mark.parametrize("engine", ["Arrow", "Parquet", "Polars"])
def test_an_infinite_value_is_refused_as_in_memory(engine: str, households: Maker, tmp_path: Path) -> None:
    data = households()
    data["income"][5] = np.inf
    with held_by(engine, data, tmp_path) as source, pytest.raises(MissingValues, match="infinite"):
        fold(source, Mean("income"), **COLUMNS)
    with pytest.raises(MissingValues, match="infinite"):
        fold(Design(data, **COLUMNS), Mean("income"))


def test_labels_with_quotes_are_labels(households: Maker) -> None:
    data = households()
    data["sex"] = np.array(["l'homme", 'la "femme"'])[(data["sex"] == "male").astype(int)]
    found = estimate_table(fold(in_duckdb(data), Proportion("sex", "l'homme"), **COLUMNS))
    expected = estimate(Design(data, **COLUMNS), Proportion("sex", "l'homme"))
    same(found, expected)


def test_what_a_table_cannot_hold_is_said(sample: Maker) -> None:
    design = sample()
    with pytest.raises(NotPossible, match="not made of columns"):
        fold(design, Variance("income"))
    raked = design.with_weights(design.weight * 2.0, _Step())
    with pytest.raises(NotPossible, match="unadjusted"):
        fold(raked, Mean("income"))


class _Step:
    name = "step"

    def residuals(self, weighted: Any) -> Any:
        return weighted

    def reweight(self, weights: Any) -> Any:
        return weights
