"""All figures of one release: estimated from the weighted sample, judged by the rules, audited together.

Truth is what a synthetic population holds, for the demonstration only: indicator → "" (whole) or "domain=category".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from analysis.disclosure import DisclosureError, Figure, differing, folded, protect
from analysis.estimates import Estimate
from analysis.indicators import Domain, Indicator, SmallArea
from analysis.outcomes import Outcomes as OutcomeCounts
from analysis.outcomes import r_indicator, rates
from analysis.release import Presentation, confidential, nchs
from analysis.targets import verdict
from survey import __version__
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.folder import Folder
from survey.frozen import Manifest
from survey.problems import Text
from survey.publication.measuring import Measured, NotReleased
from survey.publication.modelled import Auxiliaries, modelled
from survey.publication.results import Cell, Contrast, Decision, Model, Modelled, Outcomes, Release, Verdict
from survey.publication.weighting import Weighted, category_of, having, inside, tables

Truth = Mapping[str, Mapping[str, float]]
AUDITED = 2048  # entries of the image of more units than this, in the audit


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
    weighting: str = "weighted"


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
    before: Release | None = None,
    auxiliaries: Mapping[tuple[str, str], Auxiliaries] | None = None,
) -> Release:
    """The release of a weighted sample. Raises NotReleased when a confidential figure cannot be kept so.

    auxiliaries: of the small area models of the plan, by indicator and domain. `before` is the release before this one of the same survey: nothing may follow from the two side by side.
    """
    same_sample = before is not None and before.frozen == _hashes(manifest)
    return _Estimation(folder, measured, weighted, before, same_sample).release(
        manifest, truth, auxiliaries or {}
    )


def _hashes(manifest: Manifest) -> dict[str, str]:
    return {name: file.sha256 for name, file in manifest.files.items()}


class _Estimation:
    """All figures of one release: estimated, judged by the rules, audited together."""

    def __init__(
        self,
        folder: Folder,
        measured: Measured,
        weighted: Weighted,
        before: Release | None,
        same_sample: bool,
    ) -> None:
        self.same_sample = same_sample
        self.before = {
            (cell.indicator, cell.domain, cell.category): cell
            for cell in (before.cells if before else ())
            if cell.status == "show"
        }
        self.folder, self.plan = folder, folder.analysis
        self.measured, self.weighted = measured, weighted
        self.rules = self.plan.release
        known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
        self.area_names: dict[str, Text] = {
            code: dict.fromkeys(("vi", "en"), area.name) for code, area in known.items()
        }
        self._foldings: dict[int, _Folding] = {}
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
            frozen=_hashes(manifest),
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
        )

    # ── drafts ──

    def _applies(self, indicator: Indicator, domain: str) -> bool:
        unit = next(one.unit for one in self.plan.domains if one.id == domain)
        return unit in (indicator.unit, "both")

    def _arrays(self, indicator: Indicator) -> dict[str, NDArray[Any]]:
        return self.measured.persons if indicator.unit == "person" else self.measured.households

    def _answers(
        self, indicator: Indicator
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
        """Of every unit: is it in the denominator, does it have it (0 or 1), is it undecided, what is its weight."""
        arrays, weight = self._arrays(indicator), self.weighted.design(indicator.unit).weight
        values = arrays[having(indicator.id)]
        undecided = np.isnan(values)
        members = (arrays[inside(indicator.id)] == 1.0) & (weight > 0)
        return members, np.where(undecided, 0.0, values), undecided & members, weight

    def _drafts(self, indicator: Indicator) -> list[_Draft]:
        """The whole territory first, then every domain with its categories in the order of print."""
        arrays = self._arrays(indicator)
        members, has, undecided, weight = self._answers(indicator)
        # The undecided share is of the universe, also where they are left out of the figure.
        universe = members
        if indicator.unknown == "exclude":
            members = members & ~undecided
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
                    having=float(having[place]),
                    whole=float(base[place]),
                    contribution=contributions[place],
                    base=bases[place],
                )
                for place, category in enumerate(order)
            ]
        return drafts

    def _sums(self, categories: NDArray[Any] | None, order: Sequence[str], n: int) -> _Sums:
        """Units by their place in `order`; -1 for those of no category in it."""
        if n not in self._foldings:
            self._foldings[n] = _Folding(n)
        if categories is None:
            codes = np.zeros(n, dtype=np.int64)
        else:
            place = {name: number for number, name in enumerate(order)}
            codes = np.fromiter((place.get(name, -1) for name in categories), np.int64, n)
        return _Sums(n, codes, len(order), self._foldings[n])

    def _contrasts(self, indicator: Indicator) -> list[_Draft]:
        """What the answers say unweighted, and those of one mode alone with their weights: a warning, no estimates."""
        arrays = self._arrays(indicator)
        members, has, undecided, weight = self._answers(indicator)
        if indicator.unknown == "exclude":
            members = members & ~undecided
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
        decided = list(first)
        # What the resolution itself asks for stays; other figures of the whole territory may have to give way, as
        # "15 and over" does when it and "everybody" would give away how few children hold an account.
        asked = {target.indicator for target in self.plan.targets if target.means}
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
                    protected=(drafts[place].domain == "" and drafts[place].indicator.id in asked)
                    or (self.same_sample and self._told_before(drafts[place]) is not None),
                )
                for place in places
            ]
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
            for place, one in zip(places, audited, strict=True):
                decided[place] = one
        return decided

    def _first(self, draft: _Draft) -> Presentation:
        one, rules = draft.estimate, self.rules
        quality = Presentation(status="show")
        if rules.quality == "nchs" and draft.domain != "mode":
            quality = nchs(one.value, one.se, one.n, one.df, level=rules.level)
        decided = confidential(quality, draft.respondents, one.n, rules.minimum_cell)
        before = self._told_before(draft)
        if (
            decided.shown
            and draft.domain
            and before is not None
            and differing(one.n, before.n or 0, rules.minimum_cell)
        ):
            return replace(decided, status="x", reasons=("earlier",))
        return decided

    def _told_before(self, draft: _Draft) -> Cell | None:
        """What the release before has told at this place."""
        if draft.domain == "mode":
            return None
        return self.before.get((draft.indicator.id, draft.domain, draft.category))

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
        for target in self.plan.targets:
            if target.indicator not in whole:
                continue
            one = verdict(
                whole[target.indicator],
                target.threshold,
                target.comparison,
                target.alpha,
                self.rules.interval,
            )
            decisions.append(
                Decision(
                    target=target.id,
                    indicator=target.indicator,
                    verdict=_VERDICTS[one.outcome],
                    threshold=target.threshold,
                    comparison=target.comparison,
                    alpha=target.alpha,
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


def _family(draft: _Draft) -> str:
    """Figures of one numerator: what adds up for their denominators adds up for them."""
    one = draft.indicator
    return f"{one.unit}, {draft.weighting}, {one.unknown}: {' '.join(one.numerator.split())}"


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


def _known(value: float) -> float | None:
    return None if value != value else _rounded(value)
