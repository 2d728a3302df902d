"""Every word of the interface exists in both languages, with the same names to fill in, and no template asks for more."""

import ast
import re
import string
from pathlib import Path

import pytest

import survey
from survey.fieldwork.dispositions import OUTCOMES
from survey.web.office import STATES
from survey.web.words import LANGUAGES, keys, word

SOURCES = Path(survey.__file__).parent
TONES = ("error", "warning", "opened")


def blanks(words: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(words) if name}


def asked_for() -> set[str]:
    """The keys that templates and handlers name in full."""
    asked = set()
    for page in SOURCES.glob("templates/*.html"):
        asked |= set(re.findall(r"""\bw\(["']([\w.]+)["']""", page.read_text(encoding="utf-8")))
    for module in SOURCES.glob("web/*.py"):
        asked |= set(
            re.findall(
                r"""\bword\([^"()]*(?:\([^()]*\))?,\s*"([\w.]+)\"""", module.read_text(encoding="utf-8")
            )
        )
    return {key for key in asked if not key.endswith(".")}  # "state." is put together in the template


def test_the_languages_have_the_same_words() -> None:
    assert keys("vi") == keys("en")


@pytest.mark.parametrize("key", sorted(keys("vi")))
def test_the_same_names_are_filled_in(key: str) -> None:
    said = [word(language, key) for language in LANGUAGES]
    assert all(words.strip() for words in said)
    assert blanks(said[0]) == blanks(said[1])
    assert not any("\n" in words for words in said), "one line each: a broken line hides a lost key"


def test_every_word_that_a_page_asks_for_is_there() -> None:
    assert len(asked_for()) > 50
    assert asked_for() <= keys("vi")


def test_words_that_pages_put_together_are_there() -> None:
    assert {f"{tone}_summary" for tone in TONES} <= keys("vi")
    assert {f"state.{state}" for state in STATES} <= keys("vi")
    assert all(set(outcome.label) >= set(LANGUAGES) for outcome in OUTCOMES.values())


def deeds() -> set[str]:
    """The deeds that the source writes into the audit log, as far as it names them in full; of "visit: …" what stands before."""
    found = set()
    for module in SOURCES.rglob("*.py"):
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            said = [ast.unparse(one) for one in (call.func, *call.args)]
            where = next((place for place, one in enumerate(said) if one in ("audit.append", "looked")), None)
            # (connection,) who, deed, …: the connection is there when it is called and not when it is handed on.
            place = len(said) if where is None else 2 if where == 0 else where + 1
            if place >= len(call.args):
                continue
            deed = call.args[place]
            text = deed.values[0] if isinstance(deed, ast.JoinedStr) else deed
            if isinstance(text, ast.Constant) and (text is deed or str(text.value).endswith(": ")):
                found.add(str(text.value).removesuffix(": "))
    return found


def test_an_auditor_reads_every_deed_in_words() -> None:
    assert len(deeds()) > 40
    assert {f"trail.deed.{deed.strip().replace(' ', '_').replace('-', '_')}" for deed in deeds()} <= keys(
        "vi"
    )
