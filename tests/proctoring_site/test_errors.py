"""Every error is one JSON shape, {"detail", "code"} (+ "fields"); the admin keeps its pages."""

import io
import json
import re
from urllib.parse import quote
from uuid import uuid4
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client, RequestFactory
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from media_app import errors as media_errors
from media_app.imports import UnreadableManifest
from proctoring_site import errors
from proctoring_site.wsgi import application
from sessions_app.errors import ProctoringError, SessionNotFound
from sessions_app.import_rows import UnreadableFile
from sessions_app.models import Session
from tests.factories import make_api_token, make_session, make_staff

#: Raised by commands alone, which have no HTTP status; so are those of the desk, which answers with its pages.
NEVER_ANSWERED = {UnreadableFile, UnreadableManifest}
OF_THE_DESK = "sessions_app.review.errors"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
#: The context that DRF gives.
FROM_A_PROGRAM = {"request": Request(RequestFactory().get("/", headers={"Accept": "application/json"}))}


def every_error(of=ProctoringError):
    for error in of.__subclasses__():
        yield error
        yield from every_error(error)


class TestDomainErrors:
    def test_each_has_a_status_a_code_and_a_sentence_of_its_own(self):
        known = set(every_error())
        answered = {error for error in known - NEVER_ANSWERED if error.__module__ != OF_THE_DESK}
        assert answered == set(errors.STATUS)
        for error in known:
            assert error.code != ProctoringError.code
            assert error.sentence != ProctoringError.sentence
            assert error.sentence.endswith(".")

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (SessionNotFound(), 404, "not_found"),
            (media_errors.ImportFileNotFound(), 404, "not_found"),
            (media_errors.VideoTooLarge(), 413, media_errors.VideoTooLarge.code),
            (media_errors.NotAVideo(), 415, media_errors.NotAVideo.code),
            (media_errors.UnsafeFileName(), 400, media_errors.UnsafeFileName.code),
        ],
    )
    def test_they_answer_with_it(self, error, status, code):
        answer = errors.exception_handler(error, FROM_A_PROGRAM)
        assert answer.status_code == status
        assert answer.data == {"detail": str(error), "code": code}


class TestFrameworkErrors:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (Http404(), 404, "not_found"),
            (PermissionDenied(), 403, "permission_denied"),
            (SuspiciousOperation("secret detail"), 400, "bad_request"),
            (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
            (exceptions.UnsupportedMediaType("text/x"), 415, "unsupported_media_type"),
            (exceptions.ParseError(), 400, "parse_error"),
            (exceptions.ValidationError("No.", code="odd"), 400, "odd"),
            (exceptions.ValidationError(["No.", "Never."]), 400, "invalid"),
        ],
    )
    def test_they_take_the_same_shape(self, error, status, code):
        answer = errors.exception_handler(error, FROM_A_PROGRAM)
        assert answer.status_code == status
        assert set(answer.data) == {"detail", "code"}
        assert answer.data["code"] == code
        assert "secret" not in answer.data["detail"]

    def test_a_validation_error_names_the_fields(self):
        answer = errors.exception_handler(exceptions.ValidationError({"a": [ErrorDetail("No.", "x")]}), {})
        assert answer.data == {"detail": "Some fields are not valid.", "code": "invalid", "fields": {"a": ["No."]}}

    def test_throttling_says_when_to_come_back(self):
        answer = errors.exception_handler(exceptions.Throttled(wait=7), FROM_A_PROGRAM)
        assert (answer.status_code, answer["Retry-After"]) == (429, "7")

    def test_a_defect_is_left_to_django_and_its_log(self):
        assert errors.exception_handler(LookupError(), {}) is None


