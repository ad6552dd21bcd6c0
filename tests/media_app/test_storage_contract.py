"""What every storage does alike: the disk, Deta Drive by its documents, S3 as moto and rclone play it."""

import hashlib
import io
import itertools
import json
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from media_app.errors import StorageFailed, UploadLost
from media_app.storage import SwitchingStorage
from media_app.storage.range_file import RangeFile
from tests import deta_drive, rclone_server, s3_server
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("committed_database")

moto_url, s3 = s3_server.moto_url, s3_server.s3
rclone_url, rclone_bucket, rclone = rclone_server.rclone_url, rclone_server.rclone_bucket, rclone_server.rclone
deta_service, deta = deta_drive.deta_service, deta_drive.deta

MIB = 1024**2
UNICODE = 'Ünï "quoted" 録画 %41.webm'
#: By what plays the server: the value of STORAGE_BACKEND, and the fixture that empties it and leads us there.
SERVERS = {"disk": ("local", "data_dir"), "deta": ("deta", "deta"), "moto": ("s3", "s3"), "rclone": ("s3", "rclone")}


@dataclass(frozen=True)
class Server:
    kind: str
    #: What the fixture gave: a folder, the emulator, a bucket.
    there: Any


@pytest.fixture(params=SERVERS)
def server(request, settings, data_dir):
    settings.STORAGE_BACKEND, fixture = SERVERS[request.param]
    return Server(request.param, request.getfixturevalue(fixture))


@pytest.fixture(scope="module")
def clients():
    """Of remote servers, which take a second to make: by kind."""
    return {}


@pytest.fixture
def storage(server, clients):
    if server.kind == "disk":
        return SwitchingStorage(drive="videos")
    return clients.setdefault(server.kind, SwitchingStorage(drive="videos"))


@pytest.fixture
def another(server):
    """As another process has it."""
    return SwitchingStorage(drive="videos")


def content(storage, name):
    with storage.open(name) as file:
        return file.read()


def digest(chunks):
    whole = hashlib.sha256()
    for chunk in chunks:
        whole.update(chunk)
    return whole.hexdigest()


def sent(storage, name, state, *chunks):
    """The last state; each goes through JSON, as through the database."""
    for changed in storage.append(name, state, iter(chunks)):
        state = json.loads(json.dumps(changed))
    return state


class TestAFile:
    @pytest.mark.parametrize("data", [b"", b"x", os.urandom(3 * MIB)], ids=["empty", "a byte", "3 MiB"])
    def test_comes_back_as_it_was_saved(self, storage, data):
        assert storage.save("a.webm", ContentFile(data)) == "a.webm"
        assert content(storage, "a.webm") == data
        assert (storage.size("a.webm"), storage.exists("a.webm")) == (len(data), True)
        changed_at = storage.changed_at("a.webm")
        assert (changed_at is None) == (storage.backend_name == "deta")  # a Drive keeps no times
        assert changed_at is None or abs(changed_at - timezone.now()) < timedelta(hours=1)

    def test_may_have_any_name(self, storage):
        storage.save(UNICODE, ContentFile(b"x"))
        assert content(storage, UNICODE) == b"x"
        assert UNICODE in storage.listdir("")[1]
        assert b"".join(storage.read_range(UNICODE, 0, 1)) == b"x"

    def test_is_listed_until_it_is_deleted(self, storage):
        assert storage.listdir("") == ([], [])
        storage.save("a.webm", ContentFile(b"x"))
        storage.save("b.webm", ContentFile(b"x"))
        assert sorted(storage.listdir("")[1]) == ["a.webm", "b.webm"]
        storage.delete("a.webm")
        storage.delete("a.webm")
        assert storage.listdir("")[1] == ["b.webm"]
        assert not storage.exists("a.webm")

    def test_is_of_its_own_drive(self, storage):
        storage.save("a.webm", ContentFile(b"x"))
        assert not SwitchingStorage(drive="reports").exists("a.webm")

    def test_is_read_from_any_place_in_pieces_of_a_bounded_size(self, storage):
        data = os.urandom(5 * MIB)
        storage.save("a.webm", ContentFile(data))
        for start, end in [(0, 1), (5, 5), (1, 4 * MIB + 3), (5 * MIB - 1, 5 * MIB), (0, 5 * MIB)]:
            pieces = list(storage.read_range("a.webm", start, end))
            assert b"".join(pieces) == data[start:end]
            assert all(len(piece) <= MIB for piece in pieces)
        file = io.BufferedReader(RangeFile(storage, "a.webm", len(data)))
        file.seek(2 * MIB - 7)
        assert file.read(20) == data[2 * MIB - 7 : 2 * MIB + 13]

    def test_that_is_not_there_is_missing_and_nothing_else(self, storage):
        assert not storage.exists("none.webm")
        for look in (storage.open, storage.size, lambda name: list(storage.read_range(name, 0, 1))):
            with pytest.raises(FileNotFoundError):
                look("none.webm")

    @pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd"])
    def test_never_leaves_the_drive(self, storage, name):
        with pytest.raises(Exception, match=r"(?i)(outside|traversal|path|located)"):
            storage.save(name, ContentFile(b"x"))

    def test_can_be_stored_says_the_probe(self, storage):
        storage.probe()
        assert storage.listdir("")[1] == []


