"""Signs that an official's interviews differ from the others': something to look at together, never a proof of anything.

Each sign compares an official's middle value with the middle of all officials, in units of the usual spread between them
(median absolute deviation, Hampel 1974). It is raised only from `FEWEST` interviews on and beyond `FAR` units, so that
with honest officials it is rare; and every sign names an innocent reason beside the other.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from survey.problems import Text

FEWEST = 8
"""Interviews of an official before anything is said."""
FAR = 3.5
"""Units of the usual spread beyond which a value stands out (Iglewicz and Hoaglin 1993)."""
PAUSE_MILLISECONDS = 10 * 60 * 1000
"""A gap longer than this is not counted as time spent asking."""
NIGHT = (21, 6)
"""Hours between which hardly anybody is interviewed."""


class Interview(Struct, frozen=True, kw_only=True):
    """One interview at a door, as far as it says how it was made; no answer is in it.

    minutes: spent asking, pauses left out. unknown: share of "don't know" and "refused" among the answers. same: share
    of choices that repeat the one before in the same list of options. distance: metres from the middle of the other
    visits in the area (NaN without places). hour: of the day it began. listed: people on the roster. alone: 1 when nobody
    else could be drawn, else 0 (NaN without a draw). changed: 1 when people were taken off the list, or what was said of
    them was changed, before the draw. An interview keyed in from paper has no minutes (NaN) and no hour (-1): they would
    be those of the keying.
    """

    official: str
    area: str
    minutes: float
    unknown: float
    same: float
    distance: float
    hour: int
    listed: int
    alone: float = math.nan
    changed: float = math.nan


class Signal(Struct, frozen=True, kw_only=True):
    """One sign: whose, which, the official's value and that of all, and how far apart in units of the usual spread."""

    official: str
    kind: str
    value: float
    usual: float
    units: float
    interviews: int


KINDS: Mapping[str, tuple[Text, Text]] = {
    "short": (
        {"vi": "Phỏng vấn nhanh hơn hẳn", "en": "Interviews are much shorter"},
        {"vi": "Có thể đọc lướt hoặc bỏ câu; cũng có thể hộ nhỏ, hoặc cán bộ đã quen tay.",
         "en": "Questions may be skimmed or skipped; or the households are small, or the official is practised."},
    ),
    "long": (
        {"vi": "Phỏng vấn lâu hơn hẳn", "en": "Interviews are much longer"},
        {"vi": "Có thể máy chậm, câu khó hiểu, hoặc hộ đông người; nên hỏi cán bộ gặp khó ở đâu.",
         "en": "A slow phone, hard questions or large households: ask the official where it is difficult."},
    ),
    "unknown": (
        {"vi": "Nhiều “Không biết”, “Không muốn trả lời”", "en": "Many “don’t know” or “prefer not to say”"},
        {"vi": "Có thể hỏi chưa kỹ hoặc không có chỗ riêng; cũng có thể địa bàn e ngại người lạ.",
         "en": "Little probing or no privacy; or people of the area are wary of strangers."},
    ),
    "same": (
        {"vi": "Nhiều câu chọn giống nhau liên tiếp", "en": "The same choice many times in a row"},
        {"vi": "Có thể bấm cho xong; cũng có thể các hộ ở đây thật sự giống nhau.",
         "en": "Ticking through; or the households here really are alike."},
    ),
    "far": (
        {"vi": "Ghi vị trí xa các lần đến khác trong địa bàn", "en": "Recorded far from the other visits in the area"},
        {"vi": "Có thể không đến tận nhà; cũng có thể định vị kém hoặc ghi sau khi đã về.",
         "en": "The door may not have been reached; or the position was poor, or noted on the way home."},
    ),
    "night": (
        {"vi": "Nhiều phỏng vấn ban đêm", "en": "Many interviews at night"},
        {"vi": "Có thể nhập lại sau; cũng có thể đồng hồ máy sai, hoặc hộ chỉ có nhà buổi tối.",
         "en": "Entered afterwards; or the phone's clock is wrong, or people are home only then."},
    ),
    "small": (
        {"vi": "Danh sách người trong hộ ngắn hơn hẳn", "en": "Lists of members are much shorter"},
        {"vi": "Có thể ghi sót người để khỏi phải tìm người được chọn; cũng có thể địa bàn ít người ở.",
         "en": "People may be left out so that the one drawn is at home; or households here are small."},
    ),
    "alone": (
        {"vi": "Nhiều hộ chỉ có một người để chọn", "en": "Many households with one person to choose from"},
        {"vi": "Có thể ghi thiếu người để khỏi phải chọn; cũng có thể địa bàn nhiều người già ở một mình.",
         "en": "People may be left out so that there is nothing to draw; or many here live alone."},
    ),
    "changed": (
        {"vi": "Hay sửa danh sách ngay trước khi máy chọn người", "en": "The list is often changed before the draw"},
        {"vi": "Có thể sửa để người dễ gặp được chọn; cũng có thể do ghi cẩn thận, đọc lại rồi mới sửa cho đúng.",
         "en": "Changed so that someone convenient is drawn; or the list is read out and put right with care."},
    ),
}  # fmt: skip
"""What each sign says, and what it may mean, the innocent reason included."""


def night(hour: int) -> bool:
    return hour >= NIGHT[0] or hour < NIGHT[1]


