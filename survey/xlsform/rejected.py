"""What pyxform says against a form: in both languages, by its cell, and all of it.

pyxform stops at the first thing it cannot take. So that an author is told of everything at once, that cell or row is
set aside (`SetAside`) and the rest is read again; the form stays refused, whatever else is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from survey.xlsform.columns import Columns, split
from survey.xlsform.fidelity import Cell, Level, Notes

Rows = dict[str, list[dict[str, Any]]]
MOST = 40  # rejections of one form; more are not looked for
ROW = "row_in_sheet"
"""The column that is added to every row, so that pyxform hands back where each thing stood."""

# What it says (a regular expression), in Vietnamese, the column it is about, and what to do.
_SAID: tuple[tuple[str, str, str, str, str], ...] = (
    (r"Names must begin with a letter", "tên này không dùng được: phải bắt đầu bằng chữ cái hoặc gạch dưới, rồi chỉ gồm chữ, số, gạch dưới, gạch ngang, dấu chấm", "name", "đổi tên", "change the name"),
    (r"must start with '\$\{'", "chỗ nhắc tới một câu hỏi phải viết liền ${tên}", "", "viết ${tên}, không có khoảng trắng bên trong", "write ${name}, with no blanks inside"),
    (r"must have a comma between", "các câu hỏi liệt kê ở đây phải cách nhau bằng dấu phẩy", "", "", ""),
    (r"Could not find the name '(?P<one>[^']*)'", "không có câu hỏi “{one}”", "", "sửa lại tên, viết hoa viết thường như ở cột name", "correct the name; capitals count"),
    (r"The name '(?P<one>[^']*)' appears more than once", "có nhiều câu mang tên “{one}”, không rõ ý câu nào", "", "đổi tên cho khác nhau", "give them different names"),
    (r"List name not in (?:choices|columns) sheet: (?P<one>.*)", "trang choices không có danh sách “{one}”", "type", "thêm danh sách, hoặc sửa tên của nó", "add the list, or correct its name"),
    (r"List name not in external choices sheet: (?P<one>.*)", "trang external_choices không có danh sách “{one}”", "type", "", ""),
    (r"There should be a choices sheet", "phiếu có câu chọn mà không có trang choices", "type", "thêm trang choices với list_name, name, label", "add a sheet choices with list_name, name, label"),
    (r"There should be an external_choices sheet", "phiếu có câu select_one_external mà không có trang external_choices", "type", "", ""),
    (r"Question with no type", "dòng này không ghi loại câu", "type", "ghi loại câu, hoặc xóa dòng", "write the type, or delete the row"),
    (r"Question or group with no name", "câu hoặc nhóm này không có tên", "name", "đặt tên", "give it a name"),
    (r"Missing calculation", "câu calculate không có biểu thức", "calculation", "ghi biểu thức, hoặc xóa dòng", "write the calculation, or delete the row"),
    (r"Unmatched 'begin_(?P<one>\w+)'", "“begin_{one}” này không có “end_{one}” đi cùng", "type", "thêm “end_{one}”", "add “end_{one}”"),
    (r"Unmatched 'end_(?P<one>\w+)'", "“end_{one}” này không có “begin_{one}” đi cùng", "type", "bỏ dòng này, hoặc thêm “begin_{one}”", "delete the row, or add “begin_{one}”"),
    (r"Choices must have a name", "lựa chọn này không có mã", "name", "ghi mã, hoặc xóa dòng", "write the code, or delete the row"),
    (r"Choices should have a label", "lựa chọn này không có lời", "label", "ghi lời cho người đọc", "write the words people read"),
    (r"Choice names must be unique", "mã này đã có trong danh sách", "name", "đổi mã", "change the code"),
    (r"Choice names with spaces cannot .*See \[(?P<one>.*)\] in \[", "mã “{one}” có khoảng trắng, không dùng được ở câu chọn nhiều", "name", "thay khoảng trắng bằng gạch dưới", "put an underscore in place of the blank"),
    (r"must be unique within", "trong cùng nhóm đã có câu mang tên này", "name", "đổi tên cho khác nhau", "give them different names"),
    (r"Repeat names must unique|Repeat names must not be the same", "tên của phần lặp trùng với tên khác", "name", "đổi tên", "change the name"),
    (r"The name 'meta' is reserved", "tên “meta” dành riêng cho XForms", "name", "đổi tên", "change the name"),
    (r"Audits must always be named", "dòng audit phải để trống cột name", "name", "xóa tên đó", "leave the name blank"),
    (r"invalid parameter key\(s\): '(?P<one>[^']*)'", "loại câu này không có tham số “{one}”", "parameters", "bỏ tham số đó", "take that parameter out"),
    (r"Parameters must be in the form", "tham số phải viết dạng tên=giá_trị", "parameters", "viết lại, cách nhau bằng khoảng trắng", "write them again, with blanks between them"),
    (r"range' question type, the parameter", "tham số của câu range không hợp lệ", "parameters", "sửa start, end, step", "correct start, end, step"),
    (r"value must be a number or a reference|use a seed|must be set to true or false|must have an integer value", "giá trị của tham số không hợp lệ", "parameters", "", ""),
    (r"Choice filter not supported", "không dùng choice_filter được ở đây", "choice_filter", "bỏ bộ lọc, hoặc đổi cách hỏi", "take the filter out, or ask it another way"),
    (r"Badly formatted table list", "các câu trong một bảng phải dùng chung một danh sách", "type", "dùng chung một danh sách", "use one list"),
    (r"different names for the same column were found: (?P<one>.*)\. Rename", "hai cột cùng một nghĩa: {one}", "", "bỏ một cột", "take one of them out"),
    (r"required column headers were not found: (?P<one>.*?)\.", "thiếu cột bắt buộc: {one}", "", "thêm cột đó", "add that column"),
    (r"is no longer supported on most devices", "máy Android mới không cho biết điều này nữa", "type", "", ""),
    (r"Row without name, text, or label", "dòng không có tên và lời: bỏ qua", "type", "", ""),
)  # fmt: skip


class Rejection(Struct, frozen=True):
    """One thing pyxform says: where, and in words. `column` is the property it is about, however its header is called."""

    sheet: str
    row: int
    column: str
    vietnamese: str
    english: str
    do_vietnamese: str = ""
    do_english: str = ""


def rejection(said: str) -> Rejection:
    """pyxform's words taken apart."""
    said = said.split("\n{")[0].strip()  # the row itself, which the reader has before him
    row = re.search(r"\[row : (\d+)\]|\brow (\d+)", said)
    sheet = re.search(r"'(survey|choices|settings|entities|external_choices|osm)'", said)
    column = re.search(r"the '([^']+)' value|'(\w+)' column|column '(\w+)'", said)
    named = next((name for name in column.groups() if name), "") if column else ""
    plain = re.sub(r"^\[row : \d+\]\s*|\s*Learn more:.*$", "", said, flags=re.DOTALL)
    plain = re.sub(
        r"^On the '\w+' sheet, the '[^']+' value (?:'[^']*' )?is (?:invalid|problematic)\.\s*", "", plain
    )
    vi, about, do_vi, do_en = plain, "", "", ""
    for pattern, words, of, remedy_vi, remedy_en in _SAID:
        match = re.search(pattern, said)
        if match:
            vi, do_vi, do_en = (
                one.replace("{one}", match.groupdict().get("one") or "")
                for one in (words, remedy_vi, remedy_en)
            )
            about = of
            break
    number = int(row.group(1) or row.group(2)) if row else 0
    headers = (
        re.findall(r"'([^']+)'", said)
        if "column headers were not found" in said or "different names for" in said
        else []
    )
    if headers:  # the sheet, then what it calls the columns
        number, named = 1, headers[-1]
    return Rejection(sheet.group(1) if sheet else "survey" if row else "", number, named or about, vi, " ".join(plain.split()), do_vi, do_en)  # fmt: skip


