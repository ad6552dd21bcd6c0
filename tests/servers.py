"""Servers of a test's own, to be stopped and frozen: mongod on a folder, and granian on that mongod."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import httpx
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from proctoring_site.launch.child_process import end, end_group, start_tied
from proctoring_site.launch.mongod_binary import find_mongod
from tests.callers import bearer

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE_S = 60
#: Requests that a served worker answers at once; one more waits.
THREADS = 16
#: Commands one after the other in one process: to import Django takes longer than most of them.
IN_TURN = """
import json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["manage.py", *arguments]
    runpy.run_path("manage.py", run_name="__main__")
"""


class Mongod:
    """A mongod whose data survive its end. `replica_set=False` is the earlier service's usual server, a standalone, or
    with `options` what they make of it."""

    def __init__(self, folder: Path, *, replica_set: bool = True, options: Sequence[str] = ()) -> None:
        self.folder, self.port = folder, free_port()
        self.replica_set, self._options = replica_set, options
        (folder / "db").mkdir(parents=True)
        self.start()
        if replica_set:
            members = [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]
            with MongoClient(self.direct) as client:
                client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            self.until_writable()

    @property
    def direct(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/" + ("?replicaSet=rs0" if self.replica_set else "")

    def start(self) -> None:
        small = ("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket", "--bind_ip", "127.0.0.1")
        replica_set = ("--replSet", "rs0") if self.replica_set else ()
        places = ("--dbpath", f"{self.folder}/db", "--logpath", f"{self.folder}/log", "--port", str(self.port))
        quiet = ("--setParameter", "diagnosticDataCollectionEnabled=false")
        self.process = start_tied(
            [str(find_mongod()), *places, *small, *quiet, *replica_set, *self._options], stdout=subprocess.DEVNULL
        )
        until(self._answers)

    def _answers(self) -> bool:
        with MongoClient(self.direct, serverSelectionTimeoutMS=500) as client:
            try:
                return bool(client.admin.command("ping")["ok"])
            except PyMongoError:
                return False

    def until_writable(self) -> None:
        with MongoClient(self.direct) as client:
            until(lambda: client.admin.command("hello")["isWritablePrimary"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        """For good: its files are some 200 MB."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self) -> None:
        """Returns when every thread stands still: until then mongod may answer one request more."""
        self.process.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        until(lambda: all(state_of(thread) == "T" for thread in threads.iterdir()))

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)


def state_of(thread: Path) -> str:
    """The third field of proc_pid_stat(5); the second, a name, may hold anything."""
    return (thread / "stat").read_text().rpartition(")")[2].split()[0]


class Web:
    """The product as it is served, on a port of its own; `log` takes all that it says. `within` is a command that
    runs it."""

    def __init__(
        self,
        mongodb_url: str,
        folder: Path,
        *,
        workers: int = 1,
        log: Path | None = None,
        within: Sequence[str] = (),
        **environment: str,
    ) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.environment = {
            **os.environ,
            "MONGODB_URL": mongodb_url,
            "DATA_DIR": str(folder),
            "SECRET_KEY": secrets.token_urlsafe(50),
            "WEB_THREADS": str(THREADS),
            **environment,
        }
        served = ["--interface", "wsgi", "--blocking-threads", str(THREADS), "--host", "127.0.0.1", "--port", str(port)]
        served += ["--workers", str(workers), "--respawn-failed-workers", "--log-level", "error"]
        served += ["--working-dir", str(REPOSITORY), "proctoring_site.wsgi:application"]
        self._command, self._log = [*within, sys.executable, "-m", "granian", *served], log or os.devnull
        self.start()

    def start(self) -> None:
        with open(self._log, "ab") as said:
            self.process = start_tied(self._command, stdout=said, stderr=said, env=self.environment)
        until(self._answers)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=PATIENCE_S).is_success
        except httpx.TransportError:
            return False

    @property
    def worker_pids(self) -> list[int]:
        """Empty once granian itself has ended."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if self.process.poll() is None else []

    def kill_workers(self) -> None:
        """As a fault would end them; `bring_back` is for afterwards."""
        for pid in self.worker_pids:
            os.kill(pid, signal.SIGKILL)

    def bring_back(self, killed: Iterable[int]) -> None:
        """granian replaces them; when they end within 5.5 s of their start it gives up instead, and what watches it
        (here we, else launch) starts it again."""
        killed = set(killed)

        def are_back() -> bool:
            if self.process.poll() is not None:
                end_group(self.process.pid)
                self.start()
            return len(set(self.worker_pids) - killed) == len(killed)

        until(are_back)

    def stop(self) -> None:
        end(self.process, patience_s=PATIENCE_S)


def manage(*arguments: str, mongodb_url: str, folder: Path, **environment: str) -> str:
    """A command of the project in a process of its own; its output."""
    return manage_in_turn(arguments, mongodb_url=mongodb_url, folder=folder, **environment)


def manage_in_turn(*commands: Sequence[str], mongodb_url: str, folder: Path, **environment: str) -> str:
    """Commands of the project in one process of their own; all that they say."""
    own = {"MONGODB_URL": mongodb_url, "DATA_DIR": str(folder), **environment}
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(commands)],
        cwd=REPOSITORY,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def migrate_with_superuser(
    username: str, password: str, *also: Sequence[str], mongodb_url: str, folder: Path, **environment: str
) -> dict[str, str]:
    """A database with this account, and what these commands do besides; the headers of a machine with its rights."""
    said = manage_in_turn(
        ("migrate", "--verbosity=0"),
        ("createsuperuser", "--noinput", f"--username={username}", "--email=a@example.org", "--verbosity=0"),
        *also,
        ("create_api_token", username, "--name=test"),
        mongodb_url=mongodb_url,
        folder=folder,
        DJANGO_SUPERUSER_PASSWORD=password,
        **environment,
    )
    return bearer(said.split()[-1])


def until(holds: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    """Nobody else gets it who asks the kernel for any port: for a minute a connection there is in TIME_WAIT, which
    keeps no server from it that names it and sets SO_REUSEADDR, as all do."""
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_connection(free.getsockname()):
        free.accept()[0].close()  # who closes first waits
        return free.getsockname()[1]
