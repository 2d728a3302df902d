"""Shares of places with too few interviews of their own: the area-level model of Fay and Herriot, and how far to trust it.

    theta, psi = arcsine(share, effective_sample)
    model = fay_herriot(theta, psi, auxiliaries)
    places = model.shares(level=0.95)                   # back on the scale of shares, always to be labelled modelled
    benchmarked(places.value, population, province)     # adds up to what the survey says of the whole
    diagnostics(model)

The direct estimate of place i is y_i = x_i'b + v_i + e_i with v_i ~ (0, A) what the auxiliaries leave unexplained and
e_i ~ (0, psi_i) the sampling error, psi_i known. The best predictor draws each y_i towards x_i'b, the more the fewer
interviews stand behind it.

A modelled figure borrows from other places. It is not a measurement: never test one against a target, never publish
one where the direct estimate may be shown, and never without its mean squared error.

Sources: Fay and Herriot 1979 (JASA 74: 269-277); Prasad and Rao 1990 (JASA 85: 163-171); Datta and Lahiri 2000
(Statistica Sinica 10: 613-627); Datta, Rao and Smith 2005 (Biometrika 92: 183-196); Li and Lahiri 2010 (J. Multivariate
Analysis 101: 882-892); Rao and Molina 2015, Small Area Estimation, ch. 6-7; Brown, Chambers, Heady and Heasman 2001
(Statistics Canada Symposium) for the diagnostics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike

from analysis.columns import FloatArray
from analysis.errors import AnalysisError, NotConverged, NotPossible, rows

Method = Literal["reml", "ml", "moments", "adjusted"]
"""How A is estimated. "moments" is Fay and Herriot's own; "adjusted" is Li and Lahiri's, which is never 0."""

MAXIMUM_STEPS = 200
PRECISION = 1e-14


@dataclass(frozen=True, eq=False, kw_only=True)
class AreaModel:
    """A fitted area-level model and its predictions, one element a place in the order given.

    variance is A. gamma: how much of the direct estimate is kept (0 where there is none). eblup and mse: the empirical
    best linear unbiased predictor and its estimated mean squared error. g1 is the part of the mse that remains when
    the parameters are known. synthetic: x_i'b. direct is NaN where nobody was interviewed.
    """

    method: Method
    direct: FloatArray
    sampling_variance: FloatArray
    auxiliaries: FloatArray
    variance: float
    coefficients: FloatArray
    covariance: FloatArray
    log_likelihood: float
    synthetic: FloatArray
    gamma: FloatArray
    eblup: FloatArray
    mse: FloatArray
    g1: FloatArray

    @property
    def sampled(self) -> FloatArray:
        """True where there is a direct estimate."""
        return np.isfinite(self.direct)

    @property
    def aic(self) -> float:
        return -2.0 * self.log_likelihood + 2.0 * (len(self.coefficients) + 1)

    @property
    def bic(self) -> float:
        size = math.log(int(self.sampled.sum()))
        return -2.0 * self.log_likelihood + size * (len(self.coefficients) + 1)

    def shares(self, level: float = 0.95) -> AreaShares:
        """The predictions as shares, when the model was fitted on the arcsine scale.

        sin^2 of the predictor would be biased towards the extremes less than the truth is: the expectation of
        sin^2(theta) for theta normal about the EBLUP with variance g1 is (1 - exp(-2 g1) cos(2 eblup)) / 2 in closed
        form, and the mean squared error is the variance of sin^2(theta) with the whole mse. The limits are those of
        theta, carried over.
        """
        centre, spread = self.eblup, self.mse
        z = float(scipy.special.ndtri(0.5 + level / 2.0))
        half = z * np.sqrt(spread)
        lower = np.sin(np.clip(centre - half, 0.0, math.pi / 2.0)) ** 2
        upper = np.sin(np.clip(centre + half, 0.0, math.pi / 2.0)) ** 2
        value = (1.0 - np.exp(-2.0 * self.g1) * np.cos(2.0 * centre)) / 2.0
        second = (1.0 + np.exp(-8.0 * spread) * np.cos(4.0 * centre)) / 2.0
        first = np.exp(-2.0 * spread) * np.cos(2.0 * centre)
        return AreaShares(value, (second - first**2) / 4.0, lower, upper, level)


@dataclass(frozen=True, eq=False)
class AreaShares:
    """Modelled shares of places (fractions), their mean squared errors and limits at `level`."""

    value: FloatArray
    mse: FloatArray
    lower: FloatArray
    upper: FloatArray
    level: float


def arcsine(share: ArrayLike, effective_sample: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Shares on the scale asin(sqrt p), on which the sampling variance 1 / (4 n_eff) does not depend on the share.

    `effective_sample` is the interviews divided by a design effect that is smooth over places: that of one place with
    thirty interviews is mostly noise. NaN and 0 mark places without interviews.
    """
    p, size = np.asarray(share, dtype=np.float64), np.asarray(effective_sample, dtype=np.float64)
    there = np.isfinite(p) & (size > 0)
    if ((p[there] < 0) | (p[there] > 1)).any():
        raise NotPossible("the arcsine scale is for shares between 0 and 1")
    theta = np.where(there, np.arcsin(np.sqrt(np.where(there, p, 0.0))), math.nan)
    return theta, np.where(there, 0.25 / np.where(there, size, 1.0), math.inf)


