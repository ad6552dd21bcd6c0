"""An unchanged report costs a look at its session and the record of that; whatever changes it is seen at once."""

import os

import pytest
from django.db import connection

from reports_app import services, unchanged
from sessions_app import services as sessions
from sessions_app.heartbeat import Beat, beat
from tests import trips
from tests.factories import NOON, make_event, make_session

pytestmark = pytest.mark.usefixtures("database", "data_dir")

UNCHANGED = ("find sessions", "insert audit_log")


@pytest.fixture
def session():
    session = make_session()
    make_event(session)
    sessions.end_session(session, at=NOON)
    return session


@pytest.fixture
def get(api):
    return lambda session: api.get(f"/sessions/{session.pk}/report").json()


def path_of(session, data_dir):
    return data_dir / "reports" / f"report_{session.pk}.html"


def test_it_is_answered_from_its_session_alone(session, get):
    first = [get(session), get(session)]
    with trips.exactly(*UNCHANGED):
        assert get(session) == first[0] == first[1]


def test_every_change_is_seen_though_no_revision_says_so(session, get):
    get(session), get(session)
    change = {"$set": {"candidate_name": "Bo Example"}}
    connection.get_collection("sessions").update_one({"_id": session.pk}, change, session=connection.session)
    assert get(session)["candidate_name"] == "Bo Example"


def test_other_weights_are_seen_while_it_is_open(get, settings):
    session = make_session()
    make_event(session)
    get(session), get(session)
    settings.SCORE_WEIGHTS = {"focus_lost": 40}
    assert get(session)["integrity_score"] == 60


def test_its_page_is_there_again_when_it_was_lost(session, get, data_dir):
    get(session), get(session)
    path_of(session, data_dir).unlink()
    get(session)
    assert path_of(session, data_dir).exists()


def test_its_page_is_made_again_when_somebody_wrote_into_it(session, get, data_dir):
    """Of the same length, at the same place and with its old instant."""
    get(session), get(session)
    path = path_of(session, data_dir)
    good, before = path.read_bytes(), path.stat()
    with path.open("r+b") as file:
        file.write(b"<!doctype HTML>")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino
    get(session)
    assert path.read_bytes() == good


def test_of_a_sitting_that_is_watched_it_depends_on_the_time_and_is_not_kept(get):
    session = make_session()
    beat(session.pk, Beat(camera=True))
    get(session), get(session)
    document, policy = sessions.find_document(session.pk), sessions.active_policy()
    assert unchanged.answer_of(services.file_name(session.pk, "html"), document, policy) is None


def test_only_so_many_are_kept_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(unchanged, "KEPT_MAX", 2)
    kept = {}
    for number in [1, 2, 2, 3, 4, 4]:
        unchanged._keep(kept, str(number), number)
    assert kept == {"3": 3, "4": 4}
