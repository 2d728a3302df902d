"""Phones that officials work with: when each was last heard of, what it still held, and whether it was reported lost."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from survey.storage.clock import now
from survey.storage.tables import devices


class Device(Struct, frozen=True, kw_only=True):
    """One phone. `unsent` is what it held when it was last heard of; `clock_skew` its clock minus ours, milliseconds;
    `name` what its official calls it, "" for nothing; `kind` what it says it is, such as "Android · SM-A136B · Chrome"."""

    id: str
    account: str
    app: int
    first_seen: int
    last_seen: int
    unsent: int
    clock_skew: int
    revoked_at: int | None
    name: str = ""
    kind: str = ""


def find(connection: Connection, device: str) -> Device | None:
    row = connection.execute(select(devices).where(devices.c.id == device)).one_or_none()
    return None if row is None else Device(**row._mapping)


def of_accounts(connection: Connection, accounts: list[str]) -> list[Device]:
    """The phones of these officials, the one heard of last first."""
    query = select(devices).where(devices.c.account.in_(accounts)).order_by(devices.c.last_seen.desc())
    return [Device(**row._mapping) for row in connection.execute(query)]


def heard_of(
    connection: Connection, device: str, account: str, app: int, unsent: int, skew: int,
    name: str = "", kind: str = "",
) -> None:  # fmt: skip
    """Note that this phone has called. A revoked phone stays revoked, whoever holds it now; a name is kept until another
    is told."""
    at = now()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"account": account, "app": app, "last_seen": at, "unsent": unsent, "clock_skew": skew}
    said = {key: words for key, words in (("name", name), ("kind", kind)) if words}
    connection.execute(
        dialect.insert(devices)
        .values(id=device, first_seen=at, revoked_at=None, **values, name=name, kind=kind)
        .on_conflict_do_update(index_elements=[devices.c.id], set_=values | said)
    )


def revoke(connection: Connection, device: str) -> None:
    """The phone is lost: it forgets everything when it calls next, and what it sends is kept apart."""
    connection.execute(
        update(devices).where(devices.c.id == device, devices.c.revoked_at.is_(None)).values(revoked_at=now())
    )
