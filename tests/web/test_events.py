"""One form is one event by whichever road it arrives: the phone makes the same id and the same bytes as the server."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from survey.questionnaire.model import Questionnaire
from survey.questionnaire.response import Answer, Event, Key, Response
from survey.storage.responses import canonical
from survey.web.forms import form_event
from survey.web.ids import new_form_id
from survey.web.interview import Interview

SCRIPT = Path(__file__).with_name("events.mjs")
TEXTS = ["Bà Tư", "N", 'a "b" \\ / c', "dòng 1\ndòng 2", "\u2028 \x7f", "😀", "0", ""]
NUMBERS = [0, 1, -3, 2026, 10**15 - 1, 2.5, 0.1, 0.000001, 0.000012, 123456789.123456, -0.5]


def some_answer(chance: random.Random) -> Answer:
    match chance.randrange(5):
        case 0:
            return Answer(missing=chance.choice(["dont_know", "refused"]), remark=chance.choice(TEXTS))
        case 1:
            return Answer(chance.choice(NUMBERS))
        case 2:
            return Answer([chance.choice(TEXTS) for _ in range(chance.randrange(1, 4))])
        case 3:
            return Answer(chance.random() < 0.5)
        case _:
            return Answer(chance.choice(TEXTS), remark=chance.choice(TEXTS))


def some_form(chance: random.Random) -> dict[str, Any]:
    keys = [Key(f"q{n}", chance.choice(["", "r1", "r10.b"])) for n in range(chance.randrange(4))]
    kind, facts = chance.choice(
        [
            ("answered", {"page": "devices_page", "row": chance.choice(["", "a1b2"])}),
            ("row_added", {"roster": "members", "row": "a1b2"}),
            ("drawn", {"draw": "respondent", "row": "a1b2", "eligible": chance.randrange(1, 5)}),
            ("page_done", {"page": "notice"}),
            ("submitted", {}),
        ]
    )
    return {
        "interview": {
            "response": f"{chance.getrandbits(128):032x}",
            "author": "household:HD-0001-01",
            "mode": chance.choice(["self", "visit"]),
            "language": chance.choice(["vi", "en"]),
        },
        "form": new_form_id(),
        "kind": kind,
        "facts": facts,
        "answers": {key: some_answer(chance) for key in keys} if kind == "answered" else {},
    }


def on_the_server(form: dict[str, Any]) -> Event:
    who = form["interview"]
    interview = Interview(
        Questionnaire(id="q", title={}, languages=("vi",), sections=()),
        Response(id=who["response"]),
        who["author"],
        who["mode"],
        "/survey",
        who["language"],
    )
    return form_event(interview, {"form": [form["form"]]}, form["kind"], form["answers"], **form["facts"])


def test_the_phone_makes_the_servers_event_to_the_byte(node: str) -> None:
    chance = random.Random(6)
    forms = [some_form(chance) for _ in range(400)]
    sent = [{**form, "answers": {str(key): said for key, said in form["answers"].items()}} for form in forms]
    ran = subprocess.run(
        [node, str(SCRIPT)], input=msgspec.json.encode(sent), capture_output=True, check=True, timeout=60
    )
    made = json.loads(ran.stdout)
    assert len(made) == len(forms)
    for form, (identity, text, digest) in zip(forms, made, strict=True):
        event = on_the_server(form)
        assert (identity, text) == (event.id, canonical(event).decode())
        assert digest == hashlib.sha256(canonical(event)).hexdigest()
        assert msgspec.json.decode(text, type=Event) == event
