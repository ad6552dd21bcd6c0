"""The list of sessions: newest first, in pages that cost the same wherever they are."""

import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.db.models import Q, QuerySet

from sessions_app.models import Session
from sessions_app.pagination import cursor_of, parts_after
from tests import trips
from tests.factories import NOON, make_session, make_sessions, old_session, write_old_documents
from tests.plans import explain

NEXT = re.compile(r'<([^>]+)>; rel="next"')
MINUTE = timedelta(minutes=1)


def next_url(answer) -> str | None:
    return NEXT.fullmatch(answer["Link"])[1] if answer.has_header("Link") else None


def walk(api, url, *, between_pages=lambda: None):
    """The ids of every page, following the Link header to its end."""
    ids = []
    while url:
        answer = api.get(url)
        assert answer.status_code == 200
        ids.append([session["id"] for session in answer.json()])
        url = next_url(answer)
        between_pages()
    return ids


def flat(pages):
    return [session_id for page in pages for session_id in page]


@pytest.mark.usefixtures("database")
class TestPages:
    def test_an_empty_database_is_an_empty_array_without_a_link(self, api):
        answer = api.get("/sessions")
        assert answer.json() == []
        assert not answer.has_header("Link")

    def test_it_is_a_bare_array_newest_first(self, api):
        starts = [NOON + n * MINUTE for n in (3, 1, 4, 2)]
        for start in starts:
            make_session(start_time=start)
        sessions = api.get("/sessions").json()
        assert isinstance(sessions, list)
        assert [session["start_time"] for session in sessions] == [
            f"2026-03-02T12:0{minute}:00Z" for minute in (4, 3, 2, 1)
        ]

    def test_a_page_holds_a_hundred_unless_asked_otherwise(self, api):
        make_sessions(102)
        answer = api.get("/sessions")
        assert len(answer.json()) == 100
        assert next_url(answer)
        assert len(api.get("/sessions?limit=101").json()) == 101
        assert len(api.get("/sessions?limit=1").json()) == 1

    def test_a_thousand_is_the_most_that_can_be_asked_for(self, api):
        make_sessions(1001)
        assert [len(page) for page in walk(api, "/sessions?limit=1000")] == [1000, 1]

    def test_there_is_no_link_when_the_last_row_just_fits(self, api):
        make_sessions(3)
        assert not api.get("/sessions?limit=3").has_header("Link")
        assert api.get("/sessions?limit=2").has_header("Link")

    @pytest.mark.parametrize(
        "limit", ["0", "-1", "1001", "ten", "", "1.5", "1e2", "%2B5", "٣", "%00", "9" * 5000, "0x10", "{}", " 5"]
    )
    def test_a_limit_that_is_none_is_refused(self, api, limit):
        answer = api.get(f"/sessions?limit={limit}")
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert list(answer.json()["fields"]) == ["limit"]

    @pytest.mark.parametrize(
        "raw", ["", "x", "nonsense/a", "9" * 5000 + "/a", "9" * 30 + "/a", "-" + "9" * 17 + "/a", "1.5/a", "5"]
    )
    def test_a_cursor_with_odd_content_is_refused(self, api, raw):
        cursor = urlsafe_b64encode(raw.encode()).decode().rstrip("=") or "_"
        answer = api.get(f"/sessions?cursor={cursor}")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["cursor"]

    @pytest.mark.parametrize("cursor", ["!!!!", "a", "%00", "%ff", "ж", "x" * 5000, "_w", "%22%3E", "{}"])
    def test_a_cursor_that_is_no_base64_is_refused(self, api, cursor):
        answer = api.get(f"/sessions?cursor={cursor}")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["cursor"]


