"""The queries of every request are served by an index, however many documents there are."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session as LoginSession

from sessions_app.models import Event, Session
from tests.plans import explain

START = datetime(2024, 5, 6, 12, tzinfo=UTC)


@pytest.fixture
def rows(committed_database) -> list[Session]:
    """100 users, logins and sessions; 30 events in each of the first three sessions."""
    User.objects.bulk_create([User(username=f"user{n}") for n in range(100)])
    LoginSession.objects.bulk_create([LoginSession(session_key=f"key{n}", expire_date=START) for n in range(100)])
    minutes = (START + timedelta(minutes=n) for n in range(100))
    rows = Session.objects.bulk_create([Session(candidate_name="A", start_time=at) for at in minutes])
    seconds = [START + timedelta(seconds=n) for n in range(30)]
    Event.objects.bulk_create([Event(session=row, event_type="x", timestamp=at) for row in rows[:3] for at in seconds])
    return rows


@pytest.mark.usefixtures("rows")
class TestOneDocument:
    @pytest.mark.parametrize(
        "lookup",
        [
            lambda: User.objects.filter(username="user7"),
            lambda: LoginSession.objects.filter(session_key="key7"),
            lambda: LoginSession.objects.filter(session_key="key7", expire_date__lt=START + timedelta(days=1)),
            lambda: Session.objects.filter(pk=Session.objects.first().pk),
            lambda: Event.objects.filter(pk=Event.objects.first().pk),
        ],
        ids=["user by name", "login by key", "unexpired login by key", "session by id", "event by id"],
    )
    def test_it_reads_one(self, lookup):
        plan = explain(lookup())
        assert plan.uses_index
        assert (plan.docs_examined, plan.returned) == (1, 1)

    def test_it_reads_one_and_its_session(self):
        plan = explain(Event.objects.filter(pk=Event.objects.first().pk).select_related("session"))
        assert plan.uses_index
        assert plan.docs_examined <= 2


def test_a_page_of_sessions_reads_only_that_page(rows):
    plan = explain(Session.objects.newest_first()[:20])
    assert plan.index_names == {"sessions_newest"}
    assert (plan.uses_index, plan.sorts_in_memory, plan.docs_examined) == (True, False, 20)


def test_a_sessions_timeline_reads_only_its_events(rows):
    plan = explain(Event.objects.filter(session_id=rows[0].pk).in_order())
    assert plan.index_names == {"events_order"}
    assert (plan.uses_index, plan.sorts_in_memory, plan.docs_examined) == (True, False, 30)


def test_a_timeline_with_its_session_reads_each_event_and_its_session(rows):
    plan = explain(Event.objects.filter(session_id=rows[0].pk).select_related("session").in_order())
    assert plan.index_names == {"events_order", "_id_"}
    assert (plan.uses_index, plan.sorts_in_memory, plan.returned) == (True, False, 30)
    assert plan.docs_examined <= 60


def test_the_helper_tells_a_collection_scan_and_a_sort_in_memory(rows):
    plan = explain(Event.objects.filter(message="x").order_by("message"))
    assert (plan.uses_index, plan.sorts_in_memory, plan.docs_examined) == (False, True, 90)


def test_the_helper_refuses_to_explain_within_a_transaction(database):
    with pytest.raises(RuntimeError, match="committed_database"):
        explain(Session.objects.all())
