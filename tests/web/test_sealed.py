"""What a locked phone sends sealed is opened by this server alone, and then judged like everything else."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from litestar.testing import TestClient

from survey.storage import devices, quarantine
from survey.storage.database import Database
from survey.storage.responses import canonical
from survey.web.sealed import recovery
from tests.web.phone import Phone, hash_of, sign_in

MINE = "HD-000001"


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Locked:
    """A locked phone as static/js/field-lock.mjs makes it; tests/browser/test_field_lock.py runs the real one."""

    def __init__(self, client: TestClient[Any], account: str = "an", point: str = "") -> None:
        self.key = AESGCM.generate_key(256)
        curve = ec.SECP256R1()
        server = point or recovery(client.app.state.site).point
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(curve, base64.b64decode(server))
        maker = ec.generate_private_key(curve)
        said = maker.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = maker.exchange(ec.ECDH(), theirs)
        info = f"survey phone {account}".encode()
        wrapping = HKDF(algorithm=SHA256(), length=32, salt=said, info=info).derive(shared)
        iv = secrets.token_bytes(12)
        sealed = AESGCM(wrapping).encrypt(iv, self.key, None)
        self.escrow = {
            "account": account, "server": "", "maker": text(said), "iv": text(iv), "data": text(sealed)
        }  # fmt: skip

    @property
    def header(self) -> str:
        return text(msgspec.json.encode(self.escrow))

    def seal(self, content: bytes, key: bytes = b"") -> dict[str, str]:
        iv = secrets.token_bytes(12)
        return {"iv": text(iv), "data": text(AESGCM(key or self.key).encrypt(iv, content, None))}


@pytest.fixture
def phone(client: TestClient[Any]) -> Phone:
    return Phone(client, "an", url="/field/sealed", token=sign_in(client, "an"))


def send(phone: Phone, locked: Locked, items: list[Any]) -> Any:
    return phone.post(msgspec.json.encode({"attempts": items}), survey_escrow=locked.header)


def test_what_lies_sealed_is_taken_in_once_as_if_it_had_come_in_the_open(
    client: TestClient[Any], phone: Phone, database: Database
) -> None:
    locked, visit, other = Locked(client), phone.attempt(MINE), phone.attempt(MINE, "appointment")
    items = [locked.seal(msgspec.json.encode(visit)), msgspec.to_builtins(other)]
    answer = send(phone, locked, items)
    assert answer.status_code == 200
    first, second = answer.json()["receipts"]
    assert (first["id"], first["hash"], first["state"]) == (visit.id, hash_of(visit), "stored")
    assert second["state"] == "stored", "an item that was not sealed yet is taken as it is"
    assert send(phone, locked, items).json()["receipts"][0]["state"] == "duplicate"
    assert canonical  # the bytes of events are sealed the same way: tests/browser/test_field_lock.py


def test_what_was_sealed_for_somebody_else_is_refused_whole_and_stays_on_the_phone(
    client: TestClient[Any], phone: Phone, database: Database
) -> None:
    good = Locked(client)
    item = good.seal(msgspec.json.encode(phone.attempt(MINE)))
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    foreign = Locked(client, point=text(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))
    renamed = Locked(client)
    renamed.escrow["account"] = "binh"
    spoilt = Locked(client)
    spoilt.escrow["maker"] = text(b"\x04" + bytes(64))
    for locked in (foreign, renamed, spoilt, Locked(client)):
        assert send(phone, locked, [item]).status_code == 400
    for header in ("", "not base64", text(b"{}"), text(b"[]")):
        answer = phone.post(msgspec.json.encode({"attempts": [item]}), survey_escrow=header)
        assert answer.status_code == 400
    with database.reading() as connection:
        assert quarantine.waiting(connection) == []


def test_a_locked_phone_asks_whether_it_was_reported_lost_and_needs_no_session_then(
    client: TestClient[Any], phone: Phone, database: Database
) -> None:
    with database.writing() as connection:
        devices.heard_of(connection, phone.headers["survey-device"], "an", 1, 0, 0)
    assert phone.post(b"{}").json() == {"receipts": [], "revoked": False}
    assert client.get("/field/token").json()["account"] == "an"
    client.cookies.clear()
    assert phone.post(b"{}").status_code == 401
    assert client.get("/field/token", headers={"accept": "application/json"}).status_code == 401
    with database.writing() as connection:
        devices.revoke(connection, phone.headers["survey-device"])
    assert phone.post(b"{}").json() == {"receipts": [], "revoked": True}
    locked, visit = Locked(client), phone.attempt(MINE)
    (receipt,) = send(phone, locked, [locked.seal(msgspec.json.encode(visit))]).json()["receipts"]
    assert (receipt["state"], receipt["hash"]) == ("quarantined", hash_of(visit))
