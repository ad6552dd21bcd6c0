"""From the page of one session: incidents are judged and added, and what is no incident is refused."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from sessions_app.models import Event
from sessions_app.review import services as reviews
from sessions_app.review.states import IncidentState
from tests.factories import NOON, make_session
from tests.proctoring_site.desk.session_page import key_of, page_of, row, say

pytestmark = pytest.mark.usefixtures("database")


class TestJudging:
    @pytest.mark.parametrize(
        ("verb", "state"), [("acknowledge", "acknowledged"), ("confirm", "confirmed"), ("dismiss", "dismissed")]
    )
    def test_an_open_incident(self, rita, session, verb, state):
        answer = say(rita, session, verb, incident=key_of(session, "phone_detected"), reason="A calculator.")
        assert answer.status_code == 200
        judged = row(session, "phone_detected")
        assert (judged.state, judged.by) == (state, "rita")
        assert answer.json()["picked"] == judged.key  # which it had not before
        assert f'data-key="{judged.key}"' in answer.json()["parts"]["incidents"]

    def test_a_dismissed_one_stays_with_name_time_and_reason(self, rita, session):
        answer = say(rita, session, "dismiss", incident=key_of(session, "phone_detected"), reason="آلة حاسبة")
        drawn = answer.json()["parts"]
        assert re.search(r'class="state-dismissed.*?آلة حاسبة.*?rita, \d{4}-\S+ \S+ UTC', drawn["incidents"], re.DOTALL)
        assert "mark-dismissed" in drawn["marks"]
        assert "<strong>90</strong> as reviewed" in drawn["score"]

    def test_to_dismiss_without_a_reason_is_refused_with_the_field(self, rita, session):
        answer = say(rita, session, "dismiss", incident=key_of(session, "phone_detected"), reason=" ")
        assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (
            400,
            "invalid",
            ["reason"],
        )
        assert row(session, "phone_detected").state == IncidentState.OPEN

    def test_it_is_reopened_and_its_severity_changed(self, rita, session):
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        say(rita, session, "severity", incident=key_of(session, "phone_detected"), severity="low")
        say(rita, session, "reopen", incident=key_of(session, "phone_detected"), reason="Too quick.")
        judged = row(session, "phone_detected")
        assert (judged.state, judged.severity) == ("reopened", "low")

    def test_one_is_added_at_a_moment_of_the_video(self, rita, session):
        told = {"event_type": "notes_detected", "begins": "5:00", "ends": "5:30", "severity": "high"}
        assert say(rita, session, "add_incident", reason="A slip of paper.", **told).status_code == 200
        added = row(session, "notes_detected")
        assert (added.start, added.end) == (NOON + timedelta(minutes=5), NOON + timedelta(minutes=5, seconds=30))
        assert added.is_manual
        assert reviews.review_of(session).reviewed.integrity_score == 50

    @pytest.mark.parametrize(
        "told", [{"begins": "soon"}, {"begins": ""}, {"severity": "x"}, {"event_type": ""}, {"begins": "9999:99"}]
    )
    def test_what_is_no_incident_is_not_added(self, rita, session, told):
        good = {"event_type": "x", "begins": "5:00", "severity": "high", "reason": "Seen."}
        assert say(rita, session, "add_incident", **good | told).status_code == 400

    def test_one_is_added_where_nobody_knows_the_start_at_the_moment_that_the_page_shows(self, rita):
        session = make_session(start_time=None)
        for at in (None, NOON, NOON + timedelta(seconds=60)):
            Event.objects.create(session=session, event_type="no_face", timestamp=at, occurred_at=at)
        rows = rita.get(page_of(session)).context["rows"]
        assert [one.when for one in rows] == ["unknown", "0:00", "1:00"]
        told = {"event_type": "notes_detected", "begins": "1:00", "severity": "high", "reason": "A slip of paper."}
        assert say(rita, session, "add_incident", **told).status_code == 200
        assert row(session, "notes_detected").start == NOON + timedelta(seconds=60)

    @pytest.mark.parametrize("start", [None, datetime.max.replace(tzinfo=UTC) - timedelta(days=1)])
    def test_a_moment_that_nobody_can_place_is_refused_with_the_field_and_stays_typed(self, rita, start):
        session = make_session(start_time=start)
        told = {"event_type": "notes_detected", "begins": "40:00:00", "severity": "high", "reason": "A slip."}
        assert list(say(rita, session, "add_incident", **told).json()["fields"]) == ["begins"]
        note = {"text": "He smiles.", "begins": "40:00:00", "ends": "41:00:00"}
        assert list(say(rita, session, "note", **note).json()["fields"]) == ["begins", "ends"]
        answer = say(rita, session, "note", as_form=True, **note)
        assert answer.status_code == 400
        assert "He smiles." in answer.content.decode()
        assert say(rita, session, "note", text="Of the whole.").status_code == 200

    @pytest.mark.parametrize("verb", ["add_incident", "note"])
    def test_what_ends_before_it_begins_is_refused_with_the_field(self, rita, session, verb):
        told = {"event_type": "x", "severity": "high", "reason": "Seen.", "text": "A note.", "ends": "4:59"}
        answer = say(rita, session, verb, begins="5:00", **told)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["ends"])
        assert say(rita, session, verb, **{**told, "begins": "4:59"}).status_code == 200

    def test_a_note_that_ends_begins_somewhere(self, rita, session):
        assert list(say(rita, session, "note", text="A note.", ends="4:59").json()["fields"]) == ["begins"]

    def test_later_events_are_beside_the_dismissed_one_and_say_so(self, rita, session):
        say(rita, session, "dismiss", incident=key_of(session, "phone_detected"), reason="A calculator.")
        for n in range(100):
            at = NOON + timedelta(seconds=65, milliseconds=n)
            Event.objects.create(
                session=session,
                event_type="phone_detected",
                timestamp=at,
                occurred_at=at,
                received_at=NOON + timedelta(days=1),
            )
        rows = [one for one in rita.get(page_of(session)).context["rows"] if one.type == "phone_detected"]
        assert [(one.state, one.count, one.labels) for one in sorted(rows, key=lambda one: one.at)] == [
            ("dismissed", 2, ()),
            ("open", 100, ("arrived after the decision",)),
        ]

    def test_an_incident_that_is_not_there_is_refused(self, rita, session):
        answer = say(rita, session, "confirm", incident="nonsense")
        assert (answer.status_code, answer.json()["code"]) == (409, "incident_not_found")

    def test_no_other_takes_the_place_of_one_that_is_not_there(self, rita, session):
        told = {"incident": "nonsense", "reason": "A calculator."}
        assert say(rita, session, "dismiss", **told).json()["picked"] is None
        without_script = say(rita, session, "dismiss", as_form=True, **told)
        assert without_script.context["picked"] is None
        text = without_script.content.decode()
        assert "No incident is selected." in text
        shown = re.findall(r'data-verb="(\w+)">', text)
        assert shown == ["dismiss"], "what was typed is still to be seen, and nothing else is offered"
