"""What an author can do about each kind of mistake in a questionnaire, where the mistake itself does not say it."""

from __future__ import annotations

from survey.problems import Text

REMEDIES: dict[str, Text] = {
    "bad_id": {"vi": "đặt mã khác, ví dụ birth_year", "en": "choose another id, such as birth_year"},
    "twice": {"vi": "đặt mã khác cho một trong hai", "en": "give one of the two another id"},
    "code_twice": {"vi": "đặt mã khác cho một trong hai", "en": "give one of the two another code"},
    "bad_code": {
        "vi": "dùng chữ không dấu, số, dấu chấm, gạch ngang, gạch dưới",
        "en": "use letters, digits, full stop, hyphen and underscore",
    },
    "unknown_language": {
        "vi": "khai thêm ở languages:, hoặc bỏ lời này",
        "en": "declare it in languages:, or take these words out",
    },
    "unknown_name": {"vi": "sửa lại tên, hoặc khai báo nó", "en": "correct the name, or declare it"},
    "no_roster": {"vi": "ghi roster: và mã của danh sách", "en": "write roster: and the id of the roster"},
    "no_draw": {"vi": "ghi draw: và mã của lượt chọn", "en": "write draw: and the id of the draw"},
    "roster_within": {
        "vi": "trong within: ghi một danh sách khác, không nằm trong danh sách nào",
        "en": "let within: name another roster, which is within none",
    },
    "roster_each": {
        "vi": "ghi each: là danh sách chứa nó (within:)",
        "en": "let each: name the roster that holds it (within:)",
    },
    "roster_counted": {
        "vi": "hỏi từng dòng bằng each:, hoặc bỏ count:",
        "en": "ask its rows with each:, or take out count:",
    },
    "too_early": {
        "vi": "hỏi câu đó trước, hoặc chuyển trang này xuống sau",
        "en": "ask that question before, or move this one behind it",
    },
    "choices": {
        "vi": "chỉ select_one, select_many và rank có choices: (hoặc rows:)",
        "en": "only select_one, select_many and rank have choices: (or rows:)",
    },
    "preload": {
        "vi": "ghi kind: preload và column: là một cột của mẫu",
        "en": "write kind: preload, and column: with a column of the sample",
    },
    "calculate": {
        "vi": "ghi kind: calculate và calculate: là một biểu thức",
        "en": "write kind: calculate, and calculate: with an expression",
    },
    "limits": {"vi": "đổi minimum: hoặc maximum:", "en": "change minimum: or maximum:"},
    "condition": {
        "vi": "xem docs/conditions.md về cách viết",
        "en": "docs/conditions.md says what can be written",
    },
    "use_selected": {"vi": "viết như vậy", "en": "write it so"},
    "cycle": {
        "vi": "bỏ một mắt: một câu trong vòng không được dựa vào câu kia",
        "en": "break the circle: one of them must not look at the next",
    },
    "unreachable": {"vi": "sửa điều kiện, hoặc bỏ phần này", "en": "change the condition, or take this out"},
}
