"""Random histories of three phones and the web over a bad network: every accepted answer exists once, no final outcome
contradicts its history, and the outcome rates of whatever comes out agree with one another."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from litestar.testing import TestClient
from sqlalchemy import update

from analysis.outcomes import Outcomes, rates
from survey.app import create_app
from survey.fieldwork.cases import Attempt, Case, Release, disposition
from survey.fieldwork.dispositions import OUTCOMES
from survey.questionnaire.response import Event
from survey.settings import Settings
from survey.storage import cases, quarantine, responses
from survey.storage.database import Database
from survey.storage.tables import cases as case_rows
from survey.web import security
from tests.test_loading import FOLDER
from tests.web.phone import Phone, body, settle

CASES = ("HD-000001", "HD-000003", "HD-000005")  # an's
RESERVE = "HD-000007"
BATCH = 9


@functools.cache
def template() -> Path:
    """A settled database, made once; each history works on a copy."""
    folder = Path(tempfile.mkdtemp())
    url = settle(folder, 8)
    with Database.open(url) as database, database.writing() as connection:
        connection.execute(update(case_rows).where(case_rows.c.id == RESERVE).values(reserve=True))
    return folder


class Device:
    """A phone with what it has not yet a receipt for; one attempt at sending may be lost either way or come twice."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.unsent: list[Event | Attempt] = []
        self.earlier: list[bytes] = []

    def send(self, fate: str) -> dict[str, str]:
        """Post the first of what is unsent; returns the state that each receipt told."""
        batch = self.unsent[:BATCH]
        if not batch or fate == "no_request":
            return {}
        content = body(batch)
        if fate == "late" and self.earlier:
            self.phone.post(self.earlier[0])
        answer = self.phone.post(content)
        assert answer.status_code == 200, answer.text
        if fate == "twice":
            answer = self.phone.post(content)
        self.earlier.append(content)
        if fate == "no_reply":
            return {}
        told = {receipt["id"]: receipt["state"] for receipt in answer.json()["receipts"]}
        assert set(told) == {item.id for item in batch}
        self.unsent = self.unsent[BATCH:]
        return told


