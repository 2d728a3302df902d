"""The tasks by this package: design made from the data frame, then the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from analysis import Design, Estimates, Mean, Proportion, estimate
from analysis.calibration import rake
from analysis.regression import regress
from analysis.replicates import bootstrap
from analysis.tables import PSUTable, estimate_table, fold

Margins = list[dict[int, float]]
COLUMNS = {"weights": "w", "strata": "stratum", "clusters": "psu"}
NAMES = ["sex", "region", "age"]
ACCOUNT = Proportion("account")


def design(data: pl.DataFrame) -> Design:
    return Design(data, **COLUMNS, lonely_psu="adjust")


def raked(made: Design, margins: Margins) -> Design:
    return rake(made, NAMES, margins)  # type: ignore[arg-type]


def replicated(data: pl.DataFrame) -> Design:
    return bootstrap(design(data), 500, np.random.default_rng(1))


def figures(found: Estimates) -> list[float]:
    return [found[0].value, found[0].se]


def share(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(design(data), ACCOUNT))


def communes(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(design(data), ACCOUNT, by="commune"))


def folded(data: pl.DataFrame, margins: Margins) -> list[float]:
    return fold_figures(fold(design(data), ACCOUNT, by="commune"))


def fold_figures(table: PSUTable) -> list[float]:
    return [table.sizes.sum(), table.parts.sum()]


def further(made: Design, margins: Margins) -> list[float]:
    made.columns._numbers.pop("income", None)  # as if never read
    return figures(estimate(made, Mean("income"), deff=False))


def _made(data: pl.DataFrame, margins: Margins) -> Design:
    made = design(data)
    estimate(made, ACCOUNT)
    return made


further.prepare = _made  # type: ignore[attr-defined]


def logit(data: pl.DataFrame, margins: Margins) -> list[float]:
    return list(estimate(design(data), ACCOUNT)[0].interval("logit")[:2])


def korn_graubard(data: pl.DataFrame, margins: Margins) -> list[float]:
    return list(estimate(design(data), ACCOUNT, df="design")[0].interval("korn_graubard")[:2])


def raking(data: pl.DataFrame, margins: Margins) -> list[float]:
    weight = raked(design(data), margins).weight
    return [weight.sum(), weight @ weight]


def raking_share(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(raked(design(data), margins), ACCOUNT))


def raking_communes(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(raked(design(data), margins), ACCOUNT, by="commune"))


def replicates(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(replicated(data), ACCOUNT))


def replicates_raked(data: pl.DataFrame, margins: Margins) -> list[float]:
    return figures(estimate(raked(replicated(data), margins), ACCOUNT))


def logistic(data: pl.DataFrame, margins: Margins) -> list[float]:
    model = regress(design(data), "account", ["sex", "region"], family="binomial", factors=["sex", "region"])
    return [model.coefficients[1].value, model.coefficients[1].se]


def release(data: pl.DataFrame, margins: Margins) -> list[float]:
    made = Design(data, **COLUMNS)
    asked = [Proportion(name) for name in data.columns if name.startswith("i")]
    found = [estimate(made, asked, by=name) for name in data.columns if name.startswith("d")]
    return figures(found[0])


def file_fold(path: Path, margins: Margins) -> list[float]:
    source = duckdb.connect().read_parquet(str(path))
    return fold_figures(fold(source, ACCOUNT, **COLUMNS, by="commune"))


def file_communes(path: Path, margins: Margins) -> list[float]:
    source = duckdb.connect().read_parquet(str(path))
    return figures(estimate_table(fold(source, ACCOUNT, **COLUMNS, by="commune"), lonely_psu="adjust"))


file_fold.reads_the_file = file_communes.reads_the_file = True  # type: ignore[attr-defined]

TASKS: dict[str, Any] = {
    "share": share,
    "communes": communes,
    "fold": folded,
    "further": further,
    "logit": logit,
    "korn_graubard": korn_graubard,
    "raking": raking,
    "raking_share": raking_share,
    "raking_communes": raking_communes,
    "replicates": replicates,
    "replicates_raked": replicates_raked,
    "logistic": logistic,
    "release": release,
    "file_fold": file_fold,
    "file_communes": file_communes,
}
