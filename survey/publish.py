"""Publication: from the frozen sample to figures, verdicts, files and the site, in one pass that can be repeated.

    release(folder, frozen, out) → out/estimates.csv  estimates.json  changes.csv  weighting.json  site/  manifest.json

Nothing is read but the frozen files and the survey folder, so a release can be made again by anybody who has them,
byte for byte. The expressions of `analysis.yaml` are evaluated by DuckDB with files and network shut off. What the
rules hold back is not in the value that the files are written from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from survey.folder import Folder
from survey.frozen import HOUSEHOLDS, PERSONS, read_manifest
from survey.publication.ddi import ddi
from survey.publication.exchange import data_package, parquet, sdmx_csv
from survey.publication.figures import Earlier, Truth, figures, hashes
from survey.publication.maps import check_places, outlines
from survey.publication.measuring import NotReleased, evaluate
from survey.publication.microdata import Table, microdata
from survey.publication.modelled import Auxiliaries, read_auxiliaries, read_census, read_series
from survey.publication.publicuse import described, public_use, rows
from survey.publication.report import report
from survey.publication.results import Release, Series
from survey.publication.sealing import manifest_hash, opened, read, seal, unseal
from survey.publication.site import build
from survey.publication.trends import compared
from survey.publication.voice import LANGUAGES
from survey.publication.weighting import Margins, margins_of, weigh
from survey.publication.workbook import workbook
from survey.spreadsheet import csv_bytes, text_of


def release(
    folder: Folder,
    frozen: Path,
    out: Path,
    truth: Truth | None = None,
    *,
    previous: Sequence[Path] = (),
    rounds: Sequence[Path] = (),
    embargo: str = "",
    key: Path | None = None,
) -> Release:
    """Weight, estimate, decide and publish the frozen sample in `frozen` by the plan of `folder`, into `out`.

    previous: folders of all releases of this round before this one, in any order: it is numbered after them, lists what
    changed since the last, and tells nothing that follows from any of them side by side with it. rounds: releases of earlier rounds, to compare with. embargo: ISO time with zone, printed everywhere and kept by the server.
    key: signs the manifest. `truth` is for synthetic populations only and is shown beside each figure.

    Raises Conflict when a frozen file has changed, NotGenuine when a file of the release before has, NotWeighted and
    NotReleased when the plan cannot be followed.
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
    chain = _chain(previous, folder)
    same = hashes(manifest)
    before = [
        Earlier(one, evaluate(tables[HOUSEHOLDS], tables[PERSONS], one.plan) if one.frozen == same else None)
        for one, _ in chain
    ]
    measured = evaluate(tables[HOUSEHOLDS], tables[PERSONS], plan)
    weighted = weigh(measured.households, measured.persons, plan, read_totals(folder))
    found = figures(folder, manifest, measured, weighted, truth or {}, before, read_auxiliaries_of(folder))
    found = msgspec.structs.replace(found, embargo=_moment(embargo), series=_series(folder))
    if chain:
        last, path = chain[0]
        found = msgspec.structs.replace(
            found, number=last.number + 1, previous=manifest_hash(path), changes=found.since(last)
        )
    found = compared(found, rounds)
    kept = microdata(folder, found, tables, measured, weighted, _secret(frozen))
    if kept and (standing := _rows_told_before(found, kept, chain)) is not None:
        found, kept = msgspec.structs.replace(found, rows_of=standing), {}
    theme, boundaries = folder.path / "theme.css", folder.path / "boundaries.geojson"
    style = text_of(theme) if theme.is_file() else ""
    drawn = outlines(boundaries.read_bytes()) if boundaries.is_file() else None
    if drawn is not None:
        check_places(drawn, found)
    files = _files(found, folder, kept, style)
    unseal(out)
    out.mkdir(parents=True, exist_ok=True)
    written = [out / name for name in files]
    for name, content in files.items():
        (out / name).write_bytes(content)
    written += build(found, out / "site", files, style, drawn)
    seal(out, written, found, key)
    return found


