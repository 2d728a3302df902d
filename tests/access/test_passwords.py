"""A password must be long and not what everybody tries; nothing else is asked of it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from survey.access.passwords import ALONE, COMMON, MOST, WITH_SECOND_STEP, made, prepared, weakness


@pytest.mark.parametrize(
    "password",
    [
        "password123456789", "matkhau123456789", "MậtKhẩu-2026-2026", "iloveyou-iloveyou", "qwertyuiop12345",
        "aaaaaaaaaaaaaaaa", "abababababababab", "123456789012345", "nguyenvantuan1990", "haiduong20262027",
        "01012000-01012000", "zxcvbnm,asdfghjkl", "anhyeuem_mai_mai", "khảo sát Hải Dương",
        "iloveyouforever", "1q2w3e4r5t6y7u8i", "1qaz2wsx3edc4rfv", "zaq12wsxcde34rfv", "starwarsstarwars",
        "dragonballsuper1", "minecraft1234567", "Pŕïñçëśśpŕïñçëśś1",
    ],
)  # fmt: skip
def test_what_everybody_tries_is_refused_however_long_it_is(password: str) -> None:
    assert weakness(password) == "common"


@pytest.mark.parametrize(
    "password", ["bốn con cò bay qua núi", "k7mq-xr2t-9wpd-h4vn", "tre già măng mọc nhà tôi"]
)
def test_a_sentence_or_chance_is_taken_without_digits_or_capitals(password: str) -> None:
    assert weakness(password) is None


def test_the_accounts_own_name_is_no_password() -> None:
    assert weakness("phamthuyduyen-88", ["pham.thuy.duyen"]) == "common"
    assert weakness("phamthuyduyen-88", ["binh"]) is None


def test_it_may_be_shorter_where_a_second_step_follows_and_not_endless() -> None:
    phrase = "cò bay qua núi"
    assert len(phrase) == 14 < ALONE
    assert weakness(phrase) == "short"
    assert weakness(phrase, second_step=True) is None
    assert weakness(phrase[: WITH_SECOND_STEP - 1], second_step=True) == "short"
    assert weakness(phrase * MOST) == "long"


def test_every_keyboard_writes_the_same_password() -> None:
    composed, apart = "bốn con cò bay qua", "bo\u0302\u0301n con co\u0300 bay qua"
    assert composed != apart
    assert prepared(composed) == prepared(apart)


@given(st.sampled_from(COMMON), st.integers(1950, 2030))
def test_a_common_word_over_and_over_with_a_year_is_refused(word: str, year: int) -> None:
    assert weakness("-".join([word] * 6) + str(year)) == "common"


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_a_password_that_we_make_is_taken(chance: bytes) -> None:
    assume(len(set(chance)) > 12)
    assert weakness(made(chance)) is None
