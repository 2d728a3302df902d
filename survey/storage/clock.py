"""The server's clock, the only one that storage reads. Device clocks are kept beside it and never trusted for order."""

from __future__ import annotations

import time


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
