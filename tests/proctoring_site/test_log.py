"""What the log says of each request, and what it never says: names, messages, passwords, cookies, queries."""

import io
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from django.db import IntegrityError, connection
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from proctoring_site.log_lines import JSONLine, RequestOnly, TextLine, readable
from sessions_app.models import Session
from tests import clips
from tests.callers import bearer
from tests.proctoring_site.conftest import PASSWORD, USERNAME
from tests.servers import Web, free_port

NAME, MESSAGE = "Zebediah Quillfeather", "whispering-to-a-parrot"
WRONG_TOKEN = "pk_nobody-ever-made-this-one"


class Site:
    """A served site, and everything that its process says."""

    def __init__(self, folder: Path, database: str, staff: dict[str, str], **environment: str) -> None:
        self.log, url = folder / "log", os.environ["MONGODB_URL"]
        self.staff, self.staff_token = staff, staff["Authorization"].removeprefix("Bearer ")
        self.web = Web(url, folder, log=self.log, MONGODB_DATABASE=database, **environment)
        self.client = httpx.Client(base_url=self.web.url, timeout=30)
        self.answers: list[httpx.Response] = []

    def send(self, method: str, path: str, **options) -> httpx.Response:
        self.answers.append(self.client.request(method, path, **options))
        return self.answers[-1]


@pytest.fixture(scope="module", params=["json", "text"])
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    site_database: str,
    site_staff: dict[str, str],
) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("log"), site_database, site_staff, LOG_FORMAT=request.param, LOG_LEVEL="DEBUG")
    try:
        yield site
    finally:
        site.client.close()
        site.web.stop()
        with MongoClient(os.environ["MONGODB_URL"]) as client:
            client[site_database].sessions.delete_many({})


def sit_an_exam(site: Site, clip: Path) -> dict[str, str]:
    session = site.send("POST", "/sessions", json={"candidate_name": NAME}).json()
    path, own = f"/sessions/{session['id']}", {"headers": bearer(session["token"])}
    for body in ({"event_type": "focus_lost", "message": MESSAGE}, {"event_type": 5, "message": MESSAGE}, [MESSAGE]):
        site.send("POST", f"{path}/events", json=body, **own)
    site.send("POST", f"{path}/events", content=f'{{"message": "{MESSAGE}"', **own)
    with clip.open("rb") as file:
        site.send("POST", f"{path}/video", files={"file": (f"{NAME}.webm", file)}, **own)
    site.send("POST", f"{path}/video", files={"file": (f"{NAME}.webm", NAME.encode())}, **own)
    site.send("POST", f"{path}/end", **own)
    site.send("GET", path, **own)
    return session


def read_it_all(site: Site, session_id: str) -> str:
    """As a machine; answers with a signed link's secret part."""
    path, machine = f"/sessions/{session_id}", {"headers": site.staff}
    site.send("POST", f"{path}/video/import", json={"filename": f"{NAME}.webm"}, **machine)
    for below in ("", "/report", "/report.html", "/report.csv"):
        assert site.send("GET", f"{path}{below}", **machine).status_code == 200
    url = site.send("POST", f"{path}/video/link", **machine).json()["url"]
    assert site.send("GET", url).status_code == 200
    return httpx.URL(url).params["link"]


def ask_for_things_that_fail(site: Site) -> None:
    site.send("GET", "/sessions", headers=bearer(WRONG_TOKEN))
    for path in (f"/videos/{NAME}.webm", f"/sessions/{NAME}", f"/{NAME}", f"/static/{NAME}", f"/admin/{NAME}/"):
        site.send("GET", f"{path}?candidate_name={NAME}")
    for method, path in (("DELETE", "/sessions"), ("POST", f"/sessions/{NAME}/events"), ("POST", f"/admin/{NAME}/")):
        told = {"event_type": "focus_lost", "message": MESSAGE}
        # Nobody reads what comes here, and when it comes late the server hangs up instead of waiting for it.
        site.send(method, f"{path}?candidate_name={NAME}", json=told, headers={"Connection": "close"})
    site.send("GET", "/sessions", params={"candidate_name": NAME, "limit": "many"}, headers=site.staff)
    site.send("GET", "/sessions", headers={"Host": "evil.example", "Referer": f"http://x/?q={NAME}"})


