"""The database goes away, freezes and comes back, under the product as it is served."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve
from dns.resolver import NXDOMAIN, LifetimeTimeout
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from proctoring_site.calls.outage import RETRY_AFTER_S, SHORT_WRITES, is_outage, outage_response
from tests.callers import bearer
from tests.servers import THREADS, Mongod, Web, migrate_with_superuser, until

#: The issue's limit for an answer while the database is away.
PROMISED_S = 4
#: In place of the shipped 10 s and so on, so that the test need not wait for them; no answer takes more than their sum.
SHORT = "socketTimeoutMS=1000&connectTimeoutMS=1000&serverSelectionTimeoutMS=1000&waitQueueTimeoutMS=1000"
FROZEN_S = 10
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def mongod(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outage")
    mongod = Mongod(folder)
    yield mongod
    mongod.remove()


@pytest.fixture(scope="module")
def machine(mongod):
    """The headers of a machine with every right, as `root` of the admin has them."""
    return migrate_with_superuser("root", PASSWORD, mongodb_url=mongod.url, folder=mongod.folder)


@pytest.fixture(scope="module", params=["DEBUG=0", "DEBUG=1"])
def site(request, mongod, machine):
    with Site(mongod.url, mongod.folder, DEBUG=request.param[-1]) as site:
        yield site


class Site:
    """A served site, and two of its callers: `staff`, signed in to the admin by cookie, and `nobody`."""

    def __init__(self, url, folder, **environment):
        self.web = Web(url, folder, **environment)
        self.staff, self.nobody = (httpx.Client(base_url=self.web.url, timeout=30) for _ in range(2))

    def __enter__(self):
        self.staff.get("/admin/login/")
        form = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": self.csrf_token}
        assert self.staff.post("/admin/login/?next=/admin/", data=form).status_code == 302
        return self

    def __exit__(self, *error):
        self.staff.close()
        self.nobody.close()
        self.web.stop()

    @property
    def csrf_token(self):
        return self.staff.cookies["csrftoken"]

    def start_session(self):
        """Its id, and the headers of its candidate."""
        session = self.nobody.post("/sessions", json={"candidate_name": "Ada"}).raise_for_status().json()
        return session["id"], bearer(session["token"])


def of_nobody(session_id, candidate, machine):
    """What comes without a cookie: by nobody, a candidate and a machine."""
    return [
        ("GET", "/sessions", {}),
        ("POST", "/sessions", {"json": {"candidate_name": "Lost"}}),
        ("GET", f"/sessions/{session_id}", {"headers": candidate}),
        ("POST", f"/sessions/{session_id}/events", {"json": {"event_type": "focus_lost"}, "headers": candidate}),
        ("POST", f"/sessions/{session_id}/end", {"headers": candidate}),
        ("POST", f"/sessions/{session_id}/video", {"files": {"file": b"x"}, "headers": candidate}),
        ("GET", "/sessions", {"headers": machine}),
        ("GET", "/sessions", {"headers": bearer("pk_no-such-token")}),
    ]


def of_staff(session_id, csrf_token):
    json, html = {"Accept": "application/json"}, {"Accept": "text/html,*/*;q=0.8"}
    return [
        ("GET", "/sessions", {"headers": json}),
        ("GET", "/sessions?state=running&limit=5", {}),
        ("GET", f"/sessions/{session_id}", {"headers": {"Accept": "*/*"}}),
        ("GET", f"/sessions/{session_id}/report", {"headers": json}),
        ("GET", f"/sessions/{session_id}/report.html", {"headers": html}),
        ("POST", f"/sessions/{session_id}/end", {"headers": {"X-CSRFToken": csrf_token}}),
        ("GET", "/admin/login/", {"headers": html}),
        ("GET", "/admin/", {"headers": html}),
        ("GET", "/admin/sessions_app/session/", {"headers": html}),
        ("GET", f"/admin/sessions_app/session/{session_id}/change/", {"headers": html}),
        ("POST", "/admin/login/", {"data": {"username": "root", "password": "x", "csrfmiddlewaretoken": csrf_token}}),
    ]


def all_at_once(client, requests, *, timeout):
    """No more than the server has threads. httpx raises when an answer takes longer than the timeout."""
    assert len(requests) <= THREADS
    with ThreadPoolExecutor(len(requests)) as pool:
        sent = [pool.submit(client.request, *r[:2], **r[2], timeout=timeout) for r in requests]
    return [answer.result() for answer in sent]


def assert_says_try_again(answer):
    assert answer.status_code == 503, (answer.request.url, answer.text[:300])
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_S)
    if answer.request.headers["Accept"].startswith("text/html"):
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Try again soon" in answer.text
        assert 'lang="en"' in answer.text
        assert ('href=""' in answer.text) is (answer.request.method == "GET")  # what was sent is not asked for again
    else:
        assert answer.json()["code"] == "database_unavailable"
        assert set(answer.json()) == {"detail", "code"}
    assert "mongo" not in answer.text.lower()
    assert "Traceback" not in answer.text


def test_a_stopped_database_is_a_503_in_time_and_service_comes_back_by_itself(mongod, site, machine):
    session_id, candidate = site.start_session()
    requests = {
        site.staff: of_staff(session_id, site.csrf_token),
        site.nobody: of_nobody(session_id, candidate, machine),
    }
    mongod.kill()
    try:
        for client, its_own in requests.items():
            for answer in all_at_once(client, its_own, timeout=PROMISED_S):
                assert_says_try_again(answer)
        assert_answers_what_needs_no_database(site, session_id, candidate)
    finally:
        mongod.start()
    until(lambda: site.staff.get("/sessions").status_code == 200)
    mongod.until_writable()
    assert site.staff.get(f"/sessions/{session_id}").json()["events"] == []
    reported = {"json": {"event_type": "focus_lost"}, "headers": candidate}
    assert site.nobody.post(f"/sessions/{session_id}/events", **reported).status_code == 201
    assert site.staff.get("/admin/sessions_app/session/").status_code == 200
    assert site.nobody.post(f"/sessions/{session_id}/end", headers=candidate).json()["state"] == "ended"
    assert site.nobody.get("/sessions", headers=machine).status_code == 200


def assert_answers_what_needs_no_database(site, session_id, candidate):
    for client in (site.staff, site.nobody):
        for path in ("/", "/static/admin/css/base.css", "/docs"):
            assert client.get(path).status_code == 200
        assert client.get("/nowhere").status_code == 404
    events = f"/sessions/{session_id}/events"  # a candidate's token says by itself whose it is
    assert site.nobody.post(events, json={"event_type": 5}, headers=candidate).status_code == 400
    assert site.nobody.get(f"/sessions/{session_id}/report", headers=candidate).status_code == 404
    forged = {"Authorization": f"{candidate['Authorization']}x"}
    assert site.nobody.post(events, json={"event_type": 5}, headers=forged).status_code in {401, 503}


def test_a_frozen_database_is_a_503_and_nothing_stays_half_written(mongod, machine):
    with Site(f"{mongod.url}&{SHORT}", mongod.folder) as site:
        sessions = [site.start_session() for _ in range(2)]
        reports = [
            ("POST", f"/sessions/{session_id}/events", {"json": {"event_type": "focus_lost"}, "headers": candidate})
            for session_id, candidate in sessions
        ]
        for method, path, options in reports:
            site.nobody.request(method, path, **options).raise_for_status()
        requests = {
            site.staff: of_staff(sessions[0][0], site.csrf_token),
            site.nobody: [*of_nobody(*sessions[0], machine), reports[1], reports[1]],
        }
        mongod.freeze()
        try:
            for client, its_own in requests.items():
                for answer in all_at_once(client, its_own, timeout=FROZEN_S):
                    assert_says_try_again(answer)
        finally:
            mongod.thaw()
        until(lambda: site.staff.get("/sessions").status_code == 200)
        assert_whole(site, sessions)


def assert_whole(site, sessions):
    """What was answered with 503 may or may not have happened; what there is must be whole and agree."""
    for session in site.staff.get("/sessions").raise_for_status().json():
        assert session["candidate_name"]
        assert session["start_time"]
    for session_id, candidate in sessions:
        path, own = f"/sessions/{session_id}", {"headers": candidate}
        # The server may still carry out what it was sent before it froze: an event counted and never stored.
        until(lambda path=path, own=own: site.nobody.post(f"{path}/end", **own).status_code == 200)
        events = site.staff.get(f"/sessions/{session_id}").raise_for_status().json()["events"]
        counts = site.staff.get(f"/sessions/{session_id}/report").raise_for_status().json()["event_counts"]
        assert counts == {"focus_lost": len(events)}


class TestWhatAnOutageIs:
    @pytest.mark.parametrize(
        "error",
        [
            ServerSelectionTimeoutError("away"),
            AutoReconnect("cut off"),
            WriteConcernError("Replication is being shut down", 91),
            BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 91}]}),
            ExecutionTimeout("too long", 50),
            OperationFailure("No keys found for HMAC that is valid for time", 211),
            BulkWriteError({"writeErrors": [{"code": 11602}], "writeConcernErrors": []}),
            LifetimeTimeout(timeout=2, errors=[]),
        ],
    )
    def test_the_servers_absence_however_deep(self, error):
        wrapped, unrelated = DatabaseError("wrapped"), LookupError("raised while handling it")
        wrapped.__cause__ = error
        unrelated.__context__ = wrapped
        assert is_outage(error)
        assert is_outage(wrapped)
        assert is_outage(unrelated)

    @pytest.mark.parametrize(
        "error",
        [
            None,
            ValueError("x"),
            DatabaseError("x"),
            OperationFailure("bad query", 2),
            NXDOMAIN(),
            BulkWriteError({"writeErrors": [{"code": 11000}], "writeConcernErrors": []}),
        ],
    )
    def test_and_nothing_else(self, error):
        assert not is_outage(error)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        (None, "application/json"),
    ],
)
def test_people_get_a_page_and_programs_get_json(accept, content_type):
    headers = {"Accept": accept} if accept else {}
    answer = outage_response(RequestFactory(headers=headers).get("/"), AutoReconnect())
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, content_type, "5")


def reads_the_database(get_response):
    """A middleware such as Django's own of sessions, which saves behind the view."""

    def middleware(request):
        response = get_response(request)
        try:
            connection.database["sessions"].find_one()
        except OperationFailure as error:
            raise DatabaseError from error  # as Django's own do
        return response

    return middleware


