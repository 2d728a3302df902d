"""What the benchmark compares is the same: our figures and those of the limit agree, task by task; the command runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.benchmarks import estimation
from tests.benchmarks.tools import by_hand, ours


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The persons of the benchmark and its survey, small."""
    folder = tmp_path_factory.mktemp("benchmark")
    estimation.write(estimation.persons(16_000), folder / "persons.parquet", table=True)
    estimation.write(estimation.survey(1000), folder / "survey.parquet", table=False)
    return folder


@pytest.mark.parametrize("task", sorted(by_hand.TASKS))
def test_the_limit_gives_our_figures(task: str, files: Path) -> None:
    path = files / ("survey.parquet" if task == "release" else "persons.parquet")
    margins = [
        {int(k): v for k, v in margin.items()} for margin in json.loads(path.with_suffix(".json").read_text())
    ]

    def figures(tool: Any) -> estimation.Measured:
        work = tool.TASKS[task]
        source: Any = path if getattr(work, "reads_the_file", False) else pl.read_parquet(path)
        found = work(getattr(work, "prepare", lambda data, margins: data)(source, margins), margins)
        return estimation.Measured(0.0, 0.0, tuple(found))

    assert estimation.disagreement(task, "by_hand", figures(by_hand), figures(ours)) == ""


def test_a_tool_is_measured_in_a_process_of_its_own(files: Path) -> None:
    commands = estimation.interpreters(["ours"])
    found = estimation.measured("ours", commands["ours"], "share", files / "persons.parquet", 1, 60.0)
    assert found is not None
    assert 0.0 < found.seconds < 10.0
    assert 0.05 < found.gigabytes < 2.0
    assert (
        estimation.measured("ours", commands["ours"], "no such task", files / "persons.parquet", 1, 60.0)
        is None
    )


def test_margins_reach_r_as_a_table(files: Path) -> None:
    lines = (files / "persons.margins.csv").read_text().splitlines()
    assert lines[0] == "margin,level,Freq"
    assert len(lines) == 1 + 2 + 6 + 13
