"""A wall clock that jumps while the server runs: every read of it adds the seconds that stand in the file
SURVEY_TEST_CLOCK. Only wall time is moved, as an administrator or NTP would; monotonic time never jumps."""

import os
import time
from pathlib import Path

_file = Path(os.environ["SURVEY_TEST_CLOCK"])
_time, _time_ns = time.time, time.time_ns


def _step() -> int:
    try:
        return int(_file.read_text() or 0)
    except OSError:
        return 0


time.time = lambda: _time() + _step()
time.time_ns = lambda: _time_ns() + _step() * 1_000_000_000
