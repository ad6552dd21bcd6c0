"""Heartbeats: what they cover, the silences between them, and what is unknown without them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import NAMESPACE_URL, uuid5

import pytest
from django.db import connection, connections
from pymongo.errors import AutoReconnect

from sessions_app import heartbeat, services
from sessions_app.heartbeat import Beat
from sessions_app.models import Event, Session
from sessions_app.states import State
from tests.factories import NOON, make_event, make_session, old_session, write_old_documents

AN_HOUR = timedelta(hours=1)


class TestHeartbeats:
    def beats(self, session, *seconds, **said):
        for second in seconds:
            heartbeat.beat(session.pk, Beat(**said), at=NOON + timedelta(seconds=second))
        session.refresh_from_db()
        return session

    def test_cost_no_document(self, database):
        session = self.beats(make_session(), *range(0, 100, 10))
        assert session.heartbeat["beats"] == 10
        assert not Event.objects.exists()

    def test_cover_the_time_between_them(self, database):
        session = self.beats(make_session(), *range(0, 101, 10), camera=True, detectors=["face"])
        services.end_session(session, at=NOON + timedelta(seconds=100))
        covered = heartbeat.coverage_of(session)
        assert (covered.heartbeat, covered.camera, covered.detectors) == (1.0, 1.0, {"face": 1.0})
        assert (covered.microphone, covered.screen) == (None, None)
        assert services.score(session).risk_band == "low"

    def test_a_silence_is_a_gap_on_the_timeline_once(self, database):
        session = self.beats(make_session(), 0, 10, 110, 120)
        (gap,) = Event.objects.all()
        assert (gap.event_type, gap.duration_s, gap.source) == ("missing", 100.0, "server")
        assert gap.timestamp == NOON + timedelta(seconds=10)
        services.end_session(session, at=NOON + timedelta(seconds=120))
        assert heartbeat.coverage_of(session).heartbeat == round(20 / 120, 4)
        assert services.score(session).risk_band == "insufficient_data"

    def test_a_silence_up_to_the_end_is_one_too(self, database):
        session = self.beats(make_session(), 0, 10)
        services.end_session(session, at=NOON + timedelta(seconds=100))
        (gap,) = Event.objects.all()
        assert (gap.timestamp, gap.duration_s) == (NOON + timedelta(seconds=10), 90.0)
        assert (session.counts, gap.marks) == ({"missing": 1}, None)

    def test_a_client_that_knows_its_beats_cannot_keep_a_gap_off_the_timeline(self, database):
        session = self.beats(make_session(), 0)
        guess = uuid5(NAMESPACE_URL, f"{session.pk}/missing/{NOON.isoformat()}")
        make_event(session, event_type="focus_back", id=str(guess))
        self.beats(session, 1200)
        assert Event.objects.get(event_type="missing").duration_s == 1200

    def test_a_silence_on_both_sides_of_a_beat_that_could_not_be_written_is_two(self, database, monkeypatch):
        session = self.beats(make_session(), 0)
        monkeypatch.setattr(heartbeat, "_write", lambda *told: (_ for _ in ()).throw(AutoReconnect("gone")))
        with pytest.raises(AutoReconnect):
            self.beats(session, 100)
        monkeypatch.undo()
        self.beats(session, 1200)
        services.end_session(session, at=NOON + timedelta(seconds=1200))
        gaps = [(gap.timestamp, gap.duration_s) for gap in Event.objects.in_order()]
        assert gaps == [(NOON, 100), (NOON + timedelta(seconds=100), 1100)]

    def test_a_silence_up_to_where_a_session_expires_is_one_too(self, database, settings):
        session = self.beats(make_session(), 0)
        make_event(session, timestamp=NOON + AN_HOUR)
        services.close_stale_sessions(at=NOON + AN_HOUR + timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S + 1))
        gap = Event.objects.get(event_type="missing")
        assert (gap.duration_s, gap.marks) == (3600, None)

    def test_a_camera_that_was_off_half_the_time_is_too_little(self, database):
        session = self.beats(make_session(), *range(0, 51, 10), camera=True)
        self.beats(session, *range(60, 101, 10), camera=False)
        services.end_session(session, at=NOON + timedelta(seconds=100))
        assert heartbeat.coverage_of(session).camera == 0.5
        assert services.score(session).risk_band == "insufficient_data"

    def test_what_was_seen_stays_seen(self, database):
        session = self.beats(make_session(), 0)
        for _ in range(4):
            make_event(session, event_type="phone_detected")
        services.end_session(session, at=NOON + AN_HOUR)
        assert services.score(session).risk_band == "high"

    def test_a_client_without_any_is_banded_by_its_score(self, api, database):
        session = make_session()
        services.end_session(session, at=NOON + AN_HOUR)
        assert services.score(session).risk_band == "low"
        assert api.get(f"/sessions/{session.pk}").json()["coverage"] is None

    @pytest.mark.parametrize(
        "half",
        [{}, {"covered_ms": None}, {"on_ms": {"camera": "long"}}, {"detectors_ms": [{"name": "face"}]}, {"last_at": 7}],
    )
    def test_a_document_of_them_that_is_half_or_somebody_elses_tells_nothing(self, api, as_staff, database, half):
        session = self.beats(make_session(), 0, 10, camera=True)
        beats = session.heartbeat | half if half else {"last_at": NOON}
        Session.objects.filter(pk=session.pk).update(heartbeat=beats)
        told = api.get(f"/sessions/{session.pk}").json()
        assert (told["coverage"], told["missing_since"]) == (None, None)
        everybody = as_staff("Reviewer", "Proctor")
        for page in ("", f"{session.pk}/change/", "live/state/"):
            assert everybody.get(f"/admin/sessions_app/session/{page}").status_code == 200, page
        assert api.get(f"/sessions/{session.pk}/report").status_code == 200
        self.beats(session, 20, 30)
        assert (session.heartbeat["beats"], session.heartbeat["covered_ms"]) == (2, 30_000)
        Session.objects.filter(pk=session.pk).update(heartbeat=beats)
        assert api.post(f"/sessions/{session.pk}/end").status_code == 200

    def test_missing_since_is_told_while_the_sitting_is_open(self, database, settings):
        session = self.beats(make_session(), 0)
        later = NOON + timedelta(seconds=settings.HEARTBEAT_MISSING_AFTER_S + 1)
        assert heartbeat.missing_since(session, at=later) == NOON
        assert heartbeat.missing_since(session, at=NOON) is None
        services.end_session(session, at=later)
        assert heartbeat.missing_since(session, at=later) is None

    def test_the_skew_is_the_clients_clock_minus_ours(self, database):
        session = make_session()
        sent_at = NOON + timedelta(hours=5)
        assert heartbeat.beat(session.pk, Beat(sent_at=sent_at), at=NOON).clock_skew_ms == 5 * 3600 * 1000

    def test_many_at_once_lose_no_command(self, committed_database):
        session = make_session()
        services.pause_session(session)
        barrier = Barrier(9)

        def work(n):
            try:
                barrier.wait(20)
                if n == 0:
                    services.message_candidate(Session.objects.get(pk=session.pk), message="hello")
                else:
                    heartbeat.beat(session.pk, Beat(camera=True))
            finally:
                connections.close_all()

        with ThreadPoolExecutor(9) as pool:
            list(pool.map(work, range(9)))
        assert [c["action"] for c in heartbeat.beat(session.pk, Beat()).commands] == ["pause", "message"]

    def test_of_an_adopted_session_whose_start_is_no_instant_are_taken(self, database):
        old = old_session(start_time=["2026"])
        write_old_documents([old])
        assert heartbeat.beat(old["_id"], Beat(camera=True)).state is State.RUNNING

    def test_ten_thousand_invented_detectors_swell_nothing(self, database):
        session = make_session()
        for n in range(40):
            heartbeat.beat(session.pk, Beat(detectors=[f"d{n}"]), at=NOON + timedelta(seconds=n))
        stored = connection.get_collection("sessions").find_one({"_id": session.pk}, session=connection.session)
        assert len(stored["heartbeat"]["detectors_ms"]) == 20

    def test_the_band_filter_of_the_admin_agrees(self, database):
        quiet = self.beats(make_session(), 0, 10)
        services.end_session(quiet, at=NOON + AN_HOUR)
        loud, unknown = self.beats(make_session(), *range(0, 101, 20)), make_session()
        services.end_session(loud, at=NOON + timedelta(seconds=100))
        policy = services.active_policy()
        assert [s.pk for s in Session.objects.in_band("insufficient_data", policy=policy)] == [quiet.pk]
        assert {s.pk for s in Session.objects.in_band("low", policy=policy)} == {loud.pk, unknown.pk}
