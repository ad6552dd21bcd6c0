"""`manage.py import_videos`: recordings from a folder, each to its session, and a word about every one that failed."""

import io
import os
import subprocess
import sys
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection

from media_app import arrival
from media_app.models import Recording
from proctoring_site.audit.errors import AuditFailed
from proctoring_site.audit.models import AuditRecord
from reports_app import services as reports
from sessions_app.models import Session
from tests.drives import stored, unfinished
from tests.factories import make_session


@pytest.fixture
def folder(tmp_path, data_dir):
    path = tmp_path / "from the recorder"
    path.mkdir()
    return path


@pytest.fixture
def put(folder, clips):
    def put_clip(name, suffix=".webm"):
        (folder / name).write_bytes(clips[suffix].read_bytes())

    return put_clip


def import_videos(folder, *options):
    """What it wrote to stdout and stderr, and whether it ended well."""
    out, err, went_well = io.StringIO(), io.StringIO(), True
    try:
        call_command("import_videos", str(folder), *map(str, options), stdout=out, stderr=err)
    except CommandError:
        went_well = False
    return out.getvalue(), err.getvalue(), went_well


@pytest.mark.usefixtures("database")
class TestByName:
    def test_each_file_goes_to_the_session_that_it_is_named_after(self, folder, put, data_dir):
        first, second = make_session(), make_session()
        put(f"{first.pk}.webm")
        put(f"{second.pk}.recording.bin", ".mp4")
        out, _, went_well = import_videos(folder)
        assert went_well
        assert out == "2 files: 2 imported, 0 already there, 0 could not be imported.\n"
        assert stored(data_dir / "videos") == sorted(r.original for r in Recording.objects.all())
        assert {r.session_id for r in Recording.objects.all()} == {first.pk, second.pk}
        assert Session.objects.get(pk=second.pk).video_path == f"videos/{second.pk}.mp4"
        assert len(list(folder.iterdir())) == 2

    def test_what_fails_is_reported_by_name_and_stops_no_other(self, folder, put, data_dir):
        good, bad = make_session(), make_session()
        put(f"{good.pk}.webm")
        put("holiday.webm")
        (folder / f"{bad.pk}.webm").write_text("no video")
        out, err, went_well = import_videos(folder)
        assert not went_well
        assert out == "3 files: 1 imported, 0 already there, 2 could not be imported.\n"
        assert "holiday.webm: no session has the id 'holiday'" in err
        assert f"{bad.pk}.webm: The file is not a WebM" in err
        assert stored(data_dir / "videos") == [Recording.objects.get(session_id=good.pk).original]
        assert Session.objects.get(pk=bad.pk).video_path is None
        assert unfinished(data_dir) == []

    def test_a_second_run_changes_nothing(self, folder, put, data_dir):
        session = make_session()
        put(f"{session.pk}.webm")
        import_videos(folder)
        before = (data_dir / "videos" / Recording.objects.get().original).stat()
        out, _, went_well = import_videos(folder)
        assert went_well
        assert out == "1 files: 0 imported, 1 already there, 0 could not be imported.\n"
        after = (data_dir / "videos" / Recording.objects.get().original).stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        assert Session.objects.get(pk=session.pk).revision == 1

    def test_replace_shows_the_newer_file_and_keeps_the_other(self, folder, put, data_dir):
        session = make_session()
        put(f"{session.pk}.webm")
        import_videos(folder)
        (folder / f"{session.pk}.webm").unlink()
        put(f"{session.pk}.mp4", ".mp4")
        out, _, _ = import_videos(folder, "--replace")
        assert out.startswith("1 files: 1 imported")
        assert Session.objects.get(pk=session.pk).video_path == f"videos/{session.pk}.mp4"
        assert stored(data_dir / "videos") == sorted(r.original for r in Recording.objects.of(session.pk))
        assert Recording.objects.count() == 2

    def test_replace_goes_back_to_a_file_that_is_known(self, folder, put):
        session = make_session()
        for suffix in (".webm", ".mp4", ".webm"):
            put(f"{session.pk}.x", suffix)
            import_videos(folder, "--replace")
            assert Session.objects.get(pk=session.pk).video_path.endswith(suffix)
        assert Recording.objects.count() == 2

    def test_each_replacement_is_in_the_audit_log_before_it_is_made(self, folder, put, monkeypatch):
        session = make_session()
        for suffix in (".webm", ".mp4"):
            put(f"{session.pk}.x", suffix)
            import_videos(folder, "--replace")
        put(f"{session.pk}.x", ".webm")

        def full(*args, **details):
            raise AuditFailed

        with monkeypatch.context() as patch:
            patch.setattr(arrival, "record", full)
            with pytest.raises(AuditFailed):
                import_videos(folder, "--replace")
        assert Session.objects.get(pk=session.pk).video_path.endswith(".mp4")
        for _ in range(2):  # the second changes nothing
            import_videos(folder, "--replace")
        records = AuditRecord.objects.filter(action="imported", object_id=session.pk).order_by("at")
        first, second = (recording.pk for recording in Recording.objects.of(session.pk))
        assert [record.details["recording"] for record in records] == [first, second, first]

    def test_replace_leaves_the_earlier_services_file_to_be_watched(self, folder, put, data_dir, api):
        session = make_session()
        old = data_dir / "videos" / f"{session.pk}.webm"
        old.parent.mkdir(parents=True)
        old.write_bytes(b"old evidence")
        Session.objects.update(video_path=f"data/videos/{old.name}")
        put(f"{session.pk}.webm")
        import_videos(folder, "--replace")
        assert Session.objects.get(pk=session.pk).video_name == Recording.objects.get().name
        assert b"".join(api.get(f"/videos/{old.name}")) == b"old evidence"
        reports.delete_session(Session.objects.get(pk=session.pk))
        assert stored(data_dir / "videos") == []

    def test_folders_and_hidden_files_are_no_recordings(self, folder, put):
        (folder / "sub").mkdir()
        (folder / ".DS_Store").write_bytes(b"x")
        assert import_videos(folder)[0].startswith("0 files: ")

    def test_a_link_out_of_the_folder_is_not_followed(self, folder, clips, data_dir):
        session = make_session()
        (folder / f"{session.pk}.webm").symlink_to(clips[".webm"])
        _, err, went_well = import_videos(folder)
        assert not went_well
        assert "inside the import folder" in err
        assert stored(data_dir / "videos") == []