def _chain(previous: Sequence[Path], folder: Folder) -> list[tuple[Release, Path]]:
    """The releases before, the last first, found genuine, of the same survey and complete back to the first."""
    found = []
    for path in previous:
        one = opened(path)
        if one.survey != folder.plan.id:
            raise NotReleased(
                {
                    "vi": f"Bản công bố ở {path} là của cuộc khảo sát khác: {one.survey}.",
                    "en": f"The release in {path} is of another survey: {one.survey}.",
                }
            )
        found.append((one, path))
    found.sort(key=lambda one: one[0].number, reverse=True)
    for number, (one, path) in enumerate(found):
        following = found[number + 1 : number + 2]
        if one.previous != (manifest_hash(following[0][1]) if following else ""):
            raise NotReleased(
                {
                    "vi": f"Bản công bố ở {path} là lần {one.number} và tiếp theo một lần trước; hãy nêu mọi lần trước bằng "
                    "--previous, vì con số mới không được để lộ điều gì khi đặt cạnh bất kỳ lần nào.",
                    "en": f"The release in {path} is number {one.number} and follows another; give all earlier ones with --previous, "
                    "because a new figure must not tell anything beside any of them.",
                }
            )
    return found


def _rows_told_before(
    found: Release, kept: Mapping[str, Table], chain: Sequence[tuple[Release, Path]]
) -> int | None:
    """Number of the earlier release whose microdata stand, 0 where none can be given, None when the new ones may go out.

    Two files of rows side by side tell who came or went, and rows of one sample in two files are matched by their weights.
    Rows beside figures that this release shows no more were not audited with them.
    """
    if not chain:
        return None
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in rows(kept).items()}
    for one, path in chain:
        sealed = read(path).files
        if any(name in sealed for name in digests):
            alike = all(sealed.get(name) == digest for name, digest in digests.items())
            return None if alike else one.number
        now = {(cell.indicator, cell.domain, cell.category) for cell in found.cells if cell.status == "show"}
        told = {(cell.indicator, cell.domain, cell.category) for cell in one.cells if cell.status == "show"}
        if one.frozen == found.frozen and (told - now or _words(one) != _words(found)):
            return 0
    return None


def _words(one: Release) -> object:
    """What the figures of a plan mean."""
    plan = one.plan
    return (
        sorted(plan.derived.items()),
        {
            (each.id, each.unit, each.asked(plan.age), each.numerator, *each.treatments.values())
            for each in plan.indicators
        },
        {(each.id, each.value) for each in plan.domains},
    )


def _secret(frozen: Path) -> bytes:
    """What orders the rows of the microdata: the same for the same frozen sample, and known only to who has it. The
    hashes of its files are published; this is another."""
    digest = hashlib.sha256(b"the order of the rows of the public-use microdata")
    for name in (HOUSEHOLDS, PERSONS):
        digest.update((frozen / f"{name}.parquet").read_bytes())
    return digest.digest()


def _moment(embargo: str) -> str:
    """An ISO time with its zone, as given; "" for none."""
    if not embargo:
        return ""
    try:
        if datetime.fromisoformat(embargo).tzinfo is not None:
            return embargo
    except ValueError:
        pass
    raise NotReleased(
        {
            "vi": f"Giờ công bố “{embargo}” phải có ngày, giờ và múi giờ, ví dụ 2027-12-20T09:00+07:00.",
            "en": f"The embargo “{embargo}” needs a day, a time and a zone, for example 2027-12-20T09:00+07:00.",
        }
    )


def read_totals(folder: Folder) -> dict[str, Margins]:
    """The population totals of every raking step of the plan, by the name of the file."""
    return {
        step.totals: margins_of(text_of(folder.path / step.totals), step.margins)
        for step in folder.analysis.weighting
        if step.step == "rake"
    }


def read_auxiliaries_of(folder: Folder) -> dict[tuple[str, str], Auxiliaries]:
    """The auxiliaries of each small area model whose file is there."""
    found = {}
    for one in folder.analysis.small_areas:
        path = folder.path / one.auxiliaries
        if path.is_file():
            auxiliaries = read_auxiliaries(text_of(path), path.name, one.columns)
            census = folder.path / one.census
            if one.census and census.is_file():
                counted = read_census(text_of(census), census.name, one.by)
                auxiliaries = replace(auxiliaries, census=counted)
            found[one.indicator, one.domain] = auxiliaries
    return found