@pytest.fixture(params=[(50, "MaxTimeMSExpired"), (18, "AuthenticationFailed")])
def refusal(committed_database, request):
    """The server gives up every read for want of time, or has another password by now; the word that it has for it."""
    client, (code, word) = connection.database.client, request.param
    data = {"failCommands": ["find"], "appName": client.options.pool_options.appname, "errorCode": code}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    yield word
    client.admin.command("configureFailPoint", "failCommand", mode="off")


def fails(get_response):
    def middleware(request) -> HttpResponse:
        raise LookupError("a defect")

    return middleware


@pytest.mark.parametrize("debug", [False, True])
class TestAFailureInsideAMiddleware:
    def answer(self, settings, debug, name):
        settings.DEBUG = debug
        settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.{name}"]
        return Client(raise_request_exception=False).get("/", headers={"Accept": "application/json"})

    def test_an_outage_is_a_503(self, refusal, settings, debug, caplog):
        answer = self.answer(settings, debug, "reads_the_database")
        assert f"database unreachable ({refusal}), answered 503 to GET" in caplog.messages
        assert answer.status_code == 503
        assert answer.json()["code"] == "database_unavailable"
        assert answer["Retry-After"] == "5"

    def test_a_defect_stays_a_500(self, settings, debug):
        assert self.answer(settings, debug, "fails").status_code == 500


def test_the_short_writes_are_routes():
    for name in SHORT_WRITES - {"sessions", "batch"}:
        assert resolve(f"/sessions/x/{name}")
    assert resolve("/sessions")
    assert resolve("/sessions/x/events/batch")
