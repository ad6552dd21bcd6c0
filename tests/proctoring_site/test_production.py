"""PRODUCTION=1 behind a proxy that ends TLS: what a real process sends, and what `check --deploy` says."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from proctoring_site.calls.answer_headers import HEADERS
from tests.proctoring_site.conftest import PASSWORD, USERNAME
from tests.servers import REPOSITORY, Web, free_port

BEHIND_A_PROXY = {"PRODUCTION": "1", "TRUSTED_PROXY": "1", "ALLOWED_HOSTS": "exam.example.org,127.0.0.1"}
AS_THE_PROXY = {"Host": "exam.example.org", "X-Forwarded-Proto": "https"}
NOWHERE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"


def check(**environment: str) -> subprocess.CompletedProcess:
    own = {**BEHIND_A_PROXY, "MONGODB_URL": NOWHERE, "SECRET_KEY": secrets.token_urlsafe(50), **environment}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, **own}, capture_output=True, text=True, check=False
    )


class TestTheDeployCheck:
    def test_has_nothing_to_say_of_the_readmes_settings(self):
        done = check()
        assert (done.returncode, done.stdout) == (0, "System check identified no issues (2 silenced).\n"), done.stderr

    def test_has_nothing_to_silence_when_the_domains_owner_turned_all_on(self):
        done = check(HSTS_INCLUDE_SUBDOMAINS="1", HSTS_PRELOAD="1")
        assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr

    @pytest.mark.parametrize(
        ("environment", "said"),
        [
            (
                {"TRUSTED_PROXY": "0", "HSTS_SECONDS": "0", "SECRET_KEY": "short", "DEBUG": "1"},
                {"security.W008", "security.W004", "security.W009", "security.W018"},
            ),
            ({"PRODUCTION": "0"}, {"security.W012"}),
            ({"HSTS_PRELOAD": "1", "HSTS_INCLUDE_SUBDOMAINS": "1", "HSTS_SECONDS": "3600"}, {"proctoring.E006"}),
        ],
    )
    def test_still_sees_what_is_missing(self, environment, said):
        done = check(**environment)
        assert done.returncode != 0
        assert said <= set(re.findall(r"[a-z]+\.[EW]\d{3}", done.stderr)), done.stderr


@pytest.fixture(scope="module")
def web(site_database: str, site_staff: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Every secret comes from a file."""
    folder = tmp_path_factory.mktemp("production")
    (folder / "key").write_text(f"{secrets.token_urlsafe(50)}\n")
    (folder / "url").write_text(f"{os.environ['MONGODB_URL']}\n")
    files = {"SECRET_KEY": "", "SECRET_KEY_FILE": str(folder / "key"), "MONGODB_URL_FILE": str(folder / "url")}
    web = Web("", folder, MONGODB_DATABASE=site_database, **files, **BEHIND_A_PROXY)
    yield web
    web.stop()


@pytest.fixture
def client(web: Web) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web.url, headers=AS_THE_PROXY, timeout=30) as client:
        yield client


PATHS = ("/", "/docs", "/schema", "/sessions", "/nowhere", "/admin/login/", "/static/admin/css/base.css", "/healthz")

#: Django's, for pages of accounts; and the one of what is the same for everybody.
OWN_CACHE_CONTROL = {
    "/admin/login/": "max-age=0, no-cache, no-store, must-revalidate, private",
    "/static/admin/css/base.css": "max-age=60, public",
}


@pytest.mark.parametrize("path", [*PATHS, "/sessions?limit=x", "/readyz"])
def test_every_answer_carries_every_header(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    own = {"Cache-Control": OWN_CACHE_CONTROL[path]} if path in OWN_CACHE_CONTROL else {}
    assert {name: headers[name] for name in HEADERS} == {**HEADERS, **own}
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_so_does_what_is_answered_in_place_of_a_view(client: httpx.Client) -> None:
    refused = client.get("/", headers={"Host": "evil.example", "X-Forwarded-Proto": "http"})
    assert refused.status_code == 400
    assert {name: refused.headers[name] for name in HEADERS} == dict(HEADERS)


def test_a_stored_report_keeps_its_stricter_policy(client: httpx.Client, site_staff: dict[str, str]) -> None:
    session_id = client.post("/sessions", json={"candidate_name": "Ada"}).json()["id"]
    page = client.get(f"/sessions/{session_id}/report.html", headers=site_staff)
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert page.headers["Permissions-Policy"] == HEADERS["Permissions-Policy"]


def test_without_tls_there_is_a_redirect_but_for_those_who_ask_from_within(client: httpx.Client) -> None:
    plain = {"X-Forwarded-Proto": "http"}
    answer = client.get("/admin/?x=1", headers=plain)
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://exam.example.org/admin/?x=1")
    assert "Strict-Transport-Security" not in answer.headers
    assert client.get("/healthz", headers=plain).status_code == 200
    assert client.get("/readyz", headers=plain).status_code == 200


def test_the_cookies_of_a_login_are_for_tls_and_no_script(client: httpx.Client) -> None:
    token = client.get("/admin/login/").headers["Set-Cookie"].partition("csrftoken=")[2].partition(";")[0]
    form = {"username": USERNAME, "password": PASSWORD, "csrfmiddlewaretoken": token}
    headers = {"Cookie": f"csrftoken={token}", "Origin": "https://exam.example.org"}
    answer = client.post("/admin/login/?next=/admin/", data=form, headers=headers)
    assert answer.status_code == 302
    cookies = answer.headers.get_list("Set-Cookie")
    assert sorted(cookie.partition("=")[0] for cookie in cookies) == ["csrftoken", "sessionid"]
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert "; Max-Age=86400;" in next(cookie for cookie in cookies if cookie.startswith("sessionid="))


def test_nobody_but_a_trusted_proxy_may_say_that_there_is_tls(tmp_path: Path) -> None:
    web = Web(NOWHERE, tmp_path, PRODUCTION="1", ALLOWED_HOSTS="127.0.0.1")
    try:
        answer = httpx.get(web.url, headers={"X-Forwarded-Proto": "https"}, timeout=30)
    finally:
        web.stop()
    assert answer.status_code == 200  # no redirect, which without a proxy would go round for ever
    assert "Strict-Transport-Security" not in answer.headers


def test_a_503_carries_the_headers_too(tmp_path: Path) -> None:
    web = Web(f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200", tmp_path)
    try:
        answer = httpx.get(f"{web.url}/sessions", timeout=30)
    finally:
        web.stop()
    assert answer.status_code == 503
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