def review(site: Site) -> str:
    """As staff, with a wrong password first; answers with the cookie of the session."""
    site.send("GET", "/admin/login/")
    for username, password in ((NAME, PASSWORD), (USERNAME, PASSWORD[::-1]), (USERNAME, PASSWORD)):
        form = {"username": username, "password": password, "csrfmiddlewaretoken": site.client.cookies["csrftoken"]}
        site.send("POST", "/admin/login/?next=/admin/", data=form)
    site.send("POST", "/admin/login/", data={"username": NAME, "password": PASSWORD})  # without the token
    site.send("GET", "/admin/sessions_app/session/", params={"q": NAME})
    assert NAME in site.answers[-1].text
    site.send("GET", "/admin/sessions_app/session/", params={"candidate_name__regex": NAME})
    site.send("GET", "/admin/sessions_app/session/add/")
    site.send("GET", "/static/admin/css/base.css")
    site.send("GET", "/sessions", params={"candidate_name": NAME})
    assert len(site.answers[-1].json()) == 1
    return site.client.cookies["sessionid"]


def test_the_log_of_a_whole_session_has_every_request_and_nobody_in_it(site: Site, tmp_path: Path) -> None:
    session = sit_an_exam(site, clips.clip(tmp_path, ".webm"))
    link = read_it_all(site, session["id"])
    ask_for_things_that_fail(site)
    cookie = review(site)
    log = site.log.read_text()
    assert {200, 201, 302, 400, 401, 403, 404, 405, 415} <= {answer.status_code for answer in site.answers}
    cookies, key = (cookie, site.client.cookies["csrftoken"]), site.web.environment["SECRET_KEY"]
    tokens = (session["token"], site.staff_token, WRONG_TOKEN, link)
    words = (*NAME.split(), MESSAGE, PASSWORD, PASSWORD[::-1], "candidate_name=", "limit=", "link=")
    for secret in (*words, *tokens, *cookies, key):
        assert secret.lower() not in log.lower()
    for answer in site.answers:
        (line,) = [line for line in log.splitlines() if answer.headers["X-Request-ID"] in line and "answered" in line]
        assert str(answer.status_code) in line
    assert session["id"] in log
    assert "evil.example" in log
    assert "candidate_name__regex not allowed" in log
    assert "Traceback" not in log  # refusals are no defects


def test_every_line_of_production_is_one_json_object(tmp_path: Path) -> None:
    log = tmp_path / "log"
    nowhere = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=300"
    web = Web(nowhere, tmp_path, log=log, PRODUCTION="1")
    try:
        with httpx.Client(base_url=web.url, timeout=30) as client:
            ids = [client.get(path).headers["X-Request-ID"] for path in ("/sessions?limit=5", "/", "/nowhere")]
    finally:
        web.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    access = [line for line in lines if line["message"] == "answered"]
    assert [(line["request_id"], line["route"], line["status"]) for line in access] == [
        (ids[0], "/sessions", 503),
        (ids[1], "/", 200),
        (ids[2], "none", 404),
    ]
    assert all(line["duration_ms"] >= 0 and line["bytes"] > 0 and line["method"] == "GET" for line in access)
    assert access[0]["duration_ms"] > 250
    (outage,) = [line for line in lines if line["logger"] == "proctoring_site.calls.outage"]
    assert (outage["level"], outage["request_id"]) == ("ERROR", ids[0])


def test_requests_at_the_same_time_keep_their_ids_apart(site: Site) -> None:
    def start(number: int) -> tuple[str, str]:
        headers = {"X-Request-ID": f"caller-{number:04}"}
        answer = anybody.post("/sessions", json={"candidate_name": "x"}, headers=headers)
        return answer.headers["X-Request-ID"], answer.json()["id"]

    with httpx.Client(base_url=site.web.url, timeout=30) as anybody, ThreadPoolExecutor(16) as pool:
        started = list(pool.map(start, range(200)))
    assert [chosen for chosen, _ in started] == [f"caller-{number:04}" for number in range(200)]
    lines = site.log.read_text().splitlines()
    of_session = {found[0]: line for line in lines if (found := re.findall(r"session (\S{36}) started", line))}
    for chosen, session_id in started:
        assert chosen in of_session[session_id]


# --- The id -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("proposed", ["abcdefgh", "A.b_c-9" + "x" * 57, "00000000-0000-4000-8000-0000000000ff"])
def test_a_proper_id_of_the_caller_is_taken_over(api, proposed):
    assert api.get("/healthz", headers={"X-Request-ID": proposed})["X-Request-ID"] == proposed


