"""An outsider who knows a session's id and the names of its files gets nothing, and learns nothing by trying."""

from http.client import HTTPConnection

import pytest
from django.conf import settings as product
from django.db import connection

from tests import access, drives
from tests.access import ask, bad_tokens, caller, candidate, content_of, methods_of, routes
from tests.factories import make_staff
from tests.servers import Web

data_dir, make_evidence, evidence = drives.data_dir, access.make_evidence, access.evidence

#: Every route on which evidence could be seen or changed.
EVIDENCE = sorted(
    (method, path)
    for path, route in routes()
    if path.startswith(("/sessions", "/videos/", "/reports/"))
    for method in methods_of(route)
    if (method, path) != ("POST", "/sessions")
)
OUTSIDERS = {
    "nobody": lambda evidence: caller(),
    "another candidate": lambda evidence: candidate(evidence.other),
    "a signed-in account that is no staff": lambda evidence: caller(signed_in=make_staff("Reviewer", is_staff=False)),
    "staff without a group": lambda evidence: caller(signed_in=make_staff()),
    "an auditor": lambda evidence: caller(signed_in=make_staff("Auditor")),
}
outsiders = pytest.mark.parametrize("outsider", OUTSIDERS.values(), ids=OUTSIDERS)


def test_there_are_routes_to_walk():
    assert len(EVIDENCE) >= 13


class TestTheEvidenceRoutes:
    @outsiders
    def test_are_a_404_that_is_the_same_whether_the_session_exists_and_change_nothing(
        self, evidence, outsider, data_dir
    ):
        client, before = outsider(evidence), state_of(evidence, data_dir)
        for method, path in EVIDENCE:
            there = ask(client, method, evidence.path(path))
            not_there = ask(client, method, evidence.missing().path(path))
            assert (there.status_code, there.json()["code"]) == (404, "not_found"), (method, path)
            assert content_of(there) == content_of(not_there), (method, path)
            assert headers(there) == headers(not_there), (method, path)
        assert state_of(evidence, data_dir) == before

    def test_are_there_for_who_may(self, make_evidence):
        """Else the walk would prove nothing: the same requests, by somebody with every right."""
        root = caller(signed_in=make_staff(is_superuser=True))
        for method, path in EVIDENCE:
            if not path.endswith("/video"):
                status = "paused" if path.endswith("/resume") else "running"
                asked = make_evidence(status=status).path(path)
                assert ask(root, method, asked).status_code in (200, 201, 204), path

    def test_say_the_same_to_a_proctor_for_an_ended_session_as_for_none(self, evidence):
        client, evidence = caller(signed_in=make_staff("Proctor")), evidence.ended()
        for method, path in set(EVIDENCE) - {("GET", "/sessions")}:
            there, not_there = (ask(client, method, e.path(path)) for e in (evidence, evidence.missing()))
            assert (there.status_code, content_of(there)) == (404, content_of(not_there)), path

    def test_say_the_same_to_a_bad_token_whatever_it_asks_for(self, evidence, settings):
        for token in bad_tokens(evidence.session, max_age_s=settings.CANDIDATE_TOKEN_MAX_AGE_S).values():
            client = caller(token)
            there, not_there = (ask(client, "GET", e.path("/videos/{name}")) for e in (evidence, evidence.missing()))
            assert (there.status_code, there.content) == (401, not_there.content)


def headers(answer):
    return {name: value for name, value in answer.items() if name != "X-Request-ID"}


def state_of(evidence, data_dir):
    evidence.session.refresh_from_db()
    files = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file() and path.suffix != ".lock"}
    return evidence.session.__dict__ | {"_state": None, "events": evidence.session.events.count(), "files": files}


WAYS = [
    "/data/{inside}",
    "/data/videos/{video}",
    "/static/../data/videos/{video}",
    "/static/../../{inside}",
    "/static/%2e%2e/data/videos/{video}",
    "/static/..%2f..%2fdata/videos/{video}",
    "/static/%252e%252e/data/{inside}",
    "/static/{absolute}",
    "/static//{absolute}",
    "/media/videos/{video}",
    "/files/{video}",
    "/{video}",
    "/{report}",
    "/{inside}",
    "/videos",
    "/videos/",
    "/reports/",
    "/videos//{video}",
    "/videos/{video}/",
    "/videos/./{video}",
    "/videos/../videos/{video}",
    "/videos/../reports/{report}",
    "/videos/%2e%2e/reports/{report}",
    "/videos/..%2freports%2f{report}",
    "/videos/..%5creports%5c{report}",
    "/videos/..%2f{inside}",
    "/videos/{absolute}",
    "/videos/{encoded}",
    "/reports/../videos/{video}",
    "/reports/..%2fvideos%2f{video}",
    "/reports/{video}",
    "/videos/{report}",
    "/videos/{inside}",
    "/videos/.incoming/part.part",
    "/videos/.incoming%2fpart.part",
    "/.incoming/part.part",
    "/admin/../data/{inside}",
]
INSIDE = ["secret_key", "mongodb/url"]


