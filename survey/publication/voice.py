"""Words, numbers and dates as one language writes them: of the results site, the report and the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from babel.dates import format_date
from babel.numbers import format_decimal

from survey.problems import Text
from survey.publication.results import Cell, Contrast

LANGUAGES: Final = ("vi", "en")


@cache
def _words() -> Any:
    return yaml.safe_load((Path(__file__).parents[1] / "locale" / "results.yaml").read_text(encoding="utf-8"))


@lru_cache(maxsize=65_536)
def _number(value: float, digits: int, language: str) -> str:
    """Remembered: a release writes each of its figures in many places."""
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, format=pattern, locale=language)


@dataclass(frozen=True)
class Voice:
    """Words, numbers and dates as one language writes them."""

    language: str

    def word(self, key: str, /, **values: object) -> str:
        """The sentence under a dotted key, filled in. KeyError when there is none: a missing word is a bug."""
        found = _words()
        for part in key.split("."):
            found = found[part]
        return str(found[self.language]).format(**values)

    def text(self, text: Text) -> str:
        """A text of the survey folder in this language, or in the first it has; "50 %" stays on one line."""
        said = text.get(self.language) or next(iter(text.values()), "")
        return said.replace(" %", "\u00a0%")

    def number(self, value: float, digits: int = 0) -> str:
        """1.234,5 in Vietnamese, 1,234.5 in English."""
        return _number(value, digits, self.language)

    def percent(self, share: float, digits: int = 1) -> str:
        """51,2% from 0.512."""
        return self.number(100 * share, digits) + "%"

    def threshold(self, share: float) -> str:
        """50% rather than 50,0%: a target is written as in its resolution."""
        return self.percent(share, 0 if abs(100 * share - round(100 * share)) < 1e-9 else 1)

    def points(self, difference: float) -> str:
        """+20,1 from 0.201, with a real minus sign."""
        sign = "+" if difference >= 0 else "\u2212"
        return sign + self.number(abs(100 * difference), 1)

    def date(self, iso: str) -> str:
        """22/11/2026 or 22 November 2026; other text is left as it is written."""
        try:
            day = date.fromisoformat(iso)
        except ValueError:
            return iso
        return format_date(
            day, "dd/MM/yyyy" if self.language == "vi" else "d MMMM yyyy", locale=self.language
        )

    def moment(self, iso: str) -> str:
        """09:00, 20/12/2027 (UTC+07:00), as the time was given."""
        moment = datetime.fromisoformat(iso)
        return f"{moment:%H:%M}, {self.date(moment.date().isoformat())} ({moment.tzname()})"

    def inside(self, name: str) -> str:
        """A name inside a sentence: its first letter small, unless it begins an acronym."""
        return name if name[:2].isupper() else name[:1].lower() + name[1:]

    def range(self, lower: float, upper: float) -> str:
        return self.word("chart.range", lower=self.percent(lower), upper=self.percent(upper))

    def held(self, cell: Cell | Contrast) -> str:
        """Why a figure is not published, in words."""
        reasons = "; ".join(self.word(f"held.{reason}") for reason in cell.reasons)
        return f"{cell.status} · {reasons}" if reasons else self.word(f"held.{cell.status}")
