"""One verb, `estimate`, and what it returns: values that never travel without their error.

shares = estimate(design, Proportion("account"), by=["sex"], where="adult")
for share in shares:
    print(share.domain, share.value, share.interval("logit"))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np

from analysis.columns import BoolArray, FloatArray, IntArray, Label, cross, pair
from analysis.design import Design
from analysis.errors import EmptyDomain, MissingValues, NotPossible, rows
from analysis.estimators import Statistic, gradient
from analysis.intervals import Interval, IntervalKind, interval
from analysis.totals import Cells, UnitTotals
from analysis.variance import covariance, dense_variances, of_weighted, residual_totals, variances

Missing = Literal["error", "domain"]
DegreesOfFreedom = Literal["domain", "design"] | float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One figure with its error.

    value, se: estimate and standard error. df: degrees of freedom that intervals and tests use. n: rows with a
    positive weight behind it. deff: variance over that of a simple random sample without replacement of n
    (`deff_replace`: with replacement); NaN where a simple random sample would have no variance. domain: the
    category of each `by` column. missing: how missing values were treated; `n_missing` weighted rows had one.
    """

    statistic: str
    kind: str
    value: float
    se: float
    df: float
    n: int
    domain: Mapping[str, Label] = field(default_factory=dict)
    population: float = math.nan
    deff: float = math.nan
    deff_replace: float = math.nan
    missing: Missing = "error"
    n_missing: int = 0

    @property
    def variance(self) -> float:
        return self.se * self.se

    @property
    def cv(self) -> float:
        """Standard error over value. For a share look at the interval instead."""
        return self.se / abs(self.value) if self.value else math.nan

    @property
    def effective_n(self) -> float:
        """The simple random sample that would be as precise (shares: p (1 - p) / V; otherwise n / deff)."""
        if self.kind == "proportion":
            return self.value * (1.0 - self.value) / self.variance if self.se else math.nan
        return self.n / self.deff_replace if self.deff_replace else math.nan

    def interval(
        self, kind: IntervalKind | None = None, level: float = 0.95, *, df: float | None = None
    ) -> Interval:
        """A confidence interval; by default "logit" for a share and "t" for anything else."""
        chosen: IntervalKind = kind or ("logit" if self.kind == "proportion" else "t")
        used = self.df if df is None else df
        return interval(chosen, self.value, self.se, used, self.n, level=level)

    def to_dict(self, kind: IntervalKind | None = None, level: float = 0.95) -> dict[str, Any]:
        """Everything as plain values, with one interval."""
        limits = self.interval(kind, level)
        return {
            "statistic": self.statistic,
            **{str(name): label for name, label in self.domain.items()},
            "estimate": self.value,
            "se": self.se,
            "lower": limits.lower,
            "upper": limits.upper,
            "level": limits.level,
            "interval": limits.kind,
            "df": self.df,
            "n": self.n,
            "population": self.population,
            "deff": self.deff,
            "missing": self.missing,
            "n_missing": self.n_missing,
        }

    def _repr_html_(self) -> str:
        return _as_html([self.to_dict()])

    def __str__(self) -> str:
        where = ", ".join(f"{name} = {label}" for name, label in self.domain.items())
        limits = self.interval()
        return (
            f"{self.statistic}{f' ({where})' if where else ''}: {self.value:.6g}, se {self.se:.4g}, "
            f"{100 * limits.level:g} % {limits.lower:.6g} to {limits.upper:.6g} ({limits.kind}, df {self.df:g}, "
            f"n {self.n}{f', {self.n_missing} without a value' if self.n_missing else ''})"
        )


