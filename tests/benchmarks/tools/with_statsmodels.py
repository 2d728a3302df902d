"""The task that statsmodels has: a weighted logistic regression, its errors by PSU without strata (not the design's)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import statsmodels.api as sm

Margins = list[dict[int, float]]


def logistic(data: pl.DataFrame, margins: Margins) -> list[float]:
    sex, region, weight = (data[name].to_numpy() for name in ("sex", "region", "w"))
    columns = [np.ones(data.height), sex == 1, *(region == level for level in range(1, 6))]
    model = sm.GLM(
        data["account"].to_numpy(),
        np.column_stack(columns).astype(float),
        family=sm.families.Binomial(),
        var_weights=weight / weight.mean(),
    )
    found = model.fit(tol=1e-12, cov_type="cluster", cov_kwds={"groups": data["psu"].to_numpy()})
    return [found.params[1], found.bse[1]]


TASKS: dict[str, Any] = {"logistic": logistic}
