"""Files on the local disk, beside what all storages do (test_storage_contract.py): whole, never out of the folder."""

import os
import stat
import threading
import time

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File

from media_app.errors import UploadLost
from media_app.storage.local import ABANDONED_AFTER_S, INCOMING, LOCK_FILES, LocalStorage
from tests.drives import stored, unfinished


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "drive"


@pytest.fixture
def storage(folder):
    return LocalStorage(location=folder)


class BreaksOff(File):
    """A source whose disk fails after the first megabyte."""

    def __init__(self):
        super().__init__(None, name="broken")

    def chunks(self, chunk_size=None):
        yield b"x" * 1024**2
        raise OSError("the source is gone")


class TestAFile:
    @pytest.mark.parametrize("name", ["видео.webm", "録画 1.mp4", "a'b\"c.webm", "é" * 100 + ".mp4"])
    def test_may_have_any_unicode_name(self, storage, name):
        assert storage.save(name, ContentFile(b"1")) == name
        assert storage.listdir("") == ([], [name])
        assert storage.open(name).read() == b"1"

    def test_of_text_is_stored_as_utf_8(self, storage):
        storage.save("report.html", ContentFile("Grüße ✓"))
        assert storage.open("report.html").read() == "Grüße ✓".encode()

    def test_is_readable_by_owner_and_group_only(self, storage, folder, settings):
        storage.save("a.webm", ContentFile(b"1"))
        arriving = folder / INCOMING / storage.start_parts("b.webm")["part"]
        stored, unfinished = (stat.S_IMODE(file.stat().st_mode) for file in (folder / "a.webm", arriving))
        assert stored == settings.FILE_UPLOAD_PERMISSIONS == 0o640
        assert unfinished | 0o640 == 0o640, "by fewer with a stricter umask"

    @pytest.mark.parametrize("name", ["no.webm", "n" * 300 + ".webm"])
    def test_that_is_not_there_is_said_to_be_missing(self, storage, name):
        with pytest.raises(FileNotFoundError):
            storage.open(name)


class TestReplacing:
    def test_keeps_the_name(self, storage, folder):
        storage.save("a.webm", ContentFile(b"old"))
        assert storage.save("a.webm", ContentFile(b"new")) == "a.webm"
        assert stored(folder) == ["a.webm"]
        assert storage.open("a.webm").read() == b"new"

    def test_leaves_a_reader_the_file_that_it_opened(self, storage):
        storage.save("a.webm", ContentFile(b"old" * 1000))
        with storage.open("a.webm") as reader:
            start = reader.read(3)
            storage.save("a.webm", ContentFile(b"new" * 10))
            assert start + reader.read() == b"old" * 1000

    def test_shows_readers_one_whole_file_at_every_moment(self, storage):
        """Every version is one byte repeated, of a length that belongs to the byte."""
        versions = [bytes([65 + n]) * (300_000 + n) for n in range(20)]
        storage.save("a.webm", ContentFile(versions[0]))
        seen, wrong, done = set(), [], threading.Event()

        def read():
            while not done.is_set():
                try:
                    data = storage.open("a.webm").read()
                except OSError as error:
                    wrong.append(error)
                    continue
                (seen.add if data in versions else wrong.append)(data)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for _ in range(5):
            for version in versions:
                storage.save("a.webm", ContentFile(version))
        done.set()
        for reader in readers:
            reader.join()
        assert not wrong
        assert len(seen) > 1

    def test_that_fails_keeps_the_old_file_and_leaves_nothing_behind(self, storage, folder):
        storage.save("a.webm", ContentFile(b"old"))
        with pytest.raises(OSError, match="source is gone"):
            storage.save("a.webm", BreaksOff())
        assert storage.open("a.webm").read() == b"old"
        assert unfinished(folder) == []

    def test_of_a_folder_fails_and_leaves_nothing_behind(self, storage, folder):
        (folder / "a.webm" / "inside").mkdir(parents=True)
        with pytest.raises(OSError):  # noqa: PT011 - which one is the system's choice
            storage.save("a.webm", ContentFile(b"1"))
        assert unfinished(folder) == []


class TestNames:
    @pytest.mark.parametrize("name", ["../out.webm", "a/../../out.webm", "/tmp/out.webm", "..", ""])
    def test_that_leave_the_folder_are_refused(self, storage, folder, name):
        with pytest.raises(SuspiciousFileOperation):
            storage.save(name, ContentFile(b"1"))
        assert not (folder.parent / "out.webm").exists()
        assert stored(folder) == []

    @pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret"])
    def test_that_leave_the_folder_are_not_opened_or_deleted(self, storage, folder, name):
        secret = folder.parent / "secret"
        secret.write_text("mine")
        for touch in (storage.open, storage.delete, storage.exists, storage.size):
            with pytest.raises(SuspiciousFileOperation):
                touch(name)
        assert secret.read_text() == "mine"


class TestUnfinishedFiles:
    def test_are_never_listed(self, storage):
        storage.save("a.webm", ContentFile(b"1"))
        (storage.incoming() / "x.part").write_bytes(b"half")
        assert storage.listdir("") == ([], ["a.webm"])

    def test_are_removed_when_nobody_finishes_them_any_more(self, storage):
        old, young = storage.incoming() / "old.part", storage.incoming() / "young.upload"
        for part in (old, young):
            part.write_bytes(b"half")
        long_ago = time.time() - ABANDONED_AFTER_S - 60
        os.utime(old, (long_ago, long_ago))
        assert storage.remove_abandoned() == 1
        assert unfinished(storage.incoming()) == ["young.upload"]

    def test_are_cleared_away_by_the_next_save(self, storage):
        old = storage.incoming() / "old.upload"
        old.write_bytes(b"half")
        os.utime(old, (0, 0))
        storage.save("a.webm", ContentFile(b"1"))
        assert not old.exists()

    def test_do_not_include_a_lock_that_somebody_may_hold(self, storage):
        with storage.one_at_a_time("a"):
            for lock in storage.incoming().iterdir():
                os.utime(lock, (0, 0))
            assert storage.remove_abandoned() == 0


class TestOneAtATime:
    def test_lets_nobody_in_for_the_same_key_before_the_first_is_out(self, storage):
        inside, most = [], []

        def work():
            for _ in range(20):
                with storage.one_at_a_time("same"):
                    inside.append(1)
                    most.append(len(inside))
                    time.sleep(0.001)
                    inside.pop()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(most) == 160
        assert max(most) == 1

    def test_is_over_when_the_first_fails(self, storage):
        with pytest.raises(ValueError, match="mine"), storage.one_at_a_time("same"):
            raise ValueError("mine")
        with storage.one_at_a_time("same"):
            pass

    def test_needs_only_so_many_lock_files(self, storage, folder):
        for number in range(1000):
            with storage.one_at_a_time(str(number)):
                pass
        assert len(list((folder / INCOMING).iterdir())) <= LOCK_FILES


@pytest.mark.parametrize("go_on", [lambda *of: list(LocalStorage.append(*of, [b"more"])), LocalStorage.finish_parts])
def test_a_part_that_lost_bytes_is_not_filled_up_with_zeros(storage, folder, go_on):
    (state,) = storage.append("a.webm", storage.start_parts("a.webm"), [b"abcd"])
    os.truncate(folder / INCOMING / state["part"], 3)
    with pytest.raises(UploadLost):
        go_on(storage, "a.webm", state)
    assert (folder / INCOMING / state["part"]).read_bytes() == b"abc"
