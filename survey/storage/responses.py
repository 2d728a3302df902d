"""Events, receipts and responses: what a household or an official said, never changed and never lost.

Documents of events lie sealed (`survey.storage.vault`); their hashes, receipts and chains are those of what was sent.

An event is appended once by its id, however often and from wherever it is sent; its receipt is the same each time.
The same id with another body, and events of a response nobody knows, are kept in `quarantine` for a person to look
at: the server never refuses to *store*. A response is the fold of its events (`survey.questionnaire.response.fold`);
what is kept beside them (number, submitted, chain) serves lists and is recomputed by `survey verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, bindparam, insert, select, update

from survey.fieldwork.cases import Case, Completed, Opened
from survey.problems import Conflict
from survey.questionnaire.response import Event
from survey.storage import cases, statements
from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.database import run_together
from survey.storage.tables import cases as case_rows
from survey.storage.tables import events as event_rows
from survey.storage.tables import quarantine, responses
from survey.storage.vault import PREFIX, NoKey, Vault, holds_key, opener

_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Event)
_many = msgspec.json.Decoder(list[Event])

_ROWS = 500


class _Locked(Struct, frozen=True, array_like=True):
    """What `append` must know of a response before it adds to it, in the order of `_LOCK`'s columns."""

    id: str
    case: str
    events: int
    last_position: int
    submitted: bool | int  # SQLite's JSON knows no truth values of columns
    chain: str


class Receipt(Struct, frozen=True, kw_only=True):
    """Proof that an event is on disk. A device deletes its copy only when `id` and `hash` are those it sent.

    `hash` is the SHA-256 of the event's canonical form (`canonical`). state "kept": part of the response;
    "quarantined": kept aside, a person will look at it.
    """

    id: str
    hash: str
    state: Literal["kept", "quarantined"]
    received_at: int
    position: int = 0
    reason: str = ""


class ResponseRecord(Struct, frozen=True):
    """One response of a case, without its answers. `opened_at` and `changed_at` are the server's times."""

    id: str
    case: str
    version: str
    mode: str
    opened_at: int
    events: int
    submitted: bool
    changed_at: int


class Quarantined(Struct, frozen=True, kw_only=True):
    """Something that was sent and could not become part of a response."""

    hash: str
    event: str
    response: str
    reason: str
    received_at: int
    document: str


def canonical(event: Event) -> bytes:
    """The one form of an event that is stored, hashed and compared: JSON with sorted keys, defaults left out."""
    return _encoder.encode(event)


def open(connection: Connection, response: str, case: str, version: str, mode: str) -> ResponseRecord:
    """Begin a response of a case; the same id again returns the one that is there."""
    return open_all(connection, [(response, case, mode)], version)[0]


def open_all(
    connection: Connection, many: Sequence[tuple[str, str, str]], version: str
) -> list[ResponseRecord]:
    """The same for many, each (response, case, mode), with one set of statements; all or none."""
    cases.all_existing(connection, sorted({case for _, case, _ in many}))
    at = now()
    rows = [
        {
            "id": response,
            "case": case,
            "version": version,
            "mode": mode,
            "opened_at": at,
            "events": 0,
            "last_position": 0,
            "submitted": False,
            "changed_at": at,
            "chain": "",
        }
        for response, case, mode in many
    ]
    new = frozenset(insert_once(connection, responses, rows, responses.c.id) if rows else ())
    cases.move_all(connection, [(case, Opened()) for response, case, _ in many if response in new])
    found = {
        record.id: record
        for start in range(0, len(many), _ROWS)
        for row in connection.execute(
            _RECORDS, {"ids": [response for response, _, _ in many[start : start + _ROWS]]}
        )
        for record in [_record(row)]
    }
    if any(found[response].case != case for response, case, _ in many):
        raise Conflict(
            {
                "vi": "Mã trả lời này thuộc một hộ khác.",
                "en": "This response id belongs to another case.",
            }
        )
    return [found[response] for response, _, _ in many]


_NEW: Final = insert(responses).inline()


