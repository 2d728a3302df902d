"""What conditions compute with: exact numbers, text, days, sets of codes, and the blank.

A number is an `int` or a `Fraction` that is no whole number: decimals are exact, and a quotient stays a quotient until
it is written down. A date is its day number (days since 1970-01-01, proleptic Gregorian). The codes chosen are a tuple
in the order of the answer. The blank is None, and it is the only blank: an empty text or an empty set is None too.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from fractions import Fraction
from functools import lru_cache
from typing import Literal

Type = Literal["boolean", "number", "text", "date", "codes", "blank"]
Number = int | Fraction
Scalar = bool | int | Fraction | str | tuple[str, ...] | None

PLACES = 10
"""Decimal places of a quotient when it is written down (rounded half up)."""
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_NUMBER = re.compile(r"[ \t\n\r]*-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[ \t\n\r]*")
_BLANKS = re.compile(r"[ \t\n\r]+")


def exact(number: Fraction) -> Number:
    """An int where the fraction is whole, so that equal numbers are one value."""
    return number.numerator if number.denominator == 1 else number


def number_of(text: str) -> Number | None:
    """The number that a text says in digits (blanks around it do not matter), else the blank."""
    if not _NUMBER.fullmatch(text) or len(text) > 60:
        return None
    plain = text.strip()
    return int(plain) if plain.lstrip("-").isdigit() else exact(Fraction(plain.rstrip(".")))


def text_of(number: Number) -> str:
    """Digits, with a point where needed: at most PLACES of them after it, rounded half up, no zeros at the end."""
    if isinstance(number, int):
        return str(number)
    scaled = (number * 10**PLACES + Fraction(1, 2)).__floor__()
    whole, rest = divmod(abs(scaled), 10**PLACES)
    sign = "-" if scaled < 0 else ""
    return f"{sign}{whole}" + (f".{rest:0{PLACES}d}".rstrip("0") if rest else "")


def day_number(iso: str) -> int | None:
    """The day that "YYYY-MM-DD" names, or the blank if there is no such day."""
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", iso):
        return None
    try:
        return datetime.date.fromisoformat(iso).toordinal() - _EPOCH
    except ValueError:
        return None


def day(number: Number) -> datetime.date | None:
    """The date of a day number (its whole part), if it lies in the years 1 to 9999."""
    ordinal = whole(number) + _EPOCH
    return datetime.date.fromordinal(ordinal) if 1 <= ordinal <= 3652059 else None


def iso(number: Number) -> str | None:
    found = day(number)
    return found.isoformat() if found else None


def formatted(number: Number, form: str) -> str | None:
    """A date written by a form made of %Y %y %m %n %d %e (n and e without a zero in front)."""
    found = day(number)
    if found is None:
        return None
    parts = {"Y": f"{found.year:04d}", "y": f"{found.year % 100:02d}", "m": f"{found.month:02d}",
             "n": str(found.month), "d": f"{found.day:02d}", "e": str(found.day)}  # fmt: skip
    return re.sub("%([Yymnde])", lambda match: parts[match.group(1)], form)


def whole(number: Number) -> int:
    """Towards zero."""
    return number if isinstance(number, int) else int(number)


def rounded(number: Number, places: int) -> Number:
    """Half up, towards plus infinity: -2.5 becomes -2."""
    if isinstance(number, int) and places >= 0:
        return number
    scale = Fraction(10) ** places
    return exact((Fraction(number) * scale + Fraction(1, 2)).__floor__() / scale)


def quotient(left: Number, right: Number) -> Number | None:
    return exact(Fraction(left) / right) if right else None


def remainder(left: Number, right: Number) -> Number | None:
    """With the sign of the dividend, as XPath has it."""
    if not right:
        return None
    if isinstance(left, int) and isinstance(right, int):
        rest = abs(left) % abs(right)
        return -rest if left < 0 else rest
    return exact(Fraction(left - right * int(Fraction(left) / right)))


def words(text: str) -> tuple[str, ...]:
    """A text cut at its blanks: codes as XForms keeps them."""
    return tuple(part for part in _BLANKS.split(text) if part)


def normal(text: str) -> str | None:
    """NFC; the empty text is the blank."""
    return unicodedata.normalize("NFC", text) or None


def substring(text: str, start: int, end: int | None) -> str | None:
    """By code point from 0, the end excluded; negative places count from the end."""
    return text[start:end] or None


def scalar(kind: Type, value: object) -> Scalar:
    """An answer's value as a condition of this type sees it. A value of another kind is the blank."""
    if value is None:
        return None
    match kind:
        case "number":
            if isinstance(value, bool):
                return int(value)
            if isinstance(value, int):
                return value
            if isinstance(value, float):
                return _decimal(value)
            return number_of(value) if isinstance(value, str) else None
        case "date":
            return day_number(value[:10]) if isinstance(value, str) else None
        case "codes":
            if isinstance(value, str):
                return words(value) or None
            return tuple(str(code) for code in value) or None if isinstance(value, list | tuple) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            if isinstance(value, list | tuple):
                return " ".join(str(part) for part in value) or None
            if isinstance(value, bool):
                return "true" if value else "false"
            if isinstance(value, float):
                return text_of(exact(Fraction(str(value))))
            return normal(str(value))


@lru_cache(maxsize=4096)
def _decimal(value: float) -> Number | None:
    """As it is written, not as it is stored in binary."""
    return exact(Fraction(str(value))) if abs(value) < 1e300 else None  # NaN is not


def plain(kind: Type, value: Scalar) -> str | int | float | bool | list[str] | None:
    """A computed value as an answer keeps it: a date as "YYYY-MM-DD", a number as int or float, codes as a list."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, tuple):
        return list(value)
    if kind == "date":
        return iso(value)
    return value if isinstance(value, int) else float(rounded(value, PLACES))
