"""What is asked of this server and how long it takes, and how much of it one network may ask for.

Requests are counted by group of addresses and kind of answer, never by who asked: no address of anybody, no case and no page
of a questionnaire is a label. A network (`security.network_of`) that asks more often than `Settings.requests_a_minute` is
answered 429 with Retry-After and a page that says so, before anything is read for it, until the minute is over. Each server
counts for itself, and forgets with the minute: no other server would miss it. What a page brings along (style, script,
sound) counts neither against the network nor for long, and whoever watches the server is never refused.

When not: against floods from many networks; those are the proxy's to refuse, before they reach Python.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterator
from functools import cache
from typing import Final

import prometheus_client as prometheus
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from survey.problems import Unavailable
from survey.storage.database import Database
from survey.web.security import network_of

MINUTE: Final = 60
GROUPS: Final = {
    "": "entry", "code": "entry", "c": "entry", "stopped": "entry",
    "survey": "household", "stop": "household", "sync": "household",
    "field": "field", "office": "office", "results": "results", "openapi.json": "results",
    "static": "files", "audio": "files", "booklet": "files", "shell": "files", "service-worker.js": "files",
    "healthz": "watch", "readyz": "watch", "metrics": "watch",
}  # fmt: skip
"""The first part of an address, and the group under which it is counted."""
FREE: Final = ("files", "watch")
"""Groups that are not counted against a network."""
SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histogram's intervals."""


class TooMuch(Unavailable):
    """One network asks for more than it may; nothing was done for this request."""

    code = "too_much"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            {
                "vi": "Mạng này đang gửi quá nhiều yêu cầu. Xin thử lại sau một phút.",
                "en": "This network is sending too many requests. Please try again in a minute.",
            },
            retry_after,
        )


class Traffic:
    """The counts of one application. `around` is the middleware that makes them."""

    def __init__(self, database: Database, requests_a_minute: int) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.registry.register(_Kept(database))
        self._took = prometheus.Histogram(
            "survey_request_seconds",
            "Seconds from a request to the end of its answer, by group of addresses.",
            ("group",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answers = prometheus.Counter(
            "survey_requests",
            "Answers, by group of addresses and kind of answer (2xx: as asked, 3xx: elsewhere, 4xx: refused, 5xx: failed).",
            ("group", "answer"),
            registry=self.registry,
        )
        self._refused = prometheus.Counter(
            "survey_requests_refused",
            "Requests of networks that ask too often.",
            registry=self.registry,
        )
        self._under_way = prometheus.Gauge(
            "survey_requests_under_way", "Requests that are being answered.", registry=self.registry
        )
        # Prometheus finds a series by its labels under a lock, each time: there are few, and each is found once.
        self._answers_of, self._took_of = cache(self._answers.labels), cache(self._took.labels)
        self._most = requests_a_minute
        self._minute, self._asked = 0, Tally[int]()

    def figures(self) -> bytes:
        """All counts in Prometheus' text format."""
        return prometheus.generate_latest(self.registry)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The middleware around what answers one address."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            group = GROUPS.get(scope["path"].split("/", 2)[1], "other")
            started, answer = time.perf_counter(), "5xx"

            async def told(message: Message) -> None:
                nonlocal answer
                if message["type"] == "http.response.start":
                    answer = f"{message['status'] // 100}xx"
                await send(message)

            with self._under_way.track_inprogress():
                try:
                    if self._most and group not in FREE:
                        self._admit(scope)
                    await app(scope, receive, told)
                except TooMuch:
                    answer = "4xx"
                    self._refused.inc()
                    raise
                finally:
                    self._answers_of(group, answer).inc()
                    self._took_of(group).observe(time.perf_counter() - started)

        return counted

    def _admit(self, scope: Scope) -> None:
        """Count one request of its network in this minute."""
        now = time.monotonic()
        minute = int(now) // MINUTE
        if minute != self._minute:
            self._minute = minute
            self._asked.clear()
        client = scope.get("client")
        network = hash(network_of(client[0] if client else ""))  # salted by Python: no address is kept
        self._asked[network] += 1
        if self._asked[network] > self._most:
            raise TooMuch(MINUTE - int(now) % MINUTE)


class _Kept(Collector):
    """What the database has kept."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def collect(self) -> Iterator[Metric]:
        database = self.database
        yield CounterMetricFamily("survey_writes", "Writes that are on disk.", database.writes)
        yield CounterMetricFamily("survey_commits", "Transactions that kept them.", database.commits)
        yield GaugeMetricFamily(
            "survey_writes_waiting", "Writes that wait for the next transaction.", database.waiting
        )
        yield GaugeMetricFamily(
            "survey_ready", "1 while answers can be kept.", int(database.condition == "ok")
        )
