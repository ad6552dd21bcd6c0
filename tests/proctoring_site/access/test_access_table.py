"""docs/access.md's table of who may do what is the specification: every route and every caller, asked for real."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from tests import access, drives
from tests.access import account_of, ask, bad_tokens, caller, candidate, machine, methods_of, routes
from tests.factories import make_staff

data_dir, make_evidence = drives.data_dir, access.make_evidence

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "access.md"
STAFF = ("Reviewer", "Proctor", "Proctor, ended session", "Operator", "Auditor", "superuser")
COLUMNS = ("nobody", "candidate", "another candidate", *STAFF, "bad token")
OPEN = {"/", "/healthz", "/readyz", "/schema", "/docs", "/favicon.ico", "/candidate/"}


def table():
    """The rows: (method, path, what is set) → status by column."""
    section = DOCUMENT.read_text().split("\n## Who may do what\n")[1].split("\n## ")[0]
    head, _, *lines = re.search(r"^\| route (?:.*\n)(?:\|.*\n?)+", section, re.MULTILINE).group().splitlines()
    assert cells(head)[1:] == list(COLUMNS)
    rows = {}
    for line in lines:
        first, *statuses = cells(line)
        method, path, setting = re.fullmatch(r"`([A-Z]+) (\S+)`(?: with `(\S+)`)?", first).groups()
        assert (method, path, setting) not in rows
        numbers = [404 if status == "–" else int(status) for status in statuses]
        rows[method, path, setting] = dict(zip(COLUMNS, numbers, strict=True))
    return rows


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


TABLE = table()
GUARDED = sorted({(method, path) for (method, path, _), expected in TABLE.items() if expected["bad token"] == 401})


def column(name):
    return {row: expected[name] for row, expected in TABLE.items()}


def routes_of_the_api():
    return {
        (method, path) for path, route in routes() if not path.startswith("/admin/") for method in methods_of(route)
    }


def test_every_route_has_a_row_and_every_row_a_route():
    assert {(method, path) for method, path, _ in TABLE} == routes_of_the_api()


def test_every_route_that_is_not_open_refuses_a_bad_token():
    assert {path for _, path in routes_of_the_api() - set(GUARDED)} == OPEN


def test_nobody_may_do_only_what_starts_a_sitting_and_what_is_open():
    allowed = {path for (_, path, setting), expected in TABLE.items() if expected["nobody"] < 400 and not setting}
    assert allowed == OPEN | {"/sessions"}
    assert TABLE["GET", "/sessions", None]["nobody"] == 404


class TestEveryCallerGetsWhatTheTableSays:
    """Down its column, with a session that nobody has changed yet, and the cookie or token that it came with."""

    @pytest.mark.parametrize(
        ("name", "client"),
        [
            ("nobody", lambda evidence: caller()),
            ("candidate", lambda evidence: candidate(evidence.session)),
            ("another candidate", lambda evidence: candidate(evidence.other)),
            ("bad token", lambda evidence: caller("pk_nonsense")),
        ],
        ids=lambda part: part if isinstance(part, str) else "",
    )
    def test_nobody_and_candidates(self, name, client, make_evidence):
        assert answers(client, make_evidence) == column(name)

    @pytest.mark.parametrize("name", STAFF)
    def test_staff_with_their_cookies(self, name, make_evidence):
        client = caller(signed_in=account_of(name.split(",")[0]))
        assert answers(lambda _: client, make_evidence, is_ended="ended session" in name) == column(name)

    @pytest.mark.parametrize("name", STAFF)
    def test_machines_as_their_owners(self, name, make_evidence):
        client = machine(account_of(name.split(",")[0]))
        assert answers(lambda _: client, make_evidence, is_ended="ended session" in name) == column(name)

    def test_every_kind_of_bad_token_even_beside_a_good_cookie(self, make_evidence, settings):
        evidence, root = make_evidence(), caller(signed_in=make_staff(is_superuser=True))
        for what, token in bad_tokens(evidence.session, max_age_s=settings.CANDIDATE_TOKEN_MAX_AGE_S).items():
            for method, path in GUARDED:
                for client in (caller(), root):
                    answer = ask(client, method, evidence.path(path), HTTP_AUTHORIZATION=f"Bearer {token}")
                    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token"), (what, path)
                    assert answer["WWW-Authenticate"] == "Bearer"


def answers(client_for, make_evidence, *, is_ended=False):
    """By row. What was refused has changed nothing, else a row that follows tells."""
    found, evidence = {}, None
    for method, path, setting in TABLE:
        if evidence is None:
            evidence = make_evidence().ended() if is_ended else make_evidence()
        name, _, value = (setting or "").partition("=")
        assert not name or hasattr(settings, name)
        with override_settings(**({name: value} if name else {})):
            status = ask(client_for(evidence), method, evidence.path(path)).status_code
        found[method, path, setting] = status
        if method != "GET" and status < 400:
            evidence = None
    return found


class TestBesidesTheTable:
    @pytest.mark.parametrize("path", sorted({path for _, path in routes_of_the_api() if path != "/favicon.ico"}))
    def test_what_a_route_has_not_is_a_405_for_everybody(self, make_evidence, path):
        evidence = make_evidence()
        has = {method for method, route in routes_of_the_api() if route == path}
        if "/uploads" in path:
            has |= {"OPTIONS"}  # where tus has a client ask what there is of it
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - has):
            for client in (caller(), candidate(evidence.other), caller(signed_in=make_staff("Auditor"))):
                assert ask(client, method, evidence.path(path)).status_code == 405, method

    @pytest.mark.parametrize("path", sorted({path for method, path in routes_of_the_api() if method == "GET"}))
    def test_a_head_is_answered_as_its_get(self, make_evidence, path):
        evidence = make_evidence()
        for client in (caller(), candidate(evidence.session), caller(signed_in=make_staff("Reviewer"))):
            got = ask(client, "GET", evidence.path(path))
            assert ask(client, "HEAD", evidence.path(path)).status_code == got.status_code

    def test_rights_of_several_groups_add_up(self, make_evidence):
        evidence = make_evidence().ended()
        client = machine(make_staff("Proctor", "Reviewer"))
        assert ask(client, "GET", evidence.path("/sessions/{id}/report")).status_code == 200

    def test_staff_in_no_group_may_do_what_nobody_may(self, make_evidence):
        client = caller(signed_in=make_staff())
        expected = {row: 403 if status == 401 else status for row, status in column("nobody").items()}
        assert answers(lambda _: client, make_evidence) == expected

    def test_an_account_that_is_no_staff_may_do_what_nobody_may(self, make_evidence):
        client = caller(signed_in=make_staff("Reviewer", is_staff=False))
        assert answers(lambda _: client, make_evidence) == column("nobody")

    def test_candidates_and_operators_see_a_session_without_its_evidence(self, make_evidence):
        evidence = make_evidence()
        shown = {
            name: "events" in ask(client, "GET", evidence.path("/sessions/{id}")).json()
            for name, client in {
                "candidate": candidate(evidence.session),
                "Operator": machine(make_staff("Operator")),
                "Reviewer": machine(make_staff("Reviewer")),
                "Proctor": machine(make_staff("Proctor")),
            }.items()
        }
        assert shown == {"candidate": False, "Operator": False, "Reviewer": True, "Proctor": True}

    def test_a_proctors_list_holds_running_sessions_only(self, make_evidence):
        ended, running = make_evidence().ended().session, make_evidence().session
        listed = {session["id"] for session in ask(machine(make_staff("Proctor")), "GET", "/sessions").json()}
        assert running.pk in listed
        assert ended.pk not in listed
        assert ask(machine(make_staff("Proctor")), "GET", "/sessions?state=ended").json() == []
