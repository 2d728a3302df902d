"""A sample design that cannot be is refused when it is made, and the rows are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from analysis import AnalysisError, Design, Mean, estimate
from analysis.errors import DesignError, LonelyPSU, UnknownColumn

Maker = Callable[..., Any]


def small(**changes: object) -> dict[str, object]:
    data: dict[str, object] = {
        "h": ["a", "a", "a", "a", "b", "b", "b", "b"],
        "psu": [1, 1, 2, 2, 3, 3, 4, 4],
        "w": [10.0] * 8,
        "N": [5, 5, 5, 5, 9, 9, 9, 9],
        "x": [1.0, 2, 3, 4, 5, 6, 7, 8],
    }
    return data | changes


def test_a_design_says_what_it_is() -> None:
    design = Design(small(), weights="w", strata="h", clusters="psu", fpc="N")
    assert (design.n, design.population, design.df) == (8, 80.0, 2.0)
    assert "2 strata, 4 PSUs" in repr(design)


@pytest.mark.parametrize(
    ("changes", "options", "says"),
    [
        ({"w": [1, 2, None, 4, 5, 6, 7, 8]}, {}, "1 are missing or infinite (row 3)"),
        ({"w": [1, 2, 3, 4, np.inf, 6, 7, 8]}, {}, "1 are missing or infinite (row 5)"),
        ({"w": [1, -2, 3, 4, 5, 6, 7, -8]}, {}, "2 are negative (rows 2, 8)"),
        ({"w": [0.0] * 8}, {}, "all are 0"),
        ({"psu": [1, 1, 2, 2, 1, 1, 4, 4]}, {}, "1 in strata a, b"),
        ({"h": ["a", "a", None, "a", "b", "b", "b", "b"]}, {}, "1 values are missing (row 3)"),
        ({"N": [1, 1, 1, 1, 9, 9, 9, 9]}, {"fpc": "N"}, "smaller than the sample"),
        ({"N": [5, 5, 6, 5, 9, 9, 9, 9]}, {"fpc": "N"}, "not the same throughout stratum a"),
        ({"N": [5, 5, 5, 5, 0, 9, 9, 9]}, {"fpc": "N"}, "missing or not positive (row 5)"),
        ({"N": [0.5, 0.5, 0.5, 0.5, 9, 9, 9, 9]}, {"fpc": "N"}, "mixes counts and fractions"),
        ({}, {"lonely_psu": "ignore"}, "not one of"),
        ({}, {"weights": None}, "give weights"),
    ],
)
def test_a_wrong_design_is_refused(changes: dict[str, object], options: dict[str, object], says: str) -> None:
    keywords: dict[str, object] = {"weights": "w", "strata": "h", "clusters": "psu"} | options
    with pytest.raises(DesignError) as refused:
        Design(small(**changes), **keywords)  # type: ignore[arg-type]
    assert says in str(refused.value)


def test_labels_used_again_in_each_stratum_are_told_apart_when_said() -> None:
    data = small(psu=[1, 1, 2, 2, 1, 1, 2, 2])
    assert Design(data, weights="w", strata="h", clusters="psu", nest=True).df == 2.0


def test_a_misspelt_column_is_met_with_the_near_ones() -> None:
    with pytest.raises(UnknownColumn, match="did you mean psu"):
        Design(small(), weights="w", clusters="psuu")


def test_a_stratum_with_one_unit_is_named_when_its_variance_is_asked_for() -> None:
    data = small(psu=[1, 1, 1, 1, 3, 3, 4, 4])
    design = Design(data, weights="w", strata="h", clusters="psu")
    with pytest.raises(LonelyPSU, match="stratum a has only one PSU at stage 1"):
        estimate(design, Mean("x"))


def test_weights_follow_from_population_counts_at_every_stage() -> None:
    data = small(M=[4, 4, 4, 4, 6, 6, 6, 6])
    data["row"] = list(range(8))
    design = Design(data, strata="h", clusters=["psu", "row"], fpc=["N", "M"])
    assert design.weight.tolist() == [5.0] * 4 + [13.5] * 4


def test_any_data_frame_gives_the_same_estimate(households: Maker) -> None:
    data = households()
    frames = [data, pd.DataFrame(data), pl.DataFrame(data), pl.LazyFrame(data), pa.table(data)]
    found = [
        estimate(Design(frame, weights="w", strata="stratum", clusters="psu"), Mean("income"), by="region")
        for frame in frames
    ]
    for other in found[1:]:
        assert other.values.tolist() == found[0].values.tolist()
        assert other.standard_errors.tolist() == found[0].standard_errors.tolist()
        assert [one.domain for one in other] == [one.domain for one in found[0]]


def test_a_design_is_a_value() -> None:
    design = Design(small(), weights="w", strata="h", clusters="psu")
    changed = design.with_weights(design.weight * 2.0)
    assert (design.population, changed.population) == (80.0, 160.0)
    with pytest.raises(AttributeError):
        design.weight = changed.weight  # type: ignore[misc]


def test_every_refusal_is_one_kind_of_error() -> None:
    with pytest.raises(AnalysisError):
        Design([1, 2, 3], weights="w")