def say(level: Level, found: Rejection, cell: Cell, notes: Notes) -> None:
    notes.say(level, "pyxform", cell, f"pyxform: {found.vietnamese}", f"pyxform: {found.english}", found.do_vietnamese, found.do_english)  # fmt: skip


class SetAside:
    """The sheets of a form on their way to pyxform, without what it has rejected so far."""

    def __init__(self, sheets: Rows, columns: Columns) -> None:
        self.sheets, self.columns = sheets, columns
        self.times: dict[tuple[str, int], int] = {}

    def cell(self, found: Rejection) -> Cell:
        """Where it stands, with the header as it is written."""
        if found.row and found.sheet in self.columns.headers:
            written = found.column in self.columns.headers[found.sheet]
            return Cell(
                found.sheet,
                found.row,
                found.column
                if written or not found.column
                else self.columns.header(found.sheet, found.column),
            )
        if found.row:
            return Cell(found.sheet, found.row, found.column)
        return Cell(*next(self._looked_for(found), (found.sheet, 0, found.column)))

    def _looked_for(self, found: Rejection) -> Iterator[tuple[str, int, str]]:
        """The place of what pyxform names without a row."""
        match = re.search(r"See \[(.*)\] in \[(.*)\]", found.english)
        if match:
            for number, row in enumerate(self.sheets.get("choices", ()), start=2):
                header = next((name for name, value in row.items() if value == match.group(1)), "")
                if header and match.group(2) in row.values():
                    yield "choices", number, header
        wanted = (
            "external"
            if "external_choices sheet" in found.english
            else "select"
            if "choices sheet" in found.english
            else ""
        )
        for number, row in enumerate(self.sheets.get("survey", ()) if wanted else (), start=2):
            header = next((name for name in row if _is(name, "type", "command")), "")
            if header and wanted in str(row[header]):
                yield "survey", number, header

    def past(self, found: Rejection) -> bool:
        """Set aside what was rejected; False when nothing can be, so that the rest cannot be read."""
        cell = self.cell(found)
        rows = self.sheets.get(cell.sheet, [])
        if not 2 <= cell.row <= len(rows) + 1 or sum(self.times.values()) >= MOST:
            return False
        key = (cell.sheet, cell.row)
        self.times[key] = self.times.get(key, 0) + 1
        row = rows[cell.row - 2]
        if self.times[key] > 3 or not row:
            return False
        if self.times[key] == 3 or "Unmatched" in found.english or "no type" in found.english:
            rows[cell.row - 2] = {}
        elif cell.sheet == "survey":
            _mend(row, cell)
        elif _is(cell.column, "name", "value"):
            row[cell.column] = f"code_{cell.row}"
        else:
            rows[cell.row - 2] = {}
        return True


def _mend(row: dict[str, Any], cell: Cell) -> None:
    """A row of the survey sheet without what was rejected in it: a text question if nothing less will do."""
    if _is(cell.column, "name", "tag"):
        row[cell.column] = f"row_{cell.row}"
    elif row.get(cell.column) and _is(cell.column, "label", "caption", "hint", "guidance_hint"):
        row[cell.column] = str(row[cell.column]).replace("${", "{")
    elif row.get(cell.column) and not _is(cell.column, "type", "command"):
        del row[cell.column]
    else:
        kept = [
            name
            for name in row
            if name == ROW or _is(name, "type", "command", "name", "tag", "label", "caption")
        ]
        for name in set(row) - set(kept):
            del row[name]
        row[next((name for name in kept if _is(name, "type", "command")), "type")] = "text"


def _is(header: str, *names: str) -> bool:
    return split(header)[0] in names
