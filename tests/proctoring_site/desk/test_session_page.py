"""The page of one session: what it shows to whom, what a reviewer does from it, and what it refuses."""

import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring_site.access import candidate_token
from proctoring_site.access.roles import GROUPS
from proctoring_site.desk import session_context
from proctoring_site.desk.session_acts import LIFTED
from sessions_app import services
from sessions_app.models import Event, Session, now
from sessions_app.reported import Reported
from sessions_app.review import policies, rescoring
from sessions_app.review import services as reviews
from sessions_app.review.models import RunKind
from tests.audit_records import recording, told
from tests.factories import NOON, log_event, make_event, make_session, make_staff
from tests.proctoring_site.desk.session_page import JSON, key_of, page_of, say

pytestmark = pytest.mark.usefixtures("database")


class TestWhatItShows:
    def test_the_incidents_with_what_is_known_of_each(self, rita, session):
        rows = rita.get(page_of(session)).context["rows"]
        assert [(one.when, one.type, one.count, one.confidence, one.severity) for one in rows] == [
            ("1:00–1:10", "phone_detected", 2, 0.9, "high"),
            ("10:00", "multiple_faces", 1, 0.9, "high"),
        ]

    def test_a_sitting_that_is_no_dot_though_somebody_told_of_the_year_2099(self, rita, session):
        log_event(session.pk, Reported("x", timestamp=NOON.replace(year=2099)), received_at=NOON)
        drawn = rita.get(page_of(session)).context["timeline"]
        assert drawn.ends - drawn.begins < 24 * 3600

    def test_both_numbers_and_deductions_that_sum_up(self, rita, session):
        say(rita, session, "dismiss", incident=key_of(session, "phone_detected"), reason="A calculator.")
        answer = rita.get(page_of(session))
        score = answer.context["review"].score
        assert (score.machine, score.reviewed) == (60, 90)
        assert [(line.type, line.count, line.reviewed_count, line.machine, line.reviewed) for line in score.lines] == [
            ("phone_detected", 2, 0, 30, 0),
            ("multiple_faces", 1, 1, 10, 10),
        ]
        assert [moment.when for moment in score.lines[0].moments] == ["1:00", "1:10"]
        text = answer.content.decode()
        assert "Flags are not findings; a person decides." in text
        assert "Policy 1" in text
        assert '<td class="n">2 → 0</td>' in text

    def test_how_much_came_too_late(self, rita, session, settings):
        settings.EVENT_GRACE_S = -1
        services.log_events(session.pk, [services.Reported("no_face")])
        facts = dict(rita.get(page_of(session)).context["facts"])
        assert facts["Came too late, not kept"].startswith("1 event, every sending counted; the last at 20")

    def test_the_facts_for_the_script(self, rita, session):
        text = rita.get(page_of(session)).content.decode()
        facts = json.loads(re.search(r'<script id="session-facts" type="application/json">(.*?)</script>', text)[1])
        assert (facts["from"], facts["until"], facts["tracks"]) == (0, 1200, [])
        assert facts["start"] == NOON.timestamp() * 1000

    def test_nothing_inline(self, rita, session):
        text = rita.get(page_of(session)).content.decode()
        assert not re.search(r"<style|<script(?![^>]*(?:src=|application/json))|\son[a-z]+=|\sstyle=", text)

    def test_more_incidents_than_a_page_holds_are_on_pages_and_all_on_the_timeline(self, rita, monkeypatch, session):
        monkeypatch.setattr(session_context, "INCIDENTS_PER_PAGE", 1)
        seen = [rita.get(page_of(session), {"incidents": n}).context for n in (1, 2)]
        assert [[one.type for one in context["rows"]] for context in seen] == [["phone_detected"], ["multiple_faces"]]
        assert all(context["timeline"].lanes[0].count == 2 for context in seen)
        picked = rita.get(page_of(session), {"incident": key_of(session, "multiple_faces")}).context
        assert (picked["rows"].number, picked["picked"].type) == (2, "multiple_faces")
        assert "?incidents=2" in picked["act_url"]
        assert picked["elsewhere"] == [(seen[0]["rows"][0].key, 60.0, 70.0, "phone_detected")]
        assert [context["script_facts"]["asked"] for context in (*seen, picked)] == [None, None, picked["picked"].key]
        assert seen[0]["picked"] is None  # the next key judges nothing that nobody chose

    def test_the_events_of_one_type(self, rita, session):
        page = rita.get(page_of(session), {"type": "phone_detected"}).context["event_page"]
        assert [event.event_type for event in page] == ["phone_detected"] * 2
        assert page.paginator.count == 2

    @pytest.mark.parametrize(
        "query", ["incidents=x", "incidents=-1", "incident=%00", "type=none", "type=%ff", "incident="]
    )
    def test_odd_parameters_are_no_failure(self, rita, session, query):
        assert rita.get(f"{page_of(session)}?{query}").status_code == 200

    def test_a_session_that_nothing_is_known_of(self, rita):
        page = rita.get(page_of(make_session(start_time=None)))
        assert "There is no recording of this session." in page.content.decode()
        assert page.context["picked"] is None

    def test_the_browser_as_it_calls_itself(self, rita, as_candidate):
        session = make_session(start_time=now())
        beat = f"/sessions/{session.pk}/heartbeat"
        as_candidate(session).post(beat, {"camera": True}, format="json", HTTP_USER_AGENT="Falke/7 <b>" + "x" * 900)
        shown = rita.get(page_of(session)).content.decode()
        assert "Falke/7 &lt;b&gt;xxx" in shown
        assert "x" * 300 not in shown

    def test_what_happened_to_the_sitting_and_the_review_is_one_history(self, rita, session):
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        say(rita, session, "note", text="He smiles.", begins="1:00", ends="1:20")
        say(rita, session, "assign", to="group:Reviewer")
        lines = rita.get(page_of(session)).context["history"]
        assert [(line.who, line.what) for line in lines] == [
            ("rita", "assigned: group:Reviewer"),
            ("rita", "wrote a note at 1:00"),
            ("rita", "confirmed phone_detected at 1:00"),
            (lines[-1].who, "running → ended"),
        ]

    def test_what_was_asked_of_the_client_says_of_which_day_its_times_are(self, rita, session):
        asked = {"action": "pause", "message": None, "reason_code": None, "asked_by": "petra", "id": "1"}
        confirmed = NOON + timedelta(days=1)
        commands = [{**asked, "asked_at": NOON, "confirmed_at": confirmed}]
        Session.objects.filter(pk=session.pk).update(commands=commands)
        lines = [line.what for line in rita.get(page_of(session)).context["history"]]
        assert f"asked the client to pause, confirmed at {confirmed:%Y-%m-%d %H:%M:%S} UTC" in lines

    def test_of_scoring_anew_it_says_what_each_number_is_of(self, rita, session, run_jobs):
        heavy = replace(policies.draft_of(policies.policy_of(1)), weights={"phone_detected": 40})
        version = policies.create(heavy, by=make_staff()).version
        rescoring.start(RunKind.RESCORE, version, by="root")
        run_jobs()
        (line, *_) = rita.get(page_of(session)).context["history"]
        said = r"rescored: policy 1 → 2, as the machine saw it \d+ → \d+, as reviewed \d+ → \d+, band \w+ → \w+"
        assert re.fullmatch(said, line.what), line.what


