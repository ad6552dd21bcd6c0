"""Uploads in parts, by the tus protocol: every byte that was answered for is there, once, in its place."""

import hashlib
from base64 import b64encode
from datetime import timedelta

import pytest
from django.core.files.storage import storages
from django.utils import timezone

from media_app import resumable
from media_app.models import Recording
from proctoring_site.jobs.models import Job
from sessions_app.models import Session
from tests.audit_records import recording
from tests.audit_records import told as told_of
from tests.drives import stored, unfinished
from tests.factories import make_session
from tests.media_app import tus
from tests.media_app.tus import TUS, begin, begun, offset_of, pieces, send, told

pytestmark = pytest.mark.usefixtures("database")
session, candidate, clip = tus.session, tus.candidate, tus.clip


class TestAnUpload:
    def test_arrives_in_parts_of_any_size_and_is_the_file_that_was_sent(self, candidate, session, clip, videos):
        where = begun(candidate, session, len(clip))
        for start in range(0, len(clip), 7001):
            assert offset_of(candidate, where) == start
            answer = send(candidate, where, clip[start : start + 7001], at=start)
            assert answer.status_code == 204
            assert answer.headers["Upload-Offset"] == str(min(start + 7001, len(clip)))
        recording = Recording.objects.get()
        assert (videos / recording.original).read_bytes() == clip
        assert (recording.state, recording.parts, recording.expires_at) == ("processing", None, None)
        assert unfinished(videos) == []

    def test_is_shown_once_it_was_looked_at(self, candidate, session, clip, run_jobs, api):
        where = begun(candidate, session, len(clip), HTTP_UPLOAD_METADATA=told(filename="a.webm", kind="camera"))
        send(candidate, where, clip)
        assert Session.objects.get(pk=session.pk).video_path is None
        run_jobs()
        session.refresh_from_db()
        assert session.video_path == f"videos/{session.pk}.webm"
        assert api.get(f"/{session.video_path}").status_code == 200

    def test_keeps_what_the_client_told(self, candidate, session, clip):
        digest = hashlib.sha256(clip).hexdigest()
        metadata = told(
            kind="screen", filename="видео.webm", filetype="video/webm", sha256=digest, start_offset_s="12.5", other="x"
        )
        begun(candidate, session, len(clip), HTTP_UPLOAD_METADATA=metadata)
        recording = Recording.objects.get()
        assert (recording.kind, recording.told_name, recording.told_type) == ("screen", "видео.webm", "video/webm")
        assert (recording.told_sha256, recording.start_offset_s) == (digest, 12.5)

    def test_says_where_and_until_when(self, candidate, session):
        answer = begin(candidate, session, 10)
        assert answer.headers["Location"].startswith(f"http://testserver/sessions/{session.pk}/uploads/")
        assert answer.headers["Upload-Expires"].endswith(" GMT")
        assert answer.headers["Tus-Resumable"] == "1.0.0"

    def test_answers_head_with_where_it_stands(self, candidate, session):
        where = begun(candidate, session, 10)
        send(candidate, where, b"abcd")
        answer = candidate.head(where, **TUS)
        assert answer.status_code == 200
        assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("4", "10")
        assert answer.headers["Cache-Control"] == "no-store"

    def test_may_say_post_and_mean_patch(self, candidate, session):
        where = begun(candidate, session, 10)
        answer = candidate.post(
            where,
            b"abcd",
            content_type="application/offset+octet-stream",
            HTTP_UPLOAD_OFFSET="0",
            HTTP_X_HTTP_METHOD_OVERRIDE="PATCH",
            **TUS,
        )
        assert answer.status_code == 204
        assert offset_of(candidate, where) == 4

    def test_of_nothing_is_whole_at_once_when_asked(self, candidate, session, run_jobs):
        where = begun(candidate, session, 0)
        assert candidate.head(where, **TUS).headers["Upload-Offset"] == "0"
        run_jobs()
        assert Recording.objects.get().state == "rejected"


