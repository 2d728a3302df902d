"""A reader who has only the published files and knows how tables add up: what can be inferred of each figure held back?

Independent of `analysis.disclosure`: it starts from `estimates.csv`, and plays the indicators of one numerator that
differ only in who is asked (everybody, those of 15 and over) as linked tables with the age groups.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import linprog

Place = tuple[str, str, str]


def read(path: Path) -> list[dict[str, str]]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return [row for row in rows if row["kind"] == "estimate"]


def intervals(
    rows: list[dict[str, str]],
    communes: dict[str, str],
    links: list[tuple[str, str]],
    totals: dict[Place, float],
) -> dict[Place, tuple[float, float, float]]:
    """Of each x: the least and greatest number who have it, and how many there are at most.

    communes: commune → area, as anybody can read it on a map. links: (whole, part) indicators of which the whole is
    the part plus the age group under 15. totals: people in each place, known from a census.
    """
    variables: dict[Place, int] = {}
    known: dict[Place, float] = {}
    secret: list[Place] = []
    for row in rows:
        place = (row["indicator"], row["domain"], row["category"])
        variables[place] = len(variables)
        if row["status"] == "show":
            known[place] = float(row["having"])
        elif row["status"] == "x":
            secret.append(place)
    equations: list[dict[Place, float]] = []
    tables: dict[tuple[str, str], list[Place]] = defaultdict(list)
    for place in variables:
        if place[1]:
            tables[place[:2]].append(place)
    for (indicator, _), members in tables.items():
        equations.append({(indicator, "", ""): -1.0} | dict.fromkeys(members, 1.0))
    for indicator in {place[0] for place in variables}:
        for area in set(communes.values()):
            parts = [(indicator, "commune", code) for code, where in communes.items() if where == area]
            if (indicator, "area", area) in variables and all(part in variables for part in parts):
                equations.append({(indicator, "area", area): -1.0} | dict.fromkeys(parts, 1.0))
    for whole, part in links:
        equations.append({(whole, "", ""): 1.0, (part, "", ""): -1.0, (whole, "age_band", "0-14"): -1.0})
    matrix = np.zeros((len(equations), len(variables)))
    for number, equation in enumerate(equations):
        for place, factor in equation.items():
            matrix[number, variables[place]] = factor
    unit = max(known.values())
    bounds = [(0.0, 0.0)] * len(variables)
    for place, number in variables.items():
        # Published with twelve digits: the reader allows for the rounding.
        slack = 1e-9
        bounds[number] = (
            (known[place] / unit - slack, known[place] / unit + slack)
            if place in known
            else (0.0, totals.get(place, unit) / unit)
        )
    found = {}
    for place in secret:
        goal = np.zeros(len(variables))
        goal[variables[place]] = 1.0
        ends = []
        for side in (1.0, -1.0):
            best = linprog(
                side * goal, A_eq=matrix, b_eq=np.zeros(len(equations)), bounds=bounds, method="highs"
            )
            assert best.success, best.message
            ends.append(side * best.fun * unit)
        found[place] = (ends[0], ends[1], bounds[variables[place]][1] * unit)
    return found
