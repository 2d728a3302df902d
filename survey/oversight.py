"""How field work goes, worked out from the database while it runs: outcome rates, and how precise the answer will be.

The web shows these figures and computes none of them (`survey.app` hands this over). Rates are for supervisors. What
the sample says so far is for statisticians alone: an official who sees the number could chase it.
"""

from __future__ import annotations

import datetime
import math
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import Connection

from analysis.agreement import kappa
from analysis.design import Design
from analysis.estimates import Estimate
from analysis.indicators import Indicator
from analysis.outcomes import Outcomes, rates
from analysis.outlook import Outlook, where
from analysis.targets import verdict
from survey.fieldwork.backchecks import PREFIX, Agreement
from survey.fieldwork.cases import Mode
from survey.fieldwork.dispositions import DISPOSITIONS
from survey.fieldwork.progress import (
    CATEGORIES,
    FORMULAS,
    Ending,
    Precision,
    Rates,
    Reached,
    Report,
    StratumPrecision,
    Way,
)
from survey.fieldwork.sample import SampledUnit
from survey.fieldwork.signals import Effect, Interview, Signal, effect, metres, minutes, signals
from survey.folder import Folder
from survey.freeze import freeze
from survey.frozen import HOUSEHOLDS, PERSONS
from survey.publication.weighting import Weighted, answered, shares, weigh
from survey.publish import evaluate, read_totals
from survey.questionnaire.index import index
from survey.questionnaire.response import Answer, Event, Key, fold
from survey.storage import cases, responses, surveys, tallies
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.tallies import COMPLETE, UNIT, Tally