def _series(folder: Folder) -> tuple[Series, ...]:
    name = folder.analysis.administrative
    path = folder.path / name
    return read_series(text_of(path), name) if name and path.is_file() else ()


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────


def _files(found: Release, folder: Folder, kept: Mapping[str, Table], style: str) -> dict[str, bytes]:
    """The files of a release, by name."""
    header, rows = _estimates(found)
    territory = folder.plan.territory
    files = {
        "estimates.xlsx": workbook(found),
        "estimates.csv": csv_bytes(header, rows),
        "estimates.parquet": parquet(header, rows),
        "estimates.json": _json(found),
        "indicators.sdmx.csv": sdmx_csv(found, f"{territory.country}-{territory.province}"),
        "questionnaire.ddi.xml": ddi(found, folder),
        **{f"report.{language}.pdf": report(found, language, style) for language in LANGUAGES},
        "changes.csv": csv_bytes(
            ["release", "indicator", "domain", "category", "kind", "before", "after"],
            [
                [found.number, one.indicator, one.domain, one.category, one.kind, one.before, one.after]
                for one in found.changes
            ],
        ),
        **({"trend.csv": _trend_csv(found)} if found.rounds else {}),
        "modelled.csv": _modelled_csv(found),
        "weighting.json": _json(
            {
                "survey": found.survey,
                "synthetic": found.synthetic,
                "steps": found.weighting,
                "outcomes": found.outcomes,
                "models": found.models,
            }
        ),
    }
    files |= public_use(found, kept)
    return files | {"datapackage.json": _json(data_package(found, files, described(kept)))}


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1) + b"\n"


def _estimates(found: Release) -> tuple[list[str], list[list[object]]]:
    """Header and rows, one figure a row, for machines: shares as fractions. `kind` keeps estimates and contrasts apart."""
    numbers = ("value", "se", "lower", "upper", "kg_lower", "kg_upper", "n", "effective_n", "df", "deff", "unknown",
               "having", "total")  # fmt: skip
    header = ["survey", "release", "embargo", "reference", "synthetic", "kind", "indicator", "edition", "unit", "domain", "category",
              "category_vi", "category_en", "status", "reasons", "flags", *numbers, "level", "interval", "truth"]  # fmt: skip
    common = [found.survey, str(found.number), found.embargo, found.reference, str(found.synthetic).lower()]
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
    return header, rows


def _trend_csv(found: Release) -> bytes:
    """What changed since earlier rounds; shares and differences as fractions."""
    numbers = ("before", "before_lower", "before_upper", "change", "se", "lower", "upper", "df", "p_value")
    return csv_bytes(
        ["survey", "release", "reference", "synthetic", "earlier", "indicator", "domain", "category", *numbers, "level"],
        [
            [
                found.survey, found.number, found.reference, str(found.synthetic).lower(), one.reference,
                one.indicator, one.domain, one.category, *(getattr(one, name) for name in numbers),
                found.plan.release.level,
            ]
            for one in found.trends
        ],
    )  # fmt: skip


def _modelled_csv(found: Release) -> bytes:
    """Modelled shares in a file of their own, so that nobody takes them for measured ones."""
    header = ["survey", "release", "synthetic", "kind", "indicator", "domain", "category", "category_vi", "category_en",
              "status", "value", "lower", "upper", "rmse", "without_interviews", "interviews_needed", "level"]  # fmt: skip
    rows: list[list[object]] = []
    for one in found.modelled:
        names = found.names.get(one.domain, {}).get(one.category, {})
        status = "modelled" if one.value is not None else "not_available"
        rows.append(
            [
                found.survey, str(found.number), str(found.synthetic).lower(), "modelled: not a measurement",
                one.indicator, one.domain, one.category, names.get("vi"), names.get("en"), status, one.value,
                one.lower, one.upper, one.rmse, str(one.synthetic).lower(), one.needed, found.plan.release.level,
            ]
        )  # fmt: skip
    return csv_bytes(header, rows)
