"""A frame or a listing with mistakes is refused whole, with every row, column and remedy; a sound one is read as meant."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from survey.fieldwork.areas import Area, areas, as_of, overlapping
from survey.fieldwork.frame import read_frame, read_listing
from survey.fieldwork.plan import SurveyPlan
from survey.fieldwork.sample import SampledUnit
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
    assert "row 2" in found["twice"].message["en"]
    assert "B" in found["not_listed"].message["vi"]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("X,10525,urban", "cells"),
        ("X,10525,urban,90,Nhà 1, Thôn 2", "cells"),
        ("X,10525,urban,²", "bad_size"),
        ("X,10525,urban,1.500", "bad_size"),
        (",10525,urban,90", "blank"),
        ('X,10525,urban,"90', "quotes"),
    ],
)
def test_a_row_that_a_spreadsheet_spoiled_is_named(row: str, code: str) -> None:
    found = refused(sound() + row + "\n")
    assert [finding.code for finding in found] == [code]
    assert f"row {len(sound().splitlines()) + 1}" in found[0].where


def test_what_spreadsheets_leave_behind_is_passed_over() -> None:
    read = read_frame(sound(), "frame.csv", FOLDER.plan, COMMUNES)
    lines = sound().splitlines()
    empty_cells = "\n".join([lines[0], *(line + ",," for line in lines[1:]), ",,,,", "", ""])
    for text in (empty_cells, "\ufeff" + sound().replace("\n", "\r\n"), sound().replace(",", "\t")):
        assert read_frame(text, "frame.csv", FOLDER.plan, COMMUNES) == read


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    lines = sound().splitlines()
    text = "\n".join([lines[0], "", *lines[1:], "X,99999,urban,50"])
    assert refused(text)[0].where == f"frame.csv, row {len(lines) + 2}, column commune"


def test_a_column_that_stands_twice_is_ambiguous() -> None:
    assert (
        refused(sound().replace("urban_rural,households", "households,households"))[0].code == "column_twice"
    )


def test_strata_may_be_formed_by_a_column_of_the_frame() -> None:
    plan = replaced(strata=("group", "terrain"), minimum_psus=1)
    with pytest.raises(BadDocument, match="“terrain” is missing"):
        read_frame(sound(), "frame.csv", plan, COMMUNES)
    lines = sound().splitlines()
    hilly = [f"{line},{'hills' if number % 2 else 'plain'}" for number, line in enumerate(lines[1:])]
    units = read_frame("\n".join([lines[0] + ",terrain", *hilly]), "frame.csv", plan, COMMUNES)
    assert {unit.stratum.rpartition("_")[2] for unit in units} == {"hills", "plain"}
    with pytest.raises(BadDocument, match="no “terrain”"):
        read_frame(
            "\n".join([lines[0] + ",terrain", lines[1] + ",", *hilly[1:]]), "frame.csv", plan, COMMUNES
        )


def test_two_strata_may_not_share_a_name() -> None:
    lines = ["ea,commune,urban_rural,households,a,b", "1,10525,urban,9,x_y,z", "2,10525,urban,9,x,y_z"]
    with pytest.raises(BadDocument, match="both called “x_y_z”"):
        read_frame("\n".join(lines), "frame.csv", replaced(strata=("a", "b"), minimum_psus=1), COMMUNES)


def test_a_code_that_means_two_places_on_one_day_is_found() -> None:
    old, new, later = (
        Area(code="10525", name=name, kind="phường", urban_rural="urban", valid_from=since, valid_to=until)
        for name, since, until in (
            ("A", "2008-01-01", "2025-07-01"),
            ("B", "2025-07-01", ""),
            ("C", "2030-01-01", ""),
        )
    )
    assert overlapping([new, old]) == ()
    assert overlapping([later, new, old]) == ((new, later),)


def test_a_sampled_household_must_have_had_a_chance() -> None:
    one = SampledUnit(
        case="A", household="1", stratum="s", psu="p", commune="c", urban_rural="urban", stage1_probability=0.5,
        stage2_probability=1.0, psus_sampled=2, psus_in_stratum=4, households_sampled=9, households_listed=9,
        respondent_draw=0.0,
    )  # fmt: skip
    for wrong in (
        {"stage1_probability": 0.0}, {"stage2_probability": 1.01}, {"stage1_probability": float("nan")},
        {"respondent_draw": 1.0}, {"psus_sampled": 5}, {"households_sampled": 10},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="case A"):
            SampledUnit(**{**msgspec.structs.asdict(one), **wrong})


def replaced(**sampling: object) -> SurveyPlan:
    """The plan with another sampling rule."""
    return msgspec.structs.replace(
        FOLDER.plan, sampling=msgspec.structs.replace(FOLDER.plan.sampling, **sampling)
    )
