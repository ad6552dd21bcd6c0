"""check_service: what a monitor draws, and what it wakes somebody for."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from media_app import resumable
from media_app.models import Recording
from proctoring_site.access import api_tokens
from proctoring_site.access.models import ApiToken
from proctoring_site.jobs.models import Job, JobState
from tests.drives import data_dir  # noqa: F401 - a fixture
from tests.factories import make_session, make_staff

pytestmark = pytest.mark.usefixtures("database")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def drives(data_dir):  # noqa: F811
    data_dir.mkdir()
    return data_dir


def check(*options):
    """Its figures, and the sentences with which it failed, if it did."""
    out, said = io.StringIO(), ""
    try:
        call_command("check_service", "--disk-free", "0", *options, stdout=out)
    except CommandError as error:
        said = str(error)
    lines = (line.removeprefix("proctoring_").split() for line in out.getvalue().splitlines())
    return {name: int(value) for name, value in lines}, said


def make_job(number=0, **fields):
    return Job.objects.create(task="process_recording", key=f"{number}", slot=f"{number}", **fields)


def test_where_all_is_well_there_are_figures_alone():
    figures, said = check()
    assert said == ""
    assert figures.pop("disk_free_bytes") > 0
    assert 0 <= figures.pop("disk_free_percent") <= 100
    ready = dict.fromkeys(("database_ready", "videos_ready", "reports_ready"), 1)
    jobs = dict.fromkeys(("jobs_failed", "jobs_running", "jobs_due", "jobs_due_longest_s"), 0)
    assert figures == {**ready, **jobs, "sessions_to_close": 0, "uploads_to_remove": 0, "api_tokens_expiring": 0}


@pytest.mark.parametrize(("ago", "is_said"), [(HOUR, True), (2 * DAY, False)])
def test_work_that_failed_is_told_of_for_a_day(ago, is_said):
    make_job(state=JobState.FAILED, finished_at=timezone.now() - ago)
    figures, said = check()
    assert figures["jobs_failed"] == 1
    assert said.startswith("background work failed within a day (1)") == is_said


@pytest.mark.parametrize(("lease", "is_said"), [(-MINUTE, True), (MINUTE, False)])
def test_work_that_waits_while_nobody_works_is_told_of(lease, is_said):
    at = timezone.now()
    make_job(1, not_before=at - 10 * MINUTE)
    make_job(2, not_before=at - 90 * MINUTE, state=JobState.RUNNING, runs_until=at + lease)
    figures, said = check()
    assert figures["jobs_due_longest_s"] == pytest.approx(600, abs=20)
    assert (figures["jobs_running"], figures["jobs_due"]) == ((0, 2) if is_said else (1, 1))
    assert ("nobody is doing it" in said) == is_said


def test_commands_that_cron_does_not_run_are_named(settings):
    at = timezone.now()
    late = timedelta(seconds=settings.SESSION_EXPIRES_AFTER_S) + HOUR
    uploads = [resumable.begin(make_session(start_time=started), size_bytes=9) for started in (at, at - late)]
    Recording.objects.filter(pk=uploads[0].pk).update(expires_at=at - 4 * HOUR)
    figures, said = check()
    assert (figures["sessions_to_close"], figures["uploads_to_remove"]) == (1, 1)
    assert [line.split()[0] for line in said.splitlines()] == ["close_stale_sessions", "expire_uploads"]


def test_a_token_that_is_in_use_and_expires_is_named():
    owner, at = make_staff(), timezone.now()
    for name, days, used in (("the LMS", 13, at), ("of next year", 15, at), ("of nobody", 13, None)):
        token, _ = api_tokens.create(owner=owner, name=name, expires_at=at + days * DAY)
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=used)
    figures, said = check()
    assert figures["api_tokens_expiring"] == 1
    assert said.startswith("API tokens that are in use expire soon: the LMS (")


def test_a_drive_that_takes_no_file_and_a_disk_that_is_nearly_full_are_named(drives, caplog):
    (drives / "videos").write_text("in the place of the folder")
    figures, said = check("--disk-free", "101")
    assert (figures["videos_ready"], figures["reports_ready"]) == (0, 1)
    assert said.splitlines()[0].startswith("videos cannot be used")
    assert said.splitlines()[1].endswith(f"{figures['disk_free_percent']} % left.")
    assert "not ready: videos (ENOTDIR)" in caplog.messages
