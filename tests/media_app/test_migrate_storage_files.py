"""migrate_storage, of files that no recording's row names."""

from uuid import uuid4

import httpx
import pytest
from django.core.management import CommandError

from media_app import moving
from reports_app import services as reports
from reports_app.services import is_current
from sessions_app.models import Session
from tests import s3_server
from tests.drives import stored
from tests.factories import make_session
from tests.media_app import moves
from tests.media_app.moves import keys, migrate

pytestmark = pytest.mark.usefixtures("committed_database")
recordings = moves.recordings
moto_url, s3 = s3_server.moto_url, s3_server.s3


class TestAFileWithoutARow:
    """A video of the time before recordings, or a report: STORAGE_BACKEND says where it is looked for."""

    @pytest.fixture
    def old(self, recordings, data_dir, api):
        session = make_session()
        session.video_path = f"data/videos/{session.pk}.webm"
        session.save()
        (data_dir / "videos" / f"{session.pk}.webm").write_bytes(b"from the earlier service")
        api.get(f"/sessions/{session.pk}/report.html")
        return session

    def said(self, *, copied):
        return [
            "0 recordings moved from local to s3, 0 are still to be moved.",
            f"{copied} older videos and reports copied, 0 are still to be.",
        ]

    def test_is_there_when_the_switch_is_set(self, old, s3, settings, api, data_dir):
        assert migrate("--dry-run").splitlines()[1] == "2 older videos and reports would be copied."
        assert migrate().splitlines()[1:] == self.said(copied=2)[1:]
        assert api.get(f"/videos/{old.pk}.webm").getvalue() == b"from the earlier service"  # here as before
        settings.STORAGE_BACKEND, settings.STORAGES = "s3", {**settings.STORAGES}
        answer = api.get(f"/videos/{old.pk}.webm")
        assert httpx.get(answer["Location"]).content == b"from the earlier service"
        assert is_current(Session.objects.get(pk=old.pk), "html")  # the report was not rendered anew
        assert migrate("--delete-source").splitlines() == self.said(copied=2)
        assert (stored(data_dir / "videos"), stored(data_dir / "reports")) == ([], [])
        assert api.get(f"/videos/{old.pk}.webm").status_code == 302

    def test_is_not_deleted_where_it_is_still_looked_for(self, old, s3, data_dir):
        said = migrate("--delete-source").splitlines()
        assert said[2] == "They also stay on local, where STORAGE_BACKEND looks for them: switch it, and run again."
        assert f"{old.pk}.webm" in stored(data_dir / "videos")

    def test_does_not_replace_another_video(self, old, s3, data_dir):
        s3.put_object(Key=f"videos/{old.pk}.webm", Body=b"another")
        with pytest.raises(CommandError, match="Not everything"):
            migrate("--delete-source")
        assert s3.Object(f"videos/{old.pk}.webm").get()["Body"].read() == b"another"
        assert (data_dir / "videos" / f"{old.pk}.webm").exists()

    def test_does_not_replace_a_report_that_is_newer_there(self, old, s3, settings):
        migrate()
        settings.STORAGE_BACKEND, settings.STORAGES = "s3", {**settings.STORAGES}
        key = f"reports/report_{old.pk}.html"
        s3.put_object(Key=key, Body=b"newer")
        migrate()
        assert s3.Object(key).get()["Body"].read() == b"newer"

    def test_of_a_session_that_was_deleted_does_not_come_back(self, old, recordings, s3, data_dir, settings):
        adopted = make_session(video_path="data/videos/of another name.webm")
        (data_dir / "videos" / "of another name.webm").write_bytes(b"adopted")
        migrate()
        settings.STORAGE_BACKEND, settings.STORAGES = "s3", {**settings.STORAGES}
        for session_id in (old.pk, recordings[0].session_id):
            reports.delete_session(Session.objects.get(pk=session_id))
        left = [name for name in stored(data_dir / "videos") if recordings[0].pk in name]
        assert len(left) == 2
        assert migrate("--dry-run").splitlines()[2] == "4 files there belong to nothing: --delete-source removes them."
        said = migrate("--delete-source").splitlines()
        assert said[2] == "4 files of deleted sessions, which nothing refers to any more, were removed."
        assert (stored(data_dir / "videos"), stored(data_dir / "reports")) == ([], [])
        assert keys(s3) == {f"videos/{name}" for name in [*recordings[1].files, adopted.video_name]}

    def test_that_is_nobodys_stays_while_it_lies_where_files_are_looked_for(self, recordings, s3, data_dir):
        (data_dir / "videos" / "nobodys.webm").write_bytes(b"x")
        when = "--delete-source removes them once STORAGE_BACKEND looks elsewhere."
        assert migrate("--dry-run").splitlines()[1] == f"1 files there belong to nothing: {when}"
        migrate("--delete-source")
        assert stored(data_dir / "videos") == ["nobodys.webm"]

    def test_of_a_recording_without_a_row_stays_as_long_as_there_is_its_session(self, s3, data_dir, settings):
        """Another process may be about to write the row; or the database lost it."""
        there = make_session()
        names = sorted(f"{pk}.{uuid4()}.original" for pk in (there.pk, uuid4()))
        (data_dir / "videos").mkdir(parents=True)
        for name in names:
            (data_dir / "videos" / name).write_bytes(b"evidence")
        settings.STORAGE_BACKEND, settings.STORAGES = "s3", {**settings.STORAGES}
        migrate("--delete-source")
        assert stored(data_dir / "videos") == [name for name in names if name.startswith(there.pk)]
        assert keys(s3) == set()

    def test_whose_session_is_deleted_while_it_is_copied_is_nowhere(self, old, s3, monkeypatch):
        plain = moving._copy

        def delete_meanwhile(name, *args, **how):
            plain(name, *args, **how)
            if name == f"{old.pk}.webm":
                reports.delete_session(old)

        monkeypatch.setattr(moving, "_copy", delete_meanwhile)
        migrate()
        assert not [key for key in keys(s3) if old.pk in key]
