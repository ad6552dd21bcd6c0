"""The MongoDB of a newcomer's machine: a real mongod on loopback in its own folder, when no other server is named."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from proctoring_site.launch.child_process import (
    Held,
    LaunchError,
    end,
    end_left_behind,
    hold,
    how_it_ended,
    missing_libraries,
    start_tied,
    unwritable,
)
from proctoring_site.launch.mongod_binary import WAYS_OUT, find_mongod

LOOPBACK = "127.0.0.1"
REPLICA_SET = "rs0"  # transactions and majority writes need a replica set, be it of one

START_TIMEOUT_S = 120  # recovering a large data folder after a kill takes a while
STOP_TIMEOUT_S = 60
PORT_TIMEOUT_S = 10
ORPHANS_PORT_TIMEOUT_S = 2
TRIED_PORTS = 5
PORTS = range(27018, 28018)  # from the one after MongoDB's own
#: No diagnostic files; and nobody is left to be warned when it stops, so no 15 s of grace for other members of the set.
TUNING = ("diagnosticDataCollectionEnabled=false", "shutdownTimeoutMillisForSignaledShutdown=100")
LOG_MAX_BYTES = 10 * 1024**2
FULL_BELOW_BYTES = 1024**2
POLL_S = 0.1

# What mongod's exit status says (src/mongo/util/exit_code.h).
PORT_IS_TAKEN = 48
OTHER_VERSION_WROTE_THIS = 62
FOLDER_IN_USE = 100
LOADER_FAILED = 127

NOT_YET_INITIALIZED = 94  # of replSetGetConfig (src/mongo/base/error_codes.yml)

APT_LINE = "apt-get install --no-install-recommends libcurl4 libssl3 liblzma5"


@dataclass
class EmbeddedMongod:
    """One mongod on one folder. `start`, then `url`; `revive` from time to time; `stop`. Also a context manager.

    `pause` is how it waits: the launcher's raises when somebody asked it to stop.
    """

    folder: Path
    extra_options: tuple[str, ...] = ()
    pause: Callable[[float], None] = time.sleep
    url: str | None = None
    _port: int = 0
    _binary: Path | None = None
    _process: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder).resolve()
        self._database, self._log = self.folder / "db", self.folder / "mongod.log"
        self._output, self._url_file, self._port_file = (self.folder / n for n in ("mongod.out", "url", "port"))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start it and answer its URL. Raises LaunchError, and then nothing is left running."""
        try:
            self._claim_folder()
            self._wait_for_orphans()
            self._binary = find_mongod()
            self._start_on_a_free_port()
            self._publish()
        except BaseException:
            self.stop()
            raise
        return self.url or ""

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def why_it_ended(self) -> str:
        return how_it_ended(self._process) if self._process else "never started"

    def revive(self) -> None:
        """Start an ended mongod again where it was, so that every client finds it under the same URL."""
        deadline = time.monotonic() + PORT_TIMEOUT_S
        while not self._run_on(self._port):
            if time.monotonic() > deadline:
                raise LaunchError(f"mongod ended, and port {self._port} was taken before it could come back.")
            self.pause(POLL_S)

    def stop(self) -> None:
        """Ask mongod to end, which it does cleanly, and let go of the folder. Harmless when nothing runs."""
        if self._process:
            end(self._process, patience_s=STOP_TIMEOUT_S)
            self._process = None
        if self._lock:
            self._url_file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None
        self.url = None

    # --- The folder: one launcher at a time -----------------------------------------------------------------------

    def _claim_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._database.mkdir(mode=0o700, exist_ok=True)
            for file in (self._log, self._output):
                file.open("ab").close()
            self._lock = hold(self.folder / "lock")
        except OSError as error:
            raise unwritable(self.folder, error) from error
        except Held as held:
            raise LaunchError(
                f"The data folder {self.folder} is in use by process {held.holder}: stop that one, or set DATA_DIR."
            ) from held

    def _wait_for_orphans(self) -> None:
        """A mongod whose launcher was killed is about to end. Nobody else's carries our log file's name."""
        if not end_left_behind(str(self._log), patience_s=STOP_TIMEOUT_S, pause=self.pause):
            raise LaunchError(
                f"A mongod of an earlier start still uses {self.folder} and does not end: stop it by hand."
            )

    # --- The process ----------------------------------------------------------------------------------------------

    def _start_on_a_free_port(self) -> None:
        for port in self._ports():
            if self._run_on(port):
                return
        raise LaunchError(f"mongod found every port that it tried on {LOOPBACK} taken.")

    def _ports(self) -> Iterator[int]:
        """That of last time first, so that a shell or a compass stays connected; then any free one."""
        try:
            last = int(self._port_file.read_text())
        except (OSError, ValueError):
            last = 0
        if 0 < last < 65536 and self._becomes_free(last):
            yield last
        for _ in range(TRIED_PORTS):
            yield _free_port()

    def _becomes_free(self, port: int) -> bool:
        """An orphan that has just ended loses its command line, by which we knew it, before its sockets."""
        deadline = time.monotonic() + ORPHANS_PORT_TIMEOUT_S
        while not _is_free(port):
            if time.monotonic() > deadline:
                return False
            self.pause(POLL_S)
        return True

    def _run_on(self, port: int) -> bool:
        """True when our mongod is the primary on this port, False when the port turned out to be taken."""
        self.keep_log_small()
        with self._output.open("wb") as output:
            self._process = start_tied(self._command(port), stdout=output, stderr=subprocess.STDOUT)
        # No timeoutMS: it would take the place of the short wait for a server that does not listen yet.
        options = {"directConnection": True, "serverSelectionTimeoutMS": 500, "socketTimeoutMS": 30_000}
        with MongoClient(LOOPBACK, port, **options) as client:
            if not self._wait_until(lambda: self._is_ours(client) and self._is_primary(client, f"{LOOPBACK}:{port}")):
                return False
        self._port = port
        return True

    def _command(self, port: int) -> list[str]:
        options = {
            "--dbpath": self._database,
            "--port": port,
            "--bind_ip": LOOPBACK,
            "--replSet": REPLICA_SET,
            "--oplogSize": 128,
            "--wiredTigerCacheSizeGB": 0.5,
            "--logpath": self._log,
            "--logRotate": "reopen",
            "--slowOpSampleRate": 0,  # it would quote what is slow: names searched for, words to candidates
        }
        named = [str(part) for option in options.items() for part in option]
        tuned = [part for setting in TUNING for part in ("--setParameter", setting)]
        return [str(self._binary), *named, *tuned, "--logappend", "--nounixsocket", "--quiet", *self.extra_options]

    def _wait_until(self, ready: Callable[[], bool]) -> bool:
        """True when ready, False when mongod ended because the port is taken."""
        deadline, reason = time.monotonic() + START_TIMEOUT_S, ""
        while time.monotonic() < deadline:
            status = self._process.poll()
            if status == PORT_IS_TAKEN:
                return False
            if status is not None:
                raise LaunchError(self._explain(status))
            try:
                if ready():
                    return True
            except PyMongoError as error:
                reason = f" ({error})"  # most often: not listening yet
            self.pause(POLL_S)
        raise LaunchError(f"mongod did not become ready within {START_TIMEOUT_S} s{reason}; its log is {self._log}.")

    def _is_ours(self, client: MongoClient) -> bool:
        """What answers may be another server that was quicker to take the port."""
        return client.admin.command("serverStatus")["pid"] == self.pid

    def _is_primary(self, client: MongoClient, address: str) -> bool:
        self._ensure_replica_set(client, address)
        return client.admin.command("hello")["isWritablePrimary"]

    def _ensure_replica_set(self, client: MongoClient, address: str) -> None:
        try:
            config = client.admin.command("replSetGetConfig")["config"]
        except OperationFailure as error:
            if error.code != NOT_YET_INITIALIZED:
                raise
            members = [{"_id": 0, "host": address}]
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            return
        if [member["host"] for member in config["members"]] != [address]:
            # Under its former port it does not find itself in the set, so it has no primary to ask politely.
            members = [{**config["members"][0], "host": address}]
            changed = {**config, "members": members, "version": config["version"] + 1}
            client.admin.command("replSetReconfig", changed, force=True)

    def _explain(self, status: int) -> str:
        if status == LOADER_FAILED and (missing := missing_libraries(self._binary) or [self._last_words()]):
            return f"mongod lacks system libraries ({', '.join(missing)}). On Debian and Ubuntu: {APT_LINE}"
        if status == -signal.SIGILL:
            return f"This processor lacks instructions that mongod needs (AVX). Ways out: {WAYS_OUT}."
        if status == OTHER_VERSION_WROTE_THIS:
            return (
                f"The data in {self.folder} was written by another major version of mongod than {self._binary}: "
                "use that version again, or set DATA_DIR to another folder."
            )
        if shutil.disk_usage(self.folder).free < FULL_BELOW_BYTES:  # which mongod's own words do not say
            return f"mongod did not start: the disk of {self.folder} is full. Make room, or set DATA_DIR to another."
        if not all(os.access(path, os.R_OK | os.W_OK) for path in self._database.rglob("*")):  # as after a restore
            return f"{self._database} has files that this account may not read and write: change their owner (chown)."
        if status == FOLDER_IN_USE:
            return f"{self._database} is in use by another mongod or not wholly readable; see {self._log}."
        return (
            f"mongod did not start ({self.why_it_ended()}); see the end of {self._log}. {self._last_words()}".rstrip()
        )

    def _last_words(self) -> str:
        lines = self._output.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines and not lines[-1].startswith(("{", "BACKTRACE")) else ""

    # --- What it leaves in the folder -----------------------------------------------------------------------------

    def _publish(self) -> None:
        """For manage.py (settings.py) while we run, and for the next start."""
        self.url = f"mongodb://{LOOPBACK}:{self._port}/?replicaSet={REPLICA_SET}"
        _write(self._url_file, self.url)
        _write(self._port_file, str(self._port))

    def keep_log_small(self) -> None:
        """Two files at most: mongod keeps writing into the one that we renamed until SIGUSR1 lets it reopen its log."""
        new = self._log.with_suffix(".log.new")
        try:
            if self._log.stat().st_size < LOG_MAX_BYTES:
                return
            os.close(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600))
            self._log.replace(self._log.with_suffix(".log.1"))
            new.replace(self._log)
        except OSError:  # there is none yet; or the disk takes no file just now, which must not end what runs
            return
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGUSR1)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for nobody else to read."""
    whole = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
    whole.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    """Below the range from which the system takes ports for outgoing connections: those come and go at any moment."""
    anywhere = random.sample(PORTS, len(PORTS))  # so that two that start at once do not meet
    return next((port for port in anywhere if _is_free(port)), 0) or _any_free_port()


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return probe.getsockname()[1]
