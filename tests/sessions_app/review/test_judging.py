"""What reviewers say of incidents: each word counts at once, is in the history, and undoes nothing said before."""

from datetime import timedelta

import pytest

from proctoring_site.audit.models import Action
from sessions_app import services as sessions
from sessions_app.errors import SessionNotFound
from sessions_app.models import Event, Session
from sessions_app.review import assignment, changes, services
from sessions_app.review.errors import (
    IllegalJudgement,
    IncidentNotFound,
    NothingConfirmed,
    ReasonNeeded,
    ReviewChanged,
    ViolationStands,
)
from sessions_app.review.models import JudgedIncident, Note, ReviewEntry
from sessions_app.review.states import INCIDENT_MOVES, IncidentState, Outcome, Severity
from tests.audit_records import recording
from tests.factories import NOON, log_event, make_event, make_staff
from tests.sessions_app.review.sittings import confirm, dismiss, ended, judge

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def ada():
    return make_staff("Reviewer", username="ada")


@pytest.fixture
def bob():
    return make_staff("Reviewer", username="bob")


class TestADismissal:
    def test_counts_at_once_and_leaves_the_machines_number(self, ada):
        session = dismiss(ended(0, 5, 100), by=ada)
        assert (session.machine_score, session.reviewed_score, session.reviewed_band) == (55, 85, "low")
        assert (session.incident_count, session.open_incidents) == (2, 1)

    def test_stays_visible_with_name_time_and_reason(self, ada):
        at = NOON + timedelta(days=1)
        session = ended(0, 5)
        key = services.review_of(session).incidents[0].key
        services.judge(session, key, IncidentState.DISMISSED, by=ada, seen=0, reason="  A book. ", at=at)
        (incident,) = services.review_of(session).incidents
        assert (incident.state, incident.by, incident.at, incident.reason) == ("dismissed", "ada", at, "A book.")

    @pytest.mark.parametrize("reason", [None, "", "  \n"])
    def test_without_a_reason_is_refused(self, ada, reason):
        session = ended(0)
        with pytest.raises(ReasonNeeded):
            judge(session, IncidentState.DISMISSED, by=ada, reason=reason)
        assert not ReviewEntry.objects.exists()

    def test_is_not_undone_by_a_hundred_late_events_which_stand_beside_it(self, ada):
        session = dismiss(ended(0, 5), by=ada)
        for n in range(100):
            late = NOON + timedelta(seconds=5 + n / 10)
            log_event(
                session.pk,
                sessions.Reported("phone_detected", timestamp=late),
                received_at=session.end_time + timedelta(seconds=10),
            )
        review = services.review_of(session)
        decided, beside = review.incidents
        assert (decided.state, decided.count, decided.is_after_decision) == ("dismissed", 2, False)
        assert (beside.state, beside.count, beside.is_after_decision) == ("open", 100, True)
        assert (review.machine.integrity_score, review.reviewed.integrity_score) == (0, 0)

    def test_is_not_undone_by_an_import_of_events_that_nobody_knows_when_they_came(self, ada):
        session = dismiss(ended(0, 5), by=ada)
        Event.objects.create(session=session, event_type="phone_detected", timestamp=NOON, occurred_at=NOON)
        decided, beside = sorted(services.review_of(session).incidents, key=lambda i: i.state)
        assert (decided.count, beside.count, beside.is_after_decision) == (2, 1, True)


