"""A third language is data: texts in the questionnaire and a catalogue of words in the survey's folder."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import msgspec
import yaml
from litestar.testing import TestClient

from survey.app import create_app
from survey.questionnaire.model import Questionnaire
from survey.settings import Settings
from tests.test_loading import FOLDER
from tests.web.phone import settle

MADE_UP = "tlh"  # a language in which every text is put in angle brackets


def translated(questionnaire: Questionnaire) -> Questionnaire:
    """The questionnaire with a made-up third language, by going through its data."""

    def more(value: object) -> object:
        if isinstance(value, dict):
            if set(value) == {"vi", "en"}:
                return {**value, MADE_UP: f"‹{value['vi']}›"}
            return {key: more(inner) for key, inner in value.items()}
        return [more(inner) for inner in value] if isinstance(value, list | tuple) else value

    plain = more(msgspec.to_builtins(questionnaire))
    assert isinstance(plain, dict)
    plain["languages"] = [*questionnaire.languages, MADE_UP]
    return msgspec.convert(plain, Questionnaire)


def test_a_household_answers_in_a_language_that_only_the_folder_knows(tmp_path: Path) -> None:
    url = settle(tmp_path)
    folder = tmp_path / "folder"
    shutil.copytree(FOLDER, folder)
    (folder / "locale").mkdir()
    words = {"language_name": "‹tlh›", "continue": "‹tiếp›", "entry": {"button": "‹vào›"}}
    (folder / "locale" / f"{MADE_UP}.yaml").write_text(
        yaml.safe_dump(words, allow_unicode=True), encoding="utf-8"
    )
    app = create_app(Settings(folder=folder, database=url))
    site = app.state.site
    site.survey = msgspec.structs.replace(site.survey, questionnaire=translated(site.survey.questionnaire))
    site._questionnaires[site.survey.version] = site.survey.questionnaire
    site.languages = ("vi", "en", MADE_UP)  # as a restart with this questionnaire finds them
    with (tmp_path / "codes.csv").open(encoding="utf-8", newline="") as file:
        code = next(csv.DictReader(file))["code"]
    with TestClient(app, base_url="http://127.0.0.1") as client:
        first = client.get("/")
        assert f'lang="{MADE_UP}"' in first.text
        entry = client.get(f"/?lang={MADE_UP}").text
        assert f'<html lang="{MADE_UP}"' in entry
        assert "‹vào›" in entry
        page = client.post("/code", data={"code": code}).text
        assert "‹Trước khi trả lời›" in page
        assert "‹tiếp›" in page
        assert "Cơ quan chịu trách nhiệm" in page  # not translated yet: said in Vietnamese, never left blank
        booklet = re.search(r'"booklet":"([^"]+)"', page)
        assert booklet
        assert f"/{MADE_UP}/" in booklet[1]
        assert "‹Giới tính›" in client.get(booklet[1]).text
        assert client.get(f"/field/sign-in?lang={MADE_UP}").text.count('<html lang="vi"') == 1
