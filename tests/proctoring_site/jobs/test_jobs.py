"""Background work: once, again after a failure, by another after a death, and seen by Operators."""

import errno
import os
import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pymongo.errors import AutoReconnect, PyMongoError

from media_app.errors import StorageFailed, UploadLost
from proctoring_site.audit.models import AuditRecord
from proctoring_site.jobs import queue, reasons
from proctoring_site.jobs.models import Job
from proctoring_site.launch.child_process import end, start_tied
from tests import job_tasks, plans, trips
from tests.access import caller
from tests.factories import make_staff
from tests.servers import free_port, until

NO_LUCK = "Unexpected error (ValueError); the log says more, under the id of this job."


@pytest.fixture(autouse=True)
def _nothing_done_yet():
    job_tasks.done.clear()


def due_now(job):
    Job.objects.filter(pk=job.pk).update(not_before=timezone.now() - timedelta(seconds=1))


def is_tried_again(job, began, at_most_s):
    """It failed since `began`; however long ago that is on a busy machine."""
    a_third, whole = timedelta(seconds=at_most_s / 3), timedelta(seconds=at_most_s + 1)
    return began + a_third < job.not_before <= timezone.now() + whole


@pytest.mark.usefixtures("database")
class TestAJob:
    def test_is_done_with_its_arguments(self, run_jobs):
        job = queue.submit(job_tasks.note, "a", word="hello")
        assert Job.objects.get().state == "waiting"
        assert run_jobs() == 1
        assert job_tasks.done == [("a", "hello")]
        job = Job.objects.get(pk=job.pk)
        assert (job.state, job.attempts, job.slot, job.error) == ("done", 1, None, None)
        assert job.queued_at <= job.started_at <= job.finished_at

    def test_waits_only_once_for_the_same_key(self, run_jobs):
        first, second = (queue.submit(job_tasks.note, "a", word=word) for word in ("one", "two"))
        other = queue.submit(job_tasks.note, "b", word="three")
        assert first.pk == second.pk != other.pk
        assert run_jobs() == 2
        assert job_tasks.done == [("a", "one"), ("b", "three")]

    def test_may_be_submitted_again_once_it_is_done(self, run_jobs):
        queue.submit(job_tasks.note, "a", word="one")
        run_jobs()
        queue.submit(job_tasks.note, "a", word="two")
        run_jobs()
        assert job_tasks.done == [("a", "one"), ("a", "two")]

    def test_that_fails_is_tried_again_later_and_later(self, run_jobs):
        job = queue.submit(job_tasks.fail, "a")
        for attempt, at_most_s in ((1, 2), (2, 4)):
            began = timezone.now()
            assert run_jobs() == 1
            job = Job.objects.get(pk=job.pk)
            assert (job.state, job.attempts, job.error) == ("waiting", attempt, NO_LUCK)
            assert is_tried_again(job, began, at_most_s)
            Job.objects.update(not_before=timezone.now() + timedelta(hours=1))
            assert run_jobs() == 0  # not yet
            due_now(job)

    def test_that_fails_too_often_has_failed(self, run_jobs):
        job = queue.submit(job_tasks.fail, "a")
        for _ in range(3):
            assert job_tasks.done == []
            due_now(job)
            run_jobs()
        job = Job.objects.get(pk=job.pk)
        assert (job.state, job.attempts, job.slot) == ("failed", 3, None)
        assert job_tasks.done == [("a", "given up")]
        due_now(job)
        assert run_jobs() == 0

    @pytest.mark.parametrize(
        "outage",
        [StorageFailed(), OSError(errno.ENOSPC, "full", "/tmp/x"), OSError(errno.EDQUOT, "full"), AutoReconnect()],
    )
    def test_that_meets_an_outage_loses_no_try_for_three_days(self, run_jobs, monkeypatch, outage):
        monkeypatch.setitem(job_tasks.trouble, "a", outage)
        job = queue.submit(job_tasks.meet, "a")
        for age_s, at_most_s in ((0, 2), (600, 60), (86_400, 600)):
            Job.objects.update(queued_at=timezone.now() - timedelta(seconds=age_s))
            due_now(job)
            began = timezone.now()
            assert run_jobs() == 1
            job.refresh_from_db()
            assert (job.state, job.attempts, job_tasks.done) == ("waiting", 0, [])
            assert is_tried_again(job, began, at_most_s)
        monkeypatch.setitem(job_tasks.trouble, "a", UploadLost())  # that is no outage
        due_now(job)
        run_jobs()
        job.refresh_from_db()
        assert (job.state, job.attempts, job.error) == ("waiting", 1, UploadLost.sentence)
        monkeypatch.setitem(job_tasks.trouble, "a", outage)
        Job.objects.update(queued_at=timezone.now() - timedelta(days=3))
        due_now(job)
        run_jobs()
        job.refresh_from_db()
        assert (job.state, job.error, job_tasks.done) == ("failed", reasons.reason_of(outage), [("a", "given up")])

    def test_that_cannot_even_be_given_up_has_failed_all_the_same(self, run_jobs):
        queue.submit(job_tasks.fail_wholly, "a")
        assert run_jobs() == 1
        job = Job.objects.get()
        assert (job.state, job.error, job.slot) == ("failed", NO_LUCK, None)

    def test_that_another_has_meanwhile_is_given_up_by_nobody(self, run_jobs):
        job = queue.submit(job_tasks.fail, "a")
        Job.objects.update(attempts=2)
        slow = queue.take(job.pk)
        Job.objects.update(runs_until=timezone.now() - timedelta(seconds=1), attempts=0)
        queue.take(job.pk)
        queue.run(slow)
        assert (job_tasks.done, Job.objects.get().state) == ([], "running")

    @pytest.mark.parametrize("state", ["waiting", "running"])
    def test_of_a_task_that_this_release_has_not_is_left_to_another_release_for_a_day(self, run_jobs, state):
        a_day_ago = timezone.now() - timedelta(days=1)
        an_hour = timedelta(hours=1)
        since = {"state": state, "not_before": a_day_ago + an_hour, "runs_until": a_day_ago + an_hour}
        job = Job.objects.create(task="next", key="a", slot="next:a", queued_at=a_day_ago, attempts=1, **since)
        assert (queue.due(), queue.requeue(), queue.take(job.pk), run_jobs()) == (0, 0, None, 0)
        Job.objects.update(not_before=a_day_ago, runs_until=a_day_ago)
        assert run_jobs() == 1
        job.refresh_from_db()
        assert (job.state, job.error, job.attempts) == ("failed", "This release has no such task.", 2)

    def test_that_was_lost_with_its_worker_is_done_by_another(self, run_jobs, monkeypatch):
        job = queue.submit(job_tasks.note, "a", word="hello")
        dead = queue.take(job.pk)
        for ahead_s in (0, 40):  # by another machine's clock the lease has run out
            there = timezone.now() + timedelta(seconds=ahead_s)
            with monkeypatch.context() as elsewhere:
                elsewhere.setattr(timezone, "now", lambda there=there: there)
                assert (queue.take(job.pk), queue.due(), run_jobs()) == (None, 0, 0)
        Job.objects.update(runs_until=timezone.now() - timedelta(seconds=1))
        assert run_jobs() == 1
        assert job_tasks.done == [("a", "hello")]
        queue._write(dead, state="failed")  # the dead one comes back, and has nothing to say any more
        assert Job.objects.get().state == "done"

    def test_that_is_lost_with_each_of_its_workers_has_failed(self, run_jobs):
        job = queue.submit(job_tasks.fail, "a")
        for _ in range(3):
            queue.take(job.pk)
            Job.objects.update(runs_until=timezone.now() - timedelta(seconds=1))
        assert run_jobs() == 1
        job = Job.objects.get(pk=job.pk)
        assert (job.state, job.error, job.slot) == ("failed", "The worker was lost, at the last of 3 tries.", None)

    def test_without_a_trip_for_nothing(self):
        with trips.exactly("findAndModify jobs"):
            queue.submit(job_tasks.note, "a", word="x")