class TestAPart:
    def test_for_another_place_is_refused(self, candidate, session, clip):
        where = begun(candidate, session, len(clip))
        send(candidate, where, clip[:100])
        for at in (0, 99, 101):
            answer = send(candidate, where, clip[at : at + 10], at=at)
            assert (answer.status_code, answer.json()["code"]) == (409, "wrong_offset")
        assert offset_of(candidate, where) == 100

    def test_too_long_is_refused_whole(self, candidate, session):
        where = begun(candidate, session, 10)
        answer = send(candidate, where, b"x" * 11)
        assert (answer.status_code, answer.json()["code"]) == (413, "video_too_large")
        assert offset_of(candidate, where) == 0

    @pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
    def test_with_a_checksum_is_kept_when_it_is_right(self, candidate, session, algorithm):
        where = begun(candidate, session, 10)
        digest = b64encode(hashlib.new(algorithm, b"abcd").digest()).decode()
        assert send(candidate, where, b"abcd", HTTP_UPLOAD_CHECKSUM=f"{algorithm} {digest}").status_code == 204
        assert offset_of(candidate, where) == 4

    def test_with_a_wrong_checksum_is_dropped_whole(self, candidate, session):
        where = begun(candidate, session, 10)
        digest = b64encode(hashlib.sha256(b"abce").digest()).decode()
        answer = send(candidate, where, b"abcd", HTTP_UPLOAD_CHECKSUM=f"sha256 {digest}")
        assert (answer.status_code, answer.json()["code"]) == (460, "wrong_checksum")
        assert offset_of(candidate, where) == 0
        assert send(candidate, where, b"abcd").status_code == 204

    @pytest.mark.parametrize("checksum", ["crc32 AAAA", "sha256", "sha256 ???", "sha256 AAAA", "", "sha256 é"])
    def test_with_a_checksum_that_is_none_is_refused(self, candidate, session, checksum):
        where = begun(candidate, session, 10)
        answer = send(candidate, where, b"abcd", HTTP_UPLOAD_CHECKSUM=checksum)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Upload-Checksum"])

    @pytest.mark.parametrize("offset", ["", "-1", "x", "1.5", "9" * 30, "٣"])
    def test_with_an_offset_that_is_none_is_refused(self, candidate, session, offset):
        where = begun(candidate, session, 10)
        answer = send(candidate, where, b"abcd", at=offset)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Upload-Offset"])

    def test_of_another_type_is_refused(self, candidate, session):
        where = begun(candidate, session, 10)
        answer = candidate.patch(where, b"abcd", content_type="video/webm", HTTP_UPLOAD_OFFSET="0", **TUS)
        assert answer.status_code == 415
        assert answer.headers["Tus-Resumable"] == "1.0.0"

    def test_is_refused_while_another_is_being_written(self, candidate, session):
        where = begun(candidate, session, 10)
        recording = Recording.objects.get()
        with resumable._claimed(recording):
            answer = send(candidate, where, b"abcd")
            assert (answer.status_code, answer.json()["code"]) == (409, "upload_busy")
        assert send(candidate, where, b"abcd").status_code == 204

    def test_is_taken_when_the_other_has_been_silent_for_long(self, candidate, session):
        where = begun(candidate, session, 10)
        Recording.objects.update(writer="a dead one", writer_until=timezone.now() - timedelta(seconds=1))
        assert send(candidate, where, b"abcd").status_code == 204

    def test_of_one_who_lost_the_claim_is_not_written_down(self, session, videos):
        recording = resumable.begin(session, size_bytes=10)

        def chunks():
            Recording.objects.update(writer="somebody else")
            yield b"abcd"

        with pytest.raises(resumable.UploadBusy):
            resumable.write(recording, offset=0, chunks=chunks())
        assert Recording.objects.get().offset == 0

    def test_with_a_checksum_is_its_writers_for_as_long_as_it_comes(self, session, videos, monkeypatch):
        recording = resumable.begin(session, size_bytes=4)
        monkeypatch.setattr(resumable, "RENEWALS_PER_CLAIM", 10**9)

        def chunks():
            Recording.objects.update(writer_until=timezone.now() - timedelta(seconds=1))
            yield b"ab"
            assert Recording.objects.get().writer_until > timezone.now()
            yield b"cd"

        checksum = ("sha256", hashlib.sha256(b"abcd").digest())
        assert resumable.write(recording, offset=0, chunks=chunks(), checksum=checksum).is_whole

    def test_of_one_who_lost_the_claim_takes_nothing_from_the_next(self, session, videos, monkeypatch):
        """Its end was so long in coming that the client sent it again meanwhile, which was answered."""
        recording = resumable.begin(session, size_bytes=8)
        monkeypatch.setattr(resumable, "RENEWALS_PER_CLAIM", 10**9)

        def chunks():
            yield b"abcd"
            Recording.objects.update(writer_until=timezone.now() - timedelta(seconds=1))
            resumable.write(Recording.objects.get(), offset=0, chunks=iter([b"abcd"]))

        checksum = ("sha256", hashlib.sha256(b"abcd").digest())
        with pytest.raises(resumable.UploadBusy):
            resumable.write(recording, offset=0, chunks=chunks(), checksum=checksum)
        whole = resumable.write(Recording.objects.get(), offset=4, chunks=iter([b"efgh"]))
        assert (videos / whole.original).read_bytes() == b"abcdefgh"

    def test_that_breaks_off_is_kept_as_far_as_it_came(self, session, videos):
        recording = resumable.begin(session, size_bytes=10)
        resumable.write(recording, offset=0, chunks=iter([b"ab", b"c"]), length=8)
        assert Recording.objects.get().offset == 3


