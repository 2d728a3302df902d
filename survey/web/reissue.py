"""A household has lost its code: an official gives it a new one, on the spot.

The old code ends with its sessions, and the new one shows nothing that was answered before it: the official who reads
it out cannot read the household's answers with it. Where an interview at the door has been begun, the household goes on
from there by itself, without seeing what was answered before. Every new code is in the audit trail.
"""

from __future__ import annotations

import secrets

import segno
from litestar import Response, get, post
from litestar.params import FromPath
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.access.policy import may
from survey.storage import audit, cases, codes, responses, sessions
from survey.storage.accounts import Account
from survey.web import security
from survey.web.field import actor, find_account, scope
from survey.web.guards import needs
from survey.web.site import AnyRequest, NotYours, SignedIn, Site, check_form, form_of, goto, show, site_of


def _allowed(
    connection: Connection, site: Site, request: AnyRequest, case_id: str
) -> tuple[SignedIn, Account, list[str]]:
    """Who is signed in and the members with private codes; "not yours" and "not there" are the same answer."""
    signed, account = find_account(connection, site, request)
    case = cases.find(connection, case_id)
    if case is None or not may(actor(account), "reissue_code", scope(case)):
        raise NotYours("case")
    return signed, account, sorted(codes.members(connection, case_id))


@get("/field/cases/{case_id:str}/code", guards=[needs("reissue_code")])
async def ask(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """What a new code means, and the button."""
    site = site_of(request)
    signed, _, members = await site.database.read(_allowed, site, request, case_id)
    return show(request, "reissue.html", case=case_id, code="", qr="", members=members, csrf=signed.csrf)


@post("/field/cases/{case_id:str}/code", status_code=200, guards=[needs("reissue_code")])
async def give(request: AnyRequest, case_id: FromPath[str]) -> Response[str]:
    """Make the code, end the one before, and show it, once."""
    site = site_of(request)
    signed, account, members = await site.database.read(_allowed, site, request, case_id)
    form = await form_of(request)
    check_form(site, request, signed, form)
    member = next(iter(form.get("member", ())), "")
    if member and member not in members:
        return goto(f"/field/cases/{case_id}/code")
    code = household_codes.make(secrets.token_bytes(16))
    await site.database.write(_reissue, site, account.name, case_id, code, member)
    qr = segno.make(f"{str(request.base_url).rstrip('/')}/c/{code}", error="m").svg_data_uri(
        scale=4, border=2
    )
    return show(request, "reissue.html", case=case_id, code=code, qr=qr, members=members, csrf=signed.csrf)


def _reissue(connection: Connection, site: Site, account: str, case: str, code: str, member: str) -> None:
    codes.reissue(connection, case, household_codes.digest(code, site.keys.codes), member)
    sessions.revoke_all(connection, security.HOUSEHOLD, case)
    audit.append(connection, f"account:{account}", "code reissued", f"case:{case}")
    cases.lock(connection, case)
    mine = responses.by_case(connection, case)
    begun = next((record for record in mine if record.mode != "self" and not record.submitted), None)
    if begun is not None and not member and all(record.mode != "self" for record in mine):
        responses.carry_over(connection, begun, secrets.token_hex(16), "self", f"household:{case}")
        audit.append(connection, f"account:{account}", "interview handed to the household", f"case:{case}")


HANDLERS = (ask, give)
