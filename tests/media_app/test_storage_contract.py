"""What every storage does alike: the local disk, and S3 as moto plays it."""

import hashlib
import io
import itertools
import json
import os
from urllib.parse import urlsplit

import httpx
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from media_app import resumable
from media_app.errors import StorageFailed
from media_app.models import Recording
from media_app.storage import SwitchingStorage
from media_app.storage.range_file import RangeFile
from reports_app import services as reports
from tests import s3_server
from tests.factories import make_session
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("committed_database")

moto_url, s3 = s3_server.moto_url, s3_server.s3

MIB = 1024**2
UNICODE = 'Ünï "quoted" 録画 %41.webm'
BACKENDS = ["local", "s3"]


@pytest.fixture(params=BACKENDS)
def make_storage(request, settings, data_dir, s3):
    settings.STORAGE_BACKEND = request.param
    return lambda: SwitchingStorage(drive="videos")


@pytest.fixture
def storage(make_storage):
    return make_storage()


def content(storage, name):
    with storage.open(name) as file:
        return file.read()


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

    def test_may_have_any_name(self, storage):
        storage.save(UNICODE, ContentFile(b"x"))
        assert content(storage, UNICODE) == b"x"
        assert UNICODE in storage.listdir("")[1]
        assert b"".join(storage.read_range(UNICODE, 0, 1)) == b"x"

    def test_is_listed_until_it_is_deleted(self, storage):
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
    def test_of_any_size_make_the_file(self, make_storage):
        data = os.urandom(25 * MIB + 12345)
        state = make_storage().start_parts("a.webm", "video/webm")
        sizes = itertools.cycle([1, 3 * MIB, 5 * MIB, 700_001, 11 * MIB])
        while state["offset"] < len(data):
            chunk = data[state["offset"] : state["offset"] + next(sizes)]
            before = state["offset"]
            state = sent(make_storage(), "a.webm", state, chunk[:100], chunk[100:])
            assert state["offset"] == before + len(chunk)
            assert not make_storage().exists("a.webm")
        make_storage().finish_parts("a.webm", state)
        assert content(make_storage(), "a.webm") == data
        assert make_storage().listdir("")[1] == ["a.webm"]

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

    def test_that_are_given_up_leave_nothing(self, storage, s3, data_dir):
        state = sent(storage, "a.webm", storage.start_parts("a.webm"), os.urandom(9 * MIB))
        storage.abort_parts("a.webm", state)
        storage.abort_parts("a.webm", state)
        assert storage.listdir("")[1] == []
        assert list(s3.multipart_uploads.all()) == []
        left = [path for path in (data_dir / "videos").rglob("*") if path.is_file() and path.suffix != ".lock"]
        assert left == []


def test_one_key_is_held_by_one_at_a_time(make_storage):
    order = []
    with make_storage().one_at_a_time("a"):
        order.append("in")
        with make_storage().one_at_a_time("another"):
            order.append("another")
    with make_storage().one_at_a_time("a"):
        order.append("again")
    assert order == ["in", "another", "again"]


class TestAFailingServer:
    """Never "there is no such file", never a key in a message."""

    @pytest.mark.parametrize("trouble", ["away", "no bucket"])
    def test_is_a_failure(self, settings, s3, trouble):
        settings.STORAGE_BACKEND = "s3"
        if trouble == "away":
            settings.AWS_S3_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"
        else:
            settings.AWS_STORAGE_BUCKET_NAME = "another-bucket"
        storage = SwitchingStorage(drive="videos")
        for attempt in (
            storage.probe,
            lambda: storage.save("a.webm", ContentFile(b"x")),
            lambda: storage.start_parts("a.webm"),
            lambda: list(storage.read_range("a.webm", 0, 1)),
        ):
            with pytest.raises(StorageFailed) as failed:
                attempt()
            assert "key" not in str(failed.value)
            assert failed.value.__cause__ is None


def test_a_link_of_s3_names_the_type_and_ends_by_itself(settings, s3):
    settings.STORAGE_BACKEND = "s3"
    storage = SwitchingStorage(drive="videos")
    storage.save("a.webm", ContentFile(b"hello"))
    link = storage.signed_url("a.webm", expires_s=60, content_type="video/webm", filename="ä.webm")
    assert "Expires=60" in urlsplit(link).query
    answer = httpx.get(link, headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (206, b"el", "video/webm")
    assert answer.headers["Content-Disposition"].startswith("inline")


def test_the_switch_gives_the_same_drive_on_another_backend(settings, data_dir, s3):
    storage = storages["videos"]
    storage.on("s3").save("a.webm", ContentFile(b"there"))
    assert not storage.exists("a.webm")
    assert content(storage.on("s3"), "a.webm") == b"there"
    assert storage.on("local") is storage


class TestTheWholeWayOfARecordingOnS3:
    @pytest.fixture
    def session(self, settings, s3, data_dir):
        settings.STORAGE_BACKEND = "s3"
        return make_session()

    def test_in_parts(self, session, s3, clips, run_jobs, api):
        data = clips[".webm"].read_bytes()
        recording = resumable.begin(session, size_bytes=len(data))
        for start in range(0, len(data), 1000):
            piece = data[start : start + 1000]
            resumable.write(Recording.objects.get(), offset=start, chunks=iter([piece]))
        run_jobs()
        recording.refresh_from_db()
        assert (recording.state, recording.sha256) == ("ready", hashlib.sha256(data).hexdigest())
        assert sorted(found.key for found in s3.objects.all()) == sorted(
            f"videos/{name}" for name in (recording.watchable, recording.poster)
        )
        answer = api.get(f"/videos/{recording.name}")
        assert answer.status_code == 302
        played = httpx.get(answer["Location"]).content
        assert hashlib.sha256(played).hexdigest() == recording.watchable_sha256

    def test_in_one_request_and_gone_with_its_session(self, session, s3, clips, run_jobs, as_candidate):
        with clips[".mp4"].open("rb") as file:
            answer = as_candidate(session).post(f"/sessions/{session.pk}/video", {"file": file})
        assert answer.json()["video_path"] == f"videos/{session.pk}.mp4"
        run_jobs()
        assert Recording.objects.get().state == "ready"
        reports.delete_session(session)
        assert list(s3.objects.all()) == []

    def test_while_the_server_is_away_is_a_503_and_half_of_nothing(self, session, settings, clips, as_candidate):
        settings.AWS_S3_ENDPOINT_URL = f"http://127.0.0.1:{free_port()}"
        settings.STORAGES = {**settings.STORAGES}
        client = as_candidate(session)
        with clips[".webm"].open("rb") as file:
            answers = [client.post(f"/sessions/{session.pk}/video", {"file": file})]
        tus = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "10"}
        answers.append(client.post(f"/sessions/{session.pk}/uploads", **tus))
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
            assert answer["Retry-After"]
        assert Recording.objects.count() == 0
