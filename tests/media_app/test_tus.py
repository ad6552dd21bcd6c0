"""Uploads in parts, by the tus protocol: every byte that was answered for is there, once, in its place."""

import hashlib
import os
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from media_app import resumable
from media_app.models import Recording
from media_app.storage.local import INCOMING, PIECES
from media_app.uploads import PREFIX, IncomingFile
from reports_app import services as reports
from sessions_app.errors import SessionNotFound
from sessions_app.models import Session
from tests.drives import stored, unfinished
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database")

TUS = {"HTTP_TUS_RESUMABLE": "1.0.0"}


@pytest.fixture
def videos(data_dir):
    return data_dir / "videos"


@pytest.fixture
def session(videos):
    return make_session()


@pytest.fixture
def candidate(as_candidate, session):
    return as_candidate(session)


@pytest.fixture
def clip(clips):
    return clips[".webm"].read_bytes()


def told(**pairs):
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def begin(client, session, size, **headers):
    return client.post(f"/sessions/{session.pk}/uploads", HTTP_UPLOAD_LENGTH=str(size), **{**TUS, **headers})


def begun(client, session, size, **headers):
    answer = begin(client, session, size, **headers)
    assert answer.status_code == 201, answer.content
    return answer.headers["Location"]


def send(client, where, data, *, at=0, **headers):
    more = {"HTTP_UPLOAD_OFFSET": str(at), **TUS, **headers}
    return client.generic("PATCH", where, data, content_type="application/offset+octet-stream", **more)


def offset_of(client, where):
    return int(client.head(where, **TUS).headers["Upload-Offset"])


def pieces(drive):
    """Of uploads in parts that are not whole."""
    return [path.name for path in drive.rglob(f"*{PIECES}")]


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


class TestGivingUp:
    def test_leaves_nothing(self, candidate, session, videos):
        where = begun(candidate, session, 10)
        send(candidate, where, b"abcd")
        assert candidate.delete(where, **TUS).status_code == 204
        assert candidate.head(where, **TUS).status_code == 404
        assert send(candidate, where, b"efgh", at=4).status_code == 404
        assert (Recording.objects.count(), stored(videos), pieces(videos)) == (0, [], [])


