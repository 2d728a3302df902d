"""survey sample: the same seed and frame give the same bytes, and every household carries its probabilities."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from survey import cli, draw
from survey.fieldwork.areas import areas, as_of
from survey.folder import Folder
from survey.problems import BadDocument, Conflict

FOLDER = Folder.read(Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society")


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    path = tmp_path / "frame.csv"
    communes = as_of(areas(FOLDER.areas), FOLDER.plan.territory.as_of)
    rows = [
        f"{code}-{k:03d},{code},{area.urban_rural},{60 + (37 * k + int(code)) % 90}"
        for code, area in communes.items()
        for k in range(20)
    ]
    path.write_text("ea,commune,urban_rural,households\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def listing(frame: Path) -> Path:
    path = frame.with_name("listing.csv")
    with frame.open(encoding="utf-8") as file:
        rows = [
            f'{row["ea"]},{row["ea"]}-{n:03d},"Nhà {n}",Thôn 1'
            for row in csv.DictReader(file)
            for n in range(int(row["households"]) + 5)
        ]
    path.write_text("ea,household,address,hamlet\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_the_same_seed_draws_the_same_bytes_and_another_does_not(
    frame: Path, listing: Path, tmp_path: Path
) -> None:
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        draw.sample(FOLDER, frame, listing, tmp_path / name, seed)
    one, two, other = ((tmp_path / n / "sample.csv").read_bytes() for n in ("one", "two", "other"))
    assert one == two != other
    assert (tmp_path / "one/sample.json").read_bytes() == (tmp_path / "two/sample.json").read_bytes()


def test_the_areas_drawn_for_listing_are_those_of_the_sample(
    frame: Path, listing: Path, tmp_path: Path
) -> None:
    first = draw.sample(FOLDER, frame, None, tmp_path / "areas", 7)
    both = draw.sample(FOLDER, frame, listing, tmp_path / "both", 7)
    assert [area.unit.psu for area in first.areas] == [area.unit.psu for area in both.areas]
    assert {unit.psu for unit in both.units} == {area.unit.psu for area in first.areas}
    listed = (tmp_path / "areas/areas_to_list.csv").read_text(encoding="utf-8").splitlines()
    assert len(listed) == 1 + FOLDER.plan.sampling.psus


def test_weights_add_up_to_about_the_households_of_the_listing(
    frame: Path, listing: Path, tmp_path: Path
) -> None:
    drawn = draw.sample(FOLDER, frame, listing, tmp_path / "s", 7)
    total = sum(1 / (unit.stage1_probability * unit.stage2_probability) for unit in drawn.units)
    listed = len(listing.read_text(encoding="utf-8").splitlines()) - 1
    assert total == pytest.approx(listed, rel=0.02)
    assert len(drawn.units) == FOLDER.plan.sampling.psus * FOLDER.plan.sampling.take
    assert len({unit.case for unit in drawn.units}) == len(drawn.units)


def test_correcting_one_stratum_leaves_the_draw_of_the_others_alone(frame: Path, tmp_path: Path) -> None:
    before = draw.sample(FOLDER, frame, None, tmp_path / "before", 7)
    rows = frame.read_text(encoding="utf-8").splitlines()
    place = next(number for number, row in enumerate(rows) if row.startswith("11284-000,"))
    rows[place] = ",".join([*rows[place].split(",")[:3], str(int(rows[place].split(",")[3]) + 1)])
    frame.write_text("\n".join(rows) + "\n", encoding="utf-8")
    after = draw.sample(FOLDER, frame, None, tmp_path / "after", 7)
    changed = next(area["group"] for area in FOLDER.areas if area["code"] == "11284")
    elsewhere = [[a for a in s.areas if not a.unit.stratum.startswith(changed)] for s in (before, after)]
    assert elsewhere[0] == elsewhere[1]


def test_the_record_says_how_it_was_drawn(frame: Path, listing: Path, tmp_path: Path) -> None:
    draw.sample(FOLDER, frame, listing, tmp_path / "s", 7)
    record = json.loads((tmp_path / "s/sample.json").read_text(encoding="utf-8"))
    assert record["seed"] == 7
    assert set(record["sha256"]) == {"frame", "listing", "survey", "areas"}
    assert sum(line["areas_drawn"] for line in record["allocation"]) == FOLDER.plan.sampling.psus


def planned(**changes: object) -> Folder:
    """The same survey with another sampling rule."""
    sampling = msgspec.structs.replace(FOLDER.plan.sampling, **changes)
    return replace(FOLDER, plan=msgspec.structs.replace(FOLDER.plan, sampling=sampling))


def refused(folder: Folder, frame: Path, tmp_path: Path) -> list[str]:
    with pytest.raises(BadDocument) as raised:
        draw.sample(folder, frame, None, tmp_path / "out", 7)
    assert not (tmp_path / "out").exists()
    return [finding.line("en") for finding in raised.value.findings]


def test_a_drawn_sample_is_not_drawn_again_in_its_place(frame: Path, listing: Path, tmp_path: Path) -> None:
    draw.sample(FOLDER, frame, listing, tmp_path / "s", 7)
    kept = (tmp_path / "s/sample.csv").read_bytes()
    draw.sample(FOLDER, frame, listing, tmp_path / "s", 7)
    with pytest.raises(Conflict, match="another sample"):
        draw.sample(FOLDER, frame, listing, tmp_path / "s", 8)
    assert (tmp_path / "s/sample.csv").read_bytes() == kept


def test_strata_with_fewer_areas_than_the_allocation_asks_for_are_all_named(
    frame: Path, tmp_path: Path
) -> None:
    said = refused(planned(psus=1270, allocation="equal"), frame, tmp_path)
    # Five strata of 254 areas each; the frame has 20 a commune.
    there = {}
    for area in FOLDER.areas:
        name = f"{area['group']}_{area['urban_rural']}"
        there[name] = there.get(name, 0) + 20
    short = sorted(name for name, count in there.items() if count < 254)
    assert len(short) >= 2
    assert [line.split(":")[0].rpartition(" ")[2] for line in said] == short
    assert all("lower psus" in line for line in said)


def test_a_plan_that_cannot_give_each_stratum_its_minimum_is_told_so(frame: Path, tmp_path: Path) -> None:
    (said,) = refused(planned(psus=10), frame, tmp_path)
    assert "10 areas cannot give 5 strata 4 each → raise psus" in said


def test_a_file_that_is_not_there_or_not_utf_8_is_a_sentence_and_no_traceback(
    frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "utf16.csv").write_bytes(frame.read_text(encoding="utf-8").encode("utf-16"))
    (tmp_path / "taken").write_text("", encoding="utf-8")
    for name, out, says in (
        ("none.csv", "out", "không mở được tệp này"),
        ("utf16.csv", "out", "tệp không ở dạng UTF-8"),
        ("frame.csv", "taken", "không ghi được vào"),
    ):
        arguments = ["sample", str(FOLDER.path), "--frame", str(tmp_path / name), "--seed", "1"]
        assert cli.main([*arguments, "--out", str(tmp_path / out)]) == 1
        assert says in capsys.readouterr().err


def test_areas_numbered_without_leading_zeros_run_by_number(frame: Path, tmp_path: Path) -> None:
    # Otherwise 10 would stand beside 1, far from where it lies.
    communes = as_of(areas(FOLDER.areas), FOLDER.plan.territory.as_of)
    ordered = msgspec.structs.replace(FOLDER.plan.frame, order=("commune", "number"))
    folder = replace(FOLDER, plan=msgspec.structs.replace(FOLDER.plan, frame=ordered))
    for name, width in (("padded", 3), ("plain", 1)):
        rows = [f"{code}-{k:03d},{code},{k:0{width}d},{50 + k}" for code in communes for k in range(1, 25)]
        text = "ea,commune,number,households\n" + "\n".join(rows) + "\n"
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    padded, plain = (
        [
            area.unit.psu
            for area in draw.sample(folder, tmp_path / f"{name}.csv", None, tmp_path / name, 3).areas
        ]
        for name in ("padded", "plain")
    )
    assert padded == plain


def test_reserves_leave_the_chance_of_the_others_alone(frame: Path, listing: Path, tmp_path: Path) -> None:
    drawn = draw.sample(planned(reserve=4), frame, listing, tmp_path / "s", 7)
    for area in drawn.areas:
        units = [unit for unit in drawn.units if unit.psu == area.unit.psu]
        assert sum(unit.reserve for unit in units) == 4
        assert sum(not unit.reserve for unit in units) == FOLDER.plan.sampling.take
    assert sum(stratum.households_drawn for stratum in drawn.strata) == 150 * FOLDER.plan.sampling.take
    assert all(
        unit.stage2_probability == unit.households_sampled / unit.households_listed for unit in drawn.units
    )


def test_the_table_on_the_screen_adds_up_in_both_languages(
    frame: Path, listing: Path, tmp_path: Path
) -> None:
    screen = io.StringIO()
    draw.show(draw.sample(FOLDER, frame, listing, tmp_path / "s", 7), Console(file=screen, width=140))
    said = screen.getvalue()
    assert "Cộng · Total" in said
    assert "2,400" in said
    assert "Design weights from" in said
