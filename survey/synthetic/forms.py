"""The forms of a page as a browser without JavaScript sees them: fields, values already there, buttons.

Written on the standard library's HTML parser, so that the demonstration needs no browser and no test package.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin


@dataclass
class Field:
    """One control with a name. `value` is what it would send; a radio or checkbox sends it only when `checked`."""

    name: str
    kind: str  # "text", "radio", "checkbox", "hidden", "select", "textarea", "submit", "number", ...
    value: str = ""
    checked: bool = False
    options: list[str] = field(default_factory=list)


@dataclass
class Form:
    """One form: where it goes and its controls, in the order of the page."""

    action: str
    method: str
    fields: list[Field] = field(default_factory=list)

    def named(self, name: str) -> list[Field]:
        """Every control of this name (the choices of one question share theirs)."""
        return [control for control in self.fields if control.name == name]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(control.name for control in self.fields)

    def untouched(self) -> list[tuple[str, str]]:
        """What would be sent if nothing were changed, without any button."""
        return [
            (control.name, control.value)
            for control in self.fields
            if control.kind not in ("submit", "radio", "checkbox") or control.checked
        ]


@dataclass
class Page:
    """What was shown: its address, title, forms, links and words."""

    url: str
    title: str
    forms: list[Form]
    links: list[str]
    text: str


def read_page(html: str, url: str) -> Page:
    """Read a page that came from `url`; form actions and links become absolute paths."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    text = " ".join(" ".join(reader.words).split())
    return Page(url=url, title=reader.title.strip(), forms=reader.forms, links=reader.links, text=text)


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = url
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.title = ""
        self._form: Form | None = None
        self._control: Field | None = None  # the select, textarea or button whose content is being read
        self._silent = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in attrs}
        has = {name for name, _ in attrs}
        if tag == "form":
            self._form = Form(
                urljoin(self.url, at.get("action") or self.url), at.get("method", "get").lower()
            )
            self.forms.append(self._form)
        elif tag == "a" and "href" in has:
            self.links.append(urljoin(self.url, at["href"]))
        elif tag in ("script", "style"):
            self._silent += 1
        elif tag == "title":
            self._in_title = True
        elif self._form is not None and tag in ("input", "select", "textarea", "button"):
            self._add(tag, at, has)
        elif tag == "option" and self._control is not None:
            self._control.options.append(at.get("value", ""))
            if "selected" in has:
                self._control.value = at.get("value", "")

    def _add(self, tag: str, at: dict[str, str], has: set[str]) -> None:
        if "disabled" in has or self._form is None:
            return
        kind = {"input": at.get("type", "text"), "button": at.get("type", "submit")}.get(tag, tag)
        value = at.get("value", "on" if kind in ("radio", "checkbox") else "")
        control = Field(at.get("name", ""), kind, value, checked="checked" in has)
        if tag in ("select", "textarea"):
            self._control = control
        if control.name:
            self._form.fields.append(control)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("select", "textarea"):
            if self._control is not None and tag == "select" and not self._control.value:
                self._control.value = next(iter(self._control.options), "")
            self._control = None
        elif tag in ("script", "style"):
            self._silent -= 1
        elif tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._control is not None and self._control.kind == "textarea":
            self._control.value += data
        elif not self._silent:
            self.words.append(data)
