"""Speed and memory of the statistics beside the limit: the same figure by a group-by written by hand, without checks.

    python tests/benchmarks/estimation.py [--rows 1e4 1e5 1e6] [--file-rows 1e7]

One process, one run, the same synthetic persons: 200 strata, PSUs of about 20 persons, 250 communes, rows in random
order. Times are medians of three, design included unless the line says "further". R `survey` is run beside it where
Rscript and the package are installed. Ratios say more than times: other programs share the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from analysis import Design, Mean, Proportion, estimate
from analysis.calibration import rake
from analysis.replicates import bootstrap
from analysis.tables import estimate_table, fold

Limit = Callable[[], Any]
R_SCRIPT = """
suppressMessages(library(survey)); x <- read.csv("{path}")
t <- function(f) cat(system.time(f)[["elapsed"]], "\\n")
t(svymean(~account, d <- svydesign(id=~psu, strata=~stratum, weights=~w, data=x)))
t(svyby(~account, ~commune, d, svymean))
"""


def persons(rows: int, seed: int = 1) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    units = max(rows // 20, 800)
    stratum_of = np.arange(units) * 200 // units
    psu = generator.integers(0, units, rows)
    stratum = stratum_of[psu]
    return pl.DataFrame(
        {
            "stratum": stratum,
            "psu": psu,
            "commune": np.minimum(stratum * 250 // 200 + psu % 2, 249),
            "account": (generator.random(rows) < 0.4).astype(float),
            "income": generator.lognormal(8.0, 0.5, rows),
            "sex": generator.integers(0, 2, rows),
            "region": generator.integers(0, 6, rows),
            "age": generator.integers(0, 13, rows),
            "w": generator.uniform(20.0, 200.0, rows),
        }
    )


def margins(data: pl.DataFrame) -> list[dict[int, float]]:
    """Population margins a little away from the sample's, of one size."""
    size, result = float(data["w"].sum()), []
    for name in ("sex", "region", "age"):
        held = data.group_by(name).agg(pl.col("w").sum()).sort(name)
        moved = held["w"].to_numpy() * (1.0 + 0.1 * (np.arange(held.height) % 2))
        result.append(dict(zip(held[name].to_list(), (moved * size / moved.sum()).tolist(), strict=True)))
    return result


def limit_share(data: pl.DataFrame, by: tuple[str, ...] = ()) -> pl.DataFrame:
    """Shares and their standard errors by hand: one group-by, then arithmetic on PSUs."""
    weight, value = pl.col("w"), pl.col("account")
    cells = data.group_by("stratum", "psu", *by).agg(weight.sum(), (weight * value).sum().alias("wy"))
    sizes = cells.group_by("stratum").agg(pl.col("psu").n_unique().alias("n"))
    keys = list(by) or [pl.lit(0).alias("all")]
    whole = cells.group_by(keys).agg(pl.col("w").sum().alias("W"), pl.col("wy").sum().alias("Y"))
    names = list(by) or ["all"]
    cells = cells.with_columns(pl.lit(0).alias("all")).join(whole, on=names)
    cells = cells.with_columns(z=(pl.col("wy") - pl.col("Y") / pl.col("W") * pl.col("w")) / pl.col("W"))
    strata = cells.group_by("stratum", *names).agg(pl.col("z").sum(), (pl.col("z") ** 2).sum().alias("zz"))
    strata = strata.join(sizes, on="stratum")
    part = pl.col("n") / (pl.col("n") - 1) * (pl.col("zz") - pl.col("z") ** 2 / pl.col("n"))
    return strata.group_by(names).agg(part.sum().sqrt().alias("se"))


def limit_rake(data: pl.DataFrame, totals: list[dict[int, float]]) -> pl.DataFrame:
    """Proportional fitting on the cells of the three margins, then one join."""
    names = ["sex", "region", "age"]
    cells = data.group_by(names).agg(pl.col("w").sum())
    codes = [cells[name].to_numpy() for name in names]
    weight = cells["w"].to_numpy()
    factor = np.ones(weight.size)
    for _ in range(20):
        for code, margin in zip(codes, totals, strict=True):
            target = np.array([margin[level] for level in sorted(margin)])
            factor *= (target / np.bincount(code, weights=weight * factor))[code]
    moved = data.join(cells.with_columns(g=pl.Series(factor)).drop("w"), on=names)
    return moved.with_columns(w=pl.col("w") * pl.col("g"))


def limit_bootstrap(data: pl.DataFrame, replicates: int) -> float:
    cells = data.group_by("stratum", "psu").agg(
        pl.col("w").sum(), (pl.col("w") * pl.col("account")).sum().alias("wy")
    )
    stratum = cells["stratum"].to_numpy()
    sums = cells.select("w", "wy").to_numpy()
    generator, result = np.random.default_rng(1), np.zeros((replicates, 2))
    for one in np.unique(stratum):
        members = np.flatnonzero(stratum == one)
        n = members.size
        times = generator.multinomial(n - 1, np.full(n, 1 / n), size=replicates) * (n / (n - 1))
        result += times @ sums[members]
    return float(np.std(result[:, 1] / result[:, 0]))


