"""Every household gets one letter with its own code and a square that opens it; nobody else may read the file. What it says
is the survey's: another survey promises something else, and in its own languages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pypdfium2
import pytest
import yaml

from survey.folder import Folder
from survey.letters import write_letters
from survey.problems import SurveyError
from survey.spreadsheet import safe

FOLDER = Folder.read(Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society")
CODES = """case,code,commune,hamlet,address
C2,BBBB-CCCC-FFFF-GGGG,10525,Tổ 9,Nhà 2
C1,7KXM-94TR-BQ2C-HV8Q,10525,Tổ 1,"Nhà <1>"
"""


def letters(folder: Folder, tmp_path: Path, url: str = "https://khaosat.example.vn/") -> list[str]:
    """The text of each page, on one line."""
    codes, out = tmp_path / "codes.csv", tmp_path / "letters.pdf"
    codes.write_text(CODES, encoding="utf-8")
    assert write_letters(folder, codes, url, out, synthetic=True) == 2
    assert out.stat().st_mode & 0o077 == 0
    found = pypdfium2.PdfDocument(out)
    return [" ".join(page.get_textpage().get_text_bounded().split()) for page in found]


def test_letters_are_sorted_by_hamlet_and_carry_code_and_square(tmp_path: Path) -> None:
    pages = letters(FOLDER, tmp_path)
    assert len(pages) == 2
    assert "7KXM-94TR-BQ2C-HV8Q" in pages[0]
    assert "BBBB-CCCC-FFFF-GGGG" in pages[1]
    for page in pages:
        assert "Phường Hải Dương" in page
        assert "khaosat.example.vn" in page
        assert "Synthetic data" in page
        assert "Khoảng 10 phút" in page
        assert "đến hết ngày 30 tháng 11 năm 2027" in page
        assert "by the end of 30 November 2027" in page
        assert "số tài khoản, mật khẩu" in page
        assert "tự nguyện" in page
        assert "91/2025/QH15" in page
    assert "Nhà <1>" in pages[0]


def test_another_survey_promises_something_else_in_its_own_languages(tmp_path: Path) -> None:
    """Nothing of one survey stands in the letter of another: length, promise, visits, duty, language."""
    swahili = {
        "promise": {"sw": "Hatuulizi majina.", "en": "No names."},
        "languages": ("sw", "en"),
        "modes": ("self",),
        "title": {"sw": "Utafiti wa maji", "en": "A survey of water"},
    }
    plan = msgspec.structs.replace(
        FOLDER.plan, **swahili, legal=msgspec.structs.replace(FOLDER.plan.legal, obligatory=True)
    )
    sections = tuple(
        msgspec.structs.replace(section, minutes=section.minutes * 2)
        for section in FOLDER.questionnaire.sections
    )
    folder = tmp_path / "folder"
    (folder / "locale").mkdir(parents=True)
    words = {"language_name": "Kiswahili", "letter": {"why": "Kwa nini?"}}
    (folder / "locale" / "sw.yaml").write_text(yaml.safe_dump(words, allow_unicode=True), encoding="utf-8")
    other = FOLDER.__class__(
        **{name: getattr(FOLDER, name) for name in ("analysis", "areas", "hash")},
        path=folder,
        plan=plan,
        questionnaire=msgspec.structs.replace(FOLDER.questionnaire, sections=sections),
    )
    for page in letters(other, tmp_path, "http://10.0.0.5:8000"):
        assert "http://10.0.0.5:8000" in page
        assert "Utafiti wa maji" in page
        assert "Kwa nini?" in page
        assert "A survey of water" in page
        assert "About 20 minutes" in page
        assert "No names." in page
        for foreign in ("mật khẩu", "passwords", "tự nguyện", "voluntary", "will visit"):
            assert foreign not in page


def test_a_telephone_or_an_address_that_begins_like_a_formula_is_printed_as_it_was(tmp_path: Path) -> None:
    """The file is opened in a spreadsheet too: there each is text, and the letter has it without the mark."""
    codes, out = tmp_path / "codes.csv", tmp_path / "letters.pdf"
    cells = [safe("=1+1 ngõ Chợ"), safe("-3/2 Tổ 9")]
    assert cells == ["'=1+1 ngõ Chợ", "'-3/2 Tổ 9"]
    codes.write_text(
        CODES.splitlines()[0] + f"\nC1,7KXM-94TR-BQ2C-HV8Q,10525,{cells[1]},{cells[0]}\n", encoding="utf-8"
    )
    write_letters(FOLDER, codes, "https://x.example", out)
    page = pypdfium2.PdfDocument(out)[0].get_textpage().get_text_bounded()
    assert "=1+1 ngõ Chợ" in page
    assert "'=1+1" not in page


def test_without_codes_it_says_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="survey load"):
        write_letters(FOLDER, tmp_path / "none.csv", "https://x", tmp_path / "o.pdf")
