"""The review queue: its order, its questions, its counts, what it is called, and for whom."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission

from proctoring_site.audit.models import Action, AuditRecord
from proctoring_site.desk import queue, queue_counts
from sessions_app.models import Session, now
from sessions_app.review.states import Outcome
from tests.factories import NOON, make_session, make_staff
from tests.plans import explain
from tests.proctoring_site.desk.queued_sessions import COUNTS, EXPORT, LIST, PASS, scored

pytestmark = pytest.mark.usefixtures("committed_database")


def names(client, **query):
    answer = client.get(LIST, query)
    assert answer.status_code == 200, answer
    return [session.candidate_name for session in answer.context["cl"].result_list]


class TestTheOrder:
    def test_is_unreviewed_first_then_second_reviews_and_in_each_the_worst_band(self, reviewer):
        for outcome in (Outcome.PASSED, Outcome.SECOND_REVIEW_REQUIRED, Outcome.NOT_REVIEWED):
            for band in ("low", "high", "insufficient_data", "medium"):
                scored(f"{outcome} {band}", band=band, outcome=outcome)
        expected = [
            f"{outcome} {band}"
            for outcome in (Outcome.NOT_REVIEWED, Outcome.SECOND_REVIEW_REQUIRED, Outcome.PASSED)
            for band in ("high", "medium", "insufficient_data", "low")
        ]
        assert names(reviewer) == expected

    def test_is_the_newest_first_among_equals(self, reviewer):
        for minute in (2, 9, 5):
            scored(str(minute), start_time=NOON + timedelta(minutes=minute))
        assert names(reviewer) == ["9", "5", "2"]

    def test_has_closed_sessions_only_and_a_search_finds_the_others(self, reviewer):
        scored("closed")
        make_session(candidate_name="open")
        assert names(reviewer) == ["closed"]
        assert names(reviewer, q="open") == names(reviewer, state="running") == ["open"]
        assert set(names(reviewer, show="all")) == {"closed", "open"}


class TestQuestions:
    @pytest.fixture(autouse=True)
    def sessions(self, committed_database):
        scored("plain")
        scored("bad", band="high", policy_version=2, video_path="videos/x.webm")
        scored("unwatched", band="insufficient_data", covered=0.3)
        scored("mine", assigned_to="rita", due_at=now() - timedelta(days=1))
        scored("my group's", assigned_to="group:Reviewer")
        scored("another's", assigned_to="otto", due_at=now() + timedelta(days=1))
        scored("passed", outcome=Outcome.PASSED, outcome_by="otto")
        scored("second", band="medium", outcome=Outcome.SECOND_REVIEW_REQUIRED)
        scored("terminated", start_time=NOON - timedelta(days=90))
        Session.objects.filter(candidate_name="terminated").update(status="terminated")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"assigned": "mine"}, {"mine", "my group's"}),
            ({"assigned": "me"}, {"mine"}),
            ({"assigned": "late"}, {"mine"}),
            ({"assigned": "overdue"}, {"mine"}),
            ({"assigned": "nobody", "band": "low"}, {"plain", "passed", "terminated"}),
            ({"below": "80"}, {"bad", "second"}),
            ({"below": "50"}, {"bad"}),
            ({"review": "second"}, {"second"}),
            ({"review": "decided"}, {"passed"}),
            ({"review": "passed"}, {"passed"}),
            ({"review": "violation"}, set()),
            ({"review": "awaiting", "band": "high"}, {"bad"}),
            ({"coverage": "missing"}, {"unwatched"}),
            ({"video": "yes"}, {"bad"}),
            ({"state": "terminated"}, {"terminated"}),
            ({"policy": "2"}, {"bad"}),
            ({"band": "insufficient_data"}, {"unwatched"}),
            ({"start_time__lt": "2026-02-01 00:00:00+00:00"}, {"terminated"}),
            ({"review": "open", "assigned": "mine", "band": "low"}, {"mine", "my group's"}),
        ],
    )
    def test_are_answered(self, reviewer, query, expected):
        assert set(names(reviewer, **query)) == expected

    def test_decided_ones_of_which_more_was_seen_since_can_be_asked_for(self, reviewer):
        scored("late", outcome=Outcome.PASSED, open_incidents=1, new_incidents=1)
        scored("undecided", open_incidents=1)
        assert names(reviewer, review="late") == ["late"]

    @pytest.mark.parametrize(
        "query",
        ["below=abc", "below=101", "below=0001" + "9" * 5000, "policy=x", f"policy={'9' * 30}", "start_time__gte=x"],
    )
    def test_what_is_no_answer_leads_to_a_message(self, reviewer, query):
        answer = reviewer.get(f"{LIST}?{query}")
        assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?e=1")

    @pytest.mark.parametrize("query", ["assigned=x", "review=x", "band=x", "coverage=x", "show=x", "state=x", "video="])
    def test_an_unknown_choice_filters_nothing(self, reviewer, query):
        assert len(reviewer.get(f"{LIST}?{query}").context["cl"].result_list) == 9

    def test_go_on_in_a_list_of_those_that_run(self, reviewer):
        assert names(reviewer, state="running", review="awaiting", assigned="me") == []


class TestASearch:
    def test_is_by_a_beginning_else_by_a_part_in_any_case(self, reviewer):
        for name in ("Ada Lovelace", "Grace Hopper", "Granada"):
            make_session(candidate_name=name)
        assert names(reviewer, q="Ada") == ["Ada Lovelace"]
        assert set(names(reviewer, q="ADA")) == {"Ada Lovelace", "Granada"}
        assert names(reviewer, q="hopp") == ["Grace Hopper"]

    def test_by_a_part_that_too_many_names_have_finds_them_all(self, reviewer, monkeypatch):
        monkeypatch.setattr(queue, "NAMES_MAX", 2)
        for n in range(4):
            make_session(candidate_name=f"Name {n}")
        assert len(names(reviewer, q="ame")) == 4

    def test_reads_the_index_of_names_and_then_what_it_shows(self):
        for n in range(100):
            make_session(candidate_name=f"Name {n}")
        names_plan = explain(
            Session.objects.filter(candidate_name__icontains="me 7").order_by().values("candidate_name").distinct()
        )
        assert (names_plan.index_names, names_plan.docs_examined) == ({"sessions_name"}, 0)
        plan = explain(Session.objects.filter(candidate_name__in=queue.names_with("me 7")).newest_first()[:51])
        assert (plan.index_names, plan.sorts_in_memory, plan.docs_examined) == ({"sessions_name"}, False, 11)


class TestTheCounts:
    def test_say_what_waits_and_for_me(self, reviewer):
        scored(band="high")
        scored(band="high", assigned_to="rita", due_at=now() - timedelta(hours=1))
        scored(band="medium", outcome=Outcome.SECOND_REVIEW_REQUIRED, assigned_to="group:Reviewer")
        scored(band="high", outcome=Outcome.PASSED, assigned_to="rita")
        expected = {"high": "2", "medium": "0", "insufficient_data": "0", "low": "0"}
        expected |= {"second": "1", "mine": "2", "late": "1"}
        assert reviewer.get(COUNTS).json() == expected
        shown = reviewer.get(LIST).context["counts"]
        assert {count.key: count.text for count in shown} == expected
        for count in shown:
            assert len(reviewer.get(count.url).context["cl"].result_list) == count.n

    def test_beside_them_a_due_time_says_that_it_is_utc(self, reviewer):
        scored(assigned_to="rita", due_at=NOON)
        assert f">due {NOON:%Y-%m-%d %H:%M} UTC<" in reviewer.get(LIST).content.decode()

    def test_end_where_more_is_said(self, reviewer, monkeypatch):
        monkeypatch.setattr(queue_counts, "COUNTED_UP_TO", 3)
        for _ in range(5):
            scored(band="high")
        assert reviewer.get(COUNTS).json()["high"] == "3+"


class TestItsName:
    """What the page is called, and what stands for it among the pages of the desk."""

    @pytest.mark.parametrize(
        ("group", "query", "title", "way"),
        [
            ("Reviewer", "", "Review queue", "Queue"),
            ("Reviewer", "?show=all", "Sessions", "Queue"),
            ("Proctor", "", "Sessions", "Sessions"),
            ("Operator", "", "Sessions", "Sessions"),
        ],
    )
    def test_is_of_what_its_reader_finds_there(self, as_staff, group, query, title, way):
        page = as_staff(group).get(f"{LIST}{query}").content.decode()
        assert f"<h1>{title}</h1>" in page
        assert re.findall(r'aria-current="page">(\w+)</a>', page) == [way]

    @pytest.mark.parametrize(("group", "told"), [("Reviewer", True), ("Proctor", True), ("Operator", False)])
    def test_stands_with_what_the_scores_mean_where_there_are_any(self, as_staff, group, told):
        page = as_staff(group).get(LIST).content.decode()
        assert ("Flags are not findings; a person decides. A score of 100 is best" in page) is told


def test_a_list_without_a_session_offers_nothing_to_do_to_them(as_staff):
    operator = as_staff("Operator")
    assert 'name="action"' not in operator.get(LIST).content.decode()
    make_session()
    assert 'name="action"' in operator.get(LIST).content.decode()


class TestWhoMay:
    @pytest.mark.parametrize("group", ["Proctor", "Operator", "Auditor"])
    def test_only_reviewers_have_a_queue(self, as_staff, group):
        client, session = as_staff(group), scored()
        for path in (EXPORT, PASS, COUNTS):
            assert client.get(path).status_code == 404
        assert client.post(PASS, {"session": session.pk}).status_code == 404
        if group != "Auditor":
            assert client.get(LIST, {"band": "low"}).status_code in (200, 302)
            assert "queue-counts" not in client.get(LIST).content.decode()

    def test_who_may_look_and_not_decide_is_offered_no_deed(self, committed_database, client):
        account = make_staff()
        account.user_permissions.set(permissions("view_session", "view_evidence"))
        client.force_login(account)
        scored()
        page = client.get(LIST)
        assert page.context["cl"].result_list
        assert "assign_sessions" not in page.content.decode()
        assert client.get(PASS).status_code == 404

    def test_a_look_is_on_record_with_those_that_were_shown(self, reviewer):
        session = scored()
        reviewer.get(LIST, {"band": "low"})
        listed = AuditRecord.objects.get(actor_name="rita", action=Action.LISTED)
        assert listed.details == {"filters": ["band", "queue"], "sessions": [session.pk]}

    def test_names_in_any_script_are_text(self, reviewer):
        scored("<script>alert(1)</script> مرشحة 👩🏽‍💻")
        for path in (LIST, PASS):
            page = reviewer.get(path).content.decode()
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page


def permissions(*codenames):
    return Permission.objects.filter(codename__in=codenames)
