"""The decision on a session: people's alone, with a second one where the policy asks, reversible, and never lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections

from proctoring_site.jobs.models import Job
from sessions_app import services as sessions
from sessions_app.models import Session, now
from sessions_app.querysets import QUEUE_ORDER
from sessions_app.review import changes, second_review, services
from sessions_app.review.changes import Change
from sessions_app.review.errors import (
    IllegalOutcome,
    NothingConfirmed,
    ReasonNeeded,
    ReviewChanged,
    SecondReviewerNeeded,
    SessionStillOpen,
)
from sessions_app.review.models import EntryAction, ReviewEntry
from sessions_app.review.states import OUTCOME_MOVES, Outcome
from tests.audit_records import recording
from tests.factories import NOON, log_event, make_session, make_staff, naive, old_session, write_old_documents
from tests.sessions_app.review.sittings import confirm, dismiss, ended

FOUR_PHONES = (0, 100, 200, 300)


@pytest.fixture
def ada(database):
    return make_staff("Reviewer", username="ada")


@pytest.fixture
def bob(database):
    return make_staff("Reviewer", username="bob")


def decide(session, outcome, *, by, reason="Seen with my own eyes."):
    return services.decide(session, outcome, by=by, seen=session.review_revision or 0, reason=reason)


def test_an_adopted_session_whose_revision_is_no_number_is_reviewed_as_any_other(ada):
    write_old_documents([old_session(_id="theirs", end_time=naive(NOON), revision="seven")])
    services.allow(Session.objects.get(pk="theirs"), "no_face", reason="Wears a veil.", by=ada, seen=0)
    session = Session.objects.get(pk="theirs")
    assert (session.review_revision, session.revision) == (1, 1)


class TestADecision:
    def test_is_apart_from_the_score_and_the_state(self, ada):
        session = decide(ended(0), Outcome.SUSPICIOUS, by=ada)
        assert (session.outcome, session.outcome_by, session.reviewed_score) == (Outcome.SUSPICIOUS, "ada", 85)
        assert session.state == "ended"
        assert session.reviewed_at is not None

    def test_moves_the_session_behind_those_that_wait(self, ada):
        waiting, decided = ended(), decide(ended(*FOUR_PHONES), Outcome.SUSPICIOUS, by=ada)
        assert list(Session.objects.in_queue().order_by(*QUEUE_ORDER)) == [waiting, decided]
        assert list(Session.objects.awaiting_review()) == [waiting]
        assert list(Session.objects.decided()) == [decided]

    def test_leaves_those_that_wait_at_once_whatever_kills_the_process_then(self, ada):
        session = decide(ended(), Outcome.SUSPICIOUS, by=ada)
        undone = {"review_outcome": None, "queue_rank": 3, "review_revision": None}
        Session.objects.filter(pk=session.pk).update(**undone)
        changes.catch_up(session)  # stores what follows from the entry, and scores nothing
        assert (session.outcome, session.queue_rank) == (Outcome.SUSPICIOUS, 23)

    def test_passing_needs_no_reason_and_everything_else_does(self, ada):
        assert decide(ended(), Outcome.PASSED, by=ada, reason=None).outcome is Outcome.PASSED
        for outcome in (Outcome.SUSPICIOUS, Outcome.SECOND_REVIEW_REQUIRED):
            with pytest.raises(ReasonNeeded):
                decide(ended(), outcome, by=ada, reason=" ")

    def test_waits_until_the_session_is_closed(self, ada):
        with pytest.raises(SessionStillOpen):
            decide(make_session(), Outcome.PASSED, by=ada)

    @pytest.mark.parametrize("outcome", Outcome)
    def test_moves_as_the_table_says(self, ada, outcome):
        session = ended()
        if outcome is Outcome.VIOLATION:
            session = confirm(ended(0), by=ada)
        if outcome is not Outcome.NOT_REVIEWED:
            decide(session, outcome, by=ada)
        assert session.outcome is outcome
        assert outcome not in OUTCOME_MOVES[outcome]
        with pytest.raises(IllegalOutcome):
            decide(session, outcome, by=ada)


class TestAViolation:
    def test_needs_a_confirmed_incident(self, ada):
        session = dismiss(ended(0, 100), by=ada)
        with pytest.raises(NothingConfirmed):
            decide(session, Outcome.VIOLATION, by=ada)

    def test_of_few_points_needs_nobody_else(self, ada):
        assert decide(confirm(ended(0), by=ada), Outcome.VIOLATION, by=ada).outcome is Outcome.VIOLATION

    def test_of_many_points_waits_for_somebody_else(self, ada, bob):
        session = decide(confirm(ended(*FOUR_PHONES), by=ada), Outcome.VIOLATION, by=ada)
        assert session.outcome is Outcome.SECOND_REVIEW_REQUIRED
        assert list(Session.objects.needing_second_review()) == [session]
        with pytest.raises(SecondReviewerNeeded):
            decide(session, Outcome.VIOLATION, by=ada)
        assert decide(session, Outcome.VIOLATION, by=bob).outcome is Outcome.VIOLATION
        assert session.outcome_by == "bob"

    def test_goes_by_what_the_machine_saw_though_one_person_dismissed_it(self, ada):
        session = ended(*FOUR_PHONES)
        dismiss(session, by=ada)
        confirm(session, by=ada, n=1)
        assert session.reviewed_score == 55
        assert decide(session, Outcome.VIOLATION, by=ada).outcome is Outcome.SECOND_REVIEW_REQUIRED

    def test_that_somebody_lifts_later_waits_for_somebody_else_too(self, ada, bob):
        session = confirm(ended(*FOUR_PHONES), by=ada)
        services.allow(session, "phone_detected", reason="A pump.", by=bob, seen=1)
        assert decide(session, Outcome.VIOLATION, by=ada).outcome is Outcome.VIOLATION
        services.revoke_allowance(session, "phone_detected", reason="No pump.", by=ada, seen=3)
        assert (session.outcome, session.outcome_by) == (Outcome.SECOND_REVIEW_REQUIRED, "ada")
        assert list(Session.objects.needing_second_review()) == [session]
        last = services.history_of(session)[-1]
        assert (last.actor_name, last.before, last.after, last.reason) == (
            "ada",
            {"outcome": "violation"},
            {"outcome": "second_review_required"},
            second_review.REASON,
        )
        with pytest.raises(SecondReviewerNeeded):
            decide(session, Outcome.VIOLATION, by=ada)
        assert decide(session, Outcome.VIOLATION, by=bob).outcome is Outcome.VIOLATION

    def test_goes_by_what_others_allowed_and_not_by_what_who_decides_did(self, ada, bob):
        for allowing, outcome in ((ada, Outcome.SECOND_REVIEW_REQUIRED), (bob, Outcome.VIOLATION)):
            session = confirm(ended(*FOUR_PHONES), by=ada)
            services.allow(session, "phone_detected", reason="A pump.", by=allowing, seen=1)
            assert session.machine_score == 100
            assert decide(session, Outcome.VIOLATION, by=ada).outcome is outcome

    def test_goes_by_who_allowed_last_whatever_they_were_called_then(self, ada, bob):
        session = confirm(ended(*FOUR_PHONES), by=ada)
        services.allow(session, "phone_detected", reason="A pump.", by=bob, seen=1)
        services.revoke_allowance(session, "phone_detected", reason="No pump.", by=bob, seen=2)
        services.allow(session, "phone_detected", reason="It is one.", by=ada, seen=3)
        ada.username = "ada-married"
        ada.save()
        assert decide(session, Outcome.VIOLATION, by=ada).outcome is Outcome.SECOND_REVIEW_REQUIRED

    def test_that_one_allowed_before_others_add_to_it_waits_for_somebody_else(self, ada, bob):
        session = decide(confirm(ended(0, 100, 200), by=ada), Outcome.VIOLATION, by=ada)
        services.allow(session, "phone_detected", reason="A pump.", by=ada, seen=2)
        assert session.outcome is Outcome.VIOLATION  # 45 points, counted or not
        told = {"event_type": "phone_detected", "start": NOON, "reason": "Another one."}
        services.add_incident(session, **told, by=bob, seen=3)
        assert (session.outcome, session.outcome_by) == (Outcome.SECOND_REVIEW_REQUIRED, "ada")

    def test_that_added_incidents_lift_does_too_and_not_before(self, ada):
        session = decide(confirm(ended(0), by=ada), Outcome.VIOLATION, by=ada)
        outcomes = []
        for n in range(3):
            told = {"event_type": "phone_detected", "start": NOON, "reason": "Another one."}
            services.add_incident(session, **told, by=ada, seen=2 + n)
            outcomes.append(session.outcome)
        assert outcomes == [Outcome.VIOLATION, Outcome.VIOLATION, Outcome.SECOND_REVIEW_REQUIRED]

    def test_that_is_lifted_waits_for_somebody_else_though_the_process_was_killed_right_then(
        self, ada, bob, monkeypatch, run_jobs
    ):
        session, require = decide(confirm(ended(0, 100, 200), by=ada), Outcome.VIOLATION, by=ada), second_review.require
        monkeypatch.setattr(second_review, "require", lambda *args, **how: None)
        services.add_incident(session, event_type="phone_detected", start=NOON, reason="One more.", by=bob, seen=2)
        monkeypatch.setattr(second_review, "require", require)
        assert (run_jobs(), Session.objects.get().outcome) == (0, Outcome.VIOLATION)
        self.wait()
        assert (run_jobs(), Session.objects.get().outcome) == (1, Outcome.SECOND_REVIEW_REQUIRED)
        last = services.history_of(session)[-1]
        assert (last.actor_name, last.actor_id, last.revision) == ("bob", str(bob.pk), 4)

    def test_is_looked_at_as_it_was_after_the_change_and_only_if_there_was_one(self, ada, run_jobs):
        session = decide(confirm(ended(0), by=ada), Outcome.VIOLATION, by=ada)
        told = {"event_type": "phone_detected", "start": NOON, "reason": "Another one."}
        services.add_incident(session, **told, by=ada, seen=2, at=session.end_time)
        second_review.look_soon(session, 4)
        late = session.end_time + timedelta(seconds=1)
        for _ in range(4):
            log_event(session.pk, sessions.Reported("phone_detected"), received_at=late)
        self.wait()
        run_jobs()
        assert not Job.objects.exclude(state="done").exists()
        session.refresh_from_db()
        assert (session.outcome, session.review_revision) == (Outcome.VIOLATION, 3)

    @staticmethod
    def wait():
        Job.objects.update(not_before=now())

    def test_of_two_people_stays_whatever_comes_to_it(self, ada, bob):
        session = decide(confirm(ended(*FOUR_PHONES), by=ada), Outcome.VIOLATION, by=ada)
        decide(session, Outcome.VIOLATION, by=bob)
        told = {"event_type": "phone_detected", "start": NOON, "reason": "Another one."}
        services.add_incident(session, **told, by=ada, seen=3)
        assert (session.outcome, session.outcome_by) == (Outcome.VIOLATION, "bob")

    def test_of_one_is_left_alone_by_words_that_change_no_score(self, ada, bob):
        session = decide(confirm(ended(0), by=ada), Outcome.VIOLATION, by=ada)
        for _ in range(4):
            log_event(session.pk, sessions.Reported("phone_detected"), received_at=session.end_time)
        services.add_note(session, text="Late events.", by=bob, seen=2)
        assert session.outcome is Outcome.VIOLATION

    def test_the_second_reviewer_may_see_it_otherwise(self, ada, bob):
        session = decide(confirm(ended(*FOUR_PHONES), by=ada), Outcome.VIOLATION, by=ada)
        assert decide(session, Outcome.PASSED, by=bob).outcome is Outcome.PASSED

    def test_a_second_review_that_was_asked_for_needs_somebody_else_too(self, ada, bob):
        session = decide(confirm(ended(0), by=ada), Outcome.SECOND_REVIEW_REQUIRED, by=ada)
        with pytest.raises(SecondReviewerNeeded):
            decide(session, Outcome.VIOLATION, by=ada)
        assert decide(session, Outcome.VIOLATION, by=bob).outcome is Outcome.VIOLATION


class TestReversing:
    def test_needs_a_reason_and_leaves_its_trail(self, ada, bob):
        session = decide(ended(0), Outcome.SUSPICIOUS, by=ada, reason="A phone.")
        with pytest.raises(ReasonNeeded):
            decide(session, Outcome.PASSED, by=bob, reason=None)
        decide(session, Outcome.NOT_REVIEWED, by=bob, reason="It was her calculator.")
        assert (session.outcome, session.reviewed_at, session.queue_rank) == (Outcome.NOT_REVIEWED, None, 3)
        told = [(e.actor_name, e.before["outcome"], e.after["outcome"], e.reason) for e in services.history_of(session)]
        assert told == [
            ("ada", "not_reviewed", "suspicious", "A phone."),
            ("bob", "suspicious", "not_reviewed", "It was her calculator."),
        ]

    def test_late_events_change_the_number_and_not_the_decision(self, ada, run_jobs):
        session = decide(ended(), Outcome.PASSED, by=ada)
        for _ in range(5):
            told = sessions.Reported("phone_detected")
            log_event(session.pk, told, received_at=session.end_time)
        session.refresh_from_db()
        services.review_of(session)
        session.refresh_from_db()
        assert (session.outcome, session.reviewed_score, session.reviewed_band) == (Outcome.PASSED, 25, "high")


def test_of_many_who_decide_at_once_one_does_and_the_others_see_who(committed_database):
    session = ended(0)
    people = [make_staff("Reviewer", username=f"reviewer-{n}") for n in range(6)]
    gate = Barrier(len(people))

    def act(account):
        gate.wait()
        try:
            own = Session.objects.get(pk=session.pk)
            outcome = Outcome.PASSED if account.username > "reviewer-2" else Outcome.SUSPICIOUS
            return services.decide(own, outcome, by=account, seen=0, reason=account.username).outcome_by
        except ReviewChanged as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(people)) as pool:
        answers = list(pool.map(act, people))
    (winner,) = [answer for answer in answers if isinstance(answer, str)]
    refused = [answer for answer in answers if isinstance(answer, ReviewChanged)]
    assert len(refused) == len(people) - 1
    assert {entry.actor_name for error in refused for entry in error.since} == {winner}
    session.refresh_from_db()
    assert (session.outcome_by, session.review_revision) == (winner, 1)
    assert ReviewEntry.objects.get().reason == winner


def test_the_audit_log_says_of_who_came_second_that_it_was_refused(committed_database):
    """Its record comes first: of two at the same moment, that of the second speaks of something not done."""
    ada, bob = make_staff("Reviewer", username="ada"), make_staff("Reviewer", username="bob")
    session = dismiss(ended(0), by=ada)
    change = Change(EntryAction.CONFIRMED, {}, {"state": "open"}, {"state": "confirmed"})
    with recording() as records, pytest.raises(ReviewChanged):
        changes.make(session, change, by=bob, seen=0)
    assert [record.details for record in records] == [
        {"review": "confirmed", "review_revision": 1},
        {"review": "refused", "review_revision": 1},
    ]
