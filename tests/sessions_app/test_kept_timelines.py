"""A timeline is answered again from what was kept as long as nothing happened, and never longer."""

import time

import pytest
from django.db import connection

from sessions_app import counters, kept_timelines, services
from sessions_app.heartbeat import Beat, beat
from tests import trips
from tests.factories import make_event, make_session, start_session

pytestmark = pytest.mark.usefixtures("committed_database")

AGAIN = ("find sessions", "insert audit_log")


@pytest.fixture
def session():
    session = start_session(candidate_name="Ada")
    make_event(session, message="first")
    return session


@pytest.fixture
def messages(api):
    return lambda session: [event["message"] for event in api.get(f"/sessions/{session.pk}").json()["events"]]


def test_who_looks_again_reads_no_events(session, messages):
    assert messages(session) == ["first"]
    with trips.exactly(*AGAIN):
        assert messages(session) == ["first"]


def test_a_beat_leaves_them_and_is_seen(session, messages, api):
    assert messages(session) == ["first"]
    beat(session.pk, Beat(camera=True))
    with trips.exactly(*AGAIN):
        assert api.get(f"/sessions/{session.pk}").json()["coverage"]["camera"] == 1


def test_the_next_event_is_seen_at_once(session, messages):
    for number in range(3):
        make_event(session, message=str(number))
        assert str(number) in messages(session)


def test_what_is_counted_and_not_yet_stored_is_not_missed_later(session, messages):
    counters.count_events({session.pk: {"focus_lost": 1}}, weighed={})
    assert messages(session) == ["first"]
    event = connection.get_collection("events").find_one({"session_id": session.pk})
    later = {**event, "_id": "later", "message": "stored at last"}
    connection.get_collection("events").insert_one(later)
    assert sorted(messages(session)) == ["first", "stored at last"]


def test_a_deleted_session_is_gone_and_another_of_its_id_has_its_own_events(session, messages, api):
    assert messages(session) == ["first"]
    services.delete_session(session)
    assert api.get(f"/sessions/{session.pk}").status_code == 404
    again = make_session(pk=session.pk)
    make_event(again, message="of another life")
    assert messages(again) == ["of another life"]


def test_of_one_that_was_deleted_elsewhere_they_end_in_time(session, messages, monkeypatch):
    monkeypatch.setattr(kept_timelines, "KEPT_S", 0.5)
    assert messages(session) == ["first"]
    change = {"$set": {"message": "imported again"}}
    connection.get_collection("events").update_one({"session_id": session.pk}, change)
    deadline = time.monotonic() + 10
    while messages(session) != ["imported again"]:
        assert time.monotonic() < deadline


def test_one_that_is_too_large_is_not_kept_and_drops_no_other(session, messages, monkeypatch):
    large = start_session(candidate_name="Bo")
    make_event(large, message="x" * 300)
    assert messages(session) == ["first"]
    monkeypatch.setattr(kept_timelines, "KEPT_BYTES_MAX", 500)
    assert messages(large) == ["x" * 300]
    with trips.exactly(*AGAIN):
        assert messages(session) == ["first"]


def test_they_take_so_much_memory_and_no_more(messages, monkeypatch):
    sessions = [start_session(candidate_name="Ada") for _ in range(4)]
    for session in sessions:
        make_event(session, message="x" * 300)
    monkeypatch.setattr(kept_timelines, "KEPT_BYTES_MAX", 1500)
    for session in [*sessions, *sessions]:
        assert messages(session) == ["x" * 300]
    assert 0 < kept_timelines._kept_bytes <= 1500
    assert kept_timelines._kept_bytes == sum(len(kept.content) for kept in kept_timelines._kept.values())