@pytest.mark.parametrize(
    "proposed", [None, "", "short", "x" * 65, "has spaces", "new\nline-here", "ümlaut-ümlaut", "a=b&c=d;e"]
)
def test_any_other_is_replaced_by_one_of_ours(api, proposed):
    headers = {} if proposed is None else {"X-Request-ID": proposed}
    ids = {api.get("/healthz", headers=headers)["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", made) for made in ids)


def test_a_front_end_of_another_origin_may_read_it(api, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://exam.example.org"]
    answer = api.get("/healthz", headers={"Origin": "https://exam.example.org"})
    assert "X-Request-ID" in answer["Access-Control-Expose-Headers"]


# --- A line -------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the shipped configuration writes as JSON, of every logger, from DEBUG on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONLine())
    handler.addFilter(RequestOnly())
    loggers = [logging.getLogger(), logging.getLogger("django"), logging.getLogger("proctoring_site.calls.access_log")]
    loggers[2].setLevel(logging.DEBUG)
    for logger in loggers[:2]:
        logger.addHandler(handler)
    yield stream
    for logger in loggers[:2]:
        logger.removeHandler(handler)
    loggers[2].setLevel(logging.NOTSET)


def lines_of(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_defect_keeps_its_trace_and_loses_its_path(as_candidate, settings, logged):
    settings.SCORE_WEIGHTS = "no weights at all"
    answer = as_candidate(Session(pk=NAME)).post(
        f"/sessions/{NAME}/events?{NAME}", {"event_type": "focus_lost"}, format="json"
    )
    defect, access = lines_of(logged)
    assert answer.status_code == access["status"] == 500
    assert (defect["level"], defect["message"]) == ("ERROR", "Internal Server Error: /sessions/{pk}/events")
    assert defect["trace"].startswith("Traceback")
    assert 'sessions_app/services.py", line' in defect["trace"]
    assert defect["request_id"] == access["request_id"] == answer["X-Request-ID"]
    assert "Zebediah" not in logged.getvalue()


def test_a_path_that_names_a_session_is_logged_with_it(database, api, logged):
    session_id = api.post("/sessions", {"candidate_name": NAME}, format="json").json()["id"]
    api.post(f"/sessions/{session_id}/end")
    api.post("/sessions/no-id-at-all/end")
    named = [line.get("session") for line in lines_of(logged) if line["message"] == "answered"]
    assert named == [None, session_id, None]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_what_machines_ask_every_few_seconds_stays_below_info(database, api, logged, path):
    api.get(path)
    (line,) = lines_of(logged)
    assert (line["route"], line["level"]) == (path, "DEBUG")


def test_a_text_line_shows_id_and_fields_and_the_instant_in_utc_also_where_local_time_is_another(monkeypatch):
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "answered", "fields": {"status": 200}})
    record.request_id, record.created, record.msecs = "abcdefgh", 1_800_000_000, 0
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert TextLine().format(record) == "2027-01-15 08:00:00,000 INFO n [abcdefgh]: answered status=200"
    finally:
        monkeypatch.undo()
        time.tzset()


def twice_by_the_orm():
    Session.objects.create(pk=NAME)
    Session.objects.create(pk=NAME)


def twice_by_the_driver():
    for _ in range(2):
        connection.get_collection("sessions").insert_one({"_id": NAME})


def twice_at_once():
    connection.get_collection("sessions").insert_many([{"_id": NAME}, {"_id": NAME}])


@pytest.mark.parametrize("formatter", [TextLine(), JSONLine()], ids=["text", "json"])
@pytest.mark.parametrize("write", [twice_by_the_orm, twice_by_the_driver, twice_at_once])
def test_of_a_write_that_was_refused_the_trace_is_logged_and_nothing_of_its_documents(
    committed_database, write, formatter
):
    with pytest.raises((IntegrityError, PyMongoError)) as refused:
        write()
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (refused.type, refused.value, refused.tb)})
    said = formatter.format(record)
    assert NAME in str(refused.value.__cause__ or getattr(refused.value, "details", None))
    assert NAME not in said
    assert f", in {write.__name__}" in said
    assert f"{refused.type.__name__}, code" in said


def every_route(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from every_route(pattern, route)


def test_every_route_is_logged_in_the_readmes_spelling():
    routes = {readable(route) for route in every_route(get_resolver())}
    assert {"/", "/sessions", "/sessions/{pk}/events", "/sessions/{pk}/report.html", "/videos/{name}"} <= {
        route.replace("\\", "") for route in routes
    }
    assert [route for route in routes if not re.fullmatch(r"(/([\w.\\-]|\{\w+\})*)+/?", route)] == []