class Estimates(Sequence[Estimate]):
    """Several estimates of one call: statistic by statistic, within each domain by domain; with their covariance."""

    def __init__(self, items: Sequence[Estimate], covariances: Callable[[], FloatArray]) -> None:
        self._items = tuple(items)
        self._covariances = covariances
        self._matrix: FloatArray | None = None

    @overload
    def __getitem__(self, index: int) -> Estimate: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Estimate]: ...
    def __getitem__(self, index: int | slice) -> Estimate | Sequence[Estimate]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Estimate]:
        return iter(self._items)

    def of(self, statistic: str | None = None, **domain: Label) -> Estimate:
        """The one estimate of that statistic (by its label) and domain."""
        found = [
            one
            for one in self._items
            if (statistic is None or one.statistic == statistic)
            and all(one.domain.get(name) == label for name, label in domain.items())
        ]
        if len(found) != 1:
            raise KeyError(f"{len(found)} estimates are for {statistic or 'any statistic'} in {domain}")
        return found[0]

    @property
    def values(self) -> FloatArray:
        return np.array([one.value for one in self._items])

    @property
    def standard_errors(self) -> FloatArray:
        return np.array([one.se for one in self._items])

    @property
    def vcov(self) -> FloatArray:
        """The covariance matrix of all estimates, between statistics and between domains."""
        if self._matrix is None:
            self._matrix = self._covariances()
        return self._matrix

    def contrast(
        self,
        function: Callable[..., Any] | Sequence[float] | FloatArray,
        label: str = "contrast",
        df: float | None = None,
    ) -> Estimate:
        """A linear combination (one coefficient an estimate) or a smooth function of the estimates.

        A function takes one argument for each estimate and must be analytic (see `Smooth`). The standard error
        takes the covariances into account, so a difference between overlapping domains or rounds is right.
        """
        values = self.values
        if callable(function):
            arguments = [np.asarray(value) for value in values]
            weights = np.array([float(one) for one in gradient(function, arguments)])
            value = float(function(*values))
        else:
            weights = np.asarray(function, dtype=np.float64)
            if weights.shape != values.shape:
                raise NotPossible(f"{weights.size} coefficients for {values.size} estimates")
            value = float(weights @ values)
        variance = float(weights @ self.vcov @ weights)
        return Estimate(
            statistic=label,
            kind="function",
            value=value,
            se=math.sqrt(max(variance, 0.0)),
            df=min(one.df for one in self._items) if df is None else df,
            n=sum({tuple(one.domain.items()): one.n for one in self._items}.values()),
            missing=self._items[0].missing,
        )

    def to_dicts(self, kind: IntervalKind | None = None, level: float = 0.95) -> list[dict[str, Any]]:
        return [one.to_dict(kind, level) for one in self._items]

    def to_arrow(self, kind: IntervalKind | None = None, level: float = 0.95) -> Any:
        """A PyArrow table; `.to_pandas()` and `polars.from_arrow` take it on."""
        import pyarrow as pa

        return pa.Table.from_pylist(self.to_dicts(kind, level))

    def __str__(self) -> str:
        return "\n".join(str(one) for one in self._items)

    __repr__ = __str__

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Any data frame takes it from here: `polars.DataFrame(estimates)`, `pandas.DataFrame.from_arrow(estimates)`."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        return _as_html(self.to_dicts())


def _as_html(lines: list[dict[str, Any]]) -> str:
    """A table for a notebook."""
    from html import escape

    if not lines:
        return "<p>no estimates</p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in lines[0])
    body = ""
    for line in lines:
        cells = (f"{one:.6g}" if isinstance(one, float) else str(one) for one in line.values())
        body += f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def estimate(
    design: Design,
    statistics: Statistic | Sequence[Statistic],
    *,
    by: str | Sequence[str] | None = None,
    where: str | BoolArray | None = None,
    missing: Missing = "error",
    df: DegreesOfFreedom = "domain",
    deff: bool = True,
) -> Estimates:
    """Statistics of a population or of its domains, with design-based standard errors.

    by: columns whose categories (all combinations that occur, the first column slowest) are the domains. Rows in
        which one is missing are in no domain.
    where: a column of truth values or a mask: the domain to which everything is restricted. Never delete the other
        rows instead.
    missing: what to do about units with a weight and a missing value. "error" stops. "domain" estimates for the
        units with a value, as a domain; it is right if those missing are like those present, and the number of
        them is part of the result.
    df: degrees of freedom for intervals: counted from the PSUs and strata that hold the "domain" (the cautious
        choice, as NCHS asks), of the whole "design" (as R's svyby), or a number (`math.inf` for the normal).
    deff: also give design effects.
    """
    asked = (statistics,) if isinstance(statistics, Statistic) else tuple(statistics)
    if not asked:
        raise NotPossible("no statistic was asked for")
    names = (by,) if isinstance(by, str) else tuple(by or ())
    domain, labels = _domains(design, names, where)
    items: list[Estimate] = []
    spreads: list[_Spread] = []
    shared: Cells | None = None
    for one in asked:
        parts = one.parts(design.columns)
        own, n_missing = _without_missing(design, one, parts, domain, len(labels), missing)
        cells = shared
        if own is not domain or cells is None:
            unit, units = _fold_unit(design)
            cells = Cells.of(unit, own, len(labels), units)
            if own is domain:
                shared = cells
        spread = _Spread.of(design, one, parts, cells)
        spreads.append(spread)
        items += _estimates(design, one, spread, cells, names, labels, missing, n_missing, df, deff)
    return Estimates(items, lambda: _joint_covariance(design, spreads))


