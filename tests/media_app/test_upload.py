"""POST /sessions/{id}/video: kept whole under a name of ours. What is refused: test_upload_refused.py."""

import hashlib
import threading
from pathlib import Path
from threading import BoundedSemaphore

import pytest
from django.db import DatabaseError, connection

from media_app import intake, resumable, services
from media_app.models import Recording
from reports_app import services as reports
from sessions_app.models import Session
from tests.drives import stored, unfinished
from tests.factories import NOON, make_session, old_session, write_old_documents
from tests.media_app.multipart import END, part, post_raw, upload

SESSION_FIELDS = {"id", "candidate_name", "start_time", "end_time", "video_path", "state"}


@pytest.mark.usefixtures("database")
class TestAnUpload:
    @pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4", ".mov"])
    def test_answers_with_the_session_and_stores_the_very_bytes(self, api, clips, videos, suffix):
        session = make_session()
        answer = upload(api, session.pk, clips[suffix])
        assert answer.status_code == 200
        assert set(answer.json()) == SESSION_FIELDS
        assert answer.json()["id"] == session.pk
        assert answer.json()["video_path"] == f"videos/{session.pk}{suffix}"
        recording = Recording.objects.get()
        assert (videos / recording.original).read_bytes() == clips[suffix].read_bytes()
        assert recording.sha256 == hashlib.sha256(clips[suffix].read_bytes()).hexdigest()
        assert unfinished(videos) == []

    def test_has_its_place_until_it_is_stored(self, api, clips, monkeypatch):
        """What is looked at waits for others that are, and a storage may be slow: threads are left meanwhile, too."""
        session, attach, answers = make_session(), services.attach_video, []
        monkeypatch.setattr(intake, "_places", BoundedSemaphore(1))

        def attach_while_another_comes(*video):
            if not answers:
                answers.append(None)
                answers.append(upload(api, session.pk, clips[".mp4"]))
            return attach(*video)

        monkeypatch.setattr(services, "attach_video", attach_while_another_comes)
        assert upload(api, session.pk, clips[".webm"]).status_code == 200
        assert (answers[1].status_code, answers[1].json()["code"]) == (503, "try_again")
        assert upload(api, session.pk, clips[".mp4"]).status_code == 200

    def test_of_an_adopted_session_whose_revision_is_no_number(self, api, clips, videos):
        write_old_documents([old_session(_id="theirs", revision="seven")])
        assert upload(api, "theirs", clips[".webm"]).json()["video_path"] == "videos/theirs.webm"
        assert Session.objects.get(pk="theirs").revision == 1

    @pytest.mark.parametrize(
        "name",
        [
            "../../x.php",
            "..\\..\\x.php",
            "/etc/cron.d/x",
            "C:\\x.exe",
            "видео 録画.webm",
            "n" * 300 + ".webm",
            "n" * 20 + "." + "s" * 300,
            "nul\0byte.webm",
            "nosuffix",
            "wrong.mp4",
            ".hidden",
            "<script>.webm",
        ],
    )
    def test_is_stored_under_our_name_whatever_the_client_calls_it(self, api, clips, videos, name):
        session = make_session()
        answer = post_raw(api, session.pk, part("file", clips[".webm"].read_bytes(), filename=name) + END)
        assert answer.status_code == 200
        assert answer.json()["video_path"] == f"videos/{session.pk}.webm"
        assert stored(videos) == [Recording.objects.get().original]

    def test_is_served_at_the_path_that_the_answer_names(self, api, clips, videos):
        path = upload(api, make_session().pk, clips[".mp4"]).json()["video_path"]
        assert b"".join(api.get(f"/{path}")) == clips[".mp4"].read_bytes()

    def test_raises_the_sessions_revision(self, api, clips, videos):
        session = make_session()
        upload(api, session.pk, clips[".webm"])
        assert Session.objects.get(pk=session.pk).revision == session.revision + 1

    def test_may_come_with_other_fields(self, api, clips, videos):
        session = make_session()
        body = part("note", b"hello") + part("file", clips[".webm"].read_bytes(), filename="a.webm") + END
        assert post_raw(api, session.pk, body).status_code == 200

    def test_to_an_adopted_session_without_our_fields_is_stored(self, api, clips, videos):
        session = old_session()
        write_old_documents([session])
        assert upload(api, session["_id"], clips[".webm"]).status_code == 200
        assert Session.objects.get(pk=session["_id"]).revision == 1

    def test_also_goes_to_a_session_that_has_ended(self, api, clips, videos):
        session = make_session()
        api.post(f"/sessions/{session.pk}/end")
        answer = upload(api, session.pk, clips[".webm"])
        assert answer.status_code == 200
        assert answer.json()["state"] == "ended"


