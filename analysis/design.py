"""The sample design: weights, strata, clusters at each stage, sampling fractions; checked when made.

A design travels with the data from the draw to the variance. It is a frozen value: every weighting step returns a
new one, which remembers the step, because the variance must know what the weights were made to fit.

    design = Design(persons, weights="w", strata="stratum", clusters=["psu", "household"], fpc=["N_psu", "N_hh"])

What it refuses, naming the rows: a weight that is missing, negative or infinite; a PSU label in two strata (unless
`nest=True` says that labels are used again in each stratum); a population smaller than its sample; a population
count that changes within a stratum. Do not delete rows to study a subgroup: give `where=` or `by=` to `estimate`,
which keeps the PSUs where the subgroup happens to be absent (they carry variance).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.adjustments import Adjustment, CellAdjustment, FixedFactors
from analysis.columns import BoolArray, Columns, FloatArray, IntArray, Label, add_up, pair
from analysis.errors import DesignError, rows, some

if TYPE_CHECKING:
    from analysis.probabilities import JointProbabilities
    from analysis.replicates import Replicates
    from analysis.twophase import SecondPhase, TwoPhase

LonelyPolicy = Literal["fail", "adjust", "average", "certainty", "remove"]
LONELY_POLICIES: tuple[LonelyPolicy, ...] = ("fail", "adjust", "average", "certainty", "remove")
COMPAT = frozenset({"R.lonely", "R.order"})
CERTAIN = 1e-7  # a stratum sampled to within this fraction is a census


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of sampling, compiled: which stratum each unit is in, how many were sampled, what fraction.

    `unit` gives each row's sampling unit 0..m-1; the other arrays describe units (length m) or strata (length H).
    A stratum of a later stage is a stratum within one unit of the stage before, `parent`.
    """

    unit: IntArray
    unit_stratum: IntArray
    unit_parent: IntArray
    sampled: FloatArray  # n_h, by stratum
    fraction: FloatArray  # n_h / N_h by unit; 0 with replacement; pi_i with unequal probabilities
    stratum_fraction: FloatArray  # the same by stratum (mean of its units)
    stratum_parent: IntArray  # unit of the stage before; 0 at the first
    multiplier: (
        FloatArray  # by stratum: product of the fractions of the stages before (Sarndal et al. 1992, 4.3)
    )
    stratum_labels: tuple[Label, ...]

    @property
    def units(self) -> int:
        return int(self.unit_stratum.size)

    @property
    def strata(self) -> int:
        return int(self.sampled.size)


