"""The examples of docs/methods.md run, one after another, and their assertions hold."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "methods.md"


def test_the_examples_of_the_page_run() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(PAGE), "exec"), names)


def test_every_switch_is_in_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for switch in (
        "R.rake",
        "R.order",
        "R.lonely",
        "R.score",
        "R.shahvaish",
        "asin_reflected",
        "R.t_test",
        "R.independence",
    ):
        assert switch in text
