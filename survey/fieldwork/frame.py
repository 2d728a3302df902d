"""The frame of enumeration areas and the household listing, read from CSV with every mistake at once.

A frame with a mistake is refused whole: a sample drawn from a wrong frame is wrong for ever. Understood are a byte order
mark, commas, semicolons and tabs, and the empty lines and cells that spreadsheets leave at the end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from survey.fieldwork.areas import Area
from survey.fieldwork.plan import Frame, SurveyPlan
from survey.problems import BadDocument, Finding, Text

MOST_SHOWN = 200
"""Mistakes listed one by one; a file with more is told how many there are."""


class FrameUnit(Struct, frozen=True, kw_only=True):
    """One enumeration area: `size` is the number of households counted when the frame was made."""

    psu: str
    commune: str
    urban_rural: str
    stratum: str
    size: int
    order: tuple[str, ...]


class Listed(Struct, frozen=True, kw_only=True):
    """One household of the listing; address and hamlet are identities and are kept apart from answers."""

    psu: str
    household: str
    address: str = ""
    hamlet: str = ""


class _Report:
    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.findings: list[Finding] = []
        self.more = 0

    def say(self, code: str, row: int, vi: str, en: str, column: str = "", do: Text | None = None) -> None:
        if len(self.findings) >= MOST_SHOWN:
            self.more += 1
            return
        where = f"{self.filename}, row {row}" + (f", column {column}" if column else "")
        self.findings.append(Finding(code=code, where=where, message={"vi": vi, "en": en}, remedy=do or {}))

    def stop_if_bad(self) -> None:
        if self.more:
            self.findings.append(
                Finding(
                    code="more",
                    where=self.filename,
                    message={"vi": f"và {self.more} lỗi nữa", "en": f"and {self.more} more"},
                )
            )
        if self.findings:
            raise BadDocument(self.findings)


class _Sheet:
    """A CSV file: where each column stands, and its rows with the number a person sees in a spreadsheet."""

    def __init__(self, text: str, needed: Iterable[str], report: _Report) -> None:
        text = text.removeprefix("\ufeff")
        first = text.split("\n", 1)[0]
        self._report = report
        self._number = 0
        self._reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True
        )
        self.header = [name.strip() for name in next(self._lines(), (1, []))[1]]
        self.column = {name: place for place, name in reversed(list(enumerate(self.header)))}
        for name in dict.fromkeys(needed):
            if name not in self.column:
                report.say(
                    "no_column",
                    1,
                    f"thiếu cột “{name}”",
                    f"the column “{name}” is missing",
                    do={
                        "vi": f"thêm cột, hoặc sửa survey.yaml (tệp đang có: {', '.join(self.header)})",
                        "en": f"add it, or correct survey.yaml (there are: {', '.join(self.header)})",
                    },
                )
            elif self.header.count(name) > 1:
                report.say("column_twice", 1, f"cột “{name}” có hai lần", f"the column “{name}” stands twice")
        report.stop_if_bad()

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows with as many cells as the header; others are reported, empty ones passed over."""
        width = len(self.header)
        for number, cells in self._lines():
            if len(cells) > width and not any(cells[width:]):
                cells = cells[:width]
            if not any(cells):
                continue
            if len(cells) != width:
                self._report.say(
                    "cells",
                    number,
                    f"có {len(cells)} ô, dòng đầu có {width} ô",
                    f"has {len(cells)} cells, the header {width}",
                    do={
                        "vi": "đặt ô có dấu phân cách trong ngoặc kép",
                        "en": "quote cells that hold the separator",
                    },
                )
                continue
            yield number, cells

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        try:
            for cells in self._reader:
                self._number += 1
                yield self._number, cells
        except csv.Error:
            self._report.say(
                "quotes",
                self._number + 1,
                "dấu ngoặc kép không khớp từ đây",
                "quotation marks do not match from here on",
                do={"vi": "lưu lại tệp từ bảng tính dưới dạng CSV UTF-8", "en": "save it again as CSV UTF-8"},
            )