class TestJudging:
    @pytest.mark.parametrize("to", [IncidentState.ACKNOWLEDGED, IncidentState.CONFIRMED])
    def test_an_open_incident(self, ada, to):
        session = judge(ended(0), to, by=ada)
        assert services.review_of(session).incidents[0].state == to
        assert (session.open_incidents, session.confirmed_incidents) == (0, int(to == IncidentState.CONFIRMED))

    def test_and_taking_it_back_leaves_the_trail(self, ada, bob):
        session = dismiss(ended(0), by=ada)
        session = judge(session, IncidentState.REOPENED, by=bob)
        assert (session.reviewed_score, session.open_incidents) == (85, 1)
        told = [(e.actor_name, e.action, e.before["state"], e.after["state"]) for e in services.history_of(session)]
        assert told == [("ada", "dismissed", "open", "dismissed"), ("bob", "reopened", "dismissed", "reopened")]
        assert JudgedIncident.objects.count() == 1

    @pytest.mark.parametrize("state", [s for s in IncidentState if s != IncidentState.OPEN])
    def test_moves_as_the_table_says_and_no_other_way(self, ada, state):
        for to in IncidentState:
            session = ended(0)
            if state == IncidentState.REOPENED:
                confirm(session, by=ada)
            judge(session, state, by=ada, reason="because")
            if to in INCIDENT_MOVES[state]:
                assert services.review_of(judge(session, to, by=ada, reason="because")).incidents[0].state == to
            else:
                with pytest.raises(IllegalJudgement):
                    judge(session, to, by=ada, reason="because")

    def test_judges_what_was_seen_and_leaves_what_came_meanwhile(self, ada):
        session = ended(0, 5)
        page = services.review_of(session)
        late = session.end_time + timedelta(seconds=5)
        log_event(session.pk, sessions.Reported("phone_detected", timestamp=NOON), received_at=late)
        services.judge(
            session, page.incidents[0].key, IncidentState.CONFIRMED, by=ada, seen=0, seen_until=page.seen_until
        )
        assert {(i.state, i.count) for i in services.review_of(session).incidents} == {("confirmed", 2), ("open", 1)}

    def test_refuses_an_incident_that_became_another_one(self, ada):
        session = ended(0, 5)
        page = services.review_of(session)
        late = session.end_time + timedelta(seconds=5)
        log_event(session.pk, sessions.Reported("phone_detected", timestamp=NOON), received_at=late)
        with pytest.raises(IncidentNotFound):
            services.judge(session, page.incidents[0].key, IncidentState.CONFIRMED, by=ada, seen=0)

    def test_of_a_session_that_runs_counts_once_it_ends(self, ada):
        event = make_event(event_type="phone_detected")
        session = Session.objects.get(pk=event.session_id)
        dismiss(session, by=ada)
        assert session.reviewed_score is None
        assert sessions.end_session(session).reviewed_score == 100

    def test_the_severity_says_something_and_weighs_nothing(self, ada):
        session = ended(0)
        key = services.review_of(session).incidents[0].key
        services.set_severity(session, key, Severity.LOW, by=ada, seen=0)
        (incident,) = services.review_of(session).incidents
        assert (incident.severity, incident.state, session.reviewed_score) == ("low", "acknowledged", 85)
        (entry,) = services.history_of(session)
        assert (entry.before, entry.after) == ({"severity": "high"}, {"severity": "low"})

    def test_the_severity_leaves_whose_judgement_it_is(self, ada, bob):
        session, at = ended(0), NOON + timedelta(days=1)
        key = services.review_of(session).incidents[0].key
        services.judge(session, key, IncidentState.DISMISSED, by=ada, seen=0, reason="A book.", at=at)
        (incident,) = services.review_of(session).incidents
        services.set_severity(session, incident.key, Severity.LOW, by=bob, seen=1, reason="A thin one.")
        (incident,) = services.review_of(session).incidents
        assert (incident.state, incident.by, incident.at, incident.reason) == ("dismissed", "ada", at, "A book.")
        assert incident.severity == "low"
        told = {e.action: (e.actor_name, e.reason) for e in services.history_of(session)}
        assert told == {"dismissed": ("ada", "A book."), "severity": ("bob", "A thin one.")}


class TestByHand:
    def test_an_incident_is_added_at_a_moment_and_counts_as_reviewed(self, ada):
        session = ended()
        at = NOON + timedelta(minutes=3)
        services.add_incident(
            session, event_type="notes_detected", start=at, by=ada, seen=0, reason="Notes on the wall."
        )
        (incident,) = services.review_of(session).incidents
        assert (incident.is_manual, incident.state, incident.start, incident.end) == (True, "confirmed", at, at)
        assert (session.machine_score, session.reviewed_score, session.confirmed_incidents) == (100, 90, 1)

    def test_it_can_be_dismissed_again(self, ada, bob):
        session = ended()
        services.add_incident(session, event_type="notes_detected", start=NOON, by=ada, seen=0, reason="Notes.")
        assert dismiss(session, by=bob).reviewed_score == 100

    def test_it_needs_a_reason(self, ada):
        with pytest.raises(ReasonNeeded):
            services.add_incident(ended(), event_type="notes_detected", start=NOON, by=ada, seen=0, reason=" ")

    def test_notes_have_a_stretch_of_time_or_none(self, ada):
        session = ended()
        services.add_note(session, text="The light is out.", start=NOON, by=ada, seen=0)
        services.add_note(session, text="Ümläüte, 字, 🙂", by=ada, seen=1)
        assert [(n.text, n.start, n.end, n.by) for n in services.notes_of(session)] == [
            ("The light is out.", NOON, NOON, "ada"),
            ("Ümläüte, 字, 🙂", None, None, "ada"),
        ]

    def test_an_empty_note_is_refused(self, ada):
        with pytest.raises(ReasonNeeded):
            services.add_note(ended(), text=" \t", by=ada, seen=0)


class TestAnAllowance:
    def test_takes_a_type_out_of_both_scores_and_leaves_it_labelled(self, ada):
        session = ended(0, 5)
        services.allow(session, "phone_detected", reason="An insulin pump.", by=ada, seen=0)
        assert (session.machine_score, session.reviewed_score, session.open_incidents) == (100, 100, 0)
        (incident,) = services.review_of(session).incidents
        assert (incident.allowed_because, incident.state) == ("An insulin pump.", "open")
        assert [a.event_type for a in services.allowances_of(session)] == ["phone_detected"]

    def test_can_be_revoked_and_given_again(self, ada):
        session = ended(0)
        services.allow(session, "phone_detected", reason="One.", by=ada, seen=0)
        services.revoke_allowance(session, "phone_detected", reason="Two.", by=ada, seen=1)
        assert (session.machine_score, services.allowances_of(session)) == (85, [])
        services.allow(session, "phone_detected", reason="Three.", by=ada, seen=2)
        assert session.machine_score == 100
        assert [e.reason for e in services.history_of(session)] == ["One.", "Two.", "Three."]

    def test_needs_a_reason(self, ada):
        with pytest.raises(ReasonNeeded):
            services.allow(ended(0), "phone_detected", reason="", by=ada, seen=0)


