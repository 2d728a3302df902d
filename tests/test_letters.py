"""Every household gets one letter with its own code and a square that opens it; nobody else may read the file."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest

from survey.folder import Folder
from survey.letters import write_letters
from survey.problems import SurveyError

FOLDER = Folder.read(Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society")
CODES = """case,code,commune,hamlet,address
C2,BBBB-CCCC-FFFF-GGGG,10525,Tổ 9,Nhà 2
C1,7KXM-94TR-BQ2C-HV8Q,10525,Tổ 1,"Nhà <1>"
"""


def test_letters_are_sorted_by_hamlet_and_carry_code_and_square(tmp_path: Path) -> None:
    codes, out = tmp_path / "codes.csv", tmp_path / "letters.pdf"
    codes.write_text(CODES, encoding="utf-8")
    assert write_letters(FOLDER, codes, "https://khaosat.example.vn/", out, synthetic=True) == 2
    pages = [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(out)]
    assert len(pages) == 2
    assert "7KXM-94TR-BQ2C-HV8Q" in pages[0]
    assert "BBBB-CCCC-FFFF-GGGG" in pages[1]
    for page in pages:
        assert "Phường Hải Dương" in page
        assert "https://khaosat.example.vn" in page
        assert "Synthetic data" in page
    assert "Nhà <1>" in pages[0]
    assert out.stat().st_mode & 0o077 == 0


def test_without_codes_it_says_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="survey load"):
        write_letters(FOLDER, tmp_path / "none.csv", "https://x", tmp_path / "o.pdf")
