"""The answer to "may this person do that here" is no unless the table says yes."""

from itertools import product
from typing import get_args

from survey.access.policy import GRANTS, Action, Actor, Role, Scope, holds, may

ROLES, ACTIONS = get_args(Role), get_args(Action)


def test_nobody_may_anything_on_a_case_that_is_not_theirs() -> None:
    foreign = Scope(case="B", assignee="other", commune="10999")
    general = {
        "list_cases", "see_progress", "see_release", "download_release", "see_precision", "assign_any",
        "decide_quarantine", "handle_requests", "register_breach", "read_audit", "manage_accounts", "review",
        "reconcile",
    }  # fmt: skip
    for role, action in product(ROLES, ACTIONS):
        if (role, action) == ("manager", "assign"):
            continue  # the manager's own is the whole survey
        actor = Actor(role=role, name="A", communes=("10507",))
        assert may(actor, action, foreign) is (action in general and may(actor, action))
        assert may(actor, action, foreign) <= holds(role, action)


def test_a_household_answers_for_itself_and_sees_no_list() -> None:
    household = Actor(role="household", name="A")
    assert all(
        may(household, action, Scope(case="A")) for action in ("answer", "read_own", "submit", "reopen")
    )
    assert not any(may(household, action) for action in ACTIONS)


def test_an_official_works_own_cases_but_not_finished_answers() -> None:
    official = Actor(role="official", name="lan")
    mine = Scope(case="A", assignee="lan", commune="10507")
    assert may(official, "interview", mine)
    assert not may(official, "interview", Scope(case="A", assignee="lan", commune="10507", finished=True))
    assert not may(official, "read_own", mine)
    assert not may(official, "see_release")


def test_a_statistician_sees_aggregates_and_no_case() -> None:
    statistician = Actor(role="statistician", name="minh")
    assert may(statistician, "see_release")
    assert not may(statistician, "see_case", Scope(case="A", assignee="minh", commune="10507"))


def test_a_manager_hands_cases_over_and_sees_no_address_and_no_answer() -> None:
    manager, case = Actor(role="manager", name="hoa"), Scope(case="A", assignee="lan", commune="10507")
    assert may(manager, "assign", case)
    assert may(manager, "handle_requests")
    assert not any(
        may(manager, action, case) for action in ("see_case", "interview", "read_own", "reissue_code")
    )


def test_an_auditor_reads_the_log_and_an_administrator_the_accounts_and_nothing_else() -> None:
    for role, only in (("auditor", "read_audit"), ("administrator", "manage_accounts")):
        actor = Actor(role=role, name="A", communes=("10507",))  # type: ignore[arg-type]
        own = Scope(case="A", assignee="A", commune="10507")
        assert {action for action in ACTIONS if may(actor, action, own)} == {only}
        assert may(actor, "keep_account", Scope(account="A"))
        assert not may(actor, "keep_account", Scope(account="B"))


def test_a_supervisor_lets_officials_of_his_communes_in_and_nobody_else() -> None:
    supervisor = Actor(role="supervisor", name="binh", communes=("10507",))
    assert may(supervisor, "let_in", Scope(account="an", commune="10507"))
    assert not may(supervisor, "let_in", Scope(account="an", commune="10510"))
    assert not may(supervisor, "let_in")


def test_every_action_is_somebodys_and_only_accounts_keep_themselves() -> None:
    assert {action for row in GRANTS.values() for action in row} == set(ACTIONS)
    assert set(GRANTS) == set(ROLES)
    assert [role for role in ROLES if not holds(role, "keep_account")] == ["household"]
