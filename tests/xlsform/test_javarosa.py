"""Imported forms mean what they mean in ODK Collect: its engine fills them at random, and ours agrees at every step."""

from __future__ import annotations

from pathlib import Path

import pytest

from survey.xlsform.importing import import_form
from tests.xlsform import javarosa
from tests.xlsform.others import SHARED, shared

FORMS = Path(__file__).parent / "forms"
pytestmark = pytest.mark.skipif(bool(javarosa.missing()), reason=javarosa.missing())


def _disagreements(paths: list[Path], count: int) -> tuple[list[str], int]:
    forms = []
    for path in paths:
        questionnaire, fidelity = import_form(path)
        assert questionnaire is not None, fidelity.text()
        forms.append((path, questionnaire))
    found, said = [], 0
    for (path, questionnaire), held in zip(forms, javarosa.fills(forms, count), strict=True):
        assert len(held) == count
        said += sum(event[0] == "SAY" and event[2] != "" for fill in held for event in fill.events)
        found += [
            f"{path.name}, seed {fill.seed}: {one}"
            for fill in held
            for one in javarosa.compare(questionnaire, fill)
        ]
    return found, said


def test_our_forms_agree() -> None:
    found, said = _disagreements([FORMS / "functions.md", FORMS / "household.md"], 25)

    assert found == []
    assert said > 500, "the fills must answer something"


@shared
def test_other_peoples_forms_agree() -> None:
    examples = SHARED / "pyxform_examples"
    paths = [examples / "example_xls" / name for name in ("tutorial.xls", "or_other.xlsx", "calculate.xls", "table-list.xls",
             "cascading_select_test_equivalent.xls", "repeat_date_test.xls", "sms_info.xls")]  # fmt: skip
    found, _ = _disagreements([*paths, SHARED / "unhcr_rms" / "RMS_CAPI_v3.xlsx"], 4)

    assert found == []


def test_a_wrong_meaning_is_found() -> None:
    """The comparison itself: with one condition changed, JavaRosa disagrees."""
    path = FORMS / "household.md"
    questionnaire, _ = import_form(path)
    assert questionnaire is not None
    changed = javarosa.rewritten(questionnaire, "${age} >= 15", "${age} < 15")

    (held,) = javarosa.fills([(path, questionnaire)], 25)
    assert [one for fill in held for one in javarosa.compare(changed, fill)]