class TestPieces:
    def test_of_any_size_make_the_file_whoever_takes_them(self, storage, another):
        data = os.urandom(25 * MIB + 12345)
        state = storage.start_parts("a.webm")
        sizes = itertools.cycle([1, 3 * MIB, 5 * MIB, 700_001, 11 * MIB])
        for taker in itertools.cycle([another, storage]):
            chunk = data[state["offset"] : state["offset"] + next(sizes)]
            before = state["offset"]
            state = sent(taker, "a.webm", state, chunk[:100], chunk[100:])
            assert state["offset"] == before + len(chunk)
            assert not taker.exists("a.webm")
            if state["offset"] == len(data):
                break
        another.finish_parts("a.webm", state)
        assert digest(storage.read_range("a.webm", 0, len(data))) == digest([data])
        assert storage.listdir("")[1] == ["a.webm"]

    def test_are_finished_twice_without_harm(self, storage):
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), b"hello")
        storage.finish_parts("a.webm", state)
        storage.finish_parts("a.webm", state)
        assert content(storage, "a.webm") == b"hello"

    def test_may_be_none(self, storage):
        storage.finish_parts("a.webm", storage.start_parts("a.webm"))
        assert content(storage, "a.webm") == b""

    def test_go_on_from_the_last_state_that_was_written_down(self, storage):
        """The server died after the storage had more than the database knows of."""
        data = os.urandom(20 * MIB)
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), data[:100])
        states = [json.loads(json.dumps(s)) for s in itertools.islice(storage.append("a.webm", state, [data[100:]]), 1)]
        for known in (state, states[0]):
            assert known["offset"] <= len(data)
        state = sent(storage, "a.webm", state, data[100:])
        storage.finish_parts("a.webm", state)
        assert content(storage, "a.webm") == data

    def test_are_not_taken_back_by_who_comes_with_an_old_state(self, storage):
        """A server that slept comes to itself, and has no byte to send."""
        old = storage.start_parts("a.webm")
        state = sent(storage, "a.webm", old, b"hello")
        assert sent(storage, "a.webm", old) == old
        storage.finish_parts("a.webm", sent(storage, "a.webm", state, b" world"))
        assert content(storage, "a.webm") == b"hello world"

    @pytest.mark.parametrize("end", ["finish_parts", "abort_parts"])
    def test_leave_nothing_of_what_was_never_written_down(self, storage, end):
        """The server died then, and the client sends the rest in other pieces than before."""
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), b"h")
        next(storage.append("a.webm", state, iter([b"el"])))
        state = sent(storage, "a.webm", state, b"ello")
        getattr(storage, end)("a.webm", state)
        assert storage.listdir("")[1] == (["a.webm"] if end == "finish_parts" else [])

    def test_that_break_off_go_on_from_what_was_kept(self, storage, another):
        """The client's connection died within a part."""
        data = os.urandom(17 * MIB)

        def broken():
            yield data[: 12 * MIB]
            raise ConnectionError

        state = storage.start_parts("a.webm")
        with pytest.raises(ConnectionError):
            for state in storage.append("a.webm", state, broken()):  # noqa: B007, B020
                pass
        assert 0 < state["offset"] <= 12 * MIB
        state = sent(another, "a.webm", json.loads(json.dumps(state)), data[state["offset"] :])
        another.finish_parts("a.webm", state)
        assert content(storage, "a.webm") == data

    def test_that_are_given_up_leave_nothing(self, storage, server):
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), os.urandom(9 * MIB))
        storage.abort_parts("a.webm", state)
        storage.abort_parts("a.webm", state)
        assert storage.listdir("")[1] == []
        assert left_over(server) == []

    def test_of_an_upload_that_the_server_forgot_are_a_failure_and_no_missing_file(self, storage):
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), os.urandom(9 * MIB))
        storage.abort_parts("a.webm", {**state, "tail": 0})
        for go_on in (
            lambda: sent(storage, "a.webm", state, bytes(9 * MIB)),
            lambda: storage.finish_parts("a.webm", state),
        ):
            with pytest.raises(UploadLost):
                go_on()
        assert not storage.exists("a.webm")


