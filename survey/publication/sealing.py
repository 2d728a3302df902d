"""A release that anybody can check: every file's SHA-256 in `manifest.json`, and a detached Ed25519 signature of that.

    seal(out, written, release, key)      manifest.json, and with a key manifest.sig and manifest.pub
    verify(out, public_key)               every file is there, unchanged, and nothing was added

Neither looks at the clock, so the same release has the same seal, signature included. The signature proves who sealed
it only to somebody who has the public key from elsewhere; the copy beside it is for convenience.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from survey.problems import Conflict, SurveyError
from survey.publication.results import Release

MANIFEST, SIGNATURE, PUBLIC_KEY = "manifest.json", "manifest.sig", "manifest.pub"


class NotGenuine(SurveyError):
    """A release is not what was sealed; the message names every file that differs, is missing or was added."""

    code = "not_genuine"


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """What `manifest.json` holds. `previous` is the SHA-256 of the manifest of the release before."""

    survey: str
    number: int
    embargo: str
    synthetic: bool
    previous: str
    files: dict[str, str]


def seal(out: Path, written: Iterable[Path], release: Release, key: Path | None = None) -> Seal:
    """Write the manifest of the files `written` into `out`, signed when a key is given (made the first time)."""
    made = Seal(
        survey=release.survey,
        number=release.number,
        embargo=release.embargo,
        synthetic=release.synthetic,
        previous=release.previous,
        files={path.relative_to(out).as_posix(): _hash(path) for path in sorted(written)},
    )
    content = msgspec.json.format(msgspec.json.encode(made, order="sorted"), indent=1) + b"\n"
    (out / MANIFEST).write_bytes(content)
    if key is not None:
        private = _signing_key(key)
        (out / SIGNATURE).write_bytes(base64.b64encode(private.sign(content)) + b"\n")
        (out / PUBLIC_KEY).write_bytes(
            private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    return made


def unseal(out: Path) -> None:
    """Remove the files of an earlier release from `out`, and only those; a folder with other files is left."""
    if not (out / MANIFEST).is_file():
        return
    for name in (*read(out).files, MANIFEST, SIGNATURE, PUBLIC_KEY):
        (out / name).unlink(missing_ok=True)


def read(out: Path) -> Seal:
    """The manifest of a release. Raises NotGenuine when there is none that can be read, or when it names a file outside the
    folder: `unseal` deletes what it names."""
    try:
        found = msgspec.json.decode((out / MANIFEST).read_bytes(), type=Seal)
        outside = [name for name in found.files if not (out / name).resolve().is_relative_to(out.resolve())]
        if outside:
            raise ValueError(f"{outside[0]!r} lies outside the folder")
        return found
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise NotGenuine(
            {
                "vi": f"{out} không có bảng kê {MANIFEST} đọc được: {error}",
                "en": f"{out} has no manifest {MANIFEST} that can be read: {error}",
            }
        ) from error


def opened(out: Path) -> Release:
    """The figures of a release that is as it was sealed. Raises NotGenuine when it is not, or when another version wrote them
    in a way that this one cannot read."""
    verify(out)
    try:
        return msgspec.json.decode((out / "estimates.json").read_bytes(), type=Release)
    except (OSError, msgspec.MsgspecError) as error:
        raise NotGenuine(
            {
                "vi": f"{out}: không đọc được estimates.json (do phiên bản phần mềm khác ghi?): {error}",
                "en": f"{out}: estimates.json cannot be read (written by another version?): {error}",
            }
        ) from error


def verify(out: Path, public_key: Path | None = None) -> tuple[Seal, str]:
    """The manifest and the fingerprint of the key that signed it ("" when unsigned), or NotGenuine.

    With `public_key` the release must be signed by that key; without one a signature is checked against the key that
    lies beside it, which proves only that nothing changed since.
    """
    found = read(out)
    wrong_vi, wrong_en = [], []
    for name, expected in found.files.items():
        path = out / name
        if not path.is_file():
            wrong_vi.append(f"{name}: thiếu tệp")
            wrong_en.append(f"{name}: the file is missing")
        elif _hash(path) != expected:
            wrong_vi.append(f"{name}: nội dung đã bị thay đổi")
            wrong_en.append(f"{name}: its content was changed")
    known = {*found.files, MANIFEST, SIGNATURE, PUBLIC_KEY}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        if name not in known:
            wrong_vi.append(f"{name}: tệp lạ, không có trong bảng kê")
            wrong_en.append(f"{name}: not in the manifest")
    fingerprint = ""
    signed = (out / SIGNATURE).is_file()
    if signed or public_key is not None:
        try:
            key = load_pem_public_key((public_key or out / PUBLIC_KEY).read_bytes())
            assert isinstance(key, Ed25519PublicKey)
            key.verify(base64.b64decode((out / SIGNATURE).read_bytes()), (out / MANIFEST).read_bytes())
            raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
            fingerprint = hashlib.sha256(raw).hexdigest()[:16]
        except (OSError, ValueError, AssertionError, InvalidSignature):
            wrong_vi.append(f"{SIGNATURE}: không có chữ ký hợp lệ của khóa này")
            wrong_en.append(f"{SIGNATURE}: no valid signature by this key")
    if wrong_vi:
        raise NotGenuine({"vi": "\n".join(wrong_vi), "en": "\n".join(wrong_en)})
    return found, fingerprint


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def manifest_hash(out: Path) -> str:
    """The SHA-256 by which the next release names this one."""
    return _hash(out / MANIFEST)


def _signing_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file, readable by its owner only; made when the file is not there."""
    if not path.exists():
        made = Ed25519PrivateKey.generate()
        content = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        return made
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Conflict(
            {"vi": f"{path} không phải là khóa ký Ed25519.", "en": f"{path} is not an Ed25519 signing key."}
        )
    return key
