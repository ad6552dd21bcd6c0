"""A call that takes the short way gets what it would have got on the long one."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from proctoring_site.access import candidate_token
from proctoring_site.calls.short_way import ShortWayBegins
from tests.factories import make_session

ELSEWHERE = "https://exam.example.org"
JSON = {"content_type": "application/json"}
EVENT = '{"event_type": "focus_lost", "id": "5a1f6a0e-7a53-4a86-8f31-1f0c7f0f4f10"}'
#: Named by what each is answered with.
CALLS = {
    "an event": ("POST", "/events", {"data": EVENT, **JSON}),
    "a batch": ("POST", "/events/batch", {"data": f'{{"events": [{EVENT}]}}', **JSON}),
    "a 400 by field": ("POST", "/events", {"data": '{"event_type": 5}', **JSON}),
    "a 400 of the body": ("POST", "/events", {"data": "{", **JSON}),
    "a 415": ("POST", "/events", {"data": "a=b", "content_type": "application/x-www-form-urlencoded"}),
    "a 404": ("POST", "/nothing", {"data": "{}", **JSON}),
    "a 404 below": ("GET", "/", {}),
    "a 405": ("DELETE", "/events", {}),
    "options": ("OPTIONS", "/events", {}),
    "a look": ("GET", "", {}),
    "a head": ("HEAD", "", {}),
    "another origin": ("POST", "/events", {"data": EVENT, "headers": {"Origin": ELSEWHERE}, **JSON}),
    "a foreign origin": ("POST", "/events", {"data": EVENT, "headers": {"Origin": "https://evil.example"}, **JSON}),
    "a preflight": (
        "OPTIONS",
        "/events",
        {"headers": {"Origin": ELSEWHERE, "Access-Control-Request-Method": "POST"}},
    ),
    "a long body": ("POST", "/events", {"data": " " * (1024**2 + 1), **JSON}),
}


def told(client, session, method, path, options):
    answer = client.generic(method, f"/sessions/{session.pk}{path}", **options)
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
    is_json = answer.headers.get("Content-Type") == "application/json"
    body = answer.json() if is_json and answer.content else None
    if isinstance(body, dict):
        body.pop("received_at", None), body.pop("timestamp", None), body.pop("occurred_at", None)
    return answer.status_code, headers, body


@pytest.fixture
def session(committed_database):
    return make_session()


@pytest.fixture
def bearer(session):
    return {"HTTP_AUTHORIZATION": f"Bearer {candidate_token.issue(session.pk)[0]}"}


@pytest.mark.parametrize("call", CALLS)
def test_both_ways_give_the_same_answer(call, session, bearer, settings):
    settings.CORS_ALLOWED_ORIGINS = [ELSEWHERE]
    begins = f"{ShortWayBegins.__module__}.{ShortWayBegins.__qualname__}"
    assert begins in settings.MIDDLEWARE
    client = APIClient(raise_request_exception=False, **bearer)
    told(client, session, *CALLS["an event"])  # so that the event is a resend on both ways
    short = told(client, session, *CALLS[call])
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != begins]
    long = told(APIClient(raise_request_exception=False, **bearer), session, *CALLS[call])
    assert short == long


@pytest.mark.parametrize(("secure", "status"), [(False, 301), (True, 201)])
def test_both_ways_demand_tls_where_it_is_demanded_and_say_so(secure, status, session, bearer, settings):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    answers = []
    for middleware in (settings.MIDDLEWARE, [name for name in settings.MIDDLEWARE if "ShortWayBegins" not in name]):
        settings.MIDDLEWARE = middleware
        answers.append(told(APIClient(**bearer), session, *with_tls(CALLS["an event"], secure)))
    assert answers[0][:2] == answers[1][:2]
    assert answers[0][0] == status
    assert answers[0][1].get("Strict-Transport-Security") == ("max-age=3600" if secure else None)


def with_tls(call, secure):
    method, path, options = call
    return method, path, {**options, "secure": secure}


def test_a_call_for_a_host_that_is_not_ours_is_refused(session, bearer):
    client = APIClient(raise_request_exception=False, **bearer)
    for host, status in (("localhost", 201), ("evil.example", 400), ("localhost", 201), ("evil.example", 400)):
        answer = client.post(f"/sessions/{session.pk}/events", EVENT, headers={"Host": host}, **JSON)
        assert answer.status_code == status


def test_a_call_asks_for_no_session_of_a_browser(session, bearer):
    """Not even when the browser sends the cookie of one along."""
    client = Client(**bearer)
    client.cookies["sessionid"] = "stale"
    answer = client.post(f"/sessions/{session.pk}/events", EVENT, **JSON)
    assert answer.status_code == 201
    assert "Cookie" not in answer["Vary"]
    assert not answer.cookies


def test_whoever_comes_with_a_cookie_alone_is_asked_for_the_forms_token(session, as_staff):
    staff = as_staff("Operator")
    staff.handler.enforce_csrf_checks = True
    answer = staff.post(f"/sessions/{session.pk}/events", EVENT, **JSON)
    assert answer.status_code == 403
