"""A sample becomes cases and letters once; loading it again harms nobody; an official's password is shown once."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from rich.console import Console

from survey.access.codes import digest
from survey.draw import COLUMNS
from survey.loading import create_account, load_sample, make_password
from survey.problems import BadDocument, Conflict, SurveyError
from survey.settings import keys
from survey.storage import accounts, audit, cases, codes, identities, surveys
from survey.storage.database import Database

FOLDER = Path(__file__).parents[1] / "questionnaires" / "haiduong-digital-society"


def write_sample(folder: Path, numbers: range) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "sample.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for n in numbers:
            writer.writerow(
                {
                    "case": f"HD-{n:06d}",
                    "household": f"h{n}",
                    "stratum": "1",
                    "psu": f"ea{n // 5}",
                    "commune": "10507" if n % 2 else "10510",
                    "urban_rural": "urban",
                    "stage1_probability": "0.125",
                    "stage2_probability": "0.2",
                    "psus_sampled": "4",
                    "psus_in_stratum": "32",
                    "households_sampled": "20",
                    "households_listed": "100",
                    "certainty": "false",
                    "reserve": "false",
                    "respondent_draw": "0.5",
                    "address": f"Số {n}, ngõ thử",
                    "hamlet": "Thôn Mẫu",
                }
            )
    (folder / "sample.json").write_text('{"synthetic": true}')
    return folder


@pytest.fixture
def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'survey.sqlite'}"


def test_a_sample_becomes_cases_addresses_and_letters(tmp_path: Path, url: str, quiet: Console) -> None:
    letters = tmp_path / "letters" / "codes.csv"
    done = load_sample(FOLDER, write_sample(tmp_path / "sample", range(10)), url, letters, console=quiet)
    assert (done.cases, done.new, done.codes) == (10, 10, 10)
    assert letters.stat().st_mode & 0o077 == 0
    with letters.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with Database.open(url).hold_key(keys(url).identities) as db, db.reading() as connection:
        for row in rows:
            opened = codes.find(connection, digest(row["code"], keys(url).codes))
            assert opened is not None
            assert (opened.case, opened.member, opened.replaces) == (row["case"], "", False)
        case = cases.find(connection, "HD-000003")
        assert case is not None
        assert case.unit.stage1_probability == 0.125
        identity = identities.find(connection, "HD-000003")
        assert identity is not None
        assert identity.address == "Số 3, ngõ thử"
        kept = surveys.current(connection)
        assert kept is not None
        assert kept.synthetic
        assert len(audit.of_subject(connection, f"survey:{kept.plan.id}")) == 1
    assert rows[0]["code"] not in (tmp_path / "survey.sqlite").read_bytes().decode("latin-1")


def test_no_cell_of_the_codes_runs_as_a_formula_and_the_address_stays_what_it_is(
    tmp_path: Path, url: str, quiet: Console
) -> None:
    sample = write_sample(tmp_path / "s", range(2))
    file = sample / "sample.csv"
    file.write_text(
        file.read_text(encoding="utf-8").replace("Số 1, ngõ thử", "'=HYPERLINK(1)"), encoding="utf-8"
    )
    load_sample(FOLDER, sample, url, tmp_path / "codes.csv", console=quiet)
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as codes_file:
        assert "'=HYPERLINK(1)" in [row["address"] for row in csv.DictReader(codes_file)]
    with Database.open(url) as db, db.reading() as connection:
        found = identities.find(connection, "HD-000001")
    assert found is not None
    assert found.address == "=HYPERLINK(1)"


def test_loading_again_gives_codes_to_the_new_ones_only(tmp_path: Path, url: str, quiet: Console) -> None:
    load_sample(FOLDER, write_sample(tmp_path / "s", range(10)), url, tmp_path / "1.csv", console=quiet)
    again = load_sample(
        FOLDER, write_sample(tmp_path / "s", range(10)), url, tmp_path / "2.csv", console=quiet
    )
    assert (again.new, again.codes) == (0, 0)
    assert not (tmp_path / "2.csv").exists()
    more = load_sample(
        FOLDER, write_sample(tmp_path / "s", range(12)), url, tmp_path / "3.csv", console=quiet
    )
    assert (more.cases, more.new, more.codes) == (12, 2, 2)


def test_a_file_of_codes_is_never_overwritten_and_then_nothing_is_loaded(
    tmp_path: Path, url: str, quiet: Console
) -> None:
    (tmp_path / "codes.csv").write_text("not printed yet")
    with pytest.raises(Conflict, match=r"codes\.csv"):
        load_sample(
            FOLDER, write_sample(tmp_path / "s", range(3)), url, tmp_path / "codes.csv", console=quiet
        )
    with Database.open(url) as db, db.reading() as connection:
        assert list(cases.every(connection)) == []


def test_every_bad_row_of_a_sample_is_named(tmp_path: Path, url: str) -> None:
    sample = write_sample(tmp_path / "s", range(5))
    text = (sample / "sample.csv").read_text(encoding="utf-8")
    text = text.replace("HD-000001,h1,1,ea0,10507,urban,0.125", "HD-000001,h1,1,ea0,10507,urban,1.5")
    text = text.replace("HD-000003,h3,1,ea0,10507,urban,0.125", "HD-000003,h3,1,ea0,10507,urban,much")
    (sample / "sample.csv").write_text(text, encoding="utf-8")
    with pytest.raises(BadDocument) as problem:
        load_sample(FOLDER, sample, url, tmp_path / "codes.csv")
    assert [finding.where for finding in problem.value.findings] == ["sample.csv, row 3", "sample.csv, row 5"]
    (sample / "sample.csv").write_text("case,household\n1,2\n")
    with pytest.raises(BadDocument, match="stratum"):
        load_sample(FOLDER, sample, url, tmp_path / "codes.csv")
    with pytest.raises(SurveyError, match="survey sample"):
        load_sample(FOLDER, tmp_path, url, tmp_path / "codes.csv")


def test_an_official_gets_a_password_and_the_cases_of_the_commune(
    tmp_path: Path, url: str, quiet: Console
) -> None:
    load_sample(FOLDER, write_sample(tmp_path / "s", range(10)), url, tmp_path / "1.csv", console=quiet)
    password = create_account(url, "an", "official", ["10507"], console=quiet)
    create_account(url, "binh", "statistician", password="a long enough one", console=quiet)
    said = quiet.file.getvalue()  # type: ignore[attr-defined]
    assert said.count(password) == 1
    assert "a long enough one" not in said
    load_sample(FOLDER, write_sample(tmp_path / "s", range(12)), url, tmp_path / "2.csv", console=quiet)
    with Database.open(url) as db, db.reading() as connection:
        account = accounts.find(connection, "an")
        assert account is not None
        assert PasswordHasher().verify(account.password, password)
        assert len(cases.assigned_to(connection, "an")) == 6, "cases that come later go to the same official"
    with pytest.raises(SurveyError, match="15"):
        create_account(url, "chi", "official", password="short", console=quiet)
    with pytest.raises(Conflict):
        create_account(url, "an", "official", console=quiet)


def test_made_passwords_are_long_and_never_the_same() -> None:
    assert len({make_password() for _ in range(100)}) == 100
    assert all(len(make_password().replace("-", "")) == 16 for _ in range(100))
