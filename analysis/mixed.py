"""Shares of places from a model of people: logistic regression with a random level of each place.

    model = logistic_mixed(has, auxiliaries, place, places=64)
    shares = model.shares(cells)                       # cells: the population by place and auxiliaries
    error = bootstrap_mse(model, cells, generator)

logit P(y = 1) = x'b + sigma u_i, with u_i standard normal for place i. The likelihood of a place is an integral over u_i,
taken by adaptive Gauss-Hermite quadrature; one node is Laplace's approximation. The share of a place is the mean over
its population of the expectation given the answers of the place (empirical best predictor), so the auxiliaries must be
counted for everybody, as in a census or a register.

It uses more than the area-level model (`smallarea`) and assumes more: that the sample design is ignorable given x. Where
the two disagree neither is to be published without finding out why. Modelled like those, never tested against a target.

Sources: Jiang and Lahiri 2001 (Annals of the Institute of Statistical Mathematics 53: 217-243) for the predictor; Pinheiro
and Bates 1995 (JCGS 4: 12-35) for the quadrature; González-Manteiga et al. 2007 (CSDA 51: 2720-2733) for the bootstrap;
Rao and Molina 2015, §9.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike

from analysis.columns import FloatArray, IntArray
from analysis.errors import AnalysisError, NotAShare, NotConverged

NODES = 9
LOOSE = 1e-8  # of the log likelihood, in a replicate: its own noise is far larger
SMALLEST_SPREAD = 1e-3  # of the random levels, on the logit scale: below it places do not differ


class Cells(NamedTuple):
    """People by place and auxiliaries: one row a cell. place: 0 .. places - 1; people: how many there are in it."""

    place: IntArray
    auxiliaries: FloatArray
    people: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class UnitModel:
    """A fitted model. spread: sigma of the random levels. levels: their predictions (0 for a place without interviews)."""

    coefficients: FloatArray
    spread: float
    log_likelihood: float
    levels: FloatArray
    sample: Cells
    having: FloatArray
    places: int

    def shares(self, population: Cells) -> FloatArray:
        """(places,) predicted shares; NaN for a place without population."""
        parameters = np.append(self.coefficients, np.log(self.spread))
        _, points, posterior, _ = _integrate(parameters, self.sample, self.having, self.places)
        linear = population.auxiliaries @ self.coefficients
        held = np.zeros(len(linear))
        for node in range(points.shape[1]):
            level = self.spread * points[population.place, node]
            held += posterior[population.place, node] * scipy.special.expit(linear + level)
        people = _sums(population.place, population.people, self.places)
        total = _sums(population.place, population.people * held, self.places)
        return _ratio(total, people)


def logistic_mixed(
    has: ArrayLike, auxiliaries: ArrayLike, place: ArrayLike, places: int, weights: ArrayLike | None = None
) -> UnitModel:
    """Fit by maximum likelihood. has: (n,) of 0 and 1; auxiliaries: (n, p) with the constant; place: (n,) from 0.

    weights: pseudo-likelihood weights, to be scaled so that they add up to the effective sample of each place; unscaled
    survey weights would claim one interview for each person of the population.

    Raises NotAShare, AnalysisError when auxiliaries are collinear, NotConverged.
    """
    y, x = np.asarray(has, dtype=np.float64), np.asarray(auxiliaries, dtype=np.float64)
    if not np.isin(y, (0.0, 1.0)).all():
        raise NotAShare("a logistic model is for values 0 and 1")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise AnalysisError("auxiliaries repeat one another: leave some out")
    weight = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    rows, inverse = np.unique(np.column_stack([np.asarray(place), x]), axis=0, return_inverse=True)
    inverse = inverse.ravel()
    sample = Cells(
        rows[:, 0].astype(np.int64),
        np.ascontiguousarray(rows[:, 1:]),
        _sums(inverse, weight, len(rows)),
    )
    return _fit(sample, _sums(inverse, weight * y, len(rows)), places)


def _fit(
    sample: Cells, having: FloatArray, places: int, start: FloatArray | None = None, precision: float = 1e-12
) -> UnitModel:
    width = sample.auxiliaries.shape[1]
    if start is None:
        start = np.append(np.zeros(width), np.log(0.3))

    def lost(parameters: FloatArray) -> tuple[float, FloatArray]:
        value, _, _, slope = _integrate(parameters, sample, having, places)
        return -value, -slope

    bounds = [(-30.0, 30.0)] * width + [(np.log(SMALLEST_SPREAD), np.log(10.0))]
    found = scipy.optimize.minimize(
        lost,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": precision, "gtol": 1e-6, "maxiter": 500},
    )
    if not found.success and np.abs(found.jac).max() > 1e-2 * max(1.0, float(sample.people.sum()) ** 0.5):
        raise NotConverged(f"the logistic mixed model did not converge: {found.message}")
    _, points, posterior, _ = _integrate(found.x, sample, having, places)
    spread = float(np.exp(found.x[-1]))
    return UnitModel(
        coefficients=np.asarray(found.x[:-1]),
        spread=spread,
        log_likelihood=-float(found.fun),
        levels=spread * (points * posterior).sum(axis=1),
        sample=sample,
        having=having,
        places=places,
    )


def _sums(group: IntArray, values: FloatArray, groups: int) -> FloatArray:
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """part / whole, NaN where the whole is empty."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.hermite.hermgauss(NODES)
    return nodes, weights


