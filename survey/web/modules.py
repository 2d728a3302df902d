"""Native modules drawn together into one small script, when the server starts.

A module that imports others costs a slow network one round trip for each step of the way, and a kilobyte of comments
costs as much as one of code. So the household's modules travel as one file: each becomes a function that returns what it
exports, in the order in which they need one another; names and comments are shortened by tdewolff-minify. Developers
and tests work with the modules as they are. Not for modules with default exports, `export {…}` lists or cycles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import minify

_IMPORT = re.compile(r"^import \{([^}]*)\} from '\./([\w-]+\.mjs)';$", re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:const|function|class) (\w+))", re.MULTILINE)
_FUNCTION = re.compile(r"^export (?:async )?function (\w+)\(.*?^\}\n", re.MULTILINE | re.DOTALL)


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """One script that does what the module `entry` does; `modules` are sources by file name."""
    order: list[str] = []
    wanted: set[str] = set()

    def take(name: str) -> None:
        if name in order:
            return
        for found in _IMPORT.finditer(modules[name]):
            wanted.update(word.strip() for word in re.split(r",| as ", found[1]))
            take(found[2])
        order.append(name)

    take(entry)
    parts = [_closed(name, _needed(modules[name], wanted)) for name in order]
    return shortened("(()=>{" + "\n".join(parts) + "})()", entry)


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


def _closed(name: str, source: str) -> str:
    source = _IMPORT.sub(lambda m: f"const {{{m[1].replace(' as ', ': ')}}} = {_name(m[2])};", source)
    if left := re.search(r"^(?:import|export (?!async |const|function|class)).*$", source, re.MULTILINE):
        raise ValueError(f"{name}: cannot be drawn together: {left[0]}")
    exported = [found[2] for found in _EXPORT.finditer(source)]
    body = _EXPORT.sub(r"\1", source)
    return f"const {_name(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _name(file: str) -> str:
    return "$" + re.sub(r"\W", "_", file.removesuffix(".mjs"))
