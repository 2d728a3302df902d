"""The public-use microdata of a release: rows without names or places, from which nothing held back can be worked out.

    made = microdata(folder, release, tables, measured, weighted, secret)      None when the plan declares none
    made.files                                      name of a table → `Table`, its report, what it reproduces

A row is a measured person, or a household that answered. It has a weight, replicate weights, the breakdowns and the
indicators of the plan, and the answers with listed codes that the questionnaire calls ordinary. It has no household, no
PSU, no stratum, no mode, no exact number or date, and its order follows no order of the sample.

Three things are done, in this order, and counted in the report:

1. Nothing the release holds back for confidentiality (x) follows from the file and the figures shown together: neither
   as a union of classes that the file tells apart, nor as a linear combination of those and of published figures. What
   would, is left out: a breakdown by places or by which most indicators would; an indicator no target rests on; else
   categories are joined, and if that is not enough the breakdown goes. Answers that an indicator left out is computed
   from go with it, and answers to questions asked because of one that is not there. Figures of low quality (F) are no secret.
2. Each class of the declared keys holds `minimum` rows or more: a breakdown is left out as a whole (global recoding; a few
   of its values withheld could be worked out beside the published totals), then answers are withheld row by row.
3. The risk of being found is reported for each row as p/(f - (1 - p)), f rows in the sample and p = f / the sum of their
   weights (Hundepool et al. 2012, section 3.5: large-f form of Benedetti and Franconi's individual risk).

Replicate weights: `survey.publication.replication`. Columns of codes: `survey.publication.coded`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray
from scipy.linalg import qr

from analysis.disclosure import folded
from analysis.indicators import Indicator, Microdata
from survey.folder import Folder, column_name
from survey.publication.coded import STATES, WITHHELD, YES_NO, Column, answers
from survey.publication.measuring import Measured
from survey.publication.replication import left_out_together, replicated
from survey.publication.results import Cell, Release
from survey.publication.weighting import Weighted, answered, category_of

Floats = NDArray[np.float64]
UNITS: Final = {"person": "persons", "household": "households"}
IMAGE: Final = (
    512  # entries of the image of all rows: more than figures shown of places that the file does not tell
)


class Risk(Struct, frozen=True, kw_only=True):
    """How far rows can be told apart by the keys. `expected`: rows that somebody who has all keys of the population would find."""

    keys: tuple[str, ...]
    minimum: int
    smallest: int  # k
    classes: int
    rows: int
    highest: float
    expected: float
    withheld: dict[str, int]  # answers withheld, by key


class Kept(Struct, frozen=True, kw_only=True):
    """What the file has and has not, and why."""

    indicators: tuple[str, ...]
    breakdowns: tuple[str, ...]
    answers: tuple[str, ...]
    indicators_left_out: tuple[str, ...]
    breakdowns_left_out: tuple[str, ...]
    joined: dict[str, tuple[tuple[str, ...], ...]]
    answers_left_out: tuple[str, ...]
    risk: Risk


@dataclass(frozen=True, eq=False)
class Table:
    """One file of rows: columns in order, weights, replicate weights (rows x replicates) and what it reproduces."""

    unit: str
    columns: tuple[Column, ...]
    weight: Floats
    replicates: Floats
    rscales: Floats
    kept: Kept
    reproduced: tuple[tuple[Cell, float], ...]  # a published figure and its standard error by the replicates


def microdata(
    folder: Folder,
    release: Release,
    tables: Mapping[str, pa.Table],
    measured: Measured,
    weighted: Weighted,
    secret: bytes,
) -> dict[str, Table]:
    """Name → table; empty when the plan declares no microdata. `secret` orders rows: known only to who has the frozen file."""
    plan = folder.analysis.microdata
    if plan is None:
        return {}
    groups, rscales = left_out_together(measured, weighted, plan.group, secret)
    made = {}
    for unit, name in UNITS.items():
        arrays = measured.persons if unit == "person" else measured.households
        there = weighted.design(unit).weight > 0
        if any(one.unit == unit for one in folder.analysis.indicators) and there.any():
            made[name] = _Making(folder, release, unit, arrays, weighted, plan).table(
                answers(folder, unit, tables, there), groups, rscales, secret
            )
    return made


# ── what may be in the file ──────────────────────────────────────────────────────────────────────────────────


def family(indicator: Indicator) -> str:
    """Indicators of one numerator: who has one of them is known from the other."""
    return " ".join(indicator.numerator.split())


class _Making:
    """One unit's file: what is kept is decided step by step."""

    def __init__(
        self,
        folder: Folder,
        release: Release,
        unit: str,
        arrays: Mapping[str, NDArray[Any]],
        weighted: Weighted,
        plan: Microdata,
    ) -> None:
        self.folder, self.release, self.unit, self.plan, self.weighted = folder, release, unit, plan, weighted
        self.there = weighted.design(unit).weight > 0
        self.weight = weighted.design(unit).weight[self.there]
        self.arrays = {name: values[self.there] for name, values in arrays.items()}
        self._answered: dict[str, tuple[NDArray[np.bool_], Floats]] = {}
        self._inside: dict[tuple[str, str], NDArray[np.bool_]] = {}
        self.rows = self.weight.size
        self.indicators = [one for one in folder.analysis.indicators if one.unit == unit]
        self.domains = {
            one.id: {name: name for name in release.names[one.id]}  # category → the group it is in
            for one in folder.analysis.domains
            if one.unit in (unit, "both") and one.labels and len(release.names[one.id]) > 1
        }
        chance = np.random.default_rng(self.rows)
        self.bucket, self.sign = chance.integers(0, IMAGE, self.rows), chance.choice([-1.0, 1.0], self.rows)
        self.targets = {target.indicator for target in folder.analysis.targets}
        self.all_domains, self.all_indicators = tuple(self.domains), tuple(one.id for one in self.indicators)

    def table(
        self, answers: list[Column], groups: NDArray[np.int64], rscales: Floats, secret: bytes
    ) -> Table:
        self._nothing_recoverable()
        self._enough_in_each_class()
        used = self._used_by(
            [
                one
                for one in self.folder.analysis.indicators
                if one.unit == self.unit and one not in self.indicators
            ]
        )
        kept = self._told([one for one in answers if one.name not in used])
        columns = [*self._breakdowns(), *self._indicators(), *kept]
        columns, risk = self._withheld(columns)
        rows = (
            groups
            if self.unit == "household"
            else groups[self.weighted.persons.columns.numbers("household").astype(np.int64)]
        )
        replicates = replicated(self.weighted, self.unit, rows, rscales)[self.there]
        weight = np.array([float(f"{one:.12g}") for one in self.weight])
        replicates = _significant(replicates, 8)
        order = np.random.default_rng([*secret, len(self.unit)]).permutation(self.rows)
        columns = [Column(**{**one.__dict__, "values": one.values[order]}) for one in columns]
        shown = Kept(
            indicators=tuple(one.id for one in self.indicators),
            breakdowns=tuple(self.domains),
            answers=tuple(one.name for one in kept),
            indicators_left_out=tuple(one for one in self.all_indicators if one not in {kept_.id for kept_ in self.indicators}),
            breakdowns_left_out=tuple(
                domain.id for domain in self.folder.analysis.domains
                if domain.unit in (self.unit, "both") and domain.id not in self.domains and len(self.release.names[domain.id]) > 1
            ),
            joined={domain: groups_ for domain, of in self.domains.items() if (groups_ := _joined(of))},
            answers_left_out=tuple(one.name for one in answers if one not in kept),
            risk=risk,
        )  # fmt: skip
        made = Table(self.unit, tuple(columns), weight[order], replicates[order], rscales, shown, ())
        return Table(**{**made.__dict__, "reproduced": self._reproduced(made)})

    # ── nothing held back follows ──

    def _has(self, indicator: Indicator) -> tuple[NDArray[np.bool_], Floats]:
        """Who is in the denominator, and who has it (0 where undecided)."""
        if indicator.id not in self._answered:
            found = answered(self.arrays.__getitem__, indicator)
            self._answered[indicator.id] = found.members, found.has
        return self._answered[indicator.id]

    def _in(self, cell: Cell) -> NDArray[np.bool_]:
        place = cell.domain, cell.category
        if place not in self._inside:
            everybody = np.ones(self.rows, dtype=bool)
            self._inside[place] = (
                self.arrays[category_of(cell.domain)] == cell.category if cell.domain else everybody
            )
        return self._inside[place]

    def _classes(self) -> NDArray[np.int64]:
        """The class of each row by everything the file tells apart: breakdowns, and who is in which universe."""
        keys = [self._grouped(domain)[0] for domain in self.domains]
        keys += [self._has(indicator)[0].astype(np.int64) for indicator in self.indicators]
        return _class_of(keys, self.rows)

    def _grouped(self, domain: str) -> tuple[NDArray[np.int64], list[str]]:
        """The group of each row (-1: in none), and the first category of each group in the order of print."""
        of = self.domains[domain]
        firsts = list(dict.fromkeys(of.values()))
        place = {category: firsts.index(group) for category, group in of.items()}
        return np.array(
            [place.get(one, -1) for one in self.arrays[category_of(domain)]], dtype=np.int64
        ), firsts

    def _leaks(self, decisive: set[str]) -> list[Cell]:
        """Figures held back for confidentiality that follow from this file and the figures shown: of the decisive families
        if there are any, else of all others."""
        return self._leaks_of(decisive) or self._leaks_of({family(one) for one in self.indicators} - decisive)

    def _leaks_of(self, wanted: set[str]) -> list[Cell]:
        classes = self._classes()
        families: dict[str, list[Indicator]] = {}
        for indicator in self.indicators:
            if family(indicator) in wanted:
                families.setdefault(family(indicator), []).append(indicator)
        of = {
            one.id: one
            for one in self.folder.analysis.indicators
            if one.unit == self.unit and family(one) in families
        }
        hidden = {one.indicator for one in self.release.contrasts if one.status == "x" and not one.mode}
        found = []
        for cells in (
            [one for one in self.release.cells if one.indicator in of and family(of[one.indicator]) == name]
            for name in families
        ):
            kept = families[family(of[cells[0].indicator])] if cells else []
            if not kept:
                continue
            seen = np.logical_or.reduce([self._has(one)[0] for one in kept])
            secret = [
                one for one in cells if one.status == "x" or (not one.domain and one.indicator in hidden)
            ]
            if not secret:
                continue
            for side in (1.0, 0.0):
                value = np.where(seen & (self._has(kept[0])[1] == side), self.weight, 0.0)
                energy = np.maximum(np.bincount(classes, value**2), 1e-300)

                def left(one: Cell, value: Floats = value, energy: Floats = energy) -> Floats | None:
                    """What of a figure's contributions the sums of the classes do not tell; None where there are none."""
                    part = value * self._has(of[one.indicator])[0] * self._in(one)
                    whole = float(part @ part)
                    rest = part - (np.bincount(classes, part * value, energy.size) / energy)[classes] * value
                    return (rest if rest @ rest > 1e-18 * whole else 0.0 * rest) if whole else None

                rests = [(one, rest) for one in secret if (rest := left(one)) is not None]
                found += [one for one, rest in rests if not rest.any()]
                unknown = [(one, self._image(rest)) for one, rest in rests if rest.any()]
                known = [
                    self._image(rest)
                    for one in cells
                    if one.status == "show" and (rest := left(one)) is not None and rest.any()
                ]
                if known and unknown:
                    told = _spanned(known, [image for _, image in unknown])
                    found += [one for (one, _), yes in zip(unknown, told, strict=True) if yes]
        return _distinct(found)

    def _image(self, values: Floats) -> Floats:
        return folded(values, self.bucket, self.sign, IMAGE)

    def _nothing_recoverable(self) -> None:
        for domain in list(self.domains):
            held = {one.indicator for one in self.release.cells if one.domain == domain and one.status == "x"}
            if 2 * len(held & set(self.all_indicators)) > len(self.indicators):
                del self.domains[domain]
        joined: set[tuple[str, str]] = set()
        of = {one.id: family(one) for one in self.folder.analysis.indicators}
        decisive = {of[one] for one in self.targets if one in of}
        while self.indicators and (leaks := self._leaks(decisive)):
            first = next((one for one in leaks if one.domain), leaks[0])
            place = (first.indicator, first.domain)
            if of[first.indicator] not in decisive:
                gone = {of[one.indicator] for one in leaks}
            elif first.domain in self.domains and place not in joined:
                joined.add(place)
                self._join(
                    first.domain, [one.category for one in leaks if (one.indicator, one.domain) == place]
                )
                continue
            elif (needless := self._without(of[first.indicator])) is not None:
                del self.domains[needless]
                continue
            else:
                gone = {of[first.indicator]}
            self.indicators = [one for one in self.indicators if of[one.id] not in gone]

    def _without(self, wanted: str) -> str | None:
        """The breakdown, the last first, without which nothing held back of this family follows any more."""
        all_of_them = self.domains
        try:
            for domain in reversed(all_of_them):
                self.domains = {one: of for one, of in all_of_them.items() if one != domain}
                if not self._leaks_of({wanted}):
                    return domain
            return None
        finally:
            self.domains = all_of_them

    def _join(self, domain: str, categories: Sequence[str]) -> None:
        """These categories become one; with one left the breakdown says nothing and goes."""
        of = self.domains[domain]
        together = {of[one] for one in categories}
        first = next(one for one in of if of[one] in together)
        self.domains[domain] = {one: of[first] if group in together else group for one, group in of.items()}
        if len(set(self.domains[domain].values())) < 2:
            del self.domains[domain]

    def _used_by(self, indicators: Iterable[Indicator]) -> set[str]:
        """Every name in the expressions of these indicators, derived variables followed."""
        names: set[str] = set()
        waiting = [one.numerator for one in indicators]
        while waiting:
            for name in set(re.findall(r"\w+", waiting.pop())) - names:
                names.add(name)
                waiting += (
                    [self.folder.analysis.derived[name]] if name in self.folder.analysis.derived else []
                )
        return names

    def _told(self, answers: list[Column]) -> list[Column]:
        """Without the answers to questions that only some were asked, for a reason that is not in the file: who was asked
        what phone it is has one."""
        breakdowns = {
            one.value
            for one in self.folder.analysis.domains
            if one.id in self.domains and not _joined(self.domains[one.id])
        }
        while True:
            names = breakdowns | {one.name.split("__")[0] for one in answers}
            left = [one for one in answers if one.needs <= names]
            if len(left) == len(answers):
                return answers
            answers = left

    # ── columns ──

    def _breakdowns(self) -> list[Column]:
        found = []
        for domain, of in self.domains.items():
            codes, firsts = self._grouped(domain)
            names = self.release.names[domain]
            members = {first: [one for one, group in of.items() if group == first] for first in firsts}
            labels = {place: {language: ", ".join(names[one].get(language, one) for one in members[first]) for language in ("vi", "en")}
                      for place, first in enumerate(firsts, start=1)}  # fmt: skip
            categories = {
                members[first][0]: place
                for place, first in enumerate(firsts, start=1)
                if len(members[first]) == 1
            }
            values = np.where(codes >= 0, codes + 1.0, np.nan)
            found.append(
                Column(
                    column_name(domain),
                    self.release.domain(domain).name,
                    labels,
                    values,
                    domain=domain,
                    categories=categories,
                )
            )
        return found

    def _indicators(self) -> list[Column]:
        found = []
        for indicator in self.indicators:
            members, has = self._has(indicator)
            found.append(
                Column(
                    column_name(indicator.id),
                    indicator.name,
                    YES_NO,
                    np.where(members, has, np.nan),
                    indicator=indicator.id,
                )
            )
        return found

    # ── k-anonymity ──

    def _enough_in_each_class(self) -> None:
        """Leave out breakdowns among the keys, the last first, until each class of those left is large enough."""
        keys = [one for one in self.plan.keys if one in self.domains]
        keys += [one for one in self.domains if one not in keys]
        while keys:
            classes = _class_of([self._grouped(domain)[0] for domain in keys], self.rows)
            if np.bincount(classes).min() >= self.plan.minimum:
                return
            del self.domains[keys.pop()]

    def _withheld(self, columns: list[Column]) -> tuple[list[Column], Risk]:
        """The answers among the keys withheld row by row, the last key first, until each class is large enough."""
        names = [column_name(one) for one in self.plan.keys]
        answers = sorted(
            (one for one in columns if one.name in names and not one.domain),
            key=lambda one: names.index(one.name),
        )
        fixed = [np.nan_to_num(one.values, nan=-99.0).astype(np.int64) for one in columns if one.domain]
        base = _class_of(fixed, self.rows)
        codes = [np.nan_to_num(one.values, nan=-99.0).astype(np.int64) for one in answers]
        level = np.zeros(self.rows, dtype=np.int64)
        state = -(list(STATES).index(WITHHELD) + 1)

        def current() -> list[NDArray[np.int64]]:
            return [
                np.where(level >= len(codes) - place, state, values) for place, values in enumerate(codes)
            ]

        while True:
            classes = _class_of([base, *current()], self.rows)
            size = np.bincount(classes)[classes]
            small = size < self.plan.minimum
            if not codes or not small.any():
                break
            level[small & (level < len(codes))] += 1
            # Where all is withheld and still too few are, others of the same breakdowns join them.
            for one in np.unique(base[small & (level == len(codes))]):
                alone = np.flatnonzero((base == one) & (level == len(codes)))
                others = np.flatnonzero((base == one) & (level < len(codes)))
                level[others[: max(0, self.plan.minimum - alone.size)]] = len(codes)
        told = dict(zip((one.name for one in answers), current(), strict=True))
        withheld = {name: int((values == state).sum()) for name, values in told.items()}
        columns = [
            Column(**{**one.__dict__, "values": np.where(told[one.name] == state, float(state), one.values)})
            if one.name in told
            else one
            for one in columns
        ]
        people = np.bincount(classes, self.weight)[classes]
        chance = np.minimum(size / people, 1.0)
        risk = chance / np.maximum(size - (1.0 - chance), 1e-9)
        return columns, Risk(
            keys=(*(one.name for one in columns if one.domain), *told),
            minimum=self.plan.minimum,
            smallest=int(size.min()),
            classes=int(classes.max()) + 1,
            rows=self.rows,
            highest=float(f"{min(1.0, risk.max()):.6g}"),
            expected=float(f"{risk.sum():.6g}"),
            withheld=withheld,
        )

    # ── what it reproduces ──

    def _reproduced(self, table: Table) -> tuple[tuple[Cell, float], ...]:
        """Every figure shown that the file gives again, with its standard error by the replicates."""
        by_domain = {one.domain: one for one in table.columns if one.domain}
        by_indicator = {one.indicator: one for one in table.columns if one.indicator}
        found = []
        for cell in self.release.cells:
            if cell.status != "show" or cell.indicator not in by_indicator:
                continue
            value = by_indicator[cell.indicator].values
            here = ~np.isnan(value)
            if cell.domain:
                column = by_domain.get(cell.domain)
                if column is None or cell.category not in column.categories:
                    continue
                here &= column.values == column.categories[cell.category]
            weights = table.replicates[here]
            shares = value[here] @ weights / weights.sum(axis=0)
            whole = float(value[here] @ table.weight[here] / table.weight[here].sum())
            found.append((cell, float(f"{np.sqrt(((shares - whole) ** 2) @ table.rscales):.12g}")))
        return tuple(found)