class Histories(RuleBasedStateMachine):
    """Phones 0 and 1 are an's, phone 2 is binh's, 3 is the browser of the household of the first case."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        for name in ("survey.sqlite", "survey.sqlite.key"):
            shutil.copy(template() / name, self.folder / name)
        self.database = Database.open(f"sqlite:///{self.folder / 'survey.sqlite'}")
        self.app = create_app(Settings(folder=FOLDER, database=str(self.database.engine.url)), self.database)
        self.site = self.app.state.site
        self.clients = [TestClient(self.app) for _ in range(4)]
        self.devices = [
            Device(self._account(self.clients[0], "an")),
            Device(self._account(self.clients[1], "an")),
            Device(self._account(self.clients[2], "binh")),
            Device(self._household(self.clients[3], CASES[0])),
        ]
        self.made: dict[str, Event | Attempt] = {}
        self.accepted: dict[str, str] = {}
        self.open: dict[
            tuple[int, str], list[Event]
        ] = {}  # interviews in hand, their events still to be said

    def _account(self, client: TestClient[Any], name: str) -> Phone:
        """Signed in without the form: hashing passwords would take longer than the history."""
        with self.database.writing() as connection:
            token, _ = security.begin(connection, security.ACCOUNT, name, 12)
        client.cookies.set(security.ACCOUNT, token)
        return Phone(client, name, token=security.form_token(self.site.keys.sessions, token))

    def _household(self, client: TestClient[Any], case: str) -> Phone:
        with self.database.writing() as connection:
            token, _ = security.begin(connection, security.HOUSEHOLD, case, 12)
            self.web = "web-of-" + case
            responses.open(connection, self.web, case, self.site.survey.version, "self")
        client.cookies.set(security.HOUSEHOLD, token)
        key = self.site.keys.sessions
        return Phone(client, f"household:{case}", "/sync", security.form_token(key, token))

    def _make(self, device: int, *items: Event | Attempt) -> None:
        self.devices[device].unsent += items
        self.made |= {item.id: item for item in items}

    @rule(device=st.integers(0, 2), case=st.sampled_from(CASES), outcome=st.sampled_from(sorted(OUTCOMES)))
    def visit(self, device: int, case: str, outcome: str) -> None:
        self._make(device, self.devices[device].phone.attempt(case, outcome))

    @rule(device=st.integers(0, 3), case=st.sampled_from([*CASES, RESERVE]), pages=st.sampled_from([4, 60]))
    def interview(self, device: int, case: str, pages: int) -> None:
        """Begin at the door, or on the web; the web has its own case and one response. 60 pages are more than there are."""
        case = CASES[0] if device == 3 else case
        if (device, case) in self.open:
            return
        phone = self.devices[device].phone
        response = self.web if device == 3 else ""
        with self.database.reading() as connection:
            draw = cases.existing(connection, case).unit.respondent_draw
        events = phone.interview(self.site.survey.questionnaire, case, draw, response, people=1)
        if device == 3:
            events = [msgspec.structs.replace(event, mode="self") for event in events]
        self.open[device, case] = events
        self.answer(device, case, pages)

    @rule(device=st.integers(0, 3), case=st.sampled_from([*CASES, RESERVE]), pages=st.integers(1, 60))
    def answer(self, device: int, case: str, pages: int) -> None:
        """The next pages of an interview."""
        left = self.open.get((device, case), [])
        self._make(device, *left[:pages])
        del left[:pages]

    @rule(
        device=st.integers(0, 3),
        fate=st.sampled_from(["pass", "pass", "no_request", "no_reply", "twice", "late"]),
    )
    def send(self, device: int, fate: str) -> None:
        self.accepted |= self.devices[device].send(fate)

    @rule(case=st.sampled_from(CASES), to=st.sampled_from(["an", "binh"]))
    def hand_over(self, case: str, to: str) -> None:
        self.database.write_now(cases.reassign, case, to)

    @rule()
    def open_reserve(self) -> None:
        release = Release(instead_of=CASES[0], reason="không tìm thấy", author="chi", at=1)
        with self.database.reading() as connection:
            waits = cases.existing(connection, RESERVE).reserve
        if waits:
            self.database.write_now(cases.release, RESERVE, release)

    @invariant()
    def what_was_acknowledged_is_there_once(self) -> None:
        if not hasattr(self, "accepted"):
            return
        with self.database.reading() as connection:
            stored, aside = self._where(connection)
        for id, state in self.accepted.items():
            if state == "quarantined":
                assert id in aside
            else:
                assert stored.get(id) == self.made[id]

    def _where(self, connection: Any) -> tuple[dict[str, Event | Attempt], set[str]]:
        stored: dict[str, Event | Attempt] = {}
        for _, events in responses.all(connection):
            for event in events:
                assert event.id not in stored
                stored[event.id] = event
        for attempts in cases.every_attempt(connection).values():
            stored |= {attempt.id: attempt for attempt in attempts}
        misfits = quarantine.waiting(connection)
        assert len({misfit.hash for misfit in misfits}) == len(misfits)
        return stored, {misfit.event for misfit in misfits}

    def teardown(self) -> None:
        if not hasattr(self, "devices"):
            return
        for device in self.devices:
            while device.unsent:
                self.accepted |= device.send("pass")
        self.what_was_acknowledged_is_there_once()
        with self.database.reading() as connection:
            stored, aside = self._where(connection)
            assert set(self.made) == set(stored) | aside, "nothing was dropped and nothing was made up"
            assert not set(stored) & aside
            assert list(responses.verify(connection)) == []
            self._outcomes(connection)
        self.database.close()
        shutil.rmtree(self.folder)

    def _outcomes(self, connection: Any) -> None:
        categories, weights = [], []
        attempts = cases.every_attempt(connection)
        for case in cases.every(connection):
            found = self._category(connection, case, attempts.get(case.id, []))
            if not case.unit.reserve:
                categories.append(found)
                weights.append(1 / (case.unit.stage1_probability * case.unit.stage2_probability))
        assert len(categories) == 8
        for counts in (Outcomes.of(categories), Outcomes.of(categories, weights)):
            identities(rates(counts))

    def _category(self, connection: Any, case: Case, attempts: list[Attempt]) -> str:
        records = responses.by_case(connection, case.id)
        submitted = [record for record in records if record.submitted]
        assert bool(case.response) == bool(submitted)
        assert not case.response or case.response in {record.id for record in submitted}
        state = "complete" if case.response else "started" if any(r.events for r in records) else "none"
        final = disposition(case, attempts, state)  # type: ignore[arg-type]
        spoken = {OUTCOMES[attempt.outcome].code for attempt in attempts}
        if state == "complete":
            assert final.code == "1.1"
        elif final.code in ("3.19", "3.11"):
            assert not attempts
            assert state == "none"
        else:
            assert final.code in spoken | {"2.12"}
        if not case.reserve:
            assert (case.state == "complete") == bool(case.response)
            assert case.attempts == len(attempts)
        return final.category


def identities(found: dict[str, float]) -> None:
    """AAPOR: a response is a contact that cooperates; minimum, estimated and maximum rates stand in order."""
    for n, response in ((1, "RR1"), (2, "RR3"), (3, "RR5")):
        if found[f"CON{n}"] > 0:
            assert found[response] == pytest.approx(found["COOP1"] * found[f"CON{n}"])
            assert found[f"RR{2 * n}"] == pytest.approx(found["COOP2"] * found[f"CON{n}"])
        if found[response] == found[response]:
            assert found[f"RR{2 * n}"] + found[f"REF{n}"] <= found[f"CON{n}"] + 1e-12
            assert found[f"CON{n}"] <= 1 + 1e-12
    for low, high in (("RR1", "RR3"), ("RR3", "RR5"), ("REF1", "REF2"), ("REF2", "REF3"), ("CON1", "CON2")):
        assert not found[low] > found[high] + 1e-12


def test_random_histories() -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_visit_sent_again_after_the_household_was_given_away_is_there_once() -> None:
    history = Histories()
    history.begin()
    history.visit(case=CASES[2], device=1, outcome="appointment")
    history.send(device=1, fate="no_reply")
    history.hand_over(case=CASES[2], to="binh")
    history.teardown()


def test_the_identities_hold_on_the_test_vector_of_the_reference() -> None:
    found = rates(Outcomes(I=600, P=40, R=90, NC=70, O=20, UH=50, UO=30, NE=100))
    assert (found["RR1"], found["COOP1"], found["CON1"]) == pytest.approx((2 / 3, 0.8, 5 / 6))
    identities(found)
