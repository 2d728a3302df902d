"""What a person has to look at, and what was sent back to an official. What follows from either is decided in
`survey.fieldwork.reviews`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import Connection, Row, func, select, update

from survey.fieldwork.backchecks import PREFIX
from survey.fieldwork.cases import Chosen
from survey.fieldwork.reviews import Return, Review
from survey.storage import cases as cases_life
from survey.storage.clock import now
from survey.storage.conflict import insert_once
from survey.storage.tables import cases, responses, returns, reviews
from survey.storage.vault import Vault, opener


def note(connection: Connection, response: str, found: Sequence[Review]) -> None:
    """Keep what is to be looked at in a response as it is now; what is no longer so counts as corrected."""
    ids = [one.id for one in found]
    gone = (
        reviews.c.response == response,
        reviews.c.kind != "double",
        reviews.c.ruled_at.is_(None),
        reviews.c.id.not_in(ids),
    )
    connection.execute(update(reviews).where(*gone).values(ruled_at=now(), ruling="corrected"))
    if found:
        insert_once(connection, reviews, [_values(one) for one in found], reviews.c.id)


def waiting(
    connection: Connection, kinds: Sequence[str], communes: Sequence[str] | None = None
) -> list[Review]:
    """What nobody has decided, oldest first: of these communes, or of all."""
    query = select(reviews).join(cases, cases.c.id == reviews.c.case)
    query = query.where(reviews.c.ruled_at.is_(None), reviews.c.kind.in_(kinds))
    if communes is not None:
        query = query.where(cases.c.commune.in_(list(communes)))
    return [_review(row) for row in connection.execute(query.order_by(reviews.c.at, reviews.c.id))]


def rule(connection: Connection, review: Review, ruling: str, reason: str, author: str) -> None:
    """What a person decided, once: a second decision about the same answers changes nothing."""
    insert_once(connection, reviews, [_values(review)], reviews.c.id)
    connection.execute(
        update(reviews)
        .where(reviews.c.id == review.id, reviews.c.ruled_at.is_(None))
        .values(
            ruled_at=now(),
            ruling=ruling,
            author=author,
            reason=Vault(connection).seal(connection, reason, f"reviews/{review.id}/reason"),
        )
    )


def doubles(connection: Connection) -> list[Review]:
    """Cases with several complete responses about which nobody has decided. Another answer in one of them is another id."""
    complete = responses.c.submitted & responses.c.id.not_like(f"{PREFIX}%")
    several = select(responses.c.case).where(complete).group_by(responses.c.case).having(func.count() > 1)
    query = select(responses.c.case, responses.c.id, responses.c.chain, responses.c.changed_at)
    query = query.where(complete, responses.c.case.in_(several)).order_by(responses.c.case, responses.c.id)
    found: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault(row.case, []).append(row)
    made = [
        Review(
            id=hashlib.sha256("".join(f"{row.id}:{row.chain};" for row in rows).encode()).hexdigest(),
            kind="double", case=case, response="", at=max(row.changed_at for row in rows),
        )
        for case, rows in found.items()
    ]  # fmt: skip
    ruled = set(
        connection.execute(
            select(reviews.c.id).where(
                reviews.c.id.in_([one.id for one in made]), reviews.c.ruled_at.is_not(None)
            )
        ).scalars()
    )
    return [one for one in made if one.id not in ruled]


def choose(connection: Connection, review: Review, response: str, reason: str, author: str) -> None:
    """Which of a case's complete responses counts from now on; the others stay."""
    cases_life.move(connection, review.case, Chosen(response))
    rule(connection, review, response, reason, author)


def waiting_one(connection: Connection, review: str) -> Review | None:
    """One thing that nobody has decided, or None."""
    query = select(reviews).where(reviews.c.id == review, reviews.c.ruled_at.is_(None))
    row = connection.execute(query).one_or_none()
    kept = None if row is None else _review(row)
    return kept or next((one for one in doubles(connection) if one.id == review), None)


def send_back(connection: Connection, one: Return) -> None:
    """Keep a return; it reaches the phone with its next list."""
    sealed = Vault(connection).seal(connection, one.comment, f"returns/{one.id}/comment")
    values = msgspec.structs.asdict(one) | {"comment": sealed, "settled_at": None}
    connection.execute(returns.insert().values(**values))


def returned(connection: Connection, case_ids: Sequence[str] | None = None) -> list[Return]:
    """What was sent back and not yet corrected, oldest first: of these cases, or of all."""
    query = select(returns).where(returns.c.settled_at.is_(None)).order_by(returns.c.at, returns.c.id)
    opened = opener(connection)
    found = [
        structs.replace(one, comment=opened(one.comment, f"returns/{one.id}/comment"))
        for one in map(_return, connection.execute(query).all())
    ]
    wanted = None if case_ids is None else set(case_ids)
    return [one for one in found if wanted is None or one.case in wanted]


def settle(connection: Connection, response: str) -> None:
    """The correction has come, or the return was taken back."""
    open_ones = (returns.c.response == response, returns.c.settled_at.is_(None))
    connection.execute(update(returns).where(*open_ones).values(settled_at=now()))


def _values(one: Review) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(one),
        "at": one.at or now(),
        "ruled_at": None,
        "reason": "",
        "author": "",
    }


def _review(row: Row[*tuple[Any, ...]]) -> Review:
    return Review(**{name: getattr(row, name) for name in Review.__struct_fields__})


def _return(row: Row[*tuple[Any, ...]]) -> Return:
    return Return(**{name: getattr(row, name) for name in Return.__struct_fields__})
