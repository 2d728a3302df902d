"""Files that pages bring along: style and script under an address that changes with them, sound of the survey's folder.

Style and script stand at /static/<hash of all of them>/…, so that a phone keeps them for good, asks for nothing twice,
and never mixes the modules of two versions. The service worker alone keeps one address: browsers compare its bytes.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from markupsafe import Markup

from survey.web import packing
from survey.web.guards import open_to_all
from survey.web.modules import bundle, shortened
from survey.web.packing import Packed

if TYPE_CHECKING:
    from survey.web.site import Site

AnyRequest = Request[Any, Any, Any]

FOLDER = Path(__file__).parents[2] / "static"
if not FOLDER.is_dir():  # installed as a wheel
    FOLDER = Path(__file__).parents[1] / "_static"
BUNDLES = ("household", "field")
"""Modules served as one script with all they import, as `js/<name>.js`."""
SOUNDS = (".mp3", ".m4a", ".ogg", ".opus", ".wav")
_KINDS = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".css": "text/css",
    ".webmanifest": "application/manifest+json",
}


class Assets:
    """The style and script of this installation, read once: they are small. BUNDLES are made of modules on the way."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        modules = {
            path.name: path.read_text(encoding="utf-8") for path in sorted((folder / "js").glob("*.mjs"))
        }
        for entry in BUNDLES:
            self._files[f"js/{entry}.js"] = bundle(modules, f"{entry}.mjs").encode()
        for name in ("app.css", "service-worker.js"):
            self._files[name] = shortened(self._files[name].decode(), name).encode()
        self._packed = {name: Packed(content) for name, content in self._files.items()}

    @cached_property
    def version(self) -> str:
        parts = (f"{name}\0{hashlib.sha256(content).hexdigest()}\n" for name, content in self._files.items())
        return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file; KeyError for one that is not there, so that a page never asks for it."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def read(self, name: str) -> bytes | None:
        return self._files.get(name)

    @cached_property
    def style(self) -> Markup:
        """The style of every page, for one that carries it itself."""
        return Markup(self._files["app.css"].decode())  # noqa: S704 - our own file

    def packed(self, name: str) -> Packed | None:
        """The same as it is sent."""
        return self._packed.get(name)


def sounds(folder: Path) -> frozenset[str]:
    """The names of the recordings in a survey's folder: `audio/<name>`, as questions name them."""
    return frozenset(path.name for path in (folder / "audio").glob("*") if path.suffix in SOUNDS)


def _site(request: AnyRequest) -> Site:
    found: Site = request.app.state.site
    return found


def _kind(name: str) -> str:
    return _KINDS.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _file(content: bytes, name: str, headers: Mapping[str, str], status: int = 200) -> Response[bytes]:
    return Response(content, media_type=_kind(name), headers=dict(headers), status_code=status)


@get("/static/{version:str}/{name:path}", guards=[open_to_all])
async def static(request: AnyRequest, version: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """A page that a phone kept from before an update still gets today's file, but does not keep it."""
    assets = _site(request).assets
    kept = "public, max-age=31536000, immutable" if version == assets.version else "no-store"
    return await _own(request, name.lstrip("/"), kept)


@get("/service-worker.js", guards=[open_to_all])
async def service_worker(request: AnyRequest) -> Response[bytes]:
    return await _own(request, "service-worker.js", "no-cache")


async def _own(request: AnyRequest, name: str, kept: str) -> Response[bytes]:
    """A file of this installation."""
    file = _site(request).assets.packed(name)
    if file is None:
        raise NotFoundException
    if not _kind(name).startswith(packing.TEXT):
        return _file(file.content, name, {"cache-control": kept})
    return await packing.sent(request, file, _kind(name), {"cache-control": kept})


@get("/audio/{name:str}", sync_to_thread=True, guards=[open_to_all])
def audio(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """A question read aloud. Phones of Apple play only what they can ask for in ranges of bytes (RFC 9110, 14)."""
    site = _site(request)
    if name not in site.sounds:
        raise NotFoundException
    content = (site.settings.folder / "audio" / name).read_bytes()
    headers = {"accept-ranges": "bytes", "cache-control": "public, max-age=86400"}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return _file(content, name, headers)
    first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
    if first > last:
        return _file(b"", name, {**headers, "content-range": f"bytes */{len(content)}"}, 416)
    headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
    return _file(content[first : last + 1], name, headers, 206)


HANDLERS = (static, service_worker, audio)
