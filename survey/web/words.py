"""The interface's words in each language, and how dates and numbers are written in it."""

from __future__ import annotations

import datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel.dates import format_date
from babel.numbers import format_decimal

LANGUAGES = ("vi", "en")
_FOLDER = Path(__file__).parent.parent / "locale"


@cache
def _catalogue(language: str) -> dict[str, str]:
    """Every word by its dotted key; a language is one file, so a third is added as data."""
    tree = yaml.safe_load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    flat: dict[str, str] = {}

    def walk(branch: dict[str, Any], prefix: str) -> None:
        for key, value in branch.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = str(value)

    walk(tree, "")
    return flat


def keys(language: str) -> frozenset[str]:
    """The keys a language has: a test compares the languages."""
    return frozenset(_catalogue(language))


def word(language: str, key: str, **values: object) -> str:
    """The words under `key`; KeyError for a key that is not in the catalogue."""
    said = _catalogue(language)[key]
    return said.format(**values) if values else said


def long_date(language: str, iso: str) -> str:
    """A date as people write it: "31 tháng 1, 2027", "31 January 2027"."""
    return str(format_date(datetime.date.fromisoformat(iso), "long", locale=language))


def number(language: str, value: float) -> str:
    """With the separators of the language."""
    return str(format_decimal(value, locale=language))
