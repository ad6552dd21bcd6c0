"""States as claims, their history, what staff ask of the client, and who closes what nobody hears of any more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core.management import call_command
from django.db import connections

from proctoring_site.audit.models import AuditRecord
from sessions_app import heartbeat, moves, services
from sessions_app.errors import IllegalMove, NobodyThere
from sessions_app.heartbeat import Beat
from sessions_app.models import Session
from sessions_app.states import ALLOWED, OPEN, ReasonCode, State
from tests.factories import NOON, log_event, make_event, make_session, old_session, write_old_documents

MOVE = {
    State.RUNNING: services.resume_session,
    State.PAUSED: services.pause_session,
    State.ENDED: services.end_session,
    State.TERMINATED: lambda session: services.terminate_session(session, reason_code=ReasonCode.OTHER),
}
AN_HOUR = timedelta(hours=1)


def in_state(state, **overrides):
    end = {} if state in OPEN else {"end_time": NOON + AN_HOUR}
    return make_session(status=state, **end, **overrides)


class TestMoves:
    @pytest.mark.parametrize("to", MOVE)
    @pytest.mark.parametrize("state", State)
    def test_every_pair_is_allowed_or_refused_by_the_table(self, database, state, to):
        session = in_state(state)
        if to in ALLOWED[state]:
            MOVE[to](session)
            assert Session.objects.get(pk=session.pk).state is to
        elif state is to is State.ENDED:
            assert MOVE[to](session).end_time == NOON + AN_HOUR
        else:
            with pytest.raises(IllegalMove, match=f"is {state} and cannot become {to}"):
                MOVE[to](session)
            assert Session.objects.get(pk=session.pk).state is state

    def test_each_is_kept_with_who_why_and_when(self, api, database):
        session = make_session()
        for path, why in (("pause", {"reason_code": "technical.network", "reason": "$wait"}), ("resume", {})):
            assert api.post(f"/sessions/{session.pk}/{path}", why, format="json").status_code == 200
        first, second = api.get(f"/sessions/{session.pk}").json()["moves"]
        assert (first["from_state"], first["to_state"], first["reason"]) == ("running", "paused", "$wait")
        assert (first["actor_kind"], first["reason_code"]) == ("user", "technical.network")
        assert (second["from_state"], second["to_state"], second["reason_code"]) == ("paused", "running", None)
        assert first["at"] <= second["at"]

    def test_an_adopted_session_moves_as_any_other(self, database):
        old = old_session()
        write_old_documents([old])
        session = services.pause_session(Session.objects.get(pk=old["_id"]))
        assert (session.state, len(session.moves), len(session.commands)) == (State.PAUSED, 1, 1)

    def test_to_terminate_needs_a_reason_code_that_there_is(self, api, database):
        session = make_session()
        for body in ({}, {"reason_code": "bored"}, {"reason_code": None}):
            answer = api.post(f"/sessions/{session.pk}/terminate", body, format="json")
            assert (answer.status_code, set(answer.json()["fields"])) == (400, {"reason_code"})
        assert Session.objects.get().state is State.RUNNING

    def test_that_others_forestall_each_time_is_to_be_tried_again(self, api, database, monkeypatch):
        session, plain = make_session(), moves.record

        def record(*told, changes, **more):
            plain(*told, changes=changes, **more)
            other = State.PAUSED if changes["state"][0] is State.RUNNING else State.RUNNING
            Session.objects.filter(pk=session.pk).update(status=other)

        monkeypatch.setattr(moves, "record", record)
        answer = api.post(f"/sessions/{session.pk}/end")
        assert (answer.status_code, answer.json()["code"]) == (503, "try_again")
        assert answer["Retry-After"]
        assert Session.objects.get(pk=session.pk).state in OPEN

    def test_whose_claim_is_lost_from_the_same_state_is_recorded_once(self, database, monkeypatch):
        session, plain = make_session(status=None), moves.record

        def record(*told, **more):
            plain(*told, **more)
            Session.objects.filter(pk=session.pk).update(status=State.RUNNING)  # without a word it was that before

        monkeypatch.setattr(moves, "record", record)
        services.end_session(session)
        assert AuditRecord.objects.filter(object_id=session.pk).count() == len(session.moves) == 1

    def test_of_many_who_end_and_terminate_at_once_one_succeeds(self, committed_database):
        session = make_session()
        barrier = Barrier(8)

        def work(n):
            try:
                mine = Session.objects.get(pk=session.pk)
                barrier.wait(20)
                MOVE[State.TERMINATED if n % 2 else State.PAUSED](mine)
                return 1
            except IllegalMove:
                return 0
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            won = sum(pool.map(work, range(8)))
        session.refresh_from_db()
        assert len(session.moves) == won
        assert session.state is State.TERMINATED
        chain = [(move["from_state"], move["to_state"]) for move in session.moves]
        assert chain in ([("running", "terminated")], [("running", "paused"), ("paused", "terminated")])


class TestTheList:
    def test_finds_the_sessions_of_each_state(self, api, database):
        made = {state: in_state(state).pk for state in State}
        for state, pk in made.items():
            assert [row["id"] for row in api.get(f"/sessions?state={state}").json()] == [pk]


class TestCommands:
    def test_are_delivered_until_confirmed_and_then_shown_as_confirmed(self, api, database):
        session = make_session()
        api.post(f"/sessions/{session.pk}/pause", {"reason": "wait"}, format="json")
        api.post(f"/sessions/{session.pk}/message", {"message": "$hello"}, format="json")
        for _ in range(2):
            pause, message = heartbeat.beat(session.pk, Beat()).commands
            assert (pause["action"], pause["message"]) == ("pause", "wait")
            assert (message["action"], message["message"]) == ("message", "$hello")
        assert heartbeat.beat(session.pk, Beat(confirmed=[pause["id"]])).commands == [message]
        assert heartbeat.beat(session.pk, Beat(confirmed=[message["id"], "unknown"])).commands == []
        shown = api.get(f"/sessions/{session.pk}").json()["commands"]
        assert all(command["confirmed_at"] for command in shown)

    def test_a_terminated_client_still_learns_of_it(self, database):
        session = make_session()
        services.terminate_session(session, reason_code=ReasonCode.EXAMINEE_IDENTITY, reason="call us")
        answer = heartbeat.beat(session.pk, Beat())
        assert (answer.state, [c["action"] for c in answer.commands]) == (State.TERMINATED, ["terminate"])
        heartbeat.beat(session.pk, Beat(confirmed=[answer.commands[0]["id"]]))
        session.refresh_from_db()
        assert session.commands[0]["confirmed_at"] is not None
        assert session.heartbeat is None

    def test_nobody_is_told_anything_after_the_end(self, database):
        session = in_state(State.ENDED)
        with pytest.raises(NobodyThere):
            services.message_candidate(session, message="hello")


class TestClosingStaleSessions:
    def test_expires_the_silent_ones_with_their_last_sign_of_life_as_the_end(self, database, settings):
        silent, paused, lively, ended = (make_session() for _ in range(4))
        make_event(silent, timestamp=NOON + timedelta(minutes=5))
        services.pause_session(paused)
        services.end_session(ended, at=NOON + AN_HOUR)
        at = NOON + timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S, minutes=10)
        heartbeat.beat(lively.pk, Beat(), at=at - AN_HOUR)
        assert services.close_stale_sessions(at=at, dry_run=True) == 2
        assert services.close_stale_sessions(at=at) == 2
        assert services.close_stale_sessions(at=at) == 0
        states = {s.pk: s.state for s in Session.objects.all()}
        assert states == {silent.pk: "expired", paused.pk: "expired", lively.pk: "running", ended.pk: "ended"}
        silent.refresh_from_db()
        assert silent.end_time == NOON + timedelta(minutes=5)
        assert silent.moves[-1]["to_state"] == "expired"

    def test_a_client_that_comes_back_late_has_the_grace_time_from_then_on(self, database, settings):
        session = make_session()
        closed_at = NOON + timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S + 1)
        services.close_stale_sessions(at=closed_at)
        soon = closed_at + timedelta(seconds=settings.EVENT_GRACE_S - 1)
        event, _ = log_event(session.pk, services.Reported("focus_lost"), received_at=soon)
        assert event.marks == ["late"]

    def test_several_machines_at_once_close_each_once(self, committed_database, settings):
        for _ in range(10):
            make_session()
        at = NOON + timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S + 1)
        barrier = Barrier(4)

        def work(_):
            try:
                barrier.wait(20)
                return services.close_stale_sessions(at=at)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(4))) == 10
        assert all(len(session.moves) == 1 for session in Session.objects.all())

    def test_the_command_says_how_many(self, database, capsys):
        make_session()
        call_command("close_stale_sessions", "--dry-run")
        call_command("close_stale_sessions")
        assert capsys.readouterr().out == "Sessions that would be expired: 1.\nSessions expired: 1.\n"
