"""D1 and D2: order and limit come from the index, and joins come last."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Count, Exists, F, OuterRef, Subquery

from sessions_app.models import Event, Session
from tests.plans import explain
from tests.proctoring_site.mongo_engine.conftest import still_defective

START = datetime(2024, 5, 6, 12, tzinfo=UTC)
SESSIONS, EVENTS = 40, 2_000


@pytest.fixture
def timeline(committed_database) -> Session:
    """One session with 2,000 events among 40 sessions; a minute apart, a second apart."""
    rows = [Session(candidate_name=f"Name {n:02}", start_time=START + timedelta(minutes=n)) for n in range(SESSIONS)]
    Session.objects.bulk_create(rows)
    seconds = (START + timedelta(seconds=n) for n in range(EVENTS))
    Event.objects.bulk_create([Event(session=rows[0], event_type="focus_lost", timestamp=at) for at in seconds])
    return rows[0]


def assert_order_comes_from_the_index(session: Session) -> None:
    for page in (
        Session.objects.newest_first()[:5],
        Session.objects.newest_first().values("id", "start_time")[:5],
        Session.objects.newest_first().only("candidate_name")[:5],
        Event.objects.filter(session=session).in_order()[5:10],
    ):
        plan = explain(page)
        assert plan.uses_index
        assert not plan.sorts_in_memory
        assert plan.docs_examined <= 10


def assert_joins_come_last(session: Session) -> None:
    plan = explain(Event.objects.filter(session=session).select_related("session").in_order()[:20])
    assert plan.uses_index
    assert not plan.sorts_in_memory
    assert plan.docs_examined <= EVENTS + 20  # before a join the server reads ahead, up to 4 MB; it joins 20
    assert plan.returned == 20


def assert_subqueries_come_last() -> None:
    last = Event.objects.filter(session=OuterRef("pk")).order_by("-timestamp", "-id").values("timestamp")[:1]
    plan = explain(Session.objects.annotate(last=Subquery(last)).newest_first()[:5])
    assert plan.uses_index
    assert not plan.sorts_in_memory


class TestOrder:
    def test_an_index_gives_it(self, timeline):
        assert_order_comes_from_the_index(timeline)

    def test_canary(self, timeline, stock_backend):
        with still_defective("D1"):
            assert_order_comes_from_the_index(timeline)


class TestJoins:
    def test_they_come_after_filter_order_and_limit(self, timeline):
        assert_joins_come_last(timeline)

    def test_canary(self, timeline, stock_backend):
        with still_defective("D2"):
            assert_joins_come_last(timeline)

    def test_subqueries_come_last_too(self, timeline):
        assert_subqueries_come_last()

    def test_canary_for_subqueries(self, timeline, stock_backend):
        with still_defective("D2 (subqueries)"):
            assert_subqueries_come_last()


def answers() -> list:
    """One of each shape of query that the reordering meets or must leave alone."""
    events = Event.objects.order_by("timestamp", "id")
    last = Event.objects.filter(session=OuterRef("pk")).order_by("-timestamp").values("message")[:1]
    shapes = [
        events,
        events[2:5],
        events.reverse()[:3],
        events.select_related("session"),
        events.select_related("session")[1:4],
        events.select_related("session").filter(session__candidate_name="B"),
        events.filter(session__candidate_name="B")[:1],
        events.filter(session__candidate_name=F("event_type")),
        events.exclude(session__candidate_name="B"),
        events.filter(timestamp__gt=F("session__start_time")),
        events.order_by("session__candidate_name", "id"),
        events.order_by(F("message").asc(nulls_last=True), "id"),
        events.order_by(F("message").desc(nulls_first=True), "id"),
        events.order_by("-message", "id").values("event_type"),
        events.values_list("event_type", flat=True).distinct().order_by("event_type"),
        events.values("event_type").annotate(n=Count("id")).order_by("event_type"),
        events.annotate(who=F("session__candidate_name")).values("who", "timestamp").order_by("timestamp", "id"),
        events.annotate(message2=F("message")).values("message2").order_by("message2", "id"),
        events.filter(id="1").union(events.filter(id="2")).order_by("id"),
        Session.objects.annotate(n=Count("events")).order_by("candidate_name", "id"),
        Session.objects.filter(events__event_type="x").order_by("start_time", "id"),
        Session.objects.annotate(last=Subquery(last)).order_by("candidate_name").values("candidate_name", "last")[:2],
        Session.objects.annotate(last=Subquery(last)).filter(last="m5").order_by("candidate_name"),
        Session.objects.annotate(last=Subquery(last)).order_by("last", "id").values("last"),
        Session.objects.filter(Exists(Event.objects.filter(session=OuterRef("pk"), event_type="y"))).order_by("id"),
        Session.objects.filter(pk__in=events.values("session")[:2]).order_by("id"),
    ]
    rows = [list(shape) for shape in shapes]
    return [*rows, events.all().count(), events.all()[1:4].count(), events.first(), events.last(), events.exists()]


class TestAnswers:
    @pytest.fixture(autouse=True)
    def _events(self, committed_database):
        for n, name in enumerate("ABC"):
            Session.objects.create(id=name, candidate_name=name, start_time=START + timedelta(seconds=3 * n))
        for n in range(9):
            at, message = START + timedelta(seconds=n // 2), f"m{n}" if n % 3 else None
            Event.objects.create(
                id=str(n), session_id="AB"[n % 2], event_type="xyB"[n % 3], timestamp=at, message=message
            )
        Event.objects.create(id="orphan", session_id="gone", event_type="x", timestamp=START)

    def test_they_are_those_of_the_official_backend(self, request):
        ours = answers()
        request.getfixturevalue("stock_backend")
        assert ours == answers()

    def test_an_inner_join_drops_orphans_before_the_limit_counts(self):
        page = Event.objects.select_related("session").order_by("timestamp", "-id")[:2]
        assert [event.pk for event in page] == ["1", "0"]
