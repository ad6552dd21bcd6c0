"""Counts per type: under safe keys, exact with many writers at once, and mended after a crash."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from threading import Event as Flag

import pytest
from django.db import connection, connections

from sessions_app import counters, services
from sessions_app.errors import EventNotStorable, SessionNotFound
from sessions_app.models import Event, Session
from sessions_app.scoring import DEFAULT_WEIGHTS
from tests import trips
from tests.factories import log_event, make_event, make_session, old_event, old_session, write_old_documents

WEIGHED = DEFAULT_WEIGHTS
KEYS = {
    "focus_lost": "focus_lost",
    "": "%empty",
    "%": "%25",
    ".": "%2E",
    "$": "%24",
    "\0": "%00",
    "a.b$c%25": "a%2Eb%24c%2525",
    "%2E": "%252E",
    "%24": "%2524",
    "%empty": "%25empty",
    "%other": "%25other",
    "$inc": "%24inc",
    "...": "%2E%2E%2E",
    "0": "0",
    "_id": "_id",
    "__proto__": "__proto__",
    "Ж \U0001f600\n": "Ж \U0001f600\n",
    "%00%2E%24%25": "%2500%252E%2524%2525",
    "a%": "a%25",
    "%%2E.": "%25%252E%2E",
}


def counts_of(session_id):
    return Session.objects.get(pk=session_id).counts


def stored_of(session_id):
    return Counter(Event.objects.filter(session_id=session_id).values_list("event_type", flat=True))


class TestKeys:
    @pytest.mark.parametrize(("event_type", "key"), KEYS.items())
    def test_a_type_becomes_a_safe_key_and_comes_back(self, event_type, key):
        assert counters.key_of(event_type) == key
        assert counters.type_of(key) == event_type
        assert not set(key) & set(".$\0")
        assert key

    def test_no_two_types_share_a_key(self):
        keys = [counters.key_of(event_type) for event_type in KEYS]
        assert len(set(keys)) == len(keys)
        assert not {counters.OTHER_KEY} & set(keys)

    def test_the_key_of_all_others_reads_as_such(self):
        assert counters.by_type({counters.OTHER_KEY: 3, "a%2Eb": 1}) == {counters.OTHER_TYPES: 3, "a.b": 1}

    def test_no_counts_are_no_types(self):
        assert counters.by_type(None) == counters.by_type({}) == {}

    @pytest.mark.parametrize("event_type", [name for name in KEYS if name])
    def test_every_type_is_counted_under_its_own_name(self, database, event_type):
        session = make_session()
        for _ in range(2):
            make_event(session, event_type=event_type)
        assert counts_of(session.pk) == {event_type: 2}


class TestCounting:
    def test_it_counts_per_type_and_moves_the_revision(self, database):
        session = make_session()
        for event_type in ("focus_lost", "x", "focus_lost"):
            make_event(session, event_type=event_type)
        session.refresh_from_db()
        assert session.counts == {"focus_lost": 2, "x": 1}
        assert session.revision == 3

    def test_an_unknown_session_is_refused_and_nothing_is_stored(self, database):
        with pytest.raises(SessionNotFound):
            log_event("nobody", services.Reported("focus_lost"))
        assert not Event.objects.exists()
        assert not Session.objects.exists()

    def test_types_beyond_the_cap_are_counted_together(self, database):
        session = make_session()
        for n in range(counters.DISTINCT_TYPES_MAX + 3):
            make_event(session, event_type=f"type {n}")
        make_event(session, event_type="type 0")
        counts = counts_of(session.pk)
        assert len(counts) == counters.DISTINCT_TYPES_MAX + 1
        assert counts[counters.OTHER_TYPES] == 3
        assert counts["type 0"] == 2
        assert sum(counts.values()) == Event.objects.count()

    def test_a_weighed_type_is_counted_by_name_behind_the_cap(self, database):
        session = make_session()
        for n in range(counters.DISTINCT_TYPES_MAX + 1):
            make_event(session, event_type=f"type {n}")
        make_event(session, event_type="phone_detected")
        assert counts_of(session.pk)["phone_detected"] == 1

    def test_a_type_named_like_the_others_is_not_one_of_them(self, database):
        make_event(make_session(), event_type=counters.OTHER_KEY)
        assert Session.objects.get().event_counts == {"%25other": 1}


class TestAdoptedSessions:
    def adopt(self, *types):
        session = old_session()
        write_old_documents([session], [old_event(session, event_type=event_type) for event_type in types])
        return session["_id"]

    def test_the_first_event_counts_the_stored_ones_too(self, database):
        session_id = self.adopt("focus_lost", "focus_lost", "a.b", None, "", 5)
        log_event(session_id, services.Reported("focus_lost"))
        assert counts_of(session_id) == {"focus_lost": 3, "a.b": 1, "": 2, "5": 1}

    def test_the_first_event_of_a_type_that_is_not_weighed_too(self, database):
        session_id = self.adopt("new type")
        log_event(session_id, services.Reported("new type"))
        assert counts_of(session_id) == {"new type": 2}

    def test_the_rarest_types_give_way_to_the_cap_and_weighed_ones_never(self, database):
        session_id = self.adopt(*(f"type {n}" for n in range(150) for _ in range(2 if n < 50 else 1)), "phone_detected")
        counters.count_adopted([session_id], weighed=WEIGHED)
        counts = counts_of(session_id)
        assert counts["phone_detected"] == 1
        assert all(counts[f"type {n}"] == 2 for n in range(50))
        assert len(counts) == counters.DISTINCT_TYPES_MAX + 1
        assert sum(counts.values()) == 201

    def test_counts_that_are_there_stay(self, database):
        session = make_session(event_counts={"focus_lost": 7})
        counters.count_adopted([session.pk], weighed=WEIGHED)
        assert counts_of(session.pk) == {"focus_lost": 7}

    def test_a_field_that_is_no_counts_is_replaced(self, database):
        session = old_session(event_counts="many")
        write_old_documents([session], [old_event(session)])
        log_event(session["_id"], services.Reported("focus_lost"))
        assert counts_of(session["_id"]) == {"focus_lost": 2}

    def test_many_at_once_as_first_are_all_counted(self, committed_database):
        for _ in range(5):
            session_id = self.adopt("focus_lost", "x", "x")
            together(16, lambda n, session_id=session_id: log_event(session_id, services.Reported("x")))
            assert counts_of(session_id) == {"focus_lost": 1, "x": 18} == stored_of(session_id)


def together(threads, work):
    """Run work(n) in as many threads, which begin at once; answers what each answered."""
    gate = Barrier(threads)

    def run(n):
        gate.wait()
        try:
            return work(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


class TestManyWriters:
    EVENTS = 12
    TYPES = ("focus_lost", "phone_detected", "a.b$c", "x")

    def write(self, session_id, n):
        events = [log_event(session_id, services.Reported(self.TYPES[(n + i) % 4]))[0] for i in range(self.EVENTS)]
        return Counter(event.event_type for event in events)

    def test_32_on_one_session_are_stored_counted_and_acknowledged_alike(self, committed_database):
        session = make_session()
        acknowledged = sum(together(32, lambda n: self.write(session.pk, n)), Counter())
        assert acknowledged.total() == 32 * self.EVENTS
        assert acknowledged == stored_of(session.pk) == counts_of(session.pk)
        assert Session.objects.get().revision > 0

    def test_others_that_end_the_session_meanwhile_change_no_count(self, committed_database):
        session = make_session()
        ends = []

        def work(n):
            if n < 28:
                return self.write(session.pk, n)
            ends.extend(services.end_session(Session.objects.get(pk=session.pk)).end_time for _ in range(3))
            return Counter()

        acknowledged = sum(together(32, work), Counter())
        assert acknowledged == stored_of(session.pk) == counts_of(session.pk)
        assert len(ends) == 12
        assert len(set(ends)) == 1

    def test_a_flood_of_invented_types_passes_the_cap_by_no_more_than_the_writers(self, committed_database):
        session = make_session()

        def work(n):
            for i in range(10):
                log_event(session.pk, services.Reported(f"type {n}.{i}"))

        together(16, work)
        counts = counts_of(session.pk)
        assert sum(counts.values()) == Event.objects.count() == 160
        assert counters.DISTINCT_TYPES_MAX < len(counts) <= counters.DISTINCT_TYPES_MAX + 1 + 16


class TestManyAtOnce:
    def test_are_counted_in_two_trips_and_within_the_cap(self, database):
        sessions = [make_session(), make_session()]
        types = {f"type {n:03}": n for n in range(1, 121)} | {"phone_detected": 5}
        with trips.exactly("find sessions", "update sessions"):
            counters.count_events({session.pk: types for session in sessions}, weighed=WEIGHED)
        for session in sessions:
            counts = counts_of(session.pk)
            assert (counts["type 100"], counts["phone_detected"], len(counts)) == (100, 5, 102)
            assert counts[counters.OTHER_TYPES] == sum(range(101, 121))
            assert Session.objects.get(pk=session.pk).revision == 1

    def test_of_a_session_that_is_gone_are_refused(self, database):
        with pytest.raises(SessionNotFound):
            counters.count_events({make_session().pk: {"x": 1}, "nobody": {"x": 1}}, weighed=WEIGHED)


class TestAfterACrash:
    def crash_between_counting_and_storing(self, session, event_type="focus_lost"):
        counters.count_events({session.pk: {event_type: 1}}, weighed=WEIGHED)

    def test_ending_the_session_mends_its_counts(self, database):
        session = make_session()
        make_event(session)
        self.crash_between_counting_and_storing(session)
        self.crash_between_counting_and_storing(session, "phone_detected")
        ended = services.end_session(session)
        assert ended.counts == {"focus_lost": 1}
        assert counts_of(session.pk) == {"focus_lost": 1}

    def test_mending_moves_the_revision_so_that_reports_are_made_anew(self, database):
        session = make_session()
        self.crash_between_counting_and_storing(session)
        before = Session.objects.get().revision
        assert counters.recount(session.pk, weighed=WEIGHED) is True
        assert Session.objects.get().revision == before + 1

    def test_right_counts_are_left_as_they_are(self, database):
        session = make_session()
        for event_type in ("focus_lost", "a.b", "focus_lost"):
            make_event(session, event_type=event_type)
        assert counters.recount(session.pk, weighed=WEIGHED) is False
        assert Session.objects.get().revision == 3

    def test_types_under_the_others_are_counted_there_again(self, database):
        session = make_session()
        for n in range(counters.DISTINCT_TYPES_MAX + 5):
            make_event(session, event_type=f"type {n:03}")
        before = counts_of(session.pk)
        assert counters.recount(session.pk, weighed=WEIGHED) is False
        self.crash_between_counting_and_storing(session)
        assert counters.recount(session.pk, weighed=WEIGHED) is True
        assert counts_of(session.pk) == before

    def test_an_adopted_session_without_counts_gets_them(self, database):
        session = old_session()
        write_old_documents([session], [old_event(session)])
        assert counters.recount(session["_id"], weighed=WEIGHED) is True
        assert counts_of(session["_id"]) == {"focus_lost": 1}

    def test_an_unknown_session_is_refused(self, database):
        with pytest.raises(SessionNotFound):
            counters.recount("nobody", weighed=WEIGHED)

    def test_an_event_that_the_server_refuses_is_counted_off_again(self, committed_database):
        session = make_session()
        make_event(session)
        with failing_inserts("events"), pytest.raises(EventNotStorable):
            log_event(session.pk, services.Reported("focus_lost"))
        assert counts_of(session.pk) == stored_of(session.pk) == {"focus_lost": 1}

    def test_while_others_write_nothing_is_taken_for_a_crash(self, committed_database):
        session = make_session()
        self.crash_between_counting_and_storing(session)
        done = Flag()

        def work(n):
            if n:
                while not done.is_set():
                    log_event(session.pk, services.Reported("x"))
                return None
            try:
                return counters.recount(session.pk, weighed=WEIGHED)
            finally:
                done.set()

        assert together(3, work)[0] is None
        assert counts_of(session.pk) == {**stored_of(session.pk), "focus_lost": 1}
        assert counters.recount(session.pk, weighed=WEIGHED) is True
        assert counts_of(session.pk) == stored_of(session.pk)


class failing_inserts:
    """The server refuses inserts into one collection, by the schema that it is told to demand."""

    def __init__(self, collection):
        self.collection = collection

    def demand(self, schema):
        connection.database.command("collMod", self.collection, validator=schema)

    def __enter__(self):
        self.demand({"_id": {"$type": "minKey"}})

    def __exit__(self, *error):
        self.demand({})
