"""A wrong list and reserve households: reported at the door, seen and corrected in the office, counted in the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from litestar.testing import TestClient

from survey.fieldwork.listing import Listed
from survey.folder import Folder
from survey.freeze import freeze
from survey.storage import audit, cases, quarantine
from survey.storage.clock import now
from survey.storage.database import Database
from survey.storage.tables import cases as rows
from survey.web.ids import new_form_id
from tests.test_loading import FOLDER
from tests.web.phone import Phone, settle, sign_in
from tests.web.test_review import MINE, office

OTHER = "HD-000002"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Twelve households in areas of five; the last of the first area is a reserve."""
    with Database.open(settle(tmp_path)) as opened:
        with opened.writing() as connection:
            for name in ("HD-000004",):
                unit = msgspec.structs.replace(cases.existing(connection, name).unit, reserve=True)
                document = msgspec.json.encode(unit, order="deterministic").decode()
                connection.execute(rows.update().where(rows.c.id == name).values(reserve=True, unit=document))
        yield opened


def listed(case: str, kind: str, number: int = 1) -> Listed:
    return Listed(id=new_form_id(), case=case, at=now(), author="an", kind=kind, number=number)  # type: ignore[arg-type]


def factors(database: Database, out: Path) -> dict[str, float]:
    out.mkdir()
    freeze(database, Folder.read(FOLDER), out)
    table = pq.ParquetFile(out / "households.parquet").read(["case", "field_factor"]).to_pylist()
    return {row["case"]: row["field_factor"] for row in table}


def test_what_is_found_at_the_door_is_kept_once_and_reaches_the_weights(
    client: TestClient[Any], database: Database, tmp_path: Path
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    two = listed(MINE, "split", 3)
    receipts = phone.send(two, listed("HD-000003", "merged", 2), listed("HD-000005", "gone"))
    assert {r["state"] for r in receipts} == {"stored"}
    assert phone.send(two)[0]["state"] == "duplicate"
    assert phone.send(msgspec.structs.replace(two, number=4))[0]["reason"] == "conflict"
    assert phone.send(listed(OTHER, "gone"))[0]["reason"] == "not_assigned"
    found = factors(database, tmp_path / "frozen")
    assert found[MINE] == pytest.approx(3.0)
    assert found["HD-000003"] == pytest.approx(0.5)
    with database.reading() as connection:
        assert cases.existing(connection, "HD-000005").state == "closed"
        assert cases.existing(connection, OTHER).finding is None
        assert len(quarantine.waiting(connection)) == 2
    told = {one["id"]: one for one in client.get("/field/list", headers=phone.headers).json()["cases"]}
    assert (told[MINE]["listing"], told[MINE]["households"]) == ("split", 3)


def test_the_supervisor_sees_the_effect_and_takes_back_what_was_wrong(
    client: TestClient[Any], database: Database
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    phone.send(listed(MINE, "gone"))
    csrf = office(client, "chi")
    page = client.get("/office/listing?lang=en").text
    assert MINE in page
    assert "not eligible" in page
    for wrong in ({"case": "HD-999999", "kind": "gone"}, {"case": MINE, "kind": "split", "number": "1"}):
        assert client.post("/office/listing", data={"csrf": csrf, **wrong}).status_code == 422
    client.post("/office/listing", data={"csrf": csrf, "case": MINE, "kind": "listed"})
    with database.reading() as connection:
        case = cases.existing(connection, MINE)
        assert case.state == "waiting", "what was closed by mistake is open again"
        assert case.finding is not None
        assert case.finding.factor == 1.0
        assert {line.action for line in audit.of_subject(connection, f"case:{MINE}")} >= {
            "list: gone",
            "list: listed",
        }


def test_a_reserve_is_the_next_of_the_area_and_hides_nobodys_outcome(
    client: TestClient[Any], database: Database, tmp_path: Path
) -> None:
    phone = Phone(client, "an", token=sign_in(client, "an"))
    csrf = office(client, "chi")

    def open_one(case: str, reason: str = "hộ từ chối") -> int:
        return int(
            client.post("/office/reserves", data={"csrf": csrf, "case": case, "reason": reason}).status_code
        )

    assert open_one(MINE) == 422, "it is still being worked"
    phone = Phone(client, "an", token=sign_in(client, "an"))
    phone.send(phone.attempt(MINE, "refused"), phone.attempt("HD-000003", "refused"))
    before = factors(database, tmp_path / "before")
    csrf = office(client, "chi")
    assert MINE in client.get("/office/reserves").text
    assert open_one(MINE, "  ") == 422
    assert open_one(MINE) == 200
    assert open_one(MINE) == 422, "one in place of one"
    assert open_one("HD-000003") == 422, "no other is left in the area"
    with database.reading() as connection:
        reserve, original = (cases.existing(connection, one) for one in ("HD-000004", MINE))
        assert (reserve.reserve, reserve.assignee, original.state) == (False, "an", "closed")
        assert reserve.release is not None
        assert reserve.release.instead_of == MINE
    found = factors(database, tmp_path / "after")
    assert before[MINE] == 1.0
    assert found[MINE] == found["HD-000004"] == pytest.approx(20 / 21), "the area shares its weight"
    site = client.app.state.site
    (total, *_) = site.oversight.rates("commune")
    assert total.cases == 11, "rates are of the households first drawn"
    assert total.counts["R"] == 2
