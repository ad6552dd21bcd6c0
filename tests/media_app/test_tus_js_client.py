"""tus-js-client, which we did not write, over a line that breaks and to a server that is killed, on each storage."""

import hashlib
import json
from time import monotonic
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from media_app.models import Recording
from tests import clips, deta_drive, node, rclone_server
from tests.cutting_proxy import cutting_proxy
from tests.servers import Web, until

pytestmark = pytest.mark.usefixtures("committed_database")

deta_service, deta = deta_drive.deta_service, deta_drive.deta
rclone_url, rclone_bucket, rclone = rclone_server.rclone_url, rclone_server.rclone_bucket, rclone_server.rclone

MIB = 1024**2
PART_BYTES = 5 * MIB
AWS = ("S3_ENDPOINT_URL", "STORAGE_BUCKET_NAME", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "S3_REGION_NAME")
#: By what plays the server: STORAGE_BACKEND, the fixture that leads us there, the settings that lead a server there.
LEADING = {
    "disk": ("local", "data_dir", ()),
    "deta": ("deta", "deta", ("DETA_PROJECT_KEY", "DETA_DRIVE_HOST")),
    "rclone": ("s3", "rclone", tuple(f"AWS_{name}" for name in AWS)),
}


@pytest.fixture(params=LEADING)
def web(request, settings, tmp_path):
    backend, fixture, names = LEADING[request.param]
    request.getfixturevalue(fixture)
    database, leading = connection.settings_dict, {name: getattr(settings, name) for name in names}
    web = Web(
        database["HOST"],
        tmp_path / "data",
        MONGODB_DATABASE=database["NAME"],
        STORAGE_BACKEND=backend,
        UPLOAD_CLAIM_S="2",  # what a client waits whose server was killed in the middle of a part
        **leading,
    )
    web.kind = request.param
    yield web
    web.stop()


def test_what_arrives_is_what_was_sent(web, tmp_path, pytestconfig, record_property):
    """300 MiB by `make soak`."""
    size = (300 if pytestconfig.getoption("--soak") else 30) * MIB
    film = clips.long_recording(tmp_path / "long.webm", size_bytes=size)
    started = httpx.post(f"{web.url}/sessions", json={"candidate_name": "By Node"}).json()

    def kill():
        killed = web.worker_pids
        web.kill_workers()
        web.bring_back(killed)

    with cutting_proxy(urlsplit(web.url).port) as line:
        line.cut_at(size // 10, size * 4 // 10, size * 7 // 10)
        line.cut_at(size // 2, meanwhile=kill)
        endpoint, began = f"{line.url}/sessions/{started['id']}/uploads", monotonic()
        said = json.loads(node.run("upload.mjs", endpoint, started["token"], str(film), str(PART_BYTES)))
        took_s = monotonic() - began
        assert line.cuts == []
    assert said["asked"] >= 4
    until(lambda: Recording.objects.get().state not in ("receiving", "processing"))
    recording = Recording.objects.get()
    assert said["url"] == f"{endpoint}/{recording.pk}"
    assert (recording.state, recording.sha256) == ("ready", hashlib.sha256(film.read_bytes()).hexdigest())
    sent = f"tus-js-client to {web.kind}: {size // MIB} MiB in {took_s:.1f} s, asked {said['asked']} times"
    record_property("upload", f"{sent}; three cuts, a server killed in the middle, SHA-256 equal")