T = TypeVar("T")
By = Literal["commune", "stratum", "official"]
KEPT_MILLISECONDS = 10 * 60 * 1000
"""How long the precision, which freezes and weighs all that was answered, is shown before it is worked out anew."""
TIME_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Oversight:
    """The figures of one survey and database, of this moment. Safe to use from several threads."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self._turn = threading.Lock()
        self._kept: Report | None = None

    def _counted(self, look: Callable[[Connection], T]) -> T:
        """What `look` reads of the tallies, when they say how things stand now (but see `tallies.behind`)."""
        tallies.refresh(self.database, tallies.PATIENCE)
        with self.database.reading() as connection:
            return look(connection)

    def rates(
        self, by: By, communes: Sequence[str] | None = None, *, after: str = "", most: int | None = None
    ) -> list[Rates]:
        """Outcome rates of all cases first, then by commune, by stratum or by the official who has the case: of these
        communes, or of all. Households first drawn are counted: a reserve makes up for nothing, and is left out. `most`
        officials behind the one named `after`, in the database's order of names; None for all."""
        return self._counted(lambda connection: _rates_by(connection, by, communes, after, most))

    def reached(self, communes: Sequence[str] | None = None) -> list[Reached]:
        """Each stratum against what was drawn in it."""
        return self._counted(lambda connection: _reached(connection, communes))

    def ways(self, communes: Sequence[str] | None = None) -> list[Way]:
        """By mode: who answered in it, and what was tried."""
        return self._counted(lambda connection: _ways(connection, communes))

    def endings(self, communes: Sequence[str] | None = None) -> list[Ending]:
        """How the cases stand by outcome code, as if field work ended now."""
        return self._counted(lambda connection: _endings(connection, communes))

    def signals(self, communes: Sequence[str] | None = None) -> list[Signal]:
        """Signs in how officials' interviews were made (`survey.fieldwork.signals`); no answer leaves this function."""
        return signals(list(self._interviews(communes)))

    def effects(self, questions: Sequence[str], communes: Sequence[str] | None = None) -> list[Effect]:
        """How much the answers to these questions go by who asked, the largest effect first; no answer leaves here."""
        found: dict[str, dict[str, list[str]]] = {question: {} for question in questions}
        with self.database.reading() as connection:
            for record, events in responses.interviews(connection, communes):
                if record.id.startswith(PREFIX):
                    continue
                for key, answer in fold(record.id, events).answers.items():
                    if key.question in found:
                        found[key.question].setdefault(events[0].author, []).append(_plain(answer))
        made = [one for question, answers in found.items() if (one := effect(question, answers)) is not None]
        return sorted(made, key=lambda one: -one.design_effect)

    def agreement(self) -> list[Agreement]:
        """How answers asked twice agree, question by question; every household counts alike."""
        first: dict[str, Mapping[Key, Answer]] = {}
        second: dict[str, Mapping[Key, Answer]] = {}
        with self.database.reading() as connection:
            checked = {r.case for r in responses.records(connection) if r.id.startswith(PREFIX)}
            counted = {case.id: case.response for case in cases.several(connection, sorted(checked))}
            for case in checked:
                for record in responses.by_case(connection, case):
                    said = fold(record.id, responses.events(connection, record.id)).answers
                    if record.id.startswith(PREFIX):
                        second[case] = said
                    elif record.id == counted.get(case):
                        first[case] = said
        pairs: dict[str, list[tuple[str, str]]] = {}
        for case in sorted(first.keys() & second.keys()):
            for key, answer in second[case].items():
                if key in first[case] and "." not in key.question:
                    pairs.setdefault(key.question, []).append((_plain(first[case][key]), _plain(answer)))
        return [_agreement(question, found) for question, found in sorted(pairs.items())]

    def _interviews(self, communes: Sequence[str] | None) -> Iterator[Interview]:
        with self.database.reading() as connection:
            units = {case.id: case.unit for case in cases.every(connection, communes)}
            places: dict[str, dict[str, tuple[float, float]]] = {}  # area → case → where somebody stood
            for case, attempts in cases.every_attempt(connection, communes).items():
                for attempt in attempts:
                    if attempt.place is not None:
                        at = (attempt.place.latitude, attempt.place.longitude)
                        places.setdefault(units[case].psu, {})[case] = at
            choices = self._choices(connection)
            for record, events in responses.interviews(connection, communes):
                unit = units[record.case]
                yield _interview(unit, events, places.get(unit.psu, {}), choices)

    def _choices(self, connection: Connection) -> Mapping[str, str]:
        """The list of options behind each question that takes one: the same list asked again is where habit shows."""
        kept = surveys.current(connection)
        if kept is None:
            return {}
        known = index(kept.questionnaire)
        return {
            name: ",".join(choice.code for choice in known.choices(place.question))
            for name, place in known.places.items()
            if place.question.kind == "select_one"
        }

    def precision(self) -> Report:
        """Every indicator now and at the expected end; at most as old as `KEPT_MILLISECONDS`.

        Raises NotWeighted while too few have answered.
        """
        with self._turn:
            if self._kept is None or now() - self._kept.at > KEPT_MILLISECONDS:
                self._kept = self._precision()
            return self._kept

    def _precision(self) -> Report:
        folder = Folder.read(self.folder)
        with tempfile.TemporaryDirectory(prefix="survey-interim-") as scratch:
            manifest = freeze(self.database, folder, Path(scratch))
            tables = {
                name: pq.ParquetFile(Path(scratch) / f"{name}.parquet").read()
                for name in (HOUSEHOLDS, PERSONS)
            }
        measured = evaluate(tables[HOUSEHOLDS], tables[PERSONS], folder.analysis)
        weighted = weigh(measured.households, measured.persons, folder.analysis, read_totals(folder))
        expected = _expected(self.database)
        growth = expected / manifest.complete if manifest.complete else 1.0
        return Report(
            at=now(),
            cases=manifest.cases,
            complete=manifest.complete,
            expected=expected,
            indicators=tuple(
                found
                for one in folder.analysis.indicators
                if (found := _looked_ahead(folder, weighted, one, growth))
            ),
        )


def _interview(
    unit: SampledUnit,
    events: Sequence[Event],
    places: Mapping[str, tuple[float, float]],
    choices: Mapping[str, str],
) -> Interview:
    response = fold(events[0].response, events)
    answers = list(response.answers.items())
    unknown = sum(answer.missing in ("dont_know", "refused") for _, answer in answers)
    pairs = same = 0
    last: dict[str, object] = {}
    for key, answer in answers:
        options = choices.get(key.question)
        if options is None or answer.value is None:
            continue
        if options in last:
            pairs, same = pairs + 1, same + (last[options] == answer.value)
        last[options] = answer.value
    others = [at for case, at in places.items() if case != unit.case]
    here, distance = places.get(unit.case), math.nan
    if here is not None and len(others) >= 2:
        middle = (statistics.median(lat for lat, _ in others), statistics.median(lon for _, lon in others))
        distance = metres(here, middle)
    begun = datetime.datetime.fromtimestamp(min(event.at for event in events) / 1000, TIME_ZONE)
    paper = events[0].mode == "paper"
    alone, changed = _chosen_from(events)
    return Interview(
        official=events[0].author,
        area=unit.psu,
        minutes=math.nan if paper else minutes([event.at for event in events]),
        unknown=unknown / len(answers) if answers else 0.0,
        same=same / pairs if pairs else 0.0,
        distance=distance,
        hour=-1 if paper else begun.hour,
        listed=max((len(rows) for rows in response.rows.values()), default=0),
        alone=alone,
        changed=changed,
    )


