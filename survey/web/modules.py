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


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """One script that does what the module `entry` does; `modules` are sources by file name."""
    parts: dict[str, str] = {}

    def take(name: str) -> None:
        if name in parts:
            return
        source = modules[name]
        for found in _IMPORT.finditer(source):
            take(found[2])
        parts[name] = _closed(name, source)

    take(entry)
    return str(minify.string("application/javascript", "(()=>{" + "\n".join(parts.values()) + "})()"))


def _closed(name: str, source: str) -> str:
    source = _IMPORT.sub(lambda m: f"const {{{m[1].replace(' as ', ': ')}}} = {_name(m[2])};", source)
    if left := re.search(r"^(?:import|export (?!async |const|function|class)).*$", source, re.MULTILINE):
        raise ValueError(f"{name}: cannot be drawn together: {left[0]}")
    exported = [found[2] for found in _EXPORT.finditer(source)]
    body = _EXPORT.sub(r"\1", source)
    return f"const {_name(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _name(file: str) -> str:
    return "$" + re.sub(r"\W", "_", file.removesuffix(".mjs"))
