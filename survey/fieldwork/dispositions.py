"""AAPOR outcome codes of household cases, in person and on the web, and the rule that derives the final one.

Codes and categories follow AAPOR, *Standard Definitions: Final Dispositions of Case Codes and Outcome Rates for
Surveys*, in-person household surveys (with 3.19 of its web surveys for an invitation that nobody answered).
The categories are those of the outcome rates RR1-RR6, COOP, REF and CON:

    I complete · P partial · R refusal or break-off · NC non-contact · O other eligible
    UH unknown whether an eligible household is there · UO unknown, other · NE not eligible

A final code is never typed in by hand: it is derived from the attempt history by `final`, so that the same
history always gives the same rate. A supervisor's override is a separate, reasoned event of the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from survey.problems import Text

if TYPE_CHECKING:
    from survey.fieldwork.cases import Attempt

Category = Literal["I", "P", "R", "NC", "O", "UH", "UO", "NE"]
ResponseState = Literal["none", "started", "partial", "complete"]
"""How far the answers of a case have come. "partial": the roster is locked and the drawn person has answered at
least the part that the survey declared sufficient before field work; "started": anything less."""


class Disposition(Struct, frozen=True, kw_only=True):
    """One AAPOR outcome: its code ("2.24"), the category that enters the rates, and its name in each language."""

    code: str
    category: Category
    label: Text


def _disposition(code: str, category: Category, vi: str, en: str) -> tuple[str, Disposition]:
    return code, Disposition(code=code, category=category, label={"vi": vi, "en": en})


DISPOSITIONS: dict[str, Disposition] = dict(
    [
        _disposition("1.1", "I", "Hoàn thành", "Complete"),
        _disposition("1.2", "P", "Hoàn thành một phần, đủ để sử dụng", "Partial, sufficient"),
        _disposition("2.11", "R", "Hộ hoặc người được chọn từ chối", "Refusal"),
        _disposition("2.12", "R", "Bỏ dở", "Break-off"),
        _disposition("2.20", "NC", "Chưa liên lạc được", "Non-contact"),
        _disposition("2.23", "NC", "Không vào được nơi ở", "Unable to enter the building"),
        _disposition("2.24", "NC", "Không có ai ở nhà", "Nobody at home"),
        _disposition("2.25", "NC", "Người được chọn vắng mặt", "Respondent away"),
        _disposition("2.31", "O", "Người được chọn đã mất", "Respondent has died"),
        _disposition(
            "2.32",
            "O",
            "Người được chọn không đủ sức khỏe để trả lời",
            "Respondent physically or mentally unable",
        ),
        _disposition("2.33", "O", "Không có ngôn ngữ chung để phỏng vấn", "No common language"),
        _disposition("2.36", "O", "Lý do khác, hộ thuộc đối tượng điều tra", "Other, household eligible"),
        _disposition("3.11", "UH", "Chưa đến hộ", "Not attempted or worked"),
        _disposition("3.17", "UH", "Không thể đến hoặc không an toàn", "Unable to reach or unsafe area"),
        _disposition("3.18", "UH", "Không tìm thấy địa chỉ", "Address not located"),
        _disposition(
            "3.19", "UH", "Đã gửi giấy mời, không có hồi âm", "Invitation sent, nothing ever returned"
        ),
        _disposition("3.21", "UO", "Chưa biết hộ có ai thuộc đối tượng không", "No screener completed"),
        _disposition("4.10", "NE", "Ngoài phạm vi mẫu", "Out of sample"),
        _disposition("4.50", "NE", "Không phải nhà ở", "Not a housing unit"),
        _disposition("4.60", "NE", "Nhà ở không có người ở thường xuyên", "Vacant housing unit"),
        _disposition("4.70", "NE", "Không có người nào thuộc đối tượng", "No eligible respondent"),
    ]
)


class Outcome(Struct, frozen=True, kw_only=True):
    """What an official can record of one attempt.

    code: the final disposition if this outcome decides. `strength` says how much it knows (see `final`).
    `comes_back`: another attempt is expected, so the case stays open.
    """

    id: str
    code: str
    strength: int
    comes_back: bool
    label: Text


def _outcome(id: str, code: str, strength: int, comes_back: bool, vi: str, en: str) -> tuple[str, Outcome]:
    return id, Outcome(id=id, code=code, strength=strength, comes_back=comes_back, label={"vi": vi, "en": en})


SPOKEN, ABSENT, UNKNOWN = 3, 2, 1
"""Strengths: somebody spoke or the address itself was seen to be ineligible · eligible household, nobody met ·
not even known whether there is a household."""

OUTCOMES: dict[str, Outcome] = dict(
    [
        _outcome(
            "interviewed", "2.12", SPOKEN, True, "Đã phỏng vấn hoặc bắt đầu phỏng vấn", "Interview begun"
        ),
        _outcome("appointment", "2.36", SPOKEN, True, "Hẹn quay lại", "Appointment made"),
        _outcome("refused", "2.11", SPOKEN, False, "Từ chối trả lời", "Refused"),
        _outcome("broke_off", "2.12", SPOKEN, True, "Bỏ dở giữa chừng", "Broke off"),
        _outcome("nobody_home", "2.24", ABSENT, True, "Không có ai ở nhà", "Nobody at home"),
        _outcome(
            "respondent_away", "2.25", ABSENT, True, "Người được chọn đi vắng", "The chosen person is away"
        ),
        _outcome("no_entry", "2.23", ABSENT, True, "Không vào được nhà", "Could not enter the building"),
        _outcome("died", "2.31", SPOKEN, False, "Người được chọn đã mất", "The chosen person has died"),
        _outcome("unable", "2.32", SPOKEN, False, "Không đủ sức khỏe để trả lời", "Not able to answer"),
        _outcome(
            "language", "2.33", SPOKEN, True, "Cần người nói ngôn ngữ khác", "Another language is needed"
        ),
        _outcome(
            "unsafe", "3.17", UNKNOWN, True, "Không đến được hoặc không an toàn", "Not reachable or unsafe"
        ),
        _outcome("not_located", "3.18", UNKNOWN, True, "Không tìm thấy địa chỉ", "Address not found"),
        _outcome("moved", "4.10", SPOKEN, False, "Hộ đã chuyển đi nơi khác", "The household has moved away"),
        _outcome("not_a_home", "4.50", SPOKEN, False, "Không phải nhà ở", "Not a housing unit"),
        _outcome(
            "vacant", "4.60", SPOKEN, False, "Nhà bỏ trống, không có người ở", "Vacant, nobody lives here"
        ),
        _outcome(
            "nobody_eligible", "4.70", SPOKEN, False, "Không có ai thuộc đối tượng", "Nobody here is eligible"
        ),
        _outcome(
            "no_answer", "2.20", UNKNOWN, True, "Gọi không ai nghe máy", "The telephone was not answered"
        ),
    ]
)


AT_THE_DOOR = ("nobody_home", "no_entry", "unsafe", "not_located", "not_a_home", "vacant")
"""Outcomes that only somebody who stood there can record."""
ON_THE_TELEPHONE = ("no_answer",)

NOTES: dict[str, Text] = {
    "daytime": {"vi": "Nên đến ban ngày", "en": "Come in the daytime"},
    "evening": {"vi": "Nên đến buổi tối", "en": "Come in the evening"},
    "weekend": {"vi": "Nên đến cuối tuần", "en": "Come at the weekend"},
    "call_first": {"vi": "Nên gọi điện trước", "en": "Telephone first"},
    "busy": {"vi": "Đang bận, chưa tiện", "en": "Busy at the moment"},
    "hesitant": {"vi": "Còn e ngại, cần giải thích thêm", "en": "Hesitant; wants to know more"},
    "own_phone": {"vi": "Muốn tự trả lời trên mạng", "en": "Wants to answer online"},
    "letter_left": {"vi": "Đã để lại thư mời", "en": "The letter was left"},
    "asked_around": {"vi": "Đã hỏi hàng xóm, trưởng thôn", "en": "Neighbours or the head of the hamlet were asked"},
    "away_long": {"vi": "Đi làm xa, lâu mới về", "en": "Away for work for a long time"},
    "locked": {"vi": "Cổng khóa", "en": "The gate is locked"},
    "dog": {"vi": "Có chó dữ", "en": "There is a fierce dog"},
}  # fmt: skip
"""What an official can note of an attempt by ticking it: enough to plan the next one, without a word about anybody."""


def final(attempts: Sequence[Attempt], response_state: ResponseState, invited: bool = True) -> Disposition:
    """The final disposition of a case from its attempts in every mode and the state of its answers.

    1. Answers speak first: complete → 1.1, sufficient part → 1.2, whatever was recorded at the door.
    2. Otherwise the strongest evidence decides, and among equals the latest attempt: a household that refused
       on Monday and was out on Friday has refused; one that was out on Monday and refused on Friday, too.
    3. Answers that were begun and left count as a break-off (2.12), unless somebody said why they stopped:
       an attempt in which a person was spoken to, or the address was seen to be ineligible, says more.
    4. No attempt and no answer: 3.19 if an invitation with a code was sent, 3.11 if not.

    Order of time is the attempts' own (`at`, then id), so that the order in which devices send them is harmless.
    """
    if response_state == "complete":
        return DISPOSITIONS["1.1"]
    if response_state == "partial":
        return DISPOSITIONS["1.2"]
    decisive: Outcome | None = None
    for attempt in sorted(attempts, key=lambda attempt: (attempt.at, attempt.id)):
        outcome = OUTCOMES[attempt.outcome]
        if decisive is None or outcome.strength >= decisive.strength:
            decisive = outcome
    if response_state == "started" and (decisive is None or decisive.strength < SPOKEN):
        return DISPOSITIONS["2.12"]
    if decisive is not None:
        return DISPOSITIONS[decisive.code]
    return DISPOSITIONS["3.19" if invited else "3.11"]
