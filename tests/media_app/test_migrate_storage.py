"""migrate_storage: every file copied and verified, record by record; stopped anywhere, a second run goes on."""

import hashlib
import io
import threading

import httpx
import pytest
from django.core.files import File
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connections

from media_app import moving, processing, resumable
from media_app.models import Recording
from media_app.services import attach_video
from media_app.storage import SwitchingStorage
from proctoring_site.jobs.models import Job
from reports_app import services as reports
from sessions_app.models import Session
from tests import celery_workers, deta_drive, s3_server
from tests.drives import stored
from tests.factories import make_session
from tests.media_app import moves
from tests.media_app.moves import keys, migrate
from tests.servers import until

pytestmark = pytest.mark.usefixtures("committed_database")
recordings = moves.recordings
moto_url, s3 = s3_server.moto_url, s3_server.s3
deta_service, deta = deta_drive.deta_service, deta_drive.deta
broker, start_worker, hand_over = celery_workers.broker, celery_workers.start_worker, celery_workers.hand_over


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


def test_the_source_is_deleted_later_and_only_what_is_there(recordings, s3, data_dir):
    migrate()
    damaged = recordings[0]
    storages["videos"].on("s3").delete(damaged.watchable)
    migrate("--delete-source")
    assert stored(data_dir / "videos") == []
    assert storages["videos"].on("s3").size(damaged.watchable) == damaged.watchable_bytes


def test_a_damaged_source_never_replaces_the_good_copy(recordings, s3, data_dir):
    migrate()
    damaged = recordings[0]
    (data_dir / "videos" / damaged.watchable).write_bytes(b"cut off")
    migrate("--delete-source")
    assert storages["videos"].on("s3").size(damaged.watchable) == damaged.watchable_bytes


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
    with pytest.raises(CommandError, match="Not everything"):
        migrate()
    assert Recording.objects.get(pk=damaged.pk).stored_on == "local"
    assert f"videos/{damaged.watchable}" not in keys(s3)
    assert "not the one that was stored" in Job.objects.get(key__startswith=damaged.pk, task="move_recording").error


def test_a_rejected_recording_moves_as_it_is(recordings, s3, data_dir, clips, run_jobs):
    with clips[".webm"].open("rb") as file:
        session = attach_video(make_session(), File(file, name="clip"))
    damaged = Recording.objects.get(session_id=session.pk)
    (data_dir / "videos" / damaged.original).write_bytes(b"x" * damaged.size_bytes)
    run_jobs()
    assert Recording.objects.get(pk=damaged.pk).state == "rejected"
    assert migrate("--delete-source") == "3 recordings moved from local to s3, 0 are still to be moved."
    assert s3.Object(f"videos/{damaged.original}").get()["Body"].read() == b"x" * damaged.size_bytes


def test_a_second_run_does_what_it_was_asked_for(recordings, s3, data_dir):
    """Also while jobs of the first still wait."""
    moving.move_all(source="local", target="s3", delete_source=False)
    migrate("--delete-source")
    assert stored(data_dir / "videos") == []


def test_two_runs_never_work_on_one_recording_at_a_time(recordings, s3, data_dir, monkeypatch):
    recording, plain, at_work, others = recordings[0], moving._move, [], []

    def clear():
        moving.move_recording(f"{recording.pk} 2", source="local", target="s3", delete_source=True)
        connections.close_all()

    def watched(*args, **how):
        at_work.append("begins")
        if not others:  # long enough for the other to come in between, if nothing kept it out
            others.append(threading.Thread(target=clear))
            others[0].start()
            others[0].join(timeout=0.5)
        plain(*args, **how)
        at_work.append("ends")

    monkeypatch.setattr(moving, "_move", watched)
    moving.move_recording(f"{recording.pk} 1", source="local", target="s3", delete_source=False)
    others[0].join()
    assert at_work == ["begins", "ends"] * 2
    assert not [name for name in stored(data_dir / "videos") if recording.pk in name]


def test_a_recording_that_is_deleted_meanwhile_is_nowhere(recordings, s3, data_dir, monkeypatch):
    recording, plain = recordings[0], SwitchingStorage.sha256

    def delete_meanwhile(storage, name, size_bytes):
        if name == recording.poster and storage.backend_name == "s3":
            reports.delete_session(Session.objects.get(pk=recording.session_id))
        return plain(storage, name, size_bytes)

    monkeypatch.setattr(SwitchingStorage, "sha256", delete_meanwhile)
    migrate()
    assert not [key for key in keys(s3) if recording.session_id in key]


