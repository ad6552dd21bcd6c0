"""Behind a real nginx, set up as docs/nginx.conf: it sends what Django allows, whole or by ranges, and nothing else."""

import socket
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from django.core.files import File
from django.db import connection

from media_app.models import Recording
from media_app.services import attach_video
from proctoring_site.audit.models import AuditRecord
from tests.callers import bearer
from tests.factories import make_api_token, make_session, make_staff
from tests.nginx import Nginx
from tests.servers import THREADS, Web, until

SETTINGS = {"SENDFILE": "nginx", "TRUSTED_PROXY": "1"}
FORGED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Host": "evil.example"}


@pytest.fixture(scope="module")
def served(django_db_setup, tmp_path_factory):
    """The folder of a server's data, and the nginx before it."""
    folder = tmp_path_factory.mktemp("nginx")
    database = connection.settings_dict
    web = Web(database["HOST"], folder / "data", **SETTINGS, MONGODB_DATABASE=database["NAME"])
    proxy = Nginx(folder / "nginx", upstream=web.url, data_dir=folder / "data")
    yield folder / "data", proxy
    proxy.stop()
    web.stop()


@pytest.fixture
def recording(committed_database, served, settings, clips, run_jobs):
    settings.DATA_DIR, settings.STORAGES = served[0], {**settings.STORAGES}
    with clips[".webm"].open("rb") as file:
        attach_video(make_session(), File(file, name="clip.webm"))
    run_jobs()
    return Recording.objects.get()


@pytest.fixture
def reviewer(served, committed_database):
    headers = bearer(make_api_token(make_staff("Reviewer")))
    with httpx.Client(base_url=served[1].tls_url, verify=served[1].trusted, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def data(recording, served):
    return (served[0] / "videos" / recording.watchable).read_bytes()


def test_ranges_are_nginxs_own(recording, reviewer, data):
    path, size = f"/videos/{recording.name}", len(data)
    whole = reviewer.get(path)
    assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, data, "video/webm")
    assert (whole.headers["Accept-Ranges"], whole.headers["Server"].partition("/")[0]) == ("bytes", "nginx")
    for wanted, start, end in [("bytes=5-99", 5, 100), ("bytes=-7", size - 7, size), ("bytes=9-", 9, size)]:
        answer = reviewer.get(path, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, data[start:end])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = reviewer.get(path, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    head = reviewer.head(path)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(size), b"")


def test_a_range_of_another_file_than_the_client_knows_is_the_whole(recording, reviewer, data):
    path = f"/videos/{recording.name}"
    known = reviewer.get(path).headers
    for name in ("ETag", "Last-Modified"):
        answer = reviewer.get(path, headers={"Range": "bytes=0-3", "If-Range": known[name]})
        assert (answer.status_code, answer.content) == (206, data[:4])
    for other in ('"another"', "Mon, 02 Mar 2020 12:00:00 GMT"):
        answer = reviewer.get(path, headers={"Range": "bytes=0-3", "If-Range": other})
        assert (answer.status_code, answer.content) == (200, data)
    assert reviewer.get(path, headers={"If-None-Match": known["ETag"]}).status_code == 304


def test_nothing_is_sent_without_the_right_to_it(recording, reviewer, served, as_candidate):
    stranger = httpx.Client(base_url=served[1].tls_url, verify=served[1].trusted)
    (served[0] / "secret").write_text("secret")
    for path in (
        f"/videos/{recording.name}",
        f"/videos/{recording.watchable}",
        f"/protected/videos/{recording.watchable}",
        "/protected/secret",
        "/protected/../secret",
        "/videos/..%2fsecret",
        "/videos/%2e%2e/protected/secret",
    ):
        assert stranger.get(path).status_code == 404
        if not path.endswith(recording.name):
            assert reviewer.get(path).status_code == 404
    recording.delete()
    assert reviewer.get(f"/videos/{recording.name}").status_code == 404


def test_addresses_scheme_and_caller_are_what_nginx_knows(served, committed_database, clips):
    proxy = served[1]
    led = httpx.get(f"{proxy.url}/", headers=FORGED)
    assert (led.status_code, led.headers["Location"]) == (301, f"{proxy.url}/".replace("http:", "https:"))
    with httpx.Client(base_url=proxy.tls_url, verify=proxy.trusted, headers=FORGED, timeout=60) as candidate:
        started = candidate.post("/sessions", json={"candidate_name": "Ada Example"}).json()
        film = clips[".webm"].read_bytes()
        candidate.headers.update({**bearer(started["token"]), "Tus-Resumable": "1.0.0"})
        began = candidate.post(f"/sessions/{started['id']}/uploads", headers={"Upload-Length": str(len(film))})
        assert began.headers["Location"].startswith(f"{proxy.tls_url}/sessions/{started['id']}/uploads/")
        part = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert candidate.patch(began.headers["Location"], headers=part, content=film).status_code == 204
    assert set(AuditRecord.objects.values_list("address", flat=True)) == {"127.0.0.1"}


@contextmanager
def begun(proxy, start_line, *headers):
    """A request of which nginx has the head and one byte, from somebody who is in no hurry."""
    host, port = proxy.tls_url.removeprefix("https://").split(":")
    head = "\r\n".join([f"{start_line} HTTP/1.1", f"Host: {host}", "Content-Length: 900", *headers])
    plain = socket.create_connection((host, int(port)))
    with plain, proxy.trusted.wrap_socket(plain, server_hostname=host) as line:
        line.sendall(f"{head}\r\n\r\n{{".encode())
        yield line


def test_slow_senders_leave_threads_for_others(served, committed_database):
    proxy = served[1]
    with ExitStack() as lines, httpx.Client(base_url=proxy.tls_url, verify=proxy.trusted, timeout=5) as client:
        for _ in range(THREADS + 4):
            lines.enter_context(begun(proxy, "POST /sessions", "Content-Type: application/json"))
        started = client.post("/sessions", json={"candidate_name": "Ada"}).json()
        video, token = f"/sessions/{started['id']}/video", bearer(started["token"])
        told = [f"{name}: {value}" for name, value in token.items()]
        for _ in range(THREADS + 4):
            lines.enter_context(begun(proxy, f"POST {video}", "Content-Type: multipart/form-data; boundary=x", *told))
        until(lambda: client.post(video, files={"file": b"x"}, headers=token).status_code == 503)
        assert client.post("/sessions", json={"candidate_name": "Bo"}).status_code == 201
