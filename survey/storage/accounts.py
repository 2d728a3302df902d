"""Accounts of officials and statisticians. Passwords are argon2id hashes, made and checked outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, select, update

from survey.problems import Conflict
from survey.storage import audit, factors, sessions
from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.tables import accounts


class Account(Struct, frozen=True, kw_only=True):
    """Who signs in. `communes` are the codes an official works in; `password` is an argon2id hash."""

    name: str
    role: str
    password: str
    communes: tuple[str, ...] = ()
    created_at: int = 0
    disabled_at: int | None = None


def create(
    connection: Connection, name: str, role: str, password: str, communes: Sequence[str] = ()
) -> Account:
    """A new account; `Conflict` if the name is taken. `password` is the hash, never the password."""
    account = Account(name=name, role=role, password=password, communes=tuple(communes), created_at=now())
    values = msgspec.structs.asdict(account) | {"communes": msgspec.json.encode(account.communes).decode()}
    if not insert_once(connection, accounts, [values], accounts.c.name):
        raise Conflict(
            {
                "vi": f"Đã có tài khoản tên {name!r}. Hãy chọn tên khác.",
                "en": f"There is already an account named {name!r}. Choose another name.",
            }
        )
    return account


_FIND: Final = select(accounts).where(accounts.c.name == bindparam("named"))


def find(connection: Connection, name: str) -> Account | None:
    """The account of this name, disabled ones too: the caller looks at `disabled_at`."""
    row = connection.execute(_FIND, {"named": name}).one_or_none()
    return None if row is None else _account(row)


def every(connection: Connection) -> list[Account]:
    """All accounts by name."""
    return [_account(row) for row in connection.execute(select(accounts).order_by(accounts.c.name))]


def recover(connection: Connection, name: str, password: str, actor: str) -> None:
    """A new password's hash; every session ends and the second step is set up anew. In the audit log."""
    set_password(connection, name, password)
    factors.forget(connection, name)
    sessions.revoke_all(connection, "account", name)
    sessions.revoke_all(connection, "half", name)
    audit.append(connection, actor, "recover account", f"account:{name}")


def set_password(connection: Connection, name: str, password: str) -> None:
    """Replace the password's hash."""
    connection.execute(update(accounts).where(accounts.c.name == name).values(password=password))


def disable(connection: Connection, name: str) -> None:
    """Nobody signs in by this account any more; what it did stays under its name."""
    connection.execute(update(accounts).where(accounts.c.name == name).values(disabled_at=now()))


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(
        name=row.name,
        role=row.role,
        password=row.password,
        communes=tuple(msgspec.json.decode(row.communes, type=list[str])),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
