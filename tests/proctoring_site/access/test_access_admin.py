"""docs/access.md's second table of who may do what: every page of the admin, asked for with real cookies."""

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import Group

from proctoring_site.access.models import ApiToken
from proctoring_site.audit.models import AuditRecord
from proctoring_site.jobs.models import Job
from sessions_app.review.models import PolicyVersion
from tests import access, drives
from tests.access import account_of, caller, candidate, machine, routes, send_csrf_token
from tests.factories import make_api_token, make_staff

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "access.md"
COLUMNS = ("nobody", "Reviewer", "Proctor", "Proctor, ended session", "Operator", "Auditor", "superuser")


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table():
    """The rows: page, or what a page begins with and `…` → outcome by column."""
    section = DOCUMENT.read_text().split("\n## Who may do what\n")[1].split("\n## ")[0]
    head, _, *lines = re.search(r"^\| page (?:.*\n)(?:\|.*\n?)+", section, re.MULTILINE).group().splitlines()
    assert cells(head)[1:] == list(COLUMNS)
    rows = {}
    for line in lines:
        first, *outcomes = cells(line)
        for page in re.findall(r"`([^`]+)`", first):
            assert page not in rows
            rows[page] = dict(zip(COLUMNS, outcomes, strict=True))
    return rows


TABLE = table()


def pages():
    """Each route of the admin once; the index of the apps, which is one route, once for each of them."""
    for path, _ in routes():
        if path.startswith("/admin/"):
            apps = re.search(r"\(\?P<app_label>([\w|]+)\)", path)
            yield from (path.replace(apps.group(), app) for app in apps.group(1).split("|")) if apps else [path]


PAGES = sorted(set(pages()))


def row_of(page):
    """The most exact one."""
    fitting = [row for row in TABLE if row == page or (row.endswith("…") and page.startswith(row[:-1]))]
    return max(fitting, key=lambda row: (row == page, len(row)), default=None)


def test_every_page_has_a_row_and_every_row_a_page():
    assert [page for page in PAGES if row_of(page) is None] == []
    assert set(TABLE) == {row_of(page) for page in PAGES}


@pytest.fixture
def address(evidence):
    """`address(page, account)`: of something that is there; of API tokens, the account's own."""
    owner = make_staff(is_superuser=True)
    other, group = make_staff("Reviewer"), Group.objects.get(name="Reviewer")
    make_api_token(owner)
    record = AuditRecord.objects.latest("at")

    def of(page, account=None):
        ids = {"/session/": evidence.session, "/auditrecord/": record, "/user/": other, "/group/": group}
        ids["/policyversion/"] = PolicyVersion(version=1)  # the shipped one, which needs no row
        ids["/job/"] = Job.objects.create(task="test", key="x")
        found = next((thing for part, thing in ids.items() if part in page), None)
        if "/apitoken/" in page:
            if account is not None:
                make_api_token(account)
            found = ApiToken.objects.filter(owner=account or owner).latest("created_at")
        return page.replace("{id}", str(found.pk) if found else "").replace("{anything else}", "nowhere/")

    return of


def outcome(answer, asked):
    """As in the table."""
    if answer.request["PATH_INFO"] == "/admin/login/" != asked:
        return "login"
    return "–" if answer.status_code == 404 else str(answer.status_code)


class TestEachPage:
    """Down the column of one who looks: that changes nothing for the next page."""

    @pytest.mark.parametrize("name", COLUMNS)
    def test_is_for_whom_the_table_says(self, name, evidence, address):
        account = None if name == "nobody" else account_of(name.split(",")[0])
        if "ended session" in name:
            evidence.ended()
        client, found = caller(signed_in=account), {}
        for page in PAGES:
            asked = address(page, account)
            found[page] = outcome(client.get(asked, follow=True), asked)
        assert found == {page: TABLE[row_of(page)][name] for page in PAGES}

    @pytest.mark.parametrize("name", [name for name in COLUMNS if "ended session" not in name])
    def test_takes_no_post_from_those_to_whom_it_is_not_shown(self, name, evidence, address):
        account = None if name == "nobody" else account_of(name)
        client = caller(signed_in=account)
        send_csrf_token(client)
        expected = {page: TABLE[row_of(page)][name] for page in PAGES}
        for page in PAGES:
            if expected[page] in ("login", "–"):
                asked = address(page, account)
                answer = client.post(asked, {"post": "yes", "_save": "Save"}, follow=True)
                assert outcome(answer, asked) in (expected[page], "405"), page  # or no such method, for anybody

    @pytest.mark.parametrize("who", ["a candidate", "a machine", "no staff", "fired"])
    def test_asks_everybody_but_staff_to_log_in(self, who, evidence, address):
        match who:
            case "a candidate":
                client = candidate(evidence.session)
            case "a machine":
                client = machine(make_staff(is_superuser=True))
            case "no staff":
                client = caller(signed_in=make_staff("Reviewer", is_staff=False, is_superuser=True))
            case _:
                client = caller(signed_in=make_staff("Reviewer", is_active=False, is_superuser=True))
        for page in PAGES:
            answer = client.get(address(page), follow=True)
            assert answer.request["PATH_INFO"] == "/admin/login/", page
            assert access.CANDIDATE_NAME not in answer.content.decode(), page


class TestBesidesTheTable:
    @pytest.mark.parametrize("role", ["Reviewer", "Proctor", "Operator", "Auditor", "superuser"])
    def test_nobody_can_tell_an_id_that_is_not_there_from_one_that_is_not_theirs(self, database, role):
        """`0` is no id that MongoDB could have made. Policies are numbered: there is nothing to tell of them."""
        client, secret = caller(signed_in=account_of(role)), [page for page in PAGES if "/policyversion/" not in page]
        asked = [page.replace("{id}", pk) for page in secret if "{id}" in page for pk in ("0", "f" * 24)]
        asked += ["/admin/r/1/1/", "/admin/auth/user/f/1/history/"]
        assert {path: client.get(path, follow=True).status_code for path in asked} == dict.fromkeys(asked, 404)

    def test_an_operator_does_not_find_the_token_of_another(self, evidence):
        make_api_token(make_staff("Operator"))
        path = f"/admin/access/apitoken/{ApiToken.objects.get().pk}/change/"
        answer = caller(signed_in=make_staff("Operator")).get(path, follow=True)
        assert outcome(answer, path) == "–"

    def test_nothing_is_changed_without_the_csrf_token(self, evidence):
        client = caller(signed_in=make_staff(is_superuser=True))
        del client.defaults["HTTP_X_CSRFTOKEN"]
        path = f"/admin/sessions_app/session/{evidence.session.pk}/delete/"
        assert client.post(path, {"post": "yes"}).status_code == 403
        evidence.session.refresh_from_db()

    def test_a_proctor_is_told_the_same_of_an_ended_session_as_of_none(self, evidence):
        client, said = caller(signed_in=make_staff("Proctor")), []
        for session in (evidence.ended().session, evidence.missing().session):
            page = client.get(f"/admin/sessions_app/session/{session.pk}/change/", follow=True).content.decode()
            said.append(re.sub(r'value="\w{64}"', "", page).replace(session.pk, "ID"))
        assert said[0] == said[1]
        assert access.CANDIDATE_NAME not in said[0]
