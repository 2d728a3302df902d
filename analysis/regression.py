"""Regression for a population: coefficients by weighted estimating equations, errors from the sample design.

    model = regress(design, "account", ["age", "sex", ("sex", "urban")], family="binomial")
    model.coefficients.of("sexmale")                # an Estimate, with its t interval
    model.test("age").p_value                       # Wald test of a term
    model.predict({"age": [30, 60], ...}, scale="response")

The coefficients solve the weighted score equations of a generalised linear model (pseudo maximum likelihood), fitted
by statsmodels. Their variance is that of the linearised values

    z_k = A x_k (y_k - mu_k) (dmu/deta) / v(mu_k),    A = (sum_k w_k x_k x_k' (dmu/deta)^2 / v(mu_k))^-1

under the design (Binder 1983, International Statistical Review 51: 279-292), or of refits in replicates. It needs no
belief in the variance function, so "quasibinomial" and "quasipoisson" are the same models as "binomial" and
"poisson". Rows that agree in every covariate are one cell, and the fit and its variance need only the sums of w and
w y by cell and PSU: a million rows with categorical covariates cost one pass.

Degrees of freedom are those of the design in the rows used, plus 1, less the number of coefficients, as in R survey.
Do not use a linear model of a 0/1 outcome to estimate a share: `Proportion` needs no model.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from analysis.coding import Coding, Term, term_of
from analysis.columns import BoolArray, Columns, FloatArray, IntArray, add_up, cross
from analysis.design import Design
from analysis.errors import EmptyDomain, MissingValues, NotConverged, NotPossible, rows, some
from analysis.estimates import Estimate, Estimates, Missing
from analysis.hypotheses import Test, squared_distance, tail_of_weighted_sum
from analysis.totals import Cells, UnitTotals
from analysis.variance import covariance, of_influence

Family = Literal["gaussian", "binomial", "quasibinomial", "poisson", "quasipoisson"]
Link = Literal["identity", "logit", "probit", "cloglog", "log"]
TermMethod = Literal["wald", "working_wald", "working_lrt"]

PATTERNS = 4096  # more combinations of covariates than this are not worth making cells of
EDGE = 1e-10  # a fitted share nearer to 0 or 1 than this has run away
TOLERANCE = 1e-13  # of the coefficients, relative: R stops at 1e-8 of the deviance


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Rows that agree in every covariate: their sums of w and w y by PSU, of w y^2, and the model matrix of each."""

    cells: Cells
    weights: FloatArray  # by cell: sum of w
    outcomes: FloatArray  # by cell: sum of w y
    units: int
    example: IntArray  # one row of each pattern
    matrix: FloatArray  # patterns x coefficients
    outcome: FloatArray  # by row
    weight: FloatArray  # by pattern, as its mean over rows is 1
    mean: FloatArray  # the weighted mean outcome of the pattern
    square: FloatArray  # the weighted mean square of the outcome
    n: int

    @classmethod
    def of(cls, design: Design, coding: Coding, outcome: FloatArray, members: BoolArray) -> _Patterns:
        chosen = np.flatnonzero(members)
        pattern, example = _patterns(design.columns, coding, chosen)
        code = np.full(design.rows, -1, dtype=np.int64)
        code[chosen] = pattern
        if design.replicates is not None:
            unit, units = design.replicates.unit, design.replicates.factors.shape[0]
        else:
            unit, units = design.stages[-1].unit, design.stages[-1].units
        cells = Cells.of(unit, code, example.size, units)
        weight, outcome = design.weight, np.where(members, outcome, 0.0)
        weights, outcomes = cells.sums(weight), cells.sums(weight * outcome)
        total = cells.domain_totals(weights)
        if (total <= 0.0).any():
            raise NotPossible("some weights are negative: use bounds when calibrating, then fit the model")
        mean = cells.domain_totals(outcomes) / total
        square = mean
        if not (
            (outcome == 0.0) | (outcome == 1.0)
        ).all():  # around the mean of the pattern, so that squares do not cancel
            square = cells.by_domain(weight * (outcome - _spread(mean, code)) ** 2) / total + mean * mean
        scaled = total * chosen.size / total.sum()
        matrix = coding.matrix(design.columns, example)
        return cls(
            cells, weights, outcomes, units, example, matrix, outcome, scaled, mean, square, chosen.size
        )


