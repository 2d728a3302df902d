"""The fold is the same wherever it is done, and tables of two samples add up to the table of the union."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from analysis import Count, Design, Difference, Mean, Proportion, Ratio, Total, estimate
from analysis.errors import DesignError, MissingValues, NotAShare, NotPossible
from analysis.estimates import Estimates
from analysis.estimators import Statistic, Variance
from analysis.tables import PSUTable, estimate_table, fold
from tests.postgresql import Server, missing

Maker = Callable[..., Any]

STATISTICS: list[Statistic] = [
    Proportion("account"),
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


def in_ibis(data: dict[str, Any]) -> Any:
    ibis = pytest.importorskip("ibis")
    polars = pytest.importorskip("polars")
    return ibis.polars.connect({"sample": polars.DataFrame(data)}).table("sample")


def same(one: Estimates, other: Estimates) -> None:
    assert [e.domain for e in one] == [e.domain for e in other]
    assert [(e.n, e.df, e.statistic) for e in one] == [(e.n, e.df, e.statistic) for e in other]
    assert one.values == pytest.approx(other.values, rel=1e-12)
    assert one.standard_errors == pytest.approx(other.standard_errors, rel=1e-10)


@pytest.mark.parametrize("engine", [in_duckdb, in_ibis])
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


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_an_existing_postgresql_folds_its_own_rows(households: Maker) -> None:
    ibis = pytest.importorskip("ibis")
    import psycopg

    data = households()
    data["adult"] = data["members"] > 1
    kinds = {"f": "double precision", "i": "bigint", "U": "text", "b": "boolean"}
    columns = ", ".join(f"{name} {kinds[values.dtype.kind]}" for name, values in data.items())
    with Server.start() as server:
        address = {"host": "127.0.0.1", "port": server.port, "user": "survey", "dbname": "postgres"}
        with psycopg.connect(**address) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE sample ({columns})")
            with cursor.copy("COPY sample FROM STDIN") as copy:
                for row in zip(*(values.tolist() for values in data.values()), strict=True):
                    copy.write_row(row)
        engine = ibis.postgres.connect(host="127.0.0.1", port=server.port, user="survey", database="postgres")
        try:
            folded = fold(engine.table("sample"), STATISTICS, **COLUMNS, by=("region", "sex"), where="adult")
        finally:
            engine.con.close()
    expected = estimate(Design(data, **COLUMNS), STATISTICS, by=("region", "sex"), where="adult")
    same(estimate_table(folded), expected)


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


def test_a_weight_that_cannot_be_is_refused(households: Maker) -> None:
    data = households()
    data["w"][5] = -1.0
    with pytest.raises(DesignError, match="negative"):
        fold(in_duckdb(data), Mean("income"), **COLUMNS)


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
