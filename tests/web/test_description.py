"""Whatever is sent to whatever address in whatever role, the answer is one that the OpenAPI description names.

schemathesis makes the requests from the description, right ones and wrong ones; half of them carry names of what is there
and the session's token, so that they get further than the door.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from argon2 import PasswordHasher
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from survey.web import security, signing
from survey.web.description import ANSWERS, BODIES, FORMS, HEADERS, OTHER, QUERIES, describe
from tests.web.test_access import OWN, ROLES, World, _world, drawn_always

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""How many times more inputs: `make soak` sends a hundred thousand, other ones each time."""
INPUTS = 1_000 * TIMES
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@dataclass
class Caller:
    """The requests of each role, in a session that is made anew when something ended it."""

    world: World
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)

    def session(self, role: str) -> tuple[str, str]:
        """The cookie's token and the token of its forms."""
        if role not in self.sessions:
            kind, subject = self._of(role)
            with self.world.database.writing() as connection:
                token, _ = security.begin(connection, kind, subject, 1)
            keys = self.world.client.app.state.site.keys
            self.sessions[role] = token, security.form_token(keys.sessions, token)
        return self.sessions[role]

    @staticmethod
    def _of(role: str) -> tuple[str, str]:
        return (security.HOUSEHOLD, OWN) if role == "household" else (security.ACCOUNT, role)

    def send(self, case: Case, role: str) -> Any:
        client = self.world.client
        client.cookies.clear()
        sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
        sent.pop("cookies", None)
        if isinstance(sent.get("data"), str | bytes):
            sent["content"] = sent.pop("data")
        if role != "nobody":
            client.cookies.set(self._of(role)[0], self.session(role)[0])
        answer = client.request(**sent, follow_redirects=False)
        if case.path.endswith(("/stop", "/sign-out", "/recover", "/disable")):
            self.sessions.clear()
        return answer


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("nobody has this password")
    with drawn_always(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            signing, "_nobody", lambda: quick
        )  # a name that is not there costs as little as the other addresses
        for world in _world(tmp_path_factory):
            yield Caller(world)


def test_the_tables_of_the_description_name_no_address_that_is_not_there(caller: Caller) -> None:
    paths = describe(caller.world.client.app)["paths"]
    named = {*FORMS, *BODIES, *QUERIES, *HEADERS, *ANSWERS, *(path for _, path in OTHER)}
    assert named <= set(paths), f"not there: {sorted(named - set(paths))}"


def test_no_input_breaks_an_address_or_gets_an_answer_that_is_not_described(caller: Caller) -> None:
    schema = schemathesis.openapi.from_dict(describe(caller.world.client.app))
    operations = [one.ok() for one in schema.get_all_operations()]
    assert len(operations) > 80
    made = {
        (operation.label, mode): operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.body or operation.query or operation.headers
    }
    labels, tally = sorted(made, key=str), Counter[str]()

    @settings(
        max_examples=INPUTS,
        deadline=None,
        database=None,
        derandomize=TIMES == 1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def sends(data: st.DataObject) -> None:
        role = data.draw(st.sampled_from(ROLES))
        case = data.draw(made[data.draw(st.sampled_from(labels))])
        if data.draw(st.booleans()):
            _with_what_is_there(caller, case, role, data)
        answer = caller.send(case, role)
        tally[f"{answer.status_code // 100}xx"] += 1
        case.validate_response(answer, checks=CHECKS)

    sends()
    assert sum(tally.values()) >= INPUTS
    assert tally["2xx"] > INPUTS / 10, f"too few got past the door: {tally}"


def _with_what_is_there(caller: Caller, case: Case, role: str, data: st.DataObject) -> None:
    """Names of what is there, and the session's token where a form or a script must carry it."""
    which = data.draw(st.sampled_from((0, 0, 1)))
    for name in case.path_parameters or {}:
        found = [
            values[which].split("/")[-1 if known.endswith("}") else 1]
            for known, values in caller.world.names.items()
            if "{" + name + ":" in known and known.count("{") == 1
        ]
        if found:
            case.path_parameters[name] = data.draw(st.sampled_from(found))
    if role == "nobody":
        return
    token = caller.session(role)[1]
    if isinstance(case.body, dict) and case.media_type and "form" in case.media_type:
        case.body["csrf"] = token
    if "x-csrf" in HEADERS.get(case.path, ()):
        case.headers["x-csrf"] = token
