"""Proves that freezing keeps every sampled case, every state of every answer and no name; and gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from survey.fieldwork.dispositions import DISPOSITIONS
from survey.folder import Folder, frozen_columns
from survey.freeze import freeze
from survey.frozen import read_manifest
from survey.problems import Conflict
from survey.questionnaire.codebook import MISSING, variables
from survey.questionnaire.conditions import chance
from survey.questionnaire.model import Question
from survey.questionnaire.response import Answer, Event
from survey.questionnaire.values import plain
from survey.storage import cases, responses, surveys, tables
from survey.storage.database import Database
from tests.village import FOLDER, Village


@pytest.fixture(scope="module")
def village() -> Village:
    return Village(96)


@pytest.fixture(scope="module")
def database(village: Village, tmp_path_factory) -> Database:
    with village.fill(f"sqlite:///{tmp_path_factory.mktemp('village') / 'survey.sqlite'}") as database:
        yield database


@pytest.fixture(scope="module")
def frozen(village: Village, database: Database, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("frozen")
    freeze(database, village.folder, out)
    return out


def rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def test_every_sampled_case_is_there_with_its_design_and_its_outcome(village, frozen):
    households = rows(frozen / "households.parquet")
    assert [row["case"] for row in households] == sorted(unit.case for unit in village.units)
    for row, unit in zip(households, village.units, strict=True):
        for name in (
            "stratum",
            "psu",
            "commune",
            "urban_rural",
            "stage1_probability",
            "psus_in_stratum",
            "certainty",
        ):
            assert row[name] == getattr(unit, name)
        assert row["category"] == DISPOSITIONS[row["disposition"]].category
        assert row["respondent"] == (row["disposition"] == "1.1")
        assert row["mode"] in ("self", "visit")
    assert {row["category"] for row in households} >= {"I", "R", "NC", "UH", "NE"}


def test_the_columns_are_those_that_indicators_were_checked_against(village, frozen):
    folder = village.folder
    areas = [name for name in folder.areas[0] if name not in ("code", "name")]
    text = {one.name.replace(".", "_") for one in variables(folder.questionnaire) if one.free}
    household = pq.read_schema(frozen / "households.parquet")
    person = pq.read_schema(frozen / "persons.parquet")
    for unit, present in (("household", set(household.names)), ("person", {*household.names, *person.names})):
        promised = frozen_columns(folder.questionnaire, unit, areas)
        absent = {name for name in promised if name not in present}
        assert {name.removesuffix("__missing") for name in absent} <= text


def test_the_states_of_an_answer_never_collapse(village, database, frozen):
    people = rows(frozen / "persons.parquet")
    drawn = [person for person in people if person["selected"]]
    others = [person for person in people if not person["selected"]]
    for person in people:
        for name, value in person.items():
            if name.endswith("__missing") and value is not None:
                assert value in MISSING
                assert person.get(name.removesuffix("__missing")) is None
    # The drawn person has every state; nobody else was asked.
    assert {person["wallet__missing"] for person in drawn} >= {None, "dont_know"}
    assert {person["wallet_last_use__missing"] for person in drawn} >= {None, "not_applicable"}
    assert {person["wallet__missing"] for person in others} == {"not_asked"}
    children = [person for person in people if person["age"] < 15]
    assert {person["child_wallet__missing"] for person in children} >= {None}
    assert {person["child_wallet__missing"] for person in people if person["age"] >= 15} == {"not_applicable"}


def test_a_household_that_did_not_answer_was_not_asked(frozen):
    for row in rows(frozen / "households.parquet"):
        states = {value for name, value in row.items() if name.endswith("__missing")}
        if not row["respondent"]:
            assert states == {"not_asked"}
            assert row["home_internet"] is None
            assert row["internet_types__fibre"] is None
            assert row["interview_date"] is None


def test_each_complete_household_has_one_person_drawn_from_those_eligible(frozen):
    people = rows(frozen / "persons.parquet")
    by_case: dict[str, list[dict]] = {}
    for person in people:
        by_case.setdefault(person["case"], []).append(person)
    households = {row["case"]: row for row in rows(frozen / "households.parquet")}
    assert set(by_case) == {case for case, row in households.items() if row["respondent"]}
    for case, members in by_case.items():
        assert [member["position"] for member in members] == list(range(1, len(members) + 1))
        assert sum(member["selected"] for member in members) == 1
        assert all(member["eligible"] == (member["age"] >= 15) for member in members)
        assert households[case]["eligible_count"] == sum(member["eligible"] for member in members)
        assert all(member["eligible"] for member in members if member["selected"])


def test_no_free_text_leaves_the_database(frozen):
    manifest = read_manifest(frozen)
    assert "nickname" in manifest.left_out
    for path in frozen.glob("*.parquet"):
        schema = pq.read_schema(path)
        assert not [name for name in schema.names if name.startswith("nickname")]
        assert b"C\xc3\xb4 Ba" not in path.read_bytes()


def test_the_manifest_counts_what_is_there_and_says_that_nobody_is_real(frozen):
    manifest = read_manifest(frozen)
    households = rows(frozen / "households.parquet")
    assert manifest.synthetic
    assert pq.read_metadata(frozen / "persons.parquet").metadata[b"synthetic"] == b"true"
    assert manifest.cases == len(households) == sum(manifest.dispositions.values())
    assert manifest.complete == sum(row["respondent"] for row in households) == sum(manifest.modes.values())
    assert manifest.persons == manifest.files["persons.parquet"].rows == len(rows(frozen / "persons.parquet"))
    assert manifest.modes["self"] > 0
    assert manifest.modes["visit"] > 0


def test_the_codebook_names_every_column_with_its_words(village, frozen):
    codebook = msgspec.json.decode((frozen / "codebook.json").read_bytes())
    for name, file in codebook["files"].items():
        assert file["columns"] == pq.read_schema(frozen / name).names
    wallet = next(one for one in codebook["files"]["persons.parquet"]["variables"] if one["name"] == "wallet")
    assert wallet["label"]["vi"]
    assert [choice["code"] for choice in wallet["choices"]] == ["yes", "no"]


def test_the_same_database_gives_the_same_bytes(village, database, frozen, tmp_path):
    freeze(database, village.folder, tmp_path)
    for path in frozen.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_several_processes_give_the_same_bytes(village, database, frozen, tmp_path, monkeypatch):
    monkeypatch.setattr("survey.freeze.WORTH_PROCESSES", 1)
    monkeypatch.setattr("survey.freeze.BATCH", 7)
    freeze(database, village.folder, tmp_path, processes=2)
    for path in frozen.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_chance_falls_in_the_file_as_it_fell_for_the_household(tmp_path):
    """What a household was shown depends on its response's id; the file must not throw the dice again."""
    village = Village(16, seed=5)
    with village.fill(f"sqlite:///{tmp_path / 'survey.sqlite'}") as database:
        read = village.folder
        sections = read.questionnaire.sections
        thrown = Question(
            id="thrown", kind="calculate", label={"vi": "x", "en": "x"}, calculate="once(random())"
        )
        page = msgspec.structs.replace(
            sections[0].pages[-1], id="dice", questions=(thrown,), kind="questions", when=None
        )
        first = msgspec.structs.replace(sections[0], pages=(*sections[0].pages, page))
        form = msgspec.structs.replace(read.questionnaire, sections=(first, *sections[1:]))
        with database.writing() as connection:
            surveys.keep(connection, form, read.plan, "0" * 64, synthetic=True)
            connection.execute(tables.responses.update().values(version=form.version))
        freeze(
            database, Folder(read.path, form, read.plan, read.analysis, read.areas, "0" * 64), tmp_path / "f"
        )
        with database.reading() as connection:
            live = {
                record.case: float(plain("number", chance(record.id, "thrown", "")))
                for record, _ in responses.all(connection)
            }
    frozen = {
        row["case"]: row["thrown"] for row in rows(tmp_path / "f/households.parquet") if row["respondent"]
    }
    assert frozen == live