def begin(connection: Connection, response: str, case: Case, version: str, mode: str, event: Event) -> None:
    """Begin a response with its first event, of a case that this transaction holds (`cases.lock`).

    What `open` and `append` do, in a third of their statements: on the day the letters arrive many households begin at the same
    moment. The ids of both must be new (ValueError, IntegrityError).
    """
    at, body = now(), canonical(event)
    digest = hashlib.sha256(body).hexdigest()
    connection.execute(
        _NEW,
        {"id": response, "case": case.id, "version": version, "mode": mode, "opened_at": at, "events": 1, "last_position": 1,
         "submitted": False, "changed_at": at, "chain": link("", digest), "recount": True},
    )  # fmt: skip
    sealed = Vault(connection).seal(connection, body.decode(), event_place(event.id))
    row = {
        "id": event.id,
        "response": response,
        "position": 1,
        "hash": digest,
        "received_at": at,
        "document": sealed,
    }
    if _insert(connection, [row], others=False, ids=[event.id])[event.id][3] != response:
        raise ValueError(f"event {event.id} is part of another response")
    cases.move_locked(connection, {case.id: case}, [(case.id, Opened())])


def append(connection: Connection, many: Sequence[Event]) -> list[Receipt]:
    """Append events in this order; one receipt for each, in the same order.

    All in one transaction. A `submitted` event completes the case if it is its first complete response; a
    `reopened` one opens the response for corrections, while the case stays complete: whoever begins a correction
    and leaves has still answered.
    """
    if not many:
        return []
    received_at = now()
    known = _locked(connection, {event.response for event in many})
    vault = Vault(connection)
    rows: list[dict[str, Any]] = []
    documents: list[tuple[Event, str, str]] = []
    positions = {response: row.last_position for response, row in known.items()}
    for event in many:
        body = canonical(event)
        digest = hashlib.sha256(body).hexdigest()
        document = body.decode()
        documents.append((event, digest, document))
        if event.response in known:
            positions[event.response] += 1
            rows.append(
                {
                    "id": event.id,
                    "response": event.response,
                    "position": positions[event.response],
                    "hash": digest,
                    "received_at": received_at,
                    "document": vault.seal(connection, document, event_place(event.id)),
                }
            )
    stored = _insert(connection, rows, others=len(rows) < len(many), ids=[event.id for event in many])
    fresh = {
        row["id"]: row
        for row in rows
        if stored.get(row["id"], _NOWHERE)[2:] == (row["position"], row["response"])
    }
    _keep_derived(connection, known, fresh, many, received_at)
    return _receipts(connection, vault, documents, stored, received_at)


def move(connection: Connection, event: Event) -> None:
    """Append the event that takes a draft to another version of the questionnaire, which must have been kept."""
    append(connection, [event])
    connection.execute(
        update(responses).where(responses.c.id == event.response).values(version=event.version)
    )


def drafts(connection: Connection, version: str, *, lock: bool = False) -> list[ResponseRecord]:
    """Responses that are not submitted and stand on another version than this one; `lock` keeps others from adding to
    them until the commit."""
    query = select(*_record_columns).where(responses.c.submitted.is_(False), responses.c.version != version)
    query = query.order_by(responses.c.id)
    return [_record(row) for row in connection.execute(query.with_for_update() if lock else query)]


def carry_over(
    connection: Connection, source: ResponseRecord, target: str, mode: str, author: str
) -> ResponseRecord:
    """A new response of the same case that goes on from the answers of another, which stays as it is.

    Copied events keep who gave them, in which mode and when; their ids follow from the target and their own.
    """
    open(connection, target, source.case, source.version, mode)
    copied = [
        msgspec.structs.replace(
            event,
            id=hashlib.sha256(f"{target}:{event.id}".encode()).hexdigest()[:32],
            response=target,
            case=source.case if event.kind == "opened" else "",
            **({"author": author, "mode": mode} if event.kind == "opened" else {}),
        )
        for event in events(connection, source.id)
        if event.kind not in ("submitted", "reopened")
    ]
    append(connection, copied)
    record = find(connection, target)
    assert record is not None  # it was opened above
    return record


def _append_together(connection: Connection, many: Sequence[tuple[Sequence[Event]]]) -> list[list[Receipt]]:
    """What `append` would answer to each of these in turn, with one set of statements for all of them."""
    receipts = iter(append(connection, [event for (events,) in many for event in events]))
    return [[next(receipts) for _ in events] for (events,) in many]


run_together(append, _append_together)


_NOWHERE: tuple[str, int, int, str] = ("", 0, 0, "")


def _locked(connection: Connection, ids: Iterable[str]) -> dict[str, _Locked]:
    """The responses, locked in the order of their ids so that positions and chains have one writer at a time."""
    statement = statements.LOCK[connection.dialect.name]
    found = connection.execute(statement, {"ids": _encoder.encode(sorted(ids)).decode()}).scalar_one()
    return {row.id: row for row in msgspec.json.decode(found, type=list[_Locked])}


