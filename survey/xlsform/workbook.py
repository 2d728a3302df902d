"""Reading a workbook that somebody sent: safely, and with every cell's place, type and format remembered.

An .xlsx file is a zip archive of XML. Before any library opens it, the archive is looked at: too many or too large
parts, parts that unpack to far more than they weigh, document types and entities are refused. Nothing outside the file
is ever fetched; links to other workbooks are named. pyxform then reads the sheets (xlsx, xlsm, xls, csv, md).
"""

from __future__ import annotations

import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct
from pyxform.errors import PyXFormError
from pyxform.xls2json_backends import DefinitionData, get_xlsform

from survey.problems import BadDocument, Finding
from survey.xlsform.fidelity import Cell, Notes

LARGEST = 50_000_000  # bytes of a file; the largest form in the field has about two million
LARGEST_UNPACKED = 300_000_000
MOST_PARTS = 2_000
MOST_RATIO = 200  # an honest sheet packs about 20:1; a bomb more than 1000:1
MOST_ROWS = 100_000
KINDS = (".xlsx", ".xlsm", ".xls", ".csv", ".md")
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What the archive's reader says of bytes that were changed, of a password, and of a packing it does not know."""
SHEETS = ("survey", "choices", "settings", "external_choices", "entities", "osm")


class Numeric(Struct, frozen=True):
    """A cell that holds a number where a text was meant: what it shows, by its number format, and what is left."""

    cell: Cell
    value: str
    shown: str


