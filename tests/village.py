"""An invented sample in a real database, with answers to the real questionnaire: for tests that begin where the field
work ended. Nobody in it exists; who owns what is drawn from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from survey.fieldwork.cases import Attempt
from survey.fieldwork.sample import SampledUnit
from survey.folder import Folder
from survey.questionnaire.codebook import variables
from survey.questionnaire.response import Answer, Event
from survey.settings import keys
from survey.storage import cases, responses, surveys
from survey.storage.database import Database

FOLDER = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"
TODAY = "2026-11-20"
MUST_ANSWER = ("sex", "about_age", "answered_by", "nickname")  # the form takes no "don't know" here


def units(households: int, areas: tuple[Mapping[str, str], ...], per_area: int = 16) -> list[SampledUnit]:
    """A sample of that many households, 16 an enumeration area, in every commune in turn."""
    psus = -(-households // per_area)
    places = [areas[number % len(areas)] for number in range(psus)]
    strata = [f"{place['group']}/{place['urban_rural']}" for place in places]
    drawn = []
    for number in range(households):
        psu = number // per_area
        place = places[psu]
        sampled = strata.count(strata[psu])
        drawn.append(
            SampledUnit(
                case=f"HD-{number:06d}",
                household=f"h{number}",
                stratum=strata[psu],
                psu=f"{place['code']}-{psu:03d}",
                commune=place["code"],
                urban_rural=place["urban_rural"],
                stage1_probability=0.02 + 0.0001 * (psu % 50),
                stage2_probability=0.16,
                psus_sampled=sampled,
                psus_in_stratum=50 * sampled,
                households_sampled=per_area,
                households_listed=100,
                respondent_draw=0.5,
            )
        )
    return drawn


class Village:
    """The households of a sample and what they say, drawn from a seed; `fill` plays the field work into a database."""

    def __init__(self, households: int = 64, seed: int = 1) -> None:
        self.folder = Folder.read(FOLDER)
        self.units = units(households, self.folder.areas)
        self.rng = np.random.default_rng(seed)
        self.asked = [one for one in variables(self.folder.questionnaire) if one.kind != "calculate"]

    def fill(self, url: str, *, synthetic: bool = True) -> Database:
        database = Database.open(url).hold_key(keys(url).identities)
        with database.writing() as connection:
            surveys.keep(
                connection, self.folder.questionnaire, self.folder.plan, self.folder.hash, synthetic=synthetic
            )
            cases.import_sample(connection, self.units)
            for unit in self.units:
                fate = self.rng.random()
                modern = self.rng.random() < (0.7 if unit.urban_rural == "urban" else 0.4)
                if modern and fate < 0.5:
                    self._answer(connection, unit.case, "self", modern)
                elif fate < 0.78:
                    self._visit(connection, unit.case, "interviewed")
                    self._answer(connection, unit.case, "visit", modern)
                else:
                    outcome = str(
                        self.rng.choice(["refused", "nobody_home", "not_located", "vacant", "language"])
                    )
                    self._visit(connection, unit.case, outcome)
        return database

    def _visit(self, connection: Any, case: str, outcome: str) -> None:
        attempt = Attempt(
            id=f"a-{case}", case=case, at=1_700_000_000_000, author="lan", mode="visit", outcome=outcome
        )
        cases.record_attempt(connection, attempt)

    def _answer(self, connection: Any, case: str, mode: str, modern: bool) -> None:
        version = self.folder.questionnaire.version
        responses.open(connection, f"r-{case}", case, version, mode)
        responses.append(connection, list(self._events(case, mode, modern)))

    def _events(self, case: str, mode: str, modern: bool) -> Iterator[Event]:
        rng = self.rng
        births = [
            2026 - int(age)
            for age in (*rng.integers(18, 85, rng.integers(1, 4)), *rng.integers(0, 15, rng.integers(0, 3)))
        ]
        rows = [f"{case}.{number}" for number in range(len(births))]
        adults = [row for row, birth in zip(rows, births, strict=True) if 2026 - birth >= 15]
        drawn = adults[int(rng.integers(len(adults)))]
        answers = {}
        for row, birth in zip(rows, births, strict=True):
            answers[f"birth_year@{row}"] = Answer(value=birth)
        for variable in self.asked:
            if variable.name == "birth_year":
                continue
            where = {"household": [""], "members": rows}.get(variable.level, [drawn])
            for row in where:
                answers[f"{variable.name}@{row}" if row else variable.name] = self._say(variable, modern)
        numbers = iter(range(100))

        def event(kind: str, **more: Any) -> Event:
            return Event(
                id=f"{case}-{next(numbers)}", response=f"r-{case}", kind=kind, at=1_700_000_000_000,
                author="household" if mode == "self" else "lan", mode=mode, **more,
            )  # fmt: skip

        yield event("opened", language="vi", version=self.folder.questionnaire.version, today=TODAY)
        for row in rows:
            yield event("row_added", roster="members", row=row)
        yield event("locked", roster="members")
        yield event("drawn", draw="respondent", row=drawn, eligible=len(adults))
        yield event("answered", answers=answers)
        yield event("submitted")

    def _say(self, variable: Any, modern: bool) -> Answer:
        rng = self.rng
        if variable.name not in MUST_ANSWER and rng.random() < 0.02:
            return Answer(missing="dont_know")
        codes = [choice.code for choice in variable.choices]
        match variable.kind:
            case "select_one" if codes[:2] == ["yes", "no"]:
                return Answer(value="yes" if rng.random() < (0.75 if modern else 0.35) else "no")
            case "select_one":
                return Answer(
                    value=codes[0] if rng.random() < (0.7 if modern else 0.4) else str(rng.choice(codes))
                )
            case "select_many":
                return Answer(value=[code for code in codes if rng.random() < 0.3] or codes[-1:])
            case "year" | "integer":
                return Answer(value=int(rng.integers(1950, 2005)))
            case _:
                return Answer(value="Cô Ba")
