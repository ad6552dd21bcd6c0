"""Each refusal in the contract at /schema is one that the server really says, in those words."""

import json
import re

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from pymongo.errors import AutoReconnect
from rest_framework.request import Request

from media_app.models import Recording
from proctoring_site.calls.outage import outage_response
from proctoring_site.errors import exception_handler
from sessions_app.errors import EventUndecided
from sessions_app.ids import id_of_start
from sessions_app.models import Session
from tests import access, drives
from tests.access import IMPORTED, account_of, ask, caller, candidate, early_in_a_minute, machine
from tests.factories import NOON, make_session
from tests.proctoring_site.openapi_document import document, documented, examples, named, operations

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

START_KEY = "5f0d6f0e-3f57-4c5b-8f5e-9d3a2c1b7e64"
REFUSALS = examples(operations(), least=400, most=499)


@pytest.mark.parametrize("example", REFUSALS, ids=named)
def test_a_refusal_is_said_as_in_its_example(example, evidence, settings):
    method, path, status, media, name, shown = example
    answer = provoke(name, method, path, evidence, settings)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].partition(";")[0] == media
    assert without_numbers(yaml.safe_load(answer.content)) == without_numbers(shown)  # JSON is YAML, too
    headers = document()["paths"][path][method.lower()]["responses"][str(status)]["headers"]
    assert headers.keys() <= answer.headers.keys()


def without_numbers(body):
    """Limits and waiting times are the setting's and the clock's."""
    return json.loads(re.sub(r"\b\d[\d,]*\b", "1", json.dumps(body)))


def provoke(name, method, path, evidence, settings):
    url, everything = evidence.path(path), machine(account_of("superuser"))
    match name:
        case "Refused":
            return ask(everything, method, url, HTTP_HOST="elsewhere.example")
        case "Another method":
            return ask(everything, "PUT", url)
        case "A bad token":
            return ask(caller("pk_forged"), method, url)
        case "Not there, or not for you":
            return ask(caller(), method, url)
        case "No picture":
            Recording.objects.all().delete()
            return ask(everything, method, url)
        case "A cookie alone":
            browser = caller(signed_in=account_of("superuser"))
            del browser.defaults["HTTP_X_CSRFTOKEN"]
            return ask(browser, method, url)
        case "Too often":
            settings.ANONYMOUS_PER_MINUTE = settings.SESSION_CREATION_PER_MINUTE = 1
            early_in_a_minute()
            return [ask(caller(), method, url) for _ in range(2)][-1]
        case "Only with a token" | "Not for this token":
            settings.SESSION_CREATION = "token"
            return ask(caller() if name == "Only with a token" else candidate(evidence.session), method, url)
        case "Another type":
            return everything.generic(method, url, "text", content_type="text/plain")
        case "Not JSON":
            return everything.generic(method, url, "nonsense", content_type="application/json")
        case "Not multipart":
            return everything.generic(method, url, "nonsense", content_type="multipart/form-data")
        case "Too large":
            return everything.generic(
                method, url, b" " * (settings.JSON_BODY_MAX_BYTES + 1), content_type="application/json"
            )
        case "Too late":
            evidence.ended()
            return ask(everything, method, url)
        case "Not in this state":
            Session.objects.filter(pk=evidence.session.pk).update(status="expired", end_time=NOON)
            return ask(everything, method, url)
        case "A key used before":
            make_session(pk=id_of_start(START_KEY), candidate_name="Somebody Else")
            sent = {"candidate_name": "Ada", "start_key": START_KEY}
            return everything.post(url, json.dumps(sent), content_type="application/json")
        case "An id used before":
            sent = {"event_type": "focus_lost", "id": "0b1f9c3e-51f4-4f0e-9a55-6d1c1a3f0c11"}
            return [
                everything.post(url, json.dumps({**sent, "sequence": n}), content_type="application/json")
                for n in range(2)
            ][-1]
        case "Too many":
            settings.EVENTS_PER_SESSION_MAX = 1
            sent = json.dumps({"event_type": "weighs_nothing"})
            return [everything.post(url, sent, content_type="application/json") for _ in range(2)][-1]
        case "One recording too many":
            settings.RECORDINGS_PER_SESSION_MAX = Recording.objects.filter(session_id=evidence.session.pk).count()
            return ask(everything, method, url)
        case "Too large a video":
            settings.VIDEO_MAX_BYTES = 100
            return ask(everything, method, url)
        case "No video":
            if path.endswith("/import"):
                (settings.VIDEO_IMPORT_DIR / IMPORTED).write_bytes(b"no video")
                return ask(everything, method, url)
            return send_form(everything, url, {"file": SimpleUploadedFile("x.webm", b"no video")})
        case "Not a plain name":
            return everything.generic(method, url, '{"filename": "../x"}', content_type="application/json")
        case "Not valid":
            if method == "GET":
                return everything.get(url, {"limit": "0", "at_s": "now"})
            if path.endswith("/video"):
                return send_form(everything, url, {})
            wrong = {"link": {"format": "pdf"}, "heartbeat": {"camera": "on"}}
            wrong |= {"pause": {"reason_code": "bored"}, "resume": {"reason_code": "bored"}}
            body = json.dumps(wrong.get(path.rpartition("/")[2], {}))
            return everything.generic(method, url, body, content_type="application/json")
    raise AssertionError(f"Nobody knows how to provoke {name}.")


def send_form(client, url, fields):
    return client.generic("POST", url, encode_multipart(BOUNDARY, fields), content_type=MULTIPART_CONTENT)


def test_an_outage_is_said_as_in_its_example():
    """What the middleware answers in place of any route; that it does, test_outage.py says."""
    answer = outage_response(RequestFactory().get("/sessions"), AutoReconnect())
    said = document()["paths"]["/sessions"]["get"]["responses"]["503"]
    assert [json.loads(answer.content)] == [
        it["value"] for it in said["content"]["application/json"]["examples"].values()
    ]
    assert set(said["headers"]) - {"X-Request-ID"} <= set(answer.headers)


def test_an_event_that_is_not_decided_is_said_as_in_its_example():
    """When that happens, test_refused_by_the_server.py says."""
    said = documented("POST", "/sessions/{id}/events", 503)["examples"].values()
    answer = exception_handler(EventUndecided(), {"request": Request(RequestFactory().post("/"))})
    assert answer.data in [it["value"] for it in said]
    assert "Retry-After" in answer.headers
