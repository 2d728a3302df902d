"""Tests of hypotheses about a population: means, independence of two classifications, ranks.

    independence(design, "educ", "sex").p_value             # Rao and Scott's second-order correction
    t_test(design, "income", by="sex")                      # or t_test(design, "income", value=5)
    rank_test(design, "income", "region", test="wilcoxon")
    adjusted([test.p_value for test in tests], "holm")

A test of one target share is `analysis.targets.verdict`; of model terms `Regression.test`. With a large sample any
small difference is significant: report the estimate and its interval beside the p-value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy

from analysis.columns import BoolArray, FloatArray, add_up, cross
from analysis.design import Design
from analysis.errors import EmptyDomain, MissingValues, NotPossible, rows, some
from analysis.estimates import DegreesOfFreedom, Estimate, Missing, estimate
from analysis.estimators import Mean, Proportion, Total
from analysis.targets import p_value
from analysis.variance import of_influence

IndependenceTest = Literal["F", "chi_square", "wald", "adjusted_wald", "linear_combination", "saddlepoint"]
RankTest = Literal["wilcoxon", "van_der_waerden", "median"]
Alternative = Literal["two_sided", "greater", "less"]
SCORES: dict[RankTest, Callable[[FloatArray], FloatArray]] = {
    "wilcoxon": lambda place: place,
    "van_der_waerden": lambda place: np.asarray(scipy.special.ndtri(place)),
    "median": lambda place: (place > 0.5).astype(np.float64),
}
NO_VARIANCE = "{}: the table has no sampling variance (the weights were fitted to it, or all were asked)"


@dataclass(frozen=True)
class Test:
    """A test statistic, its degrees of freedom and its p-value.

    estimate: what was tested, with its interval, where it is one number. weights: the coefficients of the chi-square
    variables whose sum the statistic is under the hypothesis, where the method uses them.
    """

    method: str
    statistic: float
    df: tuple[float, ...]
    p_value: float
    estimate: Estimate | None = None
    weights: tuple[float, ...] = ()

    def __str__(self) -> str:
        df = " and ".join(f"{one:.4g}" for one in self.df)
        found = f"; {self.estimate}" if self.estimate is not None else ""
        return f"{self.method}: {self.statistic:.5g} on {df} df, p = {self.p_value:.3g}{found}"


def t_test(
    design: Design,
    column: str,
    *,
    by: str | None = None,
    value: float = 0.0,
    alternative: Alternative = "two_sided",
    where: str | BoolArray | None = None,
    missing: Missing = "error",
    compat: Literal["R.t_test"] | None = None,
) -> Test:
    """Is a mean equal to `value`; with `by`, is the difference between two groups (second less first) equal to it?

    One sample: t = (mean - value) / se on the design's degrees of freedom in the domain; R survey takes one fewer
    (`compat="R.t_test"`). Two groups: the slope of the regression on the group, on one degree of freedom fewer than
    the design has in the two groups together.
    """
    if by is None:
        one = estimate(design, Mean(column), where=where, missing=missing, deff=False)[0]
        df = one.df - 1.0 if compat == "R.t_test" else one.df
        found = replace(one, df=df)
        name = f"mean of {column}"
    else:
        groups = design.columns.codes(by)[0] >= 0
        inside = design.domain(where) & groups
        both = estimate(design, Mean(column), by=by, where=inside, missing=missing, deff=False)
        if len(both) != 2:
            raise NotPossible(f'"{by}" must have two groups in the domain; it has {len(both)}')
        known = inside & ~np.isnan(design.columns.numbers(column))
        label = f"{both[1].domain[by]} less {both[0].domain[by]}"
        found = both.contrast([-1.0, 1.0], label, df=design.domain_df(known) - 1.0)
        name = f"difference in mean {column}, {label}"
    if not found.df > 0 or not found.se > 0:
        raise NotPossible(
            f"{name}: no test with {found.df:g} degrees of freedom and standard error {found.se:g}"
        )
    statistic = (found.value - value) / found.se
    return Test(f"t test of the {name}", statistic, (found.df,), p_value(found, value, alternative), found)


def independence(
    design: Design,
    first: str,
    second: str,
    *,
    test: IndependenceTest = "F",
    where: str | BoolArray | None = None,
    missing: Missing = "error",
    df: DegreesOfFreedom = "domain",
    compat: Literal["R.independence"] | None = None,
) -> Test:
    """Are two classifications independent in the population?

    "F": Pearson's statistic of the weighted table over its design effects, Rao and Scott's second-order correction
    (1984, Annals of Statistics 12: 46-60); the one to use. "chi_square": their first-order correction. "saddlepoint"
    and "linear_combination": the distribution of the statistic as a weighted sum of chi-square variables, approximated
    (Kuonen 1999, Biometrika 86: 929-935) and inverted numerically (Imhof 1961, Biometrika 48: 419-426).
    "wald" and "adjusted_wald" (Koch, Freeman and Freeman 1975): liberal when cells are many against PSUs.

    Pearson's statistic counts the rows used. `compat="R.independence"` counts rows with a missing value too, and cuts
    the degrees of freedom of "saddlepoint" and "linear_combination" to a whole number without their scale, as R
    survey 4 does; its p-values of these two are too large when the design is small (0.026 where 0.022 is right). With
    replicates it then takes the degrees of freedom of these two for endless, as R does.
    """
    inside = design.domain(where) & (design.weight != 0)
    code, labels = cross(design.columns, (first, second))
    used = inside & (code >= 0)
    if not used.any():
        raise EmptyDomain(f"{first}, {second}: nobody in the domain has both")
    if missing == "error" and (inside & (code < 0)).any():
        raise MissingValues(
            f"{first}, {second}: one is missing in {rows(np.flatnonzero(inside & (code < 0)))}. Say how to treat such "
            'units: missing="domain" tests among the others'
        )
    held = [labels[index] for index in np.flatnonzero(np.bincount(code[used], minlength=len(labels)))]
    above, beside = (list(dict.fromkeys(sorted(label[side] for label in held))) for side in (0, 1))
    if len(above) < 2 or len(beside) < 2:
        raise NotPossible(f"{first}, {second}: a table of {len(above)} by {len(beside)} has nothing to test")
    cell = np.full(design.rows, -1, dtype=np.int64)
    position = {label: above.index(label[0]) * len(beside) + beside.index(label[1]) for label in held}
    place = np.array([*(position.get(label, -1) for label in labels), -1])
    cell[used] = place[code[used]]
    counted = design.with_columns(cell_of_table=cell)
    shape = (len(above), len(beside))
    occurring = sorted(position.values())
    kind = Total if test in ("wald", "adjusted_wald") else Proportion
    found = estimate(
        counted, [kind("cell_of_table", one) for one in occurring], where=used, df=df, deff=False
    )
    values, spread = np.zeros(shape).ravel(), np.zeros((shape[0] * shape[1],) * 2)
    values[occurring] = found.values
    spread[np.ix_(occurring, occurring)] = found.vcov
    nu, n = found[0].df, int(inside.sum() if compat else used.sum())
    if not nu > 0:
        raise NotPossible(f"{first}, {second}: the design leaves {nu:g} degrees of freedom")
    if test in ("wald", "adjusted_wald"):
        return _wald(values.reshape(shape), spread, nu, test, f"{first}, {second}")
    label = f"{first}, {second}"
    if compat is None:
        return _rao_scott(values.reshape(shape), spread, nu, n, test, label)
    # R cuts the degrees of freedom of the sum down to a whole number but not the scale that goes with them; with
    # replicates it takes them for endless.
    cut = math.floor if design.replicates is None else lambda df: math.inf
    return _rao_scott(values.reshape(shape), spread, nu, n, test, label, cut)


def _rao_scott(
    share: FloatArray,
    spread: FloatArray,
    nu: float,
    n: int,
    test: IndependenceTest,
    label: str,
    cut: Callable[[float], float] = float,
) -> Test:
    """Pearson's X2 of a table of shares, with the eigenvalues of the design effects of its interactions.

    cut: what is made of the degrees of freedom of a weighted sum (see `compat`).
    """
    expected = np.outer(share.sum(axis=1), share.sum(axis=0))
    pearson = n * float(((share - expected) ** 2 / expected).sum())
    main, interaction = _contrasts(*share.shape)
    coefficients, *_ = np.linalg.lstsq(main, interaction, rcond=None)
    residual = interaction - main @ coefficients
    flat = share.ravel()
    inverse = np.divide(1.0, flat, out=np.zeros_like(flat), where=flat > 0)
    directed = residual * inverse[:, np.newaxis]
    delta = np.linalg.solve(residual.T @ directed / n, directed.T @ spread @ directed)
    trace = float(np.trace(delta))
    if not trace > 1e-12:
        raise NotPossible(NO_VARIANCE.format(label))
    d0 = trace * trace / float(np.trace(delta @ delta))
    q = float(delta.shape[0])
    if test == "F":
        statistic, df = pearson / trace, (d0, d0 * nu)
        p = float(scipy.special.fdtrc(*df, statistic))
        return Test(f"Rao-Scott F test of independence, {label}", statistic, df, p)
    if test == "chi_square":
        p = float(scipy.special.chdtrc(q, pearson / (trace / q)))
        return Test(f"Rao-Scott chi-square test of independence, {label}", pearson, (q,), p)
    weights = np.sort(np.real(np.linalg.eigvals(delta)))[::-1]
    exact = test == "linear_combination"
    ddf = cut(d0 * nu)
    scaled = pearson * ddf / (d0 * nu) if math.isfinite(ddf) else pearson
    p = tail_of_weighted_sum(scaled, weights, ddf, exact=exact)
    name = f"Pearson test of independence ({test.replace('_', ' ')}), {label}"
    return Test(name, pearson, (), p, weights=tuple(weights.tolist()))


def _contrasts(above: int, beside: int) -> tuple[FloatArray, FloatArray]:
    """Indicator columns of the main effects and of the interaction of a table, cells row by row."""
    first, second = np.divmod(np.arange(above * beside), beside)
    rows_of = [(first == index).astype(np.float64) for index in range(1, above)]
    columns_of = [(second == index).astype(np.float64) for index in range(1, beside)]
    both = [one * other for one in rows_of for other in columns_of]
    return np.stack([np.ones(above * beside), *rows_of, *columns_of], axis=1), np.stack(both, axis=1)


def _wald(total: FloatArray, spread: FloatArray, nu: float, test: IndependenceTest, label: str) -> Test:
    """The distance of all but the first row and column from independence, in its own covariance."""
    above, beside = total.shape
    whole, margin, other = total.sum(), total.sum(axis=1), total.sum(axis=0)
    first, second = np.divmod(np.arange(above * beside), beside)
    same_row = first[:, np.newaxis] == first
    same_column = second[:, np.newaxis] == second
    slope = (
        np.eye(total.size)
        - same_row * (other[second] / whole)[:, np.newaxis]
        - same_column * (margin[first] / whole)[:, np.newaxis]
        + (margin[first] * other[second] / whole**2)[:, np.newaxis]
    )
    distance = (total - np.outer(margin, other) / whole).ravel()
    free = np.flatnonzero((first > 0) & (second > 0))
    covariance = (slope @ spread @ slope.T)[np.ix_(free, free)]
    q = float(free.size)
    if np.diag(covariance).max() < (1e-10 * whole) ** 2:
        raise NotPossible(NO_VARIANCE.format(label))
    statistic = squared_distance(distance[free] / whole, covariance / whole**2, label) / q
    df, name = (q, nu), "Wald"
    if test == "adjusted_wald":
        if nu - q + 1.0 <= 0:
            raise NotPossible(f"{label}: {q:g} cells are too many for {nu:g} degrees of freedom")
        statistic, df, name = statistic * (nu - q + 1.0) / nu, (q, nu - q + 1.0), "adjusted Wald"
    p = float(scipy.special.fdtrc(*df, statistic))
    return Test(f"{name} test of independence, {label}", statistic, df, p)


def squared_distance(value: FloatArray, covariance: FloatArray, what: str) -> float:
    """value' covariance^-1 value, the Wald statistic before its scale; NotPossible when a direction has no variance."""
    size = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    correlation = covariance / np.outer(size, size) if (size > 0).all() else np.zeros_like(covariance)
    if np.linalg.matrix_rank(correlation, tol=1e-12, hermitian=True) < value.size:
        raise NotPossible(
            f"{what}: a combination of what is tested has no sampling variance (too few PSUs, or groups where nothing "
            "varies): join groups, or test fewer together"
        )
    scaled = value / size
    return float(scaled @ np.linalg.solve(correlation, scaled))


