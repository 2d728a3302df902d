"""A frame or a listing with mistakes is refused whole, with every row, column and remedy; a sound one is read as meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.fieldwork.areas import Area, areas, as_of
from survey.fieldwork.frame import read_frame, read_listing
from survey.folder import Folder
from survey.problems import BadDocument, Finding

FOLDER = Folder.read(Path(__file__).parents[2] / "questionnaires" / "haiduong-digital-society")
COMMUNES = as_of(areas(FOLDER.areas), FOLDER.plan.territory.as_of)
HEADER = "ea,commune,urban_rural,households\n"


def sound() -> str:
    """Six areas in one commune of every stratum."""
    one = {}
    for area in COMMUNES.values():
        one.setdefault(area.columns["group"] + area.urban_rural, area)
    rows = [f"{a.code}-{k},{a.code},{a.urban_rural},{100 + k}" for a in one.values() for k in range(6)]
    return HEADER + "\n".join(rows) + "\n"


def refused(text: str) -> list[Finding]:
    with pytest.raises(BadDocument) as raised:
        read_frame(text, "frame.csv", FOLDER.plan, COMMUNES)
    return list(raised.value.findings)


def test_a_sound_frame_is_read_with_its_strata() -> None:
    units = read_frame("\ufeff" + sound(), "frame.csv", FOLDER.plan, COMMUNES)
    assert len({unit.stratum for unit in units}) == 5
    assert all(unit.size >= 100 for unit in units)


def test_semicolons_are_understood() -> None:
    assert read_frame(sound().replace(",", ";"), "frame.csv", FOLDER.plan, COMMUNES) == read_frame(
        sound(), "frame.csv", FOLDER.plan, COMMUNES
    )


def test_every_mistake_is_told_at_once_with_its_row() -> None:
    text = sound() + "10525-0,10525,urban,0\nX,99999,urban,50\nY,10525,rural,ten\nX,10525,urban,9\n"
    codes = {(finding.code, finding.where) for finding in refused(text)}
    last = len(sound().splitlines())
    assert ("bad_size", f"frame.csv, row {last + 1}, column households") in codes
    assert ("unknown_commune", f"frame.csv, row {last + 2}, column commune") in codes
    assert ("bad_size", f"frame.csv, row {last + 3}, column households") in codes
    assert ("twice", f"frame.csv, row {last + 4}, column ea") in codes


def test_a_stratum_with_too_few_areas_is_named_with_what_to_do() -> None:
    rows = sound().splitlines()
    finding = next(f for f in refused("\n".join(rows[:-4]) + "\n") if f.code == "few_areas")
    assert "minimum_psus" in finding.remedy["vi"]


def test_a_missing_column_lists_the_columns_there_are() -> None:
    assert "ea, khu" in refused("ea,khu\n1,2\n")[0].remedy["en"]


def test_an_area_that_says_urban_in_a_rural_commune_is_a_mistake() -> None:
    text = sound().replace(",rural,", ",urban,", 1)
    assert {finding.code for finding in refused(text)} == {"urban_rural"}


def test_codes_mean_a_place_only_while_they_are_valid() -> None:
    old = Area(code="10525", name="Phường Trần Hưng Đạo", kind="phường", urban_rural="urban",
               valid_from="2008-01-01", valid_to="2025-07-01")  # fmt: skip
    new = COMMUNES["10525"]
    assert as_of([old, new], "2025-06-30")["10525"].name == "Phường Trần Hưng Đạo"
    assert as_of([old, new], "2025-07-01")["10525"].name == "Phường Hải Dương"


def test_a_listing_must_cover_every_drawn_area_once() -> None:
    text = "ea,household,address,hamlet\nA,1,Nhà 1,Thôn 1\nA,1,Nhà 2,Thôn 1\nZ,3,,\n"
    with pytest.raises(BadDocument) as raised:
        read_listing(text, "listing.csv", FOLDER.plan.frame, {"A", "B"}, {"A", "B", "C"})
    found = {finding.code: finding for finding in raised.value.findings}
    assert set(found) == {"twice", "unknown_area", "not_listed"}
    assert "B" in found["not_listed"].message["vi"]