def fay_herriot(
    direct: ArrayLike, sampling_variance: ArrayLike, auxiliaries: ArrayLike, method: Method = "reml"
) -> AreaModel:
    """Fit the area-level model and predict every place.

    direct: (m,) estimates, NaN where there are none. sampling_variance: (m,) psi_i > 0, any value where direct is
    NaN. auxiliaries: (m, p) known for every place, with the constant if one is wanted. REML is the default. When its
    estimate of A is 0 every place would be drawn wholly to the regression, which no survey of a few dozen places can
    justify: look at `variance`, and use "adjusted".

    Raises AnalysisError when places are fewer than coefficients or auxiliaries are collinear, NotConverged.
    """
    y = np.asarray(direct, dtype=np.float64)
    psi = np.asarray(sampling_variance, dtype=np.float64)
    design = np.asarray(auxiliaries, dtype=np.float64)
    if design.ndim != 2 or y.shape != psi.shape or len(y) != len(design):
        raise AnalysisError(
            "direct estimates, sampling variances and auxiliaries need one row for each place"
        )
    there = np.isfinite(y)
    wrong = ~np.isfinite(design).all(axis=1) | (there & ~((psi > 0) & np.isfinite(psi)))
    if wrong.any():
        raise AnalysisError(f"no auxiliary or no positive sampling variance in {rows(np.flatnonzero(wrong))}")
    fitted = _Fit(y[there], psi[there], design[there])
    if len(fitted.y) <= design.shape[1] or np.linalg.matrix_rank(fitted.x) < design.shape[1]:
        raise AnalysisError(
            f"{len(fitted.y)} places with interviews cannot carry {design.shape[1]} coefficients: "
            "leave out auxiliaries that repeat one another"
        )
    variance = fitted.solve(method)
    weight, coefficients, covariance = fitted.regress(variance)
    synthetic = design @ coefficients
    kept = np.where(there, variance / (variance + np.where(there, psi, 1.0)), 0.0)
    eblup = synthetic + kept * np.where(there, y - synthetic, 0.0)
    leverage = np.einsum("ij,jk,ik->i", design, covariance, design)
    lost = 1.0 - kept
    # Where nobody was interviewed g1 is A itself and the predictor does not depend on A, so g3 is 0.
    g1 = np.where(there, np.where(there, psi, 0.0) * kept, variance)
    g2 = lost**2 * leverage
    g3 = np.where(
        there,
        np.where(there, psi, 0.0) ** 2
        / (variance + np.where(there, psi, 1.0)) ** 3
        * fitted.variance_of_variance(weight, method),
        0.0,
    )
    bias = fitted.bias(weight, covariance, method) * np.where(there, lost**2, 0.0)
    residual = fitted.y - fitted.x @ coefficients
    return AreaModel(
        method=method,
        direct=y,
        sampling_variance=psi,
        auxiliaries=design,
        variance=variance,
        coefficients=coefficients,
        covariance=covariance,
        log_likelihood=float(-0.5 * (np.log(2.0 * math.pi / weight) + weight * residual**2).sum()),
        synthetic=synthetic,
        gamma=kept,
        eblup=eblup,
        mse=g1 + g2 + 2.0 * g3 - bias,
        g1=g1,
    )


