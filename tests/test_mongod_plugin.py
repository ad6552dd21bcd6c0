"""The tests' server and environment, as a whole pytest run of its own sees them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from pymongo import MongoClient

from tests.mongod_plugin import CLEARED_PREFIXES, CLEARED_VARIABLES, TestMongod

INNER_TEST = """
def test_environment():
    from django.conf import settings
    print("URL", settings.MONGODB_URL, "DATA", settings.DATA_DIR, "NAME", settings.DATABASES["default"]["NAME"])
"""


def test_the_settings_of_the_outer_environment_do_not_reach_the_tests():
    assert not [name for name in os.environ if name in CLEARED_VARIABLES or name.startswith(CLEARED_PREFIXES)]
    assert not settings.DEBUG
    assert settings.MONGODB_URL.startswith(os.environ["MONGODB_URL"])
    assert os.environ["DATA_DIR"] == str(settings.DATA_DIR)


def test_a_run_overrides_the_callers_server_and_leaves_nothing_behind(tmp_path):
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER_TEST)
    outer = {"MONGODB_URL": "mongodb://production.invalid/", "MONGODB_DATABASE": "real", "DATA_DIR": "/nowhere"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | outer
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-qs", "-p", "no:cacheprovider", str(inner)]
    run = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    words = run.stdout.split()
    url, data, name = (words[words.index(word) + 1] for word in ("URL", "DATA", "NAME"))
    assert url.startswith("mongodb://127.0.0.1:")
    assert name == "proctoring"
    assert "/nowhere" not in data
    assert not Path(data).parent.exists()


@pytest.fixture
def mongod():
    server = TestMongod()
    yield server
    server.stop()


def test_the_server_has_transactions_and_failpoints(mongod):
    with MongoClient(mongod.url) as client, client.start_session() as session:
        with session.start_transaction():
            client["test_x"]["things"].insert_one({}, session=session)
        client.admin.command("configureFailPoint", "failCommand", mode="off")
        assert client["test_x"]["things"].count_documents({}) == 1


def test_stopping_twice_is_harmless_and_removes_the_folder(mongod):
    mongod.stop()
    mongod.stop()
    assert mongod.server.pid is None
    assert not mongod.folder.exists()
