"""What the admin shows of a session's recordings, and to whom."""

import pytest

from media_app import resumable
from media_app.models import Recording
from tests.access import caller
from tests.factories import make_session, make_staff

pytestmark = pytest.mark.usefixtures("database")


class TestTheAdmin:
    def page(self, group, recording):
        path = f"/admin/sessions_app/session/{recording.session_id}/change/"
        return caller(signed_in=make_staff(group)).get(path).content.decode()

    def test_shows_what_was_sent_and_where_it_is_to_be_seen(self, send, live, run_jobs):
        recording = send(live)
        run_jobs()
        recording.refresh_from_db()
        page = self.page("Reviewer", recording)
        assert f'href="/videos/{recording.name}"' in page
        assert recording.sha256 in page
        assert "64 × 48, vp8" in page

    def test_says_why_a_recording_is_not_shown(self, send, run_jobs):
        recording = send(b"no video at all")
        run_jobs()
        assert "rejected: The file is not a WebM" in self.page("Reviewer", recording)

    def test_says_how_much_of_one_has_come(self, data_dir):
        recording = resumable.begin(make_session(), size_bytes=2048)
        resumable.write(recording, offset=0, chunks=iter([b"x" * 1024]))
        assert "receiving, 1.0\xa0KB of 2.0\xa0KB" in self.page("Reviewer", recording)

    def test_shows_none_of_it_to_whoever_may_not_see_the_evidence(self, send, live, run_jobs):
        recording = send(live)
        run_jobs()
        assert Recording.objects.get().sha256 not in self.page("Operator", recording)
