"""From sample to verdict in one command, on an invented province: what `make demo` and `survey demo` run.

Every step is the one a real survey takes, by the same functions and files: frame, draw, letters with codes, answers
online and at the door, frozen file, weights, estimates, verdicts, site. Some households answer through the web
application itself, form by form; the others through the same routing, checks and storage without the pages.
"""

from __future__ import annotations

import asyncio
import csv
import datetime
import json
import multiprocessing
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Connection

from survey import draw, loading, publish
from survey.app import create_app
from survey.fieldwork.areas import areas
from survey.fieldwork.cases import Attempt
from survey.folder import Folder
from survey.freeze import freeze
from survey.letters import write_letters
from survey.problems import Conflict
from survey.publication import terminal
from survey.questionnaire.response import Event
from survey.serving import serve as serve_app
from survey.settings import Settings
from survey.storage import cases, responses
from survey.storage.database import Database
from survey.synthetic import LABEL
from survey.synthetic.behaviour import FIELDWORK, OUTCOMES, Fieldwork, play
from survey.synthetic.files import dwellings_of, ea_codes, write_frame, write_listing
from survey.synthetic.forms import Page, read_page
from survey.synthetic.interviewing import Household, Mode, Reader, Sampled, answer_all
from survey.synthetic.people import EA_COUNT, Commune, Province, make
from survey.synthetic.truth import Truth, truth, write_beside, write_census, write_population

SURVEY = Path(__file__).resolve().parent.parent / "questionnaires" / "haiduong-digital-society"
if not SURVEY.is_dir():  # installed as a wheel
    SURVEY = Path(__file__).resolve().parent / "_questionnaires" / "haiduong-digital-society"
ONLINE_PAGES, DOOR_PAGES = 24, 10
"""Households that answer through the real pages, by themselves and with an official."""
OFFICIAL, STATISTICIAN = "canbo", "thongke"
DAY = 86_400_000


@dataclass(frozen=True)
class Demonstration:
    """What a demonstration left behind: the release, the truth it is held against, and where everything lies."""

    release: publish.Release
    truth: Truth
    out: Path
    seconds: dict[str, float]


