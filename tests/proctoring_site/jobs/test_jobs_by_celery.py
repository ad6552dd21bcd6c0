"""Background work with a broker: Debian's Redis, and two real Celery workers, one of which is killed in the middle."""

import json
import os
import signal
import socket
import subprocess
import sys

import redis

from proctoring_site.jobs import queue
from proctoring_site.jobs.models import Job
from proctoring_site.launch.child_process import end_group
from tests import celery_workers, job_tasks
from tests.servers import until

broker, start_worker, hand_over = celery_workers.broker, celery_workers.start_worker, celery_workers.hand_over


def test_a_worker_does_what_was_submitted(start_worker, hand_over, tmp_path):
    worker = start_worker("one")
    queue.submit(job_tasks.slow, "a", folder=str(tmp_path), seconds=0)
    until(lambda: Job.objects.get().state == "done")
    assert (tmp_path / "a.done").read_text() == "done\n"
    until(lambda: "INFO tests.job_tasks [-]: done" in (tmp_path / "one.log").read_text())  # by LOG_LEVEL, not Celery's

    queue.submit(job_tasks.slow, "b", folder=str(tmp_path), seconds=60)
    until(lambda: list(tmp_path.glob("b.*.begun")))
    os.killpg(worker.pid, signal.SIGTERM)  # as systemd stops it
    until(lambda: (Job.objects.get(key="b").state, Job.objects.get(key="b").attempts) == ("waiting", 0))


def test_what_a_killed_worker_was_doing_is_finished_once_by_another(start_worker, hand_over, tmp_path):
    one = start_worker("one")
    queue.submit(job_tasks.slow, "a", folder=str(tmp_path), seconds=3)
    until(lambda: list(tmp_path.glob("a.*.begun")))
    end_group(one.pid)
    assert not (tmp_path / "a.done").exists()
    start_worker("two")
    for key in "bcd":
        queue.submit(job_tasks.slow, key, folder=str(tmp_path), seconds=0)
    until(lambda: Job.objects.filter(state="done").count() == 4)
    assert {key: (tmp_path / f"{key}.done").read_text() for key in "abcd"} == dict.fromkeys("abcd", "done\n")
    assert Job.objects.get(key="a").attempts == 2


def test_what_was_submitted_while_the_broker_was_away_is_not_forgotten(start_worker, monkeypatch, tmp_path):
    monkeypatch.setattr(queue, "_wake", [])
    queue.submit(job_tasks.slow, "a", folder=str(tmp_path), seconds=0)
    Job.objects.update(told_at=None)
    start_worker("one")
    until(lambda: Job.objects.get().state == "done")


def test_a_message_holds_the_id_of_a_job_and_nothing_else(committed_database, broker, hand_over):
    job = queue.submit(job_tasks.note, "a", word="of a candidate")
    (message,) = redis.Redis.from_url(broker).lrange("celery", 0, -1)
    assert job.pk in json.dumps(json.loads(message)["headers"])
    assert b"of a candidate" not in message


def test_a_broker_that_hangs_holds_up_nobody_for_long(committed_database, tmp_path):
    tell = "import django; django.setup(); from proctoring_site.jobs import queue; queue.tell('of-a-job')"
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        env = celery_workers.environment(f"redis://127.0.0.1:{hangs.getsockname()[1]}/0", tmp_path)
        env["DJANGO_SETTINGS_MODULE"] = "proctoring_site.settings"
        told = subprocess.run([sys.executable, "-c", tell], env=env, capture_output=True, text=True, timeout=60)
    assert (told.returncode, "job of-a-job waits" in told.stderr) == (0, True), told.stderr
