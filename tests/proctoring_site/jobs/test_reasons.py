"""Why background work failed: what people are told of it, and what the log has."""

import errno
import ssl

import pytest

from media_app.errors import StorageFailed
from proctoring_site.jobs import queue, reasons
from proctoring_site.jobs.models import Job
from tests import job_tasks
from tests.access import caller
from tests.factories import make_staff


class TestTheReason:
    """What an Operator reads of a failure, who may not see where the server keeps what."""

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (
                FileNotFoundError(errno.ENOENT, "No such file", "/srv/exams/secret.webm"),
                "No such file or directory; the log says more, under the id of this job.",
            ),
            (OSError("/srv/exams is gone"), "Unexpected error (OSError); the log says more, under the id of this job."),
            (KeyError("/srv/exams"), "Unexpected error (KeyError); the log says more, under the id of this job."),
            (StorageFailed("The storage failed (full)."), "The storage failed (full)."),
            (
                ssl.SSLCertVerificationError(1, "certificate verify failed"),  # a number of OpenSSL's, not the system's
                "Unexpected error (SSLCertVerificationError); the log says more, under the id of this job.",
            ),
        ],
    )
    def test_quotes_only_what_was_written_for_people(self, error, said):
        assert reasons.reason_of(error) == said

    def test_of_an_earlier_release_is_shown_without_what_it_quoted(self, database):
        job = Job.objects.create(task="t", key="a", state="failed", error="OSError: [Errno 28] full: '/srv/exams'")
        operator = caller(signed_in=make_staff("Operator"))
        for page in ("/admin/jobs/job/", f"/admin/jobs/job/{job.pk}/change/"):
            shown = operator.get(page).content.decode()
            assert "Unexpected error (OSError); the log says more" in shown
            assert "/srv/exams" not in shown
        assert f">{job.pk}<" in shown  # by which it is found in the log

    @pytest.mark.parametrize(
        "stored",
        ["StorageFailed: Another file of that name is there already.", "WorkerLost: at the last of 3 tries"],
    )
    def test_of_an_earlier_release_stays_where_it_was_written_for_people(self, stored):
        assert reasons.readable(stored) == stored

    def test_is_whole_in_the_log(self, database, run_jobs, caplog):
        job = queue.submit(job_tasks.fail, "a")
        run_jobs()
        (said,) = (one for one in caplog.records if job.pk in one.getMessage())
        assert str(said.exc_info[1]) == "no luck"

    def test_is_a_line_of_the_log_while_the_database_is_away(self, database, run_jobs, caplog):
        job = queue.submit(job_tasks.lose_the_database, "a")
        run_jobs()
        (said,) = (one for one in caplog.records if job.pk in one.getMessage())
        assert "failed with DatabaseError and is tried again" in said.getMessage()
        assert said.exc_info is None
        assert Job.objects.get(pk=job.pk).error == "The database could not be reached."
