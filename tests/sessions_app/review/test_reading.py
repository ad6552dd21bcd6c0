"""What a session's page asks for: a few trips, whatever happened in the sitting."""

from datetime import timedelta

import pytest

from sessions_app import services as sessions
from sessions_app.errors import SessionNotFound
from sessions_app.models import Event, Session
from sessions_app.review import changes, services
from sessions_app.review.models import Allowance, JudgedIncident, Note, ReviewEntry
from tests import plans, trips
from tests.factories import NOON, make_session, make_staff
from tests.sessions_app.review.sittings import confirm, dismiss, ended


@pytest.mark.usefixtures("database")
class TestAReview:
    def test_of_a_session_that_nobody_touched_is_three_trips(self):
        session = ended(0, 100, 200)
        with trips.exactly("find sessions", "find events", "find review_history"):
            assert len(services.review_of(session).incidents) == 3

    def test_of_one_that_was_judged_is_five_however_often(self):
        ada, session = make_staff("Reviewer"), ended(*range(0, 1000, 100))
        for n in range(10):
            dismiss(session, by=ada, n=n)
        with trips.exactly("find sessions", "find events", "find incidents", "find allowances", "find review_history"):
            assert len(services.review_of(session).incidents) == 10

    def test_of_five_thousand_events_is_whole(self):
        session = make_session()
        at = [NOON + timedelta(seconds=n) for n in range(5000)]
        Event.objects.bulk_create(
            [Event(session=session, event_type="no_face" if n % 50 else "x", occurred_at=at[n]) for n in range(5000)]
        )
        review = services.review_of(session)
        assert sum(incident.count for incident in review.incidents) == 5000
        assert [i.count for i in review.incidents if i.event_type == "no_face"] == [4900]
        assert review.machine.integrity_score == 0

    def test_of_a_session_that_is_gone_is_told(self):
        with pytest.raises(SessionNotFound):
            services.review_of(Session(pk="gone"))

    def test_nor_of_one_that_goes_while_what_a_crash_left_is_completed(self, monkeypatch):
        session, catch_up = confirm(ended(0), by=make_staff("Reviewer")), changes.catch_up
        JudgedIncident.objects.all().delete()
        Session.objects.filter(pk=session.pk).update(review_revision=None)

        def and_then_somebody_deletes_it(session):
            catch_up(session)
            sessions.delete_session(session)

        monkeypatch.setattr(changes, "catch_up", and_then_somebody_deletes_it)
        with pytest.raises(SessionNotFound):
            services.review_of(session)

    def test_finds_what_has_no_score_yet_and_scores_it(self):
        session = make_session(end_time=NOON)
        services.review_of(session)
        session.refresh_from_db()
        assert (session.reviewed_score, session.queue_rank) == (100, 3)


@pytest.mark.usefixtures("committed_database")
def test_every_question_about_one_session_is_answered_by_an_index():
    ada = make_staff("Reviewer")
    for _ in range(3):
        session = confirm(ended(0), by=ada)
        services.add_note(session, text="x", by=ada, seen=1)
        services.allow(session, "x", reason="x", by=ada, seen=2)
    for rows in (
        ReviewEntry.objects.of(session.pk),
        ReviewEntry.objects.since(session.pk, 1),
        ReviewEntry.objects.filter(run_id="a run").order_by("run_id", "id"),
        Note.objects.of(session.pk),
        JudgedIncident.objects.filter(session_id=session.pk),
        JudgedIncident.objects.order_by("-at", "-id")[:2],
        Allowance.objects.in_force_for([session.pk]),
    ):
        plan = plans.explain(rows)
        assert plan.uses_index, rows.query
        assert not plan.sorts_in_memory, rows.query
        assert plan.docs_examined <= 3
