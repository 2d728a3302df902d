"""A line of the log is JSON, says where it went wrong, and repeats nothing that anybody said."""

from __future__ import annotations

import json
import logging
import sys

from survey.logs import Lines

SAID = "Nguyễn Thị Hoa, 0912 345 678"


def test_an_error_is_told_by_type_and_place_and_not_by_its_words() -> None:
    try:
        int(SAID)
    except ValueError:
        record = logging.LogRecord(
            "survey", logging.ERROR, __file__, 1, "%s %s", ("POST", "/survey/{page}"), sys.exc_info()
        )
    line = Lines().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert told["what"] == "POST /survey/{page}"
    assert (told["level"], told["from"], told["error"]) == ("error", "survey", "ValueError")
    assert told["stack"][-1].startswith("tests/test_logs.py:")
    assert "Hoa" not in line
    assert "0912" not in line


def test_a_line_without_an_error_has_none() -> None:
    record = logging.LogRecord("survey.storage", logging.WARNING, __file__, 1, "đầy", (), None)
    assert set(json.loads(Lines().format(record))) == {"time", "level", "from", "what"}
