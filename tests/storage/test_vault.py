"""Whoever copies the database, or dumps it, without the key finds no name, address, phone, answer, code or password in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import make_url

from survey.access import codes as household_codes
from survey.fieldwork.cases import Attempt, Place
from survey.fieldwork.reviews import Return
from survey.settings import Keys
from survey.storage import (
    accounts,
    cases,
    codes,
    erasure,
    factors,
    identities,
    photos,
    responses,
    reviews,
    rotation,
)
from survey.storage.database import Database
from survey.storage.tables import cases as cases_table
from survey.storage.tables import data_keys
from survey.storage.tables import events as event_rows
from survey.storage.tables import identities as rows
from survey.storage.tables import photos as photo_rows
from survey.storage.vault import NoKey, Vault
from tests.storage.households import VERSION, story, unit

SECRET = Keys.of(b"s" * 32)
PLANTED = {
    "address": "Số 7 ngõ Trồng-Thử",
    "hamlet": "Thôn Trồng-Thử",
    "phone": "0912-TRONG-THU",
    "name": "Nguyễn Thị Trồng-Thử",
    "password": "mat-khau-trong-thu-2027",
    "second step": "TRONGTHUTRONGTHU",
    "nickname among the answers": "câu trả lời 1",
    "note of a visit": "gọi bà Trồng-Thử",
    "place of a visit": "20.987654321",
    "what waits apart": "chờ Trồng-Thử",
    "picture": "ảnh Trồng-Thử",
    "question back": "hỏi lại bà Trồng",
}


def _fill(database: Database) -> str:
    code = household_codes.make(b"0123456789abcdef")
    with database.writing() as connection:
        cases.import_sample(connection, [unit(number) for number in range(1, 4)])
        for number in range(1, 4):
            one = identities.Identity(
                case=unit(number).case,
                address=PLANTED["address"],
                hamlet=PLANTED["hamlet"],
                other={"phone": PLANTED["phone"], "name": PLANTED["name"]},
            )
            identities.keep(connection, [one])
        codes.issue(connection, [(unit(1).case, household_codes.digest(code, SECRET.codes))])
        hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PLANTED["password"])
        accounts.create(connection, "an", "official", hashed)
        factors.propose(connection, "an", PLANTED["second step"])
        responses.open(connection, "r1", unit(1).case, VERSION, "self")
        responses.append(connection, list(story("r1", 2)))
        responses.set_aside(connection, PLANTED["what waits apart"], "test")
        photos.keep(connection, "r1", PLANTED["picture"].encode())
        place = Place(latitude=float(PLANTED["place of a visit"]), longitude=106.5, accuracy=5.0)
        attempt = Attempt(id="a1", case=unit(1).case, at=1, author="an", mode="visit", outcome="nobody_home",
                          note=PLANTED["note of a visit"], place=place)  # fmt: skip
        cases.record_attempt(connection, attempt)
        reviews.send_back(
            connection,
            Return(id="b1", case=unit(1).case, response="r1", page="p1", row="", question="q1",
                   comment=PLANTED["question back"], author="chi", at=1),
        )  # fmt: skip
    return code


def _opened(db: Database) -> list[object]:
    """Everything that is sealed beside addresses, as whoever has the key reads it."""
    with db.reading() as connection:
        (attempt,) = cases.attempts_of(connection, unit(1).case)
        (digest,) = connection.execute(select(photo_rows.c.digest)).scalars()
        return [
            responses.events(connection, "r1"), attempt, reviews.returned(connection),
            responses.quarantined(connection), photos.find(connection, "r1", digest),
            list(responses.verify(connection)),
        ]  # fmt: skip


def _dump(url: str) -> bytes:
    """Every byte that a thief gets: the files of SQLite, a pg_dump of PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(str(parsed.database))
        return b"".join(path.read_bytes() for path in file.parent.glob(file.name + "*"))
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    return subprocess.run(["pg_dump", "--dbname", plain], capture_output=True, check=True).stdout


def test_a_stolen_database_shows_nobody(db: Database, url: str) -> None:
    code = _fill(db)
    dump = _dump(url)
    assert unit(1).case.encode() in dump, "the dump is real"
    for planted in (*PLANTED.values(), code, code.replace("-", "")):
        assert planted.encode() not in dump
        assert planted.encode("utf-16-le") not in dump


def test_with_the_key_everything_is_read(db: Database) -> None:
    _fill(db)
    events, attempt, back, aside, picture, breaks = _opened(db)
    assert (len(events), breaks) == (4, [])  # type: ignore[arg-type]
    for said, word in (
        (attempt, "note of a visit"), (attempt, "place of a visit"), (back, "question back"),
        (aside, "what waits apart"), (events, "nickname among the answers"),
    ):  # fmt: skip
        assert PLANTED[word] in str(said)
    assert picture == PLANTED["picture"].encode()


def test_an_answer_cannot_be_moved_to_another_event(db: Database) -> None:
    _fill(db)
    with db.writing() as connection:
        stolen = connection.execute(
            select(event_rows.c.document).where(event_rows.c.id == "r1-1")
        ).scalar_one()
        connection.execute(update(event_rows).where(event_rows.c.id == "r1-2").values(document=stolen))
    with db.reading() as connection, pytest.raises(NoKey):
        responses.events(connection, "r1")