def difference(later: Estimate, earlier: Estimate, label: str = "difference") -> Estimate:
    """The difference between two estimates of independent samples: two rounds, two provinces, two surveys.

    Degrees of freedom after Satterthwaite (1946). Two rounds that share their PSUs or their people are not
    independent: put the rows of both into one design and take `estimate(design, ..., by="round").contrast([-1, 1])`,
    which knows the covariance.
    """
    variance = later.variance + earlier.variance
    parts = [(one.variance, one.df) for one in (later, earlier)]
    spread = sum(own * own / df for own, df in parts if df > 0)
    df = (
        0.0
        if any(own > 0 and not df > 0 for own, df in parts)
        else variance**2 / spread
        if spread
        else math.inf
    )
    return Estimate(
        statistic=label,
        kind="function",
        value=later.value - earlier.value,
        se=math.sqrt(variance),
        df=df,
        n=later.n + earlier.n,
        missing=later.missing,
        n_missing=later.n_missing + earlier.n_missing,
    )


def domain_masks(
    design: Design,
    by: str | Sequence[str] | None,
    where: str | BoolArray | None,
    values: FloatArray | None = None,
) -> list[tuple[dict[str, Label], BoolArray]]:
    """The domains as `estimate` orders them, each as a mask; rows without a value are in none."""
    names = (by,) if isinstance(by, str) else tuple(by or ())
    codes, labels = _domains(design, names, where)
    inside = np.zeros(design.rows, dtype=np.int64) if codes is None else codes
    if values is not None:
        inside = np.where(np.isnan(values), -1, inside)
    held = np.bincount(inside[(inside >= 0) & (design.weight != 0)], minlength=len(labels))
    return [
        (dict(zip(names, label, strict=True)), inside == index)
        for index, label in enumerate(labels)
        if held[index]
    ]


def _fold_unit(design: Design) -> tuple[IntArray, int]:
    """The sampling unit by which rows are added up (of the last stage, or of the replicates), and how many there are."""
    if design.replicates is not None:
        return design.replicates.unit, design.replicates.factors.shape[0]
    last = design.stages[-1]
    return last.unit, last.units


def _domains(
    design: Design, names: tuple[str, ...], where: str | BoolArray | None
) -> tuple[IntArray | None, tuple[tuple[Label, ...], ...]]:
    """The domain of each row (-1: none; None: all rows are one domain) and the labels of the domains."""
    if not names and where is None:
        return None, ((),)
    codes, labels = cross(design.columns, names)
    if where is not None:
        codes = np.where(design.domain(where), codes, -1)
    counts = np.bincount(codes[(codes >= 0) & (design.weight != 0)], minlength=len(labels))
    if not counts.any():
        raise EmptyDomain("nobody of the sample is in the domain: check `where` and `by`")
    if not counts.all():
        kept = np.flatnonzero(counts)
        rank = np.full(len(labels) + 1, -1, dtype=np.int64)
        rank[kept] = np.arange(kept.size)
        codes = rank[codes]
        labels = tuple(labels[index] for index in kept.tolist())
    return codes, labels


def _without_missing(
    design: Design,
    statistic: Statistic,
    parts: tuple[FloatArray, ...],
    domain: IntArray | None,
    domains: int,
    missing: Missing,
) -> tuple[IntArray | None, IntArray]:
    """The domain codes without rows that have a missing part, and how many weighted rows each domain loses."""
    none = np.zeros(domains, dtype=np.int64)
    # A sum is NaN as soon as one value is: one fast pass when nothing is missing.
    if all(math.isfinite(float(part.sum())) for part in parts):
        return domain, none
    lost = np.zeros(design.rows, dtype=bool)
    for part in parts:
        infinite = np.flatnonzero(np.isinf(part))
        if infinite.size:
            raise MissingValues(f"{statistic.label}: infinite values ({rows(infinite)})")
        lost |= np.isnan(part)
    inside = np.zeros(design.rows, dtype=np.int64) if domain is None else domain
    weighted = lost & (inside >= 0) & (design.weight != 0)
    if weighted.any() and missing == "error":
        found = np.flatnonzero(weighted)
        raise MissingValues(
            f"{statistic.label}: {found.size} of the units asked about have no value ({rows(found)}). Say how to treat "
            'them: missing="domain" estimates for the units that have one'
        )
    if not (lost & (inside >= 0)).any():
        return domain, none
    own = np.where(lost, -1, inside)
    if not ((own >= 0) & (design.weight != 0)).any():
        raise EmptyDomain(f"{statistic.label}: nobody in the domain has a value")
    return own, np.bincount(inside[weighted], minlength=domains)


