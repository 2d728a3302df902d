"""Runs every case of an oracle file against this package and prints what agrees.

    python tests/oracle/run.py CASES.json DATA_DIR [--only ID] [--verbose]

A figure agrees when |ours - theirs| <= atol + rtol |theirs|; where a case has `alt`, either value is right. The exit
code is 1 when anything disagrees or is not implemented. The cases' format is described in README.md beside this file.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import math
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as csv
from scipy.special import expit

from analysis import (
    AnalysisError,
    Count,
    Design,
    Estimate,
    Mean,
    Proportion,
    Ratio,
    Smooth,
    Total,
    calibration,
    estimate,
    trimming,
)
from analysis.adjustments import FixedFactors
from analysis.agreement import cronbach, kappa
from analysis.coding import Coding, Term
from analysis.columns import cross
from analysis.errors import EmptyDomain, MissingValues
from analysis.estimates import Estimates
from analysis.estimators import Statistic, Variance
from analysis.hypotheses import independence, rank_test, t_test
from analysis.intervals import Interval, korn_graubard_sample
from analysis.nonresponse import Report
from analysis.probabilities import JointProbabilities
from analysis.quantiles import quantiles
from analysis.regression import Regression, regress
from analysis.replicates import Replicates
from analysis.targets import p_value, statistic
from analysis.twophase import SecondPhase

Row = dict[str, Any]


class NotImplementedHere(Exception):
    """A case asks for something that the package does not offer."""


@dataclass(frozen=True)
class Sample:
    """A design and the domain to which `subset` has narrowed it; R counts degrees of freedom in the domain.

    counted: the design whose degrees of freedom R has kept, when it did not count them again (see `calibrate`).
    lost: rows that R has dropped on the way.
    """

    design: Design
    where: Any = None
    counted: Design | None = None
    lost: Any = False

    def within(self, mask: Any) -> Sample:
        lost = self.lost if self.keeps_rows else self.lost | ~mask
        return replace(self, where=mask if self.where is None else self.where & mask, counted=None, lost=lost)

    @property
    def keeps_rows(self) -> bool:
        """Whether R's subset keeps all rows: of a calibrated or PPS design, and of two phases with the "full" variance.
        Trimming is no calibration."""
        design = self.design
        if design.phase is not None:
            return design.phase.asked.method == "full"
        return design.replicates is None and bool(design.residual_steps or design.unequal is not None)

    @property
    def members(self) -> Any:
        return np.ones(self.design.rows, dtype=bool) if self.where is None else self.where

    @property
    def df(self) -> float:
        return (self.counted or self.design).domain_df(self.members)


# ---------------------------------------------------------------------------------------------------- designs


def read(path: Path) -> Any:
    """A CSV file, compressed or not, as a table: blank and NA are missing, everything else as it looks."""
    convert = csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return csv.read_csv(path if path.exists() else f"{path}.gz", convert_options=convert)


def build(spec: Row, folder: Path, compat: bool = False) -> Sample:
    """The sample of a case; `compat` switches on what R 4.1 does where later versions do better."""
    data = read(folder / spec["dataset"])
    if spec["kind"] == "replicate":
        design = Design(
            data, weights=spec["weights"], replicates=replicates(spec["repweights"], data, folder)
        )
    elif spec["kind"] == "twophase":
        data = data.append_column("one_", [np.ones(data.num_rows)])
        first, _ = spec["ids"]
        selected = spec["subset_var"].removeprefix("I(").removesuffix("==1)")
        second = SecondPhase(selected, strata=spec.get("strata2"), method=spec["method"])
        design = Design(data, weights="one_", clusters=first, second=second)
    else:
        design = taylor(spec, data, folder, ("R.order", "R.lonely") if compat else ("R.order",))
    sample = Sample(design)
    for step in spec.get("ops") or []:
        sample = OPERATIONS[step["op"]](sample, step) if step["op"] in OPERATIONS else missing(step["op"])
    return sample


def missing(what: str) -> Any:
    raise NotImplementedHere(what)


def taylor(spec: Row, data: Any, folder: Path, compat: tuple[str, ...]) -> Design:
    pps = spec.get("pps")
    unequal: Any = None
    if pps:
        if pps["type"] == "joint":
            table = read(folder / pps["joint"])
            matrix = np.column_stack([table[name].to_numpy() for name in table.column_names])
            kind = {"HT": "horvitz_thompson", "YG": "yates_grundy"}[pps["variance"]]
            unequal = JointProbabilities(matrix, kind)
        else:
            unequal = {"brewer": "brewer", "overton": "overton", "HR": "hartley_rao"}[pps["type"]]
    return Design(
        data,
        weights=spec.get("weights"),
        probabilities=spec.get("probs"),
        strata=spec.get("strata"),
        clusters=spec.get("ids"),
        fpc=spec.get("fpc"),
        nest=spec["nest"],
        lonely_psu=spec["lonely_psu"],
        adjust_domain_lonely=spec.get("adjust_domain_lonely", False),
        ultimate_cluster=spec.get("ultimate_cluster", False),
        unequal=unequal,
        compat=compat,
    )


def replicates(spec: Row, data: Any, folder: Path) -> Replicates:
    table = read(folder / spec["file"])
    key = spec.get("key") or []
    factors = np.column_stack([table[name].to_numpy() for name in table.column_names if name not in key])
    unit = None
    if key:
        position = {
            row: index for index, row in enumerate(zip(*(table[k].to_pylist() for k in key), strict=True))
        }
        unit = np.array([position[row] for row in zip(*(data[k].to_pylist() for k in key), strict=True)])
    kind = {"successive-difference": "SDR", "ACS": "SDR"}.get(spec["type"], spec["type"])
    return Replicates(
        factors,
        kind,
        scale=spec.get("scale"),
        rscales=spec.get("rscales"),
        rho=spec.get("rho") or 0.0,
        mse=spec.get("mse", False),
        combined=spec.get("combined", False),
        unit=unit,
    )


# ----------------------------------------------------------------------------------------------------- steps


def subset(sample: Sample, step: Row) -> Sample:
    mask = np.ones(sample.design.rows, dtype=bool)
    for condition in step["filter"]:
        mask &= holds(sample.design, condition)
    return sample.within(mask)


def holds(design: Design, condition: Row) -> Any:
    """One condition of a filter as a mask; a missing value does not satisfy it."""
    codes, labels = design.columns.codes(condition["var"])
    operator, value = condition["op"], condition.get("value")
    compare: dict[str, Callable[[Any], bool]] = {
        "==": lambda label: bool(label == value),
        "!=": lambda label: bool(label != value),
        "<": lambda label: bool(label < value),
        "<=": lambda label: bool(label <= value),
        ">": lambda label: bool(label > value),
        ">=": lambda label: bool(label >= value),
        "in": lambda label: label in value,
        "notin": lambda label: label not in value,
        "notna": lambda label: True,
        "isna": lambda label: False,
    }
    if operator not in compare:
        raise NotImplementedHere(f"filter {operator}")
    return np.array([*(compare[operator](label) for label in labels), operator == "isna"])[codes]


def margin(names: list[str], rows: list[Row]) -> dict[Any, float]:
    return {tuple(row[name] for name in names): float(row["Freq"]) for row in rows}


def narrowed(sample: Sample) -> Design:
    """The design with the weights of the domain alone: after `subset`, R's weighting steps see nobody else."""
    if sample.where is None:
        return sample.design
    weight = sample.design.weight
    left = np.where(sample.where, weight, 0.0)
    return sample.design.with_weights(left, FixedFactors.between(weight, left))


