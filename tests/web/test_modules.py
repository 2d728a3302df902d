"""The household's script travels as one small file that does what its modules do."""

from __future__ import annotations

import gzip
import json
import subprocess

import pytest

from survey.web.assets import Assets
from survey.web.modules import bundle

MODULES = {
    "first.mjs": "const kept = 2;\nexport const twice = (n) => kept * n;\nexport function never() {\n  return kept;\n}\n",
    "second.mjs": "import { twice } from './first.mjs';\n\nconst kept = 3;\nexport async function six() {\n  return twice(kept);\n}\n",
    "entry.mjs": "import { twice } from './first.mjs';\nimport { six } from './second.mjs';\n\n"
    "six().then((n) => console.log(JSON.stringify([n, twice(5)])));\n",
}


def test_all_script_of_a_household_stays_within_15_kilobytes() -> None:
    assets = Assets()
    sizes = [
        len(gzip.compress(assets.read(name) or b"", 6)) for name in ("js/household.js", "service-worker.js")
    ]
    assert sum(sizes) <= 15 * 1024


def test_modules_drawn_together_keep_their_own_names(node: str) -> None:
    made = bundle(MODULES, "entry.mjs")
    assert "never" not in made
    printed = subprocess.run([node, "-e", made], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [6, 10]


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("import { twice as two } from './first.mjs';\n", "entry.mjs: cannot be drawn together: import"),
        ("export default 1;\n", "entry.mjs: cannot be drawn together: export default"),
        (
            "import { six } from './second.mjs';\nexport const twice = six;\n",
            "exported by two modules: twice",
        ),
    ],
)
def test_what_cannot_be_drawn_together_is_refused(source: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        bundle({**MODULES, "entry.mjs": source}, "entry.mjs")
