"""Every error a person can meet, in one catalogue: a stable code, a message in each language, a remedy.

SurveyError
├── BadDocument        a survey folder, frame, listing or form has mistakes (all of them, as findings)
├── Refused            the actor may not do this, or it is not there (the same answer for both)
├── Conflict           the same id with another body, or a state that does not allow the step
└── Unavailable        the server cannot keep this now; nothing was acknowledged
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from msgspec import Struct

Text = dict[str, str]
"""One text in every language: {"vi": "...", "en": "..."}."""


class Finding(Struct, frozen=True, kw_only=True):
    """One mistake in something a person wrote: where it is, what is wrong, what to do.

    `code` is stable (tests and translations hang on it); `where` is a place a person can find:
    "questionnaire.yaml:212", "frame.csv, row 17, column households", "question birth_year".
    """

    code: str
    where: str
    message: Text
    remedy: Text = {}
    severity: str = "error"  # "error" stops; "warning" is shown and recorded with the result

    def line(self, language: str = "vi") -> str:
        """One line for a terminal: place, what is wrong, what to do."""
        said = self.message.get(language) or next(iter(self.message.values()))
        todo = self.remedy.get(language) or next(iter(self.remedy.values()), "")
        return f"{self.where}: {said}" + (f" → {todo}" if todo else "")


class SurveyError(Exception):
    """The root: shown to a person as its text in their language, never as a traceback."""

    code = "error"

    def __init__(self, message: Mapping[str, str], **details: object) -> None:
        self.message = dict(message)
        self.details = details
        super().__init__(self.message.get("en") or next(iter(self.message.values())))


def tell(problem: SurveyError) -> None:
    """Print what is wrong and what to do, in both languages, where errors go."""
    for language in ("vi", "en"):
        print(problem.message.get(language, ""), file=sys.stderr)


class BadDocument(SurveyError):
    """A document has mistakes; `findings` lists all of them, not the first."""

    code = "bad_document"

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        lines = {
            language: "\n".join(finding.line(language) for finding in self.findings)
            for language in ("vi", "en")
        }
        super().__init__(lines)


class Refused(SurveyError):
    """Not yours and not there are one answer, so that asking reveals nothing."""

    code = "refused"


class Conflict(SurveyError):
    """Another body under the same id, or a step that the present state does not allow."""

    code = "conflict"


class Unavailable(SurveyError):
    """Nothing was kept and nothing was acknowledged; try again after `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, message: Mapping[str, str], retry_after: int = 5) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after
