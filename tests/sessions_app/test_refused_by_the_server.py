"""The server is up and refuses every insert, as on a full disk: nobody tells the client to give its event up."""

from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection

from proctoring_site.outage import RETRY_AFTER_S
from sessions_app import heartbeat, services
from sessions_app.errors import EventUndecided
from sessions_app.models import Event, Session


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
    return services.start_session(candidate_name="Ada Example")


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


def test_a_silence_is_kept_by_the_next_beat_or_end(session):
    def beat(minutes):
        return heartbeat.beat(session.pk, heartbeat.Beat(), at=session.start_time + timedelta(minutes=minutes))

    beat(0)
    with refusing(), pytest.raises(EventUndecided):
        beat(20)
    beat(21)
    assert [event.duration_s for event in Event.objects.all()] == [21 * 60]
    at = session.start_time + timedelta(minutes=40)
    with refusing(), pytest.raises(EventUndecided):
        services.end_session(session, at=at)
    services.end_session(session)
    assert sorted(event.duration_s for event in Event.objects.all()) == [19 * 60, 21 * 60]
    assert Session.objects.get(pk=session.pk).end_time == at