def test_without_the_key_verifying_says_what_it_could_not_see(db: Database, url: str) -> None:
    _fill(db)
    for other in (Database.open(url), Database.open(url).hold_key(b"x" * 32)):
        with other, other.reading() as connection:
            (line,) = responses.verify(connection)
        assert line.startswith("4 events are sealed and the key is not here")


def test_with_the_key_the_door_is_found(db: Database) -> None:
    _fill(db)
    with db.reading() as connection:
        found = identities.find(connection, unit(2).case)
    assert found is not None
    assert (found.address, found.other) == (
        PLANTED["address"],
        {"phone": PLANTED["phone"], "name": PLANTED["name"]},
    )


def test_without_the_key_or_with_another_nothing_opens(db: Database, url: str) -> None:
    _fill(db)
    with Database.open(url) as without, without.reading() as connection, pytest.raises(NoKey):
        identities.find(connection, unit(1).case)
    with Database.open(url).hold_key(b"x" * 32) as other, other.reading() as connection, pytest.raises(NoKey):
        identities.find(connection, unit(1).case)


def test_an_address_cannot_be_moved_to_another_household(db: Database) -> None:
    _fill(db)
    with db.writing() as connection:
        stolen = connection.execute(
            select(rows.c.address).where(rows.c.case == _name(connection, 1))
        ).scalar_one()
        connection.execute(update(rows).where(rows.c.case == _name(connection, 2)).values(address=stolen))
    with db.reading() as connection, pytest.raises(NoKey):
        identities.find(connection, unit(2).case)


def test_answers_lead_to_an_address_only_by_a_key_and_by_nothing_once_it_is_destroyed(db: Database) -> None:
    """Even with the key from outside, and with rows of addresses kept from before, as an old page or copy might hold."""
    _fill(db)
    with db.writing() as connection:
        known = set(connection.execute(select(cases_table.c.id)).scalars())
        kept = [row._asdict() for row in connection.execute(select(rows))]
        assert not known & {row["case"] for row in kept}, "no row says whose address it is"
        assert len(identities.everyone(connection)) == 3
        erasure.unlink_all(connection)
        assert identities.count(connection) == 0
        connection.execute(insert(rows), kept)
        assert identities.everyone(connection) == {}
        wrapped = (
            connection.execute(select(data_keys.c.wrapped).where(data_keys.c.purpose == "link"))
            .scalars()
            .all()
        )
    assert wrapped == [""]


def test_an_address_kept_by_an_older_version_is_found_and_linked_by_the_next_rotation(db: Database) -> None:
    _fill(db)
    with db.writing() as connection:
        connection.execute(update(rows).where(rows.c.case == _name(connection, 1)).values(case=unit(1).case))
        assert identities.find(connection, unit(1).case) is not None
        rotation.reseal(connection)
        assert unit(1).case not in set(connection.execute(select(rows.c.case)).scalars())
        assert identities.find(connection, unit(1).case) is not None
        assert identities.destroy(connection, [unit(1).case]) == 1


def _name(connection: Connection, number: int) -> str:
    return Vault(connection).name(connection, unit(number).case)


def test_rotating_seals_everything_anew_and_destroys_the_old_key(db: Database) -> None:
    _fill(db)
    known = _opened(db)
    with db.writing() as connection:
        # What an older version kept open is sealed too.
        connection.execute(
            update(rows)
            .where(rows.c.case == _name(connection, 3))
            .values(hamlet="Thôn mở", case=unit(3).case)
        )
        before = connection.execute(select(rows.c.address).order_by(rows.c.case)).scalars().all()
        connection.execute(
            update(event_rows)
            .where(event_rows.c.id == "r1-1")
            .values(document=responses.canonical(responses.events(connection, "r1")[1]).decode())
        )
        open_before = _dump_of_events(connection)
        assert rotation.reseal(connection) == 3
        assert not open_before & _dump_of_events(connection)
        assert factors.find(connection, "an").secret == PLANTED["second step"]  # type: ignore[union-attr]
        after = connection.execute(select(rows.c.address).order_by(rows.c.case)).scalars().all()
        kept = connection.execute(
            select(rows.c.hamlet).where(rows.c.case == _name(connection, 3))
        ).scalar_one()
        keys = connection.execute(select(data_keys).order_by(data_keys.c.id)).all()
    assert not set(before) & set(after)
    assert kept.startswith("sealed:3:")
    assert [(key.purpose, key.wrapped == "") for key in keys] == [
        ("link", True), ("fields", True), ("fields", False), ("link", False),
    ]  # fmt: skip
    with db.reading() as connection:
        found = identities.of_cases(connection, [unit(1).case, unit(3).case])
    assert found[unit(1).case].address == PLANTED["address"]
    assert found[unit(3).case].hamlet == "Thôn mở"
    assert _opened(db) == known


def _dump_of_events(connection: Connection) -> set[str]:
    return set(connection.execute(select(event_rows.c.document)).scalars())
