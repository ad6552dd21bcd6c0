"""Unfinished uploads: what nobody goes on with is removed, and what is whole is finished."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.utils import timezone

from media_app import resumable
from media_app.models import Recording
from media_app.storage.local import INCOMING
from media_app.uploads import PREFIX, IncomingFile
from reports_app import services as reports
from sessions_app.errors import SessionNotFound
from tests.media_app import tus
from tests.media_app.tus import TUS, begun, offset_of, pieces, send

pytestmark = pytest.mark.usefixtures("database")
session, candidate, clip = tus.session, tus.candidate, tus.clip


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


def test_one_that_begins_in_the_moment_of_the_deletion_leaves_nothing(session, videos):
    reports.delete_session(session)
    with pytest.raises(SessionNotFound):
        resumable.begin(session, size_bytes=1)
    assert not Recording.objects.exists()
    assert pieces(videos) == []
