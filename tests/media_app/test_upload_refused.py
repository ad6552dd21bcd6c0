"""POST /sessions/{id}/video: refused with nothing left behind."""

import pytest

from media_app.models import Recording
from sessions_app.models import Session
from tests.drives import stored, unfinished
from tests.factories import make_session
from tests.media_app.multipart import END, MULTIPART, part, post_raw, upload


class TestARefusedUpload:
    @pytest.fixture
    def session(self, database, api, clips, videos):
        """It has a video, which must survive whatever is refused."""
        session = make_session()
        upload(api, session.pk, clips[".webm"])
        return Session.objects.get(pk=session.pk)

    @pytest.fixture(autouse=True)
    def _leaves_everything_as_it_was(self, api, clips, videos, session):
        yield
        assert Session.objects.get(pk=session.pk).revision == session.revision
        assert b"".join(api.get(f"/{session.video_path}")) == clips[".webm"].read_bytes()
        assert stored(videos) == [Recording.objects.get().original]
        assert unfinished(videos) == []

    @pytest.mark.parametrize("data", [b"", b"no video at all", b"\x1a\x45\xdf\xa3" + b"noise" * 1000])
    def test_is_no_video(self, api, session, data):
        answer = post_raw(api, session.pk, part("file", data, filename="x.webm") + END)
        assert answer.status_code == 415
        assert answer.json()["code"] == "not_a_video"
        assert set(answer.json()) == {"detail", "code"}

    def test_says_too_much_in_its_content_length(self, api, session, settings):
        settings.VIDEO_MAX_BYTES = 1000
        answer = post_raw(api, session.pk, part("file", b"x" * 100_000, filename="x.webm") + END)
        assert answer.status_code == 413
        assert answer.json() == {
            "detail": "The video is larger than the 1,000 bytes that this server accepts.",
            "code": "video_too_large",
        }

    def test_is_too_large_by_its_actual_bytes(self, api, session, clips, settings):
        settings.VIDEO_MAX_BYTES = clips[".mp4"].stat().st_size - 1
        answer = upload(api, session.pk, clips[".mp4"])
        assert answer.status_code == 413
        assert answer.json()["code"] == "video_too_large"

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            pytest.param(END, True, id="no part"),
            pytest.param(part("other", b"x", filename="x.webm") + END, True, id="another name"),
            pytest.param(part("file", b"x") + END, True, id="a text field"),
            pytest.param(part("file", b"x", filename="") + END, True, id="no file chosen"),
            pytest.param(part("file", b"x", filename="..") + END, True, id="a name that is none"),
        ],
    )
    def test_has_no_file(self, api, session, body, fields):
        answer = post_raw(api, session.pk, body)
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid"
        assert list(answer.json()["fields"]) == ["file"]

    def test_has_two_files(self, api, session, clips):
        data = clips[".mp4"].read_bytes()
        body = part("file", data, filename="a.mp4") + part("file", data, filename="b.mp4") + END
        answer = post_raw(api, session.pk, body)
        assert answer.status_code == 400
        assert answer.json()["fields"] == {"file": ["Send one file, not several."]}

    def test_was_cut_off_before_its_end(self, api, session, clips):
        """The half is a video by itself: only the missing boundary tells."""
        data = clips[".webm"].read_bytes()
        whole = part("file", data, filename="a.webm") + END
        for length in (len(whole) - len(data) // 2, len(whole) - len(END) - 2, 60):
            assert post_raw(api, session.pk, whole[:length]).status_code == 400

    @pytest.mark.parametrize(
        ("body", "content_type", "status"),
        [
            pytest.param(b"no multipart", MULTIPART, 400, id="no boundary in the body"),
            pytest.param(b"", MULTIPART, 400, id="no body"),
            pytest.param(END, "multipart/form-data", 400, id="no boundary in the header"),
            pytest.param(END, "multipart/form-data; boundary=" + "x" * 500, 400, id="a boundary too long"),
            pytest.param(END, 'multipart/form-data; boundary="\xff"', 400, id="a boundary that is no ASCII"),
            pytest.param(b'{"file": "x"}', "application/json", 415, id="JSON"),
            pytest.param(b"x", "video/webm", 415, id="the bare video"),
            pytest.param(b"x", "", 415, id="no type"),
            pytest.param(b"file=x", "application/x-www-form-urlencoded", 415, id="a form"),
        ],
    )
    def test_is_no_multipart(self, api, session, body, content_type, status):
        answer = post_raw(api, session.pk, body, content_type)
        assert answer.status_code == status
        assert {"detail", "code"} <= set(answer.json())

    def test_has_a_huge_text_field(self, api, session):
        answer = post_raw(api, session.pk, part("file", b"x" * 3_000_000) + END)
        assert answer.status_code == 413

    def test_has_thousands_of_parts(self, api, session):
        many_fields = b"".join(part("a", b"x") for _ in range(2000)) + END
        many_files = b"".join(part("a", b"x", filename="x") for _ in range(200)) + END
        for body in (many_fields, many_files):
            assert 400 <= post_raw(api, session.pk, body).status_code < 500

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_uses_another_method(self, api, session, method):
        assert getattr(api, method)(f"/sessions/{session.pk}/video").status_code == 405

    @pytest.mark.parametrize("session_id", ["00000000-0000-4000-8000-0000000000ff", "x", "..%2f..", "x" * 500, "%00"])
    def test_goes_to_a_session_that_is_not_there(self, api, session, clips, session_id):
        answer = upload(api, session_id, clips[".webm"])
        assert answer.status_code == 404
        is_another_address = "%2f" in session_id
        assert answer.json()["code"] == ("no_such_address" if is_another_address else "not_found")
