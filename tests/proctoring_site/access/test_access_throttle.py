"""How often one address may come without a right of its own: 429 with Retry-After, counted for all workers together."""

import logging
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection
from pymongo.errors import PyMongoError
from rest_framework.exceptions import Throttled

from proctoring_site.access import throttle
from tests import trips
from tests.access import ask, caller, candidate, early_in_a_minute, machine
from tests.factories import make_session, make_staff
from tests.servers import Web

FORWARDED = "HTTP_X_FORWARDED_FOR"


@pytest.fixture
def limits(committed_database, settings):
    """Committed: the counts are written past any transaction."""
    connection.database[throttle.COLLECTION].delete_many({})
    settings.ANONYMOUS_PER_MINUTE, settings.SESSION_CREATION_PER_MINUTE = 3, 2
    early_in_a_minute()
    return settings


def create(address="198.51.100.1", client=None, **headers):
    return ask(client or caller(), "POST", "/sessions", REMOTE_ADDR=address, **headers)


def look(address="198.51.100.1", **headers):
    return ask(caller(), "GET", "/sessions", REMOTE_ADDR=address, **headers)


def statuses(call, times):
    return [call().status_code for _ in range(times)]


class TestWhatIsCounted:
    def test_calls_without_a_token(self, limits):
        assert statuses(look, 5) == [404, 404, 404, 429, 429]

    def test_starting_sessions_by_its_own_limit_and_no_other(self, limits):
        limits.ANONYMOUS_PER_MINUTE = 1
        assert statuses(create, 4) == [201, 201, 429, 429]
        assert statuses(look, 2) == [404, 429]

    def test_and_the_log_names_the_setting_once_a_minute_and_no_address(self, limits, caplog, monkeypatch):
        monkeypatch.setattr(throttle, "_told", {})  # by another test in this minute
        with caplog.at_level(logging.WARNING, logger="proctoring_site.access.throttle"):
            assert statuses(lambda: create("203.0.113.77") and create("203.0.113.78"), 4) == [201, 201, 429, 429]
        (said,) = caplog.messages
        assert said == "SESSION_CREATION_PER_MINUTE=2 is reached by one address, refused until the minute ends"

    def test_starting_sessions_where_only_machines_and_staff_may(self, limits):
        limits.SESSION_CREATION = "token"
        assert statuses(create, 5) == [401, 401, 401, 429, 429]

    def test_starting_sessions_with_a_token_that_gives_no_right_to_it(self, limits):
        client = candidate(make_session())
        assert statuses(lambda: create(client=client), 3) == [201, 201, 429]

    def test_bad_tokens(self, limits):
        def guess():
            return ask(caller("pk_guess"), "GET", "/sessions", REMOTE_ADDR="198.51.100.1")

        assert statuses(guess, 5) == [401, 401, 401, 429, 429]

    def test_what_could_be_a_beacon_and_is_no_json(self, limits):
        path = f"/sessions/{make_session().pk}/events/batch"
        from_there = {"content_type": "text/plain", "REMOTE_ADDR": "198.51.100.1"}
        assert statuses(lambda: caller().post(path, "nonsense", **from_there), 5) == [400, 400, 400, 429, 429]

    def test_not_the_work_of_candidates_machines_and_staff(self, limits):
        session = make_session()
        client, operator = candidate(session), machine(make_staff("Operator"))
        staff = caller(signed_in=make_staff("Operator"))
        assert statuses(lambda: ask(client, "POST", f"/sessions/{session.pk}/events"), 6) == [201] * 6
        assert statuses(lambda: create(client=operator), 6) == [201] * 6
        assert statuses(lambda: create(client=staff), 6) == [201] * 6

    def test_not_what_is_open_to_everybody(self, limits):
        for path in ("/", "/healthz", "/schema"):
            assert statuses(lambda path=path: ask(caller(), "GET", path), 5) == [200] * 5

    def test_nothing_where_the_limit_is_0(self, limits):
        limits.ANONYMOUS_PER_MINUTE = limits.SESSION_CREATION_PER_MINUTE = 0
        assert statuses(create, 6) == [201] * 6
        assert connection.database[throttle.COLLECTION].count_documents({}) == 0


