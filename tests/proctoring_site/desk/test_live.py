"""The live board: who stands first, what it costs, what is asked and confirmed, and who may watch."""

from dataclasses import replace
from datetime import timedelta

import pytest

from proctoring_site.audit.models import Action, AuditRecord
from proctoring_site.desk import board
from sessions_app import heartbeat, services
from sessions_app.heartbeat import Beat
from sessions_app.models import Session, now
from sessions_app.review import policies
from sessions_app.review import services as reviews
from sessions_app.review.models import Allowance
from sessions_app.scoring import INCIDENTS
from tests.factories import make_event, make_session, make_sessions, make_staff, old_session, write_old_documents
from tests.plans import explain
from tests.trips import exactly

LIVE = "/admin/sessions_app/session/live/"
STATE, ACT = f"{LIVE}state/", f"{LIVE}act/"

pytestmark = pytest.mark.usefixtures("committed_database")


def told(client, **headers):
    answer = client.get(STATE, **headers)
    assert answer.status_code == 200
    return answer.json()


def names(client):
    return [session["name"] for session in told(client)["sessions"]]


def act(client, session, **asked):
    return client.post(ACT, {"session": session.pk, **asked})


@pytest.fixture
def hall():
    """One of each, named for what they are; made in another order than they must stand in."""
    at = now()
    make_session(candidate_name="here", start_time=at - timedelta(seconds=3))
    make_session(candidate_name="silent", start_time=at - timedelta(hours=1))
    missing = make_session(candidate_name="missing", start_time=at - timedelta(hours=2))
    heartbeat.beat(missing.pk, Beat(camera=True), at=at - timedelta(minutes=5))
    unrecorded = make_session(candidate_name="unrecorded", start_time=at - timedelta(minutes=1))
    heartbeat.beat(unrecorded.pk, Beat(camera=True, recording=False), at=at)
    for event_type in ("recording_stopped", "recording_lost"):
        make_event(unrecorded, event_type=event_type, timestamp=at)
    paused = services.pause_session(make_session(candidate_name="paused", start_time=at))
    few = make_session(candidate_name="few points", start_time=at)
    make_event(few, event_type="looking_away", timestamp=at)
    many = make_session(candidate_name="many points", start_time=at - timedelta(hours=3))
    for _ in range(9):
        make_event(many, event_type="phone_detected", timestamp=at)
    make_session(candidate_name="ended", end_time=at)
    return {"missing": missing, "paused": paused, "few": few, "many": many}


class TestTheOrder:
    def test_is_weighed_events_then_missing_then_what_is_off_then_silent_then_the_newest(self, as_staff, hall):
        order = ["many points", "few points", "missing", "unrecorded", "silent", "paused", "here"]
        assert names(as_staff("Proctor")) == order

    def test_is_told_with_the_counts_per_state(self, as_staff, hall):
        counts = told(as_staff("Proctor"))["counts"]
        assert counts == {"running": 6, "paused": 1, "missing": 1, "off": 1, "silent": 1, "weighed": 2}

    def test_goes_by_what_the_events_weigh_also_below_zero(self, as_staff):
        for name, phones in (("eight", 8), ("nine", 9)):
            make_event(session := make_session(candidate_name=name), event_type="phone_detected")
            Session.objects.filter(pk=session.pk).update(event_counts={"phone_detected": phones})
        assert names(as_staff("Proctor")) == ["nine", "eight"]
        assert {row["points"] for row in told(as_staff("Proctor"))["sessions"]} == {100}

    def test_goes_by_the_points_that_are_shown_caps_heeded(self, as_staff):
        """Forty glances of which twenty points at most come off stand behind thirty points for two phones."""
        capped = replace(policies.draft_of(policies.policy_of(1)), caps={"looking_away": 20})
        policies.activate(policies.create(capped, by=make_staff()).version, by=make_staff(), instead_of=None)
        for name, counts in (("glances", {"looking_away": 40}), ("phones", {"phone_detected": 2})):
            session = make_session(candidate_name=name)
            Session.objects.filter(pk=session.pk).update(event_counts=counts)
        rows = told(as_staff("Proctor"))["sessions"]
        assert [(row["name"], row["points"]) for row in rows] == [("phones", 30), ("glances", 20)]

    def test_leaves_out_what_was_allowed_and_says_so(self, as_staff, hall):
        reviews.allow(hall["many"], "phone_detected", by=make_staff("Reviewer"), reason="A reading aid.", seen=0)
        row = next(row for row in told(as_staff("Proctor"))["sessions"] if row["name"] == "many points")
        assert (row["points"], row["deductions"], row["allowed"]) == (0, [], [["phone_detected", 9]])
        assert names(as_staff("Proctor"))[0] == "few points"

    def test_says_that_it_knows_nothing_of_what_people_added(self, as_staff):
        said = "What people added by hand or dismissed is shown only on the session's own page."
        assert said in as_staff("Proctor").get(LIVE).content.decode()

    def test_says_when_the_policy_in_force_counts_otherwise(self, as_staff):
        proctor = as_staff("Proctor")
        wanted = ("Each event counts here", "Points, each event counted</th>")
        assert not any(said in proctor.get(LIVE).content.decode() for said in wanted)
        incidents = replace(policies.draft_of(policies.policy_of(1)), counts=INCIDENTS)
        policies.activate(policies.create(incidents, by=make_staff()).version, by=make_staff(), instead_of=None)
        assert all(said in proctor.get(LIVE).content.decode() for said in wanted)


