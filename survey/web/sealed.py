"""What a locked phone sends: the official has forgotten the code, or the phone was reported lost. It cannot read what it
holds, so it sends it as it lies there, with the key of it sealed for this server alone, and the server opens both.

    POST /field/sealed   a batch as of /field/sync, of which every item is {"iv", "data"}; the same receipts
    GET  /field/token    who is signed in on this browser, and the token of the session's forms

The header `survey-escrow` is what static/js/field-lock.mjs made for the server: the phone's key, encrypted by ECDH on P-256
with a key made once (`maker`), HKDF-SHA-256 and AES-256-GCM, bound to the name of the account. The server's own key follows
from the installation's secret (`Keys.lasting`, which stays when the secret is exchanged), so that nothing more has to be kept.

A phone that was reported lost needs no session, as at /field/sync: what it holds is kept apart for the supervisor. Nothing that
was opened is given back, only receipts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from litestar import Response, get, post
from litestar.exceptions import ClientException
from msgspec import Struct

from survey.web.field import find_account
from survey.web.guards import needs
from survey.web.site import AnyRequest, Site, site_of
from survey.web.sync import KINDS, Batch, batch_of, items_of, receive, sender_of

ESCROW = "survey-escrow"
"""Header with the phone's key, sealed for the server: base64 of `Escrow` as JSON."""
_CURVE = ec.SECP256R1()
_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # FIPS 186-5, P-256


class Recovery(Struct, frozen=True):
    """The server's public key as the app gets it: an uncompressed point in base64, and by which name it is told apart."""

    id: str
    point: str


class Escrow(Struct, frozen=True):
    """A phone's key for the server alone. `server` names the public key it was sealed for; the others are base64."""

    account: str
    server: str
    maker: str
    iv: str
    data: str


class Sealed(Struct, frozen=True):
    """One item as it lies on the phone: AES-GCM, both parts in base64."""

    iv: str
    data: str


class Signed(Struct):
    """Who is signed in on this browser, and the token that forms of this session carry."""

    account: str
    csrf: str


def _private(secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The server's key: a number of the curve made of 48 bytes of the secret, so that none is likelier than another
    (FIPS 186-5, A.2.1)."""
    wide = HKDF(algorithm=SHA256(), length=48, salt=None, info=b"survey recovery P-256").derive(secret)
    return ec.derive_private_key(int.from_bytes(wide) % (_ORDER - 1) + 1, _CURVE)


def recovery(site: Site) -> Recovery:
    """The public key that phones seal for."""
    point = (
        _private(site.keys.lasting).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
    return Recovery(hashlib.sha256(point).hexdigest()[:12], base64.b64encode(point).decode())


def opener(site: Site, header: str) -> Callable[[bytes], bytes]:
    """What opens the items of a phone, by the key in its header. `ClientException` when it was not sealed for this server:
    then nothing was taken and the phone keeps everything."""
    try:
        escrow = msgspec.json.decode(base64.b64decode(header, validate=True), type=Escrow)
        maker, iv, data = (
            base64.b64decode(part, validate=True) for part in (escrow.maker, escrow.iv, escrow.data)
        )
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, maker)
        shared = _private(site.keys.lasting).exchange(ec.ECDH(), theirs)
        info = f"survey phone {escrow.account}".encode()
        key = HKDF(algorithm=SHA256(), length=32, salt=maker, info=info).derive(shared)
        phone = AESGCM(AESGCM(key).decrypt(iv, data, None))
    except (ValueError, msgspec.DecodeError, binascii.Error, InvalidTag) as error:
        raise ClientException("not sealed for this server") from error

    def opened(raw: bytes) -> bytes:
        try:
            item = msgspec.json.decode(raw, type=Sealed)
        except msgspec.ValidationError:
            return raw  # it lay there in the open: a phone that was just being given its first code
        return phone.decrypt(
            base64.b64decode(item.iv, validate=True), base64.b64decode(item.data, validate=True), None
        )

    return opened


def _opened(batch: Batch, open_item: Callable[[bytes], bytes]) -> Batch:
    """The batch as an unlocked phone would have sent it."""
    try:
        lists = {kind: [msgspec.Raw(open_item(bytes(raw))) for raw in getattr(batch, kind)] for kind in KINDS}
    except (ValueError, msgspec.DecodeError, binascii.Error, InvalidTag) as error:
        raise ClientException("not sealed by the key that came with it") from error
    return Batch(**lists)


@post("/field/sealed", status_code=200, guards=[needs("list_cases")])
async def field_sealed(request: AnyRequest) -> Response[bytes]:
    """What an official's locked phone holds, opened and taken in as if it had come in the open."""
    site = site_of(request)
    batch = await batch_of(request)
    if not any(getattr(batch, kind) for kind in KINDS):  # it asks whether it was reported lost
        return await receive(request, [])
    await site.database.read(sender_of, site, request)  # nothing is opened for nobody
    open_item = opener(site, request.headers.get(ESCROW, ""))
    return await receive(request, items_of(_opened(batch, open_item)))


@get("/field/token", guards=[needs("list_cases")])
async def field_token(request: AnyRequest) -> Response[bytes]:
    """For a phone that nobody has unlocked yet: whose it is, and the token of its session, which it has only sealed."""
    signed, account = await site_of(request).database.read(find_account, site_of(request), request)
    return Response(
        msgspec.json.encode(Signed(account.name, signed.csrf)), media_type="application/json",
        headers={"cache-control": "no-store"},
    )  # fmt: skip


HANDLERS = (field_sealed, field_token)
