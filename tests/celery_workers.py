"""Debian's Redis as a broker, and real Celery workers. Import the fixtures where they are needed."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import redis
from django.db import connection

from proctoring_site.jobs import celery, queue
from proctoring_site.launch.child_process import end_group, start_tied
from tests.servers import free_port, until


@cache
def redis_url() -> str:
    """One for all tests, since a process keeps its connections to a broker; it ends with this process."""
    port = free_port()
    server = [shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    start_tied([*server, "--dir", tempfile.gettempdir()], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    until(lambda: _answers(client))
    return f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def broker() -> str:
    redis.Redis.from_url(redis_url()).flushall()
    return redis_url()


def _answers(client: redis.Redis) -> bool:
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def environment(broker_url: str, data_dir: Path) -> dict[str, str]:
    """Of a process on the tests' database that has this broker."""
    settings = connection.settings_dict
    own = {"MONGODB_URL": settings["HOST"], "MONGODB_DATABASE": settings["NAME"], "CELERY_BROKER_URL": broker_url}
    return {**os.environ, **own, "SECRET_KEY": "of the tests", "DATA_DIR": str(data_dir), "JOB_LEASE_S": "3"}


@pytest.fixture
def start_worker(committed_database: None, broker: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    env = environment(broker, tmp_path / "data")
    workers = []

    def start(name: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "celery", "-A", "proctoring_site.jobs.celery", "worker", "-n", name]
        command += ["--concurrency", "1", "-I", "tests.job_tasks", "--loglevel", "WARNING"]
        log = (tmp_path / f"{name}.log").open("w")
        workers.append(start_tied(command, stdout=log, stderr=log, env={**env, **environment}))
        return workers[-1]

    yield start
    for worker in workers:
        end_group(worker.pid)
        worker.wait()


@pytest.fixture
def hand_over(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    celery.app.conf.broker_url = broker
    monkeypatch.setattr(queue, "_wake", [celery.hand_over])