@pytest.mark.usefixtures("database")
class TestTellingAgain:
    def test_is_of_what_nobody_was_told_of_lately_and_by_one_machine(self, monkeypatch):
        told = []
        monkeypatch.setattr(queue, "_wake", [told.append])
        job = queue.submit(job_tasks.note, "a", word="x")
        assert (told, queue.requeue()) == ([job.pk], 0)
        Job.objects.update(told_at=timezone.now() - timedelta(minutes=2))
        assert (queue.requeue(), queue.requeue()) == (1, 0)
        assert told == [job.pk] * 2
        monkeypatch.setattr(queue, "_wake", [lambda _: told.append(job.pk) or len(told) < 9 or pytest.fail("for ever")])
        queue.run(queue.take(job.pk))
        failed = queue.submit(job_tasks.fail, "a")
        queue.run(queue.take(failed.pk))  # within its lease
        due_now(failed)
        assert (queue.requeue(), queue.requeue()) == (1, 0)

    def test_a_broker_that_is_away_fails_no_request(self, monkeypatch):
        def away(job_id):
            raise ConnectionError

        monkeypatch.setattr(queue, "_wake", [away])
        assert queue.submit(job_tasks.note, "a", word="x").pk == Job.objects.get().pk


@pytest.mark.usefixtures("database")
class TestTheCommand:
    def test_does_what_waits(self, capsys):
        queue.submit(job_tasks.note, "a", word="x")
        call_command("run_jobs", "--dry-run")
        call_command("run_jobs")
        call_command("run_jobs")
        assert capsys.readouterr().out.splitlines() == ["1 jobs are due.", "1 jobs were run.", "0 jobs were run."]
        assert job_tasks.done == [("a", "x")]

    def test_tries_each_once_however_soon_it_is_due_again(self, capsys, monkeypatch):
        monkeypatch.setattr(queue, "LONGEST_PAUSE_S", 0)
        queue.submit(job_tasks.fail, "a")
        call_command("run_jobs")
        assert capsys.readouterr().out == "1 jobs were run.\n"


