"""The files of the public-use microdata, and scripts that make the published figures again from them.

    public_use(release, tables) → name → bytes

    persons.csv  .parquet  .sav  .dta     one row a person (households.*: a household), codes, weight, replicate weights
    microdata_figures.csv                 every published figure that the rows give again, with both standard errors
    microdata.json                        what each code means, what was left out and why, how far rows can be told apart
    reproduce.R  reproduce.do  reproduce.py

What is in the rows was decided before (`survey.publication.microdata`); here it is written down. An answer that is missing has a
negative code with its label; a question that did not concern the row has none. In Stata the codes -1, -2, … are the
missing values .a, .b, …; in SPSS they are declared missing. SPSS and Stata files hold a time: it is the reference day,
so that the same release has the same bytes.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from survey.problems import Text
from survey.publication.coded import STATES, Column
from survey.publication.microdata import Table
from survey.publication.results import Release
from survey.publication.voice import LANGUAGES
from survey.spreadsheet import csv_bytes

if TYPE_CHECKING:
    import pandas as pd

FIGURES: Final = "microdata_figures.csv"
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STATA_NAME, STATA_LABEL = 28, 80
"""Characters of a name (Stata takes 32; the library makes names of sets of labels from them) and of a variable's label."""
_SAV_MOMENT: Final = slice(92, 109)  # of the header: creation_date (9 bytes), creation_time (8)


def public_use(release: Release, tables: Mapping[str, Table]) -> dict[str, bytes]:
    """Every file, by name; none when there are no tables."""
    if not tables:
        return {}
    files: dict[str, bytes] = {}
    for name, table in tables.items():
        rows = _arrow(table)
        labels = {language: f"{_said(release.title, language)} {release.reference}" for language in LANGUAGES}
        files[f"{name}.csv"] = _csv(rows)
        files[f"{name}.parquet"] = _parquet(rows)
        files[f"{name}.sav"] = _sav(table, rows, labels["vi"], release.reference)
        files[f"{name}.dta"] = _dta(table, rows, labels["vi"], release.reference)
    files[FIGURES] = _figures(tables)
    files["microdata.json"] = (
        msgspec.json.format(msgspec.json.encode(_report(release, tables)), indent=1) + b"\n"
    )
    for script in ("R", "do", "py"):
        files[f"reproduce.{script}"] = _script(f"reproduce.{script}", release, tables)
    return files


def rows(tables: Mapping[str, Table]) -> dict[str, bytes]:
    """The rows alone, as CSV by the name of the file: what makes microdata known again."""
    return {f"{name}.csv": _csv(_arrow(table)) for name, table in tables.items()}


def _said(text: Text, language: str) -> str:
    return text.get(language) or next(iter(text.values()), "")


def _both(text: Text) -> str:
    """In both languages, once where they are the same."""
    return " / ".join(dict.fromkeys(_said(text, language) for language in LANGUAGES))


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────


def replicate_names(table: Table) -> list[str]:
    return [f"replicate_{number}" for number in range(1, table.rscales.size + 1)]


def _arrow(table: Table) -> pa.Table:
    """Codes as whole numbers, null where a question did not concern the row; the weight and its replicates last."""
    arrays = {
        one.name: pa.array(np.nan_to_num(one.values).astype(np.int64), mask=np.isnan(one.values))
        for one in table.columns
    }
    arrays["weight"] = pa.array(table.weight)
    arrays |= {
        name: pa.array(values)
        for name, values in zip(replicate_names(table), table.replicates.T, strict=True)
    }
    return pa.table(arrays)


def _csv(rows: pa.Table) -> bytes:
    written = io.BytesIO()
    pacsv.write_csv(rows, written, pacsv.WriteOptions(quoting_style="none"))
    return written.getvalue().replace(b"\n", b"\r\n").replace(b'"', b"")  # names and numbers need no quotes


