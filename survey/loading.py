"""Before the field: a drawn sample becomes cases with codes, and people get accounts (`survey load`, `survey account`)."""

from __future__ import annotations

import csv
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from argon2 import PasswordHasher
from rich.console import Console
from sqlalchemy import Connection

from survey.access import codes as household_codes
from survey.access import passwords
from survey.access.policy import SECOND_STEP
from survey.fieldwork.sample import SampledUnit
from survey.folder import Folder
from survey.problems import BadDocument, Conflict, Finding, SurveyError
from survey.settings import Keys, keys
from survey.spreadsheet import plain, safe
from survey.storage import accounts, audit, cases, codes, identities, surveys, tallies
from survey.storage.database import Database
from survey.storage.vault import carried

_UNIT_COLUMNS = tuple(field.name for field in msgspec.structs.fields(SampledUnit))
_NEEDED = tuple(field.name for field in msgspec.structs.fields(SampledUnit) if field.required)
_TRUE_AND_FALSE = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What `load_sample` did: cases in the sample, how many were new, codes that were written."""

    cases: int
    new: int
    codes: int


def load_sample(
    folder: Path | str,
    sample: Path,
    database_url: str,
    codes_csv: Path,
    *,
    synthetic: bool | None = None,
    console: Console | None = None,
) -> Loaded:
    """Keep the folder and its sample in the database, and write a code for each new case to `codes_csv` (mode 0600).

    `sample` is the folder that `survey sample` wrote. Loading again is harmless: cases that are there keep their
    life and their code. The file of codes is for printing the letters and is to be destroyed afterwards: the
    database holds keyed hashes only. `synthetic` marks everything as invented; by default sample.json says so.
    """
    read = folder if isinstance(folder, Folder) else Folder.read(Path(folder))
    rows = list(read_sample(sample / "sample.csv"))
    if synthetic is None:
        synthetic = _says_synthetic(sample / "sample.json")
    secret = keys(database_url)
    with Database.open(database_url).hold_key(secret.identities) as database:
        loaded = _load(database, read, rows, secret, codes_csv, synthetic=synthetic)
        tallies.refresh(database)
    (console or Console()).print(
        f"{loaded.cases} hộ trong mẫu, {loaded.new} hộ mới; {loaded.codes} mã ghi vào {codes_csv} · "
        f"{loaded.cases} cases in the sample, {loaded.new} new; {loaded.codes} codes written to {codes_csv}"
    )
    return loaded


Row = tuple[SampledUnit, identities.Identity]


def _load(
    database: Database, folder: Folder, rows: Sequence[Row], secret: Keys, codes_csv: Path, *, synthetic: bool
) -> Loaded:
    """In one transaction: the survey, its cases, their addresses and the codes of the new ones.

    The file of codes is written before the commit: a code that is in the database but on no letter would shut a
    household out, one that is on paper only is harmless.
    """
    letters: list[dict[str, str]] = []
    with database.writing() as connection:
        secret = carried(connection, secret)
        surveys.keep(connection, folder.questionnaire, folder.plan, folder.hash, synthetic=synthetic)
        before = {case.id for case in cases.every(connection)}
        new = cases.import_sample(connection, (unit for unit, _ in rows))
        fresh = [(unit, identity) for unit, identity in rows if unit.case not in before]
        identities.keep(connection, (identity for _, identity in fresh))
        _assign_to_accounts(connection)
        pairs: list[tuple[str, str]] = []
        for unit, identity in fresh:
            code = household_codes.make(secrets.token_bytes(16))
            pairs.append((unit.case, household_codes.digest(code, secret.codes)))
            letters.append(
                {
                    "case": unit.case,
                    "code": code,
                    "commune": unit.commune,
                    "hamlet": identity.hamlet,
                    "address": identity.address,
                }
            )
        codes.issue(connection, pairs)
        audit.append(
            connection, "cli", "load sample", f"survey:{folder.plan.id}", {"hash": folder.hash, "new": new}
        )
        _write_codes(codes_csv, letters)
    return Loaded(cases=len(rows), new=new, codes=len(pairs))


def _assign_to_accounts(connection: Connection) -> None:
    for account in accounts.every(connection):
        if account.role == "official" and account.disabled_at is None and account.communes:
            cases.assign(connection, account.communes, account.name)


def read_sample(path: Path) -> Iterator[Row]:
    """The units and addresses of sample.csv; BadDocument with every row that cannot be read."""
    if not path.is_file():
        raise SurveyError(
            {
                "vi": f"Không có tệp {path}. Hãy chọn mẫu trước bằng: survey sample",
                "en": f"There is no file {path}. Draw the sample first: survey sample",
            }
        )
    findings: list[Finding] = []
    rows: list[Row] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
        if missing:
            raise BadDocument([_missing_columns(path, missing)])
        for number, row in enumerate(reader, start=2):
            try:
                rows.append(_row(row))
            except (msgspec.ValidationError, ValueError, KeyError) as error:
                findings.append(_bad_row(path, number, error))
    if findings:
        raise BadDocument(findings)
    yield from rows


def _row(cells: Mapping[str, str]) -> Row:
    row = {name: plain(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}
    facts: dict[str, Any] = {name: row[name] for name in _UNIT_COLUMNS if row.get(name) is not None}
    for name in ("certainty", "reserve"):
        if name in facts:
            facts[name] = _TRUE_AND_FALSE[facts[name].strip().lower()]
    unit = msgspec.convert(facts, SampledUnit, strict=False)
    others = {
        name: value
        for name, value in row.items()
        if name and name not in (*_UNIT_COLUMNS, "address", "hamlet") and value
    }
    return unit, identities.Identity(
        case=unit.case, address=row.get("address") or "", hamlet=row.get("hamlet") or "", other=others
    )


def _missing_columns(path: Path, names: Iterable[str]) -> Finding:
    listed = ", ".join(names)
    return Finding(
        code="missing_columns",
        where=f"{path.name}, row 1",
        message={"vi": f"Thiếu cột: {listed}", "en": f"Columns are missing: {listed}"},
        remedy={
            "vi": "Dùng tệp do lệnh survey sample ghi.",
            "en": "Use the file that `survey sample` wrote.",
        },
    )


def _bad_row(path: Path, number: int, error: Exception) -> Finding:
    return Finding(
        code="bad_sample_row",
        where=f"{path.name}, row {number}",
        message={"vi": f"Không đọc được dòng này: {error}", "en": f"This row cannot be read: {error}"},
        remedy={
            "vi": "Dùng tệp do lệnh survey sample ghi, không sửa bằng tay.",
            "en": "Use the file that `survey sample` wrote, not edited by hand.",
        },
    )


def _says_synthetic(path: Path) -> bool:
    if not path.is_file():
        return False
    return bool(msgspec.json.decode(path.read_bytes()).get("synthetic", False))


def _write_codes(path: Path, letters: Sequence[Mapping[str, str]]) -> None:
    """Codes are as good as keys to a household's answers: only the owner may read the file, none is overwritten."""
    if not letters:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Conflict(
            {
                "vi": f"Đã có tệp {path}, có thể chứa mã chưa in thư. Hãy chuyển tệp đi rồi nạp lại.",
                "en": f"{path} is already there and may hold codes not yet printed. Move it away, then load again.",
            }
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(letters[0]))
        writer.writeheader()
        writer.writerows({name: safe(cell) for name, cell in row.items()} for row in letters)