@dataclass(frozen=True, eq=False, repr=False)
class Design:
    """A probability sample as it was drawn and weighted.

    data: any data frame (pandas, Polars, PyArrow, or a mapping of arrays), one row a final unit.
    weights: column of design weights. Without it the weights are 1/`probabilities`, or follow from `fpc` at every
        stage.
    strata, clusters, fpc: a column or a list of columns, one a stage. `fpc` counts the population's units in the
        stratum (at later stages: in the unit of the stage before), or, when all values are at most 1, gives the
        sampled fraction. Without it a stage counts as drawn with replacement, and later stages need not be told.
    nest: PSU labels are used again in other strata.
    lonely_psu: what a stratum with one PSU contributes: "fail"; "adjust" its distance from the mean of all PSU
        totals; "average" the mean of the other strata; "certainty" and "remove" nothing.
    adjust_domain_lonely: apply that policy also where only one PSU of a stratum has members of the domain.
    ultimate_cluster: stop after the first stage even if `fpc` describes later ones.
    unequal: unequal-probability sampling without replacement, `fpc` gives each unit's inclusion probability.
        "brewer", "overton" and "hartley_rao" are approximations that need nothing else; a `JointProbabilities`
        value holds the joint probabilities themselves.
    replicates: a `Replicates` value; the variance then comes from the replicate weights.
    second: a `SecondPhase`: the data are a first sample, from which a second was drawn.
    compat: names of deliberate departures towards other software, see docs/methods.md ("R.lonely", "R.order").
    """

    data: Any
    weights: str | FloatArray | None = None
    probabilities: str | None = None
    strata: str | Sequence[str] | None = None
    clusters: str | Sequence[str] | None = None
    fpc: str | Sequence[str] | None = None
    nest: bool = False
    lonely_psu: LonelyPolicy = "fail"
    adjust_domain_lonely: bool = False
    ultimate_cluster: bool = False
    unequal: Literal["brewer", "overton", "hartley_rao"] | JointProbabilities | None = None
    replicates: Replicates | None = None
    second: SecondPhase | None = None
    compat: tuple[str, ...] = ()
    adjustments: tuple[Adjustment, ...] = field(default=(), init=False)
    base: FloatArray = field(init=False)
    columns: Columns = field(init=False)
    weight: FloatArray = field(init=False)
    stages: tuple[Stage, ...] = field(init=False)
    joint: JointProbabilities | None = field(default=None, init=False)
    phase: TwoPhase | None = field(default=None, init=False)
    _memo: dict[Any, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        columns = Columns(self.data)
        if columns.rows == 0:
            raise DesignError("the data have no rows")
        if self.lonely_psu not in LONELY_POLICIES:
            raise DesignError(f'lonely_psu="{self.lonely_psu}" is not one of {some(LONELY_POLICIES)}')
        unknown = set(self.compat) - COMPAT
        if unknown:
            raise DesignError(f"unknown compat: {some(sorted(unknown))}; known are {some(sorted(COMPAT))}")
        _set(self, columns=columns)
        stages, populations = _compile(self, columns)
        weight = _weights(self, columns, populations)
        _set(self, stages=stages, weight=weight, base=weight)
        if self.unequal is not None and self.unequal != "brewer":
            from analysis.probabilities import joint

            _set(self, joint=joint(self.unequal, stages[0]))
        if self.replicates is not None:
            _set(self, replicates=self.replicates.fitted(columns.rows))
        if self.second is not None:
            phase = self.second.taken(self)
            weight = phase.weights(weight)
            _set(self, phase=phase, weight=weight, base=weight, _memo={})

    @property
    def n(self) -> int:
        """Rows with a weight (other than 0)."""
        found: int = self.remembered("n", lambda: int(np.count_nonzero(self.weight)))
        return found

    @property
    def present(self) -> FloatArray:
        """1 for each row with a weight, 0 for the others."""
        found: FloatArray = self.remembered("present", lambda: (self.weight != 0).astype(np.float64))
        return found

    @property
    def unit_counts(self) -> FloatArray:
        """The number of rows with a weight in each sampling unit of the last stage that the variance uses."""
        last = self.stages[-1]
        found: FloatArray = self.remembered(
            "unit_counts", lambda: add_up(last.unit, self.present, last.units)
        )
        return found

    @property
    def unit_weights(self) -> FloatArray:
        """The sum of the weights in each sampling unit of the last stage that the variance uses."""
        last = self.stages[-1]
        found: FloatArray = self.remembered(
            "unit_weights", lambda: add_up(last.unit, self.weight, last.units)
        )
        return found

    def remembered(self, name: Any, make: Callable[[], Any]) -> Any:
        """Worked out once for these weights; a design with other weights starts anew."""
        found = self._memo.get(name)
        if found is None:
            found = self._memo[name] = make()
        return found

    @property
    def population(self) -> float:
        """The sum of the weights: the estimated number of units in the population."""
        return float(self.weight.sum())

    @property
    def residual_steps(self) -> tuple[Adjustment, ...]:
        """The steps whose residuals the variance takes, the last step first.

        The last fit explains the values themselves; the fit before it explains what the last one left, because only
        that still depends on how its weights came out. R survey takes the first step first (`compat="R.order"`),
        which a jackknife that repeats every step does not confirm; with one step there is no difference.
        """
        steps = [step for step in self.adjustments if not getattr(step, "takes_off_nothing", False)]
        return tuple(steps if "R.order" in self.compat else reversed(steps))

    @property
    def rows(self) -> int:
        return self.columns.rows

    @property
    def df(self) -> float:
        """Degrees of freedom of the whole design: PSUs less strata (replicates: rank of their weights less 1)."""
        return self.domain_df(self.weight != 0)

    def domain_df(self, members: BoolArray) -> float:
        """Degrees of freedom counted from the PSUs and strata that hold a weighted member of the domain."""
        held = members & (self.weight != 0)
        if self.replicates is not None:
            return self.replicates.degrees_of_freedom(self, held)
        if self.phase is not None:
            return self.phase.df(held)
        first = self.stages[0]
        units = np.flatnonzero(np.bincount(first.unit[held], minlength=first.units))
        strata = np.bincount(first.unit_stratum[units], minlength=first.strata)
        return float(units.size - np.count_nonzero(strata))

    def with_weights(self, weight: FloatArray, adjustment: Adjustment | None = None) -> Design:
        """The same sample with other weights; `adjustment` is the step that made them, for the variance.

        Leave `adjustment` out only for a step that the variance is to take as given (a factor for non-response
        that is treated as fixed); replicates are then multiplied by the same factors.
        """
        weight = np.ascontiguousarray(weight, dtype=np.float64)
        # A linear calibration without bounds may make a weight negative; that is odd but not wrong.
        _check_weights(weight, self.columns.rows, "the new weights", negative=adjustment is not None)
        changed = copy.copy(self)
        if adjustment is None:
            adjustment = FixedFactors.between(self.weight, weight)
        _set(changed, weight=weight, adjustments=(*self.adjustments, adjustment), _memo={})
        if not self.adjustments and isinstance(adjustment, FixedFactors):
            _set(changed, adjustments=(), base=weight)
        return changed

    def with_replicates(self, replicates: Replicates) -> Design:
        """The same sample, its variance now taken from replicate weights."""
        changed = copy.copy(self)
        _set(changed, replicates=replicates.fitted(self.rows))
        return changed

    def with_columns(self, **arrays: Any) -> Design:
        """The same design with further columns, each an array with one value a row."""
        from analysis.columns import Extended

        changed = copy.copy(self)
        _set(changed, columns=Extended(self.columns, arrays))
        return changed

    def domain(self, where: str | BoolArray | None) -> BoolArray:
        """The members of a domain as a mask: a column of truth values (or 0 and 1), a mask, or everybody.

        A missing value is not a member.
        """
        if where is None:
            return np.ones(self.rows, dtype=bool)
        if isinstance(where, str):
            values = self.columns.numbers(where)
            return np.asarray((values != 0.0) & (values == values))
        mask = np.asarray(where)
        if mask.shape != (self.rows,) or mask.dtype != bool:
            raise DesignError(f"where: a mask must hold {self.rows} truth values, one a row")
        return mask

    def __repr__(self) -> str:
        if self.replicates is not None:
            how = f"{self.replicates.count} replicates ({self.replicates.kind})"
        else:
            first = self.stages[0]
            how = f"{first.strata} strata, {first.units} PSUs, {len(self.stages)} stage(s)"
        steps = "".join(f", {step.name}" for step in self.adjustments)
        return f"<Design of {self.n} units for {self.population:,.0f}: {how}{steps}>"


def _set(design: Design, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(design, name, value)


def _listed(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _identified(columns: Columns, name: str, what: str) -> tuple[IntArray, tuple[Label, ...]]:
    codes, labels = columns.identifiers(name)
    missing = np.flatnonzero(codes < 0)
    if missing.size:
        raise DesignError(f'{what} "{name}": {missing.size} values are missing ({rows(missing)})')
    return codes, labels


def _compile(design: Design, columns: Columns) -> tuple[tuple[Stage, ...], tuple[FloatArray, ...]]:
    """The stages that the variance needs, and the sampled fraction of each row at every stage with an fpc."""
    strata, clusters, fpc = _listed(design.strata), _listed(design.clusters), _listed(design.fpc)
    depth = max(len(clusters), 1)
    if len(strata) > depth:
        raise DesignError(f"strata are given for {len(strata)} stages, clusters for {depth}")
    if len(fpc) > depth:
        raise DesignError(f"fpc is given for {len(fpc)} stages, clusters for {depth}")
    used = 1 if not fpc else depth
    stages: list[Stage] = []
    fractions: list[FloatArray] = []
    parent = np.zeros(columns.rows, dtype=np.int64)
    parent_count = 1
    for level in range(used):
        stratum = parent
        labels: tuple[Label, ...] = ("the whole sample",)
        stratum_parent = np.arange(parent_count)
        if level < len(strata):
            own, own_labels = _identified(columns, strata[level], "strata")
            stratum, stratum_parent, which = pair(parent, own, len(own_labels))
            labels = tuple(own_labels[index] for index in which.tolist())
        elif level:
            labels = tuple(range(1, parent_count + 1))
        unit, unit_stratum = _units(design, columns, clusters, level, stratum, labels)
        sampled = np.bincount(unit_stratum, minlength=stratum_parent.size).astype(np.float64)
        fraction = np.zeros(unit_stratum.size)
        if level < len(fpc):
            row_fraction = _fraction(
                design, columns, fpc[level], stratum, unit, unit_stratum, sampled, labels
            )
            fractions.append(row_fraction)
            fraction[unit] = row_fraction
        stratum_fraction = add_up(unit_stratum, fraction, sampled.size) / sampled
        unit_parent = stratum_parent[unit_stratum]
        multiplier = np.ones(sampled.size)
        if stages:
            before = stages[-1]
            multiplier = (
                before.fraction[stratum_parent] * before.multiplier[before.unit_stratum[stratum_parent]]
            )
        stages.append(
            Stage(
                unit,
                unit_stratum,
                unit_parent,
                sampled,
                fraction,
                stratum_fraction,
                stratum_parent,
                multiplier,
                labels,
            )
        )
        parent, parent_count = unit, unit_stratum.size
    return tuple(stages[:1] if design.ultimate_cluster else stages), tuple(fractions)


def _units(
    design: Design,
    columns: Columns,
    clusters: tuple[str, ...],
    level: int,
    stratum: IntArray,
    labels: tuple[Label, ...],
) -> tuple[IntArray, IntArray]:
    """Each row's sampling unit and each unit's stratum; labels are unique within the unit of the stage before."""
    if not clusters:
        return np.arange(columns.rows), stratum
    own, own_labels = _identified(columns, clusters[level], "clusters")
    unit, unit_stratum, which = pair(stratum, own, len(own_labels))
    if level == 0 and not design.nest:
        strata_of = np.bincount(which, minlength=len(own_labels))
        shared = np.flatnonzero(strata_of > 1)
        if shared.size:
            first = int(shared[0])
            where = [labels[index] for index in unit_stratum[which == first].tolist()]
            raise DesignError(
                f'PSU labels of "{clusters[0]}" occur in more than one stratum: {shared.size} of them, for example '
                f"{own_labels[first]} in strata {some(where)} ({rows(np.flatnonzero(own == first))}). "
                "If labels are used again in each stratum, say nest=True; otherwise correct the strata."
            )
    return unit, unit_stratum


def _fraction(
    design: Design,
    columns: Columns,
    name: str,
    stratum: IntArray,
    unit: IntArray,
    unit_stratum: IntArray,
    sampled: FloatArray,
    labels: tuple[Label, ...],
) -> FloatArray:
    """The sampled fraction of each row's unit at one stage, from population counts or fractions."""
    values = columns.numbers(name)
    bad = np.flatnonzero(~(values > 0))
    if bad.size:
        raise DesignError(f'fpc "{name}": {bad.size} values are missing or not positive ({rows(bad)})')
    as_fraction = bool((values <= 1.0).all())
    if not as_fraction and bool((values < 1.0).any()):
        raise DesignError(f'fpc "{name}" mixes counts and fractions ({rows(np.flatnonzero(values < 1.0))})')
    if design.unequal is None:
        reference = np.empty(sampled.size)
        reference[stratum] = values
        changing = np.flatnonzero(~np.isclose(values, reference[stratum], rtol=1e-9, atol=0.0))
        if changing.size:
            which = labels[int(stratum[changing[0]])]
            raise DesignError(f'fpc "{name}" is not the same throughout stratum {which} ({rows(changing)})')
    if as_fraction:
        return values
    counts = sampled[stratum]
    short = np.flatnonzero(values < counts * (1.0 - 1e-9))
    if short.size:
        index = int(short[0])
        raise DesignError(
            f'fpc "{name}" is smaller than the sample: {values[index]:g} in the population, {counts[index]:g} sampled '
            f"in stratum {labels[int(stratum[index])]} ({rows(short)})"
        )
    return np.where(np.isinf(values), 0.0, counts / values)


def _weights(design: Design, columns: Columns, fractions: tuple[FloatArray, ...]) -> FloatArray:
    if isinstance(design.weights, str):
        weight, source = columns.numbers(design.weights), f'weights "{design.weights}"'
    elif design.weights is not None:
        weight, source = np.ascontiguousarray(design.weights, dtype=np.float64), "weights"
    elif design.probabilities is not None:
        probability = columns.numbers(design.probabilities)
        bad = np.flatnonzero(~((probability > 0.0) & (probability <= 1.0)))
        if bad.size:
            raise DesignError(
                f'probabilities "{design.probabilities}" must lie above 0 and be at most 1: {bad.size} do not ({rows(bad)})'
            )
        weight, source = 1.0 / probability, "weights"
    elif fractions and len(fractions) == max(len(_listed(design.clusters)), 1):
        weight, source = 1.0 / np.prod(np.stack(fractions), axis=0), "weights from fpc"
    else:
        raise DesignError("give weights, or probabilities, or an fpc for every stage from which they follow")
    _check_weights(weight, columns.rows, source)
    return weight


def _check_weights(weight: FloatArray, expected: int, source: str, *, negative: bool = False) -> None:
    if weight.shape != (expected,):
        raise DesignError(f"{source}: {weight.size} weights for {expected} rows")
    if not np.isfinite(weight.sum()):
        infinite = np.flatnonzero(~np.isfinite(weight))
        raise DesignError(f"{source}: {infinite.size} are missing or infinite ({rows(infinite)})")
    if weight.min() < 0.0 and not negative:
        below = np.flatnonzero(weight < 0.0)
        raise DesignError(f"{source}: {below.size} are negative ({rows(below)})")
    if not weight.any():
        raise DesignError(f"{source}: all are 0")


__all__ = ["Adjustment", "CellAdjustment", "Design", "FixedFactors", "LonelyPolicy", "Stage"]
