"""One-time links by which a supervisor lets an official's phone in, or the official back in. Only digests are kept.

phone     a further phone: nothing else changes
recover   the password is lost, or somebody else knows it: every session ends and a new password is set
"""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import Struct
from sqlalchemy import Connection, insert, select, update

from survey.storage import audit
from survey.storage.clock import now
from survey.storage.tables import invitations

Purpose = Literal["phone", "recover"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
VALID_MINUTES = 30
"""Long enough to hand a phone over the table, too short to be found later."""


class Invitation(Struct, frozen=True, kw_only=True):
    """Whom a link lets in, and who made it."""

    digest: str
    account: str
    purpose: Purpose
    made_by: str


def make(connection: Connection, digest: str, account: str, purpose: Purpose, made_by: str) -> None:
    """Keep a link's digest; earlier ones for the account are void. In the audit log."""
    at = now()
    connection.execute(
        update(invitations)
        .where(invitations.c.account == account, invitations.c.used_at.is_(None))
        .values(used_at=at)
    )
    connection.execute(
        insert(invitations).values(
            digest=digest, account=account, purpose=purpose, made_by=made_by, made_at=at,
            expires_at=at + VALID_MINUTES * 60_000, used_at=None,
        )
    )  # fmt: skip
    audit.append(connection, f"account:{made_by}", f"invitation: {purpose}", f"account:{account}")


def find(connection: Connection, digest: str) -> Invitation | None:
    """The invitation of this link, if it is neither used nor over."""
    row = connection.execute(
        select(invitations).where(
            invitations.c.digest == digest, invitations.c.used_at.is_(None), invitations.c.expires_at > now()
        )
    ).one_or_none()
    if row is None:
        return None
    return Invitation(digest=row.digest, account=row.account, purpose=row.purpose, made_by=row.made_by)


def use(connection: Connection, invitation: Invitation) -> bool:
    """Take the invitation; False when another request took it. In the audit log."""
    taken = connection.execute(
        update(invitations)
        .where(invitations.c.digest == invitation.digest, invitations.c.used_at.is_(None))
        .values(used_at=now())
    ).rowcount
    if taken:
        audit.append(
            connection, f"account:{invitation.account}", f"invitation used: {invitation.purpose}",
            f"account:{invitation.account}", {"made_by": invitation.made_by},
        )  # fmt: skip
    return bool(taken)
