"""What an auditor reads of a line, in words: the deed, what is said more closely, and the details."""

import pytest

from survey.folder import Folder
from survey.web import trail
from survey.web.words import LANGUAGES
from tests.test_loading import FOLDER

PLAN = Folder.read(FOLDER).plan


@pytest.mark.parametrize(
    ("action", "details", "vi", "en"),
    [
        ("create account", {"role": "official", "cases": 1280},
         "vai trò: Cán bộ xã; giao 1.280 hộ", "role: Commune official; 1,280 households assigned"),
        ("assign", {"to": "lan"}, "giao cho lan", "assigned to lan"),
        ("draft moved to another version", {"from": "ab" * 32, "to": "cd" * 32, "again": 2, "asked": 0},
         "từ phiên bản abababababab; đến phiên bản cdcdcdcdcdcd; 2 câu phải hỏi lại; 0 câu mới phải hỏi",
         "from version abababababab; to version cdcdcdcdcdcd; 2 questions to be asked again; "
         "0 questions asked for the first time"),
        ("contradiction decided", {"counts": "self", "household_asked": True},
         "phiếu được tính: Hộ tự trả lời; đã hỏi ý kiến hộ: có",
         "what counts: Answered by the household; household was asked: yes"),
        ("outcome decided", {"code": "2.24", "rule": "3.11"},
         "kết quả được chọn: Không có ai ở nhà (2.24); kết quả theo quy tắc: Chưa đến hộ (3.11)",
         "outcome decided: Nobody at home (2.24); outcome by the rule: Not attempted or worked (3.11)"),
        ("back-check not possible", {"why": "refused"},
         "lý do: Không muốn trả lời lại", "reason: Does not want to answer again"),
        ("request done: delete", {"request": "delete", "deed": "done", "responses": 1},
         "1 phiếu bị xóa", "1 responses deleted"),
        ("something of later", {"unheard": "of"}, "unheard: of", "unheard: of"),
    ],
)  # fmt: skip
def test_details_are_said_in_words(action: str, details: dict[str, object], vi: str, en: str) -> None:
    assert [trail._details(language, action, details) for language in LANGUAGES] == [vi, en]


@pytest.mark.parametrize(
    ("action", "vi", "en"),
    [
        ("visit: nobody_home", "ghi lần đến: Không có ai ở nhà", "noted a visit: Nobody at home"),
        ("request taken in: delete", "nhận yêu cầu: Xóa dữ liệu của hộ", "took a request in: "),
        ("rights: withdraw", "yêu cầu về dữ liệu của mình: Rút lại sự đồng ý", "asked about their data: "),
        ("invitation: phone", "tạo hình mời điện thoại: thêm điện thoại", ": to add a phone"),
        ("invitation used: recover", "dùng hình mời điện thoại: đặt lại mật khẩu", ": to set the password anew"),
        ("list: gone", "ghi chỗ bảng kê không đúng: Nhà đã phá dỡ, không còn nhà ở", ""),
        ("consent given: statistics", "đồng ý: Tính các tỷ lệ chung của tỉnh", "gave consent: To compute shares"),
    ],
)  # fmt: skip
def test_a_deed_is_said_in_words_to_its_end(action: str, vi: str, en: str) -> None:
    assert vi in trail._deed("vi", action, PLAN)
    assert en in trail._deed("en", action, PLAN)


def test_consent_at_an_interview_was_taken_by_somebody_in_words() -> None:
    assert trail._whom("vi", "interview:visit") == "Phỏng vấn tại nhà"
