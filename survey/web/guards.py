"""What every address declares: who may ask for it. An address that declares nothing opens nothing.

    guards=[open_to_all]              everybody: first page, files of the pages, results
    guards=[halfway]                  between the right password and the second step
    guards=[needs("see_case")]        whose role may do that somewhere (`survey.access.policy`)

The declaration travels with the request, and whoever is found to be asking is held against it (`check`), in the same
transaction in which the session was read. Which case, commune or release it may be is asked of `may` once that is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from survey.access.policy import Action, Role, holds

DECLARED = "survey.declared"
Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]
"""Asynchronous, although none of them waits: Litestar sends any other through a thread, at every request."""


def needs(action: Action) -> Guard:
    """Only for roles that may do this somewhere."""

    async def declared(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        connection.scope[DECLARED] = action  # type: ignore[literal-required]

    declared.action = action  # type: ignore[attr-defined]
    return declared


async def open_to_all(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """For everybody, signed in or not."""


async def halfway(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """For whoever typed the right password a moment ago and has the second step to do."""


def action_of(handler: BaseRouteHandler) -> Action | None:
    """What a role must be able to do to ask for this address; None where no role is asked for."""
    found = [guard.action for guard in handler.guards or () if hasattr(guard, "action")]
    return found[0] if found else None


def allowed(request: Request[Any, Any, Any], role: Role) -> bool:
    """Whether somebody of this role may ask for this address at all."""
    declared = request.scope.get(DECLARED)
    return declared is not None and holds(role, declared)  # type: ignore[arg-type]
