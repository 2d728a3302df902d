"""Who may do what, where: one table (`GRANTS`), and everything that is not in it is no.

    reach        what it covers                                                             who works by it
    case         one response: the household's own case                                     household
    assigned     own cases: those assigned to that person                                   official
    unfinished   own cases whose interview is not complete                                  official
    communes     the cases, and the officials' accounts, of one's communes                  supervisor
    province     every case of the survey, whose territory is one province                  manager
    page         a page that shows what the other grants of the role cover, and no more     official, supervisor, manager
    aggregates   counts, shares and released figures; no case                               supervisor to statistician
    log          the audit log, which holds no answers                                      auditor
    accounts     accounts; no case, no answer                                               administrator
    self         one's own account and its sessions                                         every account

An official may interview, but never read answers that were submitted, nor what a household answered by itself.
A manager sees answers only where two responses of one household contradict (`reconcile`), without an address.
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
    "handle_requests", "register_breach", "read_audit", "manage_accounts", "keep_account", "let_in",
    "review", "reconcile", "ask_again",
]  # fmt: skip

SECOND_STEP: frozenset[str] = frozenset({"manager", "statistician", "auditor", "administrator"})
"""Roles that sign in by a password and a second step; officials and supervisors work on phones that are theirs."""


class Actor(Struct, frozen=True, kw_only=True):
    """Who asks. `name` is the account's name, for a household the case; `communes` are a supervisor's."""

    role: Role
    name: str
    communes: tuple[str, ...] = ()


class Scope(Struct, frozen=True, kw_only=True):
    """What it is about: one case with its assignee and commune and whether it is finished, an account with a commune of
    its, or nothing in particular."""

    case: str = ""
    assignee: str = ""
    commune: str = ""
    finished: bool = False
    account: str = ""


Reach = Literal[
    "case", "assigned", "unfinished", "communes", "province", "page", "aggregates", "log", "accounts", "self"
]  # fmt: skip
GRANTS: dict[Role, dict[Action, Reach]] = {
    "household": {"answer": "case", "read_own": "case", "submit": "case", "reopen": "case"},
    "official": {
        "list_cases": "page", "see_case": "assigned", "record_attempt": "assigned", "reissue_code": "assigned",
        "interview": "unfinished", "ask_again": "assigned", "keep_account": "self",
    },
    "supervisor": {
        "list_cases": "page", "assign_any": "page", "decide_quarantine": "page", "review": "page",
        "see_progress": "aggregates",
        "see_case": "communes", "record_attempt": "communes", "assign": "communes", "reissue_code": "communes",
        "let_in": "communes", "keep_account": "self",
    },
    "manager": {
        "assign_any": "page", "decide_quarantine": "page", "handle_requests": "page", "register_breach": "page",
        "review": "page", "reconcile": "page", "see_progress": "aggregates", "assign": "province",
        "keep_account": "self",
    },
    "statistician": {
        "see_progress": "aggregates", "see_release": "aggregates", "download_release": "aggregates",
        "see_precision": "aggregates", "keep_account": "self",
    },
    "auditor": {"read_audit": "log", "keep_account": "self"},
    "administrator": {"manage_accounts": "accounts", "keep_account": "self"},
}  # fmt: skip


def holds(role: Role, action: Action) -> bool:
    """Whether this role may do this anywhere: what an address can ask before it knows what it is about."""
    return action in GRANTS[role]


def may(actor: Actor, action: Action, scope: Scope | None = None) -> bool:
    """Whether this actor may do this here. Pure; the default is no."""
    scope = scope or Scope()
    match GRANTS[actor.role].get(action):
        case "case":
            return bool(scope.case) and scope.case == actor.name
        case "assigned":
            return bool(scope.case) and scope.assignee == actor.name
        case "unfinished":
            return bool(scope.case) and scope.assignee == actor.name and not scope.finished
        case "communes":
            return bool(scope.case or scope.account) and scope.commune in actor.communes
        case "province":
            return bool(scope.case)
        case "page" | "aggregates" | "log" | "accounts":
            return True
        case "self":
            return scope.account == actor.name
        case _:
            return False