def _insert(
    connection: Connection, rows: Sequence[dict[str, Any]], *, others: bool, ids: Sequence[str]
) -> dict[str, tuple[str, int, int, str]]:
    """Insert what is not there, by the unique id; returns hash, time, position and response of all of `ids` that are
    there now. A row is new when it has the position it was given: positions are never given twice."""
    inserted = 0
    if rows:
        statement = statements.INSERT[connection.dialect.name]
        inserted = connection.execute(statement, {"rows": _encoder.encode(rows).decode()}).rowcount
    if inserted == len(rows) and not others:
        return {
            row["id"]: (row["hash"], row["received_at"], row["position"], row["response"]) for row in rows
        }
    return {
        row.id: (row.hash, row.received_at, row.position, row.response)
        for start in range(0, len(ids), _ROWS)
        for row in connection.execute(statements.STORED, {"ids": ids[start : start + _ROWS]})
    }


def _keep_derived(
    connection: Connection,
    known: Mapping[str, _Locked],
    fresh: dict[str, dict[str, Any]],
    many: Sequence[Event],
    received_at: int,
) -> None:
    """Move the derived facts of each response that got new events, and its case when one was submitted."""
    by_id = {event.id: event for event in reversed(many)}
    derived: dict[str, dict[str, Any]] = {}
    completed: list[tuple[str, str]] = []
    for row in fresh.values():
        response = known[row["response"]]
        values = derived.setdefault(
            response.id,
            {
                "id": response.id,
                "events": response.events,
                "submitted": bool(response.submitted),
                "chain": response.chain,
                "changed_at": received_at,
            },
        )
        values["events"] += 1
        values["chain"] = link(values["chain"], row["hash"])
        values["last_position"] = row["position"]
        match by_id[row["id"]].kind:
            case "submitted":
                values["submitted"] = True
                completed.append((response.case, response.id))
            case "reopened":
                values["submitted"] = False
    if derived:
        statement = statements.DERIVE[connection.dialect.name]
        connection.execute(statement, {"rows": _encoder.encode(list(derived.values())).decode()})
    if completed:
        cases.move_all(connection, [(case, Completed(response)) for case, response in completed])


def link(chain: str, digest: str) -> str:
    """The next link of a hash chain: SHA-256 of the chain so far and the digest of what is added."""
    return hashlib.sha256(f"{chain}:{digest}".encode()).hexdigest()


def event_place(id: str) -> str:
    """What an event's document is sealed for: it opens nowhere else."""
    return f"events/{id}/document"


def aside_place(digest: str) -> str:
    """The same for what waits apart."""
    return f"quarantine/{digest}/document"


def _receipts(
    connection: Connection,
    vault: Vault,
    documents: Sequence[tuple[Event, str, str]],
    stored: Mapping[str, tuple[str, int, int, str]],
    received_at: int,
) -> list[Receipt]:
    receipts: list[Receipt] = []
    aside: dict[str, dict[str, Any]] = {}
    for event, digest, document in documents:
        kept = stored.get(event.id)
        if kept is not None and kept[0] == digest:
            receipts.append(
                Receipt(id=event.id, hash=digest, state="kept", received_at=kept[1], position=kept[2])
            )
            continue
        reason = "unknown_response" if kept is None else "conflict"
        sealed = vault.seal(connection, document, aside_place(digest))
        aside[digest] = _quarantine_row(event.id, event.response, digest, sealed, reason, received_at)
        receipts.append(
            Receipt(id=event.id, hash=digest, state="quarantined", received_at=received_at, reason=reason)
        )
    if aside:
        insert_once(connection, quarantine, list(aside.values()), quarantine.c.hash)
    return receipts


def _quarantine_row(
    event: str, response: str, digest: str, document: str, reason: str, received_at: int
) -> dict[str, Any]:
    return {
        "hash": digest,
        "event": event,
        "response": response,
        "reason": reason,
        "received_at": received_at,
        "document": document,
        "resolved_at": None,
        "resolution": "",
    }


def set_aside(
    connection: Connection, document: str, reason: str, *, event: str = "", response: str = ""
) -> str:
    """Keep something that is not even an event (unreadable body); returns the hash it is kept under."""
    digest = hashlib.sha256(document.encode()).hexdigest()
    sealed = Vault(connection).seal(connection, document, aside_place(digest))
    insert_once(
        connection,
        quarantine,
        [_quarantine_row(event, response, digest, sealed, reason, now())],
        quarantine.c.hash,
    )
    return digest