def rake(sample: Sample, step: Row) -> Sample:
    """With R's standard errors, which take unweighted residuals (see README.md)."""
    names = [one["vars"] for one in step["margins"]]
    totals = [margin(one["vars"], one["totals"]) for one in step["margins"]]
    return replace(
        sample, design=calibration.rake(narrowed(sample), names, totals, compat="R.rake"), counted=None
    )


def poststratify(sample: Sample, step: Row) -> Sample:
    totals = margin(step["vars"], step["totals"])
    changed = calibration.poststratify(narrowed(sample), step["vars"], totals)
    return replace(sample, design=changed, counted=None)


def calibrate(sample: Sample, step: Row) -> Sample:
    design, bounds = narrowed(sample), step.get("bounds")
    labels, matrix = model_matrix(design, step["formula"])
    distance = step["calfun"]
    trim = limits(step.get("trim"))
    if distance == "linear":
        if bounds:
            distance = "truncated"
        else:
            trim = None  # which R does not hand on to the solution in one step
    scale = None
    if step.get("variance"):
        # R's working variance is a combination of the columns, or one value a row.
        given = np.asarray(step["variance"], dtype=float)
        scale = 1.0 / (given if given.size == design.rows else matrix @ given)
    if step.get("aggregate_stage"):
        # One factor for a cluster: the means of the variables over its rows (after `subset`, over those that are left).
        unit, there = design.stages[step["aggregate_stage"] - 1].unit, design.weight != 0
        size = np.maximum(np.bincount(unit, weights=there), 1)
        means = [np.bincount(unit, weights=column * there) / size for column in matrix.T]
        matrix = np.stack([mean[unit] for mean in means], axis=1)
    changed = calibration.calibrate(
        design,
        matrix,
        [step["totals"][label] for label in labels],
        distance,
        bounds=limits(bounds),
        scale=scale,
        labels=labels,
        trim=trim,
    )
    # R ranks replicate weights anew after a linear calibration, and not after any other.
    kept = design.replicates is not None and distance != "linear"
    return replace(sample, design=changed, counted=(sample.counted or sample.design) if kept else None)


def limits(given: list[Any] | None) -> calibration.Bounds | None:
    """Bounds of factors; JSON writes infinity as null or as text."""
    if not given:
        return None
    lower, upper = given
    return calibration.Bounds(
        -math.inf if lower is None else float(lower), math.inf if upper is None else float(upper)
    )


def trim(sample: Sample, step: Row) -> Sample:
    changed, _ = trimming.trim(
        narrowed(sample),
        step.get("lower", 0.0),
        step.get("upper", math.inf),
        strict=step.get("strict", False),
    )
    return replace(sample, design=changed)


def standardize(sample: Sample, step: Row) -> Sample:
    """The shares of `by` in the population given to each group of `over`, by post-stratifying the cross of both."""
    design = narrowed(sample)
    groups = weighed(design, step["over"])
    # A factor keeps the levels that `subset` has left without rows; the first varies fastest.
    every = [design.columns.codes(name)[1] for name in reversed(step["by"])]
    levels = [tuple(reversed(level)) for level in itertools.product(*every)]
    whole, there = sum(step["population"]), weighed(design, [*step["by"], *step["over"]])
    totals = {
        (*level, *group): share / whole * size
        for level, share in zip(levels, step["population"], strict=True)
        for group, size in groups.items()
        if (*level, *group) in there  # `partial = TRUE`
    }
    design = calibration.poststratify(design, [*step["by"], *step["over"]], totals)
    return replace(sample, design=design)