class Workbook(Struct, frozen=True):
    """A form's sheets as pyxform takes them; rows are those of the spreadsheet (the first below the header is 2)."""

    file: str
    data: DefinitionData
    numeric: tuple[Numeric, ...] = ()

    def rows(self, sheet: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Every row that is not empty, with its number."""
        for number, row in enumerate(getattr(self.data, sheet) or (), start=2):
            if row:
                yield number, row

    def header(self, sheet: str) -> list[str]:
        headers = getattr(self.data, f"{sheet}_header") or ()
        return [str(name) for name in headers[0]] if headers else []


def read(path: Path, notes: Notes) -> Workbook:
    """The workbook, or BadDocument saying why it cannot be read safely or at all."""
    if path.suffix.lower() not in KINDS:
        raise _bad(path, "kind", f"không đọc loại tệp “{path.suffix}”", f"files of kind “{path.suffix}” are not read",
                   "dùng: " + " ".join(KINDS), "use one of: " + " ".join(KINDS))  # fmt: skip
    try:
        content = path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError as error:
        raise _bad(
            path, "no_file", "không mở được tệp", f"the file cannot be opened: {error.strerror}"
        ) from None
    if content is None:
        raise _bad(path, "too_large", "tệp quá lớn", f"the file is larger than {LARGEST // 10**6} MB")
    numeric: tuple[Numeric, ...] = ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's remarks on decoration it does not know
        if path.suffix.lower() in (".xlsx", ".xlsm"):
            _inspect(path, content, notes)
            numeric = _look(path, content, notes)
        try:
            data = get_xlsform(io.BytesIO(content), file_type=path.suffix.lower())
        except PyXFormError as error:
            if path.suffix.lower() in (".csv", ".md") and "not recognized" in str(error):
                raise _no_survey(path) from None
            raise _bad(
                path,
                "unreadable",
                f"không đọc được bảng tính: {error}",
                f"the workbook cannot be read: {error}",
            ) from None
        except Exception as error:  # a damaged file fails anywhere in three libraries
            if path.suffix.lower() in (".csv", ".md"):  # a table that names no sheet
                raise _no_survey(path) from None
            raise _bad(path, "unreadable", "tệp hỏng, không đọc được", f"the file is damaged ({type(error).__name__})",
                       "mở bằng bảng tính rồi lưu lại", "open it in a spreadsheet program and save it again") from None  # fmt: skip
    if data.survey is None:
        raise _no_survey(path)
    data.fallback_form_name = path.stem
    return Workbook(path.name, data, numeric)


def _no_survey(path: Path) -> BadDocument:
    return _bad(path, "no_survey", "không có trang tên “survey”: tệp này không phải XLSForm",
                "there is no sheet called “survey”: this is no XLSForm")  # fmt: skip


def _bad(path: Path, code: str, vi: str, en: str, do_vi: str = "", do_en: str = "") -> BadDocument:
    remedy = {"vi": do_vi, "en": do_en} if do_en else {}
    return BadDocument([Finding(code=code, where=path.name, message={"vi": vi, "en": en}, remedy=remedy)])


# --- the archive, before anything is opened ------------------------------------------------------------------------


def _inspect(path: Path, content: bytes, notes: Notes) -> None:
    if content.startswith(
        bytes.fromhex("D0CF11E0")
    ):  # an OLE file: what a password makes of an .xlsx, or an .xls
        raise _bad(path, "password", "tệp có mật khẩu, hoặc là tệp .xls bị đổi đuôi",
                   "the file is protected by a password, or is an .xls under another name",
                   "bỏ mật khẩu rồi lưu lại dạng .xlsx", "take the password off and save it as .xlsx")  # fmt: skip
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _inspect_archive(path, archive, notes)
    except DAMAGED:
        raise _bad(path, "not_xlsx", "tệp hỏng hoặc không phải .xlsx", "the file is damaged or is no .xlsx",
                   "mở bằng bảng tính rồi lưu lại", "open it in a spreadsheet program and save it again") from None  # fmt: skip


def _inspect_archive(path: Path, archive: zipfile.ZipFile, notes: Notes) -> None:
    parts = archive.infolist()
    bomb = (
        len(parts) > MOST_PARTS
        or sum(part.file_size for part in parts) > LARGEST_UNPACKED
        or any(part.file_size > MOST_RATIO * max(part.compress_size, 1) and part.file_size > 10**6 for part in parts)
    )  # fmt: skip
    if bomb:
        raise _bad(path, "bomb", "tệp nén bung ra quá lớn, có thể là tệp phá hoại",
                   "the file unpacks to far more than it weighs: refused as a zip bomb")  # fmt: skip
    for part in parts:
        if part.filename.endswith((".xml", ".rels")):
            _inspect_part(path, archive, part, notes)
        elif "vbaProject" in part.filename:
            notes.say(
                "left_out",
                "macros",
                Cell(),
                "macro trong tệp không được chạy",
                "macros in the file are not run",
            )


def _inspect_part(path: Path, archive: zipfile.ZipFile, part: zipfile.ZipInfo, notes: Notes) -> None:
    read, name = 0, part.filename
    with archive.open(part) as stream:
        tail = b""
        while chunk := stream.read(1 << 20):
            read += len(chunk)
            if read > LARGEST_UNPACKED:  # the archive's own table of contents may lie
                raise _bad(
                    path, "bomb", "tệp nén bung ra quá lớn", "the file unpacks to far more than it weighs"
                )
            window = (tail + chunk).replace(b"\0", b"")  # also in UTF-16
            if re.search(rb"<!\s*(DOCTYPE|ENTITY)", window, re.IGNORECASE):
                raise _bad(path, "entities", f"phần {name} có khai báo DOCTYPE hay ENTITY, bị từ chối",
                           f"the part {name} declares a DOCTYPE or ENTITY, which is refused")  # fmt: skip
            if name.startswith("xl/externalLinks/_rels") and b"TargetMode" in window:
                notes.say("changed", "external_link", Cell(),
                          "bảng tính trỏ tới tệp khác; tệp đó không được mở, chỉ dùng giá trị đã lưu",
                          "the workbook links to another file; that is never opened, only saved values are used",
                          "dán dưới dạng giá trị", "paste as values")  # fmt: skip
            tail = chunk[-40:]


# --- cells as they were typed --------------------------------------------------------------------------------------


def _look(path: Path, content: bytes, notes: Notes) -> tuple[Numeric, ...]:
    """Numbers where texts are meant, and formulas whose result was never saved."""
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # as in `read`
        raise _bad(path, "unreadable", "tệp hỏng, không đọc được", f"the file is damaged ({type(error).__name__})",
                   "mở bằng bảng tính rồi lưu lại", "open it in a spreadsheet program and save it again") from None  # fmt: skip
    found: list[Numeric] = []
    try:
        for sheet in book.worksheets:
            if sheet.title.lower() not in ("choices", "external_choices"):
                continue
            header: list[str] = []
            for number, row in enumerate(sheet.iter_rows(max_row=MOST_ROWS), start=1):
                if number == 1:
                    header = [str(cell.value or "").strip() for cell in row]
                    continue
                for column, cell in zip(header, row, strict=False):
                    if (
                        isinstance(cell.value, int | float)
                        and not isinstance(cell.value, bool)
                        and _is_code(column)
                    ):
                        found.append(_numeric(sheet.title.lower(), number, column, cell))
    finally:
        book.close()
    titles = {getattr(sheet, "_worksheet_path", "").lstrip("/"): sheet.title for sheet in book.worksheets}
    _formulas(content, titles, notes)
    return tuple(found)


def _is_code(column: str) -> bool:
    return bool(column) and not re.match(
        r"(label|media|image|audio|video|big-image|caption)\b", column, re.IGNORECASE
    )


def _numeric(sheet: str, row: int, column: str, cell: Any) -> Numeric:
    value = str(int(cell.value)) if float(cell.value).is_integer() else str(cell.value)
    zeros = re.fullmatch(r"0{2,}", str(cell.number_format or ""))
    return Numeric(Cell(sheet, row, column), value, value.zfill(len(zeros.group())) if zeros else value)


_CELL = re.compile(rb'<c r="([A-Z]+)(\d+)"[^>]*?(?:/>|>(.*?)</c>)', re.DOTALL)


def _formulas(content: bytes, titles: dict[str, str], notes: Notes) -> None:
    """Formulas that no spreadsheet program has computed yet (made by a script): their cells read as empty."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name, title in titles.items():
            part = archive.read(name) if title.lower() in SHEETS and name in archive.namelist() else b""
            for match in _CELL.finditer(part) if b"<f" in part else ():
                inside = match.group(3) or b""
                if b"<f" in inside and not re.search(rb"<v>[^<]|<is>", inside):
                    cell = Cell(title, int(match.group(2)), match.group(1).decode())
                    notes.say("refused", "formula", cell, "công thức chưa có kết quả được lưu, nên ô này trống",
                              "a formula whose result was never saved: the cell reads as empty",
                              "mở bằng bảng tính rồi lưu lại", "open it in a spreadsheet program and save it again")  # fmt: skip