def _spread(by_pattern: FloatArray, code: IntArray) -> FloatArray:
    return np.append(by_pattern, 0.0)[code]


def _patterns(columns: Columns, coding: Coding, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """The pattern of each chosen row, and one row of each pattern; every row is its own where there are too many."""
    names, count = coding.variables, 1
    for name in names:
        count *= max(len(columns.codes(name)[1]), 1)
        if count > PATTERNS:
            return np.arange(chosen.size), chosen
    code = cross(columns, names)[0][chosen]
    example = np.zeros(int(code.max()) + 1, dtype=np.int64)
    example[code] = chosen
    held = np.flatnonzero(np.bincount(code, minlength=example.size))
    rank = np.empty(example.size, dtype=np.int64)
    rank[held] = np.arange(held.size)
    return rank[code], example[held]


@dataclass(frozen=True, eq=False, repr=False)
class Regression:
    """A fitted model.

    coefficients: one `Estimate` a column of the model matrix, with their covariance (`vcov`), so contrasts work.
    dispersion: the estimated population variance of the Pearson residuals.
    naive: A with weights of mean 1: what the covariance would be, but for dispersion, if the sample were simple
        random and the model true; working tests compare with it.
    """

    design: Design
    family: Family
    link: Link
    coding: Coding
    coefficients: Estimates
    df: float
    dispersion: float
    naive: FloatArray
    members: BoolArray
    outcome: str
    _patterns: _Patterns

    @property
    def names(self) -> tuple[str, ...]:
        return self.coding.names

    @property
    def vcov(self) -> FloatArray:
        return self.coefficients.vcov

    @property
    def n(self) -> int:
        return self._patterns.n

    @property
    def fitted(self) -> FloatArray:
        """The fitted mean of each row of the design; NaN for rows outside the model."""
        whole = np.full(self.design.rows, np.nan)
        matrix = self.coding.matrix(self.design.columns, np.flatnonzero(self.members))
        link = _family(self.family, self.link).link
        whole[self.members] = link.inverse(matrix @ self.coefficients.values)
        return whole

    def test(self, *terms: Term, method: TermMethod = "wald") -> Test:
        """Do these terms matter, all together?

        "wald": F = b' V^-1 b / q on q and df degrees of freedom. "working_wald" and "working_lrt" compare the
        working statistic with the sum of chi-square variables that it is under the design (Rao and Scott 1984,
        Annals of Statistics 12: 46-60; Lumley and Scott 2014, Australian & New Zealand Journal of Statistics 56:
        1-14); prefer them when q is not small against df, where the Wald test rejects too often.
        """
        if not terms:
            raise NotPossible("say which terms to test")
        positions = [self.coding.find(term) for term in terms]
        asked = [self.coding.terms[index] for index in positions]
        chosen = np.flatnonzero(np.isin(self.coding.term, positions))
        beta, block = self.coefficients.values[chosen], np.ix_(chosen, chosen)
        q = float(chosen.size)
        if not self.df > 0:
            raise NotPossible(
                f"{self.df:g} degrees of freedom are left: the model is too large for the design"
            )
        label = ", ".join(":".join(term) for term in asked)
        if method == "wald":
            from scipy.special import fdtrc

            statistic = squared_distance(beta, self.vcov[block], label) / q
            return Test(f"Wald test of {label}", statistic, (q, self.df), float(fdtrc(q, self.df, statistic)))
        naive = self.naive[block]
        share = np.real(np.linalg.eigvals(np.linalg.solve(naive, self.vcov[block])))
        weights = np.sort(share)[::-1]
        if method == "working_wald":
            statistic = float(beta @ np.linalg.solve(naive, beta))
        else:
            statistic = self._deviance(self.coding.without(asked)) - self._deviance(self.coding)
        p = tail_of_weighted_sum(statistic, weights, self.df)
        name = {"working_wald": "working Wald test", "working_lrt": "working likelihood ratio test"}[method]
        return Test(f"{name} of {label}", statistic, (q, self.df), p, weights=tuple(weights.tolist()))

    def _deviance(self, coding: Coding) -> float:
        """The deviance of the model with these terms, less that of a mean for each pattern; weights of mean 1."""
        fit, family = self._patterns, _family(self.family, self.link)
        if coding.terms or coding.intercept:
            matrix = coding.matrix(self.design.columns, fit.example)
            _, mu = _fit(matrix, fit.mean, fit.weight, self.family, self.link, coding.names)
        else:
            mu = np.asarray(family.link.inverse(np.zeros(fit.mean.size)))
        return float(family.deviance(fit.mean, mu, var_weights=fit.weight))

    def predict(self, data: Any, *, scale: Literal["link", "response"] = "link") -> Estimates:
        """The fitted mean of other rows (any data frame with the model's variables), with its standard error.

        On the "link" scale x'b; on the "response" scale its inverse link, by the delta method. The error is that
        of the mean, not of one person's outcome.
        """
        columns = Columns(data)
        whole = self.coding.present(columns)
        if not whole.all():
            raise MissingValues(
                f"predict: a variable of the model is missing in {rows(np.flatnonzero(~whole))}"
            )
        matrix = self.coding.matrix(columns, np.arange(columns.rows))
        value = matrix @ self.coefficients.values
        if scale == "response":
            link = _family(self.family, self.link).link
            matrix = matrix * np.asarray(link.inverse_deriv(value))[:, np.newaxis]
            value = np.asarray(link.inverse(value))
        spread = matrix @ self.vcov @ matrix.T
        return _estimates([f"row {index + 1}" for index in range(value.size)], value, spread, self.df, self.n)

    def __repr__(self) -> str:
        head = f"{self.outcome}: {self.family} model, link {self.link}, n {self.n}, df {self.df:g}"
        return f"{head}\n{self.coefficients}"

    def _repr_html_(self) -> str:
        return self.coefficients._repr_html_()


def regress(
    design: Design,
    outcome: str,
    terms: Sequence[Term],
    *,
    family: Family = "gaussian",
    link: Link | None = None,
    intercept: bool = True,
    factors: Sequence[str] = (),
    where: str | BoolArray | None = None,
    missing: Missing = "error",
) -> Regression:
    """A generalised linear model of the population.

    outcome: a numeric column; for "binomial" of 0 and 1 (or shares), for "poisson" of counts.
    terms: columns, and tuples of columns for interactions. Text is coded by treatment contrasts (see
        `analysis.coding`); `factors` names numeric columns to be taken as categories too.
    link: "identity" for gaussian, "logit" for binomial, "log" for poisson unless told otherwise.
    where: the domain to which the model is fitted.
    missing: units with a weight and a missing value in any variable: "error" stops, "domain" fits the model to the
        domain of the others.

    Raises NotPossible for columns that depend on one another (named), an outcome outside its family's range or
    negative weights; NotConverged when the coefficients run away (a category without, or with only, events).
    """
    chosen = link or _LINKS[_kind(family)][0]
    if chosen not in _LINKS[_kind(family)]:
        raise NotPossible(f'a {family} model has the links {some(_LINKS[_kind(family)])}, not "{chosen}"')
    values = design.columns.numbers(outcome)
    inside = design.domain(where) & (design.weight != 0)
    variables = dict.fromkeys(name for term in terms for name in term_of(term))
    known = ~np.isnan(values)
    for name in variables:
        known &= design.columns.codes(name)[0] >= 0
    members = inside & known
    n_missing = int(inside.sum() - members.sum())
    if n_missing and missing == "error":
        raise MissingValues(
            f"{outcome}: {n_missing} of the units asked about have a missing value in the model "
            f'({rows(np.flatnonzero(inside & ~known))}). Say how to treat them: missing="domain" fits the model to the '
            "units that have all values"
        )
    if not members.any():
        raise EmptyDomain(f"{outcome}: nobody in the domain has all values of the model")
    _check_outcome(outcome, values, members, family)
    coding = Coding.of(design.columns, terms, members, intercept=intercept, factors=factors)
    patterns = _Patterns.of(design, coding, values, members)
    beta, mu = _fit(patterns.matrix, patterns.mean, patterns.weight, family, chosen, coding.names)
    slope, variance = _slope_and_variance(patterns.matrix @ beta, mu, family, chosen)
    matrix = patterns.matrix
    working = (matrix * (patterns.weight * slope * slope / variance)[:, np.newaxis]).T @ matrix
    naive = np.asarray(np.linalg.inv(working), dtype=np.float64)
    if design.replicates is not None:
        spread = _replicated(design, patterns, beta, family, chosen, coding.names)
    else:
        spread = _linearised(design, patterns, members, mu, slope / variance, naive)
    df = design.domain_df(members) + 1.0 - beta.size
    scatter = patterns.weight * (patterns.square - 2.0 * mu * patterns.mean + mu * mu) / variance
    offset = patterns.weight * (patterns.mean - mu) / np.sqrt(variance)
    n = patterns.n
    dispersion = (scatter.sum() / n - (offset.sum() / n) ** 2) * n / (n - 1.0) if n > 1 else math.nan
    return Regression(
        design=design,
        family=family,
        link=chosen,
        coding=coding,
        coefficients=_estimates(coding.names, beta, spread, df, n, missing, n_missing),
        df=df,
        dispersion=float(dispersion),
        naive=naive,
        members=members,
        outcome=outcome,
        _patterns=patterns,
    )


def _kind(family: Family) -> str:
    return family.removeprefix("quasi")


_LINKS: dict[str, tuple[Link, ...]] = {
    "gaussian": ("identity",),
    "binomial": ("logit", "probit", "cloglog"),
    "poisson": ("log",),
}


def _family(family: Family, link: Link) -> Any:
    """The statsmodels family: link, variance function and deviance."""
    from statsmodels.genmod import families

    links = families.links
    made = {
        "identity": links.Identity,
        "logit": links.Logit,
        "probit": links.Probit,
        "cloglog": links.CLogLog,
        "log": links.Log,
    }[link]()
    kind = {"gaussian": families.Gaussian, "binomial": families.Binomial, "poisson": families.Poisson}
    return kind[_kind(family)](link=made)


def _check_outcome(name: str, values: FloatArray, members: BoolArray, family: Family) -> None:
    low, high = {"gaussian": (-math.inf, math.inf), "binomial": (0.0, 1.0), "poisson": (0.0, math.inf)}[
        _kind(family)
    ]
    wrong = np.flatnonzero(members & ~((values >= low) & (values <= high) & np.isfinite(values)))
    if wrong.size:
        raise NotPossible(
            f'"{name}" holds {values[wrong[0]]:g} ({rows(wrong)}), which a {family} model cannot have; '
            f"it takes values from {low:g} to {high:g}"
        )


def _fit(
    matrix: FloatArray,
    mean: FloatArray,
    weight: FloatArray,
    family: Family,
    link: Link,
    names: Sequence[str],
    start: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Coefficients and fitted means of patterns, by iteratively reweighted least squares (statsmodels)."""
    import statsmodels.api as sm

    if start is None:
        _check_rank(matrix, weight, names)
    model = sm.GLM(mean, matrix, family=_family(family, link), var_weights=weight)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # statsmodels takes a perfect fit of cell means for separation; `_settled` knows the difference.
        warnings.simplefilter("ignore")
        try:
            fitted = model.fit(start_params=start, tol=TOLERANCE, tol_criterion="params", maxiter=60)
        except (np.linalg.LinAlgError, ValueError):
            fitted = None
        settled = fitted is not None and np.isfinite(fitted.params).all() and _settled(fitted)
    if fitted is None or not settled:
        at = "" if fitted is None else f" ({names[int(np.argmax(np.abs(fitted.params)))]} has run furthest)"
        raise NotConverged(
            f"the {family} model did not converge{at}: a category whose members all have the outcome, or none, has "
            "no finite coefficient; join it with another or leave it out"
        )
    return np.asarray(fitted.params), np.asarray(fitted.mu)


def _settled(fitted: Any) -> bool:
    """The last step was small, even where rounding keeps it from `TOLERANCE`, and no share has run to 0 or 1."""
    mu = np.asarray(fitted.mu)
    if fitted.model.family.__class__.__name__ == "Binomial" and ((mu < EDGE) | (mu > 1.0 - EDGE)).any():
        return False
    history = np.asarray(fitted.fit_history["params"][-2:])
    if len(history) < 2:
        return True
    return bool(np.abs(history[-1] - history[-2]).max() <= 1e-9 * max(1.0, np.abs(history[-1]).max()))


def _check_rank(matrix: FloatArray, weight: FloatArray, names: Sequence[str]) -> None:
    """Names the columns that depend on those before them."""
    length = np.sqrt(weight @ (matrix * matrix))
    scaled = matrix * np.sqrt(weight)[:, np.newaxis] / np.where(length > 0, length, 1.0)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    if diagonal.size < len(names):
        raise NotPossible(f"{len(names)} coefficients cannot be told from {matrix.shape[0]} different rows")
    wrong = [names[index] for index in np.flatnonzero(diagonal < 1e-9).tolist()]
    if wrong:
        raise NotPossible(f"{some(wrong)} can be computed from the columns before; leave out one of them")


def _slope_and_variance(
    eta: FloatArray, mu: FloatArray, family: Family, link: Link
) -> tuple[FloatArray, FloatArray]:
    made = _family(family, link)
    return np.asarray(made.link.inverse_deriv(eta)), np.asarray(made.variance(mu))


def _linearised(
    design: Design,
    patterns: _Patterns,
    members: BoolArray,
    mu: FloatArray,
    ratio: FloatArray,
    naive: FloatArray,
) -> FloatArray:
    """The covariance of the coefficients from their linearised values."""
    cells, weight = patterns.cells, design.weight
    scale = patterns.n / weight[members].sum()
    direction = patterns.matrix @ naive * (ratio * scale)[:, np.newaxis]
    plain = not design.residual_steps and design.phase is None and design.joint is None
    if plain and patterns.mean.size < patterns.n:
        residual = patterns.outcomes - patterns.weights * mu[cells.domain]
        table = [add_up(cells.unit, one[cells.domain] * residual, patterns.units) for one in direction.T]
        return covariance(design, UnitTotals.of_units(np.stack(table, axis=1), np.unique(cells.unit)))
    code = np.zeros(design.rows, dtype=np.int64)
    code[members] = 0 if cells.row_domain is None else cells.row_domain
    influence = np.zeros((design.rows, naive.shape[0]))
    error = patterns.outcome[members] - mu[code[members]]
    influence[members] = direction[code[members]] * error[:, np.newaxis]
    return of_influence(design, influence, members)


def _replicated(
    design: Design,
    patterns: _Patterns,
    beta: FloatArray,
    family: Family,
    link: Link,
    names: Sequence[str],
) -> FloatArray:
    """The covariance of the coefficients from refits with each replicate's weights."""
    assert design.replicates is not None
    size, total = design.replicates.totals(design, (patterns.outcome,), patterns.cells)
    found = np.empty((beta.size, design.replicates.count))
    for index in range(design.replicates.count):
        held = size[:, index] > 0.0
        weight = size[held, index]
        found[:, index], _ = _fit(
            patterns.matrix[held],
            total[held, index] / weight,
            weight / weight.mean(),
            family,
            link,
            names,
            beta,
        )
    return design.replicates.covariance(found, beta)


def _estimates(
    names: Sequence[str],
    values: FloatArray,
    spread: FloatArray,
    df: float,
    n: int,
    missing: Missing = "error",
    n_missing: int = 0,
) -> Estimates:
    errors = np.sqrt(np.maximum(np.diag(spread), 0.0))
    items = [
        Estimate(
            statistic=name,
            kind="function",
            value=float(value),
            se=float(se),
            df=df,
            n=n,
            missing=missing,
            n_missing=n_missing,
        )
        for name, value, se in zip(names, values, errors, strict=True)
    ]
    return Estimates(items, lambda: spread)
