"""One feature a questionnaire, run through the real pages and both engines; one mistake a questionnaire, with its words.

valid/ has a questionnaire for each thing that can be asked: it is sound without a remark, an interview comes to its end
on the real HTML pages in each language and mode, and every variable has a place in the codebook and the frozen file
(random interviews with them, in Python and in JavaScript: tests/conformance/test_random.py). invalid/ has one for each mistake; at
its end stands what `survey check` says, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lxml.html
import pytest
from litestar.testing import TestClient

from survey.folder import frozen_columns
from survey.paper import paper
from survey.preview import application
from survey.questionnaire.codebook import variables
from survey.questionnaire.index import index
from survey.questionnaire.model import Questionnaire
from survey.questionnaire.reading import read, review
from survey.questionnaire.response import fold
from survey.questionnaire.routing import SILENT, outcome
from survey.sheets import Column, _fill

CORPUS = Path(__file__).parent / "corpus"
VALID = sorted((CORPUS / "valid").glob("*.yaml"))
INVALID = sorted((CORPUS / "invalid").glob("*.yaml"))
TYPED = {"integer": "16", "decimal": "1,5", "year": "1990", "location": "20.9409 106.3330", "date": "1"}
by_name = pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)


def questionnaire(path: Path) -> Questionnaire:
    return read(path.read_text(encoding="utf-8"), path.name)


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_a_mistake_is_said_with_its_line_and_what_to_do(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = [line[3:] for line in text.splitlines() if line.startswith("#: ")]
    _, findings = review(text, path.name)
    assert [f"{finding.severity}: {finding.line('en')}" for finding in findings] == expected
    assert expected
    assert all(set(finding.message) == {"vi", "en"} for finding in findings)


# --- features ------------------------------------------------------------------------------------------------------


@by_name
def test_a_sound_questionnaire_is_passed_without_a_remark(path: Path) -> None:
    found, findings = review(path.read_text(encoding="utf-8"), path.name)
    assert [finding.line("en") for finding in findings] == []
    assert found is not None
    assert found.id == path.stem


@by_name
@pytest.mark.parametrize(("language", "mode"), [("vi", "self"), ("en", "visit")])
def test_an_interview_comes_to_its_end_on_the_pages(path: Path, language: str, mode: str) -> None:
    with application(path) as app, TestClient(app, base_url="http://127.0.0.1") as client:
        app.state.trial.mode = mode
        app.state.trial.begin()
        client.cookies.set("lang", language)
        person = Person(client, questionnaire(path), chosen=0 if mode == "self" else -1)
        person.answer()
        check = client.get("/survey/check")
        assert check.url.path == "/survey/check"
        assert "${" not in check.text
        if (
            path.stem == "rows"
        ):  # two people who are called so, and one of them chosen: by name, never by number
            assert check.text.count("<dd>Tư</dd>") == 3
        said = outcome(person.asked, fold("preview", app.state.trial.events))
    for variable in variables(person.asked):
        for key in said if not variable.free else ():
            if (
                key.question == variable.name
            ):  # nothing that was said or computed is lost on its way to the file
                cells: dict[str, Column] = {}
                _fill(cells, variable, [said[key].value], [said[key].missing])
                assert cells[f"{variable.name}__missing"] == [said[key].missing]


class Person:
    """Somebody who chooses the first of everything, or the last, and lists two people wherever there is a list."""

    def __init__(self, client: TestClient, asked: Questionnaire, chosen: int = 0) -> None:  # type: ignore[type-arg]
        self.client, self.asked, self.chosen = client, asked, chosen
        self.kinds = {name: place.question.kind for name, place in index(asked).places.items()}
        self.added: dict[str, int] = {}

    def answer(self) -> None:
        address = str(self.client.get("/survey").url.path)
        for _ in range(60):
            if address == "/survey/check":
                return
            address = self.page(address)
        raise AssertionError(f"no end: {address}")

    def page(self, address: str) -> str:
        """Fill in the page at an address; where it leads."""
        got = self.client.get(address)
        assert got.status_code == 200
        assert "${" not in got.text, "every answer that is named stands in the words"
        tree = lxml.html.fromstring(got.text)
        add = next((a.get("href") for a in tree.xpath("//a[@href]") if a.get("href").endswith("add")), None)
        if add is not None and self.added.get(address, 0) < 2:
            self.added[address] = self.added.get(address, 0) + 1
            self.send(self.client.get(add), add)
            return address
        return self.send(got, address)

    def send(self, got: object, address: str, again: bool = True) -> str:
        tree = lxml.html.fromstring(got.text)  # type: ignore[attr-defined]
        form = next(form for form in tree.forms if form.get("action").startswith("/survey/p/"))
        sent = self.client.post(form.get("action"), data=dict(self.fields(form)))
        if sent.status_code == 422 and again:  # what was just said opened another question on the page
            return self.send(sent, address, again=False)
        assert sent.status_code == 200, lxml.html.fromstring(sent.text).xpath("string(//*[@role='alert'])")
        return str(sent.url.path)

    def fields(self, form: lxml.html.FormElement) -> Iterator[tuple[str, str]]:
        given: set[str] = set()
        for control in form.xpath(
            ".//input[@name] | .//select[@name] | .//textarea[@name] | .//button[@name]"
        ):
            name, kind = control.get("name"), control.get("type", "")
            question, _, part = name.partition(".")
            if kind == "hidden" or control.tag == "button":
                yield name, control.get("value")
            elif part in ("missing", "confirmed", "remark", "file") or name in given:
                continue
            elif control.tag == "select":
                yield (
                    name,
                    str(len(given) + 1) if part.startswith("rank") else control.xpath("option/@value")[1],
                )
                given.add(name)
            elif kind in ("radio", "checkbox"):
                given.add(name)
                offered = [one.get("value") for one in form.xpath(".//input[@name=$name]", name=name)]
                yield name, [value for value in offered if not value.startswith("-")][self.chosen]
            else:
                given.add(name)
                year = part == "year" and self.kinds[question] == "date"
                yield name, "1990" if year else TYPED.get(self.kinds.get(question, ""), "Tư")


@by_name
def test_every_variable_has_its_place_in_what_comes_out(path: Path) -> None:
    form = questionnaire(path)
    named = {variable.name for variable in variables(form)}
    asked = {name for name, place in index(form).places.items() if place.question.kind != "note"}
    assert asked <= named
    columns = frozen_columns(form, "person", [])
    for variable in variables(form):
        if not variable.free:
            assert any(column.split("__")[0] == variable.name for column in columns), variable.name


def test_what_can_be_asked_is_what_is_tried() -> None:
    """A kind of question that no questionnaire of the corpus has would be tried by nobody."""
    tried = {place.question.kind for path in VALID for place in index(questionnaire(path)).places.values()}
    assert tried >= {"text", "integer", "decimal", "date", "year", "select_one", "select_many", "rank", "acknowledge",
                     "location", "photo", "barcode", *SILENT}  # fmt: skip


@pytest.mark.parametrize("name", ["nested_roster", "rank", "cascade", "modes"])
def test_it_prints_on_paper(name: str) -> None:
    assert paper(questionnaire(CORPUS / "valid" / f"{name}.yaml"), ("vi",)).startswith(b"%PDF")
