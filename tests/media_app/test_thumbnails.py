"""Pictures of a session's moments: made once from the recording that shows them, kept beside it, gone with it."""

import io
import threading
from datetime import timedelta

import av
import pytest
from django.core.files.storage import storages
from django.core.management import call_command
from django.db import connections

from media_app import older_videos, recording_file, resumable, thumbnails
from media_app.models import Recording
from media_app.verification import verify
from proctoring_site.launch.demo_clip import ONE_THREAD
from reports_app import services as reports
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from tests.factories import NOON, make_event, make_session, old_session, write_old_documents

SECONDS = 12
#: Of videos of the time before recordings; the first alone as we would call it.
NAMES = ("old-0.webm", "exam of old-1.webm", "old-2.mp4")


@pytest.fixture(scope="module")
def film():
    """A picture a second, each brighter than the one before, so that a picture tells when it was."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=1, options=ONE_THREAD)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(SECONDS):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, level in zip(frame.planes, (20 + number * 16, 128, 128), strict=True):
                plane.update(bytes([level]) * plane.buffer_size)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def second_of(picture):
    """Which second of the film a JPEG shows."""
    with av.open(io.BytesIO(picture)) as container:
        frame = next(container.decode(video=0)).reformat(format="gray")
        level = bytes(frame.planes[0])[0] * 219 / 255 + 16  # a JPEG's black is 0, a film's is 16
        return round((level - 20) / 16)


@pytest.fixture
def record(data_dir, run_jobs, film):
    def arrive(session, **told):
        recording = resumable.begin(session, size_bytes=len(film), **told)
        resumable.write(recording, offset=0, chunks=iter([film]))
        run_jobs()
        recording.refresh_from_db()
        assert recording.state == "ready"
        return recording

    return arrive


@pytest.mark.usefixtures("database")
class TestAThumbnail:
    @pytest.mark.parametrize(
        ("at_s", "shown"), [("0", 0), ("4", 4), ("4.4", 4), ("4.6", 5), ("11.9", 11), ("12.9", 11)]
    )
    def test_is_of_the_moment_to_whole_seconds(self, api, record, at_s, shown):
        session = make_session()
        record(session)
        answer = api.get(f"/sessions/{session.pk}/thumbnail", {"at_s": at_s})
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
        assert second_of(answer.content) == shown

    def test_goes_by_where_the_recording_begins_in_the_session(self, api, record):
        session = make_session()
        record(session, start_offset_s=100.0)
        path = f"/sessions/{session.pk}/thumbnail"
        assert second_of(api.get(path, {"at_s": "107"}).content) == 7
        for outside in ("98", "114"):
            answer = api.get(path, {"at_s": outside})
            assert (answer.status_code, answer.json()["code"]) == (404, "no_picture")

    def test_is_of_the_second_recording_where_the_first_had_ended(self, api, record):
        session = make_session()
        record(session)
        later = record(session, start_offset_s=60.0)
        assert second_of(api.get(f"/sessions/{session.pk}/thumbnail", {"at_s": "63"}).content) == 3
        assert thumbnails.recording_ids(storages["videos"]) == [later.pk]

    def test_is_also_of_a_video_of_the_time_before_recordings(self, api, data_dir, film, run_jobs, capsys):
        olds = [old_session(_id=f"old-{n}", video_path=f"data/videos/{name}") for n, name in enumerate(NAMES)]
        write_old_documents(olds)
        (data_dir / "videos").mkdir(parents=True)
        for name in NAMES:
            (data_dir / "videos" / name).write_bytes(film)
        call_command("process_recordings", "--older", "--dry-run")
        assert not Recording.objects.exists()
        call_command("process_recordings", "--older")
        out, err = capsys.readouterr()
        assert "1 of 3 older videos are recordings now.\n1 recordings are queued.\n" in out
        assert [name in err for name in NAMES] == [False, True, True]
        with pytest.raises(SessionNotFound):  # another run had it in its list, too
            older_videos.make_recording(Session.objects.get(pk="old-0"))
        run_jobs()
        assert second_of(api.get("/sessions/old-0/thumbnail", {"at_s": "7"}).content) == 7
        assert (api.get(f"/videos/{NAMES[0]}").status_code, Recording.objects.get().state) == (200, "ready")
        assert {finding.name for finding in verify(hashes=True)} == set()

    def test_is_the_cameras_unless_the_screen_is_asked_for(self, api, record):
        session = make_session()
        screen = record(session, kind="screen")
        camera = record(session, start_offset_s=5.0)
        path = f"/sessions/{session.pk}/thumbnail"
        assert second_of(api.get(path, {"at_s": "8"}).content) == 3
        assert second_of(api.get(path, {"at_s": "8", "kind": "screen"}).content) == 8
        assert second_of(api.get(path, {"at_s": "2"}).content) == 2
        assert thumbnails.recording_ids(storages["videos"]) == sorted([screen.pk, camera.pk])
        record(session, start_offset_s=7.0)  # of the computer at which the candidate went on
        assert second_of(api.get(path, {"at_s": "8"}).content) == 1

    def test_of_an_event_is_of_when_it_happened(self, api, record):
        session = make_session()
        record(session, start_offset_s=10.0)
        event = make_event(session, timestamp=NOON + timedelta(seconds=16))
        before = make_event(session, timestamp=NOON)
        assert second_of(api.get(f"/sessions/{session.pk}/events/{event.pk}/thumbnail").content) == 6
        for unknown in (before.pk, "nothing-there", make_event().pk):
            answer = api.get(f"/sessions/{session.pk}/events/{unknown}/thumbnail")
            assert (answer.status_code, answer.json()["code"]) == (404, "no_picture")

    @pytest.mark.parametrize(
        "wrong", [{"at_s": "now"}, {"at_s": "-1"}, {"at_s": "nan"}, {"at_s": "1e9"}, {"kind": "x"}]
    )
    def test_of_what_is_no_moment_is_refused(self, api, wrong):
        answer = api.get(f"/sessions/{make_session().pk}/thumbnail", wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert list(answer.json()["fields"]) == list(wrong)

    def test_is_kept(self, api, record, monkeypatch):
        session = make_session()
        record(session)
        path = f"/sessions/{session.pk}/thumbnail?at_s=4"
        first = api.get(path)
        monkeypatch.delattr(recording_file, "picture")
        assert api.get(path).content == first.content
        assert first["Cache-Control"] == "no-store"  # by us, not on the disk of who looks

    def test_that_cannot_be_made_is_not_tried_again_for_a_while(self, api, record, data_dir, monkeypatch):
        session = make_session()
        recording = record(session)
        path, plain = f"/sessions/{session.pk}/thumbnail?at_s=4", recording_file.picture
        film = data_dir / "videos" / recording.watchable
        good = film.read_bytes()
        film.write_bytes(b"noise" * (len(good) // 5))
        assert api.get(path).json()["code"] == "no_picture"
        film.write_bytes(good)
        monkeypatch.delattr(recording_file, "picture")
        assert api.get(path).json()["code"] == "no_picture"
        monkeypatch.setattr(recording_file, "picture", plain, raising=False)
        (data_dir / "videos" / thumbnails.FOLDER / recording.pk / f"000004.jpg{thumbnails.NONE}").write_bytes(b"0")
        assert second_of(api.get(path).content) == 4

    def test_waits_while_too_many_are_made_but_not_for_ever(self, api, record, monkeypatch):
        session = make_session()
        record(session)
        monkeypatch.setattr(thumbnails, "_decoding", threading.BoundedSemaphore(1))
        monkeypatch.setattr(thumbnails, "WAIT_MAX_S", 0.01)
        with thumbnails._one_of_few():
            answer = api.get(f"/sessions/{session.pk}/thumbnail?at_s=4")
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
        assert api.get(f"/sessions/{session.pk}/thumbnail?at_s=4").status_code == 200

    def test_made_while_the_session_is_deleted_is_not_kept(self, record, monkeypatch):
        session, plain = make_session(), recording_file.picture
        moment = thumbnails.Moment(record(session), 4)

        def delete_meanwhile(*args, **how):
            picture = plain(*args, **how)
            reports.delete_session(session)
            return picture

        monkeypatch.setattr(recording_file, "picture", delete_meanwhile)
        thumbnails.thumbnail(moment)
        assert thumbnails.recording_ids(storages["videos"]) == []

    def test_is_made_of_a_long_recording_at_wider_steps(self, api, record):
        """So that nobody fills a disk by asking for every moment."""
        session = make_session()
        recording = record(session)
        Recording.objects.filter(pk=recording.pk).update(duration_s=thumbnails.PICTURES_MAX * 2.5)
        asked = [thumbnails.moment_of(session, at_s).second for at_s in (0, 1, 2, 3, 100, 101, 18_000.9)]
        assert asked == [0, 0, 3, 3, 99, 102, 18_000]

    def test_that_cannot_be_kept_is_shown_all_the_same(self, api, record, data_dir):
        session = make_session()
        record(session)
        (data_dir / "videos" / thumbnails.FOLDER).write_bytes(b"in the way of the folder")
        assert second_of(api.get(f"/sessions/{session.pk}/thumbnail?at_s=4").content) == 4

    def test_of_a_recording_whose_file_is_gone_is_not_there(self, api, record, data_dir):
        session = make_session()
        (data_dir / "videos" / record(session).watchable).unlink()
        assert api.get(f"/sessions/{session.pk}/thumbnail").json()["code"] == "no_picture"

    def test_is_no_file_that_can_be_asked_for_by_name(self, api, record):
        session = make_session()
        recording = record(session)
        api.get(f"/sessions/{session.pk}/thumbnail?at_s=4")
        for name in (
            f"thumbnails%2F{recording.pk}%2F000004.jpg",
            "thumbnails",
            f"thumbnails/{recording.pk}/000004.jpg",
        ):
            assert api.get(f"/videos/{name}").status_code == 404


@pytest.mark.usefixtures("committed_database")
def test_two_who_ask_at_once_have_it_made_once(record, monkeypatch):
    session = make_session()
    record(session)
    both, made, plain = threading.Barrier(2), [], recording_file.picture

    def counted(*args, **kwargs):
        made.append(args)
        return plain(*args, **kwargs)

    monkeypatch.setattr(recording_file, "picture", counted)
    pictures = []

    def ask():
        moment = thumbnails.moment_of(session, 4)
        both.wait()
        pictures.append(thumbnails.thumbnail(moment))
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert pictures[0] == pictures[1]


@pytest.mark.usefixtures("database")
class TestWhatIsLeft:
    @pytest.fixture
    def looked_at(self, api, record):
        session = make_session()
        recording = record(session)
        for at_s in (1, 2):
            assert api.get(f"/sessions/{session.pk}/thumbnail?at_s={at_s}").status_code == 200
        return recording

    def test_goes_with_the_session(self, looked_at, data_dir):
        reports.delete_session(Session.objects.get(pk=looked_at.session_id))
        assert [path for path in (data_dir / "videos").rglob("*") if path.suffix in {".jpg", ".webm"}] == []
        assert thumbnails.recording_ids(storages["videos"]) == []

    def test_is_known_to_verify_storage(self, looked_at):
        out = io.StringIO()
        call_command("verify_storage", stdout=out)
        assert out.getvalue() == "Storage and database agree.\n"

    def test_of_no_recording_is_found_and_may_be_repaired(self, looked_at, data_dir):
        kept = data_dir / "videos" / thumbnails.FOLDER
        (kept / looked_at.pk).rename(kept / "gone")
        assert [str(finding) for finding in verify()] == ["thumbnails/gone: thumbnails of no recording here"]
        assert [finding.repaired for finding in verify(repair=True)] == [True]
        assert thumbnails.recording_ids(storages["videos"]) == []


@pytest.mark.usefixtures("database")
class TestAPoster:
    def test_is_shown(self, api, record, data_dir):
        recording = record(make_session())
        answer = api.get(f"/sessions/{recording.session_id}/recordings/{recording.pk}/poster")
        assert answer.content == (data_dir / "videos" / recording.poster).read_bytes()
        assert (answer["Content-Type"], answer["Cache-Control"]) == ("image/jpeg", "no-store")

    def test_of_another_session_or_a_rejected_recording_is_not(self, api, record):
        recording, other = record(make_session()), make_session()
        assert api.get(f"/sessions/{other.pk}/recordings/{recording.pk}/poster").json()["code"] == "no_picture"
        Recording.objects.filter(pk=recording.pk).update(state="rejected")
        path = f"/sessions/{recording.session_id}/recordings/{recording.pk}/poster"
        assert api.get(path).json()["code"] == "no_picture"
