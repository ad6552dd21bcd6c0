"""Guessing passwords at the admin's login: locked per name and address for a while, throttled per address."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import httpx
import pytest
from axes.models import AccessAttempt
from django.conf import settings as product
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pymongo import MongoClient

from proctoring_site.audit.models import Action, AuditRecord
from tests.factories import make_staff
from tests.servers import Web, free_port, manage_in_turn

NAME, RIGHT, WRONG = "zebediah.quillfeather", "correct horse battery", "yrettab esroh tcerroc"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
LIMIT = 3
DEFAULTS = (product.AXES_FAILURE_LIMIT, product.AXES_COOLOFF_TIME)  # before `limits` below


@pytest.fixture(autouse=True)
def limits(settings) -> None:
    settings.AXES_FAILURE_LIMIT, settings.LOGIN_PER_MINUTE = LIMIT, 0
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; not what is tested


@pytest.fixture
def account(database):
    return make_staff("Reviewer", username=NAME, password=RIGHT)


def attempt(password: str, *, name: str = NAME, address: str = HERE, client: Client | None = None, **headers: str):
    client = client or Client(raise_request_exception=False)
    form = {"username": name, "password": password}
    return client.post("/admin/login/?next=/admin/", form, REMOTE_ADDR=address, headers=headers)


def lock(**who: str) -> None:
    answers = [attempt(WRONG, **who).status_code for _ in range(LIMIT)]
    assert answers == [200] * (LIMIT - 1) + [429]


def pass_by(time: timedelta) -> None:
    for failed in AccessAttempt.objects.all():
        AccessAttempt.objects.filter(pk=failed.pk).update(attempt_time=failed.attempt_time - time)


class TestTheLock:
    def test_refuses_the_right_password(self, account):
        lock()
        assert attempt(RIGHT).status_code == 429

    def test_begins_with_the_last_failure_that_is_allowed_and_not_before(self, account):
        for _ in range(LIMIT - 1):
            attempt(WRONG)
        assert attempt(RIGHT).status_code == 302

    def test_does_not_reach_another_address(self, account):
        lock()
        assert attempt(RIGHT, address=ELSEWHERE).status_code == 302
        assert attempt(RIGHT).status_code == 429  # and that login does not open it here

    def test_does_not_reach_another_name_from_the_same_address(self, account):
        make_staff("Reviewer", username="somebody.else", password=RIGHT)
        lock()
        assert attempt(RIGHT, name="somebody.else").status_code == 302

    def test_leaves_who_is_signed_in_alone(self, account):
        client = Client()
        assert attempt(RIGHT, client=client).status_code == 302
        lock()
        assert client.get("/admin/", REMOTE_ADDR=HERE).status_code == 200

    def test_is_the_same_for_a_name_that_does_not_exist(self, account):
        lock(name="nobody.at.all")

    def test_counts_anew_after_a_login(self, account):
        for _ in range(2):
            for _ in range(LIMIT - 1):
                assert attempt(WRONG).status_code == 200
            assert attempt(RIGHT).status_code == 302

    @pytest.mark.parametrize("header", ["User-Agent", "X-Forwarded-For", "X-Requested-With"])
    def test_is_not_escaped_by_a_header_that_changes(self, account, header):
        answers = [attempt(WRONG, **{header: f"203.0.113.{n}"}).status_code for n in range(LIMIT + 2)]
        assert answers == [200] * (LIMIT - 1) + [429] * 3

    def test_takes_the_address_from_a_trusted_proxy(self, account, settings):
        settings.TRUSTED_PROXY, settings.SECURE_SSL_REDIRECT = True, False
        for _ in range(LIMIT):
            attempt(WRONG, **{"X-Forwarded-For": ELSEWHERE})
        assert attempt(RIGHT, **{"X-Forwarded-For": ELSEWHERE}).status_code == 429
        assert attempt(RIGHT, **{"X-Forwarded-For": HERE}).status_code == 302

    def test_takes_the_addresses_of_one_ipv6_subscriber_for_one(self, account):
        for n in range(LIMIT):
            attempt(WRONG, address=f"2001:db8:0:1::{n + 1}")
        assert attempt(RIGHT, address="2001:db8:0:1:ffff::1").status_code == 429
        assert attempt(RIGHT, address="2001:db8:0:2::1").status_code == 302

    def test_ends_by_itself_although_somebody_goes_on_trying(self, account):
        lock()
        for _ in range(2):
            pass_by(timedelta(minutes=7))
            assert attempt(RIGHT).status_code == 429
        pass_by(timedelta(minutes=1))
        assert attempt(RIGHT).status_code == 302

    def test_does_not_come_back_after_it_ended(self, account):
        lock()
        pass_by(timedelta(minutes=15))
        lock()

    @pytest.mark.parametrize(
        "command", [("axes_reset_username", NAME), ("axes_reset_ip_username", HERE, NAME), ("axes_reset",)]
    )
    def test_is_ended_by_a_command(self, account, command, capsys):
        lock()
        call_command("axes_list_attempts")
        assert f"{HERE}\t{NAME}\t{LIMIT}\n" in capsys.readouterr().out
        call_command(*command)
        assert attempt(RIGHT).status_code == 302

    def test_takes_five_failures_and_fifteen_minutes_unless_set_otherwise(self):
        assert (5, timedelta(minutes=15)) == DEFAULTS


class TestTheAnswer:
    def test_says_on_a_page_what_happened_and_when_it_works_again(self, account):
        lock()
        answer = attempt(RIGHT)
        page = answer.content.decode()
        assert answer["Content-Type"].startswith("text/html")
        assert "Too many logins with this user name have failed from your address." in page
        assert "within 15 minutes" in page
        assert answer["Retry-After"] == "900"
        assert NAME not in page

    def test_looks_like_the_login_and_has_nothing_inline(self, account):
        lock()
        page = attempt(RIGHT).content.decode()
        assert set(re.findall(r'href="([^"]+\.css)"', page)) == set(
            re.findall(r'href="([^"]+\.css)"', Client().get("/admin/login/").content.decode())
        )
        assert re.findall(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", page) == []


class TestTheThrottle:
    """Its window is a clock minute; twice the limit and one more cannot all fit into two of them."""

    def guess(self, limit: int, **who: str) -> list:
        return [attempt(WRONG, name=f"name-{n}", **who) for n in range(2 * limit + 1)]

    def test_stops_guessing_many_names_from_one_address(self, committed_database, settings):
        settings.LOGIN_PER_MINUTE = 4
        refused = [answer for answer in self.guess(4) if answer.status_code == 429]
        assert refused
        assert 1 <= int(refused[0]["Retry-After"]) <= 60
        page = refused[0].content.decode()
        assert "Too many logins have been attempted from your address." in page
        assert "within 1 minute." in page
        assert attempt(WRONG, address=ELSEWHERE).status_code == 200

    def test_refuses_the_right_password_too_and_asks_no_account(self, committed_database, settings):
        settings.LOGIN_PER_MINUTE = 1
        make_staff("Reviewer", username=NAME, password=RIGHT)
        records = AuditRecord.objects.count()
        answers = [attempt(RIGHT).status_code for _ in range(3)]
        assert 429 in answers
        assert AuditRecord.objects.count() - records == answers.count(302)

    def test_of_zero_is_off(self, database):
        assert [answer.status_code for answer in self.guess(30)] == [200] * 61

    def test_does_not_count_who_only_looks(self, committed_database, settings):
        settings.LOGIN_PER_MINUTE = 1
        assert [Client().get("/admin/login/").status_code for _ in range(5)] == [200] * 5
        assert attempt(WRONG).status_code == 200


class TestTheAuditLog:
    def records(self) -> list[tuple[str, str, str]]:
        actions = (Action.LOGIN_FAILED, Action.LOGGED_IN)
        return list(
            AuditRecord.objects.filter(action__in=actions).order_by("id").values_list("action", "object_id", "address")
        )

    def test_has_one_record_of_every_failure_locked_or_not(self, account):
        lock()
        attempt(RIGHT)
        assert self.records() == [("login_failed", NAME, HERE)] * (LIMIT + 1)

    def test_has_one_record_of_a_login(self, account):
        attempt(RIGHT)
        assert self.records() == [("logged_in", NAME, HERE)]


class TestWhatIsKept:
    def test_is_the_name_the_address_and_how_often(self, account):
        attempt(WRONG, **{"User-Agent": "a browser"})
        attempt(WRONG)
        (row,) = AccessAttempt.objects.values()
        kept = {field for field, value in row.items() if value != ""} - {"id", "attempt_time"}
        assert kept == {"username", "ip_address", "failures_since_start"}
        assert (row["username"], row["ip_address"], row["failures_since_start"]) == (NAME, HERE, 2)

    def test_is_forgotten_by_the_database_after_a_day(self, committed_database):
        indexes = connection.database[AccessAttempt._meta.db_table].index_information()
        assert indexes["failures_until"]["expireAfterSeconds"] == 24 * 3600
        assert timedelta(days=1) >= product.AXES_COOLOFF_TIME

    def test_is_not_in_the_log(self, account, caplog):
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="axes")
        attempt(RIGHT)
        lock()
        attempt(RIGHT)
        assert "AXES" in caplog.text
        assert "login locked" in caplog.text
        said = caplog.text.lower()
        assert [secret for secret in (*NAME.split("."), RIGHT, WRONG) if secret in said] == []


def test_failures_at_the_same_moment_all_count(committed_database, settings):
    settings.AXES_FAILURE_LIMIT = 100
    together = Barrier(8)

    def fail(_: int) -> int:
        together.wait()
        return attempt(WRONG).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fail, range(8))) == [200] * 8
    (row,) = AccessAttempt.objects.all()
    assert row.failures_since_start == 8


def test_nothing_but_a_login_asks_for_failures(database, as_staff):
    client = as_staff("Reviewer")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get("/sessions").status_code == 200
        assert client.get("/admin/").status_code == 200
        assert Client().get("/admin/login/").status_code == 200
    asked = [query["sql"] for query in queries.captured_queries]
    assert asked
    assert [sql for sql in asked if "axes" in sql] == []


def test_the_login_page_asks_no_database():
    assert Client().get("/admin/login/").status_code == 200


@pytest.fixture
def own() -> Iterator[dict[str, str]]:
    """The settings of processes that share a database."""
    database = f"test_login_{uuid4().hex}"
    yield {"MONGODB_DATABASE": database, "SECRET_KEY": "x" * 50, "DJANGO_SUPERUSER_PASSWORD": RIGHT}
    with MongoClient(os.environ["MONGODB_URL"]) as client:
        client.drop_database(database)


@pytest.fixture
def serve(tmp_path: Path, own: dict[str, str]) -> Iterator[Callable[..., httpx.Client]]:
    """The product as it is served, as often as called: each a process of its own on the same database."""
    started = []

    def start(*, mongodb_url: str = os.environ["MONGODB_URL"], **environment: str) -> httpx.Client:
        started.append(Web(mongodb_url, tmp_path, **own, **environment))
        return httpx.Client(base_url=started[-1].url, timeout=30)

    yield start
    for web in started:
        web.stop()


def send(client: httpx.Client, password: str) -> httpx.Response:
    client.get("/admin/login/").raise_for_status()
    form = {"username": NAME, "password": password, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
    return client.post("/admin/login/?next=/admin/", data=form)


def test_another_process_knows_the_lock_and_a_command_ends_it(serve, own, tmp_path):
    superuser = ("createsuperuser", "--noinput", f"--username={NAME}", "--email=")
    place = {"mongodb_url": os.environ["MONGODB_URL"], "folder": tmp_path, **own}
    manage_in_turn(("migrate", "--verbosity=0"), superuser, **place)
    first, second = serve(LOGIN_FAILURES="2"), serve(LOGIN_FAILURES="2")
    assert [send(first, WRONG).status_code for _ in range(2)] == [200, 429]
    assert send(second, RIGHT).status_code == 429
    manage_in_turn(("axes_reset_username", NAME), **place)
    assert send(second, RIGHT).status_code == 302


@pytest.mark.parametrize("per_minute", ["30", "0"])
def test_a_login_while_the_database_is_away_is_a_503(serve, per_minute):
    nowhere = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=300"
    client = serve(mongodb_url=nowhere, LOGIN_PER_MINUTE=per_minute)
    answer = send(client, RIGHT)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
