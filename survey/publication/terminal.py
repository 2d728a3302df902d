"""A release on the terminal: the verdicts and the figures of the whole territory, in both languages."""

from __future__ import annotations

from collections.abc import Callable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from survey.publication.results import Cell, Contrast, Release
from survey.publication.voice import Voice

_STYLE = {"met": "green", "not_met": "red", "not_determined": "yellow"}
_SIGN = {"met": "✔", "not_met": "✘", "not_determined": "–"}


def both(key: str, **values: Callable[[Voice], object]) -> str:
    """Words under a key, Vietnamese first and English below; each value is said in the language of the line."""
    vi, en = (
        voice.word(key, **{name: of(voice) for name, of in values.items()})
        for voice in (Voice("vi"), Voice("en"))
    )
    return f"{vi}\n[dim]{en}[/dim]"


def in_both(section: str, key: str, **values: Callable[[Voice], object]) -> str:
    """`both` of a key within a section of the words."""
    return both(f"{section}.{key}", **values)


def show(found: Release, console: Console | None = None) -> None:
    """Print the verdicts and the figures of the whole territory, Vietnamese and English, beside the truth if known."""
    console = console or Console()
    vi, en = Voice("vi"), Voice("en")
    if found.synthetic:
        console.print(f"[black on yellow] {vi.word('site.synthetic')} · {en.word('site.synthetic')} [/]")
    known = bool(found.truth)
    verdicts = Table(box=SIMPLE_HEAD, title_justify="left", pad_edge=False, expand=True)
    verdicts.add_column(both("column.target"), ratio=3)
    verdicts.add_column(both("column.value"), justify="right", no_wrap=True)
    if known:
        verdicts.add_column(both("column.truth"), justify="right", width=9)
    verdicts.add_column(both("column.verdict"), no_wrap=True)
    decisions = {one.target: one for one in found.decisions}
    for target in found.plan.targets:
        decision, cell = decisions.get(target.id), found.cell(target.indicator)
        words = "" if target.means else f"[dim]({vi.word('front.beside')} · {en.word('front.beside')})[/dim] "
        said = f"{words}{vi.text(target.text)}\n[dim]{en.text(target.text)}[/dim]"
        if decision is None:
            answer = both("held.not_published")
        else:
            style, sign = _STYLE[decision.verdict], _SIGN[decision.verdict]
            key = f"verdict.{decision.verdict}"
            answer = f"[bold {style}]{sign} {vi.word(key)}[/]\n[{style}]{en.word(key)}[/]"
        row = [said, _figure(vi, cell)]
        verdicts.add_row(*row, *([_truth(vi, found, cell)] if known else []), answer)
    console.print(verdicts)
    table = Table(box=SIMPLE_HEAD, title_justify="left", pad_edge=False, expand=True)
    table.add_column(both("column.indicator"), ratio=3)
    table.add_column(both("column.value"), justify="right", no_wrap=True)
    if known:
        table.add_column(both("column.truth"), justify="right", width=9)
    table.add_column(both("terminal.unweighted"), justify="right", width=10)
    table.add_column(both("terminal.web_only"), justify="right", width=10)
    easy = {(one.indicator, one.mode): one for one in found.contrasts}
    named = {target.indicator for target in found.plan.targets} or {one.id for one in found.plan.indicators}
    for indicator in found.plan.indicators:
        if indicator.id not in named:
            continue
        cell = found.cell(indicator.id)
        biased = [_biased(vi, easy.get((indicator.id, mode))) for mode in ("", "self")]
        name = f"{vi.text(indicator.name)}\n[dim]{en.text(indicator.name)}[/dim]"
        table.add_row(name, _figure(vi, cell), *([_truth(vi, found, cell)] if known else []), *biased)
    console.print(table)
    if known:
        console.print(f"[dim]{vi.word('terminal.misses')}\n{en.word('terminal.misses')}[/dim]")
    if others := len(found.plan.indicators) - len(named):
        console.print(
            f"[dim]{vi.word('terminal.others', count=others)} · {en.word('terminal.others', count=others)}[/dim]"
        )
    question = next((one for one in found.plan.targets if one.means), None)
    decision = decisions.get(question.id) if question else None
    if question and decision:
        indicator = found.indicator(question.indicator)
        lines = [
            voice.word(
                f"verdict.sentence.{decision.verdict}.{decision.comparison}",
                name=voice.inside(voice.text(indicator.name)),
                threshold=voice.threshold(decision.threshold),
            )
            for voice in (vi, en)
        ]
        console.print(Panel(f"[bold]{lines[0]}[/bold]\n{lines[1]}", border_style=_STYLE[decision.verdict]))


def _figure(voice: Voice, cell: Cell) -> str:
    if cell.value is None or cell.lower is None or cell.upper is None:
        return cell.status
    return f"[bold]{voice.percent(cell.value)}[/bold]\n[dim]{voice.range(cell.lower, cell.upper)}[/dim]"


def _truth(voice: Voice, found: Release, cell: Cell) -> str:
    share = found.true_share(cell.indicator, cell.domain, cell.category)
    if share is None:
        return ""
    if cell.lower is None or cell.upper is None:
        return voice.percent(share)
    return f"{voice.percent(share)}\n" + ("[green]∈[/]" if cell.lower <= share <= cell.upper else "[red]∉[/]")


def _biased(voice: Voice, one: Contrast | None) -> str:
    if one is None:
        return ""
    return f"[dim]{voice.percent(one.value)}[/dim]" if one.value is not None else one.status
