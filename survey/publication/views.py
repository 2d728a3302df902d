"""What the pages and the report receive: a release in one language, as sentences, charts and tables.

Everything is a function of the release. Charts collect their CSV files on the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from analysis.indicators import Indicator, Target
from survey.fieldwork.dispositions import DISPOSITIONS
from survey.publication.maps import Outlines, TileMap, tile_map
from survey.publication.results import Cell, Contrast, Decision, Margin, Model, Release, Series, Trend
from survey.publication.voice import Voice
from survey.spreadsheet import csv_bytes

MANY: Final = 12
"""A domain with more categories than this (communes) gets a page of its own instead of a chart on every page."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One row of a chart: a label and a figure, or a label and why there is none. Positions are percent of the axis.

    kind "estimate" is a dot on its interval; "contrast" an empty square without one (it estimates nothing).
    `strong` is the row the others are compared with.
    """

    label: str
    kind: str = "estimate"
    value: str = ""
    range: str = ""
    held: str = ""
    at: float | None = None
    lower: float | None = None
    upper: float | None = None
    truth: float | None = None
    truth_text: str = ""
    strong: bool = False
    cell: Cell | None = None
    contrast: Contrast | None = None
    letter: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart with all that belongs to it: marks, target line, alternative text, table columns and its CSV file."""

    id: str
    title: str
    marks: tuple[Mark, ...]
    alt: str
    csv: str
    target: float | None = None
    target_text: str = ""
    band: tuple[float, float] | None = None
    truths: bool = False
    contrasts: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One target answered: the sentence, the reasons in words, the figure as a chart of one row."""

    target: Target
    indicator: Indicator
    verdict: str
    sentence: str
    why: str
    best: str
    between: str
    truth: str
    decision: Decision | None
    chart: Chart


@dataclass(frozen=True, kw_only=True)
class Question:
    """A target as it is written, with every way of measuring it: first the one that the text calls for."""

    text: str
    instrument: str
    due: str
    answers: tuple[Answer, ...]

    @property
    def main(self) -> Answer:
        return self.answers[0]


@dataclass(frozen=True, kw_only=True)
class OverTime:
    """An indicator round by round: a sentence on each earlier round, a chart of the whole territory, and what changed in
    which place (place, day, then, now, change with its interval, p-value)."""

    sentences: tuple[str, ...]
    chart: Chart
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One indicator: its definition and a chart for each short domain; long domains by how many can be shown."""

    indicator: Indicator
    whole: Mark
    target: float | None
    verdict: str
    charts: tuple[Chart, ...]
    modes: Chart | None
    unknown: str
    counted: str
    ages: str = ""
    valid: str = ""
    series: tuple[Series, ...] = ()
    over_time: OverTime | None = None


@dataclass(frozen=True, kw_only=True)
class AreaPage:
    """A long domain (communes) for the indicators of the targets: what can be published directly, what a model says of
    the others, and what cannot be said."""

    id: str
    name: str
    shown: int
    all: int
    charts: tuple[Chart, ...]
    held: tuple[tuple[str, str], ...]
    maps: tuple[TileMap, ...] = ()
    models: tuple[Model, ...] = ()


# ── from the release to the views ────────────────────────────────────────────────────────────────────────────