def create_account(
    database_url: str,
    name: str,
    role: str,
    communes: Sequence[str] = (),
    *,
    password: str | None = None,
    console: Console | None = None,
) -> str:
    """Create an account, give it the unassigned cases of `communes`, and return the password.

    Without `password`, a terminal is asked for one (an empty answer makes one); otherwise one is made. A made
    password is printed once and kept nowhere: the database holds its argon2id hash.
    """
    console = console or Console()
    made = False
    if password is None and sys.stdin.isatty():
        password = console.input(
            "Mật khẩu (để trống: tự tạo) · Password (empty: make one): ", password=True
        ).strip()
    if not password:
        password, made = make_password(), True
    elif fault := passwords.weakness(password, (name,), second_step=role in SECOND_STEP):
        raise SurveyError(passwords.REFUSED[fault])
    with Database.open(database_url) as database, database.writing() as connection:
        accounts.create(connection, name, role, PasswordHasher().hash(passwords.prepared(password)), communes)
        given = cases.assign(connection, communes, name) if communes and role == "official" else 0
        audit.append(connection, "cli", "create account", f"account:{name}", {"role": role, "cases": given})
    console.print(f"Tài khoản {name} ({role}), {given} hộ · account {name} ({role}), {given} cases")
    if made:
        console.print(f"Mật khẩu, chỉ hiện một lần · Password, shown once: {password}")
    return password


def recover_account(database_url: str, name: str, console: Console | None = None) -> str:
    """A new password for an account whose owner has lost the old one or the phone (`survey recover`); printed once.

    For the administrator's own account; others are recovered on /office/accounts. Its sessions end, and the second step is
    set up anew at the next sign-in.
    """
    password = make_password()
    with Database.open(database_url) as database, database.writing() as connection:
        if accounts.find(connection, name) is None:
            raise SurveyError(
                {"vi": f"Không có tài khoản {name!r}.", "en": f"There is no account named {name!r}."}
            )
        accounts.recover(connection, name, PasswordHasher().hash(password), "cli")
    (console or Console()).print(
        f"{name}: mật khẩu mới, chỉ hiện một lần · new password, shown once: {password}"
    )
    return password


def make_password() -> str:
    """A password for somebody to begin with."""
    return passwords.made(secrets.token_bytes(16))
