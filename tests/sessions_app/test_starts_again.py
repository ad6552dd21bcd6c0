"""A start that is sent again with its key, since the answer was lost: one session, one record, and a token again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid1, uuid4

import pytest
from django.db import connection

from proctoring_site.audit.log import record
from proctoring_site.audit.models import Action, ObjectKind
from reports_app.services import delete_session
from sessions_app import services
from sessions_app.ids import id_of_start
from sessions_app.models import Session, now
from tests import trips
from tests.audit_records import recording, told, whole_database
from tests.callers import bearing
from tests.sessions_app.sent_events import log

pytestmark = pytest.mark.usefixtures("committed_database")


@pytest.fixture
def key():
    return str(uuid4())


def start(client, key, name="Ada"):
    return client.post("/sessions", {"candidate_name": name, "start_key": key}, format="json")


def demand_conflict(client, key, **other):
    answer = start(client, key, **other)
    assert (answer.status_code, answer.json()["code"]) == (409, "start_key_conflict")
    assert answer.json().keys() == {"detail", "code"}


def test_the_same_again_is_the_same_session_and_one_start_in_the_audit_log(nobody, key, caplog):
    with recording() as records:
        first, again = start(nobody, key), start(nobody, key.upper())
    assert (first.status_code, again.status_code) == (201, 201)
    assert told(records) == [("created", "session", first.json()["id"])]
    of_its_time = {"token", "token_expires_at"}
    assert first.json().keys() == again.json().keys()
    assert all(first.json()[name] == again.json()[name] for name in first.json().keys() - of_its_time)
    session = Session.objects.get()
    assert (session.pk, UUID(session.pk).version) == (first.json()["id"], 4)
    for answer in (first, again):
        assert log(bearing(answer.json()["token"]), session).status_code == 201
    assert start(nobody, str(uuid4())).json()["id"] != session.pk
    assert key not in (whole_database() + caplog.text).lower()


def test_a_start_that_got_no_further_than_its_record_is_made_good(nobody, key):
    record(Action.CREATED, ObjectKind.SESSION, id_of_start(key))
    pk = start(nobody, key).json()["id"]
    assert start(nobody, key).json()["id"] == pk == Session.objects.get().pk


def test_under_another_name_it_is_a_conflict(nobody, key):
    with trips.exactly("insert audit_log", "insert sessions"):  # a key costs no trip
        services.start(candidate_name="Ada", start_key=key)
    demand_conflict(nobody, key, name="Bo")
    assert Session.objects.get().candidate_name == "Ada"


def test_that_is_over_is_a_conflict(nobody, key):
    pk = start(nobody, key).json()["id"]
    services.end_session(Session.objects.get())
    demand_conflict(nobody, key)
    assert Session.objects.get().pk == pk


@pytest.mark.parametrize("is_deleted", [False, True])
def test_that_began_more_than_an_hour_ago_is_a_conflict(nobody, key, is_deleted):
    services.start(candidate_name="Ada", start_key=key, at=now() - timedelta(minutes=59))
    assert start(nobody, key).status_code == 201
    Session.objects.update(start_time=now() - timedelta(minutes=61))
    if is_deleted:
        Session.objects.all().delete()
        long_ago = {"$set": {"at": now() - timedelta(minutes=61)}}
        connection.get_collection("audit_log").update_many({}, long_ago)
    demand_conflict(nobody, key)
    assert Session.objects.count() == (not is_deleted)


def test_that_was_deleted_does_not_come_back(nobody, key):
    start(nobody, key)
    delete_session(Session.objects.get())
    demand_conflict(nobody, key)
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    "weak", [str(uuid1()), str(UUID(int=0)), "Ada", 5, ""], ids=["of the clock", "nil", "a word", "a number", "empty"]
)
def test_a_key_that_may_be_guessed_is_refused(nobody, weak):
    answer = start(nobody, weak)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["start_key"])
    assert start(nobody, None).status_code == 201


def test_each_try_counts_towards_the_limit_of_its_address(nobody, key, settings):
    settings.SESSION_CREATION_PER_MINUTE = 2
    assert [start(nobody, key).status_code for _ in range(5)].count(201) < 5


def test_many_at_once_are_one_session(key):
    at_once = Barrier(8)

    def begin(_):
        at_once.wait()
        return services.start(candidate_name="Ada", start_key=key)["_id"]

    with recording() as records, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(begin, range(8))) == {Session.objects.get().pk}
    assert len(records) == 1
