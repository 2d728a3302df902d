"""Honest officials raise hardly a sign; one who invents interviews raises several; nobody is judged on a few."""

from __future__ import annotations

import random

import pytest

from survey.fieldwork.signals import KINDS, Interview, metres, minutes, signals


def _interviews(seed: int, officials: int = 12, each: int = 25) -> list[Interview]:
    chance = random.Random(seed)
    return [
        Interview(
            official=f"cb{number:02d}", area=f"a{number}", minutes=chance.lognormvariate(2.3, 0.4),
            unknown=chance.betavariate(1, 15), same=chance.betavariate(4, 8), distance=chance.expovariate(1 / 120),
            hour=chance.choice([8, 9, 10, 15, 16, 17, 18, 19, 20]), listed=chance.choice([1, 2, 3, 4, 4, 5, 6]),
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
                  distance=9_000.0, hour=22, listed=1)
        for _ in range(20)
    ]  # fmt: skip
    found = [one for one in signals(_interviews(1) + made_up) if one.official == "bịa"]
    assert {one.kind for one in found} >= {"short", "same", "far", "night", "small"}
    assert all(one.interviews == 20 for one in found)
    short = next(one for one in found if one.kind == "short")
    assert short.value == pytest.approx(2.0, abs=0.5)
    assert 7 < short.usual < 13


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