@pytest.mark.usefixtures("database")
class TestTheWalk:
    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 30])
    def test_it_meets_every_session_once_over_ties_and_sessions_without_a_start(self, api, limit):
        make_sessions(6)
        for minute in range(4):
            make_sessions(2, start_time=NOON + minute * MINUTE)
        write_old_documents([old_session(start_time=None) for _ in range(5)])
        headless = [old_session() for _ in range(3)]
        for document in headless:
            del document["start_time"]
        write_old_documents(headless)
        ids = flat(walk(api, f"/sessions?limit={limit}"))
        assert len(ids) == len(set(ids)) == 22
        starts = [session["start_time"] or "" for session in api.get("/sessions").json()]
        assert starts == sorted(starts, reverse=True)

    def test_sessions_that_start_during_it_disturb_nothing(self, api):
        make_sessions(9)
        before = set(Session.objects.values_list("pk", flat=True))
        pages = walk(api, "/sessions?limit=2", between_pages=lambda: make_session(start_time=NOON + MINUTE))
        assert len(flat(pages)) == len(set(flat(pages)))
        assert set(flat(pages)) == before

    def test_sessions_of_the_same_instant_that_arrive_during_it_come_at_most_once(self, api):
        make_sessions(9)
        before = set(Session.objects.values_list("pk", flat=True))
        ids = flat(walk(api, "/sessions?limit=4", between_pages=lambda: make_sessions(2) if len(all_ids()) < 20 else 0))
        assert len(ids) == len(set(ids))
        assert before <= set(ids)

    def test_it_keeps_the_filters_and_the_limit(self, api):
        make_sessions(5, candidate_name="A&B=C d")
        make_sessions(5, candidate_name="Other")
        first = api.get("/sessions", {"candidate_name": "A&B=C", "limit": "2", "state": "running"})
        query = parse_qs(urlsplit(next_url(first)).query)
        assert query["candidate_name"] == ["A&B=C"]
        assert (query["limit"], query["state"]) == (["2"], ["running"])
        ids = flat(walk(api, next_url(first)))
        assert len(ids) == 3
        assert set(Session.objects.filter(pk__in=ids).values_list("candidate_name", flat=True)) == {"A&B=C d"}

    def test_a_cursor_survives_the_end_of_its_own_row(self, api):
        sessions = make_sessions(4)
        pages = walk(
            api,
            "/sessions?limit=2&state=running",
            between_pages=lambda: Session.objects.filter(pk__in=[s.pk for s in sessions]).update(end_time=NOON),
        )
        assert [len(page) for page in pages] == [2, 0]


def all_ids():
    return list(Session.objects.values_list("pk", flat=True))


@pytest.mark.usefixtures("database")
class TestFilters:
    def names(self, api, **query):
        return sorted(session["candidate_name"] for session in api.get("/sessions", query).json())

    @pytest.mark.parametrize("prefix", [".*", "$", "(", "[a-z]+", "^A", "A|B", "\\", "\\d", "{$gt: 1}", "%", "_", "*"])
    def test_regex_characters_in_a_name_are_only_characters(self, api, prefix):
        make_session(candidate_name="Ada")
        make_session(candidate_name=f"{prefix}x")
        assert self.names(api, candidate_name=prefix) == [f"{prefix}x"]

    def test_the_name_filter_is_a_prefix_and_minds_case(self, api):
        for name in ("Ada Example", "Adam", "ada", "Bada"):
            make_session(candidate_name=name)
        assert self.names(api, candidate_name="Ada") == ["Ada Example", "Adam"]

    def test_state_tells_running_from_ended(self, api):
        make_session(candidate_name="running")
        make_session(candidate_name="ended", end_time=NOON)
        assert self.names(api, state="running") == ["running"]
        assert self.names(api, state="ended") == ["ended"]

    def test_the_time_range_is_half_open(self, api):
        for minute in range(4):
            make_session(candidate_name=str(minute), start_time=NOON + minute * MINUTE)
        assert self.names(api, started_from="2026-03-02T12:01:00Z") == ["1", "2", "3"]
        assert self.names(api, started_before="2026-03-02T12:02:00Z") == ["0", "1"]
        between = {"started_from": "2026-03-02T13:01:00+01:00", "started_before": "2026-03-02T12:03:00"}
        assert self.names(api, **between) == ["1", "2"]

    def test_all_filters_hold_together(self, api):
        wanted = make_session(candidate_name="Ada", start_time=NOON + MINUTE, end_time=NOON + 2 * MINUTE)
        make_session(candidate_name="Bob", start_time=NOON + MINUTE, end_time=NOON + 2 * MINUTE)
        make_session(candidate_name="Ada", start_time=NOON + MINUTE)
        make_session(candidate_name="Ada", start_time=NOON, end_time=NOON)
        make_session(candidate_name="Ada", start_time=NOON + 5 * MINUTE, end_time=NOON + 9 * MINUTE)
        query = {"candidate_name": "A", "state": "ended"}
        query |= {"started_from": "2026-03-02T12:01:00Z", "started_before": "2026-03-02T12:05:00Z"}
        assert [session["id"] for session in api.get("/sessions", query).json()] == [wanted.pk]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("state", "open"),
            ("state", "$ne"),
            ("candidate_name", "\0"),
            ("candidate_name", "x" * 201),
            ("started_from", "yesterday"),
            ("started_from", "0001-01-01T00:00:00+14:00"),
            ("started_before", "9999-12-31T23:59:59-14:00"),
            ("started_before", "1e400"),
        ],
    )
    def test_a_value_that_is_none_is_refused_by_name(self, api, field, value):
        answer = api.get("/sessions", {field: value})
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert list(answer.json()["fields"]) == [field]

    def test_a_filter_without_a_value_filters_nothing(self, api):
        make_session()
        assert len(api.get("/sessions?candidate_name=&state=&started_from=&started_before=&cursor=").json()) == 1

    def test_parameters_that_nobody_knows_are_ignored(self, api):
        make_session()
        assert len(api.get("/sessions?colour=red&candidate_name[$gt]=&$where=1").json()) == 1

    def test_bytes_that_are_no_text_match_nothing(self, api):
        make_session()
        assert api.get("/sessions?candidate_name=%ff%fe").json() == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("count", [5, 50])