def read_frame(
    text: str, filename: str, plan: SurveyPlan, communes: Mapping[str, Area]
) -> tuple[FrameUnit, ...]:
    """The enumeration areas; raises BadDocument with every duplicate, bad size, unknown commune and contradiction.

    `communes` are the areas in force on the plan's date, by code. The stratum is made of the plan's columns, taken
    from the frame where it has them, else from the commune.
    """
    columns: Frame = plan.frame
    of_communes = {name for area in communes.values() for name in area.columns} | {"urban_rural"}
    strata = [name for name in plan.sampling.strata if name not in of_communes]
    report = _Report(filename)
    sheet = _Sheet(text, (columns.psu, columns.area, columns.size, *columns.order, *strata), report)
    seen: dict[str, int] = {}
    units: list[FrameUnit] = []
    parts: dict[str, tuple[str, ...]] = {}
    rows = 0
    for number, cells in sheet.rows():
        rows += 1
        row = {name: cells[place].strip() for name, place in sheet.column.items()}
        psu = row[columns.psu]
        if psu and psu in seen:
            report.say(
                "twice",
                number,
                f"địa bàn {psu} đã có ở dòng {seen[psu]}",
                f"the area {psu} stands in row {seen[psu]} already",
                columns.psu,
            )
        seen.setdefault(psu, number)
        unit = _unit(row, number, columns, plan, communes, report, parts)
        if unit:
            units.append(unit)
    if not rows:
        report.say("empty", 1, "không có địa bàn nào", "there are no areas")
    if len(units) == rows:  # counting the areas of a stratum means something once every row could be read
        _few(units, plan, report)
    report.stop_if_bad()
    return tuple(units)


def _few(units: Iterable[FrameUnit], plan: SurveyPlan, report: _Report) -> None:
    counts: dict[str, int] = {}
    for unit in units:
        counts[unit.stratum] = counts.get(unit.stratum, 0) + 1
    for stratum, count in sorted(counts.items()):
        if count < plan.sampling.minimum_psus:
            report.say(
                "few_areas",
                1,
                f"tầng {stratum} chỉ có {count} địa bàn, kế hoạch cần ít nhất {plan.sampling.minimum_psus}",
                f"the stratum {stratum} has {count} areas, the plan asks for {plan.sampling.minimum_psus} at least",
                do={"vi": "gộp tầng hoặc giảm minimum_psus", "en": "merge strata or lower minimum_psus"},
            )


def more_than_there_are(asked: Mapping[str, int], there: Mapping[str, int]) -> tuple[Finding, ...]:
    """One finding for each stratum of which the allocation asks more areas than the frame has."""
    return tuple(
        Finding(
            code="few_areas",
            where=f"survey.yaml, sampling, {stratum}",
            message={
                "vi": f"phân bổ {count} địa bàn nhưng dàn mẫu chỉ có {there[stratum]}",
                "en": f"the allocation asks for {count} areas, the frame has {there[stratum]}",
            },
            remedy={
                "vi": "giảm psus, đổi allocation, gộp tầng, hoặc chia nhỏ địa bàn trong dàn mẫu",
                "en": "lower psus, change allocation, merge strata, or split areas in the frame",
            },
        )
        for stratum, count in sorted(asked.items())
        if count > there[stratum]
    )


