"""The review pages: they find and show, cost the same however full, and change nothing."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring_site.desk.session_context import EVENTS_PER_PAGE
from sessions_app import services
from sessions_app.models import Event, Session
from tests.factories import NOON, make_event, make_session, make_sessions, old_event, old_session, write_old_documents
from tests.plans import explain

LIST = "/admin/sessions_app/session/"
#: Newest first, and those that run; a reviewer's own list is the queue (tests/proctoring_site/desk/test_queue.py).
ALL = f"{LIST}?show=all"


@pytest.fixture
def reviewer(committed_database, client):
    """A reviewer's browser. Committed: the unfiltered list asks the collection for its size, past any transaction."""
    account = get_user_model().objects.create_user("rita", is_staff=True)
    account.groups.add(Group.objects.get(name="Reviewer"))
    client.force_login(account)
    return client


def page_of(session):
    return f"{LIST}{session.pk}/change/"


def shown(reviewer, **query):
    answer = reviewer.get(LIST, {"show": "all", **query})
    assert answer.status_code == 200
    return [session.candidate_name for session in answer.context["cl"].result_list]


def commands(reviewer, url):
    """What the database was asked, pymongo's own calls included."""
    with CaptureQueriesContext(connection) as captured:
        assert reviewer.get(url).status_code == 200
    return len(captured)


class TestTheList:
    def test_it_shows_which_who_when_state_and_score(self, reviewer):
        session = make_session(candidate_name="Grace Hopper", end_time=NOON + timedelta(hours=1))
        make_event(session, event_type="phone_detected")
        page = reviewer.get(ALL).content.decode()
        for text in ("Grace Hopper", "2026-03-02 12:00:00", "Ended", "85", "low", page_of(session)):
            assert text in page
        assert f"/sessions/{session.pk}/report.csv" in page

    def test_it_is_newest_first(self, reviewer):
        for minute in (2, 9, 5):
            make_session(candidate_name=str(minute), start_time=NOON + timedelta(minutes=minute))
        assert shown(reviewer) == ["9", "5", "2"]

    def test_it_shows_adopted_sessions_without_counts_and_counts_them_once(self, reviewer):
        old = old_session()
        write_old_documents([old], [old_event(old, event_type="phone_detected"), old_event(old)])
        first = commands(reviewer, ALL)
        assert commands(reviewer, ALL) < first
        assert Session.objects.get().counts == {"phone_detected": 1, "focus_lost": 1}

    def test_the_number_of_queries_does_not_grow_with_the_sessions(self, reviewer):
        make_sessions(5)
        few = commands(reviewer, ALL)
        make_sessions(55)
        assert (
            commands(reviewer, ALL) == few <= 9
        )  # two of them for the rights, two for what is offered, one for the audit log

    def test_nor_with_adopted_sessions_that_are_to_be_counted(self, reviewer):
        def adopt(count):
            sessions = [old_session() for _ in range(count)]
            write_old_documents(sessions, [old_event(session) for session in sessions])

        adopt(5)
        few = commands(reviewer, ALL)
        Session.objects.all().delete()
        adopt(45)
        assert commands(reviewer, ALL) == few

    def test_it_pages(self, reviewer):
        for n in range(120):
            make_session(candidate_name=f"{n:03}", start_time=NOON + timedelta(minutes=n))
        seen = [name for page in (1, 2, 3) for name in shown(reviewer, p=page)]
        assert seen == [f"{n:03}" for n in reversed(range(120))]

    @pytest.mark.parametrize(
        "query", ["p=abc", "p=0", "p=-1", "p=99999", "o=99.-99.x", "all=", "state=odd", "band=odd", "video=maybe"]
    )
    def test_odd_parameters_are_no_failure(self, reviewer, query):
        make_session()
        assert reviewer.get(f"{LIST}?{query}", follow=True).status_code == 200

    @pytest.mark.parametrize("query", ["start_time__gte=garbage", "start_time__gte=0001-01-01T00:00:00%2B14:00"])
    def test_a_date_that_is_none_leads_to_a_message(self, reviewer, query):
        session = make_session()
        for page in ("", "queue/export/", "queue/pass-clean/", f"{session.pk}/next/"):
            answer = reviewer.get(f"{LIST}{page}?{query}")
            assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?e=1")

    @pytest.mark.parametrize(
        "query", ["candidate_name__regex=(", "event_counts__a=1", "events__message=x", "id__in=%00"]
    )
    def test_a_filter_that_is_not_offered_is_refused(self, reviewer, query):
        assert reviewer.get(f"{LIST}?{query}").status_code == 400

    @pytest.mark.parametrize("query", ["nosuchfield=1", "candidate_name__nosuch=1"])
    def test_a_filter_that_does_not_exist_is_no_failure(self, reviewer, query):
        assert reviewer.get(f"{LIST}?{query}", follow=True).status_code in (200, 400)


