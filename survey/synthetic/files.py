"""The invented province as the files a survey starts from: the frame, the listing, the population margins."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from survey.fieldwork.plan import Frame
from survey.synthetic.people import Index, Province

SYNTHETIC = "mô phỏng · synthetic"
"""Stands in its own column of every file, so that no row can be taken for a real place."""


def write_frame(province: Province, path: Path, columns: Frame) -> None:
    """The frame of enumeration areas: one row each, with the households counted when the frame was made."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow((columns.psu, columns.area, columns.urban_rural, columns.size, "note"))
        for ea, code in enumerate(ea_codes(province)):
            commune = province.communes[int(province.ea_commune[ea])]
            kind = "urban" if commune.urban else "rural"
            out.writerow((code, commune.code, kind, int(province.ea_counted[ea]), SYNTHETIC))


def write_listing(province: Province, path: Path, columns: Frame, areas: Iterable[int] | None = None) -> None:
    """The fresh household listing of these enumeration areas (indices; all when None): one row for each dwelling.

    The addresses are visibly invented. Dwellings where nobody lives are on the list, as they are in the field.
    """
    codes = ea_codes(province)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow((columns.listing_psu, columns.listing_household, "address", "hamlet", "note"))
        for ea in range(len(codes)) if areas is None else areas:
            code = codes[ea]
            urban = province.communes[int(province.ea_commune[ea])].urban
            hamlet = f"{'Tổ dân phố' if urban else 'Thôn'} {int(code[-3:])}"
            out.writerows(
                (code, f"{code}-{number:03d}", f"Nhà {number}, {hamlet.lower()}", hamlet, SYNTHETIC)
                for number in range(1, int(province.ea_dwellings[ea]) + 1)
            )


def ea_codes(province: Province) -> list[str]:
    """The code of every EA, in order."""
    commune = province.ea_commune
    start = np.searchsorted(commune, np.arange(len(province.communes)))
    number = np.arange(len(commune)) - start[commune] + 1
    return [
        f"{province.communes[c].code}-{n:03d}" for c, n in zip(commune.tolist(), number.tolist(), strict=True)
    ]


def dwellings_of(province: Province, households: Sequence[str]) -> Index:
    """The dwellings (indices) behind household ids of the listing, such as "10525-007-041"."""
    known = {code: ea for ea, code in enumerate(ea_codes(province))}
    areas = np.array([known[household.rpartition("-")[0]] for household in households], dtype=np.int64)
    numbers = np.array([int(household.rpartition("-")[2]) for household in households], dtype=np.int64)
    dwellings: Index = province.ea_first[areas] + numbers - 1
    return dwellings
