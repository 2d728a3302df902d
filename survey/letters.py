"""The letters that bring each household its code, as one PDF to print: a page a household, sorted by hamlet."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import segno

from survey.fieldwork.areas import areas
from survey.folder import Folder
from survey.problems import SurveyError
from survey.typesetting import pdf
from survey.web.words import long_date


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
        rows = sorted(csv.DictReader(file), key=lambda row: (row["commune"], row["hamlet"], row["address"]))
    url = url.rstrip("/")
    letters = [
        {**row, "commune": names.get(row["commune"], row["commune"]), "qr": _square(f"{url}/c/{row['code']}")}
        for row in rows
    ]
    letters_of = {
        "letters": letters,
        "url": url,
        "closes": {language: long_date(language, folder.plan.dates.closes) for language in ("vi", "en")},
        "synthetic": synthetic,
        "title": folder.plan.title,
        "organiser": folder.plan.organiser,
        "helpline": folder.plan.helpline,
    }
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pdf("letters.typ", letters_of))
    return len(letters)


def _square(text: str) -> str:
    """A QR code as SVG; error level M still reads when a tenth of it is dirty or folded."""
    svg = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        svg, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=2
    )
    return svg.getvalue().decode()
