"""Does looking every day keep the error rate? Surveys of one commune, classified each evening until decided.

    make simulate        or        python tests/simulation/classification.py --surveys 2000

Forty days of field work with two clusters of six interviews a day; people of one cluster resemble one another
(correlation 0.1) or not. alpha = beta = 0.05, grey zone 50 % to 65 %. Beside the sequential method stands what an
office does without one: the one-sided test of the share at 5 %, repeated each evening until it says yes. Fails when a
stated error rate is exceeded by more than three Monte Carlo standard errors.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analysis.classification import sequential
from analysis.planning import design_effect

DAYS, CLUSTERS, TAKE = 40, 2, 6
LOW, HIGH, ALPHA, BETA = 0.50, 0.65, 0.05, 0.05
CORRELATION = 0.1


@dataclass(frozen=True)
class Looks:
    """Of many surveys the share called high and low, and the mean number of days until a decision."""

    high: float
    low: float
    days: float


def daily_looks(share: float, surveys: int, seed: int, clustered: bool = False, naive: bool = False) -> Looks:
    generator = np.random.default_rng([seed, round(1000 * share), clustered])
    high = low = days = 0
    for _ in range(surveys):
        shape = (DAYS * CLUSTERS, 1)
        strength = (1.0 - CORRELATION) / CORRELATION
        level = generator.beta(share * strength, (1 - share) * strength, shape) if clustered else share
        has = generator.random((DAYS * CLUSTERS, TAKE)) < level
        seen = has.mean(axis=1) if clustered else has.ravel().astype(float)
        a_day = CLUSTERS if clustered else CLUSTERS * TAKE
        outcome, day = (_naive if naive else _sequential)(seen, a_day)
        high, low, days = high + (outcome == "high"), low + (outcome == "low"), days + day
    return Looks(high / surveys, low / surveys, days / surveys)


def _sequential(seen: np.ndarray, a_day: int) -> tuple[str, int]:
    worth = TAKE / design_effect(TAKE, CORRELATION) if a_day == CLUSTERS else 1.0
    found = sequential(seen, LOW, HIGH, ALPHA, BETA, worth=worth)
    return found.outcome, -(-found.looked_at // a_day)


def _naive(seen: np.ndarray, a_day: int) -> tuple[str, int]:
    for day in range(1, DAYS + 1):
        sofar = seen[: day * a_day]
        gap = (sofar.mean() - LOW) / np.sqrt(LOW * (1 - LOW) / len(sofar))
        if gap > -ndtri(ALPHA):
            return "high", day
    return "undecided", DAYS


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--surveys", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| method | people of a cluster | true share | called high | called low | mean days |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    exceeded = False
    for naive in (False, True):
        for clustered in (False, True) if not naive else (False,):
            for share in (0.45, LOW, 0.575, HIGH, 0.70):
                found = daily_looks(share, options.surveys, options.seed, clustered, naive)
                print(
                    f"| {'5 % test each evening' if naive else 'sequential'} "
                    f"| {'alike (0.1)' if clustered else 'independent'} | {share:g} | {found.high:.3f} "
                    f"| {found.low:.3f} | {found.days:.1f} |"
                )
                if not naive:
                    room = 3 * (ALPHA * (1 - ALPHA) / options.surveys) ** 0.5
                    exceeded |= share <= LOW and found.high > ALPHA + room
                    exceeded |= share >= HIGH and found.low > BETA + room
    return int(exceeded)


if __name__ == "__main__":
    sys.exit(main())