class TestFilters:
    @pytest.fixture(autouse=True)
    def sessions(self, reviewer):
        """Every band, running and ended, with and without a video."""
        Session.objects.bulk_create(
            Session(
                candidate_name=f"{band} {state} {video}",
                start_time=NOON,
                end_time=NOON if state == "ended" else None,
                video_path="videos/x.webm" if video == "yes" else None,
                event_counts={"phone_detected": phones, "a%2Eb": 3},
            )
            for band, phones in (("low", 0), ("medium", 2), ("high", 5))
            for state in ("running", "ended")
            for video in ("yes", "no")
        )
        assert all(
            session.candidate_name.startswith(services.score(session).risk_band) for session in Session.objects.all()
        )

    @pytest.mark.parametrize("band", ["low", "medium", "high", None])
    @pytest.mark.parametrize("state", ["running", "ended", None])
    @pytest.mark.parametrize("video", ["yes", "no", None])
    def test_each_alone_and_all_together(self, reviewer, band, state, video):
        asked = {"band": band, "state": state, "video": video}
        asked = {name: value for name, value in asked.items() if value}
        expected = {
            f"{b} {s} {v}"
            for b in ("low", "medium", "high")
            for s in ("running", "ended")
            for v in ("yes", "no")
            if band in (b, None) and state in (s, None) and video in (v, None)
        }
        names = shown(reviewer, **asked)
        assert set(names) == expected
        assert len(names) == len(expected)

    def test_with_a_date_and_a_search_besides(self, reviewer):
        make_session(candidate_name="low running no, long ago", start_time=NOON - timedelta(days=400))
        query = {"band": "low", "state": "running", "video": "no", "q": "low"}
        query |= {"start_time__gte": "2026-03-01 00:00:00+00:00", "start_time__lt": "2026-03-03 00:00:00+00:00"}
        assert shown(reviewer, **query) == ["low running no"]
        assert "By start (UTC)" in reviewer.get(LIST).content.decode()  # "today" is another day in Auckland

    def test_sessions_without_a_start_can_be_asked_for(self, reviewer):
        write_old_documents([old_session(candidate_name="No start", start_time=None)])
        assert shown(reviewer, start_time__isnull="True") == ["No start"]

    def test_a_weight_of_the_settings_moves_the_bands(self, reviewer, settings):
        settings.SCORE_WEIGHTS = {"phone_detected": 0}
        assert len(shown(reviewer, band="low")) == 12
        assert shown(reviewer, band="high") == []


