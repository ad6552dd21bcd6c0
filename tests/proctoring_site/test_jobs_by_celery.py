"""Background work with a broker: Debian's Redis, and two real Celery workers, one of which is killed in the middle."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from django.db import connection

from proctoring_site.child_process import end_group, start_tied
from proctoring_site.jobs import celery, queue
from proctoring_site.jobs.models import Job
from tests import job_tasks
from tests.servers import free_port, until


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all tests, since a process keeps its connections to a broker."""
    port = free_port()
    server = [shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = start_tied([*server, "--dir", str(tmp_path_factory.mktemp("redis"))], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    until(lambda: _answers(client))
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


@pytest.fixture
def broker(redis_url: str) -> str:
    redis.Redis.from_url(redis_url).flushall()
    return redis_url


def _answers(client: redis.Redis) -> bool:
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


@pytest.fixture
def start_worker(committed_database: None, broker: str, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen]]:
    settings = connection.settings_dict
    env = {**os.environ, "MONGODB_URL": settings["HOST"], "MONGODB_DATABASE": settings["NAME"]}
    env |= {
        "CELERY_BROKER_URL": broker,
        "SECRET_KEY": "of the tests",
        "DATA_DIR": str(tmp_path / "data"),
        "JOB_LEASE_S": "3",
    }
    workers = []

    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "celery", "-A", "proctoring_site.jobs.celery", "worker", "-n", name]
        command += ["--concurrency", "1", "-I", "tests.job_tasks", "--loglevel", "WARNING"]
        log = (tmp_path / f"{name}.log").open("w")
        workers.append(start_tied(command, stdout=log, stderr=log, env=env))
        return workers[-1]

    yield start
    for worker in workers:
        end_group(worker.pid)
        worker.wait()


@pytest.fixture
def hand_over(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    celery.app.conf.broker_url = broker
    monkeypatch.setattr(queue, "_wake", [celery.hand_over])


def test_a_worker_does_what_was_submitted(start_worker, hand_over, tmp_path):
    start_worker("one")
    queue.submit(job_tasks.slow, "a", folder=str(tmp_path), seconds=0)
    until(lambda: Job.objects.get().state == "done")
    assert (tmp_path / "a.done").read_text() == "done\n"


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
