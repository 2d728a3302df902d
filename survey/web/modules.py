"""Native modules drawn together into one small script, when the server starts.

A module that imports others costs a slow network one round trip for each step of the way, and a kilobyte of comments
costs as much as one of code. So the household's modules travel as one file: each becomes a function called in the order in
which they need one another, with what it exports declared outside; names and comments are shortened by tdewolff-minify.
Developers and tests work with the modules as they are. Not for modules with default exports, `export {…}` lists, names
changed by `as`, or cycles; two modules of one bundle cannot export the same name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import minify

_IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([\w-]+\.mjs)';$", re.MULTILINE)
_EXPORT = re.compile(r"^export (?:(const) |((?:async )?function|class) )(\w+)", re.MULTILINE)
_FUNCTION = re.compile(r"^export (?:async )?function (\w+)\(.*?^\}\n", re.MULTILINE | re.DOTALL)


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """One script that does what the module `entry` does; `modules` are sources by file name."""
    order: list[str] = []
    wanted: set[str] = set()

    def take(name: str) -> None:
        if name in order:
            return
        for found in _IMPORT.finditer(modules[name]):
            if " as " in found[1]:
                raise ValueError(f"{name}: cannot be drawn together: {found[0]}")
            wanted.update(word.strip() for word in found[1].split(","))
            take(found[2])
        order.append(name)

    take(entry)
    sources = {name: _needed(modules[name], wanted) for name in order}
    exported = [found[3] for source in sources.values() for found in _EXPORT.finditer(source)]
    if twice := {name for name in exported if exported.count(name) > 1}:
        raise ValueError(f"{entry}: exported by two modules: {', '.join(sorted(twice))}")
    blocks = "\n".join(_block(name, source) for name, source in sources.items())
    return shortened(f"(()=>{{'use strict';let {','.join(exported)};{blocks}}})()", entry)


def shortened(source: str, name: str) -> str:
    """A style sheet or a script without comments and long names."""
    kind = "text/css" if name.endswith(".css") else "application/javascript"
    return str(minify.string(kind, source))


def _needed(source: str, wanted: set[str]) -> str:
    """The module without the exported functions that nobody in the bundle names."""
    for found in list(_FUNCTION.finditer(source)):
        if found[1] not in wanted and len(re.findall(rf"\b{found[1]}\b", source)) == 1:
            source = source.replace(found[0], "")
    return source


def _block(name: str, source: str) -> str:
    """The module as a function called at once: its own names end there, those that it exports are assigned."""
    source = _IMPORT.sub("", source)
    source = _EXPORT.sub(lambda m: f"{m[3]}" if m[1] else f"{m[3]} = {m[2]}", source)
    if left := re.search(r"^(?:import|export ).*$", source, re.MULTILINE):
        raise ValueError(f"{name}: cannot be drawn together: {left[0]}")
    return f"(() => {{\n{source}\n}})();"