def weighed(design: Design, names: list[str]) -> dict[tuple[Any, ...], float]:
    """The sum of the weights in each combination of categories that occurs; no variance is asked for."""
    code, labels = cross(design.columns, names)
    there = (code >= 0) & (design.weight != 0)
    size = np.bincount(code[there], weights=design.weight[there], minlength=len(labels))
    return {label: float(one) for label, one in zip(labels, size, strict=True) if one}


def model_matrix(design: Design, formula: str) -> tuple[list[str], Any]:
    """The columns of an R formula for every row of a design."""
    terms, intercept, factors = of_formula(formula)
    everybody = np.ones(design.rows, dtype=bool)
    coding = Coding.of(design.columns, terms, everybody, intercept=intercept, factors=factors)
    return list(coding.names), coding.matrix(design.columns, np.arange(design.rows))


def of_formula(formula: str) -> tuple[list[Term], bool, list[str]]:
    """The right side of an R formula: `+`, `:`, `*`, `- 1` and `factor()`; terms, intercept, numbers as factors."""
    text = formula.split("~")[1].replace(" ", "")
    intercept = "-1" not in text and not text.startswith("0+")
    factors = re.findall(r"factor\((\w+)\)", text)
    text = re.sub(r"factor\((\w+)\)", r"\1", text).replace("-1", "")
    expanded: list[tuple[str, ...]] = []
    for term in text.split("+"):
        if term in ("", "0", "1"):
            continue
        crossed = term.split("*")
        for count in range(1, len(crossed) + 1):
            expanded += [tuple(":".join(one).split(":")) for one in combinations(crossed, count)]
    for name in (name for term in expanded for name in term):
        if not name.isidentifier():
            raise NotImplementedHere(f"formula {formula}")
    return sorted(expanded, key=len), intercept, factors


OPERATIONS: dict[str, Callable[[Sample, Row], Sample]] = {
    "subset": subset,
    "rake": rake,
    "poststratify": poststratify,
    "calibrate": calibrate,
    "trim": trim,
    "standardize": standardize,
}


# ------------------------------------------------------------------------------------------------- functions


def expanded(
    sample: Sample, names: list[str], make: Callable[..., Statistic]
) -> tuple[list[str], list[Statistic]]:
    """Variables as R codes them: a number is one statistic, a factor one for each of its levels in the sample."""
    labels: list[str] = []
    statistics: list[Statistic] = []
    for name in names:
        if sample.design.columns.is_numeric(name):
            labels.append(name)
            statistics.append(make(name))
            continue
        for level in sample.design.columns.codes(name)[1]:
            labels.append(f"{name}{level}")
            statistics.append(Proportion(name, level) if make is Mean else Total(name, level))
    return labels, statistics


def complete(sample: Sample, call: Row, names: list[str]) -> Sample:
    """R leaves out rows with any missing value of the call, all variables at once."""
    if not call.get("na_rm"):
        return sample
    mask = np.ones(sample.design.rows, dtype=bool)
    for name in names:
        mask &= holds(sample.design, {"var": name, "op": "notna"})
    return sample.within(mask) if not mask.all() else sample


def described(
    sample: Sample, call: Row, found: Estimates, order: list[int], names: list[str] | None, df: float
) -> Row:
    level = call.get("level", 0.95)
    picked = [found[index] for index in order]
    result: Row = {
        "estimate": [one.value for one in picked],
        "se": [one.se for one in picked],
        "df": df,
        "vcov": found.vcov[np.ix_(order, order)].tolist(),
    }
    if names is not None:
        result["names"] = names
    for short, kind in (("z", "wald"), ("t", "t")):
        limits = [one.interval(kind, level, df=df) for one in picked]  # type: ignore[arg-type]
        result[f"ci_{short}_low"] = [one.lower for one in limits]
        result[f"ci_{short}_high"] = [one.upper for one in limits]
    if call.get("deff") == "replace":
        result["deff"] = [one.deff_replace for one in picked]
    elif call.get("deff"):
        result["deff"] = [one.deff for one in picked]
    return result


def moments(sample: Sample, call: Row) -> Row:
    make = Mean if call["fn"] == "mean" else Total
    names, statistics = expanded(sample, call["vars"], make)
    inside = complete(sample, call, call["vars"])
    found = estimate(inside.design, statistics, where=inside.where)
    return described(sample, call, found, list(range(len(found))), names, sample.df)


def ratio(sample: Sample, call: Row) -> Row:
    inside = complete(sample, call, call["num"] + call["den"])
    statistics = [Ratio(above, below) for below in call["den"] for above in call["num"]]
    found = estimate(inside.design, statistics, where=inside.where)
    return described(sample, call, found, list(range(len(found))), None, sample.df)


def ratio_separate(sample: Sample, call: Row) -> Row:
    strata = sample.design.strata
    assert strata is not None
    column = strata if isinstance(strata, str) else strata[0]
    found = estimate(sample.design, Ratio(call["num"][0], call["den"][0]), by=column, where=sample.where)
    totals = np.array([call["totals"][str(one.domain[column])] for one in found])
    # R adds variances as if strata were independent, which they are no more after weighting to common margins.
    return {
        "strata": [str(one.domain[column]) for one in found],
        "estimate": found.values.tolist(),
        "se": found.standard_errors.tolist(),
        "total": [float(totals @ found.values)],
        "total_se": [float(np.sqrt(totals**2 @ found.standard_errors**2))],
    }


