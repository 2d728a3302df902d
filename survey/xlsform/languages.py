"""Which language a column of translations is in: `label::Tiếng Việt (vi)` says it, a bare name is looked up."""

from __future__ import annotations

import re
from functools import lru_cache

from babel import Locale, UnknownLocaleError

_CODED = re.compile(r"\(\s*([A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*)\s*\)\s*$")
_NAMED_IN = ("en", "vi", "fr", "es", "pt", "ar")


def code_of(name: str) -> str:
    """The language code of a column name: from its brackets, from the names of languages, else a private one."""
    coded = _CODED.search(name)
    if coded:
        return coded.group(1).replace("_", "-")
    plain = name.strip().lower()
    if re.fullmatch(r"[a-z]{2,3}", plain):
        return plain
    known = _by_name().get(plain)
    if known:
        return known
    letters = re.sub(r"[^a-z0-9]", "", plain.encode("ascii", "ignore").decode())[:8]
    return f"x-{letters}" if letters else "und"


def name_of(code: str) -> str:
    """How a column of this language is headed: its own name and its code."""
    try:
        own = Locale.parse(code.replace("-", "_")).get_display_name() or code
    except (UnknownLocaleError, ValueError):
        own = code
    return f"{own[:1].upper()}{own[1:]} ({code})"


@lru_cache(maxsize=1)
def _by_name() -> dict[str, str]:
    """Names of languages in the languages survey offices write in, and each of those in itself."""
    found: dict[str, str] = {}
    for locale in _NAMED_IN:
        for code, name in Locale.parse(locale).languages.items():
            if re.fullmatch(r"[a-z]{2,3}", code):
                found.setdefault(name.lower(), code)
    return found
