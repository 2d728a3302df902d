"""Communes by model where the survey alone may not speak, and series of other sources beside it.

    modelled(asked, direct, …)                  area-level model, benchmarked, with its diagnostics and a second opinion
    read_auxiliaries(text, file, columns)       one row a place
    read_census(text, file, by)                 one row a place and group of people
    read_series(text, file)                     administrative figures

A modelled share is given only where the direct one is not, only when the model passes its diagnostics, and always with
its error. What is published of it does not lead back to the place's own answers: no weight on the direct estimate, no
coefficient and no number of interviews is given, shares are rounded, and a place with fewer respondents than the minimum
cell is treated as if nobody had been asked there.

The second opinion is a model of single people (`analysis.mixed`) that knows how many of each group live in each place.
Where the two differ in more places than their errors allow, one of them is wrong, and neither is shown.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import scipy

from analysis.columns import FloatArray
from analysis.errors import AnalysisError
from analysis.estimates import Estimate
from analysis.indicators import ReleaseRules, SmallArea
from analysis.mixed import Cells, bootstrap_mse, logistic_mixed
from analysis.planning import presentable
from analysis.smallarea import AreaModel, arcsine, benchmarked, diagnostics, fay_herriot
from survey.problems import BadDocument, Finding
from survey.publication.results import Model, Modelled, SecondModel, Series

FIT = 0.01  # a goodness-of-fit p-value below this: the model and the direct estimates contradict each other
COVERED = 0.90  # of the places the two intervals must overlap in this share
REPLICATES = 60  # of the bootstrap of the model of single people


@dataclass(frozen=True)
class Auxiliaries:
    """What is known of every place: people of the universe, and numbers by column; `census` by place and group."""

    people: dict[str, float]
    columns: dict[str, dict[str, float]]
    census: Mapping[tuple[str, ...], float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class People:
    """The people asked: the place and the group of each, whether they have it (0 or 1), and their weight."""

    place: Sequence[str]
    group: Sequence[tuple[str, ...]]
    has: FloatArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class _Told:
    """Shares of places in their order, their mean squared errors and limits."""

    value: FloatArray
    mse: FloatArray
    lower: FloatArray
    upper: FloatArray


def read_auxiliaries(text: str, file: str, columns: Sequence[str]) -> Auxiliaries:
    """The auxiliaries of a CSV with `category`, `people` and these columns; BadDocument with every mistake."""
    wanted = ("people", *columns)
    people: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {name: {} for name in columns}
    mistakes = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), start=2):
        try:
            values = [float(row[name]) for name in wanted]
            if not all(map(math.isfinite, values)) or values[0] <= 0 or row["category"] in people:
                raise ValueError
            people[row["category"]] = values[0]
            for name, value in zip(columns, values[1:], strict=True):
                found[name][row["category"]] = value
        except (KeyError, TypeError, ValueError):
            mistakes.append(_mistake(file, number, ("category", *wanted)))
    if mistakes:
        raise BadDocument(mistakes)
    return Auxiliaries(people, found)


def read_census(text: str, file: str, by: Sequence[str]) -> dict[tuple[str, ...], float]:
    """Place and group → people of the universe, from a CSV with `category`, these columns and `people`."""
    found: dict[tuple[str, ...], float] = {}
    mistakes = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), start=2):
        try:
            people = float(row["people"])
            key = (row["category"], *(row[name] for name in by))
            if not math.isfinite(people) or people < 0 or None in key or key in found:
                raise ValueError
            found[key] = people
        except (KeyError, TypeError, ValueError):
            mistakes.append(_mistake(file, number, ("category", *by, "people")))
    if mistakes:
        raise BadDocument(mistakes)
    return found


def read_series(text: str, file: str) -> tuple[Series, ...]:
    """The administrative series of a CSV: indicator, name_vi, name_en, period, value, unit_vi, unit_en, source."""
    found, mistakes = [], []
    for number, row in enumerate(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))), start=2):
        try:
            value = float(row["value"])
            if not math.isfinite(value):
                raise ValueError
            found.append(
                Series(
                    indicator=row["indicator"],
                    name={"vi": row["name_vi"], "en": row["name_en"]},
                    period=row["period"],
                    value=value,
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
            "vi": f"cần đủ các cột {listed}, số viết bằng số, mỗi nơi hoặc nhóm một dòng",
            "en": f"needs {listed}, numbers as numbers, each place or group in one row",
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
    people: People | None = None,
) -> tuple[tuple[Modelled, ...], Model | None]:
    """Modelled shares of the places of one domain that are not `shown` directly, and the report on the model.

    people: for the second opinion, when the plan has a census. The design effect of each place is taken to be that of the whole: one estimated from thirty interviews is noise.
    """
    effect = whole.deff_replace if math.isfinite(whole.deff_replace) else 1.0
    needed = {place: presentable(whole.value, effect) for place in places}
    fitted = _fitted(asked, direct, whole, places, known, rules, effect)
    if fitted is None:
        return tuple(_absent(asked, place, needed[place]) for place in places if place not in shown), None
    model, report = fitted
    assert known is not None
    shares = model.shares(rules.level)
    told = _Told(shares.value, shares.mse, shares.lower, shares.upper)
    if asked.census and (known.census or asked.publish == "unit"):
        told, report = _second(asked, told, report, known, people, places, rules, effect)
    fixed = benchmarked(told.value, [known.people[place] for place in places], whole.value)
    found = []
    for number, place in enumerate(places):
        if place in shown:
            continue
        if not report.shown:
            found.append(_absent(asked, place, needed[place]))
            continue
        # The benchmark moves the figure: its square joins the error, and the limits move with it on the logit scale.
        moved = fixed[number] - told.value[number]
        lower, upper = (
            _moved(limit, told.value[number], fixed[number])
            for limit in (float(told.lower[number]), float(told.upper[number]))
        )
        found.append(
            Modelled(
                indicator=asked.indicator,
                domain=asked.domain,
                category=place,
                value=round(float(fixed[number]), 3),
                lower=round(lower, 3),
                upper=round(upper, 3),
                rmse=round(math.sqrt(told.mse[number] + moved**2), 3),
                synthetic=not math.isfinite(model.direct[number]),
                needed=presentable(float(np.clip(fixed[number], 0.02, 0.98)), effect),
            )
        )
    return tuple(found), report


def _second(
    asked: SmallArea,
    told: _Told,
    report: Model,
    known: Auxiliaries,
    people: People | None,
    places: Sequence[str],
    rules: ReleaseRules,
    effect: float,
) -> tuple[_Told, Model]:
    """The shares to be published, and the report with the second opinion. Not shown when it cannot be had or contradicts."""
    of_places = np.column_stack([np.zeros(len(places)), *_standardised(asked, known, places)])[:, 1:]
    unit = (
        _single_people(known.census, of_places, people, places, rules, effect) if people is not None else None
    )
    if unit is None:
        return told, msgspec.structs.replace(report, shown=False, published=asked.publish)
    other, spread, number = unit
    apart = np.abs(other.value - told.value)
    agreement = float((apart <= 1.96 * np.sqrt(other.mse + told.mse)).mean())
    second = SecondModel(
        by=asked.by,
        people=number,
        spread=round(spread, 2),
        agreement=round(agreement, 3),
        gap=round(float(np.median(apart)), 3),
    )
    report = msgspec.structs.replace(
        report, second=second, published=asked.publish, shown=report.shown and agreement >= COVERED
    )
    return (other if asked.publish == "unit" else told), report


def _single_people(
    census: Mapping[tuple[str, ...], float],
    of_places: FloatArray,
    people: People,
    places: Sequence[str],
    rules: ReleaseRules,
    effect: float,
) -> tuple[_Told, float, int] | None:
    """Shares of the places by the model of single people, the spread of places and how many people it rests on.

    of_places: (places, columns) auxiliaries that everybody of a place shares. Weights are scaled to add up to the effective sample of each place. None when the census lacks a place or a group.
    """
    groups = sorted({key[1:] for key in census})
    place_of = {place: number for number, place in enumerate(places)}
    group_of = {group: number for number, group in enumerate(groups)}
    if len(groups) < 2 or not set(places) <= {key[0] for key in census}:
        return None
    if any(
        place not in place_of or group not in group_of
        for place, group in zip(people.place, people.group, strict=True)
    ):
        return None
    place = np.array([place_of[one] for one in people.place], dtype=np.int64)
    group = np.array([group_of[one] for one in people.group], dtype=np.int64)
    asked = np.bincount(place, minlength=len(places))
    there = (asked >= rules.minimum_cell)[place]
    place, group, has, weight = place[there], group[there], people.has[there], people.weight[there]
    scale = np.bincount(place, weight, len(places))
    weight = weight * (asked / effect)[place] / scale[place]
    x = _coded(groups)
    # What the groups say already (urban and rural, of places that are one or the other) is not said twice.
    new: list[int] = []
    for column in range(of_places.shape[1]):
        wider = np.column_stack([x[group], of_places[place][:, [*new, column]]])
        if np.linalg.matrix_rank(wider) == wider.shape[1]:
            new.append(column)
    of_places = of_places[:, new]
    rows = [
        (place_of[key[0]], group_of[key[1:]], count) for key, count in census.items() if key[0] in place_of
    ]
    population = Cells(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.column_stack([x[[row[1] for row in rows]], of_places[[row[0] for row in rows]]]),
        np.array([row[2] for row in rows], dtype=np.float64),
    )
    try:
        model = logistic_mixed(has, np.column_stack([x[group], of_places[place]]), place, len(places), weight)
        share = model.shares(population)
        mse = bootstrap_mse(model, population, np.random.default_rng(len(place)), REPLICATES)
    except AnalysisError:
        return None
    if not (np.isfinite(share).all() and np.isfinite(mse).all()):
        return None
    # On the scale of log odds, where the limits of a share near 0 or 1 stay inside.
    inner = np.clip(share, 1e-6, 1.0 - 1e-6)
    half = float(scipy.special.ndtri(0.5 + rules.level / 2.0)) * np.sqrt(mse) / (inner * (1.0 - inner))
    odds = scipy.special.logit(inner)
    limits = scipy.special.expit(odds - half), scipy.special.expit(odds + half)
    return _Told(share, mse, *limits), model.spread, len(place)


def _coded(groups: Sequence[tuple[str, ...]]) -> FloatArray:
    """Each group as a row: a constant, and for each column a 1 for its value, the first value left out."""
    columns = [np.ones(len(groups))]
    for values in zip(*groups, strict=True):
        columns += [np.array([float(value == one) for value in values]) for one in sorted(set(values))[1:]]
    return np.column_stack(columns)


def _absent(asked: SmallArea, place: str, needed: int) -> Modelled:
    return Modelled(indicator=asked.indicator, domain=asked.domain, category=place, needed=needed)


def _moved(limit: float, before: float, after: float) -> float:
    if not 0.0 < limit < 1.0 or not 0.0 < before < 1.0:
        return limit
    logit = math.log(limit / (1 - limit)) + math.log(after / (1 - after)) - math.log(before / (1 - before))
    return 1.0 / (1.0 + math.exp(-logit))


def _standardised(asked: SmallArea, known: Auxiliaries, places: Sequence[str]) -> list[FloatArray]:
    """The auxiliaries of the places: coefficients are then of one size and the matrix is well conditioned."""
    columns = [np.array([known.columns[name][place] for place in places]) for name in asked.columns]
    return [(column - column.mean()) / (column.std() or 1.0) for column in columns]


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
    x = np.column_stack([np.ones(len(places)), *_standardised(asked, known, places)])
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