def variance(sample: Sample, call: Row) -> Row:
    inside = complete(sample, call, call["vars"])
    found = estimate(inside.design, [Variance(name) for name in call["vars"]], where=inside.where, deff=False)
    # n / (n - 1) with R's n, which without replicates counts the rows that na_rm leaves out.
    n, own = float(rows_with_weight(sample)), float(found[0].n)
    scale = 1.0 if sample.design.replicates is not None else n / (n - 1.0) * (own - 1.0) / own
    return {
        "estimate": (scale * found.values).tolist(),
        "se": (scale * found.standard_errors).tolist(),
    }


def rows_with_weight(sample: Sample) -> int:
    return int(np.count_nonzero(sample.members & (sample.design.weight != 0)))


def by(sample: Sample, call: Row) -> Row:
    """R names one statistic's rows by group; several statistics follow one another, groups within each."""
    if call["fn"] in ("by_ratio",) or call.get("inner") == "ratio":
        variables = call["num"] + call["den"]
        names, statistics = [""], [Ratio(call["num"][0], call["den"][0])]
    else:
        variables = call["vars"]
        names, statistics = expanded(sample, variables, Mean if call["inner"] == "mean" else Total)
    inside = complete(sample, call, variables)
    found = estimate(inside.design, statistics, by=call["by"], where=inside.where)
    count = len(found) // len(statistics)
    groups = [dict(one.domain) for one in found[:count]]
    # R lets the first grouping variable run fastest.
    order = sorted(
        range(count), key=lambda index: [_rank(groups[index][key]) for key in reversed(call["by"])]
    )
    flat = [start * count + index for start in range(len(statistics)) for index in order]
    labels = [".".join(str(groups[index][key]) for key in call["by"]) for index in order]
    if len(statistics) > 1:
        labels = [f"{label}:{name}" for name in names for label in labels]
    result = described(sample, call, found, flat, labels, sample.df)
    result["groups"] = [groups[index] for index in order]
    return result


def _rank(label: Any) -> tuple[str, Any]:
    return str(type(label)), label


def by_groups(sample: Sample, names: list[str]) -> list[tuple[Row, Sample]]:
    """The groups of a `by`, in R's order, each as the sample narrowed to it."""
    counted = estimate(sample.design, Count(), by=names, where=sample.where, deff=False)
    groups = [dict(one.domain) for one in counted]
    groups.sort(key=lambda group: [_rank(group[key]) for key in reversed(names)])
    result = []
    for group in groups:
        mask = np.ones(sample.design.rows, dtype=bool)
        for key, label in group.items():
            mask &= holds(sample.design, {"var": key, "op": "==", "value": label})
        result.append((group, sample.within(mask)))
    return result


METHODS = {"mean": "t", "xlogit": "logit", "logit": "logit", "asin": "asin_reflected", "wilson": "wilson"}


def ciprop(sample: Sample, call: Row, df: float | None = None) -> Row:
    """One share with one interval; by default R's degrees of freedom, those of the design narrowed to the domain."""
    name, level, method = call["vars"][0], call.get("level", 0.95), call["method"]
    inside = complete(sample, call, [name])
    wanted = call.get("df")
    used = sample.df if df is None else df
    if isinstance(wanted, int | float):
        used = float(wanted)
    elif wanted == "Inf":
        used = math.inf
    one = estimate(inside.design, Proportion(name), where=inside.where, df=used)[0]
    rows = nrow(sample)
    result: Row = {
        "estimate": one.value,
        "se": one.se,
        "df": None if wanted == "NULL" else used,
        "n_rows": rows,
    }
    if method == "korn_graubard_nchs":
        domain = estimate(inside.design, Proportion(name), where=inside.where)[0]
        limits = domain.interval("nchs", level)
        tail = (1.0 - level) / 2.0
        size = korn_graubard_sample(domain.value, domain.se, domain.n, domain.df, tail, cap=True)
        edge = domain.value in (0.0, 1.0) or domain.se == 0.0
        result |= {"n": domain.n, "df": domain.df, "n_eff_df": size}
        result["n_eff"] = domain.n if edge else domain.effective_n
    elif method == "beta":
        # R takes the design's degrees of freedom here, whatever is asked for.
        limits = replace(one, n=rows, df=sample.df if df is None else df).interval("korn_graubard", level)
    elif method == "likelihood":
        limits = replace(one, n=rows).interval("likelihood", level)
        spread = one.value * (1.0 - one.value)
        scale = rows * one.variance / spread if spread else math.nan
        result |= {"ci_exact_low": limits.lower, "ci_exact_high": limits.upper, "lambda": scale}
    elif method == "logit" and sample.design.replicates is not None:
        limits = logit_of_replicates(inside, name, level, used)
    else:
        limits = one.interval(METHODS[method], level)  # type: ignore[arg-type]
    return {"ci_low": limits.lower, "ci_high": limits.upper} | result


def nrow(sample: Sample) -> int:
    """What R's nrow() says of a narrowed design."""
    phase = sample.design.phase
    there = np.ones(sample.design.rows, dtype=bool) if phase is None else phase.selected
    return int(np.count_nonzero(there & ~np.asarray(sample.lost)))


