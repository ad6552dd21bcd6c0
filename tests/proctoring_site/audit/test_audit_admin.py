"""The audit log in the admin: what the list finds and costs, and what a record shows."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring_site.audit.models import Action
from tests.access import caller
from tests.audit_records import EXPORT, LIST, exported, make_record, recording, write, write_many
from tests.factories import NOON, make_staff
from tests.plans import explain

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7|add:7 }}"


def page_of(record):
    return f"{LIST}{record.pk}/change/"


def shown(auditor, **query):
    answer = auditor.get(LIST, query)
    assert answer.status_code == 200, answer
    return [record.details["n"] for record in answer.context["cl"].result_list]


def commands(auditor, url):
    with CaptureQueriesContext(connection) as captured:
        assert auditor.get(url).status_code == 200
    return len(captured)


class TestTheList:
    def test_says_when_who_what_which_and_from_where(self, auditor):
        write(make_record(address="203.0.113.7", at=NOON + timedelta(seconds=5)))
        page = auditor.get(LIST).content.decode()
        for text in ("2026-03-02 12:00:05", "rita", "Looked", "Session", "exam-1", "203.0.113.7", "request-1"):
            assert text in page

    def test_says_of_everybody_who_is_no_account_what_they_are(self, auditor):
        write(
            make_record(actor_kind="token", actor_name="LMS of olive"),
            make_record(actor_kind="candidate", actor_name=""),
            make_record(actor_kind="command", actor_name="manage.py shell"),
        )
        page = auditor.get(LIST).content.decode()
        for text in ("LMS of olive (token)", ">Candidate<", "manage.py shell (command)"):
            assert text in page

    def test_is_newest_first_and_pages_hold_each_once(self, auditor):
        write(*(make_record(at=NOON + timedelta(minutes=n % 7), details={"n": n}) for n in range(120)))
        seen = [n for page in (1, 2, 3) for n in shown(auditor, p=page)]
        assert sorted(seen) == list(range(120))
        assert [n % 7 for n in seen] == sorted((n % 7 for n in range(120)), reverse=True)

    def test_costs_as_many_queries_however_many_records(self, auditor):
        write_many(5)
        few = commands(auditor, LIST)
        write_many(60)
        assert commands(auditor, LIST) == few <= 6

    def test_counts_a_search_as_little(self, auditor):
        write_many(60)
        assert commands(auditor, f"{LIST}?q=rita") == commands(auditor, f"{LIST}?q=nothing-such") <= 7

    @pytest.mark.parametrize(
        "query", ["p=abc", "p=0", "p=99999", "o=3.-1", "all=", "action__exact=odd", "q=%20", "e=1"]
    )
    def test_odd_parameters_are_no_failure(self, auditor, query):
        write_many(2)
        assert auditor.get(f"{LIST}?{query}", follow=True).status_code == 200

    def test_a_text_with_a_nul_is_no_failure(self, auditor):
        write_many(2)
        assert auditor.get(f"{LIST}?q=a%00b").status_code == 200

    @pytest.mark.parametrize("query", ["actor_name__regex=(", "details__n=1", "changes__x=1", "id__in=%00"])
    def test_a_filter_that_is_not_offered_is_refused(self, auditor, query):
        for url in (LIST, EXPORT):
            assert auditor.get(f"{url}?{query}").status_code == 400

    def test_offers_nothing_that_changes(self, auditor):
        write_many(1)
        page = auditor.get(LIST).content.decode()
        for offer in ("/add/", 'name="action"', "delete"):
            assert offer not in page.replace("action__exact=deleted", "")


class TestFilters:
    @pytest.fixture(autouse=True)
    def records(self, auditor):
        write(
            make_record(at=NOON - timedelta(days=1), details={"n": 1}),
            make_record(at=NOON, action=Action.EXPORTED, details={"n": 2}),
            make_record(at=NOON + timedelta(hours=11, minutes=59), actor_kind="token", details={"n": 3}),
            make_record(at=NOON + timedelta(hours=12), object_kind="user", object_id="rita", details={"n": 4}),
        )

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [4, 3, 2, 1]),
            ({"action__exact": "exported"}, [2]),
            ({"actor_kind__exact": "token"}, [3]),
            ({"object_kind__exact": "user"}, [4]),
            ({"from": "2026-03-02"}, [4, 3, 2]),
            ({"until": "2026-03-02"}, [3, 2, 1]),
            ({"from": "2026-03-02", "until": "2026-03-02"}, [3, 2]),
            ({"from": "", "until": ""}, [4, 3, 2, 1]),
            ({"from": "2026-03-02", "action__exact": "looked", "actor_kind__exact": "user"}, [4]),
            ({"from": "2026-03-04"}, []),
        ],
    )
    def test_find_what_they_say_and_the_export_has_the_same(self, auditor, query, found):
        assert shown(auditor, **query) == found
        rows = [json.loads(row["details"]) for row in exported(auditor, **query)]
        assert [row["n"] for row in rows] == [n for n in found if n != 2]

    @pytest.mark.parametrize("day", ["garbage", "2026-02-30", "0000-00-00", "9999-12-31", "%00"])
    @pytest.mark.parametrize("url", [LIST, EXPORT])
    def test_a_day_that_is_none_leads_to_a_message(self, auditor, url, day):
        answer = auditor.get(f"{url}?until={day}")
        assert (answer.status_code, answer["Location"]) == (302, f"{LIST}?e=1")

    def test_days_keep_the_other_filters_and_the_search(self, auditor):
        page = auditor.get(
            LIST, {"action__exact": "looked", "q": "rita", "from": "2026-03-01", "p": 1}
        ).content.decode()
        form = page.split('class="audit-days"')[1].split("</form>")[0]
        assert '<input type="hidden" name="action__exact" value="looked">' in form
        assert '<input type="hidden" name="q" value="rita">' in form
        assert 'name="from" id="audit-from" value="2026-03-01"' in form
        assert 'name="p"' not in form


class TestSearch:
    @pytest.fixture(autouse=True)
    def records(self, auditor):
        write(
            make_record(actor_name="rita", object_id="abcdef-1", request_id="r-1", details={"n": 1}),
            make_record(actor_name="rita of LMS", object_id="abcdef-2", request_id="r-2", details={"n": 2}),
            make_record(actor_name="olive", object_kind="user", object_id="rita", request_id="r-3", details={"n": 3}),
            make_record(actor_name="a.b*", object_id="x", request_id="r-22", details={"n": 4}),
        )

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("rita", [3, 1]),  # exactly, as somebody and as an object
            ("rit", [3, 2, 1]),
            ("rita of LMS", [2]),
            ("rita of", [2]),
            ("  olive ", [3]),
            ("abcdef", [2, 1]),
            ("abcdef-2", [2]),
            ("r-2", [2]),
            ("a.b", [4]),
            ("a.b*", [4]),
            (".*", []),
            ("Rita", []),
            ("ita", []),
            ("", [4, 3, 2, 1]),
            ("x" * 40_000, []),
        ],
    )
    def test_finds_exactly_what_is_there_else_what_begins_so(self, auditor, text, found):
        assert sorted(shown(auditor, q=text), reverse=True) == found


class TestPlans:
    @pytest.fixture(autouse=True)
    def records(self, auditor):
        write_many(300, actor_name="rita", request_id="r-1")
        write_many(300, actor_name="olive", action=Action.EXPORTED, object_id="exam-2", request_id="r-2")

    @pytest.mark.parametrize(
        ("query", "indexes"),
        [
            ("", {"audit_newest"}),
            ("from=2026-03-02&until=2026-03-02", {"audit_newest"}),
            ("action__exact=exported", {"audit_action"}),
            ("action__exact=exported&from=2026-03-02", {"audit_action"}),
            ("q=olive", {"audit_actor", "audit_object", "audit_request"}),
            ("q=exam-1", {"audit_actor", "audit_object", "audit_request"}),
            ("q=r-2", {"audit_actor", "audit_object", "audit_request"}),
        ],
    )
    def test_the_first_page_is_read_in_the_order_of_an_index_and_no_more(self, auditor, query, indexes):
        plan = explain(auditor.get(f"{LIST}?{query}").context["cl"].queryset[:50])
        assert plan.index_names == indexes
        assert plan.uses_index
        assert not plan.sorts_in_memory
        assert plan.returned == 50
        assert plan.docs_examined <= 50

    @pytest.mark.parametrize("query", ["actor_kind__exact=user", "object_kind__exact=session&actor_kind__exact=user"])
    def test_other_filters_go_through_the_newest(self, auditor, query):
        plan = explain(auditor.get(f"{LIST}?{query}").context["cl"].queryset[:50])
        assert plan.uses_index
        assert not plan.sorts_in_memory

    def test_a_beginning_reads_what_begins_so(self, auditor):
        plan = explain(auditor.get(f"{LIST}?q=oli").context["cl"].queryset[:50])
        assert plan.uses_index, plan.stages
        assert plan.docs_examined <= 300


class TestTheRecordsPage:
    def test_shows_each_change_as_old_and_new(self, auditor):
        changes = {"is_staff": [False, True], "groups": [["Reviewer"], []], "email": ["", "r@example.org"]}
        (record,) = write(make_record(changes=changes, details={"events": 3, "filters": ["limit"], "video": None}))
        page = auditor.get(page_of(record)).content.decode()
        rows = [re.sub(r"<[^>]+>", "", row) for row in re.findall(r"<tr>(.*?)</tr>", page)]
        assert {"is_staffFalse→True", "groupsReviewer→–", "email–→r@example.org"} <= set(rows)
        assert {"events3", "filterslimit", "video–"} <= set(rows)

    def test_leads_to_all_by_and_all_about(self, auditor):
        (record,) = write(make_record(actor_name="LMS & co of rita", object_id="a/b?c"))
        page = auditor.get(page_of(record)).content.decode()
        assert f"{LIST}?q=LMS%20%26%20co%20of%20rita" in page
        assert f"{LIST}?q=a%2Fb%3Fc" in page

    def test_costs_few_queries(self, auditor):
        few, many = write(make_record(), make_record(changes={str(n): [n, n + 1] for n in range(50)}))
        assert commands(auditor, page_of(few)) == commands(auditor, page_of(many)) <= 5

    def test_has_no_field_no_button_and_no_history(self, auditor):
        (record,) = write(make_record())
        page = auditor.get(page_of(record)).content.decode()
        for offer in ('name="_save', 'name="actor_name"', "deletelink", "historylink"):
            assert offer not in page
        assert auditor.get(f"{LIST}{record.pk}/history/").status_code == 404

    @pytest.mark.parametrize("unknown", ["nobody", "000000000000000000000000", "_24gt", "%00"])
    def test_an_unknown_record_is_not_found(self, auditor, unknown):
        assert auditor.get(f"{LIST}{unknown}/change/").status_code == 404


def test_markup_is_inert_wherever_a_record_is_shown(auditor):
    texts = dict.fromkeys(("actor_name", "object_id", "request_id", "address"), HOSTILE)
    (record,) = write(make_record(**texts, changes={HOSTILE: [HOSTILE, [HOSTILE]]}, details={HOSTILE: {"a": HOSTILE}}))
    for url in (LIST, page_of(record), f"{LIST}?q=%3Cscript%3E&from=%22%3E%3Cscript%3E"):
        page = auditor.get(url, follow=True).content.decode()
        assert "&lt;script&gt;alert(1)" in page
        for live in ("<script>alert", "<img src=x", '"><script>'):
            assert live not in page


class TestWhoMaySee:
    @pytest.mark.parametrize("groups", [(), ("Reviewer",), ("Proctor",), ("Operator",)])
    @pytest.mark.parametrize("url", [LIST, EXPORT])
    def test_nobody_without_the_right(self, auditor, groups, url):
        browser = caller(signed_in=make_staff(*groups))
        write_many(1)
        with recording() as records:
            answer = browser.get(url)
        assert answer.status_code in (403, 404)
        assert records == []

    def test_a_stranger_is_sent_to_the_login(self, auditor):
        for url in (LIST, EXPORT):
            answer = caller().get(url)
            assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")

    def test_a_superuser_sees_it(self, auditor):
        root = caller(signed_in=get_user_model().objects.create_superuser("root"))
        write_many(1)
        assert root.get(LIST).status_code == 200
        assert root.get(EXPORT).status_code == 200
