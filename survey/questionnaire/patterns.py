"""Patterns of `regex()`: a subset that Python and JavaScript read alike, rewritten so that they do.

The whole text must match. Classes like `\\d` mean ASCII; `\\p{L}`, `\\p{Lu}`, `\\p{Ll}`, `\\p{N}` become ranges, so that
both interpreters use one table of letters. Look-around, back-references, flags and possessive quantifiers are refused
by name.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

from survey.questionnaire.grammar import ConditionError

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \\t\\n\\r\\f\\v"}
_CONTROL = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f", "v": "\\v"}
_SPECIAL = "^$\\.*+?()[]{}|/"
_LETTERS = ("L", "Lu", "Ll", "N")


def translate(pattern: str) -> str:
    """The pattern as both interpreters take it (without anchors), or ConditionError."""
    reader = _Pattern(pattern)
    said = reader.alternatives()
    if reader.at < len(pattern):
        raise reader.refused("an unopened “)”", "dấu “)” thừa")
    try:
        re.compile(said)
    except re.error:
        raise reader.refused("a range or repeat that is the wrong way round", "khoảng viết ngược") from None
    return said


class _Pattern:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def refused(self, english: str, vietnamese: str) -> ConditionError:
        return ConditionError(
            f"the pattern “{self.text}” has {english} at character {self.at + 1}",
            f"mẫu “{self.text}” có {vietnamese} ở ký tự {self.at + 1}",
        )

    def _more(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, text: str) -> bool:
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def alternatives(self) -> str:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return "|".join(parts)

    def _sequence(self) -> str:
        said = ""
        while (char := self._more()) and char not in "|)":
            if self._take("^"):
                if said or self.depth:
                    raise self.refused("“^” not at its beginning", "“^” không ở đầu")
                continue  # the whole text must match anyway
            if self._take("$"):
                if self.depth or self._more() not in ("", "|"):
                    raise self.refused("“$” not at its end", "“$” không ở cuối")
                continue
            said += self._atom() + self._quantifier()
        return said

    def _atom(self) -> str:
        if self._take("("):
            if self._more() == "?" and not self._take("?:"):
                raise self.refused("look-around or a flag", "điều kiện trước sau hoặc cờ")
            self.depth += 1
            inner = self.alternatives()
            self.depth -= 1
            if not self._take(")"):
                raise self.refused("an unclosed “(”", "dấu “(” chưa đóng")
            return f"(?:{inner})"
        if self._take("["):
            return self._set()
        if self._take("."):
            return "[^\\n]"
        if self._take("\\"):
            return self._escape(inside=False)
        char = self._more()
        if char in "*+?{":
            raise self.refused("a repeat of nothing", "dấu lặp không có gì để lặp")
        self.at += 1
        return _quoted(char)

    def _quantifier(self) -> str:
        match = re.compile(r"[*+?]|\{\d{1,3}(?:,\d{0,3})?\}").match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        lazy = "?" if self._take("?") else ""
        if self._more() and self._more() in "*+?{":
            raise self.refused("a repeat of a repeat", "dấu lặp của dấu lặp")
        return match.group() + lazy

    def _escape(self, inside: bool) -> str:
        char = self._more()
        self.at += 1
        if char in _CLASSES:
            return _CLASSES[char] if inside else f"[{_CLASSES[char]}]"
        if char.lower() in _CLASSES and char and not inside:
            return f"[^{_CLASSES[char.lower()]}]"
        if char in _CONTROL:
            return _CONTROL[char]
        if char == "p" and self._take("{"):
            end = self.text.find("}", self.at)
            name = self.text[self.at : end]
            if name in _LETTERS:
                self.at = end + 1
                return letters(name) if inside else f"[{letters(name)}]"
        if char and not char.isalnum() and char.isascii():
            return _quoted(char, inside)
        self.at -= 1
        raise self.refused(f"“\\{char}”, which is not supported", f"“\\{char}” chưa hỗ trợ")

    def _set(self) -> str:
        said = "[^" if self._take("^") else "["
        first = True
        while first or self._more() != "]":
            if not self._more():
                raise self.refused("an unclosed “[”", "dấu “[” chưa đóng")
            first = False
            if self._take("\\"):
                said += self._escape(inside=True)
            elif self._more() == "-":
                self.at += 1
                edge = said in ("[", "[^") or self._more() == "]"
                said += "\\-" if edge else "-"
            else:
                said += _quoted(self._more(), inside=True)
                self.at += 1
        self.at += 1
        return said + "]"


def _quoted(char: str, inside: bool = False) -> str:
    return "\\" + char if char in _SPECIAL or (inside and char == "-") else char


@lru_cache(maxsize=8)
def letters(category: str) -> str:
    """The inside of a set with every character of a Unicode category, as ranges."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith(category):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(chr(low) if low == high else f"{chr(low)}-{chr(high)}" for low, high in ranges)
