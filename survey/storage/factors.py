"""The second step of signing in: a secret shared with an app on the phone (TOTP, RFC 6238), and codes for when it is lost.

The secret is sealed (`survey.storage.vault`); of the recovery codes only keyed hashes are kept. `last_step` is the time
step of the last code that was taken: none is taken twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from survey.storage.clock import now
from survey.storage.tables import factors
from survey.storage.vault import Vault


class Factor(Struct, frozen=True, kw_only=True):
    """An account's second step; not yet in force while `confirmed_at` is None."""

    account: str
    secret: str
    recovery: tuple[str, ...] = ()
    last_step: int = 0
    confirmed_at: int | None = None


def find(connection: Connection, account: str) -> Factor | None:
    """The second step of this account, opened."""
    row = connection.execute(select(factors).where(factors.c.account == account)).one_or_none()
    if row is None:
        return None
    return Factor(
        account=account,
        secret=Vault(connection).open(row.secret, _place(account)),
        recovery=tuple(msgspec.json.decode(row.recovery, type=list[str])),
        last_step=row.last_step,
        confirmed_at=row.confirmed_at,
    )


def confirmed(connection: Connection) -> frozenset[str]:
    """The accounts whose second step is in force."""
    return frozenset(
        connection.execute(select(factors.c.account).where(factors.c.confirmed_at.is_not(None))).scalars()
    )


def propose(connection: Connection, account: str, secret: str) -> None:
    """A secret to be confirmed by its first code; one that is there stays."""
    if find(connection, account) is None:
        sealed = Vault(connection).seal(connection, secret, _place(account))
        connection.execute(
            insert(factors).values(
                account=account, secret=sealed, recovery="[]", last_step=0, confirmed_at=None
            )
        )


def confirm(connection: Connection, account: str, step: int, recovery: Sequence[str]) -> bool:
    """The first code was right: from now on it is asked for. False when another request confirmed it already."""
    return bool(
        connection.execute(
            update(factors)
            .where(factors.c.account == account, factors.c.confirmed_at.is_(None))
            .values(
                confirmed_at=now(),
                last_step=step,
                recovery=msgspec.json.encode(list(recovery)).decode(),
            )
        ).rowcount
    )


def use_step(connection: Connection, account: str, step: int) -> bool:
    """Take the code of this time step; False when it, or a later one, was taken before."""
    return bool(
        connection.execute(
            update(factors)
            .where(factors.c.account == account, factors.c.last_step < step)
            .values(last_step=step)
        ).rowcount
    )


def use_recovery(connection: Connection, account: str, digest: str) -> int | None:
    """Take a recovery code, which is then gone; returns how many are left, None when it is not one of them."""
    factor = find(connection, account)
    if factor is None or digest not in factor.recovery:
        return None
    left = [one for one in factor.recovery if one != digest]
    connection.execute(
        update(factors)
        .where(factors.c.account == account)
        .values(recovery=msgspec.json.encode(left).decode())
    )
    return len(left)


def forget(connection: Connection, account: str) -> None:
    """The phone is lost: the next sign-in sets a second step up anew."""
    connection.execute(delete(factors).where(factors.c.account == account))


def secrets(connection: Connection) -> dict[str, str]:
    """Every secret, opened, to be sealed anew."""
    vault = Vault(connection)
    return {
        row.account: vault.open(row.secret, _place(row.account))
        for row in connection.execute(select(factors))
    }


def reseal(connection: Connection, opened: dict[str, str]) -> None:
    """Seal these secrets with the current data key."""
    vault = Vault(connection)
    for account, secret in opened.items():
        sealed = vault.seal(connection, secret, _place(account))
        connection.execute(update(factors).where(factors.c.account == account).values(secret=sealed))


def _place(account: str) -> str:
    return f"second step/{account}"
