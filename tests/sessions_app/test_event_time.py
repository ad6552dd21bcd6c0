"""When an event was: by which clock, what is marked, and in which order events stand."""

from datetime import timedelta

import pytest

from sessions_app import services
from sessions_app.models import Event, now
from tests.sessions_app.sent_events import log, log_batch

pytestmark = pytest.mark.usefixtures("committed_database")


class TestTime:
    def test_is_corrected_by_the_clients_clock_when_it_sent(self, candidate, session):
        ahead = timedelta(hours=5)
        told = now() + ahead - timedelta(seconds=3)
        event = log(candidate, session, timestamp=told.isoformat(), sent_at=(now() + ahead).isoformat()).json()
        stored = Event.objects.get()
        assert stored.timestamp == told
        assert abs(stored.clock_skew_ms - ahead / timedelta(milliseconds=1)) < 2000
        assert abs((stored.occurred_at - (told - ahead)).total_seconds()) < 2
        assert event["marks"] == []

    def test_orders_the_timeline_by_our_clock(self, candidate, session, api):
        log(candidate, session, event_type="second", timestamp=now().isoformat())
        early = now() + timedelta(hours=2, seconds=-60)
        log(
            candidate,
            session,
            event_type="first",
            timestamp=early.isoformat(),
            sent_at=(now() + timedelta(hours=2)).isoformat(),
        )
        events = api.get(f"/sessions/{session.pk}").json()["events"]
        assert [event["event_type"] for event in events] == ["first", "second"]

    @pytest.mark.parametrize(
        ("told", "mark"),
        [
            (lambda: (now() + timedelta(hours=1)).isoformat(), "future"),
            (lambda: (now() - timedelta(hours=1)).isoformat(), "before_start"),
            (lambda: now().replace(tzinfo=None).isoformat(), "naive"),
        ],
    )
    def test_that_is_odd_is_kept_and_marked(self, candidate, session, told, mark):
        text = told()
        event = log(candidate, session, timestamp=text).json()
        assert event["marks"] == [mark]
        assert event["timestamp"][:19] == text[:19]

    @pytest.mark.parametrize(
        ("told", "is_naive"),
        [
            *((told, True) for told in ("2026-03-02", "2026-W10-1", "20260302T12", "2026-03-02 12:00:00.5")),
            *((told, False) for told in ("2026-03-02T12Z", "2026-03-02T12:00-05", "2026-03-02T12:00:00+05:30:15")),
            *((told, False) for told in ("2026-03-02T12:00:00.123456789Z", "2026-03-02T12:00:00-23:59")),
        ],
    )
    def test_without_a_zone_is_marked_however_it_is_written(self, candidate, session, told, is_naive):
        marks = log(candidate, session, timestamp=told).json()["marks"]
        assert ("naive" in marks) is is_naive

    def test_after_the_end_is_marked_late_and_then_refused(self, candidate, session, settings):
        services.end_session(session)
        assert log(candidate, session).json()["marks"] == ["late"]
        settings.EVENT_GRACE_S = 0
        answer = log(candidate, session)
        assert (answer.status_code, answer.json()["code"]) == (409, "session_closed")
        assert log_batch(candidate, session, {"event_type": "x"}).status_code == 409
        assert Event.objects.count() == 1


def test_a_batch_without_instants_stays_in_its_order(candidate, session):
    told = [{"event_type": f"type_{n}"} for n in range(60)]
    assert candidate.post(f"/sessions/{session.pk}/events/batch", {"events": told}, format="json").status_code == 200
    assert len({event.occurred_at for event in Event.objects.all()}) == 1
    assert [event.event_type for event in Event.objects.in_order()] == [one["event_type"] for one in told]
