"""The server is up and refuses every insert, as on a full disk: nobody tells the client to give its event up."""

from uuid import uuid4

import pytest
from django.db import connection

from proctoring_site.outage import RETRY_AFTER_S
from sessions_app import services
from sessions_app.models import Event, Session


@pytest.fixture
def refusing(committed_database):
    """Each document on its own, as a full disk does."""
    admin, events = connection.database.client.admin, f"{connection.database.name}.events"
    admin.command("configureFailPoint", "failCollectionInserts", mode="alwaysOn", data={"collectionNS": events})
    yield
    admin.command("configureFailPoint", "failCollectionInserts", mode="off")


@pytest.fixture
def session(committed_database):
    return services.start_session(candidate_name="Ada Example")


def test_the_client_is_asked_to_send_again_and_nothing_is_counted(session, as_candidate, refusing):
    client, event = as_candidate(session), {"event_type": "focus_lost", "id": str(uuid4())}
    answer = client.post(f"/sessions/{session.pk}/events", event, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "try_again")
    assert answer["Retry-After"] == str(RETRY_AFTER_S)
    batch = client.post(f"/sessions/{session.pk}/events/batch", {"events": [event]}, format="json").json()
    assert [row["code"] for row in batch["rejected"]] == ["try_again"]
    assert Event.objects.count() == 0
    assert Session.objects.get(pk=session.pk).counts == {"focus_lost": 0}
