"""The contract at /schema: complete, without warnings, and with examples that the server really answers."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from drf_spectacular.validation import validate_schema

from sessions_app.models import Mark, Session
from tests import access, drives
from tests.access import account_of, ask, machine, methods_of, routes
from tests.factories import NOON, make_event, make_session
from tests.proctoring_site.openapi_document import document, documented, examples, named, operations, schema_errors

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

#: Pages and pictures for people, no part of the API; the admin has no contract, and that of uploads in parts is tus's.
TUS = {"/sessions/{id}/uploads", "/sessions/{id}/uploads/{upload}"}
NOT_IN_THE_DOCUMENT = {"/docs", "/favicon.ico", "/candidate/", *TUS}
OPEN = {"/", "/healthz", "/readyz", "/schema"}
#: Some sessions and events have them, others not.
OF_ONE_CASE = {"event_counts", "data", "coverage", "moves", "commands"}
CAN_CONFLICT = {"end", "pause", "resume", "terminate", "message", "video", "import"}
CALLERS = [{"token": []}, {"staff": []}]
#: The ids and the clock's part of the examples, which no second answer can have.
NEVER_THE_SAME = {"id", "token", "token_expires_at", "url", "expires_at", "start_time", "timestamp"}
OF_THE_SERVERS_CLOCK = {"received_at", "clock_skew_ms", "occurred_at"}


REFUSALS = examples(operations(), least=400, most=499)
ANSWERS = examples(operations(), least=200, most=299)
REQUESTS = [
    (method, path, media, name, example["value"])
    for method, path, operation in operations()
    for media, content in operation.get("requestBody", {}).get("content", {}).items()
    for name, example in content.get("examples", {}).items()
]


def test_it_is_valid():
    validate_schema(document())


def test_it_is_served_whatever_else_the_address_asks(client):
    served = client.get("/schema")
    assert yaml.load(served.content, yaml.CSafeLoader) == document()
    for query in ("version=%0d%0aX: y", 'version="', "lang=de", "format=json"):
        answer = client.get(f"/schema?{query}")
        assert (answer.status_code, answer.content) == (200, served.content)
        assert answer.headers["Content-Disposition"] == served.headers["Content-Disposition"]


def test_generators_make_types_of_it_that_compile_and_say_what_comes():
    """Tried: openapi-typescript, openapi-ts, orval and openapi-python-client. A type of null alone, answers that are
    partly read-only, and pages as refusals each made worse ones."""
    schemas = document()["components"]["schemas"]
    assert "Null" not in schemas
    assert '"readOnly"' not in json.dumps(schemas)
    assert schemas["EventBatch"]["properties"]["events"]["items"] == {"$ref": "#/components/schemas/ReportedEvent"}
    assert set(re.findall(r"`(\w+)`", schemas["Event"]["properties"]["marks"]["description"])) == set(Mark.values)
    words = [operation["description"] for *_, operation in operations() if "description" in operation]
    assert len(words) == len(set(words))  # each is of its route alone
    for method, path, operation in operations():
        answers = operation["responses"]
        assert operation["operationId"].endswith("_create") == (method == "POST" and "201" in answers), path
        refusals = {media for status, it in answers.items() if int(status) >= 400 for media in it.get("content", ())}
        assert refusals <= {"application/json", "application/vnd.oai.openapi"}, path


def test_every_route_is_in_it():
    expected = {
        (method, path)
        for path, route in routes()
        if not path.startswith("/admin/") and path not in NOT_IN_THE_DOCUMENT
        for method in methods_of(route)
    }
    assert {(method, path) for method, path, _ in operations()} == expected


@pytest.mark.parametrize(("method", "path", "operation"), operations(), ids=lambda part: str(part)[:40])
class TestEveryOperation:
    def test_says_who_may_call(self, method, path, operation):
        if path in OPEN:
            assert operation.get("security", [{}]) == [{}]
        elif (method, path) == ("POST", "/sessions") or "{name}" in path:
            assert operation["security"] == [*CALLERS, {}]
        else:
            assert operation["security"] == CALLERS

    def test_says_how_it_refuses(self, method, path, operation):
        expected = {400, 405}
        if path not in OPEN:
            expected |= {401, 429, 503} | ({404} if (method, path) != ("POST", "/sessions") else set())
        if path == "/readyz":
            expected |= {503}
        if path == "/videos/{name}":
            expected |= {416}
        if method == "POST":
            expected |= {403}
        if "requestBody" in operation:
            expected |= {413} if path.endswith("/batch") else {413, 415}
        if method == "POST" and (path == "/sessions" or "/events" in path or path.rpartition("/")[2] in CAN_CONFLICT):
            expected |= {409}
        assert {int(status) for status in operation["responses"] if int(status) >= 400} == expected

    def test_names_the_headers_of_its_answers(self, method, path, operation):
        for status, answer in operation["responses"].items():
            needed = {"401": {"WWW-Authenticate"}, "405": {"Allow"}, "429": {"Retry-After"}}.get(status, set())
            assert {"X-Request-ID"} | needed <= set(answer["headers"])

    def test_has_an_example_of_every_json(self, method, path, operation):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        contents = [
            body["content"]["application/json"] for body in bodies if "application/json" in body.get("content", {})
        ]
        if path not in OPEN:
            assert all(content.get("examples") for content in contents)


@pytest.mark.parametrize("example", ANSWERS + REFUSALS, ids=named)
def test_an_example_of_an_answer_fits_its_schema(example):
    method, path, status, media, _, value = example
    assert schema_errors(documented(method, path, status, media)["schema"], value) == []


@pytest.mark.parametrize("example", REQUESTS, ids=lambda example: " ".join(example[:4]))
def test_an_example_of_a_request_fits_its_schema_and_is_accepted(example, evidence):
    method, path, media, _, value = example
    body = document()["paths"][path][method.lower()]["requestBody"]["content"][media]
    assert schema_errors(body["schema"], value) == []
    assert not {"start_key", "id"} & value.keys()  # they are of the session of whoever tried it before
    client = machine(account_of("superuser"))
    if path.endswith("/resume"):
        Session.objects.filter(pk=evidence.session.pk).update(status="paused")
    answer = client.generic(method, evidence.path(path), json.dumps(value), content_type=media)
    assert answer.status_code in (200, 201)
    assert schema_errors(documented(method, path, answer.status_code)["schema"], answer.json()) == []


@pytest.mark.parametrize(("method", "path", "operation"), operations(), ids=lambda part: str(part)[:40])
def test_an_answer_has_the_type_and_exactly_the_fields_of_its_examples(method, path, operation, evidence):
    make_event(evidence.session)
    answer = ask(machine(account_of("superuser")), method, evidence.path(path))
    media = answer.headers["Content-Type"].partition(";")[0]
    offered = operation["responses"][str(answer.status_code)]["content"]
    content = offered.get(media) or offered[media.partition("/")[0] + "/*"]
    if media != "application/json":
        return
    assert schema_errors(content["schema"], answer.json()) == []
    if shown := [example["value"] for example in content.get("examples", {}).values()]:
        assert shape(answer.json()) in map(shape, shown)


def shape(value: Any) -> Any:
    """The names of the fields, all the way down; of what a list or a mapping by event type holds, the first."""
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    if not isinstance(value, dict):
        return None
    return {key: None if key in OF_ONE_CASE else shape(item) for key, item in value.items()}


class TestTheExamplesTellOneStory:
    """The session of the examples, played: the server answers with the very same values."""

    @pytest.fixture
    def played(self, database, data_dir):
        of_report = documented("GET", "/sessions/{id}/report", 200)["examples"]["ThreeEvents"]["value"]
        session = make_session(pk=of_report["session_id"], candidate_name=of_report["candidate_name"])
        for event_type, count in of_report["event_counts"].items():
            for _ in range(count):
                make_event(session, event_type=event_type)
        end = NOON + timedelta(seconds=of_report["interview_duration_seconds"])
        Session.objects.filter(pk=session.pk).update(end_time=end, video_path=f"videos/{session.pk}.webm")
        return session

    def test_of_the_report(self, played, api):
        shown = documented("GET", "/sessions/{id}/report", 200)["examples"]["ThreeEvents"]["value"]
        assert api.get(f"/sessions/{played.pk}/report").json() == shown

    def test_of_the_session(self, played, api):
        shown = documented("POST", "/sessions/{id}/end", 200)["examples"]["Ended,WithAVideo"]["value"]
        assert api.post(f"/sessions/{played.pk}/end").json() == shown

    def test_of_a_new_session(self, database, api):
        shown = documented("POST", "/sessions", 201)["examples"]["Started"]["value"]
        answer = api.post("/sessions", {"candidate_name": shown["candidate_name"]}, format="json").json()
        assert {**answer, **{key: shown[key] for key in NEVER_THE_SAME & shown.keys()}} == shown

    def test_of_an_event(self, played, api):
        shown = documented("POST", "/sessions/{id}/events", 201)["examples"]["Event"]["value"]
        sent = {key: shown[key] for key in shown.keys() - OF_THE_SERVERS_CLOCK - {"marks"}}
        Session.objects.filter(pk=played.pk).update(end_time=None)
        answer = api.post(f"/sessions/{played.pk}/events", sent, format="json").json()
        assert {**answer, **{key: shown[key] for key in OF_THE_SERVERS_CLOCK}} == shown