class TestOutsideTheAPIsViews:
    @pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain", ""])
    def test_an_unknown_path_is_json(self, api, accept):
        answer = api.get("/no/such/path", headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.json() == {"detail": "There is no such address.", "code": "no_such_address"}

    def test_in_the_admin_it_is_a_page(self, database, as_staff):
        """Whose reader is signed in, and is led back to where they may be."""
        answer = as_staff(is_superuser=True).get("/admin/no/such/page/")
        assert answer.status_code == 404
        assert answer["Content-Type"].startswith("text/html")
        assert 'href="/admin/"' in answer.text
        assert "sign in" not in answer.text

    def test_a_form_that_is_not_valid_any_more_says_what_to_do(self, database):
        sender = Client(enforce_csrf_checks=True)
        sender.force_login(make_staff("Reviewer"))
        answer = sender.post("/admin/password_change/")
        assert answer.status_code == 403
        assert "Nothing was changed." in answer.text
        assert "DEBUG" not in answer.text
        assert "<style" not in answer.text  # which our Content-Security-Policy would not let through

    def test_a_form_with_too_many_fields_is_refused_by_a_page(self, database, as_staff):
        fields = {f"field-{n}": "" for n in range(1100)}
        answer = as_staff("Reviewer").post("/admin/password_change/", fields)
        assert answer.status_code == 400
        assert answer["Content-Type"].startswith("text/html")
        assert "Nothing was changed." in answer.text

    def test_of_an_address_that_asks_for_an_unknown_filter_it_speaks_of_the_address(self, database, as_staff):
        answer = as_staff("Reviewer").get("/admin/sessions_app/session/?mistyped=me")
        assert answer.status_code == 400
        assert "an unknown filter" in answer.text
        assert "was sent" not in answer.text

    def test_a_host_that_is_not_ours_is_refused(self, api):
        answer = api.get("/sessions", headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert answer.json()["code"] == "bad_request"
        assert "evil" not in answer.json()["detail"]

    def test_a_defect_is_a_500_that_betrays_nothing(self, as_candidate, settings):
        settings.SCORE_WEIGHTS = "no weights at all"
        answer = as_candidate(Session(pk="any")).post(
            "/sessions/any/events", {"event_type": "focus_lost"}, format="json"
        )
        assert answer.status_code == 500
        assert answer.json() == {
            "detail": "Something went wrong on the server; the error was logged.",
            "code": "server_error",
        }

    def test_a_defect_in_the_admin_is_a_page(self, rf):
        answer = errors.handler500(rf.get("/admin/sessions_app/session/"))
        assert answer.status_code == 500
        assert answer["Content-Type"].startswith("text/html")
        assert 'href="/admin/"' in answer.text


@pytest.mark.usefixtures("database")
class TestWhatAPersonFollowsALinkTo:
    """Behind a link that leads nowhere, or no longer to them, is a page; which of the two, it does not say."""

    def get(self, client, path):
        return client.get(path, headers={"Accept": BROWSER, "X-Request-ID": "the-same-id"})

    @pytest.mark.parametrize("path", ["/sessions/{id}", "/sessions/{id}/report.html", "/videos/{id}.webm"])
    def test_it_is_the_same_page_whether_there_is_something_or_not(self, nobody, path):
        there, missing = (self.get(nobody, path.format(id=pk)) for pk in (make_session().pk, uuid4()))
        for answer in (there, missing):
            assert answer.status_code == 404
            assert answer["Content-Type"].startswith("text/html")
        assert re.sub("[0-9a-f-]{36}", "", there.text) == re.sub("[0-9a-f-]{36}", "", missing.text)

    def test_it_leads_staff_to_sign_in_and_back(self, nobody):
        path = f"/sessions/{make_session().pk}/report.html"
        assert f'href="/admin/login/?next={quote(path, safe="")}"' in self.get(nobody, path).text

    def test_of_a_signed_link_it_says_how_long_one_is_good(self, nobody):
        path = f"/videos/{make_session().pk}.webm"
        said = [("for only a few minutes" in self.get(nobody, path + query).text) for query in ("?link=old", "")]
        assert said == [True, False]

    @pytest.mark.parametrize(
        ("error", "status", "after_s"), [(media_errors.StorageFailed(), 503, "5"), (exceptions.Throttled(7), 429, "7")]
    )
    def test_to_be_kept_waiting_is_a_page_too(self, rf, error, status, after_s):
        request = Request(rf.get("/", headers={"Accept": BROWSER}))
        answer = errors.exception_handler(error, {"request": request})
        assert (answer.status_code, answer["Retry-After"]) == (status, after_s)
        assert f"<p>{getattr(error, 'detail', error)}</p>" in answer.text

    def test_a_defect_is_a_page_too(self, rf):
        answer = errors.handler500(rf.get("/videos/a.webm", headers={"Accept": BROWSER}))
        assert (answer.status_code, "<h1>Something went wrong on the server</h1>" in answer.text) == (500, True)

    def test_a_path_that_nobody_knows_is_such_a_page_too(self, nobody):
        answer = self.get(nobody, "/no/such/path")
        assert (answer.status_code, "<h1>Not found</h1>" in answer.text) == (404, True)


class TestTheWSGIApplication:
    """What Django's test client cannot send."""

    def get(self, path, **environ):
        setup_testing_defaults(environ)
        environ.setdefault("HTTP_AUTHORIZATION", f"Bearer {make_api_token(make_staff(is_superuser=True))}")
        path, _, query = path.partition("?")
        environ |= {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": "localhost", "wsgi.input": io.BytesIO()}
        started = []
        body = b"".join(application(environ, lambda status, headers: started.append((status, dict(headers)))))
        return int(started[0][0].split()[0]), body

    @pytest.mark.parametrize("charset", ["rot13", "base64", "undefined", "idna", "punycode", "utf-16", "no-such", ""])
    def test_a_charset_of_nonsense_changes_nothing(self, database, charset):
        claimed = {"CONTENT_TYPE": f"application/json; charset={charset}"}
        assert self.get("/?x=%C3%A9", **claimed)[0] == 200
        status, body = self.get("/sessions?candidate_name=%C3%A9&limit=1", **claimed)
        assert (status, json.loads(body)) == (200, [])

    @pytest.mark.parametrize(
        ("raw", "code"),
        [
            ("/sessions/\xff\xfe", "not_found"),
            ("/\x00", "no_such_address"),
            ("/videos/\xc3\x28", "not_found"),
            ("/sessions/a\r\nb", "not_found"),
        ],
    )
    def test_a_path_of_odd_bytes_is_a_404(self, database, raw, code):
        status, body = self.get(raw)
        assert status == 404
        assert json.loads(body)["code"] == code


def test_the_documentation_has_every_code():
    table = (settings.BASE_DIR / "docs/machines.md").read_text().partition("| `code` |")[2]
    rows = re.findall(r"^\| (`.+?) \| (\d+) \|", table, re.MULTILINE)
    said = {code: int(status) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}
    assert {error.code: status for error, status in errors.STATUS.items()}.items() <= said.items()
    by_hand = re.compile(r'(?:\bcode=|default_code = |"code": |Refusal\(\s*\d+, )"(\w+)"')
    rooms = [settings.BASE_DIR / room for room in ("proctoring_site", "sessions_app", "media_app", "reports_app")]
    others = {code for room in rooms for file in room.rglob("*.py") for code in by_hand.findall(file.read_text())}
    assert said.keys() == others | {error.code for error in errors.STATUS}