def run(
    seed: int = 2025,
    out: Path = Path("out/demo"),
    serve: bool = True,
    port: int = 8000,
    *,
    areas_in_province: int = EA_COUNT,
    psus: int | None = None,
    on_pages: tuple[int, int] = (ONLINE_PAGES, DOOR_PAGES),
    console: Console | None = None,
) -> Demonstration:
    """Play a whole survey of an invented province and leave its files in `out`; then serve it, unless told not to.

    A folder that an earlier demonstration left is replaced; anything else there is an error. `areas_in_province`,
    `psus` and `on_pages` (households that answer on the real pages: by themselves, at the door) make a smaller one
    for tests. The same seed makes the same province, sample, answers and figures; only
    codes and passwords differ.
    """
    console = console or Console()
    console.print(f"[bold]{LABEL['vi']}[/]\n{LABEL['en']}")
    _clear(out)
    stage = _Stage(console)
    with stage:
        with stage("Dựng tỉnh mô phỏng · Inventing the province"):
            folder = _folder(out / "folder", seed, psus)
            communes = [
                Commune(code=area.code, name=area.name, urban=area.urban_rural == "urban")
                for area in areas(folder.areas)
            ]
            province = make(
                communes, seed, areas=areas_in_province, year=(_today() - datetime.timedelta(25)).year
            )
            write_population(province, folder.analysis, folder.path)
            write_beside(province, folder.path)
            write_census(province, folder.analysis, folder.path)
            folder = Folder.read(folder.path)
            true = truth(province, folder.analysis, {area["code"]: area for area in folder.areas})
        with stage("Chọn mẫu hai giai đoạn · Drawing the sample"):
            sample = _draw(province, folder, out, seed)
        with stage("Nạp mẫu, cấp mã cho hộ · Loading cases, issuing codes"):
            database_url, passwords = _load(folder, out, sample)
        with Database.open(database_url) as database:
            fieldwork = _Fieldwork(province, folder, sample, database, database_url, out, seed, on_pages)
            with fieldwork.others_meanwhile() as others:
                with stage("Hộ trả lời trên trang thật · Households answer on the real pages"):
                    fieldwork.play_pages(passwords[OFFICIAL], stage.advance)
                with stage("Các hộ còn lại, trên mạng và tại nhà · The others, online and at the door"):
                    fieldwork.keep(others, stage.advance)
            with stage("Đóng băng số liệu · Freezing the sample"):
                freeze(database, folder, out / "frozen")
        with stage("Gia quyền, ước lượng, kết luận · Weighting, estimating, deciding"):
            release = publish.release(folder, out / "frozen", out / "release", truth=true)
        (out / "truth.json").write_text(
            json.dumps(true, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
        )
    terminal.show(release, console)
    _index(out, console)
    found = Demonstration(release, true, out, stage.seconds)
    if serve:
        _serve(folder, database_url, out, port, passwords, fieldwork.spare, console)
    return found


# --- stages ----------------------------------------------------------------------------------------------------------


class _Stage:
    """The progress bar: one line a stage; it moves within a stage where the number of steps is known."""

    def __init__(self, console: Console) -> None:
        self.seconds: dict[str, float] = {}
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)

    def __enter__(self) -> _Stage:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, title: str) -> _Stage._Open:
        return self._Open(self, title)

    def advance(self, done: int, of: int) -> None:
        self._progress.update(self._task, completed=done, total=of)

    class _Open:
        def __init__(self, stage: _Stage, title: str) -> None:
            self.stage, self.title = stage, title

        def __enter__(self) -> None:
            self.started = time.monotonic()
            self.stage._task = self.stage._progress.add_task(self.title, total=None)

        def __exit__(self, *_: object) -> None:
            self.stage.seconds[self.title] = time.monotonic() - self.started
            self.stage._progress.update(self.stage._task, completed=1, total=1)


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _clear(out: Path) -> None:
    marker = out / "SYNTHETIC.txt"
    if out.exists() and any(out.iterdir()):
        if not marker.exists():
            raise Conflict(
                {
                    "vi": f"Thư mục {out} có tệp không phải của lần chạy thử trước. Hãy chọn --out khác.",
                    "en": f"The folder {out} holds files that no demonstration left. Choose another --out.",
                }
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"{LABEL['vi']}\n{LABEL['en']}\n", encoding="utf-8")


def _folder(path: Path, seed: int, psus: int | None) -> Folder:
    """A copy of the Hải Dương folder, marked as synthetic, open today, with the organiser's gaps filled in."""
    shutil.copytree(SURVEY, path)
    today = _today()
    days = {"reference": -10, "web_opens": -25, "visits_open": -15, "closes": 30}
    file = path / "survey.yaml"
    text = file.read_text(encoding="utf-8")
    for name, offset in days.items():
        text = re.sub(rf'(  {name}: )"[^"]*"', rf'\g<1>"{today + datetime.timedelta(offset)}"', text)
    text = re.sub(r'vi: "\[(.*?)\]"', r'vi: "Mô phỏng: \1"', text)
    text = re.sub(r'en: "\[(.*?)\]"', r'en: "Synthetic: \1"', text)
    if psus is not None:
        text = re.sub(r"(  psus: )\d+", rf"\g<1>{psus}", text)
    file.write_text(text, encoding="utf-8")
    return Folder.read(path)


def _draw(province: Province, folder: Folder, out: Path, seed: int) -> draw.Sample:
    """Stage one from the frame, a listing of the drawn areas, then stage two: as in the field."""
    columns = folder.plan.frame
    frame, listing, target = out / "frame.csv", out / "listing.csv", out / "sample"
    write_frame(province, frame, columns)
    first = draw.sample(folder, frame, None, target, seed)
    place = {code: number for number, code in enumerate(ea_codes(province))}
    write_listing(province, listing, columns, sorted(place[area.unit.psu] for area in first.areas))
    return draw.sample(folder, frame, listing, target, seed)


