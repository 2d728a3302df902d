"""All figures of one release: estimated from the weighted sample, judged by the rules, audited together.

Truth is what a synthetic population holds, for the demonstration only: indicator → "" (whole) or "domain=category".
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.columns import encode
from analysis.disclosure import DisclosureError, Figure, differing, folded, protect
from analysis.estimates import Estimate
from analysis.indicators import Domain, Indicator, SmallArea
from analysis.outcomes import Outcomes as OutcomeCounts
from analysis.outcomes import r_indicator, rates
from analysis.release import Presentation, beside, confidential, nchs, statcan
from analysis.targets import verdict
from survey import __version__
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.folder import Folder
from survey.frozen import Manifest
from survey.problems import Text
from survey.publication.measuring import Measured, NotReleased
from survey.publication.modelled import Auxiliaries, People, modelled
from survey.publication.results import (
    Cell,
    Contrast,
    Decision,
    Drawing,
    Model,
    Modelled,
    Outcomes,
    Release,
    Verdict,
)
from survey.publication.weighting import OPEN, Weighted, answered, category_of, openness, tables

Truth = Mapping[str, Mapping[str, float]]
Place = tuple[str, str, str]
"""Indicator, domain and category; "mode" is the domain of a contrast."""
AUDITED = 2048  # entries of the image of more units than this, in the audit


@dataclass(frozen=True)
class Earlier:
    """A release before this one of the same survey. `measured`: the sample by the plan of that release, when it rests on the
    same frozen files: then every figure it told is known to the reader of this one."""

    release: Release
    measured: Measured | None = None

    def told(self) -> dict[Place, Cell | Contrast]:
        """Every figure that it shows, by its place."""
        found: dict[Place, Cell | Contrast] = {}
        for cell in self.release.cells:
            if cell.status == "show":
                found[cell.indicator, cell.domain, cell.category] = cell
        for one in self.release.contrasts:
            if one.status == "show":
                found[one.indicator, "mode", one.mode] = one
        return found


@dataclass(frozen=True)
class _Draft:
    """A figure before the release rules: where it stands, its estimate, and what the audit needs of it.

    having, whole: weighted sums of those who have it and of the denominator; contribution and base the same by unit,
    folded where there are many. `weighting` keeps apart what is weighted in different ways.
    """

    indicator: Indicator
    domain: str
    category: str
    estimate: Estimate
    respondents: float
    unknown: float
    having: float
    whole: float
    contribution: NDArray[np.float64]
    base: NDArray[np.float64]
    mode: str = ""
    open: Mapping[str, float] = field(
        default_factory=dict
    )  # the parts of `unknown`, by what leaves units undecided
    weighting: str = "weighted"
    everybody: bool = False  # the whole territory, or a breakdown with one category that holds all of it


class _Answers(NamedTuple):
    """Of every unit: is it in the denominator with a weight, does it have it (0 where undecided), its weight; is it in the
    universe with a weight, and undecided there (also where those are left out of the figure)."""

    members: NDArray[np.bool_]
    has: NDArray[np.float64]
    weight: NDArray[np.float64]
    universe: NDArray[np.bool_]
    undecided: NDArray[np.bool_]


class _Sums:
    """Sums by category of one domain, and images of the units for the audit."""

    def __init__(self, n: int, codes: NDArray[np.int64], categories: int, where: _Folding) -> None:
        self.codes, self.categories, self.where = codes, categories, where
        self.there = codes >= 0
        self.n = n

    def of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.codes[self.there], values[self.there], self.categories)

    def images(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(categories, entries): the image of each category's units."""
        size = self.where.entries
        place = self.codes[self.there] * size + self.where.bucket[self.there]
        image = folded(values[self.there], place, self.where.sign[self.there], self.categories * size)
        return image.reshape(self.categories, size)


