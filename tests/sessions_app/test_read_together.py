"""Looks that share a trip: each caller sees what was acknowledged before it asked, and nobody else's session."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from sessions_app import listing, services, timelines
from sessions_app.models import Event
from sessions_app.querysets import Scope
from tests.callers import bearing
from tests.factories import log_event, make_api_token, make_session, make_staff, old_event, write_old_documents
from tests.plans import plan_of

THREADS, ROUNDS = 8, 10


def test_everybody_sees_the_own_finished_writes(committed_database, django_db_blocker):
    token = make_api_token(make_staff("Reviewer"))

    def sit(name):
        with django_db_blocker.unblock():
            client = bearing(token)
            for turn in range(ROUNDS):
                session = services.start(candidate_name=name)
                event, _ = log_event(session["_id"], services.Reported("focus_lost", message=f"{name} {turn}"))
                assert session["_id"] in [one["id"] for one in client.get("/sessions?limit=1000").json()]
                shown = client.get(f"/sessions/{session['_id']}").json()
                assert shown["candidate_name"] == name
                assert [(one["id"], one["message"]) for one in shown["events"]] == [(event.pk, f"{name} {turn}")]
            connection.close()
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(sit, [f"Candidate {n}" for n in range(THREADS)]))


@pytest.mark.usefixtures("database")
def test_an_adopted_event_of_several_sessions_is_on_the_timeline_of_each():
    one, two, three = (make_session().pk for _ in range(3))
    write_old_documents(events=[old_event({"_id": [one, three, "another", {"x": 1}]}, message="of several")])
    assert [len(timelines.events_of(pk)) for pk in (one, two, three, "nobody")] == [1, 0, 1, 0]


@pytest.mark.parametrize("named", ["one", "several"])
def test_a_timeline_reads_no_other(committed_database, named):
    """Also when an adopted event that names several sessions has made the index one of arrays."""
    ids = [make_session().pk for _ in range(3)]
    Event.objects.bulk_create(Event(session_id=pk, event_type="x") for pk in ids for _ in range(20))
    if named == "several":
        write_old_documents(events=[old_event({"_id": ["x", "y"]})])
    find = {"find": "events", "filter": {"session_id": ids[0]}, "sort": dict(timelines.ORDER)}
    plan = plan_of(connection.database.command("explain", find, verbosity="executionStats"))
    assert plan.index_names == {"events_order"}
    assert plan.docs_examined == plan.returned == 20


@pytest.mark.usefixtures("database")
def test_a_proctor_and_a_reviewer_who_ask_alike_see_each_their_own():
    running, ended = make_session(), make_session()
    services.end_session(ended)
    seen = {scope: set(listing._newest_page((scope, 10)).ids) for scope in Scope}
    assert seen == {Scope.ALL: {running.pk, ended.pk}, Scope.OPEN: {running.pk}, Scope.NONE: set()}