def logit_of_replicates(sample: Sample, name: str, level: float, df: float) -> Interval:
    """R takes the variance of the replicates' logits; `interval("logit")` takes the delta method."""
    logit = Smooth(lambda p: np.log(p / (1.0 - p)), (Proportion(name),), "logit")
    found = estimate(sample.design, logit, where=sample.where, df=df, deff=False)[0].interval("t", level)
    return found._replace(lower=float(expit(found.lower)), upper=float(expit(found.upper)))


def by_ciprop(sample: Sample, call: Row) -> Row:
    groups = by_groups(sample, call["by"])
    found = [ciprop(inside, call) for _, inside in groups]
    columns = ("estimate", "ci_low", "ci_high")
    result: Row = {name: [one[name] for one in found] for name in columns}
    return result | {"groups": [group for group, _ in groups], "df": sample.df}


def target_test(sample: Sample, call: Row) -> Row:
    inside = complete(sample, call, call["vars"])
    one = estimate(inside.design, Proportion(call["vars"][0]), where=inside.where, df=sample.df)[0]
    level, alternative = call.get("level", 0.95), call["alternative"]
    side = level if alternative == "two_sided" else 1.0 - 2.0 * (1.0 - level)
    limits = one.interval("t", side)
    return {
        "estimate": one.value,
        "se": one.se,
        "t": statistic(one, call["target"], "t"),
        "df": one.df,
        "p_value": p_value(one, call["target"], alternative, "t"),
        "ci_low": None if alternative == "less" else limits.lower,
        "ci_high": None if alternative == "greater" else limits.upper,
    }


def quantile(sample: Sample, call: Row) -> Row:
    name = call["vars"][0]
    inside = complete(sample, call, [name])
    kinds = {"probability": "mean", "betaWald": "beta", "Wald": "mean"}
    # R 4.1 takes no notice of the interval asked for when there are replicates.
    kind = call.get("interval_type", "mean") if sample.design.replicates is None else "mean"
    found = quantiles(
        inside.design,
        name,
        call["quantiles"],
        where=inside.where,
        rule=call.get("qrule", "math"),
        method=kinds.get(kind, kind),  # type: ignore[arg-type]
        level=call.get("level", 0.95),
        df=inside.df,
        compat=("R.score", "R.shahvaish", "R.first_step", *(("R.rows",) if inside.keeps_rows else ())),
    )
    return {
        "quantiles": call["quantiles"],
        "estimate": [one.value for one in found],
        "se": [one.se for one in found],
        "ci_low": [one.lower for one in found],
        "ci_high": [one.upper for one in found],
        "df": inside.df,
    }


def by_quantile(sample: Sample, call: Row) -> Row:
    groups = by_groups(complete(sample, call, call["vars"]), call["by"])
    found = [quantile(inside, call) for _, inside in groups]
    result: Row = {
        name: [value for one in found for value in one[name]] for name in ("estimate", "ci_low", "ci_high")
    }
    return result | {
        "groups": [group for group, _ in groups],
        "se": [value for one in found for value in one["se"]],
    }


def cdf(sample: Sample, call: Row) -> Row:
    values = sample.design.columns.numbers(call["vars"][0])
    weight = np.where(sample.members, sample.design.weight, 0.0)
    if not weight.any():
        raise EmptyDomain("nobody of the sample is in the domain")
    return {
        "at": call["at"],
        "estimate": [float(weight @ (values <= at) / weight.sum()) for at in call["at"]],
    }


def contrast(sample: Sample, call: Row) -> Row:
    names, statistics = expanded(sample, call["vars"], Mean if call["inner"] == "mean" else Total)
    inside = complete(sample, call, call["vars"])
    if call["fn"] == "by_contrast":
        found = estimate(inside.design, statistics, by=call["by"], where=inside.where, deff=False)
        names = [".".join(str(one.domain[key]) for key in call["by"]) for one in found]
    else:
        found = estimate(inside.design, statistics, where=inside.where, deff=False)
    if "linear" in call:
        one = found.contrast([float(call["linear"].get(name, 0.0)) for name in names])
    else:
        one = found.contrast(expression(call["expr"], names))
    return {"estimate": [one.value], "se": [one.se]}


def expression(text: str, names: list[str]) -> Callable[..., Any]:
    """An R arithmetic expression as a function of its named estimates."""
    code = compile(text.replace("^", "**").replace("`", ""), "expression", "eval")
    known = {"log": np.log, "exp": np.exp, "sqrt": np.sqrt}

    def function(*values: Any) -> Any:
        return eval(code, {"__builtins__": {}}, known | dict(zip(names, values, strict=True)))

    return function


def weights(sample: Sample, call: Row) -> Row:
    phase = sample.design.phase
    weight = sample.design.weight[sample.members if phase is None else sample.members & phase.selected]
    return {
        "weights": weight.tolist(),
        "sum": weight.sum(),
        "sum_sq": (weight * weight).sum(),
        "min": weight.min(),
        "max": weight.max(),
    }


def kish(sample: Sample, call: Row) -> Row:
    report = Report.of("kish", narrowed(sample))
    return {"deff_kish": report.kish, "n_eff": report.n / report.kish}


def of_kappa(sample: Sample, call: Row) -> Row:
    first, second = terms(call["formula"])
    one = kappa(sample.design, first, second, where=sample.where)
    if sample.design.replicates is None:
        return {"estimate": [one.value], "se": [one.se]}
    return {"estimate": [one.value], "se": [kappa_by_delta(sample, first, second)]}