def test_a_file_changed_afterwards_is_refused(village, database, tmp_path):
    freeze(database, village.folder, tmp_path)
    with (tmp_path / "persons.parquet").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(Conflict, match=r"persons\.parquet"):
        read_manifest(tmp_path)


def test_the_first_complete_response_counts_and_an_unworked_reserve_does_not(tmp_path):
    village = Village(16, seed=3)
    reserve = msgspec.structs.replace(village.units[0], case="HD-999999", reserve=True)
    village.units.append(reserve)
    with village.fill(f"sqlite:///{tmp_path / 'survey.sqlite'}") as database:
        with database.writing() as connection:
            case = next(case for case in cases.every(connection) if case.response)
            first = responses.events(connection, case.response)
            responses.open(connection, "later", case.id, village.folder.questionnaire.version, "visit")
            later = [
                msgspec.structs.replace(event, id=f"later-{event.id}", response="later", mode="visit")
                for event in first
            ]
            changed = Event(
                id="later-change", response="later", kind="answered", at=1, author="lan", mode="visit",
                answers={"home_internet": Answer(missing="refused")},
            )  # fmt: skip
            responses.append(connection, [*later[:-1], changed, later[-1]])
        manifest = freeze(database, village.folder, tmp_path / "frozen")
    row = next(row for row in rows(tmp_path / "frozen/households.parquet") if row["case"] == case.id)
    assert row["home_internet__missing"] != "refused"
    assert "HD-999999" not in [row["case"] for row in rows(tmp_path / "frozen/households.parquet")]
    assert manifest.cases == 16


def test_an_answer_given_on_an_older_questionnaire_keeps_what_that_one_asked(tmp_path):
    village = Village(16, seed=4)
    with village.fill(f"sqlite:///{tmp_path / 'survey.sqlite'}") as database:
        sections = village.folder.questionnaire.sections
        page = sections[2].pages[0]
        asked_since = msgspec.structs.replace(page.questions[0], id="asked_since")
        later = msgspec.structs.replace(page, id="later", questions=(asked_since,))
        section = msgspec.structs.replace(sections[2], pages=(*sections[2].pages, later))
        newer = msgspec.structs.replace(
            village.folder.questionnaire, sections=(*sections[:2], section, *sections[3:])
        )
        read = village.folder
        folder = Folder(read.path, newer, read.plan, read.analysis, read.areas, "0" * 64)
        manifest = freeze(database, folder, tmp_path / "frozen")
    assert list(manifest.versions) == [village.folder.questionnaire.version]
    assert manifest.questionnaire_version == newer.version
    households = rows(tmp_path / "frozen/households.parquet")
    assert {row["asked_since__missing"] for row in households} == {"not_asked"}
    assert any(row["home_internet"] for row in households)


def test_an_empty_database_is_told_apart_from_an_empty_survey(tmp_path):
    with (
        Database.open(f"sqlite:///{tmp_path / 'empty.sqlite'}") as database,
        pytest.raises(Conflict, match="survey load"),
    ):
        freeze(database, Folder.read(FOLDER), tmp_path)
