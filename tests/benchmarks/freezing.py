"""How long it takes to freeze a survey, how large the file is, and that memory stays flat.

    python tests/benchmarks/freezing.py [--responses 100000 1000000] [--pages 1] [--database sqlite|postgresql|both]

Invented households answer sixty questions: forty with one choice of five, ten numbers, ten with several choices of four;
every third question is asked only after a "1" to the one before. The answers arrive as `--pages` events of equal size, as they do
from a form of so many pages, between one that opens the response and one that submits it. Measured is `survey freeze` in a
process of its own: seconds, the greatest memory of it and of the processes it starts, and the bytes of the frozen file. Limits
(issue 5), for a million: 60 s and 1 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from survey.fieldwork.sample import SampledUnit  # noqa: E402
from survey.folder import Folder  # noqa: E402
from survey.freeze import freeze  # noqa: E402
from survey.questionnaire.model import Questionnaire  # noqa: E402
from survey.questionnaire.reading import read  # noqa: E402
from survey.questionnaire.response import Answer, Event  # noqa: E402
from survey.storage import responses, surveys, tables  # noqa: E402
from survey.storage.database import Database  # noqa: E402
from tests import postgresql  # noqa: E402

FOLDER = ROOT / "questionnaires" / "haiduong-digital-society"
QUESTIONS, PATTERNS = 60, 997
SECONDS, BYTES = 60.0, 1e9


def questionnaire() -> Questionnaire:
    """Sixty questions on thirty pages."""
    asked: list[dict[str, Any]] = []
    for number in range(QUESTIONS):
        kind = ("select_one", "select_one", "select_one", "integer", "select_one", "select_many")[number % 6]
        question: dict[str, Any] = {"id": f"q{number:02d}", "kind": kind, "label": _words(f"Câu {number}")}
        if kind != "integer":
            codes = range(1, 6 if kind == "select_one" else 5)
            question["choices"] = [{"code": str(code), "label": _words(f"Ý {code}")} for code in codes]
        if number % 3 == 1:
            question["when"] = f"${{q{number - 1:02d}}} = {1 if number % 6 == 4 else repr('1')}"
        asked.append(question)
    pages = [{"id": f"p{n}", "questions": asked[2 * n : 2 * n + 2]} for n in range(QUESTIONS // 2)]
    return read(
        json.dumps(
            {"id": "bench", "title": _words("Đo tốc độ"), "languages": ["vi", "en"],
             "sections": [{"id": "s", "title": _words("Phần"), "pages": pages}]}
        )
    )  # fmt: skip


def _words(said: str) -> dict[str, str]:
    return {"vi": said, "en": said}


def folder() -> Folder:
    """The folder of the demonstration with this questionnaire in it."""
    return replace(Folder.read(FOLDER), questionnaire=questionnaire())


def fill(url: str, households: int, pages: int) -> None:
    """So many households that answered, written straight into the tables: what the application would have kept."""
    plans = folder()
    patterns = [_pattern(plans.questionnaire, pages, random.Random(number)) for number in range(PATTERNS)]
    with Database.open(url) as database, database.writing() as connection:
        surveys.keep(connection, plans.questionnaire, plans.plan, plans.hash, synthetic=True)
        for start in range(0, households, 5000):
            rows: dict[str, list[dict[str, Any]]] = {"cases": [], "responses": [], "events": []}
            for number in range(start, min(start + 5000, households)):
                _household(number, plans, patterns[number % PATTERNS], rows)
            for name, many in rows.items():
                connection.execute(tables.metadata.tables[name].insert(), many)


def _pattern(asked: Questionnaire, pages: int, rng: random.Random) -> list[bytes]:
    """The events of one household as they are stored, with 00000000 where its number goes."""
    answers: dict[str, Answer] = {}
    for section in asked.sections:
        for page in section.pages:
            for question in page.questions:
                codes = [choice.code for choice in question.choices if not isinstance(choice, str)]
                if rng.random() < 0.02:
                    answers[question.id] = Answer(missing="dont_know")
                elif question.kind == "integer":
                    answers[question.id] = Answer(value=rng.randint(0, 3))
                elif question.kind == "select_many":
                    answers[question.id] = Answer(
                        value=[code for code in codes if rng.random() < 0.4] or ["1"]
                    )
                else:
                    answers[question.id] = Answer(value=rng.choice([*codes, "1", "1"]))
    names = list(answers)
    size = -(-len(names) // pages)
    parts = [{name: answers[name] for name in names[at : at + size]} for at in range(0, len(names), size)]
    said: list[dict[str, Any]] = [
        {"kind": "opened", "language": "vi", "version": asked.version, "today": "2026-11-20"},
        *({"kind": "answered", "page": f"p{number}", "answers": part} for number, part in enumerate(parts)),
        {"kind": "submitted"},
    ]
    return [
        responses.canonical(
            Event(
                id=f"e00000000-{number}",
                response="r00000000",
                at=1_760_000_000_000,
                author="household",
                **one,
            )
        )
        for number, one in enumerate(said)
    ]


def _household(
    number: int, plans: Folder, pattern: list[bytes], rows: dict[str, list[dict[str, Any]]]
) -> None:
    mine = b"%08d" % number
    case, response = f"HD-{mine.decode()}", f"r{mine.decode()}"
    place = plans.areas[number // 200 % len(plans.areas)]
    unit = SampledUnit(
        case=case, household=f"h{number}", stratum="s", psu=f"p{number // 20}", commune=place["code"],
        urban_rural=place["urban_rural"], stage1_probability=0.1, stage2_probability=0.1, psus_sampled=2,
        psus_in_stratum=20, households_sampled=20, households_listed=100, respondent_draw=0.5,
    )  # fmt: skip
    rows["cases"].append(
        {"id": case, "psu": unit.psu, "commune": unit.commune, "reserve": False, "state": "complete",
         "unit": msgspec.json.encode(unit, order="deterministic").decode(), "assignee": "", "response": response,
         "attempts": 0, "last_outcome": "", "appointment": "", "changed_at": 0}
    )  # fmt: skip
    chain = ""
    for position, template in enumerate(pattern, start=1):
        document = template.replace(b"00000000", mine)
        digest = hashlib.sha256(document).hexdigest()
        chain = responses.link(chain, digest)
        rows["events"].append(
            {"id": f"e{mine.decode()}-{position - 1}", "response": response, "position": position, "hash": digest,
             "received_at": 0, "document": document.decode()}
        )  # fmt: skip
    rows["responses"].append(
        {"id": response, "case": case, "version": plans.questionnaire.version, "mode": "self", "opened_at": 0,
         "events": len(pattern), "last_position": len(pattern), "submitted": True, "changed_at": 0, "chain": chain}
    )  # fmt: skip


# Measuring


def memory(process: int) -> int:
    """The bytes that a process and its children hold now and share with nobody, plus what they share, once (PSS)."""
    held = 0
    for one in _with_children(process):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            held += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")) * 1024
    return held


def _with_children(process: int) -> Iterator[int]:
    yield process
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _with_children(int(child))


def measured(url: str, out: Path) -> tuple[float, int, int]:
    """Seconds, greatest memory in bytes, and bytes of the frozen households."""
    peak = 0
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, __file__, "--freeze", url, str(out)])
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.2):
            peak = max(peak, memory(process.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    status = process.wait()
    took = time.perf_counter() - started
    stop.set()
    watching.join()
    if status:
        raise SystemExit(f"freezing failed: {status}")
    return took, peak, (out / "households.parquet").stat().st_size


def one(name: str, url: str, households: int, pages: int, scratch: Path, table: Table) -> bool:
    fill(url, households, pages)
    took, peak, size = measured(url, scratch / "frozen")
    table.add_row(
        name,
        f"{households:,}",
        f"{pages + 2}",
        f"{took:.1f}",
        f"{households / took:,.0f}",
        f"{peak / 1e6:,.0f}",
        f"{size / 1e6:,.1f}",
    )
    return households < 1_000_000 or (took <= SECONDS and peak <= BYTES and size <= BYTES)


def main() -> int:
    parser = argparse.ArgumentParser(description="how long freezing takes")
    parser.add_argument("--responses", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--pages", type=int, default=1, help="events of answers a response")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--freeze", nargs=2, metavar=("URL", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.freeze:
        url, out = options.freeze
        with Database.open(url) as database:
            manifest = freeze(database, folder(), Path(out), os.cpu_count() or 1)
        print(f"{manifest.complete:,} complete of {manifest.cases:,}", file=sys.stderr)
        return 0
    table = Table(
        "database",
        "responses",
        "events each",
        "s",
        "responses/s",
        "memory MB",
        "file MB",
        title="survey freeze, 60 questions",
    )
    met = True
    for households in options.responses:
        with tempfile.TemporaryDirectory() as name:
            scratch = Path(name)
            if options.database != "postgresql":
                met &= one(
                    "SQLite",
                    f"sqlite:///{scratch / 'bench.sqlite'}",
                    households,
                    options.pages,
                    scratch,
                    table,
                )
            if options.database != "sqlite":
                if reason := postgresql.missing():
                    print(reason)
                    continue
                with postgresql.Server.start() as cluster, cluster.database() as url:
                    met &= one("PostgreSQL", url, households, options.pages, scratch, table)
    Console(width=110).print(table)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
