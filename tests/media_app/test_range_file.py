"""A stored file that is read in ranges, as if it were a plain one. Nothing asks the database."""

import io
from pathlib import Path

import pytest
from django.core.files.storage import storages

from media_app.storage.range_file import RangeFile


class TestARangeFile:
    def test_reads_as_a_plain_file_does(self, data_dir, tmp_path):
        data = bytes(range(256)) * 20_000
        (data_dir / "videos").mkdir(parents=True)
        Path(data_dir / "videos" / "x").write_bytes(data)
        file, plain = RangeFile(storages["videos"], "x", len(data)), io.BytesIO(data)
        for offset, whence, size in [(0, 0, 10), (-5, 2, 10), (3_000_000, 0, 2_000_000), (-100, 1, 50), (9**9, 0, 1)]:
            assert file.seek(offset, whence) == plain.seek(offset, whence)
            buffered = io.BufferedReader(file)
            assert buffered.read(size) == plain.read(size)
            buffered.detach()
            plain.seek(file.seek(0))

    def test_of_a_file_that_became_shorter_fails_and_does_not_end(self, data_dir):
        (data_dir / "videos").mkdir(parents=True)
        Path(data_dir / "videos" / "x").write_bytes(b"12345")
        with pytest.raises(OSError, match="shorter"):
            RangeFile(storages["videos"], "x", 10).read(10)
