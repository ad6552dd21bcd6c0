"""Each event once: resends, conflicts, batches, beacons, companions in one commit."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import bson
import pytest
from django.db import connection

from sessions_app import ingestion, reported, services
from sessions_app.models import Event, Session, now
from tests import trips
from tests.factories import NOON, start_session
from tests.sessions_app.sent_events import log, log_batch

pytestmark = pytest.mark.usefixtures("committed_database")


def counts(session):
    return Session.objects.get(pk=session.pk).counts


def document(session, event_type, **told):
    event = services.Reported(event_type, **told)
    return reported.document_of(session.pk, event, pk=event.id or new(), sent_at=None, received_at=now())


def new():
    return str(uuid4())


class TestAResend:
    def test_gets_the_same_answer_and_stores_nothing_more(self, candidate, session):
        event = {"id": new(), "message": "4 s", "data": {"window": [1, 2]}}
        first = log(candidate, session, **event)
        again = log(candidate, session, **event, sent_at=now().isoformat())
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert Event.objects.count() == 1
        assert counts(session) == {"focus_lost": 1}

    def test_knows_its_id_in_any_spelling(self, candidate, session):
        told = new()
        log(candidate, session, id=told)
        assert log(candidate, session, id=told.upper()).json()["id"] == told
        assert Event.objects.count() == 1

    def test_with_another_body_is_a_conflict_that_reveals_nothing(self, candidate, session):
        told = new()
        log(candidate, session, id=told, message="the first")
        answer = log(candidate, session, id=told, message="another")
        assert (answer.status_code, answer.json()["code"]) == (409, "event_id_conflict")
        assert "the first" not in answer.content.decode()
        assert Event.objects.get().message == "the first"
        assert counts(session) == {"focus_lost": 1}

    def test_in_another_session_is_the_same_conflict(self, candidate, session, as_candidate):
        told, other = new(), start_session(candidate_name="Bo")
        log(candidate, session, id=told)
        answer = log(as_candidate(other), other, id=told)
        assert (answer.status_code, answer.json()["code"]) == (409, "event_id_conflict")
        assert counts(other) == {} or counts(other) == {"focus_lost": 0}
        assert session.pk not in answer.content.decode()

    def test_of_an_event_that_came_without_an_id_of_the_clients_is_a_conflict(self, candidate, session):
        stored = log(candidate, session).json()
        assert log(candidate, session, id=stored["id"]).status_code == 409

    def test_gets_it_after_the_time_for_late_events_too(self, candidate, session, settings):
        told = {"id": new(), "message": "the answer was lost"}
        first = log(candidate, session, **told)
        services.end_session(session)
        settings.EVENT_GRACE_S = -1
        before = Session.objects.get(pk=session.pk).revision
        assert log(candidate, session, **told).json() == first.json()
        batch = log_batch(candidate, session, {"event_type": "focus_lost", **told})
        assert (batch.status_code, batch.json()["duplicate"]) == (200, [{"index": 0, "id": told["id"]}])
        for other in ({**told, "message": "another"}, {"id": new()}, {}):
            assert log(candidate, session, **other).json()["code"] == "session_closed"
        mixed = log_batch(candidate, session, {"event_type": "focus_lost", **told}, {"event_type": "x"})
        assert mixed.json()["code"] == "session_closed"
        assert Event.objects.count() == 1
        assert Session.objects.get(pk=session.pk).revision == before

    def test_whose_first_copy_is_not_to_be_seen_holds_nobody_up(self, session, monkeypatch):
        """It is deleted meanwhile, or no majority has it yet."""
        told, plain = document(session, "focus_lost", id=new()), ingestion._insert

        def insert(documents):
            refused = plain(documents)
            connection.get_collection("events").delete_many({})
            return refused

        ingestion.commit([told])
        monkeypatch.setattr(ingestion, "_insert", insert)
        looks = ["find events"] * ingestion.SETTLE_TRIES
        with trips.exactly("update sessions", "insert events", "delete events", "update sessions", *looks):
            (outcome,) = ingestion.commit([dict(told)])
        assert outcome.code == "try_again"
        assert ingestion.SETTLE_TRIES * ingestion.SETTLE_S < 0.5

    def test_by_many_at_once_is_stored_once_and_all_are_told_the_same(self, candidate, session):
        event = {"id": new(), "timestamp": NOON.isoformat()}
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: log(candidate, session, **event), range(48)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert Event.objects.count() == 1
        assert counts(session) == {"focus_lost": 1}


class TestABatch:
    def test_stores_what_is_good_and_names_what_is_bad(self, candidate, session):
        told = [new(), new()]
        answer = log_batch(
            candidate,
            session,
            {"event_type": "focus_lost", "id": told[0]},
            {"event_type": 5},
            "no object",
            {"event_type": "no_face", "confidence": 2, "id": told[1]},
            {"event_type": "phone_detected"},
        )
        assert answer.status_code == 200
        outcome = answer.json()
        assert [(row["index"], row["code"]) for row in outcome["rejected"]] == [
            (1, "invalid"),
            (2, "invalid"),
            (3, "invalid"),
        ]
        assert set(outcome["rejected"][2]["fields"]) == {"confidence"}
        assert [row["index"] for row in outcome["created"]] == [0, 4]
        assert outcome["created"][0]["id"] == told[0]
        assert counts(session) == {"focus_lost": 1, "phone_detected": 1}

    def test_sent_again_creates_nothing(self, candidate, session):
        events = [{"event_type": "focus_lost", "id": new(), "sequence": n} for n in range(500)]
        first, again = (log_batch(candidate, session, *events).json() for _ in range(2))
        assert (len(first["created"]), len(first["duplicate"])) == (500, 0)
        assert (len(again["created"]), len(again["duplicate"])) == (0, 500)
        assert counts(session) == {"focus_lost": 500}
        assert Event.objects.count() == 500

    def test_holds_the_same_event_twice_and_stores_it_once(self, candidate, session):
        event = {"event_type": "focus_lost", "id": new()}
        outcome = log_batch(candidate, session, event, event).json()
        assert (len(outcome["created"]), len(outcome["duplicate"])) == (1, 1)
        assert counts(session) == {"focus_lost": 1}

    @pytest.mark.parametrize("size", [0, 501])
    def test_of_a_wrong_size_is_refused_whole(self, candidate, session, size):
        answer = log_batch(candidate, session, *[{"event_type": "x"}] * size)
        assert (answer.status_code, set(answer.json()["fields"])) == (400, {"events"})
        assert Event.objects.count() == 0

    def test_comes_by_a_beacon_with_the_token_in_its_body(self, nobody, session):
        token = services_token(session)
        body = json.dumps({"token": token, "events": [{"event_type": "tab_hidden", "id": new()}]})
        path = f"/sessions/{session.pk}/events/batch"
        answer = nobody.post(path, body, content_type="text/plain;charset=UTF-8")
        assert (answer.status_code, len(answer.json()["created"])) == (200, 1)
        forged = body.replace(token, token[:-3] + "abc")
        assert nobody.post(path, forged, content_type="text/plain").status_code == 401
        for odd in (r"\ud800", r"pc.\ud800.1.abc", "pc.Ü"):  # half a surrogate is no text that could be hashed
            assert nobody.post(path, body.replace(token, odd), content_type="text/plain").status_code == 401
        without = json.dumps({"events": [{"event_type": "x"}]})
        assert nobody.post(path, without, content_type="text/plain").status_code == 404


def services_token(session):
    from proctoring_site.access import candidate_token

    return candidate_token.issue(session.pk)[0]


class TestCompanions:
    def test_what_the_database_cannot_hold_fails_nobody_else(self, session):
        events = [
            services.Reported("focus_lost"),
            services.Reported("focus_lost", message="\ud800"),
            services.Reported("no_face"),
        ]
        fine, bad, too = services.log_events(session.pk, events)
        assert (fine[1], too[1]) == (True, True)
        assert bad.code == "not_storable"
        assert counts(session) == {"focus_lost": 1, "no_face": 1}

    def test_many_writers_of_many_sessions_lose_and_double_nothing(self, as_candidate):
        sessions = [start_session(candidate_name=str(n)) for n in range(4)]
        clients = [as_candidate(session) for session in sessions]

        def write(n):
            return log(clients[n % 4], sessions[n % 4], event_type=f"type_{n % 3}").status_code

        with ThreadPoolExecutor(24) as pool:
            assert set(pool.map(write, range(240))) == {201}
        for session in sessions:
            assert sum(counts(session).values()) == Event.objects.filter(session_id=session.pk).count() == 60

    def test_an_unknown_session_is_told_so_and_fails_nobody_else(self, session):
        at = now()
        documents = [
            reported.document_of(pk, services.Reported("x"), pk=new(), sent_at=None, received_at=at)
            for pk in (session.pk, new())
        ]
        known, unknown = ingestion.commit(documents)
        assert known[1] is True
        assert unknown.code == "not_found"
        assert connection.database["events"].count_documents({}) == 1

    def test_a_session_that_cannot_be_counted_fails_nobody_else(self, session):
        odd, told = start_session(candidate_name="Bo"), new()
        stored = connection.database["sessions"].find_one({"_id": odd.pk})
        largest = "x" * (16 * 1024**2 - len(bson.encode({**stored, "ballast": ""})))
        connection.database["sessions"].update_one({"_id": odd.pk}, {"$set": {"ballast": largest}})
        documents = [document(one, "focus_lost") for one in (odd, session)]
        documents.append({**document(session, "focus_lost"), "session_id": told})
        uncounted, fine, unknown = ingestion.commit(documents)
        assert (uncounted.code, fine[1], unknown.code) == ("try_again", True, "not_found")
        assert counts(session) == {"focus_lost": 1}
        assert Event.objects.get().session_id == session.pk

    @pytest.mark.parametrize(
        "odd",
        [
            *({"revision": value} for value in ("seven", None, [7], {"of": 7}, True, float("nan"))),
            *({"event_counts": value} for value in ("many", None, [1], {"focus_lost": "many"}, {"no_face": None})),
            {"event_counts": {"focus_lost": float("inf"), "a.b": 1}},
            {"event_counts": {"focus_lost": [1], "no_face": 5}, "revision": "seven"},
        ],
        ids=repr,
    )
    def test_what_is_no_number_in_a_session_is_counted_with_its_first_event(self, session, as_candidate, odd):
        """Once it is no plain event: numbers that are none, to which the server adds, stay until then."""
        assert log(as_candidate(session), session, event_type="focus_lost").status_code == 201
        connection.database["sessions"].update_one(
            {"_id": session.pk}, [{"$set": {name: {"$literal": value} for name, value in odd.items()}}]
        )
        for event_type in ("new", "focus_lost", "new"):
            assert log(as_candidate(session), session, event_type=event_type).status_code == 201
        session.refresh_from_db()
        assert {name: n for name, n in session.counts.items() if n} == {"focus_lost": 2, "new": 2}
        assert session.revision >= 3
        assert services.end_session(session).counts == session.counts

    @pytest.mark.parametrize(
        "odd", [{"revision": "seven"}, {"event_counts": "many"}, {"event_counts": {"focus_lost": "many"}}]
    )
    def test_what_is_no_number_in_a_session_fails_no_page_and_no_move(self, session, api, as_staff, odd):
        connection.database["sessions"].update_one({"_id": session.pk}, {"$set": odd})
        page = f"/admin/sessions_app/session/{session.pk}/change/"
        for path in (f"/sessions/{session.pk}", f"/sessions/{session.pk}/report"):
            assert api.get(path).status_code == 200
        listed = [f"/admin/sessions_app/session/?show=all{more}" for more in ("", "&band=low")]
        for path in (page, "/admin/sessions_app/session/live/state/", *listed):
            assert as_staff("Reviewer").get(path).status_code == 200
        for verb in ("pause", "resume", "end"):
            assert api.post(f"/sessions/{session.pk}/{verb}").status_code == 200
        session.refresh_from_db()
        assert (session.counts, session.scored_revision) == ({}, session.revision)

    def test_open_sessions_are_counted_in_one_trip_however_many(self, session):
        sessions = [session, start_session(candidate_name="Bo"), start_session(candidate_name="Cy")]
        with trips.exactly("update sessions", "insert events"):
            outcomes = ingestion.commit([document(one, "focus_lost") for one in sessions])
        assert [is_new for _, is_new in outcomes] == [True] * 3
        assert [counts(one) for one in sessions] == [{"focus_lost": 1}] * 3

    def test_each_kind_of_session_in_one_commit_gets_its_own_answer(self, session):
        ended, fresh = (start_session(candidate_name=name) for name in ("Bo", "Cy"))
        Session.objects.filter(pk=ended.pk).update(end_time=now() - timedelta(hours=1), start_time=NOON)
        adopted, later = start_session(candidate_name="Di"), start_session(candidate_name="Ed")
        connection.database["sessions"].update_one({"_id": adopted.pk}, {"$unset": {"event_counts": 1}})
        early = document(later, "focus_lost", timestamp=now() - timedelta(hours=1))
        told = [document(session, "focus_lost"), document(ended, "focus_lost"), document(fresh, "never seen before")]
        told += [document(adopted, "focus_lost"), early, {**document(session, "no_face"), "session_id": new()}]
        before = Session.objects.count()
        open_, closed, named, counted, marked, unknown = ingestion.commit(told)
        assert (closed.code, unknown.code) == ("session_closed", "not_found")
        assert marked[0]["marks"] == ["before_start"]
        assert [one[1] for one in (open_, named, counted, marked)] == [True] * 4
        assert counts(fresh) == {"never seen before": 1}
        assert [counts(one) for one in (session, adopted, later)] == [{"focus_lost": 1}] * 3
        assert counts(ended) == {}
        assert (Session.objects.count(), Event.objects.count()) == (before, 4)