def rank_test(
    design: Design,
    column: str,
    by: str,
    *,
    test: RankTest = "wilcoxon",
    where: str | BoolArray | None = None,
    missing: Missing = "error",
    compat: Literal["R.ties"] | None = None,
) -> Test:
    """Do groups of the population differ in location? (Lumley and Scott 2013, Biometrika 100: 831-842)

    Scores of the population ranks, estimated with the weights, are compared between the groups: "wilcoxon" (with more
    groups: Kruskal-Wallis), "van_der_waerden" (normal scores) or the "median". Two groups: a t test of the difference
    in mean score; more: an F test; on as many degrees of freedom fewer than the design's as groups are compared.
    compat="R.ties": rows outside the domain count among the ties, as in R in a domain of a calibrated design.
    """
    if test not in SCORES:
        raise NotPossible(f'rank_test: "{test}" is not one of {some(SCORES)}')
    if compat not in (None, "R.ties"):
        raise NotPossible(f'rank_test: unknown compat "{compat}"; there is "R.ties"')
    values = design.columns.numbers(column)
    code, labels = design.columns.codes(by)
    inside = design.domain(where) & (design.weight != 0)
    members = inside & (code >= 0) & ~np.isnan(values)
    lost = np.flatnonzero(inside & ~members)
    if lost.size and missing == "error":
        raise MissingValues(
            f'{column}, {by}: one is missing in {rows(lost)}. Say how to treat such units: missing="domain" tests '
            "among the others"
        )
    held = np.flatnonzero(np.bincount(code[members], minlength=len(labels)))
    if held.size < 2:
        raise NotPossible(f'"{by}" must have two groups or more in the domain; it has {held.size}')
    chosen = np.flatnonzero(members)
    group = np.stack([code[chosen] == one for one in held], axis=1).astype(np.float64)
    df = design.domain_df(members) - (held.size - 1.0)
    ranked = (design.weight != 0) & (code >= 0) & ~np.isnan(values) if compat else members
    rank = _ranks(values[ranked], np.where(members, design.weight, 0.0)[ranked])[members[ranked]]
    difference, influence = _score_difference(rank, group, design.weight[chosen], SCORES[test])
    if design.replicates is not None:
        # Scores are held, as in the linearisation: under the hypothesis their own error does not matter.
        replicated = influence.T @ design.replicates.weights(design)[chosen]
        spread = design.replicates.covariance(replicated, np.zeros(difference.size))
    else:
        table = np.zeros((design.rows, difference.size))
        table[chosen] = influence
        spread = of_influence(design, table, members)
    name = f"{test.replace('_', ' ')} test of {column} by {by}"
    if not df > 0:
        raise NotPossible(f"{name}: the design leaves {df:g} degrees of freedom")
    if difference.size == 1:
        label = f"mean score, {labels[held[1]]} less {labels[held[0]]}"
        se = float(np.sqrt(spread[0, 0]))
        found = Estimate(
            statistic=label,
            kind="function",
            value=float(difference[0]),
            se=se,
            df=df,
            n=chosen.size,
            missing=missing,
        )
        return Test(name, found.value / se, (df,), p_value(found, 0.0, "two_sided"), found)
    q = float(difference.size)
    statistic = squared_distance(difference, spread, name) / q
    return Test(name, statistic, (q, df), float(scipy.special.fdtrc(q, df, statistic)))