class TestWhoComesSecond:
    def test_is_refused_and_told_who_changed_what(self, ada, bob):
        session = ended(0, 100)
        page = services.review_of(session)
        dismiss(session, by=ada)
        with pytest.raises(ReviewChanged, match=r"ada dismissed phone_detected at \S+ \S+ UTC") as refused:
            services.judge(session, page.incidents[1].key, IncidentState.CONFIRMED, by=bob, seen=page.revision)
        (entry,) = refused.value.since
        assert (entry.actor_name, entry.reason) == ("ada", "A calculator, which is allowed.")
        assert session.reviewed_score == 85

    def test_is_refused_whatever_they_do(self, ada, bob):
        session = dismiss(ended(0), by=ada)
        for act in (
            lambda: services.add_note(session, text="x", by=bob, seen=0),
            lambda: services.add_incident(session, event_type="x", start=NOON, by=bob, seen=0, reason="x"),
            lambda: services.allow(session, "x", reason="x", by=bob, seen=0),
            lambda: services.decide(session, Outcome.PASSED, by=bob, seen=0),
            lambda: services.set_severity(session, "x", Severity.LOW, by=bob, seen=0),
        ):
            with pytest.raises(ReviewChanged):
                act()
        assert ReviewEntry.objects.count() == 1

    def test_a_revision_that_never_was_is_refused_too(self, ada):
        with pytest.raises(ReviewChanged):
            services.add_note(ended(), text="x", by=ada, seen=7)


class TestWhatIsKept:
    def test_the_audit_log_has_every_change_and_no_texts(self, ada):
        session = ended(0)
        with recording() as records:
            dismiss(session, by=ada, reason="a secret reason")
        changed = [record for record in records if record.action == Action.CHANGED]
        assert [(r.object_id, r.changes, r.details) for r in changed] == [
            (
                session.pk,
                {"review": [{"state": "open"}, {"state": "dismissed"}]},
                {"review": "dismissed", "review_revision": 1},
            )
        ]

    def test_all_of_it_goes_with_the_session(self, ada):
        session = dismiss(ended(0), by=ada)
        services.add_note(session, text="x", by=ada, seen=1)
        services.allow(session, "x", reason="x", by=ada, seen=2)
        sessions.delete_session(session)
        assert not ReviewEntry.objects.exists()
        assert not JudgedIncident.objects.exists()
        assert not Note.objects.exists()

    def test_nothing_of_what_is_said_while_the_session_is_deleted(self, ada, monkeypatch):
        noted, assigned = ended(0), ended(0)
        going = iter([noted, assigned])
        monkeypatch.setattr(changes, "record", lambda *args, **details: sessions.delete_session(next(going)))
        with pytest.raises(SessionNotFound):
            services.add_note(noted, text="He smiles.", by=ada, seen=0)
        assert assignment.assign_many([assigned], "ada", by=ada) == assignment.Bulk(0, (assigned.pk,))
        assert [*ReviewEntry.objects.all(), *Note.objects.all()] == []

    def test_a_violation_keeps_the_incident_that_it_rests_on(self, ada):
        session = confirm(ended(0), by=ada)
        services.decide(session, Outcome.VIOLATION, by=ada, seen=1, reason="A phone.")
        with pytest.raises(ViolationStands):
            dismiss(session, by=ada)
        services.decide(session, Outcome.NOT_REVIEWED, by=ada, seen=2, reason="Not so sure.")
        dismiss(session, by=ada)
        with pytest.raises(NothingConfirmed):
            services.decide(session, Outcome.VIOLATION, by=ada, seen=4, reason="A phone.")

    def test_what_a_crash_left_undone_is_done_by_whoever_comes_next(self, ada):
        """An entry of the history alone, as it is when the process was killed right after it."""
        session = dismiss(ended(0), by=ada)
        (entry,) = services.history_of(session)
        JudgedIncident.objects.all().delete()
        fields = {"review_revision": None, "reviewed_score": 85, "open_incidents": 1}
        Session.objects.filter(pk=session.pk).update(**fields)
        services.add_note(session, text="Next.", by=ada, seen=entry.revision)
        assert (session.review_revision, session.reviewed_score) == (2, 100)
        assert services.review_of(session).incidents[0].state == "dismissed"

    def test_or_by_whoever_looks_next(self, ada):
        session = dismiss(ended(0), by=ada)
        JudgedIncident.objects.all().delete()
        Session.objects.filter(pk=session.pk).update(review_revision=None, reviewed_score=85)
        review = services.review_of(session)
        assert (review.revision, review.incidents[0].state) == (1, "dismissed")
        session.refresh_from_db()
        assert (session.review_revision, session.reviewed_score) == (1, 100)
