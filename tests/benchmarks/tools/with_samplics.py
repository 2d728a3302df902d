"""The tasks by samplics (pip install samplics; archived by its author in favour of svy)."""

from __future__ import annotations

from typing import Any

import polars as pl
from samplics.estimation import TaylorEstimator
from samplics.utils.types import PopParam
from samplics.weighting import SampleWeight

Margins = list[dict[int, float]]
DESIGN = {"samp_weight": "w", "stratum": "stratum", "psu": "psu"}


def _estimator(data: pl.DataFrame, param: Any, **more: Any) -> Any:
    found = TaylorEstimator(param)
    found.estimate(
        y=data["account"].to_numpy(),
        **{name: data[column].to_numpy() for name, column in (DESIGN | more).items()},
    )
    return found


def share(data: pl.DataFrame, margins: Margins) -> list[float]:
    found = _estimator(data, PopParam.mean)
    return [found.point_est, found.stderror]


def communes(data: pl.DataFrame, margins: Margins) -> list[float]:
    found = _estimator(data, PopParam.mean, domain="commune")
    return [found.point_est[0], found.stderror[0]]


def logit(data: pl.DataFrame, margins: Margins) -> list[float]:
    found = _estimator(data, PopParam.prop)
    return [found.lower_ci[1.0], found.upper_ci[1.0]]


def raking(data: pl.DataFrame, margins: Margins) -> list[float]:
    names = ("sex", "region", "age")
    weight = SampleWeight().rake(
        samp_weight=data["w"].to_numpy(),
        margins={name: data[name].to_numpy() for name in names},
        control=dict(zip(names, margins, strict=True)),
        tol=1e-10,
        ctrl_tol=1e-10,
    )
    return [weight.sum(), weight @ weight]


TASKS: dict[str, Any] = {"share": share, "communes": communes, "logit": logit, "raking": raking}
