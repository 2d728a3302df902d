"""The questionnaire and its variables as DDI-Codebook 2.5, for data archives (NADA, Dataverse, Nesstar readers).

Every variable of the questionnaire with its question in every language, who is asked in words, its codes, and the codes
of missing answers. Nothing but definitions: no frequency, no answer. A function of the release and the survey folder.

Source: DDI Alliance 2012, DDI-Codebook 2.5, XML Schema; the order of elements is that of its content models.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Final

from survey.codebook import listed
from survey.folder import Folder, column_name
from survey.publication.results import Release
from survey.publication.voice import LANGUAGES
from survey.questionnaire.codebook import MISSING, variables

NAMESPACE: Final = "ddi:codebook:2_5"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def ddi(release: Release, folder: Folder) -> bytes:
    """The XML document, UTF-8 and indented."""
    ET.register_namespace("", NAMESPACE)
    book = ET.Element(f"{{{NAMESPACE}}}codeBook", {"version": "2.5", _LANGUAGE: LANGUAGES[0]})
    _citation(_under(_under(book, "docDscr"), "citation"), release, document=True)
    _study(_under(book, "stdyDscr"), release)
    _data(_under(book, "dataDscr"), folder)
    ET.indent(book, " ")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(book, encoding="utf-8") + b"\n"


def _under(parent: ET.Element, tag: str, text: str = "", /, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{NAMESPACE}}}{tag}", attributes)
    if text:
        element.text = text
    return element


def _each(parent: ET.Element, tag: str, words: Mapping[str, str], /, **attributes: str) -> None:
    """One element for each language."""
    for language in LANGUAGES:
        if words.get(language):
            _under(parent, tag, words[language], **attributes).set(_LANGUAGE, language)


def _citation(citation: ET.Element, release: Release, *, document: bool) -> None:
    title = _under(citation, "titlStmt")
    first, *others = LANGUAGES
    _under(title, "titl", release.title.get(first, "")).set(_LANGUAGE, first)
    for language in others:
        _under(title, "parTitl", release.title.get(language, "")).set(_LANGUAGE, language)
    _under(title, "IDNo", f"{release.survey}-{release.number}")
    if document:
        _under(_under(citation, "prodStmt"), "software", release.software)
        return
    _each(_under(citation, "rspStmt"), "AuthEnty", release.organiser)
    version = _under(citation, "verStmt")
    _under(version, "version", str(release.number))


def _study(study: ET.Element, release: Release) -> None:
    _citation(_under(study, "citation"), release, document=False)
    info = _under(study, "stdyInfo")
    if release.synthetic:
        _each(
            info,
            "abstract",
            {
                "vi": "Số liệu mô phỏng: không người nào trong đó có thật.",
                "en": "Synthetic data: nobody in them exists.",
            },
        )
    summary = _under(info, "sumDscr")
    _under(summary, "timePrd", release.reference, event="single", date=release.reference)
    for event, day in zip(("start", "end"), release.fieldwork, strict=True):
        _under(summary, "collDate", day, event=event, date=day)
    _each(summary, "geogCover", release.territory)
    for unit in ({"vi": "người", "en": "person"}, {"vi": "hộ", "en": "household"}):
        _each(summary, "anlyUnit", unit)
    _each(summary, "dataKind", {"vi": "số liệu điều tra chọn mẫu", "en": "survey data"})
    collection = _under(_under(study, "method"), "dataColl")
    design = release.design
    _each(
        collection,
        "sampProc",
        {
            "vi": f"Chọn mẫu hai giai đoạn có phân tầng: {design['strata']} tầng, {design['psus']} địa bàn, {design['households']} hộ.",
            "en": f"Stratified two-stage sample: {design['strata']} strata, {design['psus']} areas, {design['households']} households.",
        },
    )
    for mode in release.outcomes.by_mode:
        _under(collection, "collMode", mode)
    _under(collection, "weight", " → ".join(f"{step.step} ({step.unit})" for step in release.weighting))


def _data(data: ET.Element, folder: Folder) -> None:
    questionnaire = folder.questionnaire
    known = {variable.name: variable for variable in variables(questionnaire)}
    for entry in listed(questionnaire, LANGUAGES):
        variable = known[entry["name"]]
        name = column_name(variable.name)
        continuous = variable.form in ("integer", "decimal", "year", "date")
        element = _under(
            data, "var", ID=f"V_{name}", name=name, intrvl="contin" if continuous else "discrete"
        )
        said = dict(zip(LANGUAGES, entry["label"], strict=True))
        _each(element, "labl", said)
        _each(element, "anlysUnit", {LANGUAGES[0]: entry["level"][0]})
        for language, question in said.items():
            literal = _under(element, "qstn")
            literal.set(_LANGUAGE, language)
            _under(literal, "qstnLit", question).set(_LANGUAGE, language)
        _each(element, "universe", dict(zip(LANGUAGES, entry["universe"], strict=True)), clusion="I")
        for choice in variable.choices:
            category = _under(element, "catgry")
            _under(category, "catValu", choice.code)
            _each(category, "labl", choice.label)
        for code, words in MISSING.items():
            category = _under(element, "catgry", missing="Y")
            _under(category, "catValu", code)
            _each(category, "labl", words)
        if variable.definition:
            _under(element, "concept", variable.definition)
        _under(
            element, "varFormat", type="numeric" if continuous and variable.form != "date" else "character"
        )
        _under(element, "notes", variable.sensitivity, type="sensitivity")
