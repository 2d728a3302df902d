"""Communes by model where the survey alone may not speak, and series of other sources beside it.

    modelled(plan, direct, tables, minimum)     area-level model, benchmarked, with its diagnostics
    read_auxiliaries(text, file)                one row a place
    read_series(text, file)                     administrative figures

A modelled share is given only where the direct one is not, only when the model passes its diagnostics, and always with
its error. What is published of it does not lead back to the place's own answers: no weight on the direct estimate, no
coefficient and no number of interviews is given, shares are rounded, and a place with fewer respondents than the minimum
cell is treated as if nobody had been asked there.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import AnalysisError
from analysis.estimates import Estimate
from analysis.indicators import ReleaseRules, SmallArea
from analysis.planning import presentable
from analysis.smallarea import AreaModel, arcsine, benchmarked, diagnostics, fay_herriot
from survey.problems import BadDocument, Finding
from survey.publication.results import Model, Modelled, Series

FIT = 0.01  # a goodness-of-fit p-value below this: the model and the direct estimates contradict each other
COVERED = 0.90  # of the places the two intervals must overlap in this share


@dataclass(frozen=True)
class Auxiliaries:
    """What is known of every place: people of the universe, and numbers by column."""

    people: dict[str, float]
    columns: dict[str, dict[str, float]]


def read_auxiliaries(text: str, file: str, columns: Sequence[str]) -> Auxiliaries:
    """The auxiliaries of a CSV with `category`, `people` and these columns; BadDocument with every mistake."""
    wanted = ("people", *columns)
    people: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {name: {} for name in columns}
    mistakes = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), start=2):
        try:
            values = [float(row[name]) for name in wanted]
            if not all(map(math.isfinite, values)) or values[0] <= 0:
                raise ValueError
            people[row["category"]] = values[0]
            for name, value in zip(columns, values[1:], strict=True):
                found[name][row["category"]] = value
        except (KeyError, TypeError, ValueError):
            mistakes.append(_mistake(file, number, ("category", *wanted)))
    if mistakes:
        raise BadDocument(mistakes)
    return Auxiliaries(people, found)


def read_series(text: str, file: str) -> tuple[Series, ...]:
    """The administrative series of a CSV: indicator, name_vi, name_en, period, value, unit_vi, unit_en, source."""
    found, mistakes = [], []
    for number, row in enumerate(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), start=2):
        try:
            found.append(
                Series(
                    indicator=row["indicator"],
                    name={"vi": row["name_vi"], "en": row["name_en"]},
                    period=row["period"],
                    value=float(row["value"]),
                    unit={"vi": row["unit_vi"], "en": row["unit_en"]},
                    source=row["source"],
                )
            )
        except (KeyError, TypeError, ValueError):
            columns = ("indicator", "name_vi", "name_en", "period", "value", "unit_vi", "unit_en", "source")
            mistakes.append(_mistake(file, number, columns))
    if mistakes:
        raise BadDocument(mistakes)
    return tuple(found)


def _mistake(file: str, row: int, columns: Sequence[str]) -> Finding:
    listed = ", ".join(columns)
    return Finding(
        code="not_number",
        where=f"{file}, row {row}",
        message={
            "vi": f"cần đủ các cột {listed}, số viết bằng số",
            "en": f"needs {listed}, numbers as numbers",
        },
    )


def modelled(
    asked: SmallArea,
    direct: Mapping[str, Estimate],
    shown: Sequence[str],
    whole: Estimate,
    places: Sequence[str],
    known: Auxiliaries | None,
    rules: ReleaseRules,
) -> tuple[tuple[Modelled, ...], Model | None]:
    """Modelled shares of the places of one domain that are not `shown` directly, and the report on the model.

    The design effect of each place is taken to be that of the whole: one estimated from thirty interviews is noise.
    """
    effect = whole.deff_replace if math.isfinite(whole.deff_replace) else 1.0
    needed = {place: presentable(whole.value, effect) for place in places}
    fitted = _fitted(asked, direct, whole, places, known, rules, effect)
    if fitted is None:
        return tuple(_absent(asked, place, needed[place]) for place in places if place not in shown), None
    model, report = fitted
    told = model.shares(rules.level)
    assert known is not None
    shares = benchmarked(told.value, [known.people[place] for place in places], whole.value)
    found = []
    for number, place in enumerate(places):
        if place in shown:
            continue
        if not report.shown:
            found.append(_absent(asked, place, needed[place]))
            continue
        # The benchmark moves the figure: its square joins the error, and the limits move with it on the logit scale.
        moved = shares[number] - told.value[number]
        lower, upper = (
            _moved(limit, told.value[number], shares[number])
            for limit in (told.lower[number], told.upper[number])
        )
        found.append(
            Modelled(
                indicator=asked.indicator,
                domain=asked.domain,
                category=place,
                value=round(float(shares[number]), 3),
                lower=round(lower, 3),
                upper=round(upper, 3),
                rmse=round(math.sqrt(told.mse[number] + moved**2), 3),
                synthetic=not math.isfinite(model.direct[number]),
                needed=presentable(float(np.clip(shares[number], 0.02, 0.98)), effect),
            )
        )
    return tuple(found), report


def _absent(asked: SmallArea, place: str, needed: int) -> Modelled:
    return Modelled(indicator=asked.indicator, domain=asked.domain, category=place, needed=needed)


def _moved(limit: float, before: float, after: float) -> float:
    if not 0.0 < limit < 1.0 or not 0.0 < before < 1.0:
        return limit
    logit = math.log(limit / (1 - limit)) + math.log(after / (1 - after)) - math.log(before / (1 - before))
    return 1.0 / (1.0 + math.exp(-logit))


def _fitted(
    asked: SmallArea,
    direct: Mapping[str, Estimate],
    whole: Estimate,
    places: Sequence[str],
    known: Auxiliaries | None,
    rules: ReleaseRules,
    effect: float,
) -> tuple[AreaModel, Model] | None:
    """The model, or None when there is nothing to fit it with."""
    if known is None or any(place not in known.people for place in places):
        return None
    usable = [place in direct and direct[place].n >= rules.minimum_cell for place in places]
    share = [direct[place].value if there else math.nan for place, there in zip(places, usable, strict=True)]
    size = [direct[place].n / effect if there else 0.0 for place, there in zip(places, usable, strict=True)]
    columns = [[known.columns[name][place] for place in places] for name in asked.columns]
    # Standardised: coefficients are then of one size and the matrix is well conditioned.
    standard = [(np.asarray(column) - np.mean(column)) / (np.std(column) or 1.0) for column in columns]
    x = np.column_stack([np.ones(len(places)), *standard])
    try:
        theta, psi = arcsine(share, size)
        model = fay_herriot(theta, psi, x)
        if model.variance == 0.0:
            model = fay_herriot(theta, psi, x, "adjusted")
    except AnalysisError:
        return None
    found = diagnostics(model)
    left = found.left_out[np.isfinite(found.left_out)]
    report = Model(
        indicator=asked.indicator,
        domain=asked.domain,
        places=len(places),
        interviewed=sum(usable),
        shown=found.goodness_p >= FIT and found.coverage >= COVERED,
        columns=asked.columns,
        method=model.method,
        median_gamma=round(found.median_gamma, 2),
        coverage=round(found.coverage, 3),
        goodness_p=round(found.goodness_p, 4),
        normality=round(found.normality, 4),
        slope=None if math.isnan(found.slope) else round(found.slope, 2),
        left_out=round(float((np.abs(left) <= 1.96).mean()), 3),
        gain=round(found.cv_gain, 2),
    )
    return model, report
