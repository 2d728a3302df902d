"""Figures that look at every case, kept for a while where there are very many: no page of the office takes longer in a large
survey than in a small one, except for whoever looks first after the server has started.

When not: for anything by which somebody acts on one household. These figures may be ten minutes old, and say so.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from survey.problems import SurveyError
from survey.storage import cases
from survey.storage.cases import Progress
from survey.storage.clock import now
from survey.storage.database import Database

T = TypeVar("T")
LARGE = 20_000
"""Cases from which on the figures of all communes together are kept."""
KEPT_MILLISECONDS = 10 * 60 * 1000
"""How long something that looks at the whole sample is shown before it is worked out anew."""

log = logging.getLogger("survey.storage")


class Remembered(Generic[T]):
    """Something that takes long to work out: the first who asks waits for it, everybody else gets what is there; what is
    older than `KEPT_MILLISECONDS` is worked out anew beside them."""

    def __init__(self, work_out: Callable[[], T]) -> None:
        self._work_out = work_out
        self._turn = threading.Lock()
        self._found: tuple[int, T] | None = None
        self._renewing = False

    @property
    def at(self) -> int | None:
        """When what is there was begun to be worked out (milliseconds since 1970)."""
        found = self._found
        return None if found is None else found[0]

    def value(self) -> T:
        """What is there."""
        with self._turn:
            if self._found is None:
                self._found = now(), self._work_out()
            elif not self._renewing and now() - self._found[0] > KEPT_MILLISECONDS:
                self._renewing = True
                threading.Thread(target=self._renew, name="survey-figures", daemon=True).start()
            return self._found[1]

    def _renew(self) -> None:
        try:
            self._found = now(), self._work_out()
        except SurveyError:  # the database is away: what is there is shown until it comes back
            log.warning("figures of the office could not be renewed")
        finally:
            self._renewing = False


class ProgressOfAll:
    """Progress by commune, of some communes at this moment, or of all: then kept where the survey is a large one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._large = Remembered(lambda: self._count() >= LARGE)
        self._all = Remembered(lambda: self._lines(None))

    def of(self, communes: Sequence[str] | None) -> tuple[list[Progress], int | None]:
        """Its lines, and when they were worked out (milliseconds since 1970; None: at this moment)."""
        if communes is None and self._large.value():
            return self._all.value(), self._all.at
        return self._lines(communes), None

    def _count(self) -> int:
        with self._database.reading() as connection:
            return cases.count(connection)

    def _lines(self, communes: Sequence[str] | None) -> list[Progress]:
        with self._database.reading() as connection:
            return cases.progress(connection, communes)