def kappa_by_delta(sample: Sample, first: str, second: str) -> float:
    """With replicates R linearises kappa in the shares of the table; ours is worked out in every replicate."""
    design = sample.design
    (one, levels), (other, _) = design.columns.codes(first), design.columns.codes(second)
    both = {f"both_{k}": ((one == k) & (other == k)).astype(float) for k in range(len(levels))}
    shares = [Proportion(name, level) for name in (first, second) for level in levels]
    found = estimate(
        design.with_columns(**both), [*shares, *map(Proportion, both)], where=sample.where, deff=False
    )
    count = len(levels)

    def coefficient(*p: Any) -> Any:
        by_chance = sum(p[k] * p[count + k] for k in range(count))
        return (sum(p[2 * count :]) - by_chance) / (1.0 - by_chance)

    return found.contrast(coefficient).se


def of_cronbach(sample: Sample, call: Row) -> Row:
    inside = complete(sample, call, call["vars"])
    return {"estimate": [cronbach(inside.design, call["vars"], where=inside.where).value]}


def table(sample: Sample, call: Row) -> Row:
    """Estimated counts of all combinations, the first variable fastest; combinations that do not occur are 0."""
    names = terms(call["formula"])
    code, inside, size = np.zeros(sample.design.rows, dtype=np.int64), sample.members.copy(), 1
    cells: list[tuple[Any, ...]] = [()]
    for name in names:
        own, labels = sample.design.columns.codes(name)
        if not isinstance(labels[0], str):  # numbers have no levels: only those of the rows that R still has
            held = np.unique(own[~np.asarray(sample.lost) & (own >= 0)])
            own = np.where(np.isin(own, held), np.searchsorted(held, own), -1)
            labels = [labels[one] for one in held.tolist()]
        inside &= own >= 0
        code, size = code + size * own, size * len(labels)
        cells = [(*cell, label) for label in labels for cell in cells]
    # Added up here: R's table has no standard errors, so it can be asked for where a variance cannot.
    counts = np.bincount(code[inside], weights=sample.design.weight[inside], minlength=size)
    return {
        "cells": [dict(zip(names, cell, strict=True)) for cell in cells],
        "estimate": counts.tolist(),
    }


def terms(formula: str) -> list[str]:
    return [term.strip() for term in formula.split("~")[-1].split("+")]


def model(sample: Sample, call: Row) -> Regression:
    """The regression of a call; "quasibinomial_probit" names the link after the family.

    With replicates R counts degrees of freedom with the rows that a missing value leaves out.
    """
    family, _, link = call.get("family", "gaussian").partition("_")
    selected, intercept, factors = of_formula(call["formula"])
    fitted = regress(
        sample.design,
        call["formula"].split("~")[0].strip(),
        selected,
        family=family,
        link=link or None,  # type: ignore[arg-type]
        intercept=intercept,
        factors=factors,
        where=sample.where,
        missing="domain",
    )
    if sample.design.replicates is None:
        return fitted
    return replace(fitted, df=sample.df + 1.0 - len(fitted.coefficients))


def glm(sample: Sample, call: Row) -> Row:
    fitted = model(sample, call)
    found = [replace(one, df=fitted.df) for one in fitted.coefficients]
    limits = [one.interval("t", call.get("level", 0.95)) for one in found]
    return {
        "names": named(fitted, call["formula"]),
        "estimate": [one.value for one in found],
        "se": [one.se for one in found],
        "t": [one.value / one.se for one in found],
        "p_value": [p_value(one, 0.0, "two_sided") for one in found],
        "ci_low": [one.lower for one in limits],
        "ci_high": [one.upper for one in limits],
        "df": fitted.df,
        "vcov": fitted.vcov.tolist(),
        "dispersion": dispersion(sample, fitted),
    }


def named(fitted: Regression, formula: str) -> list[str]:
    """R keeps `factor(...)` in the names of coefficients."""
    names = list(fitted.names)
    for factor in of_formula(formula)[2]:
        names = [re.sub(rf"(^|:){factor}", rf"\1factor({factor})", name) for name in names]
    return names


def weights_scale(sample: Sample, fitted: Regression) -> float:
    """R brings weights to a mean of 1 with the rows that a missing value leaves out."""
    design = sample.design
    there = sample.members if design.phase is None else sample.members & design.phase.selected
    return float(design.weight[fitted.members].mean() / design.weight[there].mean())


def dispersion(sample: Sample, fitted: Regression) -> float:
    """R's figure, which for replicates is not divided by the number of rows."""
    design, members = sample.design, fitted.members
    weight = design.weight[members]
    if design.replicates is None:
        return fitted.dispersion * weights_scale(sample, fitted)
    mu, y = fitted.fitted[members], design.columns.numbers(fitted.outcome)[members]
    variance = {"gaussian": np.ones_like(mu), "binomial": mu * (1 - mu), "poisson": mu}
    square = (y - mu) ** 2 / variance[fitted.family.removeprefix("quasi")]
    return float(weight @ square / weight.mean())


