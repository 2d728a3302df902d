"""The demonstration goes the whole way from the frame to the verdict, says that it is synthetic, and repeats itself."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from survey import demo
from survey.problems import Conflict
from survey.storage import responses
from survey.storage.database import Database
from tests.simulation.coverage import Trial

SMALL = {"serve": False, "areas_in_province": 800, "psus": 60, "on_pages": (4, 2)}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> demo.Demonstration:
    return demo.run(5, tmp_path_factory.mktemp("demo") / "out", console=Console(quiet=True), **SMALL)


def test_it_ends_with_a_verdict_beside_the_truth(played: demo.Demonstration) -> None:
    release = played.release
    assert {decision.target for decision in release.decisions} == {
        target.id for target in release.plan.targets
    }
    for indicator in release.plan.indicators:
        assert 0 < played.truth[indicator.id][""] < 1
        assert release.true_share(indicator.id) == played.truth[indicator.id][""]
    main = release.cell("EPAY_ANY_ALL")
    assert main.se is not None
    assert main.value == pytest.approx(played.truth["EPAY_ANY_ALL"][""], abs=4.5 * main.se)


def test_every_sampled_household_has_an_outcome_and_the_modes_are_both_there(
    played: demo.Demonstration,
) -> None:
    households = pq.read_table(played.out / "frozen" / "households.parquet").to_pylist()
    assert len(households) == 60 * 16
    assert all(row["disposition"] for row in households)
    answered = [row["mode"] for row in households if row["respondent"]]
    assert set(answered) == {"self", "visit"}
    assert 0.85 < len(answered) / len(households) < 0.98
    assert {row["category"] for row in households} >= {"I", "R", "NC", "NE"}


def test_some_households_answered_on_the_real_pages(played: demo.Demonstration) -> None:
    """A page keeps its answers when it is sent, so these responses have an event for every page."""
    with (
        Database.open(f"sqlite:///{played.out / 'survey.sqlite'}") as database,
        database.reading() as connection,
    ):
        by_page = [
            record for record, events in responses.all(connection) if sum(bool(e.page) for e in events) > 15
        ]
    assert sum(record.mode == "self" and record.submitted for record in by_page) >= 4
    assert any(record.mode == "visit" and record.submitted for record in by_page)


def test_the_simulation_takes_the_same_road(played: demo.Demonstration) -> None:
    """Its shortcut, answers looked up instead of asked, gives the figures of the database, the pages and the files."""
    trial = Trial(seed=5, areas_in_province=800, folder=played.out / "folder")
    for (indicator, place), estimated in trial.sample(5).items():
        cell = played.release.cell(indicator, "urban_rural" if place else "", place)
        if cell.value is None:
            continue
        assert (estimated.value, estimated.se) == pytest.approx((cell.value, cell.se), abs=1e-9)
        assert trial.truth(
            next(one for one in trial.indicators if one.id == indicator), place
        ) == pytest.approx(
            played.release.true_share(indicator, "urban_rural" if place else "", place), abs=1e-9
        )


def test_nothing_it_leaves_can_be_taken_for_real(played: demo.Demonstration) -> None:
    assert "SYNTHETIC" in (played.out / "SYNTHETIC.txt").read_text(encoding="utf-8")
    assert (
        json.loads((played.out / "frozen" / "manifest.json").read_text(encoding="utf-8"))["synthetic"] is True
    )
    for name in ("frame.csv", "listing.csv"):
        rows = (played.out / name).read_text(encoding="utf-8").splitlines()[1:]
        assert all(row.endswith("mô phỏng · synthetic") for row in rows), name
    pages = list((played.out / "release" / "site").rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "MÔ PHỎNG" in text.upper() or "SYNTHETIC" in text.upper(), page


def test_the_same_seed_gives_the_same_figures_and_replaces_the_former_ones(
    played: demo.Demonstration,
) -> None:
    def figures() -> bytes:
        return (played.out / "release" / "estimates.csv").read_bytes()

    first = figures()
    demo.run(5, played.out, console=Console(quiet=True), **SMALL)
    assert figures() == first


def test_a_folder_with_somebody_elses_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(Conflict, match="Choose another --out"):
        demo.run(1, tmp_path, console=Console(quiet=True), **SMALL)
    assert (tmp_path / "thesis.txt").exists()
