"""What pyxform rejects is said all at once, in both languages, by sheet, row and column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from survey.xlsform.fidelity import Fidelity
from survey.xlsform.importing import import_form
from survey.xlsform.rejected import rejection

CHOICES = "| choices |\n| | list_name | name | label |\n| | yn | y | Y |\n| | yn | n o | N |\n"


def _report(rows: str, folder: Path) -> Fidelity:
    (folder / "form.md").write_text(
        f"| survey |\n| | type | name | label | relevant | calculation |\n{rows}{CHOICES}", encoding="utf-8"
    )
    return import_form(folder / "form.md", language="en")[1]


def test_every_mistake_of_a_form_is_named_not_only_the_first(tmp_path: Path) -> None:
    fidelity = _report(
        "| | text | 1st | First | | |\n"
        "| | text | b | B | ${zz} = 1 | |\n"
        "| | select_one nolist | c | C | | |\n"
        "| | calculate | d | | | |\n"
        "| | | e | E | | |\n"
        "| | text | | F | | |\n"
        "| | integer | g | G | ${b} >> 1 | |\n"
        "| | audio | h | H | | |\n"
        "| | select_multiple yn | i | I | | |\n"
        "| | note | j | Hello ${nobody} | | |\n"
        "| | begin_group | k | K | | |\n"
        "| | calculate | l | | | concat(${b}, sqrt(4)) |\n", tmp_path,
    )  # fmt: skip
    assert not fidelity.imported
    assert {(entry.code, entry.sheet, entry.row, entry.column) for entry in fidelity.of("refused")} == {
        ("pyxform", "survey", 2, "name"),
        ("pyxform", "survey", 3, "relevant"),
        ("pyxform", "survey", 4, "type"),
        ("pyxform", "survey", 5, "calculation"),
        ("pyxform", "survey", 6, "type"),
        ("pyxform", "survey", 7, "name"),
        ("expression", "survey", 8, "relevant"),
        ("kind", "survey", 9, "type"),
        ("pyxform", "choices", 3, "name"),
        ("pyxform", "survey", 11, "label"),
        ("pyxform", "survey", 12, "type"),
        ("condition", "survey", 13, "calculation"),
    }
    for entry in fidelity.of("refused"):
        assert entry.message["vi"] != entry.message["en"]
        assert re.search("[ạảãâấầẩẫậăđêếềểễệôốồổỗộơớờởỡợưứừửữựáàéèíìóòúùýỳ]", entry.message["vi"])


def test_what_is_wrong_is_said_of_the_expression_as_its_author_wrote_it(tmp_path: Path) -> None:
    fidelity = _report(
        "| | text | a | A | | |\n| | calculate | b | | | if(${a}=y,1,0) |\n| | note | c | C | | |\n", tmp_path
    )
    (entry,) = fidelity.of("refused")
    assert entry.message["en"].startswith("condition “if(${a}=y,1,0)”: “y” is no function")


def test_a_form_with_more_mistakes_than_anybody_reads_comes_to_an_end(tmp_path: Path) -> None:
    fidelity = _report("".join(f"| | text | {number}x | X | | |\n" for number in range(90)), tmp_path)
    assert 30 < len(fidelity.of("refused")) < 90


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("[row : 7] On the 'choices' sheet, the 'name' value is invalid. Choices must have a name. Learn more: https://x", ("choices", 7, "name")),
        ("[row : 9] Missing calculation.", ("survey", 9, "calculation")),
        ("Something nobody has heard of.", ("", 0, "")),
    ],
)  # fmt: skip
def test_the_words_are_taken_apart(said: str, place: tuple[str, int, str]) -> None:
    found = rejection(said)
    assert (found.sheet, found.row, found.column) == place
    assert not re.search("row|Learn", found.english)
