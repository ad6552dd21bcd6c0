"""Watching a video: whole, by ranges, again without its bytes, and by a proxy that sends it."""

import pytest

from media_app.models import Recording
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def path(data_dir):
    """Of a video of ten bytes, of the time before recordings: what is in it does not matter here."""
    session = make_session(video_path="videos/x.webm")
    (data_dir / "videos").mkdir(parents=True)
    (data_dir / "videos" / f"{session.pk}.webm").write_bytes(b"0123456789")
    return f"/videos/{session.pk}.webm"


def body(answer):
    return b"".join(answer) if answer.streaming else answer.content


class TestARange:
    @pytest.mark.parametrize(
        ("wanted", "sent", "told"),
        [
            ("bytes=0-3", b"0123", "bytes 0-3/10"),
            ("bytes=4-", b"456789", "bytes 4-9/10"),
            ("bytes=9-9", b"9", "bytes 9-9/10"),
            ("bytes=8-100", b"89", "bytes 8-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=-100", b"0123456789", "bytes 0-9/10"),
            ("bytes=0-", b"0123456789", "bytes 0-9/10"),
        ],
    )
    def test_is_sent_alone(self, api, path, wanted, sent, told):
        answer = api.get(path, HTTP_RANGE=wanted)
        assert (answer.status_code, body(answer)) == (206, sent)
        assert (answer["Content-Range"], answer["Content-Length"]) == (told, str(len(sent)))
        assert answer["Content-Type"] == "video/webm"

    @pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=100-200", "bytes=-0"])
    def test_that_the_file_has_not_is_a_416(self, api, path, wanted):
        answer = api.get(path, HTTP_RANGE=wanted)
        assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */10")

    @pytest.mark.parametrize(
        "wanted", ["", "bytes=", "bytes=-", "bytes=3-1", "bytes=0-1,3-4", "items=0-1", "x", f"bytes=0-{'9' * 5000}"]
    )
    def test_that_is_none_or_several_is_answered_with_the_whole(self, api, path, wanted):
        answer = api.get(path, HTTP_RANGE=wanted)
        assert (answer.status_code, body(answer)) == (200, b"0123456789")
        assert answer["Accept-Ranges"] == "bytes"

    def test_is_told_by_head_too(self, api, path):
        answer = api.head(path, HTTP_RANGE="bytes=0-3")
        assert (answer.status_code, answer["Content-Length"], body(answer)) == (206, "4", b"")

    def test_of_an_empty_file_is_not_there(self, api, path, data_dir):
        (data_dir / path[1:]).write_bytes(b"")
        assert api.get(path, HTTP_RANGE="bytes=0-")["Content-Range"] == "bytes */0"
        assert body(api.get(path)) == b""

    def test_is_only_of_the_file_that_the_client_has_the_beginning_of(self, api, path):
        known = api.get(path)
        for name in ("ETag", "Last-Modified"):
            assert api.get(path, HTTP_RANGE="bytes=0-3", HTTP_IF_RANGE=known[name]).status_code == 206
        for other in ('"another"', "Mon, 02 Mar 2026 12:00:00 GMT", "nonsense", f"W/{known['ETag']}"):
            assert api.get(path, HTTP_RANGE="bytes=0-3", HTTP_IF_RANGE=other).status_code == 200


def test_what_the_client_has_already_is_not_sent_again(api, path):
    tag = api.get(path)["ETag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = api.get(path, HTTP_IF_NONE_MATCH=known)
        assert (answer.status_code, answer.content) == (304, b"")
    assert api.get(path, HTTP_IF_NONE_MATCH='"other"').status_code == 200


def test_a_proxy_sends_it_when_the_settings_say_so(api, path, settings, data_dir):
    settings.SENDFILE = "nginx"
    answer = api.get(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["X-Accel-Redirect"] == f"/protected{path}"
    (data_dir / "videos" / "ö 録.webm").write_bytes(b"x")
    assert api.get("/videos/ö 録.webm")["X-Accel-Redirect"] == "/protected/videos/%C3%B6%20%E9%8C%B2.webm"


def test_a_file_that_breaks_off_is_never_padded(api, clips, as_candidate, data_dir):
    session = make_session()
    as_candidate(session).post(f"/sessions/{session.pk}/video", {"file": clips[".webm"].open("rb")})
    recording = Recording.objects.get()
    (data_dir / "videos" / recording.original).write_bytes(b"cut")
    answer = api.get(f"/videos/{recording.name}", HTTP_RANGE="bytes=0-999")
    with pytest.raises(ConnectionAbortedError):
        body(answer)


def test_a_recording_whose_file_is_gone_is_a_404(api, clips, as_candidate, data_dir):
    session = make_session()
    as_candidate(session).post(f"/sessions/{session.pk}/video", {"file": clips[".webm"].open("rb")})
    recording = Recording.objects.get()
    (data_dir / "videos" / recording.original).unlink()
    for headers in ({}, {"HTTP_RANGE": "bytes=0-9"}):
        for ask in (api.get, api.head):
            assert ask(f"/videos/{recording.name}", **headers).status_code == 404