def left_over(server):
    """What an upload that nobody finishes would still hold."""
    if server.kind == "disk":
        found = (server.there / "videos").rglob("*")
        return [path.name for path in found if path.is_file() and path.suffix != ".lock"]
    if server.kind == "deta":
        return list(server.there.uploads)
    uploads = server.there.multipart_uploads.all()
    return [one for one in uploads if not one.object_key.endswith(".original")]  # of other tests, on the same server


def test_one_key_is_held_by_one_at_a_time(storage, another):
    order = []
    with storage.one_at_a_time("a"):
        order.append("in")
        with another.one_at_a_time("another"):
            order.append("another")
    with another.one_at_a_time("a"):
        order.append("again")
    assert order == ["in", "another", "again"]


def test_keys_of_another_kind_never_wait(storage, another):
    with storage.one_at_a_time("a"), another.one_at_a_time("a", among="thumbnails-"):
        pass


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [(kind, trouble) for kind in ("deta", "moto", "rclone") for trouble in ("away", "a wrong key")]
    + [("moto", "no bucket"), ("rclone", "no bucket"), ("deta", "at fault")],
)
class TestAServerInTrouble:
    """Never "there is no such file", never a key in a message."""

    @pytest.fixture
    def storage(self, kind, trouble, request, settings, monkeypatch):
        settings.STORAGE_BACKEND, fixture = SERVERS[kind]
        there = request.getfixturevalue(fixture)
        monkeypatch.setattr("media_app.storage.deta.FIRST_WAIT_S", 0.001)
        if trouble == "away":
            settings.AWS_S3_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"
            settings.DETA_DRIVE_HOST = f"127.0.0.1:{free_port()}"
        elif trouble == "a wrong key":
            settings.AWS_SECRET_ACCESS_KEY, settings.DETA_PROJECT_KEY = "wrong-secret", "a0projekt_wrong-secret"
        elif trouble == "no bucket":
            settings.AWS_STORAGE_BUCKET_NAME = "another-bucket"
        else:
            there.always = 500
        return SwitchingStorage(drive="videos")

    def test_is_a_failure(self, kind, trouble, storage):
        if (kind, trouble) == ("moto", "a wrong key"):
            storage.save("a.webm", ContentFile(b"x"))  # moto takes any signature, which is why there is rclone
            return
        for attempt in (
            storage.probe,
            lambda: storage.save("a.webm", ContentFile(b"x")),
            lambda: storage.start_parts("a.webm"),
            lambda: list(storage.read_range("a.webm", 0, 1)),
            lambda: storage.exists("a.webm"),
            lambda: storage.size("a.webm"),
            lambda: storage.listdir(""),
            lambda: storage.delete("a.webm"),
        ):
            with pytest.raises(StorageFailed) as failed:
                attempt()
            assert "secret" not in str(failed.value)
            assert failed.value.__cause__ is None


def test_the_switch_gives_the_same_drive_on_another_backend(data_dir, deta):
    storage = storages["videos"]
    storage.on("deta").save("a.webm", ContentFile(b"there"))
    assert not storage.exists("a.webm")
    assert content(storage.on("deta"), "a.webm") == b"there"
    assert storage.on("local") is storage