@pytest.mark.parametrize("when", ["before it is copied", "once it is copied", "once it is looked for there"])
def test_an_original_that_is_let_go_meanwhile_is_nowhere(data_dir, clips, run_jobs, s3, settings, monkeypatch, when):
    """By the worker that made the seekable copy, and knows nothing of the move."""
    settings.KEEP_ORIGINALS = True
    with clips[".webm"].open("rb") as file:
        session = attach_video(make_session(), File(file, name="clip"))
    run_jobs()
    settings.KEEP_ORIGINALS = False
    recording, plain = Recording.objects.get(), moving._copy

    def copy(name, *args, **how):
        if name == recording.original and when == "before it is copied":
            processing._let_original_go(recording)
        plain(name, *args, **how)
        if name == recording.original and when == "once it is copied":
            processing._let_original_go(recording)

    monkeypatch.setattr(moving, "_copy", copy)
    assert migrate() == "1 recordings moved from local to s3, 0 are still to be moved."
    processing._let_original_go(recording)
    moved = Recording.objects.get()
    assert (moved.stored_on, moved.original) == ("s3", None)
    assert keys(s3) == {f"videos/{name}" for name in (moved.watchable, moved.poster)}
    assert recording.original not in stored(data_dir / "videos")
    reports.delete_session(session)
    assert keys(s3) == set()


@pytest.mark.parametrize("killed_in", ["_copy", "processing.remove_if_deleted"])
def test_a_move_that_was_cut_off_leaves_nothing_of_what_is_deleted_since(
    recordings, s3, data_dir, monkeypatch, run_jobs, killed_in
):
    """Before the row says that it moved, and after."""
    plain, calls = moving._copy, []

    def killed(*args, **how):
        calls.append(args)
        if killed_in != "_copy" or len(calls) > 1:
            raise KeyboardInterrupt
        plain(*args, **how)

    with monkeypatch.context() as patch:
        patch.setattr(f"media_app.moving.{killed_in}", killed)
        with pytest.raises(KeyboardInterrupt):
            migrate(*(["--delete-source"] if killed_in != "_copy" else []))
    (job,) = Job.objects.filter(state="waiting", runner__isnull=False)
    recording = next(one for one in recordings if job.key.startswith(one.pk))
    reports.delete_session(Session.objects.get(pk=recording.session_id))
    run_jobs()
    assert not [name for name in [*keys(s3), *stored(data_dir / "videos")] if recording.pk in name]


def test_what_still_arrives_moves_another_time(recordings, s3):
    resumable.begin(make_session(), size_bytes=10)
    assert moving.movable("local").count() == 2


def test_from_and_to_must_differ():
    with pytest.raises(CommandError, match="same storage"):
        call_command("migrate_storage", "--from", "local", "--to", "local")


@pytest.mark.parametrize("options", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("source", "target", "needed"),
    [("local", "s3", "AWS_STORAGE_BUCKET_NAME"), ("deta", "local", "DETA_PROJECT_KEY")],
)
def test_a_storage_without_its_settings_is_refused_before_anything_is_queued(source, target, needed, options, settings):
    setattr(settings, needed, "")
    with pytest.raises(CommandError, match=f"needs {needed}"):
        migrate(*options, source=source, target=target)
    assert not Job.objects.exists()


def test_recordings_go_round_all_storages_and_come_back_as_they_were(recordings, s3, deta, data_dir, run_jobs):
    before = {path.name: path.read_bytes() for path in (data_dir / "videos").iterdir() if path.is_file()}
    for source, target in [
        ("local", "deta"),
        ("deta", "s3"),
        ("s3", "local"),
        ("local", "s3"),
        ("s3", "deta"),
        ("deta", "local"),
    ]:
        said = migrate("--delete-source", source=source, target=target)
        assert said == f"2 recordings moved from {source} to {target}, 0 are still to be moved."
        assert set(Recording.objects.values_list("stored_on", flat=True)) == {target}
    assert {path.name: path.read_bytes() for path in (data_dir / "videos").iterdir() if path.is_file()} == before
    assert (keys(s3), deta.files, deta.uploads) == (set(), {}, {})


def test_celerys_workers_share_the_recordings(recordings, deta, data_dir, settings, start_worker, hand_over):
    where = {"DETA_PROJECT_KEY": deta_drive.KEY, "DETA_DRIVE_HOST": deta.host, "DATA_DIR": str(data_dir)}
    start_worker("one", **where)
    start_worker("two", **where)
    settings.JOBS = "celery"
    assert migrate(target="deta").splitlines()[0].startswith("2 recordings and 0 older videos")
    until(lambda: Recording.objects.filter(stored_on="deta").count() == 2)
    for recording in Recording.objects.all():
        kept = deta.files["videos", recording.watchable]
        assert hashlib.sha256(kept).hexdigest() == recording.watchable_sha256