class _Sets:
    """The units of each figure of one table, as the number of the figure (-1: in none), and which draft each figure is."""

    def __init__(
        self, family: str, codes: NDArray[np.int64], figures: int, drafts: tuple[int | None, ...]
    ) -> None:
        self.family, self.codes, self.drafts = family, codes, drafts
        self.counts = np.bincount(codes[codes >= 0], minlength=figures)
        self.key = hashlib.blake2b(codes.tobytes(), digest_size=16).digest()

    def overlap(self, other: _Sets) -> NDArray[np.int64]:
        """Units that each figure has in common with each of the other table."""
        size = len(other.counts)
        both = (self.codes >= 0) & (other.codes >= 0)
        found = np.bincount(self.codes[both] * size + other.codes[both], minlength=len(self.counts) * size)
        return found.reshape(len(self.counts), size)


class _Folding:
    """Where each unit goes in the image: itself when there are few units, else a random entry with a random sign."""

    def __init__(self, n: int) -> None:
        self.entries = min(n, AUDITED)
        if n <= AUDITED:
            self.bucket, self.sign = np.arange(n), np.ones(n)
        else:
            random = np.random.default_rng(n)
            self.bucket, self.sign = random.integers(0, AUDITED, n), random.choice([-1.0, 1.0], n)


def figures(
    folder: Folder,
    manifest: Manifest,
    measured: Measured,
    weighted: Weighted,
    truth: Truth,
    before: Sequence[Earlier] = (),
    auxiliaries: Mapping[tuple[str, str], Auxiliaries] | None = None,
) -> Release:
    """The release of a weighted sample. Raises NotReleased when a confidential figure cannot be kept so.

    auxiliaries: of the small area models of the plan, by indicator and domain. `before`: all releases of the same survey
    before this one; nothing may follow from it and them side by side.
    """
    return _Estimation(folder, measured, weighted, before).release(manifest, truth, auxiliaries or {})


def hashes(manifest: Manifest) -> dict[str, str]:
    """Name of each frozen file → its SHA-256: what makes a sample known again."""
    return {name: file.sha256 for name, file in manifest.files.items()}