def _load(folder: Folder, out: Path, sample: draw.Sample) -> tuple[str, dict[str, str]]:
    database_url = f"sqlite:///{out / 'survey.sqlite'}"
    quiet = Console(quiet=True)
    loading.load_sample(
        folder, out / "sample", database_url, out / "codes.csv", synthetic=True, console=quiet
    )
    communes = sorted({unit.commune for unit in sample.units})[:2]
    passwords = {OFFICIAL: loading.make_password(), STATISTICIAN: loading.make_password()}
    loading.create_account(
        database_url, OFFICIAL, "official", communes, password=passwords[OFFICIAL], console=quiet
    )
    loading.create_account(
        database_url, STATISTICIAN, "statistician", password=passwords[STATISTICIAN], console=quiet
    )
    return database_url, passwords


# --- the field work --------------------------------------------------------------------------------------------------


_worker: tuple[Sampled, Folder, Fieldwork, list[Any], datetime.date] | None = None


class _Fieldwork:
    """What behaviour decided for the sample, played: some on the pages, the others in bulk."""

    def __init__(
        self,
        province: Province,
        folder: Folder,
        sample: draw.Sample,
        database: Database,
        database_url: str,
        out: Path,
        seed: int,
        on_pages: tuple[int, int],
    ) -> None:
        self.folder, self.database, self.database_url, self.out = folder, database, database_url, out
        self.units = list(sample.units)
        dwellings = dwellings_of(province, [unit.household for unit in self.units])
        self.sampled = Sampled.of(province, dwellings)
        drawn = np.array(
            [self.sampled.drawn(place, unit.respondent_draw) for place, unit in enumerate(self.units)]
        )
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, FIELDWORK])))
        self.happened = play(province, dwellings, drawn, rng)
        with (out / "codes.csv").open(encoding="utf-8", newline="") as file:
            self.codes = {row["case"]: row["code"] for row in csv.DictReader(file)}
        self.today = _today()
        self.official_cases = set(self._assigned())
        online = np.flatnonzero(self.happened.online).tolist()
        visited = np.flatnonzero(self.happened.complete & ~self.happened.online).tolist()
        self.on_pages = online[: on_pages[0]]
        self.at_the_door = [place for place in visited if self.units[place].case in self.official_cases][
            : on_pages[1]
        ]
        unanswered = np.flatnonzero(~self.happened.complete & (province.size[dwellings] > 0)).tolist()
        # One household that never answered keeps its code for whoever looks at the demonstration.
        self.spare = self.codes[self.units[unanswered[0]].case] if unanswered else ""

    def _assigned(self) -> Iterator[str]:
        with self.database.reading() as connection:
            yield from (case.id for case in cases.assigned_to(connection, OFFICIAL))

    def household(self, place: int) -> Household:
        return Household(self.sampled, place, self.folder.questionnaire)

    # on the real pages

    def play_pages(self, password: str, advance: Callable[[int, int], None]) -> None:
        settings = Settings(folder=self.folder.path, database=self.database_url, requests_a_minute=0)
        app = create_app(settings, self.database)
        asyncio.run(self._pages(app, password, advance))

    async def _pages(self, app: Any, password: str, advance: Callable[[int, int], None]) -> None:
        total = len(self.on_pages) + len(self.at_the_door)
        for done, place in enumerate(self.on_pages):
            async with _browser(app) as client:
                await _send(client, "GET", "/", [])
                code = self.codes[self.units[place].case]
                page = await _send(client, "POST", "/code", [("code", code)])
                await self._answer(client, place, page)
            advance(done + 1, total)
        async with _browser(app) as client:
            await _send(client, "POST", "/field/sign-in", [("name", OFFICIAL), ("password", password)])
            for done, place in enumerate(self.at_the_door):
                case = f"/field/cases/{self.units[place].case}"
                page = await _send(client, "GET", case, [])
                form = next(form for form in page.forms if form.action.endswith("/interview"))
                await self._answer(client, place, await _send(client, "POST", form.action, form.untouched()))
                advance(len(self.on_pages) + done + 1, total)

    async def _answer(self, client: httpx.AsyncClient, place: int, page: Page) -> None:
        loop = asyncio.get_running_loop()

        def send(method: str, url: str, fields: list[tuple[str, str]]) -> Page:
            return asyncio.run_coroutine_threadsafe(_send(client, method, url, fields), loop).result(60)

        reader = Reader(self.household(place), send)
        last = await asyncio.to_thread(reader.answer, page)
        if not last.url.endswith(("/receipt", "/submit")):
            raise AssertionError(f"the household stopped at {last.url}: {last.text[:300]}")

    # the others

    @contextmanager
    def others_meanwhile(self) -> Iterator[Iterator[list[_Played]]]:
        """Interview all who do not answer on the pages, in processes of their own; yields batches as they come."""
        skip = set(self.on_pages) | set(self.at_the_door)
        places = [place for place in range(len(self.units)) if place not in skip]
        chunks = [places[start : start + 40] for start in range(0, len(places), 40)]
        state = (self.sampled, self.folder, self.happened, self.units, self.today)
        # Forked before the application's threads exist; started afresh where there is no fork.
        fork = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
        with ProcessPoolExecutor(
            2, multiprocessing.get_context(fork), initializer=_prepare, initargs=(state,)
        ) as pool:
            try:
                yield pool.map(_interviews, chunks)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def keep(self, others: Iterator[list[_Played]], advance: Callable[[int, int], None]) -> None:
        """Keep what the others said, in the order of the sample."""
        done, total = 0, len(self.units) - len(self.on_pages) - len(self.at_the_door)
        for batch in others:
            with self.database.writing() as connection:
                _keep(connection, batch, self.folder.questionnaire.version)
            done += len(batch)
            advance(done, total)