def _class_of(keys: Sequence[NDArray[np.int64]], rows: int) -> NDArray[np.int64]:
    """One number for each combination that occurs."""
    if not keys:
        return np.zeros(rows, dtype=np.int64)
    return np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)[1].reshape(-1)


def _spanned(known: Sequence[Floats], wanted: Sequence[Floats]) -> list[bool]:
    """Which of the wanted vectors are combinations of known ones."""
    matrix = np.stack([one for one in known if one.any()] or [np.zeros(IMAGE)], axis=1)
    matrix = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    targets = np.stack(wanted, axis=1)
    basis, triangle, _ = qr(matrix, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    basis = basis[:, size > 1e-10 * size[0]]
    left = targets - basis @ (basis.T @ targets)
    size = np.linalg.norm(targets, axis=0)
    return [
        bool(rest <= 1e-7 * whole) and whole > 0
        for rest, whole in zip(np.linalg.norm(left, axis=0), size, strict=True)
    ]


def _distinct(cells: Iterable[Cell]) -> list[Cell]:
    return list({(one.indicator, one.domain, one.category): one for one in cells}.values())


def _joined(of: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    sizes = Counter(of.values())
    return tuple(
        tuple(one for one, group in of.items() if group == first) for first, size in sizes.items() if size > 1
    )


def _significant(values: Floats, digits: int) -> Floats:
    """Rounded to so many significant digits, as they are written."""
    with np.errstate(divide="ignore"):
        scale = 10.0 ** (
            digits - 1 - np.floor(np.log10(np.abs(values), where=values != 0, out=np.zeros_like(values)))
        )
    return np.round(values * scale) / scale