def _ranks(values: FloatArray, weight: FloatArray) -> FloatArray:
    """The place of each in the population; ties share the plain mean of their places, as R survey does."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(values, kind="stable")
    middle = np.cumsum(weight[order]) - weight[order] / 2.0
    count = np.bincount(place).astype(np.float64)
    return np.asarray((add_up(place[order], middle, count.size) / count)[place])


def _score_difference(
    rank: FloatArray, group: FloatArray, weight: FloatArray, score: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Mean score of each group less that of the first, and its linearised values (rows x groups less one)."""
    scored = score(rank / weight.sum())
    size = weight @ group
    mean = (weight * scored) @ group / size
    linear = group * (scored[:, np.newaxis] - mean) / size
    return mean[1:] - mean[0], linear[:, 1:] - linear[:, :1]


def adjusted(
    p_values: Sequence[float], method: Literal["holm", "benjamini_hochberg"] = "holm"
) -> tuple[float, ...]:
    """p-values of several tests made together, in the same order.

    "holm" bounds the chance of any false finding (Holm 1979), "benjamini_hochberg" the expected share of false ones
    among the findings (Benjamini and Hochberg 1995). Use Holm for verdicts on areas.
    """
    from statsmodels.stats.multitest import multipletests

    name = {"holm": "holm", "benjamini_hochberg": "fdr_bh"}[method]
    return tuple(float(one) for one in multipletests(np.asarray(p_values, dtype=np.float64), method=name)[1])


