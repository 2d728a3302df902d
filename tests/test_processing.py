"""The register and the impact assessment name every field, role and day of the survey; a child is never asked alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from survey.access.policy import GRANTS
from survey.cli import main
from survey.folder import Folder, check
from survey.processing import WORDS, assessment, register
from survey.questionnaire import minors
from survey.questionnaire.codebook import variables
from tests.test_loading import FOLDER as PATH

FOLDER = Folder.read(PATH)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_register_names_every_field_with_its_level_every_role_and_every_day(language: str) -> None:
    text = register(FOLDER, language)
    lines = text.splitlines()
    for one in variables(FOLDER.questionnaire):
        if one.kind != "calculate":
            (line,) = [line for line in lines if line.startswith(f"| {one.name}: ")]
            assert WORDS[one.sensitivity][language] in line
            assert (WORDS["stays"][language] in line) is one.free
    for grants in GRANTS.values():
        for action, reach in grants.items():
            assert f"{action} ({reach})" in text
    assert str(FOLDER.plan.sampling.psus * FOLDER.plan.sampling.take) in text
    assert "2028" in text, "addresses go three months after the end of November 2027"
    assert "2032" in text
    left = re.search(r"\d+", lines[2])
    assert left
    assert int(left[0]) == "\n".join(lines[3:]).count("["), "what the organiser must fill in is counted"


def test_the_assessment_is_the_register_with_risks_and_a_place_for_the_judgement(tmp_path: Path) -> None:
    text = assessment(FOLDER, "en")
    body = register(FOLDER, "en").split("\n\n", 2)[2]
    assert body in text
    assert "## Risks and measures" in text
    assert "[The organiser's judgement" in text
    assert main(["assess", str(PATH), "--language", "en", "--out", str(tmp_path / "a.md")]) == 0
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == text


def test_whoever_is_younger_than_the_plan_says_is_asked_with_a_guardian() -> None:
    assert minors.unasked(FOLDER.questionnaire, FOLDER.plan.legal.minimum_age) == []
    assert minors.unasked(FOLDER.questionnaire, 15) == [], "nobody under fifteen is chosen at all"
    assert minors.unasked(FOLDER.questionnaire, 18) == ["respondent"], (
        "of seventeen-year-olds no guardian is asked"
    )


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ("basis: consent", ["no_consent"]),
        ("basis: consent\n      optional: true", []),
        ("basis: consent\n      question: guardian_agrees\n      agrees: agreed", []),
        ("basis: consent\n      question: guardian_agrees", ["unknown_name"]),
        ("basis: state_19_1_c\n      citations: [Luật Thống kê]", []),
    ],
)
def test_what_rests_on_consent_is_asked_for_wherever_answers_are_given(
    tmp_path: Path, changed: str, codes: list[str]
) -> None:
    folder = Path(shutil.copytree(PATH, tmp_path / "survey"))
    file = folder / "survey.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace("    - id: statistics\n", f"    - id: statistics\n      {changed}\n", 1),
        encoding="utf-8",
    )
    assert [one.code for one in check(folder) if one.severity == "error"] == codes
    if not codes:
        basis = "consent" if "consent" in changed else "state_19_1_c"
        (line,) = [
            line
            for line in register(Folder.read(folder), "en").splitlines()
            if line.startswith("- To compute")
        ]
        assert WORDS[basis]["en"] in line


@pytest.mark.parametrize(
    ("before", "after"),
    [("when: ${age} <= 16\n", "when: ${age} <= 12\n"), ("- that: . != 'no'\n", "- that: . != 'no'\n                severity: soft\n")],
    ids=["asked of others", "does not stop"],
)  # fmt: skip
def test_a_form_that_would_ask_a_child_alone_is_refused(tmp_path: Path, before: str, after: str) -> None:
    folder = Path(shutil.copytree(PATH, tmp_path / "survey"))
    file = folder / "questionnaire.yaml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    found = [one for one in check(folder) if one.code == "minors"]
    assert [one.severity for one in found] == ["error"]
    assert "16" in found[0].message["vi"]
