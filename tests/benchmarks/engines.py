"""A whole country's people where they already live: one estimate by commune in DuckDB, PostgreSQL and Spark, end to end.

    python tests/benchmarks/engines.py [--persons 10000000] [--engines duckdb postgresql spark]

Ten million invented people (strata, PSUs of twenty, unequal weights, 250 communes) are written to one Parquet file. DuckDB and
Spark (local mode, a thread a core) read it; PostgreSQL is given it by COPY, which is timed apart. Each engine folds it through the
same call (`analysis.tables.fold`) to the table of PSUs, of which every estimate, error and interval by commune follows. Printed:
seconds, and whether each says the same as the first, to eleven digits.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from analysis.estimators import Mean, Proportion  # noqa: E402
from analysis.tables import estimate_table, fold  # noqa: E402
from tests import postgresql, spark  # noqa: E402

STATISTICS = [Proportion("account"), Mean("income")]
COLUMNS = "stratum text, psu text, commune text, w double precision, account boolean, income double precision"


def people(file: Path, persons: int) -> None:
    """The same people each time: everything follows from their number."""
    duckdb.sql(
        f"""
        COPY (
            SELECT 's' || (psu % 64) AS stratum, 'p' || psu AS psu, 'c' || (psu % 250) AS commune,
                   100 + hash(i) % 300 AS w, hash(i + 7) % 100 < 40 + psu % 30 AS account,
                   (hash(i + 13) % 1000000) / 100.0 AS income
            FROM (SELECT i, i // 20 AS psu FROM range({persons}) AS people(i))
        ) TO '{file}' (FORMAT parquet)
        """
    )


@contextlib.contextmanager
def in_duckdb(file: Path) -> Iterator[tuple[Any, float]]:
    yield duckdb.connect().read_parquet(str(file)), 0.0


@contextlib.contextmanager
def in_postgresql(file: Path) -> Iterator[tuple[Any, float]]:
    import ibis
    import psycopg

    table = file.with_suffix(".csv")
    duckdb.sql(f"COPY (FROM '{file}') TO '{table}' (FORMAT csv, HEADER false)")
    with postgresql.Server.start() as server:
        started = time.perf_counter()
        with psycopg.connect(server.admin) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE people ({COLUMNS})")
            with cursor.copy("COPY people FROM STDIN (FORMAT csv)") as copy, table.open("rb") as rows:
                while part := rows.read(1 << 20):
                    copy.write(part)
        took = time.perf_counter() - started
        table.unlink()
        engine = ibis.postgres.connect(host="127.0.0.1", port=server.port, user="survey", database="postgres")
        try:
            yield engine.table("people"), took
        finally:
            engine.con.close()


@contextlib.contextmanager
def in_spark(file: Path) -> Iterator[tuple[Any, float]]:
    import ibis

    started = time.perf_counter()
    with spark.session(threads=os.cpu_count() or 1) as running:
        source = ibis.pyspark.connect(running).read_parquet(str(file))
        yield source, time.perf_counter() - started


ENGINES = {"duckdb": in_duckdb, "postgresql": in_postgresql, "spark": in_spark}
MISSING = {"duckdb": str, "postgresql": postgresql.missing, "spark": spark.missing}


def main() -> int:
    parser = argparse.ArgumentParser(description="one estimate in several engines")
    parser.add_argument("--persons", type=int, default=10_000_000)
    parser.add_argument("--engines", choices=ENGINES, nargs="+", default=list(ENGINES))
    options = parser.parse_args()
    table = Table("engine", "given the data, s", "fold, s", "estimates, s", "communes", "agrees")
    first: np.ndarray | None = None
    alike = True
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "people.parquet"
        people(file, options.persons)
        for engine in options.engines:
            if reason := MISSING[engine]():
                print(reason)
                continue
            with ENGINES[engine](file) as (source, given):
                started = time.perf_counter()
                folded = fold(
                    source, STATISTICS, weights="w", strata="stratum", clusters="psu", by=["commune"]
                )
                middle = time.perf_counter()
                found = estimate_table(folded)
                done = time.perf_counter()
            said = np.array(
                [
                    (one.value, one.se)
                    for one in sorted(found, key=lambda one: (str(one.domain), one.statistic))
                ]
            )
            first = said if first is None else first
            same = bool(np.allclose(said, first, rtol=1e-11, atol=0))
            alike &= same
            table.add_row(
                engine, f"{given:.1f}", f"{middle - started:.1f}", f"{done - middle:.1f}", str(len(said) // 2),
                "yes" if same else "NO",
            )  # fmt: skip
    Console(width=100).print(f"{options.persons:,} people", table)
    return 0 if alike else 1


if __name__ == "__main__":
    sys.exit(main())