def _unit(
    row: Mapping[str, str],
    number: int,
    columns: Frame,
    plan: SurveyPlan,
    communes: Mapping[str, Area],
    report: _Report,
    parts: dict[str, tuple[str, ...]],
) -> FrameUnit | None:
    """One row as a unit; `parts` remembers what each stratum's name was made of."""
    commune = communes.get(row[columns.area])
    size = _count(row[columns.size])
    if not row[columns.psu]:
        report.say("blank", number, "thiếu mã địa bàn", "the area has no id", columns.psu)
    if commune is None:
        report.say(
            "unknown_commune",
            number,
            f"không có xã, phường mã “{row[columns.area]}” vào ngày {plan.territory.as_of}",
            f"there is no commune “{row[columns.area]}” on {plan.territory.as_of}",
            columns.area,
            {
                "vi": "kiểm tra mã, số 0 ở đầu và ngày trong areas.csv",
                "en": "check code, leading zeros and dates",
            },
        )
    if size == 0:
        report.say(
            "bad_size",
            number,
            f"số hộ “{row[columns.size]}” phải là số nguyên dương",
            f"the number of households “{row[columns.size]}” must be a positive whole number",
            columns.size,
        )
    if commune is None or size == 0:
        return None
    urban_rural = row.get(columns.urban_rural) or commune.urban_rural
    if urban_rural != commune.urban_rural:
        report.say(
            "urban_rural",
            number,
            f"ghi “{urban_rural}” nhưng {commune.name} là “{commune.urban_rural}”",
            f"says “{urban_rural}”, but {commune.name} is “{commune.urban_rural}”",
            columns.urban_rural,
        )
    facts = {**commune.columns, **row, "urban_rural": commune.urban_rural}
    of = tuple(facts[name] for name in plan.sampling.strata)
    for name, value in zip(plan.sampling.strata, of, strict=True):
        if not value:
            report.say("blank", number, f"thiếu “{name}” để xếp tầng", f"no “{name}” to form strata by", name)
    stratum = "_".join(of)
    if parts.setdefault(stratum, of) != of:
        report.say(
            "stratum_name",
            number,
            f"hai tầng khác nhau cùng có tên “{stratum}”",
            f"two different strata are both called “{stratum}”",
            do={
                "vi": "đổi tên các giá trị dùng để xếp tầng",
                "en": "rename the values that strata are formed by",
            },
        )
    return FrameUnit(
        psu=row[columns.psu],
        commune=commune.code,
        urban_rural=urban_rural,
        stratum=stratum,
        size=size,
        order=tuple(row[name] for name in columns.order),
    )


def _count(text: str) -> int:
    """A positive whole number written with the digits 0-9, else 0: "1.500", "1,500" and "²" are no counts here."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def read_listing(
    text: str, filename: str, columns: Frame, wanted: set[str], known: set[str]
) -> dict[str, list[Listed]]:
    """The listed households of the drawn areas (`wanted`), by area, in the order of the file.

    `known` are all areas of the frame. Raises BadDocument on duplicates, unknown areas and drawn areas not listed.
    """
    report = _Report(filename)
    sheet = _Sheet(text, (columns.listing_psu, columns.listing_household), report)
    at_psu, at_household = sheet.column[columns.listing_psu], sheet.column[columns.listing_household]
    at_address, at_hamlet = sheet.column.get("address"), sheet.column.get("hamlet")
    listed: dict[str, list[Listed]] = {psu: [] for psu in wanted}
    seen: dict[str, int] = {}
    for number, cells in sheet.rows():
        psu = cells[at_psu].strip()
        households = listed.get(psu)
        if households is None:
            if psu not in known:
                report.say(
                    "unknown_area", number, f"địa bàn “{psu}” không có trong dàn mẫu", f"“{psu}” is not in the frame",
                    columns.listing_psu,
                )  # fmt: skip
            continue
        household = cells[at_household].strip()
        if not household:
            report.say("blank", number, "thiếu mã hộ", "the household has no id", columns.listing_household)
        elif household in seen:
            report.say(
                "twice", number, f"mã hộ “{household}” đã có ở dòng {seen[household]}",
                f"the household {household} stands in row {seen[household]} already", columns.listing_household,
            )  # fmt: skip
        seen.setdefault(household, number)
        households.append(
            Listed(
                psu=psu,
                household=household,
                address="" if at_address is None else cells[at_address].strip(),
                hamlet="" if at_hamlet is None else cells[at_hamlet].strip(),
            )
        )
    _unlisted([psu for psu, households in listed.items() if not households], report)
    report.stop_if_bad()
    return listed


def _unlisted(missing: Sequence[str], report: _Report) -> None:
    if missing:
        first = ", ".join(sorted(missing)[:20])
        report.say(
            "not_listed",
            1,
            f"{len(missing)} địa bàn được chọn chưa có bảng kê: {first}",
            f"{len(missing)} drawn areas are not listed: {first}",
            do={
                "vi": "lập bảng kê hộ cho các địa bàn đó rồi chạy lại với cùng hạt giống",
                "en": "list them and run again with the same seed",
            },
        )
