"""Publication: from the frozen sample to figures, verdicts, files and the site, in one pass that can be repeated.

    release(folder, frozen, out) → out/estimates.csv  estimates.json  weighting.json  site/

Nothing is read but the frozen files and the survey folder, so a release can be made again by anybody who has them,
byte for byte. The expressions of `analysis.yaml` are evaluated by DuckDB with files and network shut off. What the
rules hold back is not in the value that the files are written from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from analysis.estimates import Estimate
from analysis.indicators import AnalysisPlan, Domain, Indicator
from analysis.outcomes import Outcomes as OutcomeCounts
from analysis.outcomes import rates
from analysis.release import DisclosureError, Figure, Presentation, confidential, nchs, protect
from analysis.targets import verdict
from survey import __version__
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.folder import Folder, bind, column_name
from survey.freeze import HOUSEHOLDS, PERSONS, Manifest, read_manifest
from survey.problems import SurveyError, Text
from survey.results import Cell, Contrast, Decision, Outcomes, Release, Verdict
from survey.site import build
from survey.spreadsheet import csv_bytes
from survey.weighting import (
    Margins,
    Weighted,
    category_of,
    having,
    inside,
    margins_of,
    shares,
    weigh,
)

Truth = Mapping[str, Mapping[str, float]]
"""What a synthetic population holds: indicator → "" (whole) or "domain=category" → share."""


class NotReleased(SurveyError):
    """The figures cannot be published as the plan declares; the message says which and why."""

    code = "not_released"


def release(folder: Folder, frozen: Path, out: Path, truth: Truth | None = None) -> Release:
    """Weight, estimate, decide and publish the frozen sample in `frozen` by the plan of `folder`, into `out`.

    `truth` is for synthetic populations only and is shown beside each figure. Raises Conflict when a frozen file
    has changed, NotWeighted and NotReleased when the plan cannot be followed.
    """
    manifest = read_manifest(frozen)
    if truth and not manifest.synthetic:
        raise NotReleased(
            {
                "vi": "Chỉ dân số mô phỏng mới có đáp số; số liệu này không phải là mô phỏng.",
                "en": "Only a synthetic population has a known truth; these data are not synthetic.",
            }
        )
    plan = folder.analysis
    tables = {name: pq.ParquetFile(frozen / f"{name}.parquet").read() for name in (HOUSEHOLDS, PERSONS)}
    measured = evaluate(tables[HOUSEHOLDS], tables[PERSONS], plan)
    weighted = weigh(measured.households, measured.persons, plan, read_totals(folder))
    found = _Estimation(folder, measured, weighted).release(manifest, truth or {})
    files = _files(found)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    build(found, out / "site", files)
    return found


def read_totals(folder: Folder) -> dict[str, Margins]:
    """The population totals of every raking step of the plan, by the name of the file."""
    return {
        step.totals: margins_of((folder.path / step.totals).read_text(encoding="utf-8"), step.margins)
        for step in folder.analysis.weighting
        if step.step == "rake"
    }


# ── from expressions to columns ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Measured:
    """The frozen sample as arrays, with the columns of the plan: who is in each universe, who has it, which domain.

    households: one row a sampled case; persons: one row a measured person (drawn, or outside the draw).
    """

    households: dict[str, NDArray[Any]]
    persons: dict[str, NDArray[Any]]


def evaluate(households: pa.Table, persons: pa.Table, plan: AnalysisPlan) -> Measured:
    """Evaluate every expression of the plan over the frozen tables (`survey.freeze` says which columns they have).

    A person expression sees the person's and the household's columns. A derived variable that means something
    only for persons is left out among the households. Raises NotReleased for an expression that cannot be read.
    """
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": "1"}) as database:
        database.register("frozen_households", households)
        database.register("frozen_persons", persons)
        own = set(persons.column_names)
        shared = ", ".join(f'h."{name}"' for name in households.column_names if name not in own)
        database.execute(
            'CREATE VIEW households_seen AS SELECT *, row_number() OVER (ORDER BY "case") - 1 AS " row" '
            "FROM frozen_households"
        )
        database.execute(
            f'CREATE VIEW persons_seen AS SELECT p.*, {shared}, h." row" AS "household" FROM frozen_persons p '
            'JOIN households_seen h USING ("case") WHERE p.selected OR NOT p.eligible'
        )
        design = ["case", "stratum", "psu", "commune", "stage1_probability", "stage2_probability", "certainty",
                  "reserve", "field_factor", "respondent", "category", "disposition", "mode"]  # fmt: skip
        design += [name for step in plan.weighting for name in step.by]
        margins = [name for step in plan.weighting for margin in step.margins for name in margin]
        units = {
            unit: [step for step in plan.weighting if step.unit == unit] for unit in ("household", "person")
        }
        rake_household = [name for step in units["household"] for margin in step.margins for name in margin]
        found_households = _columns(database, plan, "household", [*design, *rake_household], '"case"')
        found_persons = _columns(
            database,
            plan,
            "person",
            ["household", "case", "selected", "eligible_count", "mode", *margins],
            '"case", "position"',
        )
    count = np.where(found_persons["selected"] == 1.0, found_persons["eligible_count"], 1.0)
    return Measured(found_households, found_persons | {"from_how_many": count})


def _columns(
    database: duckdb.DuckDBPyConnection, plan: AnalysisPlan, unit: str, asked: Sequence[str], order: str
) -> dict[str, NDArray[Any]]:
    """The asked columns and those of the plan for this unit, as arrays in a fixed order of rows."""
    view = f"{unit}s_seen"
    present = {row[0]: row[1] for row in database.execute(f'DESCRIBE "{view}"').fetchall()}
    unsound = bind(present, plan.derived)
    source = f'SELECT * FROM "{view}"'
    for name, expression in plan.derived.items():
        if name not in unsound:
            source = f'SELECT *, ({expression}) AS "{column_name(name)}" FROM ({source})'
    wanted = {name: f'"{name}"' for name in asked}
    for indicator in plan.indicators:
        if indicator.unit == unit:
            wanted[inside(indicator.id)] = f"COALESCE(CAST(({indicator.universe}) AS BOOLEAN), false)"
            wanted[having(indicator.id)] = f"CAST(CAST(({indicator.numerator}) AS BOOLEAN) AS DOUBLE)"
    for domain in plan.domains:
        if domain.unit in (unit, "both"):
            wanted[category_of(domain.id)] = f"CAST(({domain.value}) AS VARCHAR)"
    chosen = ", ".join(f'{expression} AS "{name}"' for name, expression in wanted.items())
    try:
        table = database.sql(f"SELECT {chosen} FROM ({source}) ORDER BY {order}").to_arrow_table()
    except duckdb.Error as error:
        raise NotReleased(
            {
                "vi": f"Không tính được các biểu thức của analysis.yaml trên tệp đóng băng: {error}",
                "en": f"The expressions of analysis.yaml cannot be evaluated on the frozen file: {error}",
            }
        ) from error
    return {name: _array(table.column(name)) for name in table.column_names}


def _array(column: pa.ChunkedArray) -> NDArray[Any]:
    """Text as objects with None, truth values and numbers as floats with NaN where there is none."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_string(column.type):
        return np.asarray(column.to_numpy(), dtype=object)
    return np.asarray(column.to_numpy(), dtype=np.float64)


