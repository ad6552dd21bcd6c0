"""What each group sees of the sessions in the admin, and what it can do to them."""

import re

import pytest
from django.contrib.auth import get_user_model

from proctoring_site.audit.models import Action, AuditRecord
from sessions_app import services
from sessions_app.models import Event, Session
from tests.factories import make_event, make_session

LIST = "/admin/sessions_app/session/"
EVIDENCE = ("integrity_score", "risk_band", "events", "video")

pytestmark = pytest.mark.usefixtures("committed_database")


def page_of(session):
    return f"{LIST}{session.pk}/change/"


def columns(client, query=""):
    return set(client.get(LIST + query).context["cl"].list_display)


def names(client, query=""):
    return {session.candidate_name for session in client.get(LIST + query).context["cl"].result_list}


def do(client, action, *sessions, **more):
    return client.post(LIST, {"action": action, "_selected_action": [s.pk for s in sessions], **more}, follow=True)


def actions(client):
    form = client.get(LIST).context["action_form"]
    return {name for name, _ in form.fields["action"].choices if name} if form else set()


@pytest.fixture
def running():
    session = make_session(candidate_name="Runa Running")
    make_event(session, event_type="phone_detected", message="a phone in the hand")
    return session


@pytest.fixture
def ended():
    session = make_session(candidate_name="Enda Ended")
    make_event(session, message="looked elsewhere")
    return services.end_session(session)


class TestAReviewer:
    def test_sees_every_session_with_evidence_and_reports(self, as_staff, running, ended):
        reviewer = as_staff("Reviewer")
        assert names(reviewer, "?show=all") == {"Runa Running", "Enda Ended"}
        assert {*EVIDENCE, "report"} <= columns(reviewer, "?show=all")
        assert "looked elsewhere" in reviewer.get(page_of(ended)).content.decode()

    def test_can_end_regenerate_and_delete_none(self, as_staff, running):
        reviewer = as_staff("Reviewer")
        assert actions(reviewer) == {"assign_sessions", "pass_clean_sessions"}
        for action in ("end_sessions", "regenerate_reports", "delete_selected"):
            do(reviewer, action, running, post="yes")
        assert Session.objects.get().end_time is None


class TestAProctor:
    def test_sees_running_sessions_with_their_events_and_no_report(self, as_staff, running, ended):
        proctor = as_staff("Proctor")
        assert names(proctor) == {"Runa Running"}
        assert set(EVIDENCE) <= columns(proctor)
        assert "report" not in columns(proctor)
        assert "a phone in the hand" in proctor.get(page_of(running)).content.decode()

    def test_does_not_learn_of_an_ended_one(self, as_staff, ended):
        proctor = as_staff("Proctor")
        answer = proctor.get(page_of(ended))
        assert answer.status_code == 404
        assert "You can no longer see a session once it is closed." in answer.text
        assert "Enda Ended" not in answer.text
        assert "?state=paused" in proctor.get(LIST).text
        assert "?state=ended" not in proctor.get(LIST).text  # it could match none
        assert names(proctor, "?q=Enda") == set()

    def test_pauses_and_ends_a_running_one_after_being_asked(self, as_staff, running, ended):
        proctor = as_staff("Proctor")
        assert actions(proctor) == {"end_sessions", "pause_sessions", "resume_sessions"}
        other = make_session(candidate_name="Otto Other")
        assert "None of these sessions can be resumed." in do(proctor, "resume_sessions", running, ended).text
        assert "Pause <b>1</b> session?" in do(proctor, "pause_sessions", running, ended).text
        assert Session.objects.get(pk=running.pk).state == "running"
        assert "Sessions paused: 1." in do(proctor, "pause_sessions", other, post="yes").text
        question = do(proctor, "end_sessions", running, ended).content.decode()
        assert "End <b>1</b> session?" in question
        assert [name in question for name in ("Runa Running", "Enda Ended", "Otto Other")] == [True, False, False]
        proctor.post(f"{LIST}{running.pk}/act/", {"verb": "end"})  # without saying that it is meant
        assert Session.objects.get(pk=running.pk).end_time is None
        sent = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', question.partition("queue-question")[2]))
        answer = proctor.post(LIST, sent, follow=True)
        assert "Sessions ended: 1." in answer.content.decode()
        assert Session.objects.open().get().candidate_name == "Otto Other"
        assert AuditRecord.objects.get(action=Action.ENDED, object_id=running.pk).changes == {
            "state": ["running", "ended"]
        }


