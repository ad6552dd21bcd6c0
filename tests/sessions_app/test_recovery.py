"""After something was cut off in the middle: the next ordinary step puts the counts right."""

import json
from datetime import timedelta

import pytest
from django.db import connection

from reports_app import services as reports
from sessions_app import counters, heartbeat, import_rows, imports, moves, services
from sessions_app.models import Event, Session
from sessions_app.scoring import DEFAULT_WEIGHTS
from sessions_app.states import State
from tests.factories import NOON, log_event, make_session

pytestmark = pytest.mark.usefixtures("database")

WEIGHED = DEFAULT_WEIGHTS


def stored_and_counted(pk: str) -> tuple[int, int]:
    return Event.objects.filter(session_id=pk).count(), sum(Session.objects.get(pk=pk).counts.values())


def test_ending_again_mends_what_a_cut_off_end_left():
    session = make_session()
    log_event(session.pk, services.Reported("no_face"))
    counters.count_events({session.pk: {"no_face": 1}}, weighed=WEIGHED)  # and the server died before it was stored
    Session.objects.filter(pk=session.pk).update(end_time=session.start_time)  # the end was cut off before its recount
    services.end_session(Session.objects.get(pk=session.pk))
    assert stored_and_counted(session.pk) == (1, 1)


def test_ending_again_keeps_the_silence_that_a_cut_off_end_left_out():
    session = make_session()
    heartbeat.beat(session.pk, heartbeat.Beat(), at=NOON)
    moves.move(session, State.ENDED, at=NOON + timedelta(hours=1))  # and killed
    for _ in range(2):
        services.end_session(Session.objects.get(pk=session.pk))
        assert Event.objects.get().duration_s == 3600
        assert stored_and_counted(session.pk) == (1, 1)


def test_a_report_of_an_ended_session_counts_the_event_that_came_after_the_recount(api):
    session = make_session()
    counters.count_events({session.pk: {"phone_detected": 1}}, weighed=WEIGHED)
    services.end_session(session)  # takes the very slow writer for a crash
    Event.objects.create(session_id=session.pk, event_type="phone_detected")
    assert stored_and_counted(session.pk) == (1, 0)
    assert api.get(f"/sessions/{session.pk}/report").json()["phone_detected_count"] == 1
    assert stored_and_counted(session.pk) == (1, 1)
    assert reports.is_current(Session.objects.get(pk=session.pk), "html")


@pytest.mark.parametrize("end_time", ["2026-05-04T10:00:00Z", None])
def test_importing_again_completes_a_cut_off_import(tmp_path, end_time):
    file = tmp_path / "sessions.jsonl"
    events = [{"event_type": "no_face", "timestamp": f"2026-05-04T09:00:{n:02}Z"} for n in range(20)]
    session = {"id": "x", "candidate_name": "Ada", "start_time": "2026-05-04T09:00:00Z", "end_time": end_time}
    file.write_text(json.dumps({**session, "events": events}))
    list(imports.run(file))
    pk = import_rows.uuid_of("x")
    connection.get_collection("events").delete_many(  # counted, and not stored
        {"_id": {"$in": list(Event.objects.values_list("pk", flat=True)[:7])}}, session=connection.session
    )
    *_, outcome = imports.run(file)
    assert (outcome.new_events, outcome.known_events) == (7, 13)
    assert stored_and_counted(pk) == (20, 20)


def test_a_type_that_reads_like_the_label_of_other_types_loses_no_count():
    both = {counters.key_of(counters.OTHER_TYPES): 3, counters.OTHER_KEY: 2}
    assert counters.by_type(both) == {counters.OTHER_TYPES: 5}