def _chosen_from(events: Sequence[Event]) -> tuple[float, float]:
    """Whether there was nobody else to draw, and whether the list of people was changed before (both NaN without a draw)."""
    draw = next((place for place, event in enumerate(events) if event.kind == "drawn"), None)
    if draw is None:
        return math.nan, math.nan
    said: dict[str, Answer] = {}
    changed = False
    for event in events[:draw]:
        changed = changed or event.kind == "row_removed"
        for key, answer in event.answers.items():
            if Key.parse(key).row:
                changed = changed or said.get(key, answer) != answer
                said[key] = answer
    return float(events[draw].eligible == 1), float(changed)


def _plain(answer: Answer) -> str:
    return answer.missing or str(answer.value)


def _agreement(question: str, pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Kappa needs two answers that occur both times; it is not said from fewer than ten pairs."""
    coefficient = math.nan
    differ = sum(one != other for one, other in pairs)
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    if len(pairs) >= 10 and len(set(first)) > 1 and set(first) == set(second):
        data = {"first": np.array(first), "second": np.array(second), "one": np.ones(len(pairs))}
        coefficient = kappa(Design(data, weights="one"), "first", "second").value
    return Agreement(question=question, pairs=len(pairs), differ=differ, kappa=coefficient)


def _rates_by(
    connection: Connection, by: By, communes: Sequence[str] | None, after: str, most: int | None
) -> list[Rates]:
    found: dict[str, dict[str, Tally]] = {}
    names = None
    if by == "commune":
        for (commune, _, code), tally in tallies.of(connection, "outcome", communes).items():
            found.setdefault(commune, {})[code] = tally
    else:
        if most is not None:
            names = tallies.named(connection, by, communes, most, after=after)
        for (key, code), tally in tallies.summed(connection, by, communes, keys=names).items():
            if key:
                found.setdefault(key, {})[code] = tally
    whole = {code: tally for (_, code), tally in tallies.summed(connection, "outcome", communes).items()}
    return [
        _rates("", whole),
        *(_rates(key, found[key]) for key in (names if names is not None else sorted(found))),
    ]


def _rates(name: str, by_code: Mapping[str, Tally]) -> Rates:
    counts, weights = dict.fromkeys(CATEGORIES, 0), dict.fromkeys(CATEGORIES, 0)
    for code, tally in by_code.items():
        counts[DISPOSITIONS[code].category] += tally.cases
        weights[DISPOSITIONS[code].category] += tally.weight
    plain = rates(Outcomes(**counts))
    weighted = rates(Outcomes(**{category: weight / UNIT for category, weight in weights.items()}))
    return Rates(
        name=name,
        counts=counts,
        plain={rate: plain[rate] for rate in (*FORMULAS, "e")},
        weighted={rate: weighted[rate] for rate in (*FORMULAS, "e")},
    )


def _reached(connection: Connection, communes: Sequence[str] | None) -> list[Reached]:
    strata: dict[str, list[tuple[str, Tally]]] = {}
    for (stratum, code), tally in tallies.summed(connection, "stratum", communes).items():
        strata.setdefault(stratum, []).append((code, tally))
    several = {
        view: {
            stratum: tally.cases for (stratum, _), tally in tallies.summed(connection, view, communes).items()
        }
        for view in ("areas", "reached", "certain", "open")
    }
    weights = {name: sum(tally.weight for _, tally in own) for name, own in strata.items()}
    done = {name: [tally for code, tally in own if code == COMPLETE] for name, own in strata.items()}
    everybody = sum(weights.values())
    answered = sum(tally.weight for own in done.values() for tally in own)
    found = []
    for name in sorted(strata):
        areas, reached, certain, left = (
            several[view].get(name, 0) for view in ("areas", "reached", "certain", "open")
        )
        households = sum(tally.cases for _, tally in strata[name])
        found.append(
            Reached(
                name=name,
                areas=areas,
                areas_silent=areas - reached,
                needs_areas=reached < 2 and certain < households,
                households=households,
                complete=sum(tally.cases for tally in done[name]),
                open=left,
                drawn_share=weights[name] / everybody,
                answered_share=sum(tally.weight for tally in done[name]) / answered if answered else math.nan,
            )
        )
    return found


def _ways(connection: Connection, communes: Sequence[str] | None) -> list[Way]:
    ended = tallies.summed(connection, "outcome", communes).get(("", COMPLETE), Tally(0, 0))
    answered = {mode: tally for (mode, _), tally in tallies.summed(connection, "mode", communes).items()}
    tried = {
        mode: tally.cases for (mode, _), tally in tallies.summed(connection, "attempt", communes).items()
    }
    return [
        Way(
            mode=mode,
            complete=own.cases,
            plain=own.cases / ended.cases if ended.cases else math.nan,
            weighted=own.weight / ended.weight if ended.cases else math.nan,
            attempts=tried.get(mode, 0),
        )
        for mode in get_args(Mode)
        if (own := answered.get(mode, Tally(0, 0))).cases or tried.get(mode)
    ]


def _endings(connection: Connection, communes: Sequence[str] | None) -> list[Ending]:
    found = {code: tally for (_, code), tally in tallies.summed(connection, "outcome", communes).items()}
    households = sum(tally.cases for tally in found.values())
    weight = sum(tally.weight for tally in found.values())
    return [
        Ending(
            disposition=DISPOSITIONS[code],
            cases=tally.cases,
            plain=tally.cases / households,
            weighted=tally.weight / weight,
        )
        for code, tally in sorted(found.items())
    ]


def _expected(database: Database) -> int:
    """Complete households at the end, if those still open answer as often as those that are settled."""
    tallies.refresh(database)
    with database.reading() as connection:
        lines = tallies.progress(connection)
    complete = sum(line.complete for line in lines)
    settled = complete + sum(line.closed for line in lines)
    open_cases = sum(line.open for line in lines)
    return complete + round(open_cases * complete / settled) if settled else complete


def _looked_ahead(
    folder: Folder, weighted: Weighted, indicator: Indicator, growth: float
) -> Precision | None:
    whole = shares(weighted, indicator).get("")
    if whole is None:
        return None
    design = weighted.design(indicator.unit)
    members = answered(design.columns.numbers, indicator).members & (design.weight > 0)
    first = design.stages[0]
    psu, stratum, labels = first.unit, first.unit_stratum[first.unit], first.stratum_labels
    outlook = Outlook.of(whole, int(np.unique(psu[members]).size), _kish(design.weight[members]))
    target = next((one for one in folder.analysis.targets if one.indicator == indicator.id), None)
    needed = outlook.needed(target.threshold, target.alpha) if target else None
    parts = {
        label: (one, stratum == number)
        for number, label in enumerate(labels)
        if (one := _of_stratum(weighted, indicator, members & (stratum == number))) is not None
    }
    extra = max((needed or whole.n) - whole.n, 0)
    sizes = [float(design.weight[members & inside_it].sum()) for _, inside_it in parts.values()]
    spreads = [math.sqrt(one.value * (1.0 - one.value) * max(one.deff_replace, 1.0)) if not math.isnan(one.deff_replace) else 0.0 for one, _ in parts.values()]  # fmt: skip
    shared = where(extra, [size / sum(sizes) for size in sizes], spreads) if sizes else []
    strata = []
    for (label, (one, inside_it)), more in zip(parts.items(), shared, strict=True):
        own = Outlook.of(
            one, int(np.unique(psu[members & inside_it]).size), _kish(design.weight[members & inside_it])
        )
        strata.append(
            StratumPrecision(
                name=str(label),
                n=one.n,
                value=one.value,
                half_width=own.half_width(one.n),
                expected_half_width=own.half_width(one.n * growth),
                more=more,
            )
        )
    return Precision(
        indicator=indicator.id,
        name=indicator.name,
        n=whole.n,
        value=whole.value,
        half_width=outlook.half_width(whole.n),
        expected_n=round(whole.n * growth),
        expected_half_width=outlook.half_width(whole.n * growth),
        threshold=target.threshold if target else None,
        outcome=verdict(whole, target.threshold, target.comparison, target.alpha).outcome if target else "",
        needed=needed,
        strata=tuple(strata),
    )


def _of_stratum(weighted: Weighted, indicator: Indicator, members: NDArray[np.bool_]) -> Estimate | None:
    """The share within a stratum; None where there is nobody, or one area only."""
    one = shares(weighted, indicator, where=members).get("")
    return one if one is not None and one.df > 0 and one.se > 0 else None


def _kish(weight: NDArray[np.float64]) -> float:
    return float(weight.size * (weight @ weight) / weight.sum() ** 2)
