"""The frame of enumeration areas and the household listing, read from CSV with every mistake at once."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping

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


def rows_of(text: str, filename: str, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of a CSV by column; raises BadDocument when columns are missing. Semicolons and a BOM are understood."""
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    header = [name.strip() for name in reader.fieldnames or ()]
    report = _Report(filename)
    for name in needed:
        if name not in header:
            report.say(
                "no_column",
                1,
                f"thiếu cột “{name}”",
                f"the column “{name}” is missing",
                do={
                    "vi": f"thêm cột, hoặc sửa frame: trong survey.yaml (đang có: {', '.join(header)})",
                    "en": f"add it, or correct frame: in survey.yaml (there are: {', '.join(header)})",
                },
            )
    report.stop_if_bad()
    reader.fieldnames = header
    return [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]


def read_frame(
    text: str, filename: str, plan: SurveyPlan, communes: Mapping[str, Area]
) -> tuple[FrameUnit, ...]:
    """The enumeration areas; raises BadDocument with every duplicate, bad size, unknown commune and contradiction.

    `communes` are the areas in force on the plan's date, by code. The stratum is made of the plan's columns, taken
    from the frame where it has them, else from the commune.
    """
    columns: Frame = plan.frame
    needed = (columns.psu, columns.area, columns.size, *columns.order)
    rows = rows_of(text, filename, tuple(dict.fromkeys(needed)))
    report = _Report(filename)
    seen: dict[str, int] = {}
    units: list[FrameUnit] = []
    for number, row in enumerate(rows, start=2):
        unit = _unit(row, number, columns, plan, communes, report)
        psu = row[columns.psu]
        if psu in seen:
            report.say(
                "twice",
                number,
                f"địa bàn {psu} đã có ở dòng {seen[psu]}",
                f"the area {psu} stands in row {seen[psu]} already",
                columns.psu,
            )
        seen.setdefault(psu, number)
        if unit:
            units.append(unit)
    if not rows:
        report.say("empty", 1, "không có địa bàn nào", "there are no areas")
    for stratum, count in Counter(unit.stratum for unit in units).items():
        if count < plan.sampling.minimum_psus:
            report.say(
                "few_areas",
                1,
                f"tầng {stratum} chỉ có {count} địa bàn, kế hoạch cần ít nhất {plan.sampling.minimum_psus}",
                f"the stratum {stratum} has {count} areas, the plan asks for {plan.sampling.minimum_psus} at least",
                do={"vi": "gộp tầng hoặc giảm minimum_psus", "en": "merge strata or lower minimum_psus"},
            )
    report.stop_if_bad()
    return tuple(units)


def _unit(
    row: Mapping[str, str],
    number: int,
    columns: Frame,
    plan: SurveyPlan,
    communes: Mapping[str, Area],
    report: _Report,
) -> FrameUnit | None:
    commune = communes.get(row[columns.area])
    size = row[columns.size]
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
    if not size.isdigit() or int(size) == 0:
        report.say(
            "bad_size",
            number,
            f"số hộ “{size}” phải là số nguyên dương",
            f"the number of households “{size}” must be a positive whole number",
            columns.size,
        )
    if commune is None or not size.isdigit() or int(size) == 0:
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
    return FrameUnit(
        psu=row[columns.psu],
        commune=commune.code,
        urban_rural=urban_rural,
        stratum="_".join(dict.fromkeys(facts.get(name, "") for name in plan.sampling.strata)),
        size=int(size),
        order=tuple(row[name] for name in columns.order),
    )


def read_listing(
    text: str, filename: str, columns: Frame, wanted: set[str], known: set[str]
) -> dict[str, list[Listed]]:
    """The listed households of the drawn areas (`wanted`), by area, in the order of the file.

    `known` are all areas of the frame. Raises BadDocument on duplicates, unknown areas and drawn areas not listed.
    """
    rows = rows_of(text, filename, (columns.listing_psu, columns.listing_household))
    report = _Report(filename)
    listed: dict[str, list[Listed]] = {psu: [] for psu in wanted}
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        psu, household = row[columns.listing_psu], row[columns.listing_household]
        if psu not in known:
            report.say(
                "unknown_area", number, f"địa bàn “{psu}” không có trong dàn mẫu", f"“{psu}” is not in the frame",
                columns.listing_psu,
            )  # fmt: skip
        elif psu in listed:
            if not household or household in seen:
                report.say(
                    "twice", number, f"mã hộ “{household}” trống hoặc bị trùng",
                    f"the household id “{household}” is blank or stands twice", columns.listing_household,
                )  # fmt: skip
            seen.add(household)
            listed[psu].append(
                Listed(
                    psu=psu, household=household, address=row.get("address", ""), hamlet=row.get("hamlet", "")
                )
            )
    missing = sorted(psu for psu, households in listed.items() if not households)
    if missing:
        report.say(
            "not_listed",
            1,
            f"{len(missing)} địa bàn được chọn chưa có bảng kê: {', '.join(missing[:20])}",
            f"{len(missing)} drawn areas are not listed: {', '.join(missing[:20])}",
            do={"vi": "lập bảng kê hộ cho các địa bàn đó rồi chạy lại", "en": "list them and run again"},
        )
    report.stop_if_bad()
    return listed
