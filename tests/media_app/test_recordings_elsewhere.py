"""A recording's whole way on storages that are no disk of ours: it arrives, is looked at, is watched, goes."""

import hashlib
import logging
import os
import subprocess
import sys
from base64 import b64encode
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from media_app import resumable
from media_app.errors import UploadNotFound
from media_app.models import Recording
from proctoring_site import errors, health
from reports_app import services as reports
from tests import deta_drive, rclone_server, s3_server
from tests.factories import make_session
from tests.servers import free_port, until

pytestmark = pytest.mark.usefixtures("committed_database")

moto_url, s3 = s3_server.moto_url, s3_server.s3
rclone_url, rclone_bucket, rclone = rclone_server.rclone_url, rclone_server.rclone_bucket, rclone_server.rclone
deta_service, deta = deta_drive.deta_service, deta_drive.deta
FIXTURES = {"deta": "deta", "moto": "s3", "rclone": "rclone"}


@pytest.fixture(params=FIXTURES)
def kind(request):
    return request.param


@pytest.fixture
def there(kind, request, settings, data_dir):
    settings.STORAGE_BACKEND = "deta" if kind == "deta" else "s3"
    return request.getfixturevalue(FIXTURES[kind])


@pytest.fixture
def recording(there, clips, run_jobs):
    """It came in parts."""
    data = clips[".webm"].read_bytes()
    begun = resumable.begin(make_session(), size_bytes=len(data))
    for start in range(0, len(data), 20_000):
        resumable.write(Recording.objects.get(), offset=start, chunks=iter([data[start : start + 20_000]]))
    run_jobs()
    begun.refresh_from_db()
    assert (begun.state, begun.sha256) == ("ready", hashlib.sha256(data).hexdigest())
    return begun


def names(there):
    if hasattr(there, "files"):
        return sorted(there.names())
    return sorted(found.key.removeprefix("videos/") for found in there.objects.all())


def watch(api, kind, recording, **headers):
    """The last answer: the storage's own, where we send the player on."""
    answer = api.get(f"/videos/{recording.name}", headers=headers)
    if kind == "deta":
        return answer.status_code, b"".join(answer) if answer.streaming else answer.content, answer.headers
    assert answer.status_code == 302
    sent = httpx.get(answer["Location"], headers=headers)
    return sent.status_code, sent.content, sent.headers


@pytest.mark.parametrize("claim_s", [20, 0])  # 0: the claim is renewed before each piece
def test_one_that_arrives_while_its_session_is_deleted_leaves_nothing(there, settings, claim_s):
    settings.UPLOAD_CLAIM_S = claim_s
    session = make_session()
    recording = resumable.begin(session, size_bytes=9)

    def chunks():
        yield b"abc"
        reports.delete_session(session)
        yield b"def"

    with pytest.raises(UploadNotFound):
        resumable.write(recording, offset=0, chunks=chunks())
    assert names(there) == []


def test_it_is_watched_by_ranges(recording, kind, there, api):
    assert names(there) == sorted([recording.watchable, recording.poster])
    status, whole, headers = watch(api, kind, recording)
    assert (status, hashlib.sha256(whole).hexdigest()) == (200, recording.watchable_sha256)
    assert headers["Content-Type"] == "video/webm" or kind == "rclone"  # which knows no type that a link asks for
    size = len(whole)
    head = api.head(f"/videos/{recording.name}")
    assert (head.status_code, head["Content-Length"], head["Content-Type"]) == (200, str(size), "video/webm")
    for wanted, start, end in [
        ("bytes=5-99", 5, 100),
        ("bytes=-7", size - 7, size),
        (f"bytes={size - 3}-", size - 3, size),
    ]:
        status, sent, headers = watch(api, kind, recording, Range=wanted)
        assert (sent, headers["Content-Range"]) == (whole[start:end], f"bytes {start}-{end - 1}/{size}")
        assert status == (200 if kind == "rclone" else 206)  # rclone sends the range, and the wrong status
    status, _, headers = watch(api, kind, recording, Range=f"bytes={size}-")
    assert status == 416
    if kind == "deta":
        assert headers["Content-Range"] == f"bytes */{size}"


