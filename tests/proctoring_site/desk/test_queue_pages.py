"""The pages of the review queue, what follows on a session's page, and what they cost."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring_site import keyset
from proctoring_site.desk import session_context
from sessions_app.models import Session
from sessions_app.querysets import QUEUE_ORDER
from sessions_app.review.states import Outcome
from tests.audit_records import recording
from tests.factories import NOON, make_event, make_session, make_sessions
from tests.plans import explain
from tests.proctoring_site.desk.queued_sessions import LIST, keep, scored, standing

pytestmark = pytest.mark.usefixtures("committed_database")


class TestTheNext:
    def next_of(self, client, session, **asked):
        """The session to which one leads, by the list that it was opened from; None: back to that list."""
        with recording() as records:
            to = urlsplit(client.get(f"{LIST}{session.pk}/next/", asked)["Location"])
        assert records == [], "none is shown"
        if to.path == LIST:
            assert to.query == urlencode(asked)
            return None
        assert parse_qs(to.query) == ({"_changelist_filters": [urlencode(asked)]} if asked else {})
        return Session.objects.get(pk=to.path.removeprefix(LIST).partition("/")[0]).candidate_name

    def test_is_what_follows_of_what_waits_and_after_the_last_the_first(self, reviewer):
        high, low = scored("high", band="high"), scored("low", start_time=NOON)
        lower = scored("lower", start_time=NOON - timedelta(hours=1))
        decided, runs = scored("passed", outcome=Outcome.PASSED), make_session(candidate_name="runs")
        assert [self.next_of(reviewer, each) for each in (high, low, lower)] == ["low", "lower", "high"]
        assert [self.next_of(reviewer, each) for each in (decided, runs)] == ["high", "high"]
        assert (
            self.next_of(reviewer, decided, band="low") == self.next_of(reviewer, lower, band="low", after="x") == "low"
        )
        assert self.next_of(reviewer, high, band="high") is None
        said = [str(message) for message in reviewer.get(f"{LIST}?band=high").context["messages"]]
        assert said == ["No other session in this list is waiting for a decision."]
        page = reviewer.get(f"{LIST}{low.pk}/change/", {"_changelist_filters": "band=low&q=a b"})
        assert f'href="{LIST}{low.pk}/next/?band=low&amp;q=a b"' in page.text

    def test_stays_of_the_same_list_whatever_is_pressed_on_the_page(self, reviewer, as_staff, monkeypatch):
        monkeypatch.setattr(session_context, "EVENTS_PER_PAGE", 1)
        session, filters = make_session(), {"_changelist_filters": "band=low&q=a b"}
        for _ in range(2):
            make_event(session, event_type="phone_detected")
        kept = urlencode(filters)
        page = reviewer.get(f"{LIST}{session.pk}/change/", {**filters, "type": "phone_detected"})
        own = re.findall(r'href="(\?[^"]*)"', page.text)
        assert {"incident", "events", "type"} <= {name for link in own for name in parse_qs(unescape(link[1:]))}
        assert [link for link in own if kept not in link] == []
        assert f'action="{LIST}{session.pk}/review/?{kept}"' in page.text
        told = {"verb": "note", "review_revision": 0, "text": "Looks"}
        assert kept in reviewer.post(f"{LIST}{session.pk}/review/?{kept}", told)["Location"]
        proctor = as_staff("Proctor")
        assert f'action="{LIST}{session.pk}/act/?{kept}"' in proctor.get(f"{LIST}{session.pk}/change/", filters).text
        left = proctor.post(f"{LIST}{session.pk}/act/?{kept}", {"verb": "terminate", "reason_code": "other"})[
            "Location"
        ]
        assert urlsplit(left).path == LIST
        assert parse_qs(urlsplit(left).query) == {"band": ["low"], "q": ["a b"]}

    def test_is_for_who_has_a_queue(self, as_staff):
        runs = make_session()
        proctor = as_staff("Proctor")
        assert "rp-next" not in proctor.get(f"{LIST}{runs.pk}/change/").text
        assert proctor.get(f"{LIST}{runs.pk}/next/").status_code == 404


class TestPages:
    def test_follow_each_other_forth_and_back_with_each_session_once(self, reviewer):
        starts = [NOON + timedelta(minutes=n // 3) for n in range(110)] + [None] * 10
        keep(standing(f"{n:03}", band="high" if n % 2 else "low", start_time=at) for n, at in enumerate(starts))
        forth, links = self.walk(reviewer, "Next")
        assert len(forth) == 3
        seen = [name for page in forth for name in page]
        assert sorted(seen) == [f"{n:03}" for n in range(120)]
        assert seen == [each.candidate_name for each in Session.objects.order_by(*QUEUE_ORDER)]
        back, _ = self.walk(reviewer, "Previous", links)
        assert back == forth[::-1]

    @pytest.mark.parametrize(
        "cursor",
        ["x", "W10", "bnVsbA", "WzEsMiwzXQ", "é", "W" * 5000, "WyJhIiwgImIiLCAiYyJd", "WzAsbnVsbCwiXHVkODAwIl0"],
    )
    @pytest.mark.parametrize("name", ["after", "before"])
    def test_a_cursor_that_is_none_leads_to_a_message(self, reviewer, name, cursor):
        scored()
        answer = reviewer.get(LIST, {name: cursor})
        assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?e=1")

    @pytest.mark.parametrize("question", [{}, {"review": "awaiting"}], ids=str)
    @pytest.mark.parametrize("name", ["after", "before"])
    def test_one_where_nothing_stands_any_more_leads_back_to_the_first(self, reviewer, name, question):
        gone = scored()
        cursor = keyset.cursor_of(gone, QUEUE_ORDER)
        Session.objects.filter(pk=gone.pk).delete()
        page = reviewer.get(LIST, {name: cursor, **question})
        assert "There is nothing more here." in page.content.decode()
        assert page.context["cl"].links == {"First": f"?{urlencode(question)}"}

    def test_keep_the_filters_and_filters_begin_at_the_first_page(self, reviewer):
        for _ in range(60):
            scored(band="high")
        links = reviewer.get(LIST, {"band": "high"}).context["cl"].links
        second = reviewer.get(f"{LIST}{links['Next']}")
        assert len(second.context["cl"].result_list) == 10
        assert "after=" not in "".join(
            choice["query_string"] for spec in second.context["cl"].filter_specs for choice in choices(spec, second)
        )

    def walk(self, client, said, first=""):
        pages, address = [], first
        while True:
            cl = client.get(f"{LIST}{address}").context["cl"]
            pages.append([session.candidate_name for session in cl.result_list])
            if said not in cl.links:
                return pages, address
            address = cl.links[said]


def choices(spec, answer):
    return [choice for choice in spec.choices(answer.context["cl"]) if "query_string" in choice]


class TestWhatItCosts:
    def test_is_as_many_queries_however_many_sessions_on_the_first_page_and_later(self, reviewer):
        scored()
        few = self.commands(reviewer, "")
        keep(standing(start_time=NOON + timedelta(minutes=n)) for n in range(120))
        assert self.commands(reviewer, "") == few <= 9  # and seven that count, each up to a limit
        (later,) = reviewer.get(LIST).context["cl"].links.values()
        assert self.commands(reviewer, later) <= few + 3  # a page after a cursor is up to four ranges of the index

    def test_the_plan_is_the_order_of_an_index(self, reviewer):
        keep(standing(start_time=NOON + timedelta(minutes=n)) for n in range(100))
        keep(standing(assigned_to="rita", policy_version=2) for _ in range(100))
        make_sessions(100)
        for query, index, examined in (
            ("", "sessions_queue", 51),
            ("review=awaiting", "sessions_queue", 51),
            ("review=awaiting&band=low", "sessions_queue", 51),
            ("band=low", "sessions_queue", 51),
            ("assigned=me", "sessions_assigned", 51),
            ("policy=2", "sessions_policy", 51),
            ("review=second", "sessions_queue", 51),
            ("review=late", "sessions_queue", 51),
            ("video=yes", "sessions_queue", 300),
            ("below=50", "sessions_queue", 300),
        ):
            queryset = reviewer.get(f"{LIST}?{query}").context["cl"].queryset
            plan = explain(queryset.order_by(*QUEUE_ORDER)[:51])
            assert plan.index_names == {index}, query
            assert not plan.sorts_in_memory, query
            assert plan.docs_examined <= examined, query

    def test_the_plan_of_a_later_page_is_one_range_of_it(self):
        keep(standing(start_time=NOON + timedelta(minutes=n)) for n in range(200))
        first = keyset.page_of(Session.objects.in_queue(), QUEUE_ORDER, size=150)
        last = first.rows[-1]
        later = Session.objects.in_queue().filter(queue_rank=3, start_time__lt=last.start_time).order_by(*QUEUE_ORDER)
        plan = explain(later[:51])
        assert (plan.index_names, plan.sorts_in_memory, plan.docs_examined) == ({"sessions_queue"}, False, 50)

    def commands(self, client, address):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{LIST}{address}").status_code == 200
        return len(captured)
