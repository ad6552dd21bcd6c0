"""A real, throw-away MongoDB for the tests, and a clean environment, both before Django's settings are read.

Loaded by `-p tests.mongod_plugin` (pyproject.toml). Whatever MONGODB_URL says outside, no test can reach that server.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from proctoring_site.child_process import LaunchError
from proctoring_site.embedded_mongod import EmbeddedMongod

#: Failpoints (`configureFailPoint`) need test commands.
TEST_COMMANDS = ("--setParameter", "enableTestCommands=1")
#: Would change settings.py; a test that wants one of them sets it itself.
CLEARED_VARIABLES = {
    *("MONGODB_DATABASE", "STORAGE_BACKEND", "DEBUG", "PRODUCTION", "SCORE_WEIGHTS"),
    *("SECRET_KEY_FILE", "MONGODB_URL_FILE", "TRUSTED_PROXY", "SSL_REDIRECT"),
    *("OPEN_API", "SESSION_CREATION", "CANDIDATE_TOKEN_MAX_AGE_S", "LINK_MAX_AGE_S", "LOGIN_FAILURES", "LOGIN_LOCK_S"),
    *("ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "LOG_LEVEL", "LOG_FORMAT"),
}
CLEARED_PREFIXES = ("HSTS_", "VIDEO_", "DETA_", "AWS_", "JSON_BODY_")
#: All tests call from one address, many times a minute; a test of the throttle sets its own.
UNREACHED_LIMITS = dict.fromkeys(("ANONYMOUS_PER_MINUTE", "SESSION_CREATION_PER_MINUTE", "LOGIN_PER_MINUTE"), "1000000")


class TestMongod:
    """The embedded mongod in a temporary folder, which goes with it."""

    __test__ = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="proctoring-tests-"))
        self.server = EmbeddedMongod(self.folder / "mongodb", extra_options=TEST_COMMANDS)
        atexit.register(self.stop)
        try:
            self.url = f"{self.server.start()}&directConnection=true"
        except LaunchError as error:
            raise pytest.UsageError(str(error)) from error

    def stop(self) -> None:
        """Twice is harmless."""
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


_running: list[TestMongod] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """A wrapper runs before pytest-django reads the settings. Each worker of xdist has a server of its own, since a
    failpoint is the whole server's."""
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
    os.environ.update(UNREACHED_LIMITS)


def pytest_unconfigure() -> None:
    while _running:
        _running.pop().stop()