def _integrate(
    parameters: FloatArray, sample: Cells, having: FloatArray, places: int
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Log likelihood, nodes of u by place, their posterior weights, and the gradient (Fisher's identity)."""
    spread = float(np.exp(parameters[-1]))
    linear = sample.auxiliaries @ parameters[:-1]
    centre, curvature = _mode(linear, spread, sample, having, places)
    nodes, weights = _nodes()
    points = centre[:, None] + np.sqrt(2.0 / curvature)[:, None] * nodes
    at = linear[:, None] + spread * points[sample.place]
    inside = having[:, None] * at - sample.people[:, None] * np.logaddexp(0.0, at)
    height = np.stack([_sums(sample.place, column, places) for column in inside.T], axis=1)
    height += np.log(weights) + nodes**2 - points**2 / 2.0
    whole = scipy.special.logsumexp(height, axis=1)
    posterior = np.exp(height - whole[:, None])
    value = float((whole + np.log(2.0 / curvature) / 2.0 - np.log(2.0 * np.pi) / 2.0).sum())
    residual = (having[:, None] - sample.people[:, None] * scipy.special.expit(at)) * posterior[sample.place]
    slope = np.append(
        sample.auxiliaries.T @ residual.sum(axis=1), spread * (residual * points[sample.place]).sum()
    )
    return value, points, posterior, slope


def _mode(
    linear: FloatArray, spread: float, sample: Cells, having: FloatArray, places: int
) -> tuple[FloatArray, FloatArray]:
    """The most likely u of each place and the curvature there, by Newton; concave, and kept from overshooting."""
    u, curvature = np.zeros(places), np.ones(places)
    for _ in range(50):
        mean = scipy.special.expit(linear + spread * u[sample.place])
        slope = spread * _sums(sample.place, having - sample.people * mean, places) - u
        curvature = 1.0 + spread**2 * _sums(sample.place, sample.people * mean * (1.0 - mean), places)
        step = np.clip(slope / curvature, -2.0, 2.0)
        u = u + step
        if np.abs(step).max() < 1e-9:
            break
    return u, curvature


def bootstrap_mse(
    model: UnitModel, population: Cells, generator: np.random.Generator, replicates: int = 100
) -> FloatArray:
    """(places,) mean squared error of `model.shares(population)` by parametric bootstrap.

    Each replicate draws levels of places, the answers of the sample and the shares of the population from the fitted
    model, fits again and predicts. It adds the error of the coefficients and of sigma to that of the levels.
    """
    start = np.append(model.coefficients, np.log(model.spread))
    linear = population.auxiliaries @ model.coefficients
    sampled = model.sample.auxiliaries @ model.coefficients
    whole = np.floor(model.sample.people)
    rest = model.sample.people - whole
    people = _sums(population.place, population.people, model.places)
    total = np.zeros(model.places)
    for _ in range(replicates):
        level = model.spread * generator.standard_normal(model.places)
        truth = _sums(
            population.place,
            population.people * scipy.special.expit(linear + level[population.place]),
            model.places,
        )
        # Scaled weights make parts of an answer: each replicate has it or has it not.
        trials = (
            (whole + (generator.random(len(rest)) < rest)).astype(np.int64)
            if rest.any()
            else whole.astype(np.int64)
        )
        having = generator.binomial(trials, scipy.special.expit(sampled + level[model.sample.place]))
        sample = model.sample._replace(people=trials.astype(np.float64))
        again = _fit(sample, having.astype(np.float64), model.places, start, LOOSE).shares(population)
        total += (again - _ratio(truth, people)) ** 2
    return total / replicates
