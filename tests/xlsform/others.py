"""Forms of other people, which are not in this repository: where they are, and why a test without them is skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "forms"
shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder ../shared/forms with other people's forms is not here"
)
