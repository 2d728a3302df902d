"""When a reserve household may be opened, and which: the next one of the area, never one that somebody picks.

The household in whose place it is worked keeps its own outcome and counts in every outcome rate; the reserve counts in
none. What opening does to the weights of the area is in `listing.reserve_factor`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from survey.fieldwork.cases import Case
from survey.problems import Text

REFUSALS: Mapping[str, Text] = {
    "still_open": {
        "vi": "Hộ này chưa kết thúc. Chỉ mở hộ dự phòng khi hộ gốc đã có kết quả cuối cùng.",
        "en": "This household is still being worked. A reserve is opened only once it has a final outcome.",
    },
    "replaced": {
        "vi": "Hộ này đã có một hộ dự phòng.",
        "en": "A reserve household was already opened in place of this one.",
    },
    "none_left": {
        "vi": "Địa bàn này không còn hộ dự phòng.",
        "en": "This area has no reserve household left.",
    },
    "no_reason": {
        "vi": "Xin ghi lý do mở hộ dự phòng.",
        "en": "Give the reason for opening a reserve household.",
    },
}


def next_of(area: Iterable[Case]) -> Case | None:
    """The reserve household of an area that is opened next: their numbers follow from the draw by chance, so the lowest is no one's choice."""
    return min((case for case in area if case.reserve), key=lambda case: case.id, default=None)


def refusal(instead_of: Case, area: Iterable[Case], reason: str) -> str:
    """Why no reserve household may be opened in place of this one (a key of REFUSALS), or ""."""
    cases = list(area)
    if instead_of.reserve or instead_of.state != "closed":
        return "still_open"
    if any(case.release is not None and case.release.instead_of == instead_of.id for case in cases):
        return "replaced"
    if next_of(cases) is None:
        return "none_left"
    return "" if reason.strip() else "no_reason"
