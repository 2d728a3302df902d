"""The draw of back-checks takes about its share, the same cases each time, and another key takes others."""

from __future__ import annotations

from survey.fieldwork.backchecks import Agreement, drawn

CASES = [f"HD-{number:06d}" for number in range(20_000)]


def test_about_the_share_is_drawn_and_always_the_same() -> None:
    first = {case for case in CASES if drawn(b"k" * 32, case, 0.05)}
    assert 900 < len(first) < 1100
    assert first == {case for case in CASES if drawn(b"k" * 32, case, 0.05)}
    assert first < {case for case in CASES if drawn(b"k" * 32, case, 0.10)}
    other = {case for case in CASES if drawn(b"x" * 32, case, 0.05)}
    assert len(first & other) < 100
    assert not any(drawn(b"k" * 32, case, 0.0) for case in CASES[:100])
    assert all(drawn(b"k" * 32, case, 1.0) for case in CASES[:100])


def test_the_gross_difference_rate_is_the_share_that_differs() -> None:
    assert Agreement(question="q", pairs=40, differ=3, kappa=0.8).gross_difference_rate == 0.075
