"""Deta Drive: what the network does to it, and that its own client and ours read each other's files."""

import gc
import hashlib
import json
import os

import pytest
from django.core.files.base import ContentFile

from media_app.errors import StorageFailed
from media_app.storage import SwitchingStorage
from media_app.storage.deta import ATTEMPTS, PART_BYTES
from tests import deta_drive, node

deta_service, deta = deta_drive.deta_service, deta_drive.deta

MIB = 1024**2
UNICODE = 'Ünï "quoted" 録画 %41 & ?.webm'


@pytest.fixture
def storage(deta, settings, monkeypatch):
    monkeypatch.setattr("media_app.storage.deta.FIRST_WAIT_S", 0.001)
    settings.STORAGE_BACKEND = "deta"
    return SwitchingStorage(drive="videos")


def content(storage, name):
    with storage.open(name) as file:
        return file.read()


def sent(storage, name, *chunks):
    """The state of an upload whose bytes are all there."""
    return [*storage.append(name, storage.start_parts(name), chunks)][-1]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class TestTheClientThatWeDidNotWrite:
    """npm's `deta`, over TLS."""

    @pytest.fixture
    def theirs(self, deta):
        def run(*steps):
            environment = {"DETA_PROJECT_KEY": deta_drive.KEY, "DETA_DRIVE_HOST": deta.host}
            said = node.run("deta_drive.cjs", json.dumps(steps), NODE_EXTRA_CA_CERTS=str(deta.authority), **environment)
            return json.loads(said)

        return run

    def test_writes_what_we_read(self, theirs, storage, deta, tmp_path):
        files = {"five": b"hello", UNICODE: b"x", "a/b.webm": os.urandom(25 * MIB + 7)}
        for number, data in enumerate(files.values()):
            (tmp_path / str(number)).write_bytes(data)
        theirs(*(["put", name, str(tmp_path / str(number))] for number, name in enumerate(files)))
        assert {call[1].rpartition("/")[2] for call in deta.calls if call[0] == "POST"} == {"uploads", "parts"}
        for name, data in files.items():
            assert (storage.size(name), sha256(content(storage, name))) == (len(data), sha256(data))
        assert b"".join(storage.read_range("a/b.webm", 11 * MIB, 11 * MIB + 5)) == files["a/b.webm"][11 * MIB :][:5]
        assert storage.listdir("") == (["a"], sorted(["five", UNICODE]))

    def test_reads_lists_and_deletes_what_we_wrote(self, theirs, storage):
        files = {"five": b"hello", UNICODE: b"x", "a/b.webm": os.urandom(25 * MIB + 7)}
        for name, data in files.items():
            storage.save(name, ContentFile(data))
        state = sent(storage, "c.webm", files["a/b.webm"][: 6 * MIB], b"and a little")
        storage.finish_parts("c.webm", state)
        steps = [["get", name] for name in files]
        found = theirs(*steps, ["get", "c.webm"], ["list", {"prefix": "a/"}], ["delete", "five"], ["get", "five"])
        assert found[:3] == [sha256(data) for data in files.values()]
        assert found[3] == sha256(files["a/b.webm"][: 6 * MIB] + b"and a little")
        assert found[4]["names"] == ["a/b.webm"]
        assert found[6] is None
        assert not storage.exists("five")


