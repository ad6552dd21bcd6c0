"""A database of the earlier service opens as it is: written before `migrate`, or after it."""

import copy
from datetime import UTC, datetime

import pytest
from bson import ObjectId
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection

from sessions_app import adoption, services
from sessions_app.models import Event, Session
from sessions_app.scoring import DEFAULT_WEIGHTS
from tests.conftest import filled_collections
from tests.factories import NOON, log_event, old_event, old_session, start_session, write_old_documents
from tests.sessions_app import old_kinds
from tests.sessions_app.old_kinds import EVENTS, UNPARSABLE, write_every_kind

WEIGHED = DEFAULT_WEIGHTS


@pytest.fixture(scope="module")
def migrated_again(django_db_setup, django_db_blocker):
    """For the files after this one."""
    yield
    with django_db_blocker.unblock():
        unmigrate()
        migrate()


@pytest.fixture
def fresh(migrated_again, committed_database):
    """The two collections as they were before the first migration: not there."""
    unmigrate()
    return connection.database


def unmigrate():
    for name in ("sessions", "events"):
        connection.database.drop_collection(name)
    forget_migrations()


def forget_migrations():
    """Those of sessions_app, and those of other apps that build on them."""
    done = connection.database["django_migrations"]
    others = [("access", "0002_groups_and_throttle"), ("review", "0002_score_adopted")]
    ours = {"app": {"$in": ["sessions_app", "jobs"]}}
    done.delete_many({"$or": [ours, *({"app": app, "name": name} for app, name in others)]})
    connection.database.drop_collection("jobs")


def migrate():
    call_command("migrate", verbosity=0, interactive=False)


def dump():
    return {name: list(connection.database[name].find().sort("_id")) for name in ("sessions", "events")}


def as_adopted(event):
    """Fields of its own whose names mean something here now are kept in one named for that."""
    return {name: value for name, value in event.items() if name != "adopted"} | event.get("adopted", {})


def indexes():
    return {name: set(connection.database[name].index_information()) for name in ("sessions", "events")}


SESSION_INDEXES = ("newest", "state", "status", "name", "queue", "assigned", "policy", "unsettled")
ALL_INDEXES = {
    "sessions": {"_id_", *(f"sessions_{name}" for name in SESSION_INDEXES)},
    "events": {"_id_", "events_order"},
}


@pytest.fixture(scope="module")
def left():
    """What migrating left in the collections, by when they were written: each way is gone once."""
    return {}


@pytest.fixture(params=["written before migrate", "written after migrate"])
def adopted(request, migrated_again, committed_database, left):
    if request.param in left and indexes() == ALL_INDEXES:
        for name, documents in left[request.param].items():
            connection.database[name].insert_many(documents)
        return connection.database
    unmigrate()
    if request.param == "written before migrate":
        write_every_kind()
        migrate()
    else:
        migrate()
        write_every_kind()
    database = connection.database
    left[request.param] = {name: list(database[name].find()) for name in filled_collections(database)}
    return database


@pytest.fixture
def superuser(client):
    client.force_login(get_user_model().objects.create_superuser("root"))
    return client


