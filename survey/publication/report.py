"""The report on paper: what the site answers, in a PDF that an office can sign and send.

One document a language, from the same views as the site, so no figure can differ. The same release gives the same bytes.
The survey's theme.css restyles it with the site: the report takes the colours of `TAKEN` that it sets as #rrggbb.
"""

from __future__ import annotations

import re
from typing import Any, Final

from survey.publication.results import Release
from survey.publication.views import Answer, Chart, Mark, View
from survey.typesetting import TEMPLATES, pdf

TAKEN: Final = {"ink": "estimate", "quiet": "soft", "rule": "line", "aim": "target", "text": "ink"}
"""Colour of the report → variable of theme.css."""


RULES: Final = {">": ">", ">=": "≥"}
"""A comparison of a target → how print writes it."""


def report(release: Release, language: str, theme: str = "") -> bytes:
    """The PDF of a release in one language. `theme`: the survey's own style, read after the site's."""
    return pdf("report.typ", layout(release, language) | {"colours": _colours(theme)})


def _colours(theme: str) -> dict[str, str]:
    """The colours on paper: the last value outside of @media (dark screens have others), of the site's style or the survey's."""
    both = (TEMPLATES / "results" / "theme.css").read_text(encoding="utf-8") + theme
    light = re.sub(
        r"@media[^{]*\{(?:[^{}]|\{[^{}]*\})*\}", "", re.sub(r"/\*.*?\*/", "", both, flags=re.DOTALL)
    )
    said = dict(re.findall(r"--([\w-]+)\s*:\s*(#[0-9a-fA-F]{6})\b", light))
    return {colour: said[name] for colour, name in TAKEN.items()}


def layout(release: Release, language: str) -> dict[str, Any]:
    """What stands in the report, as plain values: the template only places it."""
    view = View(release, language)
    voice, questions, topics = view.voice, view.questions(), view.topics()
    asked = {answer.indicator.id for question in questions for answer in question.answers}
    first = questions[0].main if questions else None
    main = next((topic for topic in topics if first and topic.indicator.id == first.indicator.id), None)
    level = voice.threshold(release.plan.release.level)
    return {
        "language": language,
        "organiser": voice.text(release.organiser),
        "title": voice.text(release.title),
        "territory": voice.text(release.territory),
        "day": voice.word("site.about_day", day=voice.date(release.reference)),
        "number": voice.word("site.number", number=release.number),
        "embargo": voice.word("site.embargo", time=voice.moment(release.embargo)) if release.embargo else "",
        "synthetic": f"{voice.word('site.synthetic')} – {voice.word('site.synthetic_note')}"
        if release.synthetic
        else "",
        "words": {
            key: voice.word(f"report.{key}")
            for key in (
                "heading",
                "targets",
                "breakdowns",
                "all",
                "method",
                "made",
                "prepared",
                "approved",
                "sign",
                "seal",
                "page",
            )
        }
        | {
            "target": voice.word("column.target"),
            "value": voice.word("column.value"),
            "interval": voice.word("column.interval", level=level),
            "verdict": voice.word("column.verdict"),
            "rule": voice.word("workbook.threshold"),
            "indicator": voice.word("column.indicator"),
            "n": voice.word("column.n"),
            "beside": voice.word("front.beside"),
            "truth": voice.word("chart.truth"),
            "steps": [voice.word(f"methods.column_{name}") for name in ("step", "n", "sum", "cv", "kish")],
            "confidence": voice.word("front.confidence", level=level),
        },
        "answer": _answer(first, view) if first else None,
        "trend": list(main.over_time.sentences) if main and main.over_time else [],
        "targets": [
            {
                "text": voice.text(answer.target.text),
                "means": answer.target.means,
                "rule": f"{RULES[answer.target.comparison]} {voice.threshold(answer.target.threshold)}",
                "note": voice.text(answer.target.note) if answer.target.note else "",
                "verdict": answer.verdict,
                "said": voice.word(
                    "held.not_published" if answer.verdict == "held" else f"verdict.{answer.verdict}"
                ),
                **_row(answer.chart.marks[0]),
            }
            for question in questions
            for answer in question.answers
        ],
        "charts": [_chart(chart) for chart in (main.charts if main else ())],
        "indicators": [
            {"name": voice.text(topic.indicator.name), "n": _count(topic.whole, view), **_row(topic.whole)}
            for topic in sorted(topics, key=lambda topic: topic.indicator.id not in asked)
        ],
        "methods": [
            {"key": key, "title": voice.word(f"methods.{key}"), "text": " ".join(said)}
            for key, said in view.method().items()
        ],
        "steps": [
            [
                f"{number}. {voice.word(f'methods.step.{step.step}')} ({voice.word(f'indicator.{step.unit}')})",
                voice.number(step.n),
                voice.number(step.sum),
                voice.number(step.cv, 2),
                voice.number(step.kish, 2),
            ]
            for number, step in enumerate(release.weighting, start=1)
        ],
        "remake": voice.word(
            "methods.remake_text", version=release.questionnaire_version, software=release.software
        ),
        "hashes": [{"name": name, "hash": digest} for name, digest in release.frozen.items()],
    }


def _answer(answer: Answer, view: View) -> dict[str, Any]:
    return {
        "written": view.voice.text(answer.target.text),
        "instrument": answer.target.instrument,
        "sentence": answer.sentence,
        "verdict": answer.verdict,
        "best": f"{answer.best}. {answer.between}" if answer.best else "",
        "why": answer.why,
        "truth": answer.truth,
        "chart": _chart(answer.chart),
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "alt": chart.alt,
        "target": chart.target,
        "target_text": chart.target_text,
        "rows": [
            {
                "label": mark.label,
                "strong": mark.strong,
                "at": mark.at,
                "lower": mark.lower,
                "upper": mark.upper,
                "truth": mark.truth,
                **_row(mark),
            }
            for mark in chart.marks
        ],
    }


def _row(mark: Mark) -> dict[str, str]:
    return {"value": mark.value, "range": mark.range, "held": mark.held, "letter": mark.letter}


def _count(mark: Mark, view: View) -> str:
    return view.voice.number(mark.cell.n) if mark.cell is not None and mark.cell.n is not None else "–"