class _Estimation:
    """All figures of one release: estimated, judged by the rules, audited together."""

    def __init__(
        self,
        folder: Folder,
        measured: Measured,
        weighted: Weighted,
        before: Sequence[Earlier],
    ) -> None:
        self.before = before
        self.told = [(one.told(), one.measured is not None) for one in before]
        self.folder, self.plan = folder, folder.analysis
        self.measured, self.weighted = measured, weighted
        self.rules = self.plan.release
        known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
        self.area_names: dict[str, Text] = {
            code: dict.fromkeys(("vi", "en"), area.name) for code, area in known.items()
        }
        self.asked = {target.indicator for target in self.plan.targets if target.means}
        self._foldings: dict[int, _Folding] = {}
        self._coded: dict[int, tuple[NDArray[Any], NDArray[np.int64], tuple[Any, ...]]] = {}
        self.names = {domain.id: self._names(domain) for domain in self.plan.domains}

    def release(
        self, manifest: Manifest, truth: Truth, auxiliaries: Mapping[tuple[str, str], Auxiliaries]
    ) -> Release:
        self.found = {
            domain: tables(
                self.weighted,
                [one for one in self.plan.indicators if not domain or self._applies(one, domain)],
                domain,
            )
            for domain in ("", *self.names)
        }
        drafts = [draft for indicator in self.plan.indicators for draft in self._drafts(indicator)]
        contrasts = [draft for indicator in self.plan.indicators for draft in self._contrasts(indicator)]
        decided = self._judge([*drafts, *contrasts])
        cells = tuple(
            self._cell(draft, one) for draft, one in zip(drafts, decided[: len(drafts)], strict=True)
        )
        shown = {(cell.indicator, cell.domain, cell.category) for cell in cells}
        empty = tuple(
            Cell(indicator=indicator.id, domain=domain, category=category, status="F", reasons=("empty",))
            for indicator in self.plan.indicators
            for domain in self.names
            if self._applies(indicator, domain) and set(self.names[domain]) & set(self.area_names)
            for category in self.names[domain]
            if (indicator.id, domain, category) not in shown
        )
        plan, households = self.folder.plan, self.measured.households
        models = [self._modelled(one, drafts, cells, auxiliaries) for one in self.plan.small_areas]
        return Release(
            survey=plan.id,
            title=plan.title,
            organiser=plan.organiser,
            territory=plan.territory.name,
            reference=plan.dates.reference,
            fieldwork=(plan.dates.web_opens, plan.dates.closes),
            synthetic=manifest.synthetic,
            frozen=hashes(manifest),
            folder=self.folder.hash,
            questionnaire_version=manifest.questionnaire_version,
            software=f"survey {__version__}",
            plan=self.plan,
            design={
                "strata": len(set(households["stratum"])),
                "psus": len(set(households["psu"])),
                "households": len(households["case"]),
                "communes": len(set(households["commune"])),
            },
            drawing=_drawing(self.folder),
            names=self.names,
            regions={row["code"]: row["group"] for row in self.folder.areas if row.get("group")},
            cells=self._ordered(cells + empty),
            contrasts=tuple(
                self._contrast(draft, one)
                for draft, one in zip(contrasts, decided[len(drafts) :], strict=True)
            ),
            decisions=self._decisions(drafts, cells),
            weighting=tuple(
                msgspec.structs.replace(
                    step,
                    **{
                        name: _rounded(getattr(step, name))
                        for name in ("sum", "cv", "kish", "smallest", "largest")
                    },
                )
                for step in self.weighted.steps
            ),
            outcomes=self._outcomes(),
            modelled=tuple(one for found, _ in models for one in found),
            models=tuple(report for _, report in models if report),
            truth={indicator: dict(shares_) for indicator, shares_ in truth.items()},
        )

    def _modelled(
        self,
        asked: SmallArea,
        drafts: Sequence[_Draft],
        cells: Sequence[Cell],
        auxiliaries: Mapping[tuple[str, str], Auxiliaries],
    ) -> tuple[tuple[Modelled, ...], Model | None]:
        """Modelled shares of the places of a domain that may not be shown directly."""
        here = [draft for draft in drafts if draft.indicator.id == asked.indicator]
        whole = next((draft.estimate for draft in here if draft.domain == ""), None)
        if whole is None or not 0.0 < whole.value < 1.0 or asked.domain not in self.names:
            return (), None
        return modelled(
            asked,
            {draft.category: draft.estimate for draft in here if draft.domain == asked.domain},
            [
                cell.category
                for cell in cells
                if (cell.indicator, cell.domain, cell.status) == (asked.indicator, asked.domain, "show")
            ],
            whole,
            list(self.names[asked.domain]),
            auxiliaries.get((asked.indicator, asked.domain)),
            self.rules,
            self._people(asked) if asked.census else None,
        )

    def _people(self, asked: SmallArea) -> People:
        """The people (or households) asked about an indicator, one by one, for the model of single people."""
        indicator = next(one for one in self.plan.indicators if one.id == asked.indicator)
        arrays = self._arrays(indicator)
        members, has, weight, _, _ = self._answers(indicator)
        groups = [arrays[category_of(name)][members] for name in asked.by]
        return People(
            [str(one) for one in arrays[category_of(asked.domain)][members]],
            [tuple(map(str, one)) for one in zip(*groups, strict=True)],
            has[members],
            weight[members],
        )

    # ── drafts ──

    def _applies(self, indicator: Indicator, domain: str) -> bool:
        unit = next(one.unit for one in self.plan.domains if one.id == domain)
        return unit in (indicator.unit, "both")

    def _arrays(self, indicator: Indicator, measured: Measured | None = None) -> dict[str, NDArray[Any]]:
        measured = measured or self.measured
        return measured.persons if indicator.unit == "person" else measured.households

    def _answers(self, indicator: Indicator, measured: Measured | None = None) -> _Answers:
        """Who counts for an indicator and how, with a weight or without (`members` have one)."""
        arrays, weight = self._arrays(indicator, measured), self.weighted.design(indicator.unit).weight
        found = answered(arrays.__getitem__, indicator)
        there = weight > 0
        return _Answers(
            found.members & there, found.has, weight, found.universe & there, found.undecided & there
        )

    def _drafts(self, indicator: Indicator) -> list[_Draft]:
        """The whole territory first, then every domain with its categories in the order of print."""
        arrays = self._arrays(indicator)
        members, has, weight, universe, undecided = self._answers(indicator)
        has_weight, in_weight = weight * has * members, weight * members
        drafts = []
        for domain in ["", *(one.id for one in self.plan.domains if self._applies(indicator, one.id))]:
            found = self.found[domain][indicator.id]
            order = [name for name in (self.names[domain] if domain else [""]) if name in found]
            sums = self._sums(arrays[category_of(domain)] if domain else None, order, len(has))
            respondents = sums.of(has * members)
            unknown, whole = sums.of(weight * undecided), sums.of(weight * universe)
            having, base = sums.of(has_weight), sums.of(in_weight)
            contributions, bases = sums.images(has_weight), sums.images(in_weight)
            drafts += [
                _Draft(
                    indicator=indicator,
                    domain=domain,
                    category=category,
                    estimate=found[category],
                    respondents=float(respondents[place]),
                    unknown=float(unknown[place] / whole[place]),
                    open=self._open(indicator, weight, universe) if not domain else {},
                    having=float(having[place]),
                    whole=float(base[place]),
                    contribution=contributions[place],
                    base=bases[place],
                    everybody=found[category].n == self.found[""][indicator.id][""].n,
                )
                for place, category in enumerate(order)
            ]
        return drafts

    def _open(
        self, indicator: Indicator, weight: NDArray[np.float64], universe: NDArray[np.bool_]
    ) -> dict[str, float]:
        """The share of the universe that is undecided, by what leaves it so."""
        why = self._arrays(indicator)[openness(indicator.id)][universe]
        weights = weight[universe]
        return {
            name: float(weights[why == place].sum() / weights.sum()) for place, name in enumerate(OPEN, 1)
        }

    def _sums(self, categories: NDArray[Any] | None, order: Sequence[str], n: int) -> _Sums:
        """Units by their place in `order`; -1 for those of no category in it."""
        if n not in self._foldings:
            self._foldings[n] = _Folding(n)
        if categories is None:
            codes = np.zeros(n, dtype=np.int64)
        else:
            # A breakdown is asked for by every indicator: its labels are told apart once.
            if id(categories) not in self._coded:
                self._coded[id(categories)] = categories, *encode(categories, ordered=False)
            _, found, labels = self._coded[id(categories)]
            place = {name: number for number, name in enumerate(order)}
            codes = np.array([*(place.get(label, -1) for label in labels), -1], dtype=np.int64)[found]
        return _Sums(n, codes, len(order), self._foldings[n])

    def _contrasts(self, indicator: Indicator) -> list[_Draft]:
        """What the answers say unweighted, and those of one mode alone with their weights: a warning, no estimates."""
        arrays = self._arrays(indicator)
        members, has, weight, _, _ = self._answers(indicator)
        modes = sorted(set(arrays["mode"][members]), key=("self", "visit", "phone", "proxy", "paper").index)
        drafts = []
        for mode in ["", *modes]:
            here = members & (arrays["mode"] == mode) if mode else members
            if not here.any():
                continue
            counts = np.where(here, weight if mode else 1.0, 0.0)
            sums = self._sums(None, [""], len(has))
            having, whole = float((has * counts).sum()), float(counts.sum())
            plain = Estimate(
                statistic="share",
                kind="proportion",
                value=having / whole,
                se=0.0,
                df=float("nan"),
                n=int(here.sum()),
            )
            drafts.append(
                _Draft(
                    indicator=indicator,
                    domain="mode",
                    category=mode,
                    estimate=plain,
                    respondents=float((has * here).sum()),
                    unknown=0.0,
                    having=having,
                    whole=whole,
                    contribution=sums.images(has * counts)[0],
                    base=sums.images(counts)[0],
                    mode=mode,
                    weighting="weighted" if mode else "unweighted",
                )
            )
        return drafts

    # ── rules ──

    def _judge(self, drafts: Sequence[_Draft]) -> list[Presentation]:
        """Quality and confidentiality of each figure, then the audit of all figures of one unit together."""
        first = [self._first(draft) for draft in drafts]
        self._differences(drafts, first)
        decided = list(first)
        # What the resolution itself asks for stays; other figures of the whole territory may have to give way, as
        # "15 and over" does when it and "everybody" would give away how few children hold an account.
        for unit in ("household", "person"):
            places = [place for place, draft in enumerate(drafts) if draft.indicator.unit == unit]
            figures = [
                Figure(
                    table=(drafts[place].indicator.id, drafts[place].domain),
                    category=drafts[place].category,
                    presentation=first[place],
                    respondents=drafts[place].respondents,
                    asked=drafts[place].estimate.n,
                    size=drafts[place].having,
                    whole=drafts[place].whole,
                    contribution=drafts[place].contribution,
                    base=drafts[place].base,
                    family=_family(drafts[place]),
                    # What an earlier release of the same sample has told cannot be taken back to hide another.
                    protected=self._protected(drafts[place]),
                )
                for place in places
            ]
            figures += [one for earlier in self.before for one in self._known(earlier, unit)]
            try:
                audited = protect(figures, self.rules.minimum_cell)
            except DisclosureError as error:
                raise NotReleased(
                    {
                        "vi": f"Không thể công bố mà không để lộ con số phải giữ bí mật: {error}. "
                        "Hãy gộp bớt nhóm trong analysis.yaml.",
                        "en": f"Publishing would reveal a confidential figure: {error}. "
                        "Merge categories in analysis.yaml.",
                    }
                ) from error
            for place, one in zip(places, audited, strict=False):
                decided[place] = one
        return decided

    def _protected(self, draft: _Draft) -> bool:
        """The figures that the resolution asks for, and what an earlier release of this sample has told already."""
        return (draft.everybody and draft.indicator.id in self.asked) or any(
            same for _, same in self._told_before(draft)
        )

    def _differences(self, drafts: Sequence[_Draft], first: list[Presentation]) -> None:
        """Hold back, in place, what lies within another figure shown but for fewer respondents than the minimum.

        Two breakdowns by nearly the same line (places before and after a merger, bands of age) are told apart by so few
        people that their difference speaks of them. Figures of one numerator are compared, in this release and with
        what earlier ones of the same sample have told.
        """
        families: dict[str, list[_Sets]] = {}
        for sets in self._sets(drafts):
            families.setdefault(sets.family, []).append(sets)
        overlaps: dict[tuple[bytes, bytes], NDArray[np.int64]] = {}
        for members in families.values():
            for one, other in combinations(members, 2):
                key = one.key, other.key
                if key not in overlaps:
                    overlaps[key] = one.overlap(other)
                for inner, outer, overlap in ((one, other, overlaps[key]), (other, one, overlaps[key].T)):
                    few = outer.counts[None, :] - inner.counts[:, None]
                    nested = (overlap == inner.counts[:, None]) & (inner.counts[:, None] > 0)
                    nested &= (few > 0) & (few < self.rules.minimum_cell)
                    for row, column in zip(*np.nonzero(nested), strict=True):
                        self._hold_one(drafts, first, inner.drafts[row], outer.drafts[column])

    def _hold_one(
        self, drafts: Sequence[_Draft], first: list[Presentation], inner: int | None, outer: int | None
    ) -> None:
        """Of two figures whose difference tells too much, hold back the one in a table that is held back in part already,
        else the one that the plan names later. None: told by an earlier release."""
        here = [place for place in (inner, outer) if place is not None]
        if not here or not all(first[place].shown for place in here):
            return
        free = [place for place in here if not self._protected(drafts[place])]
        if not free:
            names = " / ".join(" ".join(_place(drafts[place])).strip() for place in here)
            minimum = self.rules.minimum_cell
            raise NotReleased(
                {
                    "vi": f"Hiệu của con số này với một con số khác chỉ nói về dưới {minimum} người trả lời, mà cả hai đều phải "
                    f"công bố: {names}. Hãy gộp bớt nhóm trong analysis.yaml.",
                    "en": f"The difference between this figure and another tells of fewer than {minimum} respondents, and both have "
                    f"to be published: {names}. Merge categories in analysis.yaml.",
                }
            )
        broken = {_place(drafts[place])[:2] for place, one in enumerate(first) if one.status == "x"}
        given = min(free, key=lambda place: (_place(drafts[place])[:2] not in broken, -place))
        first[given] = replace(first[given], status="x", reasons=("difference",))

    def _sets(self, drafts: Sequence[_Draft]) -> Iterator[_Sets]:
        """Who is in which figure, table by table: of this release, and of earlier ones of the same sample."""
        tables: dict[tuple[str, str], list[int]] = {}
        for place, draft in enumerate(drafts):
            if draft.domain != "mode":
                tables.setdefault((draft.indicator.id, draft.domain), []).append(place)
        for (_, domain), places in tables.items():
            indicator, order = drafts[places[0]].indicator, [drafts[place].category for place in places]
            yield self._sets_of(indicator, domain, order, None, tuple(places))
        for earlier in self.before:
            if earlier.measured is None:
                continue
            told: dict[tuple[str, str], list[str]] = {}
            for id, domain, category in earlier.told():
                if domain != "mode":
                    told.setdefault((id, domain), []).append(category)
            for (id, domain), order in told.items():
                indicator = earlier.release.indicator(id)
                yield self._sets_of(indicator, domain, order, earlier.measured, (None,) * len(order))

    def _sets_of(
        self,
        indicator: Indicator,
        domain: str,
        order: Sequence[str],
        measured: Measured | None,
        drafts: tuple[int | None, ...],
    ) -> _Sets:
        members = self._answers(indicator, measured).members
        categories = self._arrays(indicator, measured)[category_of(domain)] if domain else None
        codes = np.where(members, self._sums(categories, order, len(members)).codes, -1)
        return _Sets(_family_of(indicator, "weighted"), codes, len(order), drafts)

    def _known(self, earlier: Earlier, unit: str) -> Iterator[Figure]:
        """What an earlier release of the same sample has told, as figures of this audit: also what this plan has no more.

        Its weights may have been others; the audit takes the reader to know the figure at the weights of today.
        """
        measured, told = earlier.measured, earlier.told()
        if measured is None:
            return
        for indicator in earlier.release.plan.indicators:
            if indicator.unit != unit:
                continue
            arrays = self._arrays(indicator, measured)
            members, has, weight, _, _ = self._answers(indicator, measured)
            by_domain: dict[str, list[str]] = {}
            for id, domain, category in told:
                if id == indicator.id:
                    by_domain.setdefault(domain, []).append(category)
            for domain, order in by_domain.items():
                for category in order:
                    here, counts = members, weight
                    if domain == "mode":
                        here = members & (arrays["mode"] == category) if category else members
                        counts = weight if category else np.ones(len(has))
                    elif domain:
                        here = members & (arrays[category_of(domain)] == category)
                    sums = self._sums(None, [""], len(has))
                    yield Figure(
                        table=(f"release {earlier.release.number}", indicator.id, domain),
                        category=category,
                        presentation=Presentation(status="show"),
                        respondents=float((has * here).sum()),
                        asked=float(here.sum()),
                        size=float((has * here * counts).sum()),
                        whole=float((here * counts).sum()),
                        contribution=sums.images(has * here * counts)[0],
                        base=sums.images(here * counts)[0],
                        family=_family_of(
                            indicator, "unweighted" if (domain, category) == ("mode", "") else "weighted"
                        ),
                        protected=True,
                    )

    def _first(self, draft: _Draft) -> Presentation:
        one, rules = draft.estimate, self.rules
        quality = Presentation(status="show")
        if rules.quality != "none" and draft.domain != "mode":
            judge = {"nchs": nchs, "statcan": statcan}[rules.quality]
            quality = judge(one.value, one.se, one.n, one.df, level=rules.level)
        if rules.flags == "statcan" and draft.domain != "mode":
            quality = beside(quality, one.value, one.se)
        decided = confidential(quality, draft.respondents, one.n, rules.minimum_cell)
        if decided.shown and any(
            not same and self._gives_away(draft, cell) for cell, same in self._told_before(draft)
        ):
            if draft.everybody and draft.indicator.id in self.asked:
                raise NotReleased(
                    {
                        "vi": f"So với một lần công bố trước, {draft.indicator.id} chỉ thêm hoặc bớt dưới {rules.minimum_cell} người "
                        "trả lời; đặt hai lần cạnh nhau sẽ lộ câu trả lời của họ. Hãy công bố lại từ mẫu đã đóng băng lần "
                        "trước, hoặc đợi đến khi số người thêm, bớt đủ nhiều.",
                        "en": f"Since an earlier release, fewer than {rules.minimum_cell} respondents came to or left {draft.indicator.id}; "
                        "the two side by side would tell what they said. Publish again from the sample frozen then, or wait "
                        "until enough have come or gone.",
                    }
                )
            return replace(decided, status="x", reasons=("earlier",))
        return decided

    def _gives_away(self, draft: _Draft, before: Cell | Contrast) -> bool:
        """Would this figure beside that of a release of another sample tell of the few who came or went?

        An unweighted share tells by itself how many have it: there both sides of those who came or went are counted.
        """
        minimum, n, told = self.rules.minimum_cell, draft.estimate.n, before.n or 0
        if draft.weighting != "unweighted":
            return differing(n, told, minimum)
        had = round((before.value or 0.0) * told)
        came, came_without = abs(draft.respondents - had), abs((n - draft.respondents) - (told - had))
        return (came, came_without) != (0.0, 0.0) and min(came, came_without) < minimum

    def _told_before(self, draft: _Draft) -> list[tuple[Cell | Contrast, bool]]:
        """What earlier releases have told at this place, and whether they rest on the same sample."""
        place = _place(draft)
        return [(told[place], same) for told, same in self.told if place in told]

    # ── what is published ──

    def _cell(self, draft: _Draft, decided: Presentation) -> Cell:
        place = Cell(indicator=draft.indicator.id, domain=draft.domain, category=draft.category)
        if not decided.shown:
            return msgspec.structs.replace(place, status=decided.status, reasons=_told(decided))
        one = draft.estimate
        limits = one.interval(self.rules.interval, self.rules.level)
        return msgspec.structs.replace(
            place,
            flags=decided.flags,
            value=_rounded(one.value),
            se=_rounded(one.se),
            lower=_rounded(limits.lower),
            upper=_rounded(limits.upper),
            kg_lower=_known(decided.lower),
            kg_upper=_known(decided.upper),
            n=one.n,
            effective_n=_known(decided.effective_sample),
            df=one.df,
            deff=_known(one.deff_replace),
            unknown=_rounded(draft.unknown),
            dont_know=_part(draft.open.get("dont_know")),
            refused=_part(draft.open.get("refused")),
            having=_rounded(draft.having),
            total=_rounded(one.population),
        )

    def _contrast(self, draft: _Draft, decided: Presentation) -> Contrast:
        if not decided.shown:
            return Contrast(
                indicator=draft.indicator.id,
                mode=draft.mode,
                status=decided.status,
                reasons=_told(decided),
            )
        return Contrast(
            indicator=draft.indicator.id,
            mode=draft.mode,
            value=_rounded(draft.estimate.value),
            n=draft.estimate.n,
        )

    def _decisions(self, drafts: Sequence[_Draft], cells: Sequence[Cell]) -> tuple[Decision, ...]:
        """The verdict on each target whose figure may be shown."""
        whole = {
            draft.indicator.id: draft.estimate
            for draft, cell in zip(drafts, cells, strict=True)
            if draft.domain == "" and cell.status == "show"
        }
        decisions = []
        sharing = len(self.plan.targets) if self.plan.multiplicity == "bonferroni" else 1
        for target in self.plan.targets:
            if target.indicator not in whole:
                continue
            one = verdict(
                whole[target.indicator],
                target.threshold,
                target.comparison,
                self.plan.alpha_of(target),
                self.rules.interval,
            )
            decisions.append(
                Decision(
                    target=target.id,
                    indicator=target.indicator,
                    verdict=_VERDICTS[one.outcome],
                    threshold=target.threshold,
                    comparison=target.comparison,
                    alpha=_rounded(one.alpha),
                    sharing=sharing,
                    value=_rounded(one.estimate.value),
                    bound_low=_rounded(one.lower),
                    bound_high=_rounded(one.upper),
                    p_met=_rounded(one.p_met),
                    p_not_met=_rounded(one.p_not_met),
                    df=one.estimate.df,
                )
            )
        return tuple(decisions)

    def _outcomes(self) -> Outcomes:
        households = self.measured.households
        answered = households["respondent"] == 1.0
        drawn = (
            households["reserve"] != 1.0
        )  # what a reserve household says makes up for no household first drawn
        eligible = drawn & (households["category"] != "NE")
        category, base = households["category"][drawn], self.weighted.base[drawn]
        return Outcomes(
            complete=int(answered.sum()),
            counts=dict(sorted(Counter(households["disposition"]).items())),
            by_mode=dict(sorted(Counter(households["mode"][answered]).items())),
            rates=_rates(OutcomeCounts.of(category)),
            weighted_rates=_rates(OutcomeCounts.of(category, base)),
            persons=int((self.weighted.persons.weight > 0).sum()),
            representative=_rounded(
                r_indicator(answered[eligible], households["stratum"][eligible], self.weighted.base[eligible])
            ),
        )

    def _names(self, domain: Domain) -> dict[str, Text]:
        """Categories in order of print: as labelled, then as found; places by the name they had on the day."""
        column = category_of(domain.id)
        found = {
            str(category)
            for arrays in (self.measured.households, self.measured.persons)
            for category in set(arrays.get(column, ()))
            if category is not None
        }
        if not domain.labels and found and found <= set(self.area_names):
            return dict(sorted(self.area_names.items()))
        labels = {name: text for name, text in domain.labels.items() if name in found}
        return labels | {name: {"vi": name, "en": name} for name in sorted(found) if name not in labels}

    def _ordered(self, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        indicators = {one.id: place for place, one in enumerate(self.plan.indicators)}
        domains = {"": -1} | {name: place for place, name in enumerate(self.names)}
        categories = {
            (domain, name): place for domain, names in self.names.items() for place, name in enumerate(names)
        }
        return tuple(
            sorted(
                cells,
                key=lambda cell: (
                    indicators[cell.indicator],
                    domains[cell.domain],
                    categories.get((cell.domain, cell.category), 0),
                ),
            )
        )


def _drawing(folder: Folder) -> Drawing:
    sampling, questionnaire = folder.plan.sampling, folder.questionnaire
    return Drawing(
        allocation=sampling.allocation,
        reserve=sampling.reserve,
        modes=folder.plan.modes,
        people="drawn" if questionnaire.draws else "all" if questionnaire.rosters else "none",
    )


def _place(draft: _Draft) -> Place:
    return draft.indicator.id, draft.domain, draft.category


def _family(draft: _Draft) -> str:
    """Figures of one numerator: what adds up for their denominators adds up for them."""
    return _family_of(draft.indicator, draft.weighting)


def _family_of(one: Indicator, weighting: str) -> str:
    return f"{one.unit}, {weighting}, {' '.join(one.treatments.values())}: {' '.join(one.numerator.split())}"


_VERDICTS: dict[str, Verdict] = {"met": "met", "not met": "not_met", "not determined": "not_determined"}


def _rates(counts: OutcomeCounts) -> dict[str, float]:
    return {name: _rounded(value) for name, value in rates(counts).items() if value == value}


def _told(decided: Presentation) -> tuple[str, ...]:
    """The reasons that may be told. Of an x only that it is one: "few have it" would tell that nearly nobody does,
    and which x is there to cover another would tell a reader where to subtract."""
    return ("confidential",) if decided.status == "x" else decided.reasons


def _rounded(value: float) -> float:
    """Twelve significant digits: what the arithmetic is sure of on every machine."""
    return float(f"{value:.12g}")


def _part(share: float | None) -> float | None:
    """A share to the tenth of a per cent, as it is printed."""
    return None if share is None else round(share, 3)


def _known(value: float) -> float | None:
    return None if value != value else _rounded(value)
