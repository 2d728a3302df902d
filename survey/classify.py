"""Is a commune high or low? For places too small for an estimate, under a name of its own: never a verdict on a target.

    survey classify --low 0.5 --high 0.65                                    the plan: how many to ask, how often it errs
    survey classify --low 0.5 --high 0.65 --answers answers.csv              each place, once all are asked (LQAS)
    survey classify --low 0.5 --high 0.65 --answers answers.csv --sequential after each answer, as often as one likes
    survey classify … --sequential --survey FOLDER FROZEN --indicator ID     the enumeration areas of a survey, one by one

Lots want exactly the planned interviews, a simple random sample of the place or of clusters of one size. The sequential
method may be looked at after every answer (Ville's inequality, `analysis.classification`). A survey gives it one
observation for each enumeration area: the weighted share of its interviews, areas in the order in which they were
finished. Areas have to be drawn with chances proportional to size within the place, as `survey sample` does.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from analysis.classification import Class, Lot, Standing, lqas, sequential
from analysis.errors import AnalysisError
from survey.fieldwork.areas import areas as read_areas
from survey.fieldwork.areas import as_of
from survey.folder import Folder
from survey.frozen import HOUSEHOLDS, PERSONS, read_manifest
from survey.problems import BadDocument, Finding, SurveyError
from survey.publication.measuring import evaluate
from survey.publication.terminal import in_both
from survey.publication.voice import Voice
from survey.publication.weighting import answered
from survey.spreadsheet import csv_bytes

SHARES = tuple(number / 20 for number in range(1, 20))


class NotClassified(SurveyError):
    """Places cannot be classified like this; the message says why."""

    code = "not_classified"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of each place, declared before the answers: the grey zone and the two error rates.

    take, correlation: interviews of one cluster, and how alike its people are. Of lots they decide the size; of the
    sequential method only how fast it is.
    """

    low: float
    high: float
    alpha: float = 0.05
    beta: float = 0.05
    take: int = 1
    correlation: float = 0.0

    def lot(self) -> Lot:
        """The smallest lot; raises NotClassified."""
        try:
            return lqas(
                self.low, self.high, self.alpha, self.beta, take=self.take, correlation=self.correlation
            )
        except AnalysisError as error:  # what `check` lets through can fail in one way only
            raise NotClassified(
                {
                    "vi": f"Cần quá nhiều người mới phân biệt được {self.low:g} với {self.high:g}: hãy chọn hai mức xa nhau hơn, "
                    "hoặc chấp nhận khả năng xếp nhầm lớn hơn (--alpha, --beta).",
                    "en": f"Too many people would have to be asked to tell {self.low:g} from {self.high:g}: choose levels further "
                    "apart, or accept to err more often (--alpha, --beta).",
                }
            ) from error


@dataclass(frozen=True)
class Heard:
    """The answers of one place in order of arrival: each observation a number from 0 to 1, and the people in it."""

    observations: tuple[float, ...]
    people: tuple[int, ...]

    @property
    def n(self) -> int:
        return sum(self.people)


@dataclass(frozen=True, kw_only=True)
class Classified:
    """The class of one place. `why` names what is missing when it is undecided; `standing` of the sequential method."""

    place: str
    outcome: Class
    n: int
    having: float
    why: str = ""
    standing: Standing | None = None


def _refused(error: AnalysisError) -> NotClassified:
    return NotClassified({"vi": f"Không phân loại được: {error}", "en": f"Cannot classify: {error}"})


def read_answers(path: Path) -> dict[str, Heard]:
    """Place → what was heard, from a CSV with `place`, `has` (1 or 0) and, of a cluster sample, `cluster`.

    Rows are in order of arrival. With clusters one observation is one cluster, and it arrives with its last row.
    Raises BadDocument with every mistake.
    """
    findings: list[Finding] = []

    def wrong(where: str, vi: str, en: str) -> None:
        findings.append(Finding(code="answers", where=f"{path.name}, {where}", message={"vi": vi, "en": en}))

    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError) as error:
        wrong("-", f"không đọc được tệp: {error}", f"the file cannot be read: {error}")
        rows = []
    clustered = bool(rows) and "cluster" in rows[0]
    answers: dict[str, dict[str, list[float]]] = {}
    for number, row in enumerate(rows, start=2):
        place, has, cluster = ((row.get(name) or "").strip() for name in ("place", "has", "cluster"))
        if not place or has not in ("0", "1") or (clustered and not cluster):
            wrong(f"row {number}", "cần place, has (1 hoặc 0)" + (", cluster" if clustered else ""),
                  "needs place, has (1 or 0)" + (", cluster" if clustered else ""))  # fmt: skip
            continue
        found = answers.setdefault(place, {})
        said = found.pop(cluster, []) if clustered else []
        found[cluster if clustered else str(number)] = [*said, float(has)]
    if not rows and not findings:
        wrong("-", "tệp không có dòng nào", "the file has no rows")
    if findings:
        raise BadDocument(findings)
    return {
        place: Heard(tuple(float(np.mean(one)) for one in found.values()), tuple(map(len, found.values())))
        for place, found in answers.items()
    }


