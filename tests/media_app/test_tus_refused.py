"""Uploads in parts that do not begin, and what is said why."""

import pytest

from media_app import resumable
from media_app.errors import TooManyRecordings
from media_app.models import Recording
from tests.media_app import tus
from tests.media_app.tus import begin, begun, told

pytestmark = pytest.mark.usefixtures("database")
session, candidate = tus.session, tus.candidate


class TestARefusedBeginning:
    @pytest.mark.parametrize("size", ["", "-1", "x", "1e3", "9" * 30])
    def test_has_no_size(self, candidate, session, size):
        answer = begin(candidate, session, size)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["Upload-Length"])

    def test_is_too_large(self, candidate, session, settings):
        answer = begin(candidate, session, settings.VIDEO_MAX_BYTES + 1)
        assert (answer.status_code, answer.json()["code"]) == (413, "video_too_large")

    @pytest.mark.parametrize(
        ("metadata", "field"),
        [
            ("filename", None),
            ("filename !!!", "Upload-Metadata"),
            ("filename /w==", "Upload-Metadata"),
            ("kind YQ==,kind YQ==", "Upload-Metadata"),
            ("k " + "A" * 5000, "Upload-Metadata"),
            (told(kind="sound"), "kind"),
            (told(sha256="abc"), "sha256"),
            (told(start_offset_s="-1"), "start_offset_s"),
            (told(start_offset_s="nan"), "start_offset_s"),
            (told(filename="n" * 256), "filename"),
            (told(filename="a\0b"), "filename"),
        ],
    )
    def test_tells_nonsense(self, candidate, session, metadata, field):
        answer = begin(candidate, session, 10, HTTP_UPLOAD_METADATA=metadata)
        if field is None:  # a key without a value is a value that is empty
            assert answer.status_code == 201
        else:
            assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])

    def test_is_one_too_many(self, candidate, session, settings):
        settings.RECORDINGS_PER_SESSION_MAX = 2
        begun(candidate, session, 1)
        begun(candidate, session, 1)
        answer = begin(candidate, session, 1)
        assert (answer.status_code, answer.json()["code"]) == (409, "too_many_recordings")
        settings.RECORDINGS_PER_SESSION_MAX, settings.RECORDINGS_PER_SESSION_MAX_BYTES = 9, 10
        assert begin(candidate, session, 9).json()["code"] == "too_many_recordings"
        assert begin(candidate, session, 8).status_code == 201

    def test_is_too_many_together_with_those_that_begin_in_this_moment(self, session, settings, monkeypatch, videos):
        settings.RECORDINGS_PER_SESSION_MAX = 2
        look, others = resumable.check_room, [1, 1]

        def look_and_let_others_begin(of, size_bytes=None):
            look(of, size_bytes)
            if others:
                resumable.begin(of, size_bytes=others.pop())

        monkeypatch.setattr(resumable, "check_room", look_and_let_others_begin)
        with pytest.raises(TooManyRecordings):
            resumable.begin(session, size_bytes=1)
        assert Recording.objects.count() == 2

    @pytest.mark.parametrize("version", ["", "0.2.2", "2.0.0"])
    def test_speaks_another_version(self, candidate, session, version):
        answer = begin(candidate, session, 10, HTTP_TUS_RESUMABLE=version)
        assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")