class TestAnOperator:
    def test_sees_which_sessions_there_are_and_nothing_of_what_was_seen(self, as_staff, running, ended):
        operator = as_staff("Operator")
        assert names(operator) == {"Runa Running", "Enda Ended"}
        assert not {*EVIDENCE, "report"} & columns(operator)
        page = operator.get(page_of(running)).content.decode()
        assert "Runa Running" in page
        for evidence in ("phone", "score", "watch", "report"):
            assert evidence not in page.partition('<div id="content"')[2].lower()

    @pytest.mark.parametrize("query", ["?band=high", "?video=no"])
    def test_cannot_find_out_by_a_filter(self, as_staff, running, query):
        assert as_staff("Operator").get(LIST + query).status_code == 302  # to the list, with the filter dropped

    def test_regenerates_reports(self, as_staff, ended):
        operator = as_staff("Operator")
        assert actions(operator) == {"regenerate_reports", "delete_selected"}
        answer = do(operator, "regenerate_reports", ended)
        assert "were regenerated: 1." in answer.content.decode()
        assert AuditRecord.objects.get(action=Action.REGENERATED).object_id == ended.pk

    def test_deletes_a_session_after_being_asked(self, as_staff, running, ended):
        operator = as_staff("Operator")
        asked = operator.get(f"{LIST}{ended.pk}/delete/").content.decode()
        assert "events, recordings, reports and the history of its review" in asked
        assert "1 events" not in asked, "which the list hides, too"
        operator.post(f"{LIST}{ended.pk}/delete/", {"post": "yes"})
        assert list(Session.objects.all()) == [running]
        assert set(Event.objects.values_list("session_id", flat=True)) == {running.pk}

    def test_deletes_several_from_the_list(self, as_staff, running, ended):
        operator = as_staff("Operator")
        assert Session.objects.count() == 2
        do(operator, "delete_selected", running, ended)
        assert Session.objects.count() == 2  # that was the question
        do(operator, "delete_selected", running, ended, post="yes")
        assert (Session.objects.count(), Event.objects.count()) == (0, 0)

    def test_leaves_the_name_in_no_log_when_it_deletes(self, as_staff, ended, client):
        operator = as_staff("Operator")
        operator.post(f"{LIST}{ended.pk}/delete/", {"post": "yes"})
        operator.get("/admin/")  # shows and so forgets the message
        index = operator.get("/admin/").content.decode()
        assert "Enda Ended" not in index
        record = AuditRecord.objects.get(action=Action.DELETED)
        assert record.object_id == ended.pk
        assert "Enda" not in f"{record.changes}{record.details}"


class TestAnAuditor:
    def test_sees_no_session(self, as_staff, running):
        auditor = as_staff("Auditor")
        for path in (LIST, page_of(running), f"{LIST}{running.pk}/delete/"):
            assert auditor.get(path).status_code == 404
        assert "Sessions" not in auditor.get("/admin/").content.decode()


class TestEveryLook:
    def test_is_recorded_once_with_who_and_what(self, as_staff, running):
        reviewer = as_staff("Reviewer", username="rita")
        reviewer.get(LIST, {"state": "running", "q": "Runa"})
        reviewer.get(page_of(running))
        listed, looked = AuditRecord.objects.filter(actor_name="rita").exclude(action=Action.LOGGED_IN).order_by("at")
        assert (listed.action, listed.details) == (
            Action.LISTED,
            {"filters": ["q", "state"], "sessions": [running.pk]},
        )
        assert (looked.action, looked.object_kind, looked.object_id) == (Action.LOOKED, "session", running.pk)
        assert looked.address == "127.0.0.1"

    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PUT", "ANY"])
    def test_is_recorded_by_whatever_method_the_page_was_asked_for(self, as_staff, running, method):
        """Django's own pages draw themselves for all of them."""
        for role, page in (("Reviewer", "history"), ("Operator", "delete")):
            assert as_staff(role).generic(method, f"{LIST}{running.pk}/{page}/").status_code == 200
        assert AuditRecord.objects.filter(action=Action.LOOKED, object_id=running.pk).count() == 2


