"""Web answers alone mislead, unadjusted answers mislead a little, and the adjustment by phase of the work does not."""

from __future__ import annotations

import numpy as np
import pytest

from survey.synthetic.behaviour import ATTEMPTS, OUTCOMES, Fieldwork, play
from survey.synthetic.people import Flags, Index, Province


@pytest.fixture(scope="module")
def drawn(province: Province) -> Index:
    """One person aged 15 and over of each household, at random; −1 where nobody lives."""
    rng = np.random.default_rng(5)
    adults = np.flatnonzero(province.age >= 15)
    count = np.bincount(province.household[adults], minlength=province.dwellings)
    start = np.cumsum(count) - count
    place = np.minimum((rng.random(province.dwellings) * count).astype(int), np.maximum(count - 1, 0))
    chosen: Index = np.where(count > 0, adults[np.minimum(start + place, len(adults) - 1)], -1)
    return chosen


@pytest.fixture(scope="module")
def fieldwork(province: Province, drawn: Index) -> Fieldwork:
    return play(province, np.arange(province.dwellings), drawn, np.random.default_rng(6))


def share(province: Province, drawn: Index, among: Flags, weight: np.ndarray) -> float:
    y = province.pays_electronically[drawn[among]]
    return float((weight[among] * y).sum() / weight[among].sum())


def test_outcomes_come_in_plausible_numbers(province: Province, fieldwork: Fieldwork) -> None:
    lived_in = province.size > 0
    assert fieldwork.online[lived_in].mean() == pytest.approx(0.31, abs=0.04)
    assert fieldwork.complete[lived_in].mean() == pytest.approx(0.92, abs=0.02)
    assert not fieldwork.complete[~lived_in].any()
    assert fieldwork.unknown.mean() < 0.015
    assert set(np.unique(fieldwork.outcome)) == set(range(len(OUTCOMES))), "every outcome happens"
    assert (fieldwork.visits[fieldwork.online] == 0).all()
    assert (fieldwork.visits[~fieldwork.online] >= 1).all()
    assert fieldwork.visits.max() == ATTEMPTS


def test_the_web_alone_is_far_off_and_the_adjustment_by_phase_is_not(
    province: Province, drawn: Index, fieldwork: Fieldwork
) -> None:
    adult = province.age >= 15
    truth = province.pays_electronically[adult].mean()
    eligible_persons = np.bincount(province.household[adult], minlength=province.dwellings).astype(float)
    everybody = share(province, drawn, province.size > 0, eligible_persons)
    assert everybody == pytest.approx(truth, abs=0.002), (
        "drawing one person and weighting by their number is fair"
    )

    web = share(province, drawn, fieldwork.online, eligible_persons)
    assert web - truth > 0.08

    def adjusted(groups: tuple[Flags, ...]) -> float:
        weight = eligible_persons.copy()
        for group in groups:
            for urban in (province.urban, ~province.urban):
                cell = group & urban & fieldwork.eligible
                weight[cell] *= cell.sum() / (cell & fieldwork.complete).sum()
        return share(province, drawn, fieldwork.complete, weight)

    pooled = adjusted((np.ones(province.dwellings, dtype=bool),))
    by_phase = adjusted((fieldwork.online, ~fieldwork.online))
    assert abs(by_phase - truth) < 0.003
    assert pooled - truth > 2 * abs(by_phase - truth)


def test_the_same_generator_gives_the_same_field_work(province: Province, drawn: Index) -> None:
    some = np.arange(0, province.dwellings, 97)
    one = play(province, some, drawn[some], np.random.default_rng(1))
    same = play(province, some, drawn[some], np.random.default_rng(1))
    assert np.array_equal(one.outcome, same.outcome)
    assert np.array_equal(one.visits, same.visits)
