"""The tasks by svy (pip install svy), where an interpreter has it."""

from __future__ import annotations

from typing import Any

import polars as pl
import svy

Margins = list[dict[int, float]]


def sample(data: pl.DataFrame) -> Any:
    return svy.Sample(data, svy.Design(stratum="stratum", psu="psu", wgt="w"))


def raked(made: Any, margins: Margins) -> Any:
    return made.weighting.rake(controls=dict(zip(("sex", "region", "age"), margins, strict=True)), tol=1e-10)


def figures(found: Any) -> list[float]:
    table = found.to_polars()
    return [table["est"][0], table["se"][0]]


def limits(found: Any) -> list[float]:
    table = found.to_polars()
    return [table["lci"][-1], table["uci"][-1]]


def logistic(data: pl.DataFrame, margins: Margins) -> list[float]:
    model = sample(data).glm.fit(y="account", x=[svy.Cat("sex"), svy.Cat("region")], family="binomial")
    table = model.to_polars()
    return [table["estimate"][1], table["std_err"][1]]


def release(data: pl.DataFrame, margins: Margins) -> list[float]:
    made = sample(data)
    asked = [name for name in data.columns if name.startswith("i")]
    found = [made.estimation.mean(asked, by=name) for name in data.columns if name.startswith("d")]
    return figures(found[0][0])


def weights(data: pl.DataFrame, margins: Margins) -> list[float]:
    made = raked(sample(data), margins)
    weight = made.data[made.design.wgt].to_numpy()
    return [weight.sum(), weight @ weight]


def replicated(data: pl.DataFrame) -> Any:
    return sample(data).weighting.create_bs_wgts(500, rstate=1)


TASKS: dict[str, Any] = {
    "share": lambda data, margins: figures(sample(data).estimation.mean("account")),
    "communes": lambda data, margins: figures(sample(data).estimation.mean("account", by="commune")),
    "logit": lambda data, margins: limits(sample(data).estimation.prop("account", ci_method="logit")),
    "korn_graubard": lambda data, margins: limits(sample(data).estimation.prop("account", ci_method="beta")),
    "raking": weights,
    "raking_share": lambda data, margins: figures(raked(sample(data), margins).estimation.mean("account")),
    "replicates": lambda data, margins: figures(
        replicated(data).estimation.mean("account", method="replication")
    ),
    "replicates_raked": lambda data, margins: figures(
        raked(replicated(data), margins).estimation.mean("account", method="replication")
    ),
    "logistic": logistic,
    "release": release,
    "further": lambda made, margins: figures(made.estimation.mean("income")),
}


def _made(data: pl.DataFrame, margins: Margins) -> Any:
    made = sample(data)
    made.estimation.mean("account")
    return made


TASKS["further"].prepare = _made
