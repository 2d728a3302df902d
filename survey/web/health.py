"""What the machine that watches the server asks: is it alive, can it keep answers, how is it doing.

    /healthz   200 while the process answers at all; the service manager restarts it otherwise
    /readyz    200 when the database can be read and the last write was kept; 503 with the reason otherwise
    /metrics   figures in Prometheus' text format, only where `survey serve --metrics` asked for them

Figures count writes and requests, never people (`survey.web.traffic`): nothing here tells who answered what.
"""

from __future__ import annotations

from litestar import Response, get
from litestar.exceptions import NotFoundException

from survey.problems import SurveyError
from survey.storage.database import ping
from survey.web.guards import open_to_all
from survey.web.site import AnyRequest, site_of

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@get("/healthz", sync_to_thread=False, guards=[open_to_all])
def alive() -> Response[str]:
    """The process answers."""
    return Response("ok\n", media_type="text/plain")


@get("/readyz", guards=[open_to_all])
async def ready(request: AnyRequest) -> Response[str]:
    """Whether a load balancer may send households here, and if not, why."""
    database = site_of(request).database
    try:
        await database.read(ping)
    except SurveyError:
        return Response(f"{database.condition}\n", media_type="text/plain", status_code=503)
    return Response(
        f"{database.condition}\n",
        media_type="text/plain",
        status_code=200 if database.condition == "ok" else 503,
    )


@get("/metrics", sync_to_thread=False, guards=[open_to_all])
def metrics(request: AnyRequest) -> Response[bytes]:
    """Counters of this process since it started."""
    site = site_of(request)
    if not site.settings.metrics:
        raise NotFoundException
    return Response(site.traffic.figures(), headers={"content-type": TEXT})


HANDLERS = [alive, ready, metrics]