class View:
    """One release in one language: builds what the templates receive, and collects the CSV files on the way."""

    def __init__(self, release: Release, language: str, drawn: Outlines | None = None) -> None:
        self.release, self.drawn = release, drawn
        self.voice = Voice(language)
        self.tables: dict[str, bytes] = {}

    def questions(self) -> tuple[Question, ...]:
        """Each target with the other ways of measuring it, which follow it in the plan (`means: false`)."""
        groups: list[list[Target]] = []
        for target in self.release.plan.targets:
            if target.means or not groups:
                groups.append([])
            groups[-1].append(target)
        found = []
        for targets in groups:
            first = targets[0]
            found.append(
                Question(
                    text=self.voice.text(first.text),
                    instrument=first.instrument,
                    due=self.voice.date(first.due),
                    answers=tuple(self.answer(target) for target in targets),
                )
            )
        return tuple(found)

    def answer(self, target: Target) -> Answer:
        voice, release = self.voice, self.release
        indicator = release.indicator(target.indicator)
        cell = release.cell(target.indicator)
        decision = next((one for one in release.decisions if one.target == target.id), None)
        name = voice.inside(voice.text(indicator.name))
        threshold = voice.threshold(target.threshold)
        chart = self.chart(
            f"target-{target.id}",
            voice.text(indicator.name),
            [self.mark(cell, strong=True)],
            target.threshold,
        )
        if decision is None or cell.value is None or cell.lower is None or cell.upper is None:
            sentence, why, best, between, verdict = voice.word("verdict.held_back"), "", "", "", "held"
        else:
            verdict = decision.verdict
            sentence = voice.word(
                f"verdict.sentence.{verdict}.{decision.comparison}", name=name, threshold=threshold
            )
            why = voice.word(
                f"verdict.why.{verdict}",
                confidence=voice.threshold(1 - decision.alpha),
                threshold=threshold,
                low=voice.percent(decision.bound_low),
                high=voice.percent(decision.bound_high),
            )
            best = voice.word("front.best", value=voice.percent(cell.value))
            between = voice.word(
                "front.between", lower=voice.percent(cell.lower), upper=voice.percent(cell.upper)
            )
        truth = release.true_share(target.indicator)
        told = ""
        if truth is not None and cell.lower is not None and cell.upper is not None:
            holds = voice.word("front.holds" if cell.lower <= truth <= cell.upper else "front.misses")
            told = voice.word("front.truth", truth=voice.percent(truth), holds=holds)
        return Answer(
            target=target,
            indicator=indicator,
            verdict=verdict,
            sentence=sentence,
            why=why,
            best=best,
            between=between,
            truth=told,
            decision=decision,
            chart=chart,
        )

    def topics(self) -> tuple[Topic, ...]:
        return tuple(self.topic(indicator) for indicator in self.release.plan.indicators)

    def _undecided(self, indicator: Indicator, whole: Cell) -> str:
        """What those count as whose answers cannot decide, and how many they are: "don't know", refusals and others apart."""
        if whole.unknown is None:
            return ""
        known = {"dont_know": whole.dont_know or 0.0, "refused": whole.refused or 0.0}
        shares = {**known, "other": max(whole.unknown - sum(known.values()), 0.0)}
        return " ".join(
            self.voice.word(
                f"indicator.open_{why}",
                treatment=self.voice.word(f"indicator.treated_{treatment}"),
                share=self.voice.percent(shares[why], 1),
            )
            for why, treatment in indicator.treatments.items()
            if why != "other" or shares[why] >= 0.0005
        )

    def topic(self, indicator: Indicator) -> Topic:
        voice, release = self.voice, self.release
        whole = release.cell(indicator.id)
        decision = release.decision(indicator.id)
        threshold = self.threshold(indicator.id)
        charts = [
            self.chart(
                f"{indicator.id}-{domain}",
                voice.word("chart.by", name=voice.text(indicator.name), domain=self.domain_name(domain)),
                [self.mark(whole, strong=True)]
                + [self.mark(cell) for cell in release.table(indicator.id, domain)],
                threshold,
            )
            for domain in self.domains(indicator, long=False)
        ]
        counted = ""
        if whole.having is not None:
            plural = "people" if indicator.unit == "person" else "households"
            # Rounded to the thousand: the last digits of an estimate are noise and look like knowledge.
            counted = voice.word(f"indicator.{plural}", count=voice.number(round(whole.having, -3)))
        return Topic(
            indicator=indicator,
            whole=self.mark(whole, strong=True),
            target=None if threshold is None else 100 * threshold,
            verdict=decision.verdict if decision else "",
            charts=tuple(charts),
            modes=self.mode_chart(indicator),
            unknown=self._undecided(indicator, whole),
            counted=counted,
            ages=self._between(
                "ages",
                *(None if age is None else str(age) for age in (indicator.ages.first, indicator.ages.last)),
            ),
            valid=self._between(
                "valid", *(voice.date(day) or None for day in (indicator.valid_from, indicator.valid_to))
            ),
            series=tuple(one for one in release.series if one.indicator == indicator.id),
            over_time=self.over_time(indicator),
        )

    def _between(self, kind: str, first: str | None, last: str | None) -> str:
        if first is None and last is None:
            return ""
        bound = "between" if first is not None and last is not None else "from" if last is None else "to"
        given = {"first": first, "last": last}
        return self.voice.word(
            f"indicator.{kind}_{bound}", **{name: one for name, one in given.items() if one is not None}
        )

    def over_time(self, indicator: Indicator) -> OverTime | None:
        """Short domains only; all places are in trend.csv. None without an earlier round that can be compared."""
        voice, release, name = self.voice, self.release, self.voice.text(indicator.name)
        short = {"", *self.domains(indicator, long=False)}
        trends = [one for one in release.trends if one.indicator == indicator.id and one.domain in short]
        whole = [one for one in trends if not one.domain]
        if not whole:
            return None
        sentences = []
        marks = [self.mark(release.cell(indicator.id), label=voice.date(release.reference), strong=True)]
        for one in whole:
            seen = one.p_value < 1.0 - release.plan.release.level
            sentences.append(
                voice.word(
                    "trend.sentence",
                    then=voice.date(one.reference),
                    points=voice.points(one.change),
                    lower=voice.points(one.lower),
                    upper=voice.points(one.upper),
                    level=voice.threshold(release.plan.release.level),
                    said=voice.word("trend.seen" if seen else "trend.unseen"),
                )
            )
            then = Cell(
                indicator=one.indicator, value=one.before, lower=one.before_lower, upper=one.before_upper
            )
            marks.append(self.mark(then, label=voice.date(one.reference)))
        return OverTime(
            sentences=tuple(sentences),
            chart=self.chart(
                f"{indicator.id}-rounds",
                voice.word("trend.chart", name=name),
                [replace(mark, truth=None, truth_text="") for mark in marks],
                self.threshold(indicator.id),
            ),
            rows=tuple(self._trend_row(one) for one in trends),
        )

    def _trend_row(self, one: Trend) -> tuple[str, ...]:
        voice, now = self.voice, self.release.cell(one.indicator, one.domain, one.category)
        return (
            self.category_name(one.domain, one.category) if one.domain else voice.word("chart.whole"),
            voice.date(one.reference),
            voice.percent(one.before),
            voice.percent(now.value or 0.0),
            voice.points(one.change),
            voice.word("trend.range", lower=voice.points(one.lower), upper=voice.points(one.upper)),
            "< " + voice.number(0.001, 3) if one.p_value < 0.001 else voice.number(one.p_value, 3),
        )

    def mode_chart(self, indicator: Indicator) -> Chart | None:
        voice, release = self.voice, self.release
        contrasts = [one for one in release.contrasts if one.indicator == indicator.id]
        if not contrasts:
            return None
        cell = release.cell(indicator.id)
        marks = [self.mark(cell, label=voice.word("modes.weighted"), strong=True)]
        for one in contrasts:
            label = voice.word(f"modes.{one.mode or 'unweighted'}")
            if one.value is None:
                marks.append(Mark(label=label, kind="contrast", held=voice.held(one), contrast=one))
            else:
                gap = f"{voice.points(one.value - cell.value)}" if cell.value is not None else ""
                marks.append(
                    Mark(
                        label=label,
                        kind="contrast",
                        value=voice.percent(one.value),
                        range=gap,
                        at=100 * one.value,
                        contrast=one,
                    )
                )
        return self.chart(
            f"{indicator.id}-modes",
            voice.word("chart.by", name=voice.text(indicator.name), domain=voice.word("modes.way")),
            marks,
            self.threshold(indicator.id),
            band=_band(cell),
        )

    def areas(self) -> tuple[AreaPage, ...]:
        voice, release = self.voice, self.release
        pages = []
        main = [question.main.indicator for question in self.questions()] or list(release.plan.indicators[:1])
        for domain in release.names:
            if len(release.names[domain]) <= MANY:
                continue
            charts = []
            held: tuple[tuple[str, str], ...] = ()
            shown = total = 0
            for indicator in dict.fromkeys(one.id for one in main):
                cells = release.table(indicator, domain)
                if not cells:
                    continue
                open_cells = [cell for cell in cells if cell.status == "show"]
                name = voice.text(release.indicator(indicator).name)
                if total == 0:
                    shown, total = len(open_cells), len(cells)
                    held = tuple(
                        (self.category_name(domain, cell.category), voice.held(cell))
                        for cell in cells
                        if cell.status != "show"
                    )
                if open_cells:
                    whole = release.cell(indicator)
                    charts.append(
                        # No target line here: a place is compared with the territory, never with the target.
                        self.chart(
                            f"{indicator}-{domain}",
                            voice.word("chart.by", name=name, domain=self.domain_name(domain)),
                            [self.mark(whole, strong=True), *map(self.mark, open_cells)],
                            None,
                            band=_band(whole),
                        )
                    )
            if total:
                pages.append(
                    AreaPage(
                        id=domain,
                        name=self.domain_name(domain),
                        shown=shown,
                        all=total,
                        charts=tuple(charts),
                        held=held,
                        maps=tuple(
                            found
                            for one in self._modelled_of(domain)
                            if (found := tile_map(release, voice, one, domain, self.drawn))
                        ),
                        models=tuple(one for one in release.models if one.domain == domain),
                    )
                )
        return tuple(pages)

    def _modelled_of(self, domain: str) -> list[str]:
        """The indicators that the plan has modelled in this domain, those of the targets first."""
        asked = [one.indicator for one in self.release.plan.small_areas if one.domain == domain]
        first = [target.indicator for target in self.release.plan.targets if target.indicator in asked]
        return list(dict.fromkeys((*first, *asked)))

    def web_only(self, indicator: str) -> str:
        """The sentence that says what asking online only would have said, or "" when it cannot be said."""
        cell = self.release.cell(indicator)
        if len(self.modes) < 2:
            return ""
        for one in self.release.contrasts:
            if (
                one.indicator == indicator
                and one.mode == "self"
                and one.value is not None
                and cell.value is not None
            ):
                return self.voice.word(
                    "modes.would_say",
                    web=self.voice.percent(one.value),
                    value=self.voice.percent(cell.value),
                    gap=self.voice.points(one.value - cell.value),
                )
        return ""

    def method(self) -> dict[str, tuple[str, ...]]:
        """The method note in plain words, from the plan and from what this round did: section → sentences."""
        voice, release = self.voice, self.release
        outcomes, design, rules, drawing = (
            release.outcomes, release.design, release.plan.release, release.drawing
        )  # fmt: skip
        level = voice.threshold(rules.level)
        sample = [
            voice.word("methods.sample_text", **{name: voice.number(count) for name, count in design.items()})
        ]
        if drawing:
            sample += [
                voice.word(f"methods.allocation.{drawing.allocation}"),
                voice.word(f"methods.people.{drawing.people}"),
                voice.word("methods.reserve", reserve=drawing.reserve)
                if drawing.reserve
                else voice.word("methods.replaced"),
                voice.word(
                    "methods.modes",
                    modes="; ".join(voice.word(f"methods.mode.{mode}") for mode in drawing.modes),
                ),
            ]
        response = [
            voice.word(
                "methods.response_text",
                complete=voice.number(outcomes.complete),
                households=voice.number(design["households"]),
                rate=voice.percent(outcomes.rates["RR3"]),
                weighted_rate=voice.percent(outcomes.weighted_rates["RR3"]),
                persons=voice.number(outcomes.persons),
            )
        ]
        if outcomes.representative is not None:
            response.append(
                voice.word("methods.representative", value=voice.number(outcomes.representative, 2))
            )
        return {
            "sample": tuple(sample),
            "response": tuple(response),
            "weighting": (voice.word("methods.weighting_text"),),
            "answers": self._open_answers(),
            "precision": (
                voice.word(
                    "methods.precision_text",
                    level=level,
                    interval=voice.word(f"methods.interval.{rules.interval}"),
                ),
            ),
            "rules": (
                voice.word(f"methods.quality.{rules.quality}"),
                *([voice.word("methods.flags")] if rules.flags == "statcan" else []),
                voice.word("methods.rules_text", minimum=rules.minimum_cell),
            ),
            "verdicts": (voice.word("methods.verdicts_text"), *self._multiplicity()),
            "limits": tuple(
                one for one in (voice.word("methods.limits_text"), voice.text(release.plan.limits)) if one
            ),
        }

    def _open_answers(self) -> tuple[str, ...]:
        """What "don't know" and refusals count as: for all indicators at once where they agree, else group by group."""
        plan, voice = self.release.plan, self.voice
        alike: dict[tuple[str, ...], list[Indicator]] = {}
        for indicator in plan.indicators:
            alike.setdefault(tuple(indicator.treatments.values()), []).append(indicator)
        said = [voice.word("methods.answers_text")]
        for treated, indicators in alike.items():
            names = "; ".join(voice.text(one.name) for one in indicators)
            how = dict(zip(("dont_know", "refused", "other"), treated, strict=True))
            said.append(
                voice.word(
                    "methods.answers_all" if len(alike) == 1 else "methods.answers_some",
                    names=names,
                    **{why: voice.word(f"indicator.treated_{one}") for why, one in how.items()},
                )
            )
        return tuple(said)

    def _multiplicity(self) -> tuple[str, ...]:
        """How many verdicts there are, and what that does to the chance of a false one."""
        plan, voice = self.release.plan, self.voice
        count = len(plan.targets)
        if count < 2:
            return (voice.word("methods.multiplicity.one"),) if count else ()
        each = plan.multiplicity == "each"
        alphas = [target.alpha for target in plan.targets]
        together = min(1.0, sum(alphas)) if each else sum(alphas) / count
        key = f"methods.multiplicity.{plan.multiplicity}"
        return (voice.word(key, count=count, together=voice.threshold(round(together, 6))),)

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes in which people answered, as far as the release tells."""
        return tuple(dict.fromkeys(one.mode for one in self.release.contrasts if one.mode))

    def outcomes(self) -> tuple[tuple[str, int], ...]:
        """Outcomes of the sampled households in words, in the order of the AAPOR codes."""
        return tuple(
            (f"{code} {self.voice.text(DISPOSITIONS[code].label)}" if code in DISPOSITIONS else code, count)
            for code, count in sorted(self.release.outcomes.counts.items())
        )

    def margin_name(self, margin: Margin) -> str:
        """A category of a margin in words, where a domain of the plan has the same values."""
        return ", ".join(
            self.category_name(column, part) if column in self.release.names else part
            for column, part in zip(margin.columns, margin.category, strict=True)
        )

    def changes(self) -> list[tuple[str, str, str, str, str]]:
        """The first changes since the release before, in words: indicator, place, kind, before, after."""
        voice, known = self.voice, {one.id for one in self.release.plan.indicators}
        return [
            (
                voice.text(self.release.indicator(one.indicator).name)
                if one.indicator in known
                else one.indicator,
                self.category_name(one.domain, one.category) if one.domain else voice.word("chart.whole"),
                one.kind,
                "" if one.before is None else voice.percent(one.before),
                "" if one.after is None else voice.percent(one.after),
            )
            for one in self.release.changes[:60]
        ]

    # ── parts ──

    def domains(self, indicator: Indicator, *, long: bool) -> list[str]:
        release = self.release
        return [
            domain
            for domain in release.names
            if (len(release.names[domain]) > MANY) == long
            and len(release.table(indicator.id, domain)) > 1  # one category is the whole once more
        ]

    def threshold(self, indicator: str) -> float | None:
        return next((one.threshold for one in self.release.plan.targets if one.indicator == indicator), None)

    def domain_name(self, domain: str) -> str:
        return self.voice.inside(self.voice.text(self.release.domain(domain).name))

    def domain_names(self, domains: Sequence[str]) -> str:
        return ", ".join(map(self.domain_name, domains))

    def category_name(self, domain: str, category: str) -> str:
        return self.voice.text(self.release.names.get(domain, {}).get(category, {"": category}))

    def mark(self, cell: Cell, *, label: str = "", strong: bool = False) -> Mark:
        voice = self.voice
        if not label:
            label = (
                self.category_name(cell.domain, cell.category) if cell.domain else voice.word("chart.whole")
            )
        truth = self.release.true_share(cell.indicator, cell.domain, cell.category)
        if cell.value is None or cell.lower is None or cell.upper is None:
            return Mark(label=label, held=voice.held(cell), strong=strong, cell=cell)
        return Mark(
            label=label,
            value=voice.percent(cell.value),
            range=voice.range(cell.lower, cell.upper),
            at=100 * cell.value,
            lower=100 * cell.lower,
            upper=100 * cell.upper,
            truth=None if truth is None else 100 * truth,
            truth_text="" if truth is None else voice.percent(truth),
            strong=strong,
            cell=cell,
            letter=next((letter for flag, letter in _LETTERS.items() if flag in cell.flags), ""),
            notes=tuple(voice.word(f"held.{flag}") for flag in cell.flags),
        )

    def chart(
        self,
        id: str,
        title: str,
        marks: Sequence[Mark],
        threshold: float | None,
        band: tuple[float, float] | None = None,
    ) -> Chart:
        voice = self.voice
        name = f"{id}.csv"
        self.tables[name] = _chart_csv(marks, voice, self.release.synthetic)
        return Chart(
            id=id,
            title=title,
            marks=tuple(marks),
            alt=voice.word("chart.alt", title=title, rows="; ".join(self.said(mark) for mark in marks)),
            csv=name,
            target=None if threshold is None else 100 * threshold,
            target_text="" if threshold is None else voice.threshold(threshold),
            band=band,
            truths=any(mark.truth is not None for mark in marks),
            contrasts=any(mark.kind == "contrast" for mark in marks),
        )

    def said(self, mark: Mark) -> str:
        voice = self.voice
        if mark.held:
            return voice.word("chart.alt_held", label=mark.label)
        if mark.cell is None or mark.cell.lower is None or mark.cell.upper is None:
            return voice.word("chart.alt_point", label=mark.label, value=mark.value)
        return voice.word(
            "chart.alt_row",
            label=mark.label,
            value=mark.value,
            lower=voice.percent(mark.cell.lower),
            upper=voice.percent(mark.cell.upper),
        )


_LETTERS: Final = {"E": "E", "cv_F": "(F)"}
"""Flags that stand beside the figure itself."""


def _band(cell: Cell) -> tuple[float, float] | None:
    """The interval of a figure on the axis of a chart."""
    if cell.lower is None or cell.upper is None:
        return None
    return 100 * cell.lower, 100 * cell.upper


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────


def _chart_csv(marks: Sequence[Mark], voice: Voice, synthetic: bool) -> bytes:
    """What one chart shows, for a reader's spreadsheet: shares in percent, column names in words."""
    header = [
        "category",
        "kind",
        "percent",
        "lower",
        "upper",
        "standard_error",
        "n",
        "df",
        "deff",
        "status",
        "note",
    ]
    rows: list[list[object]] = []
    row: list[object]
    for mark in marks:
        kind = "estimate" if mark.kind == "estimate" else voice.word("chart.not_estimate")
        cell, contrast = mark.cell, mark.contrast
        if cell is not None:
            numbers = [cell.value, cell.lower, cell.upper, cell.se]
            row = [
                mark.label,
                kind,
                *(None if one is None else round(100 * one, 4) for one in numbers),
                cell.n,
            ]
            row += [
                cell.df,
                None if cell.deff is None else round(cell.deff, 3),
                cell.status,
                "; ".join(filter(None, (mark.held, *mark.notes))),
            ]
        elif contrast is not None:
            share = None if contrast.value is None else round(100 * contrast.value, 4)
            row = [
                mark.label,
                kind,
                share,
                None,
                None,
                None,
                contrast.n,
                None,
                None,
                contrast.status,
                mark.held,
            ]
        else:
            continue
        rows.append(row)
    if synthetic:
        header.append("synthetic")
        rows = [[*row, voice.word("site.synthetic")] for row in rows]
    return csv_bytes(header, rows, mark=True)
