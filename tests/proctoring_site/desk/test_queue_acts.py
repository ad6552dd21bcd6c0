"""What is done to many sessions of the review queue at once: assigning, passing, exporting."""

import csv
import io
import re
from datetime import timedelta

import pytest

from proctoring_site.audit.models import Action, AuditRecord
from proctoring_site.csv_cells import FOR_EXCEL
from proctoring_site.desk import bulk
from sessions_app.models import Session
from sessions_app.review import assignment
from sessions_app.review.states import Outcome
from tests.factories import NOON, make_session, make_staff
from tests.proctoring_site.desk.queued_sessions import EXPORT, LIST, PASS, scored

pytestmark = pytest.mark.usefixtures("committed_database")


class TestAssigning:
    def assign(self, client, to, *sessions, **more):
        form = {"action": "assign_sessions", "assign_to": to, "_selected_action": [each.pk for each in sessions]}
        form |= more
        page = client.post(LIST, form, follow=True)
        return [str(message) for message in page.context["messages"]]

    def test_to_me_to_a_group_and_to_nobody(self, reviewer):
        one, two = scored(), scored()
        for to, stored, whom in (("me", "rita", "rita"), ("group:Reviewer", "group:Reviewer", "Reviewer")):
            assert self.assign(reviewer, to, one, two) == [f"Sessions assigned to {whom}: 2."]
            assert set(Session.objects.values_list("assigned_to", flat=True)) == {stored}
        assert self.assign(reviewer, "nobody", one) == ["Sessions assigned to nobody: 1."]

    def test_leaves_what_somebody_else_got_since_the_list_was_drawn(self, reviewer):
        make_staff("Reviewer", username="otto")
        free, taken, handed_on = scored(), scored(), scored(assigned_to="group:Reviewer")
        page = reviewer.get(LIST).content.decode()
        told = dict(re.findall(r'<input type="hidden" name="(had-[^"]+)" value="([^"]*)">', page))
        assert told == {f"had-{free.pk}": "", f"had-{taken.pk}": "", f"had-{handed_on.pk}": "group:Reviewer"}
        Session.objects.filter(pk=taken.pk).update(assigned_to="otto")
        assert self.assign(reviewer, "me", free, taken, handed_on, **told) == [
            "Sessions assigned to rita: 2.",
            "Left as they are, because they changed in the meantime: 1.",
        ]
        assert Session.objects.get(pk=taken.pk).assigned_to == "otto"

    @pytest.mark.parametrize("to", ["", "group:Auditor", "group:", "somebody", "group:<b>"])
    def test_to_whom_nobody_can_assign_is_refused(self, reviewer, to):
        assert "may decide" in self.assign(reviewer, to, scored())[0]
        assert Session.objects.get().assigned_to is None

    def test_is_offered_with_the_groups_that_may_decide(self, reviewer):
        scored()
        assert reviewer.get(LIST).context["assign_choices"] == bulk.assign_choices()
        assert [value for value, _ in bulk.assign_choices()] == ["me", "group:Reviewer", "nobody"]


def test_assignment_names_are_those_of_the_account():
    assert assignment.names_of(make_staff("Reviewer", username="rita")) == ["rita", "group:Reviewer"]


