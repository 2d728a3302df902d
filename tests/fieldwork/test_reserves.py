"""A reserve household is opened only for one that has ended, only once, and always the next of its area."""

from __future__ import annotations

import msgspec

from survey.fieldwork.cases import Case, Release, Released, advance
from survey.fieldwork.reserves import REFUSALS, next_of, refusal
from tests.fieldwork.test_cases import in_state


def named(case: Case, name: str) -> Case:
    return msgspec.structs.replace(case, id=name)


def test_who_may_be_replaced_and_by_whom() -> None:
    ended, working = named(in_state("closed"), "HD-1"), named(in_state("visited"), "HD-2")
    first, second = named(in_state("reserve"), "HD-8"), named(in_state("reserve"), "HD-9")
    area = [second, ended, working, first]
    assert next_of(area) == first
    assert refusal(ended, area, "từ chối") == ""
    assert refusal(working, area, "từ chối") == "still_open"
    assert refusal(first, area, "từ chối") == "still_open"
    assert refusal(ended, area, "  ") == "no_reason"
    opened = advance(first, Released(Release(instead_of="HD-1", reason="từ chối", author="chi", at=1)))
    assert refusal(ended, [ended, opened, second], "từ chối") == "replaced"
    other = named(in_state("closed"), "HD-3")
    assert refusal(other, [other, opened], "từ chối") == "none_left"
    assert next_of([opened, second]) == second
    assert all(set(words) == {"vi", "en"} for words in REFUSALS.values())
