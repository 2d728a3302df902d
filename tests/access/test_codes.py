"""A household code survives every way of being typed, and no slip of one character passes for another code."""

import random
import secrets
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey.access.codes import (
    ALPHABET,
    EARLIER,
    LENGTH,
    SHUT_AT,
    _check,
    chance_of_guessing,
    digest,
    grouped,
    make,
    normalise,
    shut_out,
)
from survey.settings import Settings

codes = st.binary(min_size=16, max_size=16).map(make)


@given(codes, st.sampled_from([str.lower, str.upper, str.title]), st.sampled_from([" ", "", "-", " - ", "–"]))
def test_case_blanks_and_dashes_are_forgiven(code: str, spoken: object, joint: str) -> None:
    assert callable(spoken)
    assert normalise(spoken(code.replace("-", joint))) == code.replace("-", "")


@given(codes, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_found(code: str, place: int, other: str) -> None:
    plain = code.replace("-", "")
    wrong = plain[:place] + other + plain[place + 1 :]
    assert normalise(wrong) is None or wrong == plain


@given(codes, st.integers(0, LENGTH - 2))
def test_neighbours_that_changed_places_are_found(code: str, place: int) -> None:
    plain = code.replace("-", "")
    wrong = plain[:place] + plain[place + 1] + plain[place] + plain[place + 2 :]
    assert normalise(wrong) is None or wrong == plain


def test_there_are_more_than_2_to_the_67_codes() -> None:
    assert len(ALPHABET) ** (LENGTH - 1) > 2**67


def test_a_letter_that_was_printed_before_codes_became_longer_still_opens() -> None:
    body = "7KXM94TRBQ2C"
    printed = f"7KXM-94TR-{body[8:]}{_check(body)}"
    assert normalise(printed.lower()) == body + _check(body)
    assert len(body) + 1 == EARLIER
    assert normalise(printed[:-1] + "2") is None


def test_the_alphabet_leaves_a_vietnamese_keyboard_nothing_to_compose() -> None:
    assert not set("AEIOUYWDSZL01") & set(ALPHABET)


def test_the_hash_needs_the_key() -> None:
    code = make(secrets.token_bytes(16))
    assert digest(code, b"one") != digest(code, b"two")
    assert digest(code.lower(), b"one") == digest(grouped(code.replace("-", "")), b"one")
    with pytest.raises(ValueError, match="not a household code"):
        digest("nonsense", b"one")


DAY, WINDOW, ADDRESSES, IN_USE = 86_400, 600, 50, 10_000


@pytest.mark.parametrize(
    "each", [False, True], ids=["ten a second together", "ten a second from each address"]
)
def test_a_day_of_guessing_finds_any_of_ten_thousand_codes_less_than_once_in_a_thousand_million_days(
    each: bool,
) -> None:
    """A simulated day, second by second. The attacker knows the check character, wastes no guess, and stays below every
    limit or runs into it, whichever gives more. A guess counts while its network is not shut out."""
    allowed, counted = Settings.wrong_codes, 0
    for window in range(DAY // WINDOW):
        wrong: Counter[int] = Counter()
        for guess in range(10 * WINDOW * (ADDRESSES if each and window == 0 else 1)):
            address = guess % ADDRESSES
            if not shut_out(wrong[address], allowed):
                counted += 1
            wrong[address] += 1
        if each:  # every further window is like the first one
            counted *= DAY // WINDOW
            break
    assert counted == (ADDRESSES * (allowed * SHUT_AT + 1) * (DAY // WINDOW) if each else 10 * DAY)
    assert chance_of_guessing(counted, IN_USE) < 1e-9


def test_the_chance_is_what_happens() -> None:
    """Against codes of two random characters, so few that guesses do hit: 3 in use, 20 guesses, 4,000 days."""
    chance, draw, days = chance_of_guessing(20, 3, length=3), random.Random(1), 4_000
    possible = range(len(ALPHABET) ** 2)
    hits = sum(
        bool(set(draw.sample(possible, 3)) & {draw.choice(possible) for _ in range(20)}) for _ in range(days)
    )
    assert abs(hits / days - chance) < 4 * (chance * (1 - chance) / days) ** 0.5