class TestActingOnASession:
    """From its page in the admin, as a Proctor; what goes wrong is said and changes nothing."""

    def act(self, client, session, **told):
        return client.post(f"/admin/sessions_app/session/{session.pk}/act/", told, follow=True)

    def test_a_proctor_pauses_with_a_message_and_sees_it_asked(self, as_staff):
        session, proctor = make_session(), as_staff("Proctor")
        page = self.act(proctor, session, verb="pause", reason_code="technical.network", reason="<b>wait</b>")
        text = page.content.decode()
        assert "The session is paused." in text
        assert "&lt;b&gt;wait&lt;/b&gt;" in text
        assert "not yet" in text
        session.refresh_from_db()
        assert session.state == "paused"
        assert 'value="resume"' in text
        assert 'value="pause"' not in text

    def test_to_terminate_needs_a_reason(self, as_staff):
        session, proctor = make_session(), as_staff("Proctor")
        page = self.act(proctor, session, verb="terminate")
        assert [str(message) for message in page.context["messages"]] == ["reason code: This field is required."]
        session.refresh_from_db()
        assert session.state == "running"

    def test_a_terminated_one_leaves_the_proctors_view(self, as_staff):
        session = make_session()
        page = self.act(as_staff("Proctor"), session, verb="terminate", reason_code="examinee.identity")
        assert page.redirect_chain[-1][0] == "/admin/sessions_app/session/"
        assert "The session is terminated." in page.content.decode()

    def test_an_illegal_move_names_both_states(self, as_staff):
        page = self.act(as_staff("Proctor"), make_session(), verb="resume")
        assert "The session is running and cannot become running." in page.content.decode()

    def test_what_nobody_knows_is_refused(self, as_staff):
        answer = self.act(as_staff("Proctor"), make_session(), verb="delete")
        assert "There is no such action" in answer.content.decode()

    def test_a_reviewer_may_not(self, as_staff):
        session, reviewer = make_session(), as_staff("Reviewer")
        assert self.act(reviewer, session, verb="pause").status_code == 404
        assert 'value="pause"' not in reviewer.get(f"/admin/sessions_app/session/{session.pk}/change/").content.decode()


@pytest.mark.parametrize("name", ["", "  "])
def test_a_session_without_a_name_has_a_title(as_staff, name):
    session = make_session(candidate_name=name)
    assert "(no name)" in as_staff("Proctor").get(page_of(session)).context["title"]


class TestWhoMaySee:
    @pytest.mark.parametrize("path", ["", "{id}/change/"])
    def test_a_stranger_is_sent_to_the_login(self, client, path):
        answer = client.get(LIST + path.format(id=make_session().pk))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")

    def test_an_account_that_is_not_staff_is_too(self, client):
        client.force_login(get_user_model().objects.create_user("candidate"))
        assert client.get(LIST).status_code == 302

    def test_a_password_opens_it(self, client):
        get_user_model().objects.create_superuser("root", password="correct horse")
        wrong = client.post("/admin/login/", {"username": "root", "password": "battery"})
        assert (wrong.status_code, wrong.wsgi_request.user.is_authenticated) == (200, False)
        right = client.post("/admin/login/?next=" + LIST, {"username": "root", "password": "correct horse"})
        assert (right.status_code, right["Location"]) == (302, LIST)
        assert client.get(LIST).status_code == 200
        elsewhere = client.post("/admin/login/?next=//example.org/", {"username": "root", "password": "correct horse"})
        assert (elsewhere.status_code, elsewhere["Location"]) == (302, "/admin/")
