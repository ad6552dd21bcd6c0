"""What becomes of a recording after it has arrived: seekable and described, or rejected and kept."""

import hashlib
import io
from contextlib import nullcontext
from datetime import timedelta

import av
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from media_app import processing, recording_file, resumable, video
from media_app.errors import StorageFailed
from media_app.models import Recording
from media_app.services import attach_video
from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job
from reports_app import services as reports
from sessions_app.models import Session
from tests import clips as clips_of
from tests.drives import stored
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database")


class TestARecording:
    @pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4", ".mov"])
    def test_becomes_ready_and_is_described(self, send, clips, run_jobs, data_dir, suffix):
        data = clips[suffix].read_bytes()
        recording = send(data)
        run_jobs()
        recording.refresh_from_db()
        assert (recording.state, recording.reason) == ("ready", None)
        assert recording.sha256 == hashlib.sha256(data).hexdigest()
        made = (data_dir / "videos" / recording.watchable).read_bytes()
        assert recording.watchable_sha256 == hashlib.sha256(made).hexdigest()
        assert recording.watchable_bytes == len(made)
        assert recording.duration_s > 0
        assert recording.width > 0
        assert recording.height > 0
        assert recording.video_codec
        assert (data_dir / "videos" / recording.poster).read_bytes().startswith(b"\xff\xd8\xff")

    def test_of_a_browser_can_be_sought_in_afterwards(self, send, live, run_jobs, data_dir):
        with av.open(io.BytesIO(live)) as before:
            assert before.duration is None
        recording = send(live)
        run_jobs()
        recording.refresh_from_db()
        with av.open(str(data_dir / "videos" / recording.watchable)) as after:
            assert after.duration / av.time_base == pytest.approx(3, abs=0.2)
            assert sum(1 for packet in after.demux(video=0) if packet.dts is not None) == 30
        assert recording.duration_s == pytest.approx(3, abs=0.2)

    @pytest.mark.parametrize("pictures", [2, 30])
    def test_whose_pictures_lie_in_another_order_keeps_each_at_its_time(
        self, send, run_jobs, data_dir, tmp_path, pictures
    ):
        data = clips_of.reordered(tmp_path / "x.mkv", pictures=pictures).read_bytes()
        recording = send(data)
        run_jobs()
        recording.refresh_from_db()
        assert (recording.state, recording.reason) == ("ready", None)
        made = (data_dir / "videos" / recording.watchable).read_bytes()
        assert shown_at(made) == shown_at(data)
        assert len(shown_at(made)) == pictures

    def test_lets_its_original_go_once_the_copy_is_verified(self, send, live, run_jobs, data_dir):
        recording = send(live)
        run_jobs()
        assert Recording.objects.get().original is None
        assert not (data_dir / "videos" / recording.original).exists()

    def test_lets_it_go_though_an_earlier_try_was_killed_right_before(self, send, live, run_jobs, data_dir, settings):
        settings.KEEP_ORIGINALS = True
        recording = send(live)
        run_jobs()
        settings.KEEP_ORIGINALS = False
        for _ in range(2):
            processing.process_recording(recording.pk)
        assert Recording.objects.get().original is None
        assert not (data_dir / "videos" / recording.original).exists()

    def test_that_two_workers_look_at_is_what_both_of_them_say(self, send, live, run_jobs, data_dir, monkeypatch):
        """One was held for dead. The row is of who was quicker, the file of who was slower."""
        recording, plain, others = send(live), recording_file.verify, [processing.process_recording]

        def be_late(*args):
            plain(*args)
            while others:
                others.pop()(recording.pk)

        monkeypatch.setattr(recording_file, "verify", be_late)
        run_jobs()
        recording.refresh_from_db()
        made = (data_dir / "videos" / recording.watchable).read_bytes()
        assert (recording.state, recording.watchable_sha256) == ("ready", hashlib.sha256(made).hexdigest())

    def test_is_not_let_go_by_who_was_late_when_it_is_what_is_shown(self, send, live, run_jobs, data_dir, monkeypatch):
        recording, plain = send(live), recording_file.poster

        def others_could_make_no_copy(*args):
            shown = {"state": "ready", "reason": "No seekable copy could be made."}
            Recording.objects.filter(pk=recording.pk).update(**shown)
            return plain(*args)

        monkeypatch.setattr(recording_file, "poster", others_could_make_no_copy)
        run_jobs()
        recording.refresh_from_db()
        assert (data_dir / "videos" / recording.served_file).read_bytes() == live

    def test_that_a_database_from_before_it_was_looked_at_knows_is_the_copy_that_was_made(
        self, send, live, run_jobs, data_dir, capsys
    ):
        recording = send(live)
        before = Recording.objects.filter(pk=recording.pk).values().get()
        run_jobs()
        looked_at = Recording.objects.values().get()
        Recording.objects.filter(pk=recording.pk).update(**before)
        processing.queue(recording)
        run_jobs()
        assert Recording.objects.values().get() == looked_at | {"sha256": None}
        call_command("verify_storage", "--hashes")

    def test_keeps_its_original_when_the_settings_say_so(self, send, live, run_jobs, data_dir, settings):
        settings.KEEP_ORIGINALS = True
        recording = send(live)
        run_jobs()
        assert (data_dir / "videos" / recording.original).read_bytes() == live

    def test_of_the_screen_is_not_the_sessions_video(self, send, live, run_jobs, api):
        recording = send(live, kind="screen")
        run_jobs()
        recording.refresh_from_db()
        assert Session.objects.get(pk=recording.session_id).video_path is None
        assert recording.name == f"{recording.session_id}.{recording.pk}.webm"
        assert api.get(f"/videos/{recording.name}").status_code == 200

    def test_that_was_begun_first_is_the_sessions_video_whichever_is_looked_at_first(self, send, live):
        session = make_session()
        first, second = send(live, session=session), send(live + b"\xec\x80", session=session)
        processing.process_recording(second.pk)
        second.refresh_from_db()
        assert Session.objects.get(pk=session.pk).video_path is None
        assert second.name == f"{session.pk}.{second.pk}.webm"
        processing.process_recording(first.pk)
        assert Session.objects.get(pk=session.pk).video_path == f"videos/{session.pk}.webm"

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_is_the_sessions_video_when_the_one_before_it_is_none(self, send, live, order):
        session = make_session()
        sent = [send(b"no video at all", session=session), send(live, session=session)]
        for number in order:
            processing.process_recording(sent[number].pk)
        shown = Recording.objects.get(state="ready")
        assert Session.objects.get(pk=session.pk).video_path == f"videos/{shown.name}"

    def test_is_it_though_the_try_before_was_killed_right_before(self, send, live, run_jobs):
        first = send(b"no video at all")
        second = send(live, session=Session.objects.get(pk=first.session_id))
        for recording in (second, first):
            processing.process_recording(recording.pk)
        chosen = Session.objects.get().video_path
        Session.objects.update(video_path=None)
        processing.process_recording(first.pk)
        assert Session.objects.get().video_path == chosen is not None

    def test_that_cannot_be_looked_at_keeps_no_later_one_from_being_shown(self, send, live, data_dir, run_jobs):
        session = make_session()
        broken, later = send(live, session=session), send(live + b"\xec\x80", session=session)
        original = data_dir / "videos" / broken.original
        hidden = original.rename(data_dir / "elsewhere")
        run_jobs()
        assert Session.objects.get(pk=session.pk).video_path is None
        Job.objects.filter(key=broken.pk).update(attempts=7, not_before=timezone.now() - timedelta(seconds=1))
        run_jobs()
        broken.refresh_from_db()
        later.refresh_from_db()
        assert (broken.state, broken.reason) == ("processing", processing.NOT_LOOKED_AT)
        assert Session.objects.get(pk=session.pk).video_name == later.name
        hidden.rename(original)
        queue.run_again(Job.objects.get(key=broken.pk))
        run_jobs()
        broken.refresh_from_db()
        assert (broken.state, broken.reason) == ("ready", None)
        assert Session.objects.get(pk=session.pk).video_name == later.name != broken.name

    def test_that_is_no_video_is_kept_and_never_shown(self, send, run_jobs, data_dir, api):
        recording = send(b"no video at all")
        run_jobs()
        recording.refresh_from_db()
        assert recording.state == "rejected"
        assert recording.reason.startswith("The file is not a WebM")
        assert (data_dir / "videos" / recording.original).read_bytes() == b"no video at all"
        assert api.get(f"/videos/{recording.original}").status_code == 404

    def test_that_is_not_what_was_sent_is_rejected(self, send, live, run_jobs):
        recording = send(live, told_sha256="0" * 64)
        run_jobs()
        recording.refresh_from_db()
        assert recording.state == "rejected"
        assert "SHA-256" in recording.reason

    def test_that_was_cut_off_is_shown_as_far_as_it_goes(self, send, live, run_jobs):
        recording = send(live[: len(live) * 2 // 3])
        run_jobs()
        recording.refresh_from_db()
        assert recording.state == "ready"
        assert 0 < recording.duration_s < 3

    @pytest.mark.parametrize(
        ("limits", "reason"),
        [
            ({"WAITING_MAX_BYTES": 5_000, "LOOK_EVERY_BYTES": 1_000}, "sound are too far apart"),
            ({"PACKETS_MAX": 20}, "more pieces than any recording"),
        ],
    )
    def test_that_would_take_too_much_to_copy_is_not_copied(
        self, send, run_jobs, tmp_path, monkeypatch, limits, reason
    ):
        for name, limit in limits.items():
            monkeypatch.setattr(recording_file, name, limit)
        recording = send(clips_of.short_film(tmp_path / "x.webm", pictures_s=range(9), sound_s=1).read_bytes())
        run_jobs()
        recording.refresh_from_db()
        assert (recording.state, recording.watchable) == ("ready", None)
        assert reason in recording.reason

    def test_is_looked_at_once_and_a_second_time_changes_nothing(self, send, live, run_jobs):
        recording = send(live)
        run_jobs()
        before = Recording.objects.get()
        processing.process_recording(recording.pk)
        assert Recording.objects.values().get() == {**Recording.objects.values().get(), "name": before.name}
        assert Job.objects.get().attempts == 1

    def test_whose_look_was_cut_off_is_looked_at_again(self, send, live, run_jobs, data_dir):
        recording = send(live)
        kind = video.WEBM
        processing.arrival.show(recording, kind)
        (data_dir / "videos" / processing.arrival.watchable_name(recording, kind)).write_bytes(b"half")
        run_jobs()
        recording.refresh_from_db()
        assert recording.state == "ready"
        assert (data_dir / "videos" / recording.watchable).stat().st_size == recording.watchable_bytes

    def test_that_was_forgotten_is_queued_by_the_command(self, send, live, run_jobs, capsys):
        send(live)
        Job.objects.all().delete()
        call_command("process_recordings", "--dry-run")
        assert (capsys.readouterr().out, Job.objects.count()) == ("1 recordings would be queued.\n", 0)
        call_command("process_recordings")
        assert capsys.readouterr().out == "1 recordings are queued.\n"
        run_jobs()
        assert Recording.objects.get().state == "ready"

    def test_that_was_given_up_is_begun_again_by_nobody_but_a_person(self, live, data_dir, run_jobs, capsys):
        session = attach_video(make_session(), ContentFile(live, name="a.webm"))
        (data_dir / "videos" / Recording.objects.get().original).unlink()
        Job.objects.update(attempts=7)
        run_jobs()
        for _ in range(2):
            call_command("process_recordings")
            attach_video(session, ContentFile(live, name="a.webm"))
        assert capsys.readouterr().out == "0 recordings are queued.\n" * 2
        assert Job.objects.get().state == "failed"

    def test_goes_with_its_session(self, send, live, run_jobs, data_dir, api):
        recording = send(live)
        session = Session.objects.get(pk=recording.session_id)
        run_jobs()
        resumable.write(resumable.begin(session, size_bytes=9), offset=0, chunks=iter([b"half"]))
        reports.delete_session(session)
        assert Recording.objects.count() == 0
        assert [path for path in (data_dir / "videos").rglob("*") if path.is_file() and path.suffix != ".lock"] == []

    @pytest.mark.parametrize("storage_fails", [False, True])
    def test_whose_session_is_deleted_meanwhile_leaves_nothing(self, send, live, data_dir, monkeypatch, storage_fails):
        recording, plain = send(live), recording_file.poster

        def delete_meanwhile(*args):
            reports.delete_session(Session.objects.get(pk=recording.session_id))
            if storage_fails:
                raise StorageFailed
            return plain(*args)

        monkeypatch.setattr(recording_file, "poster", delete_meanwhile)
        with pytest.raises(StorageFailed) if storage_fails else nullcontext():
            processing.process_recording(recording.pk)
        assert Recording.objects.count() == 0
        assert stored(data_dir / "videos") == []

    def test_whose_worker_is_killed_after_that_leaves_nothing_once_another_looks(
        self, send, live, data_dir, monkeypatch, run_jobs
    ):
        recording = send(live)

        def deleted_and_killed(*args):
            reports.delete_session(Session.objects.get(pk=recording.session_id))
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(recording_file, "poster", deleted_and_killed)
            patch.setattr(processing, "remove_if_deleted", lambda *args: None)
            with pytest.raises(KeyboardInterrupt):
                run_jobs()
        assert stored(data_dir / "videos") != []
        Job.objects.filter(task="process_recording").update(runs_until=timezone.now() - timedelta(seconds=1))
        run_jobs()
        assert stored(data_dir / "videos") == []


def shown_at(data: bytes) -> list[float]:
    with av.open(io.BytesIO(data)) as container:
        return [frame.time for frame in container.decode(video=0)]