class TestATrouble:
    """That a network has; the file comes through whole, or the call fails and leaves nothing."""

    DATA = os.urandom(PART_BYTES + 3 * MIB)

    @pytest.mark.parametrize("troubles", [[500, 429, 502, 504], ["lost"], ["lost", 503, "lost"]], ids=str)
    @pytest.mark.parametrize("call", ["POST uploads", "POST parts", "PATCH"])
    def test_that_passes_is_waited_for(self, storage, deta, call, troubles):
        self.meet(deta, call, troubles)
        storage.save("a.webm", ContentFile(self.DATA))
        assert deta.troubles == []
        assert content(storage, "a.webm") == self.DATA

    @pytest.mark.parametrize(("call", "status"), [("POST parts", 500), ("POST parts", 413), ("PATCH", 400)])
    def test_that_stays_ends_the_upload_on_the_server_too(self, storage, deta, call, status):
        self.meet(deta, call, [status] * ATTEMPTS)
        with pytest.raises(StorageFailed, match=str(status)):
            storage.save("a.webm", ContentFile(self.DATA))
        assert (deta.uploads, deta.files) == ({}, {})

    def test_of_a_read_that_breaks_off_is_taken_up_where_it_broke(self, storage, deta):
        storage.save("a.webm", ContentFile(self.DATA))
        self.meet(deta, "GET", [f"cut {4 * MIB}", 503, f"cut {2 * MIB}"])
        assert b"".join(storage.read_range("a.webm", 1, len(self.DATA))) == self.DATA[1:]
        assert deta.troubles == []

    def test_of_a_read_that_never_goes_on_is_a_failure(self, storage, deta):
        storage.save("a.webm", ContentFile(self.DATA))
        self.meet(deta, "GET", ["cut 1000", "cut 0"])
        with pytest.raises(StorageFailed):
            list(storage.read_range("a.webm", 0, MIB))

    def test_with_a_key_is_a_failure_that_does_not_name_it(self, storage, deta, settings, caplog):
        settings.DETA_PROJECT_KEY = f"{deta_drive.PROJECT}_wrong"
        with pytest.raises(StorageFailed, match="401") as failed:
            storage.size("a.webm")
        assert "wrong" not in str(failed.value) + caplog.text
        assert all("wrong" not in path for _, path in deta.calls)

    @staticmethod
    def meet(deta, call, troubles):
        method, _, last = call.partition(" ")
        deta.troubles = list(troubles)
        deta.troubled = lambda asked, path: asked == method and (not last or path.endswith(f"/{last}"))


def test_an_upload_that_the_server_forgot_is_no_missing_file(storage, deta):
    """A 404 to the last call of an upload."""
    state = sent(storage, "a.webm", bytes(6 * MIB))
    deta.uploads.clear()
    with pytest.raises(StorageFailed, match="has lost bytes"):
        storage.finish_parts("a.webm", state)


def test_ranges_are_read_from_a_server_that_knows_none(storage, deta):
    deta.knows_ranges = False
    data = os.urandom(3 * MIB)
    storage.save("a.webm", ContentFile(data))
    assert storage.size("a.webm") == 3 * MIB
    assert b"".join(storage.read_range("a.webm", MIB - 1, 2 * MIB)) == data[MIB - 1 : 2 * MIB]
    assert content(storage, "a.webm") == data


class TestAFileThatIsReadOn:
    DATA = os.urandom(5 * MIB)

    @pytest.fixture
    def file(self, storage, deta):
        storage.save("a.webm", ContentFile(self.DATA))
        deta.calls.clear()
        with storage.open("a.webm") as file:
            yield file

    def test_comes_in_one_answer(self, file, deta):
        assert file.read() == self.DATA
        assert len(deta.calls) == 3  # its size, the first block, the rest

    def test_is_asked_for_again_when_that_answer_breaks(self, file, deta):
        assert file.read(2 * MIB) == self.DATA[: 2 * MIB]
        deta.troubles = ["cut 300000", "cut 0"]
        file.seek(0)
        assert file.read() == self.DATA


def test_more_names_than_one_page_holds_are_listed(storage, deta):
    names = [f"{number:05}" for number in range(2005)]
    deta.files = {("videos", name): b"" for name in names}
    assert storage.listdir("")[1] == names


def test_a_file_that_nobody_reads_on_holds_no_connection(storage, deta):
    """More than the client's 100: the readers went away before the first byte, or after it."""
    storage.save("a.webm", ContentFile(bytes(3 * MIB)))
    for number in range(110):
        reading = storage.read_range("a.webm", 0, 3 * MIB)
        if number < 5:
            next(reading)
    del reading
    gc.collect()
    assert storage.size("a.webm") == 3 * MIB
