"""Households at their phones: they fill the real pages, send again what was not answered, and note what was.

A household believes only a redirect of our own site: a captive portal's 200 is no receipt. Each page has a form id
made by the server; sending the same form again must change nothing. What was acknowledged is written to a list that
survives the server, and is compared with the database afterwards.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import httpx

from survey.synthetic.forms import Form, Page, read_page

NUMBERS = ("2", "3", "30", "1")
SUBMIT = "/survey/submit"


@dataclass(frozen=True)
class Acknowledged:
    """One form for which a redirect of our own came back. `at` is the form's time, which its events carry."""

    case: str
    path: str
    form: str
    fields: tuple[tuple[str, str], ...]

    @property
    def at(self) -> int:
        return int(self.form.replace("-", "")[:12], 16)


@dataclass
class Log:
    """What all households together know."""

    acknowledged: list[Acknowledged] = field(default_factory=list)
    receipts: set[str] = field(default_factory=set)
    sent_again: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    given_up: int = 0


class Household:
    """One case and its code, answering at random through the proxy until `stop`; keeps its cookies between rounds."""

    def __init__(self, case: str, code: str, log: Log, rng: random.Random) -> None:
        self.case, self.code, self.log, self.rng = case, code, log, rng
        self.cookies = httpx.Cookies()
        self.done = False

    async def answer(self, port: int, stop: asyncio.Event) -> None:
        """Go on where the server says, as somebody who opens the site again would."""
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            cookies=self.cookies,
            timeout=20,
            headers={"connection": "close", "accept-encoding": "identity"},
        ) as client:
            while not (stop.is_set() or self.done):
                try:
                    await self._one_page(client)
                except httpx.HTTPError:
                    await asyncio.sleep(0.02)
                self.cookies = client.cookies

    async def _one_page(self, client: httpx.AsyncClient) -> None:
        page = await self._open(client, "/survey")
        if page is None:
            return
        if page.url.endswith("/receipt"):
            self.done = True
            self.log.receipts.add(self.case)
            return
        form = next((form for form in page.forms if form.named("form") and form.method == "post"), None)
        add = next((link for link in page.links if link.endswith("/add")), None)
        if add and (form is None or not _can_go_on(page) or self.rng.random() < 0.5):
            page = await self._open(client, add)
            if page is None:
                return
            form = next((form for form in page.forms if form.named("form")), None)
        if form is not None:
            await self._fill(client, form)

    async def _open(self, client: httpx.AsyncClient, path: str) -> Page | None:
        """Read a page, following redirects; sign in by the code where the way leads to the entrance."""
        for _ in range(8):
            reply = await client.get(path)
            if reply.status_code in (302, 303):
                path = reply.headers["location"]
                continue
            if reply.status_code == 401 or path in ("/", "/code"):
                signed = await client.post("/code", data={"code": self.code})
                if signed.status_code not in (302, 303):
                    return None
                path = "/survey"
                continue
            if reply.status_code != 200 or "Wi-Fi" in reply.text[:60]:
                return None
            return read_page(reply.text, path)
        return None

    async def _fill(self, client: httpx.AsyncClient, form: Form) -> None:
        """Send answers until the server keeps them; mistakes are corrected by saying "I do not know"."""
        for attempt in range(6):
            fields = self._answers(form, cautious=attempt > 1)
            reply = await self._send(client, form.action, fields)
            if reply is None:
                return
            if reply.status_code in (302, 303) and reply.headers["location"].startswith("/survey"):
                if form.action == SUBMIT and not reply.headers["location"].endswith("/receipt"):
                    return  # a form that came late has opened a page again: told so, and not that it is sent
                form_id = next(value for name, value in fields if name == "form")
                self.log.acknowledged.append(Acknowledged(self.case, form.action, form_id, tuple(fields)))
                return
            if reply.status_code == 401:  # signed out: the clock jumped past the end of the session
                return
            if reply.status_code != 422:
                self.log.refused[f"{reply.status_code} {form.action}"] += 1
                return
            corrected = read_page(reply.text, form.action)
            form = next((other for other in corrected.forms if other.named("form")), form)

    async def _send(
        self, client: httpx.AsyncClient, action: str, fields: list[tuple[str, str]]
    ) -> httpx.Response | None:
        """Send one form, the same bytes again while no answer of our own site comes."""
        for tries in range(6):
            self.log.sent_again += tries > 0
            try:
                reply = await client.post(
                    action,
                    content=str(httpx.QueryParams(fields)),
                    headers={"content-type": "application/x-www-form-urlencoded"},
                )
            except httpx.HTTPError:
                await asyncio.sleep(0.02 * 2**tries)
                continue
            if reply.status_code == 200:  # a captive portal: no receipt
                continue
            if reply.status_code == 503:
                await asyncio.sleep(0.1)
                continue
            return reply
        self.log.given_up += 1
        return None

    def _answers(self, form: Form, *, cautious: bool) -> list[tuple[str, str]]:
        fields: list[tuple[str, str]] = []
        unknown = {
            name.removesuffix(".missing") for name in form.names if cautious and name.endswith(".missing")
        }
        for name in dict.fromkeys(control.name for control in form.fields):
            controls = form.named(name)
            kinds = {control.kind for control in controls}
            values = [control.value for control in controls]
            if kinds <= {"hidden"}:
                fields += [(name, value) for value in values]
            elif kinds & {"submit"}:
                fields.append((name, values[0]))
            elif name.endswith(".missing"):
                if cautious:
                    fields.append((name, values[0]))
            elif kinds & {"radio", "checkbox"}:
                special = [value for value in values if value.startswith("-")]
                fields.append((name, special[0] if cautious and special else self.rng.choice(values)))
            elif kinds & {"select"}:
                fields.append(
                    (name, self.rng.choice([value for value in controls[0].options if value] or [""]))
                )
            elif name.endswith(".remark"):
                fields.append((name, "đúng như vậy"))
            elif name not in unknown:
                fields.append((name, "1980" if "year" in name else self.rng.choice(NUMBERS)))
        return fields


def _can_go_on(page: Page) -> bool:
    return any(link.endswith("/remove") for link in page.links)