def signals(interviews: Sequence[Interview]) -> list[Signal]:
    """The signs of all officials, the most distant first. Fewer than three officials cannot be compared."""
    by_official: dict[str, list[Interview]] = {}
    for one in interviews:
        by_official.setdefault(one.official, []).append(one)
    judged = {name: own for name, own in by_official.items() if len(own) >= FEWEST}
    if len(judged) < 3:
        return []
    measures: dict[str, tuple[Callable[[list[Interview]], float], bool]] = {
        "short": (lambda own: _middle(_logs(own)), False),
        "long": (lambda own: _middle(_logs(own)), True),
        "unknown": (lambda own: statistics.fmean(one.unknown for one in own), True),
        "same": (lambda own: statistics.fmean(one.same for one in own), True),
        "far": (
            lambda own: _middle(
                [math.log(one.distance + 10.0) for one in own if one.distance == one.distance]
            ),
            True,
        ),
        "night": (lambda own: _mean([float(night(one.hour)) for one in own if one.hour >= 0]), True),
        "small": (lambda own: statistics.fmean(one.listed for one in own), False),
        "alone": (lambda own: _mean([one.alone for one in own if one.alone == one.alone]), True),
        "changed": (lambda own: _mean([one.changed for one in own if one.changed == one.changed]), True),
    }
    found: list[Signal] = []
    for kind, (measure, above) in measures.items():
        values = {name: value for name, own in judged.items() if (value := measure(own)) == value}
        if len(values) < 3:
            continue
        usual = statistics.median(values.values())
        # Where most are alike the spread is not nothing: what a single interview more or less would change.
        spread = max(1.4826 * statistics.median(abs(value - usual) for value in values.values()), FLOOR[kind])
        for name, value in values.items():
            units = (value - usual) / spread if above else (usual - value) / spread
            if units > FAR:
                shown = math.exp if kind in ("short", "long", "far") else float
                found.append(Signal(official=name, kind=kind, value=shown(value), usual=shown(usual),
                                    units=units, interviews=len(judged[name])))  # fmt: skip
    return sorted(found, key=lambda one: (-one.units, one.official, one.kind))


FLOOR: Mapping[str, float] = {
    "short": 0.10, "long": 0.10, "unknown": 0.02, "same": 0.04, "far": 0.35, "night": 0.04, "small": 0.20,
    "alone": 0.06, "changed": 0.04,
}  # fmt: skip
"""The least spread between officials that counts, on the scale of each measure (minutes and metres as logarithms)."""


def _logs(own: Sequence[Interview]) -> list[float]:
    return [math.log(max(one.minutes, 0.1)) for one in own if one.minutes == one.minutes]


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values) if len(values) >= FEWEST else math.nan


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def minutes(times: Sequence[int]) -> float:
    """Time spent asking, from the times of an interview's events (milliseconds, in any order); pauses left out."""
    ordered = sorted(times)
    gaps = [after - before for before, after in itertools.pairwise(ordered)]
    return sum(gap for gap in gaps if gap <= PAUSE_MILLISECONDS) / 60_000.0


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude), by the haversine formula; the earth as a sphere."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(a), math.radians(b)) for a, b in (one, other))
    half = (
        math.sin((lat2 - lat1) / 2.0) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2.0) ** 2
    )
    return 2.0 * 6_371_000.0 * math.asin(math.sqrt(half))


class Effect(Struct, frozen=True, kw_only=True):
    """How much the answers to one question go by who asked. rho: correlation of two answers got by the same official;
    design_effect: by how much that multiplies the variance of a mean at the present workloads."""

    question: str
    officials: int
    interviews: int
    rho: float
    design_effect: float


def effect(question: str, answers: Mapping[str, Sequence[str]]) -> Effect | None:
    """The interviewer design effect of a question from its answers by official; None where officials cannot be compared.

    rho is the analysis of variance estimator over the 0/1 variables of all answers together, and the effect
    1 + (m - 1) rho with m the workload that a random interview belongs to (Kish, *Studies of interviewer variance for
    attitudinal variables*, JASA 57, 1962). It is exact where households fell to officials by chance. Where each has areas
    of his or her own, as here, differences between areas are in it too, so that it is an upper limit.
    """
    judged = {name: own for name, own in answers.items() if len(own) >= FEWEST}
    if len(judged) < 3:
        return None
    sizes = [len(own) for own in judged.values()]
    total, groups = sum(sizes), len(sizes)
    counts = [Counter(own) for own in judged.values()]
    overall = sum(counts, Counter[str]())
    within = sum(
        size - sum(n * n for n in count.values()) / size for size, count in zip(sizes, counts, strict=True)
    )
    whole = total - sum(n * n for n in overall.values()) / total
    if whole == 0.0:
        return None  # everybody answered the same
    mean_between, mean_within = (whole - within) / (groups - 1), within / (total - groups)
    typical = (total - sum(size * size for size in sizes) / total) / (groups - 1)
    rho = (mean_between - mean_within) / (mean_between + (typical - 1.0) * mean_within)
    workload = sum(size * size for size in sizes) / total
    return Effect(
        question=question,
        officials=groups,
        interviews=total,
        rho=rho,
        design_effect=1.0 + (workload - 1.0) * rho,
    )
