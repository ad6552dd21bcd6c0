"""A closed session's scores are kept with it: from its end on, through late events, imports, crashes and adoption."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job
from sessions_app import moves
from sessions_app import services as sessions
from sessions_app.errors import SessionNotFound
from sessions_app.heartbeat import Beat, beat
from sessions_app.models import Session
from sessions_app.policy import policy_of
from sessions_app.review import policies, scores, services
from sessions_app.review.states import Outcome
from sessions_app.states import State
from tests import trips
from tests.factories import (
    NOON,
    log_event,
    make_event,
    make_session,
    make_staff,
    naive,
    old_event,
    old_session,
    write_old_documents,
)
from tests.sessions_app.review.sittings import END, dismiss, ended

pytestmark = pytest.mark.usefixtures("database")

KEPT = ("machine_score", "reviewed_score", "reviewed_band", "incident_count", "open_incidents", "queue_rank")


def kept(session):
    session.refresh_from_db()
    return tuple(getattr(session, name) for name in KEPT)


def unheard(session):
    """Of a client that was there for a minute."""
    for second in range(0, 61, 10):
        beat(session.pk, Beat(), at=session.start_time + timedelta(seconds=second))
    session.refresh_from_db()
    assert session.covered == 1
    return session


class TestWhenASessionCloses:
    def test_at_its_end(self):
        session = ended(0, 5, 100)
        assert kept(session) == (55, 55, "medium", 2, 2, 1)
        assert (session.policy_version, session.scored_revision) == (1, session.revision)

    def test_terminated(self):
        session = make_session()
        make_event(session, event_type="tab_hidden")
        sessions.terminate_session(session, reason_code="examinee.identity")
        assert kept(session) == (100, 100, "low", 1, 0, 3)

    def test_expired(self):
        session = make_session(start_time=timezone.now() - timedelta(hours=5))
        assert sessions.close_stale_sessions() == 1
        assert kept(session) == (100, 100, "low", 0, 0, 3)

    def test_too_little_watched(self):
        session = unheard(make_session())
        sessions.end_session(session, at=END)
        assert (kept(session)[2], session.covered) == ("insufficient_data", round(60 / 1800, 4))

    def test_not_while_it_runs(self):
        session = make_session()
        make_event(session)
        assert scores.score_closed([session.pk]) == 0
        assert kept(session) == (None,) * 6

    def test_imported(self, tmp_path):
        told = {"id": "a", "candidate_name": "Ada", "start_time": NOON.isoformat(), "end_time": END.isoformat()}
        told["events"] = [{"event_type": "phone_detected", "timestamp": NOON.isoformat()}]
        file = tmp_path / "sessions.jsonl"
        file.write_text(json.dumps(told))
        call_command("import_sessions", file, verbosity=0)
        session = Session.objects.get()
        assert kept(session) == (85, 85, "low", 1, 1, 3)
        scored_at = session.scored_at
        call_command("import_sessions", file, verbosity=0)
        session.refresh_from_db()
        assert session.scored_at == scored_at

    def test_killed_right_after_it_closed_it_is_scored_by_the_cron_job(self):
        session = make_session()
        moves.move(session, State.ENDED)
        sessions.close_stale_sessions()
        assert kept(session)[0] == 100
        assert not Session.objects.unsettled().exists()

    def test_killed_right_after_that_it_is_none_that_was_watched_to_its_end(self):
        session = unheard(make_session(start_time=timezone.now() - timedelta(hours=1)))
        moves.move(session, State.ENDED)
        sessions.close_stale_sessions()
        assert kept(session)[2] == sessions.score(session).risk_band == "insufficient_data"
        assert not Session.objects.clean(policy=policies.in_use()).exists()
        assert Session.objects.lacking_coverage(policy=policies.in_use()).exists()


class TestALateEvent:
    def log(self, session, after_s=1):
        told = sessions.Reported("phone_detected")
        log_event(session.pk, told, received_at=session.end_time + timedelta(seconds=after_s))

    def test_has_the_score_follow_soon(self, run_jobs):
        session = ended()
        for _ in range(3):
            self.log(session)
        job = Job.objects.get(task="score_session")
        assert kept(session)[1] == 100
        assert run_jobs() == 0, "it waits until the events are surely stored"
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now())
        assert run_jobs() == 1
        assert kept(session)[:3] == (55, 55, "medium")

    def test_some_seconds_later_has_a_job_of_its_own(self):
        """One that runs already might have read the events before this one was stored."""
        session = ended()
        self.log(session, after_s=1)
        queue.take()
        self.log(session, after_s=20)
        assert Job.objects.filter(task="score_session").count() == 2

    def test_of_a_whole_batch_costs_one_trip(self):
        session = ended()
        told = [sessions.Reported("no_face") for _ in range(50)]
        with trips.exactly("find sessions", "findAndModify jobs", "update sessions", "find events", "insert events"):
            sessions.log_events(session.pk, told, received_at=session.end_time + timedelta(seconds=1))

    def test_an_event_in_time_costs_nothing_more(self):
        session = make_session()
        make_event(session)
        # As in a transaction, which this test is; elsewhere two trips (tests/sessions_app/test_ingestion.py).
        with trips.exactly("find sessions", "update sessions", "find events", "insert events"):
            make_event(session)
        assert not Job.objects.exists()


class TestAfterTheDecision:
    """Late events change no decision, and must be seen."""

    def late(self, session):
        told = sessions.Reported("phone_detected")
        log_event(session.pk, told, received_at=session.end_time + timedelta(seconds=1))
        scores.score_closed([session.pk])

    def test_what_comes_then_surfaces_until_somebody_judges_it(self):
        ada = make_staff("Reviewer")
        session = services.decide(ended(), Outcome.PASSED, by=ada, seen=0, at=END)
        assert not Session.objects.decided_with_new_incidents()
        self.late(session)
        assert [s.new_incidents for s in Session.objects.decided_with_new_incidents()] == [1]
        dismiss(session, by=ada)
        assert not Session.objects.decided_with_new_incidents()

    def test_what_the_decision_left_open_does_not(self):
        ada = make_staff("Reviewer")
        left = services.decide(ended(0), Outcome.PASSED, by=ada, seen=0, at=END)
        undecided = ended()
        self.late(undecided)
        assert [(s.open_incidents, s.new_incidents) for s in (left, Session.objects.get(pk=undecided.pk))] == [
            (1, 0),
            (1, 0),
        ]
        assert not Session.objects.decided_with_new_incidents()

    def test_a_decision_that_was_taken_back_leaves_it_to_the_queue(self):
        ada = make_staff("Reviewer")
        session = services.decide(ended(), Outcome.PASSED, by=ada, seen=0, at=END)
        self.late(session)
        services.decide(session, Outcome.NOT_REVIEWED, by=ada, seen=1, reason="A phone came late.")
        assert (session.new_incidents, session.open_incidents) == (0, 1)


class TestAdoptedSessions:
    def adopt(self, count):
        closed = [old_session(end_time=naive(END)) for _ in range(count)]
        write_old_documents([*closed, old_session()], [old_event(s, event_type="phone_detected") for s in closed])
        return [session["_id"] for session in closed]

    def test_get_their_scores_in_batches_once(self, run_jobs, monkeypatch):
        monkeypatch.setattr(scores, "BATCH", 3)
        ids = self.adopt(7)
        queue.submit(scores.score_adopted_later, "adopted:0")
        assert run_jobs() == 4
        rows = Session.objects.in_queue()
        assert {(s.pk, s.reviewed_score, s.policy_version) for s in rows} == {(pk, 85, 1) for pk in ids}
        assert scores.score_adopted() == (0, None)

    def test_whose_documents_hold_nonsense_too(self):
        session = old_session(end_time=naive(END), covered="much", review_outcome="whatever")
        odd = [{"duration_s": "long"}, {"event_type": 5}, {"timestamp": "yesterday"}, {"confidence": float("nan")}]
        write_old_documents([session], [old_event(session, source=7, **fields) for fields in odd])
        scores.score_adopted()
        stored = Session.objects.get(pk=session["_id"])
        assert (stored.reviewed_score, stored.incident_count) == (94, 3)

    def test_a_policy_version_that_is_none_of_ours_is_taken_for_none(self):
        session = old_session(end_time=naive(END), policy_version=77)
        write_old_documents([session])
        scores.score_adopted()
        assert Session.objects.get(pk=session["_id"]).reviewed_score == 100


class TestHowASessionStands:
    def test_is_told_by_its_counts_without_a_look_at_its_events(self):
        session = ended(0)
        with trips.exactly():
            standing = sessions.standing_of(session)
        assert (standing.machine.integrity_score, standing.policy.version, standing.exempt) == (85, 1, ())

    def test_of_a_client_that_fell_silent_is_as_of_now_by_its_counts_and_by_its_events(self):
        session = unheard(make_session(start_time=timezone.now() - timedelta(hours=1)))
        told = {sessions.standing_of(session).reviewed, services.review_of(session).reviewed}
        services.add_note(session, text="Where is she?", by=make_staff(), seen=0)
        told.add(sessions.standing_of(session).reviewed)
        assert [score.risk_band for score in told] == ["insufficient_data"]

    def test_is_told_by_its_events_where_the_counts_do_not_name_every_type(self, monkeypatch):
        monkeypatch.setattr(sessions.counters, "DISTINCT_TYPES_MAX", 2)
        session = ended(0, event_type="a")
        for event_type in ("b", "c", "c"):
            told = sessions.Reported(event_type)
            log_event(session.pk, told, received_at=session.end_time)
        session.refresh_from_db()
        assert session.counts == {"a": 1, "b": 1, "(other types)": 2}
        policy = policies.create(policies.Draft(weights={"c": 30}), by=make_staff()).version
        scores.score_closed([session.pk], policy=policy_of(policy))
        session.refresh_from_db()
        assert sessions.score(session).integrity_score == session.machine_score == 40

    def test_is_told_of_one_that_was_deleted_meanwhile_as_not_there(self):
        session = ended(0)
        session.review_revision = 1
        sessions.delete_session(session)
        with pytest.raises(SessionNotFound):
            sessions.standing_of(session)


class TestStoring:
    def test_the_same_again_writes_nothing(self):
        session = ended(0)
        with trips.exactly("find sessions", "find events"):
            assert scores.score_closed([session.pk]) == 1

    def test_what_changed_since_it_was_read_is_not_overwritten(self):
        session = ended(0)
        facts = scores.facts_of([session.pk])
        scored = scores.scored_under(facts[session.pk], replace(scores.policy_of_facts(facts[session.pk]), weights={}))
        Session.objects.filter(pk=session.pk).update(revision=99, scored_revision=None)
        assert scores.store(facts, [scored]) == set()

    def test_a_late_score_is_not_stored_over_that_of_a_rescore(self):
        session = ended(0)
        facts = scores.facts_of([session.pk])
        scored = scores.scored_under(facts[session.pk], replace(scores.policy_of_facts(facts[session.pk]), weights={}))
        newer = policies.create(policies.Draft(weights={"phone_detected": 30}), by=make_staff()).version
        scores.score_closed([session.pk], policy=policy_of(newer))
        assert scores.store(facts, [scored]) == set()
        session.refresh_from_db()
        assert (session.policy_version, session.reviewed_score) == (newer, 70)
