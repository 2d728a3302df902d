"""The tables, once for SQLite and PostgreSQL. Changing anything here needs a migration in `migrations/versions`.

Documents (questionnaires, units, events) are stored as JSON text written by msgspec: the bytes that were hashed are
the bytes that are kept. Times are milliseconds since 1970, UTC. Wide columns of answers exist only in the frozen file.

For distributed engines that speak PostgreSQL: `responses`, `events`, `photos` and `quarantine` distribute by `response`;
`cases`, `attempts`, `codes` and `identities` by `case`; the rest are small and belong on every node.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
)
from sqlalchemy import UniqueConstraint as Unique

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# A counter that SQLite keeps as its row id and PostgreSQL as an identity column.
_counter = BigInteger().with_variant(Integer, "sqlite")

surveys = Table(
    "surveys",
    metadata,
    Column("hash", Text, primary_key=True),  # of the whole folder
    Column("survey", Text, nullable=False),
    Column("version", Text, nullable=False, index=True),  # of the questionnaire
    Column("kept_at", BigInteger, nullable=False),
    Column("sequence", Integer, nullable=False),  # the greatest is current
    Column("synthetic", Boolean, nullable=False),
    Column("questionnaire", Text, nullable=False),
    Column("plan", Text, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("psu", Text, nullable=False),
    Column("commune", Text, nullable=False),
    Column("reserve", Boolean, nullable=False),
    Column("unit", Text, nullable=False),  # SampledUnit, as drawn
    Column("state", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("response", Text, nullable=False),  # the first complete one
    Column("attempts", Integer, nullable=False),
    Column("last_attempt_at", BigInteger),
    Column("last_outcome", Text, nullable=False),
    Column("appointment", Text, nullable=False),
    Column("override", Text),
    Column("changed_at", BigInteger, nullable=False),
    Column("release", Text),  # who opened a reserve household, and why
    Column("finding", Text),  # where the list was wrong
    Column("counted", Text),  # as what it stands in `tallies`
    Column("counted_at", BigInteger),  # `changed_at` as it was then; another, or none: to be counted anew
    Index(None, "assignee", "commune", "id"),
    Index(None, "commune", "state"),
    Index(None, "commune", "psu"),
)
_changed = cases.c.counted_at.is_distinct_from(cases.c.changed_at)
Index("ix_cases_uncounted", cases.c.changed_at, cases.c.id, sqlite_where=_changed, postgresql_where=_changed)

tallies = Table(  # numbers of cases, so that no figure of the office looks at every case
    "tallies",
    metadata,
    Column("view", Text, primary_key=True),  # survey.storage.tallies.Key
    Column("commune", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("item", Text, primary_key=True),
    Column("cases", BigInteger, nullable=False),
    Column("weight", BigInteger, nullable=False),  # billionths
    Index(None, "view", "key"),
)

identities = Table(  # apart from every answer, sealed field by field; destroyed first (retention)
    "identities",
    metadata,
    Column("case", Text, primary_key=True),  # a keyed hash of it (vault.Vault.name)
    Column("address", Text, nullable=False),
    Column("hamlet", Text, nullable=False),
    Column("other", Text, nullable=False),  # further columns of the listing, as JSON
)

data_keys = Table(  # that seal identities; sealed themselves by a key outside the database
    "data_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Column("purpose", Text, nullable=False, server_default="fields"),  # "fields", or "link": case to address
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("appointment", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("place", Text),
    Column("codes", Text, nullable=False, server_default=""),
)

codes = Table(  # keyed hashes only: whoever reads this table cannot answer for a household
    "codes",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("issued_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column(
        "member", Text, nullable=False, server_default=""
    ),  # the roster row whose private code it is, or ""
)

consents = Table(  # what was agreed to, purpose by purpose; appended, never changed
    "consents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("member", Text, nullable=False),  # the roster row of a private code, or ""
    Column("purpose", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("text_hash", Text, nullable=False),  # SHA-256 of the words that were shown
    Column("language", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

requests = Table(  # what people ask for about their own data
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("done_at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("replied_at", BigInteger, nullable=False, server_default="0"),
    Column("extended", Text, nullable=False, server_default=""),  # why it takes longer; once
    Column("refused", Boolean, nullable=False, server_default=false()),
    Column("lifted_at", BigInteger, nullable=False, server_default="0"),  # when a restriction ended
)

breaches = Table(  # what went wrong with people's data, and when it was told to whom
    "breaches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("detected_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("recorded_by", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("people", Integer, nullable=False),
    Column("measures", Text, nullable=False),
    Column("notified_at", BigInteger, nullable=False),  # the authority
    Column("told_at", BigInteger, nullable=False),  # the people
)

responses = Table(
    "responses",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("version", Text, nullable=False),  # of the questionnaire it began with
    Column("mode", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    # Derived from the events, kept for lists, recomputed by `survey verify`:
    Column("events", Integer, nullable=False),
    Column("last_position", Integer, nullable=False),
    Column("submitted", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("chain", Text, nullable=False),  # SHA-256 over the hashes of all its events, in order
    # Whether it was added to since its case was counted:
    Column("recount", Boolean, nullable=False, server_default=false()),
)
_added_to = responses.c.recount.is_(True)
Index("ix_responses_recount", responses.c.id, sqlite_where=_added_to, postgresql_where=_added_to)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("response", Text, ForeignKey("responses.id"), nullable=False),
    Column("position", Integer, nullable=False),  # rises within the response; gaps mean nothing
    Column("hash", Text, nullable=False),  # SHA-256 of the document's bytes
    Column("received_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Unique("response", "position"),
)

quarantine = Table(  # what could not be accepted is kept, never refused
    "quarantine",
    metadata,
    Column("hash", Text, primary_key=True),  # of the document: the same misfit sent twice is one row
    Column("event", Text, nullable=False, index=True),
    Column("response", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),  # survey.fieldwork.reception.Reason
    Column("received_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("resolved_at", BigInteger),
    Column("resolution", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="events"),  # the list it was sent in
    Column("case", Text, nullable=False, server_default=""),
    Column("author", Text, nullable=False, server_default=""),
    Column("device", Text, nullable=False, server_default=""),
    Column("position", Integer, nullable=False, server_default="0"),  # within what arrived at the same time
)

devices = Table(  # phones that officials have worked with; a lost one is revoked
    "devices",
    metadata,
    Column("id", Text, primary_key=True),  # made on the phone, known to nobody else
    Column("account", Text, nullable=False, index=True),
    Column("app", Integer, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("unsent", Integer, nullable=False),  # what it still held when it was last heard of
    Column("clock_skew", BigInteger, nullable=False),  # its clock minus ours, milliseconds
    Column("revoked_at", BigInteger),
    Column("name", Text, nullable=False, server_default=""),  # what its official calls it
    Column("kind", Text, nullable=False, server_default=""),  # what it says it is: system, model, browser
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # argon2id
    Column("communes", Text, nullable=False),  # JSON list
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
)

invitations = Table(  # one-time links: a phone for an official, a new password for one who lost it
    "invitations",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account", Text, ForeignKey("accounts.name"), nullable=False, index=True),
    Column("purpose", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

factors = Table(  # the second step of signing in: sealed secrets, keyed hashes of recovery codes
    "factors",
    metadata,
    Column("account", Text, ForeignKey("accounts.name"), primary_key=True),
    Column("secret", Text, nullable=False),
    Column("recovery", Text, nullable=False),  # JSON list
    Column("last_step", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),  # of the cookie's token
    Column("kind", Text, nullable=False),  # "household" | "account"
    Column("subject", Text, nullable=False, index=True),  # a case or an account's name
    Column("data", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("revoked_at", BigInteger),
    Column("seen_at", BigInteger, nullable=False, server_default="0"),  # used last, to five minutes
)

limits = Table(  # counts of tries, shared by every worker
    "limits",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", _counter, primary_key=True, autoincrement=True),
    Column(
        "chain", Text, nullable=False
    ),  # one chain for each writer, so that writers do not wait for one another
    Column("position", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("details", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Unique("chain", "position"),
)

audit_heads = (
    Table(  # the last line of each chain, sealed by a key outside; under "" how many chains there are
        "audit_heads",
        metadata,
        Column("chain", Text, primary_key=True),
        Column("position", Integer, nullable=False),
        Column("seal", Text, nullable=False),
    )
)

photos = Table(  # answers hold the digest
    "photos",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("response", Text, ForeignKey("responses.id"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("kept_at", BigInteger, nullable=False),
)

reviews = Table(  # what a person has to look at, or has looked at
    "reviews",
    metadata,
    Column(
        "id", Text, primary_key=True
    ),  # follows from what is to be looked at: another answer is another row
    Column("kind", Text, nullable=False),  # "soft", "overlap", "double": survey.fieldwork.reviews
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("response", Text, nullable=False, index=True),
    Column("question", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the check among those of its question
    Column("explained", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ruled_at", BigInteger),
    Column("ruling", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
)

returns = Table(  # questions that a supervisor sent back to the official who asked them
    "returns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("response", Text, ForeignKey("responses.id"), nullable=False),
    Column("page", Text, nullable=False),
    Column("row", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),  # when the correction was submitted, or the return taken back
)

listings = Table(  # every finding that the list does not say what is there; the case holds the latest
    "listings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
)

server = Table(  # facts about this database itself: its id, the secret's fingerprint
    "server",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

back_checks = Table(  # who asks a household again, and how it ended where that could not be done
    "back_checks",
    metadata,
    Column("case", Text, ForeignKey("cases.id"), primary_key=True),
    Column("official", Text, nullable=False, index=True),
    Column("author", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ended", Text, nullable=False),
)
