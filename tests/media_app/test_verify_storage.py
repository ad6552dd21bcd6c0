"""verify_storage: what is missing, orphaned or another file is named, and only what is safe is repaired."""

import io

import pytest
from django.core.files import File
from django.core.management import CommandError, call_command

from media_app import resumable
from media_app.models import Recording
from media_app.services import attach_video
from tests.drives import stored
from tests.factories import make_session

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def recording(videos, clips, run_jobs, settings):
    settings.KEEP_ORIGINALS = True
    with clips[".webm"].open("rb") as file:
        attach_video(make_session(), File(file, name="clip.webm"))
    run_jobs()
    return Recording.objects.get()


def verify(*options):
    """Its lines, and the sentence with which it failed, if it did."""
    out = io.StringIO()
    try:
        call_command("verify_storage", *options, stdout=out)
    except CommandError as error:
        return [*out.getvalue().splitlines(), str(error)]
    return out.getvalue().splitlines()


@pytest.mark.parametrize("options", [(), ("--hashes",), ("--hashes", "--repair")])
def test_what_agrees_is_said_to(recording, options):
    assert verify(*options) == ["Storage and database agree."]


def test_a_missing_file_is_named_and_not_forgotten(recording, videos):
    (videos / recording.watchable).unlink()
    expected = [f"{recording.watchable}: missing", "Storage and database do not agree on 1 file."]
    assert verify("--repair") == verify() == expected


@pytest.mark.parametrize("field", ["original", "poster"])
def test_a_missing_file_that_is_not_needed_is_forgotten_by_repair(recording, videos, field):
    (videos / getattr(recording, field)).unlink()
    assert verify()[-1] == "Storage and database do not agree on 1 file."
    assert verify("--repair") == [f"{getattr(recording, field)}: missing, repaired", "Storage and database agree."]
    assert verify() == ["Storage and database agree."]


def test_an_original_is_needed_while_its_copy_is_not_whole(recording, videos):
    (videos / recording.original).unlink()
    (videos / recording.watchable).write_bytes(b"half")
    assert "repaired" not in " ".join(verify("--repair"))
    assert Recording.objects.get().original == recording.original


def test_another_size_is_named(recording, videos):
    (videos / recording.watchable).write_bytes(b"half")
    assert verify()[0] == f"{recording.watchable}: has 4 bytes instead of {recording.watchable_bytes:,}"


def test_another_content_of_the_same_size_is_found_by_its_hash(recording, videos):
    data = bytearray((videos / recording.original).read_bytes())
    data[-1] ^= 1
    (videos / recording.original).write_bytes(data)
    assert verify() == ["Storage and database agree."]
    assert verify("--hashes")[0] == f"{recording.original}: has a different SHA-256 than when it was stored"


def test_a_file_that_nobody_names_is_told_of_and_left_alone(recording, videos):
    make_session(video_path="data/videos/adopted.webm")
    (videos / "adopted.webm").write_bytes(b"x")
    arriving = resumable.begin(make_session(), size_bytes=9)
    (videos / f"{arriving.original}.tail.5").write_bytes(b"of an upload that still arrives")
    (videos / f"{recording.original}.tail.5").write_bytes(b"left by a server that was killed")
    (videos / "lost.webm").write_bytes(b"x")
    lost = [f"{recording.original}.tail.5", "lost.webm"]
    assert verify("--repair")[:-1] == [f"{name}: belongs to no session" for name in sorted(lost)]
    assert set(lost) <= set(stored(videos))


def test_what_is_just_being_made_is_not_nobodys(recording):
    Recording.objects.update(state="processing", watchable=None, poster=None)
    assert verify() == ["Storage and database agree."]


def test_uploads_whose_bytes_are_gone_and_bytes_of_no_upload_are_named(recording, videos):
    begun, gone, whole = (resumable.begin(make_session(), size_bytes=9) for _ in range(3))
    for upload in (gone, whole):
        resumable.write(upload, offset=0, chunks=iter([b"half"]))
    (videos / ".incoming" / gone.parts["part"]).unlink()
    (videos / ".incoming" / "lost.pieces").write_bytes(b"of an upload that a restored database does not know")
    assert verify("--repair")[:-1] == [
        f".incoming/{gone.parts['part']}: lacks bytes of /sessions/{gone.session_id}/uploads/{gone.pk}",
        ".incoming/lost.pieces: belongs to no upload",
    ]
    assert Recording.objects.filter(pk__in=[begun.pk, gone.pk, whole.pk]).count() == 3


def test_a_missing_video_of_the_time_before_recordings_is_named(recording):
    make_session(video_path="data/videos/gone.webm")
    make_session(video_path="data/videos/")
    assert verify("--repair")[0] == "gone.webm: missing"


class TestAReport:
    @pytest.fixture
    def report(self, recording, data_dir, api):
        """Its file."""
        assert api.get(f"/sessions/{recording.session_id}/report.html").status_code == 200
        return data_dir / "reports" / f"report_{recording.session_id}.html"

    def test_that_is_missing_or_another_is_rendered_anew_after_repair(self, report, recording, api):
        content = report.read_bytes()
        for damage, options in [(report.unlink, ()), (lambda: report.write_bytes(b"another"), ("--hashes",))]:
            damage()
            assert verify(*options)[0].startswith(f"{report.name}: ")
            assert verify("--repair", *options)[-1] == verify(*options)[-1] == "Storage and database agree."
            api.get(f"/sessions/{recording.session_id}/report.html")
            assert report.read_bytes() == content

    def test_of_the_earlier_service_is_its_sessions_and_others_are_told_of(self, report, recording):
        (report.parent / f"report_{recording.session_id}.csv").write_bytes(b"without a note")
        (report.parent / "report_nobody.html").write_bytes(b"x")
        assert verify("--repair")[0] == "report_nobody.html: belongs to no session"
        assert (report.parent / "report_nobody.html").exists()
