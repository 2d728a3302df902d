"""Proves that the public-use microdata give the published figures again in R and in Python, open in SPSS and Stata with
their labels, tell nobody apart, and give away nothing that the release holds back."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pyreadstat
import pytest

from survey.publication.coded import WITHHELD
from survey.publication.microdata import Kept
from survey.publish import release
from survey.questionnaire.index import index


@pytest.fixture(scope="module")
def told(found, out) -> dict:
    return json.loads((out / "microdata.json").read_text(encoding="utf-8"))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.fixture
def r() -> str:
    program = shutil.which("Rscript")
    if program is None or subprocess.run([program, "-e", "library(survey)"], capture_output=True).returncode:
        message = "R with its package survey is missing; install it with: sudo apt-get install r-cran-survey"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return program


def test_the_scripts_make_the_published_figures_again_to_nine_figures(found, out, told, r):
    shown = {
        (one.indicator, one.domain, one.category): one.value for one in found.cells if one.status == "show"
    }
    figures = rows(out / "microdata_figures.csv")
    assert len(figures) > 50
    for one in figures:
        assert float(one["estimate"]) == shown[one["indicator"], one["domain"], one["category"]]
    in_r = subprocess.run([r, "reproduce.R"], cwd=out, capture_output=True, text=True)
    assert in_r.returncode == 0, in_r.stdout[-2000:] + in_r.stderr
    assert f"{len(figures)} figures" in in_r.stdout
    code = Path(__file__).parents[2]
    in_python = subprocess.run(
        [sys.executable, "reproduce.py"],
        cwd=out,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(code)},
    )
    assert in_python.returncode == 0, in_python.stdout[-2000:] + in_python.stderr
    stata = (out / "reproduce.do").read_text(encoding="utf-8")
    replicates = len(told["tables"]["persons"]["replicates"]["rscales"])
    assert f"jkrweight(replicate_1-replicate_{replicates}, multiplier(" in stata


def test_a_script_says_so_when_the_rows_were_changed(found, out, r, tmp_path):
    for name in ("reproduce.R", "microdata_figures.csv", "persons.csv"):
        shutil.copy(out / name, tmp_path / name)
    header, first, *rest = (out / "households.csv").read_bytes().split(b"\r\n")
    place = header.split(b",").index(b"weight")
    values = first.split(b",")
    values[place] = repr(float(values[place]) * 1.5).encode()
    (tmp_path / "households.csv").write_bytes(b"\r\n".join([header, b",".join(values), *rest]))
    assert subprocess.run([r, "reproduce.R"], cwd=tmp_path, capture_output=True).returncode == 1


def test_the_errors_of_the_replicates_are_of_the_size_of_the_published_ones(found, out):
    ratios = [
        float(one["se_replicates"]) / float(one["se_published"])
        for one in rows(out / "microdata_figures.csv")
        if not one["domain"] and one["se_published"]
    ]
    assert 0.6 < np.median(ratios) < 1.6


def test_nobody_is_told_apart_by_what_others_may_know(found, out, told):
    for name, table in told["tables"].items():
        kept = msgspec.convert(table["kept"], Kept)
        lines = rows(out / f"{name}.csv")
        assert len(lines) == table["rows"] == kept.risk.rows
        classes = Counter(tuple(line[key] for key in kept.risk.keys) for line in lines)
        assert min(classes.values()) == kept.risk.smallest >= kept.risk.minimum
        assert len(classes) == kept.risk.classes
        state = -1 - [*range(5), WITHHELD].index(WITHHELD)
        for key, count in kept.risk.withheld.items():
            assert sum(line[key] == str(state) for line in lines) == count


def test_the_rows_hold_nothing_about_where_who_and_how(village, found, out, told):
    for name in told["tables"]:
        header = set(rows(out / f"{name}.csv")[0])
        for secret in (
            "case",
            "household",
            "psu",
            "stratum",
            "commune",
            "mode",
            "birth_year",
            "age",
            "nickname",
        ):
            assert secret not in header
    known = {one["name"] for table in told["tables"].values() for one in table["columns"]}
    asked = index(village.folder.questionnaire).places.values()
    sensitive = {place.question.id for place in asked if place.question.sensitivity != "ordinary"}
    assert sensitive
    assert not known & sensitive


def test_no_figure_held_back_for_confidentiality_has_its_place_in_the_file(found, out, told):
    """A cell with x is no class of the file, alone or in the sums of classes that its columns name."""
    kept = {one for table in told["tables"].values() for one in table["kept"]["indicators"]}
    given = {
        (one["indicator"], one["domain"], one["category"]) for one in rows(out / "microdata_figures.csv")
    }
    held = [one for one in found.cells if one.status == "x" and one.indicator in kept]
    assert all((one.indicator, one.domain, one.category) not in given for one in held)
    names = {one["name"]: one for table in told["tables"].values() for one in table["columns"]}
    for one in held:
        if one.domain not in names:
            continue
        codes = names[one.domain]["codes"].values()
        words = found.names[one.domain][one.category]["en"]
        assert not any(words == code["en"] for code in codes), (one.indicator, one.domain, one.category)


def test_spss_and_stata_open_it_with_labels_and_missing_codes(found, out, told):
    lines = rows(out / "persons.csv")
    for suffix, read in (("sav", pyreadstat.read_sav), ("dta", pyreadstat.read_dta)):
        frame, meta = read(str(out / f"persons.{suffix}"), user_missing=True)
        assert list(frame.columns) == list(lines[0])
        assert frame["weight"].tolist() == [float(line["weight"]) for line in lines]
        column = next(one for one in told["tables"]["persons"]["columns"] if one["name"] == "education")
        assert column["label"]["vi"] in meta.column_names_to_labels["education"]
        labels = meta.variable_value_labels["education"]
        assert [labels[float(code)].split(" / ")[0] for code in column["codes"]] == [
            one["vi"] for one in column["codes"].values()
        ]
        assert meta.file_label
    frame, meta = pyreadstat.read_sav(str(out / "persons.sav"), user_missing=False)
    missing = sum(1 for line in lines if line["education"] in ("", *map(str, range(-9, 0))))
    assert int(frame["education"].isna().sum()) == missing > 0
    stata, _ = pyreadstat.read_dta(str(out / "persons.dta"), user_missing=False)
    assert int(stata["education"].isna().sum()) == missing


def test_the_same_sample_gives_the_same_bytes(village, frozen, found, out, tmp_path):
    release(village.folder, frozen, tmp_path)
    for name in (
        "persons.sav",
        "persons.dta",
        "persons.csv",
        "persons.parquet",
        "microdata.json",
        "reproduce.R",
    ):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


def test_without_a_word_in_the_plan_no_row_leaves_the_house(village, frozen, tmp_path):
    folder = dataclasses.replace(
        village.folder, analysis=dataclasses.replace(village.folder.analysis, microdata=None)
    )
    release(folder, frozen, tmp_path)
    assert not list(tmp_path.glob("persons.*"))
    assert not list(tmp_path.glob("reproduce.*"))