class TestTheAnswer:
    def test_says_when_to_come_again(self, limits):
        statuses(look, 3)
        answer = look()
        assert answer.json()["code"] == "throttled"
        assert 1 <= int(answer["Retry-After"]) <= 60

    def test_is_the_same_for_what_exists_and_what_does_not(self, limits):
        session = make_session()
        statuses(look, 3)
        answers = [ask(caller(), "GET", f"/sessions/{pk}", REMOTE_ADDR="198.51.100.1") for pk in (session.pk, "f" * 36)]
        assert [answer.status_code for answer in answers] == [429, 429]
        assert answers[0].json()["code"] == answers[1].json()["code"]


class TestWhoIsOne:
    def test_an_address(self, limits):
        statuses(look, 4)
        assert look("198.51.100.2").status_code == 404

    def test_a_64_of_ipv6(self, limits):
        found = [look(f"2001:db8:0:1:{n}::1").status_code for n in range(4)]
        assert found == [404, 404, 404, 429]
        assert look("2001:db8:0:2::1").status_code == 404

    def test_whoever_claims_to_come_from_elsewhere(self, limits):
        found = [look(**{FORWARDED: f"203.0.113.{n}"}).status_code for n in range(4)]
        assert found == [404, 404, 404, 429]

    def test_behind_a_trusted_proxy_whom_it_names_last(self, limits):
        limits.TRUSTED_PROXY, limits.SECURE_SSL_REDIRECT = True, False
        found = [look(**{FORWARDED: f"203.0.113.{n}, 192.0.2.9"}).status_code for n in range(4)]
        assert found == [404, 404, 404, 429]
        assert look(**{FORWARDED: "203.0.113.1, 192.0.2.10"}).status_code == 404


def test_processes_count_together(committed_database, tmp_path):
    """Two servers, five calls: the sixth and all after are too many, wherever they arrive."""
    environment = {"MONGODB_DATABASE": connection.settings_dict["NAME"], "ANONYMOUS_PER_MINUTE": "5"}
    webs = [Web(connection.settings_dict["HOST"], tmp_path / name, **environment) for name in ("a", "b")]
    try:
        early_in_a_minute()
        found = [httpx.get(f"{webs[n % 2].url}/sessions").status_code for n in range(8)]
    finally:
        for web in webs:
            web.stop()
    assert found == [404] * 5 + [429] * 3


def test_calls_at_one_moment_have_each_their_own_place(committed_database, django_db_blocker):
    """However many share a trip: of 200 calls of one address just 150 pass, and all of another."""
    early_in_a_minute()

    def passes(address):
        with django_db_blocker.unblock():
            try:
                throttle.count("test", address, per_minute=150)
            except Throttled:
                return False
        return True

    with ThreadPoolExecutor(16) as pool:
        passed = list(pool.map(passes, ["198.51.100.1", "198.51.100.2", "198.51.100.1"] * 100))
    assert sum(passed[0::3]) + sum(passed[2::3]) == 150
    assert all(passed[1::3])
    counters = connection.database[throttle.COLLECTION].find()
    assert sorted(counter["calls"] for counter in counters) == [100, 200]


def test_of_a_high_limit_some_places_are_taken_ahead_and_none_is_given_twice(committed_database):
    early_in_a_minute()
    passed = 0
    with trips.exactly(*["findAndModify throttle"] * 101):
        for _ in range(302):
            try:
                throttle.count("test", "198.51.100.3", per_minute=300)
            except Throttled:
                continue
            passed += 1
    assert passed == 300


def test_a_database_that_says_nothing_is_not_waited_for_as_long_as_a_read_may_take(committed_database, monkeypatch):
    monkeypatch.setattr(throttle, "PATIENCE_S", 0.2)
    client = connection.database.client
    slow = {"blockConnection": True, "blockTimeMS": 1000, "appName": client.options.pool_options.appname}
    data = {"failCommands": ["findAndModify"], **slow}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        with pytest.raises(PyMongoError) as refused:
            throttle.count("test", "198.51.100.4", per_minute=5)
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")
    assert refused.value.timeout
