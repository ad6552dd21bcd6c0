"""The candidate's token, the cookie of staff, and how often one may come without either."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from proctoring_site.access import candidate_token
from sessions_app.models import Session
from tests import access, drives
from tests.access import ask, caller, candidate, candidate_token_issued, machine, send_csrf_token
from tests.audit_records import recording, told, whole_database
from tests.factories import make_session, make_staff

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence


def status_of_own(session, token):
    return ask(caller(token), "GET", f"/sessions/{session.pk}").status_code


class TestTheCandidatesToken:
    def test_comes_with_the_session_and_works_for_it(self, database):
        started = ask(caller(), "POST", "/sessions").json()
        assert ask(caller(started["token"]), "POST", f"/sessions/{started['id']}/events").status_code == 201

    def test_says_when_it_expires(self, database, settings):
        settings.CANDIDATE_TOKEN_MAX_AGE_S = 1234
        before = timezone.now()
        told = datetime.fromisoformat(ask(caller(), "POST", "/sessions").json()["token_expires_at"])
        assert 0 <= (told.astimezone(UTC) - before).total_seconds() - 1234 < 5

    def test_works_until_then_and_not_after(self, database, settings):
        session = make_session()
        old, older = (candidate_token_issued(session.pk, seconds_ago=s) for s in (3500, 3700))
        settings.CANDIDATE_TOKEN_MAX_AGE_S = 3600
        assert (status_of_own(session, old), status_of_own(session, older)) == (200, 401)

    def test_that_was_good_a_moment_ago_still_expires(self, database, settings):
        session = make_session()
        token = candidate_token_issued(session.pk, seconds_ago=100)
        assert status_of_own(session, token) == 200
        settings.CANDIDATE_TOKEN_MAX_AGE_S = 50
        assert status_of_own(session, token) == 401

    def test_fails_when_any_byte_of_it_is_another(self, database):
        session = make_session()
        token = candidate_token.issue(session.pk)[0]
        assert status_of_own(session, token) == 200
        for at, letter in enumerate(token):
            for other in ({"A", "b", ".", "-"} - {letter}) | {chr(ord(letter) ^ 1)}:
                altered = token[:at] + other + token[at + 1 :]
                assert candidate_token.read(altered) is None, altered
            assert status_of_own(session, altered) == 401, altered

    @pytest.mark.parametrize("header", ["{}", "Token {}", "JWT {}"])
    def test_without_the_word_bearer_is_a_bad_token_and_not_nobodys(self, database, header):
        session = make_session()
        said = header.format(candidate_token.issue(session.pk)[0])
        answer = caller().get(f"/sessions/{session.pk}", HTTP_AUTHORIZATION=said)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert "Bearer" in answer.json()["detail"]

    def test_fails_when_it_is_cut_or_longer(self, database):
        token = candidate_token.issue(make_session().pk)[0]
        altered = [token[:end] for end in range(len(token))] + [token + "A", token + ".", f"{token}=", f"pc.{token}"]
        assert [text for text in altered if candidate_token.read(text)] == []

    def test_cannot_be_put_together_from_two(self, database):
        mine, other = make_session(), make_session()
        _, stamp, signature = candidate_token.issue(mine.pk)[0].rsplit(".", 2)
        assert status_of_own(other, f"pc.{other.pk}.{stamp}.{signature}") == 401

    def test_fails_under_another_key_unless_it_still_knows_the_former(self, database, settings):
        session = make_session()
        token = candidate_token.issue(session.pk)[0]
        former, settings.SECRET_KEY = settings.SECRET_KEY, "another key"
        assert status_of_own(session, token) == 401
        settings.SECRET_KEY_FALLBACKS = [former]
        assert status_of_own(session, token) == 200

    def test_of_a_deleted_session_finds_nothing(self, evidence):
        client = candidate(evidence.session)
        Session.objects.filter(pk=evidence.session.pk).delete()
        for method, path in (("GET", ""), ("POST", "/events"), ("POST", "/end"), ("POST", "/video")):
            answer = ask(client, method, f"/sessions/{evidence.session.pk}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    @pytest.mark.parametrize("state", ["paused", "expired"])
    def test_is_given_anew_with_the_session_in_whatever_state_and_the_old_one_stays_good(self, database, state):
        is_over = state != "paused"
        session = make_session(status=state, end_time=timezone.now() - timedelta(hours=1) if is_over else None)
        old, path = candidate_token.issue(session.pk)[0], f"/sessions/{session.pk}"
        lms = machine(make_staff("Operator"))
        with recording() as records:
            answer = ask(lms, "POST", f"{path}/token")
        given, shown = answer.json(), ask(caller(old), "GET", path).json()
        assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
        assert given == {**shown, "token": given["token"], "token_expires_at": given["token_expires_at"]}
        assert shown["state"] == state
        assert told(records) == [("linked", "session", session.pk)]
        assert given["token"] not in whole_database()
        for token in (old, given["token"]):
            assert ask(caller(token), "POST", f"{path}/uploads").status_code == 201

    def test_is_checked_without_asking_the_database(self, database, settings):
        """The path that every candidate takes all the time costs what it costs without any check."""
        session = make_session()
        path = f"/sessions/{session.pk}/events"
        with_token = commands(candidate(session), path)
        by_machine = commands(machine(make_staff("Operator")), path)
        settings.OPEN_API = True
        assert with_token == commands(caller(), path) < by_machine


def commands(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert ask(client, "POST", path).status_code == 201
    return len(captured)


class TestCreationByToken:
    def test_says_what_is_missing(self, database, settings):
        settings.SESSION_CREATION = "token"
        session = make_session()
        clients = (caller(), candidate(session), machine(make_staff("Reviewer")), machine(make_staff("Operator")))
        answers = [ask(client, "POST", "/sessions") for client in clients]
        assert [answer.status_code for answer in answers] == [401, 403, 403, 201]
        assert answers[0]["WWW-Authenticate"] == "Bearer"
        assert Session.objects.count() == 2

    def test_needs_the_rights_owner_still_to_have_it(self, database, settings):
        settings.SESSION_CREATION = "token"
        owner = make_staff("Operator")
        client = machine(owner)
        assert ask(client, "POST", "/sessions").status_code == 201
        owner.groups.clear()
        assert ask(client, "POST", "/sessions").status_code == 403


class TestTheCookieOfStaff:
    @pytest.mark.parametrize(
        ("group", "path"),
        [
            ("Operator", "/events"),
            ("Operator", "/video/import"),
            ("Operator", "/video"),
            ("Operator", "/token"),
            ("Proctor", "/end"),
            ("Reviewer", "/video/link"),
            ("Reviewer", "/report/link"),
        ],
    )
    def test_changes_nothing_without_the_csrf_token_and_does_with_it(self, evidence, group, path):
        client = caller(signed_in=make_staff(group))
        token = client.defaults.pop("HTTP_X_CSRFTOKEN")
        path = f"/sessions/{evidence.session.pk}{path}"
        assert ask(client, "POST", path).status_code == 403
        assert ask(client, "POST", path, HTTP_X_CSRFTOKEN=token[::-1]).status_code == 403
        evidence.session.refresh_from_db()
        assert (evidence.session.end_time, evidence.session.events.count()) == (None, 1)
        assert ask(client, "POST", path, HTTP_X_CSRFTOKEN=token).status_code in (200, 201)

    def test_reads_without_it(self, database):
        client = caller(signed_in=make_staff("Reviewer"))
        del client.defaults["HTTP_X_CSRFTOKEN"]
        assert ask(client, "GET", "/sessions").status_code == 200

    def test_a_machines_token_needs_none(self, database):
        session = make_session()
        assert ask(machine(make_staff("Proctor")), "POST", f"/sessions/{session.pk}/end").status_code == 200

    @pytest.mark.parametrize("lost", ["is_staff", "is_active"])
    def test_of_one_who_lost_the_post_is_nobodys(self, evidence, lost):
        account = make_staff("Reviewer", "Proctor", "Operator")
        client = caller(signed_in=account)
        path = evidence.path("/sessions/{id}")
        assert ask(client, "GET", path).status_code == 200
        setattr(account, lost, False)
        account.save()
        assert {ask(client, "GET", p).status_code for p in (path, "/sessions", f"/videos/{evidence.video}")} == {404}
        assert ask(client, "POST", f"{path}/end").status_code == 404

    def test_of_one_who_left_the_group_does_nothing_more(self, database):
        account = make_staff("Reviewer")
        client = caller(signed_in=account)
        assert ask(client, "GET", "/sessions").status_code == 200
        account.groups.clear()
        assert ask(client, "GET", "/sessions").status_code == 404

    def test_is_no_way_to_fix_a_token_of_ones_own(self, database):
        """A cookie that was made up signs nobody in."""
        client = caller()
        client.cookies["sessionid"] = "a" * 32
        send_csrf_token(client)
        assert ask(client, "GET", "/sessions").status_code == 404
