"""Answers as columns of codes, for files that statistical programs read: a code for each choice, a negative one for each
reason why there is no answer, nothing where the question did not concern the row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from survey.folder import Folder, column_name
from survey.problems import Text
from survey.questionnaire.codebook import MISSING, Variable, variables

Floats = NDArray[np.float64]
WITHHELD: Final = "withheld"
STATES: Final[dict[str, Text]] = {
    **MISSING,
    WITHHELD: {"vi": "Giữ kín để bảo vệ người trả lời", "en": "Withheld to protect respondents"},
}
"""Why there is no answer; the codes -1, -2, … in this order."""
YES_NO: Final[dict[int, Text]] = {1: {"vi": "Có", "en": "Yes"}, 0: {"vi": "Không", "en": "No"}}


@dataclass(frozen=True, eq=False)
class Column:
    """One column of codes: NaN where the unit is outside, negative where there is no answer."""

    name: str
    label: Text
    codes: Mapping[int, Text]
    values: Floats
    domain: str = ""
    indicator: str = ""
    categories: Mapping[str, int] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()  # names that decide who is asked


def answers(
    folder: Folder, unit: str, tables: Mapping[str, pa.Table], there: NDArray[np.bool_]
) -> list[Column]:
    """The ordinary answers with listed codes, in the order of the measured rows that are `there`."""
    if unit == "household":
        rows = tables["households"].sort_by("case").filter(pa.array(there))
    else:
        persons = tables["persons"].sort_by([("case", "ascending"), ("position", "ascending")])
        measured = [
            drawn or not eligible
            for drawn, eligible in zip(
                persons["selected"].to_pylist(), persons["eligible"].to_pylist(), strict=True
            )
        ]
        rows = persons.filter(pa.array(measured)).filter(pa.array(there))
    breakdowns = {domain.value for domain in folder.analysis.domains}
    found: list[Column] = []
    for variable in variables(folder.questionnaire):
        if (
            (variable.level == "household") != (unit == "household")
            or variable.free
            or variable.sensitivity != "ordinary"
        ):
            continue
        name = column_name(variable.name)
        if (
            variable.form not in ("select_one", "select_many")
            or name in breakdowns
            or f"{name}__missing" not in rows.column_names
        ):
            continue
        found += _coded(variable, name, rows)
    return found


def _coded(variable: Variable, name: str, rows: pa.Table) -> list[Column]:
    """A column of codes; for many choices one for each of them."""
    state = {code: -place for place, code in enumerate(STATES, start=1)}
    absent = [state.get(one, np.nan) if one else np.nan for one in rows[f"{name}__missing"].to_pylist()]
    states = {-place: words for place, words in enumerate(STATES.values(), start=1)}

    needs = frozenset(name for condition in variable.universe for name in re.findall(r"\$\{(\w+)", condition))

    def column(own: str, label: Text, codes: Mapping[int, Text], code_of: Mapping[object, int]) -> Column:
        values = [
            missing if value is None else code_of.get(value, np.nan)
            for value, missing in zip(rows[own].to_pylist(), absent, strict=True)
        ]
        return Column(own, label, {**codes, **states}, np.array(values, dtype=np.float64), needs=needs)

    if variable.form == "select_one":
        codes = {place: choice.label for place, choice in enumerate(variable.choices, start=1)}
        return [
            column(
                name,
                variable.label,
                codes,
                {choice.code: place for place, choice in enumerate(variable.choices, start=1)},
            )
        ]
    return [
        column(
            f"{name}__{column_name(choice.code)}",
            {
                language: f"{said}: {choice.label.get(language, '')}"
                for language, said in variable.label.items()
            },
            YES_NO,
            {True: 1, False: 0},
        )
        for choice in variable.choices
    ]
