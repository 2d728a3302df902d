"""The results site: a release as plain pages that open from a web server or from a USB stick.

Static HTML with relative links, one small style sheet, no script and no request to anybody else. Vietnamese at
the top of the folder, English under `en/`. Charts are SVG inside HTML, so they follow the reader's text size,
colour scheme and printer; each has an alternative text, a table and a CSV beside it.

Everything is a function of the release: the same release gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from survey.publication.maps import Outlines
from survey.publication.results import Release
from survey.publication.views import View
from survey.publication.voice import LANGUAGES

HERE: Final = Path(__file__).parents[1]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates" / "results"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Percent positions: short, and the same on every machine.
    environment.filters["at"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".") + "%"
    return environment


def build(
    release: Release, out: Path, files: Mapping[str, bytes], theme: str = "", drawn: Outlines | None = None
) -> tuple[Path, ...]:
    """Write the site of this release into `out`; `files` (name → content) are offered for download beside it.

    `theme` is style read after the site's own theme.css, with other values for its variables. `drawn` are the real
    boundaries of places, for maps.

    Returns every path written. Existing pages of an older release are replaced, other files are left alone.
    """
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def write(name: str, content: bytes) -> None:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)

    styles = HERE / "templates" / "results"
    write("theme.css", (styles / "theme.css").read_bytes() + theme.encode())
    write("style.css", (styles / "style.css").read_bytes())
    for name, content in files.items():
        write(f"data/{name}", content)
    for language in LANGUAGES:
        view = View(release, language, drawn)
        for name, text in _pages(view, files).items():
            write(name if language == LANGUAGES[0] else f"{language}/{name}", text.encode())
        for name, content in view.tables.items():
            write(f"data/{language}/{name}", content)
    return tuple(written)


GROUPS: Final = ("figures", "microdata", "again")
"""What people take away, in this order: figures and reports; rows to compute with; what says how all of it was made."""


def _group(name: str) -> str:
    if name.startswith(("persons.", "households.", "microdata", "reproduce.")):
        return "microdata"
    made = ("weighting.json", "datapackage.json", "questionnaire.ddi.xml", "estimates.json", "changes.csv")
    return "again" if name in made else "figures"


def _pages(view: View, files: Mapping[str, bytes]) -> dict[str, str]:
    """Every page in one language: file name → HTML."""
    release, voice = view.release, view.voice
    first = voice.language == LANGUAGES[0]
    questions, topics, areas = view.questions(), view.topics(), view.areas()
    menu = [("index.html", voice.word("site.results"))]
    menu += [(f"area-{page.id}.html", page.name[:1].upper() + page.name[1:]) for page in areas]
    several = len(view.modes) > 1
    menu += [("modes.html", voice.word("site.modes"))] if several else []
    menu += [("methods.html", voice.word("site.methods"))]
    menu += [("files.html", voice.word("site.files"))]
    shared: dict[str, Any] = {
        "release": release,
        "say": voice,
        "word": voice.word,
        "text": voice.text,
        "language": voice.language,
        "menu": menu,
        "root": "" if first else "../",
        "level": voice.threshold(release.plan.release.level),
        "questions": questions,
        "topics": topics,
        "areas": areas,
        "view": view,
    }

    def page(name: str, template: str, **values: Any) -> None:
        other = f"en/{name}" if first else f"../{name}"
        pages[name] = _environment().get_template(template).render(**shared, page=name, other=other, **values)

    pages: dict[str, str] = {}
    page("index.html", "index.html")
    for topic in topics:
        page(f"indicator-{topic.indicator.id}.html", "indicator.html", topic=topic)
    for area in areas:
        page(f"area-{area.id}.html", "area.html", area=area)
    if several:
        page("modes.html", "modes.html")
    page("methods.html", "methods.html")
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(files, key=lambda name: GROUPS.index(_group(name))):
        kb = voice.number(max(1, round(len(files[name]) / 1024)))
        groups.setdefault(_group(name), []).append((name, kb))
    page("files.html", "files.html", groups=groups.items())
    return pages
