"""POST /sessions/{id}/video/import: a copy of a file of the import folder, and of nothing outside it."""

import json
import os

import pytest

from media_app.models import Recording
from sessions_app.models import Session
from tests.drives import stored, unfinished
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def folder(settings, data_dir, clips):
    (settings.VIDEO_IMPORT_DIR / "take 1.webm").write_bytes(clips[".webm"].read_bytes())
    return settings.VIDEO_IMPORT_DIR


def import_file(api, filename, *, session_id=None):
    session_id = session_id or make_session().pk
    return api.post(f"/sessions/{session_id}/video/import", {"filename": filename}, format="json")


class TestAnImport:
    @pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4", ".mov"])
    def test_stores_a_copy_under_our_name_and_keeps_the_original(self, api, folder, data_dir, clips, suffix):
        data = clips[suffix].read_bytes()
        (folder / "take.bin").write_bytes(data)
        session = make_session()
        answer = import_file(api, "take.bin", session_id=session.pk)
        assert answer.status_code == 200
        assert answer.json()["video_path"] == f"videos/{session.pk}{suffix}"
        assert (data_dir / "videos" / Recording.objects.get().original).read_bytes() == data
        assert (folder / "take.bin").read_bytes() == data
        assert Session.objects.get(pk=session.pk).revision == 1

    @pytest.mark.parametrize("name", ["ä 録画.webm", "two..dots.webm", " blank .webm", "-dash", "~.webm", "%2e%2e"])
    def test_takes_any_plain_name(self, api, folder, clips, name):
        (folder / name).write_bytes(clips[".webm"].read_bytes())
        assert import_file(api, name).status_code == 200

    def test_follows_a_link_that_stays_inside(self, api, folder):
        (folder / "link.webm").symlink_to(folder / "take 1.webm")
        assert import_file(api, "link.webm").status_code == 200

    def test_works_when_the_folder_itself_is_a_link(self, api, folder, settings, tmp_path):
        link = tmp_path / "linked"
        link.symlink_to(folder, target_is_directory=True)
        settings.VIDEO_IMPORT_DIR = link
        assert import_file(api, "take 1.webm").status_code == 200

    def test_is_kept_beside_an_earlier_video(self, api, folder, data_dir, clips):
        session = make_session()
        (folder / "second.mp4").write_bytes(clips[".mp4"].read_bytes())
        import_file(api, "take 1.webm", session_id=session.pk)
        answer = import_file(api, "second.mp4", session_id=session.pk)
        assert answer.json()["video_path"] == f"videos/{session.pk}.webm"
        originals = [recording.original for recording in Recording.objects.of(session.pk)]
        assert stored(data_dir / "videos") == sorted(originals)
        assert len(originals) == 2


class TestARefusedImport:
    @pytest.fixture(autouse=True)
    def _stores_nothing(self, data_dir):
        yield
        assert stored(data_dir / "videos") == []
        assert unfinished(data_dir) == []

    @pytest.fixture
    def outside(self, tmp_path, clips):
        """A real video, so that only its place can be what is refused."""
        path = tmp_path / "outside.webm"
        path.write_bytes(clips[".webm"].read_bytes())
        return path

    @pytest.mark.parametrize(
        "name",
        [
            "../outside.webm",
            "..\\outside.webm",
            "sub/../../outside.webm",
            "./take 1.webm",
            "sub/take.webm",
            "sub\\take.webm",
            "C:\\take.webm",
            "..",
            ".",
            "/",
            "/etc/passwd",
            "n" * 255,
            "é" * 200,
        ],
    )
    def test_names_no_plain_file_inside(self, api, folder, outside, name):
        (folder / "sub").mkdir()
        (folder / "sub" / "take.webm").write_bytes(outside.read_bytes())
        answer = import_file(api, name)
        assert (answer.status_code, answer.json()["code"]) in {(400, "unsafe_filename"), (404, "not_found")}
        assert answer.status_code == 400 or set(name) == {"n"}  # a legal name of 255 letters is only not there

    def test_names_an_absolute_path(self, api, folder, outside):
        for path in (outside, folder / "take 1.webm"):
            assert import_file(api, str(path)).status_code == 400

    def test_names_a_link_that_leads_out(self, api, folder, outside):
        (folder / "link.webm").symlink_to(outside)
        (folder / "relative.webm").symlink_to("../outside.webm")
        for name in ("link.webm", "relative.webm"):
            answer = import_file(api, name)
            assert (answer.status_code, answer.json()["code"]) == (400, "unsafe_filename")

    def test_names_a_neighbour_whose_path_begins_like_the_folder(self, api, folder, clips):
        neighbour = folder.with_name(folder.name + "-private")
        neighbour.mkdir()
        (neighbour / "x.webm").write_bytes(clips[".webm"].read_bytes())
        (folder / "x.webm").symlink_to(neighbour / "x.webm")
        assert import_file(api, "x.webm").status_code == 400

    def test_names_what_is_no_plain_file(self, api, folder):
        (folder / "folder").mkdir()
        os.mkfifo(folder / "pipe.webm")
        (folder / "loop.webm").symlink_to("loop.webm")
        (folder / "device.webm").symlink_to("/dev/zero")
        for name in ("folder", "pipe.webm", "loop.webm", "device.webm"):
            answer = import_file(api, name)
            assert (name, answer.status_code, answer.json()["code"]) == (name, 400, "unsafe_filename")

    def test_names_a_file_that_is_not_there(self, api, folder):
        (folder / "dangling.webm").symlink_to(folder / "gone.webm")
        for name in ("missing.webm", "dangling.webm"):
            answer = import_file(api, name)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_has_no_import_folder(self, api, folder, settings, tmp_path):
        settings.VIDEO_IMPORT_DIR = tmp_path / "no such folder"
        assert import_file(api, "take 1.webm").status_code == 404

    def test_names_no_video(self, api, folder):
        (folder / "notes.webm").write_text("no video")
        answer = import_file(api, "notes.webm")
        assert (answer.status_code, answer.json()["code"]) == (415, "not_a_video")
        assert (folder / "notes.webm").read_text() == "no video"

    def test_names_a_video_that_is_too_large(self, api, folder, settings):
        settings.VIDEO_MAX_BYTES = 1000
        answer = import_file(api, "take 1.webm")
        assert (answer.status_code, answer.json()["code"]) == (413, "video_too_large")

    @pytest.mark.parametrize("filename", [None, 5, True, [], {"$gt": ""}, "", "n" * 256, "nul\0.webm", "\ud800.webm"])
    def test_names_no_text_that_could_be_a_name(self, api, folder, filename):
        body = f'{{"filename": {json.dumps(filename)}}}'
        answer = api.generic("POST", f"/sessions/{make_session().pk}/video/import", body, "application/json")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["filename"]

    def test_names_nothing(self, api, folder):
        answer = api.post(f"/sessions/{make_session().pk}/video/import", {}, format="json")
        assert answer.status_code == 400
        assert list(answer.json()["fields"]) == ["filename"]

    @pytest.mark.parametrize("session_id", ["00000000-0000-4000-8000-0000000000ff", "x"])
    def test_is_for_a_session_that_is_not_there(self, api, folder, session_id):
        answer = import_file(api, "take 1.webm", session_id=session_id)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
