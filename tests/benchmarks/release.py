"""How long the figures of a release take: every indicator by every domain, estimated with errors, for ever more people.

    python tests/benchmarks/release.py [--persons 5000 1000000] [--households 2400]

An invented sample (strata, PSUs of twenty, unequal weights, raked to sex and age) with the indicators and domains of the
Hải Dương plan. Printed are the seconds of all estimates (value, error, design effect and degrees of freedom of each figure);
reading, weighting and the pages are not in them. Then a whole release of an invented sample of households: weights, figures,
audit, microdata, files, site in two languages and PDF (limit 15 seconds). Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # in the processes that measure, as `survey` sets it

from analysis.calibration import rake  # noqa: E402
from analysis.design import Design  # noqa: E402
from analysis.indicators import Indicator  # noqa: E402
from survey.folder import Folder  # noqa: E402
from survey.publication.weighting import Weighted, category_of, having, inside, tables  # noqa: E402

FOLDER = ROOT / "questionnaires" / "haiduong-digital-society"


def sample(folder: Folder, persons: int, seed: int = 1) -> dict[str, np.ndarray]:
    """People with every column of the plan, as `survey.publication.measuring` gives them."""
    generator = np.random.default_rng(seed)
    communes = np.array([area["code"] for area in folder.areas], dtype=object)
    groups = np.array([area["group"] for area in folder.areas], dtype=object)
    urban = np.array([area["urban_rural"] for area in folder.areas], dtype=object)
    psus = max(persons // 20, 200)
    psu = np.sort(generator.integers(0, psus, persons))
    commune = (np.arange(psus) * len(communes) // psus)[psu]
    bands = np.array(["0-14", "15-24", "25-34", "35-44", "45-54", "55-64", "65+"], dtype=object)
    band = generator.integers(0, 7, persons)
    columns: dict[str, np.ndarray] = {
        "psu": psu,
        "stratum": groups[commune],
        "weight": generator.uniform(100.0, 400.0, persons),
        "sex": np.array(["female", "male"], dtype=object)[generator.integers(0, 2, persons)],
        "age_band": bands[band],
    }
    domains = {
        "province": np.full(persons, "all", dtype=object),
        "urban_rural": urban[commune],
        "sex": columns["sex"],
        "age_band": columns["age_band"],
        "area": groups[commune],
        "commune": communes[commune],
    }
    columns |= {category_of(name): values for name, values in domains.items()}
    for indicator in folder.analysis.indicators:
        columns[inside(indicator.id)] = (
            (band > 0).astype(float) if "15P" in indicator.id else np.ones(persons)
        )
        columns[having(indicator.id)] = (generator.random(persons) < generator.uniform(0.2, 0.9)).astype(
            float
        )
    return columns


def weighted(columns: dict[str, np.ndarray]) -> Weighted:
    design = Design(columns, weights="weight", strata="stratum", clusters="psu")
    totals = [
        {(name,): 1_900_000.0 / len(set(columns[column])) for name in set(columns[column])}
        for column in ("sex", "age_band")
    ]
    raked = rake(design, [["sex"], ["age_band"]], totals)
    return Weighted(raked, raked, design.weight, ())


def measure(persons: int) -> tuple[float, int]:
    """Seconds for every indicator by every domain of people, and how many figures these are."""
    folder = Folder.read(FOLDER)
    columns = sample(folder, persons)
    design = weighted(columns)
    asked: list[Indicator] = list(folder.analysis.indicators)
    domains = ["", *(domain.id for domain in folder.analysis.domains)]
    started = time.perf_counter()
    figures = sum(len(found) for domain in domains for found in tables(design, asked, domain).values())
    return time.perf_counter() - started, figures


def whole(households: int) -> str:
    """A row of the table of whole releases: what is written, and the seconds from the frozen files to the sealed folder."""
    from survey.freeze import freeze
    from survey.publish import release
    from tests.village import Village

    with tempfile.TemporaryDirectory() as place:
        out, village = Path(place), Village(households, seed=5)
        with village.fill(f"sqlite:///{out / 'survey.sqlite'}") as database:
            freeze(database, village.folder, out / "frozen")
        started = time.perf_counter()
        found = release(village.folder, out / "frozen", out / "release")
        seconds = time.perf_counter() - started
        files = sum(path.is_file() for path in (out / "release").rglob("*"))
        return f"| {households:,} | {found.outcomes.persons:,} | {len(found.cells):,} | {files:,} | {seconds:.1f} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=int, nargs="+", default=[5_000, 1_000_000])
    parser.add_argument("--households", type=int, default=2_400, help="of the whole release; 0 for none")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--whole", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.whole:
        print(whole(options.whole))
        return 0
    if options.one:
        seconds, figures = measure(options.one)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {options.one:,} | {figures:,} | {seconds:.2f} | {peak:,.0f} |")
        return 0
    print("| persons | figures | seconds | peak MB |\n| ---: | ---: | ---: | ---: |", flush=True)
    for persons in options.persons:
        subprocess.run([sys.executable, __file__, "--one", str(persons)], check=True)
    if options.households:
        print("\n| households | people | figures | files | seconds of a whole release |\n| ---: | ---: | ---: | ---: | ---: |", flush=True)  # fmt: skip
        subprocess.run([sys.executable, __file__, "--whole", str(options.households)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