@pytest.mark.usefixtures("database")
class TestDryRun:
    def test_checks_every_file_and_writes_nothing(self, folder, put, data_dir):
        good, bad = make_session(), make_session()
        put(f"{good.pk}.webm")
        (folder / f"{bad.pk}.webm").write_text("no video")
        out, err, went_well = import_videos(folder, "--dry-run")
        assert not went_well
        assert out == "2 files: 1 would be imported, 0 already there, 1 could not be imported.\n"
        assert bad.pk in err
        assert stored(data_dir / "videos") == []
        assert not Session.objects.filter(video_path__isnull=False).exists()


@pytest.mark.usefixtures("database")
class TestAManifest:
    def test_names_the_file_of_each_session(self, folder, put, tmp_path):
        first, second = make_session(), make_session()
        put("take one.webm")
        put("take two.mp4", ".mp4")
        manifest = tmp_path / "manifest.csv"
        rows = f"filename,room,session_id\r\ntake one.webm,1,{first.pk}\r\ntake two.mp4,2,{second.pk}\r\n"
        manifest.write_text("\ufeff" + rows)
        out, _, went_well = import_videos(folder, "--manifest", manifest)
        assert went_well
        assert out.startswith("2 files: 2 imported")
        assert Session.objects.get(pk=second.pk).video_path == f"videos/{second.pk}.mp4"

    def test_may_not_lead_out_of_the_folder(self, folder, put, tmp_path, clips, data_dir):
        session = make_session()
        (tmp_path / "outside.webm").write_bytes(clips[".webm"].read_bytes())
        manifest = tmp_path / "manifest.csv"
        manifest.write_text(
            f"session_id,filename\n{session.pk},../outside.webm\n{session.pk},gone.webm\n{session.pk}\n"
        )
        out, err, went_well = import_videos(folder, "--manifest", manifest)
        assert not went_well
        assert out.startswith("3 files: 0 imported, 0 already there, 3 could not")
        assert "gone.webm: There is no such file" in err
        assert stored(data_dir / "videos") == []

    @pytest.mark.parametrize("content", [b"", b"id,file\n1,2\n", b"\xff\xfe\x00", b"session_id\n1\n"])
    def test_that_is_none_is_refused_before_anything_is_imported(self, folder, tmp_path, content):
        manifest = tmp_path / "manifest.csv"
        manifest.write_bytes(content)
        with pytest.raises(CommandError, match="manifest"):
            call_command("import_videos", str(folder), "--manifest", str(manifest))

    def test_that_is_not_there_is_refused(self, folder, tmp_path):
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_videos", str(folder), "--manifest", str(tmp_path / "none.csv"))


def test_the_exit_code_of_the_real_command_tells(committed_database, put, folder):
    """Both ways: an unknown session, and a folder that is not there."""
    put(f"{uuid4()}.webm")
    for path, sentence in ((folder, "no session has the id"), (folder / "none", "There is no folder")):
        run = subprocess.run(
            [sys.executable, "manage.py", "import_videos", path, "--dry-run"],
            cwd=django_settings.BASE_DIR,
            env={**os.environ, "MONGODB_DATABASE": connection.database.name},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 1
        assert sentence in run.stderr
        assert "Traceback" not in run.stderr
