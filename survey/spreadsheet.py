"""CSV that a statistical program reads exactly and that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from survey.problems import BadDocument, Finding

BEGINS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def safe(value: object) -> object:
    """A CSV cell that a spreadsheet reads as text: a leading = + - @ tab or return would run as a formula (CWE-1236)."""
    if isinstance(value, str) and value[:1] in BEGINS:
        return "'" + value
    return value


def plain(cell: str) -> str:
    """What `safe` was given, for files of ours that we read again: "+84 912…" is a telephone, not a formula."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in BEGINS else cell


def csv_bytes(header: Sequence[str], rows: Sequence[Sequence[object]], *, mark: bool = False) -> bytes:
    """RFC 4180 in UTF-8, safe against formulas; `mark` adds the byte order mark that Excel needs for Vietnamese."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow(["" if value is None else safe(value) for value in row])
    return text.getvalue().encode("utf-8-sig" if mark else "utf-8")


def text_of(path: Path) -> str:
    """A CSV file as text, or BadDocument saying why it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        code, vi, en = "not_utf8", "tệp không ở dạng UTF-8", "the file is not UTF-8"
        remedy = {"vi": "lưu lại dưới dạng CSV UTF-8", "en": "save it as CSV UTF-8"}
    except OSError as error:
        code, vi, en = "no_file", "không mở được tệp này", f"the file cannot be opened ({error.strerror})"
        remedy = {"vi": f"kiểm tra đường dẫn {path}", "en": f"check the path {path}"}
    raise BadDocument([Finding(code=code, where=path.name, message={"vi": vi, "en": en}, remedy=remedy)])
