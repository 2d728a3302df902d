"""The frozen sample: what collecting hands to publishing, and all that publishing reads.

    households.parquet   one row a sampled case, nonrespondents too, with design, outcome and household answers
    persons.parquet      one row a member of each complete response: roster answers, and those of the person drawn
    <roster>.parquet     the same for any other roster
    codebook.json        what each column is, with its choices in every language
    manifest.json        hashes, counts, versions, and whether the people are invented

A value is NULL when there is none and `<variable>__missing` says which of the states it is in. Choice codes are text;
a question with many choices has a truth column for each. Free text, places, photographs and bar codes, and what is
computed from them, stay in the database: they can hold names and are no one's estimate. Addresses were never with the answers.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from survey.problems import Conflict

HOUSEHOLDS: Final = "households"
PERSONS: Final = "persons"


class FrozenFile(Struct, frozen=True, kw_only=True):
    """One file of the frozen sample."""

    sha256: str
    rows: int


class Manifest(Struct, frozen=True, kw_only=True):
    """What was frozen. `synthetic` is copied onto everything made of it."""

    survey: str
    questionnaire_version: str
    versions: dict[str, int]  # complete responses by the questionnaire version they were given on
    folder: str  # hash of the survey folder
    software: str
    synthetic: bool
    files: dict[str, FrozenFile]
    cases: int
    complete: int
    persons: int
    dispositions: dict[str, int]
    modes: dict[str, int]  # complete responses by mode
    left_out: tuple[str, ...]  # variables that stay in the database
    sensitive: tuple[str, ...] = ()  # variables in these files that the law calls sensitive


def read_manifest(frozen: Path) -> Manifest:
    """The manifest of a frozen sample, its files checked against their hashes. Raises Conflict when there is none, or one
    differs or is gone."""
    try:
        manifest = msgspec.json.decode((frozen / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise Conflict(
            {
                "vi": f"{frozen} không phải là mẫu đã đóng băng: không có manifest.json đọc được. Hãy tạo bằng survey freeze.",
                "en": f"{frozen} is no frozen sample: it has no manifest.json that can be read. Make one with survey freeze.",
            }
        ) from error
    for name, file in manifest.files.items():
        if not (frozen / name).is_file() or sha256(frozen / name) != file.sha256:
            raise Conflict(
                {
                    "vi": f"{frozen / name} không còn là tệp đã đóng băng: mã băm khác với manifest.json.",
                    "en": f"{frozen / name} is not the file that was frozen: its hash differs from manifest.json.",
                }
            )
    return manifest


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
