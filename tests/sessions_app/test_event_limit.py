"""A token cannot fill the database: of one session only so many events are kept, and staff see that there were more."""

from uuid import uuid4

import pytest

from sessions_app.models import Event, Session
from tests import trips
from tests.sessions_app.sent_events import log, log_batch

pytestmark = pytest.mark.usefixtures("committed_database")


def test_more_events_than_are_kept_of_a_session_are_refused_and_staff_are_told(settings, candidate, session, as_staff):
    settings.EVENTS_PER_SESSION_MAX = 10
    first = {"event_type": "tab_hidden", "id": str(uuid4())}
    outcome = log_batch(candidate, session, first, *[{"event_type": "tab_hidden"}] * 11).json()
    assert (len(outcome["created"]), [one["code"] for one in outcome["rejected"]]) == (10, ["too_many_events"] * 2)
    refused = log(candidate, session, event_type="a new one")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_events")
    assert log(candidate, session, **first).status_code == 201  # it is there already
    assert log(candidate, session, event_type="phone_detected").status_code == 201  # nobody hides it behind others
    with trips.exactly("find sessions"):
        assert log(candidate, session, event_type="tab_hidden").status_code == 409
    assert log(candidate, session, event_type="phone_detected").status_code == 409
    counts = Session.objects.get(pk=session.pk).counts
    assert counts == {"tab_hidden": 10, "events_refused": 1, "phone_detected": 1}
    assert Event.objects.count() == 12
    page = as_staff("Reviewer").get(f"/admin/sessions_app/session/{session.pk}/change/").content.decode()
    assert "The session has 10 events; from now on only types with a weight are kept." in page
