"""Household codes: short enough to type on a cheap phone, too many to guess, forgiving of how they are typed.

Thirteen characters in three groups, such as 7KXM-94TR-BQ2CH: twelve random ones (54 bits) and one check character. The
alphabet has 23 characters and no vowel, W, D, S, Z or look-alike: a Vietnamese keyboard turns "AA" into "Â" and "DD"
into "Đ", and 0/O, 1/I/L, 5/S, 2/Z are read for one another. 23 is prime, so the check character finds every single
wrong character and every two neighbours that changed places.
"""

from __future__ import annotations

import hmac
import unicodedata

ALPHABET = "23456789BCFGHJKMNPQRTVX"
LENGTH = 13
GROUPS = (4, 4, 5)
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
    if len(plain) != LENGTH or any(character not in _PLACE for character in plain):
        return None
    return plain if _check(plain[:-1]) == plain[-1] else None


def grouped(code: str) -> str:
    """As printed on the letter."""
    parts, start = [], 0
    for length in GROUPS:
        parts.append(code[start : start + length])
        start += length
    return "-".join(parts)


def digest(code: str, key: bytes) -> str:
    """The keyed hash under which a code is kept; the same for every way of typing it. ValueError if it is no code."""
    plain = normalise(code)
    if plain is None:
        raise ValueError("not a household code")
    return hmac.digest(key, plain.encode(), "sha256").hex()


def _check(body: str) -> str:
    """Σ (position + 1) · value modulo 23: weights 1..12 differ and none is 0 modulo 23."""
    return ALPHABET[
        sum((place + 1) * _PLACE[character] for place, character in enumerate(body)) % len(ALPHABET)
    ]