def heard_of(folder: Folder, frozen: Path, indicator: str) -> dict[str, Heard]:
    """Commune → one observation for each enumeration area: the share of its weighted interviews that have it.

    Weights within an area are those of the draw (chance of the household, people to choose from): calibrated ones
    lean on the answers of other places. Raises NotClassified when the plan has no such indicator, Conflict when a
    frozen file has changed.
    """
    read_manifest(frozen)
    plan = folder.analysis
    asked = next((one for one in plan.indicators if one.id == indicator), None)
    if asked is None:
        known = ", ".join(one.id for one in plan.indicators)
        raise NotClassified(
            {
                "vi": f"analysis.yaml không có chỉ tiêu “{indicator}”; có: {known}",
                "en": f"analysis.yaml has no indicator “{indicator}”; it has: {known}",
            }
        )
    tables = [pq.ParquetFile(frozen / f"{name}.parquet").read() for name in (HOUSEHOLDS, PERSONS)]
    measured = evaluate(*tables, plan)
    households = measured.households
    arrays = measured.persons if asked.unit == "person" else households
    row = (
        arrays["household"].astype(np.int64) if asked.unit == "person" else np.arange(len(households["case"]))
    )
    answers = answered(arrays.__getitem__, asked)
    there = answers.members & (households["respondent"][row] == 1.0)
    chance = households["stage1_probability"] * households["stage2_probability"] / households["field_factor"]
    weight = (arrays["from_how_many"] if asked.unit == "person" else 1.0) / chance[row]
    day = {case: str(when or "") for case, when in zip(
        tables[0]["case"].to_pylist(), tables[0]["interview_date"].to_pylist(), strict=True)}  # fmt: skip
    areas: dict[tuple[str, str], list[int]] = {}
    for place in np.flatnonzero(there):
        home = row[place]
        areas.setdefault((str(households["commune"][home]), str(households["psu"][home])), []).append(place)
    finished = sorted(
        (max(day[str(households["case"][row[one]])] for one in members), commune, psu, members)
        for (commune, psu), members in areas.items()
    )
    found: dict[str, list[tuple[float, int]]] = {}
    for _, commune, _, members in finished:
        share = float(np.average(answers.has[members], weights=weight[members]))
        found.setdefault(commune, []).append((share, len(members)))
    return {
        commune: Heard(tuple(share for share, _ in one), tuple(n for _, n in one))
        for commune, one in sorted(found.items())
    }


def by_lots(question: Question, heard: Mapping[str, Heard]) -> tuple[Classified, ...]:
    """Each place by lot quality assurance. Undecided where not exactly the planned interviews were made."""
    lot = question.lot()
    found = []
    for place, one in heard.items():
        having = round(sum(share * n for share, n in zip(one.observations, one.people, strict=True)))
        uneven = question.take > 1 and any(n != question.take for n in one.people)
        outcome = "undecided" if uneven else lot.classify(having, one.n)
        why = ("clusters" if uneven else "number") if outcome == "undecided" else ""
        found.append(Classified(place=place, outcome=outcome, n=one.n, having=having, why=why))
    return tuple(found)


def one_by_one(question: Question, heard: Mapping[str, Heard]) -> tuple[Classified, ...]:
    """Each place by the sequential method; undecided where the evidence does not suffice yet."""
    found = []
    for place, one in heard.items():
        size = float(np.mean(one.people))
        worth = size / (1.0 + (size - 1.0) * question.correlation)
        try:
            standing = sequential(
                one.observations, question.low, question.high, question.alpha, question.beta, worth=max(worth, 1.0)
            )  # fmt: skip
        except AnalysisError as error:
            raise _refused(error) from error
        having = sum(share * n for share, n in zip(one.observations, one.people, strict=True))
        found.append(
            Classified(
                place=place, outcome=standing.outcome, n=one.n, having=having,
                why="evidence" if standing.outcome == "undecided" else "", standing=standing,
            )
        )  # fmt: skip
    return tuple(found)


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────


def place_names(folder: Folder) -> dict[str, str]:
    """Commune code → its name on the day of the survey."""
    known = as_of(read_areas(folder.areas), folder.plan.territory.as_of)
    return {code: area.name for code, area in known.items()}


