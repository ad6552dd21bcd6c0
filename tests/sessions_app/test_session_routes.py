"""The earlier contract's session routes, field by field and type by type."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.conf import settings

from sessions_app.models import Event, Session
from tests import trips
from tests.callers import bearing
from tests.factories import NOON, make_event, make_session, make_sessions

pytestmark = pytest.mark.usefixtures("database")

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,6})?Z")
SESSION_FIELDS = {"id", "candidate_name", "start_time", "end_time", "video_path", "state"}
STAFF_FIELDS = {"last_seen_at", "missing_since", "coverage", "moves", "commands", "events"}
UNSEEN = {"last_seen_at": None, "missing_since": None, "coverage": None, "moves": [], "commands": [], "events": []}
STARTED_FIELDS = SESSION_FIELDS | {"token", "token_expires_at"}
EVENT_FIELDS = {"id", "event_type", "message", "timestamp", "occurred_at", "received_at", "clock_skew_ms"}
EVENT_FIELDS |= {"duration_s", "confidence", "source", "sequence", "data", "marks"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
UNKNOWN = "00000000-0000-4000-8000-0000000000ff"


def is_instant(text):
    return isinstance(text, str) and INSTANT.fullmatch(text) is not None


class TestStartingASession:
    def test_it_answers_201_with_the_sessions_fields_and_types(self, api):
        answer = api.post("/sessions", {"candidate_name": "Grace Hopper"}, format="json")
        assert answer.status_code == 201
        assert answer["Content-Type"] == "application/json"
        session = answer.json()
        assert set(session) == STARTED_FIELDS
        assert str(UUID(session["id"])) == session["id"]
        assert UUID(session["id"]).version == 4
        assert session["candidate_name"] == "Grace Hopper"
        assert is_instant(session["start_time"])
        assert session["end_time"] is None
        assert session["video_path"] is None
        assert session["state"] == "running"
        assert re.fullmatch(r"pc\.[\w.-]+", session["token"])
        lifetime = datetime.fromisoformat(session["token_expires_at"]) - datetime.fromisoformat(session["start_time"])
        assert lifetime.total_seconds() == pytest.approx(settings.CANDIDATE_TOKEN_MAX_AGE_S, abs=5)

    def test_its_token_is_the_candidates_key_to_this_session_and_no_other(self, nobody):
        session, other = (
            nobody.post("/sessions", {"candidate_name": name}, format="json").json() for name in ("Ada", "Grace")
        )
        candidate = bearing(session["token"])
        assert self.log_with(candidate, session).status_code == 201
        assert self.log_with(candidate, other).status_code == 404
        assert self.log_with(nobody, session).status_code == 404
        assert Event.objects.get().session_id == session["id"]

    def log_with(self, client, session):
        return client.post(f"/sessions/{session['id']}/events", {"event_type": "focus_lost"}, format="json")

    def test_its_token_is_told_nowhere_else(self, api):
        session = api.post("/sessions", {"candidate_name": "Ada"}, format="json").json()
        path = f"/sessions/{session['id']}"
        for answer in (api.get("/sessions"), api.get(path), bearing(session["token"]).get(path)):
            assert answer.status_code == 200
            assert session["token"] not in answer.content.decode()

    def test_a_later_read_gives_the_same_instants_to_the_millisecond(self, api):
        started = api.post("/sessions", {"candidate_name": "Grace Hopper"}, format="json").json()
        session = {name: started[name] for name in SESSION_FIELDS}
        detail = api.get(f"/sessions/{session['id']}").json()
        assert detail == {**session, **UNSEEN}
        assert api.get("/sessions").json() == [session]

    def test_the_name_is_kept_as_sent_but_for_spaces_around_it(self, api):
        name = "  Zoë «$gt» {x} \U0001f600 O'Hara.  "
        session = api.post("/sessions", {"candidate_name": name}, format="json").json()
        assert session["candidate_name"] == name.strip()
        assert Session.objects.get(pk=session["id"]).candidate_name == name.strip()

    def test_fields_that_are_not_the_clients_to_say_are_ignored(self, api):
        sent = {"candidate_name": "A", "id": "mine", "end_time": "2020-01-01T00:00:00Z", "event_counts": {"x": 9}}
        session = api.post("/sessions", sent, format="json").json()
        assert session["id"] != "mine"
        assert session["end_time"] is None
        assert Session.objects.get().event_counts == {}

    def test_a_browsers_accept_header_gets_json(self, api):
        answer = api.post("/sessions", {"candidate_name": "A"}, format="json", HTTP_ACCEPT=BROWSER)
        assert (answer.status_code, answer["Content-Type"]) == (201, "application/json")


class TestLookingAtASession:
    def test_it_lists_the_events_with_their_fields_in_timestamp_order(self, api):
        session = make_session()
        late = make_event(session, timestamp=NOON.replace(minute=9), message="late")
        early = make_event(session, timestamp=NOON.replace(minute=1), event_type="tab_hidden")
        detail = api.get(f"/sessions/{session.pk}").json()
        assert set(detail) == SESSION_FIELDS | STAFF_FIELDS
        assert all(set(event) == EVENT_FIELDS for event in detail["events"])
        assert [event["id"] for event in detail["events"]] == [early.pk, late.pk]
        assert detail["events"][0]["message"] is None
        assert detail["events"][1]["message"] == "late"

    def test_events_of_one_instant_come_in_the_same_order_every_time(self, api):
        session = make_session()
        ids = sorted(make_event(session).pk for _ in range(12))
        for _ in range(3):
            assert [event["id"] for event in api.get(f"/sessions/{session.pk}").json()["events"]] == ids

    def test_it_shows_no_events_of_other_sessions(self, api):
        make_event(make_session())
        assert api.get(f"/sessions/{make_session().pk}").json()["events"] == []

    def test_the_number_of_queries_does_not_grow_with_the_events(self, api):
        session = make_session(event_counts={"x": 200})
        Event.objects.bulk_create([Event(session=session, event_type="x") for _ in range(200)])
        with trips.exactly("find sessions", "insert audit_log", "find events"):
            assert len(api.get(f"/sessions/{session.pk}").json()["events"]) == 200

    def test_a_browsers_accept_header_gets_json(self, api):
        for path in ("/sessions", f"/sessions/{make_session().pk}"):
            answer = api.get(path, HTTP_ACCEPT=BROWSER)
            assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


class TestLoggingAnEvent:
    def log(self, api, session, **event):
        return api.post(f"/sessions/{session.pk}/events", {"event_type": "focus_lost", **event}, format="json")

    def test_it_answers_201_with_the_events_fields_and_types(self, api):
        answer = self.log(api, make_session(), message="4 s")
        assert answer.status_code == 201
        event = answer.json()
        assert set(event) == EVENT_FIELDS
        assert str(UUID(event["id"])) == event["id"]
        assert (event["event_type"], event["message"]) == ("focus_lost", "4 s")
        assert is_instant(event["timestamp"])

    def test_message_and_timestamp_may_be_absent_or_null(self, api):
        session = make_session()
        before = datetime.now(UTC).replace(microsecond=0)
        for answer in (self.log(api, session), self.log(api, session, message=None, timestamp=None)):
            event = answer.json()
            assert event["message"] is None
            assert datetime.fromisoformat(event["timestamp"]) >= before

    def test_an_empty_message_stays_an_empty_message(self, api):
        assert self.log(api, make_session(), message="").json()["message"] == ""

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("2026-03-02T10:11:12.345678", "2026-03-02T10:11:12.345000Z"),
            ("2026-03-02T10:11:12.345Z", "2026-03-02T10:11:12.345000Z"),
            ("2026-03-02T10:11:12+02:00", "2026-03-02T08:11:12Z"),
            ("2026-03-02T23:30:00-05:30", "2026-03-03T05:00:00Z"),
            ("2026-03-02", "2026-03-02T00:00:00Z"),
            ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z"),
            ("2099-12-31T23:59:59.999Z", "2099-12-31T23:59:59.999000Z"),
        ],
    )
    def test_a_timestamp_is_kept_in_utc_to_the_millisecond(self, api, sent, kept):
        session = make_session()
        assert self.log(api, session, timestamp=sent).json()["timestamp"] == kept
        assert api.get(f"/sessions/{session.pk}").json()["events"][0]["timestamp"] == kept

    def test_the_answer_equals_the_later_read(self, api):
        session = make_session()
        answers = [self.log(api, session).json() for _ in range(5)]
        events = api.get(f"/sessions/{session.pk}").json()["events"]
        assert sorted(events, key=lambda event: event["id"]) == sorted(answers, key=lambda event: event["id"])

    def test_a_type_outside_every_list_is_kept_as_sent_trimmed(self, api):
        odd = "a.b$c%25 Ж{}"
        assert self.log(api, make_session(), event_type=f" {odd}\n").json()["event_type"] == odd

    def test_sixty_four_characters_are_not_too_many(self, api):
        assert self.log(api, make_session(), event_type="ж" * 64).status_code == 201

    def test_an_ended_session_still_takes_events_for_a_while(self, api, settings):
        session = make_session(end_time=datetime.now(UTC) - timedelta(seconds=settings.EVENT_GRACE_S - 30))
        answer = self.log(api, session)
        assert (answer.status_code, answer.json()["marks"]) == (201, ["late"])
        session.refresh_from_db()
        assert session.counts == {"focus_lost": 1}

    def test_and_then_none_any_more(self, api, settings):
        session = make_session(end_time=datetime.now(UTC) - timedelta(seconds=settings.EVENT_GRACE_S + 1))
        answer = self.log(api, session)
        assert (answer.status_code, answer.json()["code"]) == (409, "session_closed")
        assert not Event.objects.exists()


class TestEndingASession:
    def test_it_answers_with_the_session_and_its_end(self, api):
        session = make_session()
        answer = api.post(f"/sessions/{session.pk}/end")
        assert answer.status_code == 200
        ended = answer.json()
        assert set(ended) == SESSION_FIELDS
        assert is_instant(ended["end_time"])
        assert ended["state"] == "ended"
        assert api.get(f"/sessions/{session.pk}").json().items() >= ended.items()

    def test_ending_twice_keeps_the_first_end_and_the_revision(self, api):
        session = make_session()
        first = api.post(f"/sessions/{session.pk}/end").json()
        revision = Session.objects.get().revision
        assert api.post(f"/sessions/{session.pk}/end").json() == first
        assert Session.objects.get().revision == revision

    def test_an_adopted_end_is_kept(self, api):
        session = make_session(end_time=NOON)
        assert api.post(f"/sessions/{session.pk}/end").json()["end_time"] == "2026-03-02T12:00:00Z"

    @pytest.mark.parametrize("body", [{}, {"end_time": "2020-01-01T00:00:00Z"}])
    def test_a_body_changes_nothing_about_it(self, api, body):
        session = make_session()
        ended = api.post(f"/sessions/{session.pk}/end", body, format="json").json()
        assert ended["end_time"] > "2026"


class TestWhatIsNotThere:
    @pytest.mark.parametrize("unknown", [UNKNOWN, "nonsense", "$gt", "%00", "%ff", "a%0Ab", "{}", "x" * 3000])
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("get", "/sessions/{}", None),
            ("post", "/sessions/{}/events", {"event_type": "focus_lost"}),
            ("post", "/sessions/{}/end", None),
            ("post", "/sessions/{}/video", None),
            ("post", "/sessions/{}/video/import", {"filename": "a.webm"}),
            ("get", "/sessions/{}/report", None),
            ("get", "/sessions/{}/report.html", None),
            ("get", "/sessions/{}/report.csv", None),
        ],
    )
    def test_an_unknown_session_is_a_404_on_every_route(self, api, method, path, body, unknown):
        answer = getattr(api, method)(path.format(unknown), body, format="json")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
        assert set(answer.json()) == {"detail", "code"}
        assert not Event.objects.exists()

    @pytest.mark.parametrize("path", ["/nowhere", "/sessions/", "/sessions/{id}/", "/sessions/{id}/events/", "/docs/"])
    def test_there_is_no_route_with_a_trailing_slash(self, api, path):
        for method in (api.get, api.post):
            answer = method(path.format(id=make_session().pk))
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_address")

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("put", "/sessions"),
            ("delete", "/sessions"),
            ("post", "/sessions/{id}"),
            ("put", "/sessions/{id}"),
            ("patch", "/sessions/{id}"),
            ("delete", "/sessions/{id}"),
            ("get", "/sessions/{id}/events"),
            ("delete", "/sessions/{id}/events"),
            ("get", "/sessions/{id}/end"),
            ("get", "/sessions/{id}/video"),
            ("post", "/sessions/{id}/report"),
        ],
    )
    def test_a_verb_that_makes_no_sense_is_a_405_and_says_which_do(self, api, method, path):
        session = make_session()
        answer = getattr(api, method)(path.format(id=session.pk))
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
        assert answer["Allow"]
        assert Session.objects.filter(pk=session.pk).exists()


def test_head_answers_without_a_failure(api):
    make_sessions(2)
    assert api.head("/sessions").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/healthz", "/sessions", "/sessions/{id}", "/sessions/{id}/events", "/sessions/{id}/report", "/videos/x"],
)
def test_options_says_nothing_of_the_api(api, nobody, path):
    """Of CORS a middleware speaks, before any of our routes is asked."""
    for client in (api, nobody):
        answer = client.options(path.format(id=make_session().pk))
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_no_answer_about_a_person_is_kept_by_a_cache(api):
    session = make_session()
    for path in ("/sessions", f"/sessions/{session.pk}", f"/sessions/{UNKNOWN}"):
        assert api.get(path)["Cache-Control"] == "no-store"