# ── from designs to a release ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Draft:
    """A figure before the release rules: where it stands, its estimate, and what the audit needs of it."""

    indicator: Indicator
    domain: str
    category: str
    estimate: Estimate
    respondents: float
    unknown: float
    contribution: NDArray[np.float64]
    mode: str = ""


class _Estimation:
    """All figures of one release: estimated, judged by the rules, audited together."""

    def __init__(self, folder: Folder, measured: Measured, weighted: Weighted) -> None:
        self.folder, self.plan = folder, folder.analysis
        self.measured, self.weighted = measured, weighted
        self.rules = self.plan.release
        known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
        self.area_names: dict[str, Text] = {
            code: dict.fromkeys(("vi", "en"), area.name) for code, area in known.items()
        }
        self.names = {domain.id: self._names(domain) for domain in self.plan.domains}

    def release(self, manifest: Manifest, truth: Truth) -> Release:
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
        return Release(
            survey=plan.id,
            title=plan.title,
            organiser=plan.organiser,
            territory=plan.territory.name,
            reference=plan.dates.reference,
            fieldwork=(plan.dates.web_opens, plan.dates.closes),
            synthetic=manifest.synthetic,
            frozen={name: file.sha256 for name, file in manifest.files.items()},
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
            truth={indicator: dict(shares_) for indicator, shares_ in truth.items()},
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
        universe = (
            members  # the undecided share is of the universe, also where they are left out of the figure
        )
        if indicator.unknown == "exclude":
            members = members & ~undecided
        drafts = []
        for domain in ["", *(one.id for one in self.plan.domains if self._applies(indicator, one.id))]:
            found = shares(self.weighted, indicator, domain)
            order = self.names[domain] if domain else {"": {}}
            for category in order:
                if category not in found:
                    continue
                here = arrays[category_of(domain)] == category if domain else np.ones(len(has), dtype=bool)
                counted = has * members * here
                whole = float(weight[universe & here].sum())
                drafts.append(
                    _Draft(
                        indicator=indicator,
                        domain=domain,
                        category=category,
                        estimate=found[category],
                        respondents=float(counted.sum()),
                        unknown=float(weight[undecided & here].sum()) / whole,
                        contribution=weight * counted,
                    )
                )
        return drafts

    def _contrasts(self, indicator: Indicator) -> list[_Draft]:
        """What the answers say unweighted, and those of one mode alone with their weights: a warning, no estimates."""
        arrays = self._arrays(indicator)
        members, has, undecided, weight = self._answers(indicator)
        if indicator.unknown == "exclude":
            members = members & ~undecided
        modes = sorted(set(arrays["mode"][members]), key=("self", "visit", "phone", "proxy").index)
        drafts = []
        for mode in ["", *modes]:
            here = members & (arrays["mode"] == mode) if mode else members
            counts = np.where(here, weight if mode else 1.0, 0.0)
            if not here.any():
                continue
            plain = Estimate(
                statistic="share",
                kind="proportion",
                value=float((has * counts).sum() / counts.sum()),
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
                    contribution=has * counts,
                    mode=mode,
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
                    contribution=drafts[place].contribution,
                    protected=drafts[place].domain == "" and drafts[place].indicator.id in asked,
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
        return confidential(quality, draft.respondents, one.n, rules.minimum_cell)

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
            having=_rounded(float(draft.contribution.sum())),
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
        category, base = households["category"][drawn], self.weighted.base[drawn]
        return Outcomes(
            complete=int(answered.sum()),
            counts=dict(sorted(Counter(households["disposition"]).items())),
            by_mode=dict(sorted(Counter(households["mode"][answered]).items())),
            rates=_rates(OutcomeCounts.of(category)),
            weighted_rates=_rates(OutcomeCounts.of(category, base)),
            persons=int((self.weighted.persons.weight > 0).sum()),
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


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────


def _files(found: Release) -> dict[str, bytes]:
    """The files of a release, by name."""
    return {
        "estimates.csv": _estimates_csv(found),
        "estimates.json": _json(found),
        "weighting.json": _json(
            {
                "survey": found.survey,
                "synthetic": found.synthetic,
                "steps": found.weighting,
                "outcomes": found.outcomes,
            }
        ),
    }


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"


def _estimates_csv(found: Release) -> bytes:
    """One figure a row, for machines: shares as fractions, no byte order mark. `kind` keeps estimates and contrasts apart."""
    numbers = ("value", "se", "lower", "upper", "kg_lower", "kg_upper", "n", "effective_n", "df", "deff", "unknown",
               "having", "total")  # fmt: skip
    header = ["survey", "reference", "synthetic", "kind", "indicator", "edition", "unit", "domain", "category",
              "category_vi", "category_en", "status", "reasons", "flags", *numbers, "level", "interval", "truth"]  # fmt: skip
    common = [found.survey, found.reference, str(found.synthetic).lower()]
    rows: list[list[object]] = []
    for cell in found.cells:
        indicator = found.indicator(cell.indicator)
        names = found.names.get(cell.domain, {}).get(cell.category, {})
        rows.append(
            [
                *common, "estimate", cell.indicator, indicator.edition, indicator.unit, cell.domain, cell.category,
                names.get("vi"), names.get("en"), cell.status, " ".join(cell.reasons), " ".join(cell.flags),
                *(getattr(cell, name) for name in numbers), found.plan.release.level, found.plan.release.interval,
                found.true_share(cell.indicator, cell.domain, cell.category),
            ]
        )  # fmt: skip
    for one in found.contrasts:
        indicator = found.indicator(one.indicator)
        kind = f"not_an_estimate: {f'only mode {one.mode}, weighted' if one.mode else 'unweighted'}"
        values = [getattr(one, name, None) for name in numbers]
        rows.append(
            [
                *common, kind, one.indicator, indicator.edition, indicator.unit, "mode", one.mode, None, None,
                one.status, " ".join(one.reasons), "", *values, None, None, None,
            ]
        )  # fmt: skip
    return csv_bytes(header, rows)
