"""Tests of both interpreters need a JavaScript engine."""

from __future__ import annotations

import os

import pytest

from tests.conformance.run import engine


@pytest.fixture
def javascript() -> None:
    if not engine():
        message = "no JavaScript engine; install one with: sudo apt-get install nodejs"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
