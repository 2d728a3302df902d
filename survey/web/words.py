"""The interface's words in each language, and how dates and numbers are written in it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, localedata
from babel.dates import format_date
from babel.numbers import format_decimal

from survey.fieldwork.plan import Purpose, SurveyPlan

LANGUAGES = ("vi", "en")
"""The languages of officials and statisticians; a survey may bring more for its households."""
_FOLDER = Path(__file__).parent.parent / "locale"
_LONG = {"vi": "d 'tháng' M 'năm' y", "en": "d MMMM y"}
"""Dates in letters of an office; CLDR has "31 tháng 1, 2027" and the American "January 31, 2027"."""
_brought: dict[str, Path] = {}


def bring(folder: Path) -> tuple[str, ...]:
    """Take in the catalogues of a survey's own folder, `locale/<code>.yaml`; returns their codes.

    A word that is not there is said in Vietnamese, so that a language can be begun with the pages of households alone.
    """
    found = {
        path.stem: path for path in sorted((folder / "locale").glob("*.yaml")) if path.stem not in LANGUAGES
    }
    _brought.update(found)
    _catalogue.cache_clear()
    return tuple(found)


@cache
def _catalogue(language: str) -> dict[str, str]:
    """Every word by its dotted key; a language is one file."""
    if (
        language not in LANGUAGES and language not in _brought
    ):  # a preview in a language that has no words of its own yet
        name = localedata.exists(language) and Locale(language).get_display_name()
        return {**_catalogue("en"), "language_name": str(name or language)}
    path = _brought.get(language, _FOLDER / f"{language}.yaml")
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    flat: dict[str, str] = dict(_catalogue(LANGUAGES[0])) if language in _brought else {}

    def walk(branch: dict[str, Any], prefix: str) -> None:
        for key, value in branch.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = str(value)

    walk(tree, "")
    return flat


def direction(language: str) -> str:
    """The direction of writing, for `dir`: "rtl" for Arabic, Hebrew, Persian, Urdu …"""
    known = localedata.exists(language)
    return "rtl" if known and Locale(language).character_order == "right-to-left" else "ltr"


def keys(language: str) -> frozenset[str]:
    """The keys a language has: a test compares the languages."""
    return frozenset(_catalogue(language))


def word(language: str, key: str, **values: object) -> str:
    """The words under `key`; KeyError for a key that is not in the catalogue."""
    said = _catalogue(language)[key]
    return said.format(**values) if values else said


def has_word(language: str, key: str) -> bool:
    """Whether there are words under this key: for what the database may hold from other versions."""
    return key in _catalogue(language)


def said(text: Mapping[str, str], language: str) -> str:
    """A text of the survey in this language, else in its first one; "" for none."""
    return text.get(language) or next(iter(text.values()), "")


def long_date(language: str, iso: str) -> str:
    """A date as people write it: "31 tháng 1 năm 2027", "31 January 2027"."""
    known = language if language in LANGUAGES or localedata.exists(language) else LANGUAGES[0]
    return str(format_date(datetime.date.fromisoformat(iso), _LONG.get(known, "long"), locale=known))


def notice(plan: SurveyPlan, language: str) -> list[tuple[str, str]]:
    """Who asks and by which right: on the notice page, whatever the questionnaire says, and in the letter."""
    legal, retention = plan.legal, plan.retention
    kept = word(
        language, "notice.kept", addresses=retention.identities_months, answers=retention.answers_months
    )
    basis = "; ".join([said(legal.decision, language), *legal.citations])
    mixed = len({legal.basis_of(one) for one in legal.purposes}) > 1

    def right(one: Purpose) -> str:
        """By which right this purpose is followed, where that is not the whole survey's."""
        named = (word(language, f"notice.{legal.basis_of(one)}"), *one.citations)
        return f" ({'; '.join(named)})" if mixed or one.citations else ""

    purpose = " ".join(said(one.text, language) + right(one) for one in legal.purposes)
    facts = {"controller": said(legal.controller, language), "basis": basis, "purpose": purpose, "keeping": kept,
             "contact": said(legal.contact, language)}  # fmt: skip
    return [(word(language, f"notice.{name}"), text) for name, text in facts.items()]


def number(language: str, value: float) -> str:
    """With the separators of the language."""
    return str(format_decimal(value, locale=language))
