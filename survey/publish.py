"""Publication: from the frozen sample to figures, verdicts, files and the site, in one pass that can be repeated.

    release(folder, frozen, out) → out/estimates.csv  estimates.json  weighting.json  site/

Nothing is read but the frozen files and the survey folder, so a release can be made again by anybody who has them,
byte for byte. The expressions of `analysis.yaml` are evaluated by DuckDB with files and network shut off. What the
rules hold back is not in the value that the files are written from.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from survey.figures import Truth, figures
from survey.folder import Folder
from survey.freeze import HOUSEHOLDS, PERSONS, read_manifest
from survey.measuring import NotReleased, evaluate
from survey.results import Release
from survey.site import build
from survey.spreadsheet import csv_bytes
from survey.weighting import Margins, margins_of, weigh


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
    found = figures(folder, manifest, measured, weighted, truth or {})
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