class _Fit:
    """The places with a direct estimate: regression given A, and the equations that determine A."""

    def __init__(self, y: FloatArray, psi: FloatArray, x: FloatArray) -> None:
        self.y, self.psi, self.x = y, psi, x

    def regress(self, variance: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights 1/(A + psi), generalised least squares coefficients and their covariance matrix."""
        weight = 1.0 / (variance + self.psi)
        covariance = np.asarray(np.linalg.inv((self.x * weight[:, None]).T @ self.x), dtype=np.float64)
        return weight, covariance @ (self.x.T @ (weight * self.y)), covariance

    def solve(self, method: Method) -> float:
        """A, not below 0, by scoring (reml, ml), Newton (moments) or search (adjusted)."""
        if method == "adjusted":
            return self._adjusted()
        scale = variance = float(np.median(self.psi))
        for number in range(MAXIMUM_STEPS):
            weight, coefficients, covariance = self.regress(variance)
            residual = self.y - self.x @ coefficients
            squares = float((weight**2 * residual**2).sum())
            information = float((weight**2).sum())
            if method == "reml":
                inner = covariance @ ((self.x * (weight**2)[:, None]).T @ self.x)
                cubic = covariance @ ((self.x * (weight**3)[:, None]).T @ self.x)
                trace = float(weight.sum() - np.trace(inner))
                information += float(np.trace(inner @ inner) - 2.0 * np.trace(cubic))
                step = (squares - trace) / information
            elif method == "ml":
                step = (squares - float(weight.sum())) / information
            else:
                step = (float((weight * residual**2).sum()) - (len(self.y) - self.x.shape[1])) / squares
            if number >= 30:
                step /= 2.0  # it swings about the root when sampling variances differ by orders of magnitude
            # A step below 0 is halved towards 0 at first, so that a root near 0 is not jumped over.
            following = variance + step if variance + step > 0 else variance / 2.0
            if following < PRECISION * scale:
                return 0.0
            if abs(following - variance) <= PRECISION * (following + scale):
                return following
            variance = following
        raise NotConverged(f"the variance between places did not settle in {MAXIMUM_STEPS} steps")

    def _adjusted(self) -> float:
        """The largest value of A times the restricted likelihood of A (Li and Lahiri 2010)."""

        def lost(log_variance: float) -> float:
            weight, coefficients, covariance = self.regress(math.exp(log_variance))
            residual = self.y - self.x @ coefficients
            restricted = 0.5 * (np.log(weight).sum() + np.linalg.slogdet(covariance)[1])
            return float(0.5 * (weight * residual**2).sum() - restricted - log_variance)

        # The objective may have a flat shoulder; a grid finds the hill, the search its top.
        middle = math.log(float(np.median(self.psi)))
        grid = np.linspace(middle - 15.0, middle + 15.0, 121)
        best = int(np.argmin([lost(point) for point in grid]))
        bracket = (grid[max(best - 1, 0)], grid[min(best + 1, 120)])
        found = scipy.optimize.minimize_scalar(
            lost, bounds=bracket, method="bounded", options={"xatol": 1e-10}
        )
        return math.exp(float(found.x))

    def variance_of_variance(self, weight: FloatArray, method: Method) -> float:
        """The asymptotic variance of the estimate of A (Datta, Rao and Smith 2005)."""
        if method == "moments":
            return 2.0 * len(weight) / float(weight.sum()) ** 2
        return 2.0 / float((weight**2).sum())

    def bias(self, weight: FloatArray, covariance: FloatArray, method: Method) -> float:
        """The asymptotic bias of the estimate of A. That of "adjusted" is upwards and left in: cautious."""
        if method == "ml":
            inner = (self.x * (weight**2)[:, None]).T @ self.x
            return -float(np.trace(covariance @ inner) / (weight**2).sum())
        if method == "moments":
            count, total = len(weight), float(weight.sum())
            return 2.0 * (count * float((weight**2).sum()) - total**2) / total**3
        return 0.0


# ── adding up to the survey's own figure ─────────────────────────────────────────────────────────────────────


def benchmarked(shares: ArrayLike, population: ArrayLike, whole: float) -> FloatArray:
    """Modelled shares that together say what the survey says of the whole territory.

    One constant is added on the logit scale (the "logit shift"), so the order of places stays and none leaves [0, 1],
    as it would when all are multiplied by a ratio. `population`: people of each place. `whole` lies in (0, 1).
    """
    p, size = np.asarray(shares, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if not 0.0 < whole < 1.0:
        raise NotPossible(f"a benchmark lies between 0 and 1, not at {whole:g}")
    inside = (p > 0.0) & (p < 1.0)
    fixed, free = float((size * (p >= 1.0)).sum()), float(size[inside].sum())
    wanted = whole * float(size.sum()) - fixed
    if not 0.0 < wanted < free:
        raise NotPossible("places at 0 or 1 leave no room to meet the benchmark")
    level = scipy.special.logit(p[inside])

    def excess(shift: float) -> float:
        return float((size[inside] * scipy.special.expit(level + shift)).sum()) - wanted

    found = p.copy()
    found[inside] = scipy.special.expit(level + scipy.optimize.brentq(excess, -60.0, 60.0, xtol=1e-14))
    return found


# ── diagnostics ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False, kw_only=True)
class Diagnostics:
    """What a reviewer asks of an area-level model before a modelled figure is published.

    residuals: standardised, one for each place with interviews. normality: Shapiro-Wilk p-value of them.
    slope, intercept, bias_p: direct estimates on what the regression says, and
    the F test of slope 1 with intercept 0 (a small p: the model leans); NaN when there is only a constant. Not on the
    EBLUP, which holds a part of each direct estimate: there the slope exceeds 1 by construction. goodness, goodness_p: Wald statistic of direct less modelled against both their variances, as chi
    square. coverage: share of places in which direct and modelled intervals overlap, each shortened so that 95 % would
    if both were right. left_out: standardised error of predicting each place from the others alone. median_gamma: how
    much of the direct estimates is kept. cv_gain: median of mse over sampling variance.
    """

    residuals: FloatArray
    normality: float
    slope: float
    intercept: float
    bias_p: float
    goodness: float
    goodness_p: float
    coverage: float
    left_out: FloatArray
    median_gamma: float
    cv_gain: float


def diagnostics(model: AreaModel) -> Diagnostics:
    """Residuals, normality, bias, goodness of fit, coverage and leave-one-out prediction of a fitted model."""
    there = model.sampled.astype(bool)
    y, psi, x = model.direct[there], model.sampling_variance[there], model.auxiliaries[there]
    eblup, mse = model.eblup[there], model.mse[there]
    leverage = np.einsum("ij,jk,ik->i", x, model.covariance, x)
    spread = np.sqrt(np.maximum(model.variance + psi - leverage, 1e-300))
    residuals = (y - model.synthetic[there]) / spread
    slope, intercept, bias_p = _direct_on_regression(y, model.synthetic[there])
    goodness = float(((y - eblup) ** 2 / (psi + mse)).sum())
    return Diagnostics(
        residuals=residuals,
        normality=float(scipy.stats.shapiro(residuals).pvalue),
        slope=slope,
        intercept=intercept,
        bias_p=bias_p,
        goodness=goodness,
        goodness_p=float(scipy.special.chdtrc(len(y), goodness)),
        coverage=_overlap(y, psi, eblup, mse),
        left_out=_left_out(model.method, y, psi, x),
        median_gamma=float(np.median(model.gamma[there])),
        cv_gain=float(np.median(mse / psi)),
    )


def _direct_on_regression(y: FloatArray, synthetic: FloatArray) -> tuple[float, float, float]:
    """Slope, intercept and the p-value of both being 1 and 0, by ordinary least squares."""
    if np.ptp(synthetic) <= 1e-12 * np.abs(synthetic).max():
        return math.nan, math.nan, math.nan
    design = np.column_stack([np.ones(len(y)), synthetic])
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    free = len(y) - 2
    residual = float(((y - design @ coefficients) ** 2).sum()) / free
    gap = coefficients - np.array([0.0, 1.0])
    statistic = float(gap @ (design.T @ design) @ gap) / 2.0 / residual
    return float(coefficients[1]), float(coefficients[0]), float(scipy.special.fdtrc(2, free, statistic))


def _overlap(y: FloatArray, psi: FloatArray, eblup: FloatArray, mse: FloatArray) -> float:
    """Share of places whose intervals overlap; z is shortened as in Brown et al. 2001, so 95 % is expected."""
    one, other = np.sqrt(psi), np.sqrt(mse)
    z = float(scipy.special.ndtri(0.975)) * np.sqrt(psi + mse) / (one + other)
    return float((np.abs(y - eblup) <= z * (one + other)).mean())


def _left_out(method: Method, y: FloatArray, psi: FloatArray, x: FloatArray) -> FloatArray:
    """(y_i - prediction from the others) over its standard error; NaN where the others cannot carry the model."""
    found = np.full(len(y), math.nan)
    for place in range(len(y)):
        others = np.arange(len(y)) != place
        rest = _Fit(y[others], psi[others], x[others])
        if np.linalg.matrix_rank(rest.x) < x.shape[1]:
            continue
        variance = rest.solve(method)
        _, coefficients, covariance = rest.regress(variance)
        spread = variance + psi[place] + x[place] @ covariance @ x[place]
        found[place] = (y[place] - x[place] @ coefficients) / math.sqrt(spread)
    return found