class TestSearch:
    def test_by_a_part_of_the_name_in_any_case(self, reviewer):
        make_session(candidate_name="Grace Hopper")
        make_session(candidate_name="Ada")
        assert shown(reviewer, q="HOPP") == ["Grace Hopper"]

    def test_by_an_id_or_its_beginning(self, reviewer):
        session, _ = make_session(candidate_name="Wanted"), make_session()
        assert "Wanted" in shown(reviewer, q=session.pk)
        assert "Wanted" in shown(reviewer, q=session.pk[:13])

    @pytest.mark.parametrize("text", [".*", "$", "(", "[", "a|b", "^A", "\\", "\\d", "{}", "+", "%"])
    def test_regex_characters_are_only_characters(self, reviewer, text):
        make_session(candidate_name="Ada")
        make_session(candidate_name=f"x{text}y")
        assert shown(reviewer, q=text) == [f"x{text}y"]

    @pytest.mark.parametrize("text", ["\0", "x" * 5000, "'\"<>&", "$where", "\ufffe", "  "])
    def test_odd_text_is_no_failure(self, reviewer, text):
        make_session()
        assert reviewer.get(LIST, {"q": text}).status_code == 200


class TestTheSessionPage:
    def test_it_shows_the_score_its_deductions_and_the_notice(self, reviewer):
        session = make_session(end_time=NOON + timedelta(minutes=3, seconds=5))
        for event_type in ("phone_detected", "phone_detected", "looking_away"):
            make_event(session, event_type=event_type)
        page = reviewer.get(page_of(session)).content.decode()
        assert "69" in page
        assert "Flags are not findings" in page
        assert "3 min 5 s" in page
        assert page.count("<td>phone_detected</td>") == 2

    def test_the_number_of_queries_does_not_grow_with_the_events(self, reviewer):
        session = make_session()
        for _ in range(10):
            make_event(session)
        few = commands(reviewer, page_of(session))
        Event.objects.bulk_create([Event(session=session, event_type="x") for _ in range(490)])
        connection.database["sessions"].update_one({"_id": session.pk}, {"$inc": {"event_counts.x": 490}})
        assert commands(reviewer, page_of(session)) == few <= 10

    def test_events_come_in_pages_that_hold_each_once(self, reviewer):
        session = make_session()
        count = 2 * EVENTS_PER_PAGE + 1
        Event.objects.bulk_create([Event(session=session, event_type="x", timestamp=NOON) for _ in range(count)])
        connection.database["sessions"].update_one({"_id": session.pk}, {"$set": {"event_counts": {"x": count}}})
        ids = []
        for number in (1, 2, 3):
            answer = reviewer.get(page_of(session), {"events": number})
            ids += [event.pk for event in answer.context["event_page"]]
            assert f"of {count}" in answer.content.decode()
        assert len(ids) == len(set(ids)) == count

    @pytest.mark.parametrize("number", ["", "abc", "0", "-1", "99999", "1.5", "%00", "9" * 400, "²", "last"])
    def test_odd_page_numbers_are_no_failure(self, reviewer, number):
        session = make_session()
        make_event(session)
        assert reviewer.get(f"{page_of(session)}?events={number}").status_code == 200

    def test_a_session_without_events_says_so(self, reviewer):
        assert "No events were reported" in reviewer.get(page_of(make_session())).content.decode()

    def test_an_adopted_session_is_counted_when_it_is_opened(self, reviewer):
        old = old_session(candidate_name=None, start_time=None, video_path="data\\videos\\x y.webm")
        write_old_documents([old], [old_event(old, event_type=None, message=None, timestamp=None)])
        answer = reviewer.get(f"{LIST}{old['_id']}/change/")
        assert answer.status_code == 200
        assert "/videos/x%20y.webm" in answer.content.decode()
        assert Session.objects.get().counts == {"": 1}

    @pytest.mark.parametrize("unknown", ["nobody", "00000000-0000-4000-8000-000000000000", "_24gt", "%00"])
    def test_an_unknown_session_is_not_found(self, reviewer, unknown):
        answer = reviewer.get(f"{LIST}{unknown}/change/")
        assert answer.status_code == 404
        assert 'href="/admin/"' in answer.text


