"""The counts of a session that runs are mended; an event under way, an end or a deletion is not taken for a fault."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest
from django.db import connection, connections

from proctoring_site.jobs.models import Job
from reports_app import services as reports
from sessions_app import counters, mending, services
from sessions_app.models import Event, Session, now
from tests import drives, trips
from tests.factories import log_event, make_session, make_sessions, start_session
from tests.plans import plan_of

pytestmark = pytest.mark.usefixtures("committed_database")

data_dir = drives.data_dir
TOO_LOW, TOO_HIGH = -2, 2


@pytest.fixture(autouse=True)
def _asked_for_nothing_yet():
    mending._asked.clear()


@pytest.fixture
def session():
    session = start_session(candidate_name="Ada Example")
    for event_type in ("focus_lost", "focus_lost", "a.b$c%", "phone_detected", "phone_detected"):
        log(session, event_type)
    return session


@pytest.fixture
def look(run_jobs):
    """Does the jobs that wait, as if their time had come, and none that these ask for."""

    def run():
        Job.objects.filter(state="waiting").update(not_before=now())
        return run_jobs()

    return run


def log(session, event_type):
    log_event(session.pk, services.Reported(event_type))


def miscount(session, event_type, n):
    """As a crash (too high) or a failover (too low) leaves it."""
    step = {"$inc": {f"event_counts.{counters.key_of(event_type)}": n, "revision": n}}
    connection.get_collection("sessions").update_one({"_id": session.pk}, step)


def is_right(session):
    counts = {name: n for name, n in Session.objects.get(pk=session.pk).counts.items() if n}
    return counts == Counter(Event.objects.filter(session_id=session.pk).values_list("event_type", flat=True))


class TestWhoSeesIt:
    def by_detail(self, session, api):
        assert len(api.get(f"/sessions/{session.pk}").json()["events"]) == 5

    def by_report(self, session, api):
        assert api.get(f"/sessions/{session.pk}/report").status_code == 200

    def by_cron(self, session, api):
        assert services.close_stale_sessions() == 0

    @pytest.mark.parametrize("n", [TOO_LOW, TOO_HIGH])
    @pytest.mark.parametrize("see", [by_detail, by_report, by_cron])
    def test_has_it_mended_while_the_session_runs(self, session, api, look, data_dir, see, n):
        miscount(session, "phone_detected", n)
        see(self, session, api)
        assert not is_right(session), "nobody waits for it"
        while look():
            pass
        assert is_right(session)
        report = api.get(f"/sessions/{session.pk}/report").json()
        assert (report["phone_detected_count"], report["integrity_score"]) == (2, 66)
        assert reports.is_current(Session.objects.get(pk=session.pk), "html")

    def test_among_all_by_type_since_two_faults_may_add_up_to_none(self, session, look):
        miscount(session, "focus_lost", -1)
        miscount(session, "phone_detected", 1)
        services.close_stale_sessions()
        while look():
            pass
        assert is_right(session)

    def test_on_the_page_too(self, session, as_staff, look):
        miscount(session, "a.b$c%", TOO_LOW)
        page = as_staff("Reviewer").get(f"/admin/sessions_app/session/{session.pk}/change/")
        assert page.status_code == 200
        while look():
            pass
        assert is_right(session)

    def test_asks_once_a_minute(self, session, api):
        miscount(session, "focus_lost", TOO_HIGH)
        for _ in range(3):
            self.by_detail(session, api)
            self.by_cron(session, api)
        assert Job.objects.count() == 1

    def test_asks_for_nothing_where_all_is_right(self, session, api, data_dir):
        for see in (self.by_detail, self.by_report, self.by_cron):
            see(session, api)
        assert not Job.objects.exists()

    def test_still_sees_it_where_nothing_can_be_asked_for(self, session, api):
        admin, jobs = connection.database.client.admin, f"{connection.database.name}.{Job._meta.db_table}"
        miscount(session, "focus_lost", TOO_HIGH)
        admin.command("configureFailPoint", "failCollectionInserts", mode="alwaysOn", data={"collectionNS": jobs})
        try:
            self.by_detail(session, api)
        finally:
            admin.command("configureFailPoint", "failCollectionInserts", mode="off")
        self.by_detail(session, api)
        assert Job.objects.count() == 1


class TestALook:
    def look(self, session, stood=()):
        return mending.mend(session.pk, stood=stood)

    def test_mends_what_is_too_low_at_once_and_by_name(self, session):
        for event_type in ("focus_lost", "a.b$c%"):
            miscount(session, event_type, -1)
        before = Session.objects.get(pk=session.pk).revision
        with trips.exactly("find sessions", "aggregate events", "update sessions"):
            assert self.look(session) == ([], True)
        assert is_right(session)
        assert Session.objects.get(pk=session.pk).revision == before + 1

    def test_believes_what_is_too_high_when_it_stood_still(self, session):
        miscount(session, "focus_lost", 1)
        unsure, mended = self.look(session)
        assert (len(unsure), mended) == (1, False)
        log(session, "a.b$c%")  # another type may go on
        assert self.look(session, unsure) == ([], True)
        assert is_right(session)

    def test_waits_for_a_type_that_goes_on(self, session):
        miscount(session, "focus_lost", 1)
        unsure, _ = self.look(session)
        log(session, "focus_lost")
        later, mended = self.look(session, unsure)
        assert (later != unsure, mended) == (True, False)
        assert self.look(session, later) == ([], True)
        assert is_right(session)

    def test_leaves_a_closed_session_to_those_who_score_it(self, session):
        services.end_session(session)
        miscount(session, "focus_lost", -1)
        assert self.look(session) == ([], False)
        assert not is_right(session)

    def test_tells_a_job_no_event_type(self, session, look):
        miscount(session, "focus_lost", 1)
        mending.look_soon(session.pk)
        look()
        assert "focus" not in str(list(Job.objects.values()))

    def test_ends_after_some_where_it_goes_on_for_ever(self, session, look, monkeypatch):
        monkeypatch.setattr(mending, "mend", lambda *told, **how: (["never"], False))
        mending.look_soon(session.pk)
        assert sum(iter(look, 0)) == mending.LOOKS_MAX

    def test_counts_more_types_than_have_names(self, session):
        for n in range(counters.DISTINCT_TYPES_MAX + 5):
            log(session, f"type {n}")
        before = Session.objects.get(pk=session.pk).event_counts
        for key in ("type 1", counters.OTHER_KEY):
            connection.get_collection("sessions").update_one(
                {"_id": session.pk}, {"$inc": {f"event_counts.{key}": -1, "revision": -1}}
            )
        assert self.look(session) == ([], True)
        assert Session.objects.get(pk=session.pk).event_counts == before

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("event_counts", "many"),
            ("event_counts", {"a.b": 1}),
            ("event_counts", {"focus_lost": 2**63 - 1}),
            ("revision", "seven"),
            ("revision", 2**63 - 1),
        ],
    )
    def test_sets_what_is_no_number(self, session, name, value):
        connection.get_collection("sessions").update_one({"_id": session.pk}, [{"$set": {name: {"$literal": value}}}])
        assert self.look(session) == ([], False)
        assert is_right(session)
        log(session, "focus_lost")
        assert is_right(session)


class TestMeanwhile:
    """Something happens between what a look reads of the session, `before` what it reads of the events, and what it
    writes."""

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        def put(*steps, before=False):
            plain, left = counters._stored_types, list(steps)

            def stored_types(ids):
                step = left.pop(0) if left else lambda: None
                if before:
                    step()
                stored = plain(ids)
                if not before:
                    step()
                return stored

            monkeypatch.setattr(counters, "_stored_types", stored_types)

        return put

    @pytest.mark.parametrize("before", [True, False])
    def test_another_event_is_counted_once(self, session, meanwhile, before):
        miscount(session, "phone_detected", -1)
        meanwhile(*[lambda: log(session, "phone_detected")] * 3, before=before)
        assert mending.mend(session.pk) == ([], True)
        assert is_right(session)

    def test_the_session_ends(self, session, meanwhile):
        miscount(session, "phone_detected", -1)
        meanwhile(lambda: services.end_session(Session.objects.get(pk=session.pk)))
        assert mending.mend(session.pk) == ([], False)
        assert is_right(session)
        ended = Session.objects.get(pk=session.pk)
        assert (ended.scored_revision, ended.machine_score) == (ended.revision, 66)

    def test_it_is_mended_while_it_ends(self, session, meanwhile):
        miscount(session, "phone_detected", -1)
        meanwhile(lambda: mending.mend(session.pk))  # of the end's own recount, which finds it closed
        services.end_session(session)
        assert is_right(session)

    def test_the_session_is_deleted(self, session, meanwhile, data_dir):
        miscount(session, "phone_detected", -1)
        meanwhile(lambda: reports.delete_session(Session.objects.get(pk=session.pk)))
        assert mending.mend(session.pk) == ([], False)
        assert not Session.objects.exists()
        assert mending.mend(session.pk) == ([], False)

    def test_two_looks_mend_once(self, session, meanwhile):
        miscount(session, "phone_detected", -1)
        meanwhile(lambda: mending.mend(session.pk))
        assert mending.mend(session.pk) == ([], False)
        assert is_right(session)

    def test_events_of_many_and_looks_at_once_leave_the_counts_exact(self, session):
        """Both faults, while threads report: what is too low is mended among them, and the rest once they are done."""
        miscount(session, "phone_detected", -1)
        miscount(session, "focus_lost", 1)
        done = Flag()

        def report(n):
            while not done.is_set():
                log(session, f"type {n}")
            connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            work = [pool.submit(report, n) for n in range(4)]
            looks = [mending.mend(session.pk) for _ in range(20)]
            done.set()
        for one in work:
            one.result()
        assert any(mended for _, mended in looks)
        unsure, _ = mending.mend(session.pk)
        assert len(unsure) == 1
        assert mending.mend(session.pk, stood=unsure) == ([], True)
        assert is_right(session)


class TestTheLookAtAll:
    def test_takes_two_trips_and_finds_those_that_differ(self, session):
        others = make_sessions(20)
        make_session(end_time=now(), event_counts={"x": 7})
        miscount(session, "focus_lost", 1)
        miscount(others[0], "x", 1)
        connection.get_collection("sessions").update_one({"_id": others[1].pk}, {"$set": {"revision": "seven"}})
        with trips.exactly("find sessions", "aggregate events", *["findAndModify jobs"] * 3):
            mending.look_at_all_open()
        assert set(Job.objects.values_list("arguments__session_id", flat=True)) == {
            session.pk,
            others[0].pk,
            others[1].pk,
        }

    def test_finds_them_and_their_events_by_an_index(self, session):
        make_sessions(50, end_time=now())
        others = make_session(end_time=now())
        Event.objects.bulk_create([Event(session=others, event_type="x") for _ in range(50)])
        database = connection.database
        asked = {"aggregate": "events", "pipeline": counters._types_of([session.pk]), "cursor": {}}
        counted = plan_of(database.command("explain", asked, verbosity="executionStats"))
        assert (counted.uses_index, counted.docs_examined) == (True, 5)
        opened = {"find": "sessions", "filter": mending.OPEN_AND_COUNTED}
        found = plan_of(database.command("explain", opened, verbosity="executionStats"))
        assert (found.uses_index, found.docs_examined) == (True, 1)