def tail_of_weighted_sum(x: float, weights: FloatArray, df: float, *, exact: bool = False) -> float:
    """P(sum_i weights_i chi2_1 > x chi2_df / df): the p-value of a working statistic under a complex sample.

    By the saddlepoint of the difference of both sides at 0 (Kuonen 1999), or `exact` by numerical inversion of its
    characteristic function (Imhof 1961). Close to the mean, where the saddlepoint degenerates, Satterthwaite's F.
    With endless degrees of freedom the right side is x itself.
    """
    if not x > 0:
        return 1.0
    scale = float(np.max(weights))
    constant = 0.0 if math.isfinite(df) else x / scale
    parts, count = weights / scale, np.ones(weights.size)
    if math.isfinite(df):
        parts, count = np.append(parts, -x / df / scale), np.append(count, df)
    if exact:
        return _inverted(parts, count, constant)

    def slope(at: float) -> float:
        return float((count * parts / (1.0 - 2.0 * at * parts)).sum()) - constant

    low, high = _around_the_saddlepoint(parts, constant)
    at = float(scipy.optimize.brentq(slope, low, high, xtol=1e-12, rtol=1e-12))
    if abs(at) * (weights / scale).sum() < 1e-4:
        mean, square = float(weights.mean()), float((weights**2).mean())
        numerator = weights.size * mean * mean / square
        if constant:
            return float(scipy.special.chdtrc(numerator, x * mean / square))
        return float(scipy.special.fdtrc(numerator, df, x * mean / square / numerator))
    k0 = -float((count * np.log1p(-2.0 * at * parts)).sum()) / 2.0 - at * constant
    k2 = 2.0 * float((count * parts**2 / (1.0 - 2.0 * at * parts) ** 2).sum())
    w, v = math.copysign(math.sqrt(-2.0 * k0), at), at * math.sqrt(k2)
    return float(scipy.special.ndtr(-(w + math.log(v / w) / w)))


