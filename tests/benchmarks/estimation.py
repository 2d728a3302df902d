"""Speed and memory of the statistics beside the limit and the peers, in one run on the same synthetic persons.

    python tests/benchmarks/estimation.py [--quick] [--rows 1e4 1e5 1e6] [--file-rows 1e7] [--tools ours by_hand]

200 strata, PSUs of about 20 persons, 250 communes, rows in random order. The limit is the same figure by group-bys
written by hand, without checks. Every measurement is a process of its own: the median of three after loading (one
where it takes long), the design included, and the process' peak memory, the data included. Figures of all tools are
compared. Where a peer would take more than `--patience` seconds, "-" stands at that size and above.

Peers: svy and samplics run where they can be imported, or in the interpreter that the environment variable PEERS
names (python3 -m venv /tmp/peers && /tmp/peers/bin/pip install svy samplics; PEERS=/tmp/peers/bin/python); R survey
where Rscript is (apt-get install r-cran-survey). Ratios say more than times: other programs share the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

TOOLS = Path(__file__).parent / "tools"
NAMES = {
    "share": "share and its error",
    "logit": "share with logit interval",
    "korn_graubard": "share with Korn-Graubard interval",
    "communes": "250 domains",
    "fold": "fold alone, 250 domains",
    "further": "further variable, design folded",
    "raking": "raking, 3 margins",
    "raking_share": "raking, then share",
    "raking_communes": "raking, then 250 domains",
    "replicates": "500 bootstrap replicates",
    "replicates_raked": "500 replicates, each raked again",
    "logistic": "logistic regression, 2 factors",
    "release": "40 indicators x 12 breakdowns",
    "file_fold": "fold alone, from Parquet",
    "file_communes": "250 domains, from Parquet",
}
RANDOM = {"replicates", "replicates_raked"}  # standard errors differ by the draw
OWN_ERRORS = {  # other formulas: unweighted residuals of raking (docs/methods.md, R.rake), errors without strata
    ("with_survey.R", "raking_share"),
    ("with_svy", "raking_share"),
    ("with_statsmodels", "logistic"),
}


@dataclass(frozen=True)
class Measured:
    """What one process found: seconds, peak gigabytes, and two figures to compare."""

    seconds: float
    gigabytes: float
    figures: tuple[float, ...]


def persons(rows: int, seed: int = 1) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    units = max(rows // 20, 800)
    stratum_of = np.arange(units) * 200 // units
    psu = generator.integers(0, units, rows)
    stratum = stratum_of[psu]
    return pl.DataFrame(
        {
            "stratum": stratum,
            "psu": psu,
            "commune": np.minimum(stratum * 250 // 200 + psu % 2, 249),
            "account": (generator.random(rows) < 0.4).astype(float),
            "income": generator.lognormal(8.0, 0.5, rows),
            "sex": generator.integers(0, 2, rows),
            "region": generator.integers(0, 6, rows),
            "age": generator.integers(0, 13, rows),
            "w": generator.uniform(20.0, 200.0, rows),
        }
    )


def survey(rows: int = 5000) -> pl.DataFrame:
    """A whole release: 40 indicators by 12 breakdowns of 2, 5, 8 or 12 categories, 3 240 estimates."""
    generator = np.random.default_rng(3)
    psu = generator.integers(0, 120, rows)
    data = {"stratum": psu // 6, "psu": psu, "w": generator.uniform(50, 150, rows)}
    data |= {f"i{k}": (generator.random(rows) < 0.3).astype(float) for k in range(40)}
    data |= {f"d{k}": generator.integers(0, [2, 5, 8, 12][k % 4], rows) for k in range(12)}
    return pl.DataFrame(data)


def margins(data: pl.DataFrame) -> list[dict[int, float]]:
    """Population margins a little away from the sample's, of one size."""
    size, result = float(data["w"].sum()), []
    for name in ("sex", "region", "age"):
        held = data.group_by(name).agg(pl.col("w").sum()).sort(name)
        moved = held["w"].to_numpy() * (1.0 + 0.1 * (np.arange(held.height) % 2))
        result.append(dict(zip(held[name].to_list(), (moved * size / moved.sum()).tolist(), strict=True)))
    return result


def write(data: pl.DataFrame, path: Path, *, table: bool) -> None:
    """The data as Parquet, with the margins beside it; for R as CSV too."""
    data.write_parquet(path)
    targets = margins(data) if "sex" in data.columns else []
    path.with_suffix(".json").write_text(json.dumps(targets))
    if table:
        data.write_csv(path.with_suffix(".csv"))
        lines = [
            f"{name},{level},{total!r}"
            for name, margin in zip(("sex", "region", "age"), targets, strict=False)
            for level, total in margin.items()
        ]
        path.with_suffix(".margins.csv").write_text("margin,level,Freq\n" + "\n".join(lines) + "\n")


def interpreters(wanted: list[str]) -> dict[str, list[str]]:
    """The command that runs each tool that is there."""
    found = {"ours": [sys.executable], "by_hand": [sys.executable]}
    for tool in ("svy", "samplics"):
        for python in (os.environ.get("PEERS"), sys.executable):
            check = [python or "", "-W", "ignore", "-c", f"import polars, {tool}"]
            if python and subprocess.run(check, capture_output=True, check=False).returncode == 0:
                found[f"with_{tool}"] = [python]
                break
    rscript = shutil.which("Rscript")
    if rscript and not subprocess.run([rscript, "-e", "library(survey)"], capture_output=True).returncode:
        found["with_survey.R"] = [rscript]
    found["with_statsmodels"] = [sys.executable]
    return {tool: command for tool, command in found.items() if not wanted or tool in wanted}


