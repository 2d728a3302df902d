"""One task of one tool in a process of its own: its time, its peak memory, and the figures it found, as JSON.

    python tests/benchmarks/tools/measure.py TOOL TASK DATA.parquet REPEAT

Run by `estimation.py`, in the interpreter that has the tool. Reading the data is not timed, except by tools that
compute on the file. A tool is a module here whose `TASKS` are functions of the data and of the margins to rake to.
"""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
import warnings
from pathlib import Path

import polars as pl

ENOUGH, MOST = 1.5, 15  # a task is repeated until it took so many seconds, or so often
PATIENCE = 10.0  # seconds after which it is not repeated at all


def peak() -> float:
    """The process' largest resident memory. Linux' own figure: ru_maxrss remembers the process it was forked from."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    tool, task, data, repeat = sys.argv[1:]
    warnings.simplefilter("ignore")
    work = importlib.import_module(tool).TASKS[task]
    path = Path(data)
    margins = [
        {int(level): total for level, total in margin.items()}
        for margin in json.loads(path.with_suffix(".json").read_text())
    ]
    source = path if getattr(work, "reads_the_file", False) else pl.read_parquet(path)
    prepared = getattr(work, "prepare", lambda data, margins: data)(source, margins)
    times: list[float] = []
    while len(times) < int(repeat) or (sum(times) < ENOUGH and len(times) < MOST):
        start = time.perf_counter()
        figures = work(prepared, margins)
        times.append(time.perf_counter() - start)
        if times[-1] > PATIENCE:
            break
    print(json.dumps({
        "seconds": statistics.median(times),
        "gigabytes": peak(),
        "figures": [float(one) for one in figures],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
