"""Household codes: short enough to type on a cheap phone, too many to guess, forgiving of how they are typed.

Sixteen characters in four groups, as on a bank card, such as 7KXM-94TR-BQ2C-HV8Q: fifteen random ones (67 bits) and one
check character. Ten guesses a second from each of fifty networks for a day find any of 10,000 codes with a chance below
one in a thousand million (`chance_of_guessing`). Codes of thirteen characters, as they were issued before, stay valid. The
alphabet has 23 characters and no vowel, W, D, S, Z or look-alike: a Vietnamese keyboard turns "AA" into "Â" and "DD"
into "Đ", and 0/O, 1/I/L, 5/S, 2/Z are read for one another. 23 is prime, so the check character finds every single
wrong character and every two neighbours that changed places.
"""

from __future__ import annotations

import hmac
import math
import unicodedata

ALPHABET = "23456789BCFGHJKMNPQRTVX"
LENGTH = 16
EARLIER = 13
"""Of codes that were printed before codes became longer: twelve random characters and the check character."""
GROUP = 4
SHUT_AT = 20
"""A network is shut out, right codes too, when it typed this many times the wrong codes that are allowed in a window."""
_PLACE = {character: place for place, character in enumerate(ALPHABET)}
# What people write for a character that looks like it; none of these is in the alphabet.
_LOOKALIKE = str.maketrans({"S": "5", "Z": "2"})


def make(random_bytes: bytes) -> str:
    """A code from at least 12 random bytes, in groups. The caller brings the chance: `secrets.token_bytes(16)`."""
    if len(random_bytes) < 12:
        raise ValueError("a code needs at least 12 random bytes")
    number = int.from_bytes(random_bytes, "big")
    characters = []
    for _ in range(LENGTH - 1):
        number, place = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[place])
    body = "".join(characters)
    return grouped(body + _check(body))


def normalise(text: str) -> str | None:
    """The code that was meant, without case, blanks and dashes; None when it cannot be one (no need to look it up)."""
    plain = unicodedata.normalize("NFKC", text).upper()
    plain = "".join(character for character in plain if character.isalnum()).translate(_LOOKALIKE)
    if len(plain) not in (LENGTH, EARLIER) or any(character not in _PLACE for character in plain):
        return None
    return plain if _check(plain[:-1]) == plain[-1] else None


def grouped(code: str) -> str:
    """As printed on the letter."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def shut_out(wrong: int, allowed: int) -> bool:
    """Whether a network is shut out for the rest of a window: it typed far more wrong codes than a village mistypes."""
    return wrong > allowed * SHUT_AT


def chance_of_guessing(guesses: int, in_use: int, length: int = LENGTH) -> float:
    """The chance that at least one of so many different guesses opens one of so many codes, by somebody who knows how the
    check character is made: 1 - (1 - in_use / 23^(length - 1))^guesses."""
    return -math.expm1(guesses * math.log1p(-in_use / len(ALPHABET) ** (length - 1)))


def digest(code: str, key: bytes) -> str:
    """The keyed hash under which a code is kept; the same for every way of typing it. ValueError if it is no code."""
    plain = normalise(code)
    if plain is None:
        raise ValueError("not a household code")
    return hmac.digest(key, plain.encode(), "sha256").hex()


def _check(body: str) -> str:
    """Σ (position + 1) · value modulo 23: weights 1..15 differ and none is 0 modulo 23."""
    return ALPHABET[
        sum((place + 1) * _PLACE[character] for place, character in enumerate(body)) % len(ALPHABET)
    ]
