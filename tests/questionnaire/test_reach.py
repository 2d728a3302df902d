"""A page that no answers lead to is found when the questionnaire is checked; one that some do is left alone."""

from __future__ import annotations

import pytest

from survey.questionnaire.reading import review

TEXT = """
id: reach
languages: [vi]
title: {vi: T}
sections:
  - id: s
    title: {vi: S}
    pages:
      - id: p1
        questions:
          - {id: a, kind: select_one, label: {vi: A}, choices: [{code: "yes", label: {vi: C}}, {code: "no", label: {vi: K}}]}
          - {id: n, kind: integer, minimum: 0, maximum: 50, label: {vi: N}}
          - {id: k, kind: integer, label: {vi: K}}
          - {id: m, kind: select_many, label: {vi: M}, choices: [{code: x, label: {vi: X}}, {code: z, label: {vi: Z}}]}
      - id: p2
        when: ${a} = 'yes'
        questions: [{id: b, kind: select_one, label: {vi: B}, choices: [{code: "yes", label: {vi: C}}, {code: "no", label: {vi: K}}]}]
      - id: p3
        when: WHEN
        questions: [{id: c, kind: text, label: {vi: C}}]
"""


def _codes(when: str) -> list[str]:
    return [finding.code for finding in review(TEXT.replace("WHEN", when))[1] if finding.severity == "error"]


@pytest.mark.parametrize(
    "when",
    [
        "${a} = 'yes' and ${a} = 'no'",
        "${n} > 60",
        "${n} > 10 and ${n} < 11",
        "${a} = 'no' and ${b} = 'yes'",
        "not(${a} = 'yes') and ${b} != ''",
        "selected(${m}, 'x') and not(selected(${m}, 'x'))",
        "1 = 2",
        "false()",
    ],
)
def test_what_nobody_is_asked_is_found(when: str) -> None:
    assert _codes(when) == ["unreachable"]


@pytest.mark.parametrize(
    "when",
    [
        "${n} > 10 and ${n} < 12",
        "${n} < ${k}",
        "${n} + 1 > 900",
        "${a} != 'yes' and ${b} = ''",
        "selected(${m}, 'x') and selected(${m}, 'z')",
        "missing(${a}) = 'refused'",
    ],
)
def test_what_somebody_may_be_asked_is_left_alone(when: str) -> None:
    assert _codes(when) == []
