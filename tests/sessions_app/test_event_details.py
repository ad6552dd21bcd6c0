"""What an event may say of itself: what is kept, what is refused, and what was not told."""

import pytest
from django.db import connection

from sessions_app.answers import EVENT_FIELDS
from sessions_app.models import Event
from tests.sessions_app.sent_events import log

pytestmark = pytest.mark.usefixtures("committed_database")


class TestDetails:
    def test_are_kept_and_shown(self, candidate, session, api):
        told = {
            "duration_s": 4.5,
            "confidence": 0.91,
            "source": "phone-net 2.1",
            "sequence": 7,
            "data": {"box": [1, 2, 3, 4]},
        }
        event = log(candidate, session, **told).json()
        assert {name: event[name] for name in told} == told
        assert api.get(f"/sessions/{session.pk}").json()["events"] == [event]

    @pytest.mark.parametrize(
        "bad",
        [
            {"duration_s": -1},
            {"duration_s": float(10**9)},
            {"confidence": 1.01},
            {"source": "x" * 101},
            {"source": "server"},  # what that tells is the server's own
            {"source": " Server"},
            {"sequence": -1},
            {"sequence": 2**60},
            {"data": [1]},
            {"data": {"x": "y" * 2048}},
            {"data": {"a": {"b": {"c": {"d": {}}}}}},
            {"id": "not-a-uuid"},
            {"sent_at": "soon"},
        ],
    )
    def test_out_of_their_limits_are_refused_by_name(self, candidate, session, bad):
        answer = log(candidate, session, **bad)
        assert (answer.status_code, set(answer.json()["fields"])) == (400, set(bad))
        assert Event.objects.count() == 0


def test_what_was_not_told_is_not_stored_and_answered_as_nothing(candidate, session):
    answer = log(candidate, session, confidence=0.5).json()
    document = connection.database["events"].find_one(session=connection.session)
    assert document.keys() == {*EVENT_FIELDS, "confidence"}
    assert (answer["confidence"], answer["sequence"], answer["marks"]) == (0.5, None, [])