def regterm(sample: Sample, call: Row) -> Row:
    method = {"Wald": "wald", "WorkingWald": "working_wald", "LRT": "working_lrt"}[call.get("method", "Wald")]
    wanted = [tuple(re.sub(r"factor\((\w+)\)", r"\1", term).split(":")) for term in call["terms"]]
    fitted = model(sample, call)
    kept = nrow(sample) / np.count_nonzero(sample.members) if sample.where is not None else 1.0
    found = fitted.test(*wanted, method=method)  # type: ignore[arg-type]
    scale = weights_scale(sample, fitted) * kept  # R's mean weight counts rows that it keeps outside a domain
    return {
        "F": found.statistic,
        "chisq": found.statistic * scale,
        "df": found.df[0],
        "ddf": found.df[1],
        "p_value": found.p_value,
        "lambda": [one * scale for one in found.weights],
    }


def predict(sample: Sample, call: Row) -> Row:
    rows = call["newdata"]
    data = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    found = model(sample, call).predict(data, scale=call.get("type", "link"))
    return {
        "estimate": found.values.tolist(),
        "se": found.standard_errors.tolist(),
        "vcov": found.vcov.tolist(),
    }


INDEPENDENCE = {
    "F": "F",
    "Chisq": "chi_square",
    "Wald": "wald",
    "adjWald": "adjusted_wald",
    "lincom": "linear_combination",
    "saddlepoint": "saddlepoint",
}


def chisq(sample: Sample, call: Row) -> Row:
    found = independence(
        sample.design,
        *terms(call["formula"]),
        test=INDEPENDENCE[call.get("statistic", "F")],  # type: ignore[arg-type]
        where=sample.where,
        missing="domain",
        df=sample.df,
        compat="R.independence",
    )
    return {
        "statistic": found.statistic,
        "parameter": list(found.df),
        "p_value": found.p_value,
        "lambda": list(found.weights),
    }


def ttest(sample: Sample, call: Row) -> Row:
    outcome, group = (side.strip() for side in call["formula"].split("~"))
    one_sample = group in ("0", "1")
    found = t_test(
        sample.design,
        outcome,
        by=None if one_sample else group,
        where=sample.where,
        missing="domain",
        compat="R.t_test" if one_sample else None,
    )
    assert found.estimate is not None
    one = found.estimate
    if sample.design.replicates is not None:
        one = replace(
            one, df=sample.df - 1.0
        )  # R counts it anew neither here nor in a regression (see `model`)
    limits = one.interval("t", call.get("level", 0.95))
    return {
        "estimate": one.value,
        "t": found.statistic,
        "df": one.df,
        "p_value": p_value(one, 0.0, "two_sided"),
        "ci_low": limits.lower,
        "ci_high": limits.upper,
    }


RANKS = {
    "wilcoxon": "wilcoxon",
    "KruskalWallis": "wilcoxon",
    "vanderWaerden": "van_der_waerden",
    "median": "median",
}


def rank(sample: Sample, call: Row) -> Row:
    """For more than two groups R prints the numerator's degrees of freedom as the statistic and q F as the parameter."""
    outcome, group = (side.strip() for side in call["formula"].split("~"))
    found = rank_test(
        sample.design,
        outcome,
        group,
        test=RANKS[call.get("test", "wilcoxon")],  # type: ignore[arg-type]
        where=sample.where,
        missing="domain",
        compat="R.ties" if sample.keeps_rows else None,
    )
    if found.estimate is None:
        q = found.df[0]
        return {"estimate": [], "statistic": q, "parameter": [q * found.statistic], "p_value": found.p_value}
    return {
        "estimate": found.estimate.value,
        "statistic": found.statistic,
        "parameter": [found.df[0]],
        "p_value": found.p_value,
    }


FUNCTIONS: dict[str, Callable[[Sample, Row], Row]] = {
    "mean": moments,
    "total": moments,
    "ratio": ratio,
    "ratio_separate": ratio_separate,
    "var": variance,
    "by": by,
    "by_ratio": by,
    "ciprop": ciprop,
    "by_ciprop": by_ciprop,
    "target_test": target_test,
    "quantile": quantile,
    "quantile_rep": quantile,
    "by_quantile": by_quantile,
    "cdf": cdf,
    "contrast": contrast,
    "by_contrast": contrast,
    "weights": weights,
    "degf": lambda sample, call: {"df": sample.df},
    "kish": kish,
    "kappa": of_kappa,
    "cronbach": of_cronbach,
    "table": table,
    "chisq": chisq,
    "ttest": ttest,
    "rank": rank,
    "glm": glm,
    "regterm": regterm,
    "predict": predict,
}


# ------------------------------------------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Disagreement:
    where: str
    ours: Any
    theirs: Any


class Worst:
    """The largest relative error among figures that agree."""

    def __init__(self) -> None:
        self.error, self.case = 0.0, ""

    def see(self, error: float, case: str) -> None:
        if error > self.error:
            self.error, self.case = error, case