@pytest.mark.usefixtures("database")
class TestASecondUpload:
    def test_is_kept_beside_the_first_which_stays_the_sessions_video(self, api, clips, videos):
        session = make_session()
        upload(api, session.pk, clips[".webm"])
        assert upload(api, session.pk, clips[".mp4"]).json()["video_path"] == f"videos/{session.pk}.webm"
        first, second = Recording.objects.of(session.pk)
        assert stored(videos) == sorted([first.original, second.original])
        assert second.name == f"{session.pk}.{second.pk}.mp4"
        assert b"".join(api.get(f"/videos/{second.name}")) == clips[".mp4"].read_bytes()

    def test_of_the_very_same_bytes_changes_nothing(self, api, clips, videos):
        """A client that lost the answer to the first sends it again."""
        session = make_session()
        first, second = (upload(api, session.pk, clips[".webm"]) for _ in range(2))
        assert (second.status_code, second.json()) == (200, first.json())
        assert stored(videos) == [Recording.objects.get().original]
        assert Session.objects.get(pk=session.pk).revision == session.revision + 1

    def test_leaves_an_adopted_video_where_it_is(self, api, clips, videos):
        session = old_session()
        path = f"data\\videos\\{session['_id']}.mp4"
        write_old_documents([session | {"video_path": path}])
        videos.mkdir(parents=True)
        (videos / f"{session['_id']}.mp4").write_bytes(b"old")
        assert upload(api, session["_id"], clips[".webm"]).json()["video_path"] == path
        assert stored(videos) == sorted([f"{session['_id']}.mp4", Recording.objects.get().original])
        assert b"".join(api.get(f"/videos/{session['_id']}.mp4")) == b"old"

    def test_takes_the_place_of_an_adopted_path_that_leads_nowhere(self, api, clips, videos):
        session = old_session()
        write_old_documents([session | {"video_path": f"data/videos/{session['_id']}.webm"}])
        assert upload(api, session["_id"], clips[".mp4"]).json()["video_path"] == f"videos/{session['_id']}.mp4"

    @pytest.mark.parametrize("path", ["data/videos/..", "data/videos/", "..", "", "videos/.incoming", "\0"])
    def test_is_stored_whatever_nonsense_the_adopted_path_was(self, api, clips, videos, path):
        session = old_session(video_path=path)
        write_old_documents([session])
        assert upload(api, session["_id"], clips[".webm"]).json()["video_path"] == f"videos/{session['_id']}.webm"
        assert stored(videos) == [Recording.objects.get().original]

    def test_of_one_recording_too_many_is_refused(self, api, clips, videos, settings):
        settings.RECORDINGS_PER_SESSION_MAX = 1
        session = make_session()
        upload(api, session.pk, clips[".webm"])
        answer = upload(api, session.pk, clips[".mp4"])
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_recordings")
        assert stored(videos) == [Recording.objects.get().original]
        assert unfinished(videos) == []


@pytest.mark.usefixtures("database")
class TestAnUploadThatWasCutOff:
    """The server was killed, or lost its database, before this step; the client sends the same bytes again."""

    @pytest.fixture(
        params=["models.Recording.save", "arrival.note", "arrival.show", "arrival.arrived", "processing.queue"]
    )
    def session(self, request, api, clips, videos):
        session = make_session()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"media_app.{request.param}", _killed)
            assert upload(api, session.pk, clips[".webm"]).status_code == 500
        return session

    def test_is_whole_and_one_when_it_comes_again(self, api, session, clips, videos, run_jobs):
        answer = upload(api, session.pk, clips[".webm"])
        assert (answer.status_code, answer.json()["video_path"]) == (200, f"videos/{session.pk}.webm")
        recording = Recording.objects.get()
        assert (recording.state, recording.offset) == ("processing", clips[".webm"].stat().st_size)
        assert stored(videos) == [recording.original]
        run_jobs()
        assert Recording.objects.get().state == "ready"

    def test_goes_with_its_session(self, session, videos):
        reports.delete_session(session)
        assert stored(videos) == []

    def test_expires_unless_it_was_whole(self, session, as_candidate, videos):
        left = Recording.objects.first()
        if left:  # it is no upload in parts, which anybody could go on with
            answer = as_candidate(session).delete(
                f"/sessions/{session.pk}/uploads/{left.pk}", HTTP_TUS_RESUMABLE="1.0.0"
            )
            assert (answer.status_code, Recording.objects.count()) == (409 if left.is_whole else 404, 1)
        Recording.objects.filter(state="receiving").update(expires_at=NOON)
        resumable.expire()
        kept = Recording.objects.values_list("state", "original")
        assert list(kept) == [("processing", name) for name in stored(videos)]


def _killed(*args, **how):
    raise DatabaseError


def test_uploads_at_once_are_all_kept_and_one_of_them_is_the_sessions_video(
    committed_database, as_candidate, clips, videos
):
    """Every client sends each clip twice, as one that lost an answer does."""
    session = make_session()
    answers = []

    def send(path: Path) -> None:
        client = as_candidate(session)
        for _ in range(2):
            answers.append(upload(client, session.pk, path).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=[clips[suffix]]) for suffix in (".webm", ".mp4", ".mkv") * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 12
    recordings = list(Recording.objects.of(session.pk))
    assert stored(videos) == sorted(recording.original for recording in recordings)
    assert len(recordings) == 3
    assert Session.objects.get(pk=session.pk).video_name in {recording.name for recording in recordings}
    assert len({recording.name for recording in recordings}) == 3
    assert unfinished(videos) == []
