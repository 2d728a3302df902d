"""Before the field work: what a plan of sampling will be able to say, as a table and a chart.

    prospect(folder, Assumptions())            how probably each target is decided, and what it would take
    show(found)   chart(found, "vi")           on the terminal; as SVG

The assumptions are guesses until a round is done; `measured` takes design effects, response and intraclass
correlations from its release.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from pathlib import Path

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from analysis import planning
from analysis.classification import Lot, lqas
from analysis.errors import AnalysisError
from analysis.indicators import Target
from survey.folder import Folder
from survey.problems import BadDocument, Finding, SurveyError, Text
from survey.publication.results import Release
from survey.publication.terminal import in_both
from survey.publication.voice import Voice

STEPS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.10)  # how far beyond a threshold the truth may lie
TAKES = (4, 8, 12, 16, 20, 30)
POWER = 0.8
GREY = 0.15  # of the classification of a commune: from the threshold to this much above


class NotPlanned(SurveyError):
    """The assumptions cannot be; the message says which."""

    code = "not_planned"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a round measured of one indicator: its design effect, and how alike the people of one area are in it."""

    name: Text
    effect: float
    correlation: float
    weight_cv: float
    take: float


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What is guessed of a survey that has not been made, or was measured in an earlier round.

    response: answers from this share of the households drawn. correlation: of people of one area. weight_cv:
    coefficient of variation of the weights. Costs in any money: of reaching an area, of one interview there.
    by_indicator: what an earlier round measured of each, where there was one; others go by the common assumptions.
    """

    response: float = 0.85
    correlation: float = 0.05
    weight_cv: float = 0.6
    cost_of_area: float = 10.0
    cost_of_interview: float = 1.0
    source: str = ""
    by_indicator: Mapping[str, Effect] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chance:
    """One target: how probably the plan decides it at each true share, and the households each would take."""

    target: Target
    margin: float
    true: tuple[float, ...]
    power: tuple[float, ...]
    households: tuple[float, ...]
    effect: float


@dataclass(frozen=True, kw_only=True)
class Take:
    """One number of interviews an area: areas and effective interviews for the money of the plan."""

    take: int
    areas: float
    interviews: float
    effective: float


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Interviews of one stratum by each rule, and its size and assumed share."""

    stratum: str
    households: float
    share: float
    proportional: float
    neyman: float
    power: float


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What the plan will be able to say. `commune`: interviews until a share near one half of one commune may be shown,
    `lot` a plan that classifies one without estimating (clusters of four)."""

    title: dict[str, str]
    areas: int
    drawn: int
    interviews: float
    effect: float
    assumptions: Assumptions
    chances: tuple[Chance, ...]
    takes: tuple[Take, ...]
    best_take: float
    commune: int
    lot: Lot
    strata: tuple[Allocation, ...] = ()
    errors: tuple[float, float, float] = (math.nan, math.nan, math.nan)  # of the whole under each allocation


def measured(release: Release, guess: Assumptions) -> Assumptions:
    """The assumptions with what a round measured: of each indicator by itself; the common ones from that of its first
    target (or first indicator). Costs stay a guess."""
    found: dict[str, Effect] = {}
    for indicator in release.plan.indicators:
        cell = release.cell(indicator.id)
        step = next((step for step in reversed(release.weighting) if step.unit == indicator.unit), None)
        if cell.deff is None or cell.n is None or step is None:
            continue
        take = cell.n / release.design["psus"]
        # Calibration takes away a part of what unequal weights cost: the factor of the weights is what is left of it.
        kish = min(step.kish, max(cell.deff, 1.0))
        found[indicator.id] = Effect(
            name=indicator.name,
            effect=cell.deff,
            correlation=max(planning.correlation_of(cell.deff, take, kish), 0.0) if take > 1.0 else 0.0,
            weight_cv=math.sqrt(kish - 1.0),
            take=take,
        )
    first = [target.indicator for target in release.plan.targets] + list(found)
    main = next((found[one] for one in first if one in found), None)
    if main is None:
        return guess
    return replace(
        guess,
        response=release.outcomes.rates.get("RR3", guess.response),
        correlation=main.correlation,
        weight_cv=main.weight_cv,
        source=release.reference,
        by_indicator=found,
    )


def read_release(path: Path) -> Release:
    """The release in a folder, from its `estimates.json`."""
    try:
        return msgspec.json.decode((path / "estimates.json").read_bytes(), type=Release)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotPlanned(
            {
                "vi": f"Không đọc được kết quả đã công bố ở {path}: {error}",
                "en": f"There is no release to read in {path}: {error}",
            }
        ) from error


def prospect(folder: Folder, guess: Assumptions, strata: Path | None = None) -> Prospect:
    """What the sampling plan of this folder will be able to say under these assumptions. Raises NotPlanned."""
    sampling = folder.plan.sampling
    drawn = sampling.psus * sampling.take
    interviews = drawn * guess.response
    try:
        effect = planning.design_effect(
            max(sampling.take * guess.response, 1.0), guess.correlation, guess.weight_cv
        )
        chances = tuple(
            _chance(
                replace(target, alpha=folder.analysis.alpha_of(target)),
                interviews,
                _effect_of(target, sampling.take, effect, guess),
                guess.response,
            )
            for target in folder.analysis.targets
        )
        takes = tuple(_take(take, sampling.psus, sampling.take, guess) for take in TAKES)
        lot = lqas(0.5, 0.5 + GREY, 0.05, 0.2, take=4, correlation=min(guess.correlation, 0.9))
    except AnalysisError as error:
        raise NotPlanned(
            {"vi": f"Giả định không hợp lý: {error}", "en": f"The assumptions cannot be: {error}"}
        ) from error
    allocations, errors = _allocations(strata, interviews, effect) if strata else ((), (math.nan,) * 3)
    return Prospect(
        title=folder.plan.title,
        areas=sampling.psus,
        drawn=drawn,
        interviews=interviews,
        effect=effect,
        assumptions=guess,
        chances=chances,
        takes=takes,
        best_take=planning.optimum_take(guess.correlation, guess.cost_of_area, guess.cost_of_interview),
        commune=planning.presentable(0.5, effect),
        lot=lot,
        strata=allocations,
        errors=errors,
    )


def _effect_of(target: Target, take: int, common: float, guess: Assumptions) -> float:
    """The design effect of a target under the planned take: by what was measured of its indicator, where it was."""
    known = guess.by_indicator.get(target.indicator)
    if known is None:
        return common
    return planning.design_effect(max(take * guess.response, 1.0), known.correlation, known.weight_cv)


def _chance(target: Target, interviews: float, effect: float, response: float) -> Chance:
    """Truths on the side where a verdict "met" is to be won, and on the other for a target near 1."""
    side = 1.0 if target.threshold + max(STEPS) < 1.0 else -1.0
    true = tuple(round(target.threshold + side * step, 6) for step in STEPS)
    return Chance(
        target=target,
        margin=planning.margin(target.threshold, interviews, effect),
        true=true,
        power=tuple(planning.power(p, target.threshold, interviews, effect, target.alpha) for p in true),
        households=tuple(
            planning.households(
                planning.for_power(p, target.threshold, target.alpha, POWER), effect, response
            )
            for p in true
        ),
        effect=effect,
    )


def _take(take: int, areas: int, planned: int, guess: Assumptions) -> Take:
    """The same money spent on areas of this many interviews; the effective sample leaves weights aside."""
    budget = areas * (guess.cost_of_area + planned * guess.cost_of_interview)
    bought = budget / (guess.cost_of_area + take * guess.cost_of_interview)
    return Take(
        take=take,
        areas=bought,
        interviews=bought * take,
        effective=planning.effective_for_cost(
            budget, take, guess.correlation, guess.cost_of_area, guess.cost_of_interview
        ),
    )


def _allocations(
    path: Path, interviews: float, effect: float
) -> tuple[tuple[Allocation, ...], tuple[float, float, float]]:
    """The interviews of each stratum by three rules, and the standard error of the whole under each."""
    names, sizes, shares = _strata(path)
    deviations = [math.sqrt(share * (1.0 - share)) for share in shares]
    rules = (
        planning.proportional(sizes, interviews),
        planning.neyman(sizes, deviations, interviews),
        planning.power_allocation(sizes, deviations, shares, interviews),
    )
    errors = [math.sqrt(effect * planning.variance_of_allocation(sizes, deviations, rule)) for rule in rules]
    return tuple(
        Allocation(stratum=name, households=size, share=share, proportional=plain, neyman=best, power=between)
        for name, size, share, plain, best, between in zip(names, sizes, shares, *rules, strict=True)
    ), (errors[0], errors[1], errors[2])


def _strata(path: Path) -> tuple[list[str], list[float], list[float]]:
    """Name, households and expected share of each stratum; BadDocument with every mistake of the file."""
    findings: list[Finding] = []
    rows: list[tuple[str, float, float]] = []

    def wrong(where: str, vi: str, en: str) -> None:
        findings.append(Finding(code="strata", where=f"{path.name}, {where}", message={"vi": vi, "en": en}))

    try:
        table = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError) as error:
        wrong("-", f"không đọc được tệp: {error}", f"the file cannot be read: {error}")
        table = []
    for number, row in enumerate(table, start=2):
        try:
            name, size, share = row["stratum"], float(row["households"]), float(row["share"])
        except (KeyError, TypeError, ValueError):
            wrong(
                f"row {number}",
                "cần các cột stratum, households và share (0.5 cho 50 %)",
                "needs the columns stratum, households and share (0.5 for 50 %)",
            )
            continue
        if not (size > 0 and 0 < share < 1):
            wrong(
                f"row {number}",
                "số hộ phải lớn hơn 0, tỷ lệ phải nằm giữa 0 và 1",
                "households must be above 0, the share between 0 and 1",
            )
        rows.append((name, size, share))
    if findings or not rows:
        if not findings:
            wrong("-", "tệp không có dòng nào", "the file has no rows")
        raise BadDocument(findings)
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────


def show(found: Prospect, console: Console | None = None) -> None:
    """Print the tables, Vietnamese first and English below."""
    console = console or Console()
    vi, en, both = Voice("vi"), Voice("en"), partial(in_both, "plan")

    def table(*columns: str) -> Table:
        made = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(columns):
            made.add_column(both(f"column.{column}"), justify="left" if number == 0 else "right")
        return made

    guess, lot = found.assumptions, found.lot
    console.print(
        both(
            "summary",
            areas=lambda voice: voice.number(found.areas),
            drawn=lambda voice: voice.number(found.drawn),
            interviews=lambda voice: voice.number(found.interviews),
            response=lambda voice: voice.percent(guess.response, 0),
            correlation=lambda voice: voice.number(guess.correlation, 3),
            cv=lambda voice: voice.number(guess.weight_cv, 2),
            effect=lambda voice: voice.number(found.effect, 2),
        )
    )
    if guess.source:
        console.print(both("measured", day=lambda voice: voice.date(guess.source)))
        made = table("indicator", "deff", "correlation", "had")
        named = {chance.target.indicator for chance in found.chances}
        for id, one in guess.by_indicator.items():
            if id in named:
                said = f"{vi.text(one.name)}\n[dim]{en.text(one.name)}[/dim]"
                made.add_row(
                    said, vi.number(one.effect, 2), vi.number(one.correlation, 3), vi.number(one.take, 1)
                )
        console.print(made)
    console.print(f"\n[bold]{vi.word('plan.power')}[/bold] · {en.word('plan.power')}")
    for alike in _alike(found.chances):
        for chance in alike:
            console.print(f"\n• {vi.text(chance.target.text)}\n  [dim]{en.text(chance.target.text)}[/dim]")
        first = alike[0]
        made = table("true", "power", "households")
        for true, power, needed in zip(first.true, first.power, first.households, strict=True):
            made.add_row(vi.percent(true), vi.percent(power, 0), vi.number(needed))
        console.print(made)
        half = 100 * first.margin
        console.print(both("margin", margin=lambda voice, half=half: voice.number(half, 1)))
    console.print(f"\n[bold]{vi.word('plan.takes')}[/bold] · {en.word('plan.takes')}")
    made = table("take", "areas", "interviews", "effective")
    for take in found.takes:
        made.add_row(
            str(take.take), *(vi.number(one) for one in (take.areas, take.interviews, take.effective))
        )
    console.print(made)
    if math.isfinite(found.best_take):
        console.print(both("best_take", take=lambda voice: voice.number(found.best_take)))
    if found.strata:
        console.print(f"\n[bold]{vi.word('plan.allocation')}[/bold] · {en.word('plan.allocation')}")
        made = table("stratum", "size", "share", "proportional", "neyman", "between")
        for one in found.strata:
            counts = (one.proportional, one.neyman, one.power)
            made.add_row(
                one.stratum, vi.number(one.households), vi.percent(one.share), *map(vi.number, counts)
            )
        errors = [f"± {vi.number(100 * error, 2)}" for error in found.errors]
        made.add_row(both("column.error"), "", "", *errors)
        console.print(made)
    console.print(f"\n[bold]{vi.word('plan.communes')}[/bold] · {en.word('plan.communes')}")
    console.print(both("commune", interviews=lambda voice: voice.number(found.commune)))
    console.print(
        both(
            "lot",
            n=lambda _: lot.n,
            least=lambda _: lot.least,
            take=lambda _: lot.take,
            low=lambda voice: voice.percent(lot.low, 0),
            high=lambda voice: voice.percent(lot.high, 0),
            alpha=lambda voice: voice.percent(lot.alpha),
            beta=lambda voice: voice.percent(lot.beta),
        )
    )


def _alike(chances: Sequence[Chance]) -> list[list[Chance]]:
    """Targets with the same threshold, error rate and design effect share one table."""
    found: dict[tuple[float, float, float], list[Chance]] = {}
    for chance in chances:
        key = (chance.target.threshold, chance.target.alpha, chance.effect)
        found.setdefault(key, []).append(chance)
    return list(found.values())


# Dashes tell the curves apart without colour.
DASHES = ("10 6", "", "2 4")
WIDTH, HEIGHT, LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 720, 400, 64, 56, 480, 268


def chart(found: Prospect, language: str) -> str:
    """The power of the first target by its true share: for this plan, half and twice as many households. SVG.

    Black lines told apart by dashes and by words at their ends; the dotted line is the usual 80 %.
    """
    voice = Voice(language)
    first = found.chances[0]
    threshold = first.target.threshold
    side = 1.0 if first.true[0] > threshold else -1.0
    grid = [threshold + side * step * max(STEPS) / 60 for step in range(61)]

    def across(true: float) -> float:
        return LEFT + PLOT_WIDTH * abs(true - threshold) / max(STEPS)

    def down(power: float) -> float:
        return TOP + PLOT_HEIGHT * (1.0 - power)

    title = voice.word("plan.chart.title", threshold=voice.threshold(threshold))
    described = voice.word(
        "plan.chart.alt",
        rows="; ".join(
            voice.word("plan.chart.point", true=voice.percent(true), power=voice.percent(power, 0))
            for true, power in zip(first.true, first.power, strict=True)
        ),
    )
    lines = []
    for number, factor in enumerate((0.5, 1.0, 2.0)):
        interviews = found.interviews * factor
        curve = [
            (
                across(true),
                down(planning.power(true, threshold, interviews, first.effect, first.target.alpha)),
            )
            for true in grid
        ]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in curve)
        dash = f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""
        key_y = TOP + 16 + 44 * number
        said = voice.word("plan.chart.curve", households=voice.number(found.drawn * factor))
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="#17324d" stroke-width="{3 if factor == 1 else 2}"{dash}/>'
            f'<line x1="{LEFT + PLOT_WIDTH + 16}" x2="{LEFT + PLOT_WIDTH + 56}" y1="{key_y}" y2="{key_y}" '
            f'stroke="#17324d" stroke-width="{3 if factor == 1 else 2}"{dash}/>'
            f'<text x="{LEFT + PLOT_WIDTH + 64}" y="{key_y + 5}" font-weight="{700 if factor == 1 else 400}">'
            f"{escape(said)}</text>"
        )
    across_marks = "".join(
        f'<text x="{across(threshold + side * step):.1f}" y="{TOP + PLOT_HEIGHT + 22}" text-anchor="middle">'
        f"{voice.percent(threshold + side * step, 0)}</text>"
        for step in (0.0, 0.02, 0.04, 0.06, 0.08, 0.10)
    )
    down_marks = "".join(
        f'<line x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{down(p):.1f}" y2="{down(p):.1f}" stroke="#c9d1d9"/>'
        f'<text x="{LEFT - 8}" y="{down(p) + 5:.1f}" text-anchor="end">{voice.percent(p, 0)}</text>'
        for p in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-labelledby="t d" font-family="Noto Sans, Arial, sans-serif" font-size="14" fill="#17212b">\n'
        f'<title id="t">{escape(title)}</title><desc id="d">{escape(described)}</desc>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f'<text x="{LEFT}" y="28" font-size="17" font-weight="700">{escape(title)}</text>\n'
        f"{down_marks}\n{across_marks}\n"
        f'<line x1="{LEFT}" x2="{LEFT + PLOT_WIDTH}" y1="{down(POWER):.1f}" y2="{down(POWER):.1f}" '
        f'stroke="#17212b" stroke-dasharray="2 3"/>\n'
        + "\n".join(lines)
        + f'\n<text x="{LEFT + PLOT_WIDTH / 2}" y="{HEIGHT - 22}" text-anchor="middle">'
        f"{escape(voice.word('plan.chart.across'))}</text>\n</svg>\n"
    )