class TestPassingTheClean:
    @pytest.fixture(autouse=True)
    def sessions(self, committed_database):
        self.clean = [scored(f"clean {n}") for n in range(3)]
        self.others = [scored("bad", band="high"), scored("confirmed", confirmed_incidents=1)]
        self.others += [scored("passed", outcome=Outcome.PASSED), scored("below", reviewed_score=94)]

    def test_asks_first_and_says_how_many(self, reviewer):
        selected = [*self.clean[:2], *self.others]
        form = {"action": "pass_clean_sessions", "_selected_action": [each.pk for each in selected]}
        page = reviewer.post(LIST, form)
        text = page.content.decode()
        assert "<b>2</b> sessions without reviewing them?" in text
        assert "clean 0" in text
        assert "bad" not in text.partition("<form")[0].partition("content")[2]
        assert not Session.objects.exclude(candidate_name="passed").filter(review_outcome="passed").exists()

    def test_passes_those_that_were_shown_and_says_so(self, reviewer):
        asked = reviewer.get(PASS, {"band": "low"})
        (shown,) = AuditRecord.objects.filter(action=Action.LISTED)
        assert set(shown.details["sessions"]) == {session.pk for session in self.clean}
        assert f'{self.clean[0].pk}/change/?_changelist_filters=band%3Dlow">' in asked.content.decode()
        assert f'<a href="{LIST}?band=low">Sessions</a>' in asked.content.decode()
        assert {session.pk for session in asked.context["sessions"]} == {session.pk for session in self.clean}
        changed = self.clean[0]
        Session.objects.filter(pk=changed.pk).update(reviewed_score=10)
        form = {"session": [each.pk for each in (*self.clean, self.others[0])], "reason": "nothing seen"}
        page = reviewer.post(f"{PASS}?band=low", form, follow=True)
        assert page.redirect_chain[-1][0] == f"{LIST}?band=low"
        said = [str(message) for message in page.context["messages"]]
        assert said == ["Sessions passed: 2.", "Left as they are, because they changed in the meantime: 2."]
        passed = Session.objects.filter(review_outcome="passed", outcome_by="rita")
        assert {session.candidate_name for session in passed} == {"clean 1", "clean 2"}

    def test_says_of_how_many_nobody_knows_what_was_watched_and_leaves_them_out_if_asked(self, reviewer):
        assert "Pass 3 sessions</button>" in reviewer.get(PASS).content.decode()
        watched = self.clean[0]
        Session.objects.filter(pk=watched.pk).update(covered=0.9)
        text = reviewer.get(PASS).content.decode()
        assert "For <b>2</b> of them it is not known how much was watched" in text
        assert text.count("score 100, not known how much was watched") == 2
        assert "Pass all 3</button>" in text
        which = re.search(r'name="(which)" value="(watched)".*?>Pass the 1 with enough watched<', text).groups()
        page = reviewer.post(PASS, {"session": [each.pk for each in self.clean], **dict([which])}, follow=True)
        assert [str(message) for message in page.context["messages"]] == ["Sessions passed: 1."]
        assert Session.objects.get(review_outcome="passed", outcome_by="rita").pk == watched.pk

    def test_with_a_reason_that_is_too_long_is_refused(self, reviewer):
        form = {"session": [each.pk for each in self.clean], "reason": "x" * 1001}
        page = reviewer.post(PASS, form, follow=True)
        said = [str(message) for message in page.context["messages"]]
        assert said == ["A reason has at most 1000 characters. Nothing was done."]
        assert not Session.objects.filter(review_outcome="passed", outcome_by="rita").exists()

    def test_of_a_list_without_any_says_so(self, reviewer):
        assert "None of these sessions is clean" in reviewer.get(PASS, {"band": "high"}).content.decode()

    def test_is_done_in_parts(self, reviewer, monkeypatch):
        monkeypatch.setattr(bulk, "PASSED_AT_ONCE", 2)
        page = reviewer.get(PASS)
        assert len(page.context["sessions"]) == 2
        assert "There are more" in page.content.decode()


class TestTheExport:
    def rows(self, client, **query):
        answer = client.get(EXPORT, query)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        content = answer.getvalue()
        assert content.startswith(FOR_EXCEL)
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))

    def test_is_the_filtered_list_in_its_order(self, reviewer, monkeypatch):
        monkeypatch.setattr("proctoring_site.desk.queue_export.ROWS_AT_ONCE", 2)
        for n in range(5):
            scored(f"high {n}", band="high", start_time=NOON + timedelta(minutes=n))
        scored("low")
        rows = self.rows(reviewer, band="high")
        assert [row["candidate_name"] for row in rows] == [f"high {n}" for n in (4, 3, 2, 1, 0)]
        assert rows[0]["reviewed_score"] == "20"
        assert rows[0]["review_outcome"] == "not_reviewed"

    def test_neutralises_formulas(self, reviewer):
        scored('=HYPERLINK("http://evil")')
        assert self.rows(reviewer)[0]["candidate_name"] == '\'=HYPERLINK("http://evil")'

    def test_leaves_the_name_of_a_nameless_session_empty(self, reviewer):
        Session.objects.filter(pk=scored().pk).update(candidate_name=None)
        assert self.rows(reviewer)[0]["candidate_name"] == ""

    def test_of_a_search_goes_over_all_sessions(self, reviewer):
        make_session(candidate_name="Runa")
        (row,) = self.rows(reviewer, q="Runa")
        assert (row["state"], row["reviewed_score"]) == ("running", "")

    def test_is_on_record_with_all_that_it_tells_of(self, reviewer, monkeypatch):
        monkeypatch.setattr("proctoring_site.desk.queue_export.ROWS_AT_ONCE", 2)
        for n in range(3):
            scored(start_time=NOON + timedelta(minutes=n))
        ids = [row["id"] for row in self.rows(reviewer, band="low")]
        told = AuditRecord.objects.filter(action=Action.LISTED).order_by("at")
        assert [(each.actor_name, each.address, each.details["sessions"]) for each in told] == [
            ("rita", "127.0.0.1", ids[:2]),
            ("rita", "127.0.0.1", ids[2:]),
        ]
        exported = AuditRecord.objects.get(action=Action.EXPORTED)
        assert (exported.actor_name, exported.object_kind, exported.details) == (
            "rita",
            "session",
            {"filters": ["band"]},
        )