class TestAnAdoptedDatabase:
    def test_has_every_index(self, adopted):
        assert indexes() == ALL_INDEXES

    def test_lists_every_session(self, adopted, api):
        sessions = api.get("/sessions").json()
        assert {session["candidate_name"] for session in sessions} == set(EVENTS)
        by_name = {session["candidate_name"]: session for session in sessions}
        assert by_name["Plain"]["start_time"] == "2026-03-02T12:00:00Z"
        assert by_name["Plain"]["video_path"] == "data/videos/p.webm"
        assert by_name["Odd types"]["video_path"] == "data\\videos\\o.webm"
        assert by_name["Text"]["start_time"] == "2026-03-02T10:00:00.123000Z"
        assert by_name["Text"]["end_time"] == "2026-03-02T09:30:00Z"
        assert by_name["Text"]["state"] == "ended"
        assert by_name["Unparsable"]["start_time"] is None
        assert by_name[None]["start_time"] is None
        assert by_name[None]["state"] == "running"

    def test_shows_every_event_of_every_session(self, adopted, api):
        for session in api.get("/sessions").json():
            detail = api.get(f"/sessions/{session['id']}")
            assert detail.status_code == 200
            assert len(detail.json()["events"]) == EVENTS[session["candidate_name"]]
            for event in detail.json()["events"]:
                assert event["event_type"] is None or isinstance(event["event_type"], str)
                assert event["timestamp"] is None or event["timestamp"].endswith("Z")

    def test_counts_every_type_as_it_was_sent(self, adopted, api):
        session = Session.objects.get(candidate_name="Odd types")
        services.count_where_missing([session])
        assert session.counts == {
            "tab_hidden": 2,
            "a.b": 1,
            "$inc": 1,
            "a.b$c%25": 1,
            "": 2,
            "5": 2,
            "True": 1,
            "x" * 200: 1,
            "focus_lost": 1,
        }
        assert session.counts == Session.objects.get(pk=session.pk).counts

    def test_reports_every_session(self, adopted, api):
        for session in Session.objects.all():
            for name in ("report", "report.html", "report.csv"):
                answer = api.get(f"/sessions/{session.pk}/{name}")
                assert answer.status_code == 200, (session.candidate_name, name)
        report = api.get(f"/sessions/{Session.objects.get(candidate_name='Plain').pk}/report").json()
        assert report["interview_duration_seconds"] == 3600
        assert (report["focus_lost_count"], report["phone_detected_count"]) == (1, 1)
        assert report["integrity_score"] == 100 - WEIGHED["focus_lost"] - WEIGHED["phone_detected"]

    def test_shows_every_session_in_the_admin(self, adopted, superuser):
        changelist = superuser.get("/admin/sessions_app/session/?show=all")
        assert changelist.status_code == 200
        assert len(changelist.context["cl"].result_list) == len(EVENTS)
        for session in Session.objects.all():
            page = superuser.get(f"/admin/sessions_app/session/{session.pk}/change/")
            assert page.status_code == 200
            assert len(page.context["event_page"].object_list) == EVENTS[session.candidate_name]

    def test_goes_on_as_any_other(self, adopted, api):
        for session in Session.objects.all():
            before = EVENTS[session.candidate_name]
            is_open = session.end_time is None
            answer = api.post(f"/sessions/{session.pk}/events", {"event_type": "new"}, format="json")
            assert answer.status_code == (201 if is_open else 409)
            assert api.post(f"/sessions/{session.pk}/end").status_code == 200
            session.refresh_from_db()
            stored = Event.objects.filter(session_id=session.pk).count()
            assert sum(session.counts.values()) == stored == before + is_open

    def test_keeps_fields_that_nobody_knows(self, adopted, api):
        session = Session.objects.get(candidate_name="Extra")
        api.post(f"/sessions/{session.pk}/events", {"event_type": "new"}, format="json")
        api.post(f"/sessions/{session.pk}/end")
        session.refresh_from_db()
        session.save()
        stored = adopted["sessions"].find_one({"_id": session.pk})
        assert stored["proctor"] == {"name": "P", "notes": [1, 2]}
        assert stored["score"] == 0.5
        (event,) = adopted["events"].find({"session_id": session.pk, "box": {"$exists": True}})
        assert as_adopted(event)["confidence"] == 0.75
        assert event["box"] == [1, 2, 3, 4]


