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
    return [
        finding.code for finding in review(TEXT.replace("WHEN", when))[1] if finding.code == "unreachable"
    ]


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


def test_a_page_that_is_switched_off_on_purpose_is_only_a_warning() -> None:
    found = review(TEXT.replace("WHEN", "false()"))[1]

    assert [(finding.code, finding.severity) for finding in found] == [("unreachable", "warning")]


def test_an_answer_that_three_questions_lead_to_can_be_given() -> None:
    chain = """
      - id: q1
        questions: [{id: c1, kind: select_one, when: "${b} = 'no'", label: {vi: C}, choices: [{code: "yes", label: {vi: C}}, {code: "no", label: {vi: K}}]}]
      - id: q2
        questions: [{id: c2, kind: select_one, when: "${c1} = 'no'", label: {vi: C}, choices: [{code: "yes", label: {vi: C}}, {code: "no", label: {vi: K}}]}]
      - id: q3
        when: ${c2} = 'no'
"""
    found = review(TEXT.replace("      - id: p3\n        when: WHEN\n", chain.lstrip("\n")))[1]

    assert not [finding for finding in found if finding.severity == "error"]
