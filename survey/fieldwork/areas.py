"""Places with the dates between which a code means them.

After a merger the codes and names of communes are used again for other places, so neither identifies one: the key is
(code, date).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec import Struct


class Area(Struct, frozen=True, kw_only=True):
    """A commune as it was between two dates (ISO; valid_to "" is still in force, the day itself no longer counts).

    `columns` keeps every column of areas.csv, so that strata and domains can be formed from any of them.
    """

    code: str
    name: str
    kind: str
    urban_rural: str
    valid_from: str
    valid_to: str = ""
    columns: dict[str, str] = {}

    def valid(self, day: str) -> bool:
        """Whether the code meant this place on that day (ISO dates compare as text)."""
        return self.valid_from <= day and (not self.valid_to or day < self.valid_to)


def areas(rows: Iterable[Mapping[str, str]]) -> tuple[Area, ...]:
    """The areas of areas.csv, already checked by the reading of the folder."""
    return tuple(
        Area(
            code=row["code"],
            name=row["name"],
            kind=row["kind"],
            urban_rural=row["urban_rural"],
            valid_from=row["valid_from"],
            valid_to=row.get("valid_to", ""),
            columns=dict(row),
        )
        for row in rows
    )


def overlapping(known: Iterable[Area]) -> tuple[tuple[Area, Area], ...]:
    """Pairs of areas whose one code would mean both on some day: a mistake in areas.csv."""
    ordered = sorted(known, key=lambda area: (area.code, area.valid_from))
    return tuple(
        (earlier, later)
        for earlier, later in pairwise(ordered)
        if earlier.code == later.code and (not earlier.valid_to or earlier.valid_to > later.valid_from)
    )


def as_of(known: Iterable[Area], day: str) -> dict[str, Area]:
    """The areas in force on a day, by code."""
    return {area.code: area for area in known if area.valid(day)}