def measured(
    tool: str, command: list[str], task: str, data: Path, repeat: int, patience: float
) -> Measured | None:
    """One task of one tool, or None when the tool does not offer it or takes too long."""
    if tool.endswith(".R"):
        line = [*command, str(TOOLS / tool), task, str(data.with_suffix(".csv"))]
    else:
        line = [*command, str(TOOLS / "measure.py"), tool, task, str(data), str(repeat)]
    try:
        answer = subprocess.run(line, capture_output=True, text=True, timeout=2 * patience, check=False)
    except subprocess.TimeoutExpired:
        return None
    if answer.returncode:
        if "KeyError" not in answer.stderr and "attempt to apply non-function" not in answer.stderr:
            print(
                f"{tool} could not do {task}: {answer.stderr.strip().splitlines()[-1][:150]}", file=sys.stderr
            )
        return None
    if tool.endswith(".R"):
        seconds, kilobytes, *figures = (float(one) for one in answer.stdout.split())
        return Measured(seconds, kilobytes / 1e6, tuple(figures))
    found = json.loads(answer.stdout.splitlines()[-1])
    return Measured(found["seconds"], found["gigabytes"], tuple(found["figures"]))


def tasks(rows: list[int], file_rows: int) -> Iterator[tuple[int, str]]:
    for count in rows:
        for task in NAMES:
            if task not in ("release", "file_fold", "file_communes"):
                yield count, task
    yield 5000, "release"
    if file_rows:
        yield file_rows, "file_fold"
        yield file_rows, "file_communes"


def disagreement(task: str, tool: str, one: Measured, ours: Measured) -> str:
    """Figures that are not ours to nine digits (iterated ones to six), in words; "" when they are."""
    compared = list(zip(one.figures, ours.figures, strict=True))
    if task in RANDOM or (tool, task) in OWN_ERRORS:
        compared = compared[:1]
    tolerance = 1e-5 if "rak" in task or task == "logistic" else 1e-9
    worst = max(abs(theirs - mine) / abs(mine) for theirs, mine in compared)
    return "" if worst <= tolerance else f"{tool}, {NAMES[task]}: figures differ by {worst:.1e}"


def seconds(value: float) -> str:
    return f"{value * 1000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def cell(one: Measured | None) -> str:
    return f"{seconds(one.seconds)}, {one.gigabytes:.2f} GB" if one else "-"


def ratio(one: Measured | None, other: Measured | None) -> str:
    return f"{one.seconds / other.seconds:,.1f}" if one and other else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", nargs="*", type=float, default=[1e4, 1e5, 1e6])
    parser.add_argument("--file-rows", type=float, default=1e7)
    parser.add_argument("--tools", nargs="*", default=[], help="only these: ours by_hand with_svy ...")
    parser.add_argument("--tasks", nargs="*", default=[], help="only these: share communes raking ...")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for a peer's task")
    parser.add_argument("--quick", action="store_true", help="1e4 rows, a file of 1e6 rows")
    parser.add_argument("--markdown", action="store_true", help="print the table as docs/methods.md holds it")
    options = parser.parse_args()
    rows = [10_000] if options.quick else [int(value) for value in options.rows]
    file_rows = 1_000_000 if options.quick else int(options.file_rows)
    commands, started = interpreters(options.tools), time.monotonic()
    given_up: set[tuple[str, str]] = set()
    remarks: list[str] = []
    heads = [
        "task",
        "n",
        "ours",
        "limit",
        "ours / limit",
        "svy",
        "svy / ours",
        "R survey",
        "R / ours",
        "others",
    ]
    lines: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for count, task in tasks(rows, file_rows):
            if options.tasks and task not in options.tasks:
                continue
            path = Path(folder) / f"{'survey' if task == 'release' else 'persons'}{count}.parquet"
            if not path.exists():
                data = survey(count) if task == "release" else persons(count)
                write(data, path, table=count <= 1_000_000)
            found: dict[str, Measured] = {}
            for tool, command in commands.items():
                if (tool, task) in given_up or (task.startswith("file") and tool not in ("ours", "by_hand")):
                    continue
                one = measured(tool, command, task, path, 3, options.patience)
                if one is None or (one.seconds > options.patience / 10 and tool not in ("ours", "by_hand")):
                    given_up.add((tool, task))  # ten times the rows would take more than anybody waits
                if one is not None:
                    found[tool] = one
            ours, limit, svy, r = (found.get(one) for one in ("ours", "by_hand", "with_svy", "with_survey.R"))
            remarks += [
                f"n = {count:,}: {said}"
                for tool, one in found.items()
                if ours and (said := disagreement(task, tool, one, ours))
            ]
            others = [
                f"{tool[5:]} {cell(found[tool])}"
                for tool in ("with_samplics", "with_statsmodels")
                if tool in found
            ]
            lines.append([NAMES[task], f"{count:,}", cell(ours), cell(limit), ratio(ours, limit), cell(svy),
                          ratio(svy, ours), cell(r), ratio(r, ours), "; ".join(others) or "-"])  # fmt: skip
            print(f"{NAMES[task]}, n = {count:,}: {cell(ours)}, limit {cell(limit)}", file=sys.stderr)
    if options.markdown:
        for line in (heads, ["---"] * len(heads), *lines):
            print(f"| {' | '.join(line)} |")
    else:
        table = Table(*heads)
        for line in lines:
            table.add_row(*line)
        Console(width=170).print(table)
    print(*remarks, f"{time.monotonic() - started:.0f} s", sep="\n")


if __name__ == "__main__":
    main()