class TestTheConversion:
    def test_it_turns_text_into_dates_and_keeps_what_is_no_instant(self, fresh):
        write_every_kind()
        migrate()
        text = fresh["sessions"].find_one({"candidate_name": "Text"})
        assert text["start_time"] == datetime(2026, 3, 2, 10, 0, 0, 123000)
        assert text["end_time"] == datetime(2026, 3, 2, 9, 30)
        odd = fresh["sessions"].find_one({"candidate_name": "Unparsable"})
        assert (odd["start_time"], odd["end_time"]) == (None, None)
        assert odd["start_time_as_stored"] == odd["end_time_as_stored"] == UNPARSABLE
        events = list(fresh["events"].find({"session_id": odd["_id"]}))
        assert [event["timestamp"] for event in events] == [None, None]
        assert {event.get("timestamp_as_stored") for event in events} == {UNPARSABLE, None}

    def test_events_that_were_text_come_in_their_true_order(self, fresh, api):
        write_every_kind()
        migrate()
        session = Session.objects.get(candidate_name="Text")
        stamps = [event["timestamp"] for event in api.get(f"/sessions/{session.pk}").json()["events"]]
        assert stamps == [f"2026-03-02T10:{at}Z" for at in ("01:00.500000", "05:00", "10:00", "20:00")]

    def test_it_touches_nothing_else(self, fresh):
        before = {}
        for kind in (
            old_kinds.plain,
            old_kinds.with_odd_types,
            old_kinds.with_missing_fields,
            old_kinds.with_extra_fields,
        ):
            session, events = kind()
            before[session["_id"]] = copy.deepcopy([session, *events])
            write_old_documents([session], events)
        migrate()
        for session_id, (session, *events) in before.items():
            now = fresh["sessions"].find_one({"_id": session_id})
            assert isinstance(now.pop("event_counts"), dict)
            assert now == session
            stored = list(fresh["events"].find({"session_id": session_id}).sort("_id"))
            assert [event.pop("occurred_at", None) for event in stored] == [event.get("timestamp") for event in stored]
            assert [as_adopted(event) for event in stored] == sorted(events, key=lambda event: event["_id"])

    def test_a_second_run_changes_nothing(self, fresh):
        write_every_kind()
        migrate()
        before, had = dump(), indexes()
        forget_migrations()
        migrate()
        migrate()
        assert (dump(), indexes()) == (before, had)
        assert adoption.convert_text_instants(fresh["sessions"], ("start_time", "end_time")) == 0
        assert adoption.convert_text_instants(fresh["events"], ("timestamp",)) == 0
        assert adoption.count_sessions(fresh, weighed=WEIGHED) == 0

    def test_it_works_through_more_than_one_batch(self, fresh, monkeypatch):
        monkeypatch.setattr(adoption, "BATCH", 3)
        sessions = [old_session(start_time="2026-03-02T10:00:00", end_time=UNPARSABLE) for _ in range(10)]
        events = [old_event(session, timestamp="2026-03-02T10:00:00") for session in sessions for _ in range(2)]
        write_old_documents(sessions, events)
        migrate()
        assert fresh["sessions"].count_documents({"start_time": datetime(2026, 3, 2, 10), "end_time": None}) == 10
        assert fresh["events"].count_documents({"timestamp": datetime(2026, 3, 2, 10)}) == 20
        assert all(session.counts == {"focus_lost": 2} for session in Session.objects.all())

    def test_numbers_that_are_none_are_set_aside_and_the_session_goes_on(self, fresh, api):
        odd = {
            "revision": ["seven", {"of": 7}, None, 7],
            "event_counts": ["many", {"focus_lost": "many"}, {"focus_lost": 2.5}, {"focus_lost": 3}],
        }
        sessions = [old_session(**{name: value}) for name, values in odd.items() for value in values]
        write_old_documents(sessions, [old_event(session) for session in sessions])
        migrate()
        adopted = [fresh["sessions"].find_one({"_id": session["_id"]}).get("adopted") for session in sessions]
        aside = [{name: value} for name, values in odd.items() for value in values[:3]]
        assert adopted == [*aside[:3], None, *aside[3:], None]
        for session in sessions:
            answer = api.post(f"/sessions/{session['_id']}/events", {"event_type": "focus_lost"}, format="json")
            assert answer.status_code == 201
            assert Session.objects.get(pk=session["_id"]).counts == {"focus_lost": 4 if session is sessions[-1] else 2}

    def test_events_of_sessions_that_are_gone_disturb_nothing_and_are_told(self, fresh, api, caplog):
        write_old_documents(events=[old_event({"_id": "gone"}), {"_id": "of nobody"}])
        migrate()
        assert api.get("/sessions").json() == []
        assert fresh["events"].count_documents({}) == 2
        assert told(caplog) == ["events whose session is not there: 2; they stay, and nobody sees them"]

    def test_sessions_whose_ids_are_no_text_stay_and_are_told(self, fresh, caplog):
        sessions = [old_session(), old_session(_id=ObjectId()), old_session(_id=7)]
        write_old_documents(sessions, [old_event(session) for session in sessions])
        migrate()
        assert fresh["sessions"].count_documents({}) == fresh["events"].count_documents({}) == 3
        assert told(caplog) == ["sessions whose _id is not text: 2; they are listed, but cannot be opened or deleted"]


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name == adoption.__name__]


def test_an_empty_database_gets_the_same_collections_and_indexes(fresh, api):
    migrate()
    assert indexes() == ALL_INDEXES
    assert api.get("/sessions").json() == []
    assert api.post("/sessions", {"candidate_name": "First"}, format="json").status_code == 201


def test_a_session_that_was_created_here_has_the_earlier_services_shape(fresh):
    migrate()
    session = start_session(candidate_name="Ada", at=NOON)
    log_event(session.pk, services.Reported("x", timestamp=NOON))
    document, event = fresh["sessions"].find_one(), fresh["events"].find_one()
    assert isinstance(document["_id"], str)
    assert document["start_time"].replace(tzinfo=UTC) == NOON
    assert {"end_time": None, "video_path": None, "candidate_name": "Ada"}.items() <= document.items()
    assert {"_id", "session_id", "event_type", "message", "timestamp"} < set(event)
    assert event["session_id"] == document["_id"]