@pytest.mark.usefixtures("database")
class TestTheAdmin:
    @pytest.fixture
    def failed(self, run_jobs):
        job = queue.submit(job_tasks.fail, "a")
        for _ in range(3):
            due_now(job)
            run_jobs()
        return Job.objects.get(pk=job.pk)

    def test_shows_what_failed_and_why(self, failed):
        page = caller(signed_in=make_staff("Operator")).get("/admin/jobs/job/?state__exact=failed")
        assert page.status_code == 200
        assert NO_LUCK in page.content.decode()

    def test_runs_it_again_and_the_audit_log_says_who_did(self, failed, run_jobs):
        operator = make_staff("Operator")
        answer = caller(signed_in=operator).post(
            "/admin/jobs/job/", {"action": "run_again", "_selected_action": [failed.pk]}, follow=True
        )
        assert "Failed jobs now waiting for another try: 1." in answer.content.decode()
        assert Job.objects.get().state == "waiting"
        record = AuditRecord.objects.get(object_kind="job")
        assert (record.actor_name, record.object_id) == (operator.username, failed.pk)
        assert run_jobs() == 1


def test_one_is_submitted_and_taken_by_an_index_however_many_are_done_or_another_releases(committed_database):
    Job.objects.bulk_create([Job(task="test.note", key=str(n), state="done") for n in range(100)])
    Job.objects.bulk_create([Job(task="next", key=str(n), slot=f"next:{n}") for n in range(100)])
    database = connection.database
    database.command("profile", 2)
    try:
        for word in ("one", "two"):
            queue.submit(job_tasks.note, "a", word=word)
        assert queue.take().key == "a"
        seen = list(database["system.profile"].find({"command.findAndModify": "jobs"}))
    finally:
        database.command("profile", 0)
        database["system.profile"].drop()
    assert [entry["docsExamined"] for entry in seen] == [0, 1, 1]
    assert {entry["planSummary"] for entry in seen[:2]} == {"IXSCAN { slot: 1 }"}


SLOW_WORK = """
import django
django.setup()
from tests import job_tasks
from proctoring_site.jobs import here
here.STOP_PATIENCE_S = 0
from proctoring_site.wsgi import application
"""


def test_what_a_stopped_web_server_was_doing_is_given_back(committed_database, tmp_path):
    """Celery's workers are in test_jobs_by_celery.py."""
    queue.submit(job_tasks.slow, "a", folder=str(tmp_path), seconds=60)
    (tmp_path / "slow_work.py").write_text(SLOW_WORK)
    environment = {**os.environ, "MONGODB_DATABASE": connection.settings_dict["NAME"], "PYTHONPATH": str(tmp_path)}
    command = ["granian", "--interface", "wsgi", "--port", str(free_port()), "slow_work:application"]
    server = start_tied([sys.executable, "-m", *command], env=environment)
    until(lambda: list(tmp_path.glob("a.*.begun")))
    end(server, patience_s=30)
    job = Job.objects.get()
    assert (job.state, job.attempts, queue.due()) == ("waiting", 0, 1)


@contextmanager
def writing_nothing():
    client = connection.database.client
    app = client.options.pool_options.appname
    data = {"failCommands": ["update"], "appName": app, "errorCode": 211}  # no driver tries that again
    client.admin.command("configureFailPoint", "failCommand", mode="alwaysOn", data=data)
    try:
        yield
    finally:
        client.admin.command("configureFailPoint", "failCommand", mode="off")


def test_what_the_database_went_away_under_has_all_its_tries_once_it_is_back(committed_database, monkeypatch):
    monkeypatch.setitem(job_tasks.trouble, "a", AutoReconnect())
    job = queue.submit(job_tasks.meet, "a")
    for _ in range(3):
        with writing_nothing(), pytest.raises(PyMongoError):
            queue.run(queue.take(job.pk))
        assert queue.take("another") is None
        job.refresh_from_db()
        assert (job.state, job.attempts) == ("waiting", 0)


def test_what_is_done_is_forgotten_and_what_failed_is_not(committed_database):
    until = connection.get_collection("jobs").index_information()["jobs_until"]
    assert until["key"] == [("finished_at", 1)]
    assert until["expireAfterSeconds"] == 30 * 24 * 3600
    assert until["partialFilterExpression"] == {"state": "done"}


def test_its_list_is_asked_for_by_an_index(committed_database):
    Job.objects.bulk_create([Job(task="test.note", key=str(n)) for n in range(30)])
    newest = Job.objects.order_by("-queued_at", "-id")
    for rows in (newest[:10], newest.filter(state="waiting")[:10]):
        plan = plans.explain(rows)
        assert plan.uses_index
        assert not plan.sorts_in_memory
        assert plan.docs_examined <= 10
