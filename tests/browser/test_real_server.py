"""What only a real server process shows: memory, broken connections, headers on the wire."""

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests import clips
from tests.drives import unfinished
from tests.servers import until

MEBIBYTE = 1024**2
MEMORY_GROWTH_MAX_BYTES = 32 * MEBIBYTE
LARGE_BYTES = 256 * MEBIBYTE
BOUNDARY = b"boundary"


def peak_memory(site) -> int:
    """VmHWM of all workers together, in bytes."""
    peaks = []
    for pid in site.worker_pids:
        status = Path(f"/proc/{pid}/status").read_text()
        peaks.append(next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")))
    assert peaks
    return sum(peaks)


def upload(site, sitting, path):
    url = f"{site.url}/sessions/{sitting.id}/video"
    with path.open("rb") as file:
        return httpx.post(url, files={"file": file}, headers=sitting.candidate, timeout=300)


def until_seekable(site, sitting):
    """Until the copy is there that is served from then on."""
    recordings = f"{site.url}/sessions/{sitting.id}/recordings"
    until(lambda: httpx.get(recordings, headers=site.staff).json()[0]["state"] == "ready")


@pytest.fixture
def wire(site):
    """A bare connection, to say what no client library would."""
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        yield connection


def upload_head(path, length, *, headers):
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}\r\n{more}\r\n"
    ).encode()


def read_answer(connection) -> tuple[int, dict]:
    data = b""
    while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_large_upload_costs_the_workers_hardly_any_memory(site, tmp_path):
    sitting = site.start_session("A long sitting")
    first = upload(site, sitting, clips.clip(tmp_path, ".webm"))  # so that every library is loaded
    assert first.status_code == 200
    recording = clips.long_recording(tmp_path / "long.webm", size_bytes=LARGE_BYTES)
    before = peak_memory(site)
    answer = upload(site, sitting, recording)
    assert answer.status_code == 200
    growth = peak_memory(site) - before
    until(lambda: len(list((site.data_dir / "videos").glob(f"{sitting.id}.*.original"))) == 2)  # kept, by the settings
    assert (
        max(path.stat().st_size for path in (site.data_dir / "videos").glob("*.original")) == recording.stat().st_size
    )
    assert growth < MEMORY_GROWTH_MAX_BYTES
    until(lambda: unfinished(site.data_dir) == [])  # nor did its seekable copy take any
    path = f"{site.url}/videos/{sitting.id}.webm"
    with httpx.stream("GET", path, headers=site.staff) as served:
        assert sum(len(chunk) for chunk in served.iter_bytes()) == int(served.headers["Content-Length"])
    assert peak_memory(site) - before < MEMORY_GROWTH_MAX_BYTES


def test_an_upload_that_breaks_off_leaves_the_old_video(site, wire, tmp_path):
    sitting = site.start_session()
    clip = clips.clip(tmp_path, ".webm", seconds=2)
    upload(site, sitting, clip)
    path = f"{site.url}/videos/{sitting.id}.webm"
    until_seekable(site, sitting)
    before = httpx.get(path, headers=site.staff).content
    data = clip.read_bytes()
    part = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="x.webm"\r\n\r\n'
    head = upload_head(f"/sessions/{sitting.id}/video", len(part) + 10 * len(data), headers=sitting.candidate)
    wire.sendall(head + part + data)
    wire.shutdown(socket.SHUT_WR)
    while wire.recv(65536):
        pass
    assert httpx.get(path, headers=site.staff).content == before
    until(lambda: unfinished(site.data_dir) == [])  # the connection ends before its request


def test_a_content_length_beyond_the_limit_is_answered_before_the_body_comes(site, wire):
    sitting = site.start_session()
    wire.sendall(upload_head(f"/sessions/{sitting.id}/video", 10 * 1024**3, headers=sitting.candidate))
    status, body = read_answer(wire)
    assert (status, body["code"]) == (413, "video_too_large")


def test_an_unknown_session_is_answered_before_the_body_comes(site, wire):
    wire.sendall(upload_head("/sessions/nobody/video", 1024**3, headers=site.staff))
    status, body = read_answer(wire)
    assert (status, body["code"]) == (404, "not_found")


def test_whoever_may_not_upload_is_answered_before_the_body_comes(site, wire):
    sitting, other = site.start_session(), site.start_session()
    wire.sendall(upload_head(f"/sessions/{sitting.id}/video", 1024**3, headers=other.candidate))
    status, body = read_answer(wire)
    assert (status, body["code"]) == (404, "not_found")


def test_head_of_a_video_has_its_length_and_no_body(site, tmp_path):
    sitting = site.start_session()
    clip = clips.clip(tmp_path, ".mp4")
    upload(site, sitting, clip)
    until_seekable(site, sitting)
    path = f"{site.url}/videos/{sitting.id}.mp4"
    answer = httpx.head(path, headers=site.staff)
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len(httpx.get(path, headers=site.staff).content))
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/videos/../secret_key",
        "/videos/..%2fsecret_key",
        "/videos/..%5csecret_key",
        "/videos/%2e%2e/secret_key",
        "/videos/%2e%2e%2fsecret_key",
        "/reports/..%2fvideos%2fx.webm",
        "//etc/passwd",
        "/videos//etc/passwd",
        "/videos/.incoming/",
    ],
)
def test_no_path_leads_out_of_a_drive(site, wire, path):
    (site.data_dir / "secret_key").write_text("secret")
    staff = f"Authorization: {site.staff['Authorization']}\r\n"
    wire.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{staff}Connection: close\r\n\r\n".encode())
    status, body = read_answer(wire)
    is_a_name = "%5c" in path  # the others are another address
    assert (status, body["code"]) == (404, "not_found" if is_a_name else "no_such_address")
