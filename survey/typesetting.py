"""PDF pages from a Typst template and plain values: letters, the paper questionnaire, reports.

The same values give the same bytes: the fonts come with the typesetter, and no clock is looked at. Fonts of the machine
are asked only for scripts that those do not have (Khmer, Lao, Arabic ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

TEMPLATES = Path(__file__).parent / "templates"


def pdf(template: str, values: Mapping[str, Any]) -> bytes:
    """The PDF of a template of `survey/templates`, which finds the values as `json(bytes(sys.inputs.values))`."""
    import typst

    text = msgspec.json.encode(values, order="deterministic").decode()
    made = typst.compile(
        TEMPLATES / template, root=TEMPLATES, sys_inputs={"values": text}, format="pdf", timestamp=0
    )
    assert isinstance(made, bytes)
    return made