class TestTheRest:
    def test_an_allowance_labels_and_takes_out_of_both_numbers(self, rita, session):
        say(rita, session, "allow", event_type="phone_detected", reason="An insulin pump.")
        context = rita.get(page_of(session)).context
        assert (context["review"].score.machine, context["review"].score.reviewed) == (90, 90)
        assert context["rows"][0].labels == ("allowed",)
        say(rita, session, "revoke", event_type="phone_detected", reason="By mistake.")
        assert rita.get(page_of(session)).context["review"].score.machine == 60

    def test_only_types_that_were_reported_can_be_allowed(self, rita, session):
        assert say(rita, session, "allow", event_type="never_seen", reason="x").status_code == 400

    def test_a_note_keeps_its_stretch(self, rita, session):
        say(rita, session, "note", text="<b>Er lächelt</b>", begins="1:00", ends="1:20")
        text = rita.get(page_of(session)).content.decode()
        assert "&lt;b&gt;Er lächelt&lt;/b&gt;" in text
        assert "1:00–1:20" in text

    def test_it_is_assigned_and_due(self, rita, session):
        assert say(rita, session, "assign", to="rita").json()["said"] == "Assigned to rita."
        assert say(rita, session, "due", due_at="2026-03-05T10:00").status_code == 200
        context = rita.get(page_of(session)).context
        assert (context["review"].assigned, context["review"].is_mine, context["review"].is_overdue) == (
            "rita",
            True,
            True,
        )
        assert say(rita, session, "assign", to="nobody-at-all").json()["code"] == "nobody_to_assign"

    @pytest.mark.parametrize(("outcome", "is_overdue"), [("second_review_required", True), ("suspicious", False)])
    def test_a_second_review_is_overdue_too_and_what_is_decided_is_not(self, rita, session, outcome, is_overdue):
        say(rita, session, "due", due_at="2026-03-05T10:00")
        assert say(rita, session, "decide", outcome=outcome, reason="Look again.").status_code == 200
        assert rita.get(page_of(session)).context["review"].is_overdue is is_overdue

    def test_a_decision_needs_what_the_domain_asks(self, rita, session):
        refused = say(rita, session, "decide", outcome="violation", reason="A phone.")
        assert (refused.status_code, refused.json()["code"]) == (409, "nothing_confirmed")
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        done = say(rita, session, "decide", outcome="violation", reason="A phone.")
        assert done.json()["said"] == "The outcome is violation."
        assert Session.objects.get(pk=session.pk).outcome == "violation"

    def test_the_second_reviewer_is_somebody_else_and_is_told_so(self, rita, as_staff, session):
        for second in range(4):
            make_event(session, event_type="phone_detected", timestamp=NOON + timedelta(minutes=12, seconds=second))
        say(rita, session, "confirm", incident=key_of(session, "multiple_faces"))
        done = say(rita, session, "decide", outcome="violation", reason="Two people.")
        assert done.json()["said"] == "The outcome is second review required."
        assert "somebody else must confirm" in done.json()["parts"]["decision"]
        assert say(rita, session, "decide", outcome="violation", reason="I am sure.").json()["code"] == (
            "second_reviewer_needed"
        )
        sven = as_staff("Reviewer", username="sven")
        assert "rita was the first reviewer" in sven.get(page_of(session)).content.decode()
        assert say(sven, session, "decide", outcome="violation", reason="So it is.").status_code == 200
        assert say(sven, session, "decide", outcome="not_reviewed", reason="The wrong session.").status_code == 200

    def test_who_lifts_a_violation_is_told_that_it_waits_for_somebody_else(self, rita, session):
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        say(rita, session, "decide", outcome="violation", reason="A phone.")
        told = {"begins": "5:00", "severity": "high", "reason": "Seen."}
        types = ("looking_away", "phone_detected")
        said = [say(rita, session, "add_incident", event_type=name, **told).json()["said"] for name in types]
        assert said == ["The incident was added.", f"The incident was added. {LIFTED}"]


