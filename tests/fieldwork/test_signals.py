"""Honest officials raise hardly a sign; one who invents interviews raises several; nobody is judged on a few."""

from __future__ import annotations

import math
import random

import pytest

from survey.fieldwork.signals import KINDS, Interview, effect, metres, minutes, signals


def _interviews(seed: int, officials: int = 12, each: int = 25) -> list[Interview]:
    chance = random.Random(seed)
    return [
        Interview(
            official=f"cb{number:02d}", area=f"a{number}", minutes=chance.lognormvariate(2.3, 0.4),
            unknown=chance.betavariate(1, 15), same=chance.betavariate(4, 8), distance=chance.expovariate(1 / 120),
            hour=chance.choice([8, 9, 10, 15, 16, 17, 18, 19, 20]), listed=chance.choice([1, 2, 3, 4, 4, 5, 6]),
            alone=float(chance.random() < 0.2), changed=float(chance.random() < 0.15),
        )
        for number in range(officials)
        for _ in range(each)
    ]  # fmt: skip


def test_honest_officials_are_seldom_pointed_at() -> None:
    raised = [len(signals(_interviews(seed))) for seed in range(40)]
    assert sum(raised) <= 0.02 * 40 * 12 * len(KINDS)


def test_invented_interviews_stand_out() -> None:
    chance = random.Random(9)
    made_up = [
        Interview(official="bịa", area="a", minutes=chance.uniform(1.5, 2.5), unknown=0.0, same=0.8,
                  distance=9_000.0, hour=22, listed=1, alone=1.0, changed=1.0)
        for _ in range(20)
    ]  # fmt: skip
    found = [one for one in signals(_interviews(1) + made_up) if one.official == "bịa"]
    assert {one.kind for one in found} >= {"short", "same", "far", "night", "small", "alone", "changed"}
    assert all(one.interviews == 20 for one in found)
    short = next(one for one in found if one.kind == "short")
    assert short.value == pytest.approx(2.0, abs=0.5)
    assert 7 < short.usual < 13


def test_paper_has_neither_minutes_nor_an_hour() -> None:
    """What is keyed in at night from forms filled in by day is no interview at night."""
    keyed = [
        Interview(official="giấy", area="a", minutes=math.nan, unknown=0.06, same=0.33, distance=math.nan, hour=-1,
                  listed=4, alone=0.0, changed=0.0)
        for _ in range(20)
    ]  # fmt: skip
    found = {one.kind for one in signals(_interviews(4) + keyed) if one.official == "giấy"}
    assert not found & {"short", "long", "night", "far"}


def test_a_few_interviews_say_nothing() -> None:
    strange = [
        Interview(official="mới", area="a", minutes=1, unknown=1, same=1, distance=9e5, hour=2, listed=1)
    ] * 7
    assert not [one for one in signals(_interviews(2) + strange) if one.official == "mới"]
    assert signals(_interviews(3, officials=2)) == []


def test_every_sign_has_words_in_both_languages() -> None:
    for what, why in KINDS.values():
        assert set(what) == set(why) == {"vi", "en"}


def test_pauses_are_not_asking_and_distances_are_on_the_earth() -> None:
    second = 1000
    assert minutes([0, 60 * second, 120 * second, 120 * second + 3_600 * second]) == 2.0
    assert minutes([5]) == 0.0
    assert metres((20.94, 106.33), (20.94, 106.33)) == 0.0
    assert metres((20.94, 106.33), (21.03, 105.85)) == pytest.approx(50_900, rel=0.02)


def test_officials_who_change_nothing_have_no_effect_and_those_who_decide_answers_have_all_of_it() -> None:
    chance = random.Random(4)
    rhos = []
    for _ in range(60):
        honest = {f"cb{n}": ["yes" if chance.random() < 0.4 else "no" for _ in range(20)] for n in range(10)}
        found = effect("phone", honest)
        assert found is not None
        rhos.append(found.rho)
    assert sum(rhos) / len(rhos) == pytest.approx(0.0, abs=0.01), "unbiased where nobody matters"
    decided = effect("phone", {"a": ["yes"] * 10, "b": ["no"] * 10, "c": ["yes"] * 10})
    assert decided is not None
    assert (decided.rho, decided.design_effect) == (pytest.approx(1.0), pytest.approx(10.0))


def test_the_effect_is_the_analysis_of_variance_of_a_worked_example() -> None:
    """Three officials, ten interviews each, 8, 5 and 2 of them "yes": mean squares 0.9 and 5.7/27 by hand."""
    answers = {name: ["yes"] * n + ["no"] * (10 - n) for name, n in (("a", 8), ("b", 5), ("c", 2))}
    between, within = 10 * (0.3**2 + 0.0 + 0.3**2) / 2, (1.6 + 2.5 + 1.6) / 27
    rho = (between - within) / (between + 9 * within)
    found = effect("phone", answers)
    assert found is not None
    assert found.rho == pytest.approx(rho)
    assert found.design_effect == pytest.approx(1 + 9 * rho)
    assert effect("phone", {"a": ["yes"] * 9, "b": ["no"] * 9}) is None
    assert effect("phone", dict.fromkeys("abc", ["yes"] * 9)) is None
