"""An event is counted, and its session ends or is deleted before it is stored, or before it is counted."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event as Flag

import pytest
from django.db import connections

from proctoring_site.jobs.models import Job
from reports_app import services as reports
from sessions_app import counters, counting, ingestion, services
from sessions_app.models import Event, Session, now
from tests import drives
from tests.factories import log_event, start_session

pytestmark = pytest.mark.usefixtures("committed_database")

data_dir = drives.data_dir


@pytest.fixture
def session():
    return start_session(candidate_name="Ada Example")


@pytest.fixture
def under_way(monkeypatch):
    """`with under_way(session) as event:` in between it is counted and not stored; then `event.result()` is."""
    plain, counted, may_go_on = ingestion._insert, Flag(), Flag()

    def insert(documents):
        counted.set()
        assert may_go_on.wait(20)
        return plain(documents)

    def log(session):
        try:
            return log_event(session.pk, services.Reported("phone_detected"))[0]
        finally:
            connections.close_all()

    @contextmanager
    def logged(session):
        monkeypatch.setattr(ingestion, "_insert", insert)
        with ThreadPoolExecutor(1) as pool:
            event = pool.submit(log, session)
            try:
                assert counted.wait(20)
                yield event
            finally:
                may_go_on.set()
        event.result()

    return logged


def counts_and_score(session):
    session.refresh_from_db()
    return session.counts, session.machine_score


def when_it_is_due(run_jobs):
    Job.objects.update(not_before=now())
    return run_jobs()


class TestWhileItsSessionEnds:
    def test_it_is_counted_and_scored_soon(self, session, under_way, run_jobs):
        with under_way(session):
            services.end_session(session)  # takes the slow writer for a crash
            assert run_jobs() == 0, "it waits until the event is surely stored"
        assert counts_and_score(session) == ({}, 100)
        assert when_it_is_due(run_jobs) == 1
        assert counts_and_score(session) == ({"phone_detected": 1}, 85)
        assert not session.events.get().marks

    def test_it_is_scored_too_where_others_still_write(self, session, under_way, run_jobs, monkeypatch):
        plain = counters._stored_types

        def look(ids):
            Session.objects.filter(pk=session.pk).update(revision=Session.objects.get(pk=session.pk).revision + 1)
            return plain(ids)

        monkeypatch.setattr(counters, "_stored_types", look)
        with under_way(session):
            services.end_session(session)
        monkeypatch.setattr(counters, "_stored_types", plain)
        assert counts_and_score(session) == ({"phone_detected": 1}, 100)
        assert when_it_is_due(run_jobs) == 1
        assert counts_and_score(session) == ({"phone_detected": 1}, 85)

    def test_how_soon_follows_from_how_long_it_may_take(self, session, settings):
        settings.SHORT_WRITE_LIMIT_S = 30
        counters.count_events({session.pk: {"no_face": 1}}, weighed={})
        services.end_session(session)
        assert (Job.objects.get().not_before - session.end_time).total_seconds() > 30

    def test_nothing_is_left_to_do_where_the_counts_are_right(self, session):
        log_event(session.pk, services.Reported("phone_detected"))
        services.end_session(session)
        assert not Job.objects.exists()

    def test_a_session_that_is_deleted_by_then_is_left_alone(self, session, run_jobs):
        counters.count_events({session.pk: {"no_face": 1}}, weighed={})
        services.end_session(session)
        services.delete_session(session)
        when_it_is_due(run_jobs)
        assert Job.objects.get().state == "done"

    @pytest.mark.parametrize(("room", "step"), [(counting, "count_open"), (ingestion, "_sessions_of")])
    def test_it_is_scored_too_where_it_is_counted_after_the_end(self, session, run_jobs, monkeypatch, room, step):
        plain = getattr(room, step)

        def end_meanwhile(*told):
            if step == "count_open":  # received, and waits
                services.end_session(Session.objects.get(pk=session.pk))
            answer = plain(*told)
            if step == "_sessions_of":  # looked at, since it is early, and counted next
                services.end_session(Session.objects.get(pk=session.pk))
            return answer

        early = session.start_time - timedelta(minutes=1)
        monkeypatch.setattr(room, step, end_meanwhile)
        event, _ = log_event(session.pk, services.Reported("phone_detected", timestamp=early))
        assert event.marks == ["before_start"]
        assert counts_and_score(session) == ({"phone_detected": 1}, 100)
        assert when_it_is_due(run_jobs) == 1
        assert counts_and_score(session) == ({"phone_detected": 1}, 85)


class TestWhileItsSessionIsDeleted:
    def test_it_is_deleted_too(self, session, under_way, run_jobs, data_dir):
        with under_way(session):
            reports.delete_session(session)
        assert Event.objects.count() == 1
        when_it_is_due(run_jobs)
        assert not Event.objects.exists()

    def test_also_where_the_first_look_comes_before_it_is_stored(self, session, under_way, run_jobs, data_dir):
        """That of a deletion which took nearly as long itself."""
        with under_way(session):
            reports.delete_session(session)
            when_it_is_due(run_jobs)
        assert Event.objects.count() == 1
        when_it_is_due(run_jobs)
        assert not Event.objects.exists()