class TestWhoMay:
    VERBS = ("acknowledge", "confirm", "dismiss", "note", "decide", "assign", "allow")

    @pytest.mark.parametrize("group", ["Proctor", "Operator", "Auditor", None])
    def test_nobody_judges_without_the_right(self, as_staff, group):
        session = make_session()
        make_event(session, event_type="phone_detected")
        client = as_staff(*([group] if group else []))
        for verb in self.VERBS:
            told = {"incident": key_of(session, "phone_detected"), "reason": "x", "text": "x", "outcome": "passed"}
            assert say(client, session, verb, **told).status_code == 404
        assert reviews.review_of(session).revision == 0

    def test_who_may_only_look_is_offered_nothing_to_press(self, as_staff):
        session = make_session()
        make_event(session, event_type="phone_detected")
        text = as_staff("Proctor").get(page_of(session)).content.decode()
        assert "phone_detected" in text
        assert "/review/" not in text

    def test_the_link_for_the_candidate_is_for_those_who_open_sessions_shown_once_and_on_record(self, as_staff):
        session = make_session(candidate_name="<Ada>")
        path = f"/admin/sessions_app/session/{session.pk}/link/"
        offered = {role: path in as_staff(role).get(page_of(session)).content.decode() for role in GROUPS}
        assert offered == {"Reviewer": False, "Proctor": False, "Operator": True, "Auditor": False}
        assert [as_staff(role).post(path).status_code for role in offered] == [404, 404, 200, 404]
        otto = as_staff("Operator", username="otto")
        with recording() as records:
            answer = otto.post(path)
        assert [(*one, records[0].actor_name) for one in told(records)] == [("linked", "session", session.pk, "otto")]
        assert "no-store" in answer["Cache-Control"]
        shown = urlsplit(answer.context["url"])
        assert (shown.scheme, shown.netloc, shown.path, shown.query) == ("http", "testserver", "/candidate/", "")
        said = dict(parse_qsl(shown.fragment))
        assert (said["session"], candidate_token.read(said["token"]).session_id) == (session.pk, session.pk)
        assert datetime.fromisoformat(said["until"]) == answer.context["expires_at"].replace(microsecond=0)
        assert "&lt;Ada&gt;" in answer.content.decode()

    @pytest.mark.parametrize(("pk", "status"), [("50% a_b", 200), ("exam.7", 404), ("exam/7", 404), ("größe", 404)])
    def test_no_link_is_made_that_the_candidates_page_cannot_use(self, as_staff, pk, status):
        make_session(id=pk)
        otto, page = as_staff("Operator"), f"/admin/sessions_app/session/{quote(pk)}"
        assert ("No link can be made" in otto.get(f"{page}/change/").content.decode()) is (status == 404)
        assert otto.post(f"{page}/link/").status_code == status

    def test_evidence_is_for_those_with_the_right(self, as_staff, session):
        text = as_staff("Operator").get(page_of(session)).content.decode()
        assert "phone" not in text
        assert "session-facts" not in text

    def test_what_was_asked_of_the_client_is_for_those_who_see_evidence_or_supervise(self, as_staff):
        session = make_session()
        services.message_candidate(session, message="Put the calculator away.")
        supervisor = as_staff()
        account = get_user_model().objects.get(pk=supervisor.session["_auth_user_id"])
        account.user_permissions.set(Permission.objects.filter(codename__in=("view_session", "supervise_session")))
        shown = {"Operator": as_staff("Operator"), "Proctor": as_staff("Proctor"), "supervisor": supervisor}
        shown = {name: client.get(page_of(session)).content.decode() for name, client in shown.items()}
        assert {name: "calculator" in text for name, text in shown.items()} == {
            "Operator": False,
            "Proctor": True,
            "supervisor": True,
        }
        assert "sent the client a message" not in shown["Operator"]

    def test_who_comes_back_from_the_login_to_where_a_form_was_sent_is_told_that_nothing_was_done(self, rita, session):
        answer = rita.get(f"/admin/sessions_app/session/{session.pk}/review/")
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert "Nothing was done" in answer.content.decode()
        assert rita.get(f"/admin/sessions_app/session/{session.pk}/", follow=True).request["PATH_INFO"] == page_of(
            session
        )

    @pytest.mark.parametrize(
        "told", [{"verb": "delete"}, {}, {"verb": "note"}, {"verb": "note", "review_revision": "x"}]
    )
    def test_what_nobody_knows_is_refused(self, rita, session, told):
        answer = rita.post(f"/admin/sessions_app/session/{session.pk}/review/", told, **JSON)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

    @pytest.mark.parametrize("as_form", [True, False])
    def test_who_is_refused_has_looked_at_what_comes_with_the_answer(self, rita, session, as_form):
        with recording() as records:
            for _ in range(2):
                assert say(rita, session, "x", as_form=as_form).status_code == 400
        assert told(records) == [("looked", "session", session.pk)]