class TestTheFilesUnderTheStorageRoot:
    @pytest.fixture
    def names(self, evidence, data_dir):
        """Each file holds bytes that can be told when they get out."""
        (data_dir / "videos" / ".incoming").mkdir(exist_ok=True)
        (data_dir / "mongodb").mkdir()
        for path in ("secret_key", "mongodb/url", "videos/.incoming/part.part"):
            (data_dir / path).write_bytes(b"UNMISTAKABLE")
        (data_dir / "videos" / evidence.video).write_bytes(b"UNMISTAKABLE")
        (data_dir / "reports" / evidence.report).write_bytes(b"UNMISTAKABLE")
        absolute = str(data_dir / "secret_key")
        encoded = absolute.replace("/", "%2f")
        return {"video": evidence.video, "report": evidence.report, "absolute": absolute, "encoded": encoded}

    @pytest.mark.parametrize("way", WAYS)
    def test_cannot_be_reached_by_another_way(self, names, way):
        for inside in INSIDE:
            answer = ask(caller(), "GET", way.format(inside=inside, **names))
            assert answer.status_code in (301, 302, 400, 404)
            assert b"UNMISTAKABLE" not in content_of(answer)
            assert str(product.DATA_DIR).encode() not in content_of(answer)

    @pytest.mark.parametrize("way", [way for way in WAYS if "{video}" not in way and "{report}" not in way])
    def test_nor_by_those_who_may_see_every_session(self, names, way):
        root = caller(signed_in=make_staff(is_superuser=True))
        for inside in INSIDE:
            answer = ask(root, "GET", way.format(inside=inside, **names))
            assert answer.status_code in (301, 302, 400, 404)
            assert b"UNMISTAKABLE" not in content_of(answer)

    def test_nor_from_the_server_itself_which_reads_addresses_in_its_own_way(self, committed_database, tmp_path):
        """Raw: a usual client would tidy the dots away before it asks."""
        for path in ("secret_key", "mongodb/url", "videos/a.webm", "reports/r.html", "videos/.incoming/part.part"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(b"UNMISTAKABLE")
        names = {
            "video": "a.webm",
            "report": "r.html",
            "absolute": f"{tmp_path}/secret_key",
            "encoded": "%2fsecret_key",
        }
        web = Web(connection.settings_dict["HOST"], tmp_path, MONGODB_DATABASE=connection.settings_dict["NAME"])
        try:
            for path in {way.format(inside=inside, **names) for way in WAYS for inside in INSIDE}:
                asked = HTTPConnection(web.url.removeprefix("http://"), timeout=10)
                asked.request("GET", path)
                answer = asked.getresponse()
                assert answer.status in (301, 302, 400, 404), path
                assert b"UNMISTAKABLE" not in answer.read(), path
        finally:
            web.stop()


class TestWhatIsOpenGivesNothingAway:
    @pytest.fixture
    def secrets(self, evidence):
        names = [evidence.session.pk, access.CANDIDATE_NAME, access.EVENT_MESSAGE, "Somebody Else"]
        database = [connection.settings_dict["NAME"], "mongodb", "pymongo", "Traceback", "api_tokens", "audit_log"]
        return [*names, *database, str(product.DATA_DIR), product.SECRET_KEY]

    @pytest.mark.parametrize(
        "path",
        [
            *("/", "/healthz", "/readyz", "/schema", "/docs", "/favicon.ico", "/admin/login/", "/admin/"),
            *("/nowhere", "/admin/nowhere", "/sessions/", "/sessions?limit=x&cursor=x", "/sessions/%00", "/videos/%00"),
            *("/sessions?candidate_name=Ada", "/sessions/$ne", "/sessions/{{}}", "/sessions?candidate_name[$ne]=x"),
        ],
    )
    def test_neither_names_nor_the_database(self, secrets, path):
        for accepted in ("application/json", "text/html"):
            answer = ask(caller(), "GET", path, HTTP_ACCEPT=accepted)
            text = content_of(answer).decode()
            assert answer.status_code < 500
            assert [secret for secret in secrets if secret in text] == []

    def test_bad_bodies_are_refused_before_they_are_judged(self, evidence):
        """What is wrong with a field would tell an outsider that there is something to send it to."""
        for body in (b"{", b"[]", b'{"event_type": {"$ne": 1}}', b"\xff"):
            answer = caller().generic("POST", evidence.path("/sessions/{id}/events"), body, "application/json")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
