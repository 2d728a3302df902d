"""Pictures come in as anything a phone makes and are kept as small JPEGs without a word about where or by what.

What arrives is drawn anew: a file that only looks like a picture never reaches the disk, and place, time and device that
cameras write into their files are left behind.
"""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from litestar import Response
from litestar.datastructures import UploadFile

from survey.storage import photos
from survey.web.site import AnyRequest, Site

FIELD = ".file"  # "<question>.file" is the picture, "<question>" then the digest
LONGEST_SIDE = 1280  # pixels: a meter, a bill or a house front can still be read
QUALITY = 72
MOST_BYTES = 12 * 1024 * 1024
MOST_BYTES_SENT = 160_000  # one picture in a batch: a thin line carries it within the patience of the phone
MOST_PIXELS = 60_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
_drawing = ThreadPoolExecutor(2, thread_name_prefix="survey-photo")
"""So many are drawn at a time: sixty million pixels take 180 MB while they are open."""
NO_PICTURE = "-"  # in the place of the digest: what came was no picture


def small(content: bytes) -> bytes | None:
    """The picture as a small JPEG, upright, without metadata; None when it is none or too large to open."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of bombs, for which our own limit is lower, and of spoilt metadata
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    return None
                picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
                upright = ImageOps.exif_transpose(picture).convert("RGB")
                upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
                out = io.BytesIO()
                upright.save(out, "JPEG", quality=QUALITY, optimize=True)
                return out.getvalue()
    except (
        Exception
    ):  # a spoilt file makes its readers raise anything at all (TypeError, struct.error, EOFError, …)
        return None


def clean(content: bytes) -> bool:
    """Whether this is a picture as an official's phone makes it: a small JPEG in which nothing is said of place or device."""
    from PIL import Image, UnidentifiedImageError

    if len(content) > MOST_BYTES_SENT:
        return False
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as picture:
            picture.load()
            return max(picture.size) <= LONGEST_SIDE and not picture.getexif() and "xmp" not in picture.info
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False


async def taken(request: AnyRequest, keep: Callable[[bytes], Awaitable[str]]) -> dict[str, list[str]]:
    """The pictures of a form, kept, each as the field of its question: nothing is lost when the page has other faults."""
    found: dict[str, list[str]] = {}
    form = await request.form()
    for name in form:
        for file in form.getall(name):
            if not isinstance(file, UploadFile) or not name.endswith(FIELD):
                continue
            content = await file.read(MOST_BYTES + 1)
            if not content:
                continue
            loop = asyncio.get_running_loop()
            picture = (
                await loop.run_in_executor(_drawing, small, content) if len(content) <= MOST_BYTES else None
            )
            found[name.removesuffix(FIELD)] = [await keep(picture) if picture else NO_PICTURE]
    return found


async def of_response(request: AnyRequest, site: Site, response: str) -> dict[str, list[str]]:
    """As `taken`, kept with a response."""

    async def keep(content: bytes) -> str:
        return await site.database.write(photos.keep, response, content)

    return await taken(request, keep)


async def shown(site: Site, response: str, digest: str) -> Response[bytes] | None:
    """A picture of this response as an answer to its own browser; None when it has no such picture."""
    content = await site.database.read(photos.find, response, digest)
    return None if content is None else Response(content, media_type="image/jpeg")