def test_the_number_of_queries_does_not_grow(rita, session):
    """With events, incidents, notes, and a history."""

    def trips():
        with CaptureQueriesContext(connection) as captured:
            assert rita.get(page_of(session)).status_code == 200
        return len(captured)

    say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
    say(rita, session, "allow", event_type="multiple_faces", reason="A sister.")
    few = trips()
    instants = [NOON + timedelta(seconds=n * 40) for n in range(300)]
    Event.objects.bulk_create(
        Event(session=session, event_type="no_face", timestamp=at, occurred_at=at) for at in instants
    )
    for n in range(10):
        say(rita, session, "note", text=f"{n}")
    connection.database["sessions"].update_one(
        {"_id": session.pk}, {"$set": {"event_counts.no_face": 300}}, session=connection.session
    )
    assert trips() == few <= 13


def test_a_name_that_is_hostile_stays_text(rita):
    session = make_session(candidate_name="</script><img src=x onerror=alert(1)>")
    make_event(session, event_type='"><script>alert(2)</script>')
    say(rita, session, "note", text="</script><script>alert(3)</script>")
    text = rita.get(page_of(session)).content.decode()
    for live in ("<img src=x", "<script>alert"):
        assert live not in text


def test_an_account_of_the_group_can_be_made_and_used(rita, session):
    """`by` is the account itself, whose id the second review goes by."""
    account = get_user_model().objects.get(username="rita")
    say(rita, session, "decide", outcome="passed")
    assert Session.objects.get(pk=session.pk).outcome_by_id == str(account.pk)
    assert make_staff("Reviewer").pk != account.pk
