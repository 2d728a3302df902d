"""Does each interval cover what it says? Shares and quantiles of samples whose truth is known, by every formula.

    make simulate        or        python tests/simulation/intervals.py --draws 10000 --seed 1

A sample is strata of six PSUs of twenty people with unequal weights (Kish's design effect about 1.1), from an endless
invented population. Beside the coverage of 95 % intervals stands their mean width, and how often a one-sided verdict
at 5 % on a target that is exactly the truth is wrong. The tables are printed as docs/methods.md holds them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from scipy.special import ndtri

from analysis import Design
from analysis.columns import FloatArray
from analysis.intervals import IntervalKind, interval
from analysis.quantiles import Woodruff, quantiles
from analysis.totals import UnitTotals
from analysis.variance import variances

SHARES = (0.02, 0.1, 0.5, 0.9)
STRATA = (2, 12)
CORRELATIONS = (0.0, 0.05)
PSUS, PEOPLE = 6, 20
KINDS: tuple[IntervalKind, ...] = (
    "wald", "t", "logit", "asin", "wilson", "korn_graubard", "nchs", "likelihood",
)  # fmt: skip
FAMILIES: tuple[IntervalKind, ...] = ("t", "logit", "wilson", "nchs")  # of which verdicts are counted
PROBABILITIES = (0.1, 0.5, 0.9)


class Setting(NamedTuple):
    """What is sampled: the truth (a share, or the probability of a quantile), strata, intraclass correlation."""

    truth: float
    strata: int
    correlation: float

    @property
    def df(self) -> int:
        return self.strata * (PSUS - 1)

    @property
    def n(self) -> int:
        return self.strata * PSUS * PEOPLE


@dataclass(frozen=True)
class Found:
    """What many samples said of one interval in one setting; `met` and `not_met` are false one-sided verdicts."""

    setting: Setting
    kind: str
    draws: int
    coverage: float
    width: float
    met: float = np.nan
    not_met: float = np.nan

    @property
    def error(self) -> float:
        """Monte Carlo standard error of the coverage, as if at least one sample had gone the other way."""
        share = min(max(self.coverage, 1.0 / self.draws), 1.0 - 1.0 / self.draws)
        return float(np.sqrt(share * (1.0 - share) / self.draws))


def settings(truths: Sequence[float]) -> Iterator[Setting]:
    for strata in STRATA:
        for correlation in CORRELATIONS:
            for truth in truths:
                yield Setting(truth, strata, correlation)


def shares(setting: Setting, draws: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """The estimated share and its standard error in each of many samples, all at once by PSU totals."""
    units = setting.strata * PSUS
    design = Design(
        {"stratum": np.repeat(np.arange(setting.strata), PSUS), "psu": np.arange(units), "w": np.ones(units)},
        weights="w", strata="stratum", clusters="psu",
    )  # fmt: skip
    values, errors = np.empty(draws), np.empty(draws)
    block = max(2_000_000 // (units * PEOPLE), 1)
    for start in range(0, draws, block):
        count = min(block, draws - start)
        level = np.full((units, count), setting.truth)
        if setting.correlation:
            # Beta-distributed shares of PSUs give exactly this correlation between two people of one.
            strength = (1.0 - setting.correlation) / setting.correlation
            level = generator.beta(setting.truth * strength, (1.0 - setting.truth) * strength, (units, count))
        weight = generator.uniform(1.0, 4.0, (PEOPLE, units, count))
        has = generator.random((PEOPLE, units, count)) < level
        size, held = weight.sum(axis=0), (weight * has).sum(axis=0)
        value = held.sum(axis=0) / size.sum(axis=0)
        linear = (held - value * size) / size.sum(axis=0)
        values[start : start + count] = value
        errors[start : start + count] = np.sqrt(variances(design, UnitTotals.dense(linear)))
    return values, errors


def share_coverage(setting: Setting, draws: int, seed: int) -> list[Found]:
    generator = np.random.default_rng([seed, round(1000 * setting.truth), setting.strata,
                                       round(1000 * setting.correlation)])  # fmt: skip
    values, errors = shares(setting, draws, generator)
    found = []
    for kind in KINDS:
        covered = width = met = not_met = 0.0
        for value, se in zip(values.tolist(), errors.tolist(), strict=True):
            limits = interval(kind, value, se, setting.df, setting.n)
            covered += limits.lower <= setting.truth <= limits.upper
            width += limits.upper - limits.lower
            if kind in FAMILIES:
                one_sided = interval(kind, value, se, setting.df, setting.n, level=0.9)
                met += one_sided.lower > setting.truth
                not_met += one_sided.upper < setting.truth
        found.append(
            Found(setting, kind, draws, covered / draws, width / draws, met / draws, not_met / draws)
        )
    return found


def quantile_coverage(setting: Setting, draws: int, seed: int) -> list[Found]:
    """Intervals of the quantiles of incomes (log-normal, relative to their median) by each Woodruff variant."""
    generator = np.random.default_rng([seed, 7, setting.strata, round(1000 * setting.correlation)])
    units = setting.strata * PSUS
    psu = np.repeat(np.arange(units), PEOPLE)
    truth = float(np.exp(ndtri(setting.truth)))
    lower = {method: np.empty(draws) for method in get_args(Woodruff)}
    upper = {method: np.empty(draws) for method in get_args(Woodruff)}
    for draw in range(draws):
        common = generator.normal(0.0, np.sqrt(setting.correlation), units)[psu]
        own = generator.normal(0.0, np.sqrt(1.0 - setting.correlation), psu.size)
        data = {"stratum": psu // PSUS, "psu": psu, "w": generator.uniform(1.0, 4.0, psu.size),
                "income": np.exp(common + own)}  # fmt: skip
        design = Design(data, weights="w", strata="stratum", clusters="psu")
        for method in lower:
            one = quantiles(design, "income", [setting.truth], method=method)[0]
            lower[method][draw], upper[method][draw] = one.lower, one.upper
    # A limit before which the data end is NaN: it excludes nothing, and has no width.
    return [
        Found(
            setting,
            method,
            draws,
            coverage=1.0 - float(np.mean((lower[method] > truth) | (upper[method] < truth))),
            width=float(np.nanmean(upper[method] - lower[method])),
        )
        for method in lower
    ]


def table(title: str, found: Sequence[Found], cell: str) -> str:
    """Markdown: a line for each setting, a column for each interval; `cell` says what stands in them."""
    kinds = list(dict.fromkeys(one.kind for one in found))
    lines = [f"| {title} | df | ICC | " + " | ".join(kinds) + " |", "| --- " * (3 + len(kinds)) + "|"]
    for setting in dict.fromkeys(one.setting for one in found):
        cells = []
        for one in (one for one in found if one.setting == setting):
            if cell == "coverage":
                cells.append(f"{100 * one.coverage:.1f} ({one.width:.3f})")
            else:
                cells.append(f"{100 * one.met:.1f}, {100 * one.not_met:.1f}")
        lines.append(f"| {setting.truth:g} | {setting.df} | {setting.correlation:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--draws", type=int, default=10_000, help="samples for shares, a setting")
    parser.add_argument("--quantile-draws", type=int, default=1000, help="samples for quantiles, a setting")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.monotonic()
    found = [
        one for setting in settings(SHARES) for one in share_coverage(setting, options.draws, options.seed)
    ]
    print(
        f"Shares: {options.draws} samples a line; coverage of 95 % intervals in % (mean width). Monte Carlo"
    )
    print(f"standard errors are {100 * min(one.error for one in found):.2f} to "
          f"{100 * max(one.error for one in found):.2f}.\n")  # fmt: skip
    print(table("p", found, "coverage"))
    print('\nOne-sided verdicts at 5 % on a target that is the truth: false "met", false "not met" in %.\n')
    print(table("p", [one for one in found if one.kind in FAMILIES], "verdict"))
    quantile = [
        one
        for setting in settings(PROBABILITIES)
        for one in quantile_coverage(setting, options.quantile_draws, options.seed)
    ]
    print(f"\nQuantiles: {options.quantile_draws} samples a line, the same way; Monte Carlo standard errors to "
          f"{100 * max(one.error for one in quantile):.2f}.\n")  # fmt: skip
    print(table("quantile", quantile, "coverage"))
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
