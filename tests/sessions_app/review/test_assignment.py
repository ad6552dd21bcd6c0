"""Who looks at what, until when; many at once; and the order of the queue, by an index."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app import heartbeat
from sessions_app import services as sessions
from sessions_app.models import Session
from sessions_app.querysets import QUEUE_ORDER
from sessions_app.review import assignment, policies, scores, services
from sessions_app.review.errors import NobodyToAssign, ReviewChanged
from sessions_app.review.states import Outcome
from tests import plans, trips
from tests.factories import NOON, log_event, make_session, make_sessions, make_staff
from tests.sessions_app.review.sittings import END, confirm, ended


class TestAssigning:
    pytestmark = pytest.mark.usefixtures("database")

    def test_to_a_person_to_a_group_and_to_nobody(self):
        ada, session = make_staff("Reviewer", username="ada"), ended()
        for seen, to in enumerate(["ada", "group:Reviewer", None]):
            assert assignment.assign(session, to, by=ada, seen=seen).assigned_to == to
        told = [(e.before["assigned_to"], e.after["assigned_to"]) for e in services.history_of(session)]
        assert told == [(None, "ada"), ("ada", "group:Reviewer"), ("group:Reviewer", None)]

    def test_only_to_those_who_may_decide(self):
        make_staff("Operator", username="otto"), make_staff("Reviewer", username="gone", is_active=False)
        ada, session = make_staff("Reviewer", username="ada"), ended()
        for to in ("otto", "gone", "group:Operator", "group:", "nobody", "", "ada\0", "Reviewer"):
            with pytest.raises(NobodyToAssign):
                assignment.assign(session, to, by=ada, seen=0)

    @pytest.mark.parametrize("to", ["ada", "group:Reviewer", None])
    def test_asks_no_more_the_more_accounts_there_are(self, to):
        ada = make_staff("Reviewer", username="ada")
        one, other = ended(), ended()
        with CaptureQueriesContext(connection) as few:
            assignment.assign(one, to, by=ada, seen=0)
        for _ in range(5):
            make_staff("Reviewer")
        with CaptureQueriesContext(connection) as many:
            assignment.assign(other, to, by=ada, seen=0)
        assert len(many) == len(few)

    def test_what_is_mine_is_what_my_groups_have_too(self):
        ada, bob = make_staff("Reviewer", username="ada"), make_staff("Reviewer", username="bob")
        own, ours, theirs = ended(), ended(), ended()
        assignment.assign(own, "ada", by=bob, seen=0)
        assignment.assign(ours, "group:Reviewer", by=bob, seen=0)
        assignment.assign(theirs, "bob", by=ada, seen=0)
        mine = Session.objects.assigned_to_any(assignment.names_of(ada))
        assert set(mine) == {own, ours}
        assert not Session.objects.unassigned()

    def test_a_due_time(self):
        ada, session = make_staff("Reviewer"), ended()
        assignment.set_due(session, NOON + timedelta(days=1), by=ada, seen=0)
        assert list(Session.objects.due_before(NOON + timedelta(days=2))) == [session]
        services.decide(session, Outcome.PASSED, by=ada, seen=1)
        assert not Session.objects.due_before(NOON + timedelta(days=2))

    def test_leaves_the_scores_as_they_are(self):
        ada, session = make_staff("Reviewer", username="ada"), ended(0)
        assignment.assign(session, "ada", by=ada, seen=0)
        assignment.set_due(session, NOON, by=ada, seen=1)
        services.add_note(session, text="x", by=ada, seen=2)
        with trips.exactly("find sessions", "find events", "find incidents", "find allowances", "find review_history"):
            services.review_of(session)

    def test_who_comes_second_is_refused(self):
        ada, session = make_staff("Reviewer", username="ada"), ended()
        assignment.assign(session, "ada", by=ada, seen=0)
        with pytest.raises(ReviewChanged):
            assignment.set_due(session, NOON, by=ada, seen=0)

    def test_many_at_once_each_as_it_is(self):
        ada = make_staff("Reviewer", username="ada")
        fresh, touched = ended(), ended()
        services.add_note(touched, text="x", by=ada, seen=0)
        assert assignment.assign_many([fresh, touched], "ada", by=ada) == assignment.Bulk(2, ())
        assert assignment.assign_many([fresh, touched], "ada", by=ada) == assignment.Bulk(2, ())
        assert [len(services.history_of(session)) for session in (fresh, touched)] == [1, 2]

    def test_many_at_once_leaves_to_others_what_they_got_meanwhile(self):
        ada, bob = make_staff("Reviewer", username="ada"), make_staff("Reviewer", username="bob")
        free, his, ours, mine = ended(), ended(), ended(), ended()
        assignment.assign(his, "bob", by=bob, seen=0)
        shown = {session.pk: session.assigned_to for session in (free, his, ours, mine)}
        listed = list(Session.objects.all())
        assignment.assign(Session.objects.get(pk=free.pk), "bob", by=bob, seen=0)
        assignment.assign(Session.objects.get(pk=ours.pk), "group:Reviewer", by=bob, seen=0)
        assignment.assign(Session.objects.get(pk=mine.pk), "ada", by=bob, seen=0)
        expected = assignment.Bulk(2, tuple(s.pk for s in listed if s in (free, ours)))
        assert assignment.assign_many(listed, "ada", by=ada) == expected
        assert assignment.assign_many(Session.objects.all(), "ada", by=ada, shown=shown) == expected
        assert {s.pk: s.assigned_to for s in Session.objects.all()} == {
            free.pk: "bob",
            his.pk: "ada",
            ours.pk: "group:Reviewer",
            mine.pk: "ada",
        }


class TestPassingTheClean:
    pytestmark = pytest.mark.usefixtures("database")

    def test_passes_them_and_no_others(self):
        ada = make_staff("Reviewer")
        clean = [ended(), ended(0, event_type="looking_away")]
        phone, open_one = ended(0), make_session()
        unwatched = make_session()
        heartbeat.beat(unwatched.pk, heartbeat.Beat(), at=NOON)
        sessions.end_session(Session.objects.get(pk=unwatched.pk), at=END)
        confirmed = confirm(ended(0, event_type="looking_away"), by=ada)
        decided = services.decide(ended(), Outcome.SUSPICIOUS, by=ada, seen=0, reason="x")
        others = [phone, open_one, unwatched, confirmed, decided]
        found = assignment.clean_among(Session.objects.all())
        assert set(found) == set(clean)
        done = assignment.pass_clean([s.pk for s in (*clean, *others)], by=ada)
        assert (done.done, set(done.refused)) == (2, {s.pk for s in others})
        assert {s.outcome for s in Session.objects.filter(pk__in=[c.pk for c in clean])} == {Outcome.PASSED}

    def test_leaves_one_whose_late_events_are_not_in_its_score_yet(self):
        session = ended()
        log_event(session.pk, sessions.Reported("phone_detected"), received_at=session.end_time)
        assert assignment.pass_clean([session.pk], by=make_staff("Reviewer")).refused == (session.pk,)

    def test_leaves_one_that_was_decided_on_though_its_place_says_otherwise(self):
        """As a process left it that was killed before it scored what it had decided."""
        session = services.decide(ended(), Outcome.SUSPICIOUS, by=make_staff("Reviewer"), seen=0, reason="x")
        Session.objects.filter(pk=session.pk).update(queue_rank=3)
        done = assignment.pass_clean([session.pk], by=make_staff("Reviewer"), reason="All clean.")
        session.refresh_from_db()
        assert (done.refused, session.outcome) == ((session.pk,), Outcome.SUSPICIOUS)


@pytest.mark.usefixtures("committed_database")
class TestTheQueue:
    def test_unreviewed_first_worst_band_first_newest_first_by_its_index(self):
        made = make_sessions(40, end_time=END)
        scores.score_closed([session.pk for session in made])
        queue = Session.objects.in_queue().order_by(*QUEUE_ORDER)
        ranks = [0, 1, 2, 3, 10, 11, 12, 13, 20, 21]
        for n, session in enumerate(made):
            start = NOON + timedelta(minutes=n)
            Session.objects.filter(pk=session.pk).update(queue_rank=ranks[n % 10], start_time=start)
        found = list(queue)
        assert [s.queue_rank for s in found] == sorted(s.queue_rank for s in found)
        first = [s for s in found if s.queue_rank == 0]
        assert [s.start_time for s in first] == sorted((s.start_time for s in first), reverse=True)

    @pytest.mark.parametrize(
        "rows",
        [
            lambda queue: queue.in_queue(),
            lambda queue: queue.awaiting_review(),
            lambda queue: queue.needing_second_review(),
            lambda queue: queue.undecided(),
            lambda queue: queue.decided(),
            lambda queue: queue.in_reviewed_band("high"),
            lambda queue: queue.assigned_to_any(["ada", "group:Reviewer"]),
            lambda queue: queue.unassigned(),
            lambda queue: queue.scored_with(1),
            lambda queue: queue.clean(policy=policies.in_use()),
            lambda queue: queue.scored_below(50),
            lambda queue: queue.lacking_coverage(policy=policies.in_use()),
            lambda queue: queue.due_before(END),
            lambda queue: queue.decided_with_new_incidents(),
        ],
    )
    def test_every_question_is_answered_in_order_by_an_index(self, rows):
        make_sessions(30, end_time=END, queue_rank=0, policy_version=1)
        make_sessions(30, end_time=END, queue_rank=13, policy_version=2, assigned_to="ada")
        plan = plans.explain(rows(Session.objects).order_by(*QUEUE_ORDER)[:5])
        assert plan.uses_index
        assert not plan.sorts_in_memory
        assert plan.index_names & {"sessions_queue", "sessions_assigned", "sessions_policy"}

    @pytest.mark.parametrize(
        ("rows", "rare"),
        [
            (lambda queue: queue.scored_below(50), {"reviewed_score": 40}),
            (lambda queue: queue.lacking_coverage(policy=policies.in_use()), {"covered": 0.1}),
            (lambda queue: queue.due_before(END), {"queue_rank": 3, "due_at": NOON}),
            (lambda queue: queue.decided().filter(review_outcome="violation"), {"review_outcome": "violation"}),
            (lambda queue: queue.decided_with_new_incidents(), {"new_incidents": 1}),
        ],
    )
    def test_a_rare_answer_reads_no_document_of_the_others(self, rows, rare):
        common = {"end_time": END, "queue_rank": 23, "reviewed_score": 100, "covered": 1.0, "review_outcome": "passed"}
        later = END + timedelta(days=1)
        make_sessions(150, **common | {"due_at": later, "new_incidents": 0})
        make_sessions(150, **common | {"queue_rank": 3, "due_at": later})
        make_sessions(2, **common | rare)
        plan = plans.explain(rows(Session.objects).order_by(*QUEUE_ORDER)[:51])
        assert (plan.index_names, plan.sorts_in_memory) == ({"sessions_queue"}, False)
        assert (plan.docs_examined, plan.returned) == (2, 2)