def _around_the_saddlepoint(parts: FloatArray, constant: float) -> tuple[float, float]:
    """Two values with the saddlepoint between them: the slope runs from below 0 to above it over the poles' interval."""
    size = float(parts.size)
    if constant:
        # sum a / (1 - 2 t a) = c with all 0 < a <= 1 and the largest 1: t lies below (1 - 1/c) / 2 and n a / c.
        return -size / (2.0 * constant) - 1.0, 0.5 - 0.5 / (2.0 * max(constant, size))
    return 0.99999 / (2.0 * parts.min()), 0.99999 / (2.0 * parts.max())


def _inverted(parts: FloatArray, count: FloatArray, constant: float) -> float:
    """P(sum_i parts_i chi2_count_i > constant), Imhof (1961), formula 3.2."""

    def angle(u: float) -> float:
        return 0.5 * float((count * np.arctan(parts * u)).sum())

    def height(u: float) -> float:
        return math.exp(-0.25 * float((count * np.log1p((parts * u) ** 2)).sum())) / u

    pieces = [
        scipy.integrate.quad(
            lambda u: math.sin(angle(u) - 0.5 * constant * u) * height(u), 0.0, 1.0, limit=500, epsabs=1e-11
        )
    ]
    if constant:
        # The waves of the constant never end, and are weights of the rule (Fourier integrals).
        wave = {"wvar": 0.5 * constant, "limlst": 500, "limit": 500, "epsabs": 1e-11}
        pieces += [
            scipy.integrate.quad(lambda u: math.sin(angle(u)) * height(u), 1.0, np.inf, weight="cos", **wave),
            scipy.integrate.quad(
                lambda u: -math.cos(angle(u)) * height(u), 1.0, np.inf, weight="sin", **wave
            ),
        ]
    else:
        pieces.append(
            scipy.integrate.quad(
                lambda u: math.sin(angle(u)) * height(u), 1.0, np.inf, limit=500, epsabs=1e-11
            )
        )
    return 0.5 + sum(float(value) for value, _ in pieces) / math.pi
