"""survey sample: the same seed and frame give the same bytes, and every household carries its probabilities."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from survey import draw
from survey.fieldwork.areas import areas, as_of
from survey.folder import Folder

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
    assert set(record["sha256"]) == {"frame", "listing", "survey"}
    assert sum(line["areas_drawn"] for line in record["allocation"]) == FOLDER.plan.sampling.psus
