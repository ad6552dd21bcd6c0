"""OPEN_API=1: the API as the earlier service had it, for everybody, and never the admin."""

import pytest
from django.core.checks import run_checks

from proctoring_site import settings as shipped
from proctoring_site.audit.models import AuditRecord
from tests import access, drives
from tests.access import ask, caller, candidate, candidate_token_issued, methods_of, routes
from tests.factories import make_staff

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

ROUTES = sorted(
    (method, path) for path, route in routes() if not path.startswith("/admin/") for method in methods_of(route)
)


@pytest.fixture
def open_api(settings):
    settings.OPEN_API = True
    return settings


def expected(method, path):
    if (method, path) == ("GET", "/favicon.ico"):
        return 302
    if path.endswith("/resume"):  # it was not paused
        return 409
    if "{upload}" in path:
        return 204
    return 201 if method == "POST" and path.endswith(("/sessions", "/events", "/uploads")) else 200


EXPECTED = {route: expected(*route) for route in ROUTES}


def answers(client, make_evidence):
    """By route, each asked of a session that nobody has changed yet."""
    found, evidence = {}, None
    for method, path in ROUTES:
        evidence = evidence or make_evidence()
        found[method, path] = ask(client(), method, evidence.path(path)).status_code
        if method != "GET":
            evidence = None
    return found


class TestTheOpenApi:
    @pytest.mark.parametrize("creation", ["open", "token"])
    def test_does_everything_for_nobody(self, open_api, make_evidence, creation):
        open_api.SESSION_CREATION = creation
        assert answers(caller, make_evidence) == EXPECTED
        assert "by-link-only" not in caller().get("/candidate/").text

    @pytest.mark.parametrize("who", ["signed in", "made up", "expired", "of another session", "no token"])
    def test_minds_no_token_and_no_cookie(self, open_api, make_evidence, who):
        stale = make_evidence()
        match who:
            case "signed in":
                client = caller(signed_in=make_staff("Auditor"))
                client.defaults.pop("HTTP_X_CSRFTOKEN")
            case "made up":
                client = caller()
                client.cookies["sessionid"] = "a" * 32
            case "expired":
                client = caller(candidate_token_issued(stale.session.pk, seconds_ago=10**6))
            case "of another session":
                client = candidate(stale.session)
            case _:
                client = caller("pk_x")
        assert answers(lambda: client, make_evidence) == EXPECTED

    def test_answers_a_session_with_its_events(self, open_api, evidence):
        answer = ask(caller(), "GET", evidence.path("/sessions/{id}")).json()
        assert [event["message"] for event in answer["events"]] == [access.EVENT_MESSAGE]

    def test_still_finds_nothing_where_nothing_is(self, open_api, evidence):
        for method, path in ROUTES:
            if "{" in path:
                assert ask(caller(), method, evidence.missing().path(path)).status_code == 404, path

    def test_minds_neither_limit(self, open_api, evidence):
        open_api.ANONYMOUS_PER_MINUTE = 1
        assert [ask(caller(), "GET", "/sessions").status_code for _ in range(4)] == [200] * 4

    def test_records_looks_as_nobodys(self, open_api, evidence):
        ask(caller(), "GET", evidence.path("/sessions/{id}"), REMOTE_ADDR="198.51.100.7")
        looked = AuditRecord.objects.get(object_id=evidence.session.pk, action="looked")
        assert (looked.actor_kind, looked.actor_id, looked.address) == ("nobody", "", "198.51.100.7")

    @pytest.mark.parametrize(
        "path", sorted(path for path, _ in routes() if path.startswith("/admin/") and not set(path) & set("<("))
    )
    def test_never_opens_the_admin(self, open_api, database, path):
        for client in (caller(), caller("pk_x")):
            assert client.get(path, follow=True).request["PATH_INFO"] in ("/admin/login/", "/admin/logout/")

    def test_gives_staff_no_rights_in_the_admin(self, open_api, evidence):
        client = caller(signed_in=make_staff())
        path = f"/admin/sessions_app/session/{evidence.session.pk}/change/"
        assert ask(client, "GET", "/admin/sessions_app/session/").status_code in (403, 404)
        assert access.CANDIDATE_NAME not in client.get(path, follow=True).content.decode()


class TestTheSetting:
    def test_is_off_by_default(self):
        assert shipped.OPEN_API is False

    @pytest.mark.parametrize(("is_open", "ids"), [(True, ["proctoring.W001"]), (False, [])])
    def test_is_warned_of_at_every_start(self, settings, is_open, ids):
        settings.OPEN_API = is_open
        assert [message.id for message in run_checks() if message.id == "proctoring.W001"] == ids
