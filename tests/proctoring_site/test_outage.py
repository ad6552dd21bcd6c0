"""The database goes away, freezes and comes back, under the product as it is served."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pymongo.errors import AutoReconnect, ExecutionTimeout, OperationFailure, ServerSelectionTimeoutError

from proctoring_site.outage import RETRY_AFTER_S, is_outage, outage_response
from tests.servers import Mongod, Web, manage, until

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
    manage("migrate", "--verbosity=0", mongodb_url=mongod.url, folder=folder)
    manage(
        *("createsuperuser", "--noinput", "--username=root", "--email=a@example.org"),
        mongodb_url=mongod.url,
        folder=folder,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    yield mongod
    mongod.remove()


@pytest.fixture(scope="module", params=["DEBUG=0", "DEBUG=1"])
def client(request, mongod):
    """Logged in to the admin."""
    with served(mongod.url, mongod.folder, DEBUG=request.param[-1]) as client:
        yield client


class served:
    def __init__(self, url, folder, **environment):
        self.web = Web(url, folder, **environment)
        self.client = httpx.Client(base_url=self.web.url, timeout=30)

    def __enter__(self):
        self.client.get("/admin/login/")
        form = {"username": "root", "password": PASSWORD, "csrfmiddlewaretoken": self.client.cookies["csrftoken"]}
        assert self.client.post("/admin/login/?next=/admin/", data=form).status_code == 302
        return self.client

    def __exit__(self, *error):
        self.client.close()
        self.web.stop()


def start_session(client):
    return client.post("/sessions", json={"candidate_name": "Ada"}).raise_for_status().json()["id"]


def requests_that_need_it(session_id, csrf_token):
    json, html = {"Accept": "application/json"}, {"Accept": "text/html,*/*;q=0.8"}
    return [
        ("GET", "/sessions", {"headers": json}),
        ("GET", "/sessions?state=running&limit=5", {}),
        ("GET", f"/sessions/{session_id}", {"headers": {"Accept": "*/*"}}),
        ("GET", f"/sessions/{session_id}/report", {"headers": json}),
        ("GET", f"/sessions/{session_id}/report.html", {"headers": html}),
        ("POST", "/sessions", {"json": {"candidate_name": "Lost"}}),
        ("POST", f"/sessions/{session_id}/events", {"json": {"event_type": "focus_lost"}}),
        ("POST", f"/sessions/{session_id}/end", {}),
        ("POST", f"/sessions/{session_id}/video", {"files": {"file": b"x"}}),
        ("GET", "/admin/login/", {"headers": html}),
        ("GET", "/admin/", {"headers": html}),
        ("GET", "/admin/sessions_app/session/", {"headers": html}),
        ("GET", f"/admin/sessions_app/session/{session_id}/change/", {"headers": html}),
        ("POST", "/admin/login/", {"data": {"username": "root", "password": "x", "csrfmiddlewaretoken": csrf_token}}),
    ]


def all_at_once(client, requests, *, timeout):
    """httpx raises when an answer takes longer than the timeout."""
    with ThreadPoolExecutor(len(requests)) as pool:
        sent = [pool.submit(client.request, *r[:2], **r[2], timeout=timeout) for r in requests]
    return [answer.result() for answer in sent]


def assert_says_try_again(answer):
    assert answer.status_code == 503, (answer.request.url, answer.text[:300])
    assert answer.headers["Retry-After"] == str(RETRY_AFTER_S)
    if answer.request.headers["Accept"].startswith("text/html"):
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Try again soon" in answer.text
    else:
        assert answer.json()["code"] == "database_unavailable"
        assert set(answer.json()) == {"detail", "code"}
    assert "mongo" not in answer.text.lower()
    assert "Traceback" not in answer.text


def test_a_stopped_database_is_a_503_in_time_and_service_comes_back_by_itself(mongod, client):
    session_id = start_session(client)
    requests = requests_that_need_it(session_id, client.cookies["csrftoken"])
    mongod.kill()
    try:
        for answer in all_at_once(client, requests, timeout=PROMISED_S):
            assert_says_try_again(answer)
        for path in ("/", "/static/admin/css/base.css", "/docs"):
            assert client.get(path).status_code == 200
        assert client.get("/nowhere").status_code == 404
        assert client.post("/sessions", json={"candidate_name": 5}).status_code == 400
    finally:
        mongod.start()
    until(lambda: client.get("/sessions").status_code == 200)
    mongod.until_writable()
    assert client.get(f"/sessions/{session_id}").json()["events"] == []
    assert client.post(f"/sessions/{session_id}/events", json={"event_type": "focus_lost"}).status_code == 201
    assert client.get("/admin/sessions_app/session/").status_code == 200
    assert client.post(f"/sessions/{session_id}/end").json()["state"] == "ended"


def test_a_frozen_database_is_a_503_and_nothing_stays_half_written(mongod):
    with served(f"{mongod.url}&{SHORT}", mongod.folder) as client:
        session_ids = [start_session(client) for _ in range(2)]
        for session_id in session_ids:
            client.post(f"/sessions/{session_id}/events", json={"event_type": "focus_lost"}).raise_for_status()
        requests = requests_that_need_it(session_ids[0], client.cookies["csrftoken"])
        requests += [("POST", f"/sessions/{session_ids[1]}/events", {"json": {"event_type": "focus_lost"}})] * 2
        mongod.freeze()
        try:
            for answer in all_at_once(client, requests, timeout=FROZEN_S):
                assert_says_try_again(answer)
        finally:
            mongod.thaw()
        until(lambda: client.get("/sessions").status_code == 200)
        assert_whole(client, session_ids)


def assert_whole(client, session_ids):
    """What was answered with 503 may or may not have happened; what there is must be whole and agree."""
    for session in client.get("/sessions").raise_for_status().json():
        assert session["candidate_name"]
        assert session["start_time"]
    for session_id in session_ids:
        # The server may still carry out what it was sent before it froze: an event counted and never stored.
        until(lambda session_id=session_id: client.post(f"/sessions/{session_id}/end").status_code == 200)
        events = client.get(f"/sessions/{session_id}").raise_for_status().json()["events"]
        counts = client.get(f"/sessions/{session_id}/report").raise_for_status().json()["event_counts"]
        assert counts == {"focus_lost": len(events)}


class TestWhatAnOutageIs:
    @pytest.mark.parametrize(
        "error",
        [
            ServerSelectionTimeoutError("away"),
            AutoReconnect("cut off"),
            ExecutionTimeout("too long", 50),
        ],
    )
    def test_the_servers_absence_however_deep(self, error):
        wrapped, unrelated = DatabaseError("wrapped"), LookupError("raised while handling it")
        wrapped.__cause__ = error
        unrelated.__context__ = wrapped
        assert is_outage(error)
        assert is_outage(wrapped)
        assert is_outage(unrelated)

    @pytest.mark.parametrize("error", [None, ValueError("x"), DatabaseError("x"), OperationFailure("bad query", 2)])
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
    answer = outage_response(RequestFactory(headers=headers).get("/"))
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (503, content_type, "5")


def reads_the_database(get_response):
    """A middleware such as Django's own of sessions, which saves behind the view."""

    def middleware(request):
        response = get_response(request)
        connection.database["sessions"].find_one()
        return response

    return middleware


@pytest.fixture
def overloaded(committed_database):
    """The server gives up every read for want of time."""
    client = connection.database.client
    data = {"failCommands": ["find"], "appName": client.options.pool_options.appname, "errorCode": 50}
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    yield
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

    def test_an_outage_is_a_503(self, overloaded, settings, debug):
        answer = self.answer(settings, debug, "reads_the_database")
        assert answer.status_code == 503
        assert answer.json()["code"] == "database_unavailable"
        assert answer["Retry-After"] == "5"

    def test_a_defect_stays_a_500(self, settings, debug):
        assert self.answer(settings, debug, "fails").status_code == 500
