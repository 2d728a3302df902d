"""The statements of the hottest path, written as SQL, in which all rows travel as one JSON document.

Why one document: the thread that writes shares the interpreter with the one that serves requests. Each row that is
bound, sent or fetched by itself gives the interpreter away, and gets it back milliseconds later on a busy server;
one document is unpacked by the database while Python serves others. It also makes one statement of every number of
rows, so that it is compiled and prepared once. Measured in tests/benchmarks/ingestion.py.

When not: anywhere else. Ordinary statements are written with SQLAlchemy's expressions, once for both databases.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select, text

from survey.storage.tables import events

_LOCKED = 'id, "case", events, last_position, submitted, chain'

LOCK: Final = {
    # SQLite's writer has the whole database locked; one row comes back, not one a response.
    "sqlite": text(
        f"SELECT json_group_array(json_array({_LOCKED})) FROM responses"
        " WHERE id IN (SELECT value FROM json_each(:ids))"
    ),
    "postgresql": text(
        f"SELECT CAST(coalesce(json_agg(json_build_array({_LOCKED})), '[]') AS text) FROM ("
        f"SELECT {_LOCKED} FROM responses"
        " WHERE id = ANY (ARRAY(SELECT json_array_elements_text(CAST(:ids AS json)))) ORDER BY id FOR UPDATE"
        ") AS locked"
    ),
}
"""ids: JSON list → one JSON list of the responses with these ids, locked in the order of their ids."""

INSERT: Final = {
    "sqlite": text(
        "INSERT INTO events (id, response, position, hash, received_at, document)"
        " SELECT value->>'id', value->>'response', value->>'position', value->>'hash', value->>'received_at',"
        " value->>'document' FROM json_each(:rows) WHERE true ORDER BY key ON CONFLICT DO NOTHING"
    ),
    "postgresql": text(
        "INSERT INTO events (id, response, position, hash, received_at, document)"
        " SELECT id, response, position, hash, received_at, document FROM json_to_recordset(CAST(:rows AS json))"
        " AS sent (id text, response text, position integer, hash text, received_at bigint, document text)"
        " ON CONFLICT DO NOTHING"
    ),
}
"""rows: JSON list of events' rows; those whose id is there already are skipped."""

DERIVE: Final = {
    "sqlite": text(
        "UPDATE responses SET events = new.value->>'events', last_position = new.value->>'last_position',"
        " submitted = new.value->>'submitted', changed_at = new.value->>'changed_at', chain = new.value->>'chain',"
        " recount = true"
        " FROM json_each(:rows) AS new WHERE responses.id = new.value->>'id'"
    ),
    "postgresql": text(
        "UPDATE responses SET events = new.events, last_position = new.last_position, submitted = new.submitted,"
        " changed_at = new.changed_at, chain = new.chain, recount = true FROM json_to_recordset(CAST(:rows AS json))"
        " AS new (id text, events integer, last_position integer, submitted boolean, changed_at bigint, chain text)"
        " WHERE responses.id = new.id"
    ),
}
"""rows: JSON list of what is derived from the events of each response; `recount`: see `survey.storage.tallies`."""

STORED: Final = select(
    events.c.id, events.c.hash, events.c.received_at, events.c.position, events.c.response
).where(events.c.id.in_(bindparam("ids", expanding=True)))
"""ids → the events with these ids."""
