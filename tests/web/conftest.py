"""What tests of the web share: an engine that runs the phone's modules, a settled village and its server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from survey.app import create_app
from survey.questionnaire.model import Questionnaire
from survey.settings import Settings
from survey.storage.database import Database
from tests.test_loading import FOLDER
from tests.web.phone import settle


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        message = "no JavaScript engine; install one with: sudo apt-get install nodejs"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(settle(tmp_path)) as opened:
        yield opened


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Any]]:
    settings = Settings(folder=FOLDER, database=str(database.engine.url), second_step=False)
    with TestClient(create_app(settings, database), base_url="http://127.0.0.1") as made:
        yield made


@pytest.fixture
def questionnaire(client: TestClient[Any]) -> Questionnaire:
    found: Questionnaire = client.app.state.site.survey.questionnaire
    return found
