"""That what is held back stays back: the audit of all figures of a release together.

    decided = protect(figures, minimum=10)          # holds back further figures until nothing can be worked out
    attack(figures, decided)                        # what a reader can infer of each figure held back, as an interval
    differing(n_now, n_before, minimum)             # would two releases side by side tell of a few respondents?

Suppression is an attempt, the attack is the proof. It plays a reader who has every figure of the release, knows how
tables add up, which denominators there are and how large (from a census, say), and that nobody is counted less than
zero times: by linear programming the smallest and the largest value that a figure held back can have.

It does not bound how closely a reader may guess from knowledge of their own, and quality (F) needs no hiding.

Sources: Hundepool et al. 2012, Statistical Disclosure Control, ch. 4 (feasibility intervals, complementary
suppression, linked tables); Fischetti and Salazar 2000 (Management Science 46: 945-962).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr, solve_triangular
from scipy.optimize import linprog

from analysis.columns import FloatArray
from analysis.release import Presentation

RANK = 1e-11  # of a figure that is no combination of others, next to the first
NOISE = 1e-9  # of the arithmetic, next to the size of a figure


@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """One figure of a release, as the audit sees it: its place, its decision and the units it sums.

    `table` names figures that add up to a published total (one indicator by one domain); `family` those with one
    numerator, so that whatever adds up for their denominators adds up for them. `respondents` counts those who have
    it, `asked` the denominator. `contribution`: each unit's contribution to the figure (its weight where it has it),
    `base` to the denominator; arrays of all figures of one audit have one length, that of the units or of any linear
    image of them (`folded`). `size` and `whole` are the sums over the units: the figure and its denominator.
    `protected` figures are never given up to hide another: those the release exists for.
    """

    table: tuple[str, ...]
    category: str
    presentation: Presentation
    respondents: float
    asked: float
    size: float
    whole: float
    contribution: NDArray[np.float64] = field(repr=False)
    base: NDArray[np.float64] = field(repr=False)
    family: str = ""
    protected: bool = False


class DisclosureError(ValueError):
    """A figure that is held back follows from the figures shown, and none of those may be given up."""


class Inferred(NamedTuple):
    """What a reader can infer of figure number `place` held back: its value lies from `lower` to `upper`; `width` is how wide
    this interval must be, the weight of the minimum of respondents (or of all, where there are fewer)."""

    place: int
    lower: float
    upper: float
    width: float

    @property
    def known(self) -> bool:
        return self.upper - self.lower <= 1e-6 * self.width

    @property
    def safe(self) -> bool:
        return self.upper - self.lower >= self.width * (1.0 - 1e-6)


def folded(values: FloatArray, bucket: NDArray[np.int64], sign: FloatArray, buckets: int) -> FloatArray:
    """A linear image of per-unit values, small enough for the audit of a million people.

    Sums and differences of figures are the same sums and differences of their images, and with random buckets and
    signs, and more buckets than figures, no others are.
    """
    return np.asarray(np.bincount(bucket, values * sign, buckets), dtype=np.float64)


def protect(figures: Sequence[Figure], minimum: int) -> tuple[Presentation, ...]:
    """Hold back further figures until no x can be worked out from what is shown. Three rules, until all hold:

    1. In a table whose total is shown, the figures held back together hide `minimum` respondents or more and are
       at least two; otherwise the smallest figure shown joins them (complementary suppression).
    2. No x is a linear combination of figures shown, in any table: its vector of contributions by unit must not
       lie in their span. This catches what a rule for one table cannot: "all ages" less "15 and over" is
       "under 15"; "province" less "rural" is "urban"; the sum of all modes is the sample.
    3. The attack leaves every x an interval at least as wide as the weight of `minimum` respondents, or as wide as
       the protected figures alone leave it.

    Raises DisclosureError when only protected figures could be given up.
    """
    decided = [figure.presentation for figure in figures]
    _complete(figures, decided, minimum)
    families = _families(figures)
    while found := _revealed(figures, decided):
        given: set[int] = set()
        for hidden, helpers in found:
            # One figure given up may already break the sums by which others were revealed.
            if not given & set(helpers):
                given.add(_give_up(figures, decided, hidden, helpers))
        _complete(figures, decided, minimum)
    # Holding back more only widens what can be inferred: what has passed once is not looked at again.
    settled: set[int] = set()
    while inferred := _inferable(figures, decided, families, minimum, settled):
        _give_up(figures, decided, *inferred)
        _complete(figures, decided, minimum)
    return tuple(decided)


def _give_up(figures: Sequence[Figure], decided: list[Presentation], hidden: int, helpers: list[int]) -> int:
    """Hold back the smallest of these figures, so that `hidden` stays hidden."""
    free = [index for index in helpers if not figures[index].protected]
    if not free:
        names = " / ".join((*figures[hidden].table, figures[hidden].category))
        raise DisclosureError(f"{names} follows from the figures shown, and none of those may be held back")
    smallest = min(free, key=lambda index: (figures[index].respondents, index))
    _hold_back(decided, smallest)
    return smallest


def _hold_back(decided: list[Presentation], index: int) -> None:
    decided[index] = replace(decided[index], status="x", reasons=("complementary",))


def _primary(one: Presentation) -> bool:
    return one.status == "x" and "complementary" not in one.reasons


def _complete(figures: Sequence[Figure], decided: list[Presentation], minimum: int) -> None:
    """Rule 1 on every table, in place."""
    tables: dict[tuple[str, ...], list[int]] = {}
    for index, figure in enumerate(figures):
        if not figure.protected:
            tables.setdefault(figure.table, []).append(index)
    for members in tables.values():
        held = [index for index in members if not decided[index].shown]
        if not any(decided[index].status == "x" for index in held):
            continue
        shown = sorted(
            (index for index in members if decided[index].shown),
            key=lambda index: (figures[index].respondents, index),
        )
        while shown and (len(held) < 2 or sum(figures[index].respondents for index in held) < minimum):
            taken = shown.pop(0)
            _hold_back(decided, taken)
            held.append(taken)


def _revealed(figures: Sequence[Figure], decided: Sequence[Presentation]) -> list[tuple[int, list[int]]]:
    """Each x that the figures shown determine, with the figures that determine it."""
    shown = [index for index, one in enumerate(decided) if one.shown and np.any(figures[index].contribution)]
    secret = [
        index for index, one in enumerate(decided) if _primary(one) and np.any(figures[index].contribution)
    ]
    if not shown or not secret:
        return []
    open_figures = np.stack([figures[index].contribution for index in shown], axis=1)
    targets = np.stack([figures[index].contribution for index in secret], axis=1)
    # Columns are scaled so that a commune and the province weigh the same in the numerical rank.
    scale = np.linalg.norm(open_figures, axis=0)
    basis, triangle, order = qr(open_figures / scale, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    rank = int((size > RANK * size[0]).sum())
    basis, triangle, order = basis[:, :rank], triangle[:rank, :rank], order[:rank]
    told = basis.T @ targets
    left_over = np.linalg.norm(targets - basis @ told, axis=0)
    found = []
    for column in np.flatnonzero(left_over <= NOISE * np.linalg.norm(targets, axis=0)):
        weights = np.abs(solve_triangular(triangle, told[:, column]))
        helpers = order[np.flatnonzero(weights > 1e-6 * weights.max())]
        found.append((secret[column], sorted(shown[row] for row in helpers)))
    return found


def _inferable(
    figures: Sequence[Figure],
    decided: Sequence[Presentation],
    families: Sequence[_Family],
    minimum: int,
    settled: set[int],
) -> tuple[int, list[int]] | None:
    """The first x whose interval is too narrow, with figures whose absence would widen it: those of its own table, or
    when none is left there, of its family."""
    for family in families:
        for found in family.attack(figures, decided, minimum, settled, quick=True):
            related = [
                index for index in family.members if decided[index].shown and not figures[index].protected
            ]
            table = figures[found.place].table
            free = [index for index in related if figures[index].table == table] or related
            if not found.safe and (free or found.known):
                return found.place, free
            # Safe, or only wholes are left that are themselves fit to be published: what they imply is theirs to tell.
            settled.add(found.place)
    return None


def attack(figures: Sequence[Figure], decided: Sequence[Presentation], minimum: int) -> tuple[Inferred, ...]:
    """What a reader of the figures shown can infer of each figure held back for confidentiality."""
    return tuple(
        one
        for family in _families(figures)
        for one in family.attack(figures, decided, minimum, set(), quick=False)
    )


class _Family(NamedTuple):
    """Figures of one numerator and what adds up among them: vectors a with sum a_f y_f = 0."""

    members: list[int]
    relations: FloatArray

    def attack(
        self,
        figures: Sequence[Figure],
        decided: Sequence[Presentation],
        minimum: int,
        settled: set[int],
        *,
        quick: bool,
    ) -> Iterator[Inferred]:
        """Two linear programmes for each x: its least and greatest value given all that is shown of the family.

        Figures shown are known, those held back lie between 0 and their denominator. With `quick` an x is passed
        without them when exchanging it with others held back in the same sums leaves it an interval that is wide enough.
        Those `settled` are passed over.
        """
        hidden = [place for place, index in enumerate(self.members) if not decided[index].shown]
        secret = [
            place
            for place, here in enumerate(hidden)
            if _primary(decided[self.members[here]]) and self.members[here] not in settled
        ]
        if not secret:
            return
        held = [figures[self.members[place]] for place in hidden]
        # Only what the relations say of the hidden figures matters; an orthogonal basis keeps the programme small.
        _, strength, right = np.linalg.svd(self.relations[:, hidden], full_matrices=False)
        equations = right[: int((strength > NOISE * max(float(strength.max(initial=0.0)), 1e-300)).sum())]
        unit = max(one.whole for one in held)
        truth, most = (
            np.array([one.size for one in held]) / unit,
            np.array([one.whole for one in held]) / unit,
        )
        for place in secret:
            one = held[place]
            wanted = one.whole / one.asked * min(minimum, one.asked) if one.asked else 0.0
            if quick:
                alike = np.abs(equations - equations[:, [place]]).max(axis=0, initial=0.0) < NOISE
                alike[place] = False
                lower = truth[place] - min(truth[place], float((most - truth)[alike].sum()))
                upper = truth[place] + min(most[place] - truth[place], float(truth[alike].sum()))
                if (upper - lower) * unit >= wanted:
                    yield Inferred(self.members[hidden[place]], lower * unit, upper * unit, wanted)
                    continue
            goal = np.zeros(len(held))
            goal[place] = 1.0
            ends = [side * _least(side * goal, equations, truth, most) * unit for side in (1.0, -1.0)]
            yield Inferred(self.members[hidden[place]], ends[0], ends[1], wanted)


def _families(figures: Sequence[Figure]) -> tuple[_Family, ...]:
    """What adds up is found from the denominators: vectors a with sum a_f base_f = 0 over every unit. The same sums
    then hold for the numerators. Families that count the same people share the work."""
    members: dict[str, list[int]] = {}
    for index, figure in enumerate(figures):
        members.setdefault(figure.family, []).append(index)
    known: dict[bytes, FloatArray] = {}
    found = []
    for places in members.values():
        base = np.stack([figures[index].base for index in places])
        key = hashlib.sha256(base.tobytes()).digest()
        if key not in known:
            scale = np.linalg.norm(base, axis=1)
            scale[scale == 0.0] = 1.0
            scaled = base / scale[:, None]
            values, vectors = np.linalg.eigh(scaled @ scaled.T)
            relations = (vectors[:, values < NOISE] / scale[:, None]).T
            known[key] = relations / max(float(np.abs(relations).max(initial=0.0)), 1e-300)
        found.append(_Family(places, known[key]))
    return tuple(found)


def _least(goal: FloatArray, equations: FloatArray, truth: FloatArray, most: FloatArray) -> float:
    """The least goal'y over what the reader cannot tell apart from the truth."""
    bounds = np.column_stack([np.zeros(len(most)), most])
    found = linprog(goal, A_eq=equations, b_eq=equations @ truth, bounds=bounds, method="highs")
    # The truth itself is feasible, so anything but an optimum is rounding: then the reader is taken to know it.
    return float(found.fun) if found.success else float(goal @ truth)


def differing(n_now: float, n_before: float, minimum: int) -> bool:
    """Would this figure beside the one an earlier release gave tell of fewer than `minimum` respondents who came or went?"""
    return 0 < abs(n_now - n_before) < minimum
