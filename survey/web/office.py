"""A statistician: progress and the release's files, aggregates only."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import File
from sqlalchemy import Connection

from survey.access.policy import may
from survey.storage import audit, tallies
from survey.storage.accounts import Account
from survey.web import security, supervision
from survey.web.field import actor, find_account
from survey.web.guards import needs
from survey.web.site import AnyRequest, NotYours, SignedIn, Site, language_of, show, site_of
from survey.web.words import number, word

STATES = ("waiting", "visited", "started", "complete", "closed")


@dataclass(frozen=True)
class Line:
    """One commune's progress, or the total."""

    name: str
    cases: str
    counts: tuple[str, ...]
    share: str


def _find(connection: Connection, site: Site, request: AnyRequest) -> tuple[SignedIn, Account]:
    signed, account = find_account(connection, site, request)
    if not may(actor(account), "see_progress"):
        raise NotYours(security.ACCOUNT)
    return signed, account


@get("/office", guards=[needs("see_progress")])
async def progress(request: AnyRequest) -> Response[str]:
    """How far the field work is, by commune, and what has been released."""
    site = site_of(request)
    signed, account = await site.database.read(_find, site, request)
    await asyncio.to_thread(tallies.refresh, site.database, tallies.PATIENCE)
    lines = await site.database.read(tallies.progress, supervision.communes_of(account))
    language = language_of(request)
    total = {state: sum(getattr(line, state) for line in lines) for state in STATES}
    rows = [_line(language, word(language, "office.total"), total)]
    for line in lines:
        area = site.areas.get(line.commune)
        rows.append(
            _line(
                language,
                area.name if area else line.commune,
                {state: getattr(line, state) for state in STATES},
            )
        )
    files = _files(site) if may(actor(account), "see_release") else []
    return show(
        request,
        "office.html",
        rows=rows,
        states=STATES,
        behind=await site.database.read(tallies.behind),
        files=[(path.name, _size(language, path)) for path in files],
        **supervision.frame(request, signed, account),
    )


def _line(language: str, name: str, counts: dict[str, int]) -> Line:
    all_cases = sum(counts.values())
    share = f"{number(language, round(100 * counts['complete'] / all_cases))} %" if all_cases else ""
    return Line(name, number(language, all_cases), tuple(number(language, counts[s]) for s in STATES), share)


def _files(site: Site) -> list[Path]:
    folder = site.settings.results
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder and folder.is_dir() else []


def _size(language: str, path: Path) -> str:
    return f"{number(language, round(path.stat().st_size / 1024, 1))} KB"


@get("/office/files/{name:str}", guards=[needs("download_release")])
async def download(request: AnyRequest, name: FromPath[str]) -> File:
    """One file of the release; each download is in the audit log."""
    site = site_of(request)
    _, account = await site.database.read(_find, site, request)
    found = {path.name: path for path in _files(site)}
    if name not in found or not re.fullmatch(r"[\w.-]+", name) or not may(actor(account), "download_release"):
        raise NotYours("case")
    await site.database.write(audit.append, f"account:{account.name}", "download", f"release:{name}")
    return File(found[name], filename=name)


HANDLERS = (progress, download)
