"""Is the estimated error of a modelled share the error it has? Many provinces of sixty communes whose truth is known.

    make simulate        or        python tests/simulation/smallareas.py --provinces 2000

The shares of a province follow the area-level model on the arcsine scale; every fifth commune has no interviews. Beside
the mean estimated mean squared error stands the mean squared error that the modelled shares have, and how often their
95 % intervals cover the truth. Where communes differ little next to the sampling error no estimator of A knows it well
and the estimated error is too large; it fails when it is ever a tenth too small, or a fifth too large where they differ.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np

from analysis.smallarea import Method, arcsine, fay_herriot

COMMUNES = 60


@dataclass(frozen=True)
class Calibration:
    """Direct and modelled mean squared error, the latter as estimated over as it is, and coverage of 95 % intervals."""

    direct: float
    modelled: float
    ratio: float
    coverage: float
    ratio_without_interviews: float
    coverage_without_interviews: float


def calibration(spread: float, interviews: int, provinces: int, seed: int, method: Method) -> Calibration:
    generator = np.random.default_rng([seed, round(1000 * spread), interviews])
    x = np.column_stack([np.ones(COMMUNES), np.linspace(-1.5, 1.5, COMMUNES)])
    sampled = np.arange(COMMUNES) % 5 > 0
    direct, error, told, covered = (np.zeros((provinces, COMMUNES)) for _ in range(4))
    for province in range(provinces):
        truth = np.sin(x @ [0.8, 0.12] + generator.normal(0.0, spread, COMMUNES)) ** 2
        share = generator.binomial(interviews, truth) / interviews
        size = np.where(sampled, float(interviews), 0.0)
        found = fay_herriot(*arcsine(share, size), x, method).shares()
        direct[province], error[province] = (share - truth) ** 2, (found.value - truth) ** 2
        told[province] = found.mse
        covered[province] = (found.lower <= truth) & (truth <= found.upper)
    return Calibration(
        direct=float(direct[:, sampled].mean()),
        modelled=float(error[:, sampled].mean()),
        ratio=float(told[:, sampled].mean() / error[:, sampled].mean()),
        coverage=float(covered[:, sampled].mean()),
        ratio_without_interviews=float(told[:, ~sampled].mean() / error[:, ~sampled].mean()),
        coverage_without_interviews=float(covered[:, ~sampled].mean()),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--provinces", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("| A estimated by | between communes | interviews | RMSE direct | RMSE modelled | estimated / true MSE "
          "| covered | no interviews: estimated / true MSE | covered |")  # fmt: skip
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    off = False
    for method in ("reml", "adjusted"):
        for spread in (0.05, 0.1):
            for interviews in (20, 35):
                one = calibration(spread, interviews, options.provinces, options.seed, method)
                print(
                    f"| {method} | {spread:g} | {interviews} | {one.direct**0.5:.4f} | {one.modelled**0.5:.4f} "
                    f"| {one.ratio:.3f} | {one.coverage:.3f} | {one.ratio_without_interviews:.3f} "
                    f"| {one.coverage_without_interviews:.3f} |"
                )
                off |= one.ratio < 0.9 or (spread == 0.1 and one.ratio > 1.2)
    return int(off)


if __name__ == "__main__":
    sys.exit(main())
