"""What becomes of something that a device sends: part of the survey, or kept aside for a person to look at.

Nothing that arrives is refused or dropped. What cannot be true, or comes from somebody who does not work on the
household any more, waits with its reason in quarantine, where a supervisor takes it in or leaves it out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from survey.problems import Text

Reason = Literal[
    "unreadable", "revoked", "old_app", "training", "unknown_case", "unreleased", "not_assigned", "other_author",
    "other_mode", "other_case", "unknown_response", "unknown_version", "old_version", "clock", "late", "after_submission",
    "impossible", "draw", "incomplete", "conflict", "withdrawn", "closed_part", "no_consent", "too_many",
]  # fmt: skip

REASONS: dict[Reason, Text] = {
    "unreadable": {
        "vi": "Máy chủ không đọc được mục này; có thể ứng dụng trên máy quá cũ hoặc bị hỏng.",
        "en": "The server cannot read this; the app on the phone may be too old or damaged.",
    },
    "revoked": {
        "vi": "Gửi từ máy đã báo mất.",
        "en": "Sent from a phone that was reported lost.",
    },
    "old_app": {
        "vi": "Gửi từ ứng dụng bản cũ, không còn dùng.",
        "en": "Sent by a version of the app that is no longer in use.",
    },
    "training": {"vi": "Dữ liệu tập huấn.", "en": "Training data."},
    "unknown_case": {"vi": "Không có hộ này trong mẫu.", "en": "There is no such case in the sample."},
    "unreleased": {
        "vi": "Hộ dự phòng chưa được giám sát mở.",
        "en": "A reserve household that no supervisor has opened.",
    },
    "not_assigned": {
        "vi": "Hộ này không còn giao cho người gửi.",
        "en": "The case is not assigned to the sender any more.",
    },
    "other_author": {
        "vi": "Người ghi không phải người đang đăng nhập.",
        "en": "Written by somebody other than the person signed in.",
    },
    "other_mode": {
        "vi": "Hình thức phỏng vấn không hợp với người gửi.",
        "en": "The mode does not fit the sender.",
    },
    "other_case": {
        "vi": "Phiếu này thuộc một hộ khác.",
        "en": "This response belongs to another case.",
    },
    "unknown_response": {
        "vi": "Máy chủ chưa nhận phần mở đầu của phiếu này.",
        "en": "The beginning of this response has not arrived.",
    },
    "unknown_version": {
        "vi": "Không có bản phiếu hỏi này.",
        "en": "There is no such version of the questionnaire.",
    },
    "old_version": {
        "vi": "Phỏng vấn bắt đầu bằng bản phiếu hỏi cũ sau khi đã có bản mới.",
        "en": "Begun with an old version of the questionnaire after a new one had been published.",
    },
    "clock": {
        "vi": "Đồng hồ của máy sai: thời điểm ghi không thể có.",
        "en": "The phone's clock is wrong: the time cannot be true.",
    },
    "late": {"vi": "Ghi sau ngày kết thúc khảo sát.", "en": "Made after the survey had closed."},
    "after_submission": {
        "vi": "Ghi vào phiếu đã gửi mà chưa mở lại.",
        "en": "Added to a response that was submitted and not reopened.",
    },
    "impossible": {
        "vi": "Câu trả lời không có trong phiếu hỏi.",
        "en": "An answer that the questionnaire does not have.",
    },
    "draw": {
        "vi": "Người được chọn không khớp với cách chọn ngẫu nhiên của hộ này.",
        "en": "The person chosen is not the one that this household's random number gives.",
    },
    "incomplete": {
        "vi": "Phiếu được gửi khi còn câu chưa trả lời.",
        "en": "Submitted while questions were still open.",
    },
    "withdrawn": {
        "vi": "Hộ đã rút lại câu trả lời; không nhận thêm gì về hộ này.",
        "en": "The household took its answers back; nothing more of it is taken in.",
    },
    "conflict": {
        "vi": "Trùng mã với một mục đã nhận nhưng nội dung khác.",
        "en": "The same id as something received before, with different content.",
    },
    "too_many": {
        "vi": "Phiếu này đã có quá nhiều ảnh.",
        "en": "This response has too many pictures.",
    },
    "closed_part": {
        "vi": "Mã của người gửi không mở phần này, hoặc phiếu không có phần này.",
        "en": "The sender's code does not open this part, or there is no such part.",
    },
    "no_consent": {
        "vi": "Ghi khi hộ chưa đồng ý hoặc đã rút lại sự đồng ý.",
        "en": "Answered without consent, or after it had been taken back.",
    },
}
"""What the supervisor and the sender are told."""

OLDEST_APP = 1
"""Versions of the official's app before this one made data that must be looked at."""
TRAINING = "training-"
"""Every id made in training mode begins so; the app never sends one, and if one arrives it stays apart."""
DAY = 86_400_000
SLACK = DAY
"""How far a phone's clock may be off before its times count as impossible. Order never depends on them."""


class Sender(Struct, frozen=True, kw_only=True):
    """Who sends. `author` is the name that what they make carries; a household sends for its own `case` only."""

    author: str
    household: bool = False
    app: int = OLDEST_APP
    revoked: bool = False


class Field(Struct, frozen=True, kw_only=True):
    """When things can have happened, in milliseconds since 1970: the sample was loaded · now · the survey closes."""

    loaded_at: int
    now: int
    closes_at: int


class Item(Struct, frozen=True, kw_only=True):
    """What every item says of itself, and of the case that it belongs to (as the server knows it).

    `works_here`: the policy lets this sender work on the case. `reserve`: the case is drawn but not opened.
    `withdrawn`: the household had its answers deleted.
    """

    id: str
    author: str
    mode: str
    at: int
    known_case: bool
    works_here: bool
    reserve: bool = False
    withdrawn: bool = False


def misfit(item: Item, sender: Sender, field: Field, *, vouched: bool = False) -> Reason | None:
    """Why this cannot simply be taken in, whatever it is; None when it can. The first reason that holds is told.

    `vouched`: a supervisor who knows what happened takes it in. Nobody can vouch for a household that does not exist, for
    training, or for a reserve that was not opened.
    """
    if item.id.startswith(TRAINING):
        return "training"
    if sender.revoked and not vouched:
        return "revoked"
    if sender.app < OLDEST_APP and not vouched:
        return "old_app"
    if not item.known_case:
        return "unknown_case"
    if item.withdrawn:
        return "withdrawn"
    if vouched:
        if (item.mode == "self") != item.author.startswith("household:"):
            return "other_mode"  # nobody answers in a household's name
        return "unreleased" if item.reserve else None
    if item.author != sender.author:
        return "other_author"
    if not item.works_here:
        return "not_assigned"
    if item.reserve:
        return "unreleased"
    if (item.mode == "self") != sender.household:
        return "other_mode"
    if not field.loaded_at - SLACK <= item.at <= field.now + SLACK:
        return "clock"
    return "late" if item.at > field.closes_at else None