def quarantined(connection: Connection) -> list[Quarantined]:
    """What waits for a person to look at, oldest first."""
    query = select(quarantine).where(quarantine.c.resolved_at.is_(None)).order_by(quarantine.c.received_at)
    opened = opener(connection)
    return [
        Quarantined(
            hash=row.hash,
            event=row.event,
            response=row.response,
            reason=row.reason,
            received_at=row.received_at,
            document=opened(row.document, aside_place(row.hash)),
        )
        for row in connection.execute(query)
    ]


def resolve(connection: Connection, digest: str, resolution: str) -> None:
    """Note what a person decided about something in quarantine; it stays there."""
    connection.execute(
        update(quarantine)
        .where(quarantine.c.hash == digest)
        .values(resolved_at=now(), resolution=resolution)
    )  # fmt: skip


_record_columns = tuple(responses.c[name] for name in ResponseRecord.__struct_fields__)


# Statements of every request are put together once: that costs more than running them.
_RECORDS: Final = select(*_record_columns).where(responses.c.id.in_(bindparam("ids", expanding=True)))
_OF_CASE: Final = (
    select(*_record_columns)
    .where(responses.c.case == bindparam("of"))
    .order_by(responses.c.opened_at, responses.c.id)
)
_SAID: Final = (
    select(event_rows.c.id, event_rows.c.document)
    .where(event_rows.c.response == bindparam("of"))
    .order_by(event_rows.c.position)
)


def find(connection: Connection, response: str) -> ResponseRecord | None:
    """One response without its answers."""
    row = connection.execute(_RECORDS, {"ids": [response]}).one_or_none()
    return None if row is None else _record(row)


def by_case(connection: Connection, case: str) -> list[ResponseRecord]:
    """The responses of a case, oldest first. Usually one; two when web and visit met."""
    return [_record(row) for row in connection.execute(_OF_CASE, {"of": case})]


def own(records: Iterable[ResponseRecord]) -> ResponseRecord | None:
    """The response the household began itself; a visit's is another, which it neither sees nor changes."""
    return next((record for record in records if record.mode == "self"), None)


def of_cases(connection: Connection, case_ids: Sequence[str]) -> dict[str, list[ResponseRecord]]:
    """The responses of these cases, for an official's list."""
    found: dict[str, list[ResponseRecord]] = {case: [] for case in case_ids}
    for start in range(0, len(case_ids), 500):
        query = select(*_record_columns).where(responses.c.case.in_(case_ids[start : start + 500]))
        for row in connection.execute(query.order_by(responses.c.opened_at, responses.c.id)):
            found[row.case].append(_record(row))
    return found


def records(connection: Connection) -> Iterator[ResponseRecord]:
    """Every response, without its answers, streamed."""
    query = select(*_record_columns).order_by(responses.c.id).execution_options(yield_per=1000)
    for row in connection.execute(query):
        yield _record(row)


