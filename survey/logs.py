"""What a server writes down about itself: one JSON object a line, on standard error, and nothing about anybody.

    {"time": "2026-11-30T03:00:00.123Z", "level": "error", "from": "survey", "what": "POST /survey/{page}",
     "error": "ValueError", "stack": ["survey/web/household.py:210 save", …]}

An error is told by its type and the places it passed, never by its words: those can repeat an answer. Addresses are told by
their pattern (`survey.app`), so that no case or code stands here; requests that went well leave no line at all. The service
manager keeps the lines (`journalctl -u survey -o cat | jq`).
"""

from __future__ import annotations

import datetime
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "from": record.name,
            "what": record.getMessage(),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = type(error).__name__
            line["stack"] = [_place(frame) for frame in traceback.extract_tb(error.__traceback__)]
        return msgspec.json.encode(line).decode()


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(*path.parts[-2:])
    return f"{name}:{frame.lineno} {frame.name}"


def write_lines() -> None:
    """From now on this process writes such lines; called once, by the server's worker."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
