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
import trustme

from proctoring_site.launch.child_process import LaunchError
from proctoring_site.launch.embedded_mongod import EmbeddedMongod

#: Failpoints (`configureFailPoint`) need test commands; and a test is one transaction, for which a machine with much
#: else to do may need more than a minute.
TEST_COMMANDS = ("--setParameter", "enableTestCommands=1", "--setParameter", "transactionLifetimeLimitSeconds=600")
#: Would change settings.py; a test that wants one of them sets it itself.
CLEARED_VARIABLES = {
    *("MONGODB_DATABASE", "STORAGE_BACKEND", "DEBUG", "PRODUCTION", "SCORE_WEIGHTS"),
    *("SECRET_KEY_FILE", "SECRET_KEY_FALLBACKS", "MONGODB_URL_FILE", "TRUSTED_PROXY", "SSL_REDIRECT"),
    *("OPEN_API", "SESSION_CREATION", "CANDIDATE_TOKEN_MAX_AGE_S", "LINK_MAX_AGE_S", "LOGIN_FAILURES", "LOGIN_LOCK_S"),
    *("ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "CSRF_TRUSTED_ORIGINS", "LOG_LEVEL", "LOG_FORMAT"),
}
CLEARED_PREFIXES = ("HSTS_", "VIDEO_", "DETA_", "AWS_", "JSON_BODY_")
#: All tests call from one address, many times a minute; a test of the throttle sets its own.
UNREACHED_LIMITS = dict.fromkeys(("ANONYMOUS_PER_MINUTE", "SESSION_CREATION_PER_MINUTE", "LOGIN_PER_MINUTE"), "1000000")


#: Where the tests' database lies when there is so much room: in memory, where no commit waits for a disk. What is
#: proven about killed servers (tests/proof) has servers and disks of its own.
IN_MEMORY, ROOM_BYTES = Path("/dev/shm"), 4 * 1024**3
PREFIX = "proctoring-tests-"


def folder_for_the_database() -> Path:
    """Its name tells whose it is, so that what a killed run left there does not fill the memory for ever."""
    for left in IN_MEMORY.glob(f"{PREFIX}*"):
        if not Path(f"/proc/{left.name.removeprefix(PREFIX).partition('-')[0]}").exists():
            shutil.rmtree(left, ignore_errors=True)
    has_room = IN_MEMORY.is_dir() and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=IN_MEMORY if has_room else None))


#: For who only hands out the tests to workers.
NOWHERE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"


class TestMongod:
    """The embedded mongod in a temporary folder, which goes with it, as does the one for the tests' files."""

    __test__ = False

    def __init__(self, *, starts: bool = True) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self.database_folder = folder_for_the_database()
        self.server = EmbeddedMongod(self.database_folder / "mongodb", extra_options=TEST_COMMANDS)
        atexit.register(self.stop)
        try:
            self.url = f"{self.server.start()}&directConnection=true" if starts else NOWHERE
        except LaunchError as error:
            raise pytest.UsageError(str(error)) from error

    def stop(self) -> None:
        """Twice is harmless."""
        self.server.stop()
        for folder in (self.database_folder, self.folder):
            shutil.rmtree(folder, ignore_errors=True)


_running: list[TestMongod] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper runs before pytest-django reads the settings. Each worker of xdist has a server of its own, since a
    failpoint is the whole server's."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    mongod = TestMongod(starts=is_worker or not early_config.known_args_namespace.numprocesses)
    _running.append(mongod)
    _set_environment(mongod)
    return (yield)


def an_authority(folder: Path) -> Path:
    """In place of the world's, which nobody on loopback needs: to read those 140 takes httpx 20 ms per client."""
    path = folder / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def _set_environment(mongod: TestMongod) -> None:
    for name in list(os.environ):
        if name in CLEARED_VARIABLES or name.startswith(CLEARED_PREFIXES):
            del os.environ[name]
    os.environ["MONGODB_URL"] = mongod.url
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(50)
    os.environ["DATA_DIR"] = str(mongod.folder / "data")
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"  # none is looked for at each request
    os.environ["SSL_CERT_FILE"] = str(an_authority(mongod.folder))
    os.environ.update(UNREACHED_LIMITS)


def pytest_unconfigure() -> None:
    while _running:
        _running.pop().stop()