class TestASession:
    def test_says_what_took_points_off(self, as_staff, hall):
        row = told(as_staff("Reviewer"))["sessions"][0]
        assert (row["points"], row["deductions"]) == (100, [["phone_detected", 9, 100]])

    def test_says_since_when_a_client_is_missing_and_what_it_had_on(self, as_staff, hall):
        row = next(row for row in told(as_staff("Proctor"))["sessions"] if row["name"] == "missing")
        assert row["presence"] == "missing"
        assert row["since"].endswith("Z")
        assert row["signals"] == {"camera": True, "microphone": None, "screen": None, "recording": None}

    def test_says_that_nothing_is_recorded_and_what_was_lost(self, as_staff, hall):
        row = next(row for row in told(as_staff("Proctor"))["sessions"] if row["name"] == "unrecorded")
        assert row["kinds"] == ["running", "off"]
        assert row["signals"]["recording"] is False
        assert row["recording"] == [["recording_stopped", 1], ["recording_lost", 1]]

    @pytest.mark.parametrize(("together", "here", "said"), [(5, 3, 5), (5, 4, 0), (4, 0, 0)])
    def test_that_is_missing_with_most_others_is_not_the_candidates_fault(self, as_staff, together, here, said):
        for number, session in enumerate(make_sessions(together + here + 1, start_time=now() - timedelta(hours=1))):
            ago = timedelta(seconds=100 + number) if number < together else timedelta(0)
            heartbeat.beat(session.pk, Beat(), at=now() - (timedelta(minutes=9) if number == together + here else ago))
        assert told(as_staff("Proctor"))["together"] == said

    def test_of_the_earlier_service_is_shown_too(self, as_staff):
        write_old_documents([old_session(candidate_name=7, start_time="2026-03-02T12:00:00"), old_session(_id="a/b")])
        rows = told(as_staff("Reviewer"))["sessions"]
        assert {(row["name"], row["key"] == row["id"]) for row in rows} == {("7", True), ("Olda Example", False)}

    def test_whose_beats_do_not_say_when_is_missing_nobody_knows_since_when(self, as_staff):
        for n in range(2):
            session = make_session(start_time=now())
            Session.objects.filter(pk=session.pk).update(heartbeat={"camera": True} if n else {"last_at": now()})
        rows = told(as_staff("Proctor"))["sessions"]
        assert [(row["presence"], row["since"]) for row in rows] == [("missing", None), ("here", None)]

    def test_has_a_name_in_any_script(self, as_staff):
        name = "مرشحة 👩🏽‍💻 <script>alert(1)</script>"
        make_session(candidate_name=name)
        assert names(as_staff("Proctor")) == [name]


