"""The operations page says only what is there: its commands parse, its variables and addresses exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from survey.cli import _parser
from survey.settings import KEY_FILE_VARIABLE, KEY_VARIABLE
from survey.web import health

PAGE = (Path(__file__).parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")
COMMANDS = [
    line.replace("\\\n", " ").partition("#")[0]
    for line in re.findall(r"^(?:ExecStart=\S*/)?(survey (?:[^\n\\]|\\\n)+)$", PAGE, re.MULTILINE)
]


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_parses(command: str) -> None:
    words = shlex.split(command.replace("$(date +%F-%H%M)", "now"))
    assert _parser().parse_args(words[1:])


def test_every_variable_and_address_is_there() -> None:
    assert set(re.findall(r"SURVEY_[A-Z_]+", PAGE)) == {KEY_VARIABLE, KEY_FILE_VARIABLE}
    paths = {path for handler in health.HANDLERS for path in handler.paths}
    assert paths == set(re.findall(r"^\| `(/[a-z]+)` \|", PAGE, re.MULTILINE))