def _parquet(rows: pa.Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(rows, written, compression="zstd")
    return written.getvalue()


def _sav(table: Table, rows: pa.Table, title: str, day: str) -> bytes:
    import pyreadstat

    asked = {one.name: one for one in table.columns}
    content = _written(
        lambda path: pyreadstat.write_sav(
            rows.to_pandas(),
            path,
            file_label=title[:64],
            column_labels={name: _both(one.label) for name, one in asked.items()},
            variable_value_labels={name: _labels(one) for name, one in asked.items()},
            missing_ranges={
                name: [{"lo": -len(STATES), "hi": -1}] for name, one in asked.items() if _has_states(one)
            },
            variable_measure=dict.fromkeys(asked, "nominal"),
        )
    )
    year, month, number = day.split("-")
    moment = f"{number} {MONTHS[int(month) - 1]} {year[2:]}00:00:00".encode()
    return content[: _SAV_MOMENT.start] + moment + content[_SAV_MOMENT.stop :]


def _dta(table: Table, rows: pa.Table, title: str, day: str) -> bytes:
    import pyreadstat

    frame: pd.DataFrame = rows.to_pandas()
    labels, missing = {}, {}
    names = _stata_names(frame.columns)
    for one in table.columns:
        if _has_states(one):
            frame[one.name] = frame[one.name].astype(object).where(frame[one.name].notna(), None)
            frame[one.name] = frame[one.name].map(_stata_code)
            missing[names[one.name]] = [_letter(state) for state in range(1, len(STATES) + 1)]
        labels[names[one.name]] = {_stata_code(code): text for code, text in _labels(one).items()}
    content = _written(
        lambda path: pyreadstat.write_dta(
            frame.rename(columns=names),
            path,
            file_label=title[:STATA_LABEL],
            column_labels={names[one.name]: _both(one.label)[:STATA_LABEL] for one in table.columns},
            variable_value_labels=labels,
            missing_user_values=missing,
        )
    )
    year, month, number = day.split("-")
    moment = f"{number} {MONTHS[int(month) - 1]} {year} 00:00".encode()
    return re.sub(
        rb"(?s)<timestamp>.*?</timestamp>", b"<timestamp>\x11" + moment + b"</timestamp>", content, count=1
    )


def _written(write: Callable[[str], None]) -> bytes:
    """What a program writes that knows only paths."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        write(str(path))
        return path.read_bytes()


def _labels(one: Column) -> dict[int, str]:
    return {code: _both(text) for code, text in one.codes.items()}


def _has_states(one: Column) -> bool:
    return any(code < 0 for code in one.codes)


def _letter(state: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[state - 1]


def _stata_code(code: float | None) -> Any:
    return code if code is None or code >= 0 else _letter(int(-code))


def _stata_names(names: Any) -> dict[str, str]:
    """Names as Stata takes them: what is too long ends with its place in the file."""
    return {
        name: name if len(name) <= STATA_NAME else f"{name[: STATA_NAME - 4]}_{place:03d}"
        for place, name in enumerate(names, start=1)
    }


# ── what they reproduce, and the report ──────────────────────────────────────────────────────────────────────


def described(tables: Mapping[str, Table]) -> dict[str, dict[str, Any]]:
    """What a data package says of the tables of rows: each column with its type, title and codes."""
    return {
        f"{name}.csv": {
            "schema": {
                "fields": [
                    {
                        "name": one.name,
                        "type": "integer",
                        "title": _both(one.label),
                        "description": "; ".join(f"{code} = {text}" for code, text in _labels(one).items()),
                        "constraints": {"enum": sorted(one.codes)},
                    }
                    for one in table.columns
                ]
                + [{"name": column, "type": "number"} for column in ("weight", *replicate_names(table))],
                "missingValues": [""],
            }
        }
        for name, table in tables.items()
    }


def _figures(tables: Mapping[str, Table]) -> bytes:
    header = ["table", "indicator", "domain", "category", "column", "breakdown", "code", "estimate", "se_published",
              "se_replicates"]  # fmt: skip
    rows: list[list[object]] = []
    for name, table in tables.items():
        by_domain = {one.domain: one for one in table.columns if one.domain}
        by_indicator = {one.indicator: one.name for one in table.columns if one.indicator}
        for cell, error in table.reproduced:
            breakdown = by_domain.get(cell.domain)
            rows.append(
                [
                    name, cell.indicator, cell.domain, cell.category, by_indicator[cell.indicator],
                    breakdown.name if breakdown else "", breakdown.categories[cell.category] if breakdown else "",
                    cell.value, cell.se, error,
                ]
            )  # fmt: skip
    return csv_bytes(header, rows)


def _report(release: Release, tables: Mapping[str, Table]) -> dict[str, Any]:
    return {
        "survey": release.survey,
        "release": release.number,
        "reference": release.reference,
        "synthetic": release.synthetic,
        "missing": {-place: words for place, words in enumerate(STATES.values(), start=1)},
        "tables": {
            name: {
                "rows": int(table.weight.size),
                "columns": [
                    {"name": one.name, "label": one.label, "codes": {str(code): text for code, text in one.codes.items() if code >= 0}}
                    for one in table.columns
                ],
                "replicates": {"type": "JKn", "scale": 1.0, "rscales": table.rscales.tolist(), "mse": True},
                "kept": table.kept,
                "figures": len(table.reproduced),
            }
            for name, table in tables.items()
        },
    }  # fmt: skip


# ── scripts ──────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates" / "reproduce"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # programs, not pages: only numbers and names of columns are put into them
    )


def _script(name: str, release: Release, tables: Mapping[str, Table]) -> bytes:
    facts = {
        table: {
            "rscales": [repr(float(one)) for one in found.rscales],
            "count": found.rscales.size,
            "names": [
                one for one in _stata_names([*(c.name for c in found.columns)]).items() if one[0] != one[1]
            ],
        }
        for table, found in tables.items()
    }
    title = re.sub(r"[\r\n*/#]+", " ", _both(release.title))
    text = _environment().get_template(f"{name}.jinja").render(title=title, number=release.number, reference=release.reference,
                                                    figures=FIGURES, tables=facts)  # fmt: skip
    return text.encode()
