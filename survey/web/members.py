"""A member of a household answers alone: a code of one's own for the pages about oneself.

From then on the household's code neither shows nor changes that part, nor can it make another code for it; only an
official can, and such a code shows nothing answered before.
"""

from __future__ import annotations

import secrets

from litestar import Response, get, post
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.storage import audit, cases, codes
from survey.web.guards import needs
from survey.web.household import BASE, Here, here_of, members_alone
from survey.web.site import AnyRequest, Site, check_form, form_of, goto, language_of, show
from survey.web.words import word

PAGE = f"{BASE}/private"


@get(PAGE, guards=[needs("answer")])
async def choose(request: AnyRequest) -> Response[str]:
    """Who wants to answer alone, and what that means."""
    here = await here_of(request)
    if here.over or here.member:
        return goto(BASE)
    return _choose(request, here)


def _choose(request: AnyRequest, here: Here, error: str = "") -> Response[str]:
    return show(
        request,
        "private.html",
        422 if error else 200,
        members=members_alone(here.interview),
        error=error,
        code="",
        action=PAGE,
        back=BASE,
        csrf=here.signed.csrf,
    )


@post(PAGE, status_code=200, guards=[needs("answer")])
async def give(request: AnyRequest) -> Response[str]:
    """Make the code and show it, once."""
    here = await here_of(request)
    form = await form_of(request)
    check_form(here.site, request, here.signed, form)
    members = members_alone(here.interview)
    row = next(iter(form.get("member", ())), "")
    if here.over or here.member:
        return goto(BASE)
    if row not in members:
        return _choose(request, here, word(language_of(request), "private.needed"))
    code = household_codes.make(secrets.token_bytes(16))
    if not await here.site.database.write(_issue, here.site, here.case.id, row, code):
        return goto(PAGE)
    return show(
        request,
        "private.html",
        members={row: members[row]},
        error="",
        code=code,
        action="/code",
        back=BASE,
        csrf="",
    )


def _issue(connection: Connection, site: Site, case: str, row: str, code: str) -> bool:
    """False when the member has a code already: two presses of a button make one."""
    cases.lock(connection, case)
    if row in codes.members(connection, case):
        return False
    codes.issue(connection, [(case, household_codes.digest(code, site.keys.codes))], row)
    audit.append(connection, f"household:{case}", "private code made", f"case:{case}")
    return True


HANDLERS = (choose, give)
