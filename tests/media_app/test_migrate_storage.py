"""migrate_storage: every file copied and verified, record by record; stopped anywhere, a second run goes on."""

import hashlib
import io

import httpx
import pytest
from django.core.files import File
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from media_app import moving, resumable
from media_app.models import Recording
from media_app.services import attach_video
from proctoring_site.jobs.models import Job
from tests import s3_server
from tests.drives import stored
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("committed_database")
moto_url, s3 = s3_server.moto_url, s3_server.s3


@pytest.fixture
def recordings(data_dir, clips, run_jobs, s3):
    for suffix in (".webm", ".mp4"):
        with clips[suffix].open("rb") as file:
            attach_video(make_session(), File(file, name="clip"))
    run_jobs()
    return list(Recording.objects.all())


def migrate(*options):
    out = io.StringIO()
    call_command("migrate_storage", "--from", "local", "--to", "s3", *options, stdout=out)
    return out.getvalue().strip()


def keys(bucket):
    return {found.key for found in bucket.objects.all()}


def test_every_file_is_there_and_the_recording_is_looked_for_there(recordings, s3, data_dir, api, settings):
    assert migrate("--dry-run") == "2 recordings would move from local to s3."
    assert migrate() == "2 recordings moved from local to s3, 0 are still to be moved."
    assert keys(s3) == {f"videos/{name}" for recording in recordings for name in recording.files}
    assert len(stored(data_dir / "videos")) == len(keys(s3))  # nothing is deleted unasked
    for recording in Recording.objects.all():
        assert recording.stored_on == "s3"
        answer = api.get(f"/videos/{recording.name}")
        assert hashlib.sha256(httpx.get(answer["Location"]).content).hexdigest() == recording.watchable_sha256
    assert migrate() == "0 recordings moved from local to s3, 0 are still to be moved."


def test_the_source_is_deleted_when_asked(recordings, s3, data_dir):
    migrate("--delete-source")
    assert stored(data_dir / "videos") == []
    assert len(keys(s3)) == 4


def test_a_run_that_was_cut_off_is_gone_on_with(recordings, s3, data_dir):
    first = recordings[0]
    target = storages["videos"].on("s3")
    target.save(first.watchable, File(io.BytesIO(b"half of it")))  # as a run leaves it that verified nothing yet
    assert migrate() == "2 recordings moved from local to s3, 0 are still to be moved."
    assert target.size(first.watchable) == first.watchable_bytes


def test_a_file_that_is_not_what_was_stored_does_not_move(recordings, s3, data_dir):
    damaged = recordings[0]
    path = data_dir / "videos" / damaged.watchable
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CommandError, match="Not all"):
        migrate()
    assert Recording.objects.get(pk=damaged.pk).stored_on == "local"
    assert f"videos/{damaged.watchable}" not in keys(s3)
    assert "not the one that was stored" in Job.objects.get(key=damaged.pk, task="move_recording").error


def test_what_still_arrives_moves_another_time(recordings, s3):
    resumable.begin(make_session(), size_bytes=10)
    assert moving.movable("local").count() == 2


def test_from_and_to_must_differ():
    with pytest.raises(CommandError, match="same storage"):
        call_command("migrate_storage", "--from", "local", "--to", "local")
