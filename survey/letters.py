"""The letters that bring each household its code, as one PDF to print: a page a household, sorted by hamlet.

In the survey's languages: the first in full, the second below it in short. Words are the interface's, so that a survey
that brings a language of its own brings its letters too.
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import segno

from survey.fieldwork.areas import areas
from survey.folder import Folder
from survey.problems import SurveyError
from survey.questionnaire.routing import duration
from survey.spreadsheet import plain
from survey.typesetting import pdf
from survey.web import words
from survey.web.words import long_date, said, word

WORDS = (
    "to", "chosen", "scan", "type", "visit", "keep", "why", "quick", "private", "private_text", "useful", "useful_text",
    "free", "who", "code",
)  # fmt: skip


def write_letters(folder: Folder, codes: Path, url: str, out: Path, *, synthetic: bool = False) -> int:
    """Write a letter for each line of the codes file (`survey load`) into the PDF `out`; returns how many.

    `url` is the address households open; the square holds it with the code, and opening it only fills the code in.
    The file is as secret as the codes (mode 0600): print it, then destroy it.
    """
    if not codes.is_file():
        raise SurveyError(
            {
                "vi": f"Không có tệp {codes}. Lệnh survey load ghi tệp mã này.",
                "en": f"There is no file {codes}. `survey load` writes the codes.",
            }
        )
    names = {area.code: area.name for area in areas(folder.areas)}
    with codes.open(encoding="utf-8", newline="") as file:
        read = [{name: plain(cell or "") for name, cell in row.items()} for row in csv.DictReader(file)]
        rows = sorted(read, key=lambda row: (row["commune"], row["hamlet"], row["address"]))
    url = url.rstrip("/")
    words.bring(folder.path)
    letters_of = {
        "letters": [
            {**row, "commune": names.get(row["commune"], row["commune"]), "qr": _square(f"{url}/c/{row['code']}")}
            for row in rows
        ],
        "url": url.removeprefix("https://"),
        "synthetic": synthetic,
        "languages": [_words(folder, language) for language in folder.plan.languages[:2]],
    }  # fmt: skip
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pdf("letters.typ", letters_of))
    return len(rows)


def _words(folder: Folder, language: str) -> dict[str, Any]:
    """All that a letter says in this language. What does not hold for this survey is "" and not said."""
    plan = folder.plan
    told = {key: word(language, f"letter.{key}") for key in WORDS}
    if "visit" not in plan.modes:
        told["visit"] = ""
    if plan.legal.obligatory:
        told["free"] = ""
    return told | {
        "language": language,
        "title": said(plan.title, language),
        "organiser": said(plan.organiser, language),
        "help": f"{word(language, 'help')} {said(plan.helpline, language)}" if plan.helpline else "",
        "promise": said(plan.promise, language),
        "quick_text": word(language, "letter.quick_text", n=duration(folder.questionnaire)),
        "until": word(language, "letter.until", day=long_date(language, plan.dates.closes)),
        "notice": [words.notice(plan, language)[place] for place in (0, 1, 4)],
        "synthetic": word(language, "synthetic"),
    }


def _square(text: str) -> str:
    """A QR code as SVG; error level M still reads when a tenth of it is dirty or folded."""
    svg = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        svg, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=2
    )
    return svg.getvalue().decode()