def as_csv(
    question: Question, found: Sequence[Classified], *, one_at_a_time: bool, names: Mapping[str, str]
) -> bytes:
    """One row a place, with all that was declared: whoever finds the file alone knows what the class means."""
    header = ["method", "place", "name", "class", "interviews", "observations_looked_at", "evidence_for_high",
              "evidence_for_low", "low", "high", "alpha", "beta", "take", "correlation", "note"]  # fmt: skip
    method = "sequential" if one_at_a_time else "lqas"
    note = "classification, not an estimate and not a verdict on a target"
    rows: list[list[object]] = []
    for one in found:
        standing = one.standing
        looked = (
            [standing.looked_at, f"{standing.for_high:.6g}", f"{standing.for_low:.6g}"]
            if standing
            else [None, None, None]
        )
        rows.append(
            [
                method, one.place, names.get(one.place), one.outcome, one.n, *looked, question.low, question.high,
                question.alpha, question.beta, question.take, question.correlation, note,
            ]
        )  # fmt: skip
    return csv_bytes(header, rows)


def show(
    question: Question,
    found: Sequence[Classified] | None,
    *,
    one_at_a_time: bool,
    names: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> None:
    """Print the plan, or the class of each place, Vietnamese first and English below."""
    console = console or Console()
    vi, both = Voice("vi"), partial(in_both, "classify")

    declared: dict[str, Callable[[Voice], object]] = {
        "low": lambda voice: voice.threshold(question.low),
        "high": lambda voice: voice.threshold(question.high),
    }
    alpha, beta = question.alpha, question.beta
    if one_at_a_time:
        console.print(both("sequential", **declared, alpha=lambda voice: voice.threshold(alpha),
                           beta=lambda voice: voice.threshold(beta)))  # fmt: skip
    else:
        lot = question.lot()
        console.print(both("lot", **declared, n=lambda voice: voice.number(lot.n),
                           least=lambda voice: voice.number(lot.least), take=lambda voice: voice.number(lot.take),
                           alpha=lambda voice: voice.percent(lot.alpha), beta=lambda voice: voice.percent(lot.beta)))  # fmt: skip
        if found is None:
            made = Table(box=SIMPLE_HEAD, pad_edge=False)
            for column in ("true", "called_high", "called_low"):
                made.add_column(both(f"column.{column}"), justify="right")
            for share in SHARES:
                if abs(share - (question.low + question.high) / 2.0) > question.high - question.low + 1e-9:
                    continue
                high = lot.called_high(share)
                made.add_row(vi.percent(share, 0), vi.percent(high), vi.percent(1.0 - high))
            console.print(made)
    if found is not None:
        made = Table(box=SIMPLE_HEAD, pad_edge=False)
        for number, column in enumerate(("place", "class", "interviews", "looked_at", "why")):
            if column == "looked_at" and not one_at_a_time:
                continue
            made.add_column(both(f"column.{column}"), justify="right" if number in (2, 3) else "left")
        for one in found:
            cells = [(names or {}).get(one.place, one.place), both(f"class.{one.outcome}"), vi.number(one.n)]
            if one.standing:
                cells.append(vi.number(one.standing.looked_at))
            made.add_row(*cells, both(f"why.{one.why}") if one.why else "")
        console.print(made)
    console.print(both("not_a_verdict", **declared))


def write(
    question: Question,
    found: Sequence[Classified],
    out: Path,
    *,
    one_at_a_time: bool,
    names: Mapping[str, str],
) -> None:
    """The classes as a CSV beside the words."""
    out.write_bytes(as_csv(question, found, one_at_a_time=one_at_a_time, names=names))


def check(question: Question) -> None:
    """Raises NotClassified for a question that cannot be asked, before any file is read."""
    numbers = (question.low, question.high, question.alpha, question.beta, question.correlation)
    if not all(map(math.isfinite, numbers)):
        raise NotClassified(
            {
                "vi": "Các mức và xác suất phải là số thường, ví dụ 0.5.",
                "en": "Levels and probabilities are plain numbers, for example 0.5.",
            }
        )
    wrong = []
    if not 0.0 < question.low < question.high < 1.0:
        wrong.append(
            {
                "vi": "--low và --high phải nằm giữa 0 và 1, mức thấp nhỏ hơn mức cao.",
                "en": "--low and --high lie between 0 and 1, low first.",
            }
        )
    if not (0.0 < question.alpha < 0.5 and 0.0 < question.beta < 0.5):
        wrong.append(
            {
                "vi": "--alpha và --beta phải lớn hơn 0 và nhỏ hơn 0.5.",
                "en": "--alpha and --beta lie between 0 and 0.5.",
            }
        )
    if question.take < 1 or not 0.0 <= question.correlation < 1.0:
        wrong.append(
            {
                "vi": "--take phải từ 1 trở lên; --correlation từ 0 đến dưới 1.",
                "en": "--take is 1 or more; --correlation is from 0 to below 1.",
            }
        )
    if wrong:
        raise NotClassified({code: "\n".join(one[code] for one in wrong) for code in ("vi", "en")})