def stored(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Those of these events that are part of a response."""
    return frozenset(
        row.id
        for start in range(0, len(ids), _ROWS)
        for row in connection.execute(statements.STORED, {"ids": ids[start : start + _ROWS]})
    )


def events(connection: Connection, response: str, before: int | None = None) -> list[Event]:
    """The events of a response in the order they were appended: what `fold` takes.

    `before` leaves out those received at or after this time (milliseconds since 1970).
    """
    query = _SAID if before is None else _SAID.where(event_rows.c.received_at < before)
    rows, opened = connection.execute(query, {"of": response}).all(), opener(connection)
    return read([opened(document, event_place(id)) for id, document in rows])


def documents(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, str, list[str]]]:
    """Of these responses: case, version of the questionnaire, and the documents of their events in order (see `read`)."""
    found: dict[str, tuple[str, str, list[str]]] = {}
    opened = opener(connection)
    for start in range(0, len(ids), _ROWS):
        part = ids[start : start + _ROWS]
        query = select(responses.c.id, responses.c.case, responses.c.version).where(responses.c.id.in_(part))
        found |= {row.id: (row.case, row.version, []) for row in connection.execute(query)}
        said = select(event_rows.c.id, event_rows.c.response, event_rows.c.document)
        said = said.where(event_rows.c.response.in_(part))
        for row in connection.execute(said.order_by(event_rows.c.response, event_rows.c.position)).all():
            found[row.response][2].append(opened(row.document, event_place(row.id)))
    return found


def read(documents: Sequence[str]) -> list[Event]:
    """The events of one response, of `documents`."""
    return _many.decode(f"[{','.join(documents)}]")


def begun(connection: Connection, cases: Sequence[str]) -> frozenset[str]:
    """Those of these cases of which anything was ever answered."""
    found: set[str] = set()
    for start in range(0, len(cases), _ROWS):
        query = select(responses.c.case).where(responses.c.case.in_(cases[start : start + _ROWS]))
        found.update(connection.execute(query.where(responses.c.events > 0)).scalars())
    return frozenset(found)


def all(connection: Connection) -> Iterator[tuple[ResponseRecord, list[Event]]]:
    """Every response with its events in order, streamed by response id: memory stays flat at any size."""
    return _with_events(connection)


def interviews(
    connection: Connection, communes: Sequence[str] | None = None
) -> Iterator[tuple[ResponseRecord, list[Event]]]:
    """The same for what officials have taken and sent in, of these communes or of all; answers asked again are among it."""
    taken = [responses.c.mode != "self", responses.c.submitted.is_(True)]
    if communes is not None:
        there = select(case_rows.c.id).where(case_rows.c.commune.in_(list(communes)))
        taken.append(responses.c.case.in_(there))
    return _with_events(connection, *taken)


def _with_events(
    connection: Connection, *conditions: ColumnElement[bool]
) -> Iterator[tuple[ResponseRecord, list[Event]]]:
    query = (
        select(*_record_columns, event_rows.c.id.label("event"), event_rows.c.document)
        .select_from(responses.outerjoin(event_rows, event_rows.c.response == responses.c.id))
        .where(*conditions)
        .order_by(responses.c.id, event_rows.c.position)
        .execution_options(yield_per=1000)
    )
    record: ResponseRecord | None = None
    found: list[Event] = []
    opened = opener(connection)
    for row in connection.execute(query):
        if record is None or row.id != record.id:
            if record is not None:
                yield record, found
            record, found = _record(row), []
        if row.document is not None:
            found.append(_decoder.decode(opened(row.document, event_place(row.event))))
    if record is not None:
        yield record, found


def _record(row: Row[*tuple[Any, ...]]) -> ResponseRecord:
    return ResponseRecord(*row[: len(_record_columns)])


def verify(connection: Connection) -> Iterator[str]:
    """Recompute every response from its events; yields one line for each thing that does not agree.

    Checks that every document has the hash it was kept under, belongs to its row, and that number, chain and
    `submitted` are what the events say. Without the key nothing is opened, and what that leaves unseen is one more line.
    """
    kept = {
        row.id: row
        for row in connection.execute(
            select(responses.c.id, responses.c.events, responses.c.chain, responses.c.submitted)
        )
    }
    current, count, chain, submitted = "", 0, "", False

    def differences() -> Iterable[str]:
        row = kept.pop(current, None)
        if row is None:
            return [f"response {current}: events without a response"]
        return [
            f"response {current}: {name} is {told!r}, its events say {found!r}"
            for name, told, found in (
                ("events", row.events, count),
                ("chain", row.chain, chain),
                ("submitted", row.submitted, submitted),
            )
            if told != found
        ]

    keyed = holds_key(connection)
    opened, closed = opener(connection), 0

    def kept_submitted(response: str) -> bool:
        return bool(response in kept and kept[response].submitted)

    query = select(event_rows.c.id, event_rows.c.response, event_rows.c.hash, event_rows.c.document)
    query = query.order_by(event_rows.c.response, event_rows.c.position).execution_options(yield_per=1000)
    for row in connection.execute(query):
        if row.response != current:
            if current:
                yield from differences()
            current, count, chain, submitted = row.response, 0, "", False
        count, chain = count + 1, link(chain, row.hash)
        if not keyed and row.document.startswith(PREFIX):
            closed, submitted = closed + 1, kept_submitted(current)
            continue
        try:
            document = opened(row.document, event_place(row.id))
        except NoKey:
            yield f"event {row.id}: its document is not the one that was kept"
            continue
        if hashlib.sha256(document.encode()).hexdigest() != row.hash:
            yield f"event {row.id}: its document is not the one that was kept"
        try:
            event = _decoder.decode(document)
        except msgspec.DecodeError as error:
            yield f"event {row.id}: cannot be read: {error}"
            continue
        if (event.id, event.response) != (row.id, row.response):
            yield f"event {row.id}: its document belongs to event {event.id} of {event.response}"
        submitted = {"submitted": True, "reopened": False}.get(event.kind, submitted)
    if current:
        yield from differences()
    for response, row in kept.items():
        if row.events:
            yield f"response {response}: {row.events} events are missing"
    if closed:
        yield f"{closed} events are sealed and the key is not here: set SURVEY_KEY or SURVEY_KEY_FILE, then survey verify"