def test_a_video_of_the_time_before_recordings_is_watched_by_ranges_and_made_one(kind, there, clips, run_jobs, api):
    data = clips[".webm"].read_bytes()
    own, other = make_session(), make_session(video_path="data/videos/other.webm")
    own.video_path = f"data/videos/{own.pk}.webm"
    own.save()
    for session in (own, other):
        storages["videos"].save(session.video_name, ContentFile(data))
    answer = api.get("/videos/other.webm", headers={"Range": "bytes=2-3"})
    if kind == "deta":
        assert (answer.status_code, b"".join(answer), "Last-Modified" in answer) == (206, data[2:4], False)
    else:
        assert httpx.get(answer["Location"], headers={"Range": "bytes=2-3"}).content == data[2:4]

    call_command("process_recordings", older=True)
    run_jobs()
    recording = Recording.objects.get()
    assert (recording.session_id, recording.state, recording.name) == (own.pk, "ready", f"{own.pk}.webm")
    assert names(there) == sorted([recording.watchable, recording.poster, "other.webm"])
    status, whole, _ = watch(api, kind, recording)
    assert (status, hashlib.sha256(whole).hexdigest()) == (200, recording.watchable_sha256)


def test_in_one_request_and_gone_with_its_session(there, clips, run_jobs, as_candidate):
    session = make_session()
    with clips[".mp4"].open("rb") as file:
        answer = as_candidate(session).post(f"/sessions/{session.pk}/video", {"file": file})
    assert answer.json()["video_path"] == f"videos/{session.pk}.mp4"
    run_jobs()
    assert Recording.objects.get().state == "ready"
    reports.delete_session(session)
    assert names(there) == []


def test_while_the_server_is_away_is_a_503_and_half_of_nothing(
    there, settings, clips, api, as_candidate, monkeypatch, caplog
):
    monkeypatch.setattr("media_app.storage.deta.FIRST_WAIT_S", 0.001)
    settings.AWS_S3_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"
    settings.DETA_DRIVE_HOST = f"127.0.0.1:{free_port()}"
    settings.STORAGES = {**settings.STORAGES}
    session = make_session()
    client = as_candidate(session)
    with clips[".webm"].open("rb") as file:
        answers = [client.post(f"/sessions/{session.pk}/video", {"file": file})]
    tus = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "10"}
    answers.append(client.post(f"/sessions/{session.pk}/uploads", **tus))
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
        assert answer["Retry-After"]
    (begun,) = Recording.objects.all()  # whose bytes are found, should some have come through, and go with the session
    assert (begun.state, begun.offset, begun.video_path) == ("receiving", 0, None)
    told = [record.getMessage() for record in caplog.records if record.name == errors.__name__]
    assert told == [f"answered 503: {answer.json()['detail']}" for answer in answers]  # to whoever runs it, and why

    monkeypatch.setattr(health, "_kept_until", 0.0)
    ready = api.get("/readyz")
    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
    assert ready.json()["checks"] == {"database": "ok", "videos": "failed", "reports": "failed"}


@pytest.mark.parametrize("filetype", ["vidéo/webm", "video/webm\r\nX-A: b"])
def test_whatever_type_the_client_calls_it_by(there, clips, as_candidate, filetype):
    session, data = make_session(), clips[".webm"].read_bytes()
    client, told = as_candidate(session), f"filetype {b64encode(filetype.encode()).decode()}"
    tus = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "10", "HTTP_UPLOAD_METADATA": told}
    assert client.post(f"/sessions/{session.pk}/uploads", **tus).status_code == 201
    file = SimpleUploadedFile("a.webm", data, content_type=filetype)
    assert client.post(f"/sessions/{session.pk}/video", {"file": file}).status_code == 200