def test_a_page_is_one_query_and_one_audit_record_however_long(api, count):
    make_sessions(count)
    with trips.exactly("find sessions", "insert audit_log"):
        assert len(api.get("/sessions").json()) == count


@pytest.fixture(scope="class")
def two_thousand(django_db_setup, django_db_blocker):
    """Committed once for the class: a mixture of ties, states and adopted sessions without a start."""
    with django_db_blocker.unblock():
        Session.objects.bulk_create(
            [
                Session(
                    candidate_name=f"{'Ada' if n % 4 else 'Bob'} {n:04}",
                    start_time=NOON + n // 3 * MINUTE,
                    end_time=NOON + 5000 * MINUTE if n % 10 else None,
                )
                for n in range(1900)
            ]
        )
        write_old_documents([old_session(start_time=None) for _ in range(100)])
        yield
        connection.database["sessions"].delete_many({})


def page_of(**filters) -> QuerySet:
    return Session.objects.newest_first().matching(**filters)


@pytest.mark.usefixtures("two_thousand")
class TestThePlan:
    LIMIT = 20

    def assert_bounded(self, rows, *, after=None, docs=LIMIT + 5):
        """One page of the rows, after the row of that number; it may be made of several queries."""
        parts = parts_after(cursor_of(rows[after].start_time, rows[after].pk)) if after is not None else [Q()]
        left, examined = self.LIMIT + 1, 0
        for part in parts:
            if left > 0:
                plan = explain(rows.filter(part)[:left])
                assert plan.uses_index, plan.stages
                assert not plan.sorts_in_memory, plan.stages
                assert plan.keys_examined <= 2 * docs, plan.keys_examined
                left -= plan.returned
                examined += plan.docs_examined
        assert left == 0
        assert examined <= docs

    def test_the_first_page_reads_only_itself(self):
        self.assert_bounded(page_of())

    @pytest.mark.parametrize("at", [10, 1000, 1001, 1002, 1870])
    def test_a_page_in_the_middle_reads_only_itself(self, at):
        self.assert_bounded(page_of(), after=at)

    @pytest.mark.parametrize("at", [1890, 1899, 1910, 1970])
    def test_a_page_at_the_end_reads_only_itself(self, at):
        self.assert_bounded(page_of(), after=at)

    def test_running_sessions_read_only_themselves(self):
        self.assert_bounded(page_of(state="running"))

    @pytest.mark.parametrize("at", [1, 100, 180, 200])
    def test_a_page_of_running_sessions_in_the_middle_reads_only_itself(self, at):
        self.assert_bounded(page_of(state="running"), after=at)

    def test_a_time_range_reads_only_itself(self):
        rows = page_of(started_from=NOON + 100 * MINUTE, started_before=NOON + 300 * MINUTE)
        self.assert_bounded(rows)
        self.assert_bounded(rows, after=300)

    def test_running_sessions_of_a_time_range_read_only_themselves(self):
        rows = page_of(state="running", started_from=NOON + 100 * MINUTE, started_before=NOON + 300 * MINUTE)
        self.assert_bounded(rows)
        self.assert_bounded(rows, after=30)

    def test_a_name_reads_no_other_names(self):
        plan = explain(page_of(candidate_name="Ada 0")[: self.LIMIT + 1])
        assert plan.uses_index, plan.stages
        assert plan.docs_examined <= 800  # of 2,000: it sorts what matches, or filters what is newest

    def test_ended_sessions_use_the_order_of_an_index(self):
        plan = explain(page_of(state="ended")[: self.LIMIT + 1])
        assert plan.uses_index, plan.stages
        assert not plan.sorts_in_memory
        assert plan.docs_examined <= 4 * self.LIMIT
