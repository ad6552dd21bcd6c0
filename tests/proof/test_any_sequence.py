"""Whatever is asked in whatever order, the product and a model of it agree: answers, timeline, counts, state, score."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4, uuid5

import pytest
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from proctoring_site.mongo_engine import group_find, group_insert
from sessions_app import mending
from sessions_app.counters import key_of
from sessions_app.models import Session, now
from tests.proof.conftest import Size
from tests.proof.model import CLOSED, Kept, Sitting, Told, World

STEPS, SITTINGS_MAX = 20, 3
SITTINGS, IDS = st.integers(0, SITTINGS_MAX - 1), st.integers(0, 5)
TYPES = st.sampled_from(["focus_lost", "phone_detected", "tab.$hidden"])
WORDS = {"event_type": TYPES, "message": st.sampled_from(["", "one", "$other"])}
#: In a batch with an instant of its own: the answer does not say when the server took it for.
DATED = st.builds(Told, **WORDS, offset_s=st.sampled_from([-3600, -1, 0, 3600]), is_naive=st.booleans())
TOLD = st.one_of(st.builds(Told, **WORDS), DATED)
MALFORMED = st.sampled_from([5, None, {}, {"event_type": ""}, {"event_type": "x", "confidence": 2}])
ITEMS = st.lists(st.one_of(MALFORMED, st.tuples(st.none() | IDS, DATED)), min_size=1, max_size=6)
AHEAD_S = st.sampled_from([0, 3600])


class Sequences(RuleBasedStateMachine):
    """`staff` and `as_candidate` are put here by the test: hypothesis makes the machine itself."""

    staff: APIClient
    as_candidate: Callable[..., APIClient]

    @initialize()
    def begin(self) -> None:
        self.world, self.namespace = World(), uuid4()
        self.sessions_before = Session.objects.count()
        self.keys: list[str] = []
        self.start_keys: list[str] = []
        self.starts: list[datetime] = []
        self.clients: list[APIClient] = []
        self.server_ids: list[str] = []
        self.start()

    # --- What is done -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.keys) < SITTINGS_MAX)
    @rule()
    def start(self) -> None:
        start_key = str(uuid4())
        answer = self._start(start_key, "Ada")
        assert (answer.status_code, answer.json()["state"]) == (201, "running")
        self.start_keys.append(start_key)
        self.keys.append(answer.json()["id"])
        self.starts.append(datetime.fromisoformat(answer.json()["start_time"]))
        self.clients.append(self.as_candidate(type("", (), {"pk": answer.json()["id"]})))
        self.world.sittings.append(Sitting())

    @rule(at=SITTINGS, name=st.sampled_from(["Ada", "Ada", "Bo"]))
    def start_again(self, at: int, name: str) -> None:
        at %= len(self.keys)
        answer, sitting = self._start(self.start_keys[at], name), self.world.sittings[at]
        if sitting.may_be_started_again and name == "Ada":
            assert (answer.status_code, answer.json()["id"]) == (201, self.keys[at])
            assert answer.json()["state"] == sitting.state
            assert datetime.fromisoformat(answer.json()["start_time"]) == self.starts[at]
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, "start_key_conflict")
        assert Session.objects.count() == self.sessions_before + len(self.keys)

    @rule(at=SITTINGS, event_id=st.none() | IDS, told=TOLD, ahead_s=AHEAD_S)
    def log(self, at: int, event_id: int | None, told: Told, ahead_s: int) -> None:
        at %= len(self.keys)
        self._log(at, self._id(event_id), told, ahead_s=ahead_s)

    @precondition(lambda self: any(sitting.events for sitting in self.world.sittings))
    @rule(data=st.data(), ahead_s=AHEAD_S)
    def resend(self, data: st.DataObject, ahead_s: int) -> None:
        """The same again, whatever came between."""
        at, event_id, kept = self._draw_stored(data)
        self._log(at, event_id, kept.told, ahead_s=ahead_s)

    @precondition(lambda self: len(self.keys) > 1 and any(sitting.events for sitting in self.world.sittings))
    @rule(data=st.data())
    def send_what_another_session_has(self, data: st.DataObject) -> None:
        """Word for word, so that only the session differs."""
        at, event_id, kept = self._draw_stored(data)
        elsewhere = (at + data.draw(st.integers(1, len(self.keys) - 1))) % len(self.keys)
        self._log(elsewhere, event_id, kept.told, started_at=self.starts[at])

    @rule(at=SITTINGS, items=ITEMS)
    def log_batch(self, at: int, items: list) -> None:
        at %= len(self.keys)
        sitting = self.world.sittings[at]
        events = [(self._id(item[0]), item[1]) if isinstance(item, tuple) else item for item in items]
        body = {"events": [self._body(at, *e) if isinstance(e, tuple) else e for e in events]}
        answer = self._post(at, "events/batch", body)
        if sitting.is_over and any(isinstance(e, tuple) and self._expected(sitting, *e) != "duplicate" for e in events):
            assert (answer.status_code, answer.json()["code"]) == (409, "session_closed")
            return
        assert answer.status_code == 200, answer.content
        outcome = answer.json()
        told_of = {row["index"]: (kind, row) for kind, rows in outcome.items() for row in rows}
        assert sorted(told_of) == list(range(len(events)))
        for index, event in enumerate(events):
            kind, row = told_of[index]
            if not isinstance(event, tuple):
                assert (kind, row["code"]) == ("rejected", "invalid")
                continue
            event_id, told = event
            expected = self._expected(sitting, event_id, told)
            assert (row["code"] if kind == "rejected" else kind) == expected
            if expected == "created":
                assert event_id in {None, row["id"]}
                self._keep(sitting, row["id"], told, is_clients=event_id is not None)

    @rule(at=SITTINGS, action=st.sampled_from(["pause", "pause", "resume", "resume", "end", "terminate"]))
    def act(self, at: int, action: str) -> None:
        at %= len(self.keys)
        sitting = self.world.sittings[at]
        was_ended = self._detail(at)["end_time"] if sitting.state in CLOSED else None
        body = {"reason_code": "other"} if action == "terminate" else {}
        answer = self.staff.post(f"/sessions/{self.keys[at]}/{action}", body, format="json")
        assert answer.status_code == sitting.act(action)
        assert answer.json().get("code", "illegal_move") == "illegal_move"
        if answer.status_code == 200:
            assert answer.json()["state"] == sitting.state
            assert was_ended in {None, answer.json()["end_time"]}

    @rule(at=SITTINGS)
    def the_time_for_late_events_ends(self, at: int) -> None:
        sitting = self.world.sittings[at % len(self.keys)]
        sitting.is_over = sitting.state in CLOSED

    @rule(at=SITTINGS, confirms=st.booleans())
    def beat(self, at: int, confirms: bool) -> None:
        at %= len(self.keys)
        sitting = self.world.sittings[at]
        answer = self._post(at, "heartbeat", {"camera": True})
        assert (answer.status_code, answer.json()["state"]) == (200, sitting.state)
        commands = answer.json()["commands"]
        assert [command["action"] for command in commands] == sitting.commands
        if confirms:
            answer = self._post(at, "heartbeat", {"confirmed": [command["id"] for command in commands]})
            assert answer.json()["commands"] == []
            sitting.commands = []

    @rule(at=SITTINGS, event_type=TYPES, n=st.sampled_from([-1, 1]))
    def a_count_goes_wrong_and_is_mended(self, at: int, event_type: str, n: int) -> None:
        """As after a failover or a crash; a closed session is recounted by its end."""
        at %= len(self.keys)
        if self.world.sittings[at].state not in CLOSED:
            step = {"$inc": {f"event_counts.{key_of(event_type)}": n, "revision": n}}
            connection.get_collection("sessions").update_one({"_id": self.keys[at]}, step)
            unsure, _ = mending.mend(self.keys[at])
            assert mending.mend(self.keys[at], stood=unsure) == ([], n > 0)

    # --- What must hold -----------------------------------------------------------------------------------------

    @rule(at=SITTINGS)
    def look(self, at: int) -> None:
        at %= len(self.keys)
        sitting, seen = self.world.sittings[at], self._detail(at)
        assert seen["state"] == sitting.state
        assert (seen["end_time"] is not None) == (sitting.state in CLOSED)
        assert [(move["from_state"], move["to_state"]) for move in seen["moves"]] == sitting.moves
        assert {event["id"] for event in seen["events"]} == sitting.events.keys()
        assert len(seen["events"]) == len(sitting.events)
        order = [(datetime.fromisoformat(event["occurred_at"]), event["id"]) for event in seen["events"]]
        assert order == sorted(order)
        for event in seen["events"]:
            self._check(at, event, sitting.events[event["id"]])
        report = self.staff.get(f"/sessions/{self.keys[at]}/report").json()
        assert {name: n for name, n in report["event_counts"].items() if n} == sitting.counts
        assert report["integrity_score"] == sitting.integrity_score

    def teardown(self) -> None:
        for at in range(len(getattr(self, "keys", ()))):
            self.look(at)

    def _check(self, at: int, event: dict[str, Any], kept: Kept) -> None:
        told = kept.told
        assert (event["event_type"], event["message"]) == (told.event_type, told.message)
        assert set(event["marks"]) == kept.marks
        assert len(event["marks"]) == len(kept.marks)
        if told.offset_s is not None:
            happened_at = self.starts[at] + timedelta(seconds=told.offset_s)
            assert datetime.fromisoformat(event["timestamp"]) == happened_at
        if kept.answer is not None:
            assert event == kept.answer

    # --- How it is asked ----------------------------------------------------------------------------------------

    def _start(self, start_key: str, name: str) -> Any:
        return self.staff.post("/sessions", {"candidate_name": name, "start_key": start_key}, format="json")

    def _draw_stored(self, data: st.DataObject) -> tuple[int, str, Kept]:
        stored = [(at, n) for at, s in enumerate(self.world.sittings) for n in range(len(s.events))]
        at, n = data.draw(st.sampled_from(stored))
        return at, *list(self.world.sittings[at].events.items())[n]

    def _log(
        self, at: int, event_id: str | None, told: Told, *, ahead_s: int = 0, started_at: datetime | None = None
    ) -> None:
        sitting = self.world.sittings[at]
        expected = self._expected(sitting, event_id, told)
        sent_at = {"sent_at": (now() + timedelta(seconds=ahead_s)).isoformat()} if ahead_s else {}
        answer = self._post(at, "events", {**self._body(at, event_id, told, started_at=started_at), **sent_at})
        if expected in {"created", "duplicate"}:
            assert answer.status_code == 201, answer.content
            told_id = answer.json()["id"]
            assert event_id in {None, told_id}
            if expected == "created":
                self._keep(sitting, told_id, told, is_clients=event_id is not None, ahead_s=ahead_s)
                sitting.events[told_id].answer = answer.json()
            self._check(at, answer.json(), sitting.events[told_id])
        else:
            assert (answer.status_code, answer.json()["code"]) == (409, expected)
            assert set(answer.json()) == {"detail", "code"}
            assert not any(key in answer.content.decode() for key in self.keys)

    def _expected(self, sitting: Sitting, event_id: str | None, told: Told) -> str:
        return self.world.log(sitting, event_id, told, is_clients=event_id not in self.server_ids)

    def _keep(self, sitting: Sitting, event_id: str, told: Told, *, is_clients: bool, ahead_s: int = 0) -> None:
        sitting.events[event_id] = Kept(told, sitting.marks_of(told, ahead_s=ahead_s))
        if not is_clients:
            self.server_ids.append(event_id)

    def _id(self, n: int | None) -> str | None:
        return None if n is None else str(uuid5(self.namespace, str(n)))

    def _body(self, at: int, event_id: str | None, told: Told, *, started_at: datetime | None = None) -> dict[str, Any]:
        body = {"event_type": told.event_type, "message": told.message, **({"id": event_id} if event_id else {})}
        if told.offset_s is not None:
            instant = (started_at or self.starts[at]) + timedelta(seconds=told.offset_s)
            body["timestamp"] = (instant.replace(tzinfo=None) if told.is_naive else instant).isoformat()
        return body

    def _post(self, at: int, path: str, body: dict[str, Any]) -> Any:
        grace = {"EVENT_GRACE_S": -1} if self.world.sittings[at].is_over else {}  # nobody waits for two minutes
        with override_settings(**grace):
            return self.clients[at].post(f"/sessions/{self.keys[at]}/{path}", body, format="json")

    def _detail(self, at: int) -> dict[str, Any]:
        return self.staff.get(f"/sessions/{self.keys[at]}").json()


@pytest.mark.usefixtures("committed_database")
def test_the_product_agrees_with_the_model_after_any_sequence(
    api: APIClient,
    as_candidate: Callable[..., APIClient],
    size: Size,
    say: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("django.conf.settings.SHORT_WRITE_LIMIT_S", 60)  # the model knows no stall of the machine
    for steps in (group_find, group_insert):
        monkeypatch.setattr(steps, "PATIENCE_S", 60)
    Sequences.staff, Sequences.as_candidate = api, staticmethod(as_candidate)
    run_state_machine_as_test(
        Sequences,
        settings=settings(
            max_examples=size.examples,
            stateful_step_count=STEPS,
            derandomize=not size.minutes,
            phases=[Phase.generate] + ([Phase.shrink] if size.minutes else []),  # to shrink takes minutes
            database=None,  # it would leave a folder behind
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    say(f"sequences: {size.examples} of up to {STEPS} steps agreed with the model")