class TestALinkOfS3:
    def link(self, expires_s=60):
        storages["videos"].save("a.webm", ContentFile(b"hello"))
        return storages["videos"].signed_url(
            "a.webm", expires_s=expires_s, content_type="video/webm", filename="ä.webm"
        )

    def test_names_the_type_and_ends_by_itself(self, settings, s3, data_dir):
        settings.STORAGE_BACKEND = "s3"
        link = self.link()
        assert "Expires=60" in urlsplit(link).query
        answer = httpx.get(link, headers={"Range": "bytes=1-2"})
        assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (206, b"el", "video/webm")
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert answer.headers["Cache-Control"] == "no-store"
        lasts_longest = urlsplit(self.link(expires_s=30 * 24 * 3600)).query
        assert "Expires=604800" in lasts_longest  # S3 takes none that lasts longer

    def test_is_made_without_a_word_in_the_log_also_at_debug(self, settings, s3, data_dir, caplog):
        settings.STORAGE_BACKEND = "s3"
        caplog.set_level(logging.DEBUG)
        assert self.link()
        ours_and_the_servers = ("media_app", "proctoring_site", "werkzeug", "moto", "asyncio")
        assert [line.name for line in caplog.records if not line.name.startswith(ours_and_the_servers)] == []

    def test_may_be_played_by_our_pages_as_long_as_recordings_may_lie_there(self):
        """Before STORAGE_BACKEND is switched, and after it was switched back."""
        environment = {**os.environ, "STORAGE_BACKEND": "local", "AWS_STORAGE_BUCKET_NAME": "exams"}
        tell = [sys.executable, "-c", "from proctoring_site.settings import MEDIA_ORIGINS; print(*MEDIA_ORIGINS)"]
        s3_example = {"https://s3.example": "https://s3.example", "https://s3.example/its/path": "https://s3.example"}
        for endpoint, origin in {"": "https://*.amazonaws.com", **s3_example}.items():
            told = subprocess.run(
                tell,
                env={**environment, "AWS_S3_ENDPOINT_URL": endpoint},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            assert told.stdout == f"{origin}\n"

    def test_serves_who_follows_a_link_of_ours_for_no_longer_than_a_new_one_would(
        self, settings, s3, data_dir, as_machine, client
    ):
        settings.STORAGE_BACKEND = "s3"
        session = make_session()
        session.video_path = f"videos/{session.pk}.webm"
        session.save()
        storages["videos"].save(session.video_name, ContentFile(b"hello"))
        reviewer = as_machine("Reviewer")
        ours = reviewer.post(f"/sessions/{session.pk}/video/link").json()["url"]
        answers = {client.get(ours): settings.LINK_MAX_AGE_S, reviewer.get(f"/videos/{session.video_name}"): 3600}
        for answer, expires_s in answers.items():
            assert f"Expires={expires_s}" in urlsplit(answer["Location"]).query

    def test_is_refused_when_forged_and_when_its_time_is_over(self, settings, rclone, data_dir):
        settings.STORAGE_BACKEND = "s3"
        good = self.link()
        assert httpx.get(good).content == b"hello"
        for forged in (
            good.replace("Expires=60", "Expires=600"),
            good.replace("a.webm", "b.webm"),
            good[:-1],
            good.split("?")[0],
        ):
            assert httpx.get(forged).status_code in (400, 403)
        short = self.link(expires_s=1)
        until(lambda: httpx.get(short).status_code in (400, 403))

    def test_needs_the_right_key(self, rclone):
        rclone.put_object(Key="x", Body=b"x")
        wrong = rclone_server.client(rclone.meta.client.meta.endpoint_url, secret_key="another")
        for attempt in (wrong.get_object, wrong.delete_object, wrong.head_object):
            with pytest.raises(ClientError) as refused:
                attempt(Bucket=rclone.name, Key="x")
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
        assert rclone.Object("x").get()["Body"].read() == b"x"