def differences(ours: Any, theirs: Any, case: Row, where: str, worst: Worst) -> list[Disagreement]:
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(ours) != len(theirs):
            # R drops a list of one to its element.
            if isinstance(ours, int | float) and len(theirs) == 1:
                return differences(ours, theirs[0], case, where, worst)
            return [Disagreement(where, ours, theirs)]
        return [
            difference
            for index, (mine, other) in enumerate(zip(ours, theirs, strict=True))
            for difference in differences(mine, other, case, f"{where}[{index}]", worst)
        ]
    if isinstance(theirs, dict):
        return [
            difference
            for key, other in theirs.items()
            for difference in differences(ours.get(key), other, case, f"{where}.{key}", worst)
        ]
    if isinstance(ours, list) and len(ours) == 1:
        ours = ours[0]
    if theirs is None or isinstance(theirs, str | bool):
        same = str(ours) == theirs if isinstance(theirs, str) else ours is theirs or _nothing(ours)
        if isinstance(theirs, str) and theirs in ("Inf", "-Inf", "NaN") and isinstance(ours, float):
            same = str(float(theirs)) == str(float(ours))
        return [] if same else [Disagreement(where, ours, theirs)]
    if not isinstance(ours, int | float) or isinstance(ours, bool) or math.isnan(ours):
        same = str(ours) == str(theirs)
        return [] if same else [Disagreement(where, ours, theirs)]
    gap = abs(ours - theirs)
    if not gap <= case["atol"] + case["rtol"] * abs(theirs):
        return [Disagreement(where, float(ours), theirs)]
    if abs(theirs) > case["atol"] / max(case["rtol"], 1e-300):
        worst.see(gap / abs(theirs), case["id"])
    return []


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def check(case: Row, folder: Path, worst: Worst) -> list[Disagreement]:
    """What disagrees in one case; raises NotImplementedHere when the package cannot say."""
    call, expected = case["call"], case["result"]
    if call["fn"] not in FUNCTIONS:
        raise NotImplementedHere(call["fn"])
    if expected.get("error"):
        try:
            FUNCTIONS[call["fn"]](build(case["design"], folder), call)
        except AnalysisError:
            return []
        return [Disagreement("error", "an answer", expected.get("message", "an error"))]
    try:
        ours = FUNCTIONS[call["fn"]](build(case["design"], folder), call)
    except MissingValues as problem:
        # What R calls NA because a value is missing is an error here.
        told = expected.get("estimate")
        if all(one is None for one in (told if isinstance(told, list) else [told])):
            return []
        return [Disagreement("error", str(problem), "an answer")]
    found = compared(ours, expected, case, worst)
    if found and call.get("statistic") == "lincom":
        # Without its package CompQuadForm R answers with the saddlepoint.
        nearly = FUNCTIONS[call["fn"]](build(case["design"], folder), call | {"statistic": "saddlepoint"})
        found = compared(nearly, expected, case, worst)
    alternative = case.get("alt", {})
    if not found or not alternative:
        return found
    # Either value is right: the better one by default, and R's with all that follows from it by the switch.
    better = compared(ours, {key: alternative[key] for key in alternative if key in expected}, case, worst)
    if better:
        return found
    rest = {key: theirs for key, theirs in expected.items() if key not in alternative}
    if not compared(ours, rest, case, worst):
        return []
    return compared(
        FUNCTIONS[call["fn"]](build(case["design"], folder, compat=True), call), expected, case, worst
    )


# Where R has no limit we may have one (a share of 0 or 1; the arc or the logarithm of what is no share): not compared.
LIMITS_WITHOUT_R = ("by_ciprop", "quantile", "quantile_rep", "by_quantile")
# R's spline for these is up to 0.3 % off; the case carries the exact roots beside them, which are compared.
APPROXIMATE = {"ciprop": {"likelihood": ("ci_low", "ci_high")}}


def compared(ours: Row, expected: Row, case: Row, worst: Worst) -> list[Disagreement]:
    call = case["call"]
    skipped = APPROXIMATE.get(call["fn"], {}).get(call.get("method", ""), ())
    found: list[Disagreement] = []
    for key, theirs in expected.items():
        if key in skipped and f"ci_exact_{key[3:]}" in expected:
            continue
        if key not in ours:
            found.append(Disagreement(key, "nothing", theirs))
            continue
        own = case.get("rtol_fields", {}).get(key, case["rtol"])
        mine = ours[key]
        if call["fn"] in LIMITS_WITHOUT_R and key in ("ci_low", "ci_high", "se") and isinstance(theirs, list):
            # Where R has no limit we may have one: there is nothing to compare.
            mine = [None if his is None else own for own, his in zip(mine, theirs, strict=False)]
        found += differences(mine, theirs, case | {"rtol": own}, key, worst)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Compare this package with an oracle file, case by case.")
    parser.add_argument("cases", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="run the cases whose id contains this text")
    parser.add_argument("--verbose", action="store_true", help="print every figure that disagrees")
    options = parser.parse_args(arguments)
    packed = options.cases.suffix == ".gz"
    content = json.loads(
        gzip.decompress(options.cases.read_bytes()) if packed else options.cases.read_bytes()
    )
    cases = [case for case in content["cases"] if options.only in case["id"]]
    passed, failed, unknown, worst = 0, 0, Counter[str](), Worst()
    start = time.perf_counter()
    for case in cases:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = check(case, options.data, worst)
        except NotImplementedHere as gap:
            unknown[str(gap)] += 1
            continue
        except Exception as problem:
            found = [Disagreement("error", f"{type(problem).__name__}: {problem}", "an answer")]
        if not found:
            passed += 1
            continue
        failed += 1
        print(f"FAILED {case['id']} (tier {case['tier']})")
        for one in found if options.verbose else found[:2]:
            print(f"    {one.where}: ours {one.ours}, theirs {one.theirs}")
    for name, count in sorted(unknown.items()):
        print(f"not implemented: {name} ({count} cases)")
    print(
        f"{passed} passed, {failed} failed, {unknown.total()} not implemented of {len(cases)}; worst relative error among "
        f"those that agree {worst.error:.1e} ({worst.case}); {time.perf_counter() - start:.1f} s"
    )
    return 1 if failed or unknown else 0


__all__ = ["Estimate", "build", "check", "main"]

if __name__ == "__main__":
    sys.exit(main())