class TestExpiry:
    def test_removes_what_nobody_went_on_with(self, candidate, session, videos, capsys):
        where = begun(candidate, session, 10)
        send(candidate, where, b"abcd")
        other = begun(candidate, session, 10)
        Recording.objects.filter(offset=4).update(expires_at=timezone.now() - timedelta(seconds=1))
        call_command("expire_uploads", "--dry-run")
        assert Recording.objects.count() == 2
        call_command("expire_uploads")
        assert capsys.readouterr().out.splitlines() == [
            "1 unfinished uploads would be removed.",
            "1 unfinished uploads removed.",
        ]
        assert candidate.head(where, **TUS).status_code == 404
        assert offset_of(candidate, other) == 0
        assert len(pieces(videos)) == 1
        call_command("expire_uploads")
        assert Recording.objects.count() == 1

    def test_of_one_that_cannot_be_finished_keeps_no_other(self, session, videos, capsys):
        broken, other = (resumable.begin(session, size_bytes=4) for _ in range(2))
        (videos / INCOMING / broken.parts["part"]).unlink()
        Recording.objects.filter(pk=broken.pk).update(offset=4, expires_at=timezone.now() - timedelta(hours=1))
        Recording.objects.filter(pk=other.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        with pytest.raises(CommandError, match="1 could not be"):
            call_command("expire_uploads")
        assert capsys.readouterr().out == "1 unfinished uploads removed.\n"
        assert Recording.objects.get().pk == broken.pk

    @pytest.mark.parametrize("left", [None, b"abc"], ids=["nothing left", "less left"])
    def test_of_one_whose_bytes_are_gone_fails_for_a_day_and_rejects_it_then(self, session, videos, capsys, left):
        recording = resumable.begin(session, size_bytes=4)
        for parts in storages["videos"].append(recording.original, recording.parts, iter([b"abcd"])):
            Recording.objects.update(parts=parts, offset=4, expires_at=timezone.now() - timedelta(hours=23))
        part = videos / INCOMING / recording.parts["part"]
        part.unlink()
        if left:
            part.write_bytes(left)
        with pytest.raises(CommandError, match="1 could not be"):
            call_command("expire_uploads")
        assert Recording.objects.get().state == "receiving"
        Recording.objects.update(expires_at=timezone.now() - timedelta(hours=25))
        capsys.readouterr()
        call_command("expire_uploads")
        assert "1 rejected: the storage has lost their bytes.\n" in capsys.readouterr().out
        recording.refresh_from_db()
        assert (recording.state, recording.files, pieces(videos)) == ("rejected", [], [])
        assert recording.reason.startswith("The storage ")
        reports.delete_session(session)
        assert Recording.objects.count() == 0

    @pytest.mark.parametrize("backend", ["local", "s3"])
    def test_removes_what_a_killed_server_left_of_a_video(self, settings, data_dir, tmp_path, monkeypatch, backend):
        settings.STORAGE_BACKEND = backend
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with IncomingFile("a.webm", "video/webm", 0, None, {}) as file:
            left = Path(file.temporary_file_path())
        others, young = tmp_path / "theirs.upload", left.with_name(f"{PREFIX}young.upload")
        for path in (left, others, young):
            path.write_bytes(b"a face")
        for path in (left, others):
            os.utime(path, (0, 0))
        call_command("expire_uploads", verbosity=0)
        assert [path.exists() for path in (left, others, young)] == [False, True, True]

    def test_comes_later_with_every_part(self, candidate, session):
        where = begun(candidate, session, 10)
        Recording.objects.update(expires_at=timezone.now() + timedelta(seconds=1))
        send(candidate, where, b"abcd")
        assert Recording.objects.get().expires_at > timezone.now() + timedelta(hours=1)

    def test_finishes_what_is_whole(self, session, videos, clip):
        recording = resumable.begin(session, size_bytes=len(clip))
        for parts in storages["videos"].append(recording.original, recording.parts, iter([clip])):
            Recording.objects.update(parts=parts, offset=parts["offset"])
        Recording.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        call_command("expire_uploads", verbosity=0)
        assert Recording.objects.get().state == "processing"


class TestARefusedBeginning:
    @pytest.mark.parametrize("size", ["", "-1", "x", "1e3", "9" * 30])
    def test_has_no_size(self, candidate, session, size):
        answer = begin(candidate, session, size)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Upload-Length"])

    def test_is_too_large(self, candidate, session, settings):
        answer = begin(candidate, session, settings.VIDEO_MAX_BYTES + 1)
        assert (answer.status_code, answer.json()["code"]) == (413, "video_too_large")

    @pytest.mark.parametrize(
        ("metadata", "field"),
        [
            ("filename", None),
            ("filename !!!", "Upload-Metadata"),
            ("filename /w==", "Upload-Metadata"),
            ("kind YQ==,kind YQ==", "Upload-Metadata"),
            ("k " + "A" * 5000, "Upload-Metadata"),
            (told(kind="sound"), "kind"),
            (told(sha256="abc"), "sha256"),
            (told(start_offset_s="-1"), "start_offset_s"),
            (told(start_offset_s="nan"), "start_offset_s"),
            (told(filename="n" * 256), "filename"),
            (told(filename="a\0b"), "filename"),
        ],
    )
    def test_tells_nonsense(self, candidate, session, metadata, field):
        answer = begin(candidate, session, 10, HTTP_UPLOAD_METADATA=metadata)
        if field is None:  # a key without a value is a value that is empty
            assert answer.status_code == 201
        else:
            assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])

    def test_is_one_too_many(self, candidate, session, settings):
        settings.RECORDINGS_PER_SESSION_MAX = 2
        begun(candidate, session, 1)
        begun(candidate, session, 1)
        answer = begin(candidate, session, 1)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_recordings")

    @pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0"])
    def test_speaks_another_version(self, candidate, session, version):
        answer = begin(candidate, session, 10, HTTP_TUS_RESUMABLE=version)
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


def test_one_that_begins_in_the_moment_of_the_deletion_leaves_nothing(session, videos):
    reports.delete_session(session)
    with pytest.raises(SessionNotFound):
        resumable.begin(session, size_bytes=1)
    assert not Recording.objects.exists()
    assert pieces(videos) == []


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