@dataclass(frozen=True)
class _Played:
    """Everything that happened at one sampled household."""

    case: str
    interviews: tuple[tuple[str, Mode, tuple[Event, ...]], ...]
    attempts: tuple[Attempt, ...]


def _prepare(state: tuple[Sampled, Folder, Fieldwork, list[Any], datetime.date]) -> None:
    global _worker
    _worker = state


def _interviews(places: list[int]) -> list[_Played]:
    assert _worker is not None
    sampled, folder, happened, units, today = _worker
    return [_one(sampled, folder, happened, units[place], place, today) for place in places]


def _one(
    sampled: Sampled, folder: Folder, happened: Fieldwork, unit: Any, place: int, today: datetime.date
) -> _Played:
    """The web answers, visits and interview of one household, at seeded times of the last weeks."""
    rng = np.random.Generator(np.random.PCG64([sampled.seed, 11, place]))
    household = Household(sampled, place, folder.questionnaire)
    noon = int(datetime.datetime.combine(today, datetime.time(5), datetime.UTC).timestamp() * 1000)
    interviews: list[tuple[str, Mode, tuple[Event, ...]]] = []
    attempts: list[Attempt] = []
    if happened.online[place] or happened.broke_off[place]:
        at = noon - int(rng.integers(15, 25)) * DAY + int(rng.integers(0, DAY // 3))
        until = 1.0 if happened.online[place] else 0.5
        response = f"{unit.case}-w"
        author = f"household:{unit.case}"
        events = answer_all(
            household, folder.questionnaire, response, author, "self", unit.respondent_draw, at, until
        )
        interviews.append((response, "self", tuple(events)))
    outcome = OUTCOMES[happened.outcome[place]]
    days = sorted(rng.choice(np.arange(1, 14), size=int(happened.visits[place]), replace=False), reverse=True)
    for number, day in enumerate(days, start=1):
        at = noon - int(day) * DAY + int(rng.integers(0, DAY // 3))
        last = number == len(days)
        # An address that cannot be found is not found each time; elsewhere the first visits met nobody.
        word = outcome if last or outcome == "not_located" else "nobody_home"
        official = f"canbo-{unit.commune}"
        attempts.append(
            Attempt(
                id=f"{unit.case}-{number}", case=unit.case, at=at, author=official, mode="visit", outcome=word
            )
        )
        if last and outcome == "interviewed":
            response = f"{unit.case}-v"
            events = answer_all(
                household,
                folder.questionnaire,
                response,
                official,
                "visit",
                unit.respondent_draw,
                at + 60_000,
            )
            interviews.append((response, "visit", tuple(events)))
    return _Played(unit.case, tuple(interviews), tuple(attempts))


def _keep(connection: Connection, batch: list[_Played], version: str) -> None:
    opened = [(response, played.case, mode) for played in batch for response, mode, _ in played.interviews]
    responses.open_all(connection, opened, version)
    cases.record_attempts(connection, [attempt for played in batch for attempt in played.attempts])
    responses.append(
        connection, [event for played in batch for _, _, events in played.interviews for event in events]
    )


# --- a browser without a window ---------------------------------------------------------------------------------------


def _browser(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://demo.local", follow_redirects=True
    )


async def _send(client: httpx.AsyncClient, method: str, url: str, fields: list[tuple[str, str]]) -> Page:
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    answer = await client.request(method, url, data=data or None)
    if answer.status_code not in (200, 422):
        raise AssertionError(f"{method} {url} answered {answer.status_code}")
    return read_page(answer.text, answer.url.path)


# --- what is left behind ----------------------------------------------------------------------------------------------


FILES = (
    ("folder/", "phiếu hỏi, kế hoạch, dân số", "questionnaire, plans, population"),
    ("frame.csv listing.csv", "dàn mẫu, bảng kê hộ", "frame and household listing"),
    ("sample/", "mẫu đã chọn", "the sample drawn"),
    ("codes.csv", "mã của từng hộ", "household codes"),
    ("survey.sqlite", "cơ sở dữ liệu", "the database"),
    ("frozen/", "số liệu đóng băng (Parquet)", "frozen answers (Parquet)"),
    (
        "release/",
        "ước lượng, quyền số; site/ là trang kết quả",
        "estimates, weights; site/ is the results site",
    ),
    ("truth.json", "đáp số của tỉnh mô phỏng", "what the invented province holds"),
)
"""What a demonstration leaves behind."""


def _index(out: Path, console: Console) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    lines = [LABEL["vi"], LABEL["en"], ""]
    for name, vi, en in FILES:
        table.add_row(name, f"{vi} · [dim]{en}[/]")
        lines.append(f"{name:24}{vi} · {en}")
    (out / "SYNTHETIC.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print(f"[bold]Tệp · Files[/] {out}/")
    console.print(table)


def _serve(
    folder: Folder,
    database_url: str,
    out: Path,
    port: int,
    passwords: dict[str, str],
    code: str,
    console: Console,
) -> None:
    port = _free(port)
    home = f"http://127.0.0.1:{port}"
    count = write_letters(folder, _some_codes(out, code), home, out / "letters.pdf", synthetic=True)
    console.print(
        f"\n[bold]Mở · Open[/] {home}/results/\n"
        f"  Hộ · household        {home}/               mã · code  [bold]{code}[/]\n"
        f"  Cán bộ · official     {home}/field          {OFFICIAL}  [bold]{passwords[OFFICIAL]}[/]\n"
        f"  Thống kê · statistics {home}/office         {STATISTICIAN}  [bold]{passwords[STATISTICIAN]}[/]\n"
        f"  Thư có mã QR · letters with QR: {out / 'letters.pdf'} ({count})\n"
        "  Dừng · stop: Ctrl+C",
        soft_wrap=True,
    )
    serve_app(folder.path, database_url, "127.0.0.1", port, out / "release", second_step=False)


def _some_codes(out: Path, code: str) -> Path:
    """The first lines of the codes file, and the one that was just printed: letters to look at."""
    lines = (out / "codes.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [lines[0], *(line for line in lines[1:] if code in line), *lines[1:6]]
    path = out / "codes-to-look-at.csv"
    path.touch(mode=0o600)
    path.write_text("".join(dict.fromkeys(chosen)), encoding="utf-8")
    return path


def _free(port: int) -> int:
    """This port of the loopback address, or the next one that nobody uses."""
    for candidate in range(port, port + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", candidate)) != 0:
                return candidate
    return secrets.randbelow(10_000) + 50_000
