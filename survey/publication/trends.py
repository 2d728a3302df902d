"""Rounds side by side: what has changed since, and whether the change is more than the chance of sampling.

Only figures that both releases show are compared, and only indicators that were defined in the same words. A release
before of the same round is no other round: its figures are corrections (`Release.since`), not a change of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from analysis.indicators import Indicator
from analysis.trend import Figure, change
from survey.publication.measuring import NotReleased
from survey.publication.results import Cell, Release, Round, Trend
from survey.publication.sealing import manifest_hash, opened


def compared(found: Release, folders: Sequence[Path]) -> Release:
    """The release with the rounds in `folders` beside it.

    Raises NotGenuine when a file of theirs has changed, NotReleased when one of them is not earlier than this round,
    twice there, or synthetic beside people.
    """
    earlier = sorted(
        ((_read(folder, found), folder) for folder in folders), key=lambda one: one[0].reference
    )[::-1]
    for (one, _), (other, folder) in pairwise(earlier):
        if one.reference == other.reference:
            raise NotReleased(
                {
                    "vi": f"{folder}: đợt {one.reference} được nêu hai lần.",
                    "en": f"{folder}: the round of {one.reference} is given twice.",
                }
            )
    rounds, trends = [], []
    for other, folder in earlier:
        then = {one.id: one for one in other.plan.indicators}
        alike = {
            one.id for one in found.plan.indicators if one.id in then and _words(one) == _words(then[one.id])
        }
        rounds.append(
            Round(
                survey=other.survey,
                number=other.number,
                reference=other.reference,
                manifest=manifest_hash(folder),
                otherwise=tuple(id for id in then if id not in alike),
            )
        )
        cells = {(one.indicator, one.domain, one.category): one for one in other.cells}
        for now in found.cells:
            before = cells.get((now.indicator, now.domain, now.category))
            if now.indicator in alike and before is not None:
                trends += _trend(now, before, other.reference, found.plan.release.level)
    order = {one.id: place for place, one in enumerate(found.plan.indicators)}
    trends.sort(key=lambda one: (order[one.indicator], one.domain != "", one.domain))
    return msgspec.structs.replace(found, rounds=tuple(rounds), trends=tuple(trends))


def _read(folder: Path, found: Release) -> Release:
    other = opened(folder)
    if other.reference >= found.reference:
        raise NotReleased(
            {
                "vi": f"{folder} nói về ngày {other.reference}, không trước đợt này ({found.reference}). Bản công bố "
                "trước của cùng một đợt thì nêu bằng --previous.",
                "en": f"{folder} is about {other.reference}, which is not before this round ({found.reference}). "
                "An earlier release of the same round is given by --previous.",
            }
        )
    if other.synthetic != found.synthetic:
        raise NotReleased(
            {
                "vi": f"{folder}: không so sánh số liệu mô phỏng với số liệu thật.",
                "en": f"{folder}: synthetic figures are not compared with those of people.",
            }
        )
    return other


def _words(indicator: Indicator) -> tuple[str, ...]:
    """What must be the same for two rounds to have measured the same."""
    return indicator.unit, indicator.asked(), indicator.numerator, *indicator.treatments.values()


def _trend(now: Cell, before: Cell, reference: str, level: float) -> list[Trend]:
    figures = []
    for one in (now, before):
        if one.value is None or one.se is None or one.df is None or one.df <= 0.0:
            return []
        figures.append(Figure(one.value, one.se, one.df))
    if before.value is None or before.lower is None or before.upper is None:
        return []
    made = change(*figures, level)
    return [
        Trend(
            indicator=now.indicator,
            domain=now.domain,
            category=now.category,
            reference=reference,
            before=before.value,
            before_lower=before.lower,
            before_upper=before.upper,
            change=made.value,
            se=made.se,
            lower=made.lower,
            upper=made.upper,
            df=made.df,
            p_value=made.p_value,
        )
    ]