class _Spread:
    """One statistic over the domains: values, and what their variances and covariances are made of."""

    def __init__(self, design: Design, values: FloatArray, size: FloatArray, parts: Any, slopes: FloatArray):
        self.design, self.values, self.size, self.parts, self.slopes = (
            design,
            values,
            size,
            parts,
            slopes,
        )
        self.totals: UnitTotals | None = None  # linearised, by sampling unit and domain
        self.residuals: FloatArray | None = None  # the same after weighting steps: units x domains
        self.weighted: FloatArray | None = None  # linearised, by row and domain
        self.replicated: FloatArray | None = None  # domains x replicates

    @classmethod
    def of(cls, design: Design, statistic: Statistic, parts: tuple[FloatArray, ...], cells: Cells) -> _Spread:
        weight = design.weight
        if design.replicates is not None:
            return cls._replicated(design, statistic, parts, cells)
        taken: FloatArray = cells.remembered("weight", lambda: cells.take(weight))
        products = [taken, *(taken * cells.take(part) for part in parts)]
        everybody = cells.members is None and cells.row_domain is None and not design.adjustments
        first = cells.remembered(
            "sums", lambda: design.unit_weights if everybody else cells.members_sums(taken)
        )
        sums = [first, *(cells.members_sums(product) for product in products[1:])]
        totals = [cells.domain_totals(one) for one in sums]
        value, slopes = _evaluate(statistic, totals, _bessel(design, statistic, cells))
        spread = cls(design, value, totals[0], parts, slopes)
        if design.phase is not None or design.joint is not None:
            linear = sum(cells.spread(slope) * one for slope, one in zip(slopes, products, strict=True))
            spread.weighted = _rows_by_domain(np.asarray(linear), cells, design.rows)
        elif design.residual_steps:
            spread.residuals = residual_totals(design, cells, products, sums, slopes)
        else:
            linear = sum(slope[cells.domain] * one for slope, one in zip(slopes, sums, strict=True))
            spread.totals = UnitTotals(cells.unit, cells.domain, np.asarray(linear), cells.domains)
        return spread

    @classmethod
    def _replicated(
        cls, design: Design, statistic: Statistic, parts: tuple[FloatArray, ...], cells: Cells
    ) -> _Spread:
        assert design.replicates is not None
        totals = [
            cells.by_domain(design.weight),
            *(cells.by_domain(design.weight * part) for part in parts),
        ]
        bessel = _bessel(design, statistic, cells)
        value, slopes = _evaluate(statistic, totals, bessel)
        spread = cls(design, value, totals[0], parts, slopes)
        replicated = design.replicates.totals(design, parts, cells)
        spread.replicated, _ = _evaluate(statistic, replicated, bessel[:, np.newaxis])
        return spread

    def variances(self) -> FloatArray:
        if self.replicated is not None:
            assert self.design.replicates is not None
            return self.design.replicates.variances(self.replicated, self.values)
        if self.totals is not None:
            return variances(self.design, self.totals)
        if self.residuals is not None:
            return dense_variances(self.design, self.residuals)
        assert self.weighted is not None
        return np.diag(of_weighted(self.design, self.weighted))


def _evaluate(
    statistic: Statistic, totals: Sequence[FloatArray], bessel: FloatArray
) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        value, slopes = statistic.evaluate(totals[0], tuple(totals[1:]))
        return value * bessel, slopes * bessel


def _counts(design: Design, cells: Cells) -> FloatArray:
    """Rows with a positive weight in each domain."""
    if cells.members is None and cells.row_domain is None:
        return np.array([float(design.n)])
    found: FloatArray = cells.remembered("counts", lambda: cells.by_domain(design.present))
    return found


def _bessel(design: Design, statistic: Statistic, cells: Cells) -> FloatArray:
    """The factor n / (n - 1) of each domain for statistics that ask for it; otherwise 1."""
    if not getattr(statistic, "bessel", False):
        return np.ones(cells.domains)
    n = _counts(design, cells)
    return np.where(n > 1, n / np.maximum(n - 1.0, 1.0), np.nan)


def _rows_by_domain(linear: FloatArray, cells: Cells, count: int) -> FloatArray:
    """Weighted linearised values of the member rows as a table of rows x domains; 0 outside the domain."""
    table = np.zeros((count, cells.domains))
    members = np.arange(count) if cells.members is None else cells.members
    table[members, 0 if cells.row_domain is None else cells.row_domain] = linear
    return table


