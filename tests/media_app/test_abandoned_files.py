"""What killed processes left of videos: removing it stops nothing else."""

import os
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from media_app import resumable
from media_app.models import Recording
from media_app.storage.local import INCOMING
from media_app.uploads import PREFIX, IncomingFile
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database", "data_dir")


def test_what_cannot_be_removed_keeps_no_video_from_coming(settings, tmp_path, monkeypatch):
    settings.STORAGE_BACKEND = "s3"
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = [tmp_path / f"{PREFIX}{name}.upload" for name in "ab"]
    left[0].mkdir()
    left[1].write_bytes(b"a face")
    for path in left:
        os.utime(path, (0, 0))
    IncomingFile("a.webm", "video/webm", 0, None, {}).close()
    assert [path.exists() for path in left] == [True, False]


def test_a_disk_that_is_not_there_is_told_as_that_and_stops_no_other(data_dir, caplog):
    resumable.begin(make_session(), size_bytes=4)
    Recording.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    (data_dir / "videos" / INCOMING).rename(data_dir / "elsewhere")
    (data_dir / "videos" / INCOMING).touch()
    with pytest.raises(CommandError, match="2 could not be"):
        call_command("expire_uploads", verbosity=0)
    assert "left was not removed" in caplog.text
    assert "did not expire" in caplog.text
