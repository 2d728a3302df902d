"""Proves that the registry of indicators refuses what means nothing: bounds of age, validity, models without their data."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from survey.folder import check

FOLDER = Path(__file__).parents[2] / "questionnaires" / "haiduong-digital-society"


def findings(tmp_path: Path, *changes: tuple[str, str]) -> list[tuple[str, str]]:
    """Code and English words of what is wrong after the changes; the first place of each is changed."""
    folder = shutil.copytree(FOLDER, tmp_path / "folder")
    file = folder / "analysis.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    return [(one.code, one.message["en"]) for one in check(folder) if one.severity == "error"]


def test_the_registry_of_the_demonstration_is_sound(tmp_path):
    assert findings(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("ages: {first: 15}", "ages: {first: 65, last: 15}", "ages", "first and a last age"),
        ("ages: {first: 15}", "ages: {first: -1}", "ages", "from 0 to 130"),
        ("    unit: household\n", "    unit: household\n    ages: {first: 15}\n", "ages", "a household has no age"),
        ("    ages: {first: 15}\n", "    ages: {first: 15}\n    valid_to: \"2026-12-31\"\n", "not_valid", "not in force on 2027-10-01"),
        ("    ages: {first: 15}\n", "    ages: {first: 15}\n    valid_from: \"2026-13-31\"\n", "not_date", "valid_from"),
        ("by: [sex, age_band]", "by: [sex, colour]", "unknown_name", "no domain “colour”"),
        ("    by: [sex, age_band]\n", "", "census", "both census"),
        ("multiplicity: each", "age: no_such_column\nmultiplicity: each", "sql", "no_such_column"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_named(tmp_path, old, new, code, said):
    found = findings(tmp_path, (old, new))
    assert any(one == code and said in words for one, words in found), found


def test_a_definition_is_in_force_on_its_first_and_last_day(tmp_path):
    days = '    ages: {first: 15}\n    valid_from: "2027-10-01"\n    valid_to: "2027-10-01"\n'
    assert findings(tmp_path, ("    ages: {first: 15}\n", days)) == []
