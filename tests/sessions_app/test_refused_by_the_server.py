"""The server is up and refuses every insert, as on a full disk: nobody tells the client to give its event up."""

from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from django.db import connection

from proctoring_site.calls.outage import RETRY_AFTER_S
from sessions_app import heartbeat, moves, services
from sessions_app.errors import EventUndecided
from sessions_app.models import Event, Session
from sessions_app.review.reading import review_of
from sessions_app.states import ReasonCode, State
from tests.factories import make_sessions, start_session
from tests.plans import explain


@contextmanager
def refusing():
    """Each document on its own, as a full disk does."""
    admin, events = connection.database.client.admin, f"{connection.database.name}.events"
    admin.command("configureFailPoint", "failCollectionInserts", mode="alwaysOn", data={"collectionNS": events})
    try:
        yield
    finally:
        admin.command("configureFailPoint", "failCollectionInserts", mode="off")


@pytest.fixture
def session(committed_database):
    return start_session(candidate_name="Ada Example")


def test_the_client_is_asked_to_send_again_and_nothing_is_counted(session, as_candidate):
    client, event = as_candidate(session), {"event_type": "focus_lost", "id": str(uuid4())}
    with refusing():
        answer = client.post(f"/sessions/{session.pk}/events", event, format="json")
        batch = client.post(f"/sessions/{session.pk}/events/batch", {"events": [event]}, format="json").json()
    assert (answer.status_code, answer.json()["code"]) == (503, "try_again")
    assert answer["Retry-After"] == str(RETRY_AFTER_S)
    assert [row["code"] for row in batch["rejected"]] == ["try_again"]
    assert Event.objects.count() == 0
    assert Session.objects.get(pk=session.pk).counts == {"focus_lost": 0}


def beat(session, minutes):
    return heartbeat.beat(session.pk, heartbeat.Beat(), at=session.start_time + timedelta(minutes=minutes))


def silences(session):
    return sorted(event.duration_s // 60 for event in Event.objects.filter(session_id=session.pk))


def test_a_silence_is_kept_by_the_next_beat(session):
    beat(session, 0)
    with refusing(), pytest.raises(EventUndecided):
        beat(session, 20)
    beat(session, 21)
    assert silences(session) == [21]


terminate = partial(services.terminate_session, reason_code=ReasonCode.EXAMINEE_ILLNESS)


@pytest.mark.parametrize(
    ("close", "go_on"),
    [
        (services.end_session, services.end_session),
        (services.end_session, lambda _: services.close_stale_sessions()),
        (terminate, lambda _: services.close_stale_sessions()),
    ],
)
def test_a_silence_before_the_end_is_kept_later_though_somebody_looked_meanwhile(session, close, go_on):
    """The session is closed all the same, and who closed it is told so."""
    beat(session, 0)
    with refusing():
        closed = close(session, at=session.start_time + timedelta(minutes=40))
    end_time = closed.end_time
    review_of(closed)
    assert silences(session) == []
    go_on(closed)
    assert silences(session) == [40]
    kept = Session.objects.get(pk=session.pk)
    assert (kept.end_time, kept.unsettled, kept.counts["missing"]) == (end_time, None, 1)
    services.close_stale_sessions()
    assert silences(session) == [40]


def test_what_was_cut_off_is_found_without_a_look_at_the_other_sessions(session):
    make_sessions(50, end_time=session.start_time)
    moves.move(session, State.ENDED)
    plan = explain(Session.objects.unsettled())
    assert (plan.uses_index, plan.docs_examined, plan.index_names) == (True, 1, {"sessions_unsettled"})