class TestNothingCanBeChanged:
    @pytest.mark.parametrize("method", ["get", "post"])
    @pytest.mark.parametrize("path", ["add/", "{id}/delete/"])
    def test_neither_added_nor_deleted(self, reviewer, method, path):
        session = make_session()
        answer = getattr(reviewer, method)(LIST + path.format(id=session.pk), {"post": "yes"})
        assert answer.status_code == 404
        assert Session.objects.count() == 1

    def test_nor_edited(self, reviewer):
        session = make_session()
        answer = reviewer.post(page_of(session), {"candidate_name": "Other", "_save": "Save"})
        assert answer.status_code == 404
        assert Session.objects.get().candidate_name == "Ada Example"

    @pytest.mark.parametrize("action", ["delete_selected", "no_such_action"])
    def test_nor_deleted_from_the_list(self, reviewer, action):
        session = make_session()
        answer = reviewer.post(LIST, {"action": action, "_selected_action": [session.pk], "post": "yes"})
        assert answer.status_code in (200, 302, 404)
        assert Session.objects.count() == 1

    def test_the_page_offers_no_field_and_no_button(self, reviewer):
        page = reviewer.get(page_of(make_session())).content.decode()
        assert not re.search(r'name="(_save|_continue|_addanother|candidate_name|end_time)"', page)
        assert "/add/" not in reviewer.get(ALL).content.decode()
        assert "deletelink" not in page

    def test_events_have_no_page_of_their_own(self, reviewer):
        assert reviewer.get("/admin/sessions_app/event/").status_code == 404


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7|add:7 }}{% now 'Y' %}"


def test_markup_in_names_types_and_messages_is_inert(reviewer):
    session = make_session(candidate_name=HOSTILE, video_path='videos/"><script>x</script>.webm')
    make_event(session, event_type="<script>t</script>", message=HOSTILE)
    make_event(session, event_type="phone_detected", message="javascript:alert(1)")
    for url in (ALL, page_of(session), f"{LIST}?q=%3Cscript%3E"):
        page = reviewer.get(url).content.decode()
        assert "&lt;script&gt;alert(1)" in page
        for live in ("<script>alert", "<script>t<", "<script>x<", "<img src=x"):
            assert live not in page


class TestThePlan:
    def test_of_the_list_is_the_order_of_an_index(self, reviewer):
        make_sessions(300)
        queryset = reviewer.get(ALL).context["cl"].queryset
        plan = explain(queryset[:50])
        assert plan.uses_index, plan.stages
        assert not plan.sorts_in_memory
        assert plan.docs_examined <= 50

    @pytest.mark.parametrize("query", ["state=running", "state=running&band=low", "state=ended", "band=high&video=no"])
    def test_of_a_filtered_list_is_one_too(self, reviewer, query):
        make_sessions(150)
        make_sessions(150, end_time=NOON)
        queryset = reviewer.get(f"{ALL}&{query}").context["cl"].queryset
        plan = explain(queryset[:50])
        assert plan.uses_index, plan.stages
        assert not plan.sorts_in_memory

    def test_of_a_page_of_events_is_the_timelines_index(self, reviewer):
        session = make_session()
        Event.objects.bulk_create([Event(session=session, event_type="x") for _ in range(500)])
        plan = explain(session.events.in_order()[200:400])
        assert plan.index_names == {"events_order"}
        assert plan.docs_examined <= 400
        assert not plan.sorts_in_memory


class TestOddDocuments:
    def test_one_of_them_takes_neither_the_list_nor_the_reports_down(self, reviewer, api):
        odd = old_session(video_path=7, candidate_name=5)
        nameless = old_session(_id="not/an.id", video_path={"a": 1})
        write_old_documents([odd, nameless], [old_event(odd, message=[1, 2])])
        assert reviewer.get(ALL).status_code == 200
        for suffix in ("report", "report.html", "report.csv"):
            assert api.get(f"/sessions/{odd['_id']}/{suffix}").status_code == 200

    def test_a_search_longer_than_any_name_finds_nothing_and_fails_nothing(self, reviewer):
        assert reviewer.get(LIST, {"q": "x" * 40_000}).status_code == 200