def timed(work: Limit, repeat: int = 3) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def lines(rows: int) -> Iterator[tuple[str, float, float]]:
    """Each task with our time and the limit's."""
    data = persons(rows)
    totals = margins(data)

    def design() -> Design:
        return Design(data, weights="w", strata="stratum", clusters="psu", lonely_psu="adjust")

    made = design()
    estimate(made, Proportion("account"))
    share = timed(lambda: limit_share(data))
    yield "share and its error", timed(lambda: estimate(design(), Proportion("account"))), share
    yield "further variable", timed(lambda: estimate(made, Mean("income"), deff=False)), math.nan
    yield (
        "logit interval",
        timed(lambda: estimate(design(), Proportion("account"))[0].interval("logit")),
        share,
    )
    korn = timed(lambda: estimate(design(), Proportion("account"))[0].interval("nchs"))
    yield "Korn-Graubard (NCHS)", korn, share
    by_commune = timed(lambda: limit_share(data, ("commune",)))
    yield "250 domains", timed(lambda: estimate(design(), Proportion("account"), by="commune")), by_commune

    def raked() -> Design:
        return rake(design(), ["sex", "region", "age"], totals)  # type: ignore[arg-type]

    raking = timed(lambda: limit_rake(data, totals))
    yield "raking, 3 margins", timed(raked), raking
    with_share = timed(lambda: limit_share(limit_rake(data, totals)))
    yield "raking, then share", timed(lambda: estimate(raked(), Proportion("account"))), with_share
    calibrated = timed(lambda: estimate(raked(), Proportion("account"), by="commune"), 1)
    yield "raking, then 250 domains", calibrated, math.nan

    def replicated() -> Design:
        return bootstrap(design(), 500, np.random.default_rng(1))

    limit = timed(lambda: limit_bootstrap(data, 500), 1)
    yield "500 bootstrap replicates", timed(lambda: estimate(replicated(), Proportion("account")), 1), limit
    again = timed(
        lambda: estimate(rake(replicated(), ["sex", "region", "age"], totals), Proportion("account")),  # type: ignore[arg-type]
        1,
    )
    yield "500 replicates, each raked again", again, math.nan


def survey_lines() -> tuple[str, float, float]:
    """A whole release: 40 indicators by 12 breakdowns of 5 000 persons, 3 280 estimates."""
    generator = np.random.default_rng(3)
    psu = generator.integers(0, 120, 5000)
    data: dict[str, Any] = {"h": psu // 6, "psu": psu, "w": generator.uniform(50, 150, 5000)}
    data |= {f"i{k}": (generator.random(5000) < 0.3).astype(float) for k in range(40)}
    data |= {f"d{k}": generator.integers(0, [2, 5, 8, 12][k % 4], 5000) for k in range(12)}

    def release() -> None:
        design = Design(data, weights="w", strata="h", clusters="psu")
        for k in range(12):
            estimate(design, [Proportion(f"i{k}") for k in range(40)], by=f"d{k}")

    return "40 indicators x 12 breakdowns, n = 5 000", timed(release), math.nan


def r_lines(rows: int) -> dict[str, float]:
    """The same in R survey, where it is installed."""
    program = shutil.which("Rscript")
    if program is None or rows > 100_000:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "persons.csv"
        persons(rows).write_csv(path)
        script = R_SCRIPT.format(path=path)
        with contextlib.suppress(subprocess.SubprocessError, ValueError):
            answer = subprocess.run(
                [program, "-e", script], capture_output=True, text=True, timeout=600, check=True
            )
            share, communes = (float(line) for line in answer.stdout.split())
            return {"share and its error": share, "250 domains": share + communes}
    return {}


def file_line(rows: int) -> tuple[str, float, float]:
    """The fold of a Parquet file larger than one would load, by DuckDB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "persons.parquet"
        persons(rows).write_parquet(path)
        columns = {"weights": "w", "strata": "stratum", "clusters": "psu"}

        def whole() -> None:
            source = duckdb.connect().read_parquet(str(path))
            estimate_table(fold(source, Proportion("account"), **columns, by="commune"))

        def by_hand() -> None:
            connection = duckdb.connect()
            connection.read_parquet(str(path)).query(
                "t",
                "SELECT stratum, psu, commune, sum(w), sum(w * account), count(*) FROM t GROUP BY ALL",
            ).to_arrow_table()

        return f"250 domains from Parquet, n = {rows:,}", timed(whole), timed(by_hand)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", nargs="*", type=float, default=[1e4, 1e5, 1e6])
    parser.add_argument("--file-rows", type=float, default=1e7)
    options = parser.parse_args()
    table = Table("task", "n", "ours", "limit", "ours / limit", "R survey")
    for rows in (int(value) for value in options.rows):
        beside = r_lines(rows)
        for name, ours, limit in lines(rows):
            ratio = f"{ours / limit:.1f}" if limit == limit else "-"
            table.add_row(
                name, f"{rows:,}", seconds(ours), seconds(limit), ratio, seconds(beside.get(name, math.nan))
            )
        table.add_section()
    found = [survey_lines()]
    if options.file_rows:
        found.append(file_line(int(options.file_rows)))
    for name, ours, limit in found:
        table.add_row(
            name, "", seconds(ours), seconds(limit), f"{ours / limit:.1f}" if limit == limit else "-", "-"
        )
    console = Console(width=120)
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    console.print(f"Peak memory of the whole run {peak:.2f} GB (making the data included).")


if __name__ == "__main__":
    main()