class TestThePoll:
    def test_answers_304_until_something_happens(self, as_staff):
        proctor, session = as_staff("Proctor"), make_session(start_time=now())
        etag = proctor.get(STATE)["ETag"]
        again = proctor.get(STATE, HTTP_IF_NONE_MATCH=etag)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        heartbeat.beat(session.pk, Beat(camera=True))
        changed = proctor.get(STATE, HTTP_IF_NONE_MATCH=etag)
        assert changed.status_code == 200
        heartbeat.beat(session.pk, Beat(camera=True))  # nothing new but the time
        assert proctor.get(STATE, HTTP_IF_NONE_MATCH=changed["ETag"]).status_code == 304

    @pytest.mark.parametrize("count", [3, 200])
    def test_asks_once_for_the_sessions_however_many(self, as_staff, count):
        proctor, sessions = as_staff("Proctor"), make_sessions(count)
        etag = proctor.get(STATE)["ETag"]
        make_event(sessions[0])
        login = ["aggregate django_session", "aggregate auth_user", *["aggregate auth_permission"] * 2]
        with exactly(*login, "find sessions"):
            assert proctor.get(STATE, HTTP_IF_NONE_MATCH=etag).status_code == 200

    @pytest.mark.parametrize("count", [1, 20])
    def test_asks_once_more_for_what_was_allowed_however_much(self, as_staff, count):
        proctor, reviewer = as_staff("Proctor"), make_staff("Reviewer")
        for session in make_sessions(count):
            reviews.allow(session, "looking_away", by=reviewer, reason="A reading aid.", seen=0)
        told(proctor)
        login = ["aggregate django_session", "aggregate auth_user", *["aggregate auth_permission"] * 2]
        with exactly(*login, "find sessions", "find allowances", "insert audit_log"):
            told(proctor)

    def test_reads_what_was_allowed_by_an_index(self):
        reviewer, sessions = make_staff("Reviewer"), make_sessions(10)
        for session in sessions:
            reviews.allow(session, "looking_away", by=reviewer, reason="A reading aid.", seen=0)
        plan = explain(Allowance.objects.in_force_for([session.pk for session in sessions[:2]]))
        assert plan.uses_index, plan.stages
        assert plan.docs_examined == 2

    def test_reads_what_it_shows_by_an_index_and_sorts_nothing(self):
        make_sessions(300, end_time=now())
        make_sessions(30)
        plan = explain(Session.objects.open().newest_first()[: board.SESSIONS_MAX + 1])
        assert plan.uses_index, plan.stages
        assert not plan.sorts_in_memory
        assert plan.docs_examined == 30

    def test_shows_the_newest_and_says_that_there_are_more(self, as_staff, monkeypatch):
        monkeypatch.setattr(board, "SESSIONS_MAX", 5)
        make_sessions(5)
        assert not told(as_staff("Proctor"))["is_cut"]
        make_session(candidate_name="the newest", start_time=now())
        board_now = told(as_staff("Proctor"))
        assert (board_now["is_cut"], len(board_now["sessions"])) == (True, 5)
        assert "the newest" in {row["name"] for row in board_now["sessions"]}

    def test_is_on_record_once_and_not_with_every_poll(self, as_staff):
        proctor, first = as_staff("Proctor", username="petra"), make_session()
        etag = proctor.get(STATE)["ETag"]
        for _ in range(3):
            proctor.get(STATE, HTTP_IF_NONE_MATCH=etag)
        second = make_session()
        proctor.get(STATE, HTTP_IF_NONE_MATCH=etag)
        looks = AuditRecord.objects.filter(actor_name="petra", action=Action.LISTED).order_by("at")
        assert [look.details for look in looks] == [
            {"filters": ["live"], "sessions": [first.pk]},
            {"filters": ["live"], "sessions": [second.pk]},
        ]

    def test_of_a_page_that_was_opened_again_is_on_record_again(self, as_staff):
        proctor = as_staff("Proctor", username="petra")
        make_session()
        told(proctor)
        told(proctor)
        assert AuditRecord.objects.filter(actor_name="petra", action=Action.LISTED).count() == 2


class TestActing:
    def test_is_asked_of_the_client_until_it_confirms(self, as_staff, hall):
        proctor, session = as_staff("Proctor", username="petra"), hall["few"]
        done = act(proctor, session, verb="pause", reason_code="technical.network", reason="Please wait.")
        assert (done.status_code, done.json()) == (200, {"detail": "The session is paused."})
        (asked,) = self.row(proctor, session)["asked"]
        assert (asked["action"], asked["by"], asked["confirmed"]) == ("pause", "petra", None)
        (command,) = Session.objects.get(pk=session.pk).commands
        heartbeat.beat(session.pk, Beat(confirmed=[command["id"]]))
        assert self.row(proctor, session)["asked"][0]["confirmed"] is not None

    @pytest.mark.parametrize(
        ("asked", "status", "said"),
        [
            ({"verb": "resume"}, 409, "The session is running and cannot become running."),
            ({"verb": "terminate"}, 409, "reason code: This field is required."),
            ({"verb": "message"}, 409, "message: This field is required."),
            ({"verb": "end"}, 400, "There is no such action."),
            ({}, 400, "There is no such action."),
        ],
    )
    def test_what_cannot_be_is_refused_and_said(self, as_staff, asked, status, said):
        session = make_session()
        answer = act(as_staff("Proctor"), session, **asked)
        assert (answer.status_code, answer.json()["detail"]) == (status, said)
        session.refresh_from_db()
        assert (session.state, session.commands) == ("running", [])

    def test_a_session_that_is_closed_is_not_there_for_a_proctor(self, as_staff):
        session = services.end_session(make_session())
        assert act(as_staff("Proctor"), session, verb="message", message="x").status_code == 404

    def test_a_terminated_one_leaves_the_board(self, as_staff):
        proctor, session = as_staff("Proctor"), make_session()
        assert act(proctor, session, verb="terminate", reason_code="examinee.identity").status_code == 200
        assert names(proctor) == []

    def row(self, client, session):
        return next(row for row in told(client)["sessions"] if row["id"] == session.pk)


class TestWhoMay:
    @pytest.mark.parametrize(
        ("group", "watches", "acts"),
        [("Reviewer", True, False), ("Proctor", True, True), ("Operator", False, False), ("Auditor", False, False)],
    )
    def test_watch_and_act(self, as_staff, group, watches, acts):
        client, session = as_staff(group), make_session()
        assert [client.get(path).status_code for path in (LIVE, STATE)] == [200 if watches else 404] * 2
        assert act(client, session, verb="message", message="x").status_code == (200 if acts else 404)
        if watches:
            assert ("live-dialog" in client.get(LIVE).content.decode()) is acts
            assert bool(told(client)["verbs"]) is acts

    def test_the_page_says_that_a_person_decides(self, as_staff):
        assert "Flags are not findings; a person decides." in as_staff("Reviewer").get(LIVE).content.decode()
