"""Drafts go to the corrected questionnaire with a report; what was submitted stays; the record stays whole."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from survey.cli import main
from survey.moving import move_drafts
from survey.problems import Conflict, SurveyError
from survey.questionnaire.index import index
from survey.questionnaire.model import Choice, Question, Questionnaire
from survey.questionnaire.response import Answer, Event, fold
from survey.storage import audit, responses, surveys
from survey.storage.database import Database
from tests.village import Village


def without_option(questionnaire: Questionnaire, name: str, code: str) -> Questionnaire:
    """The same questionnaire but for one option of one question."""

    def of(question: Question) -> Question:
        if question.id != name or isinstance(question.choices, str):
            return question
        kept: tuple[Choice, ...] = tuple(choice for choice in question.choices if choice.code != code)
        return msgspec.structs.replace(question, choices=kept)

    sections = tuple(
        msgspec.structs.replace(section, pages=tuple(
            msgspec.structs.replace(page, questions=tuple(map(of, page.questions))) for page in section.pages
        ))
        for section in questionnaire.sections
    )  # fmt: skip
    return msgspec.structs.replace(questionnaire, sections=sections)


@pytest.fixture(scope="module")
def village() -> Village:
    return Village(6)


@pytest.fixture
def url(village: Village, tmp_path: Path) -> str:
    """Six households: some have answered to the end; two have begun, and then the questionnaire is corrected."""
    url = f"sqlite:///{tmp_path}/survey.sqlite"
    old = village.folder.questionnaire
    assert "3g" in {choice.code for choice in index(old).choices(index(old).places["coverage"].question)}
    with village.fill(url) as database, database.writing() as connection:
        for number, said in enumerate(("3g", "4g")):
            response = f"draft-{number}"
            case = village.units[number].case
            responses.open(connection, response, case, old.version, "self")
            responses.append(connection, [
                Event(id=f"{response}-1", response=response, kind="opened", at=0, author="h", version=old.version, today="2026-11-20"),
                Event(id=f"{response}-2", response=response, kind="answered", at=0, author="h", page="coverage_page",
                      answers={"coverage": Answer(said)}),
            ])  # fmt: skip
        surveys.keep(connection, without_option(old, "coverage", "3g"), village.folder.plan, "corrected")
    return url


def told(url: str, **how: object) -> tuple[object, str]:
    console = Console(file=StringIO(), width=200)
    report = move_drafts(url, console=console, **how)  # type: ignore[arg-type]
    return report, console.file.getvalue()  # type: ignore[attr-defined]


def test_the_report_names_what_changed_and_what_must_be_asked_again(
    village: Village, url: str, tmp_path: Path
) -> None:
    _, said = told(url, out=tmp_path / "report.json")
    assert "coverage đổi lựa chọn · coverage has other options" in said
    assert "coverage: 1 phải hỏi lại · to be asked again" in said
    assert "2 drafts to move, 1 of them with nothing more to ask" in said
    kept = json.loads((tmp_path / "report.json").read_bytes())
    assert [(draft["response"], draft["again"]) for draft in kept["drafts"]] == [
        ("draft-0", ["coverage"]),
        ("draft-1", []),
    ]
    assert kept["applied"] is False
    with Database.open(url) as database, database.reading() as connection:
        old = village.folder.questionnaire.version
        assert {record.version for record, _ in responses.all(connection)} == {old}, "asking changes nothing"


def test_moved_drafts_stand_on_the_new_version_and_the_record_is_whole(village: Village, url: str) -> None:
    _, said = told(url, apply=True)
    assert "2 drafts moved" in said
    with Database.open(url) as database, database.reading() as connection:
        new = surveys.current(connection)
        assert new is not None
        stand = {record.id: record.version for record, _ in responses.all(connection)}
        assert {stand["draft-0"], stand["draft-1"]} == {new.version}
        submitted = {version for id, version in stand.items() if not id.startswith("draft")}
        assert submitted == {village.folder.questionnaire.version}, "what was submitted stays on its version"
        first = fold("draft-0", responses.events(connection, "draft-0"))
        assert first.version == new.version
        assert [str(key) for key in first.answers] == []
        other = fold("draft-1", responses.events(connection, "draft-1"))
        assert {str(key): answer for key, answer in other.answers.items()} == {"coverage": Answer("4g")}
        assert list(responses.verify(connection)) == []
        lines = audit.of_subject(connection, f"case:{village.units[0].case}")
        assert any(line.action == "draft moved to another version" for line in lines)
    report, _ = told(url, apply=True)
    assert report.drafts == (), "a second time there is nothing to move"  # type: ignore[attr-defined]


def test_a_question_can_be_asked_again_by_name(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move-drafts", "--database", url, "--ask-again", "coverage"]) == 0
    assert "coverage: 2 phải hỏi lại" in capsys.readouterr().out
    with pytest.raises(SurveyError, match="no question: coverrage"):
        move_drafts(url, ask_again=["coverrage"])


def test_without_a_survey_there_is_nothing_to_move_to(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="holds no survey"):
        move_drafts(f"sqlite:///{tmp_path}/empty.sqlite")
