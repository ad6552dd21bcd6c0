"""What killed processes left of videos: removing it stops nothing else."""

import os
from pathlib import Path

import pytest
from django.core.management import call_command

from media_app.uploads import PREFIX, IncomingFile

pytestmark = pytest.mark.usefixtures("database", "data_dir")


@pytest.fixture
def keep_on(settings, data_dir):
    """`keep_on("s3")`: new videos go there from now on."""

    def switch(backend):
        settings.STORAGE_BACKEND = backend
        settings.STORAGES = {**settings.STORAGES}  # so that Django makes them anew

    return switch


def test_what_cannot_be_removed_keeps_no_video_from_coming(keep_on, tmp_path, monkeypatch):
    keep_on("s3")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = [tmp_path / f"{PREFIX}{name}.upload" for name in "ab"]
    left[0].mkdir()
    left[1].write_bytes(b"a face")
    for path in left:
        os.utime(path, (0, 0))
    IncomingFile("a.webm", "video/webm", 0, None, {}).close()
    assert [path.exists() for path in left] == [True, False]


@pytest.mark.parametrize("backend", ["local", "s3"])
def test_what_was_left_before_the_storages_were_switched_goes_too(keep_on, tmp_path, monkeypatch, backend):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = []
    for before in ("local", "s3"):
        keep_on(before)
        with IncomingFile("a.webm", "video/webm", 0, None, {}) as file:
            left.append(Path(file.temporary_file_path()))
    for path in left:
        path.write_bytes(b"a face")
        os.utime(path, (0, 0))
    keep_on(backend)
    call_command("expire_uploads", verbosity=0)
    assert [path.exists() for path in left] == [False, False]


def test_where_nothing_came_no_folder_is_made(keep_on, data_dir):
    """As on a machine that keeps its videos elsewhere, and may write nowhere."""
    keep_on("s3")
    call_command("expire_uploads", verbosity=0)
    assert not (data_dir / "videos").exists()