def _joint_covariance(design: Design, spreads: Sequence[_Spread]) -> FloatArray:
    if design.replicates is not None:
        replicated = np.concatenate([one.replicated for one in spreads if one.replicated is not None])
        values = np.concatenate([one.values for one in spreads])
        return design.replicates.covariance(replicated, values)
    totals = [one.totals for one in spreads if one.totals is not None]
    if totals:
        return covariance(design, UnitTotals.joined(totals))
    residuals = [one.residuals for one in spreads if one.residuals is not None]
    if residuals:
        return covariance(design, UnitTotals.dense(np.concatenate(residuals, axis=1)))
    return of_weighted(
        design, np.concatenate([one.weighted for one in spreads if one.weighted is not None], axis=1)
    )


def _estimates(
    design: Design,
    statistic: Statistic,
    spread: _Spread,
    cells: Cells,
    names: tuple[str, ...],
    labels: tuple[tuple[Label, ...], ...],
    missing: Missing,
    n_missing: IntArray,
    df: DegreesOfFreedom,
    deff: bool,
) -> list[Estimate]:
    errors = np.sqrt(np.maximum(spread.variances(), 0.0))
    n = _counts(design, cells)
    freedom = cells.remembered("df", lambda: _degrees_of_freedom(design, cells, df))
    simple = (
        _simple_variance(spread, statistic, design.weight, cells, n)
        if deff
        else np.full(cells.domains, np.nan)
    )
    items = []
    for index, label in enumerate(labels):
        if n[index] == 0:
            continue
        size = float(spread.size[index])
        variance = float(errors[index]) ** 2
        fpc = 1.0 - n[index] / size if size > n[index] else math.nan
        items.append(
            Estimate(
                statistic=statistic.label,
                kind=statistic.kind,
                value=float(spread.values[index]),
                se=float(errors[index]),
                df=float(freedom[index]),
                n=int(n[index]),
                domain=dict(zip(names, label, strict=True)),
                population=size,
                deff=variance / float(simple[index] * fpc) if simple[index] * fpc > 0 else math.nan,
                deff_replace=variance / float(simple[index]) if simple[index] > 0 else math.nan,
                missing=missing,
                n_missing=int(n_missing[index]),
            )
        )
    return items


def _degrees_of_freedom(design: Design, cells: Cells, df: DegreesOfFreedom) -> FloatArray:
    if df == "design":
        return np.full(cells.domains, design.df)
    if not isinstance(df, str):
        return np.full(cells.domains, float(df))
    if design.replicates is not None or design.phase is not None:
        return np.array(
            [design.domain_df(cells.members_of(domain, design.rows)) for domain in range(cells.domains)]
        )
    # Each PSU and each stratum once a domain in which it has a weighted member.
    if cells.members is None and cells.row_domain is None:
        occupied = design.unit_counts > 0
    else:
        occupied = cells.sums(design.present) > 0
    unit, domain = cells.unit[occupied], cells.domain[occupied]
    for stage in design.stages[:0:-1]:
        _, unit, domain = pair(stage.unit_parent[unit], domain, cells.domains)
    psus = np.bincount(domain, minlength=cells.domains)
    _, _, with_strata = pair(design.stages[0].unit_stratum[unit], domain, cells.domains)
    return (psus - np.bincount(with_strata, minlength=cells.domains)).astype(np.float64)


def _simple_variance(
    spread: _Spread, statistic: Statistic, weight: FloatArray, cells: Cells, n: FloatArray
) -> FloatArray:
    """The variance under simple random sampling with replacement of n from each domain: N^2 S^2 / n."""
    size = spread.size
    with np.errstate(divide="ignore", invalid="ignore"):
        if statistic.kind == "proportion":
            return np.where(n > 1, spread.values * (1.0 - spread.values) / (n - 1.0), np.nan)
        inside = cells.take(weight)
        linear = cells.spread(spread.slopes[0])
        for index, part in enumerate(spread.parts):
            linear = linear + cells.spread(spread.slopes[index + 1]) * cells.take(part)
        whole = cells.members_by_domain(inside * linear)
        deviation = linear - cells.spread(whole / size)
        square = cells.members_by_domain(inside * deviation * deviation)
        # What is left of a constant is rounding, and no variance to compare with.
        square = np.where(square > 1e-24 * whole * whole / size, square, 0.0)
        return np.where(n > 1, size * square / (n - 1.0), np.nan)


__all__ = ["Estimate", "Estimates", "difference", "domain_masks", "estimate"]
