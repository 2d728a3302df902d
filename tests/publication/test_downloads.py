"""Proves that what people take away from a release opens in their programs, holds what was published, and no more."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import msgspec
import openpyxl
import pyarrow.parquet as pq
import pytest
from lxml import etree

from survey.folder import column_name
from survey.publication.ddi import NAMESPACE
from survey.publication.exchange import age_code
from survey.publication.sealing import verify
from survey.publication.workbook import workbook
from survey.questionnaire.codebook import variables


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# ── tables ──


def test_the_workbook_holds_every_figure_as_a_number_and_nothing_held_back(found, out):
    book = openpyxl.load_workbook(out / "estimates.xlsx")
    notes, figures, verdicts = book.worksheets
    assert [sheet.title for sheet in book] == ["Ghi chú · Notes", "Số liệu · Figures", "Kết luận · Verdicts"]
    assert "MÔ PHỎNG" in notes["B2"].value
    assert "SYNTHETIC" in notes["C2"].value
    assert figures.freeze_panes == "D2"
    assert figures.max_row == len(found.cells) + 1
    assert verdicts.max_row == len(found.decisions) + 1
    for row, cell in zip(figures.iter_rows(min_row=2), found.cells, strict=True):
        assert (row[0].value, row[5].value, row[7].value) == (cell.indicator, cell.status, cell.value)
        assert row[7].number_format == "0.0%"
        if cell.status != "show":
            assert {one.value for one in row[7:]} == {None}
            assert " · " in row[6].value, "why, in words of both languages"
    rules = {one.id: {">": ">", ">=": "≥"}[one.comparison] for one in found.plan.targets}
    assert {row[0].value: row[5].value for row in verdicts.iter_rows(min_row=2)}.items() <= rules.items()


def test_no_text_of_the_workbook_is_a_formula(found):
    trap = msgspec.structs.replace(found, title={"vi": "=1+1", "en": "@SUM(A1)"})
    trap.names["sex"]["female"] = {"vi": "=cmd()", "en": "+1"}
    book = openpyxl.load_workbook(io.BytesIO(workbook(trap)))
    assert book.worksheets[0]["B1"].value == "=1+1"
    for sheet in book:
        assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}


def test_libreoffice_opens_the_workbook(out, tmp_path):
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("no LibreOffice here: apt-get install libreoffice-calc")
    subprocess.run([office, "--headless", "--convert-to", "csv:Text - txt - csv (StarCalc):44,34,76,1", "--outdir", tmp_path, out / "estimates.xlsx"], check=True, timeout=120)  # fmt: skip
    assert "Địa bàn" in (tmp_path / "estimates.csv").read_text(encoding="utf-8")


def test_parquet_and_csv_are_one_table(out):
    table = pq.read_table(out / "estimates.parquet")
    written = rows(out / "estimates.csv")
    assert table.column_names == list(written[0])
    for typed, text in zip(table.to_pylist(), written, strict=True):
        assert typed["value"] == (float(text["value"]) if text["value"] else None)
        assert typed["synthetic"] is True


def test_the_data_package_describes_every_column_of_every_table(out):
    package = json.loads((out / "datapackage.json").read_text(encoding="utf-8"))
    for resource in package["resources"]:
        content = (out / resource["path"]).read_bytes()
        assert resource["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
        if resource["path"].endswith(".csv"):
            fields = resource["schema"]["fields"]
            table = rows(out / resource["path"])
            header = next(csv.reader(io.StringIO(content.decode())))
            assert [field["name"] for field in fields] == header
            for field in fields:
                for value in {row[field["name"]] for row in table} - {""}:
                    match field["type"]:
                        case "number":
                            float(value)
                        case "integer":
                            int(value)
                        case "boolean":
                            assert value in ("true", "false")


def test_sdmx_says_shares_and_absolute_numbers_of_the_international_series(found, out):
    observed = rows(out / "indicators.sdmx.csv")
    whole = {one["UNIT_MEASURE"]: one for one in observed
             if (one["SERIES"], one["REF_AREA"], one["SEX"], one["AGE"], one["URBANISATION"]) == ("IT_USE_ii99", "VN-31", "_T", "_T", "_T")}  # fmt: skip
    cell = found.cell("SDG_17_8_1")
    assert float(whole["PT"]["OBS_VALUE"]) == pytest.approx(100 * cell.value, rel=1e-11)
    assert float(whole["NUMBER"]["OBS_VALUE"]) == cell.having
    assert {one["SEX"] for one in observed} == {"_T", "F", "M"}
    assert {"_T", "Y15T24", "Y_GE65"} <= {one["AGE"] for one in observed}
    held = [one for one in observed if one["OBS_STATUS"] == "Q"]
    assert held
    assert {one["OBS_VALUE"] + one["SAMPLE_SIZE"] + one["STD_ERROR"] for one in held} == {""}
    assert {one["CONF_STATUS"] for one in held} == {"C", "F"}
    keys = [tuple(one[name] for name in list(one)[1:9]) for one in observed]
    assert len(set(keys)) == len(keys), "no two observations under one key"
    assert [age_code(band) for band in ("15-24", "65+", "old")] == ["Y15T24", "Y_GE65", ""]


# What the content models of the schema (DDI-Codebook 2.5, codebook.xsd) put in order; the schema itself is not in here.
ORDER = {
    "codeBook": "docDscr stdyDscr fileDscr dataDscr otherMat",
    "stdyDscr": "citation studyAuthorization stdyInfo studyDevelopment method dataAccs othrStdyMat notes",
    "citation": "titlStmt rspStmt prodStmt distStmt serStmt verStmt biblCit holdings notes",
    "titlStmt": "titl subTitl altTitl parTitl IDNo",
    "stdyInfo": "studyBudget subject abstract sumDscr qualityStatement notes",
    "sumDscr": "timePrd collDate nation geogCover geogUnit geoBndBox boundPoly anlyUnit universe dataKind",
    "docDscr": "citation guide docStatus docSrc controlledVocabUsed notes",
    "rspStmt": "AuthEnty othId",
    "prodStmt": "producer copyright prodDate prodPlac software fundAg grantNo",
    "verStmt": "version verResp notes",
    "dataDscr": "varGrp nCubeGrp var nCube notes",
    "method": "dataColl notes anlyInfo stdyClas dataProcessing codingInstructions",
    "qstn": "preQTxt qstnLit postQTxt forward backward ivuInstr",
    "dataColl": "timeMeth dataCollector collectorTraining frequenc sampProc sampleFrame targetSampleSize deviat collMode resInstru "
    "instrumentDevelopment sources collSitu actMin ConOps weight cleanOps",
    "var": "location labl imputation security embargo respUnit anlysUnit qstn valrng invalrng undocCod universe TotlResp sumStat txt "
    "stdCatgry catgryGrp catgry codInstr verStmt concept derivation varFormat geoMap catLevel notes",
    "catgry": "catValu labl txt catStat mrow",
}  # fmt: skip


REQUIRED = {
    "codeBook": ("stdyDscr",), "docDscr": ("citation",), "stdyDscr": ("citation",), "citation": ("titlStmt",),
    "titlStmt": ("titl",), "catgry": ("catValu",), "qstn": ("qstnLit",),
}  # fmt: skip
DAY, NCNAME = r"\d{4}-\d{2}-\d{2}", r"[A-Za-z_][\w.-]*"
ATTRIBUTES = {
    "codeBook": {"version": r"2\.5"},
    "var": {"ID": NCNAME, "name": NCNAME, "intrvl": "contin|discrete"},
    "timePrd": {"event": "start|end|single", "date": DAY},
    "collDate": {"event": "start|end|single", "date": DAY},
    "universe": {"clusion": "[IE]"},
    "catgry": {"missing": "[YN]"},
    "varFormat": {"type": "numeric|character"},
    "notes": {"type": ".+"},
}  # what is allowed of the attributes that are written, from the same source
EVERYWHERE = ("{http://www.w3.org/XML/1998/namespace}lang",)


def test_ddi_describes_every_variable_in_the_order_of_the_standard(village, out):
    book = ET.parse(out / "questionnaire.ddi.xml").getroot()
    assert book.tag == f"{{{NAMESPACE}}}codeBook"
    for element in book.iter():
        if order := ORDER.get(element.tag.partition("}")[2]):
            places = [order.split().index(child.tag.partition("}")[2]) for child in element]
            assert places == sorted(places), element.tag
    tags = {element.tag.partition("}")[2] for element in book.iter()}
    assert tags <= ORDER.keys() | {child for children in ORDER.values() for child in children.split()}
    for element in book.iter():
        tag = element.tag.partition("}")[2]
        children = [child.tag.partition("}")[2] for child in element]
        assert not children or tag in ORDER, f"{tag} holds words and no elements"
        assert tag in (*ORDER, "varFormat") or (element.text or "").strip(), f"{tag} is empty"
        for needed in REQUIRED.get(tag, ()):
            assert children.count(needed) == 1, f"{tag} without {needed}"
        for name, value in element.attrib.items():
            allowed = ATTRIBUTES.get(tag, {}).get(name, None if name in EVERYWHERE else "")
            assert allowed is None or re.fullmatch(allowed, value), f"{tag}/@{name}={value}"
    ids = [one.get("ID") for one in book.iter() if one.get("ID")]
    assert len(set(ids)) == len(ids)
    described = {one.get("name"): one for one in book.iter(f"{{{NAMESPACE}}}var")}
    for variable in variables(village.folder.questionnaire):
        codes = [one.text for one in described[column_name(variable.name)].iter(f"{{{NAMESPACE}}}catValu")]
        assert codes[: len(variable.choices)] == [choice.code for choice in variable.choices]
        assert codes[len(variable.choices) :] == [
            "dont_know",
            "refused",
            "not_applicable",
            "not_asked",
            "lost",
        ]


@pytest.mark.skipif(
    "DDI_SCHEMA" not in os.environ, reason="DDI_SCHEMA=…/codebook.xsd names the schema, which is not in here"
)
def test_ddi_is_valid_against_its_schema(out):
    schema = etree.XMLSchema(etree.parse(os.environ["DDI_SCHEMA"]))
    schema.assertValid(etree.parse(out / "questionnaire.ddi.xml"))


def test_every_file_is_sealed_and_linked_in_both_languages(out):
    sealed = verify(out)[0].files
    for name in (
        "estimates.xlsx",
        "estimates.parquet",
        "datapackage.json",
        "indicators.sdmx.csv",
        "questionnaire.ddi.xml",
    ):
        assert name in sealed
        for page, root in (("files.html", ""), ("en/files.html", "../")):
            assert f'href="{root}data/{name}"' in (out / "site" / page).read_text(encoding="utf-8")
