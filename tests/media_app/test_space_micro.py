"""As in a micro of Deta Space: a server that can write nothing but /tmp, behind a proxy that refuses bodies over
5.5 MB, with its files on Deta Drive."""

import hashlib
import os
import shutil

import httpx
import pytest
from django.db import connection

from media_app.models import Recording
from tests import deta_drive
from tests.callers import bearer
from tests.clips import long_recording
from tests.factories import make_api_token, make_staff
from tests.nginx import Nginx
from tests.servers import REPOSITORY, Web, until

pytestmark = pytest.mark.usefixtures("committed_database")
deta_service, deta = deta_drive.deta_service, deta_drive.deta

PART_BYTES = 5_242_880
BODY_MAX = "5500000"
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def micro(deta, tmp_path):
    """The address of the proxy."""
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    within = [shutil.which("unshare"), *as_root, "--mount", "--propagation", "private"]
    within += [str(REPOSITORY / "tests" / "read_only.sh"), str(REPOSITORY)]
    database = connection.settings_dict
    settings = {"MONGODB_DATABASE": database["NAME"], "STORAGE_BACKEND": "deta", "DETA_SPACE_APP": "true"}
    settings |= {"DETA_PROJECT_KEY": deta_drive.KEY, "DETA_DRIVE_HOST": deta.host}
    log = tmp_path / "log"
    web = Web(database["HOST"], "/tmp", within=within, log=log, **settings)
    proxy = Nginx(tmp_path / "nginx", upstream=web.url, data_dir=tmp_path, body_max=BODY_MAX)
    yield proxy.url
    proxy.stop()
    web.stop()
    assert "Read-only file system" not in log.read_text()
    assert deta_drive.KEY not in log.read_text()


@pytest.fixture
def machine():
    return bearer(make_api_token(make_staff("Reviewer", "Operator")))


def test_a_sitting_goes_through_whole(micro, machine, deta, clips, tmp_path):
    video = long_recording(tmp_path / "exam.webm", size_bytes=2 * PART_BYTES + 1).read_bytes()
    session, candidate = begin(micro)
    event = {"event_type": "focus_lost", "message": "4 s"}
    assert candidate.post(f"/sessions/{session}/events", json=event).status_code == 201

    refused = candidate.post(f"/sessions/{session}/video", files={"file": ("exam.webm", video)})
    assert refused.status_code == 413  # by the proxy, as by the real one
    send_in_parts(candidate, session, video)
    assert candidate.post(f"/sessions/{session}/end").status_code == 200

    until(lambda: Recording.objects.get().state not in ("receiving", "processing"))
    recording = Recording.objects.get()
    assert (recording.state, recording.sha256) == ("ready", hashlib.sha256(video).hexdigest())
    until(lambda: deta.names() == sorted([recording.watchable, recording.poster]))  # the original is let go last
    kept = deta.files["videos", recording.watchable]
    assert hashlib.sha256(kept).hexdigest() == recording.watchable_sha256

    with httpx.Client(base_url=micro, headers=machine, timeout=60) as staff:
        path = f"/{staff.get(f'/sessions/{session}').json()['video_path']}"
        for wanted, sent in [
            ("bytes=0-99", kept[:100]),
            ("bytes=-1000", kept[-1000:]),
            ("bytes=6000000-", kept[6_000_000:]),
        ]:
            answer = staff.get(path, headers={"Range": wanted})
            assert (answer.status_code, answer.content) == (206, sent)
        beyond = staff.get(path, headers={"Range": f"bytes={len(kept)}-"})
        assert (beyond.status_code, beyond.headers["Content-Range"]) == (416, f"bytes */{len(kept)}")
        report = staff.get(f"/sessions/{session}/report.html")
        assert report.status_code == 200
        assert deta.files["reports", f"report_{session}.html"] == report.content
        assert staff.get("/readyz").status_code == 200

    other, candidate = begin(micro)
    with clips[".mp4"].open("rb") as file:  # short enough for one request
        answer = candidate.post(f"/sessions/{other}/video", files={"file": ("exam.mp4", file)})
    assert answer.json()["video_path"] == f"videos/{other}.mp4"
    until(lambda: Recording.objects.get(session_id=other).state == "ready")


def begin(url):
    """The id of a new session, and its candidate's client."""
    started = httpx.post(f"{url}/sessions", json={"candidate_name": "Ada Example"}).json()
    return started["id"], httpx.Client(base_url=url, headers=bearer(started["token"]), timeout=60)


def send_in_parts(candidate, session, video):
    begun = candidate.post(f"/sessions/{session}/uploads", headers={**TUS, "Upload-Length": str(len(video))})
    for start in range(0, len(video), PART_BYTES):
        headers = {**TUS, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
        part = video[start : start + PART_BYTES]
        answer = candidate.patch(begun.headers["Location"], headers=headers, content=part)
        assert answer.headers["Upload-Offset"] == str(start + len(part))
