"""The page of one session where somebody else, or the browser, is in the way: two at once, and no script."""

import re

import pytest

from proctoring_site.desk.session_acts import ACTS
from sessions_app.models import Session
from tests.proctoring_site.desk.session_page import JSON, key_of, say

pytestmark = pytest.mark.usefixtures("database")


class TestTwoAtOnce:
    def test_the_second_is_refused_and_sees_what_changed(self, rita, as_staff, session):
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        answer = say(as_staff("Reviewer"), session, "note", seen=0, text="My own view.")
        told = answer.json()
        assert (answer.status_code, told["code"]) == (409, "review_changed")
        assert re.match(r"rita confirmed phone_detected .*at \d{4}-", told["since"][0])
        assert 'name="review_revision" value="1"' in told["parts"]["notes"]  # so that they may say it again

    def test_it_is_about_the_same_incident_still_when_it_was_judged_meanwhile(self, rita, as_staff, session):
        key = key_of(session, "multiple_faces")
        say(rita, session, "confirm", incident=key)
        answer = say(as_staff("Reviewer"), session, "dismiss", seen=0, incident=key, reason="A poster.")
        assert answer.json()["code"] == "review_changed"
        assert answer.json()["picked"] == key_of(session, "multiple_faces") != key

    @pytest.mark.parametrize("as_form", [True, False])
    def test_a_session_that_is_deleted_meanwhile_is_not_found(self, rita, session, monkeypatch, as_form):
        review = f"/admin/sessions_app/session/{session.pk}/review/"
        form, add_note, sentence = ACTS["note"]

        def somebody_is_quicker(session, **told):
            Session.objects.filter(pk=session.pk).delete()
            return add_note(session, **told)

        monkeypatch.setitem(ACTS, "note", (form, somebody_is_quicker, sentence))
        told = {"verb": "note", "review_revision": 0, "text": "Too late."}
        assert rita.post(review, told, **({} if as_form else JSON)).status_code == 404

    def test_without_script_the_page_comes_again_with_what_was_typed(self, rita, as_staff, session):
        say(rita, session, "confirm", incident=key_of(session, "phone_detected"))
        answer = say(as_staff("Reviewer"), session, "note", seen=0, as_form=True, text="My own <view>.")
        text = answer.content.decode()
        assert answer.status_code == 409
        assert "My own &lt;view&gt;." in text
        assert "somebody else has changed this review" in text
        assert "rita confirmed phone_detected" in text
        form = answer.context["forms"]["note"]
        assert form["review_revision"].value() == 1


class TestWithoutScript:
    def test_a_fault_comes_with_the_form_open(self, rita, session):
        key = key_of(session, "phone_detected")
        text = say(rita, session, "dismiss", as_form=True, incident=key, reason="").content.decode()
        assert re.search(r'<details class="popup" id="dismiss" data-popup open>', text)
        assert "This field is required." in text

    def test_what_is_done_leads_back_to_the_incident(self, rita, session):
        answer = say(rita, session, "confirm", as_form=True, incident=key_of(session, "phone_detected"))
        assert answer.status_code == 302
        page = rita.get(answer["Location"])
        assert page.context["picked"].state == "confirmed"
        assert [str(message) for message in page.context["messages"]] == ["Confirmed."]
