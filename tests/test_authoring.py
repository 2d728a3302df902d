"""The example of docs/authoring.md is a sound questionnaire that the pages run, and names every kind there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from survey.questionnaire.model import Kind
from survey.questionnaire.reading import review
from tests.conformance import interviews, scenarios

PAGE = (Path(__file__).parents[1] / "docs" / "authoring.md").read_text(encoding="utf-8")


def test_the_example_is_sound_and_can_be_answered_to_its_end() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    questionnaire, findings = review(example)
    assert findings == []
    assert questionnaire is not None
    moments = [one for seed in range(30) for one in interviews.scenarios(questionnaire, seed, 25)]
    ends = [scenarios.in_python(questionnaire, one)["next"] for one in moments]
    assert None in ends


def test_every_kind_is_in_the_table() -> None:
    for kind in get_args(Kind):
        assert f"`{kind}`" in PAGE
