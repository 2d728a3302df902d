"""How a household stands, by the token of its session: all that one of its pages rests on, found by one statement.

A household's page is the commonest thing a server is asked for. Six questions one after another cost several times what
one does, nearly all of it on the way to the database and back. Rows of which there may be several come as one JSON
document of each table. Measured in tests/benchmarks/serving.py.

When not: for one of these things by itself; `sessions`, `cases`, `responses`, `codes` and `rights` find each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Select, Table, Text, cast, func, select

from survey.fieldwork.cases import Case
from survey.questionnaire.response import Event
from survey.storage import cases, responses, sessions
from survey.storage.clock import now
from survey.storage.responses import ResponseRecord
from survey.storage.rights import Consent
from survey.storage.sessions import Session
from survey.storage.tables import cases as case_rows
from survey.storage.tables import codes as code_rows
from survey.storage.tables import consents as consent_rows
from survey.storage.tables import data_keys
from survey.storage.tables import events as event_rows
from survey.storage.tables import responses as response_rows
from survey.storage.tables import sessions as session_rows
from survey.storage.vault import DataKey, Vault


class Standing(Struct, frozen=True, kw_only=True):
    """A session, its case, and how far the case has come. `record` is the response that the household began itself, if it
    has; `consents` are those of whoever the session is: the household, or the member whose private code it was."""

    session: Session
    case: Case | None = None
    record: ResponseRecord | None = None
    events: list[Event] = []
    earlier: list[Event] = []  # from before the session's code was issued in place of a lost one
    members: frozenset[str] = frozenset()  # who answer by a code of their own
    consents: dict[str, Consent] = {}  # by purpose, the last answer


class _Kept(Struct, frozen=True, array_like=True):
    """An event as it is kept, its document sealed; in the order of `_EVENT`."""

    response: str
    position: int
    id: str
    received_at: int
    document: str


# Not strict: SQLite's JSON knows no truth values of columns.
_records = msgspec.json.Decoder(list[tuple[str, str, str, str, int, int, bool, int]], strict=False)
_consents = msgspec.json.Decoder(list[tuple[str, str, str, bool, str, str, str, int]], strict=False)
_events = msgspec.json.Decoder(list[_Kept])
_members = msgspec.json.Decoder(list[tuple[str]])
_keys = msgspec.json.Decoder(list[DataKey])


def of_session(connection: Connection, digest: str) -> Standing | None:
    """How the household stands whose session this is; None for one that never was, is over or revoked."""
    sent = {"digest": digest, "now": now()}
    row = connection.execute(_statement(connection.dialect.name), sent).one_or_none()
    if row is None:
        return None
    session = sessions.of_row(row)
    if row.id is None:  # an account's
        return Standing(session=session)
    records = [ResponseRecord(*one) for one in _records.decode(row.its_responses or "[]")]
    record = responses.own(sorted(records, key=lambda one: (one.opened_at, one.id)))
    kept = [one for one in _events.decode(row.its_events or "[]") if record and one.response == record.id]
    kept.sort(key=lambda one: one.position)
    vault = Vault(connection, keys=sorted(_keys.decode(row.its_keys or "[]"), key=lambda one: one.id))
    events = responses.read([vault.open(one.document, responses.event_place(one.id)) for one in kept])
    issued = int(session.data.get("sealed", 0))
    member = session.data.get("member", "")
    consents = sorted(
        (Consent(*one) for one in _consents.decode(row.its_consents or "[]")), key=lambda one: one.at
    )
    return Standing(
        session=session,
        case=cases.of_row(row),
        record=record,
        events=events,
        earlier=[event for event, one in zip(events, kept, strict=True) if one.received_at < issued],
        members=frozenset(one for (one,) in _members.decode(row.its_members or "[]")),
        consents={one.purpose: one for one in consents if one.member == member},
    )


@cache
def _statement(dialect: str) -> Select[*tuple[Any, ...]]:
    gathered, array = (
        (func.json_agg, func.json_build_array)
        if dialect == "postgresql"
        else (func.json_group_array, func.json_array)
    )

    def listed(
        label: str, table: Table, fields: Sequence[str], *conditions: ColumnElement[bool]
    ) -> ColumnElement[str]:
        """These fields of all rows of a table for which the conditions hold, as JSON."""
        found = select(cast(gathered(array(*(table.c[name] for name in fields))), Text)).where(*conditions)
        return found.correlate(session_rows).scalar_subquery().label(label)

    case = session_rows.c.subject
    own = response_rows.c.case == case, response_rows.c.mode == "self"
    return (
        select(
            session_rows,
            case_rows,
            listed("its_responses", response_rows, ResponseRecord.__struct_fields__, *own),
            listed(
                "its_events",
                event_rows,
                _Kept.__struct_fields__,
                event_rows.c.response.in_(select(response_rows.c.id).where(*own).correlate(session_rows)),
            ),
            listed("its_members", code_rows, ("member",), code_rows.c.case == case, code_rows.c.member != ""),
            listed("its_consents", consent_rows, Consent.__struct_fields__, consent_rows.c.case == case),
            listed("its_keys", data_keys, DataKey.__struct_fields__),
        )
        .outerjoin_from(session_rows, case_rows, case_rows.c.id == case)
        .where(*sessions.HOLDS)
    )
