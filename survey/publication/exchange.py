"""The figures of a release in the formats that programs and other offices read: Parquet, SDMX-CSV, a data package.

parquet(header, rows)       one typed table, the same columns as the CSV
sdmx_csv(release, area)     SDMX-CSV 1.0 of the indicators that measure an international series
data_package(release, files)   Frictionless Data Package: each table with its schema, size and hash

SDMX: dimensions FREQ, REF_AREA, SERIES, SEX, AGE, URBANISATION, UNIT_MEASURE, TIME_PERIOD. `_T` is everybody of the
indicator's universe, which the attribute UNIVERSE says. Codes are those of the SDMX cross-domain code lists (CL_SEX,
CL_AGE, CL_OBS_STATUS, CL_CONF_STATUS); areas that have none keep the code of the survey after that of the territory.
A figure held back has no OBS_VALUE: CONF_STATUS C for confidentiality (x), OBS_STATUS Q for both it and quality (F).

Sources: SDMX 2.1 section on SDMX-CSV 1.0; SDMX Cross-Domain Code Lists; Frictionless Data Package 1 and Table Schema 1.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from survey.publication.results import Cell, Release
from survey.publication.voice import LANGUAGES, Voice
from survey.spreadsheet import csv_bytes

SEX: Final = {"female": "F", "male": "M"}
URBANISATION: Final = {"urban": "U", "rural": "R"}
DIMENSIONS: Final = (
    "FREQ",
    "REF_AREA",
    "SERIES",
    "SEX",
    "AGE",
    "URBANISATION",
    "UNIT_MEASURE",
    "TIME_PERIOD",
)
ATTRIBUTES: Final = (
    "OBS_STATUS",
    "CONF_STATUS",
    "STD_ERROR",
    "LOWER_CI",
    "UPPER_CI",
    "SAMPLE_SIZE",
    "UNIVERSE",
    "COMMENT_OBS",
)

TYPES: Final = {"integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_(), "string": pa.string()}
INTEGERS: Final = frozenset({"release", "n", "interviews_needed"})
BOOLEANS: Final = frozenset({"synthetic", "without_interviews"})
NUMERIC: Final = frozenset({
    "value", "se", "lower", "upper", "kg_lower", "kg_upper", "effective_n", "df", "deff", "unknown", "having", "total",
    "level", "truth", "rmse", "before", "after", "before_lower", "before_upper", "change", "p_value",
})  # fmt: skip


def kind_of(column: str) -> str:
    """The Table Schema type of a column of a release's tables."""
    for kind, names in (("integer", INTEGERS), ("boolean", BOOLEANS), ("number", NUMERIC)):
        if column in names:
            return kind
    return "string"


def parquet(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """The table with a type a column; empty cells are null. No moment and no path is written into it."""
    columns = {}
    for place, name in enumerate(header):
        kind, values = kind_of(name), [row[place] for row in rows]
        if kind == "boolean":
            values = [value == "true" for value in values]
        elif kind == "integer":
            values = [None if value is None else int(str(value)) for value in values]
        columns[name] = pa.array(values, TYPES[kind])
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd")
    return written.getvalue()


# ── SDMX ─────────────────────────────────────────────────────────────────────────────────────────────────────


def sdmx_csv(release: Release, area: str) -> bytes:
    """One observation a row: each share in percent and each absolute number. `area`: REF_AREA of the territory."""
    flow = f"{release.survey.upper()}:DF_INDICATORS(1.0)"
    header = ["DATAFLOW", *DIMENSIONS, "OBS_VALUE", *ATTRIBUTES]
    rows: list[list[object]] = []
    for cell in release.cells:
        indicator = release.indicator(cell.indicator)
        place = _place(release, cell, area)
        if not indicator.series or place is None:
            continue
        key = {"FREQ": "A", "SERIES": indicator.series, "TIME_PERIOD": release.reference[:4], **place}
        universe = Voice("en").text(indicator.denominator)
        shown = cell.status == "show"
        common = ["A" if shown else "Q", "C" if cell.status == "x" else "F"]
        reasons = "" if shown else " ".join(cell.reasons)
        for unit, value, scale in (("PT", cell.value, 100.0), ("NUMBER", cell.having, None)):
            spread = [
                None if scale is None or one is None else _percent(one)
                for one in (cell.se, cell.lower, cell.upper)
            ]
            observed = value if scale is None or value is None else _percent(value)
            dimensions = [(key | {"UNIT_MEASURE": unit})[name] for name in DIMENSIONS]
            rows.append([flow, *dimensions, observed, *common, *spread, cell.n, universe, reasons])
    return csv_bytes(header, rows)


def _percent(share: float) -> float:
    return float(f"{100.0 * share:.12g}")


def _place(release: Release, cell: Cell, area: str) -> dict[str, str] | None:
    """The dimensions of a figure; None where its breakdown is none of the international series."""
    place = {"REF_AREA": area, "SEX": "_T", "AGE": "_T", "URBANISATION": "_T"}
    if not cell.domain:
        return place
    match release.domain(cell.domain).dimension:
        case "SEX" if cell.category in SEX:
            return place | {"SEX": SEX[cell.category]}
        case "URBANISATION" if cell.category in URBANISATION:
            return place | {"URBANISATION": URBANISATION[cell.category]}
        case "AGE" if code := age_code(cell.category):
            return place | {"AGE": code}
        case "REF_AREA":
            return place | {"REF_AREA": f"{area}.{cell.category}"}
    return None


def age_code(band: str) -> str:
    """CL_AGE of "15-24" (Y15T24) and "65+" (Y_GE65); "" for what is neither."""
    if found := re.fullmatch(r"(\d+)-(\d+)", band):
        return f"Y{found[1]}T{found[2]}"
    if found := re.fullmatch(r"(\d+)\+", band):
        return f"Y_GE{found[1]}"
    return ""


# ── data package ─────────────────────────────────────────────────────────────────────────────────────────────


def data_package(
    release: Release, files: Mapping[str, bytes], described: Mapping[str, Mapping[str, Any]] = {}
) -> dict[str, Any]:
    """The `datapackage.json` of these files. `described`: name of a file → what is known better of its resource."""
    resources = []
    for name, content in files.items():
        resource: dict[str, Any] = {
            "name": re.sub(r"[^a-z0-9-]+", "-", name.lower()),
            "path": name,
            "title": " · ".join(
                Voice(language).word("files." + name.split("/")[-1].replace(".", "_"))
                for language in LANGUAGES
            ),
            "bytes": len(content),
            "hash": "sha256:" + hashlib.sha256(content).hexdigest(),
        }
        if name.endswith(".csv"):
            header = content[: content.index(b"\r\n")].decode("utf-8-sig").split(",")
            resource |= {
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": {"fields": [_field(column) for column in header], "missingValues": [""]},
            }
        resources.append(resource | dict(described.get(name, {})))
    return {
        "profile": "data-package",
        "name": release.survey.replace("_", "-"),
        "title": Voice("en").text(release.title),
        "version": str(release.number),
        "synthetic": release.synthetic,
        "resources": resources,
    }


def _field(column: str) -> dict[str, Any]:
    kind = kind_of(column)
    if column == "status":
        return {
            "name": column,
            "type": kind,
            "constraints": {"enum": ["show", "F", "x", "modelled", "not_available"]},
        }
    return {"name": column, "type": kind}
