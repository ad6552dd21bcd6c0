"""granian as our child on one address: started, asked whether it answers, brought back, stopped."""

import errno
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from proctoring_site.launch.child_process import (
    Held,
    LaunchError,
    end,
    end_group,
    end_left_behind,
    hold,
    how_it_ended,
    start_tied,
    unwritable,
)

APPLICATION = "proctoring_site.wsgi:application"
START_TIMEOUT_S = 60
REQUEST_PATIENCE_S = 10  # for requests that run while it stops
STOP_TIMEOUT_S = REQUEST_PATIENCE_S + 5
POLL_S = 0.1
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to knock, not where to bind


@dataclass
class WebServer:
    """granian on host:port. `folder` keeps the lock that tells a live launcher's server from one left behind."""

    host: str
    port: int
    folder: Path
    workers: int
    threads: int
    pause: Callable[[float], None] = time.sleep
    _process: subprocess.Popen[bytes] | None = None
    _lock: IO[str] | None = field(default=None, repr=False)
    _reservation: socket.socket | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        host = ANY_ADDRESS.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def claim(self) -> None:
        """Make the address ours, from before the first slow step, or raise LaunchError."""
        if not _can_bind(self.host, self.port) and not self._left_behind_has_ended():
            raise LaunchError(f"Port {self.port} on {self.host} is taken: stop what uses it, or set PORT.")
        self._hold_lock()
        self._reservation = _reserve(self.host, self.port)

    def start(self) -> None:
        self._pid_file.unlink(missing_ok=True)  # granian refuses to start when the number in it lives again
        self._process = start_tied(self._command())
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.has_ended() or time.monotonic() > deadline:
                raise LaunchError(f"The web server did not start ({self.why_it_ended()}); the reason is above.")
            self.pause(POLL_S)

    def has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def why_it_ended(self) -> str:
        return how_it_ended(self._process) if self._process else "never started"

    def revive(self) -> None:
        end_group(self._process.pid)  # workers that outlive their parent would keep the port
        self.start()

    def stop(self) -> None:
        if self._process:
            end(self._process, patience_s=STOP_TIMEOUT_S)
            self._process = None
        for held in (self._reservation, self._lock):
            if held:
                held.close()
        self._reservation = self._lock = None

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"web-{self.port}.pid"

    def _hold_lock(self) -> None:
        if self._lock:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = hold(self.folder / f"web-{self.port}.lock")
        except Held as held:
            raise LaunchError(f"Port {self.port} is being taken by process {held.holder}: stop that one.") from held
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def _left_behind_has_ended(self) -> bool:
        """When no other launcher lives, what still serves for this folder was left behind and is about to end."""
        try:
            self._hold_lock()
        except LaunchError:
            return False
        theirs = str(self._pid_file)
        if not end_left_behind(theirs, patience_s=STOP_TIMEOUT_S, pause=self.pause):
            # A worker that was just starting when its parent was killed does not hear it, and would serve for ever.
            end_left_behind(theirs, patience_s=STOP_TIMEOUT_S, pause=self.pause, how=signal.SIGKILL)
        return _can_bind(self.host, self.port)

    def _command(self) -> list[str]:
        options = {
            "--interface": "wsgi",
            "--workers": self.workers,
            "--blocking-threads": self.threads,
            "--workers-kill-timeout": REQUEST_PATIENCE_S,
            "--host": self.host,
            "--port": self.port,
            "--log-level": "error",  # at "warning" it doubts every start's number of threads
            "--pid-file": self._pid_file,  # also what a later start recognizes us by
        }
        named = [str(part) for option in options.items() for part in option]
        return [sys.executable, "-m", "granian", *named, "--respawn-failed-workers", APPLICATION]

    def _answers(self) -> bool:
        try:
            socket.create_connection((ANY_ADDRESS.get(self.host, self.host), self.port), timeout=1).close()
        except OSError:
            return False
        return True


def _can_bind(host: str, port: int) -> bool:
    """False when the port is taken. Any other trouble with the address is a LaunchError of its own."""
    try:
        probe, address = _socket_for(host, port)
        with probe:
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        reason = error.strerror or "no such address"
        raise LaunchError(f"Cannot serve on {host}:{port} ({reason}): set HOST and PORT.") from error
    return True


def _reserve(host: str, port: int) -> socket.socket | None:
    """Keep the address from everybody but granian, whose workers bind it with SO_REUSEPORT as we do; we never listen.

    Without it, a second server of this user that starts at the same moment would silently share our port.
    """
    if sys.platform != "linux":  # elsewhere granian does not bind that way
        return None
    reservation, address = _socket_for(host, port)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind(address)
    return reservation


def _socket_for(host: str, port: int) -> tuple[socket.socket, tuple]:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bindable = socket.socket(family, kind)
    bindable.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return bindable, address
