"""Who may do what, where: one table, and everything that is not in it is no.

    role           actions                                                        scope
    household      answer, read_own, submit, reopen                               its own case
    official       list_cases, see_case, record_attempt, interview, reissue_code  cases assigned to that person
    supervisor     list_cases, see_case, record_attempt, assign, see_progress,    cases in his or her communes
                   reissue_code, assign_any (the page), decide_quarantine
    manager        see_progress, assign, assign_any, decide_quarantine,           the whole survey; no address, no answer
                   handle_requests, register_breach
    statistician   see_progress, see_release, download_release, see_precision     aggregates only
    auditor        read_audit                                                     the audit log only, which holds no answers
    administrator  manage_accounts                                                accounts only, no case and no answer

An official may interview, but never read answers that were submitted, nor what a household answered by itself.
docs/access.md says route by route what follows from this.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Role = Literal[
    "household", "official", "supervisor", "manager", "statistician", "auditor", "administrator"
]  # fmt: skip
Action = Literal[
    "answer", "read_own", "submit", "reopen", "list_cases", "see_case", "record_attempt", "interview", "assign",
    "see_progress", "see_release", "download_release", "reissue_code", "see_precision", "assign_any", "decide_quarantine",
    "handle_requests", "register_breach", "read_audit", "manage_accounts",
]  # fmt: skip

SECOND_STEP: frozenset[str] = frozenset({"manager", "statistician", "auditor", "administrator"})
"""Roles that sign in by a password and a second step; officials and supervisors work on phones that are theirs."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who asks. `name` is the account's name, for a household the case; `communes` are a supervisor's."""

    role: Role
    name: str
    communes: tuple[str, ...] = ()


class Scope(Struct, frozen=True, kw_only=True):
    """What it is about: one case with its assignee and commune and whether it is finished, or nothing in particular."""

    case: str = ""
    assignee: str = ""
    commune: str = ""
    finished: bool = False


_OWN_CASE: frozenset[Action] = frozenset({"answer", "read_own", "submit", "reopen"})
_ASSIGNED: frozenset[Action] = frozenset({"see_case", "record_attempt", "reissue_code"})
_COMMUNE: frozenset[Action] = frozenset({"see_case", "record_attempt", "assign", "reissue_code"})
_LISTS: dict[Role, frozenset[Action]] = {
    "official": frozenset({"list_cases"}),
    "supervisor": frozenset({"list_cases", "see_progress", "assign_any", "decide_quarantine"}),
    "manager": frozenset(
        {"see_progress", "assign_any", "decide_quarantine", "handle_requests", "register_breach"}
    ),
    "statistician": frozenset({"see_progress", "see_release", "download_release", "see_precision"}),
    "auditor": frozenset({"read_audit"}),
    "administrator": frozenset({"manage_accounts"}),
}


def may(actor: Actor, action: Action, scope: Scope | None = None) -> bool:
    """Whether this actor may do this here. Pure; the default is no."""
    scope = scope or Scope()
    if action in _LISTS.get(actor.role, ()):
        return True
    match actor.role:
        case "household":
            return action in _OWN_CASE and bool(scope.case) and scope.case == actor.name
        case "official":
            mine = bool(scope.case) and scope.assignee == actor.name
            return mine and (action in _ASSIGNED or (action == "interview" and not scope.finished))
        case "supervisor":
            return bool(scope.case) and scope.commune in actor.communes and action in _COMMUNE
        case "manager":
            return bool(scope.case) and action == "assign"
        case _:
            return False
