"""What was agreed to where an official asked: the consents that follow from the answers of an interview. Pure.

A household that answers by itself is asked purpose by purpose (`survey.web.mydata`). At a visit, by telephone and on paper a
question of the questionnaire asks (`question` of a purpose in survey.yaml), without a network too; what it was answered with
when the interview is sent becomes the same record, with the words of the purpose that it stands for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from survey.fieldwork.plan import Legal
from survey.questionnaire.response import Event, fold
from survey.storage.rights import Consent


def agreed(legal: Legal, case: str, response: str, events: Sequence[Event], at: int) -> list[Consent]:
    """The consents of an interview that was just submitted; none where the household answered by itself, or where a
    question was not asked. Where several members are asked, each must agree. `at`: milliseconds since 1970."""
    answered = fold(response, events)
    if answered.mode == "self":
        return []
    said: dict[str, list[object]] = {}
    for key, answer in answered.answers.items():
        if answer.value is not None:
            said.setdefault(key.question, []).append(answer.value)
    return [
        Consent(
            case=case, member="", purpose=one.id, given=all(value == one.agrees for value in said[one.question]),
            text_hash=words_hash(one.text.get(answered.language, "")), language=answered.language,
            mode=answered.mode, at=at,
        )
        for one in legal.agreed
        if one.question in said
    ]  # fmt: skip


def words_hash(text: str) -> str:
    """By which it is proved to which words somebody agreed: their SHA-256. The words lie with the plan, every version."""
    return hashlib.sha256(text.encode()).hexdigest()
