"""An event without company is counted and stored at the same time, and whatever comes in between leaves both equal."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic, sleep
from uuid import uuid4

import pytest
from django.db import connection, connections

from sessions_app import lone_event, services
from sessions_app.answers import event_answer, renderer
from sessions_app.errors import EventIdConflict, EventNotStorable, SessionClosed, SessionNotFound
from sessions_app.models import Event, Mark, Session, now
from tests import trips
from tests.factories import make_session

BLOCKED_MS = 400
BOTH = ("update sessions", "aggregate sessions")
GROUPS = ("update sessions", "insert events")


@pytest.fixture
def session(committed_database):
    return services.start_session(candidate_name="Ada Example")


@contextmanager
def once(command, **how):
    """The server fails or holds up the next such command to the sessions, and no other."""
    client = connection.database.client
    data = {
        "failCommands": [command],
        "namespace": f"{connection.database.name}.sessions",
        "appName": client.options.pool_options.appname,
        **how,
    }
    client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def held_up(command):
    return once(command, blockConnection=True, blockTimeMS=BLOCKED_MS)


def log(session, **more):
    (outcome,) = services.log_events(session.pk, [services.Reported("phone_detected", **more)])
    return outcome


@contextmanager
def logged(session, **more):
    """It is under way in the block; then `outcome.result()` is there."""

    def work():
        try:
            return log(session, **more)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(work)
        sleep(BLOCKED_MS / 4000)
        assert not outcome.done()
        yield outcome
        outcome.exception()


def until(condition):
    deadline = monotonic() + 5
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)


def counts_of(session):
    return Session.objects.get(pk=session.pk).counts


def test_it_takes_one_trip_for_both(session):
    with trips.together(*BOTH):
        document, is_new = log(session, message="as told", data={"a.b": "$c", "$d": [1]})
    assert is_new
    stored = connection.get_collection("events").find_one()
    assert renderer.render(event_answer(stored)) == renderer.render(event_answer(document))
    assert list(stored) == list(document)
    assert counts_of(session) == {"phone_detected": 1}


def test_with_company_or_a_type_that_is_not_weighed_it_goes_the_way_of_a_group(session):
    with trips.exactly(*GROUPS):
        services.log_events(session.pk, [services.Reported("phone_detected"), services.Reported("no_face")])
    services.log_events(session.pk, [services.Reported("of our own")])
    with trips.exactly(*GROUPS):
        services.log_events(session.pk, [services.Reported("of our own")])
    assert counts_of(session) == {"phone_detected": 1, "no_face": 1, "of our own": 2}


def test_a_resend_is_known_again_and_counted_once(session):
    told = {"id": str(uuid4())}
    (first, is_new), (again, is_new_again) = log(session, **told), log(session, **told)
    assert (is_new, is_new_again) == (True, False)
    assert again["_id"] == first["_id"]
    assert isinstance(log(session, **told, message="another"), EventIdConflict)
    assert counts_of(session) == {"phone_detected": 1}


def test_nothing_is_left_of_what_a_session_does_not_take(session, settings):
    settings.EVENT_GRACE_S = 0
    services.end_session(session)
    assert isinstance(log(session), SessionClosed)
    assert isinstance(log(make_nobody()), SessionNotFound)
    assert not Event.objects.exists()
    assert counts_of(session) == {}


def make_nobody():
    return Session(pk=str(uuid4()), candidate_name="Nobody")


def test_before_its_session_began_it_is_marked(committed_database):
    session = make_session(start_time=now().replace(year=2090))
    document, _ = log(session)
    assert document["marks"] == [Mark.BEFORE_START]
    assert Event.objects.get().marks == [Mark.BEFORE_START]
    assert counts_of(session) == {"phone_detected": 1}


@pytest.mark.parametrize("later", BOTH)
def test_its_session_ends_between_the_two(session, later, run_jobs):
    with held_up(later.split()[0]), logged(session) as outcome:
        if later == "update sessions":
            until(Event.objects.exists)
        else:
            until(lambda: counts_of(session))
        connection.get_collection("sessions").update_one({"_id": session.pk}, {"$set": {"end_time": now()}})
    document, is_new = outcome.result()
    assert is_new
    assert "marks" not in document, "it came before the end"
    assert counts_of(session) == {"phone_detected": 1}
    assert [event.pk for event in Event.objects.all()] == [document["_id"]]
    run_jobs()


@pytest.mark.parametrize("later", BOTH)
def test_its_session_is_deleted_between_the_two(session, later):
    with held_up(later.split()[0]), logged(session) as outcome:
        until(Event.objects.exists if later == "update sessions" else lambda: counts_of(session))
        connection.get_collection("sessions").delete_one({"_id": session.pk})
    if later == "update sessions":
        assert isinstance(outcome.result(), SessionNotFound)
    else:
        assert outcome.result()[1], "the session had it, when it was deleted"
    assert not Event.objects.exists()


BREAKS = {
    "cut off": {"closeConnection": True},
    "not the primary": {"errorCode": 10107, "errorLabels": ["RetryableWriteError"]},
}


IDS = pytest.mark.parametrize("told", [{}, {"id": str(uuid4())}], ids=["an id of ours", "an id of the client's"])


@IDS
@pytest.mark.parametrize("how", BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("command", ["aggregate", "update"])
def test_a_connection_that_breaks_once_loses_and_doubles_nothing(session, command, how, told):
    with once(command, **how):
        document, _ = log(session, **told)
    assert [event.pk for event in Event.objects.all()] == [document["_id"]]
    assert counts_of(session) == {"phone_detected": 1}


def test_a_session_that_cannot_be_counted_keeps_nothing(session):
    connection.get_collection("sessions").update_one({"_id": session.pk}, {"$set": {"revision": "no number"}})
    assert log(session).code == "try_again"
    assert not Event.objects.exists()


def test_in_a_process_that_ends_it_goes_the_way_of_a_group(session, monkeypatch):
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(lone_event, "_beside", ended)
    with trips.exactly(*GROUPS):
        assert log(session)[1]
    assert counts_of(session) == {"phone_detected": 1}


@IDS
def test_what_is_stored_and_not_known_to_be_durable_is_looked_for(session, told):
    timeout = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication timed out"}
    with once("aggregate", writeConcernError=timeout):
        document, is_new = log(session, **told)
    assert is_new is not bool(told)
    assert [event.pk for event in Event.objects.all()] == [document["_id"]]
    assert counts_of(session) == {"phone_detected": 1}


def test_what_the_server_refuses_is_not_counted(session):
    admin, events = connection.database.client.admin, f"{connection.database.name}.events"
    admin.command("configureFailPoint", "failCollectionInserts", mode="alwaysOn", data={"collectionNS": events})
    try:
        outcome = log(session)
    finally:
        admin.command("configureFailPoint", "failCollectionInserts", mode="off")
    assert isinstance(outcome, Exception)
    assert sum(counts_of(session).values()) == 0
    assert not isinstance(outcome, EventNotStorable), "the server's fault: it may be sent again"
