"""A disk that takes no more: told as a storage that failed, nothing is half there, and what is sent again is taken.

The kernel itself lets this process write no file beyond ROOM.
"""

import hashlib
import resource
from contextlib import contextmanager

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from media_app.models import Recording
from proctoring_site.jobs.models import Job
from tests.clips import clip
from tests.drives import stored, unfinished
from tests.factories import make_event, make_session

pytestmark = pytest.mark.usefixtures("database")

TUS = {"HTTP_TUS_RESUMABLE": "1.0.0"}
ROOM, MORE = 64 * 1024, 100_000
SENTENCE = "The storage of videos and reports failed (EFBIG)."


@contextmanager
def full_disk(room=ROOM):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def film(clips):
    """A video with room to spare in it: WebM's own element for that."""
    return clips[".webm"].read_bytes() + b"\xec\x01" + MORE.to_bytes(7, "big") + bytes(MORE)


def assert_says_that_the_storage_failed(answer):
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed"), answer.content
    assert answer.headers["Retry-After"]
    assert "EFBIG" in answer.json()["detail"]


def said_of_it(caplog):
    return [record.getMessage() for record in caplog.records if "EFBIG" in record.getMessage()]


def test_a_video_that_does_not_fit_is_taken_when_it_comes_again(api, film, videos, run_jobs, caplog):
    session = make_session()

    def upload():
        return api.post(f"/sessions/{session.pk}/video", {"file": SimpleUploadedFile("film.webm", film)})

    with full_disk():
        assert_says_that_the_storage_failed(upload())
    assert said_of_it(caplog) == [f"answered 503: {SENTENCE}"]
    assert (stored(videos), unfinished(videos)) == ([], [])
    assert upload().status_code == 200
    run_jobs()
    assert Recording.objects.get().state == "ready"


def test_a_part_that_does_not_fit_goes_on_where_the_disk_has_room_again(as_candidate, film, videos):
    session = make_session()
    candidate = as_candidate(session)
    began = candidate.post(f"/sessions/{session.pk}/uploads", HTTP_UPLOAD_LENGTH=str(len(film)), **TUS)
    where = began.headers["Location"]

    def send():
        at = int(candidate.head(where, **TUS).headers["Upload-Offset"])
        part = {"data": film[at:], "content_type": "application/offset+octet-stream"}
        return candidate.patch(where, **part, HTTP_UPLOAD_OFFSET=str(at), **TUS)

    with full_disk():
        assert_says_that_the_storage_failed(send())
    assert send().status_code == 204
    recording = Recording.objects.get()
    assert hashlib.sha256((videos / recording.original).read_bytes()).digest() == hashlib.sha256(film).digest()


def test_a_seekable_copy_that_does_not_fit_is_made_when_the_disk_has_room_again(
    api, tmp_path, videos, run_jobs, caplog
):
    session = make_session()
    film = clip(tmp_path, ".webm", seconds=8).read_bytes()
    api.post(f"/sessions/{session.pk}/video", {"file": SimpleUploadedFile("film.webm", film)})
    with full_disk(room=4096):  # the poster has room
        run_jobs()
    recording, job = Recording.objects.get(), Job.objects.get()
    assert (recording.state, recording.reason) == ("processing", None)
    assert (job.state, job.error) == ("waiting", SENTENCE)
    (said,) = said_of_it(caplog)
    assert said.endswith(f"(process_recording) failed with StorageFailed and is tried again: {SENTENCE}")
    assert unfinished(videos) == []
    Job.objects.update(not_before=timezone.now())
    run_jobs()
    recording.refresh_from_db()
    assert (recording.state, recording.reason) == ("ready", None)
    assert recording.watchable in stored(videos)


def test_a_report_that_does_not_fit_is_made_when_the_disk_has_room_again(api, data_dir):
    session = make_session()
    for _ in range(20):
        make_event(session, message="x" * 4000)
    with full_disk():
        assert_says_that_the_storage_failed(api.get(f"/sessions/{session.pk}/report.html"))
    assert (stored(data_dir / "reports"), unfinished(data_dir / "reports")) == ([], [])
    assert api.get(f"/sessions/{session.pk}/report.html").status_code == 200