class TestAFinishedUpload:
    @pytest.fixture
    def where(self, candidate, session, clip):
        where = begun(candidate, session, len(clip))
        send(candidate, where, clip)
        return where

    def test_answers_a_repeated_last_part_that_was_lost(self, candidate, where, clip):
        assert send(candidate, where, b"", at=len(clip)).status_code == 204

    def test_takes_nothing_more(self, candidate, where, clip):
        assert send(candidate, where, b"x", at=len(clip)).status_code == 413
        assert send(candidate, where, clip).status_code == 409

    def test_cannot_be_given_up(self, candidate, where, session):
        answer = candidate.delete(where, **TUS)
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_finished")
        assert Recording.objects.get().state == "processing"

    def test_whose_last_answer_was_lost_with_the_server_is_finished_when_asked(self, candidate, session, clip, videos):
        recording = resumable.begin(session, size_bytes=len(clip))
        for parts in storages["videos"].append(recording.original, recording.parts, iter([clip])):
            Recording.objects.update(parts=parts, offset=parts["offset"])
        assert offset_of(candidate, f"/sessions/{session.pk}/uploads/{recording.pk}") == len(clip)
        assert Recording.objects.get().state == "processing"
        assert (videos / recording.original).read_bytes() == clip

    def test_that_was_cut_off_before_it_was_queued_is_queued_when_asked(self, candidate, where, clip, run_jobs):
        Job.objects.all().delete()
        assert offset_of(candidate, where) == len(clip)
        run_jobs()
        assert Recording.objects.get().state == "ready"


class TestGivingUp:
    def test_leaves_nothing_but_that_it_was_there(self, candidate, session, videos):
        where = begun(candidate, session, 10)
        send(candidate, where, b"abcd")
        with recording() as records:
            assert candidate.delete(where, **TUS).status_code == 204
        assert told_of(records) == [("deleted", "video", session.pk)]
        assert (records[0].actor_kind, records[0].details["received_bytes"]) == ("candidate", 4)
        assert candidate.head(where, **TUS).status_code == 404
        assert send(candidate, where, b"efgh", at=4).status_code == 404
        assert (Recording.objects.count(), stored(videos), pieces(videos)) == (0, [], [])


def test_what_there_is_of_the_protocol_anybody_may_ask(nobody, session, settings):
    answer = nobody.options(f"/sessions/{session.pk}/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Extension"] == "creation,termination,expiration,checksum"
    assert answer.headers["Tus-Max-Size"] == str(settings.VIDEO_MAX_BYTES)


def test_another_candidate_finds_no_upload(as_candidate, candidate, session):
    where = begun(candidate, session, 10)
    other = make_session()
    stranger = as_candidate(other)
    assert stranger.head(where, **TUS).status_code == 404
    assert send(stranger, where, b"abcd").status_code == 404
    assert stranger.delete(where, **TUS).status_code == 404
    assert begin(stranger, session, 10).status_code == 404
    own_way_in = where.replace(session.pk, other.pk)
    assert send(stranger, own_way_in, b"abcd").status_code == 404
    assert offset_of(candidate, where) == 0
