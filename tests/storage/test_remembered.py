"""Figures of a large survey are kept, made anew beside whoever looks, and say how old they are."""

from __future__ import annotations

import threading

import pytest

from survey.problems import Unavailable
from survey.storage import cases, remembered
from survey.storage.database import Database
from survey.storage.remembered import KEPT_MILLISECONDS, ProgressOfAll, Remembered
from tests.storage.households import unit


def test_the_first_waits_and_what_is_old_is_made_anew_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, made, may = 1_000, iter(range(10)), threading.Event()
    monkeypatch.setattr(remembered, "now", lambda: moment)
    may.set()

    def work_out() -> int:
        assert may.wait(10)
        return next(made)

    figures = Remembered(work_out)
    assert (figures.at, figures.value(), figures.value(), figures.at) == (None, 0, 0, 1_000)
    moment += KEPT_MILLISECONDS + 1
    may.clear()
    assert [figures.value() for _ in range(3)] == [0, 0, 0], "nobody waits, and one is enough"
    may.set()
    for thread in threading.enumerate():
        if thread.name == "survey-figures":
            thread.join(10)
    assert (figures.value(), figures.at) == (1, moment)


def test_what_cannot_be_made_anew_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, fails = 0, False
    monkeypatch.setattr(remembered, "now", lambda: moment)

    def work_out() -> str:
        if fails:
            raise Unavailable({"vi": "bận", "en": "busy"})
        return "as it was"

    figures = Remembered(work_out)
    assert figures.value() == "as it was"
    moment, fails = KEPT_MILLISECONDS + 1, True
    for _ in range(2):
        assert figures.value() == "as it was"
        for thread in threading.enumerate():
            if thread.name == "survey-figures":
                thread.join(10)


def test_progress_is_of_this_moment_but_for_all_of_a_large_survey(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.write_now(cases.import_sample, [unit(1), unit(2, commune="10510")])
    small = ProgressOfAll(db)
    monkeypatch.setattr(remembered, "LARGE", 2)
    large = ProgressOfAll(db)
    assert small.of(["10507"]) == (small.of(None)[0][:1], None)
    lines, at = large.of(None)
    assert (lines, at is not None) == (small.of(None)[0], True)
    db.write_now(cases.import_sample, [unit(3)])
    assert large.of(None) == (lines, at)
    assert large.of(["10507"])[0][0].waiting == 2
